"""Limits how often a name or an address may try something."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

MAX_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class AttemptLimit:
    """``count`` attempts at once, regained evenly over ``per_s`` seconds."""

    count: int
    per_s: float


class Attempts:
    """Token buckets by key; the least recently used key is forgotten when full.

    Forgetting is safe for what this guards: to push a key out, an attacker needs
    ``max_keys`` other addresses or names, each of which is limited itself.
    """

    def __init__(
        self,
        limit: AttemptLimit,
        *,
        clock: Callable[[], float],
        max_keys: int = MAX_KEYS,
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._max_keys = max_keys
        self._levels: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, key: Hashable) -> bool:
        """Count one attempt; False if the key has none left."""
        now = self._clock()
        left = self._left(key, now)
        is_allowed = left >= 1
        self._levels[key] = (left - 1 if is_allowed else left, now)
        self._levels.move_to_end(key)
        if len(self._levels) > self._max_keys:
            self._levels.popitem(last=False)
        return is_allowed

    def give_back(self, key: Hashable) -> None:
        """The attempt was a good one: it does not count."""
        now = self._clock()
        left = min(self._left(key, now) + 1, float(self._limit.count))
        if left >= self._limit.count:
            self._levels.pop(key, None)
        else:
            self._levels[key] = (left, now)

    def _left(self, key: Hashable, now: float) -> float:
        left, since = self._levels.get(key, (float(self._limit.count), now))
        regained = (now - since) * self._limit.count / self._limit.per_s
        return min(float(self._limit.count), left + regained)
