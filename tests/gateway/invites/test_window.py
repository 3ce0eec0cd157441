"""What an invite is at a moment, and when something is to be done next."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.invites.window import Deadlines, ends_soon, next_change, state_of
from gateway.sessions.wire import InviteState
from tests.gateway.invites.samples import T0, a_guest, an_invite

EARLY = 600.0
END = T0 + 1800


@pytest.mark.parametrize(
    ("at", "state"),
    [
        (T0 - 601, InviteState.SCHEDULED),
        (T0 - 600, InviteState.OPEN),
        (T0, InviteState.OPEN),
        (END - 0.001, InviteState.OPEN),
        (END, InviteState.NO_SHOW),
        (END + 1e6, InviteState.NO_SHOW),
    ],
)
def test_states(at: float, state: InviteState) -> None:
    assert state_of(an_invite(), at, EARLY) is state


def test_over_is_no_no_show_once_somebody_came() -> None:
    invite = an_invite(guests=(a_guest(1), a_guest(2, joined_at=T0)))
    assert state_of(invite, END, EARLY) is InviteState.OVER
    # Also when the one who came was taken out later.
    gone = an_invite(guests=(a_guest(1), a_guest(2, joined_at=T0, removed_at=T0 + 1)))
    assert state_of(gone, END, EARLY) is InviteState.OVER


def test_cancelled_stays_cancelled() -> None:
    invite = an_invite(cancelled_at=T0 - 10)
    for at in (T0 - 5, T0, END + 1):
        assert state_of(invite, at, EARLY) is InviteState.CANCELLED
    assert next_change(invite, T0, EARLY) is None


def test_an_end_that_was_dealt_with_is_over_whatever_the_clock_says() -> None:
    invite = an_invite(ended_at=END)
    assert state_of(invite, END - 60, EARLY) is InviteState.NO_SHOW
    assert next_change(invite, END - 60, EARLY) is None


def test_moments_in_order() -> None:
    invite = an_invite()
    at, moments = T0 - 5000, []
    while (moment := next_change(invite, at, EARLY)) is not None and moment > at:
        moments.append(moment - T0)
        at = moment
    assert moments == [-600, 1500, 1740, 1800]
    # Over, and its end was not dealt with: now.
    assert next_change(invite, END + 99, EARLY) == END


def test_a_short_one_is_not_warned_of_before_it_opens() -> None:
    invite = an_invite(ends_at=T0 + 120)
    assert next_change(invite, T0, 0) == T0 + 60
    assert ends_soon(invite, T0 + 60)
    assert not ends_soon(replace(invite, cancelled_at=T0), T0 + 60)
    assert not ends_soon(invite, T0 - 600)
    assert not ends_soon(invite, T0 + 120)


@given(
    st.lists(
        st.one_of(
            st.tuples(
                st.just("set"),
                st.integers(0, 5),
                st.one_of(st.none(), st.integers(0, 30)),
            ),
            st.tuples(st.just("take"), st.integers(0, 30), st.none()),
        ),
        max_size=200,
    )
)
def test_deadlines_do_as_a_plain_dictionary_does(
    steps: list[tuple[str, int, int | None]],
) -> None:
    deadlines: Deadlines[int] = Deadlines()
    model: dict[int, int] = {}
    for what, number, at in steps:
        if what == "set":
            deadlines.set(number, at)
            model.pop(number, None)
            if at is not None:
                model[number] = at
        else:
            due = deadlines.take_due(number)
            assert sorted(due) == sorted(k for k, at in model.items() if at <= number)
            model = {k: at for k, at in model.items() if at > number}
        assert deadlines.next() == min(model.values(), default=None)
        assert len(deadlines) == len(model)


def test_deadlines_stay_small() -> None:
    deadlines: Deadlines[int] = Deadlines()
    for at in range(10_000):
        deadlines.set(1, at)
    assert len(deadlines._heap) < 100
    assert deadlines.take_due(9999) == [1]
