"""REFER within a session, both ways, with its reports (RFC 3515, 3892, 4488).

The machines are :mod:`sip.transfer_out` and :mod:`sip.transfer_in`; here they meet the
session's messages and the clock. One transfer is under way in each direction at most.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from sip.call_events import TransferProgress, TransferRefused, TransferRequested
from sip.clock import Alarm
from sip.compose import HeaderLines
from sip.core import Core
from sip.errors import LocalProtocolError, ParseError
from sip.events import Event, SubscriptionState
from sip.exchange import Exchange, Reply
from sip.refer import Unfit, read_referral, refer_to
from sip.replaces import Replaces
from sip.sipfrag import MEDIA_TYPE, StatusLine
from sip.transaction_layer import ServerTransaction
from sip.transfer_in import EXPIRES_S, AnswerRefer, Effects, SendReport, TransferIn
from sip.transfer_out import Told, TransferOut
from sip.uri import NameAddr, Uri

_log = logging.getLogger("sip.call")

REFER = Event("refer")
# A peer that asks again and again is not asking.
MAX_REFERS_PER_SESSION = 16


TransferEvent = TransferProgress | TransferRefused | TransferRequested


class TransferSession(Protocol):
    """The session they belong to."""

    def send_within(
        self,
        method: str,
        headers: HeaderLines,
        body: bytes,
        on_reply: Callable[[Reply], None],
    ) -> Exchange:
        """Send a request within the dialog, with our Contact."""

    def headers_of_session(self) -> HeaderLines:
        """Contact, Allow and Supported, for a 2xx."""

    def tell(self, event: TransferEvent) -> None:
        """Tell the call's user."""

    def dialog_lost(self) -> None:
        """The peer does not know the dialog."""


class Transfers:
    """See the module's text."""

    def __init__(self, core: Core, session: TransferSession) -> None:
        self._core = core
        self._session = session
        self._out: TransferOut | None = None
        self._out_exchange: Exchange | None = None
        self._out_alarm = Alarm(core.clock, self._out_due)
        self._in: TransferIn | None = None
        self._in_transaction: ServerTransaction | None = None
        self._in_alarm = Alarm(core.clock, self._in_due)
        # Of the peer's REFER in its reports.
        self._in_event = REFER
        self._refers_taken = 0
        self._report: Exchange | None = None
        # The newest report while another is on its way.
        self._next_report: SendReport | None = None

    def stop(self) -> None:
        """The session is over: so is all that was under way."""
        self._out_alarm.set(None)
        self._in_alarm.set(None)
        self._out = self._in = None
        self._next_report = None
        transaction, self._in_transaction = self._in_transaction, None
        if transaction is not None and transaction.is_answerable:
            transaction.answer(481)

    # -- ours --------------------------------------------------------------------------

    def ask(
        self,
        target: Uri,
        *,
        replaces: Replaces | None,
        referred_by: NameAddr,
        wants_reports: bool,
    ) -> None:
        """Send a REFER.

        Raises:
            LocalProtocolError: one is under way, or the target cannot be called.
            InvalidValue: a value that must not be sent.
        """
        if self._out is not None and not self._out.is_done:
            raise LocalProtocolError("a transfer is under way")
        headers = [
            ("Refer-To", refer_to(target, replaces)),
            ("Referred-By", str(referred_by)),
        ]
        if not wants_reports:
            headers.append(("Refer-Sub", "false"))
        machine = TransferOut(first_report_s=self._core.timers.expiry_s)
        self._out_exchange = self._session.send_within(
            "REFER", headers, b"", lambda reply: self._replied(machine, reply)
        )
        self._out = machine

    def _replied(self, machine: TransferOut, reply: Reply) -> None:
        response = reply.response
        if response.is_provisional or machine is not self._out:
            return
        if response.status == 481:
            self._session.dialog_lost()
            return
        told = machine.receive_reply(
            response.status,
            self._core.clock.now(),
            phrase=response.reason,
            is_local=reply.is_local,
            has_reports=not _says_silent(response.headers.get("Refer-Sub")),
        )
        self._run_out(told)

    def receive_notify(self, transaction: ServerTransaction) -> None:
        """Take a report on our REFER."""
        request = transaction.request
        event = Event.of_headers(request.headers)
        if event is None or event.package != REFER.package:
            # no other subscription of ours is in this dialog (RFC 6665 4.1.3)
            transaction.answer(481 if event is None else 489)
            return
        machine, exchange = self._out, self._out_exchange
        if machine is None or exchange is None:
            transaction.answer(481)
            return
        number = exchange.request.cseq.number
        if event.id is not None and event.id.lstrip("0") != str(number):
            transaction.answer(481)
            return
        if request.body and request.content_type != MEDIA_TYPE:
            transaction.answer(415, headers=[("Accept", MEDIA_TYPE)])
            return
        transaction.answer(200, headers=self._session.headers_of_session())
        try:
            line = StatusLine.parse(request.body)
        except ParseError:
            line = None
        state = SubscriptionState.of_headers(request.headers)
        self._run_out(machine.receive_report(state, line, self._core.clock.now()))

    def _out_due(self) -> None:
        if self._out is not None:
            self._run_out(self._out.handle_timer(self._core.clock.now()))

    def _run_out(self, told: Told) -> None:
        if self._out is not None:
            self._out_alarm.set(self._out.get_timer())
        for event in told:
            self._session.tell(event)

    # -- the peer's --------------------------------------------------------------------

    def receive_refer(self, transaction: ServerTransaction) -> None:
        """Take a REFER; our user is asked when it makes sense at all."""
        request = transaction.request
        referral = read_referral(request)
        if isinstance(referral, Unfit):
            _log.info("a REFER is refused: %s", referral.detail)
            transaction.answer(referral.status)
            return
        is_busy = self._in is not None and not self._in.is_done
        if is_busy or self._next_report is not None:
            transaction.answer(491)
            return
        if self._refers_taken >= MAX_REFERS_PER_SESSION:
            self._core.counters.count("refers_over_limit")
            transaction.answer(603)
            return
        # RFC 3515 2.4.6: only the first may do without.
        number = str(request.cseq.number)
        self._in_event = Event("refer", number) if self._refers_taken else REFER
        self._refers_taken += 1
        self._in_transaction = transaction
        self._in = TransferIn(
            self._core.clock.now(),
            decide_s=self._core.timers.expiry_s / 2,
            wants_reports=referral.wants_reports,
        )
        self._in_alarm.set(self._in.get_timer())
        self._session.tell(
            TransferRequested(referral.target, referral.replaces, referral.referred_by)
        )

    def accept(self) -> bool:
        """Answer the REFER with 202; whether that was still possible."""
        if self._in is None:
            return False
        effects = self._in.accept(self._core.clock.now())
        self._run_in(effects)
        return bool(effects)

    def refuse(self, status: int) -> None:
        """Refuse the REFER; nothing when it is answered already."""
        if self._in is not None:
            self._run_in(self._in.refuse(status, self._core.clock.now()))

    def report(self, status: int, phrase: str) -> None:
        """Tell the peer how the call to the target stands."""
        line = StatusLine(status, phrase)
        # A value that must not be sent shows here, before anything has happened.
        line.to_bytes()
        if self._in is not None:
            self._run_in(self._in.report(line, self._core.clock.now()))

    def receive_subscribe(self, transaction: ServerTransaction) -> None:
        """The peer refreshes or ends the reports on its REFER (3515 2.4.4)."""
        request = transaction.request
        event = Event.of_headers(request.headers)
        if event is None or event.package != REFER.package:
            transaction.answer(489)
            return
        if self._in is None or not self._in.is_reporting:
            transaction.answer(481)
            return
        wanted = EXPIRES_S if request.expires is None else request.expires
        effects = self._in.receive_subscribe(wanted, self._core.clock.now())
        left = str(self._in.expires_s(self._core.clock.now()))
        transaction.answer(
            200, headers=(*self._session.headers_of_session(), ("Expires", left))
        )
        self._run_in(effects)

    def _in_due(self) -> None:
        if self._in is not None:
            self._run_in(self._in.handle_timer(self._core.clock.now()))

    def _run_in(self, effects: Effects) -> None:
        if self._in is not None:
            self._in_alarm.set(self._in.get_timer())
        for effect in effects:
            match effect:
                case AnswerRefer():
                    self._answer(effect)
                case SendReport():
                    self._next_report = effect
                    self._send_report()

    def _answer(self, effect: AnswerRefer) -> None:
        transaction, self._in_transaction = self._in_transaction, None
        if transaction is None or not transaction.is_answerable:
            return
        if effect.status >= 300:
            transaction.answer(effect.status)
            return
        silent = [("Refer-Sub", "false")] if effect.is_silent else []
        transaction.answer(
            effect.status, headers=(*self._session.headers_of_session(), *silent)
        )

    def _send_report(self) -> None:
        machine = self._in
        if machine is None or self._report is not None or self._next_report is None:
            return
        report, self._next_report = self._next_report, None
        self._report = self._session.send_within(
            "NOTIFY",
            [
                ("Event", str(self._in_event)),
                ("Subscription-State", str(report.state)),
                ("Content-Type", f"{MEDIA_TYPE};version=2.0"),
            ],
            report.line.to_bytes(),
            lambda reply: self._report_replied(machine, reply),
        )

    def _report_replied(self, machine: TransferIn, reply: Reply) -> None:
        if reply.response.is_provisional:
            return
        self._report = None
        if machine is self._in and not reply.response.is_success:
            self._next_report = None
            self._run_in(machine.lost(self._core.clock.now()))
        self._send_report()


def _says_silent(refer_sub: str | None) -> bool:
    return (refer_sub or "").partition(";")[0].strip().lower() == "false"
