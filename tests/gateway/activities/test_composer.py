"""What is written about each way a call can end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.activities.composer import compose, links
from gateway.activities.record import CallRecord, Party
from gateway.crm.connector import ActivityDirection, CrmRecord
from gateway.sessions.wire import CallDirection, EndReason
from tests.gateway.storage.samples import (
    ALEX,
    ANA,
    ATTEMPT,
    CLEO,
    DEAL,
    HOSTS_SIDE,
    T0,
    started,
)

IN, OUT = CallDirection.INBOUND, CallDirection.OUTBOUND


def call(
    reason: EndReason, direction: CallDirection, *, answered: bool = False
) -> CallRecord:
    return replace(
        started(at=1_790_000_000.0),
        direction=direction,
        answered_at=T0 + 5 if answered else None,
        ended_at=T0 + 70.4,
        reason=reason,
    )


@pytest.mark.parametrize(
    ("reason", "direction", "outcome"),
    [
        (EndReason.MISSED, IN, "Missed"),
        (EndReason.NO_ANSWER, IN, "Missed"),
        (EndReason.DECLINED_HERE, IN, "Declined"),
        (EndReason.DECLINED_ELSEWHERE, IN, "Declined"),
        (EndReason.HUNG_UP_THERE, IN, "Missed"),
        (EndReason.CLIENT_LOST, IN, "Missed"),
        (EndReason.BUSY, OUT, "Busy"),
        (EndReason.DECLINED_THERE, OUT, "Declined"),
        (EndReason.NO_ANSWER, OUT, "No answer"),
        (EndReason.UNKNOWN_NUMBER, OUT, "Unknown number"),
        (EndReason.UNREACHABLE, OUT, "Unreachable"),
        (EndReason.NOT_ALLOWED, OUT, "Not allowed"),
        (EndReason.CANCELLED_HERE, OUT, "Cancelled"),
        (EndReason.HUNG_UP_HERE, OUT, "Cancelled"),
        (EndReason.NO_COMMON_CODEC, OUT, "Failed"),
        (EndReason.SERVER_UNAVAILABLE, OUT, "Failed"),
        (EndReason.MEDIA_FAILED, OUT, "Failed"),
        (EndReason.FAILED, OUT, "Failed"),
        (EndReason.GATEWAY_RESTARTED, OUT, "Interrupted"),
    ],
)
def test_an_unanswered_call(
    reason: EndReason, direction: CallDirection, outcome: str
) -> None:
    activity = compose(call(reason, direction), ALEX)
    assert activity is not None
    assert (activity.outcome, activity.duration_s) == (outcome, 0)
    preposition = "from" if direction is IN else "to"
    assert activity.subject == f"Call {preposition} Ana Ruiz, {outcome.lower()}"
    assert "Rang for: 1 min 10 s" in activity.description
    assert "Talk time" not in activity.description


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (EndReason.HUNG_UP_HERE, "Answered"),
        (EndReason.HUNG_UP_THERE, "Answered"),
        (EndReason.CLIENT_LOST, "Interrupted"),
        (EndReason.MEDIA_FAILED, "Interrupted"),
        (EndReason.GATEWAY_RESTARTED, "Interrupted"),
        (EndReason.FAILED, "Interrupted"),
    ],
)
@pytest.mark.parametrize("direction", [IN, OUT])
def test_an_answered_call(
    reason: EndReason, outcome: str, direction: CallDirection
) -> None:
    activity = compose(call(reason, direction, answered=True), ALEX)
    assert activity is not None
    assert (activity.outcome, activity.duration_s) == (outcome, 65)
    assert "Talk time: 1 min 05 s" in activity.description


def test_a_call_that_another_device_took_is_not_logged() -> None:
    assert compose(call(EndReason.ANSWERED_ELSEWHERE, IN), ALEX) is None


def test_the_hosts_side_of_an_invite_is_not_logged() -> None:
    for reason in EndReason:
        for answered in (False, True):
            hosts = call(reason, IN, answered=answered)
            assert compose(replace(hosts, invite=HOSTS_SIDE), ALEX) is None


@pytest.mark.parametrize(
    ("reason", "answered", "outcome", "note"),
    [
        (EndReason.HUNG_UP_THERE, True, "Answered", ""),
        (EndReason.INVITE_OVER, True, "Answered", "The time of the invite was over."),
        (EndReason.INVITE_OVER, False, "Missed", "The time of the invite was over."),
        (EndReason.MISSED, False, "Missed", ""),
        (
            EndReason.CLIENT_LOST,
            True,
            "Interrupted",
            "The connection to the guest's browser was lost.",
        ),
        (
            EndReason.CLIENT_LOST,
            False,
            "Missed",
            "The connection to the guest's browser was lost.",
        ),
        (EndReason.DECLINED_HERE, False, "Declined", "Declined by the rep."),
        (EndReason.BUSY, False, "Busy", ""),
    ],
)
def test_a_guests_attempt(
    reason: EndReason, answered: bool, outcome: str, note: str
) -> None:
    ended = replace(
        call(reason, IN, answered=answered),
        number="",
        e164="",
        display_name="Ana Ruiz",
        invite=ATTEMPT,
    )
    activity = compose(ended, ALEX)
    assert activity is not None
    assert activity.subject == (
        f"Video call from Ana Ruiz (invite: The contract), {outcome.lower()}"
    )
    assert activity.outcome == outcome
    assert (activity.who_id, activity.what_id) == (ANA.id, DEAL.id)
    lines = activity.description.splitlines()
    assert lines[0] == f"Incoming video call, {outcome.lower()}"
    assert not note or lines[1] == note
    assert "Invite: The contract" in lines
    assert not any(line.startswith("Number:") for line in lines)


def test_an_attempt_of_somebody_unknown_is_matched_with_nobody() -> None:
    invite = replace(ATTEMPT, about=None, subject="")
    ended = replace(
        call(EndReason.MISSED, IN),
        number="",
        e164="",
        display_name="",
        record=None,
        invite=invite,
    )
    activity = compose(ended, ALEX)
    assert activity is not None
    assert activity.subject == "Video call from an unknown number, missed"
    assert (activity.who_id, activity.what_id, activity.match_number) == ("", "", "")


def test_a_call_that_goes_on_has_none_yet() -> None:
    with pytest.raises(ValueError, match="ended"):
        compose(started(), ALEX)


def test_to_whom_a_call_was_transferred() -> None:
    ended = call(EndReason.TRANSFERRED, IN, answered=True)
    activity = compose(replace(ended, transferred_to="Ben\nAdler (1004)"), ALEX)
    assert activity is not None
    assert activity.description.splitlines()[:2] == [
        "Incoming call, answered",
        "Transferred to Ben Adler (1004).",
    ]


def test_all_of_an_activity() -> None:
    ended = replace(call(EndReason.HUNG_UP_THERE, IN, answered=True), sip_code=200)
    activity = compose(ended, ALEX)
    assert activity is not None
    assert activity.key == "call:call-1"
    assert activity.direction is ActivityDirection.INBOUND
    assert (activity.user.tenant, activity.user.id) == ("acme", ALEX.crm_user_id)
    assert activity.user.username == "alex@acme.example"
    assert activity.number == "+14155551212"
    assert (activity.who_id, activity.what_id) == (ANA.id, "")
    assert activity.match_number == ""
    assert activity.started_at.timestamp() == T0
    assert activity.description.splitlines() == [
        "Incoming call, answered",
        "Number: (415) 555-1212",
        "Name shown: ANA",
        "Started: 2026-09-21 14:13:20 UTC",
        "Answered: 2026-09-21 14:13:25 UTC",
        "Ended: 2026-09-21 14:14:30 UTC",
        "Talk time: 1 min 05 s",
        "Rep: Alex Kim (101)",
        "SIP response: 200",
        "Call id: call-1",
    ]


def test_whose_name_it_has() -> None:
    ended = replace(call(EndReason.MISSED, IN), record=None)
    subjects = []
    for change in ({}, {"display_name": ""}, {"display_name": "", "number": "\r\n"}):
        e164 = "" if "number" in change else ended.e164
        activity = compose(replace(ended, e164=e164, **change), ALEX)
        assert activity is not None
        subjects.append(activity.subject)
    assert subjects == [
        "Call from ANA, missed",
        "Call from (415) 555-1212, missed",
        "Call from an unknown number, missed",
    ]


def test_an_unmatched_call_is_to_be_matched_later() -> None:
    activity = compose(replace(call(EndReason.MISSED, IN), record=None), ALEX)
    assert activity is not None
    assert (activity.match_number, activity.who_id) == ("+14155551212", "")


def test_people_and_things() -> None:
    assert links(ANA) == (ANA.id, "")
    assert links(replace(ANA, kind="Lead")) == (ANA.id, "")
    account = replace(ANA, id="001A", kind="Account")
    assert links(account) == ("", "001A")
    assert links(ANA, DEAL) == (ANA.id, DEAL.id)
    assert links(account, DEAL) == ("", DEAL.id)
    assert links(ANA, account) == (ANA.id, "001A")
    assert links(ANA, replace(ANA, id="003Z")) == (ANA.id, "")
    assert links(None, DEAL) == ("", DEAL.id)
    assert links(None) == ("", "")


def test_long_talks_have_hours() -> None:
    ended = call(EndReason.HUNG_UP_HERE, OUT, answered=True)
    activity = compose(replace(ended, ended_at=T0 + 5 + 3725), ALEX)
    assert activity is not None
    assert "Talk time: 1 h 02 min 05 s" in activity.description


@settings(deadline=None)
@given(
    reason=st.sampled_from(EndReason),
    direction=st.sampled_from(CallDirection),
    answered=st.booleans(),
    name=st.text(max_size=600),
    number=st.text(max_size=255),
    duration_s=st.floats(min_value=-1e4, max_value=1e6),
    subject=st.none() | st.text(max_size=600),
)
def test_any_end_gives_a_subject_of_one_short_line(
    reason: EndReason,
    direction: CallDirection,
    answered: bool,
    name: str,
    number: str,
    duration_s: float,
    subject: str | None,
) -> None:
    ended = replace(
        call(reason, direction, answered=answered),
        invite=None if subject is None else replace(ATTEMPT, subject=subject),
        record=None,
        display_name=name,
        number=number,
        e164="",
        ended_at=T0 + duration_s,
    )
    activity = compose(ended, ALEX)
    if activity is None:
        assert reason is EndReason.ANSWERED_ELSEWHERE
        return
    assert len(activity.subject) <= 255
    assert activity.subject.splitlines() == [activity.subject]
    assert activity.duration_s >= 0
    # A stranger's name cannot forge a line of its own.
    labels = [line.split(":")[0] for line in activity.description.split("\n")]
    assert labels.count("Started") == 1
    assert labels.count("Number") == (subject is None)
    assert labels.count("Invite") <= (subject is not None)
    assert len(activity.description.splitlines()) <= 12


DORA = Party(
    "+12025550143", "+12025550143", "", CrmRecord("003D", "Contact", "Dora", "")
)


@pytest.mark.parametrize(
    ("earlier", "record", "who_id", "contacts", "match_number"),
    [
        ((CLEO,), ANA, ANA.id, (), ""),
        ((DORA,), ANA, ANA.id, ("003D",), ""),
        # Nobody knows who it is now: it was with her, all the same.
        ((CLEO, DORA), None, "003D", (), ""),
        ((DORA, CLEO), None, "003D", (), ""),
        ((CLEO,), None, "", (), "+14155551212"),
    ],
)
def test_a_call_that_was_transferred(
    earlier: tuple[Party, ...],
    record: CrmRecord | None,
    who_id: str,
    contacts: tuple[str, ...],
    match_number: str,
) -> None:
    transferred = replace(
        call(EndReason.HUNG_UP_HERE, IN, answered=True), record=record, earlier=earlier
    )
    activity = compose(transferred, ALEX)
    assert activity is not None
    assert (activity.who_id, activity.contact_ids) == (who_id, contacts)
    assert activity.match_number == match_number
    by = {CLEO: "Cleo", DORA: "Dora"}[earlier[-1]]
    assert f"(transferred by {by}), answered" in activity.subject
    lines = activity.description.splitlines()
    first = {CLEO: "Cleo (102)", DORA: "Dora ((202) 555-0143)"}[earlier[0]]
    assert f"Was first with: {first}" in lines
    assert sum(line.startswith("Then with: ") for line in lines) == len(earlier) - 1
