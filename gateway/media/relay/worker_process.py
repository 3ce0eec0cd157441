"""The control process's side of one media worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable

from gateway.media.engine import MediaError, MediaErrorKind
from gateway.media.relay.config import RelayConfig
from gateway.media.relay.wire import (
    MAX_FRAME_BYTES,
    BrokenPeerError,
    Configure,
    Done,
    Failed,
    ReadCounters,
    Reply,
    Request,
    WorkerEvent,
    encode_request,
    read_reply,
)

logger = logging.getLogger(__name__)

START_TIMEOUT_S = 20.0
EXIT_TIMEOUT_S = 3.0

# Requests that wait for an answer of one worker; more means that it hangs.
MAX_PENDING = 4096


class WorkerStartError(Exception):
    """The process did not come up."""


class WorkerProcess:
    """A running worker: requests in, replies and events out.

    Args:
        index: which browser port and port range it has.
        on_event: called in the loop, in order, for every event.
    """

    def __init__(
        self,
        index: int,
        config: RelayConfig,
        on_event: Callable[[WorkerEvent], None],
    ) -> None:
        self.index = index
        self._config = config
        self._on_event = on_event
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self._pending: dict[int, asyncio.Future[Done]] = {}
        self._next_id = 0
        self._is_lost = False
        self.counters: dict[str, int] = {}

    @property
    def pid(self) -> int:
        """Process id, 0 before :meth:`start`."""
        return self._process.pid if self._process is not None else 0

    @property
    def is_alive(self) -> bool:
        """Whether requests can be sent."""
        return self._writer is not None and not self._is_lost

    async def start(self) -> None:
        """Spawn and configure; raises :class:`WorkerStartError`."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "gateway.media.relay.worker",
                    str(theirs.fileno()),
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                    # A Ctrl-C in the terminal is for the service, which then stops
                    # its workers; they end with their socket whatever happens.
                    start_new_session=True,
                )
            self._reader, self._writer = await asyncio.open_connection(
                sock=ours, limit=2 * MAX_FRAME_BYTES
            )
        except BaseException:
            ours.close()
            raise
        configure = Configure(id=0, index=self.index, config=self._config)
        self._writer.write(encode_request(configure))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                first = await read_reply(self._reader)
        except (TimeoutError, BrokenPeerError) as error:
            raise WorkerStartError("worker gave no answer") from error
        if not isinstance(first, Done):
            raise WorkerStartError("worker ended at once; see its log")
        self.counters = first.counters or {}

    async def run(self) -> None:
        """Read replies and events until the worker is gone."""
        assert self._reader is not None
        try:
            async with asyncio.TaskGroup() as group:
                heartbeat = group.create_task(self._heartbeat())
                try:
                    while (reply := await read_reply(self._reader)) is not None:
                        self._take(reply)
                finally:
                    heartbeat.cancel()
        except* BrokenPeerError:
            logger.exception("media worker %d sent garbage", self.index)
        finally:
            self._lose()

    def _take(self, reply: Reply) -> None:
        match reply:
            case Done():
                future = self._pending.pop(reply.id, None)
                if future is not None and not future.done():
                    future.set_result(reply)
            case Failed():
                future = self._pending.pop(reply.id, None)
                if future is not None and not future.done():
                    future.set_exception(MediaError(reply.kind, reply.detail))
            case _:
                self._on_event(reply.event)

    async def _heartbeat(self) -> None:
        """Read counters now and then; a worker that hangs is killed."""
        while True:
            await asyncio.sleep(self._config.worker_silence_s / 5)
            try:
                async with asyncio.timeout(self._config.worker_silence_s):
                    done = await self.request(lambda id_: ReadCounters(id=id_))
            except TimeoutError:
                logger.error("media worker %d hangs and is killed", self.index)
                self.kill()
                return
            except MediaError:
                return
            self.counters = done.counters or {}

    async def request(self, make: Callable[[int], Request]) -> Done:
        """Send the request that ``make`` builds for an id; raises MediaError."""
        if self._writer is None or self._is_lost or len(self._pending) >= MAX_PENDING:
            raise MediaError(MediaErrorKind.ENGINE_LOST, "worker is not available")
        self._next_id += 1
        request_id = self._next_id
        try:
            frame = encode_request(make(request_id))
        except ValueError as error:
            raise MediaError(MediaErrorKind.BAD_SDP, str(error)) from error
        future: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._pending[request_id] = future
        try:
            self._writer.write(frame)
            return await future
        finally:
            self._pending.pop(request_id, None)

    def kill(self) -> None:
        """Kill the process at once."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    def _lose(self) -> None:
        self._is_lost = True
        for future in self._pending.values():
            if not future.done():
                future.set_exception(
                    MediaError(MediaErrorKind.ENGINE_LOST, "media worker died")
                )

    async def close(self) -> None:
        """End the process: it leaves when its socket closes, else it is killed."""
        self._lose()
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
        if self._process is None:
            return
        try:
            async with asyncio.timeout(EXIT_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
