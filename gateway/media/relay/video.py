"""The video of one call: two streams, the SIP side's ports, and their RTCP.

It lives from the browser's first offer with video to the end of the call and shares
the browser transport with audio. Feedback is carried across: a keyframe asked for on
one leg is asked for on the other, and what a receiver misses is sent again from here,
or asked for at the source if it has not come here either.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from gateway.media.engine import KeyframeWanted, Leg, LegStatistics, MediaCallId
from gateway.media.relay.browser_transport import BrowserTransport
from gateway.media.relay.description import RemoteMedia
from gateway.media.relay.feedback import (
    Feedback,
    KeyframeMessage,
    Nack,
    build_keyframe_request,
    build_nack,
)
from gateway.media.relay.keyframes import INTERVAL_S, SLOW_INTERVAL_S, KeyframeAsker
from gateway.media.relay.leg_statistics import leg_statistics
from gateway.media.relay.port_pairs import PortPair
from gateway.media.relay.rtcp import Compound, ReportSession, parse_compound
from gateway.media.relay.services import CallServices
from gateway.media.relay.sip_port import SipPort
from gateway.media.relay.source_clock import SourceClock
from gateway.media.relay.source_filter import Address, SourceFilter
from gateway.media.relay.stream import Mute
from gateway.media.relay.video_codecs import FULL_INTRA, NACK, PICTURE_LOSS
from gateway.media.relay.video_negotiation import VideoNegotiation
from gateway.media.relay.video_stream import VideoStream

# Packets that one wake-up takes from a phone; a keyframe is as many and more.
BURST = 64

# Packets sent again, per direction: at most this many at once, and this many a tick.
MAX_RESENT, RESENT_PER_TICK = 256, 64


class VideoRelay:
    """See the module's docstring; every method runs in the worker's loop.

    Args:
        pair: our ports on the SIP side; given back by :meth:`close`.
        clocks: of the browser and of the peer, shared with audio.
    """

    def __init__(
        self,
        call: MediaCallId,
        services: CallServices,
        pair: PortPair,
        negotiation: VideoNegotiation,
        *,
        cname: bytes,
        clocks: tuple[SourceClock, SourceClock],
    ) -> None:
        self._call = call
        self._services = services
        self._negotiation = negotiation
        self._transport: BrowserTransport | None = None
        self._ask_browser = KeyframeAsker(self._request_of_browser)
        self._ask_sip = KeyframeAsker(self._request_of_sip)
        self._fir_number = 0
        self.uplink = VideoStream(
            ssrc=services.rng.getrandbits(32),
            rng=services.rng,
            on_undecodable=lambda: self._ask_browser.want(services.clock()),
            on_gap=self._missed_of_browser,
        )
        self.downlink = VideoStream(
            ssrc=services.rng.getrandbits(32),
            rng=services.rng,
            on_undecodable=lambda: self._ask_sip.want(services.clock()),
            on_gap=self._missed_of_sip,
        )
        self.uplink.mute(Mute.NO_RECEIVER)
        self.downlink.mute(Mute.NO_RECEIVER)
        self._browser_reports = ReportSession(
            outgoing=self.downlink, incoming=self.uplink, cname=cname, clock=clocks[0]
        )
        self._sip_reports = ReportSession(
            outgoing=self.uplink, incoming=self.downlink, cname=cname, clock=clocks[1]
        )
        self._expected: Address | None = None
        # Others of a room get what the browser sends, whatever the SIP side does.
        self.is_watched = False
        self._is_held = False
        self._resendable = {Leg.BROWSER: MAX_RESENT, Leg.SIP: MAX_RESENT}
        config = services.config
        self._sip = SipPort(
            self,
            pair=pair,
            source_filter=SourceFilter(
                config.symmetric_rtp, window_s=config.learning_window_s
            ),
            downlink=self.downlink,
            sender=services.browser_port.sender,
            group=services.group,
            attach=_attach,
            burst=BURST,
        )

    @property
    def is_active(self) -> bool:
        """Whether video is agreed on both legs."""
        return self._negotiation.is_agreed

    # What was agreed, put into effect

    def expect(self, media: RemoteMedia, now: float) -> None:
        """The peer's description has this video."""
        if media.rtp is None or media.rtcp is None:
            return
        if media.rtp != self._expected:
            self._expected = media.rtp
            self.uplink.await_keyframe()
        self._sip.expect(media.rtp, media.rtcp, now)

    def apply(self) -> None:
        """Bring streams and gates into line with the negotiation."""
        negotiation = self._negotiation
        routes = negotiation.routes()
        # Then the uplink only listens, for the reports to the browser.
        is_alone = self.is_watched and routes is None and self._sip.destination is None
        if is_alone:
            routes = negotiation.routes_alone()
        if routes is not None:
            self.uplink.set_payloads(routes.up, routes.up_names)
            self.downlink.set_payloads(routes.down, routes.down_names)
        self.uplink.keep_history(wanted=NACK in negotiation.sip_feedback)
        self.downlink.keep_history(wanted=NACK in negotiation.browser_feedback)
        self.uplink.set_mute(
            Mute.NO_RECEIVER, muted=self._sip.destination is None and not is_alone
        )
        self.uplink.set_mute(Mute.HOLD, muted=not negotiation.sends and not is_alone)
        self.downlink.set_mute(Mute.HOLD, muted=not negotiation.receives)

    def part(self, *, is_held: bool) -> None:
        """Pictures go neither way while held; afterwards both begin anew."""
        was_held, self._is_held = self._is_held, is_held
        for stream in (self.uplink, self.downlink):
            stream.set_mute(Mute.PARTED, muted=is_held)
        if was_held and not is_held:
            for leg in Leg:
                self.request_keyframe(leg)

    def connect_browser(self, transport: BrowserTransport | None) -> None:
        """The browser is there on this transport from now on, or gone."""
        self._transport = transport
        self._sip.connect_browser(transport)
        if transport is None:
            self.downlink.mute(Mute.NO_RECEIVER)
            return
        self.uplink.new_source()
        self._browser_reports.restart()
        self.downlink.unmute(Mute.NO_RECEIVER)
        self.downlink.await_keyframe()
        transport.video_uplink = self.uplink

    def drop_sip(self) -> None:
        """There is no SIP side any more; :meth:`apply` follows."""
        self._expected = None
        self._sip.forget()

    def close(self) -> PortPair:
        """Stop receiving; the pair goes back to the allocator."""
        self._transport = None
        return self._sip.close()

    # Time

    def tick(self, now: float) -> None:
        """What is repeated or given up; called a few times a second."""
        self._sip.settle(now)
        for leg in Leg:
            self._resendable[leg] = min(
                MAX_RESENT, self._resendable[leg] + RESENT_PER_TICK
            )
        for stream, asker in (
            (self.uplink, self._ask_browser),
            (self.downlink, self._ask_sip),
        ):
            if stream.give_up_missing(now) or stream.holds_back:
                asker.want(now)
            asker.run(now)
        self._missed_of_browser(0.0)
        self._missed_of_sip(0.0)

    def send_reports(self, *, now: float, wall: float) -> None:
        """Our reports to both legs, where there is video."""
        if self.is_active or self.is_watched:
            self._to_browser(self._browser_reports.report(now=now, wall=wall))
        if self.is_active:
            self._sip.send_reports(self._sip_reports.report(now=now, wall=wall))

    # Keyframes

    def request_keyframe(self, leg: Leg) -> None:
        """Ask the remote of ``leg`` for one."""
        asker = self._ask_browser if leg is Leg.BROWSER else self._ask_sip
        asker.want(self._services.clock())

    def want_keyframe(self, now: float) -> None:
        """Somebody in the browser's room needs one."""
        self._ask_browser.want(now)

    def _request_of_browser(self) -> float:
        message = _keyframe_message(self._negotiation.browser_feedback)
        source = self.uplink.heard_ssrc
        if source is None:
            # Its first packet asks again.
            return 0.0
        if (self._negotiation.sends or self.is_watched) and message is not None:
            self._to_browser(
                self._browser_reports.covered(
                    build_keyframe_request(
                        message, self.downlink.ssrc, source, self._next_fir_number()
                    )
                )
            )
        return INTERVAL_S

    def _request_of_sip(self) -> float:
        if not self._negotiation.receives:
            return INTERVAL_S
        message = _keyframe_message(self._negotiation.sip_feedback)
        if message is None:
            self._services.emit(KeyframeWanted(self._call, Leg.SIP))
            return SLOW_INTERVAL_S
        source = self.downlink.heard_ssrc
        if source is not None:
            self._sip.send_reports(
                self._sip_reports.covered(
                    build_keyframe_request(
                        message, self.uplink.ssrc, source, self._next_fir_number()
                    )
                )
            )
        return INTERVAL_S

    def _next_fir_number(self) -> int:
        self._fir_number += 1
        return self._fir_number

    # Feedback of the remotes

    def browser_reported(self, compound: Compound, *, now: float, wall: float) -> None:
        """RTCP of the browser, which is about audio too."""
        self._browser_reports.take(compound.reports, now=now, wall=wall)
        for message in compound.feedback:
            if message.ssrc == self.downlink.ssrc and self._negotiation.receives:
                self._carry(
                    message,
                    now,
                    stream=self.downlink,
                    leg=Leg.BROWSER,
                    resend=self._packet_to_browser,
                    missed=self._nack_sip,
                    asker=self._ask_sip,
                )

    def sip_media_started(self) -> None:
        """The first packet of the peer; nobody waits for it."""

    def sip_reports(self, data: bytes, now: float) -> None:
        """RTCP of the peer."""
        try:
            compound = parse_compound(data)
        except ValueError:
            self._sip_reports.malformed += 1
            return
        self._sip_reports.take(compound.reports, now=now, wall=self._services.wall())
        for message in compound.feedback:
            # Some telephones leave the source out.
            if message.ssrc in (self.uplink.ssrc, 0) and self._negotiation.sends:
                self._carry(
                    message,
                    now,
                    stream=self.uplink,
                    leg=Leg.SIP,
                    resend=self._sip.send,
                    missed=self.nack_browser,
                    asker=self._ask_browser,
                )

    def _carry(
        self,
        message: Feedback,
        now: float,
        *,
        stream: VideoStream,
        leg: Leg,
        resend: Callable[[bytes], None],
        missed: Callable[[list[int]], None],
        asker: KeyframeAsker,
    ) -> None:
        """What the receiver of ``stream`` on ``leg`` wants, from here or its source."""
        if not isinstance(message, Nack):
            asker.want(now)
            return
        unknown: list[int] = []
        for number in message.lost:
            packet = stream.sent_packet(number)
            if packet is None:
                unknown.append(number)
            elif self._resendable[leg]:
                self._resendable[leg] -= 1
                resend(packet)
        missed(stream.source_numbers(unknown))

    def _missed_of_browser(self, since: float) -> None:
        """Ask for missing packets, if the receiver cannot ask for them itself."""
        if NACK not in self._negotiation.sip_feedback:
            self.nack_browser(self.uplink.missing_numbers(since=since))

    def _missed_of_sip(self, since: float) -> None:
        if NACK not in self._negotiation.browser_feedback:
            self._nack_sip(self.downlink.missing_numbers(since=since))

    def nack_browser(self, numbers: list[int]) -> None:
        """Ask the browser for lost packets, by its numbers."""
        source = self.uplink.heard_ssrc
        is_understood = NACK in self._negotiation.browser_feedback
        if numbers and source is not None and is_understood:
            nack = build_nack(self.downlink.ssrc, source, numbers)
            self._to_browser(self._browser_reports.covered(nack))

    def _nack_sip(self, numbers: list[int]) -> None:
        source = self.downlink.heard_ssrc
        is_understood = NACK in self._negotiation.sip_feedback
        if numbers and source is not None and is_understood:
            nack = build_nack(self.uplink.ssrc, source, numbers)
            self._sip.send_reports(self._sip_reports.covered(nack))

    # Towards the browser

    def _to_browser(self, data: bytes) -> None:
        if self._transport is not None:
            self._services.browser_port.send_reports(self._transport, data)

    def _packet_to_browser(self, packet: bytes) -> None:
        if self._transport is not None:
            self._services.browser_port.send_packet(self._transport, packet)

    # Statistics

    def browser_statistics(self) -> LegStatistics:
        """Counters of the browser leg; what its transport drops counts as audio's."""
        return leg_statistics(
            None, self.uplink, self.downlink, self._browser_reports, 0
        )

    def sip_statistics(self) -> LegStatistics:
        """Counters of the SIP leg."""
        dropped = self._sip.counters
        return leg_statistics(
            None,
            self.downlink,
            self.uplink,
            self._sip_reports,
            dropped.foreign + dropped.malformed + dropped.errors,
        )


def _keyframe_message(feedback: Collection[str]) -> KeyframeMessage | None:
    """How a remote with this feedback is asked."""
    if PICTURE_LOSS in feedback:
        return KeyframeMessage.PICTURE_LOSS
    return KeyframeMessage.FULL_INTRA if FULL_INTRA in feedback else None


def _attach(
    transport: BrowserTransport, forward: Callable[[memoryview], object]
) -> None:
    transport.video_forward = forward
