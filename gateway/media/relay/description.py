"""What the relay needs to know of a remote session description, read once."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.media.engine import MediaError, MediaErrorKind
from gateway.media.relay.aiortc_internals import FINGERPRINT_ALGORITHMS, Fingerprint
from gateway.media.relay.codecs import Codec, find_codec
from gateway.media.relay.video_codecs import MAX_FORMATS, VideoFormat, read_format
from sip.errors import SipError
from sip.sdp import Direction, MediaDescription, SessionDescription

Address = tuple[str, int]

# RFC 8839 section 5.4.
MAX_UFRAG = 256
MIN_UFRAG, MIN_PASSWORD = 4, 22


@dataclass(frozen=True, slots=True)
class RemoteCodec:
    """How the remote numbers and configures a codec we know."""

    payload_type: int
    fmtp: str


@dataclass(frozen=True, slots=True)
class IceParameters:
    """The remote's ICE credentials; only their identity matters to a lite agent."""

    ufrag: str
    password: str

    def __repr__(self) -> str:
        return f"IceParameters(ufrag={self.ufrag!r})"


@dataclass(frozen=True, slots=True)
class RemoteMedia:
    """One m-line of the remote.

    Attributes:
        formats: as written, for rejecting it.
        codecs: known ones of audio, in the remote's order.
        events: telephone-event payload types by clock rate.
        video: known formats of video, in the remote's order.
        bandwidth_bps: what it limits our sending to, None: nothing.
        direction: as the remote wrote it; an unspecified address takes receiving
            away on the SIP side (RFC 3264 section 8.4).
        rtp: where it receives RTP; None on hold with an unspecified address.
        rtcp: where it receives RTCP.
        ice, fingerprints, setup: WebRTC attributes; fingerprints only of known hashes.
    """

    kind: str
    protocol: str
    formats: tuple[str, ...]
    is_rejected: bool
    mid: str | None
    direction: Direction
    codecs: Mapping[Codec, RemoteCodec]
    events: Mapping[int, int]
    rtp: Address | None
    rtcp: Address | None
    ice: IceParameters | None
    fingerprints: tuple[Fingerprint, ...]
    setup: str
    has_rtcp_mux: bool
    video: tuple[VideoFormat, ...] = ()
    bandwidth_bps: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteDescription:
    """A description of the remote; ``session_id`` is that of its ``o=`` line."""

    session_id: int
    bundle: tuple[str, ...]
    media: tuple[RemoteMedia, ...]


def read_description(text: str, *, is_browser: bool) -> RemoteDescription:
    """Parse; raises :class:`MediaError` (BAD_SDP) on anything malformed.

    On the SIP side an address must be a literal one of RTP use; browsers tell theirs
    by ICE.
    """
    try:
        session = SessionDescription.parse(text)
    except SipError as error:
        raise MediaError(MediaErrorKind.BAD_SDP, str(error)) from error
    media = [
        _read_video(session, each, is_browser=is_browser)
        if each.kind == "video"
        else _read_media(session, each, is_browser=is_browser)
        for each in session.media
    ]
    return RemoteDescription(
        session_id=session.origin.session_id,
        bundle=session.bundle,
        media=_with_bundle_transport(media, session.bundle),
    )


def _with_bundle_transport(
    media: list[RemoteMedia], bundle: tuple[str, ...]
) -> tuple[RemoteMedia, ...]:
    """In a bundle the first m-line's transport is everybody's (RFC 9143 7.1.3)."""
    tagged = next((each for each in media if bundle and each.mid == bundle[0]), None)
    if tagged is None or tagged.ice is None:
        return tuple(media)
    return tuple(
        dataclasses.replace(
            each,
            ice=tagged.ice,
            fingerprints=tagged.fingerprints,
            setup=tagged.setup,
            has_rtcp_mux=tagged.has_rtcp_mux,
        )
        if each.mid in bundle and each.ice is None and not each.is_rejected
        else each
        for each in media
    )


def _read_video(
    session: SessionDescription, media: MediaDescription, *, is_browser: bool
) -> RemoteMedia:
    """A video m-line; one that cannot be used counts as rejected, for audio's sake."""
    try:
        read = _read_media(session, media, is_browser=is_browser)
    except MediaError:
        return _read_media(session, media.rejected(), is_browser=is_browser)
    if read.is_rejected:
        return read
    formats = (
        read_format(
            each.name,
            each.clock_rate,
            each.payload_type,
            each.parameters,
            media.feedback(each.payload_type),
        )
        for each in media.codecs[:MAX_FORMATS]
    )
    limits = (media.bandwidth_bps, session.bandwidth_bps)
    return dataclasses.replace(
        read,
        codecs={},
        events={},
        video=tuple(each for each in formats if each is not None),
        bandwidth_bps=min((each for each in limits if each), default=None),
    )


def _read_media(
    session: SessionDescription, media: MediaDescription, *, is_browser: bool
) -> RemoteMedia:
    codecs: dict[Codec, RemoteCodec] = {}
    for offered in media.codecs:
        codec = find_codec(offered.name, offered.clock_rate)
        if codec is not None and codec not in codecs:
            codecs[codec] = RemoteCodec(offered.payload_type, offered.parameters)
    events: dict[int, int] = {}
    for event in media.telephone_events:
        events.setdefault(event.clock_rate, event.payload_type)
    is_usable = media.kind in ("audio", "video") and not media.is_rejected
    rtp = rtcp = None
    if is_usable and not is_browser:
        rtp, rtcp = _read_addresses(session, media)
    return RemoteMedia(
        kind=media.kind,
        protocol=media.protocol,
        formats=media.formats,
        is_rejected=media.is_rejected,
        mid=media.mid,
        direction=_direction(session, media, is_browser=is_browser),
        codecs=codecs if is_usable else {},
        events=events,
        rtp=rtp,
        rtcp=rtcp,
        ice=_read_ice(session, media) if is_usable and is_browser else None,
        fingerprints=_read_fingerprints(session, media),
        setup=media.attribute("setup") or session.attribute("setup") or "actpass",
        has_rtcp_mux=media.has_rtcp_mux,
    )


def _direction(
    session: SessionDescription, media: MediaDescription, *, is_browser: bool
) -> Direction:
    if not is_browser:
        return session.direction(media)
    # The address of a browser's line says nothing, least of all in a bundle.
    return media.own_direction or session.own_direction or Direction.SENDRECV


def _read_addresses(
    session: SessionDescription, media: MediaDescription
) -> tuple[Address | None, Address | None]:
    connection = session.connection(media)
    if connection is None:
        raise MediaError(MediaErrorKind.BAD_SDP, "no connection address")
    if connection.is_unspecified:
        return None, None
    host = _literal(connection.address)
    rtcp = media.rtcp
    if rtcp is None:
        return (host, media.port), (host, min(media.port + 1, 65535))
    rtcp_host = host if rtcp.connection is None else _literal(rtcp.connection.address)
    return (host, media.port), (rtcp_host, rtcp.port)


def _literal(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise MediaError(
            MediaErrorKind.BAD_SDP, "connection address is no literal address"
        ) from None
    if address.is_multicast:
        raise MediaError(MediaErrorKind.BAD_SDP, "connection address is multicast")
    return str(address)


def _read_ice(
    session: SessionDescription, media: MediaDescription
) -> IceParameters | None:
    ufrag = media.attribute("ice-ufrag") or session.attribute("ice-ufrag")
    password = media.attribute("ice-pwd") or session.attribute("ice-pwd")
    if ufrag is None or password is None:
        return None
    if not MIN_UFRAG <= len(ufrag) <= MAX_UFRAG or len(password) < MIN_PASSWORD:
        raise MediaError(MediaErrorKind.BAD_SDP, "ICE credentials have a wrong length")
    return IceParameters(ufrag, password)


def _read_fingerprints(
    session: SessionDescription, media: MediaDescription
) -> tuple[Fingerprint, ...]:
    values = media.attribute_values("fingerprint") or session.attribute_values(
        "fingerprint"
    )
    known: list[Fingerprint] = []
    for value in values:
        algorithm, _, digest = value.strip().partition(" ")
        if algorithm.lower() in FINGERPRINT_ALGORITHMS:
            known.append(Fingerprint(algorithm.lower(), digest.strip().upper()))
    return tuple(known)
