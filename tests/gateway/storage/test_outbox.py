"""Claims, leases and what ends them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.identity.users import UserKey
from gateway.storage import CallJournal, Database, Outbox, OutboxState
from tests.gateway.storage.samples import ALEX, T0, ended

NOW = T0 + 1000.0


async def test_a_row_is_claimed_by_one_worker_only(
    database: Database, journal: CallJournal
) -> None:
    for number in range(12):
        await journal.ended(*ended(f"call-{number}"))
    workers = [Outbox(database, owner=f"w{number}") for number in range(4)]
    claims = await asyncio.gather(
        *(worker.claim("acme", now=NOW, limit=6, lease_s=60) for worker in workers)
    )
    ids = [entry.call_id for claim in claims for entry in claim]
    assert len(ids) == len(set(ids))
    while len(ids) < 12:
        more = await workers[0].claim("acme", now=NOW, limit=6, lease_s=60)
        assert more
        ids += [entry.call_id for entry in more]
    assert len(set(ids)) == 12
    assert await workers[0].claim("acme", now=NOW, limit=6, lease_s=60) == ()


async def test_oldest_first_and_only_the_tenants(
    journal: CallJournal, outbox: Outbox
) -> None:
    other = replace(ALEX, key=UserKey("zeta", "z"))
    for number in range(3):
        await journal.ended(*ended(f"call-{number}"))
    await journal.ended(*ended("theirs", user=other))
    assert set(await outbox.due_tenants(NOW)) == {"acme", "zeta"}
    claimed = await outbox.claim("acme", now=NOW, limit=9, lease_s=60)
    assert [entry.call_id for entry in claimed] == ["call-0", "call-1", "call-2"]
    assert await outbox.due_tenants(NOW) == ("zeta",)


async def test_a_lease_runs_out(database: Database, journal: CallJournal) -> None:
    await journal.ended(*ended())
    dead, alive = Outbox(database, owner="dead"), Outbox(database, owner="alive")
    assert len(await dead.claim("acme", now=NOW, limit=1, lease_s=60)) == 1
    assert await alive.claim("acme", now=NOW + 59, limit=1, lease_s=60) == ()
    assert await alive.next_due() == NOW + 60
    (entry,) = await alive.claim("acme", now=NOW + 60, limit=1, lease_s=60)
    assert await alive.mark_written(entry, record_id="00T1", url="")
    assert await alive.next_due() is None


async def test_a_restart_takes_its_own_leases_back(
    journal: CallJournal, outbox: Outbox
) -> None:
    await journal.ended(*ended())
    assert await outbox.claim("acme", now=NOW, limit=1, lease_s=60)
    await outbox.release()
    assert await outbox.claim("acme", now=NOW, limit=1, lease_s=60)


async def test_a_retry_is_due_later_and_keeps_what_was_wrong(
    journal: CallJournal, outbox: Outbox
) -> None:
    await journal.ended(*ended())
    (entry,) = await outbox.claim("acme", now=NOW, limit=1, lease_s=60)
    await outbox.mark_retry(entry, due_at=NOW + 30, problem="locked", code="LOCK")
    assert await outbox.next_due() == NOW + 30
    assert await outbox.next_due(exclude=["acme"]) is None
    assert await outbox.claim("acme", now=NOW + 29, limit=1, lease_s=60) == ()
    (entry,) = await outbox.claim("acme", now=NOW + 30, limit=1, lease_s=60)
    assert (entry.attempts, entry.problem, entry.code) == (1, "locked", "LOCK")
    await outbox.mark_retry(entry, due_at=NOW, problem="", code="", counts=False)
    (entry,) = await outbox.claim("acme", now=NOW + 30, limit=1, lease_s=60)
    assert entry.attempts == 1


async def test_dead_letters_are_listed_and_can_go_on(
    journal: CallJournal, outbox: Outbox
) -> None:
    await journal.ended(*ended())
    (entry,) = await outbox.claim("acme", now=NOW, limit=1, lease_s=60)
    await outbox.mark_failed(entry, problem="field missing", code="REQUIRED")
    assert await outbox.claim("acme", now=NOW + 9999, limit=1, lease_s=60) == ()
    (dead,) = await outbox.listing(tenant="acme")
    assert (dead.problem, dead.code) == ("field missing", "REQUIRED")
    assert await outbox.listing(tenant="zeta") == ()
    assert await outbox.counts() == {("acme", OutboxState.FAILED): 1}
    assert await outbox.retry("zeta", now=NOW) == 0
    assert await outbox.retry("acme", now=NOW, call_id="call-1") == 1
    (entry,) = await outbox.claim("acme", now=NOW, limit=1, lease_s=60)
    assert entry.attempts == 0


async def test_a_late_failure_does_not_undo_a_write(
    database: Database, journal: CallJournal
) -> None:
    await journal.ended(*ended())
    slow, quick = Outbox(database, owner="slow"), Outbox(database, owner="quick")
    (late,) = await slow.claim("acme", now=NOW, limit=1, lease_s=1)
    (entry,) = await quick.claim("acme", now=NOW + 2, limit=1, lease_s=60)
    await quick.mark_written(entry, record_id="00T1", url="")
    await slow.mark_failed(late, problem="too late", code="")
    await slow.mark_retry(late, due_at=NOW, problem="too late", code="")
    (row,) = await quick.listing(state=OutboxState.WRITTEN)
    assert (row.record_id, row.problem) == ("00T1", "")


async def test_postponing_moves_what_is_due(
    journal: CallJournal, outbox: Outbox
) -> None:
    await journal.ended(*ended())
    assert await outbox.postpone("acme", until=NOW + 60) == 1
    assert await outbox.postpone("acme", until=NOW) == 0
    assert await outbox.next_due() == NOW + 60
