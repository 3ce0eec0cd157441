"""The embedded media engine: calls spread over worker processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Self

from gateway.media.engine import (
    EngineLost,
    Leg,
    MediaCallId,
    MediaError,
    MediaErrorKind,
    MediaEvent,
    MediaStatistics,
    Negotiated,
)
from gateway.media.relay.config import RelayConfig
from gateway.media.relay.wire import (
    Accept,
    Answer,
    Close,
    Done,
    Drop,
    Enter,
    Hear,
    Hold,
    Leave,
    Offer,
    Open,
    ReadCounters,
    Request,
    RequestKeyframe,
    SendDigits,
    Statistics,
    WorkerEvent,
    negotiated,
)
from gateway.media.relay.worker_process import WorkerProcess, WorkerStartError

logger = logging.getLogger(__name__)

# Calls of dead workers that nobody has closed yet.
MAX_LOST = 10_000


class _Company:
    """Open calls that share a key, and the worker where the newest of them is."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, set[MediaCallId]]] = {}
        self._key_of: dict[MediaCallId, str] = {}

    def __len__(self) -> int:
        return len(self._known)

    def place(self, key: str) -> int | None:
        """Index of their worker, None while there are none; "" is no key."""
        known = self._known.get(key)
        return None if known is None else known[0]

    def add(self, key: str, call: MediaCallId, index: int) -> None:
        """A call is opened there."""
        if key:
            _, calls = self._known.get(key, (index, set()))
            calls.add(call)
            self._known[key] = index, calls
            self._key_of[call] = key

    def remove(self, call: MediaCallId) -> None:
        """It is closed or lost."""
        key = self._key_of.pop(call, None)
        if key is not None:
            _, calls = self._known[key]
            calls.discard(call)
            if not calls:
                del self._known[key]

    def clear(self) -> None:
        """There are no calls any more."""
        self._known.clear()
        self._key_of.clear()


class RelayEngine:
    """A :class:`~gateway.media.engine.MediaEngine` of worker processes.

    Use it as ``async with RelayEngine(config) as engine`` or call :meth:`start` and
    :meth:`stop`. Each call lives in one worker; a worker that dies takes only its
    own calls along, each of which yields one :class:`EngineLost`, and is replaced.
    """

    def __init__(self, config: RelayConfig) -> None:
        self._config = config
        self._subscribers: list[Callable[[MediaEvent], None]] = []
        self._workers: list[WorkerProcess | None] = [None] * config.workers
        self._supervisors: list[asyncio.Task[None]] = []
        self._placement: dict[MediaCallId, int] = {}
        self._lost: dict[MediaCallId, None] = {}
        self._rooms = _Company()
        self._sides = _Company()
        self._load = [0] * config.workers
        self._respawns = 0
        self._calls_lost = 0
        self._stray_events = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start all workers; raises :class:`WorkerStartError` if one does not come."""
        workers = [self._new_worker(index) for index in range(self._config.workers)]
        try:
            async with asyncio.TaskGroup() as group:
                for worker in workers:
                    group.create_task(worker.start())
        except BaseExceptionGroup as group_error:
            for worker in workers:
                await worker.close()
            failure = group_error.subgroup(WorkerStartError)
            if failure is not None:
                raise WorkerStartError("a media worker did not start") from group_error
            raise
        for worker in workers:
            self._workers[worker.index] = worker
            self._supervisors.append(
                asyncio.create_task(
                    self._supervise(worker), name=f"media worker {worker.index}"
                )
            )

    async def stop(self) -> None:
        """End all workers and with them all calls; no events any more."""
        self._subscribers.clear()
        for task in self._supervisors:
            task.cancel()
        if self._supervisors:
            await asyncio.wait(self._supervisors)
        self._supervisors.clear()
        for index, worker in enumerate(self._workers):
            if worker is not None:
                await worker.close()
            self._workers[index] = None
        self._placement.clear()
        self._lost.clear()
        self._rooms.clear()
        self._sides.clear()
        self._load = [0] * self._config.workers

    def subscribe(self, on_event: Callable[[MediaEvent], None]) -> None:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        self._subscribers.append(on_event)

    def counters(self) -> dict[str, int]:
        """Totals over all workers (as of their last heartbeat) and of the engine."""
        totals = {
            "workers": self._config.workers,
            "workers_alive": sum(
                worker is not None and worker.is_alive for worker in self._workers
            ),
            "open_calls": len(self._placement),
            "open_rooms": len(self._rooms),
            "respawns": self._respawns,
            "calls_lost": self._calls_lost,
            "stray_events": self._stray_events,
        }
        for worker in self._workers:
            if worker is None:
                continue
            for name, value in worker.counters.items():
                if name not in ("pid", "browser_port"):
                    totals[name] = totals.get(name, 0) + value
        return totals

    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the live workers, by index."""
        return tuple(
            worker.pid
            for worker in self._workers
            if worker is not None and worker.is_alive
        )

    async def worker_counters(self) -> list[dict[str, int]]:
        """Fresh counters of each live worker."""
        fresh: list[dict[str, int]] = []
        for worker in self._workers:
            if worker is not None and worker.is_alive:
                done = await worker.request(lambda id_: ReadCounters(id=id_))
                worker.counters = done.counters or {}
                fresh.append(worker.counters)
        return fresh

    # Operations of the contract

    async def open(
        self, call: MediaCallId, *, room: str = "", beside: str = ""
    ) -> None:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        if call in self._placement:
            raise MediaError(MediaErrorKind.WRONG_STATE, "call is open already")
        worker = self._worker_for(room, beside)
        self._lost.pop(call, None)
        self._place(call, worker.index, room, beside)
        try:
            await worker.request(lambda id_: Open(id=id_, call=call, room=room))
        except BaseException:
            self._forget(call)
            raise

    async def answer(
        self, call: MediaCallId, leg: Leg, offer: str, *, generation: int = 1
    ) -> Negotiated:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        done = await self._request(
            call,
            lambda id_: Answer(
                id=id_, call=call, leg=leg, offer=offer, generation=generation
            ),
        )
        return negotiated(done)

    async def offer(self, call: MediaCallId, leg: Leg) -> str:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        done = await self._request(call, lambda id_: Offer(id=id_, call=call, leg=leg))
        return done.sdp

    async def accept(self, call: MediaCallId, leg: Leg, answer: str) -> Negotiated:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        done = await self._request(
            call, lambda id_: Accept(id=id_, call=call, leg=leg, answer=answer)
        )
        return negotiated(done)

    async def send_digits(self, call: MediaCallId, leg: Leg, digits: str) -> bool:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        done = await self._request(
            call, lambda id_: SendDigits(id=id_, call=call, leg=leg, digits=digits)
        )
        return done.sent

    async def request_keyframe(self, call: MediaCallId, leg: Leg) -> None:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        await self._request(
            call, lambda id_: RequestKeyframe(id=id_, call=call, leg=leg)
        )

    async def enter(
        self, call: MediaCallId, *, name: str, partner: MediaCallId | None = None
    ) -> None:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        await self._request(
            call, lambda id_: Enter(id=id_, call=call, name=name, partner=partner)
        )

    async def leave(self, call: MediaCallId) -> None:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        await self._request(call, lambda id_: Leave(id=id_, call=call))

    async def hold(self, call: MediaCallId, *, is_held: bool) -> None:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        await self._request(call, lambda id_: Hold(id=id_, call=call, is_held=is_held))

    async def hear(self, call: MediaCallId, others: frozenset[MediaCallId]) -> None:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        index = self._placement.get(call)
        elsewhere = [
            each for each in others if self._placement.get(each, index) != index
        ]
        if index is not None and elsewhere:
            raise MediaError(MediaErrorKind.WRONG_STATE, "it is in another worker")
        await self._request(
            call, lambda id_: Hear(id=id_, call=call, others=frozenset(others))
        )

    async def drop(self, call: MediaCallId, leg: Leg) -> None:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        await self._request(call, lambda id_: Drop(id=id_, call=call, leg=leg))

    async def statistics(self, call: MediaCallId) -> MediaStatistics:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        done = await self._request(call, lambda id_: Statistics(id=id_, call=call))
        return done.statistics or MediaStatistics()

    async def close(self, call: MediaCallId) -> MediaStatistics:
        """See :class:`~gateway.media.engine.MediaEngine`."""
        if call in self._lost:
            del self._lost[call]
            return MediaStatistics()
        try:
            done = await self._request(call, lambda id_: Close(id=id_, call=call))
        finally:
            self._forget(call)
        return done.statistics or MediaStatistics()

    async def _request(self, call: MediaCallId, make: Callable[[int], Request]) -> Done:
        if call in self._lost:
            raise MediaError(MediaErrorKind.ENGINE_LOST, "the call's worker died")
        index = self._placement.get(call)
        worker = None if index is None else self._workers[index]
        if worker is None:
            raise MediaError(MediaErrorKind.UNKNOWN_CALL, "no such call")
        return await worker.request(make)

    # Placement

    def _worker_for(self, room: str, beside: str) -> WorkerProcess:
        """Where the room is, else where those beside are, else the live worker with
        the fewest calls."""
        candidates = [
            worker for worker in self._workers if worker is not None and worker.is_alive
        ]
        place = self._rooms.place(room)
        # A dead one is left behind: its calls are lost and will be reported.
        there = [worker for worker in candidates if worker.index == place]
        candidates = [
            worker
            for worker in there or candidates
            if self._load[worker.index] < self._config.max_calls_per_worker
        ]
        if not candidates:
            raise MediaError(MediaErrorKind.NO_CAPACITY, "no worker has room")
        # A full one is left too: such a call can be had, only not be mixed.
        place = self._sides.place(beside)
        there = [worker for worker in candidates if worker.index == place]
        return min(there or candidates, key=lambda worker: self._load[worker.index])

    def _place(self, call: MediaCallId, index: int, room: str, beside: str) -> None:
        self._placement[call] = index
        self._load[index] += 1
        self._rooms.add(room, call, index)
        self._sides.add(beside, call, index)

    def _forget(self, call: MediaCallId) -> None:
        index = self._placement.pop(call, None)
        if index is not None:
            self._load[index] -= 1
        self._rooms.remove(call)
        self._sides.remove(call)

    # Supervision

    def _new_worker(self, index: int) -> WorkerProcess:
        return WorkerProcess(index, self._config, self._take_event)

    async def _supervise(self, worker: WorkerProcess) -> None:
        """Run a worker; when it dies report its calls and start another."""
        delay = self._config.respawn_delay_s
        while True:
            started = asyncio.get_running_loop().time()
            await worker.run()
            await worker.close()
            self._report_lost(worker.index)
            if asyncio.get_running_loop().time() - started > 60.0:
                delay = self._config.respawn_delay_s
            while True:
                await asyncio.sleep(delay)
                delay = min(2 * delay, self._config.respawn_delay_max_s)
                worker = self._new_worker(worker.index)
                try:
                    await worker.start()
                except (WorkerStartError, OSError) as error:
                    logger.error("media worker %d: %s", worker.index, error)
                    await worker.close()
                    continue
                except asyncio.CancelledError:
                    # Nobody else knows of it yet.
                    await worker.close()
                    raise
                break
            self._respawns += 1
            self._workers[worker.index] = worker

    def _report_lost(self, index: int) -> None:
        calls = [call for call, place in self._placement.items() if place == index]
        logger.error("media worker %d died with %d calls", index, len(calls))
        for call in calls:
            self._forget(call)
            while len(self._lost) >= MAX_LOST:
                del self._lost[next(iter(self._lost))]
            self._lost[call] = None
            self._calls_lost += 1
            self._publish(EngineLost(call))

    def _take_event(self, event: WorkerEvent) -> None:
        if event.call not in self._placement:
            # The call was closed while the event was on its way.
            self._stray_events += 1
            return
        self._publish(event)

    def _publish(self, event: MediaEvent) -> None:
        for on_event in self._subscribers:
            on_event(event)
