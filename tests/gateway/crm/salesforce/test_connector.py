"""The connector against a Salesforce that misbehaves in every known way."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.crm.connector import (
    Activity,
    ActivityDirection,
    ContactDraft,
    CrmDuplicateFound,
    CrmError,
    CrmLimitExceeded,
    CrmLimitNear,
    CrmRefused,
    CrmSignInFailed,
    CrmUnavailable,
    CrmUser,
    MatchCertainty,
)
from gateway.crm.salesforce import SalesforceConfig, SalesforceConnector
from tests.gateway.crm.salesforce.conftest import Clock
from tests.gateway.crm.salesforce.server import FakeSalesforce, Fault, error

ALEX = CrmUser("acme", "005000000000001AAA", "alex@acme.example")
SAM = CrmUser("acme", "005000000000002AAA", "sam@acme.example")
NUMBER = "+14155551212"
ANA_ID = "003000000000001AAA"
KEY = "call:7d0c/ü 1"
CALL = Activity(
    key=KEY,
    user=ALEX,
    direction=ActivityDirection.INBOUND,
    subject="Call from Ana Ruiz, answered",
    outcome="Answered",
    description="Incoming call, answered",
    started_at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC),
    duration_s=65,
    number=NUMBER,
    who_id=ANA_ID,
)


def row(
    kind: str, record_id: str, name: str, phone: str = NUMBER, **more: Any
) -> dict[str, Any]:
    return {
        "attributes": {"type": kind, "url": f"/x/{record_id}"},
        "Id": record_id,
        "Name": name,
        "Phone": phone,
        **more,
    }


ANA = row("Contact", ANA_ID, "Ana Ruiz", "(415) 555-1212", Account={"Name": "Ruiz"})


# Sign-in -------------------------------------------------------------------------


async def test_one_token_serves_many_at_once(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    numbers = [f"+1415555{number:04}" for number in range(1200, 1220)]
    await asyncio.gather(*(connector.find_by_number(ALEX, n) for n in numbers))
    assert len(salesforce.issued) == 1
    assert salesforce.count("search") == 20
    assert salesforce.most_at_once <= 4
    (claims,) = salesforce.assertions
    assert claims["sub"] == "alex@acme.example"
    assert claims["iss"] == "app"
    assert claims["exp"] - datetime.now(UTC).timestamp() <= 180
    await connector.find_by_number(SAM, NUMBER)
    assert len(salesforce.issued) == 2


async def test_an_expired_token_is_renewed_once_and_unseen(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    await connector.find_by_number(ALEX, NUMBER)
    salesforce.tokens.clear()
    numbers = [f"+1415555{number:04}" for number in range(1300, 1304)]
    await asyncio.gather(*(connector.find_by_number(ALEX, n) for n in numbers))
    assert len(salesforce.issued) == 2


async def test_a_token_that_is_never_accepted_costs_four_requests(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.refuse_tokens = True
    with pytest.raises(CrmSignInFailed) as caught:
        await connector.write_activity(CALL)
    assert caught.value.code == "INVALID_SESSION_ID"
    assert len(salesforce.requests) == 4


@pytest.mark.parametrize("body", [b"", b"<html>", {"a": 1}, [], [None], "x", None])
async def test_a_401_of_any_shape_is_bounded(
    connector: SalesforceConnector, salesforce: FakeSalesforce, body: object
) -> None:
    salesforce.faults = [Fault(status=401, body=body, times=99)]
    with pytest.raises(CrmSignInFailed):
        await connector.find_by_number(ALEX, NUMBER)
    assert len(salesforce.requests) == 4


async def test_a_token_is_renewed_before_it_is_too_old(
    connector: SalesforceConnector, salesforce: FakeSalesforce, clock: Clock
) -> None:
    await connector.find_by_number(ALEX, NUMBER)
    clock.now += 3601
    await connector.find_by_number(ALEX, NUMBER)
    assert len(salesforce.issued) == 2


async def test_a_refused_sign_in_is_named_and_not_repeated_at_once(
    connector: SalesforceConnector, salesforce: FakeSalesforce, clock: Clock
) -> None:
    said = {
        "error": "invalid_grant",
        "error_description": "user hasn't approved this consumer",
    }
    salesforce.faults = [Fault("oauth2", status=400, body=said, times=9)]
    for _ in range(5):
        with pytest.raises(CrmSignInFailed, match="hasn't approved") as caught:
            await connector.find_by_number(ALEX, NUMBER)
        assert caught.value.code == "invalid_grant"
    assert len(salesforce.requests) == 1
    clock.now += 31
    salesforce.faults = []
    assert await connector.find_by_number(ALEX, NUMBER) == ()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("oauth2", status=503),
        Fault("oauth2", status=200, body=b"<html>"),
        Fault("oauth2", status=200, body={"access_token": "a\r\nb"}),
        Fault("oauth2", status=200, body={"access_token": 7}),
        Fault("oauth2", status=200, body=[]),
        Fault("oauth2", status=302, headers={"Location": "http://127.0.0.1:9/"}),
        Fault("oauth2", drops=True),
    ],
)
async def test_a_broken_token_endpoint_is_an_outage(
    connector: SalesforceConnector, salesforce: FakeSalesforce, fault: Fault
) -> None:
    salesforce.faults = [replace(fault)]
    with pytest.raises(CrmUnavailable):
        await connector.find_by_number(ALEX, NUMBER)
    assert salesforce.count("search") == 0
    assert await connector.find_by_number(ALEX, NUMBER) == ()


async def test_one_callers_patience_is_not_the_others(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    gate = asyncio.Event()
    salesforce.faults = [
        Fault("oauth2", status=200, body={"access_token": "t"}, waits=gate)
    ]
    salesforce.tokens.add("t")
    first = asyncio.create_task(connector.find_by_number(ALEX, NUMBER))
    second = asyncio.create_task(connector.find_by_number(ALEX, NUMBER))
    async with asyncio.timeout(10):
        await salesforce.until("oauth2", 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    gate.set()
    assert await second == ()
    assert salesforce.count("oauth2") == 1


# Searching -----------------------------------------------------------------------


async def test_who_is_calling(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.found = [
        row("Account", "001000000000001AAA", "Ruiz Ltd"),
        row("Lead", "00Q000000000001AAA", "Lee", Company="Lee Inc"),
        row("Contact", "003000000000002AAA", "Local", "555-1212"),
        row("Contact", "003000000000003AAA", "Older", LastActivityDate="2026-01-01"),
        row("Contact", "003000000000004AAA", "Newer", LastActivityDate="2026-11-01"),
        row("Contact", "003000000000005AAA", "Mine", OwnerId=ALEX.id),
        row("Contact", "003000000000006AAA", "Somebody else", "+1 212 555 0100"),
        row("Contact", "003000000000007AAA", "Mobile", "", MobilePhone="4155551212"),
        row("Opportunity", "006000000000001AAA", "No person"),
        {"Id": "003000000000008AAA"},
    ]
    found = await connector.find_by_number(ALEX, NUMBER)
    names = [record.name for record in found]
    assert names == ["Mine", "Newer", "Older", "Mobile", "Lee", "Ruiz Ltd", "Local"]
    assert [record.certainty for record in found[-2:]] == [
        MatchCertainty.EXACT,
        MatchCertainty.POSSIBLE,
    ]
    assert found[4].company == "Lee Inc"
    assert found[0].url == (
        "https://acme.lightning.force.com/lightning/r/Contact/003000000000005AAA/view"
    )


async def test_an_answer_is_remembered_for_that_user_only(
    connector: SalesforceConnector, salesforce: FakeSalesforce, clock: Clock
) -> None:
    salesforce.found = [ANA]
    for _ in range(3):
        (ana,) = await connector.find_by_number(ALEX, NUMBER)
    assert (ana.name, ana.company) == ("Ana Ruiz", "Ruiz")
    assert salesforce.count("search") == 1
    salesforce.found = []
    assert await connector.find_by_number(SAM, NUMBER) == ()
    clock.now += 9
    assert await connector.find_by_number(SAM, NUMBER) == ()
    assert salesforce.count("search") == 2
    clock.now += 2
    await connector.find_by_number(SAM, NUMBER)
    assert salesforce.count("search") == 3
    clock.now += 50
    assert await connector.find_by_number(ALEX, NUMBER) == ()


@pytest.mark.parametrize("number", ["", "205", "*97", "alice", "1;2", "+1"])
async def test_what_is_no_number_is_not_searched(
    connector: SalesforceConnector, salesforce: FakeSalesforce, number: str
) -> None:
    assert await connector.find_by_number(ALEX, number) == ()
    assert salesforce.requests == []


async def test_hidden_fields_are_left_out(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.hidden_fields = {"OtherPhone"}
    salesforce.found = [ANA]
    assert len(await connector.find_by_number(ALEX, NUMBER)) == 1
    assert salesforce.count("search") == 3
    await connector.find_by_number(ALEX, "+14155551213")
    assert salesforce.count("search") == 4


async def test_a_hidden_email_costs_no_number(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.hidden_fields = {"Email"}
    for number in (NUMBER, "+14155551213"):
        await connector.find_by_number(ALEX, number)
    assert salesforce.count("search") == 3
    for text in salesforce.searches[1:]:
        assert "Email" not in text
        assert "OtherPhone" in text


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", {"searchRecords": 7}, {"x": []}, [1], "a", 7]
)
async def test_an_unreadable_answer_is_an_outage(
    connector: SalesforceConnector, salesforce: FakeSalesforce, body: object
) -> None:
    salesforce.faults = [Fault("search", status=200, body=body)]
    with pytest.raises(CrmUnavailable):
        await connector.find_by_number(ALEX, NUMBER)


async def test_the_old_shape_of_an_answer_is_read(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.faults = [Fault("search", status=200, body=[ANA])]
    (found,) = await connector.find_by_number(ALEX, NUMBER)
    assert found.id == ANA_ID


async def test_a_user_of_another_tenant_is_refused(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    stranger = replace(ALEX, tenant="zeta")
    with pytest.raises(CrmRefused):
        await connector.find_by_number(stranger, NUMBER)
    with pytest.raises(CrmRefused):
        await connector.create_contact(stranger, ContactDraft("X"))
    with pytest.raises(CrmRefused):
        await connector.write_activity(replace(CALL, user=stranger))
    with pytest.raises(CrmRefused, match="username"):
        await connector.find_by_number(replace(ALEX, username=""), NUMBER)
    assert salesforce.requests == []


# Contacts ------------------------------------------------------------------------


async def test_a_new_contact_is_found_at_once(
    connector: SalesforceConnector, salesforce: FakeSalesforce, clock: Clock
) -> None:
    assert await connector.find_by_number(ALEX, NUMBER) == ()
    draft = ContactDraft("Ruiz", "Ana", "(415) 555-1212", "Ruiz Ltd")
    made = await connector.create_contact(ALEX, draft)
    assert (made.name, made.kind) == ("Ana Ruiz", "Contact")
    assert await connector.find_by_number(ALEX, NUMBER) == (made,)
    assert await connector.find_by_number(SAM, NUMBER) == ()
    # When the index has caught up there is still only one.
    clock.now += 11
    salesforce.found = [row("Contact", made.id, "Ana Ruiz")]
    assert len(await connector.find_by_number(ALEX, NUMBER)) == 1
    (contact,) = salesforce.contacts
    assert contact["Description"] == "Company: Ruiz Ltd"
    assert "OwnerId" not in contact


async def test_a_contact_joins_the_account_of_its_company(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.accounts = {
        "Ruiz Ltd": ["001000000000001AAA"],
        "Common": ["001000000000002AAA", "001000000000003AAA"],
    }
    for company in ("Ruiz Ltd", "Common"):
        await connector.create_contact(ALEX, ContactDraft("R", company=company))
    assert salesforce.contacts[0]["AccountId"] == "001000000000001AAA"
    assert "AccountId" not in salesforce.contacts[1]


@pytest.mark.parametrize("status", [300, 400])
async def test_a_duplicate_rule_names_the_records(
    connector: SalesforceConnector, salesforce: FakeSalesforce, status: int
) -> None:
    match = {"record": {**ANA}}
    result = {"matchResults": [{"matchRecords": [match, match, {"record": 7}]}, 7]}
    body = error(
        "DUPLICATES_DETECTED", "Use one of these records?", duplicateResult=result
    )
    salesforce.faults = [Fault("Contact", status=status, body=body)]
    with pytest.raises(CrmDuplicateFound, match="Use one") as caught:
        await connector.create_contact(ALEX, ContactDraft("Ruiz"))
    assert not caught.value.retryable
    (record,) = caught.value.records
    assert (record.id, record.kind, record.name) == (ANA_ID, "Contact", "Ana Ruiz")
    assert record.url.endswith(f"/Contact/{ANA_ID}/view")


async def test_a_create_whose_answer_was_lost_is_found_again(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.faults = [Fault("Contact", method="POST", commits=True, drops=True)]
    made = await connector.create_contact(ALEX, ContactDraft("Ruiz", "Ana", NUMBER))
    assert made.id == salesforce.contacts[0]["Id"]
    assert len(salesforce.contacts) == 1
    salesforce.faults = [Fault("Contact", method="POST", drops=True)]
    with pytest.raises(CrmUnavailable):
        await connector.create_contact(ALEX, ContactDraft("Other"))


async def test_the_integration_user_creates_for_the_rep(
    config: SalesforceConfig, salesforce: FakeSalesforce
) -> None:
    config = replace(config, integration_username="robot@acme.example")
    connector = SalesforceConnector(config, rng=random.Random(1))
    await connector.create_contact(replace(ALEX, username=""), ContactDraft("Ruiz"))
    assert salesforce.contacts[0]["OwnerId"] == ALEX.id
    assert salesforce.assertions[0]["sub"] == "robot@acme.example"
    await connector.close()


# Activities ----------------------------------------------------------------------


async def test_a_call_becomes_a_task(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    written = await connector.write_activity(CALL)
    assert written.created
    assert salesforce.tasks == {
        KEY: {
            "Id": written.record_id,
            "Subject": "Call from Ana Ruiz, answered",
            "Status": "Completed",
            "TaskSubtype": "Call",
            "CallType": "Inbound",
            "CallDurationInSeconds": 65,
            "CallDisposition": "Answered",
            "CallObject": KEY,
            "Description": "Incoming call, answered",
            "ActivityDate": "2026-11-20",
            "OwnerId": ALEX.id,
            "WhoId": ANA_ID,
        }
    }
    assert written.url == (
        f"https://acme.lightning.force.com/lightning/r/Task/{written.record_id}/view"
    )


async def test_a_note_is_a_task_that_is_no_call(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    note = replace(CALL, key="noshow:1", subject="No-show: Ana", is_call=False)
    written = await connector.write_activity(note)
    assert salesforce.tasks["noshow:1"] == {
        "Id": written.record_id,
        "Subject": "No-show: Ana",
        "Status": "Completed",
        "TaskSubtype": "Task",
        "Description": "Incoming call, answered",
        "ActivityDate": "2026-11-20",
        "OwnerId": ALEX.id,
        "WhoId": ANA_ID,
    }
    salesforce.tasks["noshow:1"]["Subject"] = "edited"
    assert not (await connector.write_activity(note)).created
    assert salesforce.tasks["noshow:1"]["Subject"] == "edited"


async def test_a_repeat_finds_the_task_and_leaves_what_people_edited(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    first = await connector.write_activity(CALL)
    salesforce.tasks[KEY]["Description"] = "edited"
    again = await connector.write_activity(CALL)
    assert (again.record_id, again.created) == (first.record_id, False)
    assert salesforce.tasks[KEY]["Description"] == "edited"
    moved = replace(CALL, who_id="", what_id="001000000000001AAA")
    await connector.write_activity(moved)
    assert salesforce.tasks[KEY]["WhoId"] is None
    assert salesforce.tasks[KEY]["WhatId"] == "001000000000001AAA"
    await connector.write_activity(replace(CALL, who_id="00Q000000000001AAA"))
    assert salesforce.tasks[KEY]["WhatId"] is None
    assert len(salesforce.tasks) == 1


async def test_an_organisation_that_updates_the_subtype(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.create_only_is_refused = False
    first = await connector.write_activity(CALL)
    again = await connector.write_activity(CALL)
    assert (again.record_id, again.created) == (first.record_id, False)
    salesforce.no_body_on_update = True
    again = await connector.write_activity(CALL)
    assert (again.record_id, again.created) == (first.record_id, False)


async def test_an_organisation_without_the_subtype(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    body = error(
        "INVALID_FIELD", "No such column 'TaskSubtype' on sobject of type Task"
    )
    salesforce.faults = [Fault("Task", method="PATCH", status=400, body=body)]
    assert (await connector.write_activity(CALL)).created
    assert "TaskSubtype" not in salesforce.tasks[KEY]


@pytest.mark.parametrize(
    ("who", "what", "expected"),
    [
        (ANA_ID, "006000000000001AAA", (ANA_ID, "006000000000001AAA")),
        ("00Q000000000001AAA", "006000000000001AAA", ("00Q000000000001AAA", None)),
        ("001000000000001AAA", "", (None, "001000000000001AAA")),
        ("'; DROP", "../../x", (None, None)),
        ("", "", (None, None)),
    ],
)
async def test_what_a_task_is_linked_to(
    connector: SalesforceConnector,
    salesforce: FakeSalesforce,
    who: str,
    what: str,
    expected: tuple[str | None, str | None],
) -> None:
    await connector.write_activity(replace(CALL, who_id=who, what_id=what))
    (made,) = salesforce.tasks.values()
    assert (made.get("WhoId"), made.get("WhatId")) == expected


async def test_long_texts_are_cut(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    long = replace(CALL, subject="s" * 999, outcome="o" * 999, description="d" * 99_999)
    await connector.write_activity(long)
    (made,) = salesforce.tasks.values()
    assert len(made["Subject"]) == len(made["CallDisposition"]) == 255
    assert len(made["Description"]) == 32_000


@pytest.mark.parametrize(
    "fault",
    [
        Fault("Task", commits=True, drops=True),
        Fault("Task", commits=True, status=502, body=b"<html>"),
        Fault("Task", commits=True, status=201, body=b"{"),
        Fault("Task", commits=True, status=201, body={"success": True}),
        Fault("Task", commits=True, status=500, body=error("UNKNOWN_EXCEPTION")),
        Fault("Task", drops=True),
        Fault("Task", status=503, body=error("SERVER_UNAVAILABLE")),
        Fault("Task", status=400, body=error("UNABLE_TO_LOCK_ROW")),
        Fault("Task", status=429, headers={"Retry-After": "7"}),
        Fault("Task", status=420),
        Fault("Task", status=302, headers={"Location": "https://maintenance.example"}),
        Fault("Task", status=403, body=b"<html>a proxy</html>"),
        Fault("Task", status=404, body=b"<html>a proxy</html>"),
        Fault("Task", status=300, body=b"<html>"),
    ],
)
async def test_what_may_pass_is_retryable_and_a_retry_makes_one_task(
    connector: SalesforceConnector, salesforce: FakeSalesforce, fault: Fault
) -> None:
    salesforce.faults = [replace(fault)]
    with pytest.raises(CrmUnavailable) as caught:
        await connector.write_activity(CALL)
    assert caught.value.retryable
    assert caught.value.retry_after_s == (7.0 if fault.status == 429 else None)
    assert (await connector.write_activity(CALL)).record_id
    assert len(salesforce.tasks) == 1


@pytest.mark.parametrize(
    "code",
    [
        "REQUIRED_FIELD_MISSING",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "INVALID_FIELD",
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "STRING_TOO_LONG",
        "MALFORMED_ID",
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "ENTITY_IS_DELETED",
        "NOT_FOUND",
    ],
)
async def test_a_refusal_is_final_and_named(
    connector: SalesforceConnector, salesforce: FakeSalesforce, code: str
) -> None:
    status = 404 if code == "NOT_FOUND" else 400
    salesforce.faults = [
        Fault("Task", status=status, body=error(code, "no such thing"), times=9)
    ]
    with pytest.raises(CrmRefused, match="no such thing") as caught:
        await connector.write_activity(CALL)
    assert (caught.value.code, caught.value.retryable) == (code, False)
    assert salesforce.count("Task") == 1


async def test_a_lost_race_is_run_again(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    body = error("DUPLICATE_VALUE", "duplicates value on record with id: 00T")
    salesforce.faults = [Fault("Task", status=400, body=body, commits=True)]
    assert not (await connector.write_activity(CALL)).created
    assert len(salesforce.tasks) == 1
    salesforce.faults = [Fault("Task", status=400, body=body, times=99)]
    seen = salesforce.count("Task")
    with pytest.raises(CrmUnavailable):
        await connector.write_activity(replace(CALL, key="call:other"))
    assert salesforce.count("Task") == seen + 3


async def test_a_key_that_is_there_twice_is_no_third_time(
    connector: SalesforceConnector,
    salesforce: FakeSalesforce,
    caplog: pytest.LogCaptureFixture,
) -> None:
    addresses = [f"/services/data/v66.0/sobjects/Task/00T{n:015}" for n in (2, 1)]
    salesforce.duplicate_keys = {KEY: addresses}
    written = await connector.write_activity(CALL)
    assert (written.record_id, written.created) == ("00T000000000000001", False)
    assert "not unique" in caplog.text


# Bounds --------------------------------------------------------------------------


async def test_the_used_up_allowance_stops_everything_for_a_while(
    connector: SalesforceConnector, salesforce: FakeSalesforce, clock: Clock
) -> None:
    body = error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    salesforce.faults = [Fault("Task", status=403, body=body)]
    for _ in range(3):
        with pytest.raises(CrmLimitExceeded) as caught:
            await connector.write_activity(CALL)
        assert caught.value.retry_after_s == 900.0
    with pytest.raises(CrmLimitExceeded):
        await connector.find_by_number(ALEX, NUMBER)
    assert len(salesforce.requests) == 2
    clock.now += 61
    assert await connector.find_by_number(ALEX, NUMBER) == ()
    with pytest.raises(CrmLimitExceeded):
        await connector.write_activity(CALL)
    clock.now += 840
    assert (await connector.write_activity(CALL)).created


async def test_too_many_at_one_time_is_no_used_up_allowance(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    body = error(
        "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API) Limit exceeded."
    )
    salesforce.faults = [Fault("Task", status=403, body=body)]
    with pytest.raises(CrmUnavailable) as caught:
        await connector.write_activity(CALL)
    assert caught.value.retry_after_s == 5.0
    assert (await connector.write_activity(CALL)).created


async def test_near_the_allowance_callers_come_first(
    connector: SalesforceConnector, salesforce: FakeSalesforce, clock: Clock
) -> None:
    salesforce.limit_info = "api-usage=4500/5000; per-app-api-usage=1/9(appName=x)"
    await connector.find_by_number(ALEX, NUMBER)
    assert connector.api_usage == 0.9
    moved = replace(CALL, what_id="006000000000001AAA")
    for can_wait in (
        connector.find_people(ALEX, "ana"),
        connector.activity_facts(ALEX),
        connector.write_activity(moved, (CALL,), urgent=False),
    ):
        with pytest.raises(CrmLimitNear, match="90%"):
            await can_wait
    assert connector.held_back == 3
    assert salesforce.count("Task") == 0
    await connector.find_by_number(ALEX, "+14155551213")
    assert (await connector.write_activity(CALL)).created
    # A reading that old says nothing: one request finds out.
    salesforce.limit_info = "api-usage=10/5000"
    clock.now += 901
    assert not (await connector.write_activity(moved, (CALL,), urgent=False)).created
    assert salesforce.tasks[KEY]["WhatId"] == moved.what_id


async def test_an_outage_opens_the_circuit_and_one_trial_closes_it(
    connector: SalesforceConnector, salesforce: FakeSalesforce, clock: Clock
) -> None:
    await connector.find_by_number(ALEX, NUMBER)
    salesforce.faults = [Fault(status=503, times=99)]
    for number in range(9):
        with pytest.raises(CrmUnavailable):
            await connector.find_by_number(ALEX, f"+1415555130{number}")
    assert salesforce.count("search") == 1 + 5
    assert connector.is_circuit_open
    clock.now += 6
    salesforce.faults = []
    assert await connector.find_by_number(ALEX, "+14155551400") == ()
    assert not connector.is_circuit_open


async def test_row_locks_open_no_circuit(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.faults = [
        Fault("Task", status=400, body=error("UNABLE_TO_LOCK_ROW"), times=9)
    ]
    for _ in range(9):
        with pytest.raises(CrmUnavailable, match="UNABLE_TO_LOCK_ROW"):
            await connector.write_activity(CALL)
    assert not connector.is_circuit_open
    assert salesforce.count("Task") == 9


async def test_a_slow_answer_is_given_up(
    impatient: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    gate = asyncio.Event()
    salesforce.faults = [Fault("Task", commits=True, waits=gate)]
    with pytest.raises(CrmUnavailable, match="in time"):
        await impatient.write_activity(CALL)
    gate.set()
    assert not (await impatient.write_activity(CALL)).created
    assert len(salesforce.tasks) == 1


async def test_a_caller_that_gives_up_does_not_wait_for_the_thread(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    gate = asyncio.Event()
    await connector.find_by_number(ALEX, "+14155551213")
    salesforce.faults = [Fault("search", waits=gate)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await connector.find_by_number(ALEX, NUMBER)
    assert await connector.find_by_number(ALEX, NUMBER) == ()
    gate.set()


async def test_a_stuck_salesforce_bounds_what_waits(
    config: SalesforceConfig, salesforce: FakeSalesforce
) -> None:
    connector = SalesforceConnector(
        replace(config, workers=2, max_waiting=3), rng=random.Random(1)
    )
    gate = asyncio.Event()
    await connector.find_by_number(ALEX, NUMBER)
    salesforce.faults = [
        Fault("search", status=200, body={"searchRecords": []}, waits=gate, times=9)
    ]
    numbers = [f"+1415555130{number}" for number in range(6)]
    jobs = [asyncio.create_task(connector.find_by_number(ALEX, n)) for n in numbers]
    refused, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
    for job in refused:
        with pytest.raises(CrmUnavailable, match="Too many"):
            job.result()
    gate.set()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(result) for result in results] == [tuple] * 3 + [CrmUnavailable] * 3
    await connector.find_by_number(ALEX, "+14155551400")
    await connector.close()


async def test_writes_leave_threads_for_callers(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    gate = asyncio.Event()
    await connector.find_by_number(ALEX, NUMBER)
    salesforce.faults = [Fault("Task", status=503, waits=gate, times=9)]
    writes = [
        asyncio.create_task(connector.write_activity(replace(CALL, key=f"call:{n}")))
        for n in range(6)
    ]
    async with asyncio.timeout(10):
        await salesforce.until("Task", 2)
        assert await connector.find_by_number(ALEX, "+14155551213") == ()
    assert salesforce.count("Task") == 2
    gate.set()
    await asyncio.gather(*writes, return_exceptions=True)


async def test_a_huge_answer_is_cut_off(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.faults = [Fault("search", status=200, body=b"[" * (5 * 1024 * 1024))]
    with pytest.raises(CrmUnavailable, match="too long"):
        await connector.find_by_number(ALEX, NUMBER)


async def test_nobody_there(config: SalesforceConfig) -> None:
    config = replace(
        config, my_domain="http://127.0.0.1:9", token_url="http://127.0.0.1:9/token"
    )
    connector = SalesforceConnector(config, rng=random.Random(1))
    with pytest.raises(CrmUnavailable):
        await connector.find_by_number(ALEX, NUMBER)
    await connector.close()
    with pytest.raises(CrmUnavailable):
        await connector.find_by_number(ALEX, NUMBER)


# Secrets -------------------------------------------------------------------------


async def test_no_secret_is_ever_said(
    connector: SalesforceConnector,
    config: SalesforceConfig,
    salesforce: FakeSalesforce,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = [repr(config), repr(connector), repr(connector._tokens)]
    await connector.write_activity(CALL)
    for user, fault in (
        (ALEX, Fault(status=401, times=99)),
        (ALEX, Fault(drops=True)),
        (SAM, Fault("oauth2", drops=True)),
        (ALEX, Fault(status=400, body=error("X"))),
    ):
        salesforce.faults = [fault]
        with pytest.raises(CrmError) as caught:
            await connector.write_activity(replace(CALL, user=user))
        failure: BaseException | None = caught.value
        while failure is not None:
            said += [repr(failure), str(failure), repr(vars(failure))]
            assert not hasattr(failure, "request")
            failure = failure.__cause__ or failure.__context__
    said += [record.getMessage() for record in caplog.records]
    body = config.private_key.splitlines()[1]
    for text in said:
        assert "00D!secret" not in text
        assert body not in text
        assert "eyJ" not in text


def test_a_bad_key_is_refused_without_quoting_it(config: SalesforceConfig) -> None:
    with pytest.raises(ValueError, match="RSA") as caught:
        SalesforceConnector(
            replace(config, private_key="hunter2"), rng=random.Random(1)
        )
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"my_domain": "http://acme.my.salesforce.com"},
        {"my_domain": "ftp://127.0.0.1"},
        {"my_domain": "https://a:b@acme.my.salesforce.com"},
        {"token_url": "http://login.salesforce.com/x"},
        {"key_field": "Key__c/../x"},
        {"api_version": "66"},
        {"workers": 0},
    ],
)
def test_bad_settings_are_refused(
    config: SalesforceConfig, change: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"must|no API name"):
        replace(config, **change)
