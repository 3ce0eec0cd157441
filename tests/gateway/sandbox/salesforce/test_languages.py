"""Whatever is asked, the answer is rows or a proper refusal."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sandbox.salesforce.config import SimulatorConfig
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.org import Org
from gateway.sandbox.salesforce.rest import Call

ORG = Org(SimulatorConfig(), clock=lambda: 1_790_000_000.0, rng=random.Random(3))
CODES = {
    "MALFORMED_QUERY",
    "MALFORMED_SEARCH",
    "INVALID_FIELD",
    "INVALID_TYPE",
    "QUERY_TOO_COMPLICATED",
}

SOQL = st.lists(
    st.sampled_from(
        [
            "SELECT",
            "FROM",
            "WHERE",
            "AND",
            "OR",
            "NOT",
            "IN",
            "LIKE",
            "ORDER",
            "BY",
            "DESC",
            "NULLS",
            "LAST",
            "LIMIT",
            "OFFSET",
            "(",
            ")",
            ",",
            "=",
            "!=",
            "<",
            ">=",
            "'a'",
            "'a%'",
            "5",
            "-1",
            "2026-01-01",
            "2026-13-40",
            "2026-01-01T00:00:00Z",
            "TODAY",
            "null",
            "LAST_N_DAYS",
            ":",
            "99999",
            "true",
            "Id",
            "Name",
            "Account.Name",
            "Who.Name",
            "Contact",
            "Task",
            "CreatedDate",
            "IsClosed",
            "CallDurationInSeconds",
            "FIELDS",
            "ALL",
            "COUNT",
        ]
    ),
    max_size=25,
).map(" ".join)
SOSL = st.lists(
    st.sampled_from(
        [
            "FIND",
            "{",
            "}",
            "646*",
            '"646',
            '555"',
            "(",
            ")",
            "OR",
            "AND",
            "NOT",
            "\\",
            "*",
            "?",
            "0175",
            "IN",
            "PHONE",
            "FIELDS",
            "RETURNING",
            "Contact",
            "Lead",
            "(Id)",
            "(Name",
            ",",
            "LIMIT",
            "5",
            "WHERE",
            "IsConverted=false",
            ")",
            "ORDER",
            "BY",
        ]
    ),
    max_size=20,
).map(" ".join)


def ask(resource: str, text: str) -> None:
    call = Call("GET", 66.0, (resource,), "", {"q": text})
    try:
        outcome = ORG.api.answer(call).status, ""
    except RestError as refusal:
        outcome = refusal.status, refusal.code
    assert outcome == (200, "") or (outcome[0] == 400 and outcome[1] in CODES)


@settings(max_examples=400, deadline=None)
@given(st.one_of(SOQL, SOQL.map("SELECT Id FROM Task WHERE {}".format), st.text()))
def test_soql(text: str) -> None:
    ask("query", text)


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        SOSL,
        st.text(),
        st.text(alphabet='ab1 "*?()\\ANDORT+-{}').map("FIND {{{}}}".format),
    )
)
def test_sosl(text: str) -> None:
    ask("search", text)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="(NOT ", min_size=100, max_size=3000))
def test_depth_is_bounded(text: str) -> None:
    ask("query", "SELECT Id FROM Task WHERE " + text)
    ask("search", "FIND {" + text + "}")
