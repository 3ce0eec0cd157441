"""What two user agents do within one dialog: offers, INFO, BYE (RFC 3261 13.3, 14, 15).

A session stands on one dialog, early or confirmed, and is driven by requests of the
peer (``receive_request``, ``receive_ack``), by its call, and by the clock.

* One offer at a time (RFC 6337). The peer's re-INVITE meets 491 while ours is under
  way, and 500 with Retry-After while its own is. An offer of ours that cannot be
  sent yet waits; of several that wait only the last is sent.
* Our offer that got 491 is sent again after 2.1 to 4 s when the Call-ID is ours, else
  after up to 2 s (14.1).
* An offer of ours that waits while we accept one of the peer's is out of date, in its
  version too: it is not sent, and comes to nothing as if by 491.
* A 2xx to INVITE is repeated until its ACK, at most for ``64*T1``: then BYE.
* The callee sends no BYE before its 2xx is acknowledged (15).
* A re-INVITE that fails leaves all as it was, save with 408 and 481 (12.2.1.2).
* REFER and its reports are :mod:`sip.transfers`' business.
* The session can be found until its own BYE is answered, so that a BYE that crosses it
  gets 200.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sip.call_events import (
    NORMAL_CLEARING,
    NOT_ACKNOWLEDGED,
    Confirmed,
    FailureCause,
    InfoReceived,
    Offer,
    OfferAnswered,
    OfferFailed,
    PeerIdentified,
)
from sip.clock import TimerHandle
from sip.compose import HeaderLines
from sip.core import ALLOW, SUPPORTED, Core
from sip.dialog import Dialog, DialogState
from sip.digest import DigestClient
from sip.errors import LocalProtocolError, ParseError
from sip.exchange import Acknowledgement, Exchange, Reply
from sip.headers import Reason
from sip.identity import stated_identity
from sip.message import Request, Response
from sip.multipart import find_body
from sip.transaction import FailureKind
from sip.transaction_layer import ServerTransaction
from sip.transfers import TransferEvent, Transfers
from sip.transport import Protocols
from sip.uri import NameAddr, Uri

_log = logging.getLogger("sip.call")

SDP = "application/sdp"
# RFC 3261 14.1, 14.2.
GLARE_OWNER_S = (2.1, 4.0)
GLARE_OTHER_S = (0.0, 2.0)
MAX_RETRY_AFTER_S = 10
# RFC 3261 8.1.1.8: what the peer may send to this contact.
ACCEPT = ("Accept", SDP)

SessionEvent = (
    Confirmed
    | Offer
    | OfferAnswered
    | OfferFailed
    | InfoReceived
    | PeerIdentified
    | TransferEvent
)


class SessionUser(Protocol):
    """The call a session belongs to."""

    def believes(self, host: str) -> bool:
        """Whether what is said from this address of who the peer is may be true."""

    def on_session_event(self, event: SessionEvent) -> None:
        """Something happened that does not end the session."""

    def on_peer_bye(self, session: Session, reasons: tuple[Reason, ...]) -> None:
        """The peer ended it; BYE is already answered."""

    def on_session_lost(self, session: Session, cause: FailureCause) -> None:
        """It broke down; a BYE was sent where one makes sense."""


class _OfferKind(enum.Enum):
    INITIAL = enum.auto()
    REINVITE = enum.auto()


class SentAnswer:
    """A 2xx to an INVITE, repeated until its ACK comes (13.3.1.4)."""

    def __init__(
        self,
        core: Core,
        transaction: ServerTransaction,
        response: Response,
        on_timeout: Callable[[], None],
    ) -> None:
        self.cseq = transaction.request.cseq.number
        self._core = core
        self._transaction = transaction
        self._response = response
        self._on_timeout = on_timeout
        self._interval_s = core.timers.t1_s
        now = core.clock.now()
        self._gives_up_at = now + core.timers.expiry_s
        transaction.respond(response)
        self._timer: TimerHandle = core.clock.call_at(
            now + self._interval_s, self._repeat
        )

    def stop(self) -> None:
        """Acknowledged, or no longer of interest."""
        self._timer.cancel()

    def _repeat(self) -> None:
        now = self._core.clock.now()
        if now >= self._gives_up_at:
            self._on_timeout()
            return
        try:
            self._transaction.respond(self._response)
        except LocalProtocolError:
            # Timer L is of the same length and may have fired just before.
            _log.debug("the transaction of a 2xx has ended")
        self._interval_s = min(2 * self._interval_s, self._core.timers.t2_s)
        due = min(now + self._interval_s, self._gives_up_at)
        self._timer = self._core.clock.call_at(due, self._repeat)


@dataclass(slots=True)
class _Incoming:
    """The peer's offer, or its wish for one, while our user decides."""

    transaction: ServerTransaction
    has_offer: bool


@dataclass(slots=True)
class _Unacknowledged:
    """Our 2xx whose ACK is awaited."""

    answer: SentAnswer
    # The 2xx carried our offer: the ACK must carry the answer.
    awaits_sdp: bool
    kind: _OfferKind


class Session:
    """See the module's text.

    Args:
        digest: the account's credentials; kept beyond its registration, for its calls
            go on.
        contact: ours in this dialog.
        transport: preferred for requests within it.
    """

    def __init__(
        self,
        core: Core,
        dialog: Dialog,
        *,
        digest: DigestClient,
        contact: Uri,
        transport: Protocols | None,
        user: SessionUser,
    ) -> None:
        self.dialog = dialog
        self.contact = contact
        self._core = core
        self._digest = digest
        self._transport = transport
        self._user = user
        self._incoming: _Incoming | None = None
        # Our own offer under way, and the one that waits for its turn.
        self._outgoing: Exchange | None = None
        self._queued_offer: str | None = None
        self._glare_timer: TimerHandle | None = None
        self._unacknowledged: _Unacknowledged | None = None
        # ACKs of our re-INVITEs by CSeq, for repeated 2xx.
        self._acks: dict[int, Acknowledgement] = {}
        # A BYE that waits for the ACK of our 2xx.
        self._queued_bye: Reason | None = None
        self._exchanges: set[Exchange] = set()
        self.transfers = Transfers(core, self)
        core.sessions[dialog.id] = self

    @property
    def user(self) -> SessionUser:
        """The call it belongs to."""
        return self._user

    @property
    def is_ended(self) -> bool:
        """Whether either side ended it."""
        return self.dialog.state is DialogState.TERMINATED or (
            self._queued_bye is not None
        )

    # -- for the call ----------------------------------------------------------------

    def answer(self, transaction: ServerTransaction, sdp: str) -> None:
        """Send the 200 of the dialog's first INVITE."""
        self.dialog.confirm()
        awaits_sdp = sdp_of(transaction.request) is None
        self._send_answer(transaction, sdp, awaits_sdp, _OfferKind.INITIAL)

    def offer(self, sdp: str) -> None:
        """Send a re-INVITE, now or when that is next allowed."""
        if self.is_ended:
            return
        self._queued_offer = sdp
        self._send_queued()

    def accept_offer(self, sdp: str) -> None:
        """Answer the peer's ``Offer``, or make the offer it asked for.

        Raises:
            LocalProtocolError: there is none to answer.
        """
        incoming = self._take_incoming()
        if incoming is None:
            return
        self._drop_queued_offer()
        transaction = incoming.transaction
        self.dialog.refresh_target(transaction.request)
        if transaction.request.method == "INVITE":
            self._send_answer(
                transaction, sdp, not incoming.has_offer, _OfferKind.REINVITE
            )
        else:
            transaction.answer(
                200,
                headers=(*self.headers_of_session(), ("Content-Type", SDP)),
                body=encode_sdp(sdp),
            )
            self._send_queued()

    def reject_offer(self, status: int) -> None:
        """Refuse the peer's ``Offer``; the session stays as it was.

        Raises:
            LocalProtocolError: there is none to refuse.
        """
        incoming = self._take_incoming()
        if incoming is not None:
            incoming.transaction.answer(status)
            self._send_queued()

    def info(self, content_type: str, body: bytes) -> None:
        """Send an INFO; only its 481 is of interest."""
        if self.is_ended:
            return
        request = self.dialog.create_request(
            "INFO", headers=[("Content-Type", content_type)], body=body
        )
        self._exchange(request, self._info_replied)

    def bye(self, reason: Reason | None = None) -> None:
        """End it, at once or when our 2xx is acknowledged. May be called twice."""
        if self.is_ended:
            return
        reason = reason or NORMAL_CLEARING
        str(reason)  # raises InvalidValue now rather than when the ACK is there
        if self._unacknowledged is not None and (
            self._unacknowledged.kind is _OfferKind.INITIAL
        ):
            self._queued_bye = reason
            return
        self._send_bye(reason)

    def discard(self) -> None:
        """Forget it without a word: its branch lost, or the INVITE failed."""
        self._terminate("discarded")
        self._forget()

    def close(self) -> None:
        """Stop all timers and exchanges at once."""
        self.discard()
        for exchange in list(self._exchanges):
            exchange.abandon()
        self._exchanges.clear()

    # -- from the peer -----------------------------------------------------------------

    def receive_request(self, transaction: ServerTransaction) -> None:
        """Take a request within the dialog, other than ACK and CANCEL."""
        request = transaction.request
        if self.is_ended and request.method != "BYE":
            transaction.answer(481)
            return
        if not self.dialog.accepts_cseq(request):
            transaction.answer(500)
            return
        match request.method:
            case "INVITE":
                self._receive_offer(transaction)
            case "UPDATE":
                self._receive_update(transaction)
            case "BYE":
                self._receive_bye(transaction)
            case "INFO":
                self._receive_info(transaction)
            case "OPTIONS":
                transaction.answer(200, headers=(ALLOW, ACCEPT, SUPPORTED))
            case "REFER" if self.dialog.state is DialogState.EARLY:
                # RFC 5589 6: who is not talking yet is not transferred
                transaction.answer(403)
            case "REFER":
                self.transfers.receive_refer(transaction)
            case "NOTIFY":
                self.transfers.receive_notify(transaction)
            case "SUBSCRIBE":
                self.transfers.receive_subscribe(transaction)
            case _:
                transaction.answer(405, headers=(ALLOW,))

    def receive_ack(self, ack: Request) -> None:
        """Take the ACK of a 2xx of ours."""
        waiting = self._unacknowledged
        if waiting is None or ack.cseq.number != waiting.answer.cseq:
            return
        waiting.answer.stop()
        self._unacknowledged = None
        if self._queued_bye is not None:
            reason, self._queued_bye = self._queued_bye, None
            self._send_bye(reason)
            return
        sdp = sdp_of(ack) if waiting.awaits_sdp else None
        if waiting.kind is _OfferKind.INITIAL:
            self._user.on_session_event(Confirmed(sdp))
        elif waiting.awaits_sdp:
            self._user.on_session_event(
                OfferFailed(488) if sdp is None else OfferAnswered(sdp)
            )
        self._send_queued()

    def _receive_offer(self, transaction: ServerTransaction) -> None:
        if not self._is_free_for_offer(transaction):
            return
        self._note_identity(transaction)
        sdp = sdp_of(transaction.request)
        self._incoming = _Incoming(transaction, sdp is not None)
        transaction.user = _Cancellation(self, transaction)
        self._user.on_session_event(Offer(sdp))

    def _receive_update(self, transaction: ServerTransaction) -> None:
        sdp = sdp_of(transaction.request)
        if sdp is None:
            self._note_identity(transaction)
            self.dialog.refresh_target(transaction.request)
            transaction.answer(200, headers=self.headers_of_session())
        elif self._is_free_for_offer(transaction):
            self._note_identity(transaction)
            self._incoming = _Incoming(transaction, True)
            self._user.on_session_event(Offer(sdp))

    def _note_identity(self, transaction: ServerTransaction) -> None:
        if not self._user.believes(transaction.source.host):
            return
        request = transaction.request
        identity = stated_identity(request, self.dialog.remote.uri)
        if identity is not None:
            self._user.on_session_event(PeerIdentified(identity))

    def _is_free_for_offer(self, transaction: ServerTransaction) -> bool:
        """Whether the peer's offer may be looked at; else it is refused here."""
        is_early = self.dialog.state is DialogState.EARLY
        if self._incoming is not None or (is_early and not self.dialog.is_caller):
            wait_s = self._core.rng.randint(0, MAX_RETRY_AFTER_S)
            transaction.answer(500, headers=[("Retry-After", str(wait_s))])
            return False
        waiting = self._unacknowledged
        if self._outgoing is not None or (
            is_early or (waiting is not None and waiting.awaits_sdp)
        ):
            transaction.answer(491)
            return False
        return True

    def offer_cancelled(self, transaction: ServerTransaction) -> None:
        """The peer withdrew its re-INVITE; for ``_Cancellation``."""
        if self._incoming is None or self._incoming.transaction is not transaction:
            return
        self._incoming = None
        transaction.answer(487)
        self._user.on_session_event(OfferFailed(487))
        self._send_queued()

    def _receive_bye(self, transaction: ServerTransaction) -> None:
        transaction.answer(200)
        if self.dialog.state is DialogState.TERMINATED:
            return
        was_ended = self.is_ended
        self._queued_bye = None
        self._terminate("BYE received")
        self._forget()
        if not was_ended:
            self._user.on_peer_bye(self, transaction.request.reasons)

    def _receive_info(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.headers.get("Info-Package") is not None:
            # RFC 6086 4.2.2: we announced none
            transaction.answer(469, headers=[("Recv-Info", "")])
            return
        transaction.answer(200)
        self._user.on_session_event(
            InfoReceived(request.content_type or "", request.body)
        )

    # -- our requests ------------------------------------------------------------------

    def _send_queued(self) -> None:
        if self._queued_offer is None or self.is_ended:
            return
        if (
            self.dialog.state is not DialogState.CONFIRMED
            or self._incoming is not None
            or self._outgoing is not None
            or self._unacknowledged is not None
            or self._glare_timer is not None
        ):
            return
        sdp, self._queued_offer = self._queued_offer, None
        request = self.dialog.create_request(
            "INVITE",
            headers=(*self.headers_of_session(), ACCEPT, ("Content-Type", SDP)),
            body=encode_sdp(sdp),
        )
        self._outgoing = self._exchange(
            request, lambda exchange, reply: self._offer_replied(exchange, reply, sdp)
        )

    def _offer_replied(self, exchange: Exchange, reply: Reply, sdp: str) -> None:
        response = reply.response
        if response.is_provisional:
            return
        if response.is_success:
            self._offer_accepted(exchange, reply)
            return
        self._outgoing = None
        self._exchanges.discard(exchange)
        if self.is_ended:
            return
        if response.status == 491:
            self._wait_for_glare(sdp)
        elif response.status in (408, 481):
            self._lost(FailureCause.DIALOG_LOST)
        else:
            self._user.on_session_event(OfferFailed(response.status))
            self._send_queued()

    def _offer_accepted(self, exchange: Exchange, reply: Reply) -> None:
        number = reply.request.cseq.number
        repeated = self._acks.get(number)
        if repeated is not None:
            repeated.repeat()
            return
        self.dialog.refresh_target(reply.response)
        # The newest is enough: re-INVITEs come one after the other.
        self._acks = {
            number: Acknowledgement(
                self._core,
                self.dialog.create_ack(reply.request),
                next_hop=self.dialog.next_hop,
                transport=self._transport,
                fallback=reply.target,
            )
        }
        self._exchanges.discard(exchange)
        if self._outgoing is not exchange:
            return
        self._outgoing = None
        if self.is_ended:
            return
        sdp = sdp_of(reply.response)
        self._user.on_session_event(
            OfferFailed(488) if sdp is None else OfferAnswered(sdp)
        )
        self._send_queued()

    def _drop_queued_offer(self) -> None:
        if self._queued_offer is not None:
            self._queued_offer = None
            self._user.on_session_event(OfferFailed(491))

    def _wait_for_glare(self, sdp: str) -> None:
        span = GLARE_OWNER_S if self.dialog.is_caller else GLARE_OTHER_S
        # in units of 10 ms (14.1)
        wait_s = round(self._core.rng.uniform(*span), 2)
        if self._queued_offer is None:
            self._queued_offer = sdp
        self._glare_timer = self._core.clock.call_at(
            self._core.clock.now() + wait_s, self._glare_over
        )

    def _glare_over(self) -> None:
        self._glare_timer = None
        self._send_queued()

    def _info_replied(self, exchange: Exchange, reply: Reply) -> None:
        if reply.response.is_provisional:
            return
        self._exchanges.discard(exchange)
        if reply.response.status == 481 and not self.is_ended:
            self._lost(FailureCause.DIALOG_LOST)

    def _send_bye(self, reason: Reason) -> None:
        request = self.dialog.create_request("BYE", headers=[("Reason", str(reason))])
        self._terminate("BYE sent")
        self._exchange(request, self._bye_replied)

    def _bye_replied(self, exchange: Exchange, reply: Reply) -> None:
        if not reply.response.is_provisional:
            self._exchanges.discard(exchange)
            self._forget()

    def _exchange(
        self, request: Request, on_reply: Callable[[Exchange, Reply], None]
    ) -> Exchange:
        def next_cseq() -> int:
            self.dialog.local_cseq += 1
            return self.dialog.local_cseq

        request.headers.add("User-Agent", self._core.user_agent)
        # A value that must not be sent shows here, in our caller's hands.
        request.to_bytes()
        exchange = Exchange(
            self._core,
            request,
            next_hops=(self.dialog.next_hop,),
            on_reply=lambda reply: on_reply(exchange, reply),
            digest=self._digest,
            next_cseq=next_cseq,
            transport=self._transport,
        )
        self._exchanges.add(exchange)
        # Not from inside: the reply may come at once, and our caller is not ready.
        self._core.clock.call_at(self._core.clock.now(), exchange.start)
        return exchange

    # -- answers -----------------------------------------------------------------------

    def _send_answer(
        self,
        transaction: ServerTransaction,
        sdp: str,
        awaits_sdp: bool,
        kind: _OfferKind,
    ) -> None:
        response = self._ok(transaction, sdp)
        self._unacknowledged = _Unacknowledged(
            SentAnswer(self._core, transaction, response, self._not_acknowledged),
            awaits_sdp,
            kind,
        )

    def _ok(self, transaction: ServerTransaction, sdp: str) -> Response:
        return transaction.create(
            200,
            headers=(*self.headers_of_session(), ("Content-Type", SDP)),
            body=encode_sdp(sdp),
        )

    # -- for the transfers -------------------------------------------------------------

    def headers_of_session(self) -> HeaderLines:
        """Part of ``TransferSession``."""
        return (("Contact", str(NameAddr(self.contact))), ALLOW, SUPPORTED)

    def send_within(
        self,
        method: str,
        headers: HeaderLines,
        body: bytes,
        on_reply: Callable[[Reply], None],
    ) -> Exchange:
        """Part of ``TransferSession``."""

        def replied(exchange: Exchange, reply: Reply) -> None:
            if not reply.response.is_provisional:
                self._exchanges.discard(exchange)
            on_reply(reply)

        request = self.dialog.create_request(
            method, headers=(*self.headers_of_session(), *headers), body=body
        )
        return self._exchange(request, replied)

    def tell(self, event: TransferEvent) -> None:
        """Part of ``TransferSession``."""
        self._user.on_session_event(event)

    def dialog_lost(self) -> None:
        """Part of ``TransferSession``."""
        if not self.is_ended:
            self._lost(FailureCause.DIALOG_LOST)

    def _take_incoming(self) -> _Incoming | None:
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            if self.is_ended:
                return None
            raise LocalProtocolError("there is no offer to answer")
        return incoming if incoming.transaction.is_answerable else None

    def _not_acknowledged(self) -> None:
        self._unacknowledged = None
        if self._queued_bye is not None:
            reason, self._queued_bye = self._queued_bye, None
            self._send_bye(reason)
        elif not self.is_ended:
            self._send_bye(NOT_ACKNOWLEDGED)
            self._user.on_session_lost(self, FailureCause.NO_ACK)

    def _lost(self, cause: FailureCause) -> None:
        # RFC 3261 12.2.1.2: the peer may still be there, and only not have answered
        self._send_bye(NORMAL_CLEARING)
        self._user.on_session_lost(self, cause)

    # -- end ---------------------------------------------------------------------------

    def _terminate(self, why: str) -> None:
        self.dialog.terminate(why)
        self.transfers.stop()
        self._queued_offer = None
        if self._glare_timer is not None:
            self._glare_timer.cancel()
            self._glare_timer = None
        if self._unacknowledged is not None:
            self._unacknowledged.answer.stop()
            self._unacknowledged = None
        incoming, self._incoming = self._incoming, None
        if incoming is not None and incoming.transaction.is_answerable:
            is_invite = incoming.transaction.request.method == "INVITE"
            incoming.transaction.answer(487 if is_invite else 481)

    def _forget(self) -> None:
        if self._core.sessions.get(self.dialog.id) is self:
            del self._core.sessions[self.dialog.id]
            self._core.ended.add(self.dialog.id, self._core.clock.now())
            self._core.idle_changed()


class _Cancellation:
    """Takes the CANCEL of the peer's re-INVITE."""

    def __init__(self, session: Session, transaction: ServerTransaction) -> None:
        self._session = session
        self._transaction = transaction

    def on_cancel(self, cancel: Request) -> None:
        """Part of ``ServerUser``."""
        self._session.offer_cancelled(self._transaction)

    def on_failure(self, kind: FailureKind) -> None:
        """Part of ``ServerUser``: a lost refusal changes nothing here."""


def sdp_of(message: Request | Response) -> str | None:
    """The session description a message carries, also inside a multipart."""
    if not message.body:
        return None
    try:
        body = find_body(message, SDP)
    except ParseError:
        return None
    return None if body is None else body.decode("utf-8", "surrogateescape")


def encode_sdp(sdp: str) -> bytes:
    """The bytes of a session description."""
    return sdp.encode("utf-8", "surrogateescape")
