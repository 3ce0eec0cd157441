"""Whom a number belongs to: the search, and what its answer means. Pure.

The search sends nothing but ASCII digits between its fixed words, so there is nothing
to escape. Its answer is only a list of candidates (the index has its own idea of
equal); each is compared by :mod:`gateway.crm.numbers` and dropped if it differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.crm.connector import CrmRecord, MatchCertainty
from gateway.crm.numbers import Likeness, Number, compare, written_forms
from gateway.crm.salesforce.assumptions import (
    ACCOUNT_PHONES,
    BASIC_PHONES,
    CONTACT_PHONES,
    LEAD_PHONES,
    MAX_ROWS_PER_OBJECT,
)
from gateway.crm.salesforce.config import SalesforceConfig
from gateway.crm.salesforce.errors import unreadable

KIND_ORDER = ("Contact", "Lead", "Account")
_PHONES = ("Phone", "MobilePhone", "HomePhone", "OtherPhone")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that agrees with the number, and what it is ranked by."""

    record: CrmRecord
    owner_id: str
    last_activity: str


def searches(e164: str) -> tuple[str, ...]:
    """The search for everybody with this number, then the same with fewer fields.

    An e-mail is good to have; the numbers are what it is about.
    """
    return sosl(e164), sosl(e164, email=False), sosl(e164, basic=True)


def sosl(e164: str, *, email: bool = True, basic: bool = False) -> str:
    """The search for everybody with this number; "" if it is no E.164 number.

    ``basic``: only the fields that no administrator hides.
    """
    terms = [
        form[0] if len(form) == 1 else '"' + " ".join(form) + '"'
        for form in written_forms(e164)
    ]
    if not terms:
        return ""
    limit = f"LIMIT {MAX_ROWS_PER_OBJECT}"
    common = "OwnerId, LastActivityDate"
    if basic:
        contact = ", ".join(("Id", "Name", *BASIC_PHONES))
        lead = account = contact
    else:
        mail = ("Email",) if email else ()
        contact = ", ".join(
            ("Id", "Name", *CONTACT_PHONES, *mail, "Account.Name", common)
        )
        lead = ", ".join(("Id", "Name", "Company", *LEAD_PHONES, *mail, common))
        account = ", ".join(("Id", "Name", *ACCOUNT_PHONES, common))
    return (
        f"FIND {{{' OR '.join(terms)}}} IN PHONE FIELDS RETURNING"
        f" Contact({contact} {limit}),"
        f" Lead({lead} WHERE IsConverted = false {limit}),"
        f" Account({account} {limit})"
    )


def records(
    reply: Any, wanted: Number, *, config: SalesforceConfig, owner_id: str
) -> tuple[CrmRecord, ...]:
    """What of the search's answer has the number, best first.

    Raises:
        CrmUnavailable: it is no answer to a search.
    """
    found: dict[str, Candidate] = {}
    for row in rows_of(reply):
        candidate = _candidate(row, wanted, config)
        if candidate is not None:
            found.setdefault(candidate.record.id, candidate)
    return rank(found.values(), owner_id=owner_id)


def rows_of(reply: Any) -> list[Mapping[str, Any]]:
    """The rows of a search's answer, whichever version of the API gave it.

    Raises:
        CrmUnavailable: it is no answer to a search.
    """
    rows = [] if reply is None else reply
    if isinstance(rows, Mapping):
        rows = rows.get("searchRecords")
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise unreadable("no list of records")
    return rows


def rank(candidates: Any, *, owner_id: str) -> tuple[CrmRecord, ...]:
    """Exact before possible; people before companies; one's own first; then the one
    with the latest activity."""
    latest_first = sorted(
        candidates, key=lambda found: (found.last_activity, found.record.id)
    )[::-1]
    best_first = sorted(
        latest_first,
        key=lambda found: (
            found.record.certainty is not MatchCertainty.EXACT,
            KIND_ORDER.index(found.record.kind),
            not owner_id or found.owner_id[:15] != owner_id[:15],
        ),
    )
    return tuple(found.record for found in best_first)


def _candidate(
    row: Mapping[str, Any], wanted: Number, config: SalesforceConfig
) -> Candidate | None:
    attributes = row.get("attributes")
    kind = attributes.get("type") if isinstance(attributes, Mapping) else None
    record_id = row.get("Id")
    if kind not in KIND_ORDER or not isinstance(record_id, str) or not record_id:
        return None
    certainty, phone = None, ""
    for name in _PHONES:
        stored = text_of(row, name)
        match compare(wanted, stored, config.country) if stored else None:
            case Likeness.EXACT | Likeness.NATIONAL:
                certainty, phone = MatchCertainty.EXACT, stored
                break
            case Likeness.POSSIBLE if certainty is None:
                certainty, phone = MatchCertainty.POSSIBLE, stored
    if certainty is None:
        return None
    parent = row.get("Account")
    company = text_of(parent, "Name") if isinstance(parent, Mapping) else ""
    record = CrmRecord(
        id=record_id,
        kind=kind,
        name=text_of(row, "Name") or record_id,
        url=config.record_url(kind, record_id),
        company=company or text_of(row, "Company"),
        phone=phone,
        email=text_of(row, "Email"),
        certainty=certainty,
    )
    return Candidate(record, text_of(row, "OwnerId"), text_of(row, "LastActivityDate"))


def text_of(row: Mapping[str, Any], name: str) -> str:
    """A field that is text, "" if it is not there."""
    value = row.get(name)
    return value if isinstance(value, str) else ""
