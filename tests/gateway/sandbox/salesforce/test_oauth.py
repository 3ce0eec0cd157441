"""Sign-in at the simulated org, as a browser and an app go through it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt import PyJWKSet

from gateway.sandbox.salesforce import (
    ConnectedApp,
    FaultKind,
    SalesforceSimulator,
    SimulatorConfig,
)
from gateway.sandbox.salesforce.authorize import (
    AuthorizationRefused,
    Authorizer,
    granted_scope,
    with_parameters,
)
from gateway.sandbox.salesforce.errors import OAuthError
from gateway.sandbox.salesforce.keys import SigningKey

from .conftest import Clock

REDIRECT = "https://gw.example/oauth/callback"
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
    .decode()
    .rstrip("=")
)
APP = ConnectedApp(
    "web-app",
    consumer_secret="web-secret",
    scope="api refresh_token openid id",
    redirect_uris=(REDIRECT, "https://gw.example/other"),
    pkce_required=True,
    pre_authorised=False,
)


@dataclass
class Visitor:
    """A browser with cookies, and the app behind it."""

    simulator: SalesforceSimulator
    http: aiohttp.ClientSession

    async def authorize(self, **changes: str | None) -> aiohttp.ClientResponse:
        asked: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "web-app",
            "redirect_uri": REDIRECT,
            "scope": "openid api refresh_token",
            "state": "st&te=1",
            "nonce": "n-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return await self.http.get(
            f"{self.simulator.url}/services/oauth2/authorize",
            params={k: v for k, v in asked.items() if v is not None},
            allow_redirects=False,
        )

    async def press(
        self, page: aiohttp.ClientResponse, name: str, value: str
    ) -> aiohttp.ClientResponse:
        """Press the page's button with this name and value."""
        text = await page.text()
        assert f'name="{name}" value="{value}"' in text, text
        found = re.search(r'name="request" value="([^"]+)"', text)
        assert found is not None
        return await self.http.post(
            f"{self.simulator.url}/services/oauth2/authorize",
            data={"request": html.unescape(found[1]), name: value},
            allow_redirects=False,
        )

    async def code(self, **changes: str | None) -> str:
        """Sign in as Robin, allow, and come back with a code."""
        page = await self.authorize(**changes)
        page = await self.press(page, "user", self.simulator.user("Robin").id)
        if page.status == 200:
            page = await self.press(page, "decision", "allow")
        return came_back(page)["code"]

    async def token(self, **form: str) -> tuple[int, dict[str, str]]:
        data = {"client_id": "web-app", "client_secret": "web-secret", **form}
        data = {k: v for k, v in data.items() if v}
        url = f"{self.simulator.url}/services/oauth2/token"
        async with self.http.post(url, data=data) as reply:
            return reply.status, await reply.json()

    async def redeem(self, code: str, **changes: str) -> tuple[int, dict[str, str]]:
        return await self.token(
            **{
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": REDIRECT,
                "code_verifier": VERIFIER,
                **changes,
            }
        )

    async def refresh(self, token: str, **changes: str) -> tuple[int, dict[str, str]]:
        return await self.token(
            grant_type="refresh_token", refresh_token=token, **changes
        )

    async def get(self, path: str, token: str = "") -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = path if path.startswith("http") else self.simulator.url + path
        async with self.http.get(url, headers=headers) as reply:
            return reply.status, await reply.text()

    async def works(self, token: str) -> bool:
        status, text = await self.get("/services/data/v66.0/limits", token)
        assert status == 200 or "INVALID_SESSION_ID" in text
        return status == 200


def came_back(
    reply: aiohttp.ClientResponse, redirect: str = REDIRECT
) -> dict[str, str]:
    assert reply.status == 302
    location = reply.headers["Location"]
    assert location.partition("?")[0] == redirect
    return dict(parse_qsl(urlsplit(location).query, keep_blank_values=True))


@pytest.fixture
async def visitor(simulator: SalesforceSimulator) -> AsyncIterator[Visitor]:
    simulator.register(APP)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        yield Visitor(simulator, http)


async def test_code_flow_with_openid_connect(visitor: Visitor, clock: Clock) -> None:
    page = await visitor.authorize()
    assert page.status == 200
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "Robin Reyes" in await page.text()
    robin = visitor.simulator.user("Robin")
    consent = await visitor.press(page, "user", robin.id)
    assert "Allow Access?" in await consent.text()
    back = came_back(await visitor.press(consent, "decision", "allow"))
    assert set(back) == {"code", "state"}
    assert back["state"] == "st&te=1"
    status, reply = await visitor.redeem(back["code"])
    assert status == 200, reply
    assert reply["token_type"] == "Bearer"
    assert reply["instance_url"] == visitor.simulator.url
    assert set(reply["scope"].split()) == {"openid", "api", "refresh_token"}
    signed = (reply["id"] + reply["issued_at"]).encode()
    digest = hmac.new(b"web-secret", signed, hashlib.sha256).digest()
    assert reply["signature"] == base64.b64encode(digest).decode()

    _, text = await visitor.get("/.well-known/openid-configuration")
    found = json.loads(text)
    assert found["issuer"] == visitor.simulator.url
    _, text = await visitor.get(found["jwks_uri"])
    kid = jwt.get_unverified_header(reply["id_token"])["kid"]
    claims = jwt.decode(
        reply["id_token"],
        PyJWKSet.from_json(text)[kid].key,
        algorithms=["RS256"],
        audience="web-app",
        issuer=found["issuer"],
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["nonce"] == "n-1"
    assert claims["sub"] == reply["id"]
    assert claims["exp"] - claims["iat"] == 120
    assert claims["iat"] == int(clock.now)
    half = hashlib.sha256(reply["access_token"].encode()).digest()[:16]
    assert base64.urlsafe_b64decode(claims["at_hash"] + "==") == half

    _, text = await visitor.get(found["userinfo_endpoint"], reply["access_token"])
    info = json.loads(text)
    assert (info["sub"], info["user_id"]) == (claims["sub"], robin.id)
    assert info["email_verified"] is True
    status, text = await visitor.get(reply["id"], reply["access_token"])
    identity = json.loads(text)
    assert identity["username"] == "robin.reyes@acme.example"
    assert identity["organization_id"] == visitor.simulator.organization_id
    assert await visitor.works(reply["access_token"])


async def test_who_is_signed_in_and_has_consented_is_not_asked_again(
    visitor: Visitor,
) -> None:
    await visitor.code()
    assert "code" in came_back(await visitor.authorize())
    assert "code" in came_back(await visitor.authorize(prompt="none"))
    assert (await visitor.authorize(prompt="login")).status == 200
    page = await visitor.authorize(prompt="consent")
    assert "Allow Access?" in await page.text()
    page = await visitor.press(page, "decision", "switch")
    sam = visitor.simulator.user("Sam").id
    page = await visitor.press(page, "user", sam)
    back = came_back(await visitor.press(page, "decision", "allow"))
    _, reply = await visitor.redeem(back["code"])
    assert reply["id"].endswith(sam)


async def test_pre_authorised_apps_ask_nobody(visitor: Visitor) -> None:
    visitor.simulator.register(replace(APP, pre_authorised=True))
    page = await visitor.authorize(login_hint="sam.okafor@acme.example")
    assert "Robin" not in await page.text()
    sam = visitor.simulator.user("Sam").id
    assert "code" in came_back(await visitor.press(page, "user", sam))


async def test_nobody_may_be_asked(visitor: Visitor) -> None:
    back = came_back(await visitor.authorize(prompt="none"))
    assert back["error"] == "immediate_unsuccessful"
    await visitor.press(
        await visitor.authorize(), "user", visitor.simulator.user("Robin").id
    )
    back = came_back(await visitor.authorize(immediate="true"))
    assert back == {"error": "immediate_unsuccessful", "state": "st&te=1"}


async def test_denied(visitor: Visitor) -> None:
    page = await visitor.press(
        await visitor.authorize(), "user", visitor.simulator.user("Robin").id
    )
    back = came_back(await visitor.press(page, "decision", "deny"))
    assert (back["error"], back["state"]) == ("access_denied", "st&te=1")


async def test_users_whom_nobody_approved(visitor: Visitor) -> None:
    approved = frozenset({"sam.okafor@acme.example"})
    visitor.simulator.register(replace(APP, users=approved, pre_authorised=True))
    page = await visitor.press(
        await visitor.authorize(), "user", visitor.simulator.user("Robin").id
    )
    assert came_back(page)["error"] == "OAUTH_APP_ACCESS_DENIED"


async def test_users_who_left_cannot_sign_in(visitor: Visitor) -> None:
    _, reply = await visitor.redeem(await visitor.code())
    visitor.simulator.user("Robin").values["IsActive"] = False
    assert not await visitor.works(reply["access_token"])
    status, refused = await visitor.refresh(reply["refresh_token"])
    assert (status, refused["error"]) == (400, "inactive_user")
    page = await visitor.authorize()
    robin = visitor.simulator.user("Robin").id
    assert (await visitor.press(page, "user", robin)).status == 403


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"client_id": "nobody"}, "invalid_client_id"),
        ({"redirect_uri": REDIRECT + "/"}, "redirect_uri_mismatch"),
        ({"redirect_uri": REDIRECT + "?x=1"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "https://evil.example"}, "redirect_uri_mismatch"),
        ({"redirect_uri": None}, "redirect_uri_mismatch"),
    ],
)
async def test_no_redirect_to_strangers(
    visitor: Visitor, changes: dict[str, str | None], shown: str
) -> None:
    page = await visitor.authorize(**changes)
    assert page.status == 400
    assert "Location" not in page.headers
    assert f"error={shown}" in html.unescape(await page.text())


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "openid full"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
async def test_requests_refused_to_the_app(
    visitor: Visitor, changes: dict[str, str | None], error: str
) -> None:
    back = came_back(await visitor.authorize(**changes))
    assert (back["error"], back["state"]) == (error, "st&te=1")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "aPrxother"}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": "v"}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_request"),
        ({"redirect_uri": "https://gw.example/other"}, "redirect_uri_mismatch"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": ""}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client_id"),
        ({"client_id": "second"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_codes_refused(
    visitor: Visitor, changes: dict[str, str], error: str
) -> None:
    visitor.simulator.register(replace(APP, consumer_key="second"))
    code = await visitor.code()
    status, reply = await visitor.redeem(**{"code": code, **changes})
    assert (status, reply["error"]) == (400, error)
    assert set(reply) == {"error", "error_description"}


async def test_codes_are_good_once_and_not_for_long(
    visitor: Visitor, clock: Clock
) -> None:
    code = await visitor.code()
    assert (await visitor.redeem(code))[0] == 200
    assert (await visitor.redeem(code))[1]["error"] == "invalid_grant"
    code = came_back(await visitor.authorize())["code"]
    clock.now += 901
    _, reply = await visitor.redeem(code)
    assert reply["error_description"] == "expired authorization code"


async def test_login_pages_grow_old(visitor: Visitor, clock: Clock) -> None:
    page = await visitor.authorize()
    clock.now += 601
    late = await visitor.press(page, "user", visitor.simulator.user("Robin").id)
    assert late.status == 400


async def test_refresh(visitor: Visitor, clock: Clock) -> None:
    _, first = await visitor.redeem(await visitor.code())
    clock.now += 7201
    assert not await visitor.works(first["access_token"])
    status, second = await visitor.refresh(first["refresh_token"])
    assert status == 200
    assert "refresh_token" not in second
    assert "nonce" not in jwt.decode(
        second["id_token"], options={"verify_signature": False}
    )
    assert await visitor.works(second["access_token"])
    assert (await visitor.refresh(first["refresh_token"]))[0] == 200
    status, reply = await visitor.refresh(first["refresh_token"], client_id="nobody")
    assert reply["error"] == "invalid_client_id"
    visitor.simulator.register(replace(APP, consumer_key="second"))
    status, reply = await visitor.refresh(first["refresh_token"], client_id="second")
    assert (status, reply["error_description"]) == (
        400,
        "expired access/refresh token",
    )


async def test_no_refresh_token_without_its_scope(visitor: Visitor) -> None:
    _, reply = await visitor.redeem(await visitor.code(scope="api"))
    assert "refresh_token" not in reply
    assert "id_token" not in reply
    status, text = await visitor.get("/services/oauth2/userinfo", reply["access_token"])
    assert (status, text) == (403, "Missing_OAuth_Scope")


async def test_without_the_scope_api_there_is_no_api(visitor: Visitor) -> None:
    _, reply = await visitor.redeem(await visitor.code(scope="openid"))
    status, text = await visitor.get(
        "/services/data/v66.0/limits", reply["access_token"]
    )
    assert (status, json.loads(text)[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    status, _ = await visitor.get("/services/oauth2/userinfo", reply["access_token"])
    assert status == 200


async def test_rotated_refresh_tokens_are_good_once(visitor: Visitor) -> None:
    visitor.simulator.register(replace(APP, rotates_refresh_tokens=True))
    _, first = await visitor.redeem(await visitor.code())
    _, second = await visitor.refresh(first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    _, third = await visitor.refresh(second["refresh_token"])
    assert await visitor.works(third["access_token"])
    # Whoever comes with a spent one ends the family, the rightful owner included.
    assert (await visitor.refresh(first["refresh_token"]))[0] == 400
    assert (await visitor.refresh(third["refresh_token"]))[0] == 400
    assert not await visitor.works(third["access_token"])


async def test_refresh_tokens_may_have_an_end(visitor: Visitor, clock: Clock) -> None:
    visitor.simulator.register(replace(APP, refresh_token_lifetime_s=86_400.0))
    _, reply = await visitor.redeem(await visitor.code())
    clock.now += 86_399
    assert (await visitor.refresh(reply["refresh_token"]))[0] == 200
    clock.now += 2
    assert (await visitor.refresh(reply["refresh_token"]))[0] == 400


async def test_the_sixth_grant_ends_the_first(visitor: Visitor) -> None:
    _, first = await visitor.redeem(await visitor.code())
    for _ in range(5):
        _, last = await visitor.redeem(came_back(await visitor.authorize())["code"])
    assert (await visitor.refresh(first["refresh_token"]))[0] == 400
    assert (await visitor.refresh(last["refresh_token"]))[0] == 200


async def test_revocation(visitor: Visitor) -> None:
    _, reply = await visitor.redeem(await visitor.code())
    url = f"{visitor.simulator.url}/services/oauth2/revoke"
    async with visitor.http.post(url, data={"token": reply["access_token"]}) as done:
        assert done.status == 200
    assert not await visitor.works(reply["access_token"])
    _, again = await visitor.refresh(reply["refresh_token"])
    params = {"token": reply["refresh_token"]}
    async with visitor.http.get(url, params=params) as done:
        assert done.status == 200
    assert not await visitor.works(again["access_token"])
    assert (await visitor.refresh(reply["refresh_token"]))[0] == 400
    async with visitor.http.post(url, data=params) as done:
        assert done.status == 400
        assert (await done.json())["error"] == "unsupported_token_type"


async def test_introspection(visitor: Visitor) -> None:
    _, reply = await visitor.redeem(await visitor.code())
    url = f"{visitor.simulator.url}/services/oauth2/introspect"

    async def ask(token: str, app: str = "web-app") -> dict[str, object]:
        basic = base64.b64encode(f"{app}:web-secret".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        async with visitor.http.post(
            url, data={"token": token}, headers=headers
        ) as answer:
            assert answer.status == 200
            found: dict[str, object] = await answer.json()
            return found

    live = await ask(reply["access_token"])
    assert (live["active"], live["client_id"]) == (True, "web-app")
    assert live["username"] == "robin.reyes@acme.example"
    assert (await ask(reply["refresh_token"]))["token_type"] == "refresh_token"
    visitor.simulator.register(replace(APP, consumer_key="second"))
    assert await ask(reply["access_token"], "second") == {"active": False}
    assert await ask("nonsense") == {"active": False}
    async with visitor.http.post(url, data={"token": "x"}) as answer:
        assert answer.status == 400


async def test_keys_rotate(visitor: Visitor) -> None:
    _, reply = await visitor.redeem(await visitor.code())

    async def kids() -> list[str]:
        _, text = await visitor.get("/id/keys")
        return [key["kid"] for key in json.loads(text)["keys"]]

    old = jwt.get_unverified_header(reply["id_token"])["kid"]
    assert await kids() == [old]
    fresh = visitor.simulator.rotate_keys()
    assert await kids() == [old, fresh]
    _, again = await visitor.refresh(reply["refresh_token"])
    assert jwt.get_unverified_header(again["id_token"])["kid"] == fresh
    base = f"{visitor.simulator.url}/sandbox/keys"
    async with visitor.http.post(base, json={"keep_old": False}) as done:
        assert await kids() == [(await done.json())["kid"]]


async def test_sessions_and_grants_end_on_demand(visitor: Visitor) -> None:
    _, reply = await visitor.redeem(await visitor.code())
    base = f"{visitor.simulator.url}/sandbox"
    async with visitor.http.delete(f"{base}/sessions") as done:
        assert (await done.json())["expired"] == 1
    assert not await visitor.works(reply["access_token"])
    assert (await visitor.refresh(reply["refresh_token"]))[0] == 200
    async with visitor.http.delete(f"{base}/grants?consents") as done:
        assert (await done.json())["revoked"] == 1
    assert (await visitor.refresh(reply["refresh_token"]))[0] == 400
    assert "Allow Access?" in await (await visitor.authorize()).text()


async def test_assertions_need_consent_where_nobody_decided_for_the_user(
    visitor: Visitor, clock: Clock
) -> None:
    key = SigningKey()
    visitor.simulator.register(replace(APP, public_key_pem=key.public_key_pem))
    claims = {
        "iss": "web-app",
        "sub": "robin.reyes@acme.example",
        "aud": "https://login.salesforce.com",
        "exp": int(clock.now) + 170,
    }
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": jwt.encode(claims, key.private, algorithm="RS256"),
    }
    status, reply = await visitor.token(**form)
    assert reply["error_description"] == "user hasn't approved this consumer"
    await visitor.code()
    status, reply = await visitor.token(**form)
    assert status == 200
    assert "refresh_token" not in reply


async def test_client_credentials(visitor: Visitor) -> None:
    form = {"grant_type": "client_credentials"}
    assert (await visitor.token(**form))[1]["error"] == "invalid_grant"
    run_as = "sam.okafor@acme.example"
    visitor.simulator.register(replace(APP, run_as=run_as, secret_required=False))
    _, reply = await visitor.token(**form)
    assert reply["id"].endswith(visitor.simulator.user("Sam").id)
    status, refused = await visitor.token(**form, client_secret="")
    assert (status, refused["error"]) == (400, "invalid_client")


async def test_public_clients_have_no_secret(visitor: Visitor) -> None:
    visitor.simulator.register(replace(APP, secret_required=False))
    status, reply = await visitor.redeem(await visitor.code(), client_secret="")
    assert status == 200
    assert (await visitor.refresh(reply["refresh_token"], client_secret=""))[0] == 200
    assert (await visitor.refresh(reply["refresh_token"], client_secret="x"))[0] == 400


async def test_ordered_refusals(visitor: Visitor) -> None:
    visitor.simulator.add_fault(
        FaultKind.OAUTH_ERROR,
        path="token",
        description="token request is already being processed",
    )
    status, reply = await visitor.refresh("any")
    assert (status, reply) == (
        400,
        {
            "error": "invalid_grant",
            "error_description": "token request is already being processed",
        },
    )


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("/services/oauth2/userinfo", "Missing_OAuth_Token"),
        ("/id/00DRB0000000001AAA/{user}", "Wrong_Org"),
        ("/id/{org}/005RB0000000009AAA", "Bad_Id"),
    ],
)
async def test_identity_refused(visitor: Visitor, path: str, word: str) -> None:
    _, reply = await visitor.redeem(await visitor.code())
    token = "" if word == "Missing_OAuth_Token" else reply["access_token"]
    simulator = visitor.simulator
    path = path.format(org=simulator.organization_id, user=simulator.user("Robin").id)
    assert await visitor.get(path, token) == (403, word)
    assert (await visitor.get("/services/oauth2/userinfo", "x"))[1] == "Bad_OAuth_Token"


async def test_nothing_of_a_sign_in_is_written_down(visitor: Visitor) -> None:
    code = await visitor.code()
    _, reply = await visitor.redeem(code)
    await visitor.get("/services/oauth2/userinfo", reply["access_token"])
    seen = repr(list(visitor.simulator.journal))
    assert "/services/oauth2/token" in seen
    for secret in (
        code,
        VERIFIER,
        "web-secret",
        *(reply[k] for k in reply if "_t" in k),
    ):
        assert secret == "Bearer" or secret not in seen
    for thing in (APP, visitor.simulator._org.tokens.sessions._grants):
        assert reply["refresh_token"] not in repr(thing)
        assert "web-secret" not in repr(thing)


async def test_tokens_and_keys_survive(tmp_path: Path) -> None:
    config = SimulatorConfig(apps=(APP,), state_file=tmp_path / "org.json")
    replies = []
    for _ in range(2):
        simulator = SalesforceSimulator(config, rng=random.Random(len(replies)))
        await simulator.start()
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(cookie_jar=jar) as http:
            visitor = Visitor(simulator, http)
            if not replies:
                replies.append((await visitor.redeem(await visitor.code()))[1])
            else:
                assert await visitor.works(replies[0]["access_token"])
                _, again = await visitor.refresh(replies[0]["refresh_token"])
                assert "code" in await came_back_for(visitor)
                _, text = await visitor.get("/id/keys")
                kid = jwt.get_unverified_header(replies[0]["id_token"])["kid"]
                jwt.decode(
                    again["id_token"],
                    PyJWKSet.from_json(text)[kid].key,
                    algorithms=["RS256"],
                    audience="web-app",
                )
        await simulator.close()


async def came_back_for(visitor: Visitor) -> dict[str, str]:
    """Sign in as somebody who has consented before."""
    page = await visitor.authorize()
    robin = visitor.simulator.user("Robin").id
    return came_back(await visitor.press(page, "user", robin))


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("response_type", "client_id", "redirect_uri", "scope", "state"),
                *("nonce", "code_challenge", "prompt", "code_challenge_method"),
            ]
        ),
        st.sampled_from(["", "code", "web-app", REDIRECT, "openid", CHALLENGE, "S256"])
        | st.text(max_size=20),
    )
)
def test_any_request_ends_in_a_page_or_at_the_app(asked: dict[str, str]) -> None:
    authorizer = Authorizer(
        {APP.consumer_key: APP}, clock=lambda: 0.0, rng=random.Random(1)
    )
    try:
        request = authorizer.begin(asked)
    except AuthorizationRefused as refused:
        target = refused.redirect.partition("?")[0]
        assert target in ("", *APP.redirect_uris)
        return
    assert request.redirect_uri in APP.redirect_uris
    assert request.code_challenge
    url = authorizer.approve(request, "005", "robin")
    code = dict(parse_qsl(urlsplit(url).query))["code"]
    with pytest.raises(OAuthError):
        authorizer.redeem(APP, {"code": code, "redirect_uri": request.redirect_uri})


def test_scope_words() -> None:
    app = ConnectedApp("k", scope="api refresh_token id")
    assert granted_scope(app, "") == "api refresh_token id"
    assert granted_scope(app, "offline_access api api") == "refresh_token api"
    assert granted_scope(app, "openid email") == "openid email"
    assert granted_scope(app, "web") is None
    assert granted_scope(ConnectedApp("k", scope="full"), "api openid") == "api openid"


def test_parameters_join_what_a_url_has() -> None:
    assert with_parameters("https://a/b?c=d#e", {"x": "1 2", "y": ""}) == (
        "https://a/b?c=d&x=1+2#e"
    )
