"""Which of a browser's receiving lines carries whose stream. Pure.

A browser in a room offers ``recvonly`` m-lines beside the call's own. Each is filled
with the stream of one member, in order, and stays that member's as long as both are
there; a line with nobody in it is answered ``inactive`` and waits (design 010).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.media.engine import MediaCallId
from gateway.media.relay.codecs import Codec
from gateway.media.relay.description import RemoteDescription, RemoteMedia
from gateway.media.relay.media_lines import (
    LocalBrowserSide,
    OutgoingStream,
    browser_media_lines,
    format_lines,
)
from gateway.media.relay.negotiation import Negotiation
from gateway.media.relay.video_codecs import (
    FEEDBACK,
    RTCP_LIKE_TYPES,
    VIDEO_CLOCK_RATE,
    VideoFormat,
    answer_parameters,
)
from sip.sdp import Direction

# A picture and a voice of four others.
MAX_RECEIVING = 8

StreamKey = tuple[MediaCallId, str]
"""Whose stream, and its kind: ``audio`` or ``video``."""


@dataclass(frozen=True, slots=True)
class Source:
    """What one member sends, as one other member receives it.

    Attributes:
        format: the one its browser sends now.
    """

    sender: MediaCallId
    stream: OutgoingStream
    format: Codec | VideoFormat

    @property
    def kind(self) -> str:
        """The m-line it needs."""
        return "audio" if isinstance(self.format, Codec) else "video"

    @property
    def key(self) -> StreamKey:
        """Equal as long as it is the same stream."""
        return self.sender, self.kind

    @property
    def format_key(self) -> tuple[str, ...]:
        """Equal for formats that are the same, whoever numbers them."""
        if isinstance(self.format, Codec):
            return (self.format.name,)
        return self.format.key

    @property
    def told(self) -> tuple[object, ...]:
        """All of it that an answer tells."""
        return *self.key, self.stream, self.format_key


@dataclass(frozen=True, slots=True)
class Filled:
    """A stream in a line, with the receiver's number and feedback for it."""

    source: Source
    payload_type: int
    feedback: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReceivingLines:
    """What the last answer says of them: by mid."""

    filled: Mapping[str, Filled] = field(default_factory=dict)

    def find(self, sender: MediaCallId, kind: str) -> Filled | None:
        """How this stream is received, None: not at all."""
        for filled in self.filled.values():
            if filled.source.key == (sender, kind):
                return filled
        return None


class LineFiller:
    """Answers the receiving lines of one offer.

    Args:
        audio, video: the call's own m-lines.
    """

    def __init__(
        self,
        negotiation: Negotiation,
        description: RemoteDescription,
        audio: RemoteMedia,
        video: RemoteMedia | None,
    ) -> None:
        self._negotiation = negotiation
        self._audio = audio
        # By place in the offer; the order counts.
        self._lines: dict[int, RemoteMedia] = {}
        known: set[str | None] = {audio.mid, None if video is None else video.mid}
        if audio.mid is None or audio.mid not in description.bundle:
            return
        for place, media in enumerate(description.media):
            if (
                media.kind in ("audio", "video")
                and not media.is_rejected
                and media.protocol == audio.protocol
                and media.direction in (Direction.RECVONLY, Direction.INACTIVE)
                and media.mid in description.bundle
                and media.mid not in known
                and self._formats(media)
                and len(self._lines) < MAX_RECEIVING
            ):
                known.add(media.mid)
                self._lines[place] = media

    def fill(
        self, sources: Sequence[Source], before: ReceivingLines
    ) -> dict[int, Filled]:
        """By place, the streams for which there is a line that can have them."""
        waiting = {source.key: source for source in sources}
        filled: dict[int, Filled] = {}
        open_lines = {
            place: media
            for place, media in self._lines.items()
            if media.direction is Direction.RECVONLY
        }
        for place, media in open_lines.items():
            former = before.filled.get(media.mid or "")
            source = None if former is None else waiting.get(former.source.key)
            found = None if source is None else self._fitted(media, source)
            if found is not None:
                filled[place] = found
                del waiting[found.source.key]
        for source in waiting.values():
            for place, media in open_lines.items():
                found = None if place in filled else self._fitted(media, source)
                if found is not None:
                    filled[place] = found
                    break
        return filled

    def lines(self, filled: Mapping[int, Filled]) -> ReceivingLines:
        """To be kept until the next answer."""
        return ReceivingLines(
            {self._lines[place].mid or "": each for place, each in filled.items()}
        )

    def text(
        self, filled: Mapping[int, Filled], ours: LocalBrowserSide
    ) -> dict[int, list[str]]:
        """Our m-lines, by place in the offer."""
        return {
            place: self._inactive(media, ours)
            if place not in filled
            else self._sending(media, filled[place], ours)
            for place, media in self._lines.items()
        }

    def _formats(
        self, media: RemoteMedia
    ) -> dict[tuple[str, ...], tuple[int, Codec | VideoFormat]]:
        """What the browser can receive in this line, with its numbers."""
        if media.kind == "audio":
            common = self._negotiation.common_codecs(media)
            return {
                (codec.name,): (number, codec)
                for codec, number in common.items()
                if number not in RTCP_LIKE_TYPES
            }
        usable = self._negotiation.video.usable(media, self._audio)
        return {each.key: (each.payload_type, each) for each in usable}

    def _fitted(self, media: RemoteMedia, source: Source) -> Filled | None:
        if media.kind != source.kind:
            return None
        found = self._formats(media).get(source.format_key)
        if found is None:
            return None
        number, known = found
        feedback = frozenset[str]() if isinstance(known, Codec) else known.feedback
        return Filled(source, number, feedback)

    def _sending(
        self, media: RemoteMedia, filled: Filled, ours: LocalBrowserSide
    ) -> list[str]:
        source = filled.source
        return browser_media_lines(
            media,
            ours,
            formats=[filled.payload_type],
            direction=Direction.SENDONLY,
            details=self._described(media, filled.payload_type, source.format),
            sends=source.stream,
        )

    def _inactive(self, media: RemoteMedia, ours: LocalBrowserSide) -> list[str]:
        number, known = next(iter(self._formats(media).values()))
        return browser_media_lines(
            media,
            ours,
            formats=[number],
            direction=Direction.INACTIVE,
            details=self._described(media, number, known),
            sends=None,
        )

    def _described(
        self, media: RemoteMedia, number: int, sent: Codec | VideoFormat
    ) -> list[str]:
        """The format, with the receiver's parameters as the sender fulfils them."""
        if isinstance(sent, Codec):
            return format_lines(number, sent.rtpmap, media.codecs[sent].fmtp)
        offered = next(
            each
            for each in self._negotiation.video.usable(media, self._audio)
            if each.payload_type == number
        )
        return [
            *format_lines(
                number,
                f"{offered.name}/{VIDEO_CLOCK_RATE}",
                answer_parameters(offered, sent),
            ),
            *_feedback_lines(number, offered.feedback),
        ]


def _feedback_lines(number: int, taken: Collection[str]) -> list[str]:
    return [f"a=rtcp-fb:{number} {each}" for each in FEEDBACK if each in taken]
