"""Sign-in with Salesforce between its steps: what is mixed up, replayed or foreign."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.identity import salesforce as module
from gateway.identity.directory import (
    CrmIdentity,
    InMemoryUserDirectory,
    TenantIdentity,
)
from gateway.identity.openid import ProviderAwayError
from gateway.identity.salesforce import (
    PENDING_S,
    RESULT_S,
    Problem,
    Provider,
    SalesforceSignIn,
    SignInRefused,
)
from gateway.identity.users import User, UserKey

NOW = 1_800_000_000.0
ORG, OTHER_ORG = "00D000000000001AAA", "00D000000000002AAA"
ANA_ID, NEW_ID = "005000000000001AAA", "005000000000009AAA"
ANA = User(UserKey("acme", "ana"), "Ana Ruiz", "1001", crm_user_id=ANA_ID)
# The same CRM id in another tenant is somebody else.
EVE = User(UserKey("evil", "eve"), "Eve", "1001", crm_user_id=ANA_ID)
KEY = rsa.generate_private_key(65537, 2048)


def provider(tenant: str, **changed: Any) -> Provider:
    values: dict[str, Any] = {
        "tenant": tenant,
        "my_domain": f"https://{tenant}.my.salesforce.com",
        "client_id": f"client-of-{tenant}",
        "organizations": frozenset({ORG[:15]}),
        "redirect_uri": "https://phone.example.com/v1/oauth/salesforce/callback",
    }
    return Provider(**values | changed)


class Org:
    """Plays a tenant's Salesforce; ``answers`` are changed by tests."""

    def __init__(self, tenant: str) -> None:
        self.url = f"https://{tenant}.my.salesforce.com"
        self.client_id = f"client-of-{tenant}"
        self.subject = f"{self.url}/id/{ORG}/{ANA_ID}"
        self.claims: dict[str, Any] = {}
        self.info: dict[str, Any] = {}
        self.nonces: dict[str, str] = {}
        self.challenges: dict[str, str] = {}
        self.forms: list[Mapping[str, str]] = []
        self.revoked: list[str] = []
        self.asked: list[str] = []
        self.away: set[str] = set()

    def approve(self, url: str, code: str) -> dict[str, str]:
        """As if the user had allowed it: what the window comes back with."""
        query = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
        self.nonces[code] = query["nonce"]
        self.challenges[code] = query["code_challenge"]
        return {"state": query["state"], "code": code}

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        bearer: str = "",
    ) -> tuple[int, bytes]:
        path = url.removeprefix(self.url)
        assert path != url, "asked elsewhere"
        self.asked.append(f"{method} {path}")
        if path in self.away:
            raise ProviderAwayError("away")
        match path:
            case "/services/oauth2/token":
                return self._token(form or {})
            case "/services/oauth2/revoke":
                self.revoked.append((form or {})["token"])
                return 200, b""
            case "/id/keys":
                jwk = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
                return 200, json.dumps({"keys": [jwk | {"kid": "k"}]}).encode()
            case "/services/oauth2/userinfo":
                assert bearer == "access"
                return 200, json.dumps(self._info()).encode()
            case _:
                assert path.startswith("/services/data/")
                return 200, b'{"Extension": "1042", "Id": "x"}'

    def _token(self, form: Mapping[str, str]) -> tuple[int, bytes]:
        self.forms.append(form)
        code = form["code"]
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        # As Salesforce does: once, and with the verifier of that very request.
        if self.challenges.pop(code, None) != challenge:
            return 400, b'{"error": "invalid_grant"}'
        claims = {
            "iss": self.url,
            "aud": self.client_id,
            "sub": self.subject,
            "nonce": self.nonces[code],
            "iat": NOW,
            "exp": NOW + 120,
        } | self.claims
        id_token = jwt.encode(claims, KEY, "RS256", headers={"kid": "k"})
        return 200, json.dumps(
            {"access_token": "access", "id_token": id_token}
        ).encode()

    def _info(self) -> dict[str, Any]:
        org, user = self.subject.split("/")[-2:]
        return {
            "sub": self.subject,
            "organization_id": org,
            "user_id": user,
            "preferred_username": "new@acme.example",
            "email": "new@acme.example",
            "name": "New Comer",
            "active": True,
            "custom_attributes": {"Desk": "4"},
        } | self.info


class Rules:
    """A provisioner."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, CrmIdentity]] = []
        self.gives: User | None = None

    async def provision(self, tenant: str, identity: CrmIdentity) -> User | None:
        self.asked.append((tenant, identity))
        return self.gives


class Desk:
    def __init__(self, **changed: Any) -> None:
        self.now = 1000.0
        self.orgs = {"acme": Org("acme"), "evil": Org("evil")}
        self.rules = Rules()
        numbers = itertools.count(1)
        self.sign_in = SalesforceSignIn(
            {
                "acme": provider("acme", **changed),
                "evil": provider("evil"),
            },
            self.orgs,
            users=InMemoryUserDirectory(
                [TenantIdentity("acme"), TenantIdentity("evil")], [ANA, EVE]
            ),
            provisioner=self.rules,
            clock=lambda: self.now,
            wall_clock=lambda: NOW,
            random_bytes=lambda size: next(numbers).to_bytes(size, "big"),
        )

    def start(self, secret: str = "secret", tenant: str = "acme") -> str:
        return self.sign_in.start(tenant, page(secret))

    async def refused(self, query: Mapping[str, str]) -> Problem:
        with pytest.raises(SignInRefused) as caught:
            await self.sign_in.finish(query)
        return caught.value.problem


def page(secret: str) -> str:
    digest = hashlib.sha256(secret.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_somebody_known_is_signed_in(desk: Desk) -> None:
    url = desk.start()
    query = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["scope"] == "openid"
    # Nothing of the page, and nothing that would have to be kept secret.
    assert page("secret") not in url
    code = await desk.sign_in.finish(desk.orgs["acme"].approve(url, "c1"))
    assert desk.sign_in.redeem(code, "secret") == ANA
    # Salesforce's token is not kept.
    assert desk.orgs["acme"].revoked == ["access"]
    assert "client_secret" not in desk.orgs["acme"].forms[0]
    assert desk.rules.asked == []


async def test_a_secret_of_the_app_is_sent_where_there_is_one() -> None:
    desk = Desk(client_secret="app-secret")
    await desk.sign_in.finish(desk.orgs["acme"].approve(desk.start(), "c1"))
    assert desk.orgs["acme"].forms[0]["client_secret"] == "app-secret"
    assert "app-secret" not in repr(provider("acme", client_secret="app-secret"))


async def test_the_result_needs_both_halves_and_is_good_once(desk: Desk) -> None:
    org = desk.orgs["acme"]
    code = await desk.sign_in.finish(org.approve(desk.start(), "c1"))
    # Who lured a rep into it has the secret and not the code, or the other way round.
    assert desk.sign_in.redeem("x" * 43, "secret") is None
    assert desk.sign_in.redeem(code, "another page's") is None
    # It was shown to somebody: gone, also for the right one.
    assert desk.sign_in.redeem(code, "secret") is None
    code = await desk.sign_in.finish(org.approve(desk.start(), "c2"))
    assert desk.sign_in.redeem(code, "secret") == ANA
    assert desk.sign_in.redeem(code, "secret") is None
    code = await desk.sign_in.finish(org.approve(desk.start(), "c3"))
    desk.now += RESULT_S
    assert desk.sign_in.redeem(code, "secret") is None


async def test_state_is_ours_and_good_once(desk: Desk) -> None:
    org = desk.orgs["acme"]
    back = org.approve(desk.start(), "c1")
    for query in (
        {},
        {"code": "c1"},
        {"code": "c1", "state": ""},
        {"code": "c1", "state": "made-up"},
        {"code": "c1", "state": back["state"] + "A"},
    ):
        assert await desk.refused(query) is Problem.EXPIRED
    assert org.forms == [], "nothing was asked for a state that is not ours"
    await desk.sign_in.finish(back)
    assert await desk.refused(back) is Problem.EXPIRED
    late = org.approve(desk.start(), "c2")
    desk.now += PENDING_S
    assert await desk.refused(late) is Problem.EXPIRED


async def test_a_code_of_one_sign_in_is_no_good_in_another(desk: Desk) -> None:
    org = desk.orgs["acme"]
    mine, theirs = desk.start("mine"), desk.start("theirs")
    stolen = org.approve(theirs, "theirs")
    own = org.approve(mine, "mine")
    # An injected code: PKCE says no.
    assert await desk.refused(own | {"code": stolen["code"]}) is Problem.FAILED
    # And if it did not: the nonce.
    url = desk.start("mine")
    back = org.approve(url, "again")
    org.nonces["again"] = "the nonce of another sign-in"
    assert await desk.refused(back) is Problem.FAILED


async def test_tenants_are_not_mixed_up(desk: Desk) -> None:
    back = desk.orgs["evil"].approve(desk.start(tenant="evil"), "c1")
    # The state is evil's: acme's Salesforce is not asked, and acme's user not found.
    code = await desk.sign_in.finish(back)
    assert desk.orgs["acme"].asked == []
    assert desk.sign_in.redeem(code, "secret") == EVE
    with pytest.raises(SignInRefused) as caught:
        desk.start(tenant="nobody")
    assert caught.value.problem is Problem.OFF


@pytest.mark.parametrize(
    ("claims", "info", "problem"),
    [
        ({"aud": "client-of-evil"}, {}, Problem.FAILED),
        ({"iss": "https://evil.my.salesforce.com"}, {}, Problem.FAILED),
        ({"exp": NOW - 600}, {}, Problem.FAILED),
        ({"sub": "https://acme.my.salesforce.com/id/x/y"}, {}, Problem.FAILED),
        ({"sub": f"javascript:/id/{ORG}/{ANA_ID}"}, {}, Problem.FAILED),
        ({}, {"sub": "somebody else"}, Problem.FAILED),
        ({}, {"user_id": NEW_ID}, Problem.FAILED),
        ({}, {"organization_id": OTHER_ORG}, Problem.FAILED),
        ({}, {"organization_id": None}, Problem.FAILED),
        ({}, {"active": False}, Problem.NOT_APPROVED),
    ],
    ids=str,
)
async def test_what_does_not_fit_together_is_refused(
    desk: Desk, claims: dict[str, Any], info: dict[str, Any], problem: Problem
) -> None:
    org = desk.orgs["acme"]
    org.claims, org.info = claims, info
    assert await desk.refused(org.approve(desk.start(), "c1")) is problem
    assert org.revoked == ["access"]
    assert desk.rules.asked == []


async def test_another_organisation_is_told_so_and_nobody_is_made(desk: Desk) -> None:
    org = desk.orgs["acme"]
    org.subject = f"{org.url}/id/{OTHER_ORG}/{ANA_ID}"
    assert await desk.refused(org.approve(desk.start(), "c1")) is Problem.WRONG_ORG
    assert desk.rules.asked == []


async def test_somebody_new_is_provisioned_or_told_so() -> None:
    desk = Desk(fields=("Extension",))
    org = desk.orgs["acme"]
    org.subject = f"{org.url}/id/{ORG}/{NEW_ID}"
    assert await desk.refused(org.approve(desk.start(), "c1")) is Problem.UNKNOWN_USER
    [(tenant, identity)] = desk.rules.asked
    assert tenant == "acme"
    assert (identity.user_id, identity.org_id) == (NEW_ID, ORG)
    assert identity.username == "new@acme.example"
    assert identity.attributes["Extension"] == "1042"
    assert identity.attributes["Desk"] == "4"
    # A user of another tenant is never let in, whatever a rule says.
    desk.rules.gives = EVE
    assert await desk.refused(org.approve(desk.start(), "c2")) is Problem.FAILED
    desk.rules.gives = ANA
    code = await desk.sign_in.finish(org.approve(desk.start(), "c3"))
    assert desk.sign_in.redeem(code, "secret") == ANA


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ("access_denied", Problem.DECLINED),
        ("OAUTH_APP_ACCESS_DENIED", Problem.NOT_APPROVED),
        ("server_error", Problem.FAILED),
        ("<script>", Problem.FAILED),
    ],
)
async def test_what_salesforce_says_instead(
    desk: Desk, error: str, problem: Problem
) -> None:
    back = desk.orgs["acme"].approve(desk.start(), "c1")
    assert await desk.refused({"state": back["state"], "error": error}) is problem
    assert desk.orgs["acme"].forms == []


@pytest.mark.parametrize(
    "path",
    ["/services/oauth2/token", "/services/oauth2/userinfo", "/id/keys"],
)
async def test_a_salesforce_that_is_away(desk: Desk, path: str) -> None:
    org = desk.orgs["acme"]
    org.away = {path}
    assert await desk.refused(org.approve(desk.start(), "c1")) is Problem.UNREACHABLE
    # To give the token back is tried, and not insisted on.
    org.away = {"/services/oauth2/revoke"}
    code = await desk.sign_in.finish(org.approve(desk.start(), "c2"))
    assert desk.sign_in.redeem(code, "secret") == ANA


async def test_sign_ins_under_way_are_bounded(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PENDING", 5)
    org = desk.orgs["acme"]
    first = org.approve(desk.start(), "c1")
    for _ in range(20):
        desk.start()
    assert desk.sign_in.pending_count == 5
    assert await desk.refused(first) is Problem.EXPIRED
    desk.now += PENDING_S
    desk.start()
    assert desk.sign_in.pending_count == 1


@pytest.mark.parametrize("hash_", ["", "short", "x" * 44, "=" * 43, "a b" + "x" * 40])
def test_a_page_without_a_hash_begins_nothing(desk: Desk, hash_: str) -> None:
    with pytest.raises(SignInRefused):
        desk.sign_in.start("acme", hash_)


async def test_nothing_secret_is_logged(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    org = desk.orgs["acme"]
    back = org.approve(desk.start(), "the-code")
    code = await desk.sign_in.finish(back)
    desk.sign_in.redeem(code, "another")
    org.claims = {"aud": "x"}
    await desk.refused(org.approve(desk.start(), "the-second-code"))
    for secret in ("the-code", "the-second-code", code, back["state"], "eyJ"):
        assert secret not in caplog.text
