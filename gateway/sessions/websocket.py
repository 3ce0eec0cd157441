"""``GET /v1/ws``: a :class:`Conversation` on an aiohttp WebSocket.

One handler task reads, one writer task sends from a bounded queue. A client that
does not take its frames fast enough is cut off; it resumes and loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial

from aiohttp import WSMessage, WSMsgType, hdrs, web

from gateway.sessions.conversation import Conversation
from gateway.sessions.counters import SessionCounters
from gateway.sessions.directory import SessionDirectory
from gateway.sessions.endpoints import error_response
from gateway.sessions.origins import AllowedOrigins
from gateway.sessions.wire import MAX_FRAME_BYTES, SUBPROTOCOL, ErrorKind

logger = logging.getLogger(__name__)

PATH = "/v1/ws"
PING_INTERVAL_S = 20.0
# A resume sends the whole ring at once, so this is above RING_EVENTS.
SEND_QUEUE_FRAMES = 1024
SEND_QUEUE_CHARS = 1024 * 1024
# A closing handshake, or the frames before it, may not take longer.
CLOSE_GRACE_S = 2.0
MAX_SOCKETS_WITHOUT_HELLO = 1024


class SocketOutlet:
    """One socket, read by its handler, written by :meth:`run`; an :class:`Outlet`.

    Closing is a handshake: while somebody reads, aiohttp drops the connection behind
    its Close frame, and a frame that the client has under way is answered by a reset,
    which may take the close code with it. So reading ends first.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        abort: Callable[[], None],
        *,
        counters: SessionCounters,
        max_frames: int = SEND_QUEUE_FRAMES,
        max_chars: int = SEND_QUEUE_CHARS,
    ) -> None:
        self._socket = socket
        self._abort_transport = abort
        self._counters = counters
        self._max_frames = max_frames
        self._max_chars = max_chars
        self._queue: deque[str] = deque()
        self._chars = 0
        self._wake = asyncio.Event()
        # What bounds receive() while it waits; expired to end it.
        self._reading: asyncio.Timeout | None = None
        self._not_reading = asyncio.Event()
        self._not_reading.set()
        self._closing: tuple[int, str] | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._is_dead = False
        # Given up, because the client did not take what was sent.
        self.is_too_slow = False

    async def receive(self, within_s: float) -> WSMessage | None:
        """The next message; None when the socket is to be closed from here.

        Raises:
            TimeoutError: there was none.
        """
        if self._is_closing():
            return None
        self._not_reading.clear()
        try:
            async with asyncio.timeout(within_s) as self._reading:
                return await self._socket.receive()
        except TimeoutError:
            if self._is_closing():
                return None
            raise
        finally:
            self._reading = None
            self._not_reading.set()

    def _is_closing(self) -> bool:
        return self._closing is not None

    def send(self, frame: str) -> None:
        if self._closing is not None or self._is_dead:
            return
        if (
            len(self._queue) >= self._max_frames
            or self._chars + len(frame) > self._max_chars
        ):
            self._counters.slow_clients += 1
            self.is_too_slow = True
            self.abort()
            return
        self._queue.append(frame)
        self._chars += len(frame)
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        if self._closing is None and not self._is_dead:
            self._closing = (code, reason)
            loop = asyncio.get_running_loop()
            self._grace = loop.call_later(CLOSE_GRACE_S, self.abort)
            if self._reading is not None and not self._reading.expired():
                self._reading.reschedule(loop.time())
            self._wake.set()

    def abort(self) -> None:
        """Cut the connection, without a handshake and without what is queued."""
        self._is_dead = True
        self._queue.clear()
        self._chars = 0
        self._abort_transport()
        self._wake.set()

    async def run(self) -> None:
        """Send what is queued until the socket is closed; never raises on loss."""
        try:
            while not self._is_dead:
                while self._queue:
                    frame = self._queue.popleft()
                    self._chars -= len(frame)
                    await self._socket.send_str(frame)
                if self._closing is not None:
                    code, reason = self._closing
                    await self._not_reading.wait()
                    await self._socket.close(code=code, message=reason.encode("utf-8"))
                    return
                await self._wake.wait()
                self._wake.clear()
        except (ConnectionError, RuntimeError) as error:
            # aiohttp: a write to a socket that is gone or closing already.
            logger.debug("a socket went while it was written to: %s", error)
        finally:
            if self._grace is not None:
                self._grace.cancel()


class _Endpoint:
    def __init__(
        self,
        directory: SessionDirectory,
        origins: AllowedOrigins,
        *,
        clock: Callable[[], float],
        max_without_hello: int,
        ping_interval_s: float,
    ) -> None:
        self._directory = directory
        self._origins = origins
        self._clock = clock
        self._max_without_hello = max_without_hello
        self._ping_interval_s = ping_interval_s
        self._without_hello = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            self._directory.counters.sockets_refused += 1
            return refusal
        # Without permessage-deflate there is nothing to inflate.
        socket = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            heartbeat=self._ping_interval_s,
            timeout=CLOSE_GRACE_S,
            compress=False,
            # aiohttp refuses this size and more.
            max_msg_size=MAX_FRAME_BYTES + 1,
        )
        waiting = _Waiting(self)
        try:
            await socket.prepare(request)
            await self._converse(request, socket, waiting)
        finally:
            waiting.end()
        return socket

    def _refusal(self, request: web.Request) -> web.Response | None:
        origin = request.headers.get(hdrs.ORIGIN)
        if not self._origins.is_known(origin):
            return error_response(
                403, ErrorKind.POLICY_DENIED, "This web site may not use the gateway."
            )
        if request.headers.get(hdrs.UPGRADE, "").casefold() != "websocket":
            return error_response(
                400, ErrorKind.BAD_REQUEST, "This address is for WebSockets."
            )
        offered = ",".join(request.headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, ()))
        if SUBPROTOCOL not in [name.strip() for name in offered.split(",")]:
            return error_response(
                406, ErrorKind.BAD_REQUEST, f"Offer the subprotocol {SUBPROTOCOL}."
            )
        if self._without_hello >= self._max_without_hello:
            return error_response(
                503, ErrorKind.RATE_LIMITED, "Too many sockets wait for a greeting."
            )
        return None

    async def _converse(
        self, request: web.Request, socket: web.WebSocketResponse, waiting: _Waiting
    ) -> None:
        counters = self._directory.counters
        counters.sockets += 1
        transport = request.transport
        if transport is None:
            return
        outlet = SocketOutlet(socket, transport.abort, counters=counters)
        conversation = Conversation(
            self._directory,
            outlet,
            clock=self._clock,
            is_allowed=partial(
                self._origins.is_allowed, request.headers.get(hdrs.ORIGIN)
            ),
        )
        writer = asyncio.get_running_loop().create_task(
            outlet.run(), name="session socket writer"
        )
        try:
            while not conversation.is_over:
                await self._read_one(outlet, conversation)
                if conversation.is_greeted:
                    waiting.end()
        finally:
            if not conversation.is_greeted:
                counters.sockets_without_hello += 1
            if outlet.is_too_slow and conversation.is_observer:
                counters.slow_observers += 1
            conversation.lost()
            outlet.close(1000, "")
            # Ends by itself: by the handshake, or by the grace timer's abort.
            await asyncio.wait((writer,))

    async def _read_one(self, outlet: SocketOutlet, conversation: Conversation) -> None:
        try:
            message = await outlet.receive(
                max(0.0, conversation.deadline - self._clock())
            )
        except TimeoutError:
            conversation.expire()
            return
        if message is None:
            conversation.lost()
            return
        match message.type:
            case WSMsgType.TEXT:
                await conversation.receive(message.data)
            case WSMsgType.BINARY:
                conversation.refuse_binary()
            case _:
                conversation.lost()

    def begin_waiting(self) -> None:
        self._without_hello += 1

    def end_waiting(self) -> None:
        self._without_hello -= 1


class _Waiting:
    """One socket's share of those that have not said hello."""

    def __init__(self, endpoint: _Endpoint) -> None:
        self._endpoint: _Endpoint | None = endpoint
        endpoint.begin_waiting()

    def end(self) -> None:
        if self._endpoint is not None:
            self._endpoint.end_waiting()
            self._endpoint = None


def add_routes(
    app: web.Application,
    directory: SessionDirectory,
    origins: AllowedOrigins,
    *,
    clock: Callable[[], float],
    max_without_hello: int = MAX_SOCKETS_WITHOUT_HELLO,
    ping_interval_s: float = PING_INTERVAL_S,
) -> None:
    """Serve ``GET /v1/ws``. ``clock``: monotonic seconds, the directory's."""
    endpoint = _Endpoint(
        directory,
        origins,
        clock=clock,
        max_without_hello=max_without_hello,
        ping_interval_s=ping_interval_s,
    )
    app.router.add_get(PATH, endpoint.handle, allow_head=False)
