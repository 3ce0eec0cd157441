"""Feedback messages that a relay carries: NACK, PLI and FIR (RFC 4585, RFC 5104).

Everything else of their two packet types (REMB, transport-cc, SLI, TMMBR...) is
nobody's business on the other leg and not even parsed.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable
from dataclasses import dataclass

TRANSPORT_FEEDBACK = 205
PAYLOAD_FEEDBACK = 206

_GENERIC_NACK = 1
_PICTURE_LOSS = 1
_FULL_INTRA = 4

# A receiver that misses more needs a keyframe, not this many packets.
MAX_LOST = 256

_SOURCES = struct.Struct("!II")
_NACK_ITEM = struct.Struct("!HH")
_FIR_ITEM = struct.Struct("!IBxxx")


class KeyframeMessage(enum.Enum):
    """How a keyframe is asked for."""

    PICTURE_LOSS = enum.auto()
    FULL_INTRA = enum.auto()


@dataclass(frozen=True, slots=True)
class Nack:
    """The receiver misses these packets of ``ssrc``; sequence numbers, in order."""

    ssrc: int
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyframeRequest:
    """PLI or FIR: the receiver cannot decode ``ssrc`` without a keyframe."""

    ssrc: int


Feedback = Nack | KeyframeRequest


def parse_feedback(kind: int, form: int, body: bytes) -> list[Feedback]:
    """The messages of one feedback packet; none if it is another or malformed.

    Args:
        kind: RTCP packet type.
        form: FMT, the five bits that reports use as their count.
        body: what follows the four bytes of header.
    """
    if len(body) < _SOURCES.size:
        return []
    _, media = _SOURCES.unpack_from(body)
    items = body[_SOURCES.size :]
    if kind == TRANSPORT_FEEDBACK and form == _GENERIC_NACK:
        lost = _lost(items)
        return [Nack(media, lost)] if lost else []
    if kind == PAYLOAD_FEEDBACK and form == _PICTURE_LOSS:
        return [KeyframeRequest(media)]
    if kind == PAYLOAD_FEEDBACK and form == _FULL_INTRA:
        return [
            KeyframeRequest(_FIR_ITEM.unpack_from(items, at)[0])
            for at in range(0, len(items) - _FIR_ITEM.size + 1, _FIR_ITEM.size)
        ]
    return []


def _lost(items: bytes) -> tuple[int, ...]:
    lost: dict[int, None] = {}
    for at in range(0, len(items) - _NACK_ITEM.size + 1, _NACK_ITEM.size):
        first, following = _NACK_ITEM.unpack_from(items, at)
        lost[first] = None
        for bit in range(16):
            if following >> bit & 1:
                lost[(first + 1 + bit) & 0xFFFF] = None
        if len(lost) >= MAX_LOST:
            break
    return tuple(lost)[:MAX_LOST]


def nack_items(lost: Iterable[int]) -> bytes:
    """Sequence numbers, in order, as items of a generic NACK (RFC 4585 6.2.1)."""
    items: list[tuple[int, int]] = []
    for number in lost:
        if items:
            first, following = items[-1]
            behind = (number - first) & 0xFFFF
            if 1 <= behind <= 16:
                items[-1] = first, following | 1 << (behind - 1)
                continue
        items.append((number, 0))
    return b"".join(_NACK_ITEM.pack(*item) for item in items)


def build_nack(sender: int, media: int, lost: Iterable[int]) -> bytes:
    """A generic NACK packet."""
    body = _SOURCES.pack(sender, media) + nack_items(lost)
    return _packet(TRANSPORT_FEEDBACK, _GENERIC_NACK, body)


def build_keyframe_request(
    message: KeyframeMessage, sender: int, media: int, number: int
) -> bytes:
    """A PLI, or a FIR with this command number (RFC 5104 4.3.1.1)."""
    if message is KeyframeMessage.PICTURE_LOSS:
        return _packet(PAYLOAD_FEEDBACK, _PICTURE_LOSS, _SOURCES.pack(sender, media))
    body = _SOURCES.pack(sender, 0) + _FIR_ITEM.pack(media, number & 0xFF)
    return _packet(PAYLOAD_FEEDBACK, _FULL_INTRA, body)


def _packet(kind: int, form: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | form, kind, len(body) // 4) + body
