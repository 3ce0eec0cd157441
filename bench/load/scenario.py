"""The phases of a load run, what is measured in each, and what must be true."""

from __future__ import annotations

import asyncio
import itertools
import resource
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.load.calls import Delivery, LoadCall
from bench.load.meter import LoopLag, Quantiles
from bench.load.rep import Rep, keep_beating
from bench.load.traffic import End, Traffic, compile_library
from bench.load.world import Probe, Usage, World, open_world
from bench.priority import ask_for_priority
from gateway.media.relay.aiortc_internals import Certificate
from tests.system.holdings import Footprint
from tests.system.waiting import until

# Sign-ins under way at once, as when an office begins its day; the gateway refuses an
# address with more than 50 unfinished ones.
SIGN_INS_AT_ONCE = 20
# A process that waits longer for a core is measured together with its neighbours.
MAX_WITHOUT_CORE = 0.25
SETTLE_TIMEOUT_S = 60.0
GAUGES = (
    "ringbridge_calls_active",
    "ringbridge_sessions",
    "ringbridge_media_open_calls",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How much load. ``rate`` is calls begun, and later ended, in a second."""

    reps: int = 500
    calls: int = 200
    seconds: float = 15.0
    workers: int = 1
    rate: float = 10.0
    directory: Path = Path("var/bench")


@dataclass(slots=True)
class Outcome:
    """All that was measured, and every claim that turned out false.

    ``disturbances`` say why the figures are not the service's alone: other programs
    had the cores, or the generator itself was late.
    """

    settings: Settings
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    disturbances: list[str] = field(default_factory=list)

    def check(self, is_true: bool, otherwise: str) -> None:
        """Note a failure."""
        if not is_true:
            self.failures.append(otherwise)

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        settings = asdict(self.settings)
        del settings["directory"]
        return {
            "settings": settings,
            "figures": self.figures,
            "failures": self.failures,
            "disturbances": self.disturbances,
        }


async def run(settings: Settings) -> Outcome:
    """Run all phases.

    Raises:
        RuntimeError, AssertionError, TimeoutError: it could not be run to its end.
    """
    _raise_descriptor_limit()
    ask_for_priority()
    outcome = Outcome(settings)
    library = compile_library(settings.directory)
    directory = settings.directory / "service"
    for name in ("ringbridge.db", "ringbridge.spool"):
        for path in directory.glob(f"{name}*"):
            path.unlink()
    async with open_world(
        directory=directory, reps=settings.reps, workers=settings.workers
    ) as world:
        with Traffic(settings.calls, library=library) as traffic:
            await _Run(world, traffic, settings, outcome).all_phases()
        began = time.monotonic()
        status = await world.service.stop()
        outcome.figures["stop"] = {"seconds": round(time.monotonic() - began, 1)}
        outcome.check(status == 0, f"the service ended with {status}")
    _check_records(directory / "ringbridge.db", outcome)
    return outcome


class _Run:
    def __init__(
        self, world: World, traffic: Traffic, settings: Settings, outcome: Outcome
    ) -> None:
        self._world = world
        self._traffic = traffic
        self._settings = settings
        self._outcome = outcome
        self._certificate = Certificate.generateCertificate()
        self._lag = LoopLag()
        self._probe = Probe(world.service.url)

    async def all_phases(self) -> None:
        """From an idle service to an idle service."""
        await self._warm_up()
        footprint = await self._quiet_footprint()
        before = self._world.usage()
        async with self._lag, self._probe, AsyncExitStack() as stack:
            reps = await self._register(stack)
            beating = asyncio.create_task(keep_beating(reps), name="heartbeats")
            try:
                await self._calls(reps[: self._settings.calls])
            finally:
                beating.cancel()
                await asyncio.wait({beating})
            if not beating.cancelled() and (error := beating.exception()):
                raise error
            await self._sign_out(reps)
        await self._settle(before, footprint)

    # Phases -------------------------------------------------------------------------

    async def _warm_up(self) -> None:
        """One call of each direction, so that what is made at first need is made."""
        for index in range(2):
            async with self._world.rep(index) as rep:
                await rep.wait_registered()
                call = self._call(index, rep)
                await call.set_up()
                await call.silence()
                await call.hang_up()
                await rep.sign_out()
        await self._gauges_are_zero()
        _say("warmed up")

    async def _register(self, stack: AsyncExitStack) -> list[Rep]:
        count, at_once = self._settings.reps, asyncio.Semaphore(SIGN_INS_AT_ONCE)
        reps = [self._world.rep(index) for index in range(count)]
        signed_in: list[float] = []
        registered: list[float] = []
        began = time.monotonic()
        before = self._world.usage()

        async def one(rep: Rep) -> None:
            async with at_once:
                asked = time.monotonic()
                await stack.enter_async_context(rep)
                greeted = time.monotonic()
            signed_in.append(greeted - asked)
            if rep.snapshot["registration"]["state"] != "registered":
                await rep.call_event("registration.state")
                await rep.wait_registered()
            registered.append(time.monotonic() - greeted)

        async with asyncio.TaskGroup() as group:
            for rep in reps:
                group.create_task(one(rep))
        took = time.monotonic() - began
        metrics = await self._world.service.metrics()
        gauge = metrics["ringbridge_registrations{state=registered}"]
        contacts = await self._world.registered_contacts()
        check = self._outcome.check
        check(gauge == count, f"{gauge:g} of {count} are registered by the gauge")
        check(contacts == count, f"{contacts} of {count} are known to the registrar")
        self._note(
            "registration",
            before,
            count,
            registered=contacts,
            all_within_s=round(took, 2),
            sign_in_ms=asdict(Quantiles.of(signed_in)),
            registered_after_ms=asdict(Quantiles.of(registered)),
        )
        return reps

    async def _calls(self, reps: Sequence[Rep]) -> None:
        calls = [self._call(index, rep) for index, rep in enumerate(reps)]
        consent = asyncio.create_task(_keep_consent(calls), name="consent")
        try:
            await self._set_up(calls)
            await self._talk(calls)
            await self._end(calls)
        finally:
            consent.cancel()
            await asyncio.wait({consent})

    async def _set_up(self, calls: Sequence[LoadCall]) -> None:
        before = self._world.usage()
        began = time.monotonic()
        await self._paced(calls, LoadCall.set_up)
        took = time.monotonic() - began
        incoming = [call.times for call in calls if call.is_incoming]
        outgoing = [call.times for call in calls if not call.is_incoming]
        self._note(
            "set_up",
            before,
            len(calls),
            all_within_s=round(took, 2),
            invite_to_ringing_ms=asdict(
                Quantiles.of([times.signalled for times in incoming])
            ),
            answer_to_200_ms=asdict(
                Quantiles.of([times.answered for times in incoming])
            ),
            dial_to_answered_ms=asdict(
                Quantiles.of([times.signalled for times in outgoing])
            ),
            media_connected_ms=asdict(
                Quantiles.of([times.media for times in (*incoming, *outgoing)])
            ),
        )

    async def _talk(self, calls: Sequence[LoadCall]) -> None:
        """All calls stand; nothing changes but packets and heartbeats."""
        count = len(calls)
        metrics = await self._world.service.metrics()
        for name in ("ringbridge_calls_active", "ringbridge_media_open_calls"):
            self._outcome.check(
                metrics[name] == count, f"{name} is {metrics[name]:g}, not {count}"
            )
        traffic = self._traffic
        generator = traffic.thread_numbers().cpu_s
        before = self._world.usage()
        self._lag.take()
        traffic.measure(True)
        await asyncio.sleep(self._settings.seconds)
        traffic.measure(False)
        after = self._world.usage()
        wall = after.at - before.at
        thread = traffic.thread_numbers()
        if thread.late_slots:
            self._outcome.disturbances.append(
                f"talking: the generator was late by a period {thread.late_slots} times"
            )
        lateness = traffic.lateness()
        latency = {end.name.lower(): traffic.latency(end) for end in End}
        self._note(
            "talking",
            before,
            count,
            after=after,
            calls=count,
            seconds=round(wall, 1),
            worker_ms_per_call_s=_ratio(
                after.workers_s - before.workers_s, wall, count
            ),
            control_ms_per_call_s=_ratio(
                after.control_s - before.control_s, wall, count
            ),
            latency_ms={
                name: {"p50": each.quantile(0.5), "p99": each.quantile(0.99)}
                for name, each in latency.items()
            },
            generator={
                "packet_thread_cpu": round((thread.cpu_s - generator) / wall, 2),
                "late_p50_ms": lateness.quantile(0.5),
                "late_p99_ms": lateness.quantile(0.99),
                "latest_ms": round(thread.latest_ms, 1),
                "late_by_a_period": thread.late_slots,
                "slots": thread.slots,
            },
        )

    async def _end(self, calls: Sequence[LoadCall]) -> None:
        before = self._world.usage()
        delivered: dict[End, list[Delivery]] = {end: [] for end in End}
        reasons: list[tuple[int, str]] = []

        async def end(call: LoadCall) -> None:
            for sender, delivery in (await call.silence()).items():
                delivered[sender].append(delivery)
            reasons.append((call.index, await call.hang_up()))

        await self._paced(calls, end)
        packets = {
            sender.name.lower(): {
                name: sum(getattr(each, name) for each in deliveries)
                for name in Delivery.__dataclass_fields__
            }
            for sender, deliveries in delivered.items()
        }
        self._note("end", before, len(calls), packets=packets)
        for sender, sums in packets.items():
            silent = sum(1 for each in delivered[End[sender.upper()]] if not each.sent)
            self._outcome.check(not silent, f"{silent} calls sent nothing ({sender})")
            for name in ("lost", "strayed", "rejected", "repeated", "refused"):
                self._outcome.check(
                    not sums[name], f"{sums[name]} packets {name} ({sender} sent)"
                )
        wrong = [
            f"{index}: {reason}"
            for index, reason in reasons
            if reason != ("hung_up_here" if index % 4 < 2 else "hung_up_there")
        ]
        self._outcome.check(not wrong, f"calls ended by other reasons: {wrong[:5]}")

    async def _sign_out(self, reps: Sequence[Rep]) -> None:
        before = self._world.usage()
        began = time.monotonic()
        at_once = asyncio.Semaphore(SIGN_INS_AT_ONCE)

        async def one(rep: Rep) -> None:
            async with at_once:
                await rep.sign_out()

        async with asyncio.TaskGroup() as group:
            for rep in reps:
                group.create_task(one(rep))
        self._note(
            "sign_out",
            before,
            len(reps),
            all_within_s=round(time.monotonic() - began, 2),
        )

    async def _settle(self, before: Usage, footprint: Footprint) -> None:
        """Everything is as it was before the load."""
        world, check = self._world, self._outcome.check

        async def is_as_before() -> bool:
            now = world.service.footprint()
            return _held(now) == _held(footprint)

        began = time.monotonic()
        try:
            await self._gauges_are_zero()
            await until(is_as_before, "as before", timeout_s=SETTLE_TIMEOUT_S)
        except AssertionError as error:
            check(False, f"left behind: {error}")
        left = await world.registered_contacts()
        check(left == 0, f"{left} registrations are left at the registrar")
        after = world.usage()
        self._outcome.figures["afterwards"] = {
            "settled_after_s": round(time.monotonic() - began, 1),
            "before": _held(footprint),
            "after": _held(world.service.footprint()),
            "control_mb_before": round(before.control_kb / 1024, 1),
            "control_mb_after": round(after.control_kb / 1024, 1),
            "workers_mb_before": round(before.workers_kb / 1024, 1),
            "workers_mb_after": round(after.workers_kb / 1024, 1),
        }
        _say(f"settled: {self._outcome.figures['afterwards']}")

    # Parts --------------------------------------------------------------------------

    def _call(self, index: int, rep: Rep) -> LoadCall:
        return LoadCall(
            index,
            rep,
            phones=self._world.phones,
            traffic=self._traffic,
            certificate=self._certificate,
        )

    async def _paced(
        self,
        calls: Iterable[LoadCall],
        do: Callable[[LoadCall], Awaitable[None]],
    ) -> None:
        """Begin with each call at its time, whether those before are done or not."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for number, call in enumerate(calls):
                await asyncio.sleep(began + number / self._settings.rate - loop.time())
                group.create_task(_awaited(do(call)))

    async def _quiet_footprint(self) -> Footprint:
        """What is held when no port of a finished call rests any more."""
        idle_ports = 1 + self._settings.workers

        async def are_closed() -> bool:
            return self._world.service.footprint().udp_ports == idle_ports

        await until(are_closed, f"{idle_ports} UDP ports", timeout_s=SETTLE_TIMEOUT_S)
        return self._world.service.footprint()

    async def _gauges_are_zero(self) -> None:
        async def are_zero() -> bool:
            metrics = await self._world.service.metrics()
            return not any(metrics[name] for name in GAUGES)

        await until(are_zero, "gauges at zero", timeout_s=SETTLE_TIMEOUT_S)

    def _note(
        self,
        phase: str,
        before: Usage,
        count: int,
        *,
        after: Usage | None = None,
        **figures: Any,
    ) -> None:
        after = after or self._world.usage()
        self._outcome.figures[phase] = {
            **figures,
            "control_cpu_ms_each": round(
                1000 * (after.control_s - before.control_s) / count, 2
            ),
            "workers_cpu_ms_each": round(
                1000 * (after.workers_s - before.workers_s) / count, 2
            ),
            "server_cpu_ms_each": round(
                1000 * (after.server_s - before.server_s) / count, 2
            ),
            "control_busy": round(
                (after.control_s - before.control_s) / (after.at - before.at), 2
            ),
            "control_mb": round(after.control_kb / 1024, 1),
            "workers_mb": round(after.workers_kb / 1024, 1),
            "without_a_core": {
                "control": round(
                    (after.control_waited_s - before.control_waited_s)
                    / (after.at - before.at),
                    2,
                ),
                "worker": round(
                    (after.workers_waited_s - before.workers_waited_s)
                    / (after.at - before.at),
                    2,
                ),
            },
            "control_answers_in_ms": asdict(self._probe.take()),
            "generator_lag_ms": asdict(self._lag.take()),
        }
        _say(f"{phase}: {self._outcome.figures[phase]}")
        for part, share in self._outcome.figures[phase]["without_a_core"].items():
            if share > MAX_WITHOUT_CORE:
                self._outcome.disturbances.append(
                    f"{phase}: the {part} waited for a core {share:.0%} of the time"
                )


def _held(footprint: Footprint) -> dict[str, int]:
    """What must be the same again; threads of a pool may stay."""
    names = ("descriptors", "sockets", "udp_ports", "processes")
    return {name: getattr(footprint, name) for name in names}


async def _awaited(work: Awaitable[None]) -> None:
    await work


async def _keep_consent(calls: Sequence[LoadCall]) -> None:
    """Consent checks of all browsers, each every five seconds (RFC 7675)."""
    for call in itertools.cycle(calls):
        if call.media is not None and call.media.contexts is not None:
            call.media.check()
        await asyncio.sleep(5.0 / len(calls))


def _ratio(cpu: float, seconds: float, calls: int) -> float:
    return round(1000 * cpu / (seconds * calls), 3)


def _check_records(database: Path, outcome: Outcome) -> None:
    """Each call has exactly one record; the two of the warm-up too."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "select user_id, direction, reason, answered_at is not null,"
            " ended_at is not null from calls"
        ).fetchall()
    expected = Counter({"inbound": 0, "outbound": 0})
    for index in [*range(outcome.settings.calls), 0, 1]:
        expected["outbound" if index % 2 else "inbound"] += 1
    found = Counter(row[1] for row in rows)
    unfinished = sum(1 for row in rows if not (row[2] and row[3] and row[4]))
    outcome.figures["records"] = {"calls": len(rows), **found}
    outcome.check(found == expected, f"call records: {found}, not {expected}")
    outcome.check(not unfinished, f"{unfinished} call records are not finished")


def _raise_descriptor_limit() -> None:
    """A socket for every rep and three for every call; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say(text: str) -> None:
    print(f"load: {text}", file=sys.stderr, flush=True)
