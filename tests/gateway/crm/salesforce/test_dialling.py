"""Whom a rep wants to call: nothing but words and digits goes into the search."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crm.connector import MAX_CALLABLE, CrmUnavailable
from gateway.crm.salesforce import dialling
from gateway.sandbox.salesforce import sosl as engine
from tests.gateway.crm.salesforce.test_connector import row
from tests.gateway.crm.salesforce.test_search import CONFIG


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("ana ru", "FIND {ana* AND ru*} IN NAME FIELDS"),
        ("ana@ac", "FIND {ana* AND ac*} IN EMAIL FIELDS"),
        ("646", "FIND {646*} IN PHONE FIELDS"),
        ("646555", "FIND {646555* OR (646 AND 555*)} IN PHONE FIELDS"),
        ("+1 646 555", "FIND {1646555* OR (646 AND 555*)} IN PHONE FIELDS"),
        ("(646) 55", "FIND {64655* OR (646 AND 55*)} IN PHONE FIELDS"),
    ],
)
def test_what_is_searched_for(text: str, start: str) -> None:
    assert dialling.sosl(text, "US").startswith(start)


def test_a_whole_number_is_searched_in_each_of_its_forms() -> None:
    find = dialling.sosl("(646) 555-0175", "US")
    for form in ("6465550175*", " 16465550175 ", '"646 555 0175"'):
        assert form in find


@pytest.mark.parametrize("text", ["", "a", "12", "+1", "()", "}{", "1" * 19, "and"])
def test_too_little_or_too_much_is_not_searched(text: str) -> None:
    assert dialling.sosl(text, "US") == ""


@given(
    st.text(max_size=300) | st.from_regex(r"[a-z0-9@{}'\"\\*?|&!()+. /-]{2,40}\Z"),
    st.sampled_from(["US", "DE", "GB", "IT"]),
    st.booleans(),
)
def test_nothing_else_ever_gets_into_a_search(
    text: str, country: str, basic: bool
) -> None:
    find = dialling.sosl(text, country, basic=basic)
    if not find:
        return
    term = find.removeprefix("FIND {").partition("}")[0]
    assert all(c.isalnum() or c in ' *"()' or ord(c) > 127 for c in term)
    # The engine reads it, as exactly one search with three clauses.
    assert len(engine.parse(find).returning) == 3


def test_each_number_of_a_person_is_one_to_call() -> None:
    ana = row("Contact", "003000000000001AAA", "Ana", MobilePhone="+1 917 555 0118")
    same = row("Contact", "003000000000002AAA", "Ben", MobilePhone="(415) 555-1212")
    acme = row("Account", "001000000000001AAA", "Acme", "n/a")
    found = dialling.records([acme, ana, same], "a", config=CONFIG)
    assert [(record.name, record.phone) for record in found] == [
        ("Ana", "+14155551212"),
        ("Ana", "+1 917 555 0118"),
        ("Ben", "+14155551212"),
    ]


def test_with_digits_the_numbers_that_have_them() -> None:
    ana = row("Contact", "003000000000001AAA", "Ana", MobilePhone="+1 917 555 0118")
    for text, phones in (
        ("917", ["+1 917 555 0118"]),
        ("0917", ["+1 917 555 0118"]),
        ("1 (917) 5", ["+1 917 555 0118"]),
        ("555", ["+14155551212", "+1 917 555 0118"]),
        ("999", []),
    ):
        found = dialling.records([ana], text, config=CONFIG)
        assert [record.phone for record in found] == phones, text


def test_they_are_bounded_people_first() -> None:
    rows = [row("Account", f"001{n:015}", "Acme", f"+1212555{n:04}") for n in range(30)]
    rows.append(row("Lead", "00Q000000000001AAA", "Priya"))
    found = dialling.records(rows, "a", config=CONFIG)
    assert len(found) == MAX_CALLABLE
    assert found[0].kind == "Lead"


_json = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["searchRecords", "attributes", "type", "Id", "Phone"]),
            inner | st.sampled_from(["Contact", "Account", "+14155551212"]),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(_json, st.sampled_from(["ana", "415", "+1 41"]))
def test_any_answer_is_records_or_an_outage(reply: Any, text: str) -> None:
    try:
        found = dialling.records(reply, text, config=CONFIG)
    except CrmUnavailable:
        return
    assert all(record.phone for record in found)
