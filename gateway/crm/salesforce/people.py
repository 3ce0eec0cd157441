"""Whom a rep means by a few letters: people by name or e-mail. Pure.

Only letters and digits of the text are sent, as beginnings of words, so there is
nothing to escape; words that SOSL reads as operators are dropped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.crm.connector import MAX_PEOPLE, CrmRecord
from gateway.crm.salesforce.assumptions import MAX_SEARCH_WORDS, MIN_SEARCH_WORD
from gateway.crm.salesforce.config import SalesforceConfig
from gateway.crm.salesforce.search import rows_of, text_of

MAX_TEXT = 255
PEOPLE = ("Contact", "Lead")
_OPERATORS = frozenset({"and", "or", "not"})


def words(text: str) -> tuple[str, ...]:
    """What of the text is searched for, in lower case; () if that is too little."""
    kept = (
        word
        for word in _cut(text[:MAX_TEXT])
        if len(word) >= MIN_SEARCH_WORD and word not in _OPERATORS
    )
    return tuple(dict.fromkeys(kept))[:MAX_SEARCH_WORDS]


def sosl(text: str, *, basic: bool = False) -> str:
    """The search; "" if there is nothing to search for.

    ``basic``: only the fields that no administrator hides.
    """
    wanted = words(text)
    if not wanted:
        return ""
    group = "EMAIL" if "@" in text else "NAME"
    term = " AND ".join(f"{word}*" for word in wanted)
    common = ("Id", "Name") if basic else ("Id", "Name", "Email", "Phone")
    contact = ", ".join(common if basic else (*common, "Account.Name"))
    lead = ", ".join(common if basic else (*common, "Company"))
    limit = f"LIMIT {MAX_PEOPLE}"
    return (
        f"FIND {{{term}}} IN {group} FIELDS RETURNING"
        f" Contact({contact} {limit}),"
        f" Lead({lead} WHERE IsConverted = false {limit})"
    )


def records(reply: Any, *, config: SalesforceConfig) -> tuple[CrmRecord, ...]:
    """The search's answer, in its order.

    Raises:
        CrmUnavailable: it is no answer to a search.
    """
    found = []
    for row in rows_of(reply):
        attributes = row.get("attributes")
        kind = attributes.get("type") if isinstance(attributes, Mapping) else None
        record_id = text_of(row, "Id")
        if kind not in PEOPLE or not record_id:
            continue
        parent = row.get("Account")
        company = text_of(parent, "Name") if isinstance(parent, Mapping) else ""
        found.append(
            CrmRecord(
                id=record_id,
                kind=kind,
                name=text_of(row, "Name") or record_id,
                url=config.record_url(kind, record_id),
                company=company or text_of(row, "Company"),
                phone=text_of(row, "Phone"),
                email=text_of(row, "Email"),
            )
        )
    return tuple(found)


def is_meant(record: CrmRecord, wanted: Iterable[str]) -> bool:
    """Whether each word is the beginning of one in the name or the e-mail."""
    has = _cut(f"{record.name} {record.email}")
    return all(any(word.startswith(start) for word in has) for start in wanted)


def _cut(text: str) -> list[str]:
    """Runs of letters and digits with their marks (vowels of Hindi are marks)."""
    return "".join(
        char if char.isalnum() or unicodedata.category(char)[0] == "M" else " "
        for char in text.lower()
    ).split()


def merged(*found: tuple[CrmRecord, ...]) -> tuple[CrmRecord, ...]:
    """Each record once, the first ones first."""
    by_id: dict[str, CrmRecord] = {}
    for record in (record for some in found for record in some):
        by_id.setdefault(record.id, record)
    return tuple(by_id.values())[:MAX_PEOPLE]
