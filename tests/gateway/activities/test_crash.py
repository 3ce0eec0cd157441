"""kill -9 while calls and meetings are kept and written: each is there exactly once."""

from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from gateway.sessions.wire import ActivityState
from gateway.storage import CallJournal, Database, Outbox, OutboxState
from tests.gateway.crm.salesforce.server import FakeSalesforce, Fault, error, make_key
from tests.gateway.storage.samples import ALEX

KILLS = 5
FAULTS = (
    Fault("sobjects", status=503),
    Fault("sobjects", status=400, body=error("UNABLE_TO_LOCK_ROW")),
    Fault("sobjects", status=401, body=error("INVALID_SESSION_ID")),
    Fault("sobjects", commits=True, drops=True),
    Fault("sobjects", commits=True, status=500, body=b"<html>"),
)


async def child(
    repository: Path, folder: Path, url: str, mode: str, seed: int
) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.gateway.activities.crash_child",
        str(folder),
        url,
        str(seed),
        mode,
        stdout=PIPE,
        cwd=repository,
    )


async def lines(process: Process, count: int) -> list[str]:
    assert process.stdout is not None
    found = []
    for _ in range(count):
        line = await process.stdout.readline()
        assert line, "the child ended by itself"
        found.append(line.decode().strip())
    return found


async def killed_and_finished(
    repository: Path, folder: Path, mode: str, rng: random.Random
) -> tuple[FakeSalesforce, list[str]]:
    """What Salesforce has after the kills and the last run, and what was said."""
    pem, public_key = make_key()
    (folder / "key.pem").write_text(pem)
    salesforce = FakeSalesforce(public_key)
    salesforce.chaos = lambda: rng.choice(FAULTS) if rng.random() < 0.25 else None
    server = TestServer(salesforce.app)
    await server.start_server()
    url = str(server.make_url("")).rstrip("/")
    begun: list[str] = []
    for seed in range(KILLS):
        process = await child(repository, folder, url, mode, seed)
        begun += await lines(process, rng.randint(5, 30))
        # Somewhere in the middle of whatever it does now.
        await asyncio.sleep(rng.uniform(0.0, 0.05))
        process.kill()
        rest, _ = await process.communicate()
        begun += [line for line in rest.decode().split("\n")[:-1] if line]
    salesforce.chaos = lambda: None
    process = await child(repository, folder, url, "drain", KILLS)
    assert await lines(process, 1) == ["drained"]
    assert await process.wait() == 0
    await server.close()
    return salesforce, begun


@pytest.mark.timeout(150)
async def test_every_call_has_exactly_one_task(
    repository: Path, tmp_path: Path
) -> None:
    salesforce, begun = await killed_and_finished(
        repository, tmp_path, "calls", random.Random(11)
    )
    assert len(begun) >= 5 * KILLS
    assert {f"call:{call_id}" for call_id in begun} <= set(salesforce.tasks)
    assert len(salesforce.created) == len(set(salesforce.created))
    assert {task["CallObject"] for task in salesforce.tasks.values()} == set(
        salesforce.created
    )
    outcomes = {task["CallDisposition"] for task in salesforce.tasks.values()}
    assert outcomes == {"Answered", "Interrupted"}
    database = Database(f"sqlite:///{tmp_path}/ringbridge.db")
    await database.open()
    calls = CallJournal(database)
    hosts = await calls.history(ALEX.key, limit=100)
    sides = [e for e in hosts if e.call.call_id.startswith("hosts-")]
    # The host's own side of a guest's call is in the history, and has no Task.
    assert {entry.activity.state for entry in sides} == {ActivityState.NONE}
    assert await calls.count("acme") >= len(salesforce.tasks) + len(sides)
    assert not any(key.startswith("call:hosts-") for key in salesforce.tasks)
    counts = await Outbox(database, owner="test").counts()
    assert counts == {("acme", OutboxState.WRITTEN): len(salesforce.tasks)}
    await database.close()


@pytest.mark.timeout(150)
async def test_every_call_has_the_notes_that_were_kept_last(
    repository: Path, tmp_path: Path
) -> None:
    salesforce, said = await killed_and_finished(
        repository, tmp_path, "work", random.Random(13)
    )
    newest: dict[str, int] = {}
    for line in said:
        call_id, note = line.split()
        newest[call_id] = int(note)
    assert len(newest) >= KILLS
    for call_id, note in newest.items():
        task = salesforce.tasks[f"call:{call_id}"]
        # A note may be kept and the kill come before that is said.
        written = int(task["Description"].split("\n")[0].removeprefix("note "))
        assert written in (note, note + 1)
        assert salesforce.tasks[f"next:{call_id}"]["Subject"] == "Next"
    assert len(salesforce.created) == len(set(salesforce.created))
    assert {key.partition(":")[2] for key in salesforce.created} >= set(newest)
    # All is in, and nothing was taken for somebody else's change.
    database = Database(f"sqlite:///{tmp_path}/ringbridge.db")
    await database.open()
    counts = await Outbox(database, owner="test").counts()
    assert counts == {("acme", OutboxState.WRITTEN): len(salesforce.tasks)}
    await database.close()


@pytest.mark.timeout(150)
async def test_every_meeting_has_one_event_with_its_newest_state(
    repository: Path, tmp_path: Path
) -> None:
    salesforce, said = await killed_and_finished(
        repository, tmp_path, "meetings", random.Random(12)
    )
    assert len(said) >= 5 * KILLS
    newest = {f"meet:{line.split()[0]}": int(line.split()[1]) for line in said}
    database = Database(f"sqlite:///{tmp_path}/ringbridge.db")
    await database.open()
    outbox = Outbox(database, owner="test")
    rows = await outbox.listing(state=OutboxState.WRITTEN, limit=1000)
    await database.close()
    meetings = {
        row.activity.key: row for row in rows if row.activity.key.startswith("meet:")
    }
    # One may be kept, and even be written, and the kill come before it is said.
    assert set(newest) <= set(meetings) == set(salesforce.events)
    for key, row in meetings.items():
        event = salesforce.events[key]
        assert event["Subject"] == row.activity.subject
        assert event["Description"] == row.activity.description
        assert row.record_id == event["Id"]
        assert change_of(event["Subject"]) >= newest.get(key, 1)
    # Never an older state after a newer one.
    order: dict[str, int] = {}
    for key, subject in salesforce.history:
        assert order.get(key, 0) <= change_of(subject)
        order[key] = change_of(subject)

    assert len(salesforce.created) == len(set(salesforce.created))
    notes = {row.activity.key for row in rows} - set(meetings)
    assert set(salesforce.tasks) == notes
    over = {key for key, event in salesforce.events.items() if is_over(event)}
    assert {key.removeprefix("noshow:") for key in notes} == {
        key.removeprefix("meet:") for key in over
    }
    assert over


def change_of(subject: str) -> int:
    return int(subject.removeprefix("Video call: "))


def is_over(event: dict[str, Any]) -> bool:
    return "Nobody came." in event["Description"]
