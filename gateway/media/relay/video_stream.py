"""One direction of a call's video: retransmission, and a beginning that decodes.

Two things are other than in audio. A lost packet is worth waiting for: the receiver
may ask for it by its outgoing number, which is answered from what was sent, or asked
of the source by its own number. And a decoder cannot begin anywhere: after a hold, a
new source or a receiver that has just come, nothing goes out before a keyframe, or
before it is clear that none is coming (a telephone that refreshes its picture bit by
bit never sends one).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping

from gateway.media.relay.stream import (
    DROPPED,
    HEADER_BYTES,
    HELD,
    MARKER,
    UNKNOWN,
    Mute,
    RelayedStream,
)
from gateway.media.relay.video_codecs import VIDEO_CLOCK_RATE
from gateway.media.relay.video_payload import starts_keyframe

# Packets kept for receivers that miss them; a power of two below 2**16.
HISTORY = 256

# How long packets are held back for a keyframe once they come.
KEYFRAME_PATIENCE_S = 2.0

# A packet that has not come by then will not come.
REPAIR_S = 1.0

_PAYLOAD_HEAD = 48
_MASK16 = 0xFFFF


class VideoStream(RelayedStream):
    """A :class:`RelayedStream` of video; see the module's docstring.

    Args:
        on_undecodable: called when a keyframe is needed to go on.
        on_gap: called with the time when packets are missed for the first time.
    """

    max_misorder = 1024
    max_missing = 512
    first_marker = 0

    __slots__ = ("_held_since", "_history", "_names", "_on_gap", "_on_undecodable")

    def __init__(
        self,
        *,
        ssrc: int,
        rng: random.Random,
        on_undecodable: Callable[[], None],
        on_gap: Callable[[float], None],
    ) -> None:
        super().__init__(ssrc=ssrc, rng=rng, clock_rate=VIDEO_CLOCK_RATE)
        self._on_undecodable = on_undecodable
        self._on_gap = on_gap
        self._names: Mapping[int, str] = {}
        self._history: list[bytes] | None = None
        self._held_since: float | None = None
        self._mutes.add(Mute.NO_KEYFRAME)

    def set_payloads(self, types: Mapping[int, int], names: Mapping[int, str]) -> None:
        """Replace the payload table; ``names`` are the encodings of incoming types."""
        table = [UNKNOWN] * 256
        for incoming, outgoing in types.items():
            table[incoming] = outgoing
            table[incoming | MARKER] = outgoing | MARKER
        self._names = names
        self._set_table(table, VIDEO_CLOCK_RATE)

    def keep_history(self, *, wanted: bool) -> None:
        """Whether the receiver may ask for packets again."""
        if not wanted:
            self._history = None
        elif self._history is None:
            self._history = [b""] * HISTORY

    # Keyframes

    @property
    def holds_back(self) -> bool:
        """Whether packets come and are kept from going out for want of a keyframe."""
        return self._mutes == {Mute.NO_KEYFRAME} and self._held_since is not None

    def unmute(self, reason: Mute) -> None:
        """As in the base; what comes next has to begin with a keyframe."""
        if reason in self._mutes and reason is not Mute.NO_KEYFRAME:
            self.await_keyframe()
        super().unmute(reason)

    def new_source(self) -> None:
        """As in the base; another sender's picture begins with a keyframe."""
        super().new_source()
        self.await_keyframe()

    def await_keyframe(self) -> None:
        """Another receiver, or another sender: nothing goes out before a keyframe."""
        self._held_since = None
        self.mute(Mute.NO_KEYFRAME)

    def _adopt(self, ssrc: int, sequence: int, timestamp: int, now: float) -> None:
        is_other = self._heard_ssrc is not None and ssrc != self._heard_ssrc
        super()._adopt(ssrc, sequence, timestamp, now)
        if is_other:
            self._on_undecodable()

    def _advance(self, delta: int, sequence: int, timestamp: int, now: float) -> bool:
        known = len(self._missing)
        moves = super()._advance(delta, sequence, timestamp, now)
        if len(self._missing) > known and not self._mutes:
            self._on_gap(now)
        return moves

    def _exceptional(
        self, packet: memoryview, length: int, shift: int, entry: int, now: float
    ) -> int:
        if entry == HELD and self._mutes == {Mute.NO_KEYFRAME}:
            is_first = self._held_since is None
            since = self._held_since = (
                now if self._held_since is None else self._held_since
            )
            if now - since >= KEYFRAME_PATIENCE_S or self._is_keyframe(
                packet, length, shift
            ):
                self.unmute(Mute.NO_KEYFRAME)
                return self.rewrite(packet, length, now)
            if is_first:
                super()._exceptional(packet, length, shift, entry, now)
                self._on_undecodable()
                return DROPPED
        return super()._exceptional(packet, length, shift, entry, now)

    def _is_keyframe(self, packet: memoryview, length: int, shift: int) -> bool:
        start = HEADER_BYTES + shift
        name = self._names.get(packet[1] & 0x7F, "")
        return starts_keyframe(
            name, bytes(packet[start : min(length, start + _PAYLOAD_HEAD)])
        )

    # Retransmission

    def rewrite(self, packet: memoryview, length: int, now: float) -> int:
        """As in the base, and remember what goes out."""
        start = super().rewrite(packet, length, now)
        if start >= 0 and self._history is not None:
            number = packet[start + 2] << 8 | packet[start + 3]
            self._history[number % HISTORY] = bytes(packet[start:length])
        return start

    def sent_packet(self, number: int) -> bytes | None:
        """The packet that went out with this sequence number, if still kept."""
        if self._history is None:
            return None
        packet = self._history[number % HISTORY]
        if len(packet) < HEADER_BYTES or packet[2] << 8 | packet[3] != number:
            return None
        return packet

    def source_numbers(self, numbers: Iterable[int]) -> list[int]:
        """Of these outgoing numbers those that never came, as the source numbers
        them."""
        outgoing = self.highest + self.sequence_offset
        missing: list[int] = []
        for number in numbers:
            sequence = self.highest - ((outgoing - number) & _MASK16)
            if sequence in self._missing:
                missing.append(sequence & _MASK16)
        return missing

    def missing_numbers(self, *, since: float = 0.0) -> list[int]:
        """What is missed since then, as the source numbers it."""
        return [
            sequence & _MASK16
            for sequence, moment in self._missing.items()
            if moment >= since
        ]

    def give_up_missing(self, now: float) -> bool:
        """Forget what will not come any more; whether there was any."""
        late = [
            sequence
            for sequence, since in self._missing.items()
            if now - since >= REPAIR_S
        ]
        for sequence in late:
            del self._missing[sequence]
        return bool(late)
