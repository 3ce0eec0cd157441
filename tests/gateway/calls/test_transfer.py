"""The machine of a transfer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.transfer import TRANSITIONS, UNDER_WAY, Effect, Input, Step, Transfer
from gateway.sessions.wire import TransferState


def asked(*, is_attended: bool = False, is_held: bool = True) -> Transfer:
    transfer = Transfer()
    assert transfer.ask(is_attended=is_attended)
    if is_held:
        assert transfer.held() is Effect.REFER
    return transfer


def test_progress_is_shown() -> None:
    transfer = asked(is_held=False)
    shown = [transfer.state]
    transfer.held()
    shown.append(transfer.state)
    for status in (100, 180, 100):
        assert transfer.reported(status, is_final=False) is Effect.NOTHING
        shown.append(transfer.state)
    assert transfer.reported(200, is_final=True) is Effect.END
    ringing = TransferState.RINGING
    trying, ask = TransferState.TRYING, TransferState.ASKED
    assert shown == [ask, ask, trying, ringing, ringing]
    assert (transfer.state, transfer.step) == (None, Step.DONE)


def test_a_declined_target_leaves_the_call_to_the_rep() -> None:
    transfer = asked()
    transfer.reported(180, is_final=False)
    assert transfer.reported(603, is_final=True) is Effect.NOTHING
    assert (transfer.state, transfer.sip_code) == (TransferState.FAILED, 603)
    assert transfer.ask(is_attended=False)
    assert transfer.sip_code is None


@pytest.mark.parametrize(
    ("status", "is_attended", "step"),
    [
        (404, False, Step.FAILED),
        (486, True, Step.FAILED),
        (603, True, Step.FAILED),
        # Both are here: a route that is not there is no reason.
        (404, True, Step.JOINING),
        (420, True, Step.JOINING),
        (481, True, Step.JOINING),
    ],
)
def test_what_the_target_says(status: int, is_attended: bool, step: Step) -> None:
    transfer = asked(is_attended=is_attended)
    transfer.reported(status, is_final=True)
    assert transfer.step is step


def test_refused_is_joined() -> None:
    transfer = asked()
    assert transfer.refused() is Effect.JOIN
    assert transfer.state is TransferState.TRYING
    transfer.rings()
    assert transfer.state is TransferState.RINGING
    transfer.joined()
    assert transfer.step is Step.DONE


def test_taken_back_while_it_is_joined() -> None:
    transfer = asked()
    transfer.refused()
    assert transfer.take_back() is Effect.GIVE_UP
    assert transfer.state is None
    # Too late.
    assert transfer.not_joined(486) is Effect.NOTHING
    assert transfer.sip_code is None


def test_reports_on_what_was_taken_back_are_of_no_interest() -> None:
    transfer = asked()
    transfer.reported(180, is_final=False)
    transfer.take_back()
    transfer.ask(is_attended=False)
    # No second REFER while the first goes on.
    assert transfer.held() is Effect.JOIN
    assert transfer.reported(200, is_final=True) is Effect.NOTHING
    assert transfer.step is Step.JOINING
    transfer.not_joined(486)
    transfer.ask(is_attended=False)
    assert transfer.held() is Effect.REFER


def test_silence_is_shown_as_failed() -> None:
    transfer = asked()
    assert transfer.reported(None, is_final=True) is Effect.NOTHING
    assert (transfer.state, transfer.step) == (TransferState.FAILED, Step.UNKNOWN)
    assert transfer.take_back() is Effect.NOTHING
    assert transfer.step is Step.IDLE


def test_one_at_a_time() -> None:
    transfer = asked()
    assert not transfer.ask(is_attended=True)
    transfer.refused()
    assert not transfer.ask(is_attended=True)


def test_every_step_is_left_but_done() -> None:
    left = {step for step, _ in TRANSITIONS}
    assert left == set(Step) - {Step.DONE}
    assert {step for step, given in TRANSITIONS if given is Input.TAKE_BACK} == (
        left - {Step.IDLE}
    )


STEPS = [
    st.just(("ask", False)),
    st.just(("ask", True)),
    st.sampled_from([("held",), ("refused",), ("rings",), ("joined",), ("back",)]),
    st.tuples(st.just("not_joined"), st.sampled_from([None, 486])),
    st.tuples(
        st.just("report"),
        st.sampled_from([100, 180, 200, 404, 603, None]),
        st.booleans(),
    ),
]


@given(st.lists(st.one_of(STEPS), max_size=30))
def test_in_any_order_what_is_shown_fits(
    steps: list[tuple[object, ...]],
) -> None:
    transfer = Transfer()
    refers = 0
    for what, *more in steps:
        is_joining = transfer.step is Step.JOINING
        effect = Effect.NOTHING
        match what:
            case "ask":
                transfer.ask(is_attended=bool(more[0]))
            case "held":
                effect = transfer.held()
            case "refused":
                effect = transfer.refused()
            case "rings":
                transfer.rings()
            case "joined":
                transfer.joined()
            case "back":
                effect = transfer.take_back()
            case "not_joined":
                effect = transfer.not_joined(more[0])  # type: ignore[arg-type]
            case _:
                status, is_final = more
                effect = transfer.reported(
                    status,  # type: ignore[arg-type]
                    is_final=bool(is_final) or status is None,
                )
                refers -= bool(is_final) or status is None
        refers = 0 if what == "refused" else max(0, refers)
        if effect is Effect.REFER:
            refers += 1
        # Whatever was begun to join is given up, or has come about.
        if is_joining and transfer.step not in (Step.JOINING, Step.DONE):
            assert effect is Effect.GIVE_UP
        assert refers <= 1
        assert transfer.is_under_way is (transfer.step in UNDER_WAY)
        assert (transfer.state is None) is (transfer.step in (Step.IDLE, Step.DONE))
