"""Two whole user agents over a network that loses, repeats and reorders."""

from __future__ import annotations

import random

import pytest

import sip
from sip.message import Request
from sip.parser import parse_datagram
from sip.transport import Protocols, Source, Target
from tests.sip.peers import ANSWER, OFFER, VirtualClock, account

HOLD = "v=0\r\ns=hold\r\n"
HELD = "v=0\r\ns=held\r\n"


class Network:
    """Datagrams between agents, in virtual time."""

    def __init__(self, seed: int, loss: float) -> None:
        self.clock = VirtualClock()
        self.rng = random.Random(seed)
        self.loss = loss
        self.agents: dict[str, sip.UserAgent] = {}

    async def agent(self, host: str) -> sip.UserAgent:
        each = sip.UserAgent(
            sip.AgentConfig(bind_host=host),
            self.clock,
            random.Random(f"{host}{self.rng.random()}"),
            wire=_Port(self, host),
        )
        self.agents[host] = each
        await each.start()
        return each

    def carry(self, data: bytes, source: str, target: str) -> None:
        copies = 0 if self.rng.random() < self.loss else self.rng.choice((1, 1, 1, 2))
        for _ in range(copies):
            at = self.clock.now() + self.rng.uniform(0.001, 0.7)
            self.clock.call_at(at, lambda: self._arrive(data, source, target))

    def _arrive(self, data: bytes, source: str, target: str) -> None:
        if target in self.agents:
            agent = self.agents[target]
            agent.receive(parse_datagram(data), Source("udp", source, 5060))


class _Port:
    def __init__(self, network: Network, host: str) -> None:
        self._network = network
        self._host = host

    def send(self, data: bytes, target: Target) -> int | None:
        self._network.carry(data, self._host, target.host)
        return None

    def sent_by(self, transport: Protocols) -> tuple[str, int]:
        return self._host, 5060

    def is_open(self, connection: int) -> bool:
        return False

    def supports(self, transport: Protocols) -> bool:
        return transport == "udp"

    def hold(self, target: Target) -> None: ...

    def release(self, target: Target) -> None: ...


class Pair:
    """Ana calls Bob; what is told to each is kept."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.ana_events: list[sip.CallEvent] = []
        self.bob_events: list[sip.CallEvent] = []
        self.bobs: list[sip.IncomingCall] = []
        self.acks: list[Request] = []

    async def start(self) -> None:
        self.ana_agent = await self.network.agent("192.0.2.1")
        self.bob_agent = await self.network.agent("192.0.2.2")
        bob = account(aor=sip.Uri.parse("sip:bob@192.0.2.2"), outbound_proxies=())
        self.bob_agent.add_account(bob)
        self.bob_agent.on_invite = self._rings

    def _rings(self, call: sip.IncomingCall) -> None:
        call.on_event = self.bob_events.append
        self.bobs.append(call)
        call.ring()

    def dial(self) -> sip.OutgoingCall:
        return self.ana_agent.call(
            account(outbound_proxies=()),
            sip.Uri.parse("sip:bob@192.0.2.2"),
            OFFER,
            self.ana_events.append,
        )

    def run(self, seconds: float) -> None:
        self.network.clock.advance(seconds)

    def until(self, *events: sip.CallEvent) -> bool:
        """Whether all of these were told within a minute, or the call ended."""
        for _ in range(240):
            told = self.ana_events + self.bob_events
            if all(event in told for event in events):
                return True
            self.run(0.25)
        return False

    async def finish(self) -> None:
        self.run(400)
        for agent in (self.ana_agent, self.bob_agent):
            assert not agent.calls
            assert agent.transaction_count == 0
            assert agent.counters["callback_errors"] == 0
            await agent.close()
        assert self.network.clock.pending == 0
        for events in (self.ana_events, self.bob_events):
            ends = [each for each in events if isinstance(each, sip.TERMINAL_EVENTS)]
            assert len(ends) <= 1
            assert not ends or events[-1] is ends[0]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("loss", [0.0, 0.2])
async def test_a_whole_call(seed: int, loss: float) -> None:
    pair = Pair(Network(seed, loss))
    await pair.start()
    call = pair.dial()
    while not pair.bobs:
        pair.run(0.25)
    pair.bobs[0].answer(ANSWER)
    assert pair.until(sip.Confirmed(None))
    assert len(pair.bobs) == 1
    answered = [each for each in pair.ana_events if isinstance(each, sip.Answered)]
    assert [each.sdp for each in answered] == [ANSWER]
    call.reinvite(HOLD)
    assert pair.until(sip.Offer(HOLD))
    pair.bobs[0].accept_offer(HELD)
    assert pair.until(sip.OfferAnswered(HELD))
    pair.run(20)
    call.hangup()
    assert pair.until(sip.LocalEnd(), sip.RemoteHangup((sip.NORMAL_CLEARING,)))
    await pair.finish()


@pytest.mark.parametrize("seed", range(40))
async def test_cancel_and_answer_at_about_the_same_time(seed: int) -> None:
    """However they cross: both are over, and neither hangs."""
    rng = random.Random(seed)
    pair = Pair(Network(seed, rng.choice([0.0, 0.2])))
    await pair.start()
    call = pair.dial()
    while not pair.bobs:
        pair.run(0.05)
    clock = pair.network.clock
    clock.call_at(clock.now() + rng.uniform(0, 1.5), call.hangup)
    clock.call_at(
        clock.now() + rng.uniform(0, 1.5), lambda: pair.bobs[0].answer(ANSWER)
    )
    pair.run(120)
    assert pair.ana_events[-1] == sip.LocalEnd()
    assert isinstance(pair.bob_events[-1], sip.Cancelled | sip.RemoteHangup)
    assert len(pair.bobs) == 1
    await pair.finish()


@pytest.mark.parametrize("seed", range(20))
async def test_both_offer_at_about_the_same_time(seed: int) -> None:
    """RFC 3261 14.1: after 491 both get their turn."""
    rng = random.Random(seed)
    pair = Pair(Network(seed, 0.0))
    await pair.start()
    call = pair.dial()
    while not pair.bobs:
        pair.run(0.05)
    bob = pair.bobs[0]
    bob.answer(ANSWER)
    assert pair.until(sip.Confirmed(None))

    def answers(side: sip.Call, events: list[sip.CallEvent], own: str) -> None:
        def on_event(event: sip.CallEvent) -> None:
            events.append(event)
            if isinstance(event, sip.Offer):
                side.accept_offer(f"answer to {event.sdp}")
            elif event == sip.OfferFailed(491):
                # Overtaken by the peer's: out of date, so made anew.
                side.reinvite(own)

        side.on_event = on_event

    answers(call, pair.ana_events, "ana")
    answers(bob, pair.bob_events, "bob")
    clock = pair.network.clock
    clock.call_at(clock.now() + rng.uniform(0, 0.5), lambda: call.reinvite("ana"))
    clock.call_at(clock.now() + rng.uniform(0, 0.5), lambda: bob.reinvite("bob"))
    pair.run(30)
    assert sip.OfferAnswered("answer to ana") in pair.ana_events
    assert sip.OfferAnswered("answer to bob") in pair.bob_events
    bob.hangup()
    pair.run(5)
    assert isinstance(pair.ana_events[-1], sip.RemoteHangup)
    await pair.finish()


@pytest.mark.parametrize("seed", range(12))
async def test_both_hang_up_at_about_the_same_time(seed: int) -> None:
    rng = random.Random(seed)
    pair = Pair(Network(seed, 0.1))
    await pair.start()
    call = pair.dial()
    while not pair.bobs:
        pair.run(0.05)
    bob = pair.bobs[0]
    bob.answer(ANSWER)
    clock = pair.network.clock
    clock.call_at(clock.now() + rng.uniform(1, 3), call.hangup)
    clock.call_at(clock.now() + rng.uniform(1, 3), bob.hangup)
    pair.run(120)
    ends = (sip.LocalEnd, sip.RemoteHangup)
    assert isinstance(pair.ana_events[-1], (*ends, sip.Rejected))
    assert isinstance(pair.bob_events[-1], (*ends, sip.Cancelled))
    await pair.finish()
