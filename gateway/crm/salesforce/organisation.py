"""How an organisation has set up its Tasks, from their description. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.crm.connector import ActivityFacts
from gateway.crm.salesforce.assumptions import SHARED_FIELD
from gateway.crm.salesforce.errors import unreadable

MAX_VALUES = 200
MAX_VALUE_LENGTH = 255
_PICKLISTS = frozenset({"picklist", "combobox"})


def facts(reply: Any) -> ActivityFacts:
    """Of the answer to ``sobjects/Task/describe``.

    Raises:
        CrmUnavailable: it is no description.
    """
    listed = reply.get("fields") if isinstance(reply, Mapping) else None
    if not isinstance(listed, list):
        raise unreadable("no description of an object")
    fields = {
        name: each
        for each in listed
        if isinstance(each, Mapping) and isinstance(name := each.get("name"), str)
    }
    related = fields.get("WhatId", {}).get("referenceTo")
    shared = fields.get(SHARED_FIELD, {})
    return ActivityFacts(
        about_kinds=frozenset(
            kind
            for kind in (related if isinstance(related, list) else ())
            if isinstance(kind, str)
        ),
        takes_contacts=shared.get("createable") is True,
        picklists={
            name: _values(each)
            for name, each in fields.items()
            if each.get("type") in _PICKLISTS
            and each.get("createable") is True
            and each.get("updateable") is True
        },
    )


def _values(field: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that can be chosen, in the administrator's order."""
    listed = field.get("picklistValues")
    values = (
        value
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, Mapping)
        and each.get("active") is True
        and isinstance(value := each.get("value"), str)
        and 0 < len(value) <= MAX_VALUE_LENGTH
    )
    return tuple(dict.fromkeys(values))[:MAX_VALUES]
