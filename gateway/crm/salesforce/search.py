"""Whom a number belongs to: the search, and what its answer means. Pure.

The search sends nothing but ASCII digits between its fixed words, so there is nothing
to escape. Its answer is only a list of candidates (the index has its own idea of
equal); each is compared by :mod:`gateway.crm.numbers` and dropped if it differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    PERSON_ACCOUNT_FIELDS,
    PERSON_ACCOUNT_PHONES,
    PERSON_CONTACT_FIELDS,
    PERSON_EMAIL,
)
from gateway.crm.salesforce.config import SalesforceConfig
from gateway.crm.salesforce.errors import unreadable

KIND_ORDER = ("Contact", "Lead", "Account")
_PHONES = (*CONTACT_PHONES, *PERSON_ACCOUNT_PHONES)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that agrees with the number, and what it is ranked by.

    ``contact_id`` of a person account: activities name that.
    """

    record: CrmRecord
    owner_id: str
    last_activity: str
    contact_id: str = ""

    @property
    def rank(self) -> int:
        """A person account is a person, in the place of a contact."""
        return KIND_ORDER.index("Contact" if self.contact_id else self.record.kind)


def searches(e164: str, *, persons: bool = False) -> tuple[str, ...]:
    """The search for everybody with this number, then the same with fewer fields.

    An e-mail is good to have; the numbers are what it is about. ``persons``: where
    there are person accounts.
    """
    return (
        sosl(e164, persons=persons),
        sosl(e164, email=False, persons=persons),
        sosl(e164, basic=True, persons=persons),
    )


def sosl(
    e164: str, *, email: bool = True, basic: bool = False, persons: bool = False
) -> str:
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
    common = ("OwnerId", "LastActivityDate")
    contact: tuple[str, ...]
    lead: tuple[str, ...]
    account: tuple[str, ...]
    if basic:
        contact = lead = account = ("Id", "Name", *BASIC_PHONES)
    else:
        mail = ("Email",) if email else ()
        contact = ("Id", "Name", *CONTACT_PHONES, *mail, "Account.Name", *common)
        lead = ("Id", "Name", "Company", *LEAD_PHONES, *mail, *common)
        account = ("Id", "Name", *ACCOUNT_PHONES, *common)
        if persons:
            own_mail = (PERSON_EMAIL,) if email else ()
            account = (*account, *PERSON_ACCOUNT_PHONES, *own_mail)
    if persons:
        contact = (*contact, *PERSON_CONTACT_FIELDS)
        account = (*account, *PERSON_ACCOUNT_FIELDS)
    return (
        f"FIND {{{' OR '.join(terms)}}} IN PHONE FIELDS RETURNING"
        f" Contact({', '.join(contact)} {limit}),"
        f" Lead({', '.join(lead)} WHERE IsConverted = false {limit}),"
        f" Account({', '.join(account)} {limit})"
    )


def records(
    reply: Any, wanted: Number, *, config: SalesforceConfig, owner_id: str
) -> tuple[CrmRecord, ...]:
    """What of the search's answer has the number, best first.

    Raises:
        CrmUnavailable: it is no answer to a search.
    """
    found = candidates(reply, wanted, config=config)
    return tuple(one.record for one in rank(found, owner_id=owner_id))


def candidates(
    reply: Any, wanted: Number, *, config: SalesforceConfig
) -> tuple[Candidate, ...]:
    """What of the search's answer has the number, each record once.

    A person account comes as an account, as a contact, or as both.

    Raises:
        CrmUnavailable: it is no answer to a search.
    """
    found: dict[str, Candidate] = {}
    for row in rows_of(reply):
        candidate = _candidate(row, wanted, config)
        if candidate is None:
            continue
        known = found.get(candidate.record.id)
        if known is None or _is_surer(candidate, known):
            found[candidate.record.id] = candidate
    return tuple(found.values())


def _is_surer(one: Candidate, other: Candidate) -> bool:
    exact = MatchCertainty.EXACT
    return one.record.certainty is exact and other.record.certainty is not exact


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


def rank(found: Iterable[Candidate], *, owner_id: str) -> tuple[Candidate, ...]:
    """Exact before possible; people before companies; one's own first; then the one
    with the latest activity."""
    latest_first = sorted(
        found, key=lambda one: (one.last_activity, one.record.id), reverse=True
    )
    best_first = sorted(
        latest_first,
        key=lambda one: (
            one.record.certainty is not MatchCertainty.EXACT,
            one.rank,
            not owner_id or one.owner_id[:15] != owner_id[:15],
        ),
    )
    return tuple(best_first)


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
    kind, record_id, contact_id = as_person(row, kind, record_id)
    record = CrmRecord(
        id=record_id,
        kind=kind,
        name=text_of(row, "Name") or record_id,
        url=config.record_url(kind, record_id),
        # A person's account has their own name.
        company="" if contact_id else company or text_of(row, "Company"),
        phone=phone,
        email=text_of(row, "Email") or text_of(row, PERSON_EMAIL),
        certainty=certainty,
    )
    return Candidate(
        record, text_of(row, "OwnerId"), text_of(row, "LastActivityDate"), contact_id
    )


def as_person(
    row: Mapping[str, Any], kind: str, record_id: str
) -> tuple[str, str, str]:
    """``(kind, id, contact's id)`` to go by: of a person account those of its account,
    whichever of the two the row is; others have no contact's id."""
    if row.get("IsPersonAccount") is not True:
        return kind, record_id, ""
    if kind == "Account":
        return kind, record_id, text_of(row, "PersonContactId")
    account_id = text_of(row, "AccountId")
    return ("Account", account_id, record_id) if account_id else (kind, record_id, "")


def text_of(row: Mapping[str, Any], name: str) -> str:
    """A field that is text, "" if it is not there."""
    value = row.get(name)
    return value if isinstance(value, str) else ""
