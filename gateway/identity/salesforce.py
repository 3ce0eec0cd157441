"""Sign-in with Salesforce: what is known of one between its steps, and what each asks.

::

    page    opens a window at start, with the SHA-256 of a secret that it keeps
    start   state, nonce and PKCE verifier are made and kept here; off to Salesforce
    finish  Salesforce sends the window back with state and code: the code is swapped
            at the tenant's My Domain, the ID token verified, userinfo compared, the
            organisation looked up among the tenant's, the user found or made
    page    gets a one-use code from the window and trades it here, with its secret

Everything here is bounded, short-lived and used once. Salesforce's access token is
given back (revoked) before the user is let in, and never kept.

Not verified in a real organisation: that the issuer of ID tokens is the My Domain URL
when that is where the user was sent, and that ``sub`` ends in ``/ORG/USER``.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import json
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from gateway.identity.directory import CrmIdentity, Provisioner, UserDirectory
from gateway.identity.openid import (
    Expected,
    IdTokenError,
    ProviderAwayError,
    ProviderKeys,
    key_id,
    verify,
)
from gateway.identity.users import User, UserKey

logger = logging.getLogger(__name__)

# A person reads, types a password, finds their telephone for the second factor.
PENDING_S = 600.0
MAX_PENDING = 2_000
# From the window to the page that opened it: a message.
RESULT_S = 60.0
MAX_RESULTS = 1_000
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_CHARS = 255

_ID = r"[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?"
_SUBJECT = re.compile(rf"https?://[^\s/]+/id/(00D{_ID})/(005{_ID})")
_PAGE = re.compile(r"[A-Za-z0-9_-]{43}")


class Problem(enum.StrEnum):
    """Why somebody is not signed in; each has words in the page."""

    # "Deny" was pressed, or the window asked in vain.
    DECLINED = "declined"
    # Salesforce's administrator has not let them use the app.
    NOT_APPROVED = "not_approved"
    WRONG_ORG = "wrong_org"
    UNKNOWN_USER = "unknown_user"
    # The sign-in was begun too long ago, or it was finished already.
    EXPIRED = "expired"
    # This tenant has no sign-in with Salesforce.
    OFF = "off"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


class SignInRefused(Exception):
    """``problem`` is for the page, the text for the log."""

    def __init__(self, problem: Problem, text: str = "") -> None:
        super().__init__(text or problem.value)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Provider:
    """A tenant's Salesforce.

    Attributes:
        my_domain: where users are sent and tokens are asked for; the issuer.
        organizations: ids whose users may come in, 15 or 18 characters.
        client_secret: "" where the app needs none; PKCE is used in any case.
        fields: of the CRM user, read for somebody who is not known here.
    """

    tenant: str
    my_domain: str
    client_id: str
    organizations: frozenset[str]
    redirect_uri: str
    client_secret: str = field(default="", repr=False)
    fields: tuple[str, ...] = ()
    api_version: str = "66.0"


class Ask(Protocol):
    """One request to the provider, in whose time limits it is.

    Raises ProviderAwayError when nothing (readable, small enough) comes back.
    """

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        bearer: str = "",
    ) -> tuple[int, bytes]: ...


@dataclass(frozen=True, slots=True)
class _Pending:
    tenant: str
    page: str
    until: float
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Result:
    user: UserKey
    page: str
    until: float


class SalesforceSignIn:
    """See the module.

    Args:
        providers: by tenant.
        asks: how each of them is reached, by tenant.
        clock: monotonic seconds; ``wall_clock``: Unix seconds.
        random_bytes: unguessable.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        asks: Mapping[str, Ask],
        *,
        users: UserDirectory,
        provisioner: Provisioner | None,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._providers = dict(providers)
        self._asks = dict(asks)
        self._users = users
        self._provisioner = provisioner
        self._clock = clock
        self._wall_clock = wall_clock
        self._random_bytes = random_bytes
        # By hash of state and of code.
        self._pending: OrderedDict[bytes, _Pending] = OrderedDict()
        self._results: OrderedDict[bytes, _Result] = OrderedDict()
        self._keys = {
            tenant: ProviderKeys(
                _fetching(asks[tenant], f"{provider.my_domain}/id/keys"), clock=clock
            )
            for tenant, provider in self._providers.items()
        }

    def has(self, tenant: str) -> bool:
        return tenant in self._providers

    def fields(self, tenant: str) -> tuple[str, ...]:
        """Of the CRM user, read for somebody who is not known here."""
        return self._providers[tenant].fields

    @property
    def pending_count(self) -> int:
        return len(self._pending)

    # The window goes out --------------------------------------------------------------

    def start(self, tenant: str, page: str) -> str:
        """Where the window goes; ``page`` is base64url of the SHA-256 of its secret.

        Raises:
            SignInRefused: this tenant has no such sign-in, or ``page`` is no hash.
        """
        provider = self._providers.get(tenant)
        if provider is None:
            raise SignInRefused(Problem.OFF)
        if not _PAGE.fullmatch(page):
            raise SignInRefused(Problem.FAILED, "the page sent no hash of a secret")
        state, nonce, verifier = self._secret(), self._secret(), self._secret()
        now = self._clock()
        _make_room(self._pending, now, MAX_PENDING)
        self._pending[_hash(state)] = _Pending(
            tenant, page, now + PENDING_S, nonce, verifier
        )
        query = {
            "response_type": "code",
            "client_id": provider.client_id,
            "redirect_uri": provider.redirect_uri,
            "scope": "openid api" if provider.fields else "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": _base64url(_hash(verifier)),
            "code_challenge_method": "S256",
        }
        return f"{provider.my_domain}/services/oauth2/authorize?{urlencode(query)}"

    # The window comes back ------------------------------------------------------------

    async def finish(self, query: Mapping[str, str]) -> str:
        """Take what Salesforce sent the window back with; gives the one-use code.

        Raises:
            SignInRefused: nobody is signed in by this.
        """
        pending = self._take_pending(query.get("state", ""))
        provider, ask = self._providers[pending.tenant], self._asks[pending.tenant]
        if "error" in query:
            raise _refusal(query["error"])
        try:
            user = await self._identify(provider, ask, pending, query.get("code", ""))
        except ProviderAwayError as error:
            logger.warning("sign-in at %s: %s", provider.my_domain, error)
            raise SignInRefused(Problem.UNREACHABLE, str(error)) from None
        except IdTokenError as error:
            logger.warning(
                "the ID token of %s was refused: %s", provider.my_domain, error
            )
            raise SignInRefused(Problem.FAILED, str(error)) from None
        code = self._secret()
        now = self._clock()
        _make_room(self._results, now, MAX_RESULTS)
        self._results[_hash(code)] = _Result(user.key, pending.page, now + RESULT_S)
        return code

    def _take_pending(self, state: str) -> _Pending:
        pending = self._pending.pop(_hash(state), None)
        if pending is None or pending.until <= self._clock():
            raise SignInRefused(Problem.EXPIRED)
        return pending

    async def _identify(
        self, provider: Provider, ask: Ask, pending: _Pending, code: str
    ) -> User:
        tokens = await self._swap(provider, ask, pending, code)
        access_token = _text(tokens, "access_token")
        try:
            id_token = _text(tokens, "id_token")
            key = await self._keys[provider.tenant].get(key_id(id_token))
            claims = verify(
                id_token,
                key,
                Expected(provider.my_domain, provider.client_id, pending.nonce),
                now=self._wall_clock(),
                access_token=access_token,
            )
            info = await _json(
                ask, f"{provider.my_domain}/services/oauth2/userinfo", access_token
            )
            org_id, user_id = _who(claims, info)
            if not _is_one_of(org_id, provider.organizations):
                logger.warning(
                    "somebody of organisation %s tried to sign in to %s",
                    org_id,
                    provider.tenant,
                )
                raise SignInRefused(Problem.WRONG_ORG)
            user = self._users.by_crm_user(provider.tenant, user_id)
            if user is None:
                user = await self._provision(
                    provider, ask, access_token, info, org_id, user_id
                )
        finally:
            await self._give_back(provider, ask, access_token)
        if user is None:
            logger.info("CRM user %s has no phone in %s", user_id, provider.tenant)
            raise SignInRefused(Problem.UNKNOWN_USER)
        return user

    async def _swap(
        self, provider: Provider, ask: Ask, pending: _Pending, code: str
    ) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": provider.client_id,
            "redirect_uri": provider.redirect_uri,
            "code_verifier": pending.verifier,
        }
        if provider.client_secret:
            form["client_secret"] = provider.client_secret
        url = f"{provider.my_domain}/services/oauth2/token"
        status, body = await ask("POST", url, form=form)
        answer = _object(body)
        if status != 200:
            error = answer.get("error")
            logger.warning(
                "%s does not swap the code: HTTP %d, %.60r",
                provider.my_domain,
                status,
                error,
            )
            if status >= 500:
                raise ProviderAwayError(f"HTTP {status}")
            raise SignInRefused(Problem.FAILED)
        return answer

    async def _provision(
        self,
        provider: Provider,
        ask: Ask,
        access_token: str,
        info: Mapping[str, Any],
        org_id: str,
        user_id: str,
    ) -> User | None:
        if self._provisioner is None:
            return None
        attributes = _attributes(info)
        if provider.fields:
            url = (
                f"{provider.my_domain}/services/data/v{provider.api_version}"
                f"/sobjects/User/{user_id}?fields={','.join(provider.fields)}"
            )
            try:
                attributes |= _attributes(await _json(ask, url, access_token))
            except IdTokenError as error:
                # The user may not read it: the rules do without.
                logger.warning("fields of CRM user %s: %s", user_id, error)
        user = await self._provisioner.provision(
            provider.tenant,
            CrmIdentity(
                user_id=user_id,
                org_id=org_id,
                username=attributes.get("preferred_username", ""),
                email=attributes.get("email", ""),
                name=attributes.get("name", ""),
                attributes=attributes,
            ),
        )
        if user is not None and user.key.tenant != provider.tenant:
            raise SignInRefused(Problem.FAILED, "provisioned in another tenant")
        return user

    async def _give_back(self, provider: Provider, ask: Ask, token: str) -> None:
        try:
            await ask(
                "POST",
                f"{provider.my_domain}/services/oauth2/revoke",
                form={"token": token},
            )
        except ProviderAwayError as error:
            logger.warning("a token could not be revoked: %s", error)

    # The page trades its code ---------------------------------------------------------

    def redeem(self, code: str, secret: str) -> User | None:
        """Who signed in; None if the code is no good, or the secret another page's.

        A code is used up by being shown, whatever the secret.
        """
        result = self._results.pop(_hash(code), None)
        if result is None or result.until <= self._clock():
            return None
        if not hmac.compare_digest(_base64url(_hash(secret)), result.page):
            logger.warning(
                "the sign-in of %s was asked for by another page", result.user
            )
            return None
        return self._users.user(result.user)

    def _secret(self) -> str:
        return _base64url(self._random_bytes(32))


def _fetching(ask: Ask, url: str) -> Callable[[], Any]:
    async def fetch() -> bytes:
        status, body = await ask("GET", url)
        if status != 200:
            raise ProviderAwayError(f"its keys: HTTP {status}")
        return body

    return fetch


async def _json(ask: Ask, url: str, access_token: str) -> Mapping[str, Any]:
    status, body = await ask("GET", url, bearer=access_token)
    if status >= 500:
        raise ProviderAwayError(f"HTTP {status}")
    if status != 200:
        raise IdTokenError(f"what is known of the user: HTTP {status}")
    return _object(body)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ProviderAwayError("it answers no JSON object")
    return value


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    # It may become a header's value: visible ASCII or nothing.
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]{1,16384}", value):
        raise IdTokenError(f"there is no {name}")
    return value


def _who(claims: Mapping[str, Any], info: Mapping[str, Any]) -> tuple[str, str]:
    """Organisation and user that ID token and userinfo agree on (Core 5.3.2)."""
    subject = claims["sub"]
    parts = _SUBJECT.fullmatch(subject) if isinstance(subject, str) else None
    if parts is None:
        raise IdTokenError("its subject is no Salesforce user")
    org_id, user_id = parts[1], parts[2]
    if info.get("sub") != subject:
        raise IdTokenError("userinfo is of somebody else")
    for name, wanted in (("organization_id", org_id), ("user_id", user_id)):
        value = info.get(name)
        if not isinstance(value, str) or value[:15] != wanted[:15]:
            raise IdTokenError("userinfo is of somebody else")
    if info.get("active") is False:
        raise SignInRefused(Problem.NOT_APPROVED, "the CRM user is not active")
    return org_id, user_id


def _is_one_of(org_id: str, organizations: frozenset[str]) -> bool:
    # Fifteen characters say it all; eighteen have a checksum of their case.
    return org_id[:15] in {each[:15] for each in organizations}


def _attributes(info: Mapping[str, Any]) -> dict[str, str]:
    """What is text in userinfo or in a record, and an app's custom attributes."""
    custom = info.get("custom_attributes")
    found: dict[str, str] = {}
    for source in (info, custom if isinstance(custom, dict) else {}):
        for name, value in source.items():
            if len(found) < MAX_ATTRIBUTES and isinstance(value, str):
                found[str(name)[:80]] = value[:MAX_ATTRIBUTE_CHARS]
    return found


def _refusal(error: str) -> SignInRefused:
    match error:
        case "access_denied":
            return SignInRefused(Problem.DECLINED)
        case "OAUTH_APP_ACCESS_DENIED" | "OAUTH_APPROVAL_ERROR_GENERIC":
            return SignInRefused(Problem.NOT_APPROVED)
        case _:
            logger.warning("Salesforce refuses a sign-in: %.60r", error)
            return SignInRefused(Problem.FAILED)


def _make_room(table: OrderedDict[bytes, Any], now: float, limit: int) -> None:
    """Drop what is too old, and the oldest of too many."""
    while table and (len(table) >= limit or next(iter(table.values())).until <= now):
        table.popitem(last=False)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
