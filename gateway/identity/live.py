"""The users of now: the configuration's, and beside them those of the database.

:func:`merge` is pure and says what is wrong; :class:`LiveUsers` reads the database
again when it has changed, and tells whose session must end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

import sip
from gateway.config import TenantSection
from gateway.identity.accounts import (
    configured_users,
    stored_account,
    stored_user,
)
from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity, crm_key
from gateway.identity.sealing import SecretBox, SecretError
from gateway.identity.stored import StoredUser, UserStore
from gateway.identity.users import User, UserKey
from gateway.storage import StorageError

logger = logging.getLogger(__name__)

# A disabled user is out within this, and one more look at the table.
REFRESH_INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Merged:
    """Attributes:
    problems: by row that is left out, why; never of disabled ones.
    """

    users: Mapping[UserKey, User]
    accounts: Mapping[UserKey, sip.Account]
    problems: Mapping[UserKey, str]
    # Tenant and SIP username of each account.
    sip_users: frozenset[tuple[str, str]]


def merge(
    tenants: Mapping[str, TenantSection], stored: Iterable[StoredUser], box: SecretBox
) -> Merged:
    """Everybody who may sign in; where both claim the same, the configuration wins."""
    users: dict[UserKey, User] = {}
    accounts: dict[UserKey, sip.Account] = {}
    problems: dict[UserKey, str] = {}
    for tenant in tenants.values():
        for user, account in configured_users(tenant):
            users[user.key], accounts[user.key] = user, account
    claims = Claims(tenants.values())
    for row in stored:
        section = tenants.get(row.key.tenant)
        if row.is_disabled:
            continue
        if section is None:
            problems[row.key] = "the configuration has no such tenant"
        elif clash := claims.clash(row):
            problems[row.key] = clash
        else:
            try:
                password = password_of(section, row, box)
                accounts[row.key] = stored_account(section, row, password)
            except ValidationError:
                # Its text quotes what it complains about.
                problems[row.key] = "its SIP account is malformed"
            except (SecretError, ValueError) as error:
                problems[row.key] = str(error)
            else:
                users[row.key] = stored_user(section, row)
                claims.add(row)
    sip_users = frozenset(
        (key.tenant, account.aor.user or "") for key, account in accounts.items()
    )
    return Merged(users, accounts, problems, sip_users)


class Claims:
    """What the configuration's users have, so that nobody else may."""

    def __init__(self, tenants: Iterable[TenantSection]) -> None:
        self._users: dict[UserKey, str] = {}
        self._sip: dict[tuple[str, str], str] = {}
        self._crm: dict[tuple[str, str], str] = {}
        for tenant in tenants:
            guests = tenant.invites.sip if tenant.invites else None
            if guests is not None:
                self._sip[tenant.id, guests.username] = "the guests of invites"
            for user in tenant.users:
                key = UserKey(tenant.id, user.id)
                crm_id = user.salesforce.user_id if user.salesforce else ""
                who = f"{user.id!r} in the configuration"
                self._claim(key, user.sip.username, crm_id, who)

    def add(self, row: StoredUser) -> None:
        """The row has it from now on."""
        who = f"{row.key.user!r}"
        self._claim(row.key, row.sip_username, row.crm_user_id, who)

    def _claim(self, key: UserKey, sip_name: str, crm_id: str, who: str) -> None:
        self._users[key] = who
        self._sip[key.tenant, sip_name] = who
        if crm_id:
            self._crm[key.tenant, crm_key(crm_id)] = who

    def clash(self, row: StoredUser) -> str:
        """Why the row cannot be beside them, "" if it can."""
        tenant = row.key.tenant
        if who := self._users.get(row.key):
            return f"is there already: {who}"
        if who := self._sip.get((tenant, row.sip_username)):
            return f"SIP username {row.sip_username!r} is that of {who}"
        crm_id = row.crm_user_id
        if crm_id and (who := self._crm.get((tenant, crm_key(crm_id)))):
            return f"CRM user {crm_id} is that of {who}"
        return ""


def password_of(tenant: TenantSection, row: StoredUser, box: SecretBox) -> sip.Secret:
    """The row's SIP password: its own, or the tenant's shared one.

    Raises:
        SecretError: it cannot be opened.
        ValueError: there is none.
    """
    if row.sealed_secret:
        return box.open(row.key, row.sealed_secret)
    if tenant.provisioning is None or tenant.provisioning.sip_password is None:
        raise ValueError(
            "has no SIP password, and the tenant has no provisioning.sip_password"
        )
    return sip.Secret(tenant.provisioning.sip_password.get_secret_value())


class LiveUsers:
    """A :class:`gateway.identity.directory.UserDirectory` that follows the table.

    The caller must ``await refresh()`` before anybody signs in, and own a task with
    :meth:`run`.

    Args:
        on_gone: told each user whose session must end: disabled, removed, or with
            another SIP address or CRM user than before.
    """

    def __init__(
        self,
        tenants: Mapping[str, TenantSection],
        identities: Iterable[TenantIdentity],
        store: UserStore,
        box: SecretBox,
    ) -> None:
        self._tenants = tenants
        self._identities = tuple(identities)
        self._store = store
        self._box = box
        # One reads at a time, or an older reading could take the place of a newer.
        self._reading = asyncio.Lock()
        self._fingerprint: tuple[int, int] | None = None
        self._stored: dict[UserKey, StoredUser] = {}
        self._merged = merge(tenants, (), box)
        self._directory = self._index()
        self.on_gone: Callable[[UserKey], None] = lambda _: None
        self.accounts: Mapping[UserKey, sip.Account] = _Accounts(self)

    @property
    def merged(self) -> Merged:
        return self._merged

    def has_sip_user(self, tenant: str, username: str) -> bool:
        """Whether a user of the tenant has this SIP username."""
        return (tenant, username) in self._merged.sip_users

    def stored(self, tenant: str) -> tuple[StoredUser, ...]:
        """The tenant's rows as last read, disabled ones too."""
        return tuple(row for key, row in self._stored.items() if key.tenant == tenant)

    async def refresh(self) -> None:
        """See what has changed.

        Raises:
            StorageError: the database cannot be read; all stays as it was.
        """
        async with self._reading:
            fingerprint = await self._store.fingerprint()
            if fingerprint == self._fingerprint:
                return
            rows = await self._store.all()
            before = self._merged
            self._stored = {row.key: row for row in rows}
            self._merged = merge(self._tenants, rows, self._box)
            self._directory = self._index()
            self._fingerprint = fingerprint
        for key, problem in self._merged.problems.items():
            if before.problems.get(key) != problem:
                logger.error("user %s cannot sign in: %s", key, problem)
        for key in before.users:
            if _is_other(before, self._merged, key):
                logger.info("user %s is gone or somebody else now", key)
                self.on_gone(key)

    async def run(self, *, interval_s: float = REFRESH_INTERVAL_S) -> None:
        """Follow the table until cancelled."""
        is_away = False
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.refresh()
            except StorageError as error:
                if not is_away:
                    logger.warning("changes of users are not seen: %s", error)
                is_away = True
            else:
                is_away = False

    def _index(self) -> InMemoryUserDirectory:
        return InMemoryUserDirectory(self._identities, self._merged.users.values())

    # UserDirectory --------------------------------------------------------------------

    def user(self, key: UserKey) -> User | None:
        return self._directory.user(key)

    def by_crm_user(self, tenant: str, crm_user_id: str) -> User | None:
        return self._directory.by_crm_user(tenant, crm_user_id)

    def by_username(self, tenant: str, username: str) -> User | None:
        return self._directory.by_username(tenant, username)

    def tenant(self, tenant: str) -> TenantIdentity | None:
        return self._directory.tenant(tenant)

    def by_issuer(self, issuer: str) -> TenantIdentity | None:
        return self._directory.by_issuer(issuer)

    def is_allowed_origin(self, origin: str) -> bool:
        return self._directory.is_allowed_origin(origin)


class _Accounts(Mapping[UserKey, sip.Account]):
    """Everybody's phone account, as of each look."""

    def __init__(self, users: LiveUsers) -> None:
        self._users = users

    def __getitem__(self, key: UserKey) -> sip.Account:
        return self._users.merged.accounts[key]

    def __iter__(self) -> Iterator[UserKey]:
        return iter(self._users.merged.accounts)

    def __len__(self) -> int:
        return len(self._users.merged.accounts)


def _is_other(before: Merged, after: Merged, key: UserKey) -> bool:
    """A new password alone is no other user: it counts from the next sign-in."""
    user, was = after.users.get(key), before.users[key]
    return (
        user is None
        or was.crm_user_id not in ("", user.crm_user_id)
        or after.accounts[key].aor != before.accounts[key].aor
    )
