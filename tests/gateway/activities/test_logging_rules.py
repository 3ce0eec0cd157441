"""Which calls are logged, and how the rep's work is in what is written of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.activities import compose, compose_next_step
from gateway.activities.composer import MAX_DESCRIPTION
from gateway.activities.logging_rules import LoggingRules
from gateway.activities.record import CallRecord
from gateway.activities.work import NextStep, Work
from gateway.sessions.wire import CallDevice, CallDirection, CallType, EndReason
from tests.gateway.storage.samples import ALEX, ANA, ATTEMPT, BEN, DEAL, T0, started

CASE = replace(DEAL, id="500000000000001AAA", kind="Case", name="It is broken")
PAGE = replace(DEAL, id="page", kind="Dashboard", name="Sales")


def call(**change: object) -> CallRecord:
    """Answered, of a minute."""
    whole: dict[str, object] = {
        "answered_at": T0 + 5,
        "ended_at": T0 + 65,
        "reason": EndReason.HUNG_UP_THERE,
    }
    return replace(started(), **(whole | change))  # type: ignore[arg-type]


MISSED = call(answered_at=None, reason=EndReason.MISSED)
WRITTEN_ON = Work(notes="He calls again")


@pytest.mark.parametrize(
    ("rules", "left_out"),
    [
        (LoggingRules(internal=False), call(type=CallType.INTERNAL)),
        (LoggingRules(consult=False), call(type=CallType.CONSULT)),
        (LoggingRules(desk_phone=False), call(device=CallDevice.DESK_PHONE)),
        (
            LoggingRules(do_not_disturb=False),
            replace(MISSED, reason=EndReason.DO_NOT_DISTURB),
        ),
        (LoggingRules(voicemail=frozenset({"+14155551212"})), call()),
        (LoggingRules(voicemail=frozenset({"*97"})), call(number="*97", e164="")),
        (LoggingRules(missed=False), MISSED),
        (LoggingRules(at_least_s=61), call()),
    ],
)
def test_what_a_rule_leaves_out(rules: LoggingRules, left_out: CallRecord) -> None:
    assert compose(left_out, ALEX) is not None
    assert compose(left_out, ALEX, rules) is None
    # A rule is about its own kind of calls, and of no other.
    other = call(number="+15005550006", e164="+15005550006", ended_at=T0 + 600)
    assert compose(other, ALEX, rules) is not None


@pytest.mark.parametrize(
    ("rules", "noise"),
    [(LoggingRules(missed=False), MISSED), (LoggingRules(at_least_s=61), call())],
)
def test_what_the_rep_wrote_on_is_no_noise(
    rules: LoggingRules, noise: CallRecord
) -> None:
    assert compose(replace(noise, work=Work(visited=(DEAL,))), ALEX, rules) is None
    assert compose(replace(noise, work=WRITTEN_ON), ALEX, rules) is not None
    internal = replace(noise, work=WRITTEN_ON, type=CallType.INTERNAL)
    assert compose(internal, ALEX, LoggingRules(internal=False)) is None


def test_a_call_that_lasts_long_enough_is_logged() -> None:
    assert compose(call(), ALEX, LoggingRules(at_least_s=60)) is not None
    declined = replace(MISSED, reason=EndReason.DECLINED_HERE)
    assert compose(declined, ALEX, LoggingRules(missed=False)) is not None
    tried = replace(
        MISSED, direction=CallDirection.OUTBOUND, reason=EndReason.NO_ANSWER
    )
    assert compose(tried, ALEX, LoggingRules(missed=False, at_least_s=9)) is not None


def test_notes_come_first_and_records_last_with_their_links() -> None:
    work = Work(
        notes="Wants the red one.\r\nCall on Monday\x00",
        disposition="Interested",
        visited=(CASE, BEN),
    )
    activity = compose(call(work=work), ALEX)
    assert activity is not None
    assert activity.disposition == "Interested"
    notes, facts, opened = activity.description.split("\n\n")
    assert notes == "Wants the red one.\nCall on Monday"
    assert facts.startswith("Incoming call, answered")
    assert opened.split("\n") == [
        "Opened during the call:",
        f"Case It is broken {CASE.url}",
        f"Contact Ben Ortiz {BEN.url}",
    ]
    assert activity.contact_ids == (BEN.id,)


@given(
    st.integers(0, 40_000),
    st.lists(st.integers(0, 2000), max_size=50),
)
def test_notes_win(length: int, urls: list[int]) -> None:
    visited = tuple(
        replace(DEAL, id=str(n), url="https://x/" + "y" * size)
        for n, size in enumerate(urls)
    )
    work = Work(notes="n" * length, visited=visited)
    activity = compose(call(work=work), ALEX)
    assert activity is not None
    assert len(activity.description) <= MAX_DESCRIPTION
    kept = min(length, MAX_DESCRIPTION)
    assert activity.description.startswith("n" * kept)
    # No link is cut in two.
    shown = [
        line
        for line in activity.description.split("\n")
        if line.startswith("Opportunity")
    ]
    assert [line.split()[-1] for line in shown] == [
        record.url for record in visited[: len(shown)]
    ]


@pytest.mark.parametrize(
    ("work", "what_id"),
    [
        (Work(), ""),
        (Work(visited=(CASE, DEAL, PAGE, BEN)), DEAL.id),
        (Work(about=CASE, visited=(DEAL,)), CASE.id),
    ],
)
def test_what_it_is_about(work: Work, what_id: str) -> None:
    activity = compose(call(work=work), ALEX)
    assert activity is not None
    assert (activity.who_id, activity.what_id) == (ANA.id, what_id)
    dialled_from_a_deal = compose(call(work=work, record=DEAL), ALEX)
    assert dialled_from_a_deal is not None
    assert dialled_from_a_deal.what_id == (what_id or DEAL.id)


def test_the_organisation_says_what_an_activity_may_be_about() -> None:
    rules = LoggingRules(about_kinds=frozenset({"Dashboard"}))
    work = Work(visited=(PAGE, DEAL))
    activity = compose(call(work=work), ALEX, rules)
    assert activity is not None
    assert activity.what_id == PAGE.id


def test_the_reps_choice_is_closer_than_what_the_invite_came_from() -> None:
    attempt = call(invite=ATTEMPT)
    plain = compose(attempt, ALEX)
    assert plain is not None
    assert plain.what_id == DEAL.id
    chosen = compose(replace(attempt, work=Work(about=CASE)), ALEX)
    assert chosen is not None
    assert chosen.what_id == CASE.id


def test_a_task_for_later() -> None:
    assert compose_next_step(call(), ALEX) is None
    work = Work(
        next_step=NextStep("Send it", "2026-12-01"), next_id="u1", visited=(DEAL,)
    )
    step = compose_next_step(call(work=work), ALEX)
    assert step is not None
    assert (step.key, step.subject, step.due_on) == ("next:u1", "Send it", "2026-12-01")
    assert (step.who_id, step.what_id) == (ANA.id, DEAL.id)
    assert not step.is_call
