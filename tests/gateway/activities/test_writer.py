"""The outbox worker: until it is there, and not more often than it helps."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from gateway.activities import ActivityChange, ActivityWriter
from gateway.activities.dead_letters import list_dead_letters, retry
from gateway.crm.connector import (
    Activity,
    ActivityFacts,
    Connector,
    ContactDraft,
    CrmError,
    CrmLimitExceeded,
    CrmRecord,
    CrmRefused,
    CrmSignInFailed,
    CrmUnavailable,
    CrmUser,
    MatchCertainty,
    Meeting,
    WrittenActivity,
)
from gateway.identity.users import UserKey
from gateway.sessions.wire import ActivityState
from gateway.storage import (
    CallJournal,
    Database,
    Outbox,
    OutboxKind,
    OutboxState,
    put_meeting,
)
from tests.gateway.storage.samples import ALEX, ANA, BEN, T0, ended
from tests.gateway.storage.test_meetings import MEETING


@dataclass
class Crm:
    """Writes by key; ``faults`` are raised first, after the write if it ``commits``."""

    faults: deque[Exception] = field(default_factory=deque)
    commits: bool = False
    tasks: dict[str, Activity | Meeting] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    earlier: list[tuple[Activity, ...]] = field(default_factory=list)
    urgent: list[bool] = field(default_factory=list)
    found: tuple[CrmRecord, ...] = ()
    find_fault: CrmError | None = None
    gate: asyncio.Event | None = None
    at_once: int = 0
    most_at_once: int = 0

    async def find_by_number(self, user: CrmUser, e164: str) -> tuple[CrmRecord, ...]:
        if self.find_fault is not None:
            raise self.find_fault
        return self.found

    async def create_contact(self, user: CrmUser, draft: ContactDraft) -> CrmRecord:
        raise AssertionError

    async def find_people(self, user: CrmUser, text: str) -> tuple[CrmRecord, ...]:
        raise AssertionError

    async def write_activity(
        self,
        activity: Activity,
        earlier: Sequence[Activity] = (),
        *,
        urgent: bool = True,
    ) -> WrittenActivity:
        self.earlier.append(tuple(earlier))
        self.urgent.append(urgent)
        return await self._write(activity)

    async def activity_facts(self, user: CrmUser) -> ActivityFacts:
        raise AssertionError

    async def write_meeting(self, meeting: Meeting) -> WrittenActivity:
        assert isinstance(meeting, Meeting)
        return await self._write(meeting)

    async def _write(self, activity: Activity | Meeting) -> WrittenActivity:
        self.calls.append(activity.key)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.faults and not self.commits:
                raise self.faults.popleft()
            created = activity.key not in self.tasks
            self.tasks[activity.key] = activity
            if self.faults:
                raise self.faults.popleft()
            return WrittenActivity(f"00T-{activity.key}", "https://x/task", created)
        finally:
            self.at_once -= 1

    async def close(self) -> None:
        return


class World:
    """A worker, its CRMs by tenant, a clock that jumps to whatever is due."""

    def __init__(self, outbox: Outbox) -> None:
        self.now = T0 + 1000.0
        self.crms: dict[str, Crm] = {"acme": Crm()}
        self.changes: asyncio.Queue[ActivityChange] = asyncio.Queue()
        self.outbox = outbox
        self.writer = ActivityWriter(
            outbox,
            self._connector_of,
            on_state=self.changes.put_nowait,
            now=lambda: self.now,
            rng=random.Random(7),
        )

    @property
    def crm(self) -> Crm:
        return self.crms["acme"]

    def _connector_of(self, tenant: str) -> Connector | None:
        return self.crms.get(tenant)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.writer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def change(self) -> ActivityChange:
        async with asyncio.timeout(10):
            return await self.changes.get()

    async def pass_time(self) -> float:
        """Jump to the next due row; how long that was."""
        at = await self.outbox.next_due()
        assert at is not None
        waited_s, self.now = at - self.now, max(self.now, at)
        self.writer.wake()
        return waited_s


@pytest.fixture
def world(outbox: Outbox) -> World:
    return World(outbox)


async def test_a_new_activity_is_written_at_once_and_told(
    world: World, journal: CallJournal
) -> None:
    async with world.running():
        await asyncio.sleep(0)
        await journal.ended(*ended())
        world.writer.wake()
        change = await world.change()
    assert change == ActivityChange(
        ALEX.key,
        "call-1",
        ActivityState.WRITTEN,
        "00T-call:call-1",
        "https://x/task",
    )
    (entry,) = await journal.history(ALEX.key)
    assert entry.activity.state is ActivityState.WRITTEN
    assert entry.activity.record_id == "00T-call:call-1"
    assert world.writer.counters.written == 1


@pytest.mark.parametrize("commits", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        CrmUnavailable("Salesforce cannot be reached"),
        CrmSignInFailed("not approved"),
        ZeroDivisionError("a fault of ours"),
    ],
)
async def test_what_may_pass_is_tried_until_it_has(
    world: World, journal: CallJournal, fault: Exception, commits: bool
) -> None:
    world.crm.faults = deque([fault] * 6)
    world.crm.commits = commits
    await journal.ended(*ended())
    async with world.running():
        for _ in range(6):
            change = await world.change()
            assert change.state is ActivityState.WAITING
            assert change.problem
            assert await world.pass_time() > 0
        change = await world.change()
    assert change.state is ActivityState.WRITTEN
    assert list(world.crm.tasks) == ["call:call-1"]
    assert world.writer.counters.found == int(commits)


async def test_the_pauses_grow_with_full_jitter_to_a_cap(
    world: World, journal: CallJournal
) -> None:
    world.crm.faults = deque([CrmUnavailable("away")] * 40)
    await journal.ended(*ended())
    pauses = []
    async with world.running():
        for _ in range(40):
            await world.change()
            pauses.append(await world.pass_time())
    assert max(pauses[:3]) <= 8.0
    assert 450.0 < max(pauses[15:]) <= 900.0
    assert min(pauses[15:]) < 300.0
    assert min(pauses) >= 0.5


async def test_the_crms_own_pause_is_kept(world: World, journal: CallJournal) -> None:
    world.crm.faults = deque([CrmUnavailable("later", retry_after_s=77.0)])
    await journal.ended(*ended())
    async with world.running():
        await world.change()
        assert await world.pass_time() >= 77.0
        assert (await world.change()).state is ActivityState.WRITTEN


async def test_after_days_it_is_given_up(world: World, journal: CallJournal) -> None:
    world.crm.faults = deque([CrmUnavailable("away")] * 2)
    await journal.ended(*ended())
    async with world.running():
        assert (await world.change()).state is ActivityState.WAITING
        world.now += 8 * 86400
        world.writer.wake()
        change = await world.change()
    assert change.state is ActivityState.FAILED
    assert change.problem == "Given up after days: away"


async def test_a_refusal_is_a_dead_letter_until_a_person_retries(
    world: World, journal: CallJournal
) -> None:
    world.crm.faults = deque([CrmRefused("Field missing: X__c", code="REQUIRED")])
    await journal.ended(*ended())
    await journal.ended(*ended("call-2", at=T0 + 1))
    async with world.running():
        changes = {
            change.call_id: change for change in [await world.change() for _ in "12"]
        }
        assert changes["call-1"].state is ActivityState.FAILED
        assert changes["call-1"].problem == "Field missing: X__c"
        assert changes["call-2"].state is ActivityState.WRITTEN
        (entry, *_) = await journal.history(ALEX.key, before=T0 + 1)
        assert entry.activity.problem == "Field missing: X__c"
        (letter,) = await list_dead_letters(world.outbox)
        assert (letter.tenant, letter.user, letter.call_id) == (
            "acme",
            "alex",
            "call-1",
        )
        assert (letter.code, letter.problem) == ("REQUIRED", "Field missing: X__c")
        assert await list_dead_letters(world.outbox, tenant="zeta") == ()
        assert await retry(world.outbox, "acme", now=world.now, call_id="call-1") == 1
        world.writer.wake()
        assert (await world.change()).state is ActivityState.WRITTEN


async def test_the_used_up_allowance_parks_that_tenant_only(
    world: World, journal: CallJournal
) -> None:
    zeta = replace(ALEX, key=UserKey("zeta", "alex"))
    world.crms["zeta"] = Crm()
    fault = CrmLimitExceeded("used up", retry_after_s=900.0)
    world.crm.faults = deque([fault] * 2)
    for number in range(8):
        await journal.ended(*ended(f"call-{number}", at=T0 + number))
    async with world.running():
        for _ in range(2):
            assert (await world.change()).state is ActivityState.WAITING
        await journal.ended(*ended("theirs", user=zeta))
        world.writer.wake()
        change = await world.change()
        assert (change.user.tenant, change.state) == ("zeta", ActivityState.WRITTEN)
        assert len(world.crm.calls) == 2
        world.now += 1000.0
        world.writer.wake()
        for _ in range(8):
            assert (await world.change()).state is ActivityState.WRITTEN
    assert len(world.crm.tasks) == 8
    rows = await world.outbox.listing(tenant="acme", state=OutboxState.WRITTEN)
    assert {row.attempts for row in rows} == {1}


async def test_a_restart_asks_again_before_the_pause_is_over(
    world: World, outbox: Outbox, journal: CallJournal
) -> None:
    world.crm.faults.append(CrmLimitExceeded("used up", retry_after_s=900.0))
    await journal.ended(*ended())
    async with world.running():
        assert (await world.change()).state is ActivityState.WAITING
    after = World(outbox)
    async with after.running():
        assert (await after.change()).state is ActivityState.WRITTEN
    assert after.now == world.now


async def test_a_backlog_is_written_in_order_and_few_at_a_time(
    world: World, journal: CallJournal
) -> None:
    for number in range(12):
        await journal.ended(*ended(f"call-{number:02}", at=T0 + number))
    async with world.running():
        for _ in range(12):
            await world.change()
    assert world.crm.most_at_once <= 2
    order = [int(key.rpartition("-")[2]) for key in world.crm.calls]
    assert all(abs(number - place) <= 1 for place, number in enumerate(order))


async def test_a_stuck_tenant_does_not_hold_up_another(
    world: World, journal: CallJournal
) -> None:
    zeta = replace(ALEX, key=UserKey("zeta", "alex"))
    world.crms["zeta"] = Crm()
    world.crm.gate = asyncio.Event()
    for number in range(5):
        await journal.ended(*ended(f"call-{number}"))
        await journal.ended(*ended(f"call-{number}", user=zeta))
    async with world.running():
        for _ in range(5):
            assert (await world.change()).user.tenant == "zeta"
        assert world.crm.at_once == 2
        world.crm.gate.set()
        for _ in range(5):
            assert (await world.change()).user.tenant == "acme"


async def test_a_shutdown_gives_back_what_it_holds(
    world: World, journal: CallJournal
) -> None:
    world.crm.gate = asyncio.Event()
    await journal.ended(*ended())
    async with world.running():
        async with asyncio.timeout(10):
            while not world.crm.at_once:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    other = Outbox(world.outbox._database, owner="another")
    assert len(await other.claim("acme", now=world.now, limit=1, lease_s=1)) == 1


async def test_a_tenant_without_a_crm_waits(world: World, journal: CallJournal) -> None:
    crm = world.crms.pop("acme")
    await journal.ended(*ended())
    async with world.running():
        await asyncio.sleep(0.05)
        assert world.changes.empty()
        world.crms["acme"] = crm
        world.writer.wake()
        assert (await world.change()).state is ActivityState.WRITTEN


POSSIBLE = replace(BEN, certainty=MatchCertainty.POSSIBLE)


@pytest.mark.parametrize(
    ("found", "who_id"),
    [
        ((), ""),
        ((ANA,), ANA.id),
        ((ANA, POSSIBLE), ANA.id),
        ((ANA, BEN), ""),
        ((POSSIBLE,), ""),
    ],
)
async def test_an_unmatched_call_is_matched_when_it_is_written(
    world: World,
    journal: CallJournal,
    found: tuple[CrmRecord, ...],
    who_id: str,
) -> None:
    call, activity = ended()
    world.crm.found = found
    unmatched = replace(activity, who_id="", match_number="+14155551212")
    await journal.ended(replace(call, record=None), unmatched)
    async with world.running():
        await world.change()
    assert world.crm.tasks["call:call-1"].who_id == who_id


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (CrmRefused("bad search"), ActivityState.WRITTEN),
        (CrmUnavailable("away"), ActivityState.WAITING),
    ],
)
async def test_a_search_that_fails_loses_no_activity(
    world: World, journal: CallJournal, fault: CrmError, state: ActivityState
) -> None:
    call, activity = ended()
    world.crm.find_fault = fault
    await journal.ended(call, replace(activity, who_id="", match_number="+1415"))
    async with world.running():
        assert (await world.change()).state is state


async def test_a_choice_while_it_is_written_is_written_too(
    world: World, journal: CallJournal
) -> None:
    world.crm.gate = asyncio.Event()
    await journal.ended(*ended())
    async with world.running():
        async with asyncio.timeout(10):
            while not world.crm.at_once:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        await journal.record_chosen(
            ALEX.key, "call-1", BEN, who_id=BEN.id, what_id="", now=world.now
        )
        world.crm.gate.set()
        assert (await world.change()).state is ActivityState.WRITTEN
    assert len(world.crm.calls) == 2
    assert world.crm.tasks["call:call-1"].who_id == BEN.id


async def put(world: World, database: Database, meeting: Meeting) -> None:
    async with database.writing() as connection:
        await put_meeting(connection, database, ALEX.key, "i1", meeting, now=world.now)


async def test_a_meeting_is_written_and_told_with_its_invite(
    world: World, database: Database
) -> None:
    await put(world, database, MEETING)
    async with world.running():
        change = await world.change()
    assert change == ActivityChange(
        ALEX.key,
        "",
        ActivityState.WRITTEN,
        "00T-meet:i1",
        "https://x/task",
        invite_id="i1",
        kind=OutboxKind.MEETING,
    )
    assert world.crm.tasks == {"meet:i1": MEETING}


async def test_a_change_while_it_is_written_is_written_after_it(
    world: World, database: Database
) -> None:
    world.crm.gate = asyncio.Event()
    await put(world, database, MEETING)
    async with world.running():
        async with asyncio.timeout(10):
            while not world.crm.at_once:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        for subject in ("second", "third"):
            await put(world, database, replace(MEETING, subject=subject))
            world.writer.wake()
        world.crm.gate.set()
        change = await world.change()
    # Nothing is said of the first, which nobody waits for any more.
    assert change.state is ActivityState.WRITTEN
    assert world.changes.empty()
    assert world.crm.calls == ["meet:i1", "meet:i1"]
    assert world.crm.most_at_once == 1
    written = world.crm.tasks["meet:i1"]
    assert isinstance(written, Meeting)
    assert written.subject == "third"


async def test_a_meetings_event_can_be_opened_while_a_change_waits(
    world: World, database: Database
) -> None:
    await put(world, database, MEETING)
    async with world.running():
        await world.change()
        world.crm.faults = deque([CrmUnavailable("away"), CrmRefused("no")])
        await put(world, database, replace(MEETING, is_cancelled=True))
        world.writer.wake()
        waiting = await world.change()
        await world.pass_time()
        failed = await world.change()
    assert (waiting.state, failed.state) == (
        ActivityState.WAITING,
        ActivityState.FAILED,
    )
    for change in (waiting, failed):
        assert (change.record_id, change.url) == ("00T-meet:i1", "https://x/task")
    (letter,) = await list_dead_letters(world.outbox)
    assert (letter.kind, letter.invite_id, letter.call_id) == (
        OutboxKind.MEETING,
        "i1",
        "",
    )
    assert letter.started_at == MEETING.starts_at
    assert await retry(world.outbox, "acme", now=world.now, invite_id="i1") == 1


async def test_a_parked_tenants_meetings_wait_too(
    world: World, database: Database, journal: CallJournal
) -> None:
    await journal.ended(*ended())
    world.crm.faults = deque([CrmLimitExceeded("used up", retry_after_s=900.0)])
    async with world.running():
        assert (await world.change()).state is ActivityState.WAITING
        await put(world, database, MEETING)
        world.writer.wake()
        await asyncio.sleep(0.05)
        assert world.crm.calls == ["call:call-1"]
        world.now += 1000.0
        world.writer.wake()
        kinds = {(await world.change()).kind for _ in "12"}
    assert kinds == {OutboxKind.ACTIVITY, OutboxKind.MEETING}


async def test_a_listener_that_fails_stops_nothing(
    outbox: Outbox, journal: CallJournal
) -> None:
    world = World(outbox)
    told = asyncio.Event()

    def broken(_: ActivityChange) -> None:
        told.set()
        raise ZeroDivisionError

    world.writer._on_state = broken
    await journal.ended(*ended())
    async with world.running():
        await told.wait()
        told.clear()
        await journal.ended(*ended("call-2"))
        world.writer.wake()
        await told.wait()
    assert len(world.crm.tasks) == 2
