"""A guest's call through a forking server: real SIP on loopback, media as said."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable

import pytest

import sip
from gateway.sandbox.application_server import ApplicationServer
from gateway.sessions import wire
from gateway.sessions.wire import CallState, EndReason, VideoState
from sip.clock import LoopClock
from tests.gateway.calls.descriptions import BOTH, browser, phone
from tests.gateway.calls.fakes import ANA, GUEST_ACCOUNT, ROBIN, World, account
from tests.gateway.calls.test_guest_calls import let_in

DESK = "sip:1000@acme.example"


class Office:
    """The rep's browser by the gateway, their desk phone, and the server of both."""

    def __init__(self) -> None:
        rng = random.Random(3)
        self.server = ApplicationServer(
            "acme.example",
            {"1000": "secret"},
            host="127.0.0.1",
            port=0,
            clock=LoopClock(),
            rng=rng,
        )
        self.agent = sip.UserAgent(sip.AgentConfig(bind_host="127.0.0.1"), rng=rng)
        self.desk = sip.UserAgent(sip.AgentConfig(bind_host="127.0.0.1"), rng=rng)
        self.desk_calls: list[sip.IncomingCall] = []
        self.desk_events: list[sip.CallEvent] = []

    async def start(self) -> None:
        await self.server.start()
        host, port = self.server.address
        self.registrar = sip.Uri.parse(f"sip:{host}:{port}")

        def at_the_server(given: sip.Account, **changes: object) -> sip.Account:
            values = {name: getattr(given, name) for name in given.__slots__}
            values |= {
                "registrar": self.registrar,
                "outbound_proxies": (self.registrar,),
            }
            return sip.Account(**(values | changes))

        # Of a domain for which this server asks no password.
        guests = at_the_server(
            GUEST_ACCOUNT, aor=sip.Uri.parse("sip:guests@guests.example")
        )
        rep = at_the_server(account(ROBIN))
        self.world = World(
            telephony=self.agent, accounts={ROBIN.key: rep}, guest_account=guests
        )
        self.agent.on_invite = self.world.service.on_invite
        self.desk.on_invite = self._rings
        await self.agent.start()
        await self.desk.start()
        self.running = asyncio.create_task(self.world.service.run())

    def _rings(self, call: sip.IncomingCall) -> None:
        call.on_event = self.desk_events.append
        self.desk_calls.append(call)
        call.ring()

    async def rep_signs_in(self) -> None:
        await self.world.service.session_opened(ROBIN)
        await until(lambda: self.world.registration.state == "registered")

    async def desk_registers(self) -> None:
        done = asyncio.Event()
        rep = self.world.accounts[ROBIN.key]

        def changed(state: sip.RegistrationState) -> None:
            if state.status == "registered":
                done.set()

        self.desk.registration(rep, changed).start()
        await asyncio.wait_for(done.wait(), 5)

    async def guest_joins(self) -> None:
        let_in(self.world)
        await self.world.service.session_opened(ANA)
        join = wire.CallJoin(op_id="1", call_id="g1", offer=browser(BOTH))
        await self.world.service.perform(ANA, "call.join", join)

    async def close(self) -> None:
        await self.world.service.close()
        await asyncio.wait_for(self.running, 5)
        await self.agent.close()
        await self.desk.close()
        await self.server.close()


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    office = Office()
    await office.start()
    yield office
    await office.close()
    assert office.agent._core_or_none is not None
    left = office.agent._core_or_none.presences
    assert all(not (a.aor.user or "").startswith("guest-") for a in left)


async def until(holds: Callable[[], object]) -> None:
    """What two agents tell each other has no event of its own here."""
    async with asyncio.timeout(10):
        for pause_s in itertools.repeat(0.005):
            if holds():
                return
            await asyncio.sleep(pause_s)


async def test_answered_in_the_browser_and_ended_by_the_invite(office: Office) -> None:
    await office.rep_signs_in()
    await office.desk_registers()
    await office.guest_joins()
    world = office.world
    await until(lambda: "call.incoming" in world.kinds() and office.desk_calls)
    call = world.call()
    assert call.invite is not None
    assert call.invite.guest == "Ana Ruiz"
    assert [record.id for record in call.match.records] == ["003A"]
    assert call.video.state is VideoState.OFFERED
    await until(lambda: "call.ringing" in world.kinds(ANA))
    answer = wire.CallAnswer(op_id="1", call_id=call.call_id, offer=browser(BOTH))
    await world.service.perform(ROBIN, "call.answer", answer)
    await until(lambda: world.call(ANA).state is CallState.ACTIVE)
    assert world.call(ANA).video.state is VideoState.ACTIVE
    await until(lambda: office.desk_events)
    assert isinstance(office.desk_events[-1], sip.Cancelled)
    # Lowered by the guest, seen by the rep, over the same dialogs.
    lower = wire.CallMedia(
        op_id="2",
        call_id="g1",
        offer=browser(version=2),
        generation=1,
        reason="renegotiate",
    )
    await world.service.perform(ANA, "call.media", lower)
    await until(lambda: world.call().video.state is not VideoState.ACTIVE)
    await world.service.end_invite("acme", "inv1")
    await until(lambda: not world.service.active_calls)
    reasons = {record.user: record.reason for record in world.journal.over}
    assert set(reasons.values()) == {EndReason.INVITE_OVER}
    assert len(reasons) == 2
    assert [task.outcome for task in world.journal.written] == ["Answered"]


async def test_answered_on_the_desk_phone(office: Office) -> None:
    await office.rep_signs_in()
    await office.desk_registers()
    await office.guest_joins()
    world = office.world
    await until(lambda: "call.incoming" in world.kinds() and office.desk_calls)
    office.desk_calls[0].answer(phone())
    await until(lambda: world.call(ANA).state is CallState.ACTIVE)
    await until(lambda: "call.ended" in world.kinds())
    ended = world.last("call.ended")["call"]
    assert ended.end_reason is EndReason.ANSWERED_ELSEWHERE
    assert ended.invite is not None
    # No video on that phone: the guest is heard, and told so.
    assert world.call(ANA).video.state is VideoState.NONE
    await until(lambda: any(isinstance(e, sip.Confirmed) for e in office.desk_events))
    office.desk_calls[0].hangup()
    await until(lambda: not world.service.active_calls)
    assert [task.outcome for task in world.journal.written] == ["Answered"]


async def test_a_host_with_a_desk_phone_only(office: Office) -> None:
    await office.desk_registers()
    await office.guest_joins()
    await until(lambda: office.desk_calls)
    assert office.desk_calls[0].remote.display_name == "Ana Ruiz"
    # The end of the invite reaches a phone that the gateway knows nothing of.
    await office.world.service.end_invite("acme", "inv1")
    await until(lambda: office.desk_events)
    assert isinstance(office.desk_events[-1], sip.Cancelled)
    assert [task.outcome for task in office.world.journal.written] == ["Missed"]


async def test_a_host_without_any_device(office: Office) -> None:
    await office.guest_joins()
    world = office.world
    await until(lambda: "call.ended" in world.kinds(ANA))
    (task,) = world.journal.written
    assert task.outcome == "Missed"
    assert "SIP response: 404" in task.description
