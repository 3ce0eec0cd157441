"""What an operator decides about the embedded relay."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass

from gateway.media.relay.codecs import CODECS
from gateway.media.relay.video_codecs import VIDEO_CODECS

MAX_WORKERS = 64

# RFC 3264 leaves the order to us: G.711 first, because a SIP side that takes the
# browser's first codec needs no second browser negotiation (docs/design/002).
DEFAULT_CODECS = ("PCMU", "PCMA", "G722", "opus")


class SymmetricRtp(enum.StrEnum):
    """From where the SIP side may send, besides the address in its SDP.

    ``off``: nowhere. ``auto``: another port of the same address. ``on``: anywhere.
    Both learn once, inside the learning window, and never after it.
    """

    OFF = "off"
    AUTO = "auto"
    ON = "on"


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayConfig:
    """Settings of :class:`~gateway.media.relay.RelayEngine`.

    Attributes:
        workers: processes; one per core is enough.
        bind_host: address of both the browser port and the SIP-side ports.
        advertised_host: literal address put into every SDP; defaults to bind_host,
            which then must not be a wildcard.
        browser_port: UDP port of worker 0; worker i uses ``browser_port + i``.
            0 takes an ephemeral one.
        rtp_port_min: first SIP-side port (even: RTP, odd: RTCP); 0 with
            ``rtp_port_max`` 0 takes ephemeral pairs.
        rtp_port_max: last SIP-side port, inclusive; the range is split evenly
            between workers. A call takes a pair, with video two.
        symmetric_rtp: source filter of the SIP side.
        learning_window_s: how long after an SDP a source may still be learned.
        max_calls_per_worker: more are refused with ``no_capacity``.
        codecs: what is offered and accepted, in order of preference.
        video_codecs: what video is passed through (the offerer's order counts);
            empty for calls without video.
        ice_timeout_s: no connectivity check at all after an answer.
        dtls_timeout_s: from the nominated check to the end of the handshake.
        consent_timeout_s: no check any more (RFC 7675 section 5.1).
        port_quarantine_s: a finished call's ports stay bound until this long quiet.
        comfort_delay_s: silence before the hold tone when the browser is away.
        rtcp_interval_s: mean interval of reports (RFC 3550 section 6.2).
        respawn_delay_s: first pause before a dead worker is replaced; doubles up to
            ``respawn_delay_max_s``.
        respawn_delay_max_s: upper bound of that pause.
        worker_silence_s: a worker that answers nothing for this long is killed.
    """

    workers: int = 1
    bind_host: str = "127.0.0.1"
    advertised_host: str = ""
    browser_port: int = 0
    rtp_port_min: int = 0
    rtp_port_max: int = 0
    symmetric_rtp: SymmetricRtp = SymmetricRtp.AUTO
    learning_window_s: float = 3.0
    max_calls_per_worker: int = 400
    codecs: tuple[str, ...] = DEFAULT_CODECS
    video_codecs: tuple[str, ...] = tuple(VIDEO_CODECS.values())
    ice_timeout_s: float = 30.0
    dtls_timeout_s: float = 10.0
    consent_timeout_s: float = 30.0
    port_quarantine_s: float = 30.0
    comfort_delay_s: float = 2.0
    rtcp_interval_s: float = 5.0
    respawn_delay_s: float = 0.1
    respawn_delay_max_s: float = 5.0
    worker_silence_s: float = 10.0

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= MAX_WORKERS:
            raise ValueError(f"workers must be 1 to {MAX_WORKERS}")
        bind = ipaddress.ip_address(self.bind_host)
        advertised = ipaddress.ip_address(self.advertised_host or self.bind_host)
        if advertised.is_unspecified:
            raise ValueError("advertised_host must be set when bind_host is a wildcard")
        if bind.version != advertised.version:
            raise ValueError("bind_host and advertised_host differ in IP version")
        if not 0 <= self.browser_port <= 65535 - self.workers:
            raise ValueError("browser_port is out of range")
        if (self.rtp_port_min, self.rtp_port_max) != (0, 0):
            first, last = self.port_range(0)
            if first < 1024 or self.rtp_port_max > 65535 or last - first < 1:
                raise ValueError("rtp_port_min to rtp_port_max holds no port pair")
        if self.max_calls_per_worker < 1:
            raise ValueError("max_calls_per_worker must be positive")
        if not self.codecs:
            raise ValueError("codecs must name at least one codec")
        for name in self.codecs:
            if name.lower() not in CODECS:
                raise ValueError(f"codec {name} is not one of the passed-through ones")

        for name in self.video_codecs:
            if name.lower() not in VIDEO_CODECS:
                raise ValueError(f"video codec {name} is not a passed-through one")

    @property
    def sdp_host(self) -> str:
        """The address that remote parties are told."""
        return self.advertised_host or self.bind_host

    def port_range(self, worker: int) -> tuple[int, int]:
        """First (even) and last (odd) SIP-side port of one worker; (0, 0): any."""
        if (self.rtp_port_min, self.rtp_port_max) == (0, 0):
            return 0, 0
        low = self.rtp_port_min + self.rtp_port_min % 2
        pairs = (self.rtp_port_max - low + 1) // 2 // self.workers
        first = low + worker * pairs * 2
        return first, first + pairs * 2 - 1
