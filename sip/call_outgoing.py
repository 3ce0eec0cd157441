"""Outgoing calls: the caller's side of an INVITE and all its forks (RFC 3261 13.2).

============  =====================================================================
CALLING       early dialogs come and go, one for each To tag
ANSWERED      the first 2xx won; its session stands
ENDED         nothing more is told, but answers are still looked after
============  =====================================================================

* Every 2xx is acknowledged, each repetition with the very same ACK. One of another
  branch than the winner's, or one that comes after ``hangup``, gets BYE as well
  (13.2.2.4).
* ``hangup`` while CALLING cancels as soon as that is allowed; a 2xx may be faster.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Sequence

from sip.account import Account
from sip.call import Call
from sip.call_events import (
    COMPLETED_ELSEWHERE,
    NORMAL_CLEARING,
    Answered,
    CallEvent,
    FailureCause,
    LocalEnd,
    Progress,
    Rejected,
    Replaced,
)
from sip.compose import MAX_FORWARDS
from sip.core import ALLOW, SUPPORTED, Core, next_hops
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.exchange import Acknowledgement, Exchange, Reply
from sip.headers import CSeq, Headers, Reason
from sip.message import Request, Response
from sip.session import ACCEPT, SDP, Session, SessionEvent, encode_sdp, sdp_of
from sip.uri import NameAddr, Uri

_log = logging.getLogger("sip.call")

# A proxy that makes up a new tag for every response must not fill the memory.
MAX_FORKS = 64


class CallState(enum.StrEnum):
    """See the module's text."""

    CALLING = "calling"
    ANSWERED = "answered"
    ENDED = "ended"


class OutgoingCall(Call):
    """One INVITE of ours; made by ``UserAgent.call``."""

    def __init__(
        self,
        core: Core,
        account: Account,
        target: Uri,
        *,
        offer: str | None,
        on_event: Callable[[CallEvent], None],
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        presence = core.presence(account)
        hops = next_hops(account, presence.service_route, target)
        self._transport = core.transport_for(hops[0], account.transport)
        self._contact = core.contact(presence.contact_user, self._transport)
        request = self._invite(core, account, target, offer, headers)
        # A value that must not be sent shows here, before anything has happened.
        request.to_bytes()
        super().__init__(core, account, request, NameAddr(target), on_event)
        self.state = CallState.CALLING
        # Held here: whoever owns the account may remove it before the last fork ends.
        self._digest = presence.digest
        self._offer = offer
        self._cseq = request.cseq.number
        # Dialogs by remote tag, early ones and all that ever got a 2xx.
        self._forks: dict[str, Session] = {}
        self._winner: Session | None = None
        # By remote tag; None: the winner's, until accept_offer has an answer.
        self._acks: dict[str, Acknowledgement | None] = {}
        # The winner's INVITE as sent, while its ACK waits for our answer.
        self._unacknowledged: Request | None = None
        self._exchange = Exchange(
            core,
            request,
            next_hops=hops,
            on_reply=self._replied,
            digest=self._digest,
            next_cseq=self._next_cseq,
            transport=account.transport,
            trusts_targets=hops != (target,),
        )

    def start(self) -> None:
        """Send the INVITE; for the agent."""
        self._exchange.start()

    def _hang_up(self, reason: Reason | None, event: LocalEnd | Replaced) -> None:
        """CANCEL or BYE, by state."""
        if self.is_ended:
            return
        header = ("Reason", str(reason or NORMAL_CLEARING))
        was, self.state = self.state, CallState.ENDED
        self._emit(event)
        if was is CallState.CALLING:
            self._exchange.cancel([header])
            return
        self._acknowledge_anyway()
        if self._winner is not None:
            self._winner.bye(reason)
        self._over()

    def accept_offer(self, sdp: str) -> None:
        """See ``Call``; also answers an offer that came with ``Answered``."""
        if self.is_ended:
            return
        if self._unacknowledged is None or self._winner is None:
            super().accept_offer(sdp)
            return
        invite, self._unacknowledged = self._unacknowledged, None
        self._acknowledge(self._winner, invite, sdp)

    def close(self) -> None:
        """See ``Call``."""
        self._exchange.abandon()
        for session in self._forks.values():
            session.close()
        super().close()

    @property
    def _session(self) -> Session | None:
        return self._winner if self.state is CallState.ANSWERED else None

    def on_session_event(self, event: SessionEvent) -> None:
        """Part of ``SessionUser``."""
        self._emit(event)

    def on_peer_bye(self, session: Session, reasons: tuple[Reason, ...]) -> None:
        """Part of ``SessionUser``; of another fork than the winner it means nothing."""
        if session is self._winner and self.state is CallState.ANSWERED:
            self.state = CallState.ENDED
            super().on_peer_bye(session, reasons)

    def on_session_lost(self, session: Session, cause: FailureCause) -> None:
        """Part of ``SessionUser``."""
        if session is self._winner and self.state is CallState.ANSWERED:
            self.state = CallState.ENDED
            super().on_session_lost(session, cause)

    # -- responses ---------------------------------------------------------------------

    def _replied(self, reply: Reply) -> None:
        response = reply.response
        if response.is_provisional:
            self._progressed(reply)
        elif response.is_success:
            self._succeeded(reply)
        else:
            self._failed(reply)

    def _progressed(self, reply: Reply) -> None:
        response = reply.response
        if response.status == 100 or self.state is not CallState.CALLING:
            return
        tag = response.to.tag or ""
        if tag and tag not in self._forks and len(self._forks) < MAX_FORKS:
            self._forks[tag] = self._new_session(reply)
        self._emit(Progress(response.status, sdp_of(response), tag))

    def _succeeded(self, reply: Reply) -> None:
        tag = reply.response.to.tag or ""
        if tag in self._acks:
            ack = self._acks[tag]
            if ack is not None:
                ack.repeat()
            return
        session = self._forks.get(tag)
        if session is None:
            session = self._forks[tag] = self._new_session(reply)
        session.dialog.local_cseq = max(
            session.dialog.local_cseq, reply.request.cseq.number
        )
        session.dialog.confirm(reply.response)
        if self.state is CallState.CALLING:
            self._won(session, reply)
        else:
            self._release(session, reply)

    def _won(self, session: Session, reply: Reply) -> None:
        self.state = CallState.ANSWERED
        self._winner = session
        tag = session.dialog.id.remote_tag
        for other, early in list(self._forks.items()):
            if early is not session:
                early.discard()
                del self._forks[other]
        if self._offer is not None:
            self._acknowledge(session, reply.request, None)
        else:
            self._acks[tag] = None
            self._unacknowledged = reply.request
        self._emit(Answered(sdp_of(reply.response), tag))

    def _release(self, session: Session, reply: Reply) -> None:
        """A 2xx that nobody waits for any more: ACK, then BYE (13.2.2.4)."""
        self._core.counters.count("forks_released")
        self._acknowledge(session, reply.request, None)
        session.bye(NORMAL_CLEARING if self._winner is None else COMPLETED_ELSEWHERE)
        self._over()

    def _failed(self, reply: Reply) -> None:
        response = reply.response
        for session in self._forks.values():
            session.discard()
        self._forks.clear()
        if self.state is CallState.CALLING:
            self.state = CallState.ENDED
            self._emit(_rejection(reply, response))
        self._over()

    def _acknowledge(self, session: Session, invite: Request, sdp: str | None) -> None:
        ack = session.dialog.create_ack(
            invite, body=b"" if sdp is None else encode_sdp(sdp)
        )
        self._acks[session.dialog.id.remote_tag] = Acknowledgement(
            self._core,
            ack,
            next_hop=session.dialog.next_hop,
            transport=self._transport,
            fallback=self._exchange.target,
        )

    def _acknowledge_anyway(self) -> None:
        """We hang up before we answered the offer of the 2xx: it still needs ACK."""
        invite, self._unacknowledged = self._unacknowledged, None
        if invite is not None and self._winner is not None:
            self._acknowledge(self._winner, invite, None)

    # -- requests ----------------------------------------------------------------------

    def _new_session(self, reply: Reply) -> Session:
        return Session(
            self._core,
            Dialog.as_caller(reply.request, reply.response),
            digest=self._digest,
            contact=self._contact,
            transport=self._transport,
            user=self,
        )

    def _next_cseq(self) -> int:
        self._cseq += 1
        return self._cseq

    def _invite(
        self,
        core: Core,
        account: Account,
        target: Uri,
        offer: str | None,
        lines: Sequence[tuple[str, str]],
    ) -> Request:
        if not target.is_sip:
            raise LocalProtocolError("only SIP URIs can be called")
        headers = Headers()
        for route in core.presence(account).service_route:
            headers.add("Route", str(route))
        headers.add("Max-Forwards", str(MAX_FORWARDS))
        headers.add("From", str(account.address.with_tag(core.layer.new_tag())))
        headers.add("To", str(NameAddr(target.without_headers())))
        headers.add("Call-ID", core.new_call_id())
        headers.add("CSeq", str(CSeq(1, "INVITE")))
        headers.add("Contact", str(NameAddr(self._contact)))
        for name, value in (
            ALLOW,
            ACCEPT,
            SUPPORTED,
            ("User-Agent", core.user_agent),
            *lines,
        ):
            headers.add(name, value)
        body = b""
        if offer is not None:
            headers.add("Content-Type", SDP)
            body = encode_sdp(offer)
        return Request("INVITE", target.without_headers(), headers, body)


def _rejection(reply: Reply, response: Response) -> Rejected:
    return Rejected(
        status=response.status,
        reason_phrase=response.reason,
        reasons=response.reasons,
        retry_after=response.retry_after,
        local=reply.is_local,
        refusal=reply.refusal,
    )
