"""Incoming calls: the callee's side of an INVITE (RFC 3261 13.3, 9.2, 15.1.2).

============  =====================================================================
RINGING       until ``answer``, ``reject``, CANCEL, the caller's BYE or Expires
ANSWERED      200 sent; the session repeats it until ACK
ENDED         nothing more is told
============  =====================================================================

CANCEL after ``answer`` changes nothing: the caller sees the 200 and sends BYE.

An INVITE with Replaces (RFC 3891) is a call like any other, which its user may answer
without ringing; ``answer`` ends the call that it replaces.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable

from sip.account import Account
from sip.call import Call
from sip.call_events import CallEvent, Cancelled, LocalEnd, Replaced
from sip.core import Core
from sip.dialog import Dialog
from sip.errors import LocalProtocolError
from sip.headers import Reason
from sip.message import Request
from sip.session import SDP, Session, encode_sdp, sdp_of
from sip.transaction import FailureKind
from sip.transaction_layer import ServerTransaction
from sip.uri import Uri

_log = logging.getLogger("sip.call")


class CallState(enum.StrEnum):
    """See the module's text."""

    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"


def _not_told(event: CallEvent) -> None:
    _log.warning("%s is told to nobody: on_event was not set", event)


class IncomingCall(Call):
    """One INVITE that reached us. ``on_event`` is to be set within ``on_invite``.

    Attributes:
        replaced: the call whose place it is to take (RFC 3891), None for most. It ends
            with ``Replaced`` when this one is answered, and goes on when it is not.
    """

    def __init__(
        self,
        core: Core,
        account: Account,
        transaction: ServerTransaction,
        *,
        contact: Uri,
        replaced: Call | None = None,
        on_event: Callable[[CallEvent], None] = _not_told,
    ) -> None:
        request = transaction.request
        super().__init__(core, account, request, request.from_, on_event)
        self.state = CallState.RINGING
        self.replaced = replaced
        self.remote_offer = sdp_of(request)
        self._transaction = transaction
        self._own_session = Session(
            core,
            Dialog.as_callee(request, transaction.local_tag),
            digest=core.presence(account).digest,
            contact=contact,
            transport=transaction.source.transport,
            user=self,
        )
        transaction.user = self
        # RFC 3261 13.3.1: an invitation may name its end; a caller that vanished
        # without CANCEL must not ring for ever.
        ring_s = core.max_ring_s
        if request.expires:
            ring_s = min(ring_s, float(request.expires))
        self._ring_timer = core.clock.call_at(core.clock.now() + ring_s, self._expired)

    def ring(self, status: int = 180, sdp: str | None = None) -> None:
        """Send a provisional response; may be repeated and changed.

        Raises:
            LocalProtocolError: it is answered, or the status is not 101 to 199.
        """
        if self.is_ended:
            return
        self._require(CallState.RINGING)
        if not 101 <= status <= 199:
            raise LocalProtocolError(f"{status} is no provisional status")
        headers = [*self._dialog_headers()]
        if sdp is not None:
            headers.append(("Content-Type", SDP))
        self._transaction.answer(
            status, headers=headers, body=b"" if sdp is None else encode_sdp(sdp)
        )

    def answer(self, sdp: str) -> None:
        """Accept. ``Confirmed`` follows, or ``Failed`` when no ACK comes.

        Raises:
            LocalProtocolError: it is answered already.
        """
        if self.is_ended:
            return
        self._require(CallState.RINGING)
        self.state = CallState.ANSWERED
        self._ring_timer.cancel()
        self._own_session.answer(self._transaction, sdp)
        if self.replaced is not None:
            self.replaced.give_way(self)

    def reject(self, status: int, reason: str | None = None) -> None:
        """Refuse; ``LocalEnd`` follows.

        Raises:
            LocalProtocolError: it is answered already, or the status is below 300.
        """
        if self.is_ended:
            return
        self._require(CallState.RINGING)
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} refuses nothing")
        self._transaction.answer(status, reason)
        self._end_early()
        self._emit(LocalEnd())

    def _hang_up(self, reason: Reason | None, event: LocalEnd | Replaced) -> None:
        """480 while it rings, else BYE."""
        if self.is_ended:
            return
        if self.state is CallState.RINGING:
            self.reject(480)
            return
        self.state = CallState.ENDED
        self._own_session.bye(reason)
        self._emit(event)
        self._over()

    def close(self) -> None:
        """See ``Call``."""
        self._ring_timer.cancel()
        self._own_session.close()
        super().close()

    @property
    def _session(self) -> Session | None:
        return self._own_session if self.state is CallState.ANSWERED else None

    # -- from the transaction ----------------------------------------------------------

    def on_cancel(self, cancel: Request) -> None:
        """Part of ``ServerUser``: 487 ends the INVITE (9.2)."""
        if self.state is not CallState.RINGING:
            return
        self._transaction.answer(487)
        self._end_early()
        self._emit(Cancelled(cancel.reasons))

    def on_failure(self, kind: FailureKind) -> None:
        """Part of ``ServerUser``: who is gone sends no ACK; that shows by itself."""
        _log.debug("a response of call %s: %s", self.call_id, kind)

    def on_peer_bye(self, session: Session, reasons: tuple[Reason, ...]) -> None:
        """Part of ``SessionUser``; a caller may BYE an early dialog too (15)."""
        if self.state is CallState.RINGING:
            self._transaction.answer(487)
            self._end_early()
            self._emit(Cancelled(reasons))
            return
        self.state = CallState.ENDED
        super().on_peer_bye(session, reasons)

    def _expired(self) -> None:
        self._transaction.answer(487)
        self._end_early()
        self._emit(Cancelled())

    def _end_early(self) -> None:
        self.state = CallState.ENDED
        self._ring_timer.cancel()
        self._own_session.discard()
        self._over()

    def _dialog_headers(self) -> list[tuple[str, str]]:
        return [*self._own_session.headers_of_session()]

    def _require(self, state: CallState) -> None:
        if self.state is not state:
            raise LocalProtocolError(f"the call is {self.state}")
