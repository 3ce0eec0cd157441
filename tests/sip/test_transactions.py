"""The four machines alone: every row of the tables, and schedules in their own time."""

from __future__ import annotations

import pytest

import sip
from sip.errors import LocalProtocolError
from sip.message import Request, Response
from sip.transaction import (
    Deliver,
    Effects,
    Fail,
    FailureKind,
    Input,
    Send,
    SendCancel,
    State,
    Terminate,
    TimerValues,
    Transaction,
)
from sip.transaction_ict import InviteClientTransaction
from sip.transaction_ist import InviteServerTransaction
from sip.transaction_nict import NonInviteClientTransaction
from sip.transaction_nist import NonInviteServerTransaction

TIMERS = TimerValues()
Machine = (
    InviteClientTransaction
    | InviteServerTransaction
    | NonInviteClientTransaction
    | NonInviteServerTransaction
)


def request(method: str = "INVITE") -> Request:
    return Request(
        method,
        sip.Uri.parse("sip:bob@example.com"),
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport"),
            ("Route", "<sip:192.0.2.2;lr>"),
            ("From", "<sip:a@example.com>;tag=a"),
            ("To", "<sip:bob@example.com>"),
            ("Call-ID", "c"),
            ("CSeq", f"7 {method}"),
        ],
    )


def response(status: int, method: str = "INVITE", tag: str = "b") -> Response:
    return sip.create_response(request(method), status, to_tag=tag)


def run(machine: Transaction, until: float) -> list[tuple[float, Effects]]:
    """Fire every timer up to then; what each did, and when."""
    happened = []
    while (due := machine.get_timer()) is not None and due <= until:
        happened.append((due, machine.handle_timer(due)))
    return happened


def sends(happened: list[tuple[float, Effects]]) -> list[float]:
    return [at for at, effects in happened if any(isinstance(e, Send) for e in effects)]


class TestInviteClient:
    def machine(self, *, reliable: bool = False) -> InviteClientTransaction:
        machine = InviteClientTransaction(request(), reliable=reliable, timers=TIMERS)
        assert machine.start(0) == [Send(machine.request)]
        return machine

    def test_timer_a_doubles_without_a_ceiling(self) -> None:
        machine = self.machine()
        assert sends(run(machine, 31.9)) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        assert run(machine, 40) == [(32, [Fail(FailureKind.TIMEOUT), Terminate()])]

    def test_a_reliable_transport_retransmits_by_itself(self) -> None:
        machine = self.machine(reliable=True)
        assert run(machine, 40) == [(32, [Fail(FailureKind.TIMEOUT), Terminate()])]

    def test_ringing_stops_all_timers(self) -> None:
        machine = self.machine()
        ringing = response(180)
        assert machine.receive_response(ringing, 1) == [Deliver(ringing)]
        assert machine.get_timer() is None

    def test_the_ack_of_a_failure(self) -> None:
        """RFC 3261 17.1.1.3."""
        machine = self.machine()
        busy = response(486)
        ack, delivered = machine.receive_response(busy, 1)
        assert delivered == Deliver(busy)
        assert isinstance(ack, Send)
        message = ack.message
        assert isinstance(message, Request)
        assert message.method == "ACK"
        assert message.uri == machine.request.uri
        assert message.via == machine.request.via
        assert message.headers.get_all("Route") == ["<sip:192.0.2.2;lr>"]
        assert message.to.tag == "b"
        assert str(message.cseq) == "7 ACK"
        # lost: the response again, the ACK again, and nothing is told twice
        assert machine.receive_response(busy, 2) == [ack]
        assert run(machine, 40) == [(33, [Terminate()])]

    def test_completed_ends_at_once_on_a_stream(self) -> None:
        machine = self.machine(reliable=True)
        machine.receive_response(response(486), 1)
        assert run(machine, 1) == [(1, [Terminate()])]

    def test_accepted_passes_every_2xx_for_64_t1(self) -> None:
        """RFC 6026: the same again and other forks'."""
        machine = self.machine()
        machine.receive_response(response(180), 1)
        for tag in ("b", "b", "c"):
            ok = response(200, tag=tag)
            assert machine.receive_response(ok, 2) == [Deliver(ok)]
        assert machine.receive_response(response(180), 3) == []
        assert machine.receive_response(response(486), 3) == []
        assert machine.state is State.ACCEPTED
        assert run(machine, 40) == [(34, [Terminate()])]

    def test_cancel_is_kept_until_a_provisional(self) -> None:
        machine = self.machine()
        assert machine.cancel(1) == []
        ringing = response(180)
        assert machine.receive_response(ringing, 2) == [Deliver(ringing), SendCancel()]
        assert machine.cancel(3) == []
        assert run(machine, 40) == [(34, [Fail(FailureKind.TIMEOUT), Terminate()])]

    def test_cancel_after_the_end_does_nothing(self) -> None:
        machine = self.machine()
        machine.receive_response(response(200), 1)
        assert machine.cancel(1) == []

    @pytest.mark.parametrize("provisional", [False, True])
    def test_transport_error(self, provisional: bool) -> None:
        machine = self.machine()
        if provisional:
            machine.receive_response(response(180), 1)
        assert machine.receive_transport_error(1) == [
            Fail(FailureKind.TRANSPORT),
            Terminate(),
        ]
        assert machine.get_timer() is None


class TestNonInviteClient:
    def machine(self, *, reliable: bool = False) -> NonInviteClientTransaction:
        machine = NonInviteClientTransaction(
            request("BYE"), reliable=reliable, timers=TIMERS
        )
        assert machine.start(0) == [Send(machine.request)]
        return machine

    def test_timer_e_doubles_up_to_t2(self) -> None:
        machine = self.machine()
        at = sends(run(machine, 31.9))
        assert at == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert run(machine, 40) == [(32, [Fail(FailureKind.TIMEOUT), Terminate()])]

    def test_timer_e_is_t2_in_proceeding_and_f_still_runs(self) -> None:
        machine = self.machine()
        machine.receive_response(response(100, "BYE"), 0.1)
        assert sends(run(machine, 12)) == [0.5, 4.5, 8.5]
        assert run(machine, 40)[-1] == (32, [Fail(FailureKind.TIMEOUT), Terminate()])

    def test_timer_k_swallows_repeated_answers(self) -> None:
        machine = self.machine()
        ok = response(200, "BYE")
        assert machine.receive_response(ok, 1) == [Deliver(ok)]
        assert machine.receive_response(ok, 2) == []
        assert run(machine, 40) == [(6, [Terminate()])]


class TestInviteServer:
    def machine(self, *, reliable: bool = False) -> InviteServerTransaction:
        machine = InviteServerTransaction(request(), reliable=reliable, timers=TIMERS)
        assert machine.start(0) == []
        return machine

    def test_100_after_200_ms(self) -> None:
        machine = self.machine()
        ((at, (effect,)),) = run(machine, 1)
        assert at == pytest.approx(0.2)
        assert isinstance(effect, Send)
        assert isinstance(effect.message, Response)
        assert effect.message.status == 100
        assert machine.receive_request(machine.request, 1) == [effect]

    def test_no_100_after_the_users_own_answer(self) -> None:
        machine = self.machine()
        machine.send_response(response(180), 0.1)
        assert machine.get_timer() is None

    def test_a_failure_is_repeated_until_its_ack(self) -> None:
        machine = self.machine()
        busy = response(486)
        assert machine.send_response(busy, 0) == [Send(busy)]
        assert sends(run(machine, 12)) == [0.5, 1.5, 3.5, 7.5, 11.5]
        assert machine.receive_request(machine.request, 12) == [Send(busy)]
        assert machine.receive_request(request("ACK"), 13) == []
        assert machine.receive_request(request("ACK"), 14) == []
        assert machine.receive_request(machine.request, 14) == []
        assert run(machine, 40) == [(18, [Terminate()])]

    def test_a_failure_that_is_never_acknowledged(self) -> None:
        machine = self.machine()
        machine.send_response(response(486), 0)
        assert run(machine, 40)[-1] == (32, [Fail(FailureKind.TIMEOUT), Terminate()])

    def test_accepted(self) -> None:
        """RFC 6026 7.1."""
        machine = self.machine()
        for ok in (response(200), response(200, tag="other")):
            assert machine.send_response(ok, 1) == [Send(ok)]
        assert machine.receive_request(machine.request, 2) == []
        ack = request("ACK")
        assert machine.receive_request(ack, 2) == [Deliver(ack)]
        with pytest.raises(LocalProtocolError):
            machine.send_response(response(486), 2)
        assert machine.state is State.ACCEPTED
        assert run(machine, 40) == [(33, [Terminate()])]

    @pytest.mark.parametrize("status", [180, 200, 486])
    def test_a_transport_error_does_not_end_it(self, status: int) -> None:
        """RFC 6026 7.1: repetitions must still be swallowed."""
        machine = self.machine()
        machine.send_response(response(status), 1)
        state = machine.state
        assert machine.receive_transport_error(1) == [Fail(FailureKind.TRANSPORT)]
        assert machine.state is state

    def test_two_final_answers_are_a_mistake(self) -> None:
        machine = self.machine()
        machine.send_response(response(486), 0)
        for status in (180, 200, 603):
            with pytest.raises(LocalProtocolError):
                machine.send_response(response(status), 1)
        assert machine.state is State.COMPLETED


class TestNonInviteServer:
    def machine(self, *, reliable: bool = False) -> NonInviteServerTransaction:
        machine = NonInviteServerTransaction(
            request("BYE"), reliable=reliable, timers=TIMERS
        )
        assert machine.start(0) == []
        return machine

    def test_the_answer_is_repeated_for_repetitions(self) -> None:
        machine = self.machine()
        assert machine.receive_request(machine.request, 0.5) == []
        ok = response(200, "BYE")
        assert machine.send_response(ok, 1) == [Send(ok)]
        assert machine.receive_request(machine.request, 2) == [Send(ok)]
        assert run(machine, 40) == [(33, [Terminate()])]

    @pytest.mark.parametrize("status", [180, 408])
    def test_rfc_4320_forbids(self, status: int) -> None:
        with pytest.raises(LocalProtocolError):
            self.machine().send_response(response(status, "BYE"), 1)

    def test_100_is_repeated(self) -> None:
        machine = self.machine()
        trying = response(100, "BYE")
        machine.send_response(trying, 5)
        assert machine.receive_request(machine.request, 6) == [Send(trying)]

    def test_what_nobody_answers_is_forgotten(self) -> None:
        """RFC 4320 4.2: no 408; the client has given up."""
        machine = self.machine()
        assert run(machine, 40) == [(32, [Terminate()])]
        assert machine.send_response(response(200, "BYE"), 41) == []


@pytest.mark.parametrize(
    "machine",
    [
        InviteClientTransaction,
        InviteServerTransaction,
        NonInviteClientTransaction,
        NonInviteServerTransaction,
    ],
)
def test_the_tables_are_complete(machine: type[Transaction]) -> None:
    """Every state is reached, and every state but the last is left by a timer."""
    rows = machine.TABLE
    reached = {state for state, _ in rows.values()}
    assert reached >= {state for state, _ in rows} - {State.INITIAL}
    assert State.TERMINATED in reached
    assert not any(state is State.TERMINATED for state, _ in rows)
    waits_for_user = {
        (InviteClientTransaction, State.PROCEEDING),
        (InviteServerTransaction, State.PROCEEDING),
    }
    for state in {state for state, _ in rows} - {State.INITIAL}:
        if (machine, state) in waits_for_user:
            continue
        ends = [
            event
            for (at, event), (after, _) in rows.items()
            if at is state and after is State.TERMINATED and event.startswith("timer")
        ]
        assert ends or state is State.TRYING, state
    assert {event for _, event in rows} <= set(Input)
