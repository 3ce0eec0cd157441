"""Users as the database keeps them, and the door to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.identity.users import UserKey

# Where a row came from, for the operator to read.
SOURCE_COMMAND = "command"
SOURCE_IMPORT = "import"
SOURCE_SIGN_IN = "sign-in"

_SALESFORCE_ID = re.compile(r"(005[A-Za-z0-9]{12})(?:[A-Za-z0-9]{3})?")
_CHECK_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A row of the table ``users``.

    Attributes:
        crm_user_id: "" if none; Salesforce's in 18 characters (:func:`full_crm_id`).
        sip_auth_username: for digest, "" when it is ``sip_username``.
        sealed_secret: the SIP password as :class:`SecretBox` sealed it, "" when the
            tenant's shared one is meant.
        source: one of ``SOURCE_*``.
        revision: counts the row's changes from 1; the store's own.
    """

    key: UserKey
    name: str
    sip_username: str
    number: str = ""
    email: str = ""
    crm_user_id: str = ""
    crm_username: str = ""
    sip_auth_username: str = ""
    sealed_secret: str = field(default="", repr=False)
    is_disabled: bool = False
    source: str = SOURCE_COMMAND
    revision: int = 0


class UserStore(Protocol):
    """The table. What goes wrong is raised as the storage's own error."""

    async def fingerprint(self) -> tuple[int, int]:
        """Another one after every change by whomever."""

    async def all(self) -> tuple[StoredUser, ...]:
        """Every row, in the order of keys."""

    async def replace(self, users: Sequence[StoredUser]) -> bool:
        """Write all in one transaction, or none and False: a row that was read
        (``revision`` above 0) has changed since, or what is new is there already."""


def full_crm_id(crm_user_id: str) -> str:
    """Salesforce's id of a user in 18 characters; anything else as it is.

    The last three say, five bits each, which of the 15 before are capitals; they are
    reckoned anew, so that one user has one id.
    """
    matched = _SALESFORCE_ID.fullmatch(crm_user_id)
    if matched is None:
        return crm_user_id
    short_id = matched[1]
    suffix = ""
    for start in (0, 5, 10):
        capitals = (char.isupper() for char in short_id[start : start + 5])
        bits = sum(is_capital << place for place, is_capital in enumerate(capitals))
        suffix += _CHECK_CHARACTERS[bits]
    return short_id + suffix
