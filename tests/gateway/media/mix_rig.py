"""Voices and ears: who says what tone, and which tones somebody hears."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.media.engine import BrowserConnected, MediaEngine
from gateway.media.relay.codecs import CODECS, Codec
from gateway.media.relay.sound_codecs import (
    Decoder,
    Encoder,
    Samples,
    SoundCodecs,
    UndecodableError,
    frame_samples,
    sample_rate,
)
from tests.gateway.media.rig import (
    RTPMAPS,
    Browser,
    Events,
    Inbox,
    Joined,
    Phone,
    join,
    leave,
)

# No multiple of another, and none in the music.
TONES = (431, 617, 811, 1013, 1237, 1429, 1621, 1873)
LOUDNESS = 4000.0
# Of the loudness; between them nobody can say.
HEARD, SILENT = 0.35, 0.04
# 300 ms tell tones 50 Hz apart even through a window that hides its edges.
WINDOW_S = 0.3
# How much is listened to before it is said that nothing else is heard.
PROOF_PACKETS = 20

_codecs = SoundCodecs()


def tone(frequency: float, rate: int, start: int, count: int) -> Samples:
    at = np.arange(start, start + count) / rate
    return np.rint(LOUDNESS * np.sin(2 * np.pi * frequency * at)).astype(np.int16)


def level(samples: npt.NDArray[Any], rate: int, frequency: float) -> float:
    """Share of :data:`LOUDNESS` that this tone has."""
    window = np.hanning(len(samples))
    turn = np.exp(-2j * np.pi * frequency * np.arange(len(samples)) / rate)
    amplitude = 2 * abs(np.sum(samples * window * turn)) / window.sum()
    return float(amplitude / LOUDNESS)


class Voice:
    """Says one tone, a frame every 20 ms, until it is stopped."""

    def __init__(
        self, who: Browser | Phone, codec: Codec, payload_type: int, frequency: float
    ) -> None:
        self.frequency = frequency
        self._who = who
        self._codec = codec
        self._payload_type = payload_type
        self._encoder: Encoder = _codecs.encoder(codec)
        self._at = 0
        self._task = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await self._say()
            due += 0.02
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _say(self) -> None:
        size = frame_samples(self._codec)
        frame = tone(self.frequency, sample_rate(self._codec), self._at, size)
        self._at += size
        payload = self._encoder.encode(frame)
        ticks = self._codec.frame_ticks
        if isinstance(self._who, Phone):
            self._who.send(payload, payload_type=self._payload_type, ticks=ticks)
        else:
            with contextlib.suppress(ConnectionError):
                await self._who.send(
                    payload, payload_type=self._payload_type, ticks=ticks
                )

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()


class Ear:
    """Decodes what comes into an inbox, one codec."""

    def __init__(self, inbox: Inbox, codec: Codec, payload_type: int) -> None:
        self.inbox = inbox
        self.codec = codec
        self._payload_type = payload_type
        self._decoder: Decoder = _codecs.decoder(codec)
        self._read = 0
        self._rate = sample_rate(codec)
        self._heard: npt.NDArray[np.int16] = np.zeros(0, np.int16)

    def samples(self) -> npt.NDArray[np.int16]:
        """The last :data:`WINDOW_S`."""
        for packet in self.inbox.rtp[self._read :]:
            if packet.payload_type == self._payload_type:
                with contextlib.suppress(UndecodableError):
                    decoded = self._decoder.decode(packet.payload)
                    self._heard = np.concatenate([self._heard, decoded])
        self._read = len(self.inbox.rtp)
        self._heard = self._heard[-round(WINDOW_S * self._rate) :]
        return self._heard

    def restart(self) -> None:
        """What comes from now on is of another sender."""
        self.samples()
        self._decoder = _codecs.decoder(self.codec)
        self._heard = self._heard[:0]

    def tones(self, among: Collection[float]) -> set[float] | None:
        """Which of them are heard; None: too early, or one is neither nor."""
        samples = self.samples()
        if len(samples) < WINDOW_S * self._rate:
            return None
        levels = {each: level(samples, self._rate, each) for each in among}
        if any(SILENT < each < HEARD for each in levels.values()):
            return None
        return {each for each, value in levels.items() if value >= HEARD}

    async def hears(
        self, tones: Iterable[float], *, among: Collection[float] = TONES
    ) -> None:
        """Wait until these and no other tones are heard, and go on being heard."""
        expected = set(tones)
        try:
            await self.inbox.until(lambda: self.tones(among) == expected)
            count = len(self.inbox.rtp)
            await self.inbox.until(lambda: len(self.inbox.rtp) >= count + PROOF_PACKETS)
        except TimeoutError:
            raise AssertionError(self._described(expected, among)) from None
        assert self.tones(among) == expected, self._described(expected, among)

    def _described(self, expected: set[float], among: Collection[float]) -> str:
        samples = self.samples()
        levels = {each: round(level(samples, self._rate, each), 3) for each in among}
        return f"expected {expected}, but heard {levels} in {len(samples)} samples"


@dataclass
class Conversation:
    """A joined call, with a tone for each side and an ear on each."""

    joined: Joined
    browser_voice: Voice
    phone_voice: Voice
    browser_ear: Ear
    phone_ear: Ear

    @property
    def codec(self) -> str:
        return self.phone_ear.codec.name

    @property
    def said_by_browser(self) -> float:
        return self.browser_voice.frequency

    @property
    def said_by_phone(self) -> float:
        return self.phone_voice.frequency


def media_number(sdp: str, encoding: str) -> int:
    """Our payload type for an encoding in an SDP of ours."""
    for line in sdp.splitlines():
        if line.startswith("a=rtpmap:") and line.split()[1] == encoding:
            return int(line.split()[0].removeprefix("a=rtpmap:"))
    raise LookupError(encoding)


async def talk(
    engine: MediaEngine,
    events: Events,
    codec: str,
    tones: tuple[float, float],
    *,
    beside: str = "",
) -> Conversation:
    """A call in one codec on both sides, on which both say their tone."""
    number, encoding = RTPMAPS[codec]
    extra = ("te48",) if codec == "opus" else ("te8",)
    joined = await join(
        engine,
        browser_codecs=(codec, *extra),
        phone_codecs=(codec, *extra),
        beside=beside,
    )
    found = CODECS[codec.lower()]
    conversation = Conversation(
        joined,
        Voice(joined.browser, found, number, tones[0]),
        Voice(joined.phone, found, media_number(joined.sip_offer, encoding), tones[1]),
        Ear(joined.browser.inbox, found, number),
        Ear(joined.phone.inbox, found, number),
    )
    await events.wait(BrowserConnected(joined.call, 1))
    return conversation


@contextlib.asynccontextmanager
async def talking(
    engine: MediaEngine,
    events: Events,
    codecs: Sequence[str],
    *,
    beside: str = "",
) -> AsyncIterator[list[Conversation]]:
    """Such calls, one for each codec."""
    calls: list[Conversation] = []
    try:
        for index, codec in enumerate(codecs):
            tones = TONES[2 * index], TONES[2 * index + 1]
            calls.append(await talk(engine, events, codec, tones, beside=beside))
        yield calls
    finally:
        for each in calls:
            await each.browser_voice.stop()
            await each.phone_voice.stop()
            await leave(each.joined)


async def all_hear(
    calls: Sequence[Conversation],
    expected: Callable[[Conversation], tuple[set[float], set[float]]],
) -> None:
    """Each phone and each browser hears what ``expected`` says, at once."""
    async with asyncio.TaskGroup() as group:
        for each in calls:
            by_phone, by_browser = expected(each)
            group.create_task(each.phone_ear.hears(by_phone))
            group.create_task(each.browser_ear.hears(by_browser))
