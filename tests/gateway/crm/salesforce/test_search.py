"""The search sends nothing but digits, and believes nothing it is told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.crm.connector import CrmUnavailable
from gateway.crm.numbers import NumberError, normalise
from gateway.crm.salesforce.config import SalesforceConfig
from gateway.crm.salesforce.search import records, sosl

CONFIG = SalesforceConfig(
    tenant="acme",
    my_domain="https://acme.my.salesforce.com",
    consumer_key="app",
    private_key="",
)
_FIND = re.compile(
    r'FIND \{(?:[0-9]{2,20}|"[0-9]+(?: [0-9]+)*")'
    r'(?: OR (?:[0-9]{2,20}|"[0-9]+(?: [0-9]+)*"))*\} IN PHONE FIELDS RETURNING Contact'
)


def test_how_people_write_it_is_what_is_searched() -> None:
    assert sosl("+14155551212").startswith(
        'FIND {14155551212 OR 4155551212 OR "415 555 1212" OR "1 415 555 1212"}'
        " IN PHONE FIELDS RETURNING Contact("
    )
    assert "02079460018" in sosl("+442079460018")
    assert "WHERE IsConverted = false" in sosl("+14155551212")
    assert sosl("205") == ""


def test_the_basic_search_asks_for_nothing_that_is_hidden() -> None:
    text = sosl("+14155551212", basic=True)
    for name in ("MobilePhone", "OwnerId", "Account.Name", "LastActivityDate"):
        assert name not in text


@settings(deadline=None)
@given(
    st.text(max_size=40) | st.from_regex(r"\+[0-9(){}'\"\\;? OR]{5,20}", fullmatch=True)
)
def test_nothing_but_digits_ever_gets_into_a_search(text: str) -> None:
    for e164 in {text, _e164(text)}:
        find = sosl(e164)
        assert not find or _FIND.match(find)


def _e164(text: str) -> str:
    try:
        return normalise(text, "US").e164
    except NumberError:
        return ""


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "searchRecords",
                    "attributes",
                    "type",
                    "Id",
                    "Name",
                    "Phone",
                    "Account",
                ]
            ),
            inner | st.sampled_from(["Contact", "Lead", "+14155551212"]),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(_json)
def test_any_answer_is_records_or_an_outage(reply: Any) -> None:
    wanted = normalise("+14155551212", "US")
    try:
        found = records(reply, wanted, config=CONFIG, owner_id="")
    except CrmUnavailable:
        return
    for record in found:
        assert record.id
        assert record.kind in ("Contact", "Lead", "Account")


def test_a_record_that_is_there_twice_is_one() -> None:
    row = {
        "attributes": {"type": "Contact"},
        "Id": "003000000000001AAA",
        "Name": "Ana",
        "Phone": "4155551212",
    }
    wanted = normalise("+14155551212", "US")
    assert len(records([row, row], wanted, config=CONFIG, owner_id="")) == 1
    with pytest.raises(CrmUnavailable):
        records({"records": []}, wanted, config=CONFIG, owner_id="")
