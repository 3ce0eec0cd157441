"""Runs a session's requests: each op once, each call's in order, calls in parallel.

A request belongs to a lane; a lane performs one request at a time, in order of
arrival. Requests about a call share the call's lane. Those that touch CRM records, and
those about the rep's work, have lanes of their own per call, because a slow CRM must
never hold up a hang-up, nor notes.
Requests outlive the socket they came by: a retry after a reconnect finds them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from gateway.identity.users import User
from gateway.sessions import frames, wire
from gateway.sessions.backend import Backend, RequestError
from gateway.sessions.counters import SessionCounters
from gateway.sessions.op_memory import (
    OpConflictError,
    Operation,
    OpMemory,
    Reply,
    TooManyWaitersError,
)
from gateway.sessions.owned_tasks import OwnedTasks
from gateway.sessions.wire import ErrorKind, Wire

logger = logging.getLogger(__name__)

# A lane whose request hangs would swallow the call's hang-up.
PERFORM_TIMEOUT_S = 30.0
# Of one session, waiting or running.
MAX_REQUESTS_IN_FLIGHT = 64

CRM_METHODS = frozenset({"call.choose_record", "contact.create"})
# May read the history first; neither waits for the CRM, nor makes a hang-up wait.
WORK_METHODS = frozenset({"work.change", "work.save", "activity.retry"})


@dataclass(frozen=True, slots=True)
class _Job:
    method: str
    params: Wire
    op_id: str | None
    finish: Callable[[str], None]


class Requests:
    """The requests of one session that its backend performs."""

    def __init__(
        self,
        user: User,
        backend: Backend,
        *,
        clock: Callable[[], float],
        trace_id: Callable[[], str],
        counters: SessionCounters,
        timeout_s: float = PERFORM_TIMEOUT_S,
        max_in_flight: int = MAX_REQUESTS_IN_FLIGHT,
    ) -> None:
        self._user = user
        self._backend = backend
        self._clock = clock
        self._trace_id = trace_id
        self._counters = counters
        self._timeout_s = timeout_s
        self._max_in_flight = max_in_flight
        self._ops = OpMemory()
        self._lanes: dict[Hashable, deque[_Job]] = {}
        self._in_flight = 0
        self._tasks = OwnedTasks()

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def submit(self, method: str, params: Wire, reply: Reply) -> None:
        """Perform a request, or find what an earlier one with its op_id did.

        ``reply`` is called with the outcome, at once or later; never when the session
        ends first.
        """
        self._counters.requests += 1
        op_id: str | None = getattr(params, "op_id", None)
        if op_id is None:
            if self._has_room(reply, op_id):
                self._enqueue(_Job(method, params, None, reply))
            return
        fingerprint = _fingerprint(method, params)
        try:
            known = self._ops.find(op_id, fingerprint, now=self._clock())
            if known is not None:
                self._counters.ops_replayed += 1
                self._ops.join(known, reply)
                return
        except OpConflictError:
            self._counters.ops_in_conflict += 1
            conflict = RequestError(
                ErrorKind.OP_CONFLICT, "This op_id was used for another request."
            )
            reply(self._refuse(conflict, op_id))
            return
        except TooManyWaitersError:
            reply(self._refuse(_too_many(), op_id))
            return
        if self._has_room(reply, op_id):
            operation = self._ops.begin(op_id, fingerprint, reply)
            self._enqueue(_Job(method, params, op_id, self._finisher(operation)))

    async def close(self) -> None:
        """Cancel what still runs."""
        await self._tasks.close()
        self._lanes.clear()

    def _finisher(self, operation: Operation) -> Callable[[str], None]:
        def finish(outcome: str) -> None:
            self._ops.finish(operation, outcome, now=self._clock())

        return finish

    def _has_room(self, reply: Reply, op_id: str | None) -> bool:
        if self._in_flight < self._max_in_flight:
            return True
        reply(self._refuse(_too_many(), op_id))
        return False

    def _enqueue(self, job: _Job) -> None:
        self._in_flight += 1
        lane = _lane(job)
        queue = self._lanes.get(lane)
        if queue is not None:
            queue.append(job)
            return
        self._lanes[lane] = deque((job,))
        self._tasks.spawn(
            self._run(lane), name=f"requests {self._user.key} {job.method}"
        )

    async def _run(self, lane: Hashable) -> None:
        queue = self._lanes[lane]
        while queue:
            job = queue[0]
            outcome = await self._perform(job)
            queue.popleft()
            self._in_flight -= 1
            job.finish(outcome)
        del self._lanes[lane]

    async def _perform(self, job: _Job) -> str:
        expected = wire.METHODS[job.method][1]
        try:
            async with asyncio.timeout(self._timeout_s):
                result = await self._backend.perform(self._user, job.method, job.params)
            if not isinstance(result, expected):
                raise TypeError(f"{job.method} gave {type(result).__name__}")
            return frames.result_outcome(result)
        except RequestError as error:
            return self._refuse(error, job.op_id)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Something that the backend waited for was cancelled, not this request;
            # ending the lane here would swallow what waits in it.
            return self._fail(job)
        except Exception:
            # The root of this request: it ends here, the session goes on.
            return self._fail(job)

    def _fail(self, job: _Job) -> str:
        trace_id = self._trace_id()
        self._counters.internal_errors += 1
        logger.exception(
            "%s of %s failed, trace %s", job.method, self._user.key, trace_id
        )
        return frames.refusal(frames.internal_error(trace_id), op_id=job.op_id)

    def _refuse(self, error: RequestError, op_id: str | None) -> str:
        self._counters.requests_refused += 1
        return frames.refusal(error, op_id=op_id)


def _too_many() -> RequestError:
    return RequestError(
        ErrorKind.RATE_LIMITED, "Too many requests are waiting.", retryable=True
    )


def _fingerprint(method: str, params: Wire) -> bytes:
    text = f"{method}\n{params.model_dump_json()}"
    return hashlib.sha256(text.encode("utf-8")).digest()


def _lane(job: _Job) -> Hashable:
    call_id: str | None = getattr(job.params, "call_id", None)
    if call_id is not None:
        if job.method in CRM_METHODS:
            return ("crm", call_id)
        return ("work" if job.method in WORK_METHODS else "call", call_id)
    if job.method in ("registration.retry", "favourite.set"):
        return job.method
    # About nothing in particular: in parallel with everything.
    return object()
