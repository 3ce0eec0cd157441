"""API limits, maintenance, locks and slowness; batches, trees and many rows at once."""

from __future__ import annotations

import random
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sandbox.salesforce import FaultKind, SimulatorConfig
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.limits import ApiUsage
from gateway.sandbox.salesforce.org import Org
from gateway.sandbox.salesforce.rest import call_from_url

from .conftest import Api, Clock

# -- API usage


async def test_usage_is_told_and_forgotten_hour_by_hour(api: Api, clock: Clock) -> None:
    api.simulator.reconfigure(daily_api_limit=10)
    api.simulator.set_api_usage(8)
    _, limits = await api("GET", "/limits")
    assert isinstance(limits, dict)
    assert limits["DailyApiRequests"] == {"Max": 10, "Remaining": 1}
    assert api.headers["Sforce-Limit-Info"] == "api-usage=9/10"
    assert (await api("GET", "/limits"))[0] == 200
    assert await api.refused("GET", "/limits") == (403, "REQUEST_LIMIT_EXCEEDED")
    assert api.headers["Sforce-Limit-Info"] == "api-usage=10/10"
    # Sign-in is not counted, and goes on.
    url = f"{api.simulator.url}/services/oauth2/userinfo"
    async with api.http.get(
        url, headers={"Authorization": f"Bearer {api.token}"}
    ) as reply:
        assert reply.status == 200
    clock.now += 24 * 3600
    api.token = api.simulator.access_token()
    assert (await api("GET", "/limits"))[0] == 200
    assert api.headers["Sforce-Limit-Info"] == "api-usage=1/10"


async def test_usage_by_http(api: Api) -> None:
    url = f"{api.simulator.url}/sandbox/usage"
    async with api.http.put(url, json={"api_calls": 95_000}) as reply:
        assert (await reply.json())["api_calls"] == 95_000
    await api("GET", "/limits")
    assert api.headers["Sforce-Limit-Info"] == "api-usage=95001/100000"
    async with api.http.put(url, json={"api_calls": -1}) as reply:
        assert reply.status == 400


@given(st.lists(st.floats(0, 5 * 3600), max_size=60), st.integers(1, 20))
def test_never_more_than_allowed_in_a_day(steps: list[float], allowed: int) -> None:
    now = 1000.0
    usage = ApiUsage(clock=lambda: now, allowed=allowed)
    made: list[float] = []
    for step in steps:
        now += step
        try:
            usage.count()
        except RestError:
            # Of the last 24 hours and what is left of the one before.
            assert sum(t > now - 25 * 3600 for t in made) >= allowed
            continue
        made.append(now)
        assert sum(t > now - 23 * 3600 for t in made) <= allowed
        assert usage.used <= allowed


# -- faults


async def test_too_many_at_once_has_the_same_code(api: Api) -> None:
    api.simulator.add_fault(FaultKind.CONCURRENT_LIMIT_EXCEEDED)
    status, reply = await api("GET", "/limits")
    assert isinstance(reply, list)
    assert (status, reply[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert "Concurrent" in reply[0]["message"]


async def test_maintenance_is_a_page(api: Api, http: aiohttp.ClientSession) -> None:
    api.simulator.add_fault(FaultKind.MAINTENANCE, times=None)
    for path in (
        "/services/data/v66.0/limits",
        "/services/oauth2/authorize",
        "/id/keys",
        "/.well-known/openid-configuration",
    ):
        async with http.get(api.simulator.url + path) as reply:
            assert reply.status == 503
            assert reply.content_type == "text/html"
            assert reply.headers["Retry-After"] == "600"
    api.simulator.faults.clear()
    assert (await api("GET", "/limits"))[0] == 200


async def test_single_rows_are_locked(api: Api) -> None:
    rows = [{"attributes": {"type": "Task"}, "Subject": str(n)} for n in range(3)]
    body = {"records": [*rows, {"attributes": {"type": "Account"}, "Name": "x"}]}
    api.simulator.add_fault(FaultKind.ROW_LOCKED, path="Task", times=2)
    status, results = await api("POST", "/composite/sobjects", body)
    assert isinstance(results, list)
    assert status == 200
    assert [r["success"] for r in results] == [False, False, True, True]
    error = results[0]["errors"][0]
    assert (error["statusCode"], error["fields"]) == ("UNABLE_TO_LOCK_ROW", [])
    ids = [r["id"] for r in results[2:]]
    api.simulator.add_fault(FaultKind.ROW_LOCKED, path="Account")
    _, results = await api("DELETE", f"/composite/sobjects?ids={','.join(ids)}")
    assert isinstance(results, list)
    assert [r["success"] for r in results] == [True, False]
    # A row by itself has the other order for that.
    api.simulator.add_fault(FaultKind.ROW_LOCKED)
    assert (await api("POST", "/sobjects/Task", {"Subject": "x"}))[0] == 201


async def test_all_or_none_with_a_locked_row(api: Api) -> None:
    before = len(list(api.simulator.store.records("Task")))
    rows = [{"attributes": {"type": "Task"}, "Subject": str(n)} for n in range(2)]
    api.simulator.add_fault(FaultKind.ROW_LOCKED)
    _, results = await api(
        "POST", "/composite/sobjects", {"allOrNone": True, "records": rows}
    )
    assert isinstance(results, list)
    assert [r["errors"][0]["statusCode"] for r in results] == [
        "UNABLE_TO_LOCK_ROW",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ]
    assert len(list(api.simulator.store.records("Task"))) == before


# -- batch


async def test_batch(api: Api) -> None:
    parts = [
        {
            "method": "POST",
            "url": "v66.0/sobjects/Contact",
            "richInput": {"LastName": "Batch"},
        },
        {"method": "GET", "url": "v66.0/query?q=SELECT+nonsense"},
        {"method": "GET", "url": "/services/data/v66.0/limits"},
    ]
    status, reply = await api("POST", "/composite/batch", {"batchRequests": parts})
    assert isinstance(reply, dict)
    assert (status, reply["hasErrors"]) == (200, True)
    assert [r["statusCode"] for r in reply["results"]] == [201, 400, 200]
    assert api.headers["Sforce-Limit-Info"] == "api-usage=1/100000"
    body = {"batchRequests": parts[1:], "haltOnError": True}
    _, reply = await api("POST", "/composite/batch", body)
    assert isinstance(reply, dict)
    assert [r["statusCode"] for r in reply["results"]] == [400, 412]
    assert reply["results"][1]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"
    inner = {"method": "POST", "url": "v66.0/composite/batch", "richInput": body}
    _, reply = await api("POST", "/composite/batch", {"batchRequests": [inner]})
    assert isinstance(reply, dict)
    assert reply["results"][0]["statusCode"] == 404
    many = {"batchRequests": [parts[2]] * 26}
    refused = await api.refused("POST", "/composite/batch", many)
    assert refused == (400, "LIMIT_EXCEEDED")


# -- tree


def tree(**contact: object) -> dict[str, Any]:
    return {
        "attributes": {"type": "Account", "referenceId": "firm"},
        "Name": "Tree Ltd",
        "Contacts": {
            "records": [
                {
                    "attributes": {"type": "Contact", "referenceId": "person"},
                    **contact,
                    "Tasks": {
                        "records": [
                            {
                                "attributes": {"type": "Task", "referenceId": "call"},
                                "Subject": "Call",
                            }
                        ]
                    },
                }
            ]
        },
    }


async def test_tree(api: Api) -> None:
    body = {"records": [tree(LastName="Leaf")]}
    status, reply = await api("POST", "/composite/tree/Account", body)
    assert isinstance(reply, dict)
    assert (status, reply["hasErrors"]) == (201, False)
    made = {r["referenceId"]: r["id"] for r in reply["results"]}
    task = api.simulator.store.get("Task", made["call"])
    assert (task.values["WhoId"], task.values["AccountId"]) == (
        made["person"],
        made["firm"],
    )


async def test_a_tree_is_planted_whole_or_not_at_all(api: Api) -> None:
    before = api.simulator.store.dump()
    status, reply = await api(
        "POST", "/composite/tree/Account", {"records": [tree(FirstName="Nameless")]}
    )
    assert isinstance(reply, dict)
    assert (status, reply["hasErrors"]) == (400, True)
    (result,) = reply["results"]
    assert result["referenceId"] == "person"
    assert result["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert api.simulator.store.dump() == before


@pytest.mark.parametrize(
    "records",
    [
        [],
        [{"Name": "no reference"}],
        [tree(LastName="a"), tree(LastName="b")],
        [{"attributes": {"referenceId": "a"}, "Leaves": {"records": [{}]}}],
        [{"attributes": {"referenceId": f"r{n}"}, "Name": "x"} for n in range(201)],
    ],
)
async def test_trees_refused(api: Api, records: list[dict[str, Any]]) -> None:
    status, _ = await api.refused(
        "POST", "/composite/tree/Account", {"records": records}
    )
    assert status == 400


# -- many rows of one object


async def test_many_rows_are_read_at_once(api: Api) -> None:
    first, second = [c.id for c in api.simulator.store.records("Contact")][:2]
    account = next(api.simulator.store.records("Account")).id
    ids = [second, account, first, "nonsense"]
    body = {"ids": ids, "fields": ["Name"]}
    for status, rows in (
        await api("POST", "/composite/sobjects/Contact", body),
        await api(
            "GET", f"/composite/sobjects/Contact?ids={','.join(ids)}&fields=Name"
        ),
    ):
        assert isinstance(rows, list)
        assert status == 200
        names = [row and row["Name"] for row in rows]
        assert names == ["Ben Hartmann", None, "Ana Ruiz", None]
    assert await api.refused(
        "POST", "/composite/sobjects/Contact", {"ids": ids, "fields": ["Nope"]}
    ) == (400, "INVALID_FIELD")
    assert await api.refused("GET", "/composite/sobjects/Contact") == (
        400,
        "INVALID_INPUT",
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("records", "batchRequests", "compositeRequest", "attributes"),
                    *("url", "method", "richInput", "ids", "fields", "referenceId"),
                    *("Contacts", "Name", "type", "body", "allOrNone"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.sampled_from(
        [
            *("", "/batch", "/tree/Account", "/sobjects", "/sobjects/Contact"),
            "/sobjects/Task/Ringbridge_Key__c",
        ]
    ),
    st.sampled_from(["POST", "PATCH", "DELETE", "GET"]),
    _JSON,
)
def test_whatever_comes_is_answered(path: str, method: str, body: object) -> None:
    call = call_from_url(
        method,
        f"/services/data/v66.0/composite{path}",
        user_id=_ORG.default_user().id,
        headers={},
        body=body,
        own_url="",
    )
    try:
        status = _ORG.api.answer(call).status
    except RestError as error:
        status = error.status
    assert 200 <= status < 500


_ORG = Org(SimulatorConfig(), clock=Clock(), rng=random.Random(3))
