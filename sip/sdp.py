"""Session descriptions that lose nothing (RFC 8866, 3264, 3605, 4733, 8839).

A description is its lines. What this module understands is read from them on demand;
what it does not understand stays where it was, so that a T.38 m-line, a ``b=`` or an
attribute of next year survives a re-INVITE. Values are immutable: the ``with_``
methods return changed copies.
"""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

from sip.errors import (
    BadPayloadType,
    InvalidValue,
    SdpError,
    SdpTooLarge,
    TooManyMedia,
)
from sip.lexical import encode

MAX_SDP_BYTES = 65_536
# A browser in a meeting of five has a thousand and more.
MAX_LINES = 2_000
MAX_MEDIA = 32

#: ``(type letter, value)``.
Line = tuple[str, str]

_LINE = re.compile(r"([a-z])=(.*)", re.DOTALL)
_MEDIA = re.compile(
    r"(?P<kind>\S+) +(?P<port>\d{1,5})(?:/(?P<count>\d{1,5}))? +(?P<protocol>\S+)"
    r"(?: +(?P<formats>\S.*?))? *",
    re.ASCII | re.DOTALL,
)
_FQDN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9.])?")
_RTPMAP = re.compile(
    r"(\d{1,3}) +([^\s/]+)/(\d{1,9})(?:/(\d{1,3}))? *", re.ASCII | re.DOTALL
)
_BANDWIDTH = re.compile(r"(AS|TIAS):(\d{1,10}) *", re.ASCII)
_NUMBER = re.compile(r"\d{1,20}", re.ASCII)
_RTCP = re.compile(r"(\d{1,5})(?: +(\S+) +(\S+) +(\S+))? *", re.ASCII)
_FORBIDDEN = re.compile(r"[\r\n\0]")


class Direction(enum.StrEnum):
    """Which way media flows, seen by who wrote the description (RFC 3264 5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> Direction:
        """The direction that allows exactly this."""
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE

    @property
    def sends(self) -> bool:
        """Whether the writer sends."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether the writer receives."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def mirrored(self) -> Direction:
        """The same flow seen from the other side: sendonly becomes recvonly."""
        return Direction.of(sends=self.receives, receives=self.sends)

    def __and__(self, other: Direction) -> Direction:
        """What both allow."""
        return Direction.of(
            sends=self.sends and other.sends,
            receives=self.receives and other.receives,
        )

    def answer(self, wanted: Direction) -> Direction:
        """The answer to this offered direction for who wants ``wanted`` (6.1)."""
        return self.mirrored & wanted


@dataclass(frozen=True, slots=True)
class Origin:
    """The ``o=`` line; identifier and version are decimal numbers of any size."""

    username: str
    session_id: int
    version: int
    network_type: str
    address_type: str
    address: str

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the value of an ``o=`` line.

        Raises:
            SdpError: malformed.
        """
        parts = value.split()
        if len(parts) != 6:
            raise SdpError("malformed o= line")
        if not _NUMBER.fullmatch(parts[1]) or not _NUMBER.fullmatch(parts[2]):
            raise SdpError("malformed number in the o= line")
        return cls(parts[0], int(parts[1]), int(parts[2]), *parts[3:])

    def __str__(self) -> str:
        return (
            f"{self.username} {self.session_id} {self.version} "
            f"{self.network_type} {self.address_type} {self.address}"
        )


@dataclass(frozen=True, slots=True)
class Connection:
    """A ``c=`` line; ``address`` without TTL and count."""

    address_type: str
    address: str

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the value of a ``c=`` line.

        Raises:
            SdpError: malformed, not IN, or an IPv6 address with a zone.
        """
        parts = value.split()
        if len(parts) != 3 or parts[0] != "IN":
            raise SdpError("malformed c= line")
        return cls(parts[1], _check_address(parts[1], parts[2].partition("/")[0]))

    def __str__(self) -> str:
        return f"IN {self.address_type} {self.address}"

    @property
    def is_unspecified(self) -> bool:
        """0.0.0.0 or ``::``: hold as RFC 2543 did it."""
        return self.address in ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Rtcp:
    """An ``a=rtcp`` attribute (RFC 3605); ``connection`` None: that of the media."""

    port: int
    connection: Connection | None = None


@dataclass(frozen=True, slots=True)
class Codec:
    """One RTP format: the payload type and what it stands for.

    ``clock_rate`` in Hz; ``parameters`` is the text of its ``a=fmtp``, ``""`` if none.
    """

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    parameters: str = ""

    @property
    def rtpmap(self) -> str:
        """The value of the ``a=rtpmap`` that describes it."""
        channels = f"/{self.channels}" if self.channels != 1 else ""
        return f"{self.payload_type} {self.name}/{self.clock_rate}{channels}"

    def is_same_format(self, other: Codec) -> bool:
        """Same encoding, whatever its number: name (in any case), rate, channels."""
        return (self.name.lower(), self.clock_rate, self.channels) == (
            other.name.lower(),
            other.clock_rate,
            other.channels,
        )


#: Payload types that need no rtpmap (RFC 3551 table 4 and 5). G722 samples at 16 kHz
#: but its RTP clock is 8000 Hz (4.5.2).
STATIC_CODECS = MappingProxyType(
    {
        codec.payload_type: codec
        for codec in (
            Codec(0, "PCMU", 8000),
            Codec(3, "GSM", 8000),
            Codec(4, "G723", 8000),
            Codec(5, "DVI4", 8000),
            Codec(6, "DVI4", 16000),
            Codec(7, "LPC", 8000),
            Codec(8, "PCMA", 8000),
            Codec(9, "G722", 8000),
            Codec(10, "L16", 44100, 2),
            Codec(11, "L16", 44100),
            Codec(12, "QCELP", 8000),
            Codec(13, "CN", 8000),
            Codec(14, "MPA", 90000),
            Codec(15, "G728", 8000),
            Codec(16, "DVI4", 11025),
            Codec(17, "DVI4", 22050),
            Codec(18, "G729", 8000),
            Codec(25, "CelB", 90000),
            Codec(26, "JPEG", 90000),
            Codec(28, "nv", 90000),
            Codec(31, "H261", 90000),
            Codec(32, "MPV", 90000),
            Codec(33, "MP2T", 90000),
            Codec(34, "H263", 90000),
        )
    }
)


@dataclass(frozen=True, slots=True)
class _Section:
    """Lines of the session or of one media, and what both have in common."""

    lines: tuple[Line, ...] = ()

    def __post_init__(self) -> None:
        for letter, value in self.lines:
            _check_line(letter, value)

    def values(self, letter: str) -> tuple[str, ...]:
        """The values of all lines of a type, e.g. ``"b"``."""
        return tuple(value for key, value in self.lines if key == letter)

    @property
    def attributes(self) -> tuple[tuple[str, str], ...]:
        """All ``a=`` lines as ``(name, value)``; ``""`` for property attributes."""
        pairs = (value.partition(":") for value in self.values("a"))
        return tuple((name, value) for name, _, value in pairs)

    def attribute(self, name: str) -> str | None:
        """The first value; ``""`` for a property attribute, None when absent."""
        return next((value for key, value in self.attributes if key == name), None)

    def attribute_values(self, name: str) -> tuple[str, ...]:
        """The values of all attributes of that name, e.g. ``candidate``."""
        return tuple(value for key, value in self.attributes if key == name)

    def has_attribute(self, name: str) -> bool:
        """Whether the attribute is there, with a value or without."""
        return self.attribute(name) is not None

    @property
    def bandwidth_bps(self) -> int | None:
        """What its ``b=TIAS`` and ``b=AS`` allow, in bit/s; None: no limit.

        The lower one counts (RFC 3890 6.2); 0 is what some write on hold.
        """
        limits: list[int] = []
        for value in self.values("b"):
            match = _BANDWIDTH.fullmatch(value)
            if match is not None and int(match[2]) > 0:
                limits.append(int(match[2]) * (1000 if match[1] == "AS" else 1))
        return min(limits, default=None)

    @property
    def own_connection(self) -> Connection | None:
        """The ``c=`` line of this section itself."""
        values = self.values("c")
        return Connection.parse(values[0]) if values else None

    @property
    def own_direction(self) -> Direction | None:
        """The direction attribute of this section itself; the last one counts."""
        names = [name for name, value in self.attributes if name in _DIRECTIONS]
        return Direction(names[-1]) if names else None

    def with_lines(self, lines: Iterable[Line]) -> Self:
        """A copy with other lines."""
        return dataclasses.replace(self, lines=tuple(lines))

    def with_attribute(self, name: str, value: str = "") -> Self:
        """A copy with the attribute set in its place, or added at the end."""
        text = f"{name}:{value}" if value else name
        lines: list[Line] = []
        done = False
        for line in self.lines:
            if line[0] != "a" or line[1].partition(":")[0] != name:
                lines.append(line)
            elif not done:
                lines.append(("a", text))
                done = True
        if not done:
            lines.append(("a", text))
        return self.with_lines(lines)

    def without_attributes(self, *names: str) -> Self:
        """A copy without any attribute of these names."""
        return self.with_lines(
            line
            for line in self.lines
            if line[0] != "a" or line[1].partition(":")[0] not in names
        )

    def with_direction(self, direction: Direction) -> Self:
        """A copy whose only direction attribute is this."""
        others = self.without_attributes(*_DIRECTIONS)
        return others.with_lines((*others.lines, ("a", direction.value)))

    def with_connection(self, connection: Connection) -> Self:
        """A copy with this ``c=`` line, in its place (RFC 8866 9)."""
        line = ("c", str(connection))
        lines = [item for item in self.lines if item[0] != "c"]
        position = next(
            (i for i, item in enumerate(lines) if item[0] not in "siuep"), len(lines)
        )
        return self.with_lines((*lines[:position], line, *lines[position:]))


_DIRECTIONS = tuple(direction.value for direction in Direction)


@dataclass(frozen=True, slots=True)
class MediaDescription(_Section):
    """One ``m=`` line with the lines that belong to it.

    Attributes:
        lines: all lines after the m-line, in order.
        kind: ``audio``, ``video``, ``image``, ``application``…
        port: 0 when the media is rejected or switched off.
        formats: payload types as text, or whatever the protocol has.
        port_count: of layered encodings, None when not written.
    """

    kind: str = "audio"
    port: int = 0
    protocol: str = "RTP/AVP"
    formats: tuple[str, ...] = ()
    port_count: int | None = None

    def __post_init__(self) -> None:
        # Not super(): slots make a new class, which the closure does not know.
        _Section.__post_init__(self)
        _check_line("m", self._media_line)
        if not 0 <= self.port <= 65535:
            raise InvalidValue("port out of range")

    @classmethod
    def parse(cls, value: str, lines: Sequence[Line] = ()) -> Self:
        """Read the value of an m-line.

        Raises:
            BadPayloadType: an RTP format that is no number from 0 to 127.
            SdpError: malformed otherwise.
        """
        match = _MEDIA.fullmatch(value)
        if match is None or int(match["port"]) > 65535:
            raise SdpError("malformed m= line")
        media = cls(
            tuple(lines),
            kind=match["kind"],
            port=int(match["port"]),
            protocol=match["protocol"],
            formats=tuple((match["formats"] or "").split()),
            port_count=None if match["count"] is None else int(match["count"]),
        )
        if media.is_rtp:
            for text in media.formats:
                _parse_payload_type(text)
        _check_section(media)
        return media

    @property
    def _media_line(self) -> str:
        count = "" if self.port_count is None else f"/{self.port_count}"
        formats = " ".join(self.formats)
        return f"{self.kind} {self.port}{count} {self.protocol} {formats}".rstrip(" ")

    def _all_lines(self) -> list[Line]:
        return [("m", self._media_line), *self.lines]

    @property
    def is_rejected(self) -> bool:
        """Whether the port is 0 (in a bundle-only m-line that is no rejection)."""
        return self.port == 0 and not self.has_attribute("bundle-only")

    @property
    def is_rtp(self) -> bool:
        """Whether its formats are RTP payload types."""
        return "RTP/" in self.protocol

    @property
    def is_secure(self) -> bool:
        """Whether the profile is SRTP: SAVP, SAVPF, by SDES or DTLS."""
        return self.protocol.rpartition("/")[2] in ("SAVP", "SAVPF")

    @property
    def payload_types(self) -> tuple[int, ...]:
        """The formats of an RTP media, most preferred first."""
        return tuple(map(int, self.formats)) if self.is_rtp else ()

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """Its formats as codecs, most preferred first.

        Dynamic payload types without a readable rtpmap are left out.
        """
        described: dict[int, Codec] = {}
        for value in self.attribute_values("rtpmap"):
            match = _RTPMAP.fullmatch(value)
            if match is not None and int(match[3]) > 0:
                channels = max(1, int(match[4] or 1))
                described[int(match[1])] = Codec(
                    int(match[1]), match[2], int(match[3]), channels
                )
        codecs: list[Codec] = []
        for payload_type in dict.fromkeys(self.payload_types):
            codec = described.get(payload_type) or STATIC_CODECS.get(payload_type)
            if codec is not None:
                codecs.append(
                    dataclasses.replace(codec, parameters=self.fmtp(payload_type))
                )
        return tuple(codecs)

    def codec(self, payload_type: int) -> Codec | None:
        """The codec of one payload type, None when not offered or not described."""
        return next(
            (item for item in self.codecs if item.payload_type == payload_type), None
        )

    def fmtp(self, payload_type: int) -> str:
        """The format parameters of a payload type, ``""`` when there are none."""
        for value in self.attribute_values("fmtp"):
            number, _, parameters = value.strip().partition(" ")
            if number == str(payload_type):
                return parameters.strip()
        return ""

    def feedback(self, payload_type: int) -> tuple[str, ...]:
        """The RTCP feedback of a payload type, e.g. ``nack pli`` (RFC 4585 4.2)."""
        wanted: dict[str, None] = {}
        for value in self.attribute_values("rtcp-fb"):
            target, *words = value.split() or [""]
            if words and target in ("*", str(payload_type)):
                wanted[" ".join(words)] = None
        return tuple(wanted)

    @property
    def telephone_events(self) -> tuple[Codec, ...]:
        """The telephone-event formats, one for each clock rate offered (RFC 4733)."""
        return tuple(
            codec for codec in self.codecs if codec.name.lower() == "telephone-event"
        )

    @property
    def ptime_ms(self) -> float | None:
        """Packet time in milliseconds, None when absent or no number."""
        value = (self.attribute("ptime") or "").strip()
        if not re.fullmatch(r"\d{1,4}(?:\.\d{1,6})?", value, re.ASCII):
            return None
        return float(value) or None

    @property
    def rtcp(self) -> Rtcp | None:
        """The ``a=rtcp`` attribute, None when absent.

        Raises:
            SdpError: malformed; :meth:`SessionDescription.parse` has checked it.
        """
        value = self.attribute("rtcp")
        return None if value is None else _parse_rtcp(value)

    @property
    def has_rtcp_mux(self) -> bool:
        """Whether RTCP shares the RTP port (RFC 5761)."""
        return self.has_attribute("rtcp-mux")

    @property
    def mid(self) -> str | None:
        """The identification tag of the m-line (RFC 5888)."""
        return self.attribute("mid")

    def with_port(self, port: int) -> Self:
        """A copy with another port."""
        return dataclasses.replace(self, port=port)

    def with_codecs(self, codecs: Iterable[Codec]) -> Self:
        """A copy offering exactly these formats, with their rtpmap and fmtp lines.

        The static payload types get an rtpmap too: some phones insist on it.
        """
        chosen = tuple(codecs)
        others = self.without_attributes("rtpmap", "fmtp")
        lines: list[Line] = []
        for codec in chosen:
            lines.append(("a", f"rtpmap:{codec.rtpmap}"))
            if codec.parameters:
                lines.append(("a", f"fmtp:{codec.payload_type} {codec.parameters}"))
        position = next(
            (i for i, line in enumerate(others.lines) if line[0] == "a"),
            len(others.lines),
        )
        return dataclasses.replace(
            others,
            formats=tuple(str(codec.payload_type) for codec in chosen),
            lines=(*others.lines[:position], *lines, *others.lines[position:]),
        )

    def rejected(self) -> Self:
        """The answer that declines this m-line: port 0, its formats, nothing else."""
        lines = () if self.mid is None else (("a", f"mid:{self.mid}"),)
        return dataclasses.replace(self, port=0, port_count=None, lines=lines)


@dataclass(frozen=True, slots=True)
class SessionDescription(_Section):
    """A whole description. ``str()`` writes it with CRLF line ends.

    Attributes:
        lines: the session's own lines after ``v=`` and ``o=``, in order.
        origin: who made it, and its version.
        media: the m-lines, in an order that never changes (RFC 3264 8).
    """

    origin: Origin = Origin("-", 0, 0, "IN", "IP4", "0.0.0.0")
    media: tuple[MediaDescription, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a description; CRLF and LF line ends are taken, order is not enforced.

        Raises:
            SdpTooLarge, TooManyMedia, BadPayloadType: a limit is exceeded.
            SdpError: malformed.
        """
        if len(text) > MAX_SDP_BYTES:
            raise SdpTooLarge("session description exceeds the limit")
        lines = _split_lines(text)
        if not lines or lines[0] != ("v", "0"):
            raise SdpError("session description does not begin with v=0")
        starts = [i for i, (letter, _) in enumerate(lines) if letter == "m"]
        if len(starts) > MAX_MEDIA:
            raise TooManyMedia("more m-lines than the limit")
        session_lines = lines[1 : starts[0] if starts else len(lines)]
        origins = [value for letter, value in session_lines if letter == "o"]
        if len(origins) != 1:
            raise SdpError("not exactly one o= line")
        media = tuple(
            MediaDescription.parse(lines[start][1], lines[start + 1 : end])
            for start, end in itertools.pairwise([*starts, len(lines)])
        )
        mids = [item.mid for item in media if item.mid is not None]
        if len(mids) != len(set(mids)):
            raise SdpError("two m-lines have the same mid")
        session = cls(
            tuple(line for line in session_lines if line[0] != "o"),
            origin=Origin.parse(origins[0]),
            media=media,
        )
        _check_section(session)
        return session

    @classmethod
    def parse_body(cls, body: bytes) -> Self:
        """Read the body of a message.

        Raises:
            SdpError: as :meth:`parse`.
        """
        return cls.parse(body.decode("utf-8", "surrogateescape"))

    def __str__(self) -> str:
        lines = [("v", "0"), ("o", str(self.origin)), *self.lines]
        for media in self.media:
            lines += media._all_lines()
        return "".join(f"{letter}={value}\r\n" for letter, value in lines)

    def to_bytes(self) -> bytes:
        """The description as the body of a message."""
        return encode(str(self))

    def connection(self, media: MediaDescription) -> Connection | None:
        """Where the media is received: its own ``c=`` line or the session's."""
        return media.own_connection or self.own_connection

    def direction(self, media: MediaDescription) -> Direction:
        """The media's direction: its own, the session's, else sendrecv.

        An unspecified address (hold as RFC 2543 did it) takes the receiving away.
        """
        stated = media.own_direction or self.own_direction or Direction.SENDRECV
        connection = self.connection(media)
        # Browsers write 0.0.0.0 while they have no candidates (RFC 8840 4.1.1).
        uses_ice = media.has_attribute("ice-ufrag") or self.has_attribute("ice-ufrag")
        if connection is not None and connection.is_unspecified and not uses_ice:
            return stated & Direction.SENDONLY
        return stated

    def is_held_by_writer(self, media: MediaDescription) -> bool:
        """Whether who wrote this does not want to receive the media now."""
        return not self.direction(media).receives

    @property
    def bundle(self) -> tuple[str, ...]:
        """The mids of the first BUNDLE group (RFC 9143), empty when there is none."""
        for value in self.attribute_values("group"):
            semantics, *mids = value.split()
            if semantics == "BUNDLE":
                return tuple(mids)
        return ()

    def first(self, kind: str) -> MediaDescription | None:
        """The first m-line of a kind that is not rejected."""
        return next(
            (m for m in self.media if m.kind == kind and not m.is_rejected), None
        )

    def with_media(self, index: int, media: MediaDescription) -> Self:
        """A copy with one m-line replaced, its place kept."""
        changed = list(self.media)
        changed[index] = media
        return dataclasses.replace(self, media=tuple(changed))

    def with_next_version(self) -> Self:
        """A copy to send as the next, changed description (RFC 3264 8)."""
        origin = dataclasses.replace(self.origin, version=self.origin.version + 1)
        return dataclasses.replace(self, origin=origin)


def _split_lines(text: str) -> list[Line]:
    raw_lines = text.replace("\r\n", "\n").split("\n")
    while raw_lines and not raw_lines[-1].strip():
        raw_lines.pop()
    if len(raw_lines) > MAX_LINES:
        raise SdpTooLarge("more lines than the limit")
    lines: list[Line] = []
    for raw in raw_lines:
        match = _LINE.fullmatch(raw)
        if match is None or _FORBIDDEN.search(raw):
            raise SdpError("a line that is not type=value")
        lines.append((match[1], match[2]))
    return lines


def _check_line(letter: str, value: str) -> None:
    if len(letter) != 1 or _FORBIDDEN.search(letter + value):
        raise InvalidValue("a line of a session description cannot hold CR, LF or NUL")


def _check_section(section: _Section) -> None:
    for value in section.values("c"):
        Connection.parse(value)
    for value in section.attribute_values("rtcp"):
        _parse_rtcp(value)
    for value in section.attribute_values("group"):
        if not value.split():
            raise SdpError("malformed a=group")


def _check_address(address_type: str, address: str) -> str:
    try:
        if address_type == "IP6" and ":" in address and "%" not in address:
            ipaddress.IPv6Address(address)
            return address
        if address_type == "IP4" and address.replace(".", "").isdigit():
            ipaddress.IPv4Address(address)
            return address
    except ValueError:
        raise SdpError("malformed address") from None
    if address_type not in ("IP4", "IP6") or _FQDN.fullmatch(address) is None:
        raise SdpError("malformed address")
    return address


def _parse_payload_type(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 127):
        raise BadPayloadType("payload type is no number from 0 to 127")
    return int(text)


def _parse_rtcp(value: str) -> Rtcp:
    match = _RTCP.fullmatch(value)
    if match is None or int(match[1]) > 65535:
        raise SdpError("malformed a=rtcp")
    if match[2] is None:
        return Rtcp(int(match[1]))
    return Rtcp(int(match[1]), Connection.parse(" ".join(match.group(2, 3, 4))))
