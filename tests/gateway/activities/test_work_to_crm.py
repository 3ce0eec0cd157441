"""Whatever the rep, the network and the process do: one Task, with what was kept last.

A model in time steps: a change may be lost until it is kept, a write may arrive without
an answer, the process may die at any moment, another rep may not. Nothing here waits.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.activities import compose, compose_next_step, recover
from gateway.activities.record import CallRecord
from gateway.activities.work import Change, changed, saved
from gateway.crm.connector import Activity
from gateway.crm.salesforce import task
from gateway.crm.salesforce.correction import correct
from gateway.sessions.wire import EndReason
from gateway.storage import CallJournal, Database, Outbox, OutboxState
from tests.gateway.storage.samples import ALEX, T0, started

WRAP_UP_S = 30.0
STEPS = st.sampled_from(
    ["type", "keep", "end", "save", "open", "write", "lose", "die", "wait"]
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that need not be migrated again."""
    path = tmp_path_factory.mktemp("empty") / "ringbridge.db"

    async def make() -> None:
        database = Database(f"sqlite:///{path}")
        await database.open()
        await database.close()

    asyncio.run(make())
    return path


@dataclass
class Model:
    """``tasks``: what the CRM has; ``created``: each time that something new came."""

    database: Database
    call: CallRecord = field(default_factory=started)
    now: float = T0
    typed: int = 0
    kept: int = 0
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = CallJournal(self.database)
        self.outbox = Outbox(self.database, owner="main")

    async def do(self, step: str) -> None:
        self.now += 1.0
        match step:
            case "type":
                self.typed += 1
                self._change(Change(notes=f"note {self.typed}"))
            case "open":
                self._change(Change(keep_open=not self.call.work.is_kept_open))
            case "save":
                self._work(saved(self.call.work, now=self.now))
                await self._keep()
            case "keep":
                await self._keep()
            case "end" if self.call.ended_at is None:
                await self._end()
            case "write" | "lose":
                await self.write(loses=step == "lose")
            case "wait":
                self.now += 60.0
            case "die":
                await self._die()

    def _change(self, change: Change) -> None:
        self._work(
            changed(
                self.call.work, change, now=self.now, wrap_up_s=WRAP_UP_S, new_id="n"
            )
        )

    def _work(self, work: Any) -> None:
        self.call = replace(self.call, work=work)

    async def _keep(self) -> None:
        activity = None if self.call.ended_at is None else compose(self.call, ALEX)
        step = compose_next_step(self.call, ALEX)
        await self.journal.worked(self.call, activity, step, now=self.now)
        self.kept = self.typed

    async def _end(self) -> None:
        over = replace(
            self.call,
            answered_at=T0,
            ended_at=self.now,
            reason=EndReason.HUNG_UP_HERE,
        )
        self.call = over.in_wrap_up(now=self.now, wrap_up_s=WRAP_UP_S)
        await self.journal.ended(self.call, compose(self.call, ALEX))
        self.kept = self.typed

    async def _die(self) -> None:
        """And come back, with what the database has."""
        await self.outbox.release()
        await recover(
            self.journal,
            partial(compose, user=ALEX),
            self.now,
            wrap_up_s=lambda _: WRAP_UP_S,
        )
        found = await self.journal.find(ALEX.key, "call-1")
        assert found is not None
        self.call = found.call
        self.typed = self.kept

    async def write(self, *, loses: bool = False) -> None:
        for entry in await self.outbox.claim(
            "acme", now=self.now, limit=9, lease_s=60.0
        ):
            assert isinstance(entry.activity, Activity)
            self._upsert(entry.activity, entry.earlier)
            if not loses:
                await self.outbox.mark_written(entry, record_id="00T", url="")

    def _upsert(self, activity: Activity, earlier: tuple[Activity, ...]) -> None:
        """As the connector does it."""
        wanted, there = task.fields(activity), self.tasks.get(activity.key)
        if there is None:
            self.tasks[activity.key] = wanted
            self.created.append(activity.key)
            return
        change = correct(there, wanted, [task.fields(each) for each in earlier])
        assert change.conflicts == ()
        there.update(change.updates)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, max_size=25))
def test_one_task_with_what_was_kept_last(
    empty: Path, tmp_path: Path, steps: list[str]
) -> None:
    async def play() -> None:
        path = tmp_path / "ringbridge.db"
        shutil.copy(empty, path)
        database = Database(f"sqlite:///{path}")
        await database.open()
        try:
            model = Model(database)
            await model.journal.started(model.call)
            for step in [*steps, "end"]:
                await model.do(step)
            # However it was put off, an hour later it is due.
            model.now += 4000.0
            await model.write()
            await model.do("keep")
            model.now += 60.0
            await model.write()
            assert model.created == ["call:call-1"]
            text = model.tasks["call:call-1"]["Description"]
            notes = f"note {model.kept}\n\n" if model.kept else "Incoming call"
            assert text.startswith(notes)
            assert set(await model.outbox.counts()) == {("acme", OutboxState.WRITTEN)}
        finally:
            await database.close()

    asyncio.run(play())
