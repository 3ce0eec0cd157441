"""What has the key that a caller typed: the queries, and what their answers mean. Pure.

One query for each object, by equality in one field of it, all in one request. The key
is the caller's: it gets into a query quoted by :func:`format_soql` and no other way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from simple_salesforce.format import format_soql

from gateway.crm.connector import CrmRecord, FoundByKey
from gateway.crm.salesforce.assumptions import CASE_NUMBER_DIGITS
from gateway.crm.salesforce.config import SalesforceConfig, is_api_name
from gateway.crm.salesforce.errors import of_part, unreadable
from gateway.crm.salesforce.search import text_of
from gateway.crm.salesforce.task import is_record_id

# A request takes five queries (facts, 3.2); a chooser shows no more of one object.
MAX_OBJECTS = 5
MAX_ROWS = 5
MAX_KEY = 64

PEOPLE = ("Contact", "Lead", "Account")
_COMMON = ("Id", "Name", "Phone")
# What is asked of an object, and the least of it.
_FIELDS = {
    "Contact": (*_COMMON, "Email", "Account.Name"),
    "Lead": (*_COMMON, "Email", "Company"),
    "Account": _COMMON,
    "Case": (
        *("Id", "CaseNumber", "Subject"),
        *("ContactId", "Contact.Name", "Contact.Phone", "Contact.Email"),
        *("AccountId", "Account.Name"),
    ),
    "Opportunity": ("Id", "Name", "AccountId", "Account.Name"),
}
_BASIC = {"Case": ("Id", "CaseNumber", "ContactId")}


def query(kind: str, field: str, key: str, *, basic: bool = False) -> str:
    """The query for records of this object that have the key in this field.

    Raises:
        ValueError: a name that is none of an object or field.
    """
    if not (is_api_name(kind) and is_api_name(field)):
        raise ValueError("no API name")
    plain = _BASIC.get(kind, ("Id", "Name"))
    names = plain if basic else _FIELDS.get(kind, plain)
    also = " AND IsConverted = false" if kind == "Lead" else ""
    wanted = format_soql("{}", list(spellings(kind, field, key)))
    # Names are checked above, the key is quoted: nothing else gets in.
    where = f"WHERE {field} IN {wanted}{also} LIMIT {MAX_ROWS}"
    return f"SELECT {', '.join(names)} FROM {kind} {where}"  # noqa: S608


def spellings(kind: str, field: str, key: str) -> tuple[str, ...]:
    """Of a number that is filled up with zeros a caller types what follows them."""
    if (kind, field) == ("Case", "CaseNumber") and key.isascii() and key.isdigit():
        return tuple(dict.fromkeys((key, key.zfill(CASE_NUMBER_DIGITS))))
    return (key,)


def composite(queries: Mapping[str, str], *, api_version: str) -> dict[str, Any]:
    """One request for all of them, by object."""
    return {
        "allOrNone": False,
        "compositeRequest": [
            {
                "method": "GET",
                "url": f"/services/data/v{api_version}/query?q={quote(text, safe='')}",
                "referenceId": f"key{place}",
            }
            for place, text in enumerate(queries.values())
        ],
    }


def parts(reply: Any, kinds: Sequence[str]) -> dict[str, Any]:
    """The answer's parts by object: a list of rows, or the CrmError of one that failed.

    Raises:
        CrmUnavailable: it is no answer to this request.
    """
    answers = reply.get("compositeResponse") if isinstance(reply, Mapping) else None
    if not isinstance(answers, list) or len(answers) != len(kinds):
        raise unreadable("no list of answers")
    found: dict[str, Any] = {}
    for kind, answer in zip(kinds, answers, strict=True):
        if not isinstance(answer, Mapping):
            raise unreadable("no answer of a part")
        status, body = answer.get("httpStatusCode"), answer.get("body")
        if status != 200:
            found[kind] = of_part(status if isinstance(status, int) else 400, body)
            continue
        rows = body.get("records") if isinstance(body, Mapping) else None
        if not isinstance(rows, list):
            raise unreadable("no list of records")
        found[kind] = [row for row in rows if isinstance(row, Mapping)]
    return found


def found(
    rows_of: Mapping[str, Sequence[Mapping[str, Any]]], *, config: SalesforceConfig
) -> FoundByKey:
    """Whom and what the rows speak of; people of their own before those of a Case."""
    own: dict[str, CrmRecord] = {}
    led_to: dict[str, CrmRecord] = {}
    abouts: dict[str, CrmRecord] = {}
    for kind, rows in rows_of.items():
        for row in rows:
            record = _record(kind, row, config)
            if record is None:
                continue
            if kind in PEOPLE:
                own.setdefault(record.id, record)
                continue
            abouts.setdefault(record.id, record)
            person = _person_of(row, config)
            if person is not None:
                led_to.setdefault(person.id, person)
    return FoundByKey(
        people=tuple(
            (own | {k: v for k, v in led_to.items() if k not in own}).values()
        ),
        about=next(iter(abouts.values())) if len(abouts) == 1 else None,
    )


def _record(
    kind: str, row: Mapping[str, Any], config: SalesforceConfig
) -> CrmRecord | None:
    record_id = text_of(row, "Id")
    if not is_record_id(record_id):
        return None
    name = text_of(row, "Name")
    if kind == "Case":
        words = (text_of(row, "CaseNumber"), text_of(row, "Subject"))
        name = " ".join(filter(None, words))
    parent = row.get("Account")
    company = text_of(parent, "Name") if isinstance(parent, Mapping) else ""
    return CrmRecord(
        id=record_id,
        kind=kind,
        name=name or record_id,
        url=config.record_url(kind, record_id),
        company=company or text_of(row, "Company"),
        phone=text_of(row, "Phone"),
        email=text_of(row, "Email"),
    )


def _person_of(row: Mapping[str, Any], config: SalesforceConfig) -> CrmRecord | None:
    """The contact of a Case, or else the account of what has one."""
    account = row.get("Account")
    company = text_of(account, "Name") if isinstance(account, Mapping) else ""
    for kind in ("Contact", "Account"):
        record_id = text_of(row, f"{kind}Id")
        if not is_record_id(record_id):
            continue
        given = row.get(kind)
        person: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        return CrmRecord(
            id=record_id,
            kind=kind,
            name=text_of(person, "Name") or record_id,
            url=config.record_url(kind, record_id),
            company=company if kind == "Contact" else "",
            phone=text_of(person, "Phone"),
            email=text_of(person, "Email"),
        )
    return None
