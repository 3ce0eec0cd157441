"""Several guests of one invite and the rep, through the call service."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sip
from gateway.calls.meeting import MAX_MEMBERS
from gateway.identity.users import User, UserKey
from gateway.media.engine import MediaCallId, MediaErrorKind, RoomChanged
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    ActivityState,
    CallState,
    CallView,
    EndReason,
    ErrorKind,
    MediaAction,
    MediaReason,
    VideoState,
    VideoView,
)
from tests.gateway.calls.descriptions import BOTH, SEND, browser, phone
from tests.gateway.calls.fakes import (
    ANA,
    BEN,
    ELSE,
    GUEST_ACCOUNT,
    ROBIN,
    FakeLeg,
    World,
    settle,
)
from tests.gateway.calls.guests import answer, join, let_in, refused, rings

CY = User(UserKey("acme", "guest:g3"), "Cy Young", "", invite_id="inv1")
DI = User(UserKey("acme", "guest:g4"), "Di Fox", "", invite_id="inv1")
EVE = User(UserKey("acme", "guest:g5"), "Eve Orr", "", invite_id="inv1")


@dataclass
class Met:
    """Ana called and Robin took it in the browser; with the SIP legs of both."""

    world: World
    leaders: FakeLeg
    hosts: FakeLeg
    media: dict[User, MediaCallId]

    async def come(self, guest: User) -> None:
        await join(self.world, guest, call_id=guest.key.user)
        self.media[guest] = self.world.engine.opened[-1]

    async def hang_up(self, user: User) -> None:
        await hang_up(self.world, user)

    async def leader_leaves(self) -> None:
        await self.hang_up(ANA)
        self.hosts.on_event(sip.RemoteHangup(reasons=()))
        await settle()

    @property
    def entered(self) -> dict[User, User | None]:
        """Who is in the engine's room, with whom as partner."""
        users = {media: user for user, media in self.media.items()}
        return {
            users[media]: None if partner is None else users[partner]
            for media, (_, partner) in self.world.engine.entered.items()
        }

    def sees(self, user: User) -> set[tuple[str, User | None, bool]]:
        """(name, whose stream, host?) of each participant; None: the own stream."""
        users = {
            self.world.engine.entered[media][0]: user
            for user, media in self.media.items()
            if media in self.world.engine.entered
        }
        return {
            (each.name, users[each.id] if each.id else None, each.is_host)
            for each in self.world.call(user).participants
        }


async def meet(world: World, *waiting: User) -> Met:
    leaders = await join(world)
    media = {ANA: world.engine.opened[-1]}
    hosts = await rings(world)
    met = Met(world, leaders, hosts, media)
    for guest in waiting:
        await met.come(guest)
    await answer(world)
    media[ROBIN] = world.engine.opened[-1]
    await settle()
    leaders.on_event(sip.Answered(sdp=phone(BOTH)))
    await settle()
    return met


async def hang_up(world: World, user: User) -> None:
    call = world.call(user)
    await world.service.perform(
        user, "call.hangup", wire.CallHangup(op_id="9", call_id=call.call_id)
    )
    await settle()


async def renew(
    world: World, user: User, offer: str = browser(BOTH), *, generation: int = 2
) -> None:
    params = wire.CallMedia(
        op_id="8",
        call_id=world.call(user).call_id,
        offer=offer,
        generation=generation,
        reason=MediaReason.RELOAD,
    )
    await world.service.perform(user, "call.media", params)
    await settle()


def ended(world: World, user: User) -> CallView:
    (view,) = [
        f["call"] for k, e, f in world.events if (k, e) == (user.key, "call.ended")
    ]
    assert isinstance(view, CallView)
    return view


def told(world: World, user: User) -> list[MediaAction]:
    return [
        f["action"] for k, e, f in world.events if (k, e) == (user.key, "call.media")
    ]


# Waiting ------------------------------------------------------------------------------


async def test_who_comes_while_it_rings_waits_and_hears_it(world: World) -> None:
    await join(world)
    ana = world.engine.opened[-1]
    await rings(world)
    await join(world, BEN, call_id="b1")
    ben = world.engine.opened[-1]
    assert len(world.telephony.dialled) == 1
    assert world.engine.rooms[ana] == world.engine.rooms[ben] != ""
    assert world.kinds(BEN) == ["call.ringing"]
    call = world.call(BEN)
    assert call.state is CallState.ALERTING
    assert call.peer.display_name == "Robin Reyes"
    assert call.participants == ()
    assert [record.user for record in world.journal.begun][-1] == BEN.key
    assert world.invites.news[-1] == ("g2", True, False)
    assert world.engine.entered == {}


async def test_a_guest_who_waits_is_not_who_rings(world: World) -> None:
    await join(world)
    await join(world, BEN, call_id="b1")
    # By its name it would be Ben's; but of Ben there is no INVITE.
    await rings(world, '"Ben Roy" <sip:anonymous@anonymous.invalid>')
    call = world.call()
    assert call.invite is not None
    assert call.invite.guest == "Ana Ruiz"


async def test_all_enter_when_the_rep_answers_in_a_browser(world: World) -> None:
    met = await meet(world, BEN, CY)
    for guest, name in ((BEN, "g2"), (CY, "g3")):
        assert world.call(guest).state is CallState.ACTIVE
        assert world.kinds(guest)[:2] == ["call.ringing", "call.answered"]
        assert (name, True, True) in world.invites.news
    assert len(world.telephony.dialled) == 1
    assert met.entered == {ANA: ROBIN, ROBIN: ANA, BEN: None, CY: None}
    robin, ana = ("Robin Reyes", ROBIN, True), ("Ana Ruiz", ANA, False)
    ben, cy = ("Ben Roy", BEN, False), ("Cy Young", CY, False)
    assert met.sees(BEN) == {robin, ana, cy}
    assert met.sees(ROBIN) == {("Ana Ruiz", None, False), ben, cy}
    assert met.sees(ANA) == {("Robin Reyes", None, True), ben, cy}
    taken = {call_id for call_id, _ in world.journal.taken}
    attempts = {r.call_id for r in world.journal.begun if r.user != ROBIN.key}
    assert attempts <= taken


async def test_a_call_of_two_is_what_it_was(world: World) -> None:
    await meet(world)
    assert world.engine.entered == {}
    assert world.call(ANA).participants == world.call().participants == ()
    assert "enter" not in {entry[0] for entry in world.engine.log}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (603, EndReason.DECLINED_THERE),
        (486, EndReason.BUSY),
        (408, EndReason.NO_ANSWER),
    ],
)
async def test_what_the_rep_says_is_said_to_all(
    world: World, status: int, reason: EndReason
) -> None:
    leg = await join(world)
    await join(world, BEN, call_id="b1")
    leg.on_event(sip.Rejected(status=status))
    await settle()
    for guest in (ANA, BEN):
        assert (ended(world, guest).end_reason, ended(world, guest).sip_code) == (
            reason,
            status,
        )
    assert len(world.journal.written) == 2
    assert len({task.key for task in world.journal.written}) == 2
    assert len(world.telephony.dialled) == 1


async def test_nobody_answers_any_of_them(world: World) -> None:
    leg = await join(world)
    await join(world, BEN, call_id="b1")
    world.clock.advance(90)
    await settle()
    assert leg.did == [("hangup", None)]
    for guest in (ANA, BEN):
        assert ended(world, guest).end_reason is EndReason.NO_ANSWER
    assert [task.outcome for task in world.journal.written] == ["Missed"] * 2


@pytest.mark.parametrize("how", ["hang up", "sign out", "lost", "media"])
async def test_when_the_leader_gives_up_the_next_calls(world: World, how: str) -> None:
    first = await join(world)
    own = await rings(world)
    await join(world, BEN, call_id="b1")
    await join(world, CY, call_id="c1")
    if how == "hang up":
        await hang_up(world, ANA)
    elif how == "media":
        world.engine.refuse["accept sip"] = MediaErrorKind.NO_CAPACITY
        first.on_event(sip.Progress(status=183, sdp=phone(BOTH), dialog_id="a"))
        await settle()
        world.engine.refuse.clear()
    else:
        await world.service.session_closed(ANA, signed_out=how == "sign out")
        await settle()
    own.on_event(sip.Cancelled(reasons=()))
    await settle()
    assert first.did[-1][0] == "hangup"
    assert len(world.telephony.dialled) == 2
    second = world.telephony.legs[-1]
    assert second.account.display_name == "Ben Roy"
    assert second.account.aor != first.account.aor
    own = await rings(world)
    await answer(world)
    second.on_event(sip.Answered(sdp=phone(BOTH)))
    await settle()
    assert world.call(BEN).state is world.call(CY).state is CallState.ACTIVE
    assert world.kinds(BEN)[:2] == ["call.ringing", "call.answered"]
    assert {p.name for p in world.call().participants} == {"Ben Roy", "Cy Young"}
    assert world.call().peer.display_name == "Ben Roy"


async def test_the_next_rings_as_long_as_any_call(world: World) -> None:
    await join(world)
    await join(world, BEN, call_id="b1")
    world.clock.advance(60)
    await hang_up(world, ANA)
    world.clock.advance(60)
    await settle()
    assert world.call(BEN).state is CallState.ALERTING
    world.clock.advance(30)
    await settle()
    assert ended(world, BEN).end_reason is EndReason.NO_ANSWER


async def test_answered_on_a_desk_phone_the_next_calls(world: World) -> None:
    first = await join(world)
    own = await rings(world)
    await join(world, BEN, call_id="b1")
    first.on_event(sip.Answered(sdp=phone()))
    own.on_event(sip.Cancelled(reasons=(sip.COMPLETED_ELSEWHERE,)))
    await settle()
    assert world.call(ANA).state is CallState.ACTIVE
    assert len(world.telephony.dialled) == 2
    assert world.telephony.legs[-1].account.display_name == "Ben Roy"
    # Whoever comes now waits with Ben.
    await join(world, CY, call_id="c1")
    assert len(world.telephony.dialled) == 2
    second = world.telephony.legs[-1]
    second.on_event(sip.Rejected(status=486))
    await settle()
    assert ended(world, CY).end_reason is EndReason.BUSY
    assert world.call(ANA).state is CallState.ACTIVE


async def test_a_host_who_only_may_be_the_invites_meets_nobody(world: World) -> None:
    leg = await join(world)
    await rings(world, "<sip:anonymous@anonymous.invalid>")
    await join(world, BEN, call_id="b1")
    await answer(world)
    await settle()
    assert world.call(BEN).state is CallState.ALERTING
    leg.on_event(sip.Answered(sdp=phone(BOTH)))
    await settle()
    assert len(world.telephony.dialled) == 2


async def test_an_answer_that_crosses_the_leaders_cancel(world: World) -> None:
    await join(world)
    own = await rings(world)
    await join(world, BEN, call_id="b1")
    await hang_up(world, ANA)
    await answer(world)
    await settle()
    assert world.call(BEN).state is CallState.ALERTING
    own.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    assert ended(world, ROBIN).end_reason is EndReason.HUNG_UP_THERE
    await rings(world)
    await answer(world)
    world.telephony.legs[-1].on_event(sip.Answered(sdp=phone(BOTH)))
    await settle()
    assert world.call(BEN).state is CallState.ACTIVE


async def test_what_happens_while_a_guest_is_about_to_wait(world: World) -> None:
    leg = await join(world)
    await rings(world)
    world.journal.may_keep.clear()
    joining = asyncio.create_task(join(world, BEN, call_id="b1"))
    await settle()
    await answer(world)
    leg.on_event(sip.Answered(sdp=phone(BOTH)))
    await settle()
    world.journal.may_keep.set()
    await joining
    await settle()
    assert world.call(BEN).state is CallState.ACTIVE
    assert len(world.engine.entered) == 3


async def test_a_leader_whose_call_never_begins_keeps_nobody_waiting(
    world: World,
) -> None:
    let_in(world)
    await world.service.session_opened(ANA)
    world.journal.may_keep.clear()
    joining = asyncio.create_task(join(world))
    await settle()
    waiting = asyncio.create_task(join(world, BEN, call_id="b1"))
    await settle()
    joining.cancel()
    world.journal.may_keep.set()
    await waiting
    await settle()
    assert [leg.account.display_name for leg in world.telephony.legs] == ["Ben Roy"]


async def test_whose_turn_comes_while_the_media_worker_is_replaced(
    world: World,
) -> None:
    await join(world)
    await join(world, BEN, call_id="b1")
    ben = world.engine.opened[-1]
    world.engine.refuse["open"] = MediaErrorKind.NO_CAPACITY
    world.engine.lose(ben)
    await settle()
    await hang_up(world, ANA)
    assert len(world.telephony.dialled) == 1
    world.engine.refuse.clear()
    world.clock.advance(1)
    await settle()
    assert told(world, BEN) == [MediaAction.RENEW]
    await renew(world, BEN)
    assert len(world.telephony.dialled) == 2


# Coming and going ---------------------------------------------------------------------


async def test_who_comes_while_the_rep_is_there_enters_at_once(world: World) -> None:
    met = await meet(world)
    await met.come(BEN)
    assert world.call(BEN).state is CallState.ACTIVE
    assert "call.answered" in world.kinds(BEN)
    assert len(world.telephony.dialled) == 1
    assert met.entered == {ANA: ROBIN, ROBIN: ANA, BEN: None}
    assert world.engine.rooms[met.media[BEN]] == world.engine.rooms[met.media[ROBIN]]
    for user in (ANA, ROBIN):
        assert world.kinds(user)[-1] == "call.updated"
    # Back to two: as before.
    await met.hang_up(BEN)
    assert met.entered == {}
    assert world.call(ANA).participants == world.call().participants == ()
    assert ended(world, BEN).end_reason is EndReason.HUNG_UP_HERE
    assert world.call().state is CallState.ACTIVE


async def test_the_reps_call_lives_on_when_the_leader_leaves(world: World) -> None:
    met = await meet(world, BEN)
    world.clock.advance(60)
    await met.leader_leaves()
    assert met.leaders.did[-1] == ("hangup", None)
    assert ended(world, ANA).end_reason is EndReason.HUNG_UP_HERE
    call = world.call()
    assert call.state is CallState.ACTIVE
    assert call.answered_at == 1_000_000
    # What is to be written of Ana's call is shown with the one that it rang in.
    assert call.activity.state is ActivityState.WAITING
    assert any(
        e == "call.updated" and f["call"].activity.state is ActivityState.WAITING
        for k, e, f in world.events
        if k == ROBIN.key
    )
    assert ("drop sip", met.media[ROBIN]) in world.engine.log
    assert met.entered == {ROBIN: None, BEN: None}
    assert met.sees(ROBIN) == {("Ben Roy", BEN, False)}
    assert met.sees(BEN) == {("Robin Reyes", ROBIN, True)}
    # A straggler of the dialog that is over.
    met.hosts.on_event(sip.OfferFailed(status=481))
    await settle()
    await met.come(CY)
    assert met.entered == {ROBIN: None, BEN: None, CY: None}
    world.clock.advance(60)
    await met.hang_up(BEN)
    assert world.call().state is CallState.ACTIVE
    await met.hang_up(CY)
    assert ended(world, ROBIN).end_reason is EndReason.HUNG_UP_THERE
    (hosts,) = [r for r in world.journal.over if r.user == ROBIN.key]
    assert (hosts.answered_at, hosts.ended_at) == (1000, 1120)
    durations = {t.subject.split(" (")[0]: t.duration_s for t in world.journal.written}
    # The contact's name is the invite's, for whoever came by it.
    assert sorted(t.duration_s for t in world.journal.written) == [60, 60, 120]
    assert len(durations) == 1


@pytest.mark.parametrize("how", ["hang up", "sign out", "lost", "media", "over"])
@pytest.mark.parametrize("has_leg", [True, False])
async def test_the_meeting_ends_with_the_rep(
    world: World, how: str, has_leg: bool
) -> None:
    met = await meet(world, BEN, CY)
    if not has_leg:
        await met.leader_leaves()
    match how:
        case "hang up":
            await met.hang_up(ROBIN)
        case "sign out" | "lost":
            await world.service.session_closed(ROBIN, signed_out=how == "sign out")
        case "media":
            world.engine.refuse["open"] = MediaErrorKind.NO_CAPACITY
            world.engine.lose(met.media[ROBIN])
            await settle()
            for _ in range(60):
                world.clock.advance(0.2)
                await settle()
        case _:
            await world.service.end_invite("acme", "inv1")
    await settle()
    reason = EndReason.INVITE_OVER if how == "over" else EndReason.HUNG_UP_THERE
    assert ended(world, BEN).end_reason is ended(world, CY).end_reason is reason
    if has_leg:
        assert met.hosts.did[-1][0] == "hangup"
        if how != "over":
            met.leaders.on_event(sip.RemoteHangup(reasons=()))
            await settle()
        assert ended(world, ANA).end_reason is reason
    assert world.service.meetings == 0
    assert len(world.journal.written) == 3
    assert world.invites.news[-1][1:] == (False, True)


async def test_the_last_guest_ends_the_meeting(world: World) -> None:
    met = await meet(world, BEN)
    await met.leader_leaves()
    await world.service.session_closed(BEN, signed_out=False)
    await settle()
    assert ended(world, ROBIN).end_reason is EndReason.HUNG_UP_THERE
    assert world.service.meetings == 0
    # Whoever comes now calls anew.
    await join(world, CY, call_id="c1")
    assert len(world.telephony.dialled) == 2


async def test_the_leg_may_end_while_the_worker_is_replaced(world: World) -> None:
    met = await meet(world, BEN)
    world.engine.lose(*met.media.values())
    await met.leader_leaves()
    await settle()
    for user in (ROBIN, BEN):
        await renew(world, user)
    assert met.entered == {ROBIN: None, BEN: None}
    assert met.hosts.did[-1][0] == "answer"


async def test_a_bye_after_the_last_guest_ends_the_reps_call(world: World) -> None:
    met = await meet(world, BEN)
    await met.hang_up(ANA)
    await met.hang_up(BEN)
    assert world.call().state is CallState.ACTIVE
    met.hosts.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    assert ended(world, ROBIN).end_reason is EndReason.HUNG_UP_THERE


@pytest.mark.parametrize("event", [sip.LocalEnd(), sip.RemoteHangup(reasons=())])
async def test_the_server_may_end_the_reps_leg_first(
    world: World, event: sip.CallEvent
) -> None:
    met = await meet(world, BEN)
    met.hosts.on_event(event)
    await settle()
    assert met.entered == {ROBIN: None, BEN: None}
    met.leaders.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    assert ended(world, ANA).end_reason is EndReason.HUNG_UP_THERE
    assert world.call().state is world.call(BEN).state is CallState.ACTIVE


async def test_five_at_most_the_rep_among_them(world: World) -> None:
    await join(world)
    for guest in (BEN, CY, DI):
        await join(world, guest, call_id=guest.key.user)
    let_in(world, EVE)
    await world.service.session_opened(EVE)
    assert await refused(world, EVE, "e1") is ErrorKind.CALL_LIMIT
    # Who was not let in has not come.
    assert ("g5", True, False) not in world.invites.news
    assert len(world.engine.opened) == MAX_MEMBERS - 1
    await hang_up(world, DI)
    await join(world, EVE, call_id="e2")
    assert world.call(EVE).state is CallState.ALERTING


async def test_a_guest_whose_media_fail_was_never_there(world: World) -> None:
    met = await meet(world)
    world.engine.refuse["open"] = MediaErrorKind.NO_CAPACITY
    let_in(world, BEN)
    await world.service.session_opened(BEN)
    assert await refused(world, BEN, "b1") is ErrorKind.MEDIA_UNAVAILABLE
    await settle()
    assert met.entered == {}
    assert world.call().participants == ()
    world.engine.refuse.clear()
    await met.come(CY)
    assert met.entered == {ANA: ROBIN, ROBIN: ANA, CY: None}


async def test_a_room_that_cannot_be_entered_costs_no_call_by_sip(
    world: World,
) -> None:
    met = await meet(world)
    world.engine.refuse["enter"] = MediaErrorKind.WRONG_STATE
    await met.come(BEN)
    assert ended(world, BEN).end_reason is EndReason.MEDIA_FAILED
    assert world.call(ANA).state is world.call().state is CallState.ACTIVE
    assert world.call().participants == ()


# Whose it is --------------------------------------------------------------------------


async def test_one_invites_guests_do_not_meet_anothers() -> None:
    world = World(globex_guests=replace(GUEST_ACCOUNT, username="theirs"))
    running = asyncio.create_task(world.service.run())
    stranger = User(UserKey("globex", "guest:g2"), "Stray", "", invite_id="inv1")
    for user in (ROBIN, ELSE):
        await world.service.session_opened(user)
    await meet(world, BEN)
    # The same invite id in another tenant, another invite of the same host.
    let_in(world, stranger, host=ELSE)
    await join(world, stranger, call_id="s1")
    await join(world, CY, call_id="c1", invite_id="inv2")
    assert len(world.telephony.dialled) == 3
    assert len({world.engine.rooms[media] for media in world.engine.opened}) == 3
    assert world.service.meetings == 3
    for user in (stranger, CY):
        assert world.call(user).state is CallState.CALLING
        assert world.call(user).participants == ()
    await world.service.close()
    await asyncio.wait_for(running, 5)
    assert world.service.meetings == 0


# Media --------------------------------------------------------------------------------


async def test_a_reload_and_a_new_worker_come_back_into_the_room(world: World) -> None:
    met = await meet(world, BEN)
    room = world.engine.rooms[met.media[ROBIN]]
    for user in (ANA, BEN, ROBIN):
        await renew(world, user)
    assert world.engine.entered.keys() == set(met.media.values())
    before = dict(world.engine.entered)
    world.engine.lose(*met.media.values())
    await settle()
    assert world.engine.entered == {}
    for user in (ROBIN, BEN, ANA):
        assert told(world, user) == [MediaAction.RENEW]
        await renew(world, user, generation=3)
    assert world.engine.entered == before
    assert {world.engine.rooms[media] for media in met.media.values()} == {room}
    # The list was the same all the time: nobody was told of another.
    assert met.sees(BEN) == {
        ("Robin Reyes", ROBIN, True),
        ("Ana Ruiz", ANA, False),
    }


async def test_another_room_is_a_new_offer(world: World) -> None:
    met = await meet(world, BEN)
    world.engine.emit(RoomChanged(met.media[BEN]))
    await settle()
    assert told(world, BEN) == [MediaAction.RENEGOTIATE]


async def test_video_of_who_has_no_sip_leg_is_what_their_browser_sends(
    world: World,
) -> None:
    met = await meet(world, BEN)
    ben = world.call(BEN)
    assert ben.video == VideoView(state=VideoState.ACTIVE, sends=True)
    await renew(world, BEN, browser(), generation=1)
    assert world.call(BEN).video == VideoView()
    await renew(world, BEN, browser(SEND), generation=1)
    assert world.last("call.updated")["call"].video.sends
    # The rep's, as long as Ana sends hers by SIP, and after that.
    assert world.call().video == VideoView(
        state=VideoState.ACTIVE, sends=True, receives=True
    )
    await met.leader_leaves()
    assert world.call().video == VideoView(state=VideoState.ACTIVE, sends=True)
    await renew(world, ROBIN, browser(), generation=1)
    assert world.call().video == VideoView()
    assert not any(did[0] == "reinvite" for did in met.hosts.did)


async def test_a_leader_without_a_picture_takes_nobody_elses(world: World) -> None:
    """What the SIP side has of video decides nothing where others see it."""
    met = await meet(world)
    met.hosts.on_event(sip.Offer(sdp=phone()))
    await settle()
    assert world.call().video == VideoView()
    await met.come(BEN)
    assert world.call().video == VideoView(state=VideoState.ACTIVE, sends=True)
    await met.hang_up(BEN)
    assert world.call().video == VideoView()


async def test_there_is_no_telephone_to_press_keys_for(world: World) -> None:
    met = await meet(world, BEN)
    await met.leader_leaves()
    for user in (BEN, ROBIN):
        digits = wire.CallDtmf(
            op_id="7", call_id=world.call(user).call_id, digits="12#"
        )
        with pytest.raises(RequestError) as caught:
            await world.service.perform(user, "call.dtmf", digits)
        assert caught.value.kind is ErrorKind.CALL_WRONG_STATE
        assert world.call(user).state is CallState.ACTIVE


# The invite ---------------------------------------------------------------------------


async def test_everybody_learns_when_it_ends_and_when_that_changes(
    world: World,
) -> None:
    await meet(world, BEN)
    everybody = (ROBIN, ANA, BEN)
    for user in everybody:
        invite = world.call(user).invite
        assert invite is not None
        assert invite.ends_at == 2_800_000
    seen = len(world.events)
    world.service.invite_moved("globex", "inv1", 9999)
    world.service.invite_moved("acme", "inv2", 9999)
    assert len(world.events) == seen
    world.service.invite_moved("acme", "inv1", 3400.0)
    assert {key for key, kind, _ in world.events[seen:] if kind == "call.updated"} == {
        user.key for user in everybody
    }
    for user in everybody:
        invite = world.call(user).invite
        assert invite is not None
        assert invite.ends_at == 3_400_000
    await world.service.end_invite("acme", "inv1")
    await settle()
    for user in everybody:
        invite = ended(world, user).invite
        assert invite is not None
        assert invite.ends_at is None


# All of it ----------------------------------------------------------------------------

STEPS = st.sampled_from(
    [
        *(f"join {guest}" for guest in range(4)),
        *(f"leave {guest}" for guest in range(4)),
        "lose 0",
        "lose 1",
        "ring",
        "answer",
        "answered",
        "meet",
        "meet",
        "meet",
        "desk phone",
        "declined",
        "bye",
        "rep leaves",
        "workers die",
        "offer",
        "time",
    ]
)


@settings(deadline=None, max_examples=40)
@given(st.lists(STEPS, min_size=4, max_size=40), st.randoms(use_true_random=False))
def test_nothing_is_left_over_whatever_happens(
    steps: list[str], rng: random.Random
) -> None:
    async def play() -> None:
        world = World()
        running = asyncio.create_task(world.service.run())
        await world.service.session_opened(ROBIN)
        hosts: list[FakeLeg] = []
        for number, step in enumerate(steps):
            try:
                await one_step(world, step, f"c{number}", hosts, rng)
            except RequestError:
                pass
            await settle()
            check(world)
        await world.service.close()
        await asyncio.wait_for(running, 5)
        assert world.engine.open_calls == set()
        assert world.engine.entered == {}
        assert world.service.active_calls == world.service.meetings == 0
        assert world.clock.waiting == 0
        begun = {record.call_id for record in world.journal.begun}
        assert {record.call_id for record in world.journal.over} == begun
        assert len(world.journal.over) == len(world.journal.begun)
        assert EndReason.FAILED not in {r.reason for r in world.journal.over}

    asyncio.run(play())


async def one_step(
    world: World, step: str, call_id: str, hosts: list[FakeLeg], rng: random.Random
) -> None:
    guests = (ANA, BEN, CY, DI)
    legs = world.telephony.legs
    match step.split():
        case ["join", which] if not world.service.snapshot(guests[int(which)]).calls:
            world.clock.advance(15)
            await join(world, guests[int(which)], call_id=call_id)
        case ["leave", which]:
            for call in world.service.snapshot(guests[int(which)]).calls:
                await world.service.perform(
                    guests[int(which)],
                    "call.hangup",
                    wire.CallHangup(op_id="1", call_id=call.call_id),
                )
        case ["lose", which]:
            await world.service.session_closed(guests[int(which)], signed_out=False)
        case ["ring"] if legs:
            hosts.append(await rings(world))
        case ["answer"]:
            for call in world.service.snapshot(ROBIN).calls:
                if call.state is CallState.RINGING:
                    await world.service.perform(
                        ROBIN,
                        "call.answer",
                        wire.CallAnswer(
                            op_id="1", call_id=call.call_id, offer=browser(BOTH)
                        ),
                    )
                    await settle()
                    if legs and not has_talked(world) and rng.random() < 0.7:
                        legs[-1].on_event(sip.Answered(sdp=phone(BOTH)))
        case ["meet"]:
            if legs and not has_talked(world):
                for each in ("ring", "answer", "answered"):
                    await one_step(world, each, call_id, hosts, rng)
                    await settle()
        case ["answered" | "desk", *_] if legs and not has_talked(world):
            legs[-1].on_event(sip.Answered(sdp=phone(BOTH)))
            if step == "desk phone" and hosts:
                hosts[-1].on_event(sip.Cancelled(reasons=(sip.COMPLETED_ELSEWHERE,)))
        case ["declined"] if legs and not has_talked(world):
            legs[-1].on_event(sip.Rejected(status=603))
        case ["bye"] if hosts:
            hosts[-1].on_event(sip.RemoteHangup(reasons=()))
        case ["rep", "leaves"]:
            for call in world.service.snapshot(ROBIN).calls:
                await world.service.perform(
                    ROBIN,
                    "call.hangup",
                    wire.CallHangup(op_id="1", call_id=call.call_id),
                )
        case ["workers", "die"]:
            world.engine.lose(*world.engine.open_calls)
        case ["offer"]:
            for user in (ROBIN, *guests):
                for call in world.service.snapshot(user).calls:
                    await world.service.perform(
                        user,
                        "call.media",
                        wire.CallMedia(
                            op_id="1",
                            call_id=call.call_id,
                            offer=browser(BOTH),
                            generation=call.media_generation + 1,
                        ),
                    )
        case ["time"]:
            world.clock.advance(rng.uniform(0, 100))


def has_talked(world: World) -> bool:
    """Whether the newest INVITE has had its final answer."""
    account = world.telephony.legs[-1].account
    for guest in (ANA, BEN, CY, DI):
        for call in world.service.snapshot(guest).calls:
            if call.state in (CallState.CALLING, CallState.ALERTING):
                name = call.invite.guest if call.invite else ""
                if account is not None and account.display_name == name:
                    return False
    return True


def check(world: World) -> None:
    """What is so at any time."""
    names = [name for name, _ in world.engine.entered.values()]
    assert len(set(names)) == len(names)
    views = [
        c for u in (ROBIN, ANA, BEN, CY, DI) for c in world.service.snapshot(u).calls
    ]
    in_room = [view for view in views if view.participants]
    for view in in_room:
        assert view.state is CallState.ACTIVE
        assert len(view.participants) == len(in_room) - 1
    for view in views:
        assert 0 <= len(view.participants) < MAX_MEMBERS
