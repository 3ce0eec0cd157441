"""What the far end of one call hears when it is not simply the browser.

Nothing of ours while the browser is relayed; comfort while the browser is away; music
on hold; the mix while it hears others, which goes before both.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Mapping

from gateway.media.engine import Leg
from gateway.media.relay.audio_stream import AudioStream, Listener
from gateway.media.relay.codecs import Codec
from gateway.media.relay.injection import Injection
from gateway.media.relay.injector import ComfortSound
from gateway.media.relay.negotiation import Negotiation
from gateway.media.relay.services import CallServices
from gateway.media.relay.stream import Mute


class BrowserPresence(enum.Enum):
    """Where the browser of a call is."""

    EXPECTED = enum.auto()
    THERE = enum.auto()
    AWAY = enum.auto()
    DROPPED = enum.auto()


class CallSound:
    """One call's sounds towards its far end; a ``Party`` of the mixer.

    Args:
        uplink: stream towards the far end; ``downlink`` towards the browser.
        send: sends a packet to the far end; ``send_to_browser`` to the browser.
        apply: brings streams into line with the negotiation.

    Attributes:
        is_held: the two sides are parted.
    """

    def __init__(
        self,
        services: CallServices,
        negotiation: Negotiation,
        *,
        uplink: AudioStream,
        downlink: AudioStream,
        send: Callable[[bytes], None],
        send_to_browser: Callable[[bytes], None],
        apply: Callable[[], None],
    ) -> None:
        self._services = services
        self._negotiation = negotiation
        self._streams: Mapping[Leg, AudioStream] = {
            # By who is heard in it.
            Leg.BROWSER: uplink,
            Leg.SIP: downlink,
        }
        self._apply = apply
        self._injection = Injection(
            {Leg.SIP: (uplink, send), Leg.BROWSER: (downlink, send_to_browser)},
            services.clock,
        )
        self._presence = BrowserPresence.EXPECTED
        self._is_mixing = False
        self._is_closed = False
        # What is played now, to whom.
        self._playing: tuple[str, Codec, int] | None = None
        self.is_held = False

    # What the call tells

    def set_presence(self, presence: BrowserPresence) -> None:
        """The browser came, went for a while, or left for good."""
        self._presence = presence
        self.settle()

    def hold(self, *, is_held: bool) -> None:
        """Part the two sides, or bring them together."""
        self.is_held = is_held
        for stream in self._streams.values():
            stream.set_mute(Mute.PARTED, muted=is_held)
        self._apply()

    def send_digits(
        self, leg: Leg, digits: str, *, payload_type: int, clock_rate: int
    ) -> bool:
        """Queue telephone-events; False when too many would wait."""
        return self._injection.send_digits(
            leg, digits, payload_type=payload_type, clock_rate=clock_rate
        )

    def browser_dialled(self, digit: str) -> None:
        """The browser sent a telephone-event; in a mix we send it in its place.

        Not now: the stream is in the middle of numbering the event's last packet.
        """
        if self._is_mixing and not self.is_held:
            asyncio.get_running_loop().call_soon(self._dial, digit)

    def _dial(self, digit: str) -> None:
        target = self._negotiation.sip_events()
        if target is not None and not self._is_closed:
            self.send_digits(
                Leg.SIP,
                digit,
                payload_type=target.payload_type,
                clock_rate=target.clock_rate,
            )

    def settle(self) -> None:
        """Play what is wanted now, or nothing."""
        wanted = self._wanted()
        if wanted == self._playing:
            return
        self._playing = wanted
        if wanted is None:
            self._injection.stop_comfort(Leg.SIP)
            return
        name, codec, payload_type = wanted
        tones = self._services.tones[codec.name]
        is_music = name == "music"
        self._injection.start_comfort(
            Leg.SIP,
            ComfortSound(
                payload_type=payload_type,
                quiet=tones.quiet,
                tone=self._services.music(codec) if is_music else tones.tone,
                delay_s=0.0 if is_music else self._services.config.comfort_delay_s,
            ),
        )

    def _wanted(self) -> tuple[str, Codec, int] | None:
        codec = self._negotiation.codec
        payload_type = self._negotiation.sip_payload_type
        if self._is_mixing or codec is None or payload_type is None:
            return None
        if codec.name not in self._services.tones:
            return None
        if self.is_held:
            return "music", codec, payload_type
        if self._presence in (BrowserPresence.AWAY, BrowserPresence.DROPPED):
            return "comfort", codec, payload_type
        return None

    def close(self) -> None:
        """Send nothing any more."""
        self._is_closed = True
        self._injection.close()

    # The mix

    def listen(self, leg: Leg, listener: Listener | None) -> None:
        """Have the audio of a leg's remote heard from now on, or no more."""
        self._streams[leg].listen(listener)

    def codec_of(self, leg: Leg, payload_type: int) -> Codec | None:
        """What such a packet of a leg's remote holds."""
        return self._negotiation.incoming_codecs(leg).get(payload_type)

    def set_mixing(self, *, is_mixing: bool) -> None:
        """From now on the far end gets frames instead of the browser's packets."""
        self._is_mixing = is_mixing
        self._streams[Leg.BROWSER].set_mute(Mute.MIXING, muted=is_mixing)
        self._apply()

    @property
    def mixes_browser(self) -> bool:
        """Whether the far end may hear the browser."""
        return not self.is_held

    def mix_codec(self) -> Codec | None:
        """What the far end wants frames in; None: it takes nothing now."""
        negotiation = self._negotiation
        if not negotiation.may_send_to_sip or negotiation.sip_payload_type is None:
            return None
        return negotiation.codec

    def send_mixed(self, payload: bytes, *, marker: bool, due: float) -> bool:
        """Send a frame to the far end; False: it could not be sent now."""
        payload_type = self._negotiation.sip_payload_type
        return payload_type is not None and self._injection.send_frame(
            Leg.SIP, payload_type, payload, marker=marker, due=due
        )
