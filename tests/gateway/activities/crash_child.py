"""The process that the crash test kills: it makes calls or meetings, or finishes what
is left.

``python -m tests.gateway.activities.crash_child FOLDER BASE_URL SEED MODE``, the mode
one of ``calls``, ``work``, ``meetings`` and ``drain``. Prints the id of each call that
is to have a Task once its start is durable, each meeting's id and change once that is,
each call's id and newest note once that is, and "drained" at the end. The ids of calls
that are to have none begin with "hosts-".
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from gateway.activities import (
    ActivityWriter,
    Invitee,
    InviteFacts,
    compose,
    compose_next_step,
    links,
    meeting_of,
    no_show_of,
    recover,
)
from gateway.activities.record import CallRecord
from gateway.activities.work import Change, NextStep, changed, saved
from gateway.crm.salesforce import SalesforceConfig, SalesforceConnector
from gateway.sessions.wire import CallDirection, EndReason, InviteState
from gateway.storage import (
    CallJournal,
    Database,
    JournalWriter,
    Outbox,
    OutboxState,
    Spool,
    put_activity,
    put_meeting,
)
from tests.gateway.storage.samples import ALEX, ANA, ATTEMPT, GUEST, HOSTS_SIDE

CALLERS = 4
CHANGES = 6
NOTES = 9
WRAP_UP_S = 0.1
DAY = "2026-12-01"


async def main(folder: Path, base_url: str, rng: random.Random, mode: str) -> None:
    database = Database(f"sqlite:///{folder}/ringbridge.db")
    await database.open()
    journal = CallJournal(database)
    outbox = Outbox(database, owner="main")
    connector = SalesforceConnector(
        SalesforceConfig(
            tenant="acme",
            my_domain=base_url,
            token_url=base_url + "/services/oauth2/token",
            consumer_key="app",
            private_key=(folder / "key.pem").read_text(),
        ),
        rng=rng,
    )
    activities = ActivityWriter(
        outbox,
        {"acme": connector}.get,
        on_state=lambda _: None,
        now=time.time,
        rng=rng,
    )
    writer = JournalWriter(
        journal,
        spool=Spool(folder / "spool"),
        compose=compose,
        links=links,
        number_to_show=lambda _user, number, _e164: number,
        on_committed=activities.wake,
        now=time.time,
        rng=rng,
    )
    await writer.replay()
    await recover(
        journal,
        partial(compose, user=ALEX),
        time.time(),
        compose_next_step=partial(compose_next_step, user=ALEX),
        wrap_up_s=lambda _: WRAP_UP_S,
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(writer.run()), group.create_task(activities.run())]
        if mode == "calls":
            for _ in range(CALLERS):
                group.create_task(make_calls(writer, rng))
            return
        if mode == "work":
            for _ in range(CALLERS):
                group.create_task(make_work(writer, rng))
            return
        if mode == "meetings":
            for _ in range(CALLERS):
                group.create_task(make_meetings(database, activities, rng))
            return
        # A person need not wait for the pauses that the faults have earned.
        while await outbox.listing(state=OutboxState.WAITING):
            await outbox.retry("acme", now=time.time())
            activities.wake()
            await asyncio.sleep(0.3)
        for task in tasks:
            task.cancel()
    await connector.close()
    await database.close()
    print("drained", flush=True)


async def make_calls(writer: JournalWriter, rng: random.Random) -> None:
    while True:
        call = CallRecord(
            call_id=str(uuid.UUID(int=rng.getrandbits(128))),
            user=ALEX.key,
            direction=CallDirection.OUTBOUND,
            number="+14155551212",
            e164="+14155551212",
            display_name="",
            record=ANA,
            started_at=time.time(),
        )
        hosts: CallRecord | None = None
        if rng.random() < 0.3:
            # A guest's attempt: it rings at the host, whose side is kept as well.
            hosts = replace(call, call_id=f"hosts-{call.call_id}", invite=HOSTS_SIDE)
            call = replace(call, user=GUEST, invite=ATTEMPT)
        writer.started(call)
        if hosts is not None:
            writer.started(hosts)
        await writer.flush()
        print(call.call_id, flush=True)
        await asyncio.sleep(rng.uniform(0.0, 0.01))
        call = replace(call, answered_at=time.time())
        writer.answered(call.user, call.call_id, time.time())
        await asyncio.sleep(rng.uniform(0.0, 0.01))
        call = replace(call, ended_at=time.time(), reason=EndReason.HUNG_UP_HERE)
        writer.ended(ALEX, call)
        if hosts is not None:
            writer.ended(
                ALEX,
                replace(call, user=ALEX.key, call_id=hosts.call_id, invite=HOSTS_SIDE),
            )
        await asyncio.sleep(rng.uniform(0.0, 0.1))


async def make_work(writer: JournalWriter, rng: random.Random) -> None:
    """Calls that the rep writes on all along: before the end, in wrap-up, after it."""
    while True:
        call = CallRecord(
            call_id=str(uuid.UUID(int=rng.getrandbits(128))),
            user=ALEX.key,
            direction=CallDirection.OUTBOUND,
            number="+14155551212",
            e164="+14155551212",
            display_name="",
            record=ANA,
            started_at=time.time(),
        )
        writer.started(call)
        for note in range(1, NOTES + 1):
            if note == NOTES // 3:
                call = replace(
                    call,
                    answered_at=call.started_at,
                    ended_at=time.time(),
                    reason=EndReason.HUNG_UP_HERE,
                ).in_wrap_up(now=time.time(), wrap_up_s=WRAP_UP_S)
                writer.ended(ALEX, call)
            change = Change(notes=f"note {note}", next_step=NextStep("Next", DAY))
            now = time.time()
            work = changed(
                call.work,
                change,
                now=now,
                wrap_up_s=WRAP_UP_S,
                new_id=call.call_id,
            )
            # A rep saves now and then, and does not wait for corrections.
            call = replace(
                call, work=saved(work, now=now) if rng.random() < 0.5 else work
            )
            writer.worked(ALEX, call)
            await writer.flush()
            print(call.call_id, note, flush=True)
            await asyncio.sleep(rng.uniform(0.0, 0.03))


async def make_meetings(
    database: Database, activities: ActivityWriter, rng: random.Random
) -> None:
    """Meetings that are changed while they are being written; then nobody comes."""
    while True:
        invite_id = str(uuid.UUID(int=rng.getrandbits(128)))
        start = datetime.now(UTC) + timedelta(hours=1)
        invite = InviteFacts(
            invite_id=invite_id,
            state=InviteState.SCHEDULED,
            subject="",
            starts_at=start.timestamp(),
            ends_at=start.timestamp() + 1800,
            invitees=(Invitee("Ana Ruiz"),),
            contact=ANA,
        )
        for change in range(1, CHANGES + 1):
            is_last = change == CHANGES
            invite = replace(
                invite,
                subject=str(change),
                state=InviteState.NO_SHOW if is_last else InviteState.SCHEDULED,
            )
            async with database.writing() as connection:
                await put_meeting(
                    connection,
                    database,
                    ALEX.key,
                    invite_id,
                    meeting_of(invite, ALEX),
                    now=time.time(),
                )
                if is_last:
                    await put_activity(
                        connection,
                        database,
                        ALEX.key,
                        invite_id,
                        no_show_of(invite, ALEX),
                        now=time.time(),
                    )
            activities.wake()
            print(invite_id, change, flush=True)
            await asyncio.sleep(rng.uniform(0.0, 0.05))


if __name__ == "__main__":
    asyncio.run(
        main(Path(sys.argv[1]), sys.argv[2], random.Random(sys.argv[3]), sys.argv[4])
    )
