"""The connector against the sandbox's Salesforce, which knows far more of its rules."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.crm.connector import (
    Activity,
    ActivityDirection,
    ContactDraft,
    CrmDuplicateFound,
    CrmLimitExceeded,
    CrmRefused,
    CrmSignInFailed,
    CrmUnavailable,
    CrmUser,
    MatchCertainty,
    Meeting,
)
from gateway.crm.salesforce import SalesforceConfig, SalesforceConnector
from gateway.sandbox.salesforce import (
    ConnectedApp,
    FaultKind,
    PhoneIndexing,
    SalesforceSimulator,
    SimulatorConfig,
)

ANA = "+16465550175"


@pytest.fixture(params=["http", "https"])
async def simulator(
    request: pytest.FixtureRequest, key_pair: tuple[str, Any]
) -> AsyncIterator[SalesforceSimulator]:
    public_key = key_pair[1].public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    app = ConnectedApp("app", public_key.decode())
    simulator = SalesforceSimulator(
        SimulatorConfig(apps=(app,), index_lag_s=60.0), rng=random.Random(7)
    )
    await simulator.start(tls_port=0 if request.param == "https" else None)
    yield simulator
    await simulator.close()


@pytest.fixture
async def connector(
    simulator: SalesforceSimulator, key_pair: tuple[str, Any]
) -> AsyncIterator[SalesforceConnector]:
    base = simulator.tls_url or simulator.url
    config = SalesforceConfig(
        tenant="acme",
        my_domain=base,
        token_url=base + "/services/oauth2/token",
        consumer_key="app",
        private_key=key_pair[0],
        ca_file=str(simulator.certificate_path or ""),
    )
    connector = SalesforceConnector(config, rng=random.Random(1))
    yield connector
    await connector.close()


@pytest.fixture
def robin(simulator: SalesforceSimulator) -> CrmUser:
    user = simulator.user("Robin")
    return CrmUser("acme", user.id, str(user.values["Username"]))


def call(robin: CrmUser, who_id: str = "") -> Activity:
    return Activity(
        key="call:0c8e4f3a",
        user=robin,
        direction=ActivityDirection.OUTBOUND,
        subject="Call to Ana Ruiz, answered",
        outcome="Answered",
        description="Outgoing call, answered",
        started_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
        duration_s=65,
        number=ANA,
        who_id=who_id,
    )


def tasks(simulator: SalesforceSimulator) -> list[dict[str, Any]]:
    return [
        dict(record.values)
        for record in simulator.store.records("Task")
        if record.values.get("Ringbridge_Key__c") == "call:0c8e4f3a"
    ]


@pytest.mark.parametrize("indexing", list(PhoneIndexing))
async def test_callers_are_found_however_the_index_cuts_numbers(
    simulator: SalesforceSimulator,
    connector: SalesforceConnector,
    robin: CrmUser,
    indexing: PhoneIndexing,
) -> None:
    simulator.reconfigure(phone_indexing=indexing)
    (ana,) = await connector.find_by_number(robin, ANA)
    assert (ana.kind, ana.name) == ("Contact", "Ana Ruiz")
    assert ana.certainty is MatchCertainty.EXACT
    assert ana.company
    (priya,) = await connector.find_by_number(robin, "+12065550143")
    assert (priya.kind, priya.company) == ("Lead", "Solstice Labs")
    shared = await connector.find_by_number(robin, "+14155550120")
    assert [record.kind for record in shared][-1] == "Account"
    assert len(shared) == 3
    assert await connector.find_by_number(robin, "+14155559999") == ()


async def test_a_new_contact_is_found_before_the_index_has_it(
    connector: SalesforceConnector, robin: CrmUser
) -> None:
    made = await connector.create_contact(
        robin, ContactDraft("Novak", "Nina", "+1 212 555 0199", "Globex")
    )
    assert await connector.find_by_number(robin, "+12125550199") == (made,)


@pytest.mark.parametrize("status", [300, 400])
async def test_a_duplicate_is_named(
    simulator: SalesforceSimulator,
    connector: SalesforceConnector,
    robin: CrmUser,
    status: int,
) -> None:
    simulator.add_fault(
        FaultKind.DUPLICATES_DETECTED, path="/sobjects/Contact", status=status
    )
    with pytest.raises(CrmDuplicateFound) as caught:
        await connector.create_contact(robin, ContactDraft("Ruiz", "Ana"))
    assert caught.value.records


async def test_who_is_there_already_has_a_name(
    simulator: SalesforceSimulator, connector: SalesforceConnector, robin: CrmUser
) -> None:
    with pytest.raises(CrmDuplicateFound) as caught:
        await connector.create_contact(robin, ContactDraft("Ruiz", "Ana", phone=ANA))
    (known,) = caught.value.records
    assert (known.kind, known.name) == ("Contact", "Ana Ruiz")


async def test_a_call_is_one_task_on_the_contact(
    simulator: SalesforceSimulator, connector: SalesforceConnector, robin: CrmUser
) -> None:
    (ana,) = await connector.find_by_number(robin, ANA)
    written = await connector.write_activity(call(robin, ana.id))
    again = await connector.write_activity(call(robin, ana.id))
    assert (written.created, again.created) == (True, False)
    assert again.record_id == written.record_id
    (made,) = tasks(simulator)
    assert (made["WhoId"], made["CallType"]) == (ana.id, "Outbound")
    assert (made["TaskSubtype"], made["Status"]) == ("Call", "Completed")
    assert (made["CallDurationInSeconds"], made["OwnerId"]) == (65, robin.id)


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.LOST_REPLY,
        FaultKind.SERVER_UNAVAILABLE,
        FaultKind.UNABLE_TO_LOCK_ROW,
        FaultKind.UNKNOWN_EXCEPTION,
        FaultKind.MALFORMED_BODY,
        FaultKind.DOWN,
    ],
)
async def test_what_passes_leaves_one_task(
    simulator: SalesforceSimulator,
    connector: SalesforceConnector,
    robin: CrmUser,
    kind: FaultKind,
) -> None:
    simulator.add_fault(kind, times=2, path="/sobjects/Task")
    failures = 0
    for _ in range(4):
        try:
            await connector.write_activity(call(robin))
            break
        except CrmUnavailable:
            failures += 1
    assert failures == 2
    assert len(tasks(simulator)) == 1


def meeting(robin: CrmUser, who_id: str = "") -> Meeting:
    start = datetime(2026, 11, 25, 14, tzinfo=UTC)
    return Meeting(
        key="meet:0193a5c2",
        user=robin,
        subject="Video call: Renewal quote",
        description="Invited: Ana Ruiz",
        starts_at=start,
        ends_at=start + timedelta(minutes=30),
        location="https://gw.example/widget/",
        who_id=who_id,
    )


def events(simulator: SalesforceSimulator) -> list[dict[str, Any]]:
    return [dict(record.values) for record in simulator.store.records("Event")]


async def test_a_meeting_is_one_event_through_all_its_changes(
    simulator: SalesforceSimulator, connector: SalesforceConnector, robin: CrmUser
) -> None:
    (ana,) = await connector.find_by_number(robin, ANA)
    first = await connector.write_meeting(meeting(robin, ana.id))
    (made,) = events(simulator)
    assert (made["WhoId"], made["OwnerId"]) == (ana.id, robin.id)
    assert (made["DurationInMinutes"], made["ShowAs"]) == (30, "Busy")
    longer = replace(
        meeting(robin), ends_at=datetime(2026, 11, 30, tzinfo=UTC), is_cancelled=True
    )
    again = await connector.write_meeting(longer)
    assert (again.record_id, again.created) == (first.record_id, False)
    (left,) = events(simulator)
    assert left["Subject"] == "Cancelled: Video call: Renewal quote"
    assert (left["WhoId"], left["ShowAs"]) == (None, "Free")
    assert left["DurationInMinutes"] == 1440
    # The lead of a meeting has no other record beside it.
    lead = next(simulator.store.records("Lead")).id
    account = next(simulator.store.records("Account")).id
    await connector.write_meeting(replace(meeting(robin), who_id=lead, what_id=account))
    (left,) = events(simulator)
    assert (left["WhoId"], left["WhatId"]) == (lead, None)


@pytest.mark.parametrize("kind", [FaultKind.LOST_REPLY, FaultKind.MALFORMED_BODY])
async def test_what_passes_leaves_one_event(
    simulator: SalesforceSimulator,
    connector: SalesforceConnector,
    robin: CrmUser,
    kind: FaultKind,
) -> None:
    simulator.add_fault(kind, times=1, path="/sobjects/Event")
    with pytest.raises(CrmUnavailable):
        await connector.write_meeting(meeting(robin))
    assert not (await connector.write_meeting(meeting(robin))).created
    assert len(events(simulator)) == 1


async def test_a_no_show_is_a_task_that_is_no_call(
    simulator: SalesforceSimulator, connector: SalesforceConnector, robin: CrmUser
) -> None:
    note = replace(call(robin), is_call=False)
    assert (await connector.write_activity(note)).created
    assert not (await connector.write_activity(note)).created
    (made,) = tasks(simulator)
    assert (made["TaskSubtype"], made["Status"]) == ("Task", "Completed")
    assert made.get("CallType") is None


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ana", ["Ana Ruiz"]),
        ("ruiz an", ["Ana Ruiz"]),
        ("chloe.nakamura@globex", ["Chloe Nakamura"]),
        ("prIYA", ["Priya Venkataraman"]),
        ("priya@", ["Priya Venkataraman"]),
        ("ليلى", ["ليلى الحسيني"]),
        ("Größmann-Schäfer", ["Jörg Größmann-Schäfer"]),
        ("na) OR {", ["Chloe Nakamura"]),
        ("globex", []),
        ("zz", []),
    ],
)
async def test_people_are_found_by_name_or_email(
    connector: SalesforceConnector, robin: CrmUser, text: str, names: list[str]
) -> None:
    found = await connector.find_people(robin, text)
    assert [record.name for record in found] == names
    assert all("@" in record.email for record in found)


async def test_sessions_end_and_allowances_too(
    simulator: SalesforceSimulator, connector: SalesforceConnector, robin: CrmUser
) -> None:
    await connector.find_by_number(robin, ANA)
    assert simulator.expire_sessions() == 1
    assert (await connector.write_activity(call(robin))).created
    simulator.add_fault(FaultKind.REQUEST_LIMIT_EXCEEDED, path="/sobjects/Task")
    with pytest.raises(CrmLimitExceeded):
        await connector.write_activity(replace(call(robin), key="call:other"))


async def test_a_token_that_is_never_taken_ends(
    simulator: SalesforceSimulator, connector: SalesforceConnector, robin: CrmUser
) -> None:
    simulator.add_fault(FaultKind.INVALID_SESSION_ID, times=None, path="/services/data")
    with pytest.raises(CrmSignInFailed):
        await connector.write_activity(call(robin))
    assert len(simulator.journal) <= 4


async def test_an_unknown_user_cannot_sign_in(
    connector: SalesforceConnector, robin: CrmUser
) -> None:
    stranger = replace(robin, username="nobody@example.com")
    with pytest.raises(CrmSignInFailed):
        await connector.find_by_number(stranger, ANA)


async def test_fields_of_a_user(
    simulator: SalesforceSimulator, connector: SalesforceConnector, robin: CrmUser
) -> None:
    seeded = simulator.user("Robin").values
    assert await connector.user_fields(robin, ("Extension", "Alias")) == {
        "Extension": seeded["Extension"],
        "Alias": seeded.get("Alias") or "",
    }
    nobody = CrmUser("acme", "005000000000999AAA", robin.username)
    assert await connector.user_fields(nobody, ("Extension",)) == {}
    with pytest.raises(CrmRefused):
        await connector.user_fields(robin, ("No_Such_Field__c",))
    with pytest.raises(CrmRefused, match="another tenant"):
        await connector.user_fields(
            CrmUser("globex", robin.id, robin.username), ("Extension",)
        )
    with pytest.raises(ValueError, match="names of fields"):
        await connector.user_fields(robin, ("Id FROM User --",))
