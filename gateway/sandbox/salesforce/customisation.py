"""What an administrator set up in the org, beyond what every org is born with."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Right = Literal["create", "read", "edit", "delete"]


class DuplicateAction(enum.StrEnum):
    """What a duplicate rule does when somebody is there already.

    ALERT: the save fails and may be repeated with ``allowSave=true``. BLOCK: that does
    not help.
    """

    ALERT = "alert"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class RecordType:
    """One record type; ``picklists`` are the values it leaves of picklist fields."""

    object: str
    developer_name: str
    label: str = ""
    picklists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_default: bool = False
    is_active: bool = True

    @property
    def name(self) -> str:
        return self.label or self.developer_name.replace("_", " ")


@dataclass(frozen=True, slots=True)
class ValidationRule:
    """Refuses a row for which ``error_when`` holds.

    Attributes:
        error_when: what follows WHERE in SOQL (``Status = 'Completed' AND WhoId =
            null``): the simulator's stand-in for a formula.
        field: where the message is shown; "" for the top of the page.
    """

    object: str
    name: str
    error_when: str
    message: str
    field: str = ""
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Profile:
    """What a user may do; an object that is not named may be used in every way.

    ``hidden`` and ``read_only`` are fields as ``Contact.MobilePhone``.
    """

    objects: Mapping[str, frozenset[Right]] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset()

    def may(self, object_name: str, right: Right) -> bool:
        for name, rights in self.objects.items():
            if name.lower() == object_name.lower():
                return right in rights
        return True
