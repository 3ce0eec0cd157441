"""The table of call states: legal moves move, illegal ones change nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.machine import TRANSITIONS, CallInput, CallMachine, WrongState
from gateway.sessions.wire import CallDirection, CallState, EndReason

INPUTS = [given for given in CallInput if given is not CallInput.END]


def machine_in(state: CallState) -> CallMachine:
    machine = CallMachine(CallDirection.INBOUND, now=0.0)
    machine.state = state
    return machine


@pytest.mark.parametrize("state", CallState)
@pytest.mark.parametrize("given_", INPUTS)
def test_every_input_in_every_state(state: CallState, given_: CallInput) -> None:
    machine = machine_in(state)
    following = TRANSITIONS.get((state, given_))
    if following is None:
        with pytest.raises(WrongState):
            machine.apply(given_, now=1.0)
        assert machine.state is state
        assert machine.answered_at is None
    else:
        assert machine.apply(given_, now=1.0) is following
        assert (machine.answered_at == 1.0) is (given_ is CallInput.CONNECT)


def test_end_is_no_input_for_apply() -> None:
    with pytest.raises(WrongState):
        machine_in(CallState.ACTIVE).apply(CallInput.END, now=1.0)


@given(st.lists(st.sampled_from(EndReason), min_size=1))
def test_a_call_ends_once(reasons: list[EndReason]) -> None:
    machine = CallMachine(CallDirection.OUTBOUND, now=0.0)
    ended = [machine.end(reason, now=float(i)) for i, reason in enumerate(reasons)]
    assert ended == [True] + [False] * (len(reasons) - 1)
    assert machine.end_reason is reasons[0]
    assert machine.ended_at == 0.0


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (CallState.RINGING, EndReason.DECLINED_HERE),
        (CallState.ANSWERING, EndReason.DECLINED_HERE),
        (CallState.CALLING, EndReason.CANCELLED_HERE),
        (CallState.ALERTING, EndReason.CANCELLED_HERE),
        (CallState.ACTIVE, EndReason.HUNG_UP_HERE),
    ],
)
def test_what_the_reps_hang_up_means(state: CallState, reason: EndReason) -> None:
    assert machine_in(state).hang_up_reason() is reason


def test_every_living_state_can_end() -> None:
    living = [state for state in CallState if state is not CallState.ENDED]
    assert all((state, CallInput.END) in TRANSITIONS for state in living)
