"""Transfers among three user agents over a network that loses, repeats and reorders."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import sip
from tests.sip.peers import ANSWER, OFFER, account
from tests.sip.test_two_agents import Network


class Party:
    """A phone that answers at once and goes wherever it is transferred."""

    def __init__(self, agent: sip.UserAgent, host: str) -> None:
        self.agent = agent
        self.account = account(
            aor=sip.Uri.parse(f"sip:x@{host}"), outbound_proxies=(), registrar=None
        )
        self.events: list[tuple[sip.Call, sip.CallEvent]] = []
        self.calls: list[sip.Call] = []
        agent.add_account(self.account)
        agent.on_invite = self._rings

    def _rings(self, call: sip.IncomingCall) -> None:
        self._watch(call)
        call.answer(ANSWER)

    def _watch(self, call: sip.Call) -> sip.Call:
        self.calls.append(call)
        call.on_event = lambda event: self._told(call, event)
        return call

    def call(
        self, target: sip.Uri, replaces: sip.Replaces | None = None
    ) -> sip.OutgoingCall:
        call = self.agent.call(
            self.account, target, OFFER, lambda event: None, replaces=replaces
        )
        self._watch(call)
        return call

    def _told(self, call: sip.Call, event: sip.CallEvent) -> None:
        self.events.append((call, event))
        if isinstance(event, sip.TransferRequested) and call.accept_transfer():
            self._follow(call, self.call(event.target, event.replaces))

    def _follow(self, call: sip.Call, new: sip.Call) -> None:
        def told(event: sip.CallEvent) -> None:
            self.events.append((new, event))
            match event:
                case sip.Progress():
                    call.report_transfer(event.status)
                case sip.Answered():
                    call.report_transfer(200)
                case sip.Rejected():
                    call.report_transfer(event.status)

        new.on_event = told

    def of(self, call: sip.Call) -> list[sip.CallEvent]:
        return [event for each, event in self.events if each is call]

    def heard(self, call: sip.Call, kind: type[sip.CallEvent]) -> bool:  # type: ignore[valid-type]
        return any(isinstance(event, kind) for event in self.of(call))


class World:
    def __init__(self, seed: int, loss: float) -> None:
        self.network = Network(seed, loss)

    async def start(self) -> World:
        self.ana, self.bob, self.carol = [
            Party(await self.network.agent(host), host)
            for host in ("192.0.2.1", "192.0.2.2", "192.0.2.3")
        ]
        return self

    def until(self, holds: Callable[[], bool]) -> None:
        for _ in range(800):
            if holds():
                return
            self.network.clock.advance(0.25)
        raise AssertionError([party.events for party in self.parties])

    @property
    def parties(self) -> tuple[Party, ...]:
        return self.ana, self.bob, self.carol

    def connected(self, caller: Party, callee: Party) -> sip.Call:
        """A call that stands at both ends; Confirmed is the callee's."""
        before = len(callee.calls)
        call = caller.call(callee.account.aor)
        self.until(
            lambda: (
                len(callee.calls) > before
                and callee.heard(callee.calls[before], sip.Confirmed)
            )
        )
        return call

    async def finish(self) -> None:
        for party in self.parties:
            for call in party.calls:
                call.hangup()
        self.network.clock.advance(600)
        for party in self.parties:
            assert not party.agent.calls
            assert party.agent.transaction_count == 0
            assert party.agent.counters["callback_errors"] == 0
            await party.agent.close()
            for call in party.calls:
                ends = [e for e in party.of(call) if isinstance(e, sip.TERMINAL_EVENTS)]
                assert len(ends) == 1
        assert self.network.clock.pending == 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("loss", [0.0, 0.2])
async def test_an_attended_transfer(seed: int, loss: float) -> None:
    world = await World(seed, loss).start()
    ana, bob, carol = world.parties
    first = world.connected(ana, bob)
    second = world.connected(ana, carol)
    first.transfer(second.remote_target, replaces=second.as_replaces)
    world.until(lambda: sip.TransferProgress(200, True, "OK") in ana.of(first))
    world.until(lambda: second.is_ended)
    first.hangup()
    world.until(lambda: bob.calls[0].is_ended)
    # the two are together, and know it
    (new,) = bob.calls[1:]
    (taken,) = carol.calls[1:]
    assert isinstance(taken, sip.IncomingCall)
    assert taken.replaced is carol.calls[0]
    assert carol.of(carol.calls[0])[-1] == sip.Replaced(new.call_id)
    assert not new.is_ended
    assert not taken.is_ended
    assert new.call_id == taken.call_id
    await world.finish()


@pytest.mark.parametrize("seed", range(8))
async def test_a_blind_transfer_to_who_does_not_want(seed: int) -> None:
    world = await World(seed, 0.2).start()
    ana, bob, carol = world.parties
    carol.agent.on_invite = lambda call: call.reject(486)
    call = world.connected(ana, bob)
    call.transfer(carol.account.aor)
    world.until(
        lambda: any(
            isinstance(event, sip.TransferProgress) and event.is_final
            for event in ana.of(call)
        )
    )
    assert ana.of(call)[-1] == sip.TransferProgress(486, True, "Busy Here")
    assert not call.is_ended
    await world.finish()


@pytest.mark.parametrize("seed", range(8))
async def test_the_place_is_gone_meanwhile(seed: int) -> None:
    """Whoever is faster: nobody is left with half a call."""
    world = await World(seed, 0.1).start()
    ana, bob, carol = world.parties
    first = world.connected(ana, bob)
    second = world.connected(ana, carol)
    first.transfer(second.remote_target, replaces=second.as_replaces)
    world.network.clock.advance(world.network.rng.uniform(0, 2))
    carol.calls[0].hangup()
    world.until(
        lambda: any(
            isinstance(event, sip.TransferProgress) and event.is_final
            for event in ana.of(first)
        )
    )
    outcome = ana.of(first)[-1]
    assert isinstance(outcome, sip.TransferProgress)
    assert outcome.status in (200, 603, 481)
    world.until(lambda: second.is_ended)
    assert bob.calls[1].is_ended == (outcome.status != 200)
    await world.finish()
