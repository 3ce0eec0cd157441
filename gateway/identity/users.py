"""Tenants and users as the running service knows them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class UserKey:
    """Names a user among all tenants; every lookup is by the pair, never by one."""

    tenant: str
    user: str

    def __str__(self) -> str:
        return f"{self.tenant}/{self.user}"


@dataclass(frozen=True, slots=True)
class User:
    """A rep: who they are, and which accounts are theirs.

    Attributes:
        number: what colleagues dial, shown in the widget.
        crm_user_id: the CRM's id (Salesforce 18-character user id), "" if none.
        crm_username: the CRM's sign-in name, "" if none.
        email: invites go out in this address's name, "" if none.
        invite_id: the invite that a guest came by, "" for reps.
        is_by_phone: known by their phone account alone, while they are signed in.
        password_hash: ``scrypt`` hash for sign-in without CRM, "" if not allowed.
    """

    key: UserKey
    name: str
    number: str
    company: str = ""
    country: str = "US"
    crm_user_id: str = ""
    crm_username: str = ""
    email: str = ""
    invite_id: str = ""
    is_by_phone: bool = False
    password_hash: str = field(default="", repr=False)

    @property
    def is_guest(self) -> bool:
        """Came by an invite's link: may call its host and do nothing else."""
        return bool(self.invite_id)
