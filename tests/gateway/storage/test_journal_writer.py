"""Calls are written in order and never lost, whatever the database does."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.activities.composer import compose, links
from gateway.activities.record import CallRecord
from gateway.crm.connector import Activity
from gateway.crm.numbers import to_show
from gateway.identity.users import User, UserKey
from gateway.sessions.wire import ActivityState, EndReason, InviteRef, MatchState
from gateway.storage import (
    CallJournal,
    Database,
    JournalWriter,
    Outbox,
    OutboxState,
    Spool,
    StorageError,
    journal_writer,
)
from gateway.storage.calls import HistoryEntry
from tests.gateway.storage.samples import (
    ALEX,
    BEN,
    CLEO,
    DEAL,
    GUEST,
    HOSTS_SIDE,
    T0,
    attempt,
    ended,
    eventually,
    started,
)


class FlakyJournal(CallJournal):
    """Fails on demand; ``applied`` is what it did."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, node="node-1")
        self.fault: Callable[[str], StorageError | None] = lambda _: None
        self.applied: list[str] = []
        # What each start waits for, one after the other.
        self.gates: deque[asyncio.Event] = deque()
        self.failed = asyncio.Event()

    def _do(self, what: str) -> None:
        error = self.fault(what)
        if error is not None:
            self.failed.set()
            raise error
        self.applied.append(what)

    async def started(self, call: CallRecord) -> None:
        if self.gates:
            await self.gates.popleft().wait()
        self._do(f"started {call.call_id}")
        await super().started(call)

    async def answered(self, user: UserKey, call_id: str, at: float) -> None:
        self._do(f"answered {call_id}")
        await super().answered(user, call_id, at)

    async def ended(
        self,
        call: CallRecord,
        activity: Activity | None,
        next_step: Activity | None = None,
    ) -> bool:
        self._do(f"ended {call.call_id}")
        return await super().ended(call, activity, next_step)

    async def seen(self, at: float) -> None:
        await super().seen(at)


@pytest.fixture
def flaky(database: Database) -> FlakyJournal:
    return FlakyJournal(database)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "calls.spool")


def writer_of(
    journal: CallJournal,
    spool: Spool,
    *,
    committed: Callable[[], None] = lambda: None,
    max_in_memory: int = 100,
) -> JournalWriter:
    def show(_user: UserKey, number: str, e164: str) -> str:
        return to_show(number, e164, "US")

    return JournalWriter(
        journal,
        spool=spool,
        compose=compose,
        links=links,
        number_to_show=show,
        on_committed=committed,
        now=lambda: T0 + 100.0,
        rng=random.Random(1),
        max_in_memory=max_in_memory,
    )


@asynccontextmanager
async def running(writer: JournalWriter) -> AsyncIterator[None]:
    await writer.replay()
    task = asyncio.create_task(writer.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await writer.close()


def one_call(writer: JournalWriter, call_id: str = "call-1", at: float = T0) -> None:
    call, _ = ended(call_id, at=at)
    writer.started(started(call_id, at=at))
    writer.answered(ALEX.key, call_id, at + 5.0)
    view = writer.ended(ALEX, call)
    assert view.state is ActivityState.WAITING


async def history(journal: CallJournal) -> list[HistoryEntry]:
    return list(await journal.history(ALEX.key, limit=100))


async def kept(journal: CallJournal, count: int) -> bool:
    return len(await history(journal)) == count


async def test_a_call_is_written_and_its_end_announced(
    flaky: FlakyJournal, outbox: Outbox, spool: Spool
) -> None:
    committed = asyncio.Event()
    writer = writer_of(flaky, spool, committed=committed.set)
    async with running(writer):
        one_call(writer)
        await writer.flush()
        assert committed.is_set()
        (view,) = await writer.history(ALEX.key, limit=5, before=None)
    assert flaky.applied == ["started call-1", "answered call-1", "ended call-1"]
    assert (view.peer.national, view.match.state) == (
        "(415) 555-1212",
        MatchState.FOUND,
    )
    assert view.started_at == round(T0 * 1000)
    assert view.end_reason is EndReason.HUNG_UP_THERE
    assert view.activity.state is ActivityState.WAITING
    assert len(await outbox.listing(state=OutboxState.WAITING)) == 1
    assert not spool.path.exists()


async def test_a_call_of_another_device_has_no_activity(
    flaky: FlakyJournal, outbox: Outbox, spool: Spool
) -> None:
    writer = writer_of(flaky, spool)
    call, _ = ended()
    call = replace(call, answered_at=None, reason=EndReason.ANSWERED_ELSEWHERE)
    async with running(writer):
        assert writer.ended(ALEX, call).state is ActivityState.NONE
        await writer.flush()
    assert await outbox.listing(state=OutboxState.WAITING) == ()


async def test_a_flush_waits_for_nothing_that_was_said_later(
    flaky: FlakyJournal, spool: Spool
) -> None:
    """Under load the queue need never be empty."""
    gates = [asyncio.Event() for _ in range(3)]
    flaky.gates.extend(gates)
    writer = writer_of(flaky, spool)
    async with running(writer):
        writer.started(started("call-1"))
        first = asyncio.create_task(writer.flush())
        await asyncio.sleep(0)
        writer.started(started("call-2"))
        second = asyncio.create_task(writer.flush())
        await asyncio.sleep(0)
        writer.started(started("call-3"))
        gates[0].set()
        await first
        assert not second.done()
        gates[1].set()
        await second
        assert flaky.applied == ["started call-1", "started call-2"]
        gates[2].set()
        await writer.flush()
        # Nothing is left to wait for.
        await writer.flush()
    assert flaky.applied[2:] == ["started call-3"]


async def test_a_flush_that_is_given_up_is_in_nobodys_way(
    flaky: FlakyJournal, spool: Spool
) -> None:
    gate = asyncio.Event()
    flaky.gates.append(gate)
    writer = writer_of(flaky, spool)
    async with running(writer):
        writer.started(started())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await writer.flush()
        patient = asyncio.create_task(writer.flush())
        gate.set()
        await patient


async def test_a_flush_is_done_when_memory_overflows_to_disk(
    flaky: FlakyJournal, spool: Spool
) -> None:
    gate = asyncio.Event()
    flaky.gates.append(gate)
    writer = writer_of(flaky, spool, max_in_memory=2)
    async with running(writer):
        writer.started(started("call-1"))
        writer.started(started("call-2"))
        waiting = asyncio.create_task(writer.flush())
        await asyncio.sleep(0)
        assert not waiting.done()
        writer.started(started("call-3"))
        await waiting
        await writer.flush()
        assert len(spool.read()) == 3
        gate.set()


async def test_a_choice_after_the_end_moves_the_activity(
    flaky: FlakyJournal, outbox: Outbox, spool: Spool
) -> None:
    writer = writer_of(flaky, spool)
    async with running(writer):
        one_call(writer)
        writer.record_chosen(ALEX, "call-1", BEN)
        await writer.flush()
    (row,) = await outbox.listing(state=OutboxState.WAITING)
    assert row.activity.who_id == BEN.id


async def test_calls_by_an_invite_survive_the_spool(
    flaky: FlakyJournal, outbox: Outbox, spool: Spool
) -> None:
    crashed = writer_of(flaky, spool)
    flaky.fault = lambda _: StorageError("away")
    guests = replace(attempt(), ended_at=T0 + 9, reason=EndReason.MISSED)
    hosts = replace(ended()[0], invite=HOSTS_SIDE)
    async with running(crashed):
        crashed.started(attempt())
        assert crashed.ended(ALEX, guests).state is ActivityState.WAITING
        assert crashed.ended(ALEX, hosts).state is ActivityState.NONE
        crashed.record_chosen(User(GUEST, "Ana Ruiz", ""), guests.call_id, BEN, DEAL)
        await crashed.flush()
    flaky.fault = lambda _: None
    writer = writer_of(flaky, spool)
    assert await writer.replay() == 4
    (row,) = await outbox.listing(state=OutboxState.WAITING)
    assert row.activity.key == "call:attempt-1"
    assert (row.activity.who_id, row.activity.what_id) == (BEN.id, DEAL.id)
    (view,) = await writer.history(ALEX.key, limit=5, before=None)
    assert view.invite == InviteRef(
        invite_id="inv-1", subject="The contract", guest="Ana Ruiz"
    )


async def test_what_waits_for_the_database_is_on_disk_and_kept_in_order(
    flaky: FlakyJournal, outbox: Outbox, spool: Spool
) -> None:
    writer = writer_of(flaky, spool)
    flaky.fault = lambda _: StorageError("away")
    async with running(writer):
        one_call(writer, "call-1")
        await flaky.failed.wait()
        one_call(writer, "call-2", T0 + 100)
        await writer.flush()
        assert flaky.applied == []
        assert len(spool.read()) == 6
        flaky.fault = lambda _: None
        one_call(writer, "call-3", T0 + 200)
        await eventually(lambda: kept(flaky, 3))
        await writer.flush()
    assert [item.split()[1] for item in flaky.applied] == [
        f"call-{number}" for number in (1, 1, 1, 2, 2, 2, 3, 3, 3)
    ]
    assert not spool.path.exists()
    assert len(await outbox.listing(state=OutboxState.WAITING)) == 3


async def test_a_spool_that_a_crash_left_is_replayed_once(
    database: Database, flaky: FlakyJournal, outbox: Outbox, spool: Spool
) -> None:
    crashed = writer_of(flaky, spool)
    flaky.fault = lambda _: StorageError("away")
    async with running(crashed):
        one_call(crashed)
        crashed.record_chosen(ALEX, "call-1", BEN)
        await crashed.flush()
    # The line that was being written when the power went.
    with spool.path.open("ab") as file:
        file.write(b'{"entry":"ended","call":{"call_id":"torn')
    flaky.fault = lambda _: None
    for expected in (4, 0):
        writer = writer_of(flaky, spool)
        assert await writer.replay() == expected
    (entry,) = await history(flaky)
    assert entry.call.record == BEN
    (row,) = await outbox.listing(state=OutboxState.WAITING)
    assert row.activity.who_id == BEN.id


async def test_a_call_that_went_on_is_replayed_in_order(
    flaky: FlakyJournal, outbox: Outbox, spool: Spool
) -> None:
    crashed = writer_of(flaky, spool)
    flaky.fault = lambda _: StorageError("away")
    async with running(crashed):
        one_call(crashed)
        crashed.resumed(started())
        crashed.passed_on(replace(started(), earlier=(CLEO,)))
        later, _ = ended()
        later = replace(later, ended_at=T0 + 500.0, earlier=(CLEO,))
        crashed.ended(ALEX, later)
        await crashed.flush()
    flaky.fault = lambda _: None
    assert await writer_of(flaky, spool).replay() == 6
    (entry,) = await history(flaky)
    assert entry.call == later
    (view,) = await writer_of(flaky, spool).history(ALEX.key, limit=1, before=None)
    assert view.transferred_by is not None
    assert view.transferred_by.display_name == "Cleo"
    assert len(await outbox.listing(state=OutboxState.WAITING)) == 1


async def test_a_replay_into_a_dead_database_keeps_everything(
    flaky: FlakyJournal, spool: Spool
) -> None:
    flaky.fault = lambda _: StorageError("away")
    async with running(writer_of(flaky, spool)) as _:
        pass
    first = writer_of(flaky, spool)
    async with running(first):
        one_call(first)
        await first.flush()
    second = writer_of(flaky, spool)
    async with running(second):
        one_call(second, "call-2", T0 + 100)
        await second.flush()
    assert len(spool.read()) == 6
    flaky.fault = lambda _: None
    third = writer_of(flaky, spool)
    async with running(third):
        assert len(await history(flaky)) == 2
    assert not spool.path.exists()


async def test_a_shutdown_writes_what_is_queued(
    flaky: FlakyJournal, spool: Spool
) -> None:
    writer = writer_of(flaky, spool)
    async with running(writer):
        for number in range(20):
            one_call(writer, f"call-{number}", T0 + number)
    assert len(await history(flaky)) == 20


async def test_a_record_the_database_refuses_does_not_stop_the_others(
    flaky: FlakyJournal, spool: Spool
) -> None:
    def fault(what: str) -> StorageError | None:
        refused = what == "started call-1"
        return StorageError("no", retryable=False) if refused else None

    flaky.fault = fault
    writer = writer_of(flaky, spool)
    async with running(writer):
        one_call(writer)
        one_call(writer, "call-2", T0 + 100)
        await writer.flush()
    assert writer.counters.rejected == 1
    # Its end is complete in itself.
    assert len(await history(flaky)) == 2
    (aside,) = Spool(spool.path.with_name("calls.spool.rejected")).read()
    assert aside["call"]["call_id"] == "call-1"


async def test_more_than_memory_holds_goes_through_the_spool_in_order(
    flaky: FlakyJournal, spool: Spool
) -> None:
    writer = writer_of(flaky, spool, max_in_memory=4)
    flaky.fault = lambda _: StorageError("away")
    async with running(writer):
        for number in range(5):
            one_call(writer, f"call-{number}", T0 + number)
        await flaky.failed.wait()
        flaky.fault = lambda _: None
        await eventually(lambda: kept(flaky, 5))
    assert writer.counters.dropped == 0
    firsts = [item for item in flaky.applied if item.startswith("ended")]
    assert list(dict.fromkeys(firsts)) == [f"ended call-{n}" for n in range(5)]
    assert not spool.path.exists()


async def test_what_is_said_while_the_spool_is_read_is_not_lost(
    flaky: FlakyJournal, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()

    class InterruptedSpool(Spool):
        """A call begins while it is being read."""

        interrupt: Callable[[], None] | None = None

        def read(self) -> list[dict[str, Any]]:
            found = super().read()
            interrupt, self.interrupt = self.interrupt, None
            if interrupt is not None:

                async def say() -> None:
                    interrupt()

                asyncio.run_coroutine_threadsafe(say(), loop).result(5)
            return found

    spool = InterruptedSpool(tmp_path / "calls.spool")
    writer = writer_of(flaky, spool, max_in_memory=2)
    flaky.fault = lambda _: StorageError("away")
    async with running(writer):
        one_call(writer, "call-1")
        await flaky.failed.wait()
        spool.interrupt = lambda: one_call(writer, "call-2", T0 + 1)
        flaky.fault = lambda _: None
        await eventually(lambda: kept(flaky, 2))
    assert not spool.path.exists()


async def test_a_full_spool_is_counted(flaky: FlakyJournal, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "small", max_bytes=2000)
    writer = writer_of(flaky, spool, max_in_memory=2)
    flaky.fault = lambda _: StorageError("away")
    async with running(writer):
        for number in range(20):
            one_call(writer, f"call-{number}", T0 + number)
        await flaky.failed.wait()
    assert writer.counters.dropped > 0
    assert spool.path.stat().st_size <= 2000


async def test_an_outage_is_not_hammered(flaky: FlakyJournal, spool: Spool) -> None:
    writer = writer_of(flaky, spool)
    tries = 0

    def fault(_: str) -> StorageError:
        nonlocal tries
        tries += 1
        return StorageError("away")

    flaky.fault = fault
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with running(writer):
        await asyncio.sleep(0)
        for number in range(50):
            one_call(writer, f"call-{number}", T0 + number)
            await asyncio.sleep(0.002)
    # One per try with back-off, not one per record; one more at the shutdown.
    shortest_pause_s = 0.5 * journal_writer.RETRY_BASE_S
    assert tries <= 4 + (loop.time() - began) / shortest_pause_s
    assert tries < 50


async def test_the_node_says_that_it_lives(flaky: FlakyJournal, spool: Spool) -> None:
    writer = writer_of(flaky, spool)
    writer.started(started())
    async with running(writer):
        await writer.flush()

        async def seen() -> bool:
            (call,) = await flaky.open_calls()
            return call.seen_at == T0 + 100.0

        await eventually(seen)
