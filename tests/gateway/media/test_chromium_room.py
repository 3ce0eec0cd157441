"""Real browsers in a room: each sees and hears each other, by stream id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from gateway.media.engine import BrowserConnected, Leg, RoomChanged
from gateway.media.relay import RelayConfig, RelayEngine
from tests.gateway.media.chromium_peers import WAIT_S, Peer, peers_page
from tests.gateway.media.rig import Events
from tests.gateway.media.room_rig import received


class Meeting:
    """Does what the call layer and the pages do."""

    def __init__(self, engine: RelayEngine, events: Events, page: Page) -> None:
        self._engine = engine
        self._events = events
        self._page = page
        self.guests: list[Peer] = []

    async def negotiate(self, guest: Peer) -> None:
        sdp = await guest.do("offer", max(0, len(self.guests) - 1))
        answer = await self._engine.answer(
            guest.call, Leg.BROWSER, sdp, generation=guest.generation
        )
        guest.sdp = answer.sdp
        await guest.do("answer", answer.sdp)

    async def settle(self) -> None:
        """New offers of those who were asked for one, until nobody is."""
        while True:
            asked = {event.call for event in self._events.of(RoomChanged)}
            self._events.all = [
                each for each in self._events.all if not isinstance(each, RoomChanged)
            ]
            if not asked:
                return
            for guest in self.guests:
                if guest.call in asked:
                    await self.negotiate(guest)

    async def join(self, name: str, number: int, hz: int) -> Peer:
        guest = await Peer.start(self._page, name, number, hz)
        await self._engine.open(guest.call, room="room")
        await self.negotiate(guest)
        await self._events.wait(BrowserConnected(guest.call, 1))
        self.guests.append(guest)
        await self._engine.enter(guest.call, name=name)
        await self.settle()
        return guest

    async def leave(self, guest: Peer) -> None:
        self.guests.remove(guest)
        await self._engine.close(guest.call)
        await guest.do("close")
        await self.settle()

    async def renew(self, guest: Peer) -> None:
        """The page comes back with another connection."""
        guest.generation += 1
        await guest.do("connect")
        await self.negotiate(guest)
        await self._events.wait(BrowserConnected(guest.call, guest.generation))
        await self._page.evaluate("(name) => peers[name].former.close()", guest.name)

    async def all_meet(self) -> None:
        """Until each sees and hears each other."""
        perceived: dict[str, Any] = {}
        try:
            async with asyncio.timeout(WAIT_S):
                while not await self._is_complete(perceived):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            pytest.fail(f"not within {WAIT_S} s: {perceived}")

    async def _is_complete(self, perceived: dict[str, Any]) -> bool:
        complete = True
        for guest in self.guests:
            others = [each for each in self.guests if each is not guest]
            found = await guest.do("perceives", [each.name for each in others])
            perceived[guest.name] = found
            for other in others:
                number, hz = found[other.name]
                complete &= number == other.number
                complete &= hz is not None and abs(hz - other.hz) < 12
        return complete


def video_of(statistics: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in statistics if each["kind"] == "video"]


@pytest.mark.system
@pytest.mark.needs("chromium")
class TestChromiumRoom:
    @pytest.fixture
    def relay_config(self) -> RelayConfig:
        return RelayConfig(rtcp_interval_s=0.5)

    @pytest.fixture
    async def page(self, tmp_path: Path) -> AsyncIterator[Page]:
        async with peers_page(tmp_path) as page:
            yield page

    @pytest.mark.timeout(150)
    async def test_four_meet_one_leaves_one_comes_one_renews(
        self, engine: RelayEngine, events: Events, page: Page
    ) -> None:
        meeting = Meeting(engine, events, page)
        first = await meeting.join("anna", 0b10110010, 500)
        await meeting.join("bert", 0b01001101, 700)
        third = await meeting.join("cleo", 0b11000101, 900)
        await meeting.all_meet()
        for guest in meeting.guests:
            others = {each.name for each in meeting.guests if each is not guest}
            assert {name for name, _ in received(guest.sdp)} == others

        # One leaves; the others stay where they are.
        streams = {guest.name: received(guest.sdp) for guest in meeting.guests}
        await meeting.leave(third)
        await meeting.all_meet()
        assert await first.do("sees", "cleo") is None
        kept = streams["anna"]["bert", "video"]
        now = received(first.sdp)["bert", "video"]
        assert (now.mid, now.ssrc) == (kept.mid, kept.ssrc)

        # Two come; four is a full meeting for the machine that tests it.
        await meeting.join("dora", 0b00111010, 1100)
        await meeting.join("emil", 0b11100110, 1300)
        await meeting.all_meet()

        # One is reloaded: seen and sees again, in the same streams.
        kept_streams = {key: line.ssrc for key, line in received(first.sdp).items()}
        await meeting.renew(first)
        assert {
            key: line.ssrc for key, line in received(first.sdp).items()
        } == kept_streams
        await meeting.all_meet()

        # Pictures flow, and nothing was lost.
        before = {
            guest.name: video_of(await guest.do("statistics"))
            for guest in meeting.guests
        }
        for guest in meeting.guests:
            decoded = {
                each["ssrc"]: each.get("framesDecoded", 0)
                for each in before[guest.name]
            }
            lines = received(guest.sdp)
            wanted = {line.ssrc for (_, kind), line in lines.items() if kind == "video"}
            assert len(wanted) == 3
            async with asyncio.timeout(WAIT_S):
                while True:
                    statistics = await guest.do("statistics")
                    flowing = {
                        each["ssrc"]
                        for each in video_of(statistics)
                        if each["framesDecoded"] >= decoded.get(each["ssrc"], 0) + 10
                    }
                    if wanted <= flowing:
                        break
                    await asyncio.sleep(0.1)
            present = {line.ssrc for line in lines.values()}
            for each in statistics:
                if each["ssrc"] in present:
                    assert each["packetsLost"] == 0, each
                    assert each["packetsReceived"] > 0
        assert events.of(RoomChanged) == []
        for guest in meeting.guests:
            final = await engine.close(guest.call)
            assert final.browser.lost == 0
            assert final.browser_video is not None
            assert final.browser_video.lost == 0
