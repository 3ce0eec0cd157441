"""Who calls and who is new, in the sandbox's Salesforce with its rules and extras."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
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
    CrmUser,
    Meeting,
    PersonKind,
)
from gateway.crm.salesforce import SalesforceConfig, SalesforceConnector
from gateway.sandbox.salesforce import (
    ConnectedApp,
    DuplicateAction,
    FaultKind,
    PhoneIndexing,
    Profile,
    SalesforceSimulator,
    SimulatorConfig,
)
from tests.gateway.crm.salesforce.conftest import Clock

ANA = "+16465550175"
PIA = "+12125550170"
ROBIN = "robin.reyes@acme.example"
KEYS = {"Case": "CaseNumber", "Account": "Website", "Opportunity": "Name"}


class Org:
    """A simulator, a connector to it, and its first user."""

    def __init__(
        self, simulator: SalesforceSimulator, connector: SalesforceConnector
    ) -> None:
        self.simulator = simulator
        self.crm = connector
        user = simulator.user("Robin")
        self.robin = CrmUser("acme", user.id, str(user.values["Username"]))

    def requests(self, path: str) -> int:
        return sum(path in entry.path for entry in self.simulator.journal)

    def add(self, kind: str, **values: Any) -> str:
        return self.simulator.store.seed(kind, values).id

    def row(self, kind: str, record_id: str) -> dict[str, Any]:
        return next(
            dict(record.values)
            for record in self.simulator.store.records(kind)
            if record.id == record_id
        )

    def activity(self, **fields: Any) -> Activity:
        call = Activity(
            key="call:0c8e4f3a",
            user=self.robin,
            direction=ActivityDirection.INBOUND,
            subject="Call",
            outcome="Answered",
            description="",
            started_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
            duration_s=65,
            number=ANA,
        )
        return replace(call, **fields)


@pytest.fixture
async def open_org(key_pair: tuple[str, Any]) -> Callable[..., Any]:
    public_key = key_pair[1].public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    app = ConnectedApp("app", public_key.decode())

    @asynccontextmanager
    async def opened(clock: Clock | None = None, **options: Any) -> AsyncIterator[Org]:
        simulator = SalesforceSimulator(
            SimulatorConfig(apps=(app,), **options), rng=random.Random(7)
        )
        await simulator.start()
        connector = SalesforceConnector(
            SalesforceConfig(
                tenant="acme",
                my_domain=simulator.url,
                token_url=simulator.url + "/services/oauth2/token",
                consumer_key="app",
                private_key=key_pair[0],
            ),
            clock=clock or Clock(),
            rng=random.Random(1),
        )
        try:
            yield Org(simulator, connector)
        finally:
            await connector.close()
            await simulator.close()

    return opened


# Person accounts --------------------------------------------------------------


def pia(org: Org, **values: Any) -> str:
    return org.add(
        "Account",
        FirstName="Pia",
        LastName="Lindt",
        PersonEmail="pia@lindt.example",
        **values,
    )


@pytest.mark.parametrize("indexing", list(PhoneIndexing))
@pytest.mark.parametrize("field", ["Phone", "PersonMobilePhone", "PersonHomePhone"])
async def test_a_person_account_is_one_match(
    open_org: Callable[..., Any], field: str, indexing: PhoneIndexing
) -> None:
    async with open_org(person_accounts=True, phone_indexing=indexing) as org:
        account_id = pia(org, **{field: "(212) 555-0170"})
        (found,) = await org.crm.find_by_number(org.robin, PIA)
        assert (found.id, found.kind, found.name) == (
            account_id,
            "Account",
            "Pia Lindt",
        )
        assert found.url.endswith(f"/lightning/r/Account/{account_id}/view")
        assert (found.email, found.company) == ("pia@lindt.example", "")
        # Others are found as ever.
        (ana,) = await org.crm.find_by_number(org.robin, ANA)
        assert ana.kind == "Contact"


async def test_a_person_account_ranks_as_a_person(open_org: Callable[..., Any]) -> None:
    async with open_org(person_accounts=True) as org:
        pia(org, Phone="(206) 555-0143")
        company = org.add("Account", Name="Solstice", Phone="206 555 0143")
        found = await org.crm.find_by_number(org.robin, "+12065550143")
        assert [record.name for record in found] == [
            "Pia Lindt",
            "Priya Venkataraman",
            "Solstice",
        ]
        assert found[2].id == company


@pytest.mark.parametrize("is_known", [True, False])
async def test_activities_of_a_person_account_name_its_contact(
    open_org: Callable[..., Any], is_known: bool
) -> None:
    async with open_org(person_accounts=True) as org:
        account_id = pia(org, Phone=PIA)
        contact_id = org.row("Account", account_id)["PersonContactId"]
        case = org.add("Case", Subject="Late", AccountId=account_id)
        if is_known:
            await org.crm.find_by_number(org.robin, PIA)
        call = org.activity(who_id=account_id, what_id=case)
        task = org.row("Task", (await org.crm.write_activity(call)).record_id)
        assert (task["WhoId"], task["WhatId"]) == (contact_id, case)
        assert org.requests("/query") == (0 if is_known else 1)
        meeting = Meeting(
            key="meet:1",
            user=org.robin,
            subject="Video call",
            description="",
            starts_at=datetime(2026, 11, 25, 14, tzinfo=UTC),
            ends_at=datetime(2026, 11, 25, 15, tzinfo=UTC),
            who_id=account_id,
        )
        event = org.row("Event", (await org.crm.write_meeting(meeting)).record_id)
        assert event["WhoId"] == contact_id
        # A company's account is what it is about, as before.
        company = next(
            record.id
            for record in org.simulator.store.records("Account")
            if record.values["Name"] == "Globex"
        )
        other = org.activity(key="call:2", who_id=company)
        task = org.row("Task", (await org.crm.write_activity(other)).record_id)
        assert (task.get("WhoId"), task["WhatId"]) == (None, company)


async def test_without_person_accounts_that_is_asked_once(
    open_org: Callable[..., Any],
) -> None:
    async with open_org() as org:
        (ana,) = await org.crm.find_by_number(org.robin, ANA)
        assert ana.name == "Ana Ruiz"
        assert org.requests("/search") == 2
        await org.crm.find_by_number(org.robin, PIA)
        assert org.requests("/search") == 3
        company = next(org.simulator.store.records("Account")).id
        await org.crm.write_activity(org.activity(who_id=company))
        assert org.requests("/query") == 0


async def test_what_was_prepared_costs_the_first_caller_nothing(
    open_org: Callable[..., Any],
) -> None:
    async with open_org() as org:
        await org.crm.prepare(org.robin)
        before = len(org.simulator.journal)
        await org.crm.find_by_number(org.robin, ANA)
        assert len(org.simulator.journal) == before + 1
        await org.crm.prepare(org.robin)
        assert len(org.simulator.journal) == before + 1
        assert not org.crm.may_be_about("Contact")
        assert org.crm.may_be_about("Opportunity")
        assert not org.crm.may_be_about("Campaign")


async def test_what_cannot_be_prepared_is_taken_as_anywhere_and_asked_again(
    open_org: Callable[..., Any],
) -> None:
    clock = Clock()
    async with open_org(clock) as org:
        org.simulator.add_fault(FaultKind.UNKNOWN_EXCEPTION, path="/describe")
        await org.crm.prepare(org.robin)
        assert org.crm.may_be_about("Campaign")
        await org.crm.prepare(org.robin)
        assert org.requests("/describe") == 1
        clock.now += 61
        await org.crm.prepare(org.robin)
        assert not org.crm.may_be_about("Campaign")


async def test_a_hidden_field_leaves_person_accounts_known(
    open_org: Callable[..., Any],
) -> None:
    hidden = Profile(hidden=frozenset({"Account.PersonEmail", "Contact.Email"}))
    async with open_org(person_accounts=True, profiles={ROBIN: hidden}) as org:
        account_id = pia(org, PersonMobilePhone=PIA)
        (found,) = await org.crm.find_by_number(org.robin, PIA)
        assert (found.id, found.email) == (account_id, "")


# Keys -------------------------------------------------------------------------


async def test_a_case_by_its_number_with_or_without_zeros(
    open_org: Callable[..., Any],
) -> None:
    async with open_org() as org:
        (case,) = org.simulator.store.records("Case")
        number = str(case.values["CaseNumber"])
        for key in (number, number.lstrip("0")):
            found = await org.crm.find_by_key(org.robin, key, KEYS)
            assert [record.name for record in found.people] == ["Ana Ruiz"]
            assert found.people[0].company == "Acme Corp"
            assert found.about is not None
            assert (found.about.id, found.about.kind) == (case.id, "Case")
            assert org.crm.may_be_about("Case")
        assert org.requests("/composite") == 2


async def test_keys_of_other_objects_and_of_nothing(
    open_org: Callable[..., Any],
) -> None:
    async with open_org() as org:
        found = await org.crm.find_by_key(org.robin, "https://globex.example", KEYS)
        assert [record.name for record in found.people] == ["Globex"]
        assert found.about is None
        found = await org.crm.find_by_key(org.robin, "Acme Corp: Q4 renewal", KEYS)
        assert [record.name for record in found.people] == ["Acme Corp"]
        assert found.about is not None
        assert found.about.kind == "Opportunity"
        for key in ("", "nothing", "' OR Name != '", "\\", "x" * 65):
            found = await org.crm.find_by_key(org.robin, key, KEYS)
            assert (found.people, found.about) == ((), None), key


async def test_a_field_that_is_not_there_leaves_the_others(
    open_org: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with open_org() as org:
        fields = {"Thing__c": "Name", "Contact": "Nowhere__c", **KEYS}
        found = await org.crm.find_by_key(org.robin, "https://globex.example", fields)
        assert [record.name for record in found.people] == ["Globex"]
        assert "Nowhere__c" in caplog.text
        assert "globex.example" not in caplog.text


async def test_fields_beside_the_key_may_be_hidden(
    open_org: Callable[..., Any],
) -> None:
    profile = Profile(hidden=frozenset({"Case.Subject", "Contact.Email"}))
    async with open_org(profiles={ROBIN: profile}) as org:
        (case,) = org.simulator.store.records("Case")
        found = await org.crm.find_by_key(
            org.robin, str(case.values["CaseNumber"]), KEYS
        )
        assert len(found.people) == 1
        assert found.about is not None


# Numbers to call --------------------------------------------------------------


@pytest.mark.parametrize("indexing", list(PhoneIndexing))
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("chlo", ["Chloe Nakamura", "Chloe Nakamura"]),
        ("ben.hart@", ["Ben Hartmann"]),
        ("globex", ["Globex"]),
        ("646555017", ["Ana Ruiz", "Acme Corp"]),
        ("(646) 555-0175", ["Ana Ruiz"]),
        ("+1 206 555", ["Priya Venkataraman"]),
        ("whitfield", []),
        ("na* OR {", ["Chloe Nakamura", "Chloe Nakamura"]),
    ],
)
async def test_whom_to_call_as_one_types(
    open_org: Callable[..., Any],
    text: str,
    names: list[str],
    indexing: PhoneIndexing,
) -> None:
    async with open_org(phone_indexing=indexing) as org:
        found = await org.crm.find_callable(org.robin, text)
        assert [record.name for record in found] == names


async def test_typing_leaves_the_last_of_the_allowance_to_callers(
    open_org: Callable[..., Any],
) -> None:
    async with open_org(daily_api_limit=10) as org:
        for number in range(9):
            await org.crm.find_by_number(org.robin, f"+1212555{number:04}")
            if org.crm.api_usage and org.crm.api_usage >= 0.9:
                break
        with pytest.raises(CrmLimitExceeded):
            await org.crm.find_callable(org.robin, "ana")


# New people -------------------------------------------------------------------


async def test_a_new_lead_is_found_at_once(open_org: Callable[..., Any]) -> None:
    async with open_org(index_lag_s=60.0) as org:
        draft = ContactDraft(
            "Novak", "Nina", PIA, "Umbrella", "n@u.example", kind=PersonKind.LEAD
        )
        made = await org.crm.create_contact(org.robin, draft)
        row = org.row("Lead", made.id)
        assert (made.kind, row["Company"], row["Email"]) == (
            "Lead",
            "Umbrella",
            "n@u.example",
        )
        assert "/lightning/r/Lead/" in made.url
        assert await org.crm.find_by_number(org.robin, PIA) == (made,)


async def test_a_lead_whose_create_was_not_heard_of_is_one(
    open_org: Callable[..., Any],
) -> None:
    async with open_org() as org:
        org.simulator.add_fault(FaultKind.LOST_REPLY, path="/sobjects/Lead")
        draft = ContactDraft("Novak", "Nina", PIA, "Umbrella", kind=PersonKind.LEAD)
        made = await org.crm.create_contact(org.robin, draft)
        names = [r.values["Name"] for r in org.simulator.store.records("Lead")]
        assert names.count("Nina Novak") == 1
        assert org.row("Lead", made.id)["LastName"] == "Novak"


@pytest.mark.parametrize("kind", list(PersonKind))
async def test_a_warning_of_duplicates_has_a_way_on(
    open_org: Callable[..., Any], kind: PersonKind
) -> None:
    async with open_org() as org:
        draft = ContactDraft("Ruiz", "Ana", ANA, "Acme Corp", kind=kind)
        with pytest.raises(CrmDuplicateFound) as caught:
            await org.crm.create_contact(org.robin, draft)
        assert [record.name for record in caught.value.records] == ["Ana Ruiz"]
        assert caught.value.may_be_allowed
        made = await org.crm.create_contact(
            org.robin, replace(draft, allow_duplicate=True)
        )
        assert made.id not in {record.id for record in caught.value.records}
        assert len(await org.crm.find_by_number(org.robin, ANA)) == 2


async def test_a_rule_that_blocks_has_none(open_org: Callable[..., Any]) -> None:
    async with open_org(duplicate_action=DuplicateAction.BLOCK) as org:
        draft = ContactDraft("Ruiz", "Ana", ANA, allow_duplicate=True)
        with pytest.raises(CrmDuplicateFound) as caught:
            await org.crm.create_contact(org.robin, draft)
        assert not caught.value.may_be_allowed


@pytest.mark.parametrize(
    ("profile", "draft", "field"),
    [
        (Profile(), ContactDraft("N", kind=PersonKind.LEAD), "company"),
        (
            Profile(hidden=frozenset({"Contact.Email"})),
            ContactDraft("N", email="n@u.example"),
            "email",
        ),
        (
            Profile(read_only=frozenset({"Contact.Phone"})),
            ContactDraft("N", phone=PIA),
            "phone",
        ),
    ],
)
async def test_what_is_missing_or_forbidden_is_named(
    open_org: Callable[..., Any], profile: Profile, draft: ContactDraft, field: str
) -> None:
    async with open_org(profiles={ROBIN: profile}) as org:
        with pytest.raises(CrmRefused) as caught:
            await org.crm.create_contact(org.robin, draft)
        assert caught.value.field == field


# What it is about -------------------------------------------------------------


async def test_what_takes_no_activities_leaves_the_activity(
    open_org: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with open_org() as org:
        (ana,) = await org.crm.find_by_number(org.robin, ANA)
        # A user is nothing that an activity may be about.
        call = org.activity(who_id=ana.id, what_id=org.robin.id)
        task = org.row("Task", (await org.crm.write_activity(call)).record_id)
        assert (task["WhoId"], task.get("WhatId")) == (ana.id, None)
        assert "without what it is about" in caplog.text
        assert not (await org.crm.write_activity(call)).created
