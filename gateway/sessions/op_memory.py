"""What happened to each ``op_id``: a retried request gets the first one's outcome.

An operation is recorded before anything is done for it. While it runs, a retry waits
for the same outcome; afterwards the outcome is replayed, errors too, because a
failed operation may have had effects. The same ``op_id`` with other parameters is a
conflict. Pure; time is handed in (monotonic seconds).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.sessions.wire import OP_MEMORY_COUNT, OP_MEMORY_S

# Outcomes are mostly under 2 KiB (an SDP answer); this bounds what 1,000 of the
# largest could hold.
OP_MEMORY_BYTES = 4 * 1024 * 1024
# Each retry of a running operation is one more reply to send.
MAX_WAITERS = 16

Reply = Callable[[str], None]


class OpConflictError(Exception):
    """The ``op_id`` was used for something else."""


class TooManyWaitersError(Exception):
    """The operation still runs and was retried too often already."""


@dataclass(slots=True)
class Operation:
    """One recorded operation; ``outcome`` is None while it runs."""

    op_id: str
    fingerprint: bytes
    waiters: list[Reply] = field(default_factory=list)
    outcome: str | None = None
    finished_at: float = 0.0


class OpMemory:
    """Operations of one session by ``op_id``; finished ones are forgotten in time."""

    def __init__(
        self,
        *,
        max_age_s: float = OP_MEMORY_S,
        max_count: int = OP_MEMORY_COUNT,
        max_bytes: int = OP_MEMORY_BYTES,
    ) -> None:
        self._max_age_s = max_age_s
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._running: dict[str, Operation] = {}
        self._finished: OrderedDict[str, Operation] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._running) + len(self._finished)

    def find(self, op_id: str, fingerprint: bytes, *, now: float) -> Operation | None:
        """The recorded operation, None if there is none.

        Raises:
            OpConflictError: it was recorded with another fingerprint.
        """
        self._forget(now)
        operation = self._running.get(op_id) or self._finished.get(op_id)
        if operation is not None and operation.fingerprint != fingerprint:
            raise OpConflictError(op_id)
        return operation

    def begin(self, op_id: str, fingerprint: bytes, reply: Reply) -> Operation:
        """Record an operation that :meth:`find` did not find; then do it."""
        operation = Operation(op_id, fingerprint, [reply])
        self._running[op_id] = operation
        return operation

    def join(self, operation: Operation, reply: Reply) -> None:
        """Reply with the operation's outcome, now or when there is one.

        Raises:
            TooManyWaitersError: nothing will be replied.
        """
        if operation.outcome is not None:
            reply(operation.outcome)
        elif len(operation.waiters) >= MAX_WAITERS:
            raise TooManyWaitersError(operation.op_id)
        else:
            operation.waiters.append(reply)

    def finish(self, operation: Operation, outcome: str, *, now: float) -> None:
        """Record the outcome and give it to everyone who waits for it."""
        del self._running[operation.op_id]
        operation.outcome = outcome
        operation.finished_at = now
        self._finished[operation.op_id] = operation
        self._bytes += len(outcome)
        self._forget(now)
        waiters, operation.waiters = operation.waiters, []
        for reply in waiters:
            reply(outcome)

    def _forget(self, now: float) -> None:
        while self._finished:
            oldest = next(iter(self._finished.values()))
            if (
                len(self) <= self._max_count
                and self._bytes <= self._max_bytes
                and oldest.finished_at >= now - self._max_age_s
            ):
                return
            del self._finished[oldest.op_id]
            self._bytes -= len(oldest.outcome or "")
