"""What the CRM is told of an invite, and what it never is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.activities import Invitee, InviteFacts, meeting_of, no_show_of
from gateway.crm.connector import CrmRecord, CrmUser
from gateway.sessions.wire import InviteState
from tests.gateway.storage.samples import ALEX, ANA

START = datetime(2026, 11, 25, 14, 0, tzinfo=UTC).timestamp()
QUOTE = CrmRecord("006000000000001AAA", "Opportunity", "Q4 renewal", "https://x/006")
ACME = CrmRecord("001000000000001AAA", "Account", "Acme Corp", "https://x/001")
LINK = "https://gw.example/join/mT8xq0Zr8nYw5xkTt1oJmU2sGd7eHc4a"
INVITE = InviteFacts(
    invite_id="0193a5c2",
    state=InviteState.SCHEDULED,
    subject="Renewal quote",
    starts_at=START,
    ends_at=START + 1800,
    invitees=(
        Invitee("Ana Ruiz", "ana@acme-corp.example"),
        Invitee("Sam Okafor", is_colleague=True),
    ),
    text="We go through the\nrevised quote.",
    location="https://gw.example/widget/",
    time_zone="America/New_York",
    contact=ANA,
    about=QUOTE,
)


def test_an_invite_as_a_meeting() -> None:
    meeting = meeting_of(INVITE, ALEX)
    assert meeting.key == "meet:0193a5c2"
    assert meeting.user == CrmUser("acme", ALEX.crm_user_id, ALEX.crm_username)
    assert meeting.subject == "Video call: Renewal quote"
    assert meeting.starts_at == datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
    assert meeting.ends_at == datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
    assert meeting.location == "https://gw.example/widget/"
    assert (meeting.who_id, meeting.what_id) == (ANA.id, QUOTE.id)
    assert not meeting.is_cancelled
    assert meeting.description == (
        "Video call, 2026-11-25 09:00 to 09:30 (America/New_York)\n"
        "Invited:\n"
        "- Ana Ruiz <ana@acme-corp.example>\n"
        "- Sam Okafor (colleague)\n"
        "Host: Alex Kim (101)\n"
        "\n"
        "We go through the\n"
        "revised quote.\n"
        "\n"
        "Invite id: 0193a5c2"
    )


def test_who_came_and_who_did_not() -> None:
    ana, sam = INVITE.invitees
    over = replace(
        INVITE,
        state=InviteState.OVER,
        invitees=(replace(ana, joined_at=START + 125), sam),
    )
    description = meeting_of(over, ALEX).description
    assert "- Ana Ruiz <ana@acme-corp.example>: came at 09:02\n" in description
    assert "- Sam Okafor (colleague): did not come\n" in description


def test_a_cancelled_one_says_so() -> None:
    meeting = meeting_of(replace(INVITE, state=InviteState.CANCELLED), ALEX)
    assert meeting.is_cancelled
    assert meeting.subject == "Video call: Renewal quote"
    assert "\nCancelled.\n" in meeting.description


def test_a_no_show_is_a_note_and_on_the_event() -> None:
    invite = replace(INVITE, state=InviteState.NO_SHOW)
    assert "\nNobody came.\n" in meeting_of(invite, ALEX).description
    note = no_show_of(invite, ALEX)
    assert (note.key, note.is_call) == ("noshow:0193a5c2", False)
    assert note.subject == "No-show: Ana Ruiz, Renewal quote"
    assert note.outcome == "No-show"
    assert (note.who_id, note.what_id) == (ANA.id, QUOTE.id)
    assert note.started_at == datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
    assert "- Ana Ruiz <ana@acme-corp.example>: did not come\n" in note.description
    nameless = replace(invite, contact=None, invitees=())
    assert no_show_of(nameless, ALEX).subject == "No-show: Renewal quote"


@pytest.mark.parametrize(
    ("contact", "about", "links"),
    [
        (ANA, None, (ANA.id, "")),
        (None, ANA, (ANA.id, "")),
        (ACME, None, ("", ACME.id)),
        (ACME, QUOTE, ("", QUOTE.id)),
        (ANA, replace(ANA, id="003B"), (ANA.id, "")),
        (None, None, ("", "")),
    ],
)
def test_where_it_belongs(
    contact: CrmRecord | None, about: CrmRecord | None, links: tuple[str, str]
) -> None:
    meeting = meeting_of(replace(INVITE, contact=contact, about=about), ALEX)
    assert (meeting.who_id, meeting.what_id) == links


def test_nothing_changes_while_nothing_happens() -> None:
    """Else each invite would be written again for being open."""
    assert meeting_of(INVITE, ALEX) == meeting_of(
        replace(INVITE, state=InviteState.OPEN), ALEX
    )


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("Europe/Berlin", "2026-11-25 15:00 to 15:30 (Europe/Berlin)"),
        ("Asia/Kolkata", "2026-11-25 19:30 to 20:00 (Asia/Kolkata)"),
        ("", "2026-11-25 14:00 to 14:30 (UTC)"),
        ("Mars/Olympus", "2026-11-25 14:00 to 14:30 (UTC)"),
        ("../../etc/passwd", "2026-11-25 14:00 to 14:30 (UTC)"),
        ("Europe", "2026-11-25 14:00 to 14:30 (UTC)"),
        ("\0", "2026-11-25 14:00 to 14:30 (UTC)"),
    ],
)
def test_times_are_those_of_the_invite(zone: str, words: str) -> None:
    meeting = meeting_of(replace(INVITE, time_zone=zone), ALEX)
    assert meeting.description.startswith(f"Video call, {words}\n")


def test_one_that_lasts_over_midnight_names_both_days() -> None:
    meeting = meeting_of(replace(INVITE, ends_at=START + 12 * 3600), ALEX)
    assert "2026-11-25 09:00 to 2026-11-25 21:00" not in meeting.description
    meeting = meeting_of(replace(INVITE, ends_at=START + 16 * 3600), ALEX)
    assert "2026-11-25 09:00 to 2026-11-26 01:00" in meeting.description


def test_a_guests_link_is_never_written() -> None:
    bad = replace(
        INVITE,
        subject=f"Come: {LINK}",
        text=f"Here: {LINK}\n{LINK.removeprefix('https://')}",
        invitees=(Invitee(f"Ana {LINK}", LINK),),
    )
    meeting, note = meeting_of(bad, ALEX), no_show_of(bad, ALEX)
    for text in (
        meeting.subject,
        meeting.description,
        note.subject,
        note.description,
    ):
        assert "/join/" not in text
        assert "mT8xq0Zr" not in text
    with pytest.raises(ValueError, match="nothing for the CRM") as caught:
        meeting_of(replace(INVITE, location=LINK), ALEX)
    assert "mT8xq0Zr" not in str(caught.value)


@given(
    st.text(max_size=300), st.text(max_size=300), st.text(max_size=300), st.booleans()
)
def test_what_people_type_stays_in_its_lines(
    subject: str, text: str, name: str, joined: bool
) -> None:
    invite = replace(
        INVITE,
        subject=subject,
        text=text,
        invitees=(Invitee(name, name, joined_at=START if joined else None),),
    )
    meeting, note = meeting_of(invite, ALEX), no_show_of(invite, ALEX)
    for line in (meeting.subject, note.subject):
        assert len(line) <= 255
        assert line.isprintable()
    lines = meeting.description.split("\n")
    assert lines[1] == "Invited:"
    assert lines[2].startswith("- ")
    assert lines[3] == "Host: Alex Kim (101)"
    assert all(not line or line.isprintable() for line in lines)
