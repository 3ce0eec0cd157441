"""Session descriptions of browsers and phones, and an engine that reads them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.media.engine import Leg, MediaError, MediaErrorKind, Negotiated
from sip.errors import SipError
from sip.sdp import Direction, SessionDescription

BOTH, SEND, TAKE = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY


def phone(
    video: Direction | None = None,
    *,
    port: int = 5006,
    version: int = 1,
    audio: Direction | None = None,
) -> str:
    """A phone's description; ``port`` 0 with a direction is video that is refused."""
    lines = [
        "v=0",
        f"o=- 7 {version} IN IP4 192.0.2.7",
        "s=-",
        "c=IN IP4 192.0.2.7",
        "t=0 0",
        "m=audio 5004 RTP/AVP 0",
    ]
    if audio is not None:
        lines.append(f"a={audio}")
    if video is not None:
        lines += [f"m=video {port} RTP/AVP 96", "a=rtpmap:96 VP8/90000", f"a={video}"]
    return "\r\n".join([*lines, ""])


def browser(video: Direction | None = None, *, version: int = 1) -> str:
    """A browser's offer. Its video is bundled on the audio's port, so has 0."""
    lines = [
        "v=0",
        f"o=- 9 {version} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=ice-ufrag:abcd",
        "m=audio 9 UDP/TLS/RTP/SAVPF 0",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
    ]
    if video is not None:
        lines += [
            "m=video 0 UDP/TLS/RTP/SAVPF 96",
            "c=IN IP4 0.0.0.0",
            "a=bundle-only",
            "a=mid:1",
            "a=rtpmap:96 VP8/90000",
            f"a={video}",
        ]
    return "\r\n".join([*lines, ""])


def video_of(sdp: str) -> Direction | None:
    """Of a description, seen by who wrote it; None without video, or when refused."""
    try:
        session = SessionDescription.parse(sdp)
    except SipError:
        return None
    media = session.first("video")
    if media is None or session.direction(media) is Direction.INACTIVE:
        return None
    return session.direction(media)


def audio_of(sdp: str) -> Direction:
    """Of a description, seen by who wrote it."""
    session = SessionDescription.parse(sdp)
    media = session.first("audio")
    assert media is not None
    return session.direction(media)


def version_of(sdp: str) -> int:
    return SessionDescription.parse(sdp).origin.version


@dataclass(slots=True)
class Picture:
    """The video of one media call as an engine keeps it; None: no video there."""

    browser: Direction | None = None
    sip: Direction | None = None
    # The SIP side has spoken since the browser did.
    is_settled: bool = False
    # The SIP side's offer had video, and the browser had none.
    is_left_out: bool = False
    # Whether the engine knows a video codec of the browser's.
    has_codec: bool = True
    is_offering: bool = False
    version: int = 0
    # Descriptions of sound alone are SDP, too; else they are words.
    is_real: bool = False
    # What was described last; a version is new when that is.
    written: str = ""

    def answer(self, leg: Leg, offer: str) -> Negotiated:
        video = video_of(offer)
        if leg is Leg.BROWSER:
            self.browser = video if self.has_codec else None
            self.is_settled = False
            port = 9 if self.browser else 0
        else:
            self.is_offering = False
            self.is_settled = True
            self.sip = video if self.browser else None
            self.is_left_out = video is not None and self.browser is None
            port = 6006 if self.browser else 0
        sdp = f"answer to {offer}"
        if offer.startswith("v=0"):
            answered = None if video is None else video.mirrored
            sdp = self._phone(answered, port, audio_of(offer).mirrored)
        else:
            self.version += 1
        return self._negotiated(sdp)

    def _phone(
        self, video: Direction | None, port: int, audio: Direction | None = None
    ) -> str:
        body = phone(video, port=port, version=0, audio=audio)
        self.version += body != self.written or not self.is_real
        self.written = body
        return phone(video, port=port, version=self.version, audio=audio)

    def offer(self) -> str:
        self.is_offering = True
        if self.browser is None and self.sip is None:
            if self.is_real:
                return self._phone(None, 0)
            self.version += 1
            return "our offer"
        port = 6006 if self.browser else 0
        return self._phone(self.browser or BOTH, port)

    def accept(self, answer: str) -> Negotiated:
        if not self.is_offering:
            raise MediaError(MediaErrorKind.WRONG_STATE, "there was no offer")
        self.sip, self.is_settled, self.is_left_out = video_of(answer), True, False
        return self._negotiated("")

    def _negotiated(self, sdp: str) -> Negotiated:
        up, down = self.browser, self.sip
        if up is None or down is None:
            name = "VP8" if up is not None and not self.is_settled else ""
            is_offered = self.is_left_out and up is None
            return Negotiated(sdp, "PCMU", video=name, video_offered=is_offered)
        return Negotiated(
            sdp,
            "PCMU",
            video="VP8",
            video_sends=up.sends and down.receives,
            video_receives=up.receives and down.sends,
        )
