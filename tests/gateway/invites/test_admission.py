"""What a link is worth, to whom, and what is known of guests while they are here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import vobject

from gateway.crm.connector import CrmRecord
from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity
from gateway.identity.users import User, UserKey
from gateway.invites.admission import GuestHouseFull, JoinRefused
from gateway.invites.guests import GuestBook, guest_key
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind, InviteState, JoinState
from tests.gateway.invites.desk import Desk
from tests.gateway.invites.samples import EVE, ROBIN, SAM, T0, ana, expert

END = T0 + 1800


async def joined(desk: Desk, token: str, browser: str = "phone") -> User:
    """A guest who is in the call."""
    user = await desk.enter(token, browser)
    visit = desk.book.visit(user.key)
    assert visit is not None
    desk.admission.call_changed(
        visit.invite.invite_id, visit.guest_id, in_call=True, answered=False
    )
    await desk.settle()
    return user


async def left(desk: Desk, user: User) -> None:
    visit = desk.book.visit(user.key)
    assert visit is not None
    desk.admission.call_changed(
        visit.invite.invite_id, visit.guest_id, in_call=False, answered=True
    )
    await desk.settle()


async def test_a_link_through_time(desk: Desk) -> None:
    token = await desk.link(await desk.create())
    states = []
    for at in (T0 - 601, T0 - 600, T0, END - 1, END):
        await desk.pass_to(at)
        states.append((await desk.state(token)).value)
    assert states == ["early", "open", "open", "open", "over"]


async def test_what_the_page_is_told(desk: Desk) -> None:
    there = ana(time_zone="America/New_York")
    token = await desk.link(await desk.create(language="de", guests=(there,)))
    seat = await desk.seat(token)
    assert seat is not None
    assert desk.admission.view(seat) == wire.JoinView(
        state=JoinState.EARLY,
        subject="Your offer",
        host="Robin Reyes",
        company="Acme Corp",
        contact="robin@acme.example",
        guest="Ana Ruiz",
        language="de",
        time_zone="Europe/Berlin",
        guest_time_zone="America/New_York",
        opens_at=round((T0 - 600) * 1000),
        starts_at=round(T0 * 1000),
        ends_at=round(END * 1000),
        server_time=round((T0 - 3600) * 1000),
    )


async def test_a_rep_without_an_address_is_reached_by_number(desk: Desk) -> None:
    token = await desk.link(await desk.create(user=SAM), user=SAM)
    seat = await desk.seat(token)
    assert seat is not None
    assert desk.admission.view(seat).contact == "1001"


async def test_wrong_links_are_all_unknown(desk: Desk) -> None:
    view = await desk.create(at=desk.time.now)
    token = await desk.link(view)
    guest_id = view.guests[0].guest_id
    for wrong in (
        "",
        "x",
        token[:-1],
        token + "A",
        token.swapcase(),
        desk.links.token("evil", guest_id, 1),
        desk.links.token("acme", guest_id, 2),
        desk.links.token("acme", "invite-1", 1),
        guest_id,
        "\ud800\x00",
        "A" * 8192,
    ):
        assert await desk.state(wrong) is JoinState.UNKNOWN
    assert await desk.state(token) is JoinState.OPEN
    assert desk.board.counters.links_unknown == 11


async def test_a_link_is_for_one_browser_at_a_time(desk: Desk) -> None:
    token = await desk.link(await desk.create(at=desk.time.now))
    user = await joined(desk, token, "phone")
    assert await desk.state(token, "phone") is JoinState.OPEN
    assert await desk.state(token, "laptop") is JoinState.IN_USE
    with pytest.raises(JoinRefused) as caught:
        await desk.enter(token, "laptop")
    assert caught.value.state is JoinState.IN_USE
    assert desk.revoked == []
    # A reload is the same browser, and still in the call.
    assert await desk.enter(token, "phone") == replace(user, name="Ana")
    assert await desk.state(token, "laptop") is JoinState.IN_USE
    await left(desk, user)
    assert await desk.state(token, "laptop") is JoinState.OPEN


async def test_the_sign_in_of_the_browser_before_is_over(desk: Desk) -> None:
    token = await desk.link(await desk.create(at=desk.time.now))
    user = await desk.enter(token, "phone")
    visit = desk.book.visit(user.key)
    assert visit is not None
    await desk.enter(token, "phone")
    assert desk.revoked == []
    second = desk.book.visit(user.key)
    assert second is not None
    await desk.enter(token, "laptop")
    assert desk.revoked == [second.grant]


async def test_three_browsers_and_no_more_until_it_is_sent_again(desk: Desk) -> None:
    view = await desk.create(at=desk.time.now)
    token = await desk.link(view)
    for browser in ("one", "two", "three"):
        await left(desk, await joined(desk, token, browser))
    assert await desk.state(token, "four") is JoinState.USED_UP
    with pytest.raises(JoinRefused) as caught:
        await desk.enter(token, "four")
    assert caught.value.state is JoinState.USED_UP
    assert await desk.state(token, "two") is JoinState.OPEN
    await desk.ask(wire.InviteResend(op_id="r", invite_id="invite-1"))
    assert await desk.state(token, "two") is JoinState.REVOKED
    assert desk.expelled == [guest_key("acme", view.guests[0].guest_id)]
    new = await desk.link(view)
    assert await desk.state(new, "four") is JoinState.OPEN


async def test_browsers_are_remembered_over_a_restart(
    desk: Desk, database: Any
) -> None:
    token = await desk.link(await desk.create(at=desk.time.now))
    for browser in ("one", "two", "three"):
        await desk.enter(token, browser)
    again = Desk(database, time=desk.time)
    await again.service.start()
    assert await again.state(token, "four") is JoinState.USED_UP
    assert await again.state(token, "one") is JoinState.OPEN
    # Nobody is signed in by what was signed in before.
    assert again.book.user(guest_key("acme", "1")) is None
    await again.close()


async def test_a_revoked_link_tells_nothing_of_the_invite(desk: Desk) -> None:
    view = await desk.create(guests=(ana(), expert()))
    token = await desk.link(view, 1)
    change = wire.InviteChange(
        op_id="c",
        invite_id="invite-1",
        invite=wire.InviteDraft(
            subject="Something secret",
            starts_at=round(T0 * 1000),
            ends_at=round(END * 1000),
            time_zone="UTC",
            guests=(ana(guest_id=view.guests[0].guest_id),),
        ),
    )
    await desk.ask(change)
    seat = await desk.seat(token)
    assert seat is not None
    told = desk.admission.view(seat)
    assert told.state is JoinState.REVOKED
    assert (told.host, told.contact) == ("Robin Reyes", "robin@acme.example")
    assert (told.subject, told.guest, told.starts_at) == ("", "", 0)
    with pytest.raises(JoinRefused):
        desk.admission.calendar(seat, token)


async def test_nobody_comes_in_at_the_wrong_time(desk: Desk) -> None:
    token = await desk.link(await desk.create())
    for at, state in ((T0 - 601, JoinState.EARLY), (END, JoinState.OVER)):
        await desk.pass_to(at)
        with pytest.raises(JoinRefused) as caught:
            await desk.enter(token)
        assert caught.value.state is state
    assert len(desk.book) == 0
    kept = await desk.current()
    assert kept.guests[0].browsers == ()


async def test_what_changes_while_somebody_comes_in_counts(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await desk.create(at=desk.time.now)
    token = await desk.link(view)
    bind = desk.store.bind_browser

    async def slowly(*arguments: Any, **options: Any) -> bool:
        is_bound = await bind(*arguments, **options)
        await desk.ask(wire.InviteCancel(op_id="c", invite_id="invite-1"))
        return is_bound

    monkeypatch.setattr(desk.store, "bind_browser", slowly)
    with pytest.raises(JoinRefused) as caught:
        await desk.enter(token)
    assert caught.value.state is JoinState.CANCELLED
    assert len(desk.book) == 0


async def test_names_are_cleaned(desk: Desk) -> None:
    token = await desk.link(await desk.create(at=desk.time.now))
    user = await desk.enter(token, name=' Ana\r\nVia: x\x00 "\u202eRuiz" ')
    assert user.name == 'Ana Via: x "Ruiz"'
    assert (user.key.tenant, user.is_guest, user.invite_id) == (
        "acme",
        True,
        "invite-1",
    )
    assert (user.email, user.number, user.crm_user_id, user.password_hash) == (
        "",
        "",
        "",
        "",
    )
    seat = await desk.seat(token)
    assert seat is not None
    with pytest.raises(ValueError, match="who you are"):
        await desk.admission.enter(
            seat, "\u202e \x00", issue=desk.issue, revoke=lambda *_: None
        )


async def test_a_rep_who_left_the_company_cannot_be_called(
    desk: Desk, database: Any
) -> None:
    token = await desk.link(await desk.create(at=desk.time.now))
    again = Desk(database, time=desk.time)
    again.book._reps = InMemoryUserDirectory(
        [TenantIdentity("acme"), TenantIdentity("evil")], [SAM, EVE]
    )
    await again.service.start()
    seat = await again.seat(token)
    assert seat is not None
    assert seat.state is JoinState.CANCELLED
    assert again.admission.view(seat).host == ""
    with pytest.raises(JoinRefused):
        await again.enter(token)
    await again.close()


async def test_the_house_may_be_full(desk: Desk) -> None:
    view = await desk.create(at=desk.time.now, guests=(ana(), expert()))
    desk.book._max_guests = 1
    token = await desk.link(view, 0)
    await desk.enter(token)
    with pytest.raises(GuestHouseFull):
        await desk.enter(await desk.link(view, 1))
    await desk.enter(token, "laptop")


async def test_the_calendar_file(desk: Desk) -> None:
    view = await desk.create()
    token = await desk.link(view)
    seat = await desk.seat(token)
    assert seat is not None
    calendar = vobject.readOne(desk.admission.calendar(seat, token))
    assert calendar.method.value == "PUBLISH"
    assert calendar.vevent.uid.value == f"{view.guests[0].guest_id}@calls.example"
    assert calendar.vevent.url.value == desk.links.url(token)
    assert not hasattr(calendar.vevent, "attendee")


# Calls ----------------------------------------------------------------------------


async def test_leave_to_call_the_host_and_nobody_else(desk: Desk) -> None:
    record = wire.Record(id="003", kind="Contact", name="Ana Ruiz")
    view = await desk.create(at=desk.time.now, contact=record)
    user = await desk.enter(await desk.link(view), name="Anita")
    leave = await desk.admission.admit(user)
    assert leave.host == ROBIN
    assert (leave.invite_id, leave.guest_id) == ("invite-1", view.guests[0].guest_id)
    assert (leave.guest, user.name) == ("Ana Ruiz", "Anita")
    assert (leave.contact, leave.about) == (
        CrmRecord(id="003", kind="Contact", name="Ana Ruiz", url=""),
        None,
    )
    assert leave.ends_at * 1000 == view.ends_at


async def test_no_leave_without_an_open_invite(desk: Desk) -> None:
    user = await desk.enter(await desk.link(await desk.create(at=desk.time.now)))

    async def refused(guest: User = user) -> ErrorKind:
        with pytest.raises(RequestError) as caught:
            await desk.admission.admit(guest)
        return caught.value.kind

    stranger = replace(user, key=UserKey("evil", user.key.user))
    assert await refused(stranger) is ErrorKind.INVITE_UNKNOWN
    assert await refused(ROBIN) is ErrorKind.INVITE_UNKNOWN
    # Over by the clock, though nobody has dealt with the end yet.
    desk.time.now += 1800
    assert await refused() is ErrorKind.INVITE_CLOSED
    desk.time.now -= 1800
    await desk.ask(wire.InviteCancel(op_id="c", invite_id="invite-1"))
    assert await refused() is ErrorKind.INVITE_UNKNOWN


async def test_the_rep_sees_who_comes_and_goes(desk: Desk) -> None:
    token = await desk.link(await desk.create(at=desk.time.now))
    user = await joined(desk, token)
    (guest,) = desk.updates()[-1].guests
    came = round(desk.time.now * 1000)
    assert (guest.is_in_call, guest.joined_at) == (True, came)
    desk.time.now += 60
    await left(desk, user)
    (guest,) = desk.updates()[-1].guests
    assert (guest.is_in_call, guest.joined_at) == (False, came)
    await joined(desk, token)
    assert desk.updates()[-1].guests[0].joined_at == came
    await desk.pass_to(T0)
    assert desk.updates()[-1].state is InviteState.OVER


async def test_one_call_in_the_place_of_another_is_still_a_call(desk: Desk) -> None:
    token = await desk.link(await desk.create(at=desk.time.now))
    user = await joined(desk, token)
    # Called anew before the first call was found to be gone.
    await joined(desk, token)
    await left(desk, user)
    assert await desk.state(token, "laptop") is JoinState.IN_USE
    await left(desk, user)
    await left(desk, user)
    assert await desk.state(token, "laptop") is JoinState.OPEN


async def test_who_called_in_vain_is_no_no_show(desk: Desk) -> None:
    token = await desk.link(await desk.create(at=desk.time.now))
    await left(desk, await joined(desk, token))
    end = desk.time.now + 1800
    await desk.pass_to(end)
    assert desk.updates()[-1].state is InviteState.OVER


@pytest.mark.parametrize(("left_s", "warnings"), [(200, 1), (400, 0)])
async def test_who_is_answered_late_is_warned_at_once(
    desk: Desk, left_s: float, warnings: int
) -> None:
    token = await desk.link(await desk.create(at=desk.time.now))
    end = desk.time.now + 1800
    await desk.pass_to(end - left_s)
    heard = len(desk.endings())
    user = await joined(desk, token)
    visit = desk.book.visit(user.key)
    assert visit is not None
    desk.admission.call_changed(
        visit.invite.invite_id, visit.guest_id, in_call=True, answered=True
    )
    await desk.settle()
    assert desk.endings()[heard:] == [round(end * 1000)] * warnings
    assert desk.endings(user.key) == [round(end * 1000)] * warnings


async def test_news_of_calls_that_are_nobodys_changes_nothing(desk: Desk) -> None:
    view = await desk.create(at=desk.time.now)
    token = await desk.link(view)
    guest_id = view.guests[0].guest_id
    desk.admission.call_changed("invite-1", guest_id, in_call=True, answered=True)
    await desk.enter(token)
    desk.admission.call_changed("invite-2", guest_id, in_call=True, answered=True)
    desk.admission.call_changed("invite-1", "nobody", in_call=True, answered=True)
    await desk.settle()
    assert await desk.state(token, "laptop") is JoinState.OPEN


async def test_the_snapshot_follows_the_invite(desk: Desk) -> None:
    user = await desk.enter(await desk.link(await desk.create(at=desk.time.now)))
    join = desk.admission.join_of(user)
    assert join is not None
    assert (join.state, join.subject) == (JoinState.OPEN, "Your offer")
    end = join.ends_at
    await desk.ask(wire.InviteExtend(op_id="e", invite_id="invite-1", minutes=15))
    join = desk.admission.join_of(user)
    assert join is not None
    assert join.ends_at == end + 15 * 60_000
    assert desk.admission.join_of(ROBIN) is None


def test_the_guest_book_answers_for_reps_too() -> None:
    reps = InMemoryUserDirectory(
        [TenantIdentity("acme", "00D1", allowed_origins=frozenset({"https://a"}))],
        [replace(ROBIN, crm_user_id="005", password_hash="x")],
    )
    book = GuestBook(reps)
    assert book.user(ROBIN.key) == reps.user(ROBIN.key)
    assert book.by_crm_user("acme", "005") == reps.user(ROBIN.key)
    assert book.by_username("acme", "ROBIN") == reps.user(ROBIN.key)
    assert book.tenant("acme") == book.by_issuer("00D1") == reps.tenant("acme")
    assert book.is_allowed_origin("https://a")
    assert not book.is_allowed_origin("https://b")
