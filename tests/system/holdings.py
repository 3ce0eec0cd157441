"""What a service holds, and that it gives back what it took.

By the kernel's account (descriptors, sockets, ports, processes of the whole tree) and
by its own (``/metrics``). An :class:`Inventory` is taken before tests and checked
after each.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.system.waiting import POLL_S, until

QUIET_WITHIN_S = 10.0
# Connections and ports of what has just ended go one after the other.
STEADY_S = 2.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds, as the kernel counts it, children included."""

    descriptors: int
    sockets: int
    udp_ports: int
    threads: int
    processes: int
    # What the descriptors are of, sockets left out; to say what is new.
    files: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the service holds."""

    # Its own counts of what must be none when nothing goes on.
    gauges: dict[str, float]
    tasks: float
    footprint: Footprint
    # Ports of its range that are bound.
    rtp_ports: frozenset[int] = frozenset()


class Inventory:
    """``look`` gives the holdings now; :meth:`take` first, :meth:`check` afterwards."""

    def __init__(self, look: Callable[[], Awaitable[Holdings]]) -> None:
        self._look = look
        self._before: Holdings | None = None

    async def take(self) -> None:
        """What is held when all is quiet, and gets no less, is what may be held."""
        loop = asyncio.get_running_loop()
        least = await self._quiet()
        since = loop.time()
        while loop.time() < since + STEADY_S:
            await asyncio.sleep(POLL_S)
            now = await self._look()
            if (now.footprint.descriptors, now.tasks) < (
                least.footprint.descriptors,
                least.tasks,
            ):
                least, since = now, loop.time()
        self._before = least

    async def check(self) -> None:
        """Wait until no more is held than when it was taken.

        Raises:
            AssertionError: it stays more; the text has both.
        """
        before = self._before
        assert before is not None, "taken first"
        last = await self._quiet()

        async def is_as_before() -> bool:
            nonlocal last
            last = await self._look()
            now, then = last.footprint, before.footprint
            return (
                now.sockets <= then.sockets
                and now.udp_ports == then.udp_ports
                and now.descriptors <= then.descriptors
                and now.processes == then.processes
                and last.tasks <= before.tasks
            )

        try:
            await until(is_as_before, "as before", timeout_s=QUIET_WITHIN_S)
        except AssertionError:
            raise AssertionError(f"leaks: {last} after {before}") from None

    async def _quiet(self) -> Holdings:
        """The holdings once the gauges are at zero and no RTP port is left."""
        last: Holdings | None = None

        async def is_quiet() -> Holdings | None:
            nonlocal last
            last = await self._look()
            nothing = not any(last.gauges.values()) and not last.rtp_ports
            return last if nothing else None

        try:
            found = await until(is_quiet, "quiet", timeout_s=QUIET_WITHIN_S)
        except AssertionError:
            raise AssertionError(f"left behind: {last}") from None
        assert found is not None
        return found


async def read_metrics(url: str) -> dict[str, float]:
    """All samples of ``/metrics``, by name and labels as the text has them."""
    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{url}/metrics") as response,
    ):
        text = await response.text()
        assert response.status == 200, text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            found[name] = sample.value
    return found


def footprint(
    pid: int,
    *,
    but_connections_of: frozenset[int] = frozenset(),
    but_file: str = "",
) -> Footprint:
    """What the process tree holds now.

    Left out are connections from and to these ports, and the files whose path has
    ``but_file``, a database's: pools of both grow and shrink within bounds of their
    own.
    """
    pooled = {
        f"socket:[{row[9]}]"
        for row in _table("tcp")
        if row[3] != LISTENING and not but_connections_of.isdisjoint(_ports(row))
    }
    pids = tree(pid)
    links = [
        link
        for each in pids
        for link in _links(each)
        if link not in pooled and not (but_file and but_file in link)
    ]
    inodes = {link[8:-1] for link in links if link.startswith("socket:")}
    return Footprint(
        descriptors=len(links),
        sockets=len(inodes),
        udp_ports=sum(row[9] in inodes for row in _table("udp")),
        threads=sum(len(_listed(f"/proc/{each}/task")) for each in pids),
        processes=len(pids),
        files=tuple(sorted(link for link in links if link[:7] != "socket:")),
    )


def served(port: int) -> int:
    """How many connections a local server has on this port."""
    return sum(
        row[3] == ESTABLISHED and int(row[1].rpartition(":")[2], 16) == port
        for row in _table("tcp")
    )


def tree(pid: int) -> list[int]:
    """The process and all its children's children."""
    found = [pid]
    for task in _listed(f"/proc/{pid}/task"):
        try:
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        except OSError:
            continue
        for child in children:
            found += tree(int(child))
    return found


def alive(pids: list[int]) -> list[int]:
    """Those that still run; a zombie does not."""
    return [pid for pid in pids if _state(pid) not in ("", "Z")]


def _state(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _links(pid: int) -> list[str]:
    links = []
    for number in _listed(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except OSError:
            continue
    return links


LISTENING = "0A"
ESTABLISHED = "01"


def _table(protocol: str) -> list[list[str]]:
    """Sockets of IPv4 as the kernel has them: 1 and 2 addresses, 3 state, 9 inode."""
    rows = Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]
    return [row.split() for row in rows]


def _ports(row: list[str]) -> set[int]:
    return {int(address.rpartition(":")[2], 16) for address in row[1:3]}
