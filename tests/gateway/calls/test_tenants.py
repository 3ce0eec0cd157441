"""An id of somebody else's is unknown: same tenant or another, for every method."""

from __future__ import annotations

import pytest

import sip
from gateway.identity.users import User
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind
from tests.gateway.calls.fakes import ELSE, ROBIN, SAM, FakeLeg, World, settle

FOREIGN_ID = {
    "call.answer": wire.CallAnswer(op_id="1", call_id="c1", offer="offer"),
    "call.reject": wire.CallReject(op_id="1", call_id="c1"),
    "call.hangup": wire.CallHangup(op_id="1", call_id="c1"),
    "call.dtmf": wire.CallDtmf(op_id="1", call_id="c1", digits="1"),
    "call.media": wire.CallMedia(op_id="1", call_id="c1", offer="o", generation=9),
    "call.choose_record": wire.CallChooseRecord(
        op_id="1", call_id="c1", record_id="003A"
    ),
    "call.hold": wire.CallHold(op_id="1", call_id="c1"),
    "call.retrieve": wire.CallRetrieve(op_id="1", call_id="c1"),
    "call.merge": wire.CallMerge(op_id="1", call_ids=("c1", "c2")),
    "call.transfer": wire.CallTransfer(op_id="1", call_id="c1", to="1002"),
    "call.split": wire.CallSplit(op_id="1", call_id="c1"),
    "work.change": wire.WorkChange(op_id="1", call_id="c1", notes="mine"),
    "work.save": wire.WorkSave(op_id="1", call_id="c1"),
    "activity.retry": wire.ActivityRetry(op_id="1", call_id="c1"),
}
# Methods without a call's id, and those that the session answers itself.
OTHERS = {
    "call.create",
    "call.join",
    "call.trickle",
    "contact.create",
    "directory.search",
    "favourite.set",
    "history.list",
    "invite.cancel",
    "invite.change",
    "invite.create",
    "invite.extend",
    "invite.link",
    "invite.list",
    "invite.resend",
    "ping",
    "presence.set",
    "record.search",
    "registration.retry",
    "session.ack",
    "session.close",
    "session.hello",
    "session.resume",
    "session.take",
    "session.mute",
    "work.visit",
}


def test_no_method_is_forgotten_here() -> None:
    assert set(FOREIGN_ID) | OTHERS == set(wire.METHODS)


@pytest.mark.parametrize("stranger", [SAM, ELSE], ids=str)
@pytest.mark.parametrize("method", FOREIGN_ID)
async def test_somebody_elses_call_is_unknown(
    world: World, stranger: User, method: str
) -> None:
    await world.service.session_opened(stranger)
    await world.service.perform(
        ROBIN,
        "call.create",
        wire.CallCreate(op_id="1", call_id="c1", to="1001", offer="offer"),
    )
    leg = world.telephony.legs[-1]
    leg.on_event(sip.Answered(sdp="answer"))
    await settle()
    log = list(world.engine.log)
    with pytest.raises(RequestError) as caught:
        await world.service.perform(stranger, method, FOREIGN_ID[method])
    assert caught.value.kind is ErrorKind.CALL_UNKNOWN
    assert leg.did == []
    assert world.engine.log == log
    assert world.kinds(stranger) == []


async def test_a_contact_for_somebody_elses_call_leaves_that_call_alone(
    world: World,
) -> None:
    await world.service.session_opened(SAM)
    world.service.on_invite(FakeLeg(world.accounts[ROBIN.key]))
    await settle()
    await world.service.perform(
        SAM,
        "contact.create",
        wire.ContactCreate(op_id="1", last_name="X", call_id=world.call().call_id),
    )
    assert world.call().match.records == ()


async def test_equal_call_ids_of_two_users_are_two_calls(world: World) -> None:
    await world.service.session_opened(ELSE)
    for user in (ROBIN, ELSE):
        await world.service.perform(
            user,
            "call.create",
            wire.CallCreate(op_id="1", call_id="c1", to="1001", offer="offer"),
        )
    await world.service.perform(
        ROBIN, "call.hangup", wire.CallHangup(op_id="2", call_id="c1")
    )
    await settle()
    assert world.service.snapshot(ROBIN).calls == ()
    assert len(world.service.snapshot(ELSE).calls) == 1
