"""Whoever signs in with the CRM and is not known gets an account by rule.

What is somebody's is never given to another: a row with a CRM user, a user of the
configuration, a disabled row. Each refusal is one line in the log that says why.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from gateway.config import RuleSection, TenantSection
from gateway.crm.connector import CrmError, CrmUser
from gateway.identity.directory import CrmIdentity
from gateway.identity.live import Claims, LiveUsers
from gateway.identity.stored import (
    SOURCE_SIGN_IN,
    StoredUser,
    UserStore,
    full_crm_id,
)
from gateway.identity.users import User, UserKey
from gateway.invites.draft import check_email
from gateway.storage import StorageError

logger = logging.getLogger(__name__)

SIP_USERNAME = re.compile(r"[A-Za-z0-9._~+*!'()-]{1,64}")
USER_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
CRM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Others may write at the same moment; each loss is somebody else's success.
WRITE_TRIES = 3


class UserFields(Protocol):
    """What a CRM can be asked about its own users."""

    async def user_fields(
        self, user: CrmUser, names: tuple[str, ...]
    ) -> Mapping[str, str]:
        """Fields of the CRM user by name, "" for empty ones; raises CrmError."""


class _RefusedError(Exception):
    """The text is for the log: no account, and why."""


class RuleProvisioner:
    """A :class:`gateway.identity.directory.Provisioner` by the tenants' rules.

    Args:
        fields_of: whom to ask for fields that the sign-in did not bring, by tenant.
    """

    def __init__(
        self,
        tenants: Mapping[str, TenantSection],
        users: LiveUsers,
        store: UserStore,
        *,
        fields_of: Callable[[str], UserFields | None],
    ) -> None:
        self._tenants = tenants
        self._users = users
        self._store = store
        self._fields_of = fields_of

    async def provision(self, tenant: str, identity: CrmIdentity) -> User | None:
        """See :class:`gateway.identity.directory.Provisioner`."""
        try:
            return await self._provision(tenant, identity)
        except (_RefusedError, StorageError) as error:
            logger.warning(
                "no account for CRM user %s of tenant %s: %s",
                identity.user_id if CRM_ID.fullmatch(identity.user_id) else "?",
                tenant,
                error,
            )
            return None

    async def _provision(self, tenant: str, identity: CrmIdentity) -> User | None:
        section = self._tenants.get(tenant)
        if section is None or not CRM_ID.fullmatch(identity.user_id):
            raise _RefusedError("there is no such tenant, or the id is malformed")
        fields: dict[str, str] | None = None
        for _ in range(WRITE_TRIES):
            # Another node, or the command, may know them since a moment ago.
            await self._users.refresh()
            user = self._users.by_crm_user(tenant, identity.user_id)
            if user is not None:
                return user
            if fields is None:
                fields = await self._fields(section, identity)
            rows = self._users.stored(tenant)
            chosen, rule = _choose(section, identity, fields, rows)
            try:
                is_written = await self._store.replace((chosen,))
            except StorageError as error:
                if error.retryable:
                    raise
                is_written = False
            if not is_written:
                continue
            await self._users.refresh()
            user = self._users.by_crm_user(tenant, identity.user_id)
            if user is None:
                problem = self._users.merged.problems.get(chosen.key, "it is gone")
                raise _RefusedError(problem)
            logger.info("CRM user signs in as %s, by %s", user.key, rule)
            return user
        raise _RefusedError("others kept writing the same accounts")

    async def _fields(
        self, section: TenantSection, identity: CrmIdentity
    ) -> dict[str, str]:
        """What the rules ask about the user; from the sign-in, else from the CRM."""
        rules = section.provisioning.rules if section.provisioning else ()
        wanted = {rule.field for rule in rules if rule.by == "field"}
        known = {name: identity.attributes.get(name, "") for name in wanted}
        missing = tuple(sorted(name for name, value in known.items() if not value))
        crm = self._fields_of(section.id)
        if not missing or crm is None or not _is_welcome(section, identity):
            return known
        asked = CrmUser(section.id, identity.username, identity.user_id)
        try:
            return known | dict(await crm.user_fields(asked, missing))
        except CrmError as error:
            # Not the end: a rule before may do, or the one after.
            logger.warning("tenant %s: cannot read users: %s", section.id, error)
            return known


def _choose(
    section: TenantSection,
    identity: CrmIdentity,
    fields: Mapping[str, str],
    rows: tuple[StoredUser, ...],
) -> tuple[StoredUser, str]:
    """The row to write, and the rule that led to it. Pure.

    Raises:
        _RefusedError: no rule does, or one leads to what is another's.
    """
    crm_id = full_crm_id(identity.user_id)
    for row in rows:
        if row.crm_user_id == crm_id:
            raise _RefusedError(
                f"{row.key} is disabled"
                if row.is_disabled
                else f"{row.key} cannot sign in; `ringbridge user list` says why"
            )
    if section.provisioning is None:
        raise _RefusedError("the tenant has no section provisioning")
    if not _is_welcome(section, identity):
        raise _RefusedError("the e-mail address is in none of provisioning.domains")
    claims = Claims([section])
    for rule in section.provisioning.rules:
        found = _by_rule(rule, section, identity, fields, rows)
        if found is None:
            continue
        if found.is_disabled:
            raise _RefusedError(f"by {rule.by} it is {found.key}, who is disabled")
        if found.crm_user_id:
            raise _RefusedError(f"by {rule.by} it is {found.key}, who is another")
        if clash := claims.clash(found):
            raise _RefusedError(f"by {rule.by} it is {found.key}: {clash}")
        linked = replace(
            found,
            crm_user_id=crm_id,
            crm_username=identity.username[:255],
            email=found.email or _email(identity),
        )
        return linked, rule.by
    raise _RefusedError("no rule of provisioning leads to an account")


def _by_rule(
    rule: RuleSection,
    section: TenantSection,
    identity: CrmIdentity,
    fields: Mapping[str, str],
    rows: tuple[StoredUser, ...],
) -> StoredUser | None:
    """Whose row the rule names, or a new one; None when it names nobody."""
    pattern, value = rule.sip_username, ""
    match rule.by:
        case "table":
            return _only(
                rule, rows, lambda row: _same(row.crm_username, identity.username)
            )
        case "email":
            found = _only(rule, rows, lambda row: _same(row.email, identity.email))
            if found is not None or not pattern:
                return found
            value = identity.email.rpartition("@")[0]
        case "field":
            value = fields.get(rule.field, "").strip()
            pattern = pattern or "{value}"
    sip_username = pattern.replace("{value}", value)
    if not value or not SIP_USERNAME.fullmatch(sip_username):
        return None
    found = _only(rule, rows, lambda row: row.sip_username == sip_username)
    if found is not None:
        return found
    assert section.provisioning is not None
    if section.provisioning.sip_password is None:
        return None
    taken = {row.key.user for row in rows} | {user.id for user in section.users}
    name = "".join(char for char in identity.name if char.isprintable()).strip()
    is_free = USER_ID.fullmatch(sip_username) and sip_username not in taken
    user_id = sip_username if is_free else full_crm_id(identity.user_id)
    return StoredUser(
        key=UserKey(section.id, user_id),
        name=(name or user_id)[:120],
        sip_username=sip_username,
        source=SOURCE_SIGN_IN,
    )


def _only(
    rule: RuleSection,
    rows: tuple[StoredUser, ...],
    is_meant: Callable[[StoredUser], bool],
) -> StoredUser | None:
    found = [row for row in rows if is_meant(row)]
    if len(found) > 1:
        names = ", ".join(str(row.key) for row in found[:3])
        raise _RefusedError(f"by {rule.by} it could be several: {names}")
    return found[0] if found else None


def _is_welcome(section: TenantSection, identity: CrmIdentity) -> bool:
    domains = section.provisioning.domains if section.provisioning else ()
    return not domains or identity.email.rpartition("@")[2].lower() in domains


def _same(one: str, other: str) -> bool:
    return bool(one) and one.casefold() == other.casefold()


def _email(identity: CrmIdentity) -> str:
    try:
        return check_email(identity.email) if identity.email else ""
    except ValueError:
        return ""
