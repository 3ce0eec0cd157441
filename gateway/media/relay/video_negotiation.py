"""Offer and answer of a call's video (RFC 3264). Pure, beside the audio's.

The SIP side is offered what the browser can do, and the browser is held to what the
SIP side took of it. Video is there only when both legs have it: the browser comes
first, and a far end that offers video to a browser without it is refused that m-line
(:attr:`VideoNegotiation.is_left_out` says so).
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gateway.media.relay.description import RemoteDescription, RemoteMedia
from gateway.media.relay.media_lines import (
    LocalBrowserSide,
    OutgoingStream,
    bandwidth_lines,
    browser_media_lines,
    format_lines,
)
from gateway.media.relay.video_codecs import (
    FEEDBACK,
    RTCP_LIKE_TYPES,
    VIDEO_CLOCK_RATE,
    FormatKey,
    VideoFormat,
    answer_parameters,
    level,
)
from sip.sdp import Direction

# RFC 3551 section 3.
_DYNAMIC_TYPES = (*range(96, 128), *range(35, 64))


@dataclass(frozen=True, slots=True)
class VideoRoutes:
    """Payload types of both directions, and what the incoming ones are."""

    up: Mapping[int, int]
    down: Mapping[int, int]
    up_names: Mapping[int, str]
    down_names: Mapping[int, str]


@dataclass(slots=True)
class _Leg:
    """What one side agreed on.

    Attributes:
        formats: as the remote numbers and configures them.
        incoming: the same by the numbers with which its packets come.
        direction: ours.
        limit_bps: what the remote wants us to send at most.
    """

    formats: Sequence[VideoFormat]
    incoming: Mapping[int, FormatKey]
    direction: Direction
    limit_bps: int | None

    def find(self, key: FormatKey) -> VideoFormat | None:
        return next((each for each in self.formats if each.key == key), None)


class RoomLines(enum.Enum):
    """Whether m-lines that only receive are a room's (design 010)."""

    NONE = enum.auto()
    POSSIBLE = enum.auto()
    FILLED = enum.auto()


class VideoNegotiation:
    """Video state of one call; see the module's docstring.

    Args:
        codecs: encoding names that are passed through; none: no video at all.
    """

    def __init__(self, codecs: Collection[str]) -> None:
        self._codecs = {name.lower() for name in codecs}
        # All that the browser's present offer has, in its order.
        self._capability: list[VideoFormat] = []
        self._browser: _Leg | None = None
        self._told_parameters = ""
        self._told_limit_bps: int | None = None
        self._sip: _Leg | None = None
        self._offered: _Leg | None = None
        # A payload type once used stays that format's (RFC 3264 section 8.3.2).
        self._numbers: dict[FormatKey, int] = {}
        # The SIP side has spoken since the browser did, and takes no video.
        self._is_refused = False
        self._is_left_out = False
        self.room = RoomLines.NONE
        # Session and mid of the m-line that was answered as the call's own.
        self._own_line: tuple[int, str | None] | None = None
        self._had_sip = False

    # Browser leg

    def browser_media(
        self, description: RemoteDescription, audio: RemoteMedia
    ) -> RemoteMedia | None:
        """The m-line of an offer that will be accepted: one in the audio's bundle.

        Where lines may be a room's, it is the one it was before, else the first that
        sends.
        """
        if audio.mid is None or audio.mid not in description.bundle:
            return None
        lines = [
            media
            for media in description.media
            if media.kind == "video"
            and not media.is_rejected
            and media.protocol == audio.protocol
            and media.mid in description.bundle
            and self.usable(media, audio)
        ]
        if self.room is RoomLines.NONE:
            return next(iter(lines), None)
        for media in lines:
            if (description.session_id, media.mid) == self._own_line:
                return media
        for media in lines:
            if media.direction.sends:
                return media
        return None if self.room is RoomLines.FILLED else next(iter(lines), None)

    def usable(self, media: RemoteMedia, audio: RemoteMedia) -> list[VideoFormat]:
        """The formats of a browser's m-line that we pass through, each once.

        Numbers that its ``audio`` has taken could not be told apart in a bundle.
        """
        return self._usable(media, taken=_all_types(audio))

    def _usable(self, media: RemoteMedia, taken: Collection[int]) -> list[VideoFormat]:
        usable: dict[FormatKey, VideoFormat] = {}
        for each in media.video:
            number = each.payload_type
            if number in taken or number in RTCP_LIKE_TYPES:
                continue
            if each.name.lower() in self._codecs:
                usable.setdefault(each.key, each)
        return list(usable.values())

    def without_browser(self) -> None:
        """The browser's present offer has no video."""
        self._browser = None
        self._capability = []

    def answer_browser(
        self,
        media: RemoteMedia,
        audio: RemoteMedia,
        ours: LocalBrowserSide,
        *,
        session_id: int = 0,
    ) -> list[str]:
        """Our m-line for the one that :meth:`browser_media` chose."""
        self._own_line = session_id, media.mid
        capability = self.usable(media, audio)
        chosen = capability
        if self._had_sip and self._browser is not None:
            # Who was seen goes on in the same format.
            present = self._browser.formats[0].key
            chosen = sorted(capability, key=lambda each: each.key != present)
        sip = self._sip
        if sip is not None and (agreed := self._flowing(capability)) is not None:
            chosen = [each for each in capability if each.key == agreed]
        self._capability = capability
        self._is_refused = False
        direction = media.direction.mirrored
        self._browser = _Leg(
            formats=chosen,
            incoming={each.payload_type: each.key for each in chosen},
            direction=direction,
            limit_bps=media.bandwidth_bps,
        )
        details: list[str] = []
        for each in chosen:
            details += _described(each, each.payload_type, self._for_browser(each))
            details += [
                f"a=rtcp-fb:{each.payload_type} {message}"
                for message in FEEDBACK
                if message in each.feedback
            ]
        self._told_parameters = self._for_browser(chosen[0])
        self._told_limit_bps = None if sip is None else sip.limit_bps
        return browser_media_lines(
            media,
            ours,
            formats=[each.payload_type for each in chosen],
            direction=direction,
            details=details,
            sends=OutgoingStream(ours.video_ssrc, ours.cname, ours.cname),
            limit_bps=self._told_limit_bps,
        )

    def _for_browser(self, offered: VideoFormat) -> str:
        """The fmtp of our answer: the far end's, its own while that is unknown."""
        wanted = None if self._sip is None else self._sip.find(offered.key)
        return answer_parameters(offered, wanted or offered)

    # SIP leg

    def drop_sip(self) -> None:
        """There is no SIP side any more."""
        self._had_sip = True
        self._sip = self._offered = None
        self._is_refused = self._is_left_out = False

    @property
    def is_wanted(self) -> bool:
        """Whether our next offer to the SIP side has video."""
        browser = self._browser
        return browser is not None and browser.direction is not Direction.INACTIVE

    def offer_sip(self, port: int, protocol: str) -> list[str]:
        """Our m-line: the format that flows, then all that the browser can do."""
        browser = self._browser
        assert browser is not None
        flowing = self._flowing(self._capability)
        formats: list[VideoFormat] = []
        numbers: dict[int, FormatKey] = {}
        for each in sorted(self._capability, key=lambda each: each.key != flowing):
            number = self._number(each)
            if number is not None:
                formats.append(each)
                numbers[number] = each.key
        direction = browser.direction.mirrored
        self._offered = _Leg(formats, numbers, direction, None)
        lines = [
            f"m=video {port} {protocol} {' '.join(map(str, numbers))}",
            *bandwidth_lines(browser.limit_bps),
        ]
        for number, each in zip(numbers, formats, strict=True):
            lines += _described(each, number, each.parameters)
        lines += [f"a=rtcp-fb:* {message}" for message in FEEDBACK]
        return [*lines, f"a={direction}"]

    def offer_none(self) -> None:
        """Our present offer has no video."""
        self._offered = None

    def _number(self, wanted: VideoFormat) -> int | None:
        number = self._numbers.get(wanted.key)
        if number is None:
            taken = set(self._numbers.values())
            choices = [n for n in _DYNAMIC_TYPES if n not in taken]
            if wanted.payload_type in choices:
                number = wanted.payload_type
            elif choices:
                number = choices[0]
            else:
                return None
            self._numbers[wanted.key] = number
        return number

    def accept_sip(self, media: RemoteMedia | None) -> None:
        """Take what the answer has at our m-line; None: it has none."""
        self._sip = None
        self._is_refused = True
        self._is_left_out = False
        offered = self._offered
        if media is None or offered is None:
            return
        keys = {key: number for number, key in offered.incoming.items()}
        formats = [each for each in media.video if each.key in keys]
        if not formats:
            return
        incoming = {keys[each.key]: each.key for each in formats}
        for each in formats:
            # Who answers with numbers of its own often sends with them too.
            incoming.setdefault(each.payload_type, each.key)
        direction = media.direction.mirrored & offered.direction
        self._sip = _Leg(formats, incoming, direction, media.bandwidth_bps)

    def answer_sip(
        self, media: RemoteMedia | None, port: int | None
    ) -> list[str] | None:
        """Our m-line for the peer's first usable one; None: it is refused."""
        self._sip = None
        self._offered = None
        self._is_refused = True
        self._is_left_out = False
        known = [] if media is None else self._usable(media, taken=())
        if media is None or not known:
            return None
        browser = self._browser
        if browser is None or not self.is_wanted or port is None:
            self._is_left_out = media.direction is not Direction.INACTIVE
            return None
        ours = {each.key: each for each in browser.formats}
        if not any(each.key in ours for each in known):
            ours = {each.key: each for each in self._capability}
        formats = [each for each in known if each.key in ours]
        if not formats:
            return None
        for each in formats:
            self._reserve(each)
        direction = media.direction.mirrored & browser.direction.mirrored
        incoming = {each.payload_type: each.key for each in formats}
        self._sip = _Leg(formats, incoming, direction, media.bandwidth_bps)
        types = " ".join(map(str, incoming))
        lines = [
            f"m=video {port} {media.protocol} {types}",
            *bandwidth_lines(browser.limit_bps),
        ]
        for each in formats:
            parameters = answer_parameters(each, ours[each.key])
            lines += _described(each, each.payload_type, parameters)
            lines += [
                f"a=rtcp-fb:{each.payload_type} {message}"
                for message in FEEDBACK
                if message in each.feedback
            ]
        return [*lines, f"a={direction}"]

    def _reserve(self, theirs: VideoFormat) -> None:
        """The peer has numbered this format."""
        for key, number in list(self._numbers.items()):
            if number == theirs.payload_type and key != theirs.key:
                del self._numbers[key]
        self._numbers[theirs.key] = theirs.payload_type

    # Results

    def _flowing(self, browser: Sequence[VideoFormat]) -> FormatKey | None:
        """The format for a browser that can do these: the one it is answered with
        if the SIP side has it, else the SIP side's first that it can do."""
        if self._sip is None:
            return None
        possible = {each.key for each in browser}
        present = self._browser.formats[0].key if self._browser is not None else None
        if present in possible and self._sip.find(present or ()) is not None:
            return present
        return next(
            (each.key for each in self._sip.formats if each.key in possible), None
        )

    @property
    def name(self) -> str:
        """Encoding name for the call layer; see the engine's contract."""
        if self._browser is None or not self.is_wanted:
            return ""
        if self._sip is None:
            return "" if self._is_refused else self._browser.formats[0].name
        key = self._flowing(self._capability)
        return key[0] if key is not None else ""

    @property
    def is_left_out(self) -> bool:
        """The SIP side's description has video that only the browser lacks."""
        return self._is_left_out and not self.is_wanted

    @property
    def has_sip(self) -> bool:
        """Whether the SIP side has agreed on video."""
        return self._sip is not None

    @property
    def is_agreed(self) -> bool:
        """Whether both legs have video, of a kind that both understand."""
        return self.has_sip and self.name != ""

    @property
    def sends(self) -> bool:
        """Whether the browser's video goes to the far end."""
        browser, sip = self._browser, self._sip
        if browser is None or sip is None or not self.is_agreed:
            return False
        return browser.direction.receives and sip.direction.sends

    @property
    def receives(self) -> bool:
        """Whether the far end's video goes to the browser."""
        browser, sip = self._browser, self._sip
        if browser is None or sip is None or not self.is_agreed:
            return False
        return browser.direction.sends and sip.direction.receives

    @property
    def needs_browser_offer(self) -> bool:
        """The browser sends another format than flows, or more than is wanted."""
        browser, sip = self._browser, self._sip
        if browser is None or sip is None or not self.is_agreed:
            return False
        present = browser.formats[0]
        if present.key != self._flowing(self._capability):
            return True
        if sip.limit_bps != self._told_limit_bps:
            return True
        if present.name != "H264":
            return False
        return level(self._for_browser(present)) < level(self._told_parameters)

    @property
    def browser_types(self) -> Collection[int]:
        """Payload types of the browser's video: after a change of codec packets of
        the former are still on their way, and are nobody else's."""
        return {each.payload_type for each in self._capability}

    @property
    def browser_feedback(self) -> Collection[str]:
        """What the browser understands of :data:`FEEDBACK`."""
        return _feedback(self._browser)

    @property
    def sip_feedback(self) -> Collection[str]:
        """What the SIP side understands of :data:`FEEDBACK`."""
        return _feedback(self._sip)

    def routes(self) -> VideoRoutes | None:
        """Payload tables, None unless both legs agree."""
        browser, sip = self._browser, self._sip
        if browser is None or sip is None or not self.is_agreed:
            return None
        to_sip = {each.key: each for each in sip.formats}
        to_browser = {each.key: each for each in browser.formats}
        return VideoRoutes(
            up=_routed(browser, to_sip),
            down=_routed(sip, to_browser),
            up_names={number: key[0] for number, key in browser.incoming.items()},
            down_names={number: key[0] for number, key in sip.incoming.items()},
        )

    def routes_alone(self) -> VideoRoutes | None:
        """Payload tables of a call whose video only a room gets."""
        browser = self._browser
        if browser is None:
            return None
        return VideoRoutes(
            up={number: number for number in browser.incoming},
            down={},
            up_names={number: key[0] for number, key in browser.incoming.items()},
            down_names={},
        )

    def sent_video(self) -> VideoFormat | None:
        """What the browser sends now, None: nothing."""
        browser = self._browser
        if browser is None or not browser.direction.receives:
            return None
        return browser.formats[0]


def _routed(source: _Leg, target: Mapping[FormatKey, VideoFormat]) -> dict[int, int]:
    return {
        number: target[key].payload_type
        for number, key in source.incoming.items()
        if key in target
    }


def _described(each: VideoFormat, number: int, parameters: str) -> list[str]:
    return format_lines(number, f"{each.name}/{VIDEO_CLOCK_RATE}", parameters)


def _feedback(leg: _Leg | None) -> Collection[str]:
    """What all formats of a leg have; the remote may switch between them."""
    if leg is None:
        return ()
    return frozenset.intersection(*(each.feedback for each in leg.formats))


def _all_types(media: RemoteMedia) -> set[int]:
    """Payload types of an m-line as written."""
    return {int(each) for each in media.formats}
