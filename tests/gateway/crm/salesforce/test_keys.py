"""What a caller typed gets into a query as a quoted text, and no other way."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crm.connector import CrmError, CrmUnavailable
from gateway.crm.salesforce import keys
from gateway.sandbox.salesforce import soql
from gateway.sandbox.salesforce.evaluate import Comparison
from tests.gateway.crm.salesforce.test_search import CONFIG

CASE = {
    "Id": "500000000000001AAA",
    "CaseNumber": "00001026",
    "Subject": "Late",
    "ContactId": "003000000000001AAA",
    "Contact": {"Name": "Ana Ruiz", "Phone": "+16465550175"},
    "AccountId": "001000000000001AAA",
    "Account": {"Name": "Acme"},
}

_evil = st.text(max_size=64) | st.text(
    st.sampled_from("'\"\\%_() ORAND=<>{}?&\n\tId"), max_size=64
)


@given(
    _evil,
    st.sampled_from(["Case", "Contact", "Account", "Lead", "Opportunity", "Thing__c"]),
    st.booleans(),
)
def test_any_key_is_one_literal(key: str, kind: str, basic: bool) -> None:
    text = keys.query(kind, "Name", key, basic=basic)
    query = soql.parse(text)
    assert query.object == kind
    condition: Any = query.where
    if kind == "Lead":
        condition, converted = condition.terms
        assert (converted.field, converted.values) == ("IsConverted", (False,))
    assert isinstance(condition, Comparison)
    assert (condition.field, condition.values) == ("Name", (key,))
    assert query.limit == keys.MAX_ROWS


@given(_evil)
def test_any_key_stays_within_the_address(key: str) -> None:
    text = keys.query("Case", "CaseNumber", key)
    body = keys.composite({"Case": text}, api_version="66.0")
    (part,) = body["compositeRequest"]
    parts = urlsplit(part["url"])
    assert parts.path == "/services/data/v66.0/query"
    assert parse_qs(parts.query, keep_blank_values=True) == {"q": [text]}


@pytest.mark.parametrize("name", ["", "a b", "Id = '' OR Name", "1a", "Naïve", "a\n"])
def test_no_name_that_is_none_gets_into_a_query(name: str) -> None:
    for kind, field in ((name, "Name"), ("Case", name)):
        with pytest.raises(ValueError, match="API name"):
            keys.query(kind, field, "1")


def test_callers_leave_the_zeros_of_a_case_out() -> None:
    assert keys.spellings("Case", "CaseNumber", "1026") == ("1026", "00001026")
    assert keys.spellings("Case", "CaseNumber", "00001026") == ("00001026",)
    assert keys.spellings("Case", "CaseNumber", "AB12") == ("AB12",)
    assert keys.spellings("Account", "AccountNumber", "1026") == ("1026",)


def test_a_case_leads_to_its_contact() -> None:
    found = keys.found({"Case": [CASE]}, config=CONFIG)
    (ana,) = found.people
    assert (ana.kind, ana.name, ana.company) == ("Contact", "Ana Ruiz", "Acme")
    assert found.about is not None
    assert (found.about.kind, found.about.name) == ("Case", "00001026 Late")


def test_a_case_without_a_contact_leads_to_its_account() -> None:
    row = {**CASE, "ContactId": None, "Contact": None}
    (acme,) = keys.found({"Case": [row]}, config=CONFIG).people
    assert (acme.kind, acme.name) == ("Account", "Acme")
    alone = {"Id": CASE["Id"], "CaseNumber": "00001026"}
    found = keys.found({"Case": [alone]}, config=CONFIG)
    assert found.people == ()
    assert found.about is not None


def test_several_are_to_choose_from_and_about_none() -> None:
    other = {**CASE, "Id": "500000000000002AAA", "ContactId": "003000000000002AAA"}
    contact = {"Id": "003000000000003AAA", "Name": "Ben"}
    found = keys.found({"Case": [CASE, other], "Contact": [contact]}, config=CONFIG)
    assert [record.id[14] for record in found.people] == ["3", "1", "2"]
    assert found.about is None


_json = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("compositeResponse", "httpStatusCode", "body", "records"),
                    *("Id", "ContactId", "Contact", "errorCode", "message"),
                ]
            ),
            inner | st.sampled_from([200, 400, "003000000000001AAA", "500"]),
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(_json | st.builds(lambda part: {"compositeResponse": [part]}, _json))
def test_any_answer_is_rows_an_error_or_an_outage(reply: Any) -> None:
    try:
        parts = keys.parts(reply, ("Case",))
    except CrmUnavailable:
        return
    if isinstance(parts["Case"], CrmError):
        return
    for record in keys.found(parts, config=CONFIG).people:
        assert record.id
        assert record.name
