"""What an administrator decides: rights, validation rules, duplicates; and by HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.salesforce import (
    DuplicateAction,
    Profile,
    SalesforceSimulator,
    ValidationRule,
)
from gateway.sandbox.salesforce.duplicates import options_from
from gateway.sandbox.salesforce.objects import standard_objects
from gateway.sandbox.salesforce.permissions import view

from .conftest import Api

ROBIN = "robin.reyes@acme.example"
KEY = "Ringbridge_Key__c"


async def query(api: Api, text: str) -> Any:
    status, reply = await api("GET", "/query?q=" + requests.utils.quote(text))
    assert status == 200, reply
    return reply


# -- field-level security and object permissions


def limit(api: Api, **profile: Any) -> None:
    api.simulator.reconfigure(profiles={ROBIN: Profile(**profile)})


async def test_hidden_fields_do_not_exist(api: Api) -> None:
    limit(api, hidden=frozenset({"Contact.MobilePhone", f"Task.{KEY}"}))
    _, described = await api("GET", "/sobjects/Contact/describe")
    assert isinstance(described, dict)
    assert "MobilePhone" not in {f["name"] for f in described["fields"]}
    ana = next(api.simulator.store.records("Contact"))
    path = f"/sobjects/Contact/{ana.id}"
    _, row = await api("GET", path)
    assert isinstance(row, dict)
    assert "MobilePhone" not in row
    invalid = (400, "INVALID_FIELD")
    assert await api.refused("GET", f"{path}?fields=MobilePhone") == invalid
    assert await api.refused("PATCH", path, {"MobilePhone": "1"}) == invalid
    for text in (
        "SELECT MobilePhone FROM Contact",
        "SELECT Id FROM Contact WHERE MobilePhone != null",
        "SELECT Id FROM Contact ORDER BY MobilePhone",
    ):
        assert await api.refused("GET", f"/query?q={text}") == invalid
    rest = "IN PHONE FIELDS RETURNING Contact"
    text = f"FIND {{9175550118}} {rest}(Id, MobilePhone)"
    assert await api.refused("GET", f"/search?q={text}") == invalid
    # What is hidden is not searched.
    _, found = await api("GET", f"/search?q=FIND {{9175550118}} {rest}(Id)")
    assert found == {"searchRecords": []}
    refused = await api.refused("PATCH", f"/sobjects/Task/{KEY}/call:1", {})
    assert refused == (404, "NOT_FOUND")
    # Another user is not concerned.
    api.token = api.simulator.access_token("Sam")
    assert await query(api, "SELECT MobilePhone FROM Contact")


async def test_read_only_fields(api: Api) -> None:
    limit(api, read_only=frozenset({"Contact.Email", "Task.CallType"}))
    ana = next(api.simulator.store.records("Contact"))
    refused = await api.refused(
        "PATCH", f"/sobjects/Contact/{ana.id}", {"Email": "a@b.example"}
    )
    assert refused == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    _, described = await api("GET", "/sobjects/Contact/describe")
    assert isinstance(described, dict)
    email = next(f for f in described["fields"] if f["name"] == "Email")
    assert (email["createable"], email["updateable"]) == (False, False)
    # Fields of calls are not subject to field-level security.
    assert (await api("POST", "/sobjects/Task", {"CallType": "Inbound"}))[0] == 201


async def test_rights_on_objects(api: Api) -> None:
    limit(
        api,
        objects={
            "Case": frozenset(),
            "Contact": frozenset({"read"}),
            "Account": frozenset({"read", "create"}),
        },
    )
    _, reply = await api("GET", "/sobjects")
    assert isinstance(reply, dict)
    assert "Case" not in {o["name"] for o in reply["sobjects"]}
    assert await api.refused("GET", "/sobjects/Case/describe") == (404, "NOT_FOUND")
    refused = await api.refused("GET", "/query?q=SELECT Id FROM Case")
    assert refused == (400, "INVALID_TYPE")
    ana = next(api.simulator.store.records("Contact"))
    path = f"/sobjects/Contact/{ana.id}"
    assert (await api("GET", path))[0] == 200
    denied = (400, "INSUFFICIENT_ACCESS_OR_READONLY")
    assert await api.refused("PATCH", path, {"Title": "x"}) == denied
    assert await api.refused("DELETE", path) == denied
    assert await api.refused("POST", "/sobjects/Contact", {"LastName": "x"}) == (
        400,
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    )
    assert (await api("POST", "/sobjects/Account", {"Name": "x"}))[0] == 201
    rows = [{"attributes": {"type": "Contact"}, "LastName": "x"}]
    _, results = await api("POST", "/composite/sobjects", {"records": rows})
    assert isinstance(results, list)
    assert results[0]["errors"][0]["statusCode"] == (
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    )
    _, results = await api("DELETE", f"/composite/sobjects?ids={ana.id}")
    assert isinstance(results, list)
    assert results[0]["errors"][0]["statusCode"] == denied[1]


_PATHS = [
    f"{o.name}.{f.name}" for o in standard_objects((KEY,)) for f in o.fields.values()
]


@given(
    st.frozensets(st.sampled_from(_PATHS)),
    st.frozensets(st.sampled_from(_PATHS)),
    st.dictionaries(
        st.sampled_from(["Contact", "Task", "Case"]),
        st.frozensets(st.sampled_from(["create", "read", "edit", "delete"])),
    ),
)
def test_a_view_never_shows_more_than_there_is(
    hidden: frozenset[str], read_only: frozenset[str], objects: Any
) -> None:
    schema = {o.name.lower(): o for o in standard_objects((KEY,))}
    seen = view(schema, Profile(objects, hidden, read_only))
    assert {k for k in schema if k not in seen} == {
        name.lower() for name, rights in objects.items() if "read" not in rights
    }
    for key, kind in seen.items():
        assert kind.createable <= schema[key].createable
        for name, f in schema[key].fields.items():
            shown = kind.fields.get(name)
            path = f"{kind.name}.{f.name}"
            exempt = f.required or name == "id" or path.startswith("Task.Call")
            assert (shown is None) == (path in hidden and not exempt)
            if shown is not None:
                assert shown.updateable == (
                    f.updateable and (exempt or path not in read_only)
                )


# -- validation rules

RULE = ValidationRule(
    "Task",
    "Result_needed",
    "Status = 'Completed' AND TaskSubtype = 'Call' AND CallDisposition = null",
    "Say how the call went.",
    field="CallDisposition",
)


async def test_validation_rules(api: Api) -> None:
    api.simulator.reconfigure(validation_rules=(RULE,))
    call = {"Subject": "x", "TaskSubtype": "Call", "Status": "Completed"}
    status, reply = await api("POST", "/sobjects/Task", call)
    assert (status, reply) == (
        400,
        [
            {
                "message": "Say how the call went.",
                "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                "fields": ["CallDisposition"],
            }
        ],
    )
    call["CallDisposition"] = "Answered"
    status, made = await api("POST", "/sobjects/Task", call)
    assert isinstance(made, dict)
    assert status == 201
    refused = await api.refused(
        "PATCH", f"/sobjects/Task/{made['id']}", {"CallDisposition": None}
    )
    assert refused == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    assert (await api("POST", "/sobjects/Task", {"Subject": "not a call"}))[0] == 201


async def test_rules_that_look_at_parents(api: Api) -> None:
    rule = ValidationRule(
        "Contact", "Partners", "Account.Name = 'Globex'", "Ask the account's owner."
    )
    api.simulator.reconfigure(validation_rules=(rule,))
    globex = next(
        a for a in api.simulator.store.records("Account") if a.display_name == "Globex"
    )
    contact = {"LastName": "x", "AccountId": globex.id}
    status, reply = await api("POST", "/sobjects/Contact", contact)
    assert isinstance(reply, list)
    assert (status, reply[0]["fields"]) == (400, [])
    assert (await api("POST", "/sobjects/Contact", {"LastName": "x"}))[0] == 201
    # A rule is its object's alone.
    deal = {"Name": "x", "StageName": "x", "CloseDate": "2026-12-01"}
    deal["AccountId"] = globex.id
    assert (await api("POST", "/sobjects/Opportunity", deal))[0] == 201


@pytest.mark.parametrize(
    "rule",
    [
        ValidationRule("Nothing", "r", "Name = 'x'", "m"),
        ValidationRule("Task", "r", "Nope = 'x'", "m"),
        ValidationRule("Task", "r", "Subject =", "m"),
        ValidationRule("Task", "r", "Subject = 'x' LIMIT 1", "m"),
        ValidationRule("Task", "r", "Subject = 'x'", "m", field="Nope"),
    ],
)
def test_rules_that_are_none(rule: ValidationRule) -> None:
    simulator = SalesforceSimulator()
    with pytest.raises(ValueError, match=r"^r: |condition"):
        simulator.reconfigure(validation_rules=(rule,))


# -- duplicates

ANA = {"FirstName": "Ana", "LastName": "Ruiz", "Phone": "+16465550175"}
HEADER = "Sforce_Duplicate_Rule_Header"


async def test_what_is_said_of_duplicates(api: Api) -> None:
    _, reply = await api("POST", "/sobjects/Contact", ANA)
    assert isinstance(reply, list)
    result = reply[0]["duplicateResult"]
    assert result["allowSave"] is True
    (match,) = result["matchResults"]
    (record,) = match["matchRecords"]
    assert set(record["record"]) == {"attributes", "Id"}
    details = {HEADER: "includeRecordDetails=true"}
    _, reply = await api("POST", "/sobjects/Contact", ANA, **details)
    assert isinstance(reply, list)
    match = reply[0]["duplicateResult"]["matchResults"][0]
    assert match["matchRecords"][0]["record"]["Name"] == "Ana Ruiz"


async def test_a_lead_may_be_a_contact_already(api: Api) -> None:
    status, reply = await api("POST", "/sobjects/Lead", {**ANA, "Company": "Acme"})
    assert isinstance(reply, list)
    assert (status, reply[0]["errorCode"]) == (400, "DUPLICATES_DETECTED")
    (match,) = reply[0]["duplicateResult"]["matchResults"]
    assert match["entityType"] == "Contact"


async def test_rules_that_block(api: Api) -> None:
    api.simulator.reconfigure(duplicate_action=DuplicateAction.BLOCK)
    status, reply = await api(
        "POST", "/sobjects/Contact", ANA, **{HEADER: "allowSave=true"}
    )
    assert isinstance(reply, list)
    assert (status, reply[0]["errorCode"]) == (400, "DUPLICATES_DETECTED")
    assert reply[0]["duplicateResult"]["allowSave"] is False
    api.simulator.reconfigure(duplicate_rules=False)
    assert (await api("POST", "/sobjects/Contact", ANA))[0] == 201


async def test_a_change_may_make_a_duplicate(api: Api) -> None:
    _, made = await api("POST", "/sobjects/Contact", {**ANA, "Phone": "+12025550100"})
    assert isinstance(made, dict)
    path = f"/sobjects/Contact/{made['id']}"
    assert await api("PATCH", path, {"Title": "x"}) == (204, None)
    refused = await api.refused("PATCH", path, {"Phone": ANA["Phone"]})
    assert refused == (400, "DUPLICATES_DETECTED")
    allowed = {HEADER: "allowSave=true"}
    assert (await api("PATCH", path, {"Phone": ANA["Phone"]}, **allowed))[0] == 204
    # Nobody is their own duplicate.
    assert (await api("PATCH", path, {"Phone": "+12025550100"}))[0] == 204
    assert (await api("PATCH", path, {"Phone": "+1 202 555 0100"}))[0] == 204
    rows = [{"attributes": {"type": "Contact"}, **ANA}]
    _, results = await api("POST", "/composite/sobjects", {"records": rows})
    assert isinstance(results, list)
    assert results[0]["errors"][0]["statusCode"] == "DUPLICATES_DETECTED"


@given(st.text())
def test_any_header_is_read(text: str) -> None:
    options_from(text)
    assert options_from(f"{text};allowSave = TRUE").allow_save is True


# -- by HTTP


async def test_settings_by_http(api: Api) -> None:
    url = f"{api.simulator.url}/sandbox/settings"

    async def change(**settings: object) -> int:
        async with api.http.patch(url, json=settings) as reply:
            return reply.status

    rule = {
        "object": "Contact",
        "name": "Title",
        "error_when": "Title = null",
        "message": "A title is needed.",
    }
    assert await change(validation_rules=[rule]) == 200
    refused = await api.refused("POST", "/sobjects/Contact", {"LastName": "x"})
    assert refused == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    profiles = {ROBIN: {"hidden": ["Contact.Fax"], "objects": {"Case": ["read"]}}}
    field = {"name": "Result__c", "type": "picklist", "values": ["a", "b"]}
    record_type = {"object": "Task", "developer_name": "Sales"}
    settings: dict[str, object] = {
        "validation_rules": [],
        "profiles": profiles,
        "custom_fields": {"Task": [field]},
        "record_types": [record_type],
        "person_accounts": True,
        "shared_activities": True,
        "duplicate_action": "block",
        "query_batch_size": 5,
        "index_lag_s": 2,
    }
    assert await change(**settings) == 200
    assert await api.refused("GET", "/query?q=SELECT Fax FROM Contact") == (
        400,
        "INVALID_FIELD",
    )
    _, reply = await api("GET", "/query?q=SELECT Result__c, TaskWhoIds FROM Task")
    assert isinstance(reply, dict)
    assert reply["done"] is True
    for bad in (
        {"nothing": 1},
        {"index_lag_s": -1},
        {"index_lag_s": True},
        {"index_lag_s": "2"},
        {"microphone": "loud"},
        {"profiles": {ROBIN: {"objects": {"Case": ["fly"]}}}},
        {"record_types": [{"object": "Nothing", "developer_name": "X"}]},
        {"person_accounts": "yes"},
        {"apps": []},
    ):
        assert await change(**bad) == 400, bad
    assert "person_accounts" not in repr(api.simulator.journal.requests())


async def test_apps_by_http(api: Api) -> None:
    url = f"{api.simulator.url}/sandbox/apps"
    app = {"consumer_key": "k", "redirect_uris": ["https://gw.example/cb"]}
    async with api.http.post(url, json=app) as reply:
        assert reply.status == 204
    for bad in ({}, {"consumer_key": "k"}, {**app, "colour": "red"}, []):
        async with api.http.post(url, json=bad) as reply:
            assert (reply.status == 204) == ("colour" in bad), bad
