"""What the org says of itself: objects, fields, picklists, record types, layouts."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from gateway.sandbox.salesforce import (
    Field,
    RecordType,
    SalesforceSimulator,
    SimulatorConfig,
)

from .conftest import Api

MASTER = "012000000000000AAA"
RESULT = Field(
    "Call_Result__c",
    "picklist",
    length=255,
    values=("Voicemail", "Sold", "No interest"),
    restricted=True,
    controller="CallType",
    valid_for={"Outbound": ("Voicemail", "Sold"), "Inbound": ("No interest",)},
)


async def get(api: Api, path: str) -> Any:
    status, reply = await api("GET", path)
    assert status == 200, reply
    return reply


def fields(described: Any) -> dict[str, Any]:
    return {f["name"]: f for f in described["fields"]}


async def test_the_org(api: Api) -> None:
    found = {o["name"]: o for o in (await get(api, "/sobjects"))["sobjects"]}
    assert found["Contact"]["keyPrefix"] == "003"
    assert found["Case"]["labelPlural"] == "Cases"
    assert found["User"]["createable"] is False
    assert "TaskRelation" not in found
    assert found["EventRelation"]["searchable"] is False
    described = await get(api, found["Case"]["urls"]["describe"].split("66.0")[1])
    assert fields(described)["CaseNumber"]["nameField"] is True
    assert described["recordTypeInfos"][0]["recordTypeId"] == MASTER
    children = (await get(api, "/sobjects/Account/describe"))["childRelationships"]
    assert {"Contacts", "Opportunities", "Cases"} <= {
        c["relationshipName"] for c in children
    }


async def test_what_a_related_to_picker_needs(api: Api) -> None:
    task = fields(await get(api, "/sobjects/Task/describe"))
    assert task["WhatId"]["referenceTo"] == ["Account", "Opportunity", "Case"]
    assert task["WhatId"]["polymorphicForeignKey"] is True
    text = "FIND {renewal} IN NAME FIELDS RETURNING Account(Name), Opportunity(Name)"
    found = await get(api, f"/search?q={text}")
    assert [r["Name"] for r in found["searchRecords"]] == ["Acme Corp: Q4 renewal"]
    text = "FIND {00001001} IN NAME FIELDS RETURNING Case(CaseNumber, Subject)"
    found = await get(api, f"/search?q={text}")
    assert len(found["searchRecords"]) == 1


async def test_what_belongs_to_whom(api: Api) -> None:
    text = (
        "SELECT Subject, Who.Name, Who.Type, What.Type, What.Name FROM Task "
        "WHERE Who.Type = 'Contact' AND What.Type = 'Opportunity'"
    )
    (task,) = (await get(api, f"/query?q={text}"))["records"]
    assert task["Who"] == {
        "attributes": task["Who"]["attributes"],
        "Name": "Ana Ruiz",
        "Type": "Contact",
    }
    assert task["What"]["Type"] == "Opportunity"
    case = next(api.simulator.store.records("Case"))
    await api("POST", "/sobjects/Task", {"Subject": "on a case", "WhatId": case.id})
    text = "SELECT What.Name FROM Task WHERE Subject = 'on a case'"
    (task,) = (await get(api, f"/query?q={text}"))["records"]
    assert task["What"]["Name"] == case.values["CaseNumber"]


async def test_colleagues(api: Api) -> None:
    text = "SELECT Name, Extension, Phone, IsActive FROM User ORDER BY Name"
    users = (await get(api, f"/query?q={text}"))["records"]
    assert [(u["Name"], u["Extension"]) for u in users] == [
        ("Robin Reyes", "1001"),
        ("Sam Okafor", "1002"),
    ]
    text = "FIND {okafor} IN NAME FIELDS RETURNING User(Name WHERE IsActive = true)"
    found = await get(api, f"/search?q={text}")
    assert [r["Name"] for r in found["searchRecords"]] == ["Sam Okafor"]
    refused = await api.refused("POST", "/sobjects/User", {"LastName": "x"})
    assert refused == (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")


async def test_dependent_picklists(api: Api) -> None:
    api.simulator.reconfigure(custom_fields={"Task": (RESULT,)})
    field = fields(await get(api, "/sobjects/Task/describe"))["Call_Result__c"]
    assert (field["controllerName"], field["dependentPicklist"]) == ("CallType", True)
    assert field["custom"] is True

    # As clients in the field decode it: the first bit is the first controlling value.
    def leaves(entry: Any) -> list[int]:
        bits = base64.b64decode(entry["validFor"])
        return [i for i in range(len(bits) * 8) if bits[i // 8] & 0x80 >> i % 8]

    # CallType: Internal, Inbound, Outbound.
    assert [leaves(v) for v in field["picklistValues"]] == [[2], [2], [1]]
    path = f"/ui-api/object-info/Task/picklist-values/{MASTER}/Call_Result__c"
    shown = await get(api, path)
    assert shown["controllerValues"] == {"Internal": 0, "Inbound": 1, "Outbound": 2}
    assert [v["validFor"] for v in shown["values"]] == [[2], [2], [1]]
    # The dependency is the page's matter, the values are the org's.
    task = {"CallType": "Inbound", "Call_Result__c": "Sold"}
    assert (await api("POST", "/sobjects/Task", task))[0] == 201
    refused = await api.refused("POST", "/sobjects/Task", {"Call_Result__c": "Other"})
    assert refused == (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")


async def test_record_types(api: Api) -> None:
    types = (
        RecordType("Task", "Sales_Call", is_default=True),
        RecordType(
            "Task", "Service_Call", "Service", {"Call_Result__c": ("Voicemail",)}
        ),
        RecordType("Task", "Old_Call", is_active=False),
    )
    api.simulator.reconfigure(record_types=types, custom_fields={"Task": (RESULT,)})
    described = await get(api, "/sobjects/Task/describe")
    infos = {i["developerName"]: i for i in described["recordTypeInfos"]}
    assert list(infos) == ["Sales_Call", "Service_Call", "Old_Call", "Master"]
    assert infos["Sales_Call"]["defaultRecordTypeMapping"] is True
    assert infos["Service_Call"]["name"] == "Service"
    assert (infos["Old_Call"]["available"], infos["Master"]["available"]) == (
        False,
        False,
    )
    service = infos["Service_Call"]["recordTypeId"]
    shown = await get(
        api, f"/ui-api/object-info/Task/picklist-values/{service}/Call_Result__c"
    )
    assert [v["value"] for v in shown["values"]] == ["Voicemail"]
    all_of_them = await get(api, f"/ui-api/object-info/Task/picklist-values/{service}")
    assert len(all_of_them["picklistFieldValues"]["Status"]["values"]) == 5
    layouts = await get(api, "/sobjects/Task/describe/layouts")
    mapping = next(
        m for m in layouts["recordTypeMappings"] if m["recordTypeId"] == service
    )
    result = next(
        p
        for p in mapping["picklistsForRecordType"]
        if p["picklistName"] == "Call_Result__c"
    )
    assert [v["value"] for v in result["picklistValues"]] == ["Voicemail"]
    assert layouts["recordTypeSelectorRequired"] == [True]

    # The default, the chosen one, and what may not be chosen.
    _, made = await api("POST", "/sobjects/Task", {"Subject": "x"})
    assert isinstance(made, dict)
    row = await get(api, f"/sobjects/Task/{made['id']}")
    assert row["RecordTypeId"] == infos["Sales_Call"]["recordTypeId"]
    text = (
        "SELECT RecordType.DeveloperName FROM Task WHERE RecordType.Name = 'Sales Call'"
    )
    (row,) = (await get(api, f"/query?q={text}"))["records"]
    assert row["RecordType"]["DeveloperName"] == "Sales_Call"
    text = (
        "SELECT DeveloperName FROM RecordType "
        "WHERE SobjectType = 'Task' AND IsActive = true"
    )
    assert (await get(api, f"/query?q={text}"))["totalSize"] == 2
    sold = {"RecordTypeId": service, "Call_Result__c": "Sold"}
    assert await api.refused("POST", "/sobjects/Task", sold) == (
        400,
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    )
    old = {"RecordTypeId": infos["Old_Call"]["recordTypeId"]}
    assert await api.refused("POST", "/sobjects/Task", old) == (
        400,
        "INVALID_CROSS_REFERENCE_KEY",
    )
    # Off again, the field is gone.
    api.simulator.reconfigure(record_types=())
    assert "RecordTypeId" not in fields(await get(api, "/sobjects/Task/describe"))


async def test_layouts_have_what_may_be_written(api: Api) -> None:
    layouts = await get(api, "/sobjects/Contact/describe/layouts")
    (section,) = layouts["layouts"][0]["editLayoutSections"]
    items = [i for row in section["layoutRows"] for i in row["layoutItems"]]
    names = [i["layoutComponents"][0]["value"] for i in items]
    assert "LastName" in names
    assert "CreatedDate" not in names
    assert [i["label"] for i in items if i["required"]] == ["LastName"]
    one = await get(api, f"/sobjects/Contact/describe/layouts/{MASTER[:15]}")
    assert one["id"] == layouts["layouts"][0]["id"]
    info = await get(api, "/ui-api/object-info/Contact")
    assert info["defaultRecordTypeId"] == MASTER
    assert info["fields"]["AccountId"]["referenceToInfos"][0]["apiName"] == "Account"


@pytest.mark.parametrize(
    "path",
    [
        "/sobjects/Contact/describe/layouts/012RB0000000001AAA",
        "/ui-api/object-info/Contact/picklist-values/nothing/Salutation",
        f"/ui-api/object-info/Contact/picklist-values/{MASTER}/LastName",
        "/ui-api/object-info/Nothing",
        "/sobjects/Contact/describe/nothing",
    ],
)
async def test_what_is_not_there(api: Api, path: str) -> None:
    assert await api.refused("GET", path) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "settings",
    [
        {"custom_fields": {"Nothing": (RESULT,)}},
        {"custom_fields": {"Contact": (RESULT,)}},
        {"record_types": (RecordType("Nothing", "X"),)},
        {"record_types": (RecordType("Task", "X", "", {"Subject": ("a",)}),)},
    ],
)
async def test_settings_that_fit_nothing(
    simulator: SalesforceSimulator, settings: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"no |depends"):
        simulator.reconfigure(**settings)
    assert simulator.store.schema["task"].field_named("Call_Result__c") is None
    with pytest.raises(ValueError, match=r"no |depends"):
        SalesforceSimulator(SimulatorConfig(**settings))
