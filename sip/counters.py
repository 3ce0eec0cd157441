"""What the library counts, for metrics. Values only grow, save the gauges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping


class Counters(Mapping[str, int]):
    """Named counts; a name that was never counted reads as zero.

    Names in use: ``datagrams_received``, ``datagrams_sent``, ``datagrams_malformed``,
    ``datagrams_dropped`` (send buffer full), ``datagrams_unreachable`` (told by
    ICMP), ``stream_messages_received``,
    ``stream_messages_sent``, ``stream_malformed``, ``stream_dropped``,
    ``connections_opened``, ``connections_accepted``, ``connections_refused`` (limit),
    ``connections_lost``, ``connections_idle_closed``, ``pings_received``,
    ``requests_received``, ``responses_received``, ``retransmissions_received``,
    ``responses_stray``, ``acks_stray``, ``requests_untrusted``, ``requests_merged``,
    ``requests_refused``, ``requests_dropped_overload``,
    ``transactions_failed_timeout``, ``transactions_failed_transport``,
    ``calls_incoming``, ``calls_outgoing``, ``forks_released``, ``refers_over_limit``,
    ``registrations_failed``, ``subscriptions_failed``, ``callback_errors``.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, name: str, by: int = 1) -> None:
        """Add to one count."""
        self._counts[name] += by

    def __getitem__(self, name: str) -> int:
        return self._counts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"Counters({dict(sorted(self._counts.items()))})"
