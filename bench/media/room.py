"""What a room costs its worker: every member sends video, everybody gets everybody's.

    python -m bench.media.room --members 3,5 --rooms 4 --seconds 6

Each member sends a megabit of VP8 a second over SRTP. CPU time is the worker's own,
and it is pinned to another core than the members, which one loop here plays.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import socket
import time
from dataclasses import asdict, dataclass

from aiortc import RTCCertificate

from bench.media.__main__ import cpu_seconds, favour, pin
from bench.media.generator import VIDEO
from bench.media.parties import FORMATS, PAYLOAD_TYPES, LoadBrowser, use_only
from gateway.media.engine import Leg, MediaCallId
from gateway.media.relay import RelayConfig, RelayEngine
from gateway.media.relay.aiortc_internals import (
    ffi,
    new_length,
    packet_pointer,
    srtp_protect,
)
from gateway.media.relay.stream import HEADER, HEADER_BYTES

HOST = "127.0.0.1"
WARM_UP_S = 1.5
# A VP8 payload that a decoder can begin with.
KEYFRAME = b"\x10\x00"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One size of rooms; ``megabits`` are what was forwarded in a second."""

    members: int
    rooms: int
    megabits: float
    cpu_ms_per_megabit: float
    cpu_us_per_packet: float
    lost: int
    forwarded: int


class Member:
    """A connected browser as a bare socket with keys."""

    def __init__(self, browser: LoadBrowser) -> None:
        self.sock = socket.socket(fileno=os.dup(browser.fileno))
        self._browser = browser
        self._sequence = 0
        self._memory = ffi.new("unsigned char[2048]")
        self._view = memoryview(ffi.buffer(self._memory))
        self._pointer = packet_pointer(int(ffi.cast("uintptr_t", self._memory)))
        self._length = new_length()

    def send(self) -> None:
        """The next packet."""
        self._sequence += 1
        HEADER.pack_into(
            self._view,
            0,
            0x80,
            PAYLOAD_TYPES["video"] | 0x80,
            self._sequence & 0xFFFF,
            self._sequence * VIDEO.ticks & 0xFFFFFFFF,
            self._browser.ssrc,
        )
        size = HEADER_BYTES + VIDEO.payload
        self._view[HEADER_BYTES : HEADER_BYTES + len(KEYFRAME)] = KEYFRAME
        self._length[0] = size
        srtp_protect(self._browser.contexts[0], self._pointer, self._length)
        self.sock.sendto(self._view[: self._length[0]], self._browser.remote)

    def drain(self) -> int:
        """Packets of video that have come."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.sock.recv(2048)
                count += len(data) > VIDEO.payload
        return count


def with_lines(offer: str, count: int) -> str:
    """The offer with that many lines for others' pictures."""
    mids = " ".join(f"r{index}" for index in range(count))
    lines = [
        "\r\n".join(
            [
                f"m=video 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPES['video']}",
                "c=IN IP4 0.0.0.0",
                "a=recvonly",
                f"a=mid:r{index}",
                *FORMATS["video"],
            ]
        )
        for index in range(count)
    ]
    offer = offer.replace("a=group:BUNDLE 0 1", f"a=group:BUNDLE 0 1 {mids}")
    return offer + "\r\n".join(lines) + "\r\n"


async def measure(members: int, rooms: int, seconds: float) -> Measurement:
    """Start a worker, fill its rooms, load them."""
    config = RelayConfig(bind_host=HOST, codecs=("PCMU",))
    async with RelayEngine(config) as engine:
        certificate = RTCCertificate.generateCertificate()
        browsers: dict[MediaCallId, LoadBrowser] = {}
        for number in range(members * rooms):
            call = MediaCallId(f"call-{number}")
            browser = browsers[call] = LoadBrowser(certificate, kind="video")
            await engine.open(call, room=f"room-{number % rooms}")
            answer = await engine.answer(call, Leg.BROWSER, await browser.offer())
            await browser.connect(answer.sdp)
            await engine.enter(call, name=call)
        for call, browser in browsers.items():
            offer = with_lines(await browser.offer(), members - 1)
            await engine.answer(call, Leg.BROWSER, offer)
        parties = [Member(browser) for browser in browsers.values()]
        pin(engine.worker_pids(), set(range(1, os.cpu_count() or 1)) or {0})
        favour(engine.worker_pids(), -15)
        os.sched_setaffinity(0, {0})
        gc.disable()
        load(parties, WARM_UP_S)
        cpu = cpu_seconds(engine.worker_pids())
        sent, received = load(parties, seconds)
        cpu = cpu_seconds(engine.worker_pids()) - cpu
        gc.enable()
        os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))
        favour(engine.worker_pids(), 0)
        for party in parties:
            party.sock.close()
        await asyncio.gather(*(each.close() for each in browsers.values()))
    megabits = received * 8 * VIDEO.payload / 1e6
    return Measurement(
        members=members,
        rooms=rooms,
        megabits=round(megabits / seconds, 1),
        cpu_ms_per_megabit=round(1000 * cpu / megabits, 2),
        cpu_us_per_packet=round(1e6 * cpu / received, 1),
        lost=sent * (members - 1) - received,
        forwarded=received,
    )


def load(parties: list[Member], seconds: float) -> tuple[int, int]:
    """Everybody sends; packets sent and received. Blocks the process on purpose."""
    sent = received = 0
    period = VIDEO.period_ms / 1000 / len(parties)
    begin = time.perf_counter()
    while (now := time.perf_counter() - begin) < seconds:
        # Members in turn, so that they do not send in one burst.
        while sent * period <= now:
            parties[sent % len(parties)].send()
            sent += 1
        for party in parties:
            received += party.drain()
    time.sleep(0.1)
    return sent, received + sum(party.drain() for party in parties)


async def run(options: argparse.Namespace) -> None:
    """All sizes, one after another."""
    use_only(HOST)
    for members in map(int, options.members.split(",")):
        measured = await measure(members, options.rooms, options.seconds)
        print(json.dumps(asdict(measured)), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.media.room")
    parser.add_argument("--members", default="3,5")
    parser.add_argument("--rooms", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=6.0)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(run(parse()))
