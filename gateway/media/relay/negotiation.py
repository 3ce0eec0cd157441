"""Offer and answer of both legs of one call (RFC 3264). Pure: text in, text out.

The browser is answered before the SIP side has said anything, with every codec both
it and we know, in the order in which the SIP side will be offered them. When the SIP
side then takes another codec than the browser's first, the browser is asked for a new
offer and answered with exactly that codec. Nothing is ever transcoded, so what counts
is which codecs both legs hold at once; :meth:`Negotiation.routes` turns that into
payload tables. Video has its own state (``video_negotiation``); here its m-lines get
their place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.media.engine import Leg, MediaError, MediaErrorKind
from gateway.media.relay.audio_stream import AudioRoute, EventRoute
from gateway.media.relay.codecs import (
    CODECS,
    EVENT_PAYLOAD_TYPES,
    TELEPHONE_EVENT,
    Codec,
)
from gateway.media.relay.description import RemoteDescription, RemoteMedia
from gateway.media.relay.media_lines import (
    LocalBrowserSide,
    OutgoingStream,
    browser_media_lines,
    family,
    format_lines,
    rejected_lines,
)
from gateway.media.relay.sip_lines import SIP_PROTOCOLS, SipLines
from gateway.media.relay.video_negotiation import VideoNegotiation
from sip.sdp import Direction

BROWSER_PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP")


@dataclass(frozen=True, slots=True)
class Routes:
    """Payload tables of both directions, for the streams."""

    codec: Codec
    up_audio: Mapping[int, AudioRoute]
    up_events: Mapping[int, EventRoute]
    down_audio: Mapping[int, AudioRoute]
    down_events: Mapping[int, EventRoute]


@dataclass(frozen=True, slots=True)
class EventTarget:
    """How telephone-events are sent to a leg."""

    payload_type: int
    clock_rate: int


@dataclass(frozen=True, slots=True)
class SentAudio:
    """The codec that the browser was told first, its number, and its events, which
    others of a room do not get (clock rate by number)."""

    codec: Codec
    payload_type: int
    events: Mapping[int, int]


@dataclass(slots=True)
class _Leg:
    """One side's agreed formats: ``incoming`` as our SDP numbers them, ``outgoing``
    as the remote's does; events by clock rate."""

    codecs: list[Codec]
    incoming: dict[Codec, int]
    outgoing: dict[Codec, int]
    incoming_events: dict[int, int]
    outgoing_events: dict[int, int]
    direction: Direction


def _identity_leg(
    media: RemoteMedia, codecs: Sequence[Codec], direction: Direction
) -> _Leg:
    """A leg whose answer keeps the offer's payload types."""
    types = {codec: media.codecs[codec].payload_type for codec in codecs}
    rates = {codec.clock_rate for codec in codecs}
    events = {rate: pt for rate, pt in media.events.items() if rate in rates}
    if not events:
        events = dict(list(media.events.items())[:1])
    return _Leg(list(codecs), types, dict(types), events, dict(events), direction)


class Negotiation:
    """Offer/answer state of one call; see the module's docstring.

    Args:
        codecs: encoding names in our order of preference.
        video_codecs: encoding names of the video that is passed through.
        host: our address on the SIP side.
        sip_port: our RTP port on the SIP side.
        session_ids: origin session identifiers, browser side and SIP side.
    """

    def __init__(
        self,
        *,
        codecs: Sequence[str],
        host: str,
        sip_port: int,
        session_ids: tuple[int, int],
        video_codecs: Sequence[str] = (),
    ) -> None:
        self._preference = [CODECS[name.lower()] for name in codecs]
        self._host = host
        self._sip_port = sip_port
        self._browser_session, self._sip_session = session_ids
        self._browser_version = 0
        self._sip_version = 0
        self._browser_body = ""
        self._sip_body = ""
        self._capability: dict[Codec, int] = {}
        self._browser: _Leg | None = None
        self._sip: _Leg | None = None
        self._offered: _Leg | None = None
        self._sip_lines = SipLines()
        # The browser was dropped: the SIP side has us alone.
        self._is_browserless = False
        # The SIP side was dropped after it had chosen a codec.
        self._had_sip = False
        self.codec: Codec | None = None
        self.video = VideoNegotiation(video_codecs)
        # Our RTP port for video on the SIP side, None: none could be had yet.
        self.video_port: int | None = None

    # Browser leg

    @staticmethod
    def browser_media(description: RemoteDescription) -> RemoteMedia:
        """The m-line of an offer that will be accepted; raises BAD_SDP."""
        for media in description.media:
            if media.kind != "audio" or media.protocol not in BROWSER_PROTOCOLS:
                continue
            if media.is_rejected:
                continue
            if media.ice is None or not media.fingerprints:
                raise MediaError(
                    MediaErrorKind.BAD_SDP, "offer lacks ICE or a known fingerprint"
                )
            if not media.has_rtcp_mux:
                raise MediaError(MediaErrorKind.BAD_SDP, "offer lacks rtcp-mux")
            return media
        raise MediaError(MediaErrorKind.BAD_SDP, "offer has no WebRTC audio")

    def answer_browser(
        self,
        description: RemoteDescription,
        media: RemoteMedia,
        ours: LocalBrowserSide,
        others: Mapping[int, Sequence[str]] = MappingProxyType({}),
    ) -> str:
        """Our answer; raises NO_COMMON_CODEC and then changes nothing.

        ``others`` are our m-lines in the places of those that a room fills.
        """
        common = [codec for codec in self._preference if codec in media.codecs]
        allowed = common
        if self._had_sip:
            # Who was heard goes on in the same codec.
            allowed = sorted(common, key=lambda codec: codec is not self.codec)
        if self._sip is not None and self.codec is not None:
            allowed = [self.codec] if self.codec in common else []
        if not allowed:
            raise MediaError(
                MediaErrorKind.NO_COMMON_CODEC, "browser offers no codec we can use"
            )
        direction = media.direction.mirrored
        self._capability = {codec: media.codecs[codec].payload_type for codec in common}
        self._browser = leg = _identity_leg(media, allowed, direction)
        if self.codec not in allowed:
            self.codec = allowed[0]
        video = self.video.browser_media(description, media)
        if video is None or self.video_port is None:
            video = None
            self.video.without_browser()
        accepted = [
            each
            for place, each in enumerate(description.media)
            if each is media or each is video or place in others
        ]
        bundle = [each.mid for each in accepted if each.mid in description.bundle]
        lines: list[str] = ["t=0 0", "a=ice-lite"]
        if media.mid in bundle:
            lines.append(f"a=group:BUNDLE {' '.join(filter(None, bundle))}")
        for place, each in enumerate(description.media):
            if each is media:
                lines += _browser_audio_lines(media, leg, ours)
            elif each is video:
                lines += self.video.answer_browser(
                    each, media, ours, session_id=description.session_id
                )
            elif place in others:
                lines += others[place]
            else:
                lines += rejected_lines(
                    each.kind,
                    each.protocol,
                    each.formats,
                    mid=each.mid,
                    host=self._host,
                )
        body = "\r\n".join(lines) + "\r\n"
        if body != self._browser_body:
            self._browser_body = body
            self._browser_version += 1
        return self._with_origin(
            body, ours.host, self._browser_session, self._browser_version
        )

    def common_codecs(self, media: RemoteMedia) -> dict[Codec, int]:
        """Of an audio m-line of the browser: what we pass through, and its numbers."""
        return {
            codec: media.codecs[codec].payload_type
            for codec in self._preference
            if codec in media.codecs
        }

    def drop_browser(self) -> None:
        """There is no browser any more; the SIP side may now have all our codecs."""
        self._is_browserless = True
        self._browser = None
        self._capability = {codec: codec.payload_type for codec in self._preference}
        if self.codec is None:
            self.codec = self._preference[0]
        self.video.without_browser()

    # SIP leg

    def drop_sip(self) -> None:
        """There is no SIP side any more."""
        self._had_sip = True
        self._sip = self._offered = None
        self.video.drop_sip()

    def offer_sip(self) -> str:
        """Our offer: the codec that flows, then all that the browser can do.

        Before the first agreement that is what the browser has been answered, in
        that order; later a peer that was transferred may need another one.
        """
        if self._is_browserless:
            direction = Direction.SENDRECV
        else:
            direction = self._require_browser().direction.mirrored
        known = self._sip
        codecs = sorted(self._capability, key=lambda codec: codec is not self.codec)
        taken: set[int] = set()
        incoming: dict[Codec, int] = {}
        for codec in codecs:
            agreed = known.incoming.get(codec) if known is not None else None
            wanted = codec.payload_type if agreed is None else agreed
            incoming[codec] = _free_type(wanted, taken)
        events: dict[int, int] = {}
        # Phones that do Opus often know events at 8000 Hz only.
        for rate in dict.fromkeys([*(codec.clock_rate for codec in codecs), 8000]):
            agreed = known.incoming_events.get(rate) if known is not None else None
            wanted = EVENT_PAYLOAD_TYPES[rate] if agreed is None else agreed
            events[rate] = _free_type(wanted, taken)
        self._offered = leg = _Leg(codecs, incoming, {}, events, {}, direction)
        audio = self._sip_lines.place("audio")
        used = {id(audio): self._sip_audio_lines(leg, audio.protocol, None)}
        if self.video.is_wanted and self.video_port is not None:
            video = self._sip_lines.place("video")
            used[id(video)] = self.video.offer_sip(self.video_port, video.protocol)
        else:
            self.video.offer_none()
        return self._sip_text(self._sip_lines.text(used))

    def _sip_audio_lines(
        self, leg: _Leg, protocol: str, remote: RemoteMedia | None
    ) -> list[str]:
        return [
            f"m=audio {self._sip_port} {protocol} {_format_list(leg)}",
            *_audio_format_lines(leg, remote),
            "a=ptime:20",
            f"a={leg.direction}",
        ]

    def accept_sip(
        self, description: RemoteDescription
    ) -> tuple[RemoteMedia, RemoteMedia | None]:
        """Take the answer to our offer; may be called again for another fork.

        Returns the peer's audio, and its video if that is agreed.
        """
        if self._offered is None:
            raise MediaError(MediaErrorKind.WRONG_STATE, "nothing was offered")
        media = self._usable_sip_media(description)
        offered = self._offered
        agreed = [codec for codec in media.codecs if codec in offered.incoming]
        if not agreed:
            raise MediaError(
                MediaErrorKind.NO_COMMON_CODEC, "answer holds no offered codec"
            )
        events = {
            rate: pt
            for rate, pt in media.events.items()
            if rate in offered.incoming_events
        }
        self._sip = _Leg(
            agreed,
            {codec: offered.incoming[codec] for codec in agreed},
            {codec: media.codecs[codec].payload_type for codec in agreed},
            {rate: offered.incoming_events[rate] for rate in events},
            events,
            media.direction.mirrored & offered.direction,
        )
        self._choose()
        video = _usable_video(description.media)
        self.video.accept_sip(video)
        return media, video if self.video.has_sip else None

    def answer_sip(
        self, description: RemoteDescription
    ) -> tuple[str, RemoteMedia, RemoteMedia | None]:
        """Answer an INVITE's or re-INVITE's offer; also as :meth:`accept_sip`."""
        media = self._usable_sip_media(description)
        browser = self._browser
        if browser is None:
            usable = self._preference
            ours = Direction.SENDRECV
        else:
            ours = browser.direction.mirrored
            usable = [codec for codec in browser.codecs if codec in media.codecs]
            usable = usable or list(self._capability)
        agreed = [codec for codec in media.codecs if codec in usable]
        if not agreed:
            raise MediaError(
                MediaErrorKind.NO_COMMON_CODEC, "offer holds no codec of the browser"
            )
        direction = media.direction.mirrored & ours
        self._sip = leg = _identity_leg(media, agreed, direction)
        self._choose()
        video = _usable_video(description.media)
        video_lines = self.video.answer_sip(video, self.video_port)
        text: dict[int, list[str]] = {}
        for place, each in enumerate(description.media):
            if each is media:
                text[place] = self._sip_audio_lines(leg, media.protocol, media)
            elif each is video and video_lines is not None:
                text[place] = video_lines
        lines = self._sip_lines.follow(description.media, text)
        used = {id(lines[place]): each for place, each in text.items()}
        agreed_video = video if self.video.has_sip else None
        return self._sip_text(self._sip_lines.text(used)), media, agreed_video

    @staticmethod
    def _usable_sip_media(description: RemoteDescription) -> RemoteMedia:
        has_audio = False
        for media in description.media:
            if media.kind != "audio":
                continue
            has_audio = True
            if media.protocol in SIP_PROTOCOLS and not media.is_rejected:
                return media
        if has_audio:
            raise MediaError(
                MediaErrorKind.NO_COMMON_CODEC, "no audio over plain RTP is accepted"
            )
        raise MediaError(MediaErrorKind.BAD_SDP, "no audio media")

    def _choose(self) -> None:
        """The codec that flows: the browser's present one if the SIP side has it."""
        assert self._sip is not None
        if self._browser is not None and self._browser.codecs[0] in self._sip.codecs:
            self.codec = self._browser.codecs[0]
        else:
            self.codec = self._sip.codecs[0]

    # Results

    @property
    def needs_browser_offer(self) -> bool:
        """The browser sends another codec than the one that flows."""
        if self.video.needs_browser_offer:
            return True
        return self._browser is not None and self._browser.codecs[0] is not self.codec

    @property
    def has_sip(self) -> bool:
        """Whether the SIP side has agreed on anything."""
        return self._sip is not None

    @property
    def may_send_to_sip(self) -> bool:
        """Direction algebra: whether the peer takes packets from us now."""
        return self._sip is not None and self._sip.direction.sends

    @property
    def may_send_to_browser(self) -> bool:
        """Whether the browser takes packets from us now."""
        leg = self._browser
        return leg is not None and leg.direction.sends

    @property
    def sip_payload_type(self) -> int | None:
        """Outgoing payload type of the flowing codec on the SIP side."""
        if self._sip is None or self.codec is None:
            return None
        return self._sip.outgoing.get(self.codec)

    def sip_events(self) -> EventTarget | None:
        """How digits go to the peer; None: not negotiated."""
        return self._events_of(self._sip)

    def browser_events(self) -> EventTarget | None:
        """How digits go to the browser; None: not negotiated."""
        return self._events_of(self._browser)

    def _events_of(self, leg: _Leg | None) -> EventTarget | None:
        if leg is None or self.codec is None or not leg.outgoing_events:
            return None
        rate = self.codec.clock_rate
        if rate not in leg.outgoing_events:
            rate = next(iter(leg.outgoing_events))
        return EventTarget(leg.outgoing_events[rate], rate)

    def routes(self) -> Routes | None:
        """Payload tables, None until both legs have agreed."""
        browser, sip, codec = self._browser, self._sip, self.codec
        if browser is None or sip is None or codec is None:
            return None
        shared = [each for each in browser.codecs if each in sip.codecs]
        up_events, down_events = self.sip_events(), self.browser_events()
        return Routes(
            codec=codec,
            up_audio=_audio_routes(shared, browser.incoming, sip.outgoing),
            up_events=_event_routes(browser.incoming_events, up_events),
            down_audio=_audio_routes(shared, sip.incoming, browser.outgoing),
            down_events=_event_routes(sip.incoming_events, down_events),
        )

    def routes_alone(self) -> Routes | None:
        """Payload tables of a call that only a room hears: nothing is translated."""
        browser, codec = self._browser, self.codec
        if browser is None or codec is None:
            return None
        return Routes(
            codec=codec,
            up_audio=_audio_routes(browser.codecs, browser.incoming, browser.incoming),
            up_events=_event_routes(browser.incoming_events, None),
            down_audio={},
            down_events={},
        )

    def routes_without_browser(self) -> Routes | None:
        """Payload tables of a far end that is only heard by others."""
        sip, codec = self._sip, self.codec
        if sip is None or codec is None:
            return None
        return Routes(
            codec=codec,
            up_audio={},
            up_events={},
            down_audio=_audio_routes(sip.codecs, sip.incoming, sip.incoming),
            down_events=_event_routes(sip.incoming_events, None),
        )

    @property
    def is_browserless(self) -> bool:
        """Whether the browser was dropped."""
        return self._is_browserless

    def incoming_codecs(self, leg: Leg) -> dict[int, Codec]:
        """What the remote of a leg may send, by our number for it."""
        agreed = self._browser if leg is Leg.BROWSER else self._sip
        if agreed is None:
            return {}
        return {agreed.incoming[codec]: codec for codec in agreed.codecs}

    def sent_audio(self) -> SentAudio | None:
        """What the browser sends now; None: nothing."""
        browser = self._browser
        if browser is None or not browser.direction.receives:
            return None
        codec = browser.codecs[0]
        events = {number: rate for rate, number in browser.incoming_events.items()}
        return SentAudio(codec, browser.incoming[codec], events)

    @property
    def browser_types(self) -> Collection[int]:
        """Payload types of the browser's audio."""
        browser = self._browser
        if browser is None:
            return ()
        return {*browser.incoming.values(), *browser.incoming_events.values()}

    # Text

    def _require_browser(self) -> _Leg:
        if self._browser is None:
            raise MediaError(
                MediaErrorKind.WRONG_STATE, "the browser has not offered yet"
            )
        return self._browser

    def _sip_text(self, media_lines: list[str]) -> str:
        connection = f"c=IN {family(self._host)} {self._host}"
        body = "\r\n".join([connection, "t=0 0", *media_lines]) + "\r\n"
        if body != self._sip_body:
            self._sip_body = body
            self._sip_version += 1
        return self._with_origin(body, self._host, self._sip_session, self._sip_version)

    @staticmethod
    def _with_origin(body: str, host: str, session: int, version: int) -> str:
        origin = f"o=- {session} {version} IN {family(host)} {host}"
        return f"v=0\r\n{origin}\r\ns=-\r\n{body}"


def _free_type(wanted: int, taken: set[int]) -> int:
    """A payload type that is not taken yet; marks it taken."""
    choices: list[int] = [wanted, *range(96, 128)]
    chosen = next(each for each in choices if each not in taken)
    taken.add(chosen)
    return chosen


def _audio_routes(
    codecs: Sequence[Codec],
    incoming: Mapping[Codec, int],
    outgoing: Mapping[Codec, int],
) -> dict[int, AudioRoute]:
    return {
        incoming[codec]: AudioRoute(outgoing[codec], codec.clock_rate)
        for codec in codecs
    }


def _event_routes(
    incoming: Mapping[int, int], target: EventTarget | None
) -> dict[int, EventRoute]:
    return {
        payload_type: EventRoute(
            payload_type=target.payload_type if target else None,
            incoming_rate=rate,
            outgoing_rate=target.clock_rate if target else rate,
        )
        for rate, payload_type in incoming.items()
    }


def _format_list(leg: _Leg) -> str:
    types = [leg.incoming[codec] for codec in leg.codecs]
    return " ".join(str(pt) for pt in [*types, *leg.incoming_events.values()])


def _audio_format_lines(leg: _Leg, remote: RemoteMedia | None) -> list[str]:
    """The formats, each with the remote's parameters if these are its numbers."""
    lines: list[str] = []
    for codec in leg.codecs:
        fmtp = codec.fmtp if remote is None else remote.codecs[codec].fmtp
        lines += format_lines(leg.incoming[codec], codec.rtpmap, fmtp)
    for rate, payload_type in leg.incoming_events.items():
        lines += format_lines(payload_type, f"{TELEPHONE_EVENT}/{rate}", "0-15")
    return lines


def _browser_audio_lines(
    media: RemoteMedia, leg: _Leg, ours: LocalBrowserSide
) -> list[str]:
    types = [leg.incoming[codec] for codec in leg.codecs]
    return browser_media_lines(
        media,
        ours,
        formats=[*types, *leg.incoming_events.values()],
        direction=leg.direction,
        details=_audio_format_lines(leg, media),
        sends=OutgoingStream(ours.ssrc, ours.cname, ours.cname),
    )


def _usable_video(medias: Sequence[RemoteMedia]) -> RemoteMedia | None:
    """The peer's first video that plain RTP can carry."""
    return next(
        (
            each
            for each in medias
            if each.kind == "video"
            and each.protocol in SIP_PROTOCOLS
            and not each.is_rejected
        ),
        None,
    )
