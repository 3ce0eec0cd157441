"""Who may sign in: tenants, their users, and how a tenant vouches for a user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from gateway.identity.users import User, UserKey

MIN_RSA_BITS = 2048  # RFC 7518 section 3.3

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class TenantIdentity:
    """How a tenant's users prove who they are.

    Attributes:
        assertion_issuer: ``iss`` of the CRM's sign-in assertions (a Salesforce org
            id), "" if the tenant has none. No two tenants share one.
        assertion_key: PEM of the RSA public key that verifies them.
        allowed_origins: web origins besides the gateway's own whose pages may use
            the gateway as this tenant's users.
    """

    tenant: str
    assertion_issuer: str = ""
    assertion_key: str = field(default="", repr=False)
    allowed_origins: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Raises ValueError when the key is no RSA public key of 2048 bits or more."""
        if not self.assertion_key:
            return
        try:
            key = load_pem_public_key(self.assertion_key.encode("utf-8"))
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("the assertion key is no PEM public key") from None
        if not isinstance(key, RSAPublicKey) or key.key_size < MIN_RSA_BITS:
            raise ValueError(f"the assertion key must be RSA, {MIN_RSA_BITS} bits")


class UserDirectory(Protocol):
    """Finds tenants and users. Every user lookup names the tenant."""

    def user(self, key: UserKey) -> User | None:
        """The user, or None when there is none any more."""

    def by_crm_user(self, tenant: str, crm_user_id: str) -> User | None:
        """The tenant's user with this CRM id (15 or 18 characters in Salesforce)."""

    def by_username(self, tenant: str, username: str) -> User | None:
        """The tenant's user with this name and a password; case does not matter."""

    def tenant(self, tenant: str) -> TenantIdentity | None:
        """How the tenant's users prove who they are."""

    def by_issuer(self, issuer: str) -> TenantIdentity | None:
        """The tenant whose CRM signs assertions as ``issuer``."""

    def is_allowed_origin(self, origin: str) -> bool:
        """True if any tenant allows the origin."""


@dataclass(frozen=True, slots=True)
class CrmIdentity:
    """Whom a CRM says somebody is, proven by a sign-in there.

    Attributes:
        user_id: the CRM's id (15 or 18 characters in Salesforce).
        org_id: the CRM's organisation, whose tenant the caller has checked.
        attributes: other claims and fields by name (``Extension``), "" for empty.
    """

    user_id: str
    org_id: str
    username: str
    email: str
    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)


class Provisioner(Protocol):
    """Makes a user of somebody who signed in with the CRM and is not known here."""

    async def provision(self, tenant: str, identity: CrmIdentity) -> User | None:
        """The tenant's user, who is in the directory from now on; also when they
        were there already. None when no rule gives them a SIP account, or they are
        disabled; the reason is in the log.
        """


class InMemoryUserDirectory:
    """A :class:`UserDirectory` of what the configuration file lists.

    A user with a password signs in as ``key.user`` or, when set, ``crm_username``.

    Raises:
        ValueError: two tenants or users would answer to the same name.
    """

    def __init__(
        self, tenants: Iterable[TenantIdentity], users: Iterable[User]
    ) -> None:
        self._tenants: dict[str, TenantIdentity] = {}
        self._by_issuer: dict[str, TenantIdentity] = {}
        self._users: dict[UserKey, User] = {}
        self._by_crm_user: dict[tuple[str, str], User] = {}
        self._by_username: dict[tuple[str, str], User] = {}
        for tenant in tenants:
            _add(self._tenants, tenant.tenant, tenant, "tenant")
            if tenant.assertion_issuer:
                _add(
                    self._by_issuer, tenant.assertion_issuer, tenant, "assertion issuer"
                )
        for user in users:
            name = user.key.tenant
            if name not in self._tenants:
                raise ValueError(f"user {user.key} belongs to no known tenant")
            _add(self._users, user.key, user, "user")
            if user.crm_user_id:
                by_id = (name, crm_key(user.crm_user_id))
                _add(self._by_crm_user, by_id, user, "CRM user")
            if user.password_hash:
                for username in {user.key.user, user.crm_username} - {""}:
                    username_key = (name, username.casefold())
                    _add(self._by_username, username_key, user, "username")
        self._origins = frozenset(
            origin
            for tenant in self._tenants.values()
            for origin in tenant.allowed_origins
        )

    def user(self, key: UserKey) -> User | None:
        return self._users.get(key)

    def by_crm_user(self, tenant: str, crm_user_id: str) -> User | None:
        return self._by_crm_user.get((tenant, crm_key(crm_user_id)))

    def by_username(self, tenant: str, username: str) -> User | None:
        return self._by_username.get((tenant, username.casefold()))

    def tenant(self, tenant: str) -> TenantIdentity | None:
        return self._tenants.get(tenant)

    def by_issuer(self, issuer: str) -> TenantIdentity | None:
        return self._by_issuer.get(issuer)

    def is_allowed_origin(self, origin: str) -> bool:
        return origin in self._origins


def crm_key(crm_user_id: str) -> str:
    """What two ids of the same CRM user have in common."""
    # Salesforce shows ids of 15 case-sensitive characters in URLs and of 18, with a
    # checksum of the case, in APIs; administrators copy either.
    return crm_user_id[:15] if len(crm_user_id) == 18 else crm_user_id


def _add(index: dict[_K, _V], key: _K, value: _V, what: str) -> None:
    if key in index:
        raise ValueError(f"{what} {key!s} is there twice")
    index[key] = value
