"""When not to ask Salesforce: it is down, or the allowance is nearly used up.

Pure: time is handed in. Not thread-safe but for :meth:`LimitGate.read_usage`, which
only replaces one tuple; everything else runs in the event loop.
"""

from __future__ import annotations

import enum
import random

from gateway.crm.connector import (
    CrmError,
    CrmLimitExceeded,
    CrmLimitNear,
    CrmUnavailable,
)
from gateway.crm.salesforce.assumptions import (
    LIMIT_PAUSE_S,
    USAGE_READING_S,
    USAGE_RESERVE,
)
from gateway.crm.salesforce.errors import is_outage

FAILURES_TO_OPEN = 5
OPEN_BASE_S = 5.0
OPEN_CAP_S = 60.0
# Somebody waits for it: the allowance comes back little by little, so ask sooner.
URGENT_PAUSE_S = 60.0


class Urgency(enum.IntEnum):
    """WAITS: until there is allowance to spare. WRITE: a call's activity, while there
    is any. LIVE: somebody waits for it."""

    WAITS = 0
    WRITE = 1
    LIVE = 2


class CircuitBreaker:
    """Closed; open after failures in a row; then one trial at a time decides."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._failures = 0
        # Trials that failed since it last was closed: the pause doubles with each.
        self._openings = 0
        self._open_until: float | None = None
        self._trial_ends = 0.0

    @property
    def is_open(self) -> bool:
        return self._open_until is not None

    def check(self, now: float, *, trial_s: float) -> None:
        """Before a request; a trial that says nothing within ``trial_s`` is void.

        Raises:
            CrmUnavailable: open.
        """
        if self._open_until is None:
            return
        waits_s = max(self._open_until, self._trial_ends) - now
        if waits_s > 0:
            raise CrmUnavailable(
                "Salesforce was unavailable a moment ago",
                code="CIRCUIT_OPEN",
                retry_after_s=waits_s,
            )
        self._trial_ends = now + trial_s

    def succeeded(self) -> None:
        self._failures = self._openings = 0
        self._open_until = None
        self._trial_ends = 0.0

    def failed(self, now: float) -> None:
        self._failures += 1
        self._trial_ends = 0.0
        if self._open_until is None and self._failures < FAILURES_TO_OPEN:
            return
        pause_s = min(OPEN_CAP_S, OPEN_BASE_S * 2.0**self._openings)
        self._open_until = now + pause_s * self._rng.uniform(0.5, 1.0)
        self._openings = min(self._openings + 1, 10)


class LimitGate:
    """The organisation's daily allowance of API requests."""

    def __init__(self) -> None:
        # used, allowed, when: replaced as a whole by worker threads.
        self._reading: tuple[int, int, float] | None = None
        self._exhausted_until = 0.0
        self._urgent_until = 0.0
        # Requests that were to wait because the allowance is nearly used up.
        self.held_back = 0

    def read_usage(self, used: int, allowed: int, now: float) -> None:
        """What a response's header said; callable from any thread."""
        self._reading = (used, allowed, now)

    def usage(self, now: float) -> float | None:
        """Share of the allowance that is used, None if not known lately."""
        reading = self._reading
        if reading is None or now - reading[2] > USAGE_READING_S or reading[1] <= 0:
            return None
        return reading[0] / reading[1]

    def exhausted(self, now: float, for_s: float) -> None:
        """Salesforce has said so."""
        self._exhausted_until = now + for_s
        self._urgent_until = now + min(for_s, URGENT_PAUSE_S)

    def check(self, now: float, *, urgency: Urgency) -> None:
        """Before a request.

        Raises:
            CrmLimitExceeded: used up; or nearly, and the request can wait.
        """
        is_live = urgency is Urgency.LIVE
        until = self._urgent_until if is_live else self._exhausted_until
        if now < until:
            raise CrmLimitExceeded(
                "Salesforce's API allowance is used up",
                code="REQUEST_LIMIT_EXCEEDED",
                retry_after_s=until - now,
            )
        usage = self.usage(now)
        waits = urgency is Urgency.WAITS
        if waits and usage is not None and usage >= USAGE_RESERVE:
            self.held_back += 1
            raise CrmLimitNear(
                f"{usage:.0%} of Salesforce's API allowance is used:"
                " the rest is kept for calls in progress",
                code="REQUEST_LIMIT_NEAR",
                retry_after_s=LIMIT_PAUSE_S,
            )


class Gate:
    """Both together, as the connector asks them."""

    def __init__(self, rng: random.Random) -> None:
        self.breaker = CircuitBreaker(rng)
        self.limits = LimitGate()

    def check(self, now: float, *, urgency: Urgency, trial_s: float) -> None:
        """Raises the CrmError to fail with instead of asking."""
        self.limits.check(now, urgency=urgency)
        self.breaker.check(now, trial_s=trial_s)

    def outcome(self, now: float, error: CrmError | None) -> None:
        """What came of a request; None: it was done."""
        if isinstance(error, CrmLimitExceeded):
            pause_s = (
                LIMIT_PAUSE_S if error.retry_after_s is None else (error.retry_after_s)
            )
            self.limits.exhausted(now, pause_s)
        if error is not None and is_outage(error):
            self.breaker.failed(now)
        else:
            self.breaker.succeeded()
