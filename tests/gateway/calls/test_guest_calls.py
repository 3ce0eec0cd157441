"""Guests' calls: who may call whom, what rings at the host, what is kept, the end."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sip
from gateway.calls.guest_calls import (
    JOINS_PER_GUEST,
    REMEMBERED_S,
    REWRITTEN_WITHIN_S,
    CallInvite,
    GuestCalls,
    legible,
)
from gateway.crm.connector import ActivityDirection, CrmRecord
from gateway.identity.users import User, UserKey
from gateway.media.engine import MediaErrorKind
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    ActivityState,
    CallDirection,
    CallState,
    EndReason,
    ErrorKind,
    InviteRef,
    MatchState,
    VideoState,
)
from tests.gateway.calls.descriptions import BOTH, phone, video_of
from tests.gateway.calls.fakes import (
    ANA,
    BEN,
    ELSE,
    GUEST_ACCOUNT,
    ROBIN,
    SAM,
    World,
    account,
    settle,
)
from tests.gateway.calls.guests import (
    CONTACT,
    again,
    answer,
    join,
    let_in,
    refused,
    rings,
)

OTHER = CrmRecord("003B", "Contact", "Bea Ortiz", "https://crm/003B")
# World's clock begins at 1000 s, and the invite lasts half an hour.
REF = InviteRef(
    invite_id="inv1", subject="The contract", guest="Ana Ruiz", ends_at=2_800_000
)
ENDED_REF = REF.model_copy(update={"ends_at": None})


# Who calls whom --------------------------------------------------------------------


async def test_a_guest_calls_the_host_and_nobody_else(world: World) -> None:
    leg = await join(world)
    ((target, offer),) = world.telephony.dialled
    assert target == "sip:1000@acme.example"
    assert video_of(offer) is BOTH
    by = leg.account
    assert by is not None
    user = by.aor.user or ""
    assert user.startswith("guest-")
    assert len(user) == len("guest-") + 20
    assert (by.aor.host, by.display_name) == ("acme.example", "Ana Ruiz")
    assert (by.username, by.password) == ("guests", GUEST_ACCOUNT.password)
    assert by.registrar == GUEST_ACCOUNT.registrar
    assert world.invites.news == [("g1", True, False)]


async def test_a_guests_session_has_no_registration_and_no_crm(world: World) -> None:
    await world.service.session_opened(ANA)
    snapshot = world.service.snapshot(ANA)
    assert snapshot.user.role is wire.UserRole.GUEST
    assert snapshot.registration.state is wire.RegistrationState.UNREGISTERED
    assert snapshot.crm == ""
    assert len(world.telephony.registrations) == 1
    assert sum(world.service.registrations.values()) == 1
    assert world.service.snapshot(ROBIN).user.role is wire.UserRole.REP


async def test_the_guest_hears_it_ring_and_sees_nothing_of_the_crm(
    world: World,
) -> None:
    leg = await join(world)
    leg.on_event(sip.Progress(status=180, sdp=None, dialog_id="a"))
    leg.on_event(sip.Answered(sdp=phone(BOTH)))
    await settle()
    assert world.kinds(ANA) == ["call.ringing", "call.answered"]
    call = world.call(ANA)
    assert call.direction is CallDirection.OUTBOUND
    assert (call.peer.number, call.peer.display_name) == ("", "Robin Reyes")
    assert call.invite == REF
    assert call.video.state is VideoState.ACTIVE
    world.service.activity_changed(
        ANA.key,
        call.call_id,
        wire.ActivityView(state=ActivityState.WRITTEN, url="https://crm/00T1"),
    )
    leg.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    for _, _, fields in (e for e in world.events if e[0] == ANA.key):
        view = fields["call"]
        assert view.match.state is MatchState.NONE
        assert view.activity.state is ActivityState.NONE
        assert "crm" not in view.model_dump_json()
    assert world.connector.asked == []


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        # Of another tenant, and one who has no phone account.
        (ELSE, ErrorKind.POLICY_DENIED),
        (User(UserKey("acme", "gone"), "Gone", ""), ErrorKind.POLICY_DENIED),
    ],
)
async def test_a_host_who_cannot_be_called(
    world: World, host: User, kind: ErrorKind
) -> None:
    let_in(world, host=host)
    await world.service.session_opened(ANA)
    assert await refused(world, ANA, "g1") is kind
    assert world.telephony.dialled == []
    assert world.invites.news == []


async def test_not_admitted_is_told_and_nothing_is_sent(world: World) -> None:
    await world.service.session_opened(ANA)
    assert await refused(world, ANA, "g1") is ErrorKind.INVITE_CLOSED
    assert world.telephony.dialled == []
    assert world.journal.begun == []


async def test_a_tenant_without_invites_has_no_guests(world: World) -> None:
    stray = User(UserKey("globex", "guest:g9"), "Stray", "", invite_id="inv1")
    let_in(world, stray, host=ELSE)
    await world.service.session_opened(stray)
    assert await refused(world, stray, "g1") is ErrorKind.POLICY_DENIED
    assert world.invites.asked == []


async def test_one_call_at_a_time_however_fast(world: World) -> None:
    let_in(world)
    await world.service.session_opened(ANA)
    world.invites.may_answer.clear()
    both = [
        asyncio.create_task(again(world, call_id=call_id)) for call_id in ("g1", "g2")
    ]
    await settle()
    world.invites.may_answer.set()
    results = await asyncio.gather(*both, return_exceptions=True)
    (error,) = [each for each in results if isinstance(each, RequestError)]
    assert error.kind is ErrorKind.CALL_LIMIT
    assert len(world.telephony.dialled) == 1
    assert await refused(world, ANA, "g3") is ErrorKind.CALL_LIMIT


async def test_a_guest_who_calls_again_and_again_is_slowed_down(world: World) -> None:
    leg = await join(world, call_id="g0")
    for number in range(1, JOINS_PER_GUEST.count):
        leg.on_event(sip.Rejected(status=486))
        await settle()
        await again(world, call_id=f"g{number}")
        leg = world.telephony.legs[-1]
    leg.on_event(sip.Rejected(status=486))
    await settle()
    # Signing in anew gives no new allowance.
    await world.service.session_closed(ANA, signed_out=True)
    await world.service.session_opened(ANA)
    assert await refused(world, ANA, "gx") is ErrorKind.RATE_LIMITED
    assert len(world.telephony.dialled) == JOINS_PER_GUEST.count
    assert world.service.guest_counters.limited == 1
    await join(world, BEN, call_id="b1")
    world.clock.advance(60)
    await again(world, call_id="gy")


async def test_media_that_fail_are_no_attempt(world: World) -> None:
    world.engine.refuse["open"] = MediaErrorKind.NO_CAPACITY
    let_in(world)
    await world.service.session_opened(ANA)
    assert await refused(world, ANA, "g1") is ErrorKind.MEDIA_UNAVAILABLE
    assert world.invites.news == [("g1", True, False), ("g1", False, False)]
    assert world.journal.begun == []
    world.engine.refuse.clear()
    await again(world, call_id="g1")


async def test_a_name_that_cannot_be_sent_is_made_fit(world: World) -> None:
    leg = await join(world, guest=replace(ANA, name='"Ana"\r\nVia: \x00x\ud800'))
    assert leg.account is not None
    shown = leg.account.display_name
    assert shown.isprintable()
    assert sip.NameAddr.parse(str(leg.account.address)).display_name == shown


async def test_an_account_of_one_call_is_removed_with_it(world: World) -> None:
    leg = await join(world)
    assert world.telephony.removed == []
    leg.on_event(sip.Rejected(status=486))
    await settle()
    assert world.telephony.removed == [leg.account]
    assert world.invites.news[-1] == ("g1", False, False)


# What rings at the host -------------------------------------------------------------


async def test_the_hosts_call_says_whose_invite_it_is(world: World) -> None:
    world.connector.records = (OTHER,)
    await join(world)
    await rings(world)
    call = world.last("call.incoming")["call"]
    assert call.invite == REF
    assert (call.peer.number, call.peer.display_name) == ("", "Ana Ruiz")
    assert call.match.state is MatchState.FOUND
    (record,) = call.match.records
    assert (record.id, record.certainty) == ("003A", "exact")
    assert call.video.state is VideoState.OFFERED
    assert world.connector.asked == []


async def test_an_invite_without_a_contact_matches_nobody(world: World) -> None:
    await join(world, contact=None, about=None)
    await rings(world)
    call = world.call()
    assert call.invite == REF
    assert call.match.state is MatchState.NONE
    assert world.connector.asked == []


@pytest.mark.parametrize(
    "remote",
    [
        # Made up, somebody else's form of it, and one that ends as a real one does.
        '"Ana Ruiz" <sip:guest-0123456789abcdef0123@acme.example>',
        '"Ana Ruiz" <sip:guest-@acme.example>',
        '"Ana Ruiz" <sip:x@acme.example;user=guest-0123456789abcdef0123>',
        # An ordinary caller and a colleague, while a guest is calling.
        '"Bea" <sip:+16465550175@acme.example>',
        '"Ana Ruiz" <sip:1001@acme.example>',
        "<sip:1001@acme.example>",
    ],
)
async def test_nothing_else_is_an_invite(world: World, remote: str) -> None:
    await join(world)
    if "x@" in remote:
        # The name is a guest's; but this one has called by the attempt already.
        await rings(world)
        world.telephony.legs[-1].on_event(sip.Rejected(status=486))
        await settle()
        world.clock.advance(REMEMBERED_S + 1)
    await rings(world, remote)
    call = world.service.snapshot(ROBIN).calls[-1]
    assert call.invite is None
    assert all(record.id != "003A" for record in call.match.records)


async def test_an_attempt_towards_one_host_is_none_at_another(world: World) -> None:
    await world.service.session_opened(SAM)
    await world.service.session_opened(ELSE)
    await join(world)
    for user in (SAM, ELSE):
        await rings(world, user=user)
        assert world.call(user).invite is None


@pytest.mark.parametrize(
    ("remote", "asserted"),
    [
        # Its number written over, the name left.
        ('"ANA  ruiz" <sip:+4930123@trunk.example>', ""),
        # From the account that guests call by, or nobody at all.
        ("<sip:guests@acme.example>", ""),
        ("<sip:anonymous@anonymous.invalid>", ""),
        ("<sip:anonymous@anonymous.invalid>", "<sip:guests@acme.example>"),
    ],
)
async def test_a_server_that_rewrites_from(
    world: World, remote: str, asserted: str
) -> None:
    await join(world)
    leg = await rings(world, remote, asserted=asserted)
    call = world.call()
    # It shows the invite; that the invite's end would end it, nobody can say.
    assert call.invite == ENDED_REF
    (record,) = call.match.records
    assert (record.id, record.certainty) == ("003A", "possible")
    leg.on_event(sip.Cancelled(reasons=()))
    await settle()
    # The rep's side of it writes nothing either: the guest's does.
    assert world.journal.written == []
    # Taken for the invite's once, and not for the next that comes like this.
    await rings(world, remote, asserted=asserted)
    assert world.call().invite is None


async def test_a_rewritten_caller_is_believed_for_seconds(world: World) -> None:
    await join(world)
    world.clock.advance(REWRITTEN_WITHIN_S + 1)
    await rings(world, '"Ana Ruiz" <sip:anonymous@anonymous.invalid>')
    assert world.call().invite is None


async def test_of_two_guests_the_named_one_is_meant(world: World) -> None:
    await join(world)
    await join(world, BEN, call_id="b1", invite_id="inv2")
    await rings(world, "<sip:anonymous@anonymous.invalid>")
    assert world.call().invite is None
    await rings(world, '"Ben Roy" <sip:anonymous@anonymous.invalid>')
    call = world.service.snapshot(ROBIN).calls[-1]
    assert call.invite is not None
    assert call.invite.guest == "Ben Roy"


async def test_an_invite_that_comes_after_its_cancel_is_known(world: World) -> None:
    leg = await join(world)
    leg.on_event(sip.Rejected(status=487))
    await settle()
    assert leg.account is not None
    late = await rings(world, str(leg.account.address))
    assert world.call().invite == REF
    late.on_event(sip.Cancelled(reasons=()))
    await settle()
    assert len(world.journal.written) == 1


NAMES = st.text(max_size=12) | st.sampled_from(["Ana Ruiz", "guests", "anonymous"])


@settings(deadline=None)
@given(
    user=NAMES | st.builds("guest-{}".format, NAMES),
    name=NAMES,
    asserted=st.none() | NAMES,
    age_s=st.floats(-20, 20),
)
def test_only_the_attempts_own_name_is_certain(
    user: str, name: str, asserted: str | None, age_s: float
) -> None:
    now = [1000.0]
    world = World()
    let_in(world)
    guests = GuestCalls(
        now=lambda: now[0],
        rng=random.Random(1),
        telephony=world.telephony,
        accounts={ROBIN.key: account(ROBIN)},
    )
    attempt = guests.begin(ANA.key, world.invites.passes[ANA.key], GUEST_ACCOUNT)
    guests.dial(attempt, "", lambda _: None)
    now[0] += age_s

    def caller(user: str) -> sip.NameAddr:
        uri = sip.Uri("sip", user=sip.escape_user(user) or None, host="acme.example")
        return sip.NameAddr(uri, name)

    found = guests.find(
        ROBIN.key,
        caller(user),
        None if asserted is None else caller(asserted),
        GUEST_ACCOUNT,
    )
    assert found is None or not found.is_certain
    # Not even by much trying.
    assert user != attempt.name
    exact = guests.find(ROBIN.key, caller(attempt.name), None, GUEST_ACCOUNT)
    assert exact == CallInvite(attempt, is_guests=False)
    assert guests.find(SAM.key, caller(attempt.name), None, GUEST_ACCOUNT) is None


@given(st.text(alphabet=st.characters(), max_size=400))
def test_anything_can_be_made_legible(text: str) -> None:
    shown = legible(text)
    assert len(shown) <= 255
    assert not shown or shown.isprintable()


# What is kept -----------------------------------------------------------------------


async def test_answered_here_is_one_task_of_the_hosts(world: World) -> None:
    leg = await join(world)
    own = await rings(world)
    await answer(world)
    leg.on_event(sip.Answered(sdp=phone(BOTH)))
    await settle()
    assert world.invites.news[-1] == ("g1", True, True)
    assert world.last("call.answered")["call"].state is CallState.ACTIVE
    world.clock.advance(60)
    leg.on_event(sip.RemoteHangup(reasons=()))
    own.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    assert world.invites.news[-1] == ("g1", False, True)
    (task,) = world.journal.written
    assert task.direction is ActivityDirection.INBOUND
    assert task.subject == "Video call from Ana Ruiz (invite: The contract), answered"
    assert (task.user.id, task.duration_s) == ("005A", 60)
    assert (task.who_id, task.what_id) == ("003A", "006D")
    assert "Number:" not in task.description
    by_user = {record.user: record for record in world.journal.over}
    attempt, hosts = by_user[ANA.key], by_user[ROBIN.key]
    assert task.key == f"call:{attempt.call_id}"
    # Not an id that the guest could choose to be one that is there already.
    assert attempt.call_id != "g1"
    assert world.journal.taken[-1][0] == attempt.call_id
    assert attempt.owner == ROBIN.key
    assert attempt.direction is CallDirection.INBOUND
    assert attempt.reason is EndReason.HUNG_UP_HERE
    assert hosts.invite is not None
    assert not hosts.invite.is_attempt
    assert hosts.record == CONTACT
    ended = next(
        f["call"] for k, e, f in world.events if (k, e) == (ROBIN.key, "call.ended")
    )
    assert ended.activity.state is ActivityState.WAITING
    # What becomes of the Task is news for the host, at their own side of the call.
    written = wire.ActivityView(state=ActivityState.WRITTEN, url="https://crm/00T1")
    world.service.activity_changed(ANA.key, attempt.call_id, written)
    shown = world.last("call.updated")["call"]
    assert (shown.call_id, shown.activity) == (ended.call_id, written)


async def test_the_task_may_be_written_before_the_hosts_side_is_over(
    world: World,
) -> None:
    leg = await join(world)
    own = await rings(world)
    await answer(world)
    leg.on_event(sip.Answered(sdp=phone(BOTH)))
    leg.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    (attempt,) = world.journal.over
    written = wire.ActivityView(state=ActivityState.WRITTEN, url="https://crm/00T1")
    world.service.activity_changed(ANA.key, attempt.call_id, written)
    own.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    assert world.last("call.ended")["call"].activity == written


async def test_answered_on_the_desk_phone_is_a_task_all_the_same(
    world: World,
) -> None:
    leg = await join(world)
    own = await rings(world)
    leg.on_event(sip.Answered(sdp=phone()))
    own.on_event(sip.Cancelled(reasons=(sip.COMPLETED_ELSEWHERE,)))
    await settle()
    ended = world.last("call.ended")["call"]
    assert ended.end_reason is EndReason.ANSWERED_ELSEWHERE
    assert ended.invite == ENDED_REF
    leg.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    (task,) = world.journal.written
    assert task.outcome == "Answered"


async def test_a_host_who_is_not_signed_in_here_is_called_too(world: World) -> None:
    leg = await join(world, host=SAM)
    assert world.telephony.dialled[-1][0] == "sip:1001@acme.example"
    leg.on_event(sip.Answered(sdp=phone()))
    leg.on_event(sip.RemoteHangup(reasons=()))
    await settle()
    (task,) = world.journal.written
    assert "Rep: Sam Okafor (1001)" in task.description


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (486, "Busy", EndReason.BUSY),
        (603, "Declined", EndReason.DECLINED_HERE),
        (480, "Missed", EndReason.MISSED),
        (408, "Missed", EndReason.MISSED),
        # No device of the host's is registered.
        (404, "Missed", EndReason.MISSED),
        (403, "Not allowed", EndReason.NOT_ALLOWED),
    ],
)
async def test_not_answered(
    world: World, status: int, outcome: str, reason: EndReason
) -> None:
    leg = await join(world)
    own = await rings(world)
    leg.on_event(sip.Rejected(status=status))
    own.on_event(sip.Cancelled(reasons=()))
    await settle()
    (task,) = world.journal.written
    assert task.outcome == outcome
    (kept,) = [r for r in world.journal.over if r.user == ANA.key]
    assert (kept.reason, kept.sip_code) == (reason, status)
    # The widget can say "missed invite".
    ended = [f["call"] for k, e, f in world.events if (k, e) == (ROBIN.key, E)][-1]
    assert (ended.end_reason, ended.invite) == (EndReason.MISSED, ENDED_REF)


E = "call.ended"


@pytest.mark.parametrize("how", ["hang up", "sign out", "lost"])
async def test_a_guest_who_gives_up_is_a_missed_call(world: World, how: str) -> None:
    leg = await join(world)
    if how == "hang up":
        await world.service.perform(
            ANA, "call.hangup", wire.CallHangup(op_id="2", call_id="g1")
        )
    else:
        await world.service.session_closed(ANA, signed_out=how == "sign out")
    await settle()
    assert leg.did[-1][0] == "hangup"
    (task,) = world.journal.written
    assert task.outcome == "Missed"
    assert "rep's browser" not in task.description


async def test_whom_the_rep_names_gets_the_task(world: World) -> None:
    leg = await join(world, contact=None)
    own = await rings(world)
    created = wire.ContactCreate(
        op_id="1", last_name="Ruiz", call_id=world.call().call_id
    )
    await world.service.perform(ROBIN, "contact.create", created)
    leg.on_event(sip.Rejected(status=486))
    own.on_event(sip.Cancelled(reasons=()))
    await settle()
    (task,) = world.journal.written
    assert (task.who_id, task.what_id) == ("003NEW", "006D")
    # Named once more, after the end: the guest's attempt is what moves.
    (kept,) = [r for r in world.journal.over if r.user == ANA.key]
    await world.service.perform(ROBIN, "contact.create", created)
    assert (kept.call_id, "003NEW") in [
        (call_id, record.id) for call_id, record in world.journal.renamed
    ]
    assert all("003NEW" not in str(f) for k, _, f in world.events if k == ANA.key)


# The end of the invite ---------------------------------------------------------------


@pytest.mark.parametrize("is_answered", [False, True])
async def test_the_invites_end_ends_both_sides(world: World, is_answered: bool) -> None:
    leg = await join(world)
    own = await rings(world)
    if is_answered:
        await answer(world)
        leg.on_event(sip.Answered(sdp=phone(BOTH)))
        await settle()
    views = world.service.calls_of_invite("acme", "inv1")
    assert [view.call_id for view in views] == ["g1"]
    await world.service.end_invite("acme", "inv1")
    await settle()
    assert leg.did[-1] == ("hangup", None)
    assert own.did[-1] == (("hangup", None) if is_answered else ("reject", 480))
    for user in (ANA, ROBIN):
        (ended,) = [
            f["call"] for k, e, f in world.events if (k, e) == (user.key, "call.ended")
        ]
        assert ended.end_reason is EndReason.INVITE_OVER
    (task,) = world.journal.written
    assert task.outcome == ("Answered" if is_answered else "Missed")
    assert "The time of the invite was over." in task.description
    assert world.service.calls_of_invite("acme", "inv1") == ()
    await world.service.end_invite("acme", "inv1")


async def test_the_invites_end_while_the_guest_is_about_to_call(world: World) -> None:
    let_in(world)
    await world.service.session_opened(ANA)
    world.journal.may_keep.clear()
    joining = asyncio.create_task(again(world, call_id="g1"))
    await settle()
    ending = asyncio.create_task(world.service.end_invite("acme", "inv1"))
    await settle()
    world.journal.may_keep.set()
    await joining
    await asyncio.wait_for(ending, 5)
    assert world.telephony.legs[-1].did == [("hangup", None)]
    assert world.service.active_calls == 0


async def test_an_end_waits_for_no_call_that_never_began(world: World) -> None:
    let_in(world)
    await world.service.session_opened(ANA)
    world.journal.may_keep.clear()
    joining = asyncio.create_task(again(world, call_id="g1"))
    await settle()
    ending = asyncio.create_task(world.service.end_invite("acme", "inv1"))
    await settle()
    joining.cancel()
    await asyncio.wait_for(ending, 5)
    assert world.telephony.dialled == []
    assert world.service.active_calls == 0
    assert world.engine.open_calls == set()
    # It was kept, so that its end is too.
    assert [r.reason for r in world.journal.over] == [EndReason.FAILED]


async def test_an_invites_end_touches_nothing_else(world: World) -> None:
    await join(world)
    await rings(world, "<sip:anonymous@anonymous.invalid>")
    await rings(world, '"Bea" <sip:+16465550175@acme.example>')
    possible, other = (call.call_id for call in world.service.snapshot(ROBIN).calls)
    await world.service.end_invite("globex", "inv1")
    await world.service.end_invite("acme", "inv2")
    assert world.call(ANA).state is CallState.CALLING
    await world.service.end_invite("acme", "inv1")
    await settle()
    # A call that only may be the invite's ends by itself, if it is.
    left = [call.call_id for call in world.service.snapshot(ROBIN).calls]
    assert left == [possible, other]
    assert world.service.snapshot(ANA).calls == ()
