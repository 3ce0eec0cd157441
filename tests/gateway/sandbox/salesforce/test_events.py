"""Events as the object reference has them: their times, and one key with Tasks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.salesforce import SalesforceSimulator, SimulatorConfig
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.events import settle
from gateway.sandbox.salesforce.ids import id_for
from gateway.sandbox.salesforce.values import parse_datetime
from tests.gateway.sandbox.salesforce.conftest import Api

KEY = "Ringbridge_Key__c"
START = "2026-11-25T14:00:00.000Z"
END = "2026-11-25T14:30:00.000Z"


async def make(api: Api, **fields: object) -> dict[str, object]:
    status, made = await api("POST", "/sobjects/Event", fields)
    assert status == 201, made
    assert isinstance(made, dict)
    return await read(api, str(made["id"]))


async def read(api: Api, record_id: str) -> dict[str, object]:
    _, row = await api("GET", f"/sobjects/Event/{record_id}")
    assert isinstance(row, dict)
    return row


@pytest.mark.parametrize(
    "fields",
    [
        {"StartDateTime": START, "EndDateTime": END},
        {"StartDateTime": START, "DurationInMinutes": 30},
        {"ActivityDateTime": START, "DurationInMinutes": 30},
        {"StartDateTime": START, "EndDateTime": END, "DurationInMinutes": 30},
        {"StartDateTime": START, "ActivityDateTime": START, "EndDateTime": END},
        {"StartDateTime": "2026-11-25T15:00:00+01:00", "DurationInMinutes": 30},
    ],
)
async def test_a_start_and_an_end_or_a_duration(
    api: Api, fields: dict[str, object]
) -> None:
    event = await make(api, Subject="Meet", **fields)
    assert event["StartDateTime"] == event["ActivityDateTime"]
    assert event["StartDateTime"] == "2026-11-25T14:00:00.000+0000"
    assert event["EndDateTime"] == "2026-11-25T14:30:00.000+0000"
    assert (event["DurationInMinutes"], event["ActivityDate"]) == (30, "2026-11-25")
    assert (event["ShowAs"], event["IsReminderSet"]) == ("Busy", False)


async def test_all_day_events_need_a_day(api: Api) -> None:
    event = await make(api, IsAllDayEvent=True, ActivityDate="2026-11-25")
    assert event["DurationInMinutes"] == 1440
    assert event["StartDateTime"] == "2026-11-25T00:00:00.000+0000"
    assert event["ActivityDateTime"] is None


@pytest.mark.parametrize(
    ("fields", "code", "names"),
    [
        ({}, "REQUIRED_FIELD_MISSING", ["StartDateTime"]),
        ({"EndDateTime": END}, "REQUIRED_FIELD_MISSING", ["StartDateTime"]),
        ({"StartDateTime": START}, "REQUIRED_FIELD_MISSING", ["EndDateTime"]),
        (
            {"StartDateTime": END, "EndDateTime": START},
            "FIELD_INTEGRITY_EXCEPTION",
            ["EndDateTime"],
        ),
        (
            {"StartDateTime": START, "DurationInMinutes": -1},
            "FIELD_INTEGRITY_EXCEPTION",
            ["DurationInMinutes"],
        ),
        (
            {"StartDateTime": START, "EndDateTime": END, "DurationInMinutes": 31},
            "FIELD_INTEGRITY_EXCEPTION",
            ["EndDateTime"],
        ),
        (
            {"StartDateTime": START, "ActivityDateTime": END, "EndDateTime": END},
            "FIELD_INTEGRITY_EXCEPTION",
            ["StartDateTime"],
        ),
        (
            {"StartDateTime": START, "DurationInMinutes": 14 * 1440 + 1},
            "FIELD_INTEGRITY_EXCEPTION",
            ["DurationInMinutes"],
        ),
        ({"StartDateTime": "soon", "EndDateTime": END}, "JSON_PARSER_ERROR", None),
        (
            {"StartDateTime": START, "EndDateTime": END, "EndDate": "2026-11-25"},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            ["EndDate"],
        ),
        (
            {"StartDateTime": START, "EndDateTime": END, "Location": "x" * 256},
            "STRING_TOO_LONG",
            ["Location"],
        ),
        (
            {
                "StartDateTime": START,
                "EndDateTime": END,
                "WhoId": id_for("00Q", 1),
                "WhatId": id_for("001", 1),
            },
            "FIELD_INTEGRITY_EXCEPTION",
            ["WhatId"],
        ),
    ],
)
async def test_what_is_refused(
    api: Api, fields: dict[str, object], code: str, names: list[str] | None
) -> None:
    status, reply = await api("POST", "/sobjects/Event", fields)
    assert isinstance(reply, list)
    assert (status, reply[0]["errorCode"]) == (400, code)
    if names is not None:
        assert reply[0]["fields"] == names
    assert not list(api.simulator.store.records("Event"))


async def test_fourteen_days_at_most(api: Api) -> None:
    event = await make(api, StartDateTime=START, EndDateTime="2026-12-09T14:00:00Z")
    assert event["DurationInMinutes"] == 14 * 1440


async def test_an_organisation_without_multiday_events() -> None:
    simulator = SalesforceSimulator(SimulatorConfig(multiday_events=False))
    store, robin = simulator.store, simulator.user("robin").id
    values = {"StartDateTime": START, "DurationInMinutes": 1440}
    store.create("Event", values, user_id=robin)
    with pytest.raises(RestError, match="between 0 and 1440 minutes") as caught:
        store.create("Event", values | {"DurationInMinutes": 1441}, user_id=robin)
    assert caught.value.code == "FIELD_INTEGRITY_EXCEPTION"


async def test_times_follow_each_other_in_an_update(api: Api) -> None:
    event = await make(api, StartDateTime=START, EndDateTime=END)
    path = f"/sobjects/Event/{event['Id']}"
    both = {"StartDateTime": END, "EndDateTime": "2026-11-25T15:30:00Z"}
    assert (await api("PATCH", path, both))[0] == 204
    moved = await read(api, str(event["Id"]))
    assert moved["ActivityDateTime"] == "2026-11-25T14:30:00.000+0000"
    assert moved["DurationInMinutes"] == 60
    assert (await api("PATCH", path, {"StartDateTime": START}))[0] == 204
    earlier = await read(api, str(event["Id"]))
    assert earlier["EndDateTime"] == "2026-11-25T15:00:00.000+0000"
    assert (await api("PATCH", path, {"EndDateTime": END}))[0] == 204
    assert (await read(api, str(event["Id"])))["DurationInMinutes"] == 30
    refused = await api.refused("PATCH", path, {"EndDateTime": "2026-11-25T13:00:00Z"})
    assert refused == (400, "FIELD_INTEGRITY_EXCEPTION")
    assert (await read(api, str(event["Id"])))["DurationInMinutes"] == 30


async def test_upsert_by_the_key_of_all_activities(api: Api) -> None:
    path = f"/sobjects/Event/{KEY}/meet%3A1"
    fields = {"Subject": "Meet", "StartDateTime": START, "EndDateTime": END}
    status, first = await api("PATCH", path, fields)
    assert isinstance(first, dict)
    assert (status, first["created"]) == (201, True)
    assert first["id"].startswith("00U")
    cleared = {"Subject": "Cancelled: Meet", "ShowAs": "Free", "WhoId": None}
    status, again = await api("PATCH", path, fields | cleared)
    assert isinstance(again, dict)
    assert (status, again["created"], again["id"]) == (200, False, first["id"])
    # What only a create needs is not asked of an update.
    assert (await api("PATCH", path, {"Location": "Here"}))[0] == 200
    task = f"/sobjects/Task/{KEY}/meet%3A1"
    assert await api.refused("PATCH", task, {"Subject": "x"}) == (
        400,
        "DUPLICATE_VALUE",
    )
    status, found = await api(
        "GET",
        "/query?q=SELECT+Id,Subject,Location,ShowAs+FROM+Event+WHERE+"
        f"{KEY}='meet:1'+AND+StartDateTime>2026-11-25T13:00:00Z",
    )
    assert isinstance(found, dict)
    assert [(row["Id"], row["Location"]) for row in found["records"]] == [
        (first["id"], "Here")
    ]
    assert (await api("DELETE", f"/sobjects/Event/{first['id']}"))[0] == 204
    status, new = await api("PATCH", path, fields)
    assert isinstance(new, dict)
    assert (status, new["id"] != first["id"]) == (201, True)


async def test_the_description_names_the_fields(api: Api) -> None:
    _, described = await api("GET", "/sobjects/Event/describe")
    assert isinstance(described, dict)
    fields = {field["name"]: field for field in described["fields"]}
    assert fields["StartDateTime"]["type"] == "datetime"
    assert fields[KEY]["externalId"]
    assert [value["value"] for value in fields["ShowAs"]["picklistValues"]] == [
        "Busy",
        "OutOfOffice",
        "Free",
    ]
    assert not fields["EndDate"]["createable"]


_TIMES = st.datetimes(
    min_value=parse_datetime(START).replace(tzinfo=None) - timedelta(days=400),
    max_value=parse_datetime(START).replace(tzinfo=None) + timedelta(days=400),
).map(lambda at: at.replace(microsecond=0).isoformat() + "Z")


@given(
    st.fixed_dictionaries(
        {"StartDateTime": _TIMES},
        optional={
            "EndDateTime": _TIMES,
            "DurationInMinutes": st.integers(-100, 30_000),
            "ActivityDateTime": _TIMES,
            "IsAllDayEvent": st.booleans(),
        },
    ),
    st.booleans(),
)
def test_times_that_are_kept_agree(
    fields: dict[str, str | int | float | bool | None], multiday: bool
) -> None:
    try:
        row = settle(dict(fields), fields, multiday=multiday)
    except RestError as refusal:
        row = {"code": refusal.code}
    if row.get("code"):
        assert row["code"] == "FIELD_INTEGRITY_EXCEPTION"
        return
    start = parse_datetime(str(row["StartDateTime"]))
    end = parse_datetime(str(row["EndDateTime"]))
    assert end - start == timedelta(minutes=int(row["DurationInMinutes"] or 0))
    assert timedelta() <= end - start <= timedelta(days=14 if multiday else 1)
    # Settled once, it stays.
    assert settle(row, row, multiday=multiday) == row
