"""What processes use, as the kernel counts it, and how loops keep their time."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAUSE_S = 0.05


def cpu_s(pid: int) -> float:
    """User and system time of a process, all threads, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def waited_s(pid: int) -> float:
    """How long its main thread wanted a core and had none, in seconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def rss_kb(pid: int) -> int:
    """Resident memory of a process in kB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def children(pid: int) -> list[int]:
    """All descendants of a process."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *children(int(child))]
    return found


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of measured times, in milliseconds."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Quantiles:
        """Nearest rank; all zero of nothing."""
        ordered = sorted(seconds)
        if not ordered:
            return cls(0.0, 0.0, 0.0)

        def at(share: float) -> float:
            rank = max(0, math.ceil(share * len(ordered)) - 1)
            return round(1000 * ordered[rank], 1)

        return cls(at(0.5), at(0.99), at(1.0))


class LoopLag:
    """How late this process' event loop is: the generator must not be the brake."""

    def __init__(self) -> None:
        self.samples: list[float] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="loop lag")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PAUSE_S
            await asyncio.sleep(PAUSE_S)
            self.samples.append(loop.time() - due)

    def take(self) -> Quantiles:
        """Of what was sampled since the last time."""
        samples, self.samples = self.samples, []
        return Quantiles.of(samples)
