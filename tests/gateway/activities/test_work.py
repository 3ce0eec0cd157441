"""The rep's work as values: what changes it, and when it is due."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.activities.work import (
    CORRECTION_S,
    KEPT_OPEN_S,
    NO_WORK,
    Change,
    NextStep,
    Work,
    changed,
    ended,
    saved,
    visited,
)
from gateway.crm.connector import CrmRecord
from gateway.sessions.wire import MAX_VISITED
from tests.gateway.storage.samples import ANA, BEN, DEAL

NOW = 1000.0
STEP = NextStep("Send the offer", "2026-12-01")


def change(work: Work, *, now: float = NOW, **what: object) -> Work:
    return changed(
        work,
        Change(**what),  # type: ignore[arg-type]
        now=now,
        wrap_up_s=30.0,
        new_id="n1",
    )


def test_what_is_absent_stays_and_what_is_cleared_is_empty() -> None:
    work = change(NO_WORK, notes="hello", disposition="Sold", about=DEAL)
    assert (work.notes, work.disposition, work.about) == ("hello", "Sold", DEAL)
    assert work.revision == 1
    again = change(work, clear=frozenset({"notes", "about"}))
    assert (again.notes, again.disposition, again.about) == ("", "Sold", None)
    assert change(again, notes="") is again
    with pytest.raises(ValueError, match="visited cannot be cleared"):
        change(work, clear=frozenset({"visited"}))


def test_a_task_for_later_keeps_its_name() -> None:
    work = change(NO_WORK, next_step=STEP)
    assert work.next_id == "n1"
    gone = change(work, clear=frozenset({"next_step"}))
    back = changed(
        gone, Change(next_step=STEP), now=NOW, wrap_up_s=0.0, new_id="another"
    )
    assert back.next_id == "n1"


def test_a_record_is_in_the_list_once_and_where_it_was_opened_last() -> None:
    work = NO_WORK
    for record in (DEAL, ANA, DEAL):
        work = visited(work, record)
    assert work.visited == (ANA, DEAL)
    assert visited(work, DEAL) is work
    assert work.last_visited({"Contact"}) == ANA
    for number in range(2 * MAX_VISITED):
        work = visited(work, replace(BEN, id=str(number)))
    assert len(work.visited) == MAX_VISITED
    assert work.visited[-1].id == str(2 * MAX_VISITED - 1)


def test_wrap_up_ends_by_itself_or_when_saved() -> None:
    work = ended(change(NO_WORK, notes="x"), now=NOW, wrap_up_s=30.0)
    assert work.write_at == NOW + 30
    assert work.in_wrap_up(NOW + 29)
    assert not work.in_wrap_up(NOW + 30)
    # Only the first end counts.
    assert ended(work, now=NOW + 5, wrap_up_s=30.0) is work
    # What is written meanwhile does not put it off.
    assert change(work, now=NOW + 20, notes="y").write_at == NOW + 30
    assert saved(work, now=NOW + 10).write_at == NOW + 10
    assert saved(work, now=NOW + 31) is work
    assert saved(NO_WORK, now=NOW) is NO_WORK


def test_kept_open_it_waits_an_hour_in_all() -> None:
    work = ended(NO_WORK, now=NOW, wrap_up_s=30.0)
    kept = change(work, now=NOW + 10, keep_open=True)
    assert kept.write_at == NOW + KEPT_OPEN_S
    counts = change(kept, now=NOW + 100, keep_open=False)
    assert counts.write_at == NOW + 130
    late = change(kept, now=NOW + KEPT_OPEN_S - 10, keep_open=False)
    assert late.write_at == NOW + KEPT_OPEN_S
    # Said while the call went on, it holds from its end.
    before = change(NO_WORK, keep_open=True)
    assert ended(before, now=NOW, wrap_up_s=30.0).write_at == NOW + KEPT_OPEN_S
    # Where there is no wrap-up, there is none to keep open.
    assert ended(before, now=NOW, wrap_up_s=0.0).write_at == NOW


def test_a_correction_is_due_when_the_typing_stops_or_it_is_saved() -> None:
    work = ended(NO_WORK, now=NOW, wrap_up_s=30.0)
    typing = change(work, now=NOW + 60, notes="a")
    typing = change(typing, now=NOW + 61, notes="ab")
    assert typing.write_at == NOW + 61 + CORRECTION_S
    assert not typing.in_wrap_up(NOW + 61)
    assert saved(typing, now=NOW + 62).write_at == NOW + 62
    # It is too late to keep it open.
    assert change(work, now=NOW + 60, keep_open=True) is work


RECORDS = st.sampled_from([ANA, BEN, DEAL])
CHANGES = st.builds(
    Change,
    notes=st.none() | st.text(max_size=5),
    disposition=st.none() | st.text(max_size=5),
    about=st.none() | RECORDS,
    next_step=st.none() | st.just(STEP),
    clear=st.sets(st.sampled_from(["notes", "disposition", "about", "next_step"])).map(
        frozenset
    ),
    keep_open=st.none() | st.booleans(),
)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 2000),
            CHANGES | RECORDS | st.sampled_from(["end", "save"]),
        ),
        max_size=20,
    ),
    st.sampled_from([0.0, 30.0, 3600.0]),
)
def test_in_any_order(
    steps: list[tuple[float, Change | CrmRecord | str]], wrap_up_s: float
) -> None:
    """Revisions only grow, with each change; nothing is due before the end, and then
    within the hour, or as long as a correction waits."""
    work, now, over_at, handed_over_at = NO_WORK, NOW, 0.0, 0.0
    for after, step in steps:
        now += after
        old = work
        if isinstance(step, Change):
            work = changed(work, step, now=now, wrap_up_s=wrap_up_s, new_id="n1")
        elif isinstance(step, CrmRecord):
            work = visited(work, step)
        elif step == "end":
            over_at = over_at or now
            work = ended(work, now=now, wrap_up_s=wrap_up_s)
        else:
            work = saved(work, now=now)
        assert (work.revision == old.revision + 1) == (work is not old)
        assert (work == old) == (work is old)
        if not over_at:
            assert work.write_at == 0.0
            continue
        assert over_at <= work.write_at
        if handed_over_at or not work.in_wrap_up(now):
            # Once handed over it never comes back to wrap-up.
            handed_over_at = handed_over_at or now
            assert not work.in_wrap_up(now)
            assert work.write_at <= now + CORRECTION_S
        else:
            assert work.write_at <= over_at + max(KEPT_OPEN_S, wrap_up_s)
