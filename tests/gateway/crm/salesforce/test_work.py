"""The rep's work in an organisation: several contacts, rules, corrections, later tasks.

The whole way from the call's end on, against the sandbox's Salesforce.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.activities import (
    ActivityChange,
    ActivityWriter,
    compose,
    compose_next_step,
)
from gateway.activities.record import CallRecord
from gateway.activities.work import NextStep, Work
from gateway.crm.connector import CrmRecord, CrmUser
from gateway.crm.salesforce import SalesforceConfig, SalesforceConnector
from gateway.identity.users import User, UserKey
from gateway.sandbox.salesforce import (
    ConnectedApp,
    FaultKind,
    Field,
    SalesforceSimulator,
    SimulatorConfig,
    ValidationRule,
)
from gateway.sessions.wire import ActivityState, CallDirection, EndReason
from gateway.storage import CallJournal, Database, Outbox

T0 = 1_790_000_000.0
OUTCOME = Field("Outcome__c", "picklist", values=("Won", "Lost"), restricted=True)
NEEDS_COMMENT = ValidationRule(
    "Task", "Disposition", "CallDisposition = 'Answered'", "Choose a result"
)


@dataclass
class Office:
    """One rep's calls, from their end to the organisation."""

    simulator: SalesforceSimulator
    connector: SalesforceConnector
    journal: CallJournal
    writer: ActivityWriter
    news: asyncio.Queue[ActivityChange]
    rep: User

    @property
    def crm_user(self) -> CrmUser:
        return CrmUser("acme", self.rep.crm_user_id, self.rep.crm_username)

    def record(self, kind: str, position: int = 0) -> CrmRecord:
        found = list(self.simulator.store.records(kind))[position]
        return CrmRecord(found.id, kind, str(found.values.get("Name")), "https://x")

    def call(self, work: Work, record: CrmRecord | None = None) -> CallRecord:
        return CallRecord(
            call_id="call-1",
            user=self.rep.key,
            direction=CallDirection.OUTBOUND,
            number="+16465550175",
            e164="+16465550175",
            display_name="",
            record=record or self.record("Contact"),
            started_at=T0,
            answered_at=T0 + 5,
            ended_at=T0 + 65,
            reason=EndReason.HUNG_UP_HERE,
            work=work,
        )

    async def end(self, call: CallRecord) -> ActivityChange:
        step = compose_next_step(call, self.rep)
        await self.journal.ended(call, compose(call, self.rep), step)
        return await self.change()

    async def correct(self, call: CallRecord) -> ActivityChange:
        activity, step = compose(call, self.rep), compose_next_step(call, self.rep)
        assert await self.journal.worked(call, activity, step, now=T0 + 100)
        return await self.change()

    async def change(self) -> ActivityChange:
        self.writer.wake()
        async with asyncio.timeout(20):
            return await self.news.get()

    def tasks(self, key: str = "call:call-1") -> list[dict[str, Any]]:
        return [
            dict(record.values)
            for record in self.simulator.store.records("Task")
            if record.values.get("Ringbridge_Key__c") == key
        ]


@pytest.fixture
async def office(key_pair: tuple[str, Any], tmp_path: Path) -> AsyncIterator[Office]:
    public_key = key_pair[1].public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    app = ConnectedApp("app", public_key.decode())
    database = Database(f"sqlite:///{tmp_path}/ringbridge.db")
    await database.open()
    config = SimulatorConfig(apps=(app,))
    async with SalesforceSimulator(config, rng=random.Random(7)) as simulator:
        robin = simulator.user("Robin")
        connector = SalesforceConnector(
            SalesforceConfig(
                tenant="acme",
                my_domain=simulator.url,
                token_url=simulator.url + "/services/oauth2/token",
                consumer_key="app",
                private_key=key_pair[0],
                disposition_field="Outcome__c",
            ),
            rng=random.Random(1),
        )
        news: asyncio.Queue[ActivityChange] = asyncio.Queue()
        writer = ActivityWriter(
            Outbox(database, owner="node-1"),
            {"acme": connector}.get,
            on_state=news.put_nowait,
            now=lambda: T0 + 200,
            rng=random.Random(2),
        )
        running = asyncio.create_task(writer.run())
        yield Office(
            simulator,
            connector,
            CallJournal(database),
            writer,
            news,
            User(
                UserKey("acme", "robin"),
                "Robin",
                "1000",
                crm_user_id=robin.id,
                crm_username=str(robin.values["Username"]),
            ),
        )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await connector.close()
    await database.close()


@pytest.mark.parametrize("shared", [False, True])
async def test_several_contacts_where_activities_are_shared(
    office: Office, shared: bool
) -> None:
    office.simulator.reconfigure(shared_activities=shared)
    facts = await office.connector.activity_facts(office.crm_user)
    assert facts.takes_contacts is shared
    assert {"Account", "Case", "Opportunity"} <= facts.about_kinds
    contact, other, deal = (
        office.record("Contact"),
        office.record("Contact", 1),
        office.record("Opportunity"),
    )
    work = Work(revision=1, notes="hello", disposition="Sold", visited=(other, deal))
    assert (await office.end(office.call(work))).state is ActivityState.WRITTEN
    (task,) = office.tasks()
    assert task["Description"].startswith("hello\n\n")
    assert task["CallDisposition"] == "Sold"
    assert (task["WhoId"], task["WhatId"]) == (contact.id, deal.id)
    if not shared:
        return
    assert task["TaskWhoIds"].split(",") == [contact.id, other.id]
    # A third one, later: all three, and asked for only once how Tasks are.
    third = office.record("Contact", 2)
    more = replace(work, revision=2, visited=(other, third, deal))
    assert (await office.correct(office.call(more))).state is ActivityState.WRITTEN
    (task,) = office.tasks()
    assert task["TaskWhoIds"].split(",") == [contact.id, other.id, third.id]
    asked = [e for e in office.simulator.journal if e.path.endswith("/describe")]
    assert len(asked) == 1


async def test_a_lead_has_nothing_else(office: Office) -> None:
    office.simulator.reconfigure(shared_activities=True)
    visited = (office.record("Contact"), office.record("Opportunity"))
    lead = office.record("Lead")
    work = Work(revision=1, visited=visited)
    assert (await office.end(office.call(work, lead))).state is ActivityState.WRITTEN
    (task,) = office.tasks()
    assert (task["WhoId"], task.get("WhatId")) == (lead.id, None)


async def test_a_refusal_is_told_and_mended_by_the_rep(office: Office) -> None:
    office.simulator.reconfigure(validation_rules=(NEEDS_COMMENT,))
    work = Work(revision=1, notes="hello")
    refused = await office.end(office.call(work))
    assert refused.state is ActivityState.FAILED
    assert "Choose a result" in refused.problem
    assert office.tasks() == []
    # Asking again alone does not help.
    assert await office.journal.retry_activity(office.rep.key, "call-1", now=T0 + 90)
    assert (await office.change()).state is ActivityState.FAILED
    mended = replace(work, revision=2, disposition="Sold")
    written = await office.correct(office.call(mended))
    assert (written.state, written.problem) == (ActivityState.WRITTEN, "")
    assert [task["CallDisposition"] for task in office.tasks()] == ["Sold"]


async def test_a_correction_overwrites_nobody(office: Office) -> None:
    work = Work(revision=1, notes="hello", disposition="Sold")
    written = await office.end(office.call(work))
    store = office.simulator.store
    store.update(
        "Task",
        written.record_id,
        {"Subject": "Mine", "Priority": "High"},
        user_id=office.rep.crm_user_id,
    )
    better = replace(work, revision=2, notes="better")
    assert (await office.correct(office.call(better))).state is ActivityState.WRITTEN
    (task,) = office.tasks()
    assert task["Description"].startswith("better\n\n")
    assert (task["Subject"], task["Priority"]) == ("Mine", "High")
    store.update(
        "Task",
        written.record_id,
        {"Description": "Mine too"},
        user_id=office.rep.crm_user_id,
    )
    again = replace(better, revision=3, notes="again", disposition="Lost")
    told = await office.correct(office.call(again))
    assert told.state is ActivityState.FAILED
    assert "Somebody has changed it in Salesforce" in told.problem
    assert "the comments" in told.problem
    assert told.url == written.url
    (task,) = office.tasks()
    # The rest is as it is to be.
    assert (task["Description"], task["CallDisposition"]) == ("Mine too", "Lost")


async def test_a_lost_answer_and_a_correction_make_one_task(office: Office) -> None:
    office.simulator.add_fault(FaultKind.LOST_REPLY, path="/sobjects/Task")
    work = Work(revision=1, notes="hello")
    waits = await office.end(office.call(work))
    assert waits.state is ActivityState.WAITING
    better = replace(work, revision=2, notes="better")
    assert (await office.correct(office.call(better))).state is ActivityState.WRITTEN
    (task,) = office.tasks()
    assert task["Description"].startswith("better\n\n")


async def test_a_task_for_later_once(office: Office) -> None:
    step = NextStep("Send the offer", "2026-12-01")
    work = Work(revision=1, next_step=step, next_id="n1")
    await office.end(office.call(work))
    await office.change()
    (task,) = office.tasks("next:n1")
    assert (task["Subject"], task["ActivityDate"]) == ("Send the offer", "2026-12-01")
    assert (task["Status"], task.get("CallType")) == ("Not Started", None)
    assert task["WhoId"] == office.record("Contact").id
    later = replace(work, revision=2, next_step=replace(step, on="2026-12-24"))
    await office.correct(office.call(later))
    (task,) = office.tasks("next:n1")
    assert task["ActivityDate"] == "2026-12-24"
    assert len(office.tasks()) == 1


async def test_a_disposition_of_the_organisations_own_picklist(office: Office) -> None:
    office.simulator.reconfigure(custom_fields={"Task": (OUTCOME,)})
    facts = await office.connector.activity_facts(office.crm_user)
    assert facts.picklists["Outcome__c"] == ("Won", "Lost")
    await office.end(office.call(Work(revision=1, disposition="Won")))
    (task,) = office.tasks()
    assert (task["Outcome__c"], task["CallDisposition"]) == ("Won", "Won")


async def test_near_the_end_of_the_allowance_first_writes_go_on(
    office: Office,
) -> None:
    work = Work(revision=1, notes="hello")
    await office.connector.activity_facts(office.crm_user)
    office.simulator.set_api_usage(95_000)
    await office.connector.find_by_number(office.crm_user, "+16465550175")
    assert (await office.end(office.call(work))).state is ActivityState.WRITTEN
    better = replace(work, revision=2, notes="better")
    waits = await office.correct(office.call(better))
    assert waits.state is ActivityState.WAITING
    assert "API allowance is used" in waits.problem
    assert office.writer.counters.held_back == 1
    other = replace(office.call(replace(work, revision=1)), call_id="call-2")
    assert (await office.end(other)).state is ActivityState.WRITTEN
