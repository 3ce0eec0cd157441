"""The parts of a run: Kamailio, the service, the far ends; and what they use."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from bench.load.meter import Quantiles, children, cpu_s, rss_kb, waited_s
from bench.load.phones import Phones
from bench.load.rep import Rep
from bench.priority import ask_for_priority
from gateway.identity.passwords import hash_password
from tests.system import service as system
from tests.system.kamailio import Kamailio
from tests.system.program import LogBook

FIRST_NUMBER = 20_000
# Everybody who dials out dials this number.
FAR_END = "+12025550143"
SIP_PASSWORD = "load-sip"
PASSWORD = "load-sign-in"
PROBE_PAUSE_S = 0.1
# The default of the configuration.
REGISTRATION_EXPIRES_S = 600


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far and memory in kB of the service, at one moment.

    ``waited``: seconds in which it wanted a core and had none, the worst worker's.
    """

    at: float
    control_s: float
    workers_s: float
    control_kb: int
    workers_kb: int
    server_s: float
    control_waited_s: float
    workers_waited_s: float


@dataclass(slots=True)
class World:
    """Everything of a run."""

    kamailio: Kamailio
    service: system.Service
    phones: Phones
    reps: int

    def rep(self, index: int) -> Rep:
        """The page of one user, to be entered."""
        return Rep(
            self.service.url,
            tenant=self.service.tenant,
            number=str(FIRST_NUMBER + index),
            password=PASSWORD,
        )

    def usage(self) -> Usage:
        """Read the kernel's accounts."""
        workers = self.service.worker_pids()
        kamailio = self.kamailio.pid
        server = [] if kamailio is None else [kamailio, *children(kamailio)]
        return Usage(
            at=time.monotonic(),
            control_s=cpu_s(self.service.pid),
            workers_s=sum(map(cpu_s, workers)),
            control_kb=rss_kb(self.service.pid),
            workers_kb=sum(map(rss_kb, workers)),
            server_s=sum(map(cpu_s, server)),
            control_waited_s=waited_s(self.service.pid),
            workers_waited_s=max(map(waited_s, workers), default=0.0),
        )

    async def registered_contacts(self) -> int:
        """How many contacts of reps the application server knows."""
        text = await self.kamailio.rpc("stats.get_statistics", "usrloc:")
        found = re.search(r"location_contacts = (\d+)", text)
        if found is None:
            raise RuntimeError(f"no number of contacts in {text!r}")
        # The far ends' is one of them.
        return int(found[1]) - 1


@asynccontextmanager
async def open_world(
    *, directory: Path, reps: int, workers: int
) -> AsyncIterator[World]:
    """Start everything; end all of it afterwards."""
    numbers = [str(FIRST_NUMBER + index) for index in range(reps)]
    # A real one takes 0.2 s of a core by design; that is not what is measured here.
    cheap = hash_password(PASSWORD, log2_n=4, p=1)
    async with AsyncExitStack() as stack:
        kamailio = await stack.enter_async_context(
            Kamailio(users=dict.fromkeys([*numbers, FAR_END], SIP_PASSWORD))
        )
        service = await stack.enter_async_context(
            system.Service(
                directory=directory,
                logs=LogBook(),
                server=kamailio,
                reps=[
                    system.Rep(
                        id=number, sip_password=SIP_PASSWORD, password_hash=cheap
                    )
                    for number in numbers
                ],
                sections={
                    "media": {"workers": workers, "rtp_port_min": 0, "rtp_port_max": 0}
                },
                expires_s=REGISTRATION_EXPIRES_S,
                is_verbose=False,
            )
        )
        # Each of them leads a session of its own.
        for pid in (kamailio.pid, service.pid, *service.worker_pids()):
            ask_for_priority(pid)
        phones = await stack.enter_async_context(
            Phones(kamailio, number=FAR_END, password=SIP_PASSWORD)
        )
        yield World(kamailio, service, phones, reps)


@dataclass(slots=True)
class Probe:
    """Asks the control process ten times a second whether it is alive."""

    url: str
    samples: list[float] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="probe")
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
        async with aiohttp.ClientSession() as http:
            while True:
                began = time.monotonic()
                async with http.get(f"{self.url}/health/live") as response:
                    await response.read()
                self.samples.append(time.monotonic() - began)
                await asyncio.sleep(PROBE_PAUSE_S)

    def take(self) -> Quantiles:
        """How long it took to answer, since the last time this was asked."""
        samples, self.samples = self.samples, []
        return Quantiles.of(samples)
