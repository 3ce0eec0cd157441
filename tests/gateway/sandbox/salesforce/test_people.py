"""Person accounts and Shared Activities: on, off, and switched."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.salesforce import SalesforceSimulator, SimulatorConfig
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.features import build_schema
from gateway.sandbox.salesforce.ids import id_for
from gateway.sandbox.salesforce.relations import settle, split

from .conftest import Api


async def make(api: Api, kind: str, **values: object) -> str:
    status, made = await api("POST", f"/sobjects/{kind}", values)
    assert status == 201, made
    assert isinstance(made, dict)
    return str(made["id"])


async def row(api: Api, kind: str, record_id: str) -> dict[str, Any]:
    status, reply = await api("GET", f"/sobjects/{kind}/{record_id}")
    assert status == 200, reply
    assert isinstance(reply, dict)
    return reply


async def query(api: Api, text: str) -> list[dict[str, Any]]:
    status, reply = await api("GET", "/query?q=" + requests.utils.quote(text))
    assert status == 200, reply
    assert isinstance(reply, dict)
    return list(reply["records"])


# -- person accounts

PIA = {
    "FirstName": "Pia",
    "LastName": "Lund",
    "PersonMobilePhone": "+1 202 555 0177",
    "PersonEmail": "pia@lund.example",
}


@pytest.fixture
def persons(api: Api) -> Api:
    api.simulator.reconfigure(person_accounts=True)
    return api


async def test_off_there_are_none(api: Api) -> None:
    refused = await api.refused("POST", "/sobjects/Account", PIA)
    assert refused == (400, "INVALID_FIELD")
    refused = await api.refused("GET", "/query?q=SELECT IsPersonAccount FROM Contact")
    assert refused == (400, "INVALID_FIELD")


async def test_a_person_is_an_account_and_a_contact(persons: Api) -> None:
    pia = await make(persons, "Account", **PIA)
    account = await row(persons, "Account", pia)
    assert (account["Name"], account["IsPersonAccount"]) == ("Pia Lund", True)
    contact = await row(persons, "Contact", account["PersonContactId"])
    assert (contact["Name"], contact["AccountId"]) == ("Pia Lund", pia)
    assert (contact["MobilePhone"], contact["IsPersonAccount"]) == (
        PIA["PersonMobilePhone"],
        True,
    )
    (found,) = await query(
        persons,
        "SELECT RecordType.DeveloperName FROM Account WHERE IsPersonAccount = true",
    )
    assert found["RecordType"]["DeveloperName"] == "PersonAccount"
    text = (
        "FIND {2025550177} IN PHONE FIELDS RETURNING "
        "Account(Name, IsPersonAccount, PersonContactId), Contact(Name)"
    )
    _, reply = await persons("GET", f"/search?q={text}")
    assert isinstance(reply, dict)
    first, second = reply["searchRecords"]
    assert (first["PersonContactId"], second["Name"]) == (contact["Id"], "Pia Lund")
    # An activity of the contact is one of the account.
    task = await make(persons, "Task", WhoId=contact["Id"])
    assert (await row(persons, "Task", task))["AccountId"] == pia


async def test_the_contact_follows_its_account(persons: Api) -> None:
    pia = await make(persons, "Account", **PIA)
    contact = (await row(persons, "Account", pia))["PersonContactId"]
    path = f"/sobjects/Account/{pia}"
    assert (await persons("PATCH", path, {"LastName": "Berg"}))[0] == 204
    assert (await row(persons, "Contact", contact))["Name"] == "Pia Berg"
    path = f"/sobjects/Contact/{contact}"
    locked = (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert await persons.refused("PATCH", path, {"Title": "x"}) == locked
    assert await persons.refused("DELETE", path) == locked
    assert (await persons("DELETE", f"/sobjects/Account/{pia}"))[0] == 204
    assert await persons.refused("GET", path) == (404, "ENTITY_IS_DELETED")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({**PIA, "Name": "Pia Lund"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (
            {"Name": "Lund Ltd", "PersonEmail": "p@l.example"},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        ({"PersonEmail": "p@l.example"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Phone": "1"}, "REQUIRED_FIELD_MISSING"),
    ],
)
async def test_neither_person_nor_business(
    persons: Api, values: dict[str, object], code: str
) -> None:
    before = len(list(persons.simulator.store.records("Contact")))
    assert await persons.refused("POST", "/sobjects/Account", values) == (400, code)
    assert len(list(persons.simulator.store.records("Contact"))) == before


async def test_businesses_go_on(persons: Api) -> None:
    firm = await make(persons, "Account", Name="Lund Ltd")
    account = await row(persons, "Account", firm)
    assert (account["IsPersonAccount"], account["PersonContactId"]) == (False, None)
    _, described = await persons("GET", "/sobjects/Account/describe")
    assert isinstance(described, dict)
    names = [i["developerName"] for i in described["recordTypeInfos"]]
    assert names == ["Business_Account", "PersonAccount", "Master"]


# -- Shared Activities


@pytest.fixture
def shared(api: Api) -> Api:
    api.simulator.reconfigure(shared_activities=True)
    return api


@pytest.fixture
def people(api: Api) -> list[str]:
    return [c.id for c in api.simulator.store.records("Contact")]


async def relations(api: Api, task: str) -> set[tuple[str, bool]]:
    found = await query(
        api, f"SELECT RelationId, IsWhat FROM TaskRelation WHERE TaskId = '{task}'"
    )
    return {(r["RelationId"], r["IsWhat"]) for r in found}


async def test_off_a_task_has_one_person(api: Api, people: list[str]) -> None:
    several = {"TaskWhoIds": people[:2]}
    assert await api.refused("POST", "/sobjects/Task", several) == (
        400,
        "INVALID_FIELD",
    )
    refused = await api.refused("GET", "/query?q=SELECT Id FROM TaskRelation")
    assert refused == (400, "INVALID_TYPE")


async def test_several_people(shared: Api, people: list[str]) -> None:
    ana, ben, chloe = people[:3]
    deal = next(shared.simulator.store.records("Opportunity")).id
    task = await make(shared, "Task", TaskWhoIds=[ben, chloe, ben], WhatId=deal)
    stored = await row(shared, "Task", task)
    assert (stored["WhoId"], stored["TaskWhoIds"]) == (ben, [ben, chloe])
    assert (stored["WhoCount"], stored["WhatCount"]) == (2, 1)
    assert await relations(shared, task) == {(ben, False), (chloe, False), (deal, True)}
    path = f"/sobjects/Task/{task}"
    assert (await shared("PATCH", path, {"WhoId": ana}))[0] == 204
    assert (await row(shared, "Task", task))["TaskWhoIds"] == [ana, chloe]
    both = {"WhoId": chloe, "TaskWhoIds": [ana, chloe]}
    assert (await shared("PATCH", path, both))[0] == 204
    assert (await row(shared, "Task", task))["TaskWhoIds"] == [chloe, ana]
    assert (await shared("PATCH", path, {"TaskWhoIds": [], "WhatId": None}))[0] == 204
    stored = await row(shared, "Task", task)
    assert (stored["WhoId"], stored["TaskWhoIds"], stored["WhoCount"]) == (None, [], 0)
    assert await relations(shared, task) == set()
    # Whoever names one person has a list of one.
    task = await make(shared, "Task", WhoId=ana)
    assert await relations(shared, task) == {(ana, False)}
    assert (await shared("DELETE", f"/sobjects/Task/{task}"))[0] == 204
    assert await relations(shared, task) == set()


async def test_the_page_of_each_person_shows_it(shared: Api, people: list[str]) -> None:
    await make(shared, "Task", Subject="Shared call", TaskWhoIds=people[1:3])
    for person in people[1:3]:
        url = f"{shared.simulator.url}/sandbox/page/record?id={person}"
        async with shared.http.get(url) as reply:
            shown = (await reply.json())["timeline"]
        assert "Shared call" in [activity["Subject"] for activity in shown]


@pytest.mark.parametrize("count", [50, 51])
async def test_at_most_fifty(shared: Api, count: int) -> None:
    people = [
        shared.simulator.store.seed("Contact", {"LastName": f"P{n}"}).id
        for n in range(count)
    ]
    body = {"TaskWhoIds": people}
    if count > 50:
        refused = await shared.refused("POST", "/sobjects/Task", body)
        assert refused == (400, "FIELD_INTEGRITY_EXCEPTION")
    else:
        assert (await shared("POST", "/sobjects/Task", body))[0] == 201


async def test_one_lead_and_nobody_else(shared: Api, people: list[str]) -> None:
    lead = next(shared.simulator.store.records("Lead")).id
    await make(shared, "Task", TaskWhoIds=[lead])
    refused = "FIELD_INTEGRITY_EXCEPTION"
    for bad, code in (
        ([lead, people[0]], refused),
        ([next(shared.simulator.store.records("Account")).id], refused),
        ([id_for("003", 999)], "INVALID_CROSS_REFERENCE_KEY"),
        (["x"], "MALFORMED_ID"),
        ("x", "JSON_PARSER_ERROR"),
    ):
        body = {"TaskWhoIds": bad}
        assert await shared.refused("POST", "/sobjects/Task", body) == (400, code)


async def test_events_have_people_and_invitees(shared: Api, people: list[str]) -> None:
    event = await make(
        shared,
        "Event",
        StartDateTime="2026-11-20T10:00:00Z",
        DurationInMinutes=30,
        EventWhoIds=people[:2],
    )
    robin = shared.simulator.user("Robin").id
    await make(shared, "EventRelation", EventId=event, RelationId=robin)
    path = f"/sobjects/Event/{event}"
    assert (await shared("PATCH", path, {"EventWhoIds": people[1:3]}))[0] == 204
    found = await query(
        shared,
        "SELECT RelationId, IsParent, IsInvitee, Status FROM EventRelation "
        f"WHERE EventId = '{event}'",
    )
    assert {(r["RelationId"], r["IsParent"], r["IsInvitee"]) for r in found} == {
        (people[1], True, False),
        (people[2], True, False),
        (robin, False, True),
    }


async def test_upsert_and_collections_take_lists(
    shared: Api, people: list[str]
) -> None:
    path = "/sobjects/Task/Ringbridge_Key__c/call:1"
    assert (await shared("PATCH", path, {"TaskWhoIds": people[:2]}))[0] == 201
    rows = [{"attributes": {"type": "Task"}, "TaskWhoIds": people[:2]}]
    _, results = await shared("POST", "/composite/sobjects", {"records": rows})
    assert isinstance(results, list)
    assert results[0]["success"] is True


_SHARED_TASK = build_schema(SimulatorConfig(shared_activities=True))["task"]
_SOMEBODY = st.sampled_from([id_for("003", n) for n in range(5)] + [id_for("00Q", 1)])


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "WhoId": st.none() | _SOMEBODY,
                "TaskWhoIds": st.lists(_SOMEBODY, unique=True, max_size=6).map(
                    lambda people: ",".join(people) or None
                ),
            },
        ),
        max_size=6,
    )
)
def test_person_and_list_agree_after_any_writes(writes: list[dict[str, Any]]) -> None:
    stored: dict[str, Any] = {}
    for given_ in writes:
        people = split(given_.get("TaskWhoIds"))
        with_leads = any(
            p.startswith("00Q") for p in (*people, given_.get("WhoId") or "")
        )
        try:
            stored = settle(_SHARED_TASK, stored | given_, given_)
        except RestError:
            # Only a lead can be the reason, of this write or an earlier one.
            before = split(stored.get("TaskWhoIds"))
            if with_leads or any(p.startswith("00Q") for p in before):
                continue
            raise
        people = split(stored["TaskWhoIds"])
        assert stored["WhoId"] == (people[0] if people else None)
        assert len(set(people)) == len(people) == stored["WhoCount"]
        if given_.get("WhoId"):
            assert stored["WhoId"] == given_["WhoId"]


async def test_switched_on_late(api: Api, people: list[str]) -> None:
    task = await make(api, "Task", WhoId=people[0])
    api.simulator.reconfigure(shared_activities=True)
    assert (await row(api, "Task", task))["TaskWhoIds"] == [people[0]]
    assert await relations(api, task) == {(people[0], False)}
    path = f"/sobjects/Task/{task}"
    assert (await api("PATCH", path, {"Subject": "x"}))[0] == 204
    assert (await row(api, "Task", task))["WhoId"] == people[0]


async def test_both_survive_a_restart(tmp_path: Any) -> None:
    config = SimulatorConfig(
        person_accounts=True, shared_activities=True, state_file=tmp_path / "org.json"
    )
    first = SalesforceSimulator(config)
    user = first.user("Robin").id
    pia = first.store.create("Account", PIA, user_id=user)
    contact = str(pia.values["PersonContactId"])
    task = first.store.create("Task", {"TaskWhoIds": [contact]}, user_id=user)
    await first.close()
    second = SalesforceSimulator(config)
    again = second.store.get("Task", task.id)
    assert again.values["TaskWhoIds"] == contact
    links = [r.values["TaskId"] for r in second.store.records("TaskRelation")]
    assert links.count(task.id) == 1
    assert len(list(second.store.records("RecordType"))) == 2
