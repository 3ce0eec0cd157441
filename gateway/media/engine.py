"""The media engine as the rest of the gateway sees it: SDP goes in, SDP comes out.

A *media call* has two legs, ``browser`` (ICE, DTLS-SRTP, always the offerer) and
``sip`` (plain RTP). Whoever implements :class:`MediaEngine` moves packets between
them; nobody else ever touches one. The shape follows rtpengine's ng protocol, so
that the embedded relay and rtpengine can pass the same contract tests.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NewType, Protocol

MediaCallId = NewType("MediaCallId", str)


class Leg(enum.StrEnum):
    """The two sides of a media call."""

    BROWSER = "browser"
    SIP = "sip"


class MediaErrorKind(enum.StrEnum):
    """Why the engine refused; the call layer maps it to a SIP status or an error."""

    BAD_SDP = "bad_sdp"
    NO_COMMON_CODEC = "no_common_codec"
    UNKNOWN_CALL = "unknown_call"
    WRONG_STATE = "wrong_state"
    NO_CAPACITY = "no_capacity"
    ENGINE_LOST = "engine_lost"


class MediaError(Exception):
    """An engine operation failed; ``str()`` is fit for a log, never for SIP."""

    def __init__(self, kind: MediaErrorKind, detail: str) -> None:
        super().__init__(f"{kind.value}: {detail}")
        self.kind = kind
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What a leg agreed on after an answer in either direction.

    Attributes:
        sdp: our answer (from :meth:`MediaEngine.answer`), else ``""``.
        codec: encoding name as in rtpmap, e.g. ``"PCMU"``.
        renegotiate_browser: the SIP side chose another codec (of audio or video)
            than the browser now sends, or limits the video; ask the browser for a
            new offer of the same generation.
        video: encoding name of the video both sides agreed on, e.g. ``"VP8"``; for
            the browser, before the SIP side has spoken, the first common one; ``""``
            without video.
        video_sends: the browser's video goes to the far end.
        video_receives: the far end's video goes to the browser.
        video_offered: the SIP side's description has an active video that was left
            out because the browser leg has none; the browser may be asked to add it.
    """

    sdp: str
    codec: str
    renegotiate_browser: bool = False
    video: str = ""
    video_sends: bool = False
    video_receives: bool = False
    video_offered: bool = False


@dataclass(frozen=True, slots=True)
class LegStatistics:
    """RTP and RTCP counters of one leg (RFC 3550 terms).

    ``jitter_ms`` and ``round_trip_ms`` are milliseconds, ``lost`` packets the leg's
    remote sent and we did not get, ``remote_lost`` what its reports say of ours;
    ``mos`` the E-model estimate 1.0 to 4.5 (ITU-T G.107), None before media.
    """

    packets_received: int = 0
    packets_sent: int = 0
    lost: int = 0
    remote_lost: int = 0
    jitter_ms: float = 0.0
    round_trip_ms: float | None = None
    dropped: int = 0
    mos: float | None = None


@dataclass(frozen=True, slots=True)
class MediaStatistics:
    """Both legs at one moment; those of video are None while there was none."""

    browser: LegStatistics = field(default_factory=LegStatistics)
    sip: LegStatistics = field(default_factory=LegStatistics)
    browser_video: LegStatistics | None = None
    sip_video: LegStatistics | None = None


@dataclass(frozen=True, slots=True)
class BrowserConnected:
    """ICE and DTLS of this generation are up and its first SRTP packet verified."""

    call: MediaCallId
    generation: int


@dataclass(frozen=True, slots=True)
class BrowserLost:
    """No consent (RFC 7675) or DTLS failure: the browser is gone for now.

    ``reason`` is ``consent``, ``dtls``, ``ice_timeout`` or ``closed``.
    """

    call: MediaCallId
    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class SipMediaStarted:
    """First accepted RTP packet from the SIP side."""

    call: MediaCallId


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """A finished telephone-event (RFC 4733), one of ``0-9*#A-D``."""

    call: MediaCallId
    leg: Leg
    digit: str


@dataclass(frozen=True, slots=True)
class KeyframeWanted:
    """The remote of ``leg`` should send a keyframe and RTCP cannot tell it so.

    Ask it another way (SIP INFO ``media_control``, RFC 5168), or not at all.
    """

    call: MediaCallId
    leg: Leg


@dataclass(frozen=True, slots=True)
class EngineLost:
    """The worker that carried the call died; open the call again elsewhere."""

    call: MediaCallId


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """The browser should get other streams of its room than its last answer says; ask
    it for a new offer of the same generation, with enough receiving lines."""

    call: MediaCallId


MediaEvent = (
    BrowserConnected
    | BrowserLost
    | SipMediaStarted
    | DigitReceived
    | KeyframeWanted
    | RoomChanged
    | EngineLost
)


class MediaEngine(Protocol):
    """Owner of all packets. Every method raises :class:`MediaError`."""

    def subscribe(self, on_event: Callable[[MediaEvent], None]) -> None:
        """Hand events to ``on_event``, in order, in the loop; it must not block."""

    async def open(
        self, call: MediaCallId, *, room: str = "", beside: str = ""
    ) -> None:
        """Reserve a worker and a port pair for a new call.

        Calls of one ``room`` share a worker (design 010); "" is no room. Calls with
        the same ``beside`` do so too, as far as their rooms allow, so that they can
        :meth:`hear` each other.
        """

    async def answer(
        self, call: MediaCallId, leg: Leg, offer: str, *, generation: int = 1
    ) -> Negotiated:
        """Answer the leg's remote party's SDP offer.

        For the browser leg: a higher ``generation`` with new ICE credentials builds
        a second transport beside the live one and switches on its first verified
        SRTP packet; the same credentials renegotiate codecs on the live one; the
        same generation and offer again give the same answer (idempotent).
        For the SIP leg (incoming INVITE, re-INVITE): the answer holds the codecs
        that the browser leg can also do, in the offer's order.
        """

    async def offer(self, call: MediaCallId, leg: Leg) -> str:
        """Our own SDP offer to the leg's remote party (SIP leg only)."""

    async def accept(self, call: MediaCallId, leg: Leg, answer: str) -> Negotiated:
        """Take the remote party's answer to :meth:`offer`; again on each fork's."""

    async def send_digits(self, call: MediaCallId, leg: Leg, digits: str) -> bool:
        """Send telephone-events towards the leg's remote; False: not negotiated."""

    async def request_keyframe(self, call: MediaCallId, leg: Leg) -> None:
        """Ask the remote of ``leg`` for a keyframe; nothing happens without video.

        The call layer does so when the other leg's remote asked for one by other
        means than RTCP (SIP INFO ``media_control``).
        """

    async def enter(
        self, call: MediaCallId, *, name: str, partner: MediaCallId | None = None
    ) -> None:
        """Bring the call's browser into its room; again: as before, but so.

        From now on what it sends goes to the browsers of all others who are in, and
        theirs to it, in further receiving lines of their offers (design 010).

        Args:
            name: stream id under which others receive it, a token of RFC 8830.
            partner: who hears it by SIP already, and is heard so.

        Raises:
            MediaError: WRONG_STATE: it was opened without a room, or has no browser.
        """

    async def leave(self, call: MediaCallId) -> None:
        """Take it out again; nothing happens if it is not in."""

    async def hold(self, call: MediaCallId, *, is_held: bool) -> None:
        """Part the two sides, or bring them together again (design 013).

        While held, the far end hears music instead of the browser, and nothing of the
        far end's goes to the browser; what ``hear`` says goes on. Directions in SDP
        are the caller's affair.
        """

    async def hear(self, call: MediaCallId, others: frozenset[MediaCallId]) -> None:
        """Mix what the far ends of ``others`` send into what goes to this one's.

        It hears its own browser besides, unless held or gone; () is the ordinary call
        of two. Both directions need a call each (design 013). Others that are not
        open yet are heard as soon as they are, in this worker.

        Raises:
            MediaError: WRONG_STATE: one of them is in another worker; NO_CAPACITY:
                more than seven.
        """

    async def drop(self, call: MediaCallId, leg: Leg) -> None:
        """The SIP side is over: nothing goes there or comes from there any more.

        The browser and its room go on; a later offer or answer of the SIP side begins
        it anew. Of the browser leg: the rep has left for good, and what :meth:`hear`
        says goes on between the far ends. A call that has had no browser yet goes
        without one from then on: :meth:`offer` needs none.
        """

    async def statistics(self, call: MediaCallId) -> MediaStatistics:
        """Counters now, of the call's own streams.

        What goes from and to others of a room beside them is not in here; the
        browser's own packets are, also while only a room gets them.
        """

    async def close(self, call: MediaCallId) -> MediaStatistics:
        """Free everything; last counters. Unknown calls raise UNKNOWN_CALL."""
