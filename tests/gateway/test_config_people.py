"""What pops and what callers type, as a tenant configures them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.config import parse
from gateway.config_people import CallerKeySection, PopSection, PopsSection
from gateway.sessions.wire import PopAction, PopRule, PopRules, PopsByCallType, PopWhen
from tests.gateway.test_config import ENVIRONMENT, GOOD, problems


def test_by_default_the_one_record_pops_at_the_answer_and_nothing_else() -> None:
    (tenant,) = parse(GOOD.encode(), environment=ENVIRONMENT).tenants
    assert tenant.application_server.caller_key is None
    rules = tenant.pops.rules()
    record = PopRule(action=PopAction.RECORD)
    assert rules == PopsByCallType(inbound=PopRules(single=record))
    assert rules.inbound.when is PopWhen.ANSWERED


def test_rules_in_the_file() -> None:
    text = GOOD.replace(
        "  - id: acme\n",
        """\
  - id: acme
    pops:
      inbound:
        when: ringing
        several: search
        none: {action: new_record, target: Lead}
      consult: {single: {action: url, target: "https://a.example/p?n={number}"}}
""",
    ).replace(
        "      domain: acme.example\n",
        """\
      domain: acme.example
      caller_key:
        header: x-caller-key
        fields: {Case: CaseNumber, Account: AccountNumber}
""",
    )
    (tenant,) = parse(text.encode(), environment=ENVIRONMENT).tenants
    rules = tenant.pops.rules()
    # What is not said stays as it was.
    assert rules.inbound.single.action is PopAction.RECORD
    assert rules.inbound.several == PopRule(action=PopAction.SEARCH)
    assert rules.inbound.none == PopRule(action=PopAction.NEW_RECORD, target="Lead")
    assert rules.inbound.when is PopWhen.RINGING
    assert rules.consult.single.target.endswith("{number}")
    section = tenant.application_server.caller_key
    assert section is not None
    assert list(section.fields.items()) == [
        ("Case", "CaseNumber"),
        ("Account", "AccountNumber"),
    ]


def test_what_is_wrong_is_said_with_its_line() -> None:
    text = GOOD.replace(
        "  - id: acme\n",
        "  - id: acme\n    pops:\n      inbound:\n        several: record\n",
    )
    (problem,) = problems(text, Path())
    assert "pops.inbound" in problem
    assert "there is no one record" in problem


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"action": "url", "target": "http://a.example/"}, "https URL"),
        ({"action": "url", "target": ""}, "needs an address"),
        ({"action": "url", "target": "https:///x"}, "https URL"),
        ({"action": "url", "target": "javascript:alert(1)"}, "https URL"),
        ({"action": "url", "target": "https://a.example/{phone}"}, "none of {call}"),
        ({"action": "url", "target": "https://a.example/{number"}, "brace"),
        ({"action": "url", "target": "https://{key}.example/"}, "after the host"),
        ({"action": "url", "target": "https://a.example{key}/"}, "after the host"),
        ({"action": "url", "target": "{key}://a.example/"}, "https URL"),
        ({"action": "url", "target": "https://u:p@a.example/"}, "password"),
        ({"action": "url", "target": "https://a.example/ x"}, "no such characters"),
        ({"action": "url", "target": "https://a.example\\@b"}, "no such characters"),
        ({"action": "flow"}, "needs an API name"),
        ({"action": "new_record", "target": "Le ad"}, "needs an API name"),
        ({"action": "record", "target": "Contact"}, "takes no target"),
        ({"action": "dance"}, "nothing"),
        ({"acton": "record"}, "Extra inputs"),
    ],
)
def test_rules_that_cannot_be(rule: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        PopSection.model_validate(rule)


@given(
    st.text(st.sampled_from("https:/.ax@?#[]{}numberkey\\ %\t"), max_size=60),
    st.sampled_from(["", "https://", "https://a.example/", "https://a.example"]),
)
def test_no_placeholder_ever_chooses_the_server(text: str, start: str) -> None:
    try:
        rule = PopSection(action=PopAction.URL, target=start + text)
    except ValueError:
        return
    before = urlsplit(rule.target)
    for evil in ("evil.example", "//evil.example", "@evil.example", ""):
        filled = rule.target
        for name in ("number", "key", "call", "record"):
            filled = filled.replace(f"{{{name}}}", evil)
        assert urlsplit(filled).netloc == before.netloc
        assert filled.startswith("https://")


@pytest.mark.parametrize(
    "section",
    [
        {"header": "From", "fields": {"Case": "CaseNumber"}},
        {"header": "X-", "fields": {"Case": "CaseNumber"}},
        {"header": "X-Key: a", "fields": {"Case": "CaseNumber"}},
        {"header": "User-to-User", "fields": {}},
        {"header": "User-to-User", "fields": {"Case": "Id = '' OR Name"}},
        {"header": "User-to-User", "fields": {"Case c": "CaseNumber"}},
        {"header": "User-to-User", "fields": {f"A{n}": "B" for n in range(6)}},
        {"header": "User-to-User", "encoding": "rot13", "fields": {"A": "B"}},
        {"header": "User-to-User"},
    ],
)
def test_keys_that_cannot_be(section: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CallerKeySection.model_validate(section)


def test_an_unknown_type_of_call_is_refused() -> None:
    with pytest.raises(ValidationError):
        PopsSection.model_validate({"incoming": {}})
