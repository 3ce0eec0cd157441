"""Sign-in, tickets, TURN: over real HTTP, from good pages and bad ones."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity
from gateway.identity.tickets import MAX_TICKETS_PER_USER
from gateway.identity.turn import TurnConfig
from gateway.sessions import endpoints, http
from gateway.sessions.origins import AllowedOrigins, origin_of
from gateway.sessions.wire import ErrorKind
from tests.gateway.sessions.client import HttpFailure
from tests.gateway.sessions.service import (
    ANA,
    EVE,
    PASSWORDS,
    PUBLIC_URL,
    SECRET,
    Service,
    running_service,
)

TURN_SECRET = "turn-secret"


@pytest.fixture(scope="module")
def crm_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
async def service(crm_key: rsa.RSAPrivateKey) -> AsyncIterator[Service]:
    public = crm_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    tenants = (
        TenantIdentity(
            "acme", "00Dacme", public.decode(), frozenset({"https://acme.example"})
        ),
        TenantIdentity("evil", allowed_origins=frozenset({"https://evil.example"})),
    )
    turn = TurnConfig(urls=("turn:turn.example",), secret=TURN_SECRET, ttl_s=600)
    async with running_service(tenants=tenants, turn=turn) as service:
        yield service


def assertion(key: rsa.RSAPrivateKey, **changed: Any) -> str:
    claims = {
        "iss": "00Dacme",
        "sub": ANA.crm_user_id,
        "aud": PUBLIC_URL,
        "exp": time.time() + 120,
        "jti": "one",
    }
    return jwt.encode(claims | changed, key, algorithm="RS256")


async def failure(service: Service, path: str, body: object = None) -> HttpFailure:
    with pytest.raises(HttpFailure) as caught:
        await service.client().post(path, body)
    return caught.value


async def test_sign_in_by_assertion(
    service: Service, crm_key: rsa.RSAPrivateKey
) -> None:
    client = service.client()
    text = assertion(crm_key)
    result = await client.sign_in_by_assertion(text)
    assert result.user.id == "ana"
    assert result.user.company == "Acme Corp"
    assert result.expires_in == 3600
    await client.hello()
    refused = await failure(service, "/v1/sign-in", {"assertion": text})
    assert (refused.status, refused.kind) == (401, ErrorKind.AUTH_DENIED)


async def test_an_expired_assertion_says_so(
    service: Service, crm_key: rsa.RSAPrivateKey
) -> None:
    old = assertion(crm_key, exp=time.time() - 100)
    refused = await failure(service, "/v1/sign-in", {"assertion": old})
    assert (refused.status, refused.kind) == (401, ErrorKind.AUTH_EXPIRED)


async def test_sign_in_by_password(service: Service) -> None:
    client = service.client()
    result = await client.sign_in_by_password("acme", "Ana", PASSWORDS["ana"])
    assert result.user.tenant == "acme"


@pytest.mark.parametrize(
    ("tenant", "username", "password"),
    [
        ("acme", "ana", "wrong"),
        ("acme", "ana", PASSWORDS["eve"]),
        ("acme", "nobody", "correct horse"),
        ("evil", "ana", PASSWORDS["ana"]),
        ("nobody", "ana", PASSWORDS["ana"]),
    ],
)
async def test_wrong_credentials_are_all_the_same(
    service: Service, tenant: str, username: str, password: str
) -> None:
    body = {"tenant": tenant, "username": username, "password": password}
    refused = await failure(service, "/v1/sign-in", body)
    assert (refused.status, refused.kind) == (401, ErrorKind.AUTH_DENIED)
    assert "The user name or password is wrong." in str(refused)


async def test_guessing_is_limited_and_success_is_not_punished(
    service: Service,
) -> None:
    client = service.client()
    for _ in range(http.FAILURES_PER_USER.count + 2):
        await client.sign_in_by_password("acme", "ana", PASSWORDS["ana"])
    wrong = {"tenant": "acme", "username": "ANA", "password": "wrong"}
    kinds = [
        (await failure(service, "/v1/sign-in", wrong)).kind
        for _ in range(http.FAILURES_PER_USER.count + 1)
    ]
    assert kinds[:-1] == [ErrorKind.AUTH_DENIED] * http.FAILURES_PER_USER.count
    assert kinds[-1] == ErrorKind.RATE_LIMITED
    right = wrong | {"password": PASSWORDS["ana"]}
    assert (await failure(service, "/v1/sign-in", right)).status == 429
    # Another user is not locked out with her.
    await client.sign_in_by_password("evil", "eve", PASSWORDS["eve"])


async def test_an_address_is_limited_too(service: Service) -> None:
    numbers = itertools.count()
    for _ in range(http.FAILURES_PER_ADDRESS.count):
        refused = await failure(
            service, "/v1/sign-in", {"assertion": f"{next(numbers)}"}
        )
        assert refused.status == 401
    refused = await failure(service, "/v1/sign-in", {"assertion": "x"})
    assert (refused.status, refused.kind) == (429, ErrorKind.RATE_LIMITED)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"assertion": ""},
        {"assertion": 7},
        {"assertion": "x" * 9000},
        {"tenant": "acme", "username": "ana"},
        {"tenant": "acme", "username": "ana", "password": "x" * 1025},
    ],
)
async def test_other_bodies_are_refused(service: Service, body: object) -> None:
    refused = await failure(service, "/v1/sign-in", body)
    assert refused.status in (400, 415)
    assert refused.kind == ErrorKind.BAD_REQUEST


async def raw(
    service: Service, method: str, path: str, **options: Any
) -> tuple[int, dict[str, Any], Any]:
    async with service.http.request(method, service.url + path, **options) as response:
        body = await response.json() if response.status != 204 else {}
        return response.status, body, response.headers


async def test_forms_and_floods_are_refused(service: Service) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        status, body, _ = await raw(
            service,
            "POST",
            "/v1/sign-in",
            data=b'{"assertion": "x"}',
            headers={"Content-Type": content_type},
        )
        assert (status, body["error"]["kind"]) == (415, "bad_request")
    status, body, _ = await raw(
        service,
        "POST",
        "/v1/sign-in",
        data=b" " * (endpoints.MAX_BODY_BYTES + 1),
        headers={"Content-Type": "application/json"},
    )
    assert (status, body["error"]["kind"]) == (413, "bad_request")


@pytest.mark.parametrize("path", ["/v1/sessions", "/v1/turn"])
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Basic YW5hOmNvcnJlY3QgaG9yc2U=",
        "Bearer " + "x" * 7000,
    ],
)
async def test_without_a_good_token_there_is_nothing(
    service: Service, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    status, body, answer_headers = await raw(service, "POST", path, headers=headers)
    assert (status, body["error"]["kind"]) == (401, "auth.denied")
    assert answer_headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_in_the_url_is_not_looked_at(service: Service) -> None:
    client = await service.signed_in()
    for name in ("access_token", "token", "ticket"):
        path = f"/v1/sessions?{name}={client.access_token}"
        assert (await raw(service, "POST", path))[0] == 401


async def test_a_token_of_a_user_who_is_gone_is_refused(service: Service) -> None:
    claims = {
        "iss": PUBLIC_URL,
        "aud": PUBLIC_URL,
        "tenant": "acme",
        "sub": "gone",
        "jti": "x",
        "exp": time.time() + 60,
    }
    token = jwt.encode(claims, SECRET, "HS256", headers={"kid": "k1"})
    headers = {"Authorization": f"Bearer {token}"}
    assert (await raw(service, "POST", "/v1/sessions", headers=headers))[0] == 401


async def test_a_ticket_lasts_half_a_minute(service: Service) -> None:
    client = await service.signed_in()
    answer = await client.post("/v1/sessions")
    assert answer["expires_in"] == 30
    assert len(answer["ticket"]) == 43


async def test_tickets_are_limited(service: Service) -> None:
    client = await service.signed_in()
    for _ in range(MAX_TICKETS_PER_USER):
        await client.post("/v1/sessions")
    with pytest.raises(HttpFailure) as caught:
        await client.post("/v1/sessions")
    assert (caught.value.status, caught.value.kind) == (429, ErrorKind.RATE_LIMITED)
    other = await service.signed_in(EVE)
    await other.ticket()


async def test_turn_credentials_need_a_user_and_are_limited(service: Service) -> None:
    client = await service.signed_in()
    answer = await client.post("/v1/turn")
    assert answer["expires_in"] == 600
    (server,) = answer["ice_servers"]
    assert server["urls"] == ["turn:turn.example"]
    assert TURN_SECRET not in str(answer)
    for _ in range(http.TURN_PER_USER.count - 1):
        await client.post("/v1/turn")
    with pytest.raises(HttpFailure) as caught:
        await client.post("/v1/turn")
    assert caught.value.kind == ErrorKind.RATE_LIMITED


async def test_without_turn_the_list_is_empty() -> None:
    async with running_service() as service:
        client = await service.signed_in()
        assert await client.post("/v1/turn") == {"ice_servers": []}


async def test_the_ice_test_answers_anybody(service: Service) -> None:
    status, body, _ = await raw(service, "GET", "/v1/ice-test")
    assert status == 200
    assert body["ok"] is True
    assert body["turn"] is True


async def test_other_methods_get_the_error_body(service: Service) -> None:
    status, body, headers = await raw(service, "GET", "/v1/sign-in")
    assert (status, body["error"]["kind"]) == (405, "bad_request")
    assert "POST" in headers["Allow"]


# Origins ------------------------------------------------------------------------------


async def test_preflight_from_an_allowed_page(service: Service) -> None:
    status, _, headers = await raw(
        service,
        "OPTIONS",
        "/v1/sessions",
        headers={
            "Origin": "https://acme.example",
            "Access-Control-Request-Method": "POST",
        },
    )
    assert status == 204
    assert headers["Access-Control-Allow-Origin"] == "https://acme.example"
    assert headers["Access-Control-Allow-Methods"] == "POST"
    assert "authorization" in headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in headers
    assert headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", ["https://attacker.example", "null", "https://ACME.example"]
)
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
async def test_other_pages_get_nothing(
    service: Service, origin: str, method: str
) -> None:
    status, body, headers = await raw(
        service, method, "/v1/sessions", headers={"Origin": origin}
    )
    assert (status, body["error"]["kind"]) == (403, "policy.denied")
    assert "Access-Control-Allow-Origin" not in headers


async def test_a_page_of_one_tenant_serves_no_user_of_another(
    service: Service,
) -> None:
    client = await service.signed_in(ANA)
    headers = {
        "Origin": "https://evil.example",
        "Authorization": f"Bearer {client.access_token}",
    }
    status, body, _ = await raw(service, "POST", "/v1/sessions", headers=headers)
    assert (status, body["error"]["kind"]) == (403, "policy.denied")
    page = service.client(origin="https://evil.example")
    with pytest.raises(HttpFailure) as caught:
        await page.sign_in_by_password("acme", "ana", PASSWORDS["ana"])
    assert caught.value.status == 403


async def test_errors_can_be_read_by_allowed_pages(service: Service) -> None:
    _, _, headers = await raw(
        service, "POST", "/v1/sessions", headers={"Origin": "https://acme.example"}
    )
    assert headers["Access-Control-Allow-Origin"] == "https://acme.example"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Phone.Example.com/x", "https://phone.example.com"),
        ("https://phone.example.com:443", "https://phone.example.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_the_origin_of_a_url(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_a_url_without_origin_is_refused() -> None:
    with pytest.raises(ValueError, match="http"):
        origin_of("phone.example.com")


# Secrets ------------------------------------------------------------------------------


async def test_no_secret_is_logged(
    service: Service, crm_key: rsa.RSAPrivateKey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    text = assertion(crm_key)
    client = service.client()
    await client.sign_in_by_assertion(text)
    await client.sign_in_by_password("acme", "ana", PASSWORDS["ana"])
    await failure(
        service,
        "/v1/sign-in",
        {"tenant": "acme", "username": "ana", "password": "hunter2hunter2"},
    )
    ticket = await client.ticket()
    await client.hello(ticket=ticket)
    await client.lose()
    token = client.resume_token
    await client.resume()
    await client.request("session.close")
    for secret in (
        text,
        text.rpartition(".")[2],
        PASSWORDS["ana"],
        "hunter2hunter2",
        client.access_token,
        ticket,
        token,
        client.resume_token,
        SECRET,
    ):
        assert secret not in caplog.text


def test_no_tenant_has_any_origin_by_default() -> None:
    users = InMemoryUserDirectory([TenantIdentity("acme")], [])
    origins = AllowedOrigins(users, public_url=PUBLIC_URL)
    assert origins.is_allowed(PUBLIC_URL, "acme")
    assert origins.is_allowed(None, "acme")
    assert not origins.is_allowed("https://acme.example", "acme")
    assert not origins.is_allowed("https://acme.example", "nobody")


# Keys for others ------------------------------------------------------------------


async def test_public_keys_are_for_everybody(service: Service) -> None:
    url = f"{service.url}/.well-known/jwks.json"
    for headers in ({}, {"Origin": "https://unknown.example"}):
        async with service.http.get(url, headers=headers) as response:
            assert response.status == 200
            assert response.content_type == "application/jwk-set+json"
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert response.headers["Cache-Control"] == "public, max-age=300"
            # The only key here is HS256: who has it could sign.
            assert await response.json() == {"keys": []}
