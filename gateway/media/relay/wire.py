"""Requests, responses and events between the control process and a worker.

Frames on a local stream socket: four bytes of length (big-endian), then JSON. Both
ends are the same version of this program, so there is no negotiation; a frame that
does not parse means a broken peer, and the connection ends.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from gateway.media.engine import (
    BrowserConnected,
    BrowserLost,
    DigitReceived,
    KeyframeWanted,
    Leg,
    MediaErrorKind,
    MediaStatistics,
    Negotiated,
    RoomChanged,
    SipMediaStarted,
)
from gateway.media.relay.config import RelayConfig

MAX_FRAME_BYTES = 256 * 1024

_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """First request: who the worker is."""

    type: Literal["configure"] = "configure"
    id: int
    index: int
    config: RelayConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """:meth:`~gateway.media.engine.MediaEngine.open`."""

    type: Literal["open"] = "open"
    id: int
    call: str
    room: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """:meth:`~gateway.media.engine.MediaEngine.answer`."""

    type: Literal["answer"] = "answer"
    id: int
    call: str
    leg: Leg
    offer: str
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """:meth:`~gateway.media.engine.MediaEngine.offer`."""

    type: Literal["offer"] = "offer"
    id: int
    call: str
    leg: Leg


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """:meth:`~gateway.media.engine.MediaEngine.accept`."""

    type: Literal["accept"] = "accept"
    id: int
    call: str
    leg: Leg
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDigits:
    """:meth:`~gateway.media.engine.MediaEngine.send_digits`."""

    type: Literal["send_digits"] = "send_digits"
    id: int
    call: str
    leg: Leg
    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKeyframe:
    """:meth:`~gateway.media.engine.MediaEngine.request_keyframe`."""

    type: Literal["request_keyframe"] = "request_keyframe"
    id: int
    call: str
    leg: Leg


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """:meth:`~gateway.media.engine.MediaEngine.enter`."""

    type: Literal["enter"] = "enter"
    id: int
    call: str
    name: str
    partner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """:meth:`~gateway.media.engine.MediaEngine.leave`."""

    type: Literal["leave"] = "leave"
    id: int
    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """:meth:`~gateway.media.engine.MediaEngine.hold`."""

    type: Literal["hold"] = "hold"
    id: int
    call: str
    is_held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hear:
    """:meth:`~gateway.media.engine.MediaEngine.hear`."""

    type: Literal["hear"] = "hear"
    id: int
    call: str
    others: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """:meth:`~gateway.media.engine.MediaEngine.drop`."""

    type: Literal["drop"] = "drop"
    id: int
    call: str
    leg: Leg


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """:meth:`~gateway.media.engine.MediaEngine.statistics`."""

    type: Literal["statistics"] = "statistics"
    id: int
    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """:meth:`~gateway.media.engine.MediaEngine.close`."""

    type: Literal["close"] = "close"
    id: int
    call: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCounters:
    """The worker's counters; also its heartbeat."""

    type: Literal["read_counters"] = "read_counters"
    id: int


Request = Annotated[
    Configure
    | Open
    | Answer
    | Offer
    | Accept
    | SendDigits
    | RequestKeyframe
    | Enter
    | Leave
    | Hold
    | Hear
    | Drop
    | Statistics
    | Close
    | ReadCounters,
    Field(discriminator="type"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Success of request ``id``; only the fields of its kind are set."""

    type: Literal["done"] = "done"
    id: int
    sdp: str = ""
    codec: str = ""
    renegotiate_browser: bool = False
    video: str = ""
    video_sends: bool = False
    video_receives: bool = False
    video_offered: bool = False
    sent: bool = False
    statistics: MediaStatistics | None = None
    counters: dict[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Request ``id`` raised a MediaError."""

    type: Literal["failed"] = "failed"
    id: int
    kind: MediaErrorKind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A :class:`BrowserConnected` event."""

    type: Literal["connected"] = "connected"
    event: BrowserConnected


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A :class:`BrowserLost` event."""

    type: Literal["lost"] = "lost"
    event: BrowserLost


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A :class:`SipMediaStarted` event."""

    type: Literal["started"] = "started"
    event: SipMediaStarted


@dataclass(frozen=True, slots=True, kw_only=True)
class Digit:
    """A :class:`DigitReceived` event."""

    type: Literal["digit"] = "digit"
    event: DigitReceived


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyframe:
    """A :class:`KeyframeWanted` event."""

    type: Literal["keyframe"] = "keyframe"
    event: KeyframeWanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A :class:`RoomChanged` event."""

    type: Literal["changed"] = "changed"
    event: RoomChanged


Reply = Annotated[
    Done | Failed | Connected | Lost | Started | Digit | Keyframe | Changed,
    Field(discriminator="type"),
]

WorkerEvent = (
    BrowserConnected
    | BrowserLost
    | SipMediaStarted
    | DigitReceived
    | KeyframeWanted
    | RoomChanged
)

_requests: TypeAdapter[Request] = TypeAdapter(Request)
_replies: TypeAdapter[Reply] = TypeAdapter(Reply)


class BrokenPeerError(Exception):
    """The other end sent something that is no frame of this protocol."""


def event_frame(event: WorkerEvent) -> Reply:
    """Wrap an event for the socket."""
    match event:
        case BrowserConnected():
            return Connected(event=event)
        case BrowserLost():
            return Lost(event=event)
        case SipMediaStarted():
            return Started(event=event)
        case DigitReceived():
            return Digit(event=event)
        case KeyframeWanted():
            return Keyframe(event=event)
        case RoomChanged():
            return Changed(event=event)


def negotiated_frame(request: int, agreed: Negotiated) -> Done:
    """What a description led to, for the socket."""
    return Done(
        id=request,
        sdp=agreed.sdp,
        codec=agreed.codec,
        renegotiate_browser=agreed.renegotiate_browser,
        video=agreed.video,
        video_sends=agreed.video_sends,
        video_receives=agreed.video_receives,
        video_offered=agreed.video_offered,
    )


def negotiated(done: Done) -> Negotiated:
    """The inverse of :func:`negotiated_frame`."""
    return Negotiated(
        sdp=done.sdp,
        codec=done.codec,
        renegotiate_browser=done.renegotiate_browser,
        video=done.video,
        video_sends=done.video_sends,
        video_receives=done.video_receives,
        video_offered=done.video_offered,
    )


def _frame(body: bytes) -> bytes:
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError("frame exceeds the limit")
    return _LENGTH.pack(len(body)) + body


def encode_request(request: Request) -> bytes:
    """A request as a frame; raises ValueError when it is too large."""
    return _frame(_requests.dump_json(request))


def encode_reply(reply: Reply) -> bytes:
    """A reply or event as a frame."""
    return _frame(_replies.dump_json(reply))


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request, None when the control process is gone."""
    body = await _read_frame(reader)
    if body is None:
        return None
    try:
        return _requests.validate_json(body)
    except ValidationError:
        raise BrokenPeerError("unreadable request") from None


async def read_reply(reader: asyncio.StreamReader) -> Reply | None:
    """The next reply or event, None when the worker is gone."""
    body = await _read_frame(reader)
    if body is None:
        return None
    try:
        return _replies.validate_json(body)
    except ValidationError:
        raise BrokenPeerError("unreadable reply") from None


async def _read_frame(reader: asyncio.StreamReader) -> bytes | None:
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > MAX_FRAME_BYTES:
            raise BrokenPeerError("frame exceeds the limit")
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
