"""Shared Activities: several people of one Task or Event, and the rows that say so.

The list is kept in the activity as ids with commas between; TaskRelation and
EventRelation have a row for each person and for what it is about.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.sandbox.salesforce.assumptions import MAX_SHARED_CONTACTS
from gateway.sandbox.salesforce.errors import RestError
from gateway.sandbox.salesforce.features import RELATIONS, SHARED_FIELDS
from gateway.sandbox.salesforce.schema import Field, SObject
from gateway.sandbox.salesforce.values import Value

_CONTACT, _LEAD = "003", "00Q"


def settle(
    kind: SObject, values: dict[str, Value], given: Mapping[str, Value]
) -> dict[str, Value]:
    """The row with a WhoId and a list of people that agree.

    Args:
        values: the row as it would be. given: what this write said.

    Raises:
        RestError: too many people, or leads among them.
    """
    field = field_of(kind)
    if field is None:
        return values
    name = field.name
    who = values.get("WhoId")
    people = split(values.get(name)) if name in values else split(who)
    if name in given:
        if who and "WhoId" in given:
            people = [str(who), *(p for p in people if p != who)]
        who = people[0] if people else None
    elif "WhoId" in given:
        # Another person in the place of the first; nobody means nobody at all.
        rest = [p for p in people[1:] if p != who]
        people = [str(who), *rest] if who else []
    if len(people) > MAX_SHARED_CONTACTS:
        raise _refused(name, f"no more than {MAX_SHARED_CONTACTS} contacts")
    leads = [p for p in people if p.startswith(_LEAD)]
    if leads and len(people) > 1:
        raise _refused(name, "an activity has one lead, or contacts")
    if any(not p.startswith((_CONTACT, _LEAD)) for p in people):
        raise _refused(name, "contacts and leads only")
    return values | {
        "WhoId": who,
        name: ",".join(people) or None,
        "WhoCount": len(people),
        "WhatCount": 1 if values.get("WhatId") else 0,
    }


def field_of(kind: SObject) -> Field | None:
    """The field with the list of people; None while Shared Activities is off."""
    return kind.field_named(SHARED_FIELDS.get(kind.name, ""))


def rows(kind: SObject, activity_id: str, values: Mapping[str, Value]) -> list[Row]:
    """The relation rows that an activity should have."""
    field = field_of(kind)
    if field is None:
        return []
    found: list[Row] = []
    for person in split(values.get(field.name)):
        found.append(_row(kind, activity_id, person, is_what=False))
    if what := values.get("WhatId"):
        found.append(_row(kind, activity_id, str(what), is_what=True))
    return found


Row = dict[str, Value]


def split(value: Value) -> list[str]:
    """The ids of a list as it is kept."""
    return str(value).split(",") if value else []


def relation_of(kind: SObject) -> tuple[str, str]:
    """Name of the relation object, and of its field for the activity."""
    return RELATIONS[kind.name], f"{kind.name}Id"


def _row(kind: SObject, activity_id: str, target: str, *, is_what: bool) -> Row:
    _, link = relation_of(kind)
    row: Row = {link: activity_id, "RelationId": target, "IsWhat": is_what}
    if kind.name == "Event":
        row |= {"IsParent": True, "IsInvitee": False}
    return row


def _refused(name: str, why: str) -> RestError:
    return RestError(400, "FIELD_INTEGRITY_EXCEPTION", f"{name}: {why}", fields=[name])
