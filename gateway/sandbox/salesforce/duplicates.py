"""Duplicate rules: who is there already, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from gateway.sandbox.salesforce.assumptions import DUPLICATE_HEADER_DEFAULTS
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.values import Value

# Objects that a new row of an object is compared with, by the standard rules.
COMPARED_WITH = {
    "Contact": ("Contact",),
    "Lead": ("Lead", "Contact"),
}
MATCHED_FIELDS = frozenset({"FirstName", "LastName", "Email", "Phone", "MobilePhone"})
_DETAILS = ("Name", "Email", "Phone", "Company")


@dataclass(frozen=True, slots=True)
class DuplicateOptions:
    """What the header ``Sforce-Duplicate-Rule-Header`` asks for."""

    allow_save: bool = False
    include_record_details: bool = False


def options_from(header: str) -> DuplicateOptions:
    """``allowSave=true; includeRecordDetails=true``, with ``;`` or ``,`` between."""
    given = dict(DUPLICATE_HEADER_DEFAULTS)
    for part in header.replace(",", ";").split(";"):
        name, _, value = part.strip().partition("=")
        given[name.strip().lower()] = value.strip().lower() == "true"
    return DuplicateOptions(
        given.get("allowsave", False), given.get("includerecorddetails", False)
    )


@dataclass(frozen=True, slots=True)
class Known:
    """A row that is there already."""

    object: str
    id: str
    values: Mapping[str, Value]


def find(
    kind: str,
    values: Mapping[str, Value],
    *,
    own_id: str,
    rows: Callable[[str], Iterable[Known]],
) -> list[Known]:
    """Rows that the standard rules take for the same person."""
    return [
        row
        for name in COMPARED_WITH.get(kind, ())
        for row in rows(name)
        if row.id != own_id and _is_same_person(row.values, values)
    ]


def refusal(
    kind: str,
    known: list[Known],
    *,
    status: int,
    allow_save: bool,
    options: DuplicateOptions,
) -> RestError:
    """The refusal, naming the rows that are there already."""
    return RestError(
        status,
        "DUPLICATES_DETECTED",
        "Use one of these records?",
        extra={
            "duplicateResult": {
                "allowSave": allow_save,
                "duplicateRule": f"Standard_{kind}_Duplicate_Rule",
                "duplicateRuleEntityType": kind,
                "errorMessage": "Use one of these records?",
                "matchResults": [
                    _match_result(name, [k for k in known if k.object == name], options)
                    for name in dict.fromkeys(k.object for k in known)
                ],
            }
        },
    )


def _match_result(
    name: str, known: list[Known], options: DuplicateOptions
) -> dict[str, object]:
    return {
        "entityType": name,
        "errors": [],
        "matchEngine": "FuzzyMatchEngine",
        "matchRecords": [
            {
                "additionalInformation": [],
                "fieldDiffs": [],
                "matchConfidence": 100.0,
                "record": _record(row, options),
            }
            for row in known
        ],
        "rule": f"Standard_{name}_Match_Rule_v1_0",
        "size": len(known),
        "success": True,
    }


def _record(row: Known, options: DuplicateOptions) -> dict[str, object]:
    record: dict[str, object] = {"attributes": {"type": row.object}, "Id": row.id}
    if options.include_record_details:
        record |= {n: row.values[n] for n in _DETAILS if row.values.get(n)}
    return record


def _is_same_person(a: Mapping[str, Value], b: Mapping[str, Value]) -> bool:
    if not all(_low(a.get(n)) == _low(b.get(n)) for n in ("FirstName", "LastName")):
        return False
    if _low(a.get("Email")) and _low(a.get("Email")) == _low(b.get("Email")):
        return True
    numbers = {_digits(a.get(n)) for n in ("Phone", "MobilePhone")} - {""}
    return bool(numbers & {_digits(b.get(n)) for n in ("Phone", "MobilePhone")})


def _low(value: Value) -> str:
    return str(value or "").lower()


def _digits(value: Value) -> str:
    return "".join(c for c in str(value or "") if c.isdigit())[-10:]
