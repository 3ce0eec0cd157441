"""The media of a gateway for the widget's tests: real packets, by aiortc.

What the far end sends is said by the test. Others of a meeting (:class:`Member`) are
sent in further lines of the same connection, as the gateway proper does it: each in the
same line as long as they are there, told by the stream id of the answer's ``a=msid``,
a line with nobody in it ``inactive`` (docs/design/010).
"""

from __future__ import annotations

import asyncio
import fractions
import math
import re
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack
from av import AudioFrame, VideoFrame

from gateway.sessions import wire

# The widget sends no candidates, as the gateway proper is ICE-lite. aiortc wants one
# to have something to check while the browser's own checks arrive.
PLACEHOLDER_CANDIDATE = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
RATE_HZ = 48_000
FRAME_S = 0.02


@dataclass(frozen=True)
class Member:
    """Somebody else in a meeting; ``id`` "" sends by the call's own lines.

    ``tone`` in Hz, ``shade`` of their picture from 0 to 255; None sends no picture.
    """

    id: str
    name: str
    is_host: bool = False
    tone: int = 500
    shade: int | None = 120

    @property
    def view(self) -> wire.Participant:
        return wire.Participant(id=self.id, name=self.name, is_host=self.is_host)


class Picture(VideoStreamTrack):
    """Small and slow, so that its encoder costs the tests little."""

    def __init__(self, shade: int = 90) -> None:
        super().__init__()
        self._shade = shade

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(0.1)
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame(width=160, height=90)
        for plane, value in zip(frame.planes, (self._shade, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(MediaStreamTrack):
    """A sine, paced by the loop's clock."""

    kind = "audio"

    def __init__(self, hertz: int) -> None:
        super().__init__()
        self._hertz = hertz
        self._sent = 0
        self._began = asyncio.get_running_loop().time()

    async def recv(self) -> AudioFrame:
        count = int(RATE_HZ * FRAME_S)
        due = self._began + self._sent / RATE_HZ
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        step = 2 * math.pi * self._hertz / RATE_HZ
        samples = array(
            "h",
            (int(8000 * math.sin(step * (self._sent + i))) for i in range(count)),
        )
        frame = AudioFrame(format="s16", layout="mono", samples=count)
        frame.planes[0].update(samples.tobytes())
        frame.pts, frame.sample_rate = self._sent, RATE_HZ
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        self._sent += count
        return frame


def sections(sdp: str) -> list[str]:
    head, *media = sdp.split("\r\nm=")
    return [
        f"{head}\r\n",
        *(f"m={each.rstrip(chr(13) + chr(10))}\r\n" for each in media),
    ]


def video_of(sdp: str) -> str:
    """The description's own video, '' when there is none or it is refused."""
    for each in sections(sdp)[1:]:
        if each.startswith("m=video ") and not is_refused(each) and not is_room(each):
            return each
    return ""


def is_refused(section: str) -> bool:
    """Port 0 says so, save where the media only shares another's (Firefox offers)."""
    return section.startswith("m=video 0 ") and "a=bundle-only" not in section


def is_room(section: str) -> bool:
    """A line that does not send is there for others of a meeting."""
    lines = section.splitlines()
    return "a=recvonly" in lines or "a=inactive" in lines


def rooms_of(offer: str, kind: str) -> list[str]:
    """Mids of the offer's lines that somebody of a meeting may be in."""
    return [
        mid_of(each)
        for each in sections(offer)[1:]
        if each.startswith(f"m={kind} ") and "a=recvonly" in each.splitlines()
    ]


def mid_of(section: str) -> str:
    return section.partition("a=mid:")[2].splitlines()[0]


def refusal_of(section: str) -> str:
    return (
        "m=video 0 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n"
        f"a=mid:{mid_of(section)}\r\na=inactive\r\n"
    )


@dataclass
class Link:
    """One generation of a call's media."""

    connection: RTCPeerConnection
    # Who is in a line, by its mid.
    seats: dict[str, Member] = field(default_factory=dict)


class FakeMedia:
    """``changed`` is called whenever a connection's state has changed."""

    def __init__(self, changed: Callable[[], Awaitable[None]]) -> None:
        self._changed = changed
        self._links: dict[tuple[str, int], Link] = {}
        # Refuses the calls' own video.
        self.refuses_video = False
        # Those whose media there is, by call.
        self.members: dict[str, tuple[Member, ...]] = {}

    async def close(self) -> None:
        for link in self._links.values():
            await link.connection.close()

    def has(self, call_id: str, generation: int) -> bool:
        return (call_id, generation) in self._links

    def is_up(self, call_id: str, generation: int) -> bool:
        link = self._links.get((call_id, generation))
        return link is not None and link.connection.connectionState == "connected"

    async def kill(self, call_id: str, generation: int) -> None:
        await self._links[(call_id, generation)].connection.close()

    def seats(self, call_id: str, generation: int) -> dict[str, str]:
        """Ids of those in the lines of a connection, by mid."""
        link = self._links[(call_id, generation)]
        return {mid: member.id for mid, member in link.seats.items()}

    async def answer(self, call_id: str, offer: str, generation: int) -> str:
        key = (call_id, generation)
        link = self._links.get(key)
        if link is None:
            connection = RTCPeerConnection(
                RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
            )
            connection.addTrack(AudioStreamTrack())
            connection.on("connectionstatechange", self._changed)
            link = self._links[key] = Link(connection)
            offer = offer.rstrip("\r\n") + "\r\n" + PLACEHOLDER_CANDIDATE
        head, *offered = sections(offer)
        connection = link.connection
        _retire(connection, offered)
        own = video_of(offer)
        if self.refuses_video and own:
            offered = [_refused(each) if each == own else each for each in offered]
        elif own and not any(
            each.kind == "video" and each.mid == mid_of(own)
            for each in connection.getTransceivers()
        ):
            # Not by `addTrack`, which takes a line with nobody in it.
            connection.addTransceiver(Picture(), direction="sendrecv")
        # aiortc knows no refused media: to it they are inactive, or not there at all.
        told = [
            each.replace("m=video 0 ", "m=video 9 ", 1)
            for each in offered
            if not is_refused(each) or has_line(connection, mid_of(each))
        ]
        described = RTCSessionDescription("".join([head, *told]), "offer")
        await connection.setRemoteDescription(described)
        for kind in ("audio", "video"):
            self._seat(link, call_id, kind, rooms_of(offer, kind))
        await connection.setLocalDescription(await connection.createAnswer())
        head, *made = sections(connection.localDescription.sdp)
        answers = {mid_of(each): _named(each, link.seats) for each in made}
        refused = [mid_of(each) for each in offered if is_refused(each)]
        return _unbundled(head, refused) + "".join(
            refusal_of(each) if is_refused(each) else answers[mid_of(each)]
            for each in offered
        )

    def _seat(self, link: Link, call_id: str, kind: str, mids: list[str]) -> None:
        """Who is there stays where they are; who comes takes the first free line."""
        coming = [
            each
            for each in self.members.get(call_id, ())
            if each.id and (kind == "audio" or each.shade is not None)
        ]
        lines: dict[str, RTCRtpTransceiver] = {
            each.mid: each
            for each in link.connection.getTransceivers()
            if each.kind == kind and (each.mid in mids or each.mid in link.seats)
        }
        for mid, line in lines.items():
            if mid not in mids or link.seats.get(mid) not in coming:
                link.seats.pop(mid, None)
                line.direction = "inactive"
                line.sender.replaceTrack(None)
        seated = [link.seats[mid] for mid in lines if mid in link.seats]
        free = [mid for mid in mids if mid not in link.seats]
        new = [each for each in coming if each not in seated]
        for mid, member in zip(free, new, strict=False):
            link.seats[mid] = member
            lines[mid].direction = "sendonly"
            lines[mid].sender.replaceTrack(
                Tone(member.tone) if kind == "audio" else Picture(member.shade or 0)
            )


def _refused(section: str) -> str:
    return re.sub(r"^m=video \d+ ", "m=video 0 ", section)


def has_line(connection: RTCPeerConnection, mid: str) -> bool:
    return any(each.mid == mid for each in connection.getTransceivers())


def _unbundled(head: str, mids: list[str]) -> str:
    """Without those in the group."""
    group = re.search(r"(?m)^a=group:BUNDLE (.*?)\r?$", head)
    assert group is not None
    kept = [each for each in group[1].split() if each not in mids]
    return head[: group.start(1)] + " ".join(kept) + head[group.end(1) :]


def _retire(connection: RTCPeerConnection, offered: list[str]) -> None:
    """Lines whose place another has taken; aiortc keeps both in one place."""
    for each in connection.getTransceivers():
        index = each._get_mline_index()
        if index is not None and mid_of(offered[index]) != each.mid:
            each._set_mline_index(None)
            each._set_mid(f"retired-{each.mid}")
            each.sender.replaceTrack(None)


def _named(section: str, seats: dict[str, Member]) -> str:
    """With the stream id of who is in the line."""
    member = seats.get(mid_of(section))
    if member is None:
        return section
    return re.sub(r"(?m)^a=msid:\S+", f"a=msid:{member.id}", section)
