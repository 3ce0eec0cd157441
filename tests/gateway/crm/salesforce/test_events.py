"""Meetings as Events, against a Salesforce that misbehaves in every known way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.crm.connector import (
    CrmError,
    CrmRefused,
    CrmUnavailable,
    Meeting,
)
from gateway.crm.salesforce import SalesforceConnector
from tests.gateway.crm.salesforce.server import FakeSalesforce, Fault, error
from tests.gateway.crm.salesforce.test_connector import ALEX, ANA_ID

KEY = "meet:0193a5c2-7b1e"
START = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
QUOTE = "006000000000001AAA"
MEETING = Meeting(
    key=KEY,
    user=ALEX,
    subject="Video call: Renewal quote",
    description="Invited: Ana Ruiz",
    starts_at=START,
    ends_at=START + timedelta(minutes=30),
    location="https://gw.example/widget/",
    who_id=ANA_ID,
    what_id=QUOTE,
)


async def test_a_meeting_becomes_an_event(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    written = await connector.write_meeting(MEETING)
    assert written.created
    assert salesforce.events == {
        KEY: {
            "Id": written.record_id,
            "Subject": "Video call: Renewal quote",
            "StartDateTime": "2026-11-25T14:00:00.000Z",
            "EndDateTime": "2026-11-25T14:30:00.000Z",
            "Location": "https://gw.example/widget/",
            "Description": "Invited: Ana Ruiz",
            "ShowAs": "Busy",
            "OwnerId": ALEX.id,
            "WhoId": ANA_ID,
            "WhatId": QUOTE,
        }
    }
    assert salesforce.tasks == {}
    assert written.url == (
        f"https://acme.lightning.force.com/lightning/r/Event/{written.record_id}/view"
    )


async def test_each_change_writes_every_field_anew(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    first = await connector.write_meeting(MEETING)
    salesforce.events[KEY] |= {"Subject": "edited", "ShowAs": "OutOfOffice"}
    moved = replace(
        MEETING,
        starts_at=START.astimezone(timezone(timedelta(hours=2))) + timedelta(hours=1),
        ends_at=START + timedelta(hours=2),
        description="",
        location="",
        who_id="",
        what_id="",
    )
    again = await connector.write_meeting(moved)
    assert (again.record_id, again.created) == (first.record_id, False)
    assert salesforce.events[KEY] == {
        "Id": first.record_id,
        "Subject": MEETING.subject,
        "StartDateTime": "2026-11-25T15:00:00.000Z",
        "EndDateTime": "2026-11-25T16:00:00.000Z",
        "Location": None,
        "Description": None,
        "ShowAs": "Busy",
        "OwnerId": ALEX.id,
        "WhoId": None,
        "WhatId": None,
    }


async def test_a_cancelled_one_stays_and_gives_the_time_back(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    await connector.write_meeting(MEETING)
    await connector.write_meeting(
        replace(MEETING, subject="s" * 255, is_cancelled=True)
    )
    event = salesforce.events[KEY]
    assert event["Subject"] == "Cancelled: " + "s" * 244
    assert (event["ShowAs"], event["IsReminderSet"]) == ("Free", False)
    await connector.write_meeting(MEETING)
    assert salesforce.events[KEY]["ShowAs"] == "Busy"


@pytest.mark.parametrize(
    ("who", "what", "expected"),
    [
        (ANA_ID, QUOTE, (ANA_ID, QUOTE)),
        ("00Q000000000001AAA", QUOTE, ("00Q000000000001AAA", None)),
        ("001000000000001AAA", "", (None, "001000000000001AAA")),
        ("'; DROP", "../../x", (None, None)),
    ],
)
async def test_what_an_event_is_linked_to(
    connector: SalesforceConnector,
    salesforce: FakeSalesforce,
    who: str,
    what: str,
    expected: tuple[str | None, str | None],
) -> None:
    await connector.write_meeting(replace(MEETING, who_id=who, what_id=what))
    event = salesforce.events[KEY]
    assert (event["WhoId"], event["WhatId"]) == expected


@pytest.mark.parametrize(
    ("lasts", "ends"),
    [
        (timedelta(days=3), "2026-11-26T14:00:00.000Z"),
        (timedelta(days=1), "2026-11-26T14:00:00.000Z"),
        (timedelta(minutes=-5), "2026-11-25T14:00:00.000Z"),
    ],
)
async def test_it_lasts_as_long_as_every_organisation_takes(
    connector: SalesforceConnector,
    salesforce: FakeSalesforce,
    lasts: timedelta,
    ends: str,
) -> None:
    await connector.write_meeting(replace(MEETING, ends_at=START + lasts))
    assert salesforce.events[KEY]["EndDateTime"] == ends


@pytest.mark.parametrize(
    "fault",
    [
        Fault("Event", commits=True, drops=True),
        Fault("Event", commits=True, status=502, body=b"<html>"),
        Fault("Event", commits=True, status=201, body=b"{"),
        Fault("Event", commits=True, status=500, body=error("UNKNOWN_EXCEPTION")),
        Fault("Event", status=503, body=error("SERVER_UNAVAILABLE")),
        Fault("Event", status=400, body=error("UNABLE_TO_LOCK_ROW")),
    ],
    ids=lambda fault: f"{fault.status} {fault.commits}",
)
async def test_what_passes_is_repeated_to_one_event(
    connector: SalesforceConnector, salesforce: FakeSalesforce, fault: Fault
) -> None:
    salesforce.faults = [replace(fault)]
    with pytest.raises(CrmUnavailable):
        await connector.write_meeting(MEETING)
    await connector.write_meeting(MEETING)
    assert len(salesforce.events) == len(salesforce.created) == 1


@pytest.mark.parametrize(
    "code",
    [
        "REQUIRED_FIELD_MISSING",
        "FIELD_INTEGRITY_EXCEPTION",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "INVALID_CROSS_REFERENCE_KEY",
        "INVALID_FIELD",
        "NOT_FOUND",
    ],
)
async def test_a_refusal_is_final(
    connector: SalesforceConnector, salesforce: FakeSalesforce, code: str
) -> None:
    salesforce.faults = [Fault("Event", status=400, body=error(code, "No."))]
    with pytest.raises(CrmRefused) as caught:
        await connector.write_meeting(MEETING)
    assert caught.value.code == code
    assert salesforce.count("Event") == 1


async def test_a_key_that_is_not_unique_is_said(
    connector: SalesforceConnector,
    salesforce: FakeSalesforce,
    caplog: pytest.LogCaptureFixture,
) -> None:
    base = "/services/data/v66.0/sobjects/Event/00U00000000000"
    salesforce.duplicate_keys[KEY] = [f"{base}2AAA", f"{base}1AAA"]
    written = await connector.write_meeting(MEETING)
    assert written.record_id == "00U000000000001AAA"
    assert "several Events have the key" in caplog.text


async def test_a_race_of_two_writers_is_settled(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.faults = [Fault("Event", status=400, body=error("DUPLICATE_VALUE"))]
    results = await asyncio.gather(
        *(connector.write_meeting(MEETING) for _ in range(4)), return_exceptions=True
    )
    assert not [result for result in results if isinstance(result, CrmError)]
    assert len(salesforce.events) == 1


async def test_another_tenants_meeting_is_refused(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    stranger = replace(ALEX, tenant="globex")
    with pytest.raises(CrmRefused, match="another tenant"):
        await connector.write_meeting(replace(MEETING, user=stranger))
    assert salesforce.requests == []
