"""What a rep does with invites, and what time does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.identity.users import UserKey
from gateway.invites.board import TenantInvites
from gateway.invites.guests import guest_key
from gateway.invites.links import Links
from gateway.invites.model import InviteKey
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind, InviteState, MailState
from gateway.storage import Database
from gateway.storage.mails import MailRowState
from tests.gateway.invites.desk import Desk
from tests.gateway.invites.samples import (
    EVE,
    ROBIN,
    SAM,
    T0,
    VirtualTime,
    a_draft,
    ana,
    expert,
)

END = T0 + 1800


def cancel(desk: Desk, name: str = "invite-1") -> wire.InviteCancel:
    return wire.InviteCancel(op_id=desk.op(), invite_id=name)


def extend(desk: Desk, minutes: int = 15) -> wire.InviteExtend:
    return wire.InviteExtend(op_id=desk.op(), invite_id="invite-1", minutes=minutes)


def change(desk: Desk, **changes: Any) -> wire.InviteChange:
    return wire.InviteChange(
        op_id=desk.op(), invite_id="invite-1", invite=a_draft(**changes)
    )


async def test_a_new_invite_is_kept_mailed_and_told(desk: Desk) -> None:
    view = await desk.create(guests=(ana(), expert()))
    assert view.state is InviteState.SCHEDULED
    assert view.opens_at == (T0 - 600) * 1000
    assert [guest.mail for guest in view.guests] == [MailState.WAITING] * 2
    assert desk.updates() == [view]
    assert desk.woken == 1
    assert await desk.mails.counts() == {MailRowState.WAITING: 2}
    assert [guest.email for guest in view.guests] == [
        "ana@customer.example",
        "kim@acme.example",
    ]


async def test_start_now_is_open_at_once(desk: Desk) -> None:
    view = await desk.create(at=desk.time.now, send_mail=False, guests=(ana(email=""),))
    assert view.state is InviteState.OPEN
    assert desk.woken == 0
    assert await desk.state(await desk.link(view)) is wire.JoinState.OPEN


async def test_the_same_create_again_is_the_same_invite(desk: Desk) -> None:
    params = wire.InviteCreate(op_id="a", invite_id="i", invite=a_draft())
    first = await desk.ask(params)
    # The answer was lost, and with a new session the op id is another.
    again = await desk.ask(params.model_copy(update={"op_id": "b"}))
    assert again == first
    assert await desk.mails.counts() == {MailRowState.WAITING: 1}
    # Even later, when its start could not be asked for any more.
    desk.time.now = T0 + 1000
    assert (await desk.ask(params)).invite.state is InviteState.OPEN
    other = wire.InviteCreate(op_id="c", invite_id="i", invite=a_draft(subject="B"))
    assert await desk.refused(other) is ErrorKind.OP_CONFLICT
    assert await desk.refused(params, SAM) is ErrorKind.OP_CONFLICT


async def test_two_creates_at_once_are_one(desk: Desk) -> None:
    params = wire.InviteCreate(op_id="a", invite_id="i", invite=a_draft())
    results = await asyncio.gather(*(desk.ask(params) for _ in range(5)))
    assert len({result.invite.guests[0].guest_id for result in results}) == 1
    assert await desk.mails.counts() == {MailRowState.WAITING: 1}


async def test_a_draft_is_refused_at_its_field(desk: Desk) -> None:
    with pytest.raises(RequestError) as caught:
        await desk.create(guests=(ana(email="nobody"),))
    assert caught.value.kind is ErrorKind.INVITE_INVALID
    assert caught.value.field == "guests.0.email"
    assert await desk.current() is None


async def test_an_operation_that_was_done_is_not_done_again(
    desk: Desk, database: Database
) -> None:
    await desk.create()
    operations: list[wire.Wire] = [
        wire.InviteResend(op_id="r", invite_id="invite-1"),
        wire.InviteExtend(op_id="e", invite_id="invite-1", minutes=15),
        wire.InviteCancel(op_id="c", invite_id="invite-1"),
    ]
    for params in operations:
        await desk.ask(params)
    kept = await desk.current()
    counts = await desk.mails.counts()
    # After a restart no session remembers them.
    again = Desk(database, time=desk.time)
    for params in operations:
        assert (await again.ask(params)).invite.invite_id == "invite-1"
    assert await desk.current() == kept
    assert await desk.mails.counts() == counts
    await again.close()


async def test_a_change_tells_whom_it_concerns(desk: Desk) -> None:
    view = await desk.create(guests=(ana(), expert()))
    (first, second) = await desk.mails.due(desk.time.now, limit=9)
    for mail in (first, second):
        assert await desk.mails.begin(mail)
        assert await desk.mails.settle(mail, MailRowState.SENT)
    keep = ana(guest_id=view.guests[0].guest_id)
    result = await desk.ask(change(desk, at=T0 + 3600, guests=(keep,)))
    assert [guest.name for guest in result.invite.guests] == ["Ana Ruiz"]
    assert result.invite.starts_at == (T0 + 3600) * 1000
    assert desk.updates()[-1] == result.invite
    due = await desk.mails.due(desk.time.now, limit=9)
    assert [(m.content.guest_name, m.kind.value, m.content.sequence) for m in due] == [
        ("Ana Ruiz", "change", 1),
        ("Kim Expert", "cancellation", 1),
    ]


async def test_cancelling(desk: Desk) -> None:
    view = await desk.create()
    token = await desk.link(view)
    result = await desk.ask(cancel(desk))
    assert result.invite.state is InviteState.CANCELLED
    assert await desk.state(token) is wire.JoinState.CANCELLED
    # Once more is harmless.
    again = await desk.ask(cancel(desk))
    assert again.invite == result.invite
    for params in (extend(desk), change(desk)):
        assert await desk.refused(params) is ErrorKind.INVITE_CLOSED
    resend = wire.InviteResend(op_id="x", invite_id="invite-1")
    assert await desk.refused(resend) is ErrorKind.INVITE_CLOSED
    link = wire.InviteLink(invite_id="invite-1", guest_id=view.guests[0].guest_id)
    assert await desk.refused(link) is ErrorKind.INVITE_CLOSED


async def test_what_is_over_is_closed(desk: Desk) -> None:
    await desk.create()
    await desk.pass_to(END + 1)
    for params in (cancel(desk), extend(desk)):
        assert await desk.refused(params) is ErrorKind.INVITE_CLOSED


async def test_resending(desk: Desk) -> None:
    view = await desk.create(guests=(ana(), expert()))
    guest_id = view.guests[1].guest_id
    params = wire.InviteResend(op_id=desk.op(), invite_id="invite-1", guest_id=guest_id)
    await desk.ask(params)
    # What waited was replaced: one mail each.
    assert await desk.mails.counts() == {
        MailRowState.WAITING: 2,
        MailRowState.REPLACED: 1,
    }
    unknown = wire.InviteResend(op_id="u", invite_id="invite-1", guest_id="nobody")
    assert await desk.refused(unknown) is ErrorKind.INVITE_UNKNOWN


async def test_listing(desk: Desk) -> None:
    for number in range(5):
        await desk.create(f"i{number}", at=T0 + number * 3600)
    await desk.create("sams", SAM)
    page = await desk.ask(wire.InviteList(limit=2))
    assert [view.invite_id for view in page.invites] == ["i0", "i1"]
    page = await desk.ask(wire.InviteList(limit=9, after="i1"))
    assert [view.invite_id for view in page.invites] == ["i2", "i3", "i4"]
    await desk.pass_to(T0 + 3600 + 1801)
    past = await desk.ask(wire.InviteList(past=True))
    assert [(v.invite_id, v.state) for v in past.invites] == [
        ("i1", InviteState.NO_SHOW),
        ("i0", InviteState.NO_SHOW),
    ]
    unknown = wire.InviteList(after="sams")
    assert await desk.refused(unknown) is ErrorKind.INVITE_UNKNOWN


async def test_not_more_than_allowed_a_day(database: Database) -> None:
    settings = TenantInvites("en", 600, 2, sender="invites@acme.example")
    desk = Desk(database, settings=settings)
    await desk.create("i1")
    await desk.create("i2")
    params = wire.InviteCreate(op_id="x", invite_id="i3", invite=a_draft())
    assert await desk.refused(params) is ErrorKind.RATE_LIMITED
    # Others may, and so may they tomorrow.
    await desk.create("i3", SAM)
    await desk.create("i3", EVE)
    desk.time.now += 86401
    await desk.create("i4", at=desk.time.now + 60)
    await desk.close()


async def test_many_mails_are_limited_but_cancelling_is_not(database: Database) -> None:
    settings = TenantInvites("en", 600, 1, sender="invites@acme.example")
    desk = Desk(database, settings=settings)
    await desk.create()
    for _ in range(11):
        await desk.ask(wire.InviteResend(op_id=desk.op(), invite_id="invite-1"))
    resend = wire.InviteResend(op_id=desk.op(), invite_id="invite-1")
    assert await desk.refused(resend) is ErrorKind.RATE_LIMITED
    (mail,) = await desk.mails.due(desk.time.now, limit=9)
    assert await desk.mails.begin(mail)
    assert await desk.mails.settle(mail, MailRowState.SENT)
    await desk.ask(cancel(desk))
    (last,) = await desk.mails.due(desk.time.now, limit=9)
    assert last.kind.value == "cancellation"
    await desk.close()


async def test_a_company_without_mail_hands_links_over(database: Database) -> None:
    desk = Desk(database, settings=TenantInvites("en", 600, 9))
    with pytest.raises(RequestError) as caught:
        await desk.create()
    assert caught.value.field == "send_mail"
    view = await desk.create(send_mail=False)
    assert view.guests[0].mail is MailState.NONE
    resend = wire.InviteResend(op_id="r", invite_id="invite-1")
    assert await desk.refused(resend) is ErrorKind.INVITE_INVALID
    assert await desk.link(view)
    await desk.close()


async def test_a_database_that_is_away_is_said_and_may_be_tried_again(
    desk: Desk, database: Database
) -> None:
    await database.close()
    with pytest.raises(RequestError) as caught:
        await desk.create()
    assert caught.value.kind is ErrorKind.INTERNAL
    assert caught.value.retryable


# Time -----------------------------------------------------------------------------


async def test_from_scheduled_to_no_show(desk: Desk) -> None:
    await desk.create()
    states = []
    for at in (T0 - 601, T0 - 600, END - 301, END - 300, END - 60, END):
        await desk.pass_to(at)
        states.append(desk.updates()[-1].state.value)
    assert states == ["scheduled", "open", "open", "open", "open", "no_show"]
    # Warned twice; opened and over are told once each, besides the creation.
    assert desk.endings() == [END * 1000] * 2
    assert len(desk.updates()) == 3
    assert desk.ended == [InviteKey("acme", "invite-1")]
    kept = await desk.current()
    assert kept.ended_at == END
    assert desk.time.alarm_count == 0
    assert desk.board.counters.no_shows == 1


async def test_warnings_come_at_their_time(desk: Desk) -> None:
    await desk.create()
    await desk.pass_to(END - 300.001)
    assert desk.endings() == []
    await desk.pass_to(END - 299)
    assert desk.endings() == [END * 1000]
    await desk.pass_to(END - 60.001)
    assert len(desk.endings()) == 1
    await desk.pass_to(END - 59)
    assert len(desk.endings()) == 2


async def test_nothing_is_asked_while_nothing_is_due(desk: Desk) -> None:
    await desk.create()
    reads = 0
    get = desk.store.get

    async def counted(key: InviteKey) -> Any:
        nonlocal reads
        reads += 1
        return await get(key)

    desk.store.get = counted  # type: ignore[method-assign]
    await desk.pass_to(T0 - 601)
    assert reads == 0


async def test_extending_moves_the_end_and_the_warnings(desk: Desk) -> None:
    await desk.create()
    await desk.pass_to(END - 100)
    assert len(desk.endings()) == 1
    result = await desk.ask(extend(desk, 10))
    assert result.invite.ends_at == (END + 600) * 1000
    # Who was told that it ends soon is told that it does not.
    assert desk.endings()[-1] == (END + 600) * 1000
    # And so are the calls that go on.
    assert desk.moved == [(InviteKey("acme", "invite-1"), END + 600)]
    await desk.pass_to(END + 1)
    assert desk.ended == []
    await desk.pass_to(END + 300)
    assert len(desk.endings()) == 3
    await desk.pass_to(END + 600)
    assert desk.ended == [InviteKey("acme", "invite-1")]


async def test_moving_it_moves_its_moments(desk: Desk) -> None:
    view = await desk.create()
    keep = ana(guest_id=view.guests[0].guest_id)
    await desk.ask(change(desk, subject="Another", guests=(keep,)))
    assert desk.moved == []
    await desk.ask(change(desk, at=T0 + 86400, guests=(keep,)))
    assert desk.moved == [(InviteKey("acme", "invite-1"), END + 86400)]
    await desk.pass_to(END + 1)
    assert desk.ended == []
    assert (await desk.current()).ended_at is None
    await desk.pass_to(END + 86400)
    assert desk.ended == [InviteKey("acme", "invite-1")]


async def test_many_end_at_the_same_moment(desk: Desk) -> None:
    for number in range(20):
        await desk.create(f"i{number}", SAM if number % 2 else ROBIN)
    assert desk.service.waiting_count == 20
    await desk.pass_to(END)
    assert sorted(key.invite_id for key in desk.ended) == sorted(
        f"i{n}" for n in range(20)
    )
    assert desk.service.waiting_count == 0


async def test_a_restart_in_mid_window_takes_up_everything(
    desk: Desk, database: Database
) -> None:
    view = await desk.create("running")
    await desk.create("over", at=T0 - 3000, minutes=10)
    await desk.create("later", at=T0 + 86400)
    await desk.create("gone", at=T0 + 7200)
    await desk.ask(cancel(desk, "gone"))
    token = await desk.link(view)
    # The service dies before "over" is over, and comes back in the middle of
    # "running".
    await desk.service.close()
    time = VirtualTime(T0 + 600)
    again = Desk(database, time=time)
    await again.service.start()
    assert again.service.waiting_count == 3
    await again.pass_to(T0 + 601)
    assert again.ended == [InviteKey("acme", "over")]
    assert again.updates()[-1].state is InviteState.NO_SHOW
    assert await again.state(token) is wire.JoinState.OPEN
    await again.pass_to(END - 60)
    assert again.endings() == [END * 1000] * 2
    await again.pass_to(END)
    assert again.ended[-1] == InviteKey("acme", "running")
    await again.pass_to(T0 + 86400)
    assert again.updates()[-1].invite_id == "later"
    assert again.updates()[-1].state is InviteState.OPEN
    await again.close()


async def test_a_changed_signing_key_leaves_mailed_links_good(
    desk: Desk, database: Database
) -> None:
    view = await desk.create(at=desk.time.now + 60)
    old = await desk.link(view)
    again = Desk(database, time=desk.time)
    again.links = Links("another" * 9, public_url="https://calls.acme.example")
    again.service._links = again.links
    await again.service.start()
    new = await again.link(view)
    assert new != old
    assert await again.state(old) is wire.JoinState.OPEN
    assert await again.state(new) is wire.JoinState.OPEN
    await again.close()


async def test_calls_that_will_not_end_do_not_keep_an_invite_open(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(_: InviteKey) -> None:
        raise LookupError("scripted")

    desk.service._end_calls = fails
    await desk.create()
    await desk.pass_to(END)
    assert desk.updates()[-1].state is InviteState.NO_SHOW
    assert "scripted" in caplog.text


async def test_a_clock_that_jumps_is_followed(desk: Desk) -> None:
    await desk.create()
    # The machine slept: the timer is late, the clock is not.
    desk.time.now = END + 5
    await desk.pass_to(END + 66)
    assert desk.ended == [InviteKey("acme", "invite-1")]


async def test_guests_are_put_out_at_the_end(desk: Desk) -> None:
    view = await desk.create(at=desk.time.now)
    user = await desk.enter(await desk.link(view))
    guest_id = view.guests[0].guest_id
    desk.admission.call_changed("invite-1", guest_id, in_call=True, answered=True)
    await desk.settle()
    end = desk.time.now + 1800
    await desk.pass_to(end - 60)
    assert desk.endings(user.key) == [round(end * 1000)] * 2
    await desk.pass_to(end)
    assert desk.expelled == [user.key] == [guest_key("acme", guest_id)]
    assert desk.book.user(user.key) is None
    assert desk.updates()[-1].state is InviteState.OVER
    assert desk.board.counters.no_shows == 0


async def test_a_guest_who_is_taken_out_is_put_out(desk: Desk) -> None:
    view = await desk.create(at=desk.time.now, guests=(ana(), expert()))
    first = await desk.enter(await desk.link(view, 0))
    second_token = await desk.link(view, 1)
    second = await desk.enter(second_token)
    keep = ana(guest_id=view.guests[0].guest_id)
    await desk.ask(change(desk, at=desk.time.now, guests=(keep,)))
    assert desk.expelled == [second.key]
    assert desk.ended == []
    assert desk.book.user(first.key) is not None
    assert await desk.state(second_token) is wire.JoinState.REVOKED


@pytest.mark.parametrize("how", ["cancel", "move"])
async def test_a_call_ends_when_its_time_is_taken_away(desk: Desk, how: str) -> None:
    view = await desk.create(at=desk.time.now)
    user = await desk.enter(await desk.link(view))
    keep = ana(guest_id=view.guests[0].guest_id)
    if how == "cancel":
        await desk.ask(cancel(desk))
    else:
        await desk.ask(change(desk, at=desk.time.now + 86400, guests=(keep,)))
    assert desk.ended == [InviteKey("acme", "invite-1")]
    assert desk.expelled == ([user.key] if how == "cancel" else [])


# Tenants and users ----------------------------------------------------------------


@pytest.mark.parametrize("stranger", [SAM, EVE], ids=["colleague", "other tenant"])
async def test_nobody_elses_invite_is_there(desk: Desk, stranger: Any) -> None:
    view = await desk.create(guests=(ana(), expert()))
    guest_id = view.guests[0].guest_id
    before = await desk.current()
    mails = await desk.mails.counts()
    requests: list[wire.Wire] = [
        change(desk),
        cancel(desk),
        extend(desk),
        wire.InviteResend(op_id="r", invite_id="invite-1"),
        wire.InviteResend(op_id="s", invite_id="invite-1", guest_id=guest_id),
        wire.InviteLink(invite_id="invite-1", guest_id=guest_id),
        wire.InviteList(after="invite-1"),
    ]
    covered = {type(params) for params in requests} | {wire.InviteCreate}
    assert covered == {
        params
        for name, (params, _) in wire.METHODS.items()
        if name.startswith("invite")
    }
    for params in requests:
        assert await desk.refused(params, stranger) is ErrorKind.INVITE_UNKNOWN
    listed = await desk.ask(wire.InviteList(), stranger)
    assert listed.invites == ()
    assert await desk.current() == before
    assert await desk.mails.counts() == mails
    assert desk.updates(stranger) == []


async def test_two_tenants_with_the_same_ids_have_two_invites(desk: Desk) -> None:
    ours = await desk.create()
    theirs = await desk.create("invite-1", EVE, subject="Theirs")
    assert ours.guests[0].guest_id != theirs.guests[0].guest_id
    # A guest's id of the other tenant is unknown too.
    stolen = wire.InviteLink(invite_id="invite-1", guest_id=ours.guests[0].guest_id)
    assert await desk.refused(stolen, EVE) is ErrorKind.INVITE_UNKNOWN
    taken = change(desk, guests=(ana(guest_id=ours.guests[0].guest_id),))
    assert await desk.refused(taken, EVE) is ErrorKind.INVITE_INVALID
    await desk.ask(cancel(desk), EVE)
    assert (await desk.current()).cancelled_at is None
    assert [view.state for view in desk.updates()] == [InviteState.SCHEDULED]


async def test_a_tenant_without_invites_has_none(desk: Desk) -> None:
    stranger = replace(ROBIN, key=UserKey("plain", "robin"))
    params = wire.InviteCreate(op_id="a", invite_id="i", invite=a_draft())
    assert await desk.refused(params, stranger) is ErrorKind.POLICY_DENIED
    assert await desk.refused(wire.InviteList(), stranger) is ErrorKind.POLICY_DENIED
