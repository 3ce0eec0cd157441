"""Sound of the sandbox's phones: G.711 mu-law (ITU-T G.711) in 20 ms packets."""

from __future__ import annotations

import asyncio
import random
import struct
from collections import deque
from importlib import resources
from typing import cast

PACKET_MS = 20
SAMPLES = 160
SILENCE = b"\xff" * SAMPLES
# At most this much of what was heard waits to be played back.
ECHO_PACKETS = 150
ECHO_DELAY_PACKETS = 25
_HEADER = struct.Struct("!BBHII")


def recording(name: str) -> tuple[bytes, ...]:
    """A recording of ``gateway/sandbox/sounds`` as 20 ms payloads."""
    data = (
        resources.files("gateway.sandbox").joinpath(f"sounds/{name}.ulaw").read_bytes()
    )
    return tuple(data[i : i + SAMPLES] for i in range(0, len(data), SAMPLES))


class PhoneSound(asyncio.DatagramProtocol):
    """One call's RTP: says its recording once, then plays back what it hears.

    :meth:`talk` must run for as long as the call is up; it paces the packets.
    """

    def __init__(self, speech: tuple[bytes, ...], *, rng: random.Random) -> None:
        self._speech = deque(speech)
        self._heard: deque[bytes] = deque(maxlen=ECHO_PACKETS)
        self._ssrc = rng.getrandbits(32)
        self._sequence = rng.getrandbits(15)
        self._timestamp = rng.getrandbits(31)
        self._transport: asyncio.DatagramTransport | None = None
        self.remote: tuple[str, int] | None = None
        self.packets_heard = 0

    @classmethod
    async def open(
        cls, host: str, speech: tuple[bytes, ...], *, rng: random.Random
    ) -> PhoneSound:
        """Bind a UDP port of ``host``."""
        loop = asyncio.get_running_loop()
        _, sound = await loop.create_datagram_endpoint(
            lambda: cls(speech, rng=rng), local_addr=(host, 0)
        )
        return sound

    @property
    def port(self) -> int:
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr == self.remote and len(data) > 12 and data[1] & 0x7F == 0:
            self.packets_heard += 1
            self._heard.append(data[12:])

    async def talk(self) -> None:
        """Send a packet each 20 ms until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        echoing = False
        while True:
            if self._speech:
                payload = self._speech.popleft()
                self._heard.clear()
            else:
                echoing = echoing or len(self._heard) >= ECHO_DELAY_PACKETS
                payload = self._heard.popleft() if echoing and self._heard else SILENCE
                echoing = echoing and bool(self._heard)
            self._send(payload)
            due += PACKET_MS / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _send(self, payload: bytes) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + SAMPLES) & 0xFFFFFFFF
        if self._transport is not None and self.remote is not None:
            header = _HEADER.pack(0x80, 0, self._sequence, self._timestamp, self._ssrc)
            self._transport.sendto(header + payload, self.remote)

    def close(self) -> None:
        """Give the port back."""
        if self._transport is not None:
            self._transport.close()
