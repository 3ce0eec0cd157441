"""Tenants, rows and a table in memory, for tests of users."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.config import TenantSection
from gateway.identity.directory import CrmIdentity, TenantIdentity
from gateway.identity.live import LiveUsers
from gateway.identity.sealing import SecretBox
from gateway.identity.stored import StoredUser
from gateway.identity.users import UserKey
from gateway.storage import StorageError

KEY = "k" * 42 + "A="
OLD_KEY = "o" * 42 + "A="
BOX = SecretBox([KEY])
SAM_ID = "005000000000002AAA"
NEW_ID = "005000000000009AAA"


def tenant(name: str = "acme", **more: Any) -> TenantSection:
    """With Robin (1000) in the configuration."""
    robin = {
        "id": "robin",
        "name": "Robin Reyes",
        "sip": {"username": "1000", "password": "geheim"},
        "salesforce": {"user_id": "005000000000001AAA", "username": "r@acme.example"},
    }
    server = {"domain": f"{name}.example", "registrar": "sip:192.0.2.1:5060"}
    return TenantSection.model_validate(
        {"id": name, "application_server": server, "users": [robin], **more}
    )


def row(user: str = "sam", *, of: str = "acme", **more: Any) -> StoredUser:
    """With a sealed password, unless another secret is named."""
    key = UserKey(of, user)
    more.setdefault("sealed_secret", BOX.seal(key, f"password of {key}"))
    more.setdefault("sip_username", "1001")
    return StoredUser(key, more.pop("name", user.title()), **more)


class MemoryStore:
    """A table; ``is_away`` raises, ``before_write`` is somebody quicker."""

    def __init__(self, *rows: StoredUser) -> None:
        self.was_away = asyncio.Event()
        self.readings = 0
        self.rows = {user.key: replace(user, revision=1) for user in rows}
        self.is_away = False
        self.before_write: Sequence[StoredUser] = ()

    def put(self, user: StoredUser) -> None:
        before = self.rows.get(user.key)
        revision = before.revision + 1 if before else 1
        self.rows[user.key] = replace(user, revision=revision)

    async def fingerprint(self) -> tuple[int, int]:
        if self.is_away:
            self.was_away.set()
            raise StorageError("the database is away")
        return len(self.rows), sum(user.revision for user in self.rows.values())

    async def all(self) -> tuple[StoredUser, ...]:
        self.readings += 1
        return tuple(self.rows[key] for key in sorted(self.rows))

    async def replace(self, users: Sequence[StoredUser]) -> bool:
        if self.before_write:
            for user in self.before_write:
                self.put(user)
            self.before_write = ()
        for user in users:
            before = self.rows.get(user.key)
            if user.revision != (before.revision if before else 0):
                return False
            others = [other for other in self.rows.values() if other.key != user.key]
            for other in others:
                if (other.key.tenant, other.sip_username) == (
                    user.key.tenant,
                    user.sip_username,
                ):
                    raise StorageError("IntegrityError", retryable=False)
        for user in users:
            self.put(user)
        return True


def live(
    store: MemoryStore,
    *tenants: TenantSection,
    box: SecretBox = BOX,
) -> LiveUsers:
    sections: Mapping[str, TenantSection] = {
        section.id: section for section in tenants or (tenant(),)
    }
    identities = [TenantIdentity(name) for name in sections]
    return LiveUsers(sections, identities, store, box)


def identity(user_id: str = NEW_ID, **more: Any) -> CrmIdentity:
    values = {
        "org_id": "00D000000000001EAA",
        "username": "noa@acme.example",
        "email": "noa@acme.example",
        "name": "Noa Nagy",
        **more,
    }
    return CrmIdentity(user_id, **values)
