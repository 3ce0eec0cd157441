"""Conferences as a machine: who is in one hears all others in it, nobody else."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.calls.conference import MAX_CALLS, ConferenceFull, Conferences, Seat

CALLS = [f"c{number}" for number in range(10)]


def test_three_hear_each_other_and_one_who_goes_leaves_two() -> None:
    conferences = Conferences()
    assert conferences.merge(("a", "b"), "x") == "x"
    assert conferences.merge(("c", "a"), "y") == "x"
    assert conferences.seats["a"] == Seat("x", frozenset({"b", "c"}))
    assert conferences.leave("b") == ""
    assert conferences.seats == {
        "a": Seat("x", frozenset({"c"})),
        "c": Seat("x", frozenset({"a"})),
    }
    assert conferences.leave("a") == "c"
    assert conferences.seats == {}


def test_two_conferences_become_the_one_that_is_named_first() -> None:
    conferences = Conferences()
    conferences.merge(("a", "b"), "x")
    conferences.merge(("c", "d"), "y")
    assert conferences.merge(("d", "a"), "z") == "y"
    assert set(conferences.members("y")) == {"a", "b", "c", "d"}
    assert conferences.members("x") == ()


def test_one_is_no_conference() -> None:
    conferences = Conferences()
    with pytest.raises(ValueError, match="two"):
        conferences.merge(("a", "a"), "x")
    assert conferences.leave("a") == ""


def test_no_more_than_can_be_mixed() -> None:
    conferences = Conferences()
    conferences.merge(CALLS[:MAX_CALLS], "x")
    before = conferences.seats
    with pytest.raises(ConferenceFull):
        conferences.merge(("c0", "c9"), "y")
    assert conferences.seats == before


class AnyOrder(RuleBasedStateMachine):
    """Against sets that are kept the simple way."""

    def __init__(self) -> None:
        super().__init__()
        self.conferences = Conferences()
        self.model: list[set[str]] = []
        self.names = 0

    @rule(calls=st.lists(st.sampled_from(CALLS), min_size=1, max_size=4))
    def merge(self, calls: list[str]) -> None:
        touched = [group for group in self.model if group & set(calls)]
        wanted = set(calls).union(*touched)
        self.names += 1
        try:
            self.conferences.merge(calls, f"x{self.names}")
        except (ConferenceFull, ValueError):
            assert not 2 <= len(wanted) <= MAX_CALLS
            return
        assert 2 <= len(wanted) <= MAX_CALLS
        self.model = [group for group in self.model if group not in touched]
        self.model.append(wanted)

    @rule(call=st.sampled_from(CALLS))
    def leave(self, call: str) -> None:
        self.conferences.leave(call)
        self.model = [group - {call} for group in self.model]
        self.model = [group for group in self.model if len(group) > 1]

    @invariant()
    def everybody_hears_just_the_others(self) -> None:
        expected = {
            call: frozenset(group - {call}) for group in self.model for call in group
        }
        seats = self.conferences.seats
        assert {call: seat.others for call, seat in seats.items()} == expected
        for group in self.model:
            assert len({seats[call].conference for call in group}) == 1
        assert len({seat.conference for seat in seats.values()}) == len(self.model)


TestAnyOrder = AnyOrder.TestCase
