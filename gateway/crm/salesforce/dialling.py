"""Whom a rep wants to call, as they type: by name, e-mail or number. Pure.

What was typed goes into a search as words of letters and digits, or as digits alone,
as in :mod:`.people` and :mod:`.search`; there is nothing to escape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from phonenumbers import AsYouTypeFormatter

from gateway.crm.connector import MAX_CALLABLE, CrmRecord
from gateway.crm.numbers import NumberError, normalise, written_forms
from gateway.crm.salesforce import people
from gateway.crm.salesforce.assumptions import (
    ACCOUNT_PHONES,
    BASIC_PHONES,
    CONTACT_PHONES,
    LEAD_PHONES,
    MIN_SEARCH_WORD,
)
from gateway.crm.salesforce.config import SalesforceConfig
from gateway.crm.salesforce.search import KIND_ORDER, rows_of, text_of

# Fewer digits are in nearly every number.
MIN_DIGITS = 3
MAX_DIGITS = 18

_DIGITS = re.compile(r"[0-9]+")
_NUMBER = re.compile(r"[0-9+(][0-9+ ()./\-]*\Z")


def typed_digits(text: str) -> str:
    """The digits of what may be the beginning or a part of a number, else ""."""
    if _NUMBER.match(text.strip()) is None:
        return ""
    digits = "".join(_DIGITS.findall(text))
    return digits if MIN_DIGITS <= len(digits) <= MAX_DIGITS else ""


def sosl(text: str, country: str, *, basic: bool = False) -> str:
    """The search; "" if there is too little to search for.

    ``basic``: only the fields that no administrator hides.
    """
    digits = typed_digits(text)
    words = people.words(text)
    if digits:
        group, term = "PHONE", _number_term(text, digits, country)
    elif words and _NUMBER.match(text.strip()) is None:
        group = "EMAIL" if "@" in text else "NAME"
        term = " AND ".join(f"{word}*" for word in words)
    else:
        return ""
    limit = f"LIMIT {MAX_CALLABLE}"
    if basic:
        contact = lead = account = ", ".join(("Id", "Name", *BASIC_PHONES))
    else:
        contact = ", ".join(("Id", "Name", *CONTACT_PHONES, "Email", "Account.Name"))
        lead = ", ".join(("Id", "Name", *LEAD_PHONES, "Email", "Company"))
        account = ", ".join(("Id", "Name", *ACCOUNT_PHONES))
    return (
        f"FIND {{{term}}} IN {group} FIELDS RETURNING"
        f" Contact({contact} {limit}),"
        f" Lead({lead} WHERE IsConverted = false {limit}),"
        f" Account({account} {limit})"
    )


def _number_term(text: str, digits: str, country: str) -> str:
    """However the number may be stored: in one piece, or in its usual groups."""
    formatter = AsYouTypeFormatter(country)
    grouped = ""
    for char in ("+" if text.strip().startswith("+") else "") + digits:
        grouped = formatter.input_digit(char)
    terms = {f"{digits}*": None}
    for written in (grouped, text):
        runs = [run for run in _DIGITS.findall(written) if len(run) >= MIN_SEARCH_WORD]
        if len(runs) > 1:
            terms["(" + " AND ".join([*runs[:-1], f"{runs[-1]}*"]) + ")"] = None
    try:
        e164 = normalise(text, country).e164
    except NumberError:
        e164 = ""
    for form in written_forms(e164):
        terms[form[0] if len(form) == 1 else '"' + " ".join(form) + '"'] = None
    return " OR ".join(terms)


def records(
    reply: Any, text: str, *, config: SalesforceConfig
) -> tuple[CrmRecord, ...]:
    """The numbers of whom the search found, people first; with digits, those numbers
    that have them.

    Raises:
        CrmUnavailable: it is no answer to a search.
    """
    digits = typed_digits(text)
    found: dict[tuple[str, str], CrmRecord] = {}
    for row in rows_of(reply):
        attributes = row.get("attributes")
        kind = attributes.get("type") if isinstance(attributes, Mapping) else None
        record_id = text_of(row, "Id")
        if kind not in KIND_ORDER or not record_id:
            continue
        parent = row.get("Account")
        company = text_of(parent, "Name") if isinstance(parent, Mapping) else ""
        for name in CONTACT_PHONES:
            stored = text_of(row, name)
            number = _dialled(stored, config.country)
            if not number or (digits and not _has(digits, stored, number)):
                continue
            found.setdefault(
                (record_id, number),
                CrmRecord(
                    id=record_id,
                    kind=kind,
                    name=text_of(row, "Name") or record_id,
                    url=config.record_url(kind, record_id),
                    company=company or text_of(row, "Company"),
                    phone=stored,
                    email=text_of(row, "Email"),
                ),
            )
    ordered = sorted(found.values(), key=lambda record: KIND_ORDER.index(record.kind))
    return tuple(ordered[:MAX_CALLABLE])


def _dialled(stored: str, country: str) -> str:
    """ "" for what no phone dials."""
    try:
        return normalise(stored, country).dial if stored else ""
    except NumberError:
        return ""


def _has(digits: str, stored: str, number: str) -> bool:
    """However either is written: with the country, with a zero in front, or without."""
    ends = digits.lstrip("0")
    return any(
        part in "".join(_DIGITS.findall(written))
        for part in (digits, ends)
        if part
        for written in (stored, number)
    )
