"""What of a Task that is there is changed, and what somebody else has made of it. Pure.

Three versions of each field: what we meant to be there, what is there, what we mean
now. What we do not mean to change is left alone, whatever it is; what is as we left it
is changed; what somebody else has changed stays, and is a conflict. A link that is
empty is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.crm.salesforce.assumptions import CREATE_ONLY_FIELD, SHARED_FIELD

# Said once: afterwards they are the rep's.
_ONCE = frozenset({CREATE_ONLY_FIELD, "Status", "OwnerId"})
_LINKS = ("WhoId", "WhatId")
# People's names of the fields.
_NAMES = {
    "ActivityDate": "the day",
    "CallDisposition": "the result",
    "Description": "the comments",
    "Subject": "the subject",
    "WhatId": "what it is related to",
    "WhoId": "the name",
}


@dataclass(frozen=True, slots=True)
class Correction:
    """``updates``: fields to write; ``conflicts``: names of those to leave."""

    updates: Mapping[str, Any]
    conflicts: tuple[str, ...]

    @property
    def problem(self) -> str:
        """What a person is told of the conflicts."""
        names = ", ".join(_NAMES.get(name, name) for name in self.conflicts)
        return f"Somebody has changed it in Salesforce; not written over: {names}"


def correct(
    current: Mapping[str, Any],
    wanted: Mapping[str, Any],
    earlier: Sequence[Mapping[str, Any]],
) -> Correction:
    """``current`` as Salesforce gives it; the others as they are written, ``earlier``
    all versions that may be there (at least one)."""
    updates: dict[str, Any] = {}
    conflicts: list[str] = []
    names = dict.fromkeys((*wanted, *_LINKS, *(n for each in earlier for n in each)))
    for name in names:
        mine = wanted.get(name)
        before = [each.get(name) for each in earlier]
        is_meant = any(each != mine for each in before)
        if name in _ONCE or name == SHARED_FIELD or not is_meant:
            continue
        theirs = _plain(current.get(name))
        if theirs == _plain(mine):
            continue
        # An empty link is filled: ours may have been left out where it was not taken.
        if theirs in map(_plain, before) or (theirs is None and name in _LINKS):
            updates[name] = mine
        else:
            conflicts.append(name)
    people = wanted.get(SHARED_FIELD)
    was = earlier[-1].get(SHARED_FIELD)
    if people and people != was and "WhoId" not in conflicts:
        # Nobody can read the list: it is written when we mean another one than before.
        updates[SHARED_FIELD] = people
    return Correction(updates, tuple(conflicts))


def _plain(value: Any) -> Any:
    """Without what Salesforce does to a value: ends of lines, blanks at the ends, none
    for an empty text, and the three letters that make an id's case not matter."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").strip()
    if len(text) == 18 and text.isalnum():
        text = text[:15]
    return text or None
