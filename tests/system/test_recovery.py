"""Calls and their activities survive the death of the service, exactly once.

No browser: a rep by the bare protocol, so that many calls fit into a minute.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.identity.passwords import hash_password
from tests.system.baresip import Baresip
from tests.system.holdings import Holdings, Inventory
from tests.system.kamailio import Kamailio
from tests.system.program import LogBook
from tests.system.salesforce import TASK_PATH, CrmTask, Salesforce
from tests.system.service import Rep, Service
from tests.system.sipp import Sipp
from tests.system.waiting import until
from tests.system.wire_client import WireClient

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "sipp"),
]

USER = "1005"
PASSWORD = "sign-in"
USERNAME = "robin.reyes@acme.example"
CALLEE = "+12025550131"
BUSY = "+12025550133"
CALLER = "+16465550175"
RING_NO_LONGER_S = 5
RESUME_WINDOW_S = 1
KILLS_WHILE_IT_RINGS = 5

SEED = 20261120
FAULTS = (
    "server_unavailable",
    "invalid_session_id",
    "lost_reply",
    "unable_to_lock_row",
    "request_limit_exceeded",
)


@dataclass(slots=True)
class Office:
    """A service of its own, with an org, a rep and a telephone to call."""

    service: Service
    salesforce: Salesforce
    callee: Baresip
    proxy: Kamailio
    logs: LogBook
    directory: Path
    # Ids of all calls so far: each must be logged exactly once.
    calls: list[str] = field(default_factory=list)
    # The process that has made what is made at first need.
    warm_pid: int = 0
    inventory: Inventory = field(init=False)

    def __post_init__(self) -> None:
        self.inventory = Inventory(self._holdings)

    async def _holdings(self) -> Holdings:
        pooled = frozenset({self.salesforce.port, self.proxy.port})
        return await self.service.holdings(but_connections_of=pooled)

    async def warm_up(self) -> None:
        """One short call; whoever was started anew can then be compared."""
        async with self.rep() as rep:
            await rep.wait_registered()
            self.calls.append(call_id := await rep.dial(BUSY))
            await rep.wait_ended(call_id)
            await self.assert_logged_once()
            await rep.sign_out()
        self.warm_pid = self.service.pid

    async def take_inventory(self) -> None:
        await self.warm_up()
        await self.inventory.take()

    async def settle(self) -> None:
        """Check that the service, be it another one, holds what the first one held.

        Raises:
            AssertionError: it holds more.
        """
        await self.salesforce.clear_faults()
        if self.service.pid != self.warm_pid:
            await self.warm_up()
        await self.inventory.check()

    def rep(self) -> WireClient:
        return WireClient(
            self.service.url, tenant=Service.tenant, user=USER, password=PASSWORD
        )

    def sipp(self, scenario: str) -> Sipp:
        return Sipp(
            scenario,
            server=self.proxy,
            logs=self.logs,
            directory=self.directory / "sipp",
        )

    def customer(self) -> Baresip:
        """Somebody outside who calls in."""
        return Baresip(
            "customer",
            user=CALLER,
            domain="carrier.invalid",
            server=self.proxy,
            logs=self.logs,
            directory=self.directory / f"customer-{len(self.calls)}",
        )

    async def assert_logged_once(self, *, timeout_s: float = 30.0) -> CrmTask:
        """Every call has exactly one activity, and no other is there; gives the last.

        The last is that of the newest call.
        """
        tasks = await self.salesforce.wait_tasks(len(self.calls), timeout_s=timeout_s)
        assert sorted(task.call_id for task in tasks) == sorted(self.calls)
        [newest] = [task for task in tasks if task.call_id == self.calls[-1]]
        return newest

    async def call(self, rep: WireClient) -> str:
        """A call that is up and on record; gives its id."""
        await rep.wait_registered()
        established = len(self.callee.seen("CALL_ESTABLISHED"))
        written = await self._written()
        self.calls.append(call_id := await rep.dial(CALLEE))
        await self.callee.wait_event("CALL_ESTABLISHED", count=established + 1)
        await rep.wait_event("call.answered")

        async def is_on_record() -> bool:
            # That it has begun, and that it was answered.
            return await self._written() >= written + 2

        await until(is_on_record, "the call in the journal")
        return call_id

    async def _written(self) -> float:
        metrics = await self.service.metrics()
        return metrics["ringbridge_journal_events_total{kind=written}"]

    async def wait_call_over(self, *, by_itself: bool = True) -> None:
        """Wait until the far end has no call any more, or end it there."""
        calls = len(self.callee.seen("CALL_ESTABLISHED"))
        if not by_itself and len(self.callee.seen("CALL_CLOSED")) < calls:
            await self.callee.hang_up()
        await self.callee.wait_event("CALL_CLOSED", count=calls)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole_office(
    proxy: Kamailio, logs: LogBook, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    """An office of one, without a browser; tests take :func:`office`."""
    tmp_path = tmp_path_factory.mktemp("office")
    await proxy.add_user(USER, "desk")
    await proxy.add_user(CALLEE, "callee")
    await proxy.set_answer(BUSY, 486)
    async with AsyncExitStack() as stack:
        salesforce = await stack.enter_async_context(
            Salesforce(
                directory=tmp_path / "salesforce",
                logs=logs,
                widget_url="http://127.0.0.1:9/widget/salesforce",
                gateway_url="http://127.0.0.1:9",
            )
        )
        rep = Rep(
            id=USER,
            sip_password="desk",
            password_hash=hash_password(PASSWORD),
            salesforce_user_id=salesforce.users[USERNAME],
            salesforce_username=USERNAME,
        )
        service = await stack.enter_async_context(
            Service(
                directory=tmp_path / "service",
                logs=logs,
                server=proxy,
                reps=[rep],
                salesforce=salesforce.configuration(),
                sections={
                    "calls": {
                        "no_answer_s": RING_NO_LONGER_S,
                        "resume_window_s": RESUME_WINDOW_S,
                    }
                },
            )
        )
        callee = await stack.enter_async_context(
            Baresip(
                "callee",
                user=CALLEE,
                password="callee",
                server=proxy,
                logs=logs,
                directory=tmp_path / "callee",
                answer="auto",
            )
        )
        await callee.wait_registered()
        everything = Office(service, salesforce, callee, proxy, logs, tmp_path)
        await everything.take_inventory()
        yield everything


@pytest_asyncio.fixture(loop_scope="session")
async def office(whole_office: Office) -> AsyncIterator[Office]:
    """The office; a test that leaves anything behind in its service fails."""
    yield whole_office
    await whole_office.settle()


@pytest.mark.timeout(240)
async def test_killed_around_hang_up_ten_times(
    office: Office, record_property: Callable[[str, object], None]
) -> None:
    """``kill -9`` at ten points around the hang-up, and a CRM that fails meanwhile.

    Every second call is hung up by the far end. The moments are drawn from one
    generator, from before the hang-up to well into the writing of the activity.
    """
    rng = random.Random(SEED)
    moments = [rng.uniform(-0.05, 0.4) for _ in range(10)]
    record_property("kill_after_hang_up_s", [round(moment, 3) for moment in moments])
    for number, moment in enumerate(moments):
        fault = FAULTS[number % len(FAULTS)]
        await office.salesforce.fault(fault, times=2, path=TASK_PATH)
        async with office.rep() as rep:
            call_id = await office.call(rep)
            if number % 2:
                hang_up = asyncio.ensure_future(office.callee.hang_up())
            else:
                hang_up = asyncio.ensure_future(rep.hang_up(call_id))
            if moment < 0:
                # Before the request is out: nothing has been awaited since.
                hang_up.cancel()
            # The point of the test is the moment itself, so this one sleep is meant.
            await asyncio.sleep(max(0.0, moment))
            await office.service.kill()
            await asyncio.gather(hang_up, return_exceptions=True)
        if fault == "request_limit_exceeded":
            # Another day has begun: a pause for want of API calls lasts long.
            await office.salesforce.clear_faults()
        # Perhaps nobody told it that its call is over.
        await office.wait_call_over(by_itself=False)
        await office.service.start()
    await office.assert_logged_once(timeout_s=60)
    await office.salesforce.clear_faults()


@pytest.mark.parametrize("told", ["the rep", "the caller"])
async def test_killed_as_soon_as_it_rings(office: Office, told: str) -> None:
    """``kill -9`` once somebody knows of the call: it is on record by then."""
    async with office.customer() as customer:
        for number in range(KILLS_WHILE_IT_RINGS):
            before = {task.call_id for task in await office.salesforce.tasks()}
            async with office.rep() as rep:
                await rep.wait_registered()
                await customer.dial(USER)
                if told == "the rep":
                    await rep.wait_event("call.incoming")
                else:
                    await customer.wait_event("CALL_RINGING", count=number + 1)
                await office.service.kill()
            await customer.hang_up()
            await office.service.start()
            tasks = await office.salesforce.wait_tasks(len(before) + 1)
            [task] = [task for task in tasks if task.call_id not in before]
            office.calls.append(task.call_id)
            assert (task.direction, task.outcome) == ("Inbound", "Interrupted")
    await office.assert_logged_once()


async def test_call_cut_off_by_the_death_of_the_service(office: Office) -> None:
    """A call that was up when the service died is logged as interrupted."""
    async with office.rep() as rep:
        await office.call(rep)
        await office.service.kill()
    await office.wait_call_over(by_itself=False)
    await office.service.start()
    assert (await office.assert_logged_once()).outcome == "Interrupted"


async def test_stop_ends_calls_and_logs_them(office: Office) -> None:
    """SIGTERM: the far end is hung up on, and the activity is not lost."""
    byes = len(office.callee.requests("BYE"))
    async with office.rep() as rep:
        await office.call(rep)
        assert await office.service.stop() == 0
    await office.wait_call_over()
    assert len(office.callee.requests("BYE")) == byes + 1
    await office.service.start()
    await office.assert_logged_once()


async def test_nobody_comes_back(office: Office) -> None:
    """After the resume window the far end gets a BYE, and the call is logged."""
    byes = len(office.callee.requests("BYE"))
    async with office.rep() as rep:
        await office.call(rep)
    await office.wait_call_over()
    assert len(office.callee.requests("BYE")) == byes + 1
    assert (await office.assert_logged_once()).outcome == "Interrupted"


async def test_rings_for_too_long(office: Office) -> None:
    """Nobody answers: the phone that rings is cancelled, the attempt is logged."""
    number = "+12025550132"
    await office.proxy.add_user(number, "callee")
    async with office.sipp("uas_rings") as phone, office.rep() as rep:
        await phone.register(number, "callee")
        await rep.wait_registered()
        office.calls.append(call_id := await rep.dial(number))
        view = await rep.wait_ended(call_id)
        assert view["end_reason"] == "no_answer"
        await phone.finish()
    task = await office.assert_logged_once()
    assert (task.direction, task.outcome) == ("Outbound", "No answer")
