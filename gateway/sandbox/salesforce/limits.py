"""How many API calls an org has left, and how it says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from gateway.sandbox.salesforce.assumptions import USAGE_WINDOW_H
from gateway.sandbox.salesforce.errors import RestError

_HOUR_S = 3600


class ApiUsage:
    """Calls of the last 24 hours.

    Args:
        clock: epoch seconds.
        allowed: calls in 24 hours.
    """

    def __init__(self, *, clock: Callable[[], float], allowed: int) -> None:
        self._clock = clock
        self.allowed = allowed
        self._hours: deque[list[int]] = deque(maxlen=USAGE_WINDOW_H + 1)

    @property
    def used(self) -> int:
        self._forget()
        return sum(count for _, count in self._hours)

    def set_used(self, count: int) -> None:
        """As if so many calls had been made just now."""
        self._hours.clear()
        self._hours.append([self._hour(), count])

    def count(self) -> None:
        """Count one call.

        Raises:
            RestError: 403 REQUEST_LIMIT_EXCEEDED once they are used up.
        """
        if self.used >= self.allowed:
            raise limit_exceeded()
        hour = self._hour()
        if not self._hours or self._hours[-1][0] != hour:
            self._hours.append([hour, 0])
        self._hours[-1][1] += 1

    @property
    def header(self) -> str:
        """The value of ``Sforce-Limit-Info``."""
        return f"api-usage={self.used}/{self.allowed}"

    def as_json(self) -> Mapping[str, object]:
        """The answer of ``/limits``; what is not simulated is never used up."""
        fixed = {
            "ConcurrentAsyncGetReportInstances": 200,
            "DailyAsyncApexExecutions": 250_000,
            "DailyBulkApiBatches": 15_000,
            "DailyStreamingApiEvents": 10_000,
            "DataStorageMB": 5,
            "FileStorageMB": 20,
            "HourlyTimeBasedWorkflow": 1000,
            "MassEmail": 5000,
            "SingleEmail": 5000,
        }
        mine = {"Max": self.allowed, "Remaining": max(0, self.allowed - self.used)}
        return {
            "DailyApiRequests": mine,
            **{name: {"Max": n, "Remaining": n} for name, n in fixed.items()},
        }

    def _hour(self) -> int:
        return int(self._clock() // _HOUR_S)

    def _forget(self) -> None:
        oldest = self._hour() - USAGE_WINDOW_H
        while self._hours and self._hours[0][0] <= oldest:
            self._hours.popleft()


def limit_exceeded() -> RestError:
    return RestError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def too_many_at_once() -> RestError:
    """More than 25 calls that last longer than 20 s; same code, other words."""
    return RestError(
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
    )
