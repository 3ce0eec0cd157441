"""Who is mailed what, and whose link stays good, for each of the rep's requests."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.invites import plan
from gateway.invites.draft import check_draft
from gateway.invites.model import Invite, InviteKey, MailKind
from gateway.invites.plan import Plan, Sender
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from tests.gateway.invites.samples import ROBIN, T0, a_draft, ana, expert

NOW = T0 - 3600
SENDER = Sender(ROBIN, 600)


def new_ids() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"new-{next(numbers)}"


def created(**changes: Any) -> Plan:
    draft = check_draft(a_draft(**changes), now=NOW, can_mail=True, language="en")
    return plan.create(
        InviteKey("acme", "i"),
        draft,
        SENDER,
        draft_hash="h",
        op_id="op-1",
        now=NOW,
        new_id=new_ids(),
    )


def changed(before: Invite, **changes: Any) -> Plan:
    draft = check_draft(
        a_draft(**changes), now=NOW, can_mail=True, language="en", before=before
    )
    ids = itertools.count(100)
    return plan.change(
        before,
        draft,
        SENDER,
        op_id="op-2",
        now=NOW,
        new_id=lambda: f"new-{next(ids)}",
    )


def told(planned: Plan) -> list[tuple[str, MailKind, int]]:
    return [
        (mail.content.guest_email, mail.kind, mail.content.sequence)
        for mail in planned.mails
    ]


def again(guest: plan.Guest, **changes: Any) -> wire.GuestDraft:
    values = {"name": guest.name, "email": guest.email, "guest_id": guest.guest_id}
    return wire.GuestDraft(**values | changes)


def test_a_new_invite_is_mailed_to_each_guest_alone() -> None:
    planned = created(guests=(ana(), expert()))
    assert told(planned) == [
        ("ana@customer.example", MailKind.INVITATION, 0),
        ("kim@acme.example", MailKind.INVITATION, 0),
    ]
    assert "kim" not in repr(planned.mails[0])
    assert planned.mails[0].content.host_email == "robin@acme.example"
    assert planned.mails[0].content.opens_before_s == 600


def test_without_mail_nobody_is_mailed_until_the_rep_wants_it() -> None:
    planned = created(send_mail=False)
    assert planned.mails == ()
    (guest,) = planned.invite.guests
    moved = changed(planned.invite, guests=(again(guest),), at=T0 + 60, send_mail=False)
    assert moved.mails == ()
    mailed = changed(moved.invite, guests=(again(guest),), at=T0 + 60)
    assert told(mailed) == [("ana@customer.example", MailKind.CHANGE, 2)]


def test_a_change_of_guests_alone_is_no_news_for_the_others() -> None:
    before = created(guests=(ana(), expert())).invite
    first, second = before.guests
    planned = changed(
        before, guests=(again(first), ana(name="Ben", email="ben@customer.example"))
    )
    assert told(planned) == [
        ("ben@customer.example", MailKind.INVITATION, 1),
        ("kim@acme.example", MailKind.CANCELLATION, 1),
    ]
    after = planned.invite
    assert [g.guest_id for g in after.present] == [first.guest_id, "new-100"]
    assert after.guest(second.guest_id) is None
    assert after.sequence == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"at": T0 + 60},
        {"minutes": 45},
        {"subject": "Another"},
        {"text": "Another"},
        {"language": "de"},
        {"time_zone": "UTC"},
    ],
)
def test_what_a_guest_should_know_is_mailed(changes: dict[str, Any]) -> None:
    before = created().invite
    planned = changed(before, guests=(again(before.guests[0]),), **changes)
    assert told(planned) == [("ana@customer.example", MailKind.CHANGE, 1)]
    assert planned.invite.guests[0].guest_id == before.guests[0].guest_id


def test_a_guest_is_told_the_time_where_they_are() -> None:
    first = created(guests=(ana(time_zone="America/New_York"), expert()))
    assert [mail.content.time_zone for mail in first.mails] == [
        "America/New_York",
        "Europe/Berlin",
    ]
    ana_now, kim_now = first.invite.guests
    assert (ana_now.time_zone, kim_now.time_zone) == ("America/New_York", "")
    # Another zone for one is news for that one alone.
    moved = changed(
        first.invite,
        guests=(again(ana_now, time_zone="Asia/Tokyo"), again(kim_now)),
    )
    assert told(moved) == [(ana_now.email, MailKind.CHANGE, 1)]
    assert moved.mails[0].content.time_zone == "Asia/Tokyo"
    # The rep travels: news for whoever is told the rep's own time.
    travelled = changed(
        first.invite,
        time_zone="UTC",
        guests=(again(ana_now, time_zone="America/New_York"), again(kim_now)),
    )
    assert told(travelled) == [(kim_now.email, MailKind.CHANGE, 1)]


def test_a_name_or_a_record_alone_is_mailed_to_nobody() -> None:
    before = created().invite
    record = wire.Record(id="006", kind="Opportunity", name="Big")
    planned = changed(
        before, guests=(again(before.guests[0], name="Ana R."),), about=record
    )
    assert planned.mails == ()
    assert planned.invite.guests[0].name == "Ana R."


def test_another_address_is_another_guest() -> None:
    before = created().invite
    old = before.guests[0]
    planned = changed(before, guests=(again(old, email="ana@new.example"),))
    assert told(planned) == [
        ("ana@new.example", MailKind.INVITATION, 1),
        ("ana@customer.example", MailKind.CANCELLATION, 1),
    ]
    (new,) = planned.invite.present
    assert new.guest_id != old.guest_id
    assert planned.invite.guest(old.guest_id) is None


def test_an_address_for_who_had_none_leaves_the_link_good() -> None:
    before = created(guests=(ana(email=""),), send_mail=False).invite
    planned = changed(
        before, guests=(again(before.guests[0], email="ana@customer.example"),)
    )
    assert planned.invite.present[0].guest_id == before.guests[0].guest_id
    assert told(planned) == [("ana@customer.example", MailKind.CHANGE, 1)]


def test_a_guest_without_an_id_is_known_by_the_address() -> None:
    before = created(guests=(ana(), expert())).invite
    planned = changed(before, guests=(expert(), ana()))
    assert [g.guest_id for g in planned.invite.present] == ["new-2", "new-1"]
    assert planned.mails == ()


def test_who_was_taken_out_and_comes_back_has_a_new_link() -> None:
    before = created(guests=(ana(), expert())).invite
    without = changed(before, guests=(again(before.guests[0]),)).invite
    planned = changed(without, guests=(again(before.guests[0]), expert()))
    back = planned.invite.present[1]
    assert back.email == "kim@acme.example"
    assert back.guest_id != before.guests[1].guest_id


def test_cancelling_tells_all_who_are_invited() -> None:
    before = created(guests=(ana(), expert())).invite
    without = changed(before, guests=(again(before.guests[0]),)).invite
    planned = plan.cancel(without, SENDER, op_id="op-3", now=NOW)
    assert told(planned) == [("ana@customer.example", MailKind.CANCELLATION, 2)]
    assert planned.invite.cancelled_at == NOW


def test_extending_is_mailed_only_before_it_runs() -> None:
    before = created().invite
    running = plan.extend(before, SENDER, minutes=15, op_id="o", is_running=True)
    assert running.mails == ()
    assert running.invite.ends_at == before.ends_at + 900
    waiting = plan.extend(before, SENDER, minutes=15, op_id="o", is_running=False)
    assert told(waiting) == [("ana@customer.example", MailKind.CHANGE, 1)]
    long = created(minutes=23 * 60).invite
    with pytest.raises(RequestError) as caught:
        plan.extend(long, SENDER, minutes=61, op_id="o", is_running=True)
    assert caught.value.field == "minutes"


def test_resending_keeps_the_link_unless_it_is_used_up() -> None:
    before = created(guests=(ana(), expert())).invite
    first = before.guests[0]
    planned = plan.resend(before, SENDER, guest_id=first.guest_id, op_id="o")
    assert told(planned) == [("ana@customer.example", MailKind.INVITATION, 0)]
    assert planned.mails[0].generation == 1
    used = before.with_guest(replace(first, browsers=("a", "b", "c")))
    planned = plan.resend(used, SENDER, guest_id=None, op_id="o")
    assert [mail.generation for mail in planned.mails] == [2, 1]
    renewed = planned.invite.guest(first.guest_id)
    assert renewed is not None
    assert (renewed.generation, renewed.browsers) == (2, ())


def test_resending_to_nobody_is_refused() -> None:
    before = created(guests=(ana(email=""),), send_mail=False).invite
    with pytest.raises(RequestError) as caught:
        plan.resend(before, SENDER, guest_id=None, op_id="o")
    assert caught.value.field == "guest_id"


def test_old_operations_are_forgotten_in_the_end() -> None:
    invite = created().invite
    for number in range(50):
        invite = plan.resend(invite, SENDER, guest_id=None, op_id=f"o{number}").invite
    assert invite.ops == tuple(f"o{number}" for number in range(30, 50))
