from __future__ import annotations

import asyncio
import json
import random
import time
from pathlib import Path

import aiohttp
import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce import Salesforce, SalesforceExpiredSession, format_soql
from simple_salesforce.exceptions import SalesforceMalformedRequest

from gateway.sandbox.salesforce import (
    ConnectedApp,
    FaultKind,
    PhoneIndexing,
    SalesforceSimulator,
    SimulatorConfig,
)
from gateway.sandbox.salesforce.ids import id_for, normalise, suffix_of

from .conftest import Api, Clock

KEY = "Ringbridge_Key__c"


def test_ids_have_the_checksum_of_salesforce() -> None:
    # The pair is from Salesforce's own documentation of the algorithm's result.
    assert suffix_of("001A0000006Vm9r") == "IAC"
    assert len(id_for("003", 5)) == 18
    whole = id_for("00T", 123_456_789)
    assert normalise(whole[:15]) == whole
    assert normalise(whole.lower()[:15] + whole[15:]) == whole
    assert normalise("nonsense") is None


async def test_rows_come_and_go(api: Api) -> None:
    status, made = await api(
        "POST", "/sobjects/Contact", {"FirstName": "New", "LastName": "Person"}
    )
    assert status == 201
    assert isinstance(made, dict)
    assert (made["success"], made["errors"]) == (True, [])
    path = f"/sobjects/Contact/{made['id']}"
    assert made["id"].startswith("003")
    assert await api("PATCH", path, {"Phone": "+1 646 555 0101"}) == (204, None)
    status, row = await api("GET", path)
    assert isinstance(row, dict)
    assert (row["Name"], row["Phone"]) == ("New Person", "+1 646 555 0101")
    assert row["OwnerId"] == api.simulator.user("Robin").id
    assert api.headers["Sforce-Limit-Info"] == "api-usage=3/100000"
    assert await api("DELETE", path) == (204, None)
    assert await api.refused("GET", path) == (404, "ENTITY_IS_DELETED")


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("Contact", {"FirstName": "A"}, "REQUIRED_FIELD_MISSING"),
        ("Contact", {"LastName": "x" * 81}, "STRING_TOO_LONG"),
        ("Contact", {"LastName": "A", "Nope__c": 1}, "INVALID_FIELD"),
        ("Contact", {"LastName": 5}, "JSON_PARSER_ERROR"),
        ("Contact", {"LastName": "A", "Email": "nope"}, "INVALID_EMAIL_ADDRESS"),
        ("Contact", {"LastName": "A", "AccountId": "x"}, "MALFORMED_ID"),
        (
            "Contact",
            {"LastName": "A", "AccountId": id_for("001", 999)},
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        (
            "Contact",
            {"LastName": "A", "AccountId": id_for("003", 1)},
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        ("Contact", {"LastName": "A", "Id": "003"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (
            "Task",
            {"CallType": "Sideways"},
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        ),
        ("Task", {"ActivityDate": "soon"}, "JSON_PARSER_ERROR"),
        (
            "Task",
            {"WhoId": id_for("00Q", 1), "WhatId": id_for("001", 1)},
            "FIELD_INTEGRITY_EXCEPTION",
        ),
        ("Event", {"Subject": "no time"}, "REQUIRED_FIELD_MISSING"),
        (
            "Contact",
            {"FirstName": "Ana", "LastName": "Ruiz", "Phone": "+16465550175"},
            "DUPLICATES_DETECTED",
        ),
    ],
)
async def test_rules_of_a_write(
    api: Api, kind: str, fields: dict[str, object], code: str
) -> None:
    before = len(list(api.simulator.store.records(kind)))
    assert await api.refused("POST", f"/sobjects/{kind}", fields) == (400, code)
    assert len(list(api.simulator.store.records(kind))) == before


async def test_duplicates_may_be_saved_on_purpose(api: Api) -> None:
    ana = {"FirstName": "Ana", "LastName": "Ruiz", "Phone": "+16465550175"}
    status, reply = await api("POST", "/sobjects/Contact", ana)
    assert isinstance(reply, list)
    records = reply[0]["duplicateResult"]["matchResults"][0]["matchRecords"]
    assert records[0]["record"]["Id"].startswith("003")
    status, _ = await api(
        "POST", "/sobjects/Contact", ana, Sforce_Duplicate_Rule_Header="allowSave=true"
    )
    assert status == 201


async def test_subtype_is_for_creation_only(api: Api) -> None:
    _, made = await api("POST", "/sobjects/Task", {"TaskSubtype": "Call"})
    assert isinstance(made, dict)
    refused = await api.refused(
        "PATCH", f"/sobjects/Task/{made['id']}", {"TaskSubtype": "Email"}
    )
    assert refused == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")


async def test_upsert_by_external_id(api: Api) -> None:
    path = f"/sobjects/Task/{KEY}/call%3A1%2F2"
    status, first = await api("PATCH", path, {"Subject": "Call"})
    assert isinstance(first, dict)
    assert (status, first["created"]) == (201, True)
    status, second = await api("PATCH", path, {"Subject": "Call again"})
    assert isinstance(second, dict)
    assert (status, second["created"], second["id"]) == (200, False, first["id"])
    assert await api("PATCH", path, {"Subject": "x"}, version="45.0") == (204, None)
    assert await api.refused("PATCH", path, {KEY: "call:1"}) == (400, "INVALID_FIELD")
    assert await api.refused("PATCH", "/sobjects/Task/Subject/x", {}) == (
        404,
        "NOT_FOUND",
    )
    missing = f"/sobjects/Task/{KEY}/none?updateOnly=true"
    assert await api.refused("PATCH", missing, {"Subject": "x"}) == (404, "NOT_FOUND")
    task = api.simulator.store.find(first["id"])
    assert task is not None
    assert task.values[KEY] == "call:1/2"
    # One namespace for tasks and events.
    event = {
        "Subject": "Meeting",
        "StartDateTime": "2026-11-20T10:00:00Z",
        "DurationInMinutes": 30,
        KEY: "call:1/2",
    }
    assert await api.refused("POST", "/sobjects/Event", event) == (
        400,
        "DUPLICATE_VALUE",
    )


async def test_several_with_one_external_id(api: Api) -> None:
    for _ in range(2):
        api.simulator.store.seed("Task", {KEY: "call:twice", "Subject": "x"})
    status, reply = await api("PATCH", f"/sobjects/Task/{KEY}/call:twice", {})
    assert status == 300
    assert isinstance(reply, list)
    assert len(reply) == 2


async def test_unmodified_since(api: Api, clock: Clock) -> None:
    contact = next(api.simulator.store.records("Contact"))
    path = f"/sobjects/Contact/{contact.id}"
    since = "Mon, 01 Jan 2024 00:00:00 GMT"
    assert await api.refused(
        "PATCH", path, {"Title": "x"}, If_Unmodified_Since=since
    ) == (412, "ENTITY_MODIFIED")


async def find(api: Api, text: str) -> set[str]:
    _, reply = await api("GET", "/search?q=" + requests.utils.quote(text))
    assert isinstance(reply, dict), reply
    return {row["Name"] for row in reply["searchRecords"]}


async def test_phone_search(api: Api) -> None:
    rest = " IN PHONE FIELDS RETURNING Contact(Id,Name,Phone,Account.Name LIMIT 10)"
    for term in ('"646 555 0175"', "6465550175", "5550175", "0175", "16* OR 64655*"):
        assert "Ana Ruiz" in await find(api, f"FIND {{{term}}}{rest}")
    assert await find(api, f"FIND {{16465550175}}{rest}") == set()
    both = await find(api, f"FIND {{14155550120 OR 4155550120}}{rest}")
    assert both == {"Ben Hartmann", "Chloe Nakamura"}
    assert await find(api, f"FIND {{Ruiz}}{rest}") == set()
    lead = "RETURNING Lead(Name WHERE IsConverted=false), Account(Name)"
    assert await find(api, f"FIND {{2065550143}} IN PHONE FIELDS {lead}") == {
        "Priya Venkataraman"
    }
    api.simulator.reconfigure(phone_indexing=PhoneIndexing.TOKENS)
    assert await find(api, f"FIND {{6465550175}}{rest}") == set()
    assert await find(api, f'FIND {{"646 555 0175"}}{rest}') == {"Ana Ruiz"}


async def test_index_is_late(api: Api, clock: Clock) -> None:
    api.simulator.reconfigure(index_lag_s=10.0)
    fresh = {"LastName": "Fresh", "Phone": "6465550111"}
    await api("POST", "/sobjects/Contact", fresh)
    text = "FIND {6465550111} IN PHONE FIELDS RETURNING Contact(Name)"
    assert await find(api, text) == set()
    _, reply = await api(
        "GET", "/query?q=SELECT+Id+FROM+Contact+WHERE+LastName='Fresh'"
    )
    assert isinstance(reply, dict)
    assert reply["totalSize"] == 1
    clock.now += 11
    assert await find(api, text) == {"Fresh"}


async def test_shape_of_search_before_37_is_not_served(api: Api) -> None:
    status, _ = await api("GET", "/limits", version="36.0")
    assert status == 404


async def names(api: Api, where: str) -> list[str]:
    text = f"SELECT Name, Account.Name FROM Contact {where}"
    _, reply = await api("GET", "/query?q=" + requests.utils.quote(text))
    assert isinstance(reply, dict), reply
    return [row["Name"] for row in reply["records"]]


async def test_queries(api: Api) -> None:
    assert await names(api, "WHERE Account.Name = 'globex' ORDER BY Name") == [
        "Ben Hartmann",
        "Chloe Nakamura",
    ]
    assert await names(api, "WHERE Name LIKE 'ana%' AND CreatedDate = TODAY") == [
        "Ana Ruiz"
    ]
    assert await names(api, "WHERE Phone = null") == ["Dana Whitfield"]
    assert len(await names(api, "ORDER BY Name DESC LIMIT 2 OFFSET 1")) == 2
    assert await names(api, "WHERE NOT (Email != null OR Phone != null)") == []
    assert await names(api, r"WHERE Name = 'O\'Hara'") == []
    _, reply = await api("GET", "/query?q=SELECT+COUNT()+FROM+Lead")
    assert reply == {"totalSize": 1, "done": True, "records": []}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Name = 'a", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Contact WHERE Name='a' AND Name='b' OR Name='c'",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id, id FROM Contact", "MALFORMED_QUERY"),
        ("SELECT Nope FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Contact WHERE CallType = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE IsClosed = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
    ],
)
async def test_queries_refused(api: Api, text: str, code: str) -> None:
    path = "/query?q=" + requests.utils.quote(text)
    assert await api.refused("GET", path) == (400, code)


async def test_query_in_pages(api: Api) -> None:
    for number in range(250):
        api.simulator.store.seed("Account", {"Name": f"A{number:03}"})
    _, page = await api(
        "GET",
        "/query?q=SELECT+Id+FROM+Account",
        Sforce_Query_Options="batchSize=200",
    )
    assert isinstance(page, dict)
    assert (len(page["records"]), page["done"], page["totalSize"]) == (200, False, 254)
    rest = page["nextRecordsUrl"].removeprefix("/services/data/v66.0")
    _, page = await api("GET", rest)
    assert isinstance(page, dict)
    assert (len(page["records"]), page["done"]) == (54, True)


async def test_composite(api: Api) -> None:
    base = "/services/data/v66.0/sobjects"
    parts = [
        {
            "method": "POST",
            "url": f"{base}/Contact",
            "referenceId": "person",
            "body": {"LastName": "Chain"},
        },
        {
            "method": "PATCH",
            "url": f"{base}/Task/{KEY}/call:c",
            "referenceId": "task",
            "body": {"WhoId": "@{person.id}", "Subject": "x"},
        },
    ]
    body = {"allOrNone": True, "compositeRequest": parts}
    status, reply = await api("POST", "/composite", body)
    assert isinstance(reply, dict)
    assert [a["httpStatusCode"] for a in reply["compositeResponse"]] == [201, 201]
    parts[1]["body"] = {"Nope": 1}
    before = api.simulator.store.dump()
    status, reply = await api("POST", "/composite", body)
    assert isinstance(reply, dict)
    first, second = reply["compositeResponse"]
    assert first["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert second["body"][0]["errorCode"] == "INVALID_FIELD"
    assert status == 200
    assert api.simulator.store.dump() == before


async def test_collections(api: Api) -> None:
    rows = [
        {"attributes": {"type": "Task"}, KEY: "call:a", "Subject": "a"},
        {"attributes": {"type": "Task"}, KEY: "call:b", "CallType": "no"},
    ]
    path = f"/composite/sobjects/Task/{KEY}"
    status, reply = await api("PATCH", path, {"allOrNone": False, "records": rows})
    assert isinstance(reply, list)
    assert status == 200
    assert (reply[0]["success"], reply[0]["created"]) == (True, True)
    assert reply[1]["errors"][0]["statusCode"] == (
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    )
    status, reply = await api("PATCH", path, {"allOrNone": True, "records": rows})
    assert isinstance(reply, list)
    assert reply[0]["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    many = {"records": [{"Subject": "x"}] * 201}
    assert (await api.refused("POST", "/composite/sobjects", many))[0] == 400


async def test_describe_tells_what_the_connector_needs(api: Api) -> None:
    _, task = await api("GET", "/sobjects/Task/describe")
    assert isinstance(task, dict)
    fields = {f["name"]: f for f in task["fields"]}
    assert fields[KEY]["externalId"] is True
    assert fields["TaskSubtype"]["updateable"] is False
    assert "Opportunity" in fields["WhatId"]["referenceTo"]
    assert "TaskWhoIds" not in fields


async def test_sizes_of_uri_and_headers(api: Api) -> None:
    assert (await api("GET", "/query?q=" + "x" * 17_000))[0] == 414
    assert (await api("GET", "/limits", X_Long="x" * 17_000))[0] == 431


async def test_limit(api: Api) -> None:
    api.simulator.reconfigure(daily_api_limit=1)
    assert (await api("GET", "/limits"))[0] == 200
    assert await api.refused("GET", "/limits") == (403, "REQUEST_LIMIT_EXCEEDED")


async def test_sessions_expire(api: Api, clock: Clock) -> None:
    clock.now += 7100
    assert (await api("GET", "/limits"))[0] == 200
    clock.now += 7201
    assert await api.refused("GET", "/limits") == (401, "INVALID_SESSION_ID")


# -- sign-in


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        .decode()
    )


async def exchange(
    api: Api, key: rsa.RSAPrivateKey, **changes: object
) -> tuple[int, dict[str, str]]:
    claims = {
        "iss": "consumer",
        "sub": "sam.okafor@acme.example",
        "aud": "https://login.salesforce.com",
        "exp": 1_790_000_000 + 170,
    } | changes
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(claims, key, algorithm="RS256"),
    }
    url = f"{api.simulator.url}/services/oauth2/token"
    async with api.http.post(url, data=form) as reply:
        return reply.status, await reply.json()


async def test_token_by_jwt_bearer(api: Api, private_key: rsa.RSAPrivateKey) -> None:
    pem = public_pem(private_key)
    api.simulator.register(ConnectedApp("consumer", pem))
    status, reply = await exchange(api, private_key)
    assert status == 200
    assert reply["instance_url"] == api.simulator.url
    assert reply["access_token"].startswith(api.simulator.organization_id[:15] + "!")
    assert "refresh_token" not in reply
    api.token = reply["access_token"]
    headers = {"Authorization": f"Bearer {api.token}"}
    base = f"{api.simulator.url}/services/oauth2"
    async with api.http.get(f"{base}/userinfo", headers=headers) as info:
        assert (await info.json())["user_id"] == api.simulator.user("Sam").id
    async with api.http.get(reply["id"], headers=headers) as info:
        assert (await info.json())["organization_id"] == api.simulator.organization_id
    assert (await api("GET", "/limits"))[0] == 200
    async with api.http.post(f"{base}/revoke", data={"token": api.token}) as done:
        assert done.status == 200
    assert await api.refused("GET", "/limits") == (401, "INVALID_SESSION_ID")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"iss": "other"}, "invalid_client_id"),
        ({"sub": "nobody@acme.example"}, "invalid_grant"),
        ({"sub": "robin.reyes@acme.example"}, "invalid_app_access"),
        ({"aud": "https://elsewhere.example"}, "invalid_grant"),
        ({"exp": 1_790_000_000 - 1}, "invalid_grant"),
        ({"exp": 1_790_000_000 + 600}, "invalid_grant"),
        ({"exp": "soon"}, "invalid_grant"),
    ],
)
async def test_assertions_refused(
    api: Api,
    private_key: rsa.RSAPrivateKey,
    changes: dict[str, object],
    error: str,
) -> None:
    pem = public_pem(private_key)
    users = frozenset({"sam.okafor@acme.example"})
    api.simulator.register(ConnectedApp("consumer", pem, users=users))
    status, reply = await exchange(api, private_key, **changes)
    assert (status, reply["error"]) == (400, error)


async def test_assertion_signed_by_another(
    api: Api, private_key: rsa.RSAPrivateKey
) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    api.simulator.register(ConnectedApp("consumer", public_pem(other)))
    status, reply = await exchange(api, private_key)
    assert (status, reply["error"]) == (400, "invalid_grant")


# -- faults


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (FaultKind.SERVER_UNAVAILABLE, 503, "SERVER_UNAVAILABLE"),
        (FaultKind.INVALID_SESSION_ID, 401, "INVALID_SESSION_ID"),
        (FaultKind.UNABLE_TO_LOCK_ROW, 400, "UNABLE_TO_LOCK_ROW"),
        (FaultKind.REQUEST_LIMIT_EXCEEDED, 403, "REQUEST_LIMIT_EXCEEDED"),
        (FaultKind.UNKNOWN_EXCEPTION, 500, "UNKNOWN_EXCEPTION"),
        (FaultKind.DUPLICATES_DETECTED, 300, "DUPLICATES_DETECTED"),
    ],
)
async def test_faults_that_answer(
    api: Api, kind: FaultKind, status: int, code: str
) -> None:
    api.simulator.add_fault(kind, path="/sobjects/Task", times=2, status=300)
    assert (await api("GET", "/limits"))[0] == 200
    for _ in range(2):
        refused = await api.refused("POST", "/sobjects/Task", {"Subject": "x"})
        assert refused == (status, code)
    assert (await api("POST", "/sobjects/Task", {"Subject": "x"}))[0] == 201
    entries = api.simulator.journal.requests("POST", "/sobjects/Task")
    assert [e.fault for e in entries] == [kind, kind, ""]
    assert json.loads(entries[0].body) == {"Subject": "x"}


async def test_lost_reply_has_done_the_work(api: Api) -> None:
    api.simulator.add_fault(FaultKind.LOST_REPLY, method="PATCH")
    path = f"/sobjects/Task/{KEY}/call:lost"
    with pytest.raises(aiohttp.ClientConnectionError):
        await api("PATCH", path, {"Subject": "x"})
    status, reply = await api("PATCH", path, {"Subject": "x"})
    assert isinstance(reply, dict)
    assert (status, reply["created"]) == (200, False)


async def test_down_does_nothing_until_it_is_over(api: Api) -> None:
    api.simulator.add_fault(FaultKind.DOWN, times=None)
    for _ in range(3):
        with pytest.raises(aiohttp.ClientConnectionError):
            await api("PATCH", f"/sobjects/Task/{KEY}/call:down", {"Subject": "x"})
    api.simulator.faults.clear()
    status, _ = await api("PATCH", f"/sobjects/Task/{KEY}/call:down", {"Subject": "x"})
    assert status == 201


async def test_slow_and_hang_and_garbage(api: Api) -> None:
    api.simulator.add_fault(FaultKind.SLOW, delay_s=0.05)
    started = time.monotonic()
    assert (await api("GET", "/limits"))[0] == 200
    assert time.monotonic() - started >= 0.05
    api.simulator.add_fault(FaultKind.HANG, delay_s=3600)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(api("GET", "/limits"), 0.1)
    api.simulator.add_fault(FaultKind.MALFORMED_BODY)
    with pytest.raises(json.JSONDecodeError):
        await api("GET", "/limits")


async def test_control_api(api: Api) -> None:
    base = f"{api.simulator.url}/sandbox"
    order = {"kind": "server_unavailable", "times": None, "probability": 1}
    async with api.http.post(f"{base}/faults", json=order) as reply:
        assert reply.status == 201
        number = (await reply.json())["id"]
    assert (await api("GET", "/limits"))[0] == 503
    async with api.http.delete(f"{base}/faults/{number}") as reply:
        assert reply.status == 204
    assert (await api("GET", "/limits"))[0] == 200
    async with api.http.get(f"{base}/journal?path=limits") as reply:
        statuses = [e["status"] for e in await reply.json()]
        assert statuses == [503, 200]
    for bad in ({"kind": "nope"}, {"kind": "down", "times": 0}, [], {"path": "("}):
        async with api.http.post(f"{base}/faults", json=bad) as reply:
            assert reply.status == 400
    stranger = {"Origin": "http://evil.example"}
    async with api.http.get(f"{base}/faults", headers=stranger) as reply:
        assert reply.status == 403
    async with api.http.get(f"{base}/info", headers={"Host": "evil.example"}) as reply:
        assert reply.status == 403
    async with api.http.get(f"{base}/records/User") as reply:
        assert len(await reply.json()) == 2


async def test_probability_is_drawn_from_the_rng(api: Api) -> None:
    api.simulator.add_fault(FaultKind.UNKNOWN_EXCEPTION, times=None, probability=0.5)
    statuses = [(await api("GET", "/limits"))[0] for _ in range(30)]
    assert set(statuses) == {200, 500}


# -- keeping


async def test_state_survives(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    config = SimulatorConfig(state_file=tmp_path / "org.json")
    first = SalesforceSimulator(config, rng=random.Random(1))
    await first.start()
    api = Api(first, http)
    status, made = await api("PATCH", f"/sobjects/Task/{KEY}/call:k", {"Subject": "x"})
    assert status == 201
    assert isinstance(made, dict)
    await first.close()
    second = SalesforceSimulator(config, rng=random.Random(2))
    await second.start()
    try:
        assert second.identity_public_key_pem == first.identity_public_key_pem
        api.simulator = second
        status, again = await api("PATCH", f"/sobjects/Task/{KEY}/call:k", {})
        assert isinstance(again, dict)
        assert (status, again["id"]) == (200, made["id"])
    finally:
        await second.close()


# -- the real client library


async def test_simple_salesforce() -> None:
    simulator = SalesforceSimulator(SimulatorConfig())
    await simulator.start(tls_port=0)

    def use() -> None:
        with requests.Session() as session:
            # Else a CA bundle named by the environment would win over verify.
            session.trust_env = False
            session.verify = str(simulator.certificate_path)
            client = Salesforce(
                instance_url=simulator.tls_url,
                session_id=simulator.access_token(),
                session=session,
                version="66.0",
            )
            found = client.search(
                "FIND {6465550175} IN PHONE FIELDS RETURNING Contact(Id,Name)"
            )
            (ana,) = found["searchRecords"]
            assert ana["Name"] == "Ana Ruiz"
            rows = client.query_all(
                format_soql("SELECT Id FROM Contact WHERE Id = {}", ana["Id"])
            )
            assert rows["totalSize"] == 1
            assert client.api_usage["api-usage"].used == 2
            made = client.Contact.create({"LastName": "Library"})
            assert client.Contact.get(made["id"])["LastName"] == "Library"
            key = f"{KEY}/call:lib"
            assert client.Task.upsert(key, {"WhoId": ana["Id"]}) == 201
            assert client.Task.upsert(key, {"Subject": "x"}) == 200
            assert client.Task.get_by_custom_id(KEY, "call:lib")["Subject"] == "x"
            assert client.Contact.update(made["id"], {"Title": "T"}) == 204
            assert client.Contact.delete(made["id"]) == 204
            assert client.limits()["DailyApiRequests"]["Max"] == 100_000
            assert client.describe()["maxBatchSize"] == 200
            with pytest.raises(SalesforceMalformedRequest) as refused:
                client.query("SELECT nonsense")
            assert refused.value.content[0]["errorCode"] == "MALFORMED_QUERY"
            simulator.expire_sessions()
            with pytest.raises(SalesforceExpiredSession):
                client.query("SELECT Id FROM Contact")

    try:
        await asyncio.to_thread(use)
    finally:
        await simulator.close()


async def test_bodies_that_are_no_json(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.token}"}
    base = api.simulator.url
    for path, status in (
        ("/services/data/v66.0/sobjects/Task", 400),
        ("/services/data/v66.0/composite", 400),
        ("/sandbox/page/create", 400),
        ("/sandbox/page/opencti", 400),
        ("/sandbox/faults", 400),
    ):
        for body in (b"{", b"\xff", b"[" * 100_000):
            async with api.http.post(base + path, data=body, headers=headers) as reply:
                assert reply.status == status, (path, body[:9])


async def test_page_policy_names_the_adapter_only(
    api: Api, simulator: SalesforceSimulator
) -> None:
    url = f"{simulator.url}/lightning/o/Contact/list"
    async with api.http.get(url) as reply:
        assert (
            "frame-src http://127.0.0.1:8081"
            in (reply.headers["Content-Security-Policy"])
        )
        assert "Permissions-Policy" not in reply.headers
    async with api.http.get(f"{url}?mic=blocked") as reply:
        assert reply.headers["Permissions-Policy"] == "microphone=()"
    for name in ("/static/..%2f..%2fconfig.py", "/static/index.html", "/static/x.js"):
        async with api.http.get(simulator.url + name) as reply:
            assert reply.status == 404
