"""A media worker process: ``python -m gateway.media.relay.worker FD``.

The descriptor is its end of a stream socket to the control process; when that closes,
the worker ends. One loop does packets, timers and requests; nothing in it waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import importlib
import logging
import os
import random
import resource
import secrets
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

from gateway.media.engine import (
    Leg,
    MediaCallId,
    MediaError,
    MediaErrorKind,
)
from gateway.media.relay.aiortc_internals import Certificate
from gateway.media.relay.browser_port import (
    RECEIVE_BUFFER_BYTES,
    SEND_BUFFER_BYTES,
    BrowserPort,
)
from gateway.media.relay.browser_transport import BrowserTransport
from gateway.media.relay.call import RelayCall
from gateway.media.relay.codecs import CODECS, Codec
from gateway.media.relay.config import RelayConfig
from gateway.media.relay.datagrams import open_udp_socket
from gateway.media.relay.port_pairs import NoPortsError, PortPairs
from gateway.media.relay.readiness import open_group
from gateway.media.relay.room import Room
from gateway.media.relay.services import CallServices
from gateway.media.relay.tones import encode_tones
from gateway.media.relay.wire import (
    Accept,
    Answer,
    BrokenPeerError,
    Close,
    Configure,
    Done,
    Drop,
    Enter,
    Failed,
    Hear,
    Hold,
    Leave,
    Offer,
    Open,
    ReadCounters,
    Reply,
    Request,
    RequestKeyframe,
    SendDigits,
    Statistics,
    WorkerEvent,
    encode_reply,
    event_frame,
    negotiated_frame,
    read_request,
)

if TYPE_CHECKING:
    from gateway.media.relay.mixer import Mixer
    from gateway.media.relay.music import Music
    from gateway.media.relay.sound_codecs import SoundCodecs

logger = logging.getLogger(__name__)

TICK_S = 0.2

# What only held and mixed calls need, a tenth of a second to import.
SOUND_MODULE = "gateway.media.relay.sound_codecs"

# Events wait in the socket's buffer; a control process this far behind loses them.
MAX_QUEUED_EVENT_BYTES = 1 << 20

# Packets allocate and free at once; rare, large collections would only add latency.
_GC_THRESHOLD = (20_000, 50, 1000)


class Worker:
    """Calls of one process; see the module's docstring."""

    def __init__(
        self, index: int, config: RelayConfig, writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        clock = time.monotonic
        offset = time.time() - clock()
        rng = secrets.SystemRandom()
        self._config = config
        self._writer = writer
        self._loop = loop
        self._clock = clock
        self._calls: dict[MediaCallId, RelayCall] = {}
        self._rooms: dict[str, Room] = {}
        # Made when the first call is held or mixed.
        self._mixer: Mixer | None = None
        self._codecs: SoundCodecs | None = None
        self._music: dict[str, Music] = {}
        self._certificate = Certificate.generateCertificate()
        self._closing: set[asyncio.Task[None]] = set()
        self._browser_port = BrowserPort(
            open_udp_socket(
                config.bind_host,
                config.browser_port + index if config.browser_port else 0,
                receive_buffer=RECEIVE_BUFFER_BYTES,
                send_buffer=SEND_BUFFER_BYTES,
            ),
            consent_timeout_s=config.consent_timeout_s,
        )
        self._group = open_group(
            loop, clock=clock, after_batch=self._browser_port.sender.flush
        )
        first, last = config.port_range(index)
        self._ports = PortPairs(
            host=config.bind_host,
            first=first,
            last=last,
            quarantine_s=config.port_quarantine_s,
            rng=rng,
        )
        self._services = CallServices(
            config=config,
            clock=clock,
            wall=lambda: clock() + offset,
            random_bytes=secrets.token_bytes,
            rng=rng,
            certificate=self._current_certificate,
            browser_port=self._browser_port,
            ports=self._ports,
            group=self._group,
            tones={
                name: encode_tones(CODECS[name.lower()], random.Random(index))
                for name in (CODECS[each.lower()].name for each in config.codecs)
            },
            music=self._music_in,
            emit=self._emit,
            spawn=self._close_transport,
        )
        self._events_dropped = 0
        self._ticker: asyncio.TimerHandle = loop.call_later(TICK_S, self._tick)
        self._group.add(self._browser_port.fileno(), self._browser_port.receive)

    def _current_certificate(self) -> Certificate:
        if self._certificate.is_stale(datetime.datetime.now(tz=datetime.UTC)):
            self._certificate = Certificate.generateCertificate()
        return self._certificate

    def _emit(self, event: WorkerEvent) -> None:
        if self._writer.is_closing():
            # The control process is gone, and the calls are ended after it.
            return
        if self._writer.transport.get_write_buffer_size() > MAX_QUEUED_EVENT_BYTES:
            self._events_dropped += 1
            return
        self._writer.write(encode_reply(event_frame(event)))

    def _close_transport(self, transport: BrowserTransport) -> None:
        task = self._loop.create_task(transport.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _tick(self) -> None:
        self._ticker = self._loop.call_later(TICK_S, self._tick)
        now = self._clock()
        self._ports.sweep(now)
        for call in list(self._calls.values()):
            call.tick(now)

    # Requests

    def handle(self, request: Request) -> Reply:
        """Carry out one request."""
        try:
            return self._dispatch(request)
        except MediaError as error:
            return Failed(id=request.id, kind=error.kind, detail=error.detail)
        except BrokenPeerError:
            raise
        except Exception:
            # A defect that one request shows must not end the other calls.
            logger.exception("%s failed", request.type)
            return Failed(
                id=request.id, kind=MediaErrorKind.ENGINE_LOST, detail="internal error"
            )

    def _dispatch(self, request: Request) -> Reply:
        match request:
            case Open():
                self._open(MediaCallId(request.call), request.room)
                return Done(id=request.id)
            case Answer():
                call = self._find(request.call)
                if request.leg is Leg.BROWSER:
                    agreed = call.answer_browser(request.offer, request.generation)
                else:
                    agreed = call.answer_sip(request.offer)
                return negotiated_frame(request.id, agreed)
            case Offer():
                call = self._find(request.call)
                self._require_sip(request.leg)
                return Done(id=request.id, sdp=call.offer_sip())
            case Accept():
                call = self._find(request.call)
                self._require_sip(request.leg)
                agreed = call.accept_sip(request.answer)
                return negotiated_frame(request.id, agreed)
            case SendDigits():
                call = self._find(request.call)
                sent = call.send_digits(request.leg, request.digits)
                return Done(id=request.id, sent=sent)
            case RequestKeyframe():
                self._find(request.call).request_keyframe(request.leg)
                return Done(id=request.id)
            case Enter():
                partner = request.partner
                self._find(request.call).enter(
                    request.name, None if partner is None else MediaCallId(partner)
                )
                return Done(id=request.id)
            case Leave():
                self._find(request.call).leave()
                return Done(id=request.id)
            case Hold():
                self._find(request.call).hold(is_held=request.is_held)
                return Done(id=request.id)
            case Hear():
                self._hear(request)
                return Done(id=request.id)
            case Drop():
                call = self._find(request.call)
                if request.leg is Leg.SIP:
                    call.drop_sip()
                else:
                    call.drop_browser()
                return Done(id=request.id)
            case Statistics():
                call = self._find(request.call)
                return Done(id=request.id, statistics=call.statistics())
            case Close():
                call = self._find(request.call)
                del self._calls[MediaCallId(request.call)]
                if self._mixer is not None:
                    self._mixer.forget(MediaCallId(request.call))
                statistics, pairs = call.close()
                self._forget_empty_rooms()
                for pair in pairs:
                    self._ports.release(pair, self._clock())
                return Done(id=request.id, statistics=statistics)
            case ReadCounters():
                return Done(id=request.id, counters=self.counters())
            case Configure():
                raise BrokenPeerError("configured twice")

    def _open(self, call: MediaCallId, room: str) -> None:
        if call in self._calls:
            raise MediaError(MediaErrorKind.WRONG_STATE, "call is open already")
        if len(self._calls) >= self._config.max_calls_per_worker:
            raise MediaError(MediaErrorKind.NO_CAPACITY, "worker is full")
        try:
            pair = self._ports.acquire()
        except (NoPortsError, OSError) as error:
            raise MediaError(MediaErrorKind.NO_CAPACITY, "no free ports") from error
        place = None
        if room:
            place = self._rooms.setdefault(room, Room(self._services))
        self._calls[call] = RelayCall(call, self._services, pair, place)
        if self._mixer is not None:
            self._mixer.update()

    def _hear(self, request: Hear) -> None:
        call = MediaCallId(request.call)
        self._find(call)
        if self._mixer is None and not request.others:
            return
        self._open_mixer().hear(
            call, frozenset(MediaCallId(each) for each in request.others)
        )

    def _open_mixer(self) -> Mixer:
        if self._mixer is None:
            from gateway.media.relay.mixer import Mixer

            self._mixer = Mixer(
                lambda call: each.sound if (each := self._calls.get(call)) else None,
                codecs=self._open_codecs(),
                clock=self._clock,
                noise=self._services.rng.getrandbits(32),
            )
        return self._mixer

    def _open_codecs(self) -> SoundCodecs:
        if self._codecs is None:
            from gateway.media.relay.sound_codecs import SoundCodecs

            self._codecs = SoundCodecs()
        return self._codecs

    def _music_in(self, codec: Codec) -> Music:
        if codec.name not in self._music:
            from gateway.media.relay.music import Music

            self._music[codec.name] = Music(codec, self._open_codecs())
        return self._music[codec.name]

    def _forget_empty_rooms(self) -> None:
        for name in [name for name, room in self._rooms.items() if room.is_empty]:
            del self._rooms[name]

    def _find(self, call: str) -> RelayCall:
        try:
            return self._calls[MediaCallId(call)]
        except KeyError:
            raise MediaError(MediaErrorKind.UNKNOWN_CALL, "no such call") from None

    @staticmethod
    def _require_sip(leg: Leg) -> None:
        if leg is not Leg.SIP:
            raise MediaError(
                MediaErrorKind.WRONG_STATE, "the browser is always the offerer"
            )

    def counters(self) -> dict[str, int]:
        """Gauges and totals of the process; names are stable, for metrics."""
        dropped = self._browser_port.counters
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "calls": len(self._calls),
            "rooms": len(self._rooms),
            "room_members": sum(each.member_count for each in self._rooms.values()),
            "forwarded_streams": sum(
                each.flowing_streams for each in self._rooms.values()
            ),
            "mixed_calls": 0 if self._mixer is None else self._mixer.target_count,
            "port_pairs_in_use": self._ports.in_use,
            "port_pairs_in_quarantine": self._ports.in_quarantine,
            "late_packets": self._ports.late_packets,
            "bound_paths": self._browser_port.bound_paths,
            "unbound_datagrams": dropped.unbound,
            "malformed_datagrams": dropped.malformed,
            "rejected_checks": dropped.stun_rejected,
            "path_conflicts": dropped.path_conflicts,
            "rejected_srtp": dropped.srtp_rejected,
            "early_packets": dropped.not_ready,
            "send_failures": dropped.send_failed + self._browser_port.sender.failed,
            "events_dropped": self._events_dropped,
            "tasks": len(asyncio.all_tasks()),
            "file_descriptors": len(os.listdir("/dev/fd")),
            "browser_port": self._browser_port.port,
            "cpu_ms": round(1000 * (usage.ru_utime + usage.ru_stime)),
            "pid": os.getpid(),
        }

    async def close(self) -> None:
        """End all calls and free everything."""
        self._ticker.cancel()
        if self._mixer is not None:
            self._mixer.close()
        for call in self._calls.values():
            for pair in call.close()[1]:
                pair.close()
        self._calls.clear()
        if self._closing:
            await asyncio.wait(self._closing)
        self._ports.close()
        self._group.remove(self._browser_port.fileno())
        self._group.close()
        self._browser_port.close()


def _needs_sound(request: Request) -> bool:
    match request:
        case Hold():
            return request.is_held
        case Hear():
            return bool(request.others)
        case _:
            return False


async def serve(sock: socket.socket) -> None:
    """Serve the control process until it goes away."""
    reader, writer = await asyncio.open_connection(sock=sock)
    first = await read_request(reader)
    if not isinstance(first, Configure):
        raise BrokenPeerError("expected to be configured first")
    worker = Worker(first.index, first.config, writer)
    writer.write(encode_reply(Done(id=first.id, counters=worker.counters())))
    gc.collect()
    gc.freeze()
    try:
        while (request := await read_request(reader)) is not None:
            if SOUND_MODULE not in sys.modules and _needs_sound(request):
                # The packets of all calls go on meanwhile.
                await asyncio.to_thread(importlib.import_module, SOUND_MODULE)
            writer.write(encode_reply(worker.handle(request)))
    finally:
        await worker.close()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def main() -> None:
    """Entry point; the only argument is the descriptor of the control socket."""
    logging.basicConfig(level=logging.WARNING, format="media worker: %(message)s")
    # Ctrl-C reaches the whole process group; the control process decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(*_GC_THRESHOLD)
    sock = socket.socket(fileno=int(sys.argv[1]))
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(sock))
    else:
        uvloop.run(serve(sock))


if __name__ == "__main__":
    main()
