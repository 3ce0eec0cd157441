"""The simulated org with clients that nobody of this project wrote."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from simple_salesforce import Salesforce, SalesforceLogin, format_external_id
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

from gateway.sandbox.salesforce import (
    ConnectedApp,
    FaultKind,
    SalesforceSimulator,
    SimulatorConfig,
)

HERE = Path(__file__).parent
KEY = "Ringbridge_Key__c"


@pytest.mark.needs("node")
@pytest.mark.needs_npm("jsforce")
async def test_jsforce() -> None:
    app = ConnectedApp(
        "jsforce",
        consumer_secret="jsforce-secret",
        scope="api id refresh_token openid",
        redirect_uris=("https://gw.example/oauth/callback",),
        pkce_required=True,
        pre_authorised=False,
    )
    async with SalesforceSimulator(SimulatorConfig(apps=(app,))) as simulator:
        process = await asyncio.create_subprocess_exec(
            "node",
            "--test",
            "--test-reporter=tap",
            str(HERE / "jsforce.test.mjs"),
            env={
                **os.environ,
                "SALESFORCE_URL": simulator.url,
                "NODE_NO_WARNINGS": "1",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        assert b"# pass 14" in output, output.decode()


# -- simple-salesforce


@pytest.fixture
async def simulator() -> AsyncIterator[SalesforceSimulator]:
    app = ConnectedApp("batch", consumer_secret="s", run_as="sam.okafor@acme.example")
    simulator = SalesforceSimulator(SimulatorConfig(apps=(app,), query_batch_size=2))
    await simulator.start(tls_port=0)
    yield simulator
    await simulator.close()


@contextmanager
def trusting(simulator: SalesforceSimulator) -> Iterator[requests.Session]:
    with requests.Session() as session:
        # Else a CA bundle named by the environment would win over verify.
        session.trust_env = False
        session.verify = str(simulator.certificate_path)
        yield session


async def with_client(
    simulator: SalesforceSimulator, use: Callable[[Salesforce], None]
) -> None:
    """Use the library in direct mode, as the gateway does."""

    def run() -> None:
        with trusting(simulator) as session:
            use(
                Salesforce(
                    instance_url=simulator.tls_url,
                    session_id=simulator.access_token(),
                    session=session,
                    version="66.0",
                )
            )

    await asyncio.to_thread(run)


async def test_simple_salesforce_reads(simulator: SalesforceSimulator) -> None:
    def use(client: Salesforce) -> None:
        text = "SELECT Id, Name, Account.Name FROM Contact ORDER BY Name"
        names = [row["Name"] for row in client.query_all_iter(text)]
        assert len(names) == len(set(names)) > 4
        assert [r["Name"] for r in client.query_all(text)["records"]] == names
        first = client.query(text)
        again = client.query_more(first["nextRecordsUrl"], identifier_is_url=True)
        assert again["records"][0]["Name"] == names[2]
        found = client.quick_search("Ruiz")
        assert found["searchRecords"]
        assert client.describe()["maxBatchSize"] == 200
        described = client.Contact.describe()
        assert {f["name"] for f in described["fields"]} >= {"Phone", "MobilePhone"}
        master = client.Contact.describe_layout("012000000000000AAA")
        assert master["detailLayoutSections"]
        assert client.Contact.metadata()["objectDescribe"]["keyPrefix"] == "003"
        assert client.restful("limits")["DailyApiRequests"]["Max"] == 100_000
        rows = client.restful(
            "composite/sobjects/Contact",
            method="POST",
            json={"ids": [found["searchRecords"][0]["Id"]], "fields": ["Name"]},
        )
        assert rows[0]["Name"] == "Ana Ruiz"

    await with_client(simulator, use)


async def test_simple_salesforce_writes(simulator: SalesforceSimulator) -> None:
    def use(client: Salesforce) -> None:
        key = format_external_id(KEY, "call:a/b c")
        assert client.Task.upsert(key, {"Subject": "x"}) == 201
        reply = client.Task.upsert(key, {"Subject": "y"}, raw_response=True)
        assert (reply.status_code, reply.json()["created"]) == (200, False)
        made = client.Contact.create(
            {"FirstName": "Ana", "LastName": "Ruiz", "Phone": "+16465550175"},
            headers={"Sforce-Duplicate-Rule-Header": "allowSave=true"},
        )
        assert made["success"] is True
        with pytest.raises(SalesforceMalformedRequest, match="MALFORMED_ID"):
            client.Contact.get(made["id"].replace("003", "001", 1))
        assert client.Contact.update(made["id"], {"Title": "T"}) == 204
        assert client.Contact.delete(made["id"]) == 204
        with pytest.raises(SalesforceResourceNotFound):
            client.Contact.get(made["id"])

    await with_client(simulator, use)


async def test_simple_salesforce_is_told(simulator: SalesforceSimulator) -> None:
    for _ in range(2):
        simulator.store.seed("Task", {KEY: "call:twice"})

    def use(client: Salesforce) -> None:
        with pytest.raises(SalesforceMoreThanOneRecord):
            client.Task.upsert(f"{KEY}/call:twice", {"Subject": "x"})
        with pytest.raises(SalesforceResourceNotFound):
            client.Contact.get_by_custom_id("Nothing__c", "1")
        for kind, error, code in (
            (FaultKind.MAINTENANCE, SalesforceGeneralError, None),
            (
                FaultKind.CONCURRENT_LIMIT_EXCEEDED,
                SalesforceRefusedRequest,
                "REQUEST_LIMIT_EXCEEDED",
            ),
        ):
            simulator.add_fault(kind)
            with pytest.raises(error) as refused:
                client.query("SELECT Id FROM Lead")
            if code:
                assert refused.value.content[0]["errorCode"] == code
        asked = len(simulator.journal)
        simulator.expire_sessions()
        with pytest.raises(SalesforceExpiredSession) as expired:
            client.query("SELECT Id FROM Lead")
        assert expired.value.content[0]["errorCode"] == "INVALID_SESSION_ID"
        # In direct mode it asks once and leaves the rest to its caller.
        assert len(simulator.journal) == asked + 1

    await with_client(simulator, use)


async def test_simple_salesforce_signs_in_by_itself(
    simulator: SalesforceSimulator,
) -> None:
    """Its client credentials flow, at the host that it makes of a domain."""

    def run() -> None:
        with trusting(simulator) as session:
            session.mount("https://acme.my.salesforce.com", ToSimulator(simulator))
            token, instance = SalesforceLogin(
                consumer_key="batch",
                consumer_secret="s",
                domain="acme.my",
                session=session,
            )
            client = Salesforce(
                instance=instance, session_id=token, session=session, version="66.0"
            )
            assert client.query("SELECT Id FROM Lead")["totalSize"] == 1
            with pytest.raises(SalesforceAuthenticationFailed, match="invalid_client"):
                SalesforceLogin(
                    consumer_key="batch",
                    consumer_secret="wrong",
                    domain="acme.my",
                    session=session,
                )

    await asyncio.to_thread(run)
    sam = simulator.user("Sam").id
    assert simulator.journal.requests(path="query")[-1].user == sam


class ToSimulator(requests.adapters.HTTPAdapter):
    """Sends what is for a host of Salesforce to the simulator, under that name."""

    def __init__(self, simulator: SalesforceSimulator) -> None:
        super().__init__()
        self._url = simulator.tls_url

    def send(
        self, request: requests.PreparedRequest, *args: object, **more: object
    ) -> requests.Response:
        host = urlsplit(request.url).netloc
        request.headers["Host"] = host
        request.url = self._url + request.url.partition(host)[2]
        return super().send(request, *args, **more)
