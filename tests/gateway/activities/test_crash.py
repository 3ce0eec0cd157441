"""kill -9 while calls are kept and written: every call has exactly one Task."""

from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer

from gateway.sessions.wire import ActivityState
from gateway.storage import CallJournal, Database, Outbox, OutboxState
from tests.gateway.crm.salesforce.server import FakeSalesforce, Fault, error, make_key
from tests.gateway.storage.samples import ALEX

KILLS = 5
FAULTS = (
    Fault("Task", status=503),
    Fault("Task", status=400, body=error("UNABLE_TO_LOCK_ROW")),
    Fault("Task", status=401, body=error("INVALID_SESSION_ID")),
    Fault("Task", commits=True, drops=True),
    Fault("Task", commits=True, status=500, body=b"<html>"),
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


@pytest.mark.timeout(150)
async def test_every_call_has_exactly_one_task(
    repository: Path, tmp_path: Path
) -> None:
    rng = random.Random(11)
    pem, public_key = make_key()
    (tmp_path / "key.pem").write_text(pem)
    salesforce = FakeSalesforce(public_key)
    salesforce.chaos = lambda: rng.choice(FAULTS) if rng.random() < 0.25 else None
    server = TestServer(salesforce.app)
    await server.start_server()
    url = str(server.make_url("")).rstrip("/")
    begun: list[str] = []
    for seed in range(KILLS):
        process = await child(repository, tmp_path, url, "calls", seed)
        begun += await lines(process, rng.randint(5, 30))
        # Somewhere in the middle of whatever it does now.
        await asyncio.sleep(rng.uniform(0.0, 0.05))
        process.kill()
        rest, _ = await process.communicate()
        begun += [line for line in rest.decode().split("\n")[:-1] if line]
    salesforce.chaos = lambda: None
    process = await child(repository, tmp_path, url, "drain", KILLS)
    assert await lines(process, 1) == ["drained"]
    assert await process.wait() == 0
    await server.close()

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
