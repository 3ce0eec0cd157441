"""Scripted browsers in a room, and what an answer says of others' streams."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from gateway.media.engine import (
    BrowserConnected,
    Leg,
    MediaCallId,
    MediaEngine,
    Negotiated,
    RoomChanged,
)
from tests.gateway.media.rig import (
    BROWSER_VIDEO,
    WAIT_S,
    Browser,
    Events,
    Inbox,
    Rtp,
    new_call,
)

# VP8 payload descriptors with the first byte of the frame.
KEY, DELTA = b"\x10\x00", b"\x10\x01"

LINES = ("audio", "video") * 3


@dataclass(frozen=True, slots=True)
class Line:
    """One m-line of an answer."""

    kind: str
    port: int
    payload_types: tuple[int, ...]
    mid: str
    direction: str
    name: str
    ssrc: int
    cname: str
    text: str


def read_lines(sdp: str) -> list[Line]:
    """All m-lines of an answer, with what they say of our stream."""
    lines: list[Line] = []
    for text in sdp.split("\r\nm=")[1:]:
        kind, port, _, *types = text.split("\r\n", 1)[0].split()
        direction = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", text, re.M)
        assert direction is not None
        name = re.search(r"^a=msid:(\S+) ", text, re.M)
        source = re.search(r"^a=ssrc:(\d+) cname:(\S+)", text, re.M)
        mid = re.search(r"^a=mid:(\S+)", text, re.M)
        lines.append(
            Line(
                kind=kind,
                port=int(port),
                payload_types=tuple(map(int, types)),
                mid=mid[1] if mid else "",
                direction=direction[1],
                name=name[1] if name else "",
                ssrc=int(source[1]) if source else 0,
                cname=source[2].strip() if source else "",
                text=text,
            )
        )
    return lines


def received(sdp: str) -> dict[tuple[str, str], Line]:
    """By name and kind, the streams of others in an answer."""
    others = [line for line in read_lines(sdp) if line.name not in ("", line.cname)]
    found = {(line.name, line.kind): line for line in others}
    assert len(found) == len(others)
    return found


@dataclass
class Guest:
    """A call that has a browser and no SIP side."""

    name: str
    call: MediaCallId
    browser: Browser
    answer: Negotiated
    generation: int = 1

    @property
    def inbox(self) -> Inbox:
        return self.browser.inbox

    def of(self, other: Guest, kind: str) -> list[Rtp]:
        """What came of another's stream, by the last answer's SSRC."""
        line = received(self.answer.sdp)[other.name, kind]
        return [each for each in self.inbox.rtp if each.ssrc == line.ssrc]

    def shows(self, other: Guest, payload: bytes) -> bool:
        return any(each.payload == payload for each in self.of(other, "video"))

    def hears(self, other: Guest, payload: bytes) -> bool:
        return any(each.payload == payload for each in self.of(other, "audio"))


async def offer(
    engine: MediaEngine,
    guest: Guest,
    *,
    receiving: Sequence[str] = LINES,
    video: Sequence[str] = BROWSER_VIDEO,
    **options: object,
) -> Negotiated:
    """A new offer of the same connection."""
    text = await guest.browser.offer(receiving=receiving, video=video, **options)
    guest.answer = await engine.answer(
        guest.call, Leg.BROWSER, text, generation=guest.generation
    )
    return guest.answer


async def arrive(
    engine: MediaEngine,
    events: Events,
    name: str,
    *,
    room: str = "room",
    **options: object,
) -> Guest:
    """Open, offer and connect; not in the room yet."""
    call = new_call()
    await engine.open(call, room=room)
    guest = Guest(name, call, Browser(), Negotiated("", ""))
    await offer(engine, guest, **options)
    await guest.browser.connect(guest.answer.sdp)
    await guest.browser.send(b"I am here")
    await events.wait(BrowserConnected(call, guest.generation))
    return guest


async def talk(guests: Sequence[Guest], until: Callable[[], bool]) -> None:
    """Everybody sends voice and keyframes, named, until something is so."""
    async with asyncio.timeout(WAIT_S):
        while not until():
            for guest in guests:
                await guest.browser.send(b"voice of " + guest.name.encode())
                await guest.browser.send_video(KEY + guest.name.encode(), marker=True)
            await asyncio.sleep(0.01)


def all_meet(guests: Sequence[Guest]) -> Callable[[], bool]:
    """Whether each sees and hears each other."""
    return lambda: all(
        one.shows(other, KEY + other.name.encode())
        and one.hears(other, b"voice of " + other.name.encode())
        for one in guests
        for other in guests
        if one is not other
    )


async def settle(engine: MediaEngine, events: Events, guests: Sequence[Guest]) -> None:
    """New offers of those who were asked for one, until nobody is."""
    while True:
        changed = {event.call for event in events.of(RoomChanged)}
        events.all = [each for each in events.all if not isinstance(each, RoomChanged)]
        asked = [guest for guest in guests if guest.call in changed]
        if not asked:
            return
        for guest in asked:
            await offer(engine, guest)


@contextlib.asynccontextmanager
async def meeting(
    engine: MediaEngine, events: Events, names: str = "abc"
) -> AsyncIterator[list[Guest]]:
    """Guests who see and hear each other."""
    guests = [await arrive(engine, events, name) for name in names]
    try:
        for guest in guests:
            await engine.enter(guest.call, name=guest.name)
        await settle(engine, events, guests)
        await talk(guests, all_meet(guests))
        yield guests
    finally:
        for guest in guests:
            await guest.browser.close()
