"""Checks of a whole row that need no other rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from gateway.sandbox.salesforce import events, person_accounts
from gateway.sandbox.salesforce.assumptions import LEAD_WITH_WHAT_CODE
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.schema import Field, SObject
from gateway.sandbox.salesforce.values import Value, check_value


class Target(Protocol):
    """A row that another one refers to."""

    @property
    def is_deleted(self) -> bool: ...


def fields_of(
    kind: SObject, values: Mapping[str, object], *, creating: bool
) -> dict[str, Value]:
    """What a write says, by the fields' own names.

    Args:
        kind: as the user sees it.

    Raises:
        RestError: a field is not there, may not be written, or does not take this.
    """
    given: dict[str, Value] = {}
    locked: list[str] = []
    for name, value in values.items():
        if name == "attributes":
            continue
        f = kind.field_named(name)
        if f is None:
            raise RestError(
                400,
                "INVALID_FIELD",
                f"No such column '{name}' on sobject of type {kind.name}",
            )
        if not (f.createable if creating else f.updateable):
            locked.append(f.name)
            continue
        given[f.name] = check_value(f, value)
    if locked:
        raise RestError(
            400,
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {', '.join(locked)}. Please check "
            "the security settings of this field and verify that it is "
            "read/write for your profile or permission set.",
            fields=locked,
        )
    return given


def require(kind: SObject, row: Mapping[str, Value]) -> None:
    """Refuse a row without what it needs.

    Raises:
        RestError: 400 REQUIRED_FIELD_MISSING.
    """
    names = person_accounts.required(kind, row)
    if names is None:
        names = tuple(f.name for f in kind.fields.values() if f.required)
    missing = [name for name in names if row.get(name) is None]
    if kind.name == "Event":
        missing += events.missing(row)
    if missing:
        raise RestError(
            400,
            "REQUIRED_FIELD_MISSING",
            f"Required fields are missing: [{', '.join(missing)}]",
            fields=missing,
        )


def settle_record_type(kind: SObject, row: dict[str, Value]) -> dict[str, Value]:
    """The row with a record type, if its object has any.

    Raises:
        RestError: it is not one of the object's, or not in use.
    """
    default = kind.default_record_type
    if default is None:
        return row
    chosen = row.get("RecordTypeId")
    if chosen is None:
        return row | {"RecordTypeId": default.id}
    found = kind.record_type(chosen)
    if found is None or not found.is_active:
        raise RestError(
            400,
            "INVALID_CROSS_REFERENCE_KEY",
            f"Record Type ID: this ID value isn't valid for the user: {chosen}",
            fields=["RecordTypeId"],
        )
    return row


def picklists(
    kind: SObject, row: Mapping[str, Value], given: Mapping[str, Value]
) -> None:
    """Restricted picklists take what the row's record type leaves of their values.

    Raises:
        RestError: 400 INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST.
    """
    record_type = kind.record_type(row.get("RecordTypeId"))
    if record_type is None:
        return
    for name, left in record_type.picklists.items():
        f = kind.field_named(name)
        if f is None or not f.restricted or given.get(f.name) is None:
            continue
        if given[f.name] not in left:
            raise RestError(
                400,
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{f.label or f.name}: bad value for restricted picklist field: "
                f"{given[f.name]}",
                fields=[f.name],
            )


def references(
    schema: Mapping[str, SObject],
    kind: SObject,
    row: Mapping[str, Value],
    *,
    find: Callable[[str], Target | None],
) -> None:
    """Refuse references to nothing, to what is deleted, to the wrong object.

    Raises:
        RestError: the refusal.
    """
    for f in kind.fields.values():
        value = row.get(f.name)
        if value is None:
            continue
        if f.type == "reference":
            _reference(schema, f, str(value), find=find)
        elif f.type == "junctionidlist":
            for one in str(value).split(","):
                _reference(schema, f, one, find=find)
    who = str(row.get("WhoId") or "")
    if who.startswith("00Q") and row.get("WhatId"):
        raise RestError(
            400,
            LEAD_WITH_WHAT_CODE,
            "Related To ID: an activity of a lead cannot be related to another record",
            fields=["WhatId"],
        )


def _reference(
    schema: Mapping[str, SObject],
    f: Field,
    value: str,
    *,
    find: Callable[[str], Target | None],
) -> None:
    target = find(value)
    if target is not None and target.is_deleted:
        raise RestError(400, "ENTITY_IS_DELETED", "entity is deleted", fields=[f.name])
    prefixes = [o.prefix for name in f.references if (o := schema.get(name.lower()))]
    if value[:3] not in prefixes:
        raise RestError(
            400,
            "FIELD_INTEGRITY_EXCEPTION",
            f"{f.name}: id value of incorrect type: {value}",
            fields=[f.name],
        )
    if target is None:
        raise RestError(
            400,
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
            fields=[f.name],
        )
