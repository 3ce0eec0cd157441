"""One media call in a worker: two streams, their legs, and the negotiation."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
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
from gateway.media.relay.aiortc_internals import Certificate
from gateway.media.relay.audio_stream import AudioStream
from gateway.media.relay.browser_port import BrowserPort
from gateway.media.relay.browser_transport import BrowserTransport
from gateway.media.relay.codecs import Codec
from gateway.media.relay.config import RelayConfig
from gateway.media.relay.description import (
    IceParameters,
    RemoteMedia,
    read_description,
)
from gateway.media.relay.ice_lite import new_credentials
from gateway.media.relay.injector import ComfortSound, Injector
from gateway.media.relay.negotiation import LocalBrowserSide, Negotiation
from gateway.media.relay.port_pairs import PortPair
from gateway.media.relay.quality import mean_opinion_score
from gateway.media.relay.readiness import ReadinessGroup
from gateway.media.relay.rtcp import ReportSession
from gateway.media.relay.sip_port import SipPort
from gateway.media.relay.source_filter import SourceFilter
from gateway.media.relay.stream import Mute, RelayedStream
from gateway.media.relay.telephone_event import is_dialable
from gateway.media.relay.tones import ToneFrames
from gateway.media.relay.wire import WorkerEvent


@dataclass(frozen=True, slots=True)
class CallServices:
    """What all calls of a worker share.

    Attributes:
        clock: monotonic seconds; ``wall`` seconds since 1970.
        random_bytes: cryptographic randomness; ``rng`` the same as a Random.
        certificate: the one that new transports use.
        emit: hands an event to the control process.
        spawn: runs a clean-up to its end even if the call is gone.
    """

    config: RelayConfig
    clock: Callable[[], float]
    wall: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    rng: random.Random
    certificate: Callable[[], Certificate]
    browser_port: BrowserPort
    group: ReadinessGroup
    tones: Mapping[str, ToneFrames]
    emit: Callable[[WorkerEvent], None]
    spawn: Callable[[BrowserTransport], None]


@dataclass(slots=True)
class _BrowserOffer:
    """What was answered last, to answer the same again."""

    generation: int
    text: str
    answer: Negotiated
    session_id: int
    ice: IceParameters


class RelayCall:
    """One call; every method runs in the worker's loop and never blocks."""

    def __init__(
        self, call: MediaCallId, services: CallServices, pair: PortPair
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
        self._browser_reports = ReportSession(
            outgoing=self._downlink, incoming=self._uplink, cname=cname.encode()
        )
        self._sip_reports = ReportSession(
            outgoing=self._uplink, incoming=self._downlink, cname=cname.encode()
        )
        self._up_injector = Injector(self._uplink)
        self._down_injector = Injector(self._downlink)
        self._injection: asyncio.TimerHandle | None = None
        self._sip = SipPort(
            self,
            pair=pair,
            source_filter=SourceFilter(
                config.symmetric_rtp, window_s=config.learning_window_s
            ),
            downlink=self._downlink,
            sender=services.browser_port.sender,
            group=services.group,
        )
        self._negotiation = Negotiation(
            codecs=config.codecs,
            host=config.sdp_host,
            sip_port=self._sip.port,
            session_ids=(rng.getrandbits(62), rng.getrandbits(62)),
        )
        self._offer: _BrowserOffer | None = None
        self._live: BrowserTransport | None = None
        self._pending: BrowserTransport | None = None
        self._reports_due = now + self._report_interval() / 2
        self._dropped_before = 0

    # Operations

    def answer_browser(self, text: str, generation: int) -> Negotiated:
        """Answer the browser's offer; see the engine's contract."""
        last = self._offer
        if last is not None:
            if (generation, text) == (last.generation, last.text):
                return last.answer
            if generation < last.generation:
                raise MediaError(
                    MediaErrorKind.WRONG_STATE, "generation is older than the present"
                )
        description = read_description(text, is_browser=True)
        media = Negotiation.browser_media(description)
        assert media.ice is not None
        transport, is_new = self._transport_for(
            media, media.ice, description.session_id, generation
        )
        try:
            sdp = self._negotiation.answer_browser(
                description, media, self._local_side(transport)
            )
        except MediaError:
            if is_new:
                self._discard(transport)
            raise
        if is_new:
            if self._pending is not None:
                self._discard(self._pending)
            self._pending = transport
        codec = self._negotiation.codec
        assert codec is not None
        answer = Negotiated(sdp=sdp, codec=codec.name)
        self._offer = _BrowserOffer(
            generation, text, answer, description.session_id, media.ice
        )
        self._apply()
        return answer

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
        )

    def answer_sip(self, text: str) -> Negotiated:
        """Answer the peer's offer (INVITE or re-INVITE)."""
        description = read_description(text, is_browser=False)
        sdp, media = self._negotiation.answer_sip(description)
        return self._sip_agreed(media, sdp)

    def offer_sip(self) -> str:
        """Our offer to the peer."""
        return self._negotiation.offer_sip()

    def accept_sip(self, text: str) -> Negotiated:
        """Take the peer's answer."""
        description = read_description(text, is_browser=False)
        return self._sip_agreed(self._negotiation.accept_sip(description), "")

    def _sip_agreed(self, media: RemoteMedia, sdp: str) -> Negotiated:
        if media.rtp is not None and media.rtcp is not None:
            self._sip.expect(media.rtp, media.rtcp, self._services.clock())
        self._apply()
        codec = self._negotiation.codec
        assert codec is not None
        return Negotiated(
            sdp=sdp,
            codec=codec.name,
            renegotiate_browser=self._negotiation.needs_browser_offer,
        )

    def send_digits(self, leg: Leg, digits: str) -> bool:
        """Queue telephone-events towards a leg's remote."""
        if not is_dialable(digits):
            raise MediaError(MediaErrorKind.WRONG_STATE, "digits are 0-9, *, #, A-D")
        if leg is Leg.SIP:
            target, injector = self._negotiation.sip_events(), self._up_injector
        else:
            target, injector = self._negotiation.browser_events(), self._down_injector
        if target is None:
            return False
        accepted = injector.send_digits(
            digits,
            payload_type=target.payload_type,
            clock_rate=target.clock_rate,
            now=self._services.clock(),
        )
        if not accepted:
            raise MediaError(MediaErrorKind.WRONG_STATE, "too many digits are waiting")
        self._inject()
        return True

    def statistics(self) -> MediaStatistics:
        """Counters now."""
        codec = self._negotiation.codec
        live = self._live.dropped if self._live is not None else 0
        pending = self._pending.dropped if self._pending is not None else 0
        sip = self._sip.counters
        return MediaStatistics(
            browser=_leg_statistics(
                codec,
                self._uplink,
                self._downlink,
                self._browser_reports,
                self._dropped_before + live + pending,
            ),
            sip=_leg_statistics(
                codec,
                self._downlink,
                self._uplink,
                self._sip_reports,
                sip.foreign + sip.malformed,
            ),
        )

    def close(self) -> tuple[MediaStatistics, PortPair]:
        """Stop everything; the port pair goes back to the allocator."""
        statistics = self.statistics()
        if self._injection is not None:
            self._injection.cancel()
            self._injection = None
        for transport in (self._live, self._pending):
            if transport is not None:
                self._discard(transport)
        self._live = self._pending = None
        return statistics, self._sip.close()

    # What was agreed, put into effect

    def _apply(self) -> None:
        """Bring streams and gates into line with the negotiation."""
        negotiation = self._negotiation
        routes = negotiation.routes()
        if routes is not None:
            rate = routes.codec.clock_rate
            self._uplink.set_payloads(
                routes.up_audio, routes.up_events, clock_rate=rate
            )
            self._downlink.set_payloads(
                routes.down_audio, routes.down_events, clock_rate=rate
            )
        _set_mute(self._uplink, Mute.NO_RECEIVER, muted=self._sip.destination is None)
        _set_mute(
            self._uplink,
            Mute.HOLD,
            muted=negotiation.has_sip and not negotiation.may_send_to_sip,
        )
        _set_mute(self._downlink, Mute.HOLD, muted=not negotiation.may_send_to_browser)

    def _digit(self, leg: Leg, digit: str) -> None:
        self._services.emit(DigitReceived(self._call, leg, digit))

    # Browser transports

    def browser_verified(self, transport: BrowserTransport, now: float) -> None:
        if transport is not self._pending or transport.send_context is None:
            return
        old, self._live, self._pending = self._live, transport, None
        self._uplink.new_source()
        self._browser_reports.restart()
        self._up_injector.stop_comfort()
        transport.uplink = self._uplink
        self._sip.connect_browser(transport)
        self._downlink.unmute(Mute.NO_RECEIVER)
        if old is not None:
            self._discard(old)
        self._services.emit(BrowserConnected(self._call, transport.generation))

    def browser_failed(self, transport: BrowserTransport, reason: str) -> None:
        if transport is self._pending:
            self._pending = None
        elif transport is self._live:
            self._live = None
            self._sip.connect_browser(None)
            self._downlink.mute(Mute.NO_RECEIVER)
            self._start_comfort()
        else:
            return
        self._discard(transport)
        self._services.emit(BrowserLost(self._call, transport.generation, reason))

    def _discard(self, transport: BrowserTransport) -> None:
        self._dropped_before += transport.dropped
        transport.failed = True
        self._services.browser_port.remove(transport)
        self._services.spawn(transport)

    def browser_reports(self, data: bytes, now: float) -> None:
        self._browser_reports.receive(data, now=now, wall=self._services.wall())

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
        if now >= self._reports_due:
            self._reports_due = now + self._report_interval()
            self._send_reports(now)

    def _report_interval(self) -> float:
        # RFC 3550 section 6.2: 0.5 to 1.5 times, so that calls do not synchronise.
        spread = self._services.rng.uniform(0.5, 1.5)
        return self._services.config.rtcp_interval_s * spread

    def _send_reports(self, now: float) -> None:
        wall = self._services.wall()
        if self._live is not None:
            self._services.browser_port.send_reports(
                self._live, self._browser_reports.report(now=now, wall=wall)
            )
        if self._negotiation.has_sip:
            self._sip.send_reports(self._sip_reports.report(now=now, wall=wall))

    # Packets of our own

    def _start_comfort(self) -> None:
        codec = self._negotiation.codec
        payload_type = self._negotiation.sip_payload_type
        tones = self._services.tones.get(codec.name) if codec is not None else None
        if payload_type is None or tones is None:
            return
        self._up_injector.start_comfort(
            ComfortSound(
                payload_type=payload_type,
                quiet=tones.quiet,
                tone=tones.tone,
                delay_s=self._services.config.comfort_delay_s,
            ),
            self._services.clock(),
        )
        self._inject()

    def _inject(self) -> None:
        """Send what is due and come back for the rest."""
        if self._injection is not None:
            self._injection.cancel()
            self._injection = None
        now = self._services.clock()
        for packet in self._up_injector.packets_due(now):
            self._sip.send(packet)
        for packet in self._down_injector.packets_due(now):
            self._send_to_browser(packet)
        dues = (self._up_injector.due, self._down_injector.due)
        due = min((each for each in dues if each is not None), default=None)
        if due is not None:
            self._injection = asyncio.get_running_loop().call_later(
                max(0.0, due - now), self._inject
            )

    def _send_to_browser(self, packet: bytes) -> None:
        if self._live is not None:
            self._services.browser_port.send_packet(self._live, packet)


def _set_mute(stream: RelayedStream, reason: Mute, *, muted: bool) -> None:
    if muted:
        stream.mute(reason)
    else:
        stream.unmute(reason)


def _leg_statistics(
    codec: Codec | None,
    incoming: RelayedStream,
    outgoing: RelayedStream,
    reports: ReportSession,
    dropped: int,
) -> LegStatistics:
    received, lost = incoming.total_received, incoming.total_lost
    round_trip_ms = None
    if reports.round_trip_s is not None:
        round_trip_ms = round(1000 * reports.round_trip_s, 2)
    mos = None
    if codec is not None and received:
        mos = mean_opinion_score(
            codec,
            loss=lost / (received + lost),
            jitter_ms=incoming.jitter_ms,
            round_trip_ms=round_trip_ms,
        )
    return LegStatistics(
        packets_received=received,
        packets_sent=outgoing.total_sent,
        lost=lost,
        remote_lost=reports.remote_lost,
        jitter_ms=round(incoming.jitter_ms, 3),
        round_trip_ms=round_trip_ms,
        dropped=dropped
        + incoming.malformed
        + incoming.late
        + incoming.unknown_payload
        + reports.malformed,
        mos=mos,
    )
