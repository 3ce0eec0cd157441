"""How one organisation is made: what is asked of it once, and learnt on the way.

Pure; the connector does the asking. What is not known yet is taken as in any
organisation.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.crm.salesforce.assumptions import (
    ACCOUNT_PREFIX,
    PERSON_ACCOUNT_FIELDS,
    PERSON_CONTACT_FIELDS,
    STANDARD_ABOUT,
)
from gateway.crm.salesforce.errors import unreadable

# An administrator's change is known after so long, seconds.
DESCRIBED_S = 6 * 3600.0
# After a describe that failed.
ASK_AGAIN_S = 60.0
MAX_PERSONS = 5_000

_PERSON_FIELDS = {*PERSON_ACCOUNT_FIELDS, *PERSON_CONTACT_FIELDS} - {"AccountId"}


class OrgSetup:
    """See the module."""

    def __init__(self) -> None:
        # None: nobody has asked yet.
        self.has_persons: bool | None = None
        self._about = STANDARD_ABOUT
        # Contacts of person accounts, by the account's id without its check letters.
        self._contacts: OrderedDict[str, str] = OrderedDict()
        self._good_until = float("-inf")

    def is_due(self, now: float) -> bool:
        """Whether to describe it (again); whoever asks is expected to."""
        if now < self._good_until:
            return False
        self._good_until = now + ASK_AGAIN_S
        return True

    def described(self, now: float, *, account: Any, task: Any) -> None:
        """The describes of both objects.

        Raises:
            CrmUnavailable: they are none.
        """
        has_persons = "IsPersonAccount" in _fields(account)
        what = _fields(task).get("WhatId", {}).get("referenceTo")
        if not isinstance(what, list) or not all(isinstance(k, str) for k in what):
            raise unreadable("no targets of WhatId")
        self.has_persons = has_persons
        self._about = frozenset(what)
        self._good_until = now + DESCRIBED_S

    def may_be_about(self, kind: str) -> bool:
        return kind in self._about

    def is_persons(self, field: str) -> bool:
        """Whether a field that is not there means that there are no person accounts."""
        return field in _PERSON_FIELDS

    def learn(self, contacts: Iterable[tuple[str, str]]) -> None:
        """``(account's id, contact's id)`` of person accounts."""
        for account_id, contact_id in contacts:
            self._contacts[account_id[:15]] = contact_id
            self._contacts.move_to_end(account_id[:15])
        while len(self._contacts) > MAX_PERSONS:
            self._contacts.popitem(last=False)

    def contact_of(self, account_id: str) -> str | None:
        """None: not known; "" for a company's account."""
        return self._contacts.get(account_id[:15])

    def is_unknown(self, who_id: str) -> bool:
        """Whether to ask if this is a person before an activity names it."""
        return (
            who_id.startswith(ACCOUNT_PREFIX)
            and self.has_persons is not False
            and self.contact_of(who_id) is None
        )


def _fields(describe: Any) -> dict[str, Mapping[str, Any]]:
    fields = describe.get("fields") if isinstance(describe, Mapping) else None
    if not isinstance(fields, list):
        raise unreadable("no description of an object")
    return {
        field["name"]: field
        for field in fields
        if isinstance(field, Mapping) and isinstance(field.get("name"), str)
    }
