"""Parameterized search: a search without SOSL, by query or by body."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.sandbox.salesforce import sosl
from gateway.sandbox.salesforce.errors import malformed_search


def from_query(asked: Mapping[str, str]) -> sosl.Search:
    """``?q=…&sobject=Contact&Contact.fields=id,name&in=PHONE``.

    Raises:
        RestError: 400 MALFORMED_SEARCH.
    """
    returning = tuple(
        sosl.Returning(
            name,
            tuple(
                f.strip()
                for f in asked.get(f"{name}.fields", asked.get("fields", "Id")).split(
                    ","
                )
            ),
            limit=_count(asked.get(f"{name}.limit")),
        )
        for name in filter(None, asked.get("sobject", "").split(","))
    )
    return _search(
        asked.get("q", ""), asked.get("in", "ALL"), returning, asked.get("overallLimit")
    )


def from_body(body: Mapping[str, object]) -> sosl.Search:
    """``{"q": …, "in": …, "sobjects": [{"name": …, "fields": […]}]}``.

    Raises:
        RestError: 400 MALFORMED_SEARCH.
    """
    listed = body.get("sobjects", [])
    if not isinstance(listed, list):
        raise malformed_search("sobjects is a list")
    common = body.get("fields")
    returning = []
    for one in listed:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise malformed_search("each of sobjects has a name")
        names = one.get("fields", common) or ["Id"]
        if not isinstance(names, list):
            raise malformed_search("fields is a list")
        returning.append(
            sosl.Returning(
                one["name"],
                tuple(str(n) for n in names),
                limit=_count(one.get("limit")),
            )
        )
    return _search(
        str(body.get("q", "")),
        str(body.get("in", "ALL")),
        tuple(returning),
        body.get("overallLimit"),
    )


def _search(
    text: str, group: str, returning: tuple[sosl.Returning, ...], limit: object
) -> sosl.Search:
    return sosl.Search(
        sosl.parse_term(_escape_term(text)),
        _group(group),
        returning,
        _count(limit) or sosl.MAX_ROWS,
    )


def _count(value: object) -> int | None:
    text = str(value)
    if value is None:
        return None
    if not text.isascii() or not text.isdigit():
        raise malformed_search(f"not a number: {text}")
    return int(text[:9])


def _group(name: str) -> str:
    upper = name.upper()
    if upper not in ("ALL", "NAME", "EMAIL", "PHONE", "SIDEBAR"):
        raise malformed_search(f"unknown search group: {name}")
    return upper


def _escape_term(text: str) -> str:
    """Plain words as a term: what would be an operator is punctuation here."""
    kept = "".join(c if c.isalnum() or c.isspace() else " " for c in text)
    words = [w for w in kept.split() if w not in ("AND", "OR", "NOT")]
    return " ".join(words)
