"""What incoming and outgoing calls share: their face, and how they tell of events.

Events are told one by one from the event loop, never from inside a method of the
call, in the order they happened. Exactly one of ``TERMINAL_EVENTS`` is the last.
After it has happened, even before it is told, every method does nothing: a user that
is slow may answer a call that is already cancelled.
"""

from __future__ import annotations

import abc
import logging
from collections import deque
from collections.abc import Callable

from sip.account import Account
from sip.call_events import (
    TERMINAL_EVENTS,
    CallEvent,
    Failed,
    FailureCause,
    LocalEnd,
    RemoteHangup,
    Replaced,
)
from sip.core import Core
from sip.errors import LocalProtocolError
from sip.headers import Reason
from sip.identity import asserted_identity
from sip.message import Request
from sip.replaces import Replaces
from sip.session import Session, SessionEvent
from sip.uri import NameAddr, Uri

_log = logging.getLogger("sip.call")


class Call(abc.ABC):
    """One call, from either side.

    Attributes:
        account: whose call it is.
        call_id: of SIP; forks and transfers may share it.
        remote: who is called, or From of who calls.
        request: the INVITE.
        remote_offer: SDP of the INVITE of an incoming call; None when it has none,
            and of every outgoing call.
        on_event: may be replaced at any time.
    """

    def __init__(
        self,
        core: Core,
        account: Account,
        request: Request,
        remote: NameAddr,
        on_event: Callable[[CallEvent], None],
    ) -> None:
        self.account = account
        self.call_id = request.call_id
        self.remote = remote
        self.request = request
        self.remote_offer: str | None = None
        self.on_event = on_event
        self._core = core
        # Whether the terminal event has happened.
        self._is_ended = False
        self._mail: deque[CallEvent] = deque()
        core.calls.add(self)

    @property
    def is_ended(self) -> bool:
        """Whether the call is over for its user; messages may still be on the way."""
        return self._is_ended

    @property
    def asserted_identity(self) -> NameAddr | None:
        """P-Asserted-Identity (RFC 3325); to be believed of trusted sources only."""
        return asserted_identity(self.request)

    def ring(self, status: int = 180, sdp: str | None = None) -> None:
        """Incoming: send a provisional response, with early media when given."""
        raise LocalProtocolError("only an incoming call rings here")

    def answer(self, sdp: str) -> None:
        """Incoming: accept with an answer or, without ``remote_offer``, an offer."""
        raise LocalProtocolError("only an incoming call is answered here")

    def reject(self, status: int, reason: str | None = None) -> None:
        """Incoming: refuse with a final status, before ``answer``."""
        raise LocalProtocolError("only an incoming call is rejected here")

    def hangup(self, reason: Reason | None = None) -> None:
        """End the call by what its state asks for, CANCEL, BYE or 480; ``LocalEnd``."""
        self._hang_up(reason, LocalEnd())

    def give_way(self, to: Call) -> None:
        """End the call because ``to`` was answered in its place; for that call."""
        self._hang_up(None, Replaced(to.call_id))

    @abc.abstractmethod
    def _hang_up(self, reason: Reason | None, event: LocalEnd | Replaced) -> None:
        """End the call by what its state asks for, and tell ``event``."""

    def close(self) -> None:
        """Forget the call at once, and tell what is left to tell; for the agent."""
        self._emit(LocalEnd())
        self._over()
        self._deliver()

    @property
    @abc.abstractmethod
    def _session(self) -> Session | None:
        """The established session."""

    def reinvite(self, sdp: str) -> None:
        """Offer a change of the session; ``OfferAnswered`` or ``OfferFailed`` follows.

        Waits while another offer is under way; of several that wait the last is sent.
        One that waits while ``accept_offer`` is called is out of date and not sent:
        ``OfferFailed(491)``.
        """
        if not self._is_ended:
            self._established().offer(sdp)

    def accept_offer(self, sdp: str) -> None:
        """Answer the peer's ``Offer``; make the offer when it was ``Offer(None)``."""
        if not self._is_ended:
            self._established().accept_offer(sdp)

    def reject_offer(self, status: int = 488) -> None:
        """Refuse the peer's ``Offer``; the session stays as it was."""
        if not self._is_ended:
            self._established().reject_offer(status)

    def info(self, content_type: str, body: bytes) -> None:
        """Send an INFO, e.g. ``application/dtmf-relay``."""
        if not self._is_ended:
            self._established().info(content_type, body)

    def transfer(
        self,
        target: Uri,
        *,
        replaces: Replaces | None = None,
        wants_reports: bool = True,
    ) -> None:
        """Ask the peer to call ``target`` (REFER, RFC 3515).

        ``TransferProgress`` follows until one is final, or ``TransferRefused``. The
        call goes on meanwhile and afterwards: ``hangup`` ends it, also before the last
        report, of which nothing is told then.

        Args:
            replaces: the dialog at the target whose place the peer's call is to take:
                ``as_replaces`` of the call to the target (RFC 5589 7).
            wants_reports: False asks for none (RFC 4488); the peer may send them.

        Raises:
            LocalProtocolError: not established, a transfer is under way, or the target
                is not ``sip``, ``sips`` or ``tel``.
        """
        if not self._is_ended:
            self._established().transfers.ask(
                target,
                replaces=replaces,
                referred_by=self.account.address,
                wants_reports=wants_reports,
            )

    def accept_transfer(self) -> bool:
        """Agree to the peer's ``TransferRequested``, and report that we try.

        False: it is too late, or there is none; then nobody is to be called.
        """
        if self._is_ended or self._session is None:
            return False
        return self._session.transfers.accept()

    def refuse_transfer(self, status: int = 603) -> None:
        """Refuse the peer's ``TransferRequested``; nothing when it is too late."""
        if not self._is_ended:
            self._established().transfers.refuse(status)

    def report_transfer(self, status: int, reason: str = "") -> None:
        """Tell the peer how the call to the target stands; 200 and above is the last.

        Nothing when no report is wanted any more.
        """
        if not self._is_ended:
            self._established().transfers.report(status, reason)

    @property
    def as_replaces(self) -> Replaces:
        """This call's dialog as the peer knows it, for an INVITE that takes it over.

        Raises:
            LocalProtocolError: the call is not established.
        """
        dialog = self._established().dialog.id
        return Replaces(dialog.call_id, dialog.remote_tag, dialog.local_tag)

    @property
    def remote_target(self) -> Uri:
        """The peer's Contact: the very device, where the AoR may ring others.

        Application servers often relay to their AoRs only; with Replaces these do as
        well, for devices without that dialog answer 481 (RFC 3891 3).

        Raises:
            LocalProtocolError: the call is not established.
        """
        return self._established().dialog.remote_target

    def _established(self) -> Session:
        session = self._session
        if session is None:
            raise LocalProtocolError("the call is not established")
        return session

    # -- from the session --------------------------------------------------------------

    def believes(self, host: str) -> bool:
        """Part of ``SessionUser``."""
        return self.account.trusts(host)

    def on_session_event(self, event: SessionEvent) -> None:
        """Part of ``SessionUser``."""
        self._emit(event)

    def on_peer_bye(self, session: Session, reasons: tuple[Reason, ...]) -> None:
        """Part of ``SessionUser``."""
        self._emit(RemoteHangup(reasons))
        self._over()

    def on_session_lost(self, session: Session, cause: FailureCause) -> None:
        """Part of ``SessionUser``."""
        self._emit(Failed(cause))
        self._over()

    # -- events ------------------------------------------------------------------------

    def _emit(self, event: CallEvent) -> None:
        if self._is_ended:
            return
        if isinstance(event, TERMINAL_EVENTS):
            self._is_ended = True
            _log.debug("= call %s ended: %s", self.call_id, event)
        if not self._mail:
            clock = self._core.clock
            clock.call_at(clock.now(), self._deliver)
        self._mail.append(event)

    def _deliver(self) -> None:
        while self._mail:
            event = self._mail[0]
            try:
                self.on_event(event)
            except Exception:
                # A user's mistake must not stop the protocol; this is the root.
                self._core.counters.count("callback_errors")
                _log.exception("%s of call %s was not handled", event, self.call_id)
            self._mail.popleft()

    def _over(self) -> None:
        """Nothing is left to be done for this call."""
        self._core.calls.discard(self)
        self._core.idle_changed()
