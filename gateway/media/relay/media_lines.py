"""Lines of our own descriptions that several m-lines or both legs have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.media.relay.description import RemoteMedia
from gateway.media.relay.ice_lite import IceCredentials

# RFC 8445 section 5.1.2.1: host candidate, component 1.
_CANDIDATE_PRIORITY = 2130706431


@dataclass(frozen=True, slots=True)
class LocalBrowserSide:
    """What our answers to the browser tell about us."""

    host: str
    port: int
    credentials: IceCredentials
    fingerprint: str
    is_dtls_server: bool
    ssrc: int
    cname: str
    video_ssrc: int = 0


@dataclass(frozen=True, slots=True)
class OutgoingStream:
    """What we send in an m-line; ``name`` is the stream id of RFC 8830."""

    ssrc: int
    name: str
    cname: str

    def lines(self, kind: str) -> list[str]:
        """How it is described; audio and video of one name belong together."""
        return [f"a=msid:{self.name} {kind}", f"a=ssrc:{self.ssrc} cname:{self.cname}"]


def family(host: str) -> str:
    """The address type of a literal address."""
    return "IP6" if ":" in host else "IP4"


def format_lines(payload_type: int, rtpmap: str, parameters: str) -> list[str]:
    """How one format is described."""
    lines = [f"a=rtpmap:{payload_type} {rtpmap}"]
    if parameters:
        lines.append(f"a=fmtp:{payload_type} {parameters}")
    return lines


def bandwidth_lines(limit_bps: int | None) -> list[str]:
    """A limit in both units: not everybody reads TIAS (RFC 3890)."""
    if limit_bps is None:
        return []
    return [f"b=AS:{max(1, limit_bps // 1000)}", f"b=TIAS:{limit_bps}"]


def browser_media_lines(
    media: RemoteMedia,
    ours: LocalBrowserSide,
    *,
    formats: Sequence[int],
    direction: str,
    details: Iterable[str],
    sends: OutgoingStream | None,
    limit_bps: int | None = None,
) -> list[str]:
    """An accepted m-line of our answer to a browser."""
    return [
        f"m={media.kind} {ours.port} {media.protocol} {' '.join(map(str, formats))}",
        f"c=IN {family(ours.host)} {ours.host}",
        *bandwidth_lines(limit_bps),
        *([] if media.mid is None else [f"a=mid:{media.mid}"]),
        "a=rtcp-mux",
        f"a={direction}",
        f"a=ice-ufrag:{ours.credentials.ufrag}",
        f"a=ice-pwd:{ours.credentials.password}",
        f"a=fingerprint:sha-256 {ours.fingerprint}",
        f"a=setup:{'passive' if ours.is_dtls_server else 'active'}",
        *details,
        *([] if sends is None else sends.lines(media.kind)),
        f"a=candidate:1 1 udp {_CANDIDATE_PRIORITY} {ours.host} {ours.port} typ host",
        "a=end-of-candidates",
    ]


def rejected_lines(
    kind: str, protocol: str, formats: Sequence[str], *, mid: str | None, host: str
) -> list[str]:
    """An m-line that keeps its place with port 0; ``host`` may be empty."""
    lines = [f"m={kind} 0 {protocol} {' '.join(formats)}"]
    if host:
        lines.append(f"c=IN {family(host)} {host}")
    if mid is not None:
        lines.append(f"a=mid:{mid}")
    return [*lines, "a=inactive"]
