"""Whom a rep means by a few letters; nothing but words goes into the search."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crm.connector import ContactDraft, CrmRecord, CrmRefused, CrmUnavailable
from gateway.crm.salesforce import SalesforceConnector, people
from gateway.sandbox.salesforce import sosl as engine
from tests.gateway.crm.salesforce.conftest import Clock
from tests.gateway.crm.salesforce.server import FakeSalesforce, Fault, error
from tests.gateway.crm.salesforce.test_connector import ALEX, SAM, row

EMAIL = "ana.ruiz@acme-corp.example"
ANA = row(
    "Contact", "003000000000001AAA", "Ana Ruiz", Email=EMAIL, Account={"Name": "Acme"}
)
PRIYA = row("Lead", "00Q000000000001AAA", "Priya V", Company="Solstice", Phone=None)
_FIND = re.compile(
    r"FIND \{\w+\*(?: AND \w+\*)*\} IN (?:NAME|EMAIL) FIELDS RETURNING Contact\("
)


@pytest.mark.parametrize(
    ("text", "term", "group"),
    [
        ("Ana", "ana*", "NAME"),
        ("  ana   RUI ", "ana* AND rui*", "NAME"),
        ("ana.ruiz@ac", "ana* AND ruiz* AND ac*", "EMAIL"),
        ("O'Neil", "neil*", "NAME"),
        ("Rock and Roll OR not", "rock* AND roll*", "NAME"),
        ("ليلى", "ليلى*", "NAME"),
        ("Größmann-Schäfer", "größmann* AND schäfer*", "NAME"),
        ("an an an", "an*", "NAME"),
    ],
)
def test_words_are_searched_by_their_beginnings(
    text: str, term: str, group: str
) -> None:
    assert people.sosl(text).startswith(f"FIND {{{term}}} IN {group} FIELDS")


@pytest.mark.parametrize("text", ["", " ", "a", "@", "}{*", "and", "a b c", "' OR '"])
def test_too_little_is_not_searched(text: str) -> None:
    assert people.sosl(text) == ""


@given(st.text(max_size=300) | st.from_regex(r"[a-z@{}'\"\\*?|&! ]{2,40}"))
def test_nothing_but_words_ever_gets_into_a_search(text: str) -> None:
    find = people.sosl(text)
    if find:
        assert _FIND.match(find.encode("ascii", "replace").decode().replace("?", "x"))
        engine.parse(find)


def test_a_text_without_end_is_cut() -> None:
    assert len(people.words("word " * 50_000)) == 1
    many = " ".join(f"w{number}" for number in range(5_000))
    assert len(people.words(many)) == 8


async def test_people_come_with_what_an_invite_needs(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.found = [ANA, PRIYA, row("Account", "001000000000001AAA", "Ana Ltd")]
    ana, priya = await connector.find_people(ALEX, "a. an")
    assert ana == CrmRecord(
        id="003000000000001AAA",
        kind="Contact",
        name="Ana Ruiz",
        url="https://acme.lightning.force.com/lightning/r/Contact/003000000000001AAA/view",
        company="Acme",
        phone="+14155551212",
        email=EMAIL,
    )
    assert (priya.kind, priya.company, priya.email) == ("Lead", "Solstice", "")
    assert await connector.find_people(ALEX, "a") == ()
    assert len(salesforce.searches) == 1


async def test_a_caller_and_a_new_contact_have_an_email_too(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.found = [ANA]
    (found,) = await connector.find_by_number(ALEX, "+14155551212")
    assert found.email == EMAIL
    made = await connector.create_contact(
        ALEX, ContactDraft("Novak", "Nina", email="nina@example.com")
    )
    assert made.email == "nina@example.com"
    assert salesforce.contacts[0]["Email"] == "nina@example.com"


async def test_a_new_contact_is_found_before_the_index_has_it(
    connector: SalesforceConnector, salesforce: FakeSalesforce, clock: Clock
) -> None:
    made = await connector.create_contact(
        ALEX, ContactDraft("Novak", "Nina", email="nina@example.com")
    )
    salesforce.found = [ANA]
    for text in ("nin", "novak ni", "nina@ex"):
        assert (await connector.find_people(ALEX, text))[0] == made
    assert [r.name for r in await connector.find_people(ALEX, "no na")] == ["Ana Ruiz"]
    assert [r.name for r in await connector.find_people(SAM, "nin")] == ["Ana Ruiz"]
    # Once the index has it, it is there once.
    salesforce.found = [row("Contact", made.id, "Nina Novak")]
    assert await connector.find_people(ALEX, "nin") == (made,)
    clock.now += 901
    salesforce.found = []
    assert await connector.find_people(ALEX, "nin") == ()


async def test_not_more_than_ten(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.found = [
        row("Contact", f"003{number:012}AAA", f"Ana {number}") for number in range(30)
    ]
    assert len(await connector.find_people(ALEX, "ana")) == 10


async def test_hidden_fields_are_done_without(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.hidden_fields = {"Email"}
    salesforce.found = [ANA]
    (found,) = await connector.find_people(ALEX, "ana")
    assert found.name == "Ana Ruiz"
    assert len(salesforce.searches) == 2
    assert "Contact(Id, Name LIMIT 10)" in salesforce.searches[1]


@pytest.mark.parametrize(
    "body", [b"{", {"searchRecords": "x"}, {"searchRecords": [None]}, [1]]
)
async def test_an_answer_that_is_none_is_no_result(
    connector: SalesforceConnector, salesforce: FakeSalesforce, body: Any
) -> None:
    salesforce.faults = [Fault("search", status=200, body=body)]
    with pytest.raises(CrmUnavailable):
        await connector.find_people(ALEX, "ana")


async def test_a_refusal_says_why(
    connector: SalesforceConnector, salesforce: FakeSalesforce
) -> None:
    salesforce.faults = [
        Fault("search", status=400, body=error("MALFORMED_SEARCH", "No."))
    ]
    with pytest.raises(CrmRefused, match="No"):
        await connector.find_people(ALEX, "ana")
