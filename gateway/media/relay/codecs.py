"""The audio codecs that are passed through, and how SDP names them."""

from __future__ import annotations

from dataclasses import dataclass

TELEPHONE_EVENT = "telephone-event"


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec as RFC 3551 (or its own payload RFC) registers it.

    Attributes:
        name: encoding name of the rtpmap line.
        clock_rate: RTP clock in Hz; 8000 for G722 although it samples at 16 kHz
            (RFC 3551 section 4.5.2).
        channels: rtpmap encoding parameter.
        payload_type: static type, or the dynamic one of our own offers.
        fmtp: parameters of our own offers.
        impairment: equipment impairment factor Ie (ITU-T G.113 Appendix I).
        robustness: packet-loss robustness factor Bpl (ITU-T G.113 Appendix I).
    """

    name: str
    clock_rate: int
    channels: int
    payload_type: int
    fmtp: str = ""
    impairment: float = 0.0
    robustness: float = 25.1

    @property
    def frame_ticks(self) -> int:
        """Clock ticks of the usual 20 ms packet."""
        return self.clock_rate // 50

    @property
    def rtpmap(self) -> str:
        """The value of our rtpmap line, without the payload type."""
        suffix = f"/{self.channels}" if self.channels > 1 else ""
        return f"{self.name}/{self.clock_rate}{suffix}"


# Ie/Bpl of G.711 with concealment are G.113's; G.722 and Opus have none on the
# narrow-band scale, theirs are set so that clean audio rates no lower than G.711.
CODECS = {
    codec.name.lower(): codec
    for codec in (
        Codec("PCMU", 8000, 1, 0),
        Codec("PCMA", 8000, 1, 8),
        Codec("G722", 8000, 1, 9, robustness=15.0),
        Codec("opus", 48000, 2, 111, fmtp="minptime=10;useinbandfec=1"),
    )
}

# RFC 4733 payload types of our own offers, by clock rate.
EVENT_PAYLOAD_TYPES = {8000: 101, 48000: 110}


def find_codec(name: str, clock_rate: int) -> Codec | None:
    """The codec of an rtpmap, None when it is not passed through."""
    codec = CODECS.get(name.lower())
    return codec if codec is not None and codec.clock_rate == clock_rate else None
