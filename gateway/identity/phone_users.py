"""Sign-in with the phone account: who that is, and those whom only their phone knows.

Who has a SIP username of a known user is that user. Anybody else whose password the
application server takes is a user of their own while a sign-in of theirs lasts: their
password is in the memory of this process and nowhere else, so after a restart they
sign in again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field

import sip
from gateway.identity.directory import TenantIdentity, UserDirectory
from gateway.identity.users import User, UserKey

logger = logging.getLogger(__name__)

# Proofs under way, and those that wait for one to end.
PROOFS_AT_ONCE = 20
PROOFS_WAITING = 100
MAX_PHONE_USERS = 10_000
# No user of the configuration has an id with a colon.
USER_PREFIX = "phone:"


class ProofsExhaustedError(Exception):
    """Too many are being proven; ask again in a moment."""


class PhoneSystemAwayError(Exception):
    """The application server cannot say whether a password is right."""


@dataclass(frozen=True, slots=True)
class PhoneTenant:
    """A tenant with this sign-in.

    Attributes:
        account: the account of a SIP username with a password.
        owners: known users by SIP username.
        is_barred: nobody may come in by this SIP username, whose password is right:
            its user was disabled, or it is no person's.
    """

    company: str
    country: str
    account: Callable[[str, sip.Secret], sip.Account] = field(repr=False)
    owners: Callable[[str], User | None]
    is_barred: Callable[[str], bool] = lambda _: False


@dataclass(slots=True)
class _Here:
    user: User
    account: sip.Account
    sign_ins: set[str] = field(default_factory=set)


class PhoneUsers:
    """A :class:`UserDirectory` of others and of those who are here by their phone.

    Args:
        prove: whether a registrar takes the account's password.
    """

    def __init__(
        self,
        others: UserDirectory,
        tenants: Mapping[str, PhoneTenant],
        prove: Callable[[sip.Account], Awaitable[sip.Proof]],
    ) -> None:
        self._others = others
        self._tenants = dict(tenants)
        self._prove = prove
        self._here: dict[UserKey, _Here] = {}
        self._proofs = asyncio.Semaphore(PROOFS_AT_ONCE)
        self._waiting = 0

    def __len__(self) -> int:
        return len(self._here)

    def account(self, key: UserKey) -> sip.Account | None:
        """By which a user who is here by their phone registers."""
        here = self._here.get(key)
        return here.account if here is not None else None

    def keys(self) -> Iterator[UserKey]:
        return iter(self._here)

    # Sign-in --------------------------------------------------------------------------

    async def prove(self, tenant: str, username: str, password: str) -> User | None:
        """Who has this phone account; None: the password is wrong, or there is no
        such sign-in here.

        Raises:
            ProofsExhaustedError: too many at once.
            PhoneSystemAwayError: nobody can say just now.
        """
        found = self._tenants.get(tenant)
        if found is None:
            return None
        if self._waiting >= PROOFS_WAITING:
            raise ProofsExhaustedError
        account = found.account(username, sip.Secret(password))
        self._waiting += 1
        try:
            async with self._proofs:
                proof = await self._prove(account)
        finally:
            self._waiting -= 1
        match proof:
            case sip.Proof.ACCEPTED:
                pass
            case sip.Proof.REFUSED | sip.Proof.UNASKED:
                return None
            case sip.Proof.UNAVAILABLE:
                raise PhoneSystemAwayError
        owner = found.owners(username)
        if owner is not None:
            return owner
        if found.is_barred(username):
            logger.info("SIP user %r of %s is barred from signing in", username, tenant)
            return None
        return self._enter(tenant, found, username, account)

    def began(self, user: UserKey, sign_in_id: str) -> None:
        """A user has a sign-in, which :meth:`ended` will be told of."""
        if (here := self._here.get(user)) is not None:
            here.sign_ins.add(sign_in_id)

    def ended(self, user: UserKey, sign_in_id: str) -> None:
        """With the last sign-in the user is gone, and the password."""
        here = self._here.get(user)
        if here is None:
            return
        here.sign_ins.discard(sign_in_id)
        if not here.sign_ins:
            del self._here[user]

    def _enter(
        self, tenant: str, found: PhoneTenant, username: str, account: sip.Account
    ) -> User:
        key = UserKey(tenant, USER_PREFIX + username)
        here = self._here.get(key)
        if here is not None:
            # Another page of theirs, or a new password.
            here.account = account
            return here.user
        if len(self._here) >= MAX_PHONE_USERS:
            raise ProofsExhaustedError
        user = User(
            key,
            name=username,
            number=username,
            company=found.company,
            country=found.country,
            is_by_phone=True,
        )
        self._here[key] = _Here(user, account)
        return user

    # UserDirectory --------------------------------------------------------------------

    def user(self, key: UserKey) -> User | None:
        here = self._here.get(key)
        if here is None:
            return self._others.user(key)
        # Since they came, an administrator may have named whose account it is.
        found, name = self._tenants[key.tenant], here.account.aor.user or ""
        is_good = found.owners(name) is None and not found.is_barred(name)
        return here.user if is_good else None

    def by_crm_user(self, tenant: str, crm_user_id: str) -> User | None:
        return self._others.by_crm_user(tenant, crm_user_id)

    def by_username(self, tenant: str, username: str) -> User | None:
        return self._others.by_username(tenant, username)

    def tenant(self, tenant: str) -> TenantIdentity | None:
        return self._others.tenant(tenant)

    def by_issuer(self, issuer: str) -> TenantIdentity | None:
        return self._others.by_issuer(issuer)

    def is_allowed_origin(self, origin: str) -> bool:
        return self._others.is_allowed_origin(origin)


class AccountsWithPhones(Mapping[UserKey, sip.Account]):
    """All accounts there are now: the known users', and of who is here by phone."""

    def __init__(self, known: Mapping[UserKey, sip.Account], here: PhoneUsers) -> None:
        self._known = known
        self._here = here

    def __getitem__(self, key: UserKey) -> sip.Account:
        return self._here.account(key) or self._known[key]

    def __iter__(self) -> Iterator[UserKey]:
        yield from self._known
        yield from self._here.keys()

    def __len__(self) -> int:
        return len(self._known) + len(self._here)
