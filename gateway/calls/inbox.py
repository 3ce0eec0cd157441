"""A call's inbox: everything that happens to it, handled one by one and in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from gateway.calls.machine import WrongState
from gateway.calls.media import ERROR_KIND
from gateway.media.engine import MediaError
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind

INBOX_LIMIT = 128

T = TypeVar("T")
Job = Callable[[], Awaitable[None]]


class Inbox:
    """Bounded; one task takes jobs out."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._wake = asyncio.Event()
        # Jobs refused because it was full; only ever media or SIP noise.
        self.dropped = 0

    def post(self, job: Job, *, vital: bool = False) -> None:
        """Put a job at the end; ``vital``: even when it is full."""
        if len(self._jobs) >= INBOX_LIMIT and not vital:
            self.dropped += 1
            return
        self._jobs.append(job)
        self._wake.set()

    async def request(self, command: Callable[[], Awaitable[T]]) -> T:
        """Run a command in its turn and give back its result.

        Raises:
            RequestError: the inbox is full, or the command cannot be done.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def job() -> None:
            if done.cancelled():
                return
            try:
                result = await command()
            except WrongState as error:
                _fail(done, RequestError(ErrorKind.CALL_WRONG_STATE, str(error)))
            except MediaError as error:
                _fail(done, RequestError(ERROR_KIND[error.kind], error.detail))
            except RequestError as error:
                _fail(done, error)
            except Exception as error:
                # A fault of ours, by which the call ends: nobody is to wait for it.
                _fail(done, error)
                raise
            else:
                if not done.done():
                    done.set_result(result)

        if len(self._jobs) >= INBOX_LIMIT:
            raise RequestError(
                ErrorKind.RATE_LIMITED, "Too much at once for one call.", retryable=True
            )
        self.post(job)
        return await done

    def take(self) -> Job | None:
        """The next job, None when there is none."""
        return self._jobs.popleft() if self._jobs else None

    async def arrival(self) -> None:
        """Wait until :meth:`post` or :meth:`wake`, with nothing left to take."""
        self._wake.clear()
        await self._wake.wait()

    def wake(self) -> None:
        """There is something to see besides jobs."""
        self._wake.set()


def _fail(done: asyncio.Future[Any], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)
