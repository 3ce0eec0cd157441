"""What the service says about itself, in Prometheus' text format.

One registry per running service. Values are read from their owners when asked, so
that nothing counts twice. Labels are bounded: tenants by configuration, reasons and
states by their enums. Tenant and user names are never label values of counters that
strangers can move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Reading:
    """One family: ``values`` by label value; "" for a family without a label."""

    name: str
    help: str
    values: Mapping[str, float]
    label: str = ""
    is_counter: bool = False


class _Readings(Collector):
    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        for reading in self._read():
            labels = [reading.label] if reading.label else []
            family = (CounterMetricFamily if reading.is_counter else GaugeMetricFamily)(
                reading.name, reading.help, labels=labels
            )
            for value, amount in reading.values.items():
                family.add_metric([value] if labels else [], amount)
            yield family


class Metrics:
    """The service's metrics; ``read`` gives all readings at one moment."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Readings(read))

    def render(self) -> bytes:
        """The page that Prometheus scrapes (text format 0.0.4)."""
        return generate_latest(self._registry)
