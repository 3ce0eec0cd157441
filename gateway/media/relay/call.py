"""One media call in a worker: two streams, their legs, and the negotiation."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from gateway.media.engine import (
    BrowserConnected,
    BrowserLost,
    DigitReceived,
    Leg,
    LegStatistics,
    MediaCallId,
    MediaError,
    MediaErrorKind,
    MediaStatistics,
    Negotiated,
    SipMediaStarted,
)
from gateway.media.relay.audio_stream import AudioStream
from gateway.media.relay.browser_transport import BrowserTransport
from gateway.media.relay.call_sound import BrowserPresence, CallSound
from gateway.media.relay.description import (
    IceParameters,
    RemoteDescription,
    RemoteMedia,
    read_description,
)
from gateway.media.relay.ice_lite import new_credentials
from gateway.media.relay.leg_statistics import leg_statistics
from gateway.media.relay.media_lines import LocalBrowserSide
from gateway.media.relay.negotiation import Negotiation
from gateway.media.relay.port_pairs import (
    VIDEO_RECEIVE_BUFFER_BYTES,
    NoPortsError,
    PortPair,
)
from gateway.media.relay.room import Member, Room, Sending
from gateway.media.relay.room_lines import LineFiller, ReceivingLines
from gateway.media.relay.rtcp import ReportSession, parse_compound
from gateway.media.relay.services import CallServices
from gateway.media.relay.sip_port import SipPort
from gateway.media.relay.source_clock import SourceClock
from gateway.media.relay.source_filter import SourceFilter
from gateway.media.relay.stream import Mute
from gateway.media.relay.telephone_event import is_dialable
from gateway.media.relay.video import VideoRelay
from gateway.media.relay.video_negotiation import RoomLines

logger = logging.getLogger(__name__)

# RFC 8830 section 2: a token of up to 64 characters.
_STREAM_ID = re.compile(r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,64}")

# A sender of video fits its rate to what reports say, and players match it with audio.
FIRST_REPORT_S = 0.5
VIDEO_REPORT_S = 1.0


@dataclass(slots=True)
class _BrowserOffer:
    """What was answered last, to answer the same again."""

    generation: int
    text: str
    answer: Negotiated
    session_id: int
    ice: IceParameters


class RelayCall:
    """One call; every method runs in the worker's loop and never blocks.

    Args:
        pair: our ports on the SIP side; given back by :meth:`close`.
        room: where its browser may meet others.
    """

    def __init__(
        self,
        call: MediaCallId,
        services: CallServices,
        pair: PortPair,
        room: Room | None = None,
    ) -> None:
        config, rng = services.config, services.rng
        now = services.clock()
        self._call = call
        self._services = services
        self._uplink = AudioStream(
            ssrc=rng.getrandbits(32),
            rng=rng,
            on_digit=lambda digit: self._digit(Leg.BROWSER, digit),
        )
        self._downlink = AudioStream(
            ssrc=rng.getrandbits(32),
            rng=rng,
            on_digit=lambda digit: self._digit(Leg.SIP, digit),
        )
        self._uplink.mute(Mute.NO_RECEIVER)
        self._downlink.mute(Mute.NO_RECEIVER)
        cname = services.random_bytes(8).hex()
        self._cname = cname
        self._browser_clock, self._sip_clock = SourceClock(), SourceClock()
        self._browser_reports = ReportSession(
            outgoing=self._downlink,
            incoming=self._uplink,
            cname=cname.encode(),
            clock=self._browser_clock,
        )
        self._sip_reports = ReportSession(
            outgoing=self._uplink,
            incoming=self._downlink,
            cname=cname.encode(),
            clock=self._sip_clock,
        )
        self._sip = SipPort(
            self,
            pair=pair,
            source_filter=SourceFilter(
                config.symmetric_rtp, window_s=config.learning_window_s
            ),
            downlink=self._downlink,
            sender=services.browser_port.sender,
            group=services.group,
            attach=_attach,
        )
        self._negotiation = Negotiation(
            codecs=config.codecs,
            video_codecs=config.video_codecs,
            host=config.sdp_host,
            sip_port=self._sip.port,
            session_ids=(rng.getrandbits(62), rng.getrandbits(62)),
        )
        self.sound = CallSound(
            services,
            self._negotiation,
            uplink=self._uplink,
            downlink=self._downlink,
            send=self._sip.send,
            send_to_browser=self._send_to_browser,
            apply=self._apply,
        )
        # None until the browser offers video for the first time.
        self._video: VideoRelay | None = None
        # What went to and came from the SIP side before it was dropped.
        self._dropped_sip: tuple[LegStatistics, LegStatistics | None] | None = None
        self._member: Member | None = None
        if room is not None:
            self._negotiation.video.room = RoomLines.POSSIBLE
            self._member = room.open(
                call,
                Sending(
                    negotiation=self._negotiation,
                    uplink=self._uplink,
                    cname=cname,
                    clock=self._browser_clock,
                    ask_keyframe=self._ask_browser_keyframe,
                    ask_again=self._ask_browser_again,
                ),
            )
        self._offer: _BrowserOffer | None = None
        self._live: BrowserTransport | None = None
        self._pending: BrowserTransport | None = None
        self._reports_due = now + self._report_interval() / 2
        self._dropped_before = 0

    # Operations

    def answer_browser(self, text: str, generation: int) -> Negotiated:
        """Answer the browser's offer; see the engine's contract."""
        if self._negotiation.is_browserless:
            raise MediaError(MediaErrorKind.WRONG_STATE, "the browser was dropped")
        last = self._offer
        if last is not None:
            is_repeated = (generation, text) == (last.generation, last.text)
            if is_repeated and not (self._member and self._member.is_answer_stale):
                return last.answer
            if generation < last.generation:
                raise MediaError(
                    MediaErrorKind.WRONG_STATE, "generation is older than the present"
                )
        description = read_description(text, is_browser=True)
        media = Negotiation.browser_media(description)
        assert media.ice is not None
        if self._negotiation.video.browser_media(description, media) is not None:
            self._need_video()
        transport, is_new = self._transport_for(
            media, media.ice, description.session_id, generation
        )
        ours = self._local_side(transport)
        lines, others = self._room_lines(description, media, ours)
        try:
            sdp = self._negotiation.answer_browser(description, media, ours, others)
        except MediaError:
            if is_new:
                self._discard(transport)
            raise
        if is_new:
            if self._pending is not None:
                self._discard(self._pending)
            self._pending = transport
        answer = self._negotiated(sdp, renegotiate_browser=False)
        self._offer = _BrowserOffer(
            generation, text, answer, description.session_id, media.ice
        )
        self._apply()
        if self._member is not None:
            self._member.answered(lines)
            self._member.room.update()
            self._report_soon()
        return answer

    def _room_lines(
        self,
        description: RemoteDescription,
        audio: RemoteMedia,
        ours: LocalBrowserSide,
    ) -> tuple[ReceivingLines, dict[int, list[str]]]:
        """Others' streams in an offer, and our m-lines for them by place."""
        member = self._member
        if member is None:
            return ReceivingLines(), {}
        video = self._negotiation.video.browser_media(description, audio)
        filler = LineFiller(self._negotiation, description, audio, video)
        filled = filler.fill(member.sources(), member.lines)
        return filler.lines(filled), filler.text(filled, ours)

    def _transport_for(
        self, media: RemoteMedia, ice: IceParameters, session_id: int, generation: int
    ) -> tuple[BrowserTransport, bool]:
        """The transport that this offer is about, and whether it is new.

        The same credentials are a codec renegotiation. Other credentials from the
        same session and certificate are an ICE restart, in which the DTLS association
        lives on (RFC 8842 section 5.2). Anything else is another peer connection.
        """
        present, last = self._pending or self._live, self._offer
        if present is not None and last is not None and not present.failed:
            if ice == last.ice:
                present.generation = generation
                return present, False
            if (
                session_id == last.session_id
                and media.fingerprints == present.fingerprints
            ):
                credentials = new_credentials(self._services.random_bytes)
                present.credentials.append(credentials)
                present.generation = generation
                self._services.browser_port.add_credentials(present, credentials)
                return present, False
        return self._new_transport(media, generation), True

    def _new_transport(self, media: RemoteMedia, generation: int) -> BrowserTransport:
        services = self._services
        credentials = new_credentials(services.random_bytes)
        transport = BrowserTransport(
            self,
            generation=generation,
            credentials=credentials,
            certificate=services.certificate(),
            fingerprints=media.fingerprints,
            # Passive unless the browser insists on being the server (RFC 8842).
            is_server=media.setup != "passive",
            send=services.browser_port.send,
            dtls_timeout_s=services.config.dtls_timeout_s,
            now=services.clock(),
        )
        services.browser_port.add_credentials(transport, credentials)
        return transport

    def _local_side(self, transport: BrowserTransport) -> LocalBrowserSide:
        return LocalBrowserSide(
            host=self._services.config.sdp_host,
            port=self._services.browser_port.port,
            credentials=transport.credentials[-1],
            fingerprint=transport.sha256,
            is_dtls_server=transport.is_server,
            ssrc=self._downlink.ssrc,
            cname=self._cname,
            video_ssrc=0 if self._video is None else self._video.downlink.ssrc,
        )

    def _need_video(self) -> None:
        """Ports and streams for video, if they can be had; audio goes on without."""
        services = self._services
        if self._video is not None:
            return
        try:
            pair = services.ports.acquire(receive_buffer=VIDEO_RECEIVE_BUFFER_BYTES)
        except (NoPortsError, OSError) as error:
            logger.warning("no ports for video: %s", error)
            return
        self._video = VideoRelay(
            self._call,
            services,
            pair,
            self._negotiation.video,
            cname=self._cname.encode(),
            clocks=(self._browser_clock, self._sip_clock),
        )
        self._negotiation.video_port = pair.port
        self._video.is_watched = self._member is not None and self._member.is_in
        self._video.part(is_held=self.sound.is_held)
        self._video.connect_browser(self._live)
        self._report_soon()

    def _report_soon(self) -> None:
        """Pictures and sound are matched by reports: the first come early."""
        due = self._services.clock() + FIRST_REPORT_S
        self._reports_due = min(self._reports_due, due)

    def answer_sip(self, text: str) -> Negotiated:
        """Answer the peer's offer (INVITE or re-INVITE)."""
        description = read_description(text, is_browser=False)
        return self._sip_agreed(*self._negotiation.answer_sip(description))

    def offer_sip(self) -> str:
        """Our offer to the peer."""
        return self._negotiation.offer_sip()

    def accept_sip(self, text: str) -> Negotiated:
        """Take the peer's answer."""
        description = read_description(text, is_browser=False)
        return self._sip_agreed("", *self._negotiation.accept_sip(description))

    def drop_sip(self) -> None:
        """The SIP side is over; see the engine's contract."""
        if not self._negotiation.has_sip:
            return
        statistics = self.statistics()
        self._dropped_sip = statistics.sip, statistics.sip_video
        self._negotiation.drop_sip()
        self._sip.forget()
        if self._video is not None:
            self._video.drop_sip()
        self._apply()

    def drop_browser(self) -> None:
        """The rep has left, or never comes; see the engine's contract."""
        self.leave()
        transports = self._live, self._pending
        self._live = self._pending = None
        self._without_browser(BrowserPresence.DROPPED)
        for transport in transports:
            if transport is not None:
                self._discard(transport)
        self._negotiation.drop_browser()
        self._apply()

    def _without_browser(self, presence: BrowserPresence) -> None:
        self._sip.connect_browser(None)
        if self._video is not None:
            self._video.connect_browser(None)
        self._downlink.mute(Mute.NO_RECEIVER)
        self._room_browser(None)
        self.sound.set_presence(presence)

    def hold(self, *, is_held: bool) -> None:
        """Part the two sides, or bring them together; see the engine's contract."""
        self.sound.hold(is_held=is_held)
        if self._video is not None:
            self._video.part(is_held=is_held)

    def _sip_agreed(
        self, sdp: str, audio: RemoteMedia, video: RemoteMedia | None
    ) -> Negotiated:
        now = self._services.clock()
        self._dropped_sip = None
        if audio.rtp is not None and audio.rtcp is not None:
            self._sip.expect(audio.rtp, audio.rtcp, now)
        if self._video is not None and video is not None:
            self._video.expect(video, now)
        self._apply()
        return self._negotiated(
            sdp, renegotiate_browser=self._negotiation.needs_browser_offer
        )

    def _negotiated(self, sdp: str, *, renegotiate_browser: bool) -> Negotiated:
        negotiation = self._negotiation
        assert negotiation.codec is not None
        return Negotiated(
            sdp=sdp,
            codec=negotiation.codec.name,
            renegotiate_browser=renegotiate_browser,
            video=negotiation.video.name,
            video_sends=negotiation.video.sends,
            video_receives=negotiation.video.receives,
            video_offered=negotiation.video.is_left_out,
        )

    def request_keyframe(self, leg: Leg) -> None:
        """Ask a leg's remote for a keyframe, if there is video."""
        if self._video is not None:
            self._video.request_keyframe(leg)

    def send_digits(self, leg: Leg, digits: str) -> bool:
        """Queue telephone-events towards a leg's remote."""
        if not is_dialable(digits):
            raise MediaError(MediaErrorKind.WRONG_STATE, "digits are 0-9, *, #, A-D")
        if leg is Leg.SIP:
            target = self._negotiation.sip_events()
        else:
            target = self._negotiation.browser_events()
        if target is None:
            return False
        accepted = self.sound.send_digits(
            leg,
            digits,
            payload_type=target.payload_type,
            clock_rate=target.clock_rate,
        )
        if not accepted:
            raise MediaError(MediaErrorKind.WRONG_STATE, "too many digits are waiting")
        return True

    def statistics(self) -> MediaStatistics:
        """Counters now."""
        codec = self._negotiation.codec
        live = self._live.dropped if self._live is not None else 0
        pending = self._pending.dropped if self._pending is not None else 0
        sip, video = self._sip.counters, self._video
        if self._negotiation.has_sip:
            sip_audio = leg_statistics(
                codec,
                self._downlink,
                self._uplink,
                self._sip_reports,
                sip.foreign + sip.malformed,
            )
            sip_video = None if video is None else video.sip_statistics()
        else:
            # What a room hears has not gone there.
            sip_audio, sip_video = self._dropped_sip or (LegStatistics(), None)
        return MediaStatistics(
            browser=leg_statistics(
                codec,
                self._uplink,
                self._downlink,
                self._browser_reports,
                self._dropped_before + live + pending,
            ),
            sip=sip_audio,
            browser_video=None if video is None else video.browser_statistics(),
            sip_video=sip_video,
        )

    def close(self) -> tuple[MediaStatistics, list[PortPair]]:
        """Stop everything; the port pairs go back to the allocator."""
        statistics = self.statistics()
        if self._member is not None:
            self._member.room.close(self._member)
        self.sound.close()
        for transport in (self._live, self._pending):
            if transport is not None:
                self._discard(transport)
        self._live = self._pending = None
        pairs = [self._sip.close()]
        if self._video is not None:
            pairs.append(self._video.close())
        return statistics, pairs

    # The room

    def enter(self, name: str, partner: MediaCallId | None) -> None:
        """Bring the browser into its room; see the engine's contract."""
        member = self._member
        if member is None or self._offer is None:
            raise MediaError(
                MediaErrorKind.WRONG_STATE, "no room, or no browser to enter it"
            )
        if not _STREAM_ID.fullmatch(name):
            raise MediaError(MediaErrorKind.WRONG_STATE, "the name is no stream id")
        member.room.enter(member, name, partner)
        self._room_changed(member)

    def leave(self) -> None:
        """Take it out again."""
        if self._member is not None:
            self._member.room.leave(self._member)
            self._room_changed(self._member)

    def _room_changed(self, member: Member) -> None:
        negotiation = self._negotiation
        negotiation.video.room = (
            RoomLines.FILLED if member.is_in else RoomLines.POSSIBLE
        )
        if self._video is not None:
            self._video.is_watched = member.is_in
        self._apply()

    def _ask_browser_keyframe(self, now: float) -> None:
        if self._video is not None:
            self._video.want_keyframe(now)

    def _ask_browser_again(self, numbers: list[int]) -> None:
        if self._video is not None:
            self._video.nack_browser(numbers)

    # What was agreed, put into effect

    def _apply(self) -> None:
        """Bring streams and gates into line with the negotiation."""
        negotiation = self._negotiation
        routes = negotiation.routes()
        # Then the uplink only listens, for the reports to the browser.
        is_alone = (
            self._member is not None and self._member.is_in and not negotiation.has_sip
        )
        if is_alone:
            routes = negotiation.routes_alone()
        elif routes is None:
            routes = negotiation.routes_without_browser()
        if routes is not None:
            rate = routes.codec.clock_rate
            self._uplink.set_payloads(
                routes.up_audio, routes.up_events, clock_rate=rate
            )
            self._downlink.set_payloads(
                routes.down_audio, routes.down_events, clock_rate=rate
            )
        self._uplink.set_mute(
            Mute.NO_RECEIVER, muted=self._sip.destination is None and not is_alone
        )
        self._uplink.set_mute(
            Mute.HOLD, muted=negotiation.has_sip and not negotiation.may_send_to_sip
        )
        self._downlink.set_mute(Mute.HOLD, muted=not negotiation.may_send_to_browser)
        self._uplink.set_elsewhere(negotiation.video.browser_types)
        if self._video is not None:
            self._video.apply()
        self.sound.settle()

    def _digit(self, leg: Leg, digit: str) -> None:
        if leg is Leg.BROWSER:
            self.sound.browser_dialled(digit)
        self._services.emit(DigitReceived(self._call, leg, digit))

    # Browser transports

    def browser_verified(self, transport: BrowserTransport, now: float) -> None:
        if transport is not self._pending or transport.send_context is None:
            return
        old, self._live, self._pending = self._live, transport, None
        self._uplink.new_source()
        self._browser_clock.restart()
        self._browser_reports.restart()
        transport.uplink = self._uplink
        self._room_browser(transport)
        self._sip.connect_browser(transport)
        if self._video is not None:
            self._video.connect_browser(transport)
        self._downlink.unmute(Mute.NO_RECEIVER)
        self.sound.set_presence(BrowserPresence.THERE)
        if old is not None:
            self._discard(old)
        self._services.emit(BrowserConnected(self._call, transport.generation))

    def browser_failed(self, transport: BrowserTransport, reason: str) -> None:
        if transport is self._pending:
            self._pending = None
        elif transport is self._live:
            self._live = None
            self._without_browser(BrowserPresence.AWAY)
        else:
            return
        self._discard(transport)
        self._services.emit(BrowserLost(self._call, transport.generation, reason))

    def _room_browser(self, transport: BrowserTransport | None) -> None:
        if self._member is not None:
            self._member.connect(transport)

    def _discard(self, transport: BrowserTransport) -> None:
        self._dropped_before += transport.dropped
        transport.failed = True
        self._services.browser_port.remove(transport)
        self._services.spawn(transport)

    def browser_reports(self, data: bytes, now: float) -> None:
        wall = self._services.wall()
        member = self._member if self._member and self._member.is_in else None
        if self._video is None and member is None:
            self._browser_reports.receive(data, now=now, wall=wall)
            return
        # Both media of a bundle report in one packet.
        try:
            compound = parse_compound(data)
        except ValueError:
            self._browser_reports.malformed += 1
            return
        self._browser_reports.take(compound.reports, now=now, wall=wall)
        if self._video is not None:
            self._video.browser_reported(compound, now=now, wall=wall)
        if member is not None:
            member.reported(compound, now=now, wall=wall)

    # SIP side

    def sip_media_started(self) -> None:
        self._services.emit(SipMediaStarted(self._call))

    def sip_reports(self, data: bytes, now: float) -> None:
        self._sip_reports.receive(data, now=now, wall=self._services.wall())

    # Time

    def tick(self, now: float) -> None:
        """Reports and time-outs; the worker calls it a few times a second."""
        config = self._services.config
        for transport in (self._live, self._pending):
            if transport is None:
                continue
            reason = transport.expiry(
                now,
                ice_timeout_s=config.ice_timeout_s,
                consent_timeout_s=config.consent_timeout_s,
            )
            if reason is not None:
                transport.fail(reason)
        self._sip.settle(now)
        self._uplink.expire_digit(now)
        self._downlink.expire_digit(now)
        if self._video is not None:
            self._video.tick(now)
        if self._member is not None:
            self._member.tick(now)
        if now >= self._reports_due:
            self._reports_due = now + self._report_interval()
            self._send_reports(now)

    def _report_interval(self) -> float:
        # RFC 3550 section 6.2: 0.5 to 1.5 times, so that calls do not synchronise.
        spread = self._services.rng.uniform(0.5, 1.5)
        interval = self._services.config.rtcp_interval_s
        has_video = self._video is not None and (
            self._video.is_active or self._video.is_watched
        )
        if has_video or (self._member is not None and self._member.has_video):
            interval = min(interval, VIDEO_REPORT_S)
        return interval * spread

    def _send_reports(self, now: float) -> None:
        wall = self._services.wall()
        if self._live is not None:
            self._services.browser_port.send_reports(
                self._live, self._browser_reports.report(now=now, wall=wall)
            )
        if self._negotiation.has_sip:
            self._sip.send_reports(self._sip_reports.report(now=now, wall=wall))
        if self._video is not None:
            self._video.send_reports(now=now, wall=wall)
        if self._member is not None:
            self._member.send_reports(now=now, wall=wall)

    def _send_to_browser(self, packet: bytes) -> None:
        if self._live is not None:
            self._services.browser_port.send_packet(self._live, packet)


def _attach(
    transport: BrowserTransport, forward: Callable[[memoryview], object]
) -> None:
    transport.forward = forward
