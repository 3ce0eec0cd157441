"""The sandbox's application server between real user agents on loopback."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest

import sip
from gateway.sandbox.application_server import ApplicationServer
from gateway.sandbox.phone import Phone, PhoneConfig
from sip.clock import LoopClock

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
USERS = {"1001": "pw1001", "1002": "pw1002", "1003": "pw1003", "guests": "pwg"}
E = TypeVar("E")


@dataclass
class Device:
    """A user agent of a user, and what happened to it."""

    agent: sip.UserAgent
    account: sip.Account
    calls: list[sip.IncomingCall] = field(default_factory=list)
    events: list[sip.CallEvent] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, call: sip.IncomingCall) -> None:
        self.calls.append(call)
        call.on_event = self.hear
        call.ring()
        self.changed.set()

    def hear(self, event: sip.CallEvent) -> None:
        self.events.append(event)
        self.changed.set()

    async def wait_for(self, kind: type[E]) -> E:
        async with asyncio.timeout(5):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        return event
                self.changed.clear()
                await self.changed.wait()

    async def wait_for_call(self) -> sip.IncomingCall:
        async with asyncio.timeout(5):
            while not self.calls:
                self.changed.clear()
                await self.changed.wait()
        return self.calls[-1]

    def dial(self, user: str) -> sip.OutgoingCall:
        return self.agent.call(
            self.account,
            sip.Uri("sip", user=user, host="acme.example"),
            SDP,
            self.hear,
        )


class Office:
    def __init__(self) -> None:
        self.rng = random.Random(7)
        self.said: list[str] = []
        self.server = ApplicationServer(
            "acme.example",
            USERS,
            host="127.0.0.1",
            port=0,
            clock=LoopClock(),
            rng=self.rng,
            guest_account="guests",
            on_event=self.said.append,
        )
        self.devices: list[Device] = []

    async def device(
        self, user: str, *, password: str = "", transport: str = "udp"
    ) -> Device:
        agent = sip.UserAgent(sip.AgentConfig(bind_host="127.0.0.1"), rng=self.rng)
        host, port = self.server.address
        registrar = sip.Uri.parse(f"sip:{host}:{port};transport={transport}")
        device = Device(
            agent,
            sip.Account(
                aor=sip.Uri("sip", user=user, host="acme.example"),
                username=user,
                password=sip.Secret(password or USERS[user]),
                registrar=registrar,
                outbound_proxies=(registrar,),
                instance_id=f"urn:uuid:00000000-0000-0000-0000-{len(self.devices):012}",
            ),
        )
        self.devices.append(device)
        agent.on_invite = device.take
        await agent.start()
        settled = asyncio.Event()

        def changed(state: sip.RegistrationState) -> None:
            device.states.append(state.status)
            if state.status in ("registered", "failed"):
                settled.set()

        agent.registration(device.account, changed).start()
        async with asyncio.timeout(5):
            await settled.wait()
        return device


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    office = Office()
    await office.server.start()
    yield office
    for device in office.devices:
        await device.agent.close()
    await office.server.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_both_devices_ring_and_the_loser_knows_why(
    office: Office, transport: str
) -> None:
    caller = await office.device("1002")
    desk = await office.device("1001", transport=transport)
    browser = await office.device("1001")
    call = caller.dial("1001")
    await caller.wait_for(sip.Progress)
    taken = await browser.wait_for_call()
    await desk.wait_for_call()
    taken.answer(SDP)
    assert (await caller.wait_for(sip.Answered)).sdp is not None
    await browser.wait_for(sip.Confirmed)
    cancelled = await desk.wait_for(sip.Cancelled)
    assert [(r.protocol, r.cause) for r in cancelled.reasons] == [("SIP", 200)]
    # The BYE needs the route set: without it the server answers 404.
    call.hangup()
    await browser.wait_for(sip.RemoteHangup)
    assert "2 devices of 1001 ring" in office.said


async def test_a_phone_says_at_once_that_it_does_not_transfer(office: Office) -> None:
    rep = await office.device("1001")
    config = PhoneConfig(
        "ana", "Ana", "1002", "pw1002", "greeting", answers_after_s=0.0
    )
    registered = asyncio.Event()
    phone = Phone(
        config,
        domain="acme.example",
        server=office.server.address,
        rng=office.rng,
        on_change=lambda: phone.is_registered and registered.set(),
    )
    await phone.start()
    try:
        async with asyncio.timeout(5):
            await registered.wait()
        call = rep.dial("1002")
        await rep.wait_for(sip.Answered)
        call.transfer(sip.Uri("sip", user="1003", host="acme.example"))
        refused = await rep.wait_for(sip.TransferRefused)
        assert (refused.status, refused.local) == (603, False)
    finally:
        await phone.close()


async def test_the_callee_hangs_up(office: Office) -> None:
    caller = await office.device("1002", transport="tcp")
    callee = await office.device("1001")
    caller.dial("1001")
    taken = await callee.wait_for_call()
    taken.answer(SDP)
    await callee.wait_for(sip.Confirmed)
    taken.hangup()
    await caller.wait_for(sip.RemoteHangup)


async def test_the_caller_gives_up(office: Office) -> None:
    caller = await office.device("1002")
    callee = await office.device("1001")
    call = caller.dial("1001")
    await callee.wait_for_call()
    await caller.wait_for(sip.Progress)
    call.hangup()
    await callee.wait_for(sip.Cancelled)


async def test_all_decline(office: Office) -> None:
    caller = await office.device("1002")
    one, two = await office.device("1001"), await office.device("1001")
    caller.dial("1001")
    (await one.wait_for_call()).reject(486)
    assert not any(isinstance(event, sip.Rejected) for event in caller.events)
    (await two.wait_for_call()).reject(480)
    assert (await caller.wait_for(sip.Rejected)).status == 486


async def test_one_declines_for_all(office: Office) -> None:
    caller = await office.device("1002")
    one, two = await office.device("1001"), await office.device("1001")
    caller.dial("1001")
    await two.wait_for_call()
    (await one.wait_for_call()).reject(603)
    assert (await caller.wait_for(sip.Rejected)).status == 603
    reasons = (await two.wait_for(sip.Cancelled)).reasons
    assert [reason.cause for reason in reasons] == [603]


async def test_nobody_there(office: Office) -> None:
    caller = await office.device("1002")
    caller.dial("1003")
    assert (await caller.wait_for(sip.Rejected)).status == 404


async def test_no_relaying(office: Office) -> None:
    caller = await office.device("1002")
    target = sip.Uri.parse("sip:x@elsewhere.example")
    caller.agent.call(caller.account, target, SDP, caller.hear)
    assert (await caller.wait_for(sip.Rejected)).status == 403


async def test_a_wrong_password_does_not_register(office: Office) -> None:
    device = await office.device("1001", password="wrong")
    assert device.states[-1] == "failed"
    assert (
        office.server.registrar.lookup("1001", asyncio.get_running_loop().time()) == ()
    )


async def test_nobody_calls_in_somebody_elses_name(office: Office) -> None:
    caller = await office.device("1002")
    stolen = sip.Account(
        aor=sip.Uri("sip", user="1003", host="acme.example"),
        username="1002",
        password=sip.Secret(USERS["1002"]),
        registrar=caller.account.registrar,
        outbound_proxies=caller.account.outbound_proxies,
    )
    target = sip.Uri("sip", user="1001", host="acme.example")
    caller.agent.call(stolen, target, SDP, caller.hear)
    assert (await caller.wait_for(sip.Rejected)).status == 403


def calling_as(device: Device, name: str, account: str, domain: str) -> sip.Account:
    return replace(
        device.account,
        aor=sip.Uri("sip", user=name, host=domain),
        username=account,
        password=sip.Secret(USERS[account]),
    )


async def test_the_guests_account_calls_as_any_guest(office: Office) -> None:
    gateway = await office.device("1002")
    rep = await office.device("1001")
    guest = calling_as(gateway, "guest-4f2a", "guests", "acme.example")
    target = sip.Uri("sip", user="1001", host="acme.example")
    gateway.agent.call(guest, target, SDP, gateway.hear)
    call = await rep.wait_for_call()
    assert call.remote.uri.user == "guest-4f2a"
    call.answer(SDP)
    await gateway.wait_for(sip.Answered)
    elsewhere = sip.Uri.parse("sip:x@elsewhere.example")
    gateway.agent.call(guest, elsewhere, SDP, gateway.hear)
    assert (await gateway.wait_for(sip.Rejected)).status == 403


@pytest.mark.parametrize(
    ("name", "account"),
    [("1003", "guests"), ("guests", "guests"), ("guest-4f2a", "1002")],
)
async def test_guests_are_guests_and_nobody_else_is(
    office: Office, name: str, account: str
) -> None:
    gateway = await office.device("1002")
    rep = await office.device("1001")
    caller = calling_as(gateway, name, account, "acme.example")
    target = sip.Uri("sip", user="1001", host="acme.example")
    gateway.agent.call(caller, target, SDP, gateway.hear)
    assert (await gateway.wait_for(sip.Rejected)).status == 403
    assert rep.calls == []


async def test_the_guests_account_rings_nowhere(office: Office) -> None:
    device = await office.device("guests")
    assert device.states[-1] == "failed"
    now = asyncio.get_running_loop().time()
    assert office.server.registrar.lookup("guests", now) == ()
