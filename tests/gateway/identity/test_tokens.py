"""Access tokens and sign-in assertions: what is accepted and, mostly, what is not."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity
from gateway.identity.tokens import (
    AccessTokens,
    Assertions,
    RememberedIds,
    SigningKey,
    TokenError,
)
from gateway.identity.users import User, UserKey
from tests.gateway.identity.conftest import KeyPair

URL = "https://phone.example.com"
SECRET = "a-signing-key-for-tests-of-32-bytes!"
ANA = UserKey("acme", "ana")
NOW = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def access_tokens(
    clock: Clock, *keys: SigningKey, public_url: str = URL
) -> AccessTokens:
    ids = itertools.count(1)
    return AccessTokens(
        keys or (SigningKey("k1", "HS256", SECRET),),
        public_url=public_url,
        clock=clock,
        random_id=lambda: f"jti-{next(ids)}",
    )


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part(header)}.{part(claims)}."


def claims(**changed: Any) -> dict[str, Any]:
    good = {
        "iss": URL,
        "aud": URL,
        "tenant": "acme",
        "sub": "ana",
        "jti": "x",
        "exp": NOW + 100,
    }
    return {k: v for k, v in (good | changed).items() if v is not None}


def forge(algorithm: str = "HS256", secret: str = SECRET, **changed: Any) -> str:
    return jwt.encode(
        claims(**changed), secret, algorithm=algorithm, headers={"kid": "k1"}
    )


# Access tokens ------------------------------------------------------------------------


def test_an_issued_token_is_accepted_for_its_user(clock: Clock) -> None:
    tokens = access_tokens(clock)
    grant = tokens.verify(tokens.issue(ANA))
    assert grant.user == ANA
    assert grant.token_id == "jti-1"
    assert grant.expires_at == NOW + 8 * 3600


def test_an_eddsa_key_signs_too(clock: Clock, ed_key: KeyPair) -> None:
    tokens = access_tokens(clock, SigningKey("e1", "EdDSA", ed_key.private))
    token = tokens.issue(ANA)
    assert jwt.get_unverified_header(token)["alg"] == "EdDSA"
    assert tokens.verify(token).user == ANA


def test_tokens_of_the_key_before_are_accepted(clock: Clock) -> None:
    old, new = (
        SigningKey("k1", "HS256", SECRET),
        SigningKey("k2", "HS256", SECRET[::-1]),
    )
    token = access_tokens(clock, old).issue(ANA)
    both = access_tokens(clock, new, old)
    assert both.verify(token).user == ANA
    assert jwt.get_unverified_header(both.issue(ANA))["kid"] == "k2"
    with pytest.raises(TokenError):
        access_tokens(clock, new).verify(token)


def test_expiry_has_a_minute_of_leeway(clock: Clock) -> None:
    tokens = access_tokens(clock)
    token = tokens.issue(ANA)
    clock.now += 8 * 3600 + 59
    assert tokens.verify(token).user == ANA
    clock.now += 2
    with pytest.raises(TokenError) as caught:
        tokens.verify(token)
    assert caught.value.is_expired


def test_a_token_from_the_near_future_is_skew_and_from_the_far_is_not(
    clock: Clock,
) -> None:
    tokens = access_tokens(clock)
    tokens.verify(forge(iat=NOW + 59))
    for name in ("iat", "nbf"):
        with pytest.raises(TokenError):
            tokens.verify(forge(**{name: NOW + 61}))


def test_a_revoked_token_is_refused(clock: Clock) -> None:
    tokens = access_tokens(clock)
    first, second = tokens.issue(ANA), tokens.issue(ANA)
    grant = tokens.verify(first)
    tokens.revoke(grant.token_id, expires_at=grant.expires_at)
    with pytest.raises(TokenError):
        tokens.verify(first)
    assert tokens.verify(second).user == ANA


def test_no_algorithm_but_the_keys_own(clock: Clock, acme_key: KeyPair) -> None:
    tokens = access_tokens(clock)
    forged = [
        unsigned({"alg": "none", "kid": "k1"}, claims()),
        unsigned({"alg": "None", "kid": "k1", "typ": "JWT"}, claims()),
        forge("HS512", SECRET * 2),
        forge("RS256", acme_key.private),
    ]
    for token in forged:
        with pytest.raises(TokenError):
            tokens.verify(token)


def test_a_public_key_is_no_hmac_secret(clock: Clock, ed_key: KeyPair) -> None:
    """The classic confusion: sign with HMAC under the key that everyone has."""
    import hashlib
    import hmac

    tokens = access_tokens(clock, SigningKey("k1", "EdDSA", ed_key.private))
    signed = unsigned({"alg": "HS256", "kid": "k1"}, claims()).rstrip(".")
    mac = hmac.new(ed_key.public.encode(), signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    with pytest.raises(TokenError):
        tokens.verify(token)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.example.com"},
        {"aud": None},
        {"iss": "https://other.example.com"},
        {"iss": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": -1},
        {"exp": 10**400},
        {"exp": float("nan")},
        {"jti": None},
        {"jti": 7},
        {"sub": None},
        {"sub": ["ana"]},
        {"tenant": None},
        {"tenant": {"a": 1}},
        {"tenant": "a\nb"},
    ],
)
def test_other_claims_are_refused(clock: Clock, changed: dict[str, Any]) -> None:
    tokens = access_tokens(clock)
    try:
        token = forge(**changed)
    except TypeError:
        token = unsigned({"alg": "HS256", "kid": "k1"}, claims(**changed))
    with pytest.raises(TokenError):
        tokens.verify(token)


def test_another_gateways_token_is_refused(clock: Clock) -> None:
    theirs = access_tokens(clock, public_url="https://other.example.com")
    with pytest.raises(TokenError):
        access_tokens(clock).verify(theirs.issue(ANA))


def test_a_wrong_secret_is_refused(clock: Clock) -> None:
    with pytest.raises(TokenError):
        access_tokens(clock).verify(forge(secret=SECRET[::-1]))


def test_short_hmac_keys_and_double_kids_are_refused(clock: Clock) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SigningKey("k1", "HS256", "short")
    key = SigningKey("k1", "HS256", SECRET)
    with pytest.raises(ValueError, match="same kid"):
        access_tokens(clock, key, key)
    with pytest.raises(ValueError, match="at least one"):
        AccessTokens((), public_url=URL, clock=clock, random_id=str)


def test_secrets_are_not_in_reprs() -> None:
    assert SECRET not in repr(SigningKey("k1", "HS256", SECRET))


@settings(deadline=None)
@given(st.text(max_size=300) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,80}\.[\w-]{0,40}"))
def test_no_text_crashes_the_verifiers(text: str) -> None:
    clock = Clock()
    with pytest.raises(TokenError):
        access_tokens(clock).verify(text)
    with pytest.raises(TokenError):
        Assertions(InMemoryUserDirectory([], []), public_url=URL, clock=clock).redeem(
            text
        )


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["iss", "aud", "sub", "exp", "jti", "tenant", "nbf", "iat"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    )
)
def test_no_signed_claims_crash_the_verifier(changed: dict[str, Any]) -> None:
    tokens = access_tokens(Clock())
    try:
        token = jwt.encode(changed, SECRET, "HS256", headers={"kid": "k1"})
    except (TypeError, ValueError):
        return
    try:
        grant = tokens.verify(token)
    except TokenError:
        return
    assert changed["tenant"] == grant.user.tenant


# Assertions ---------------------------------------------------------------------------


@pytest.fixture
def assertions(clock: Clock, acme_key: KeyPair, evil_key: KeyPair) -> Assertions:
    directory = InMemoryUserDirectory(
        [
            TenantIdentity("acme", "00Dacme", acme_key.public),
            TenantIdentity("evil", "00Devil", evil_key.public),
            TenantIdentity("plain"),
        ],
        [
            User(ANA, "Ana", "1", crm_user_id="005000000000001AAA"),
            User(UserKey("evil", "eve"), "Eve", "1", crm_user_id="005000000000009AAA"),
        ],
    )
    return Assertions(directory, public_url=URL, clock=clock)


def assertion(key: KeyPair, algorithm: str = "RS256", **changed: Any) -> str:
    good = {
        "iss": "00Dacme",
        "sub": "005000000000001AAA",
        "aud": URL,
        "exp": NOW + 300,
        "jti": "one",
    }
    content = {k: v for k, v in (good | changed).items() if v is not None}
    return jwt.encode(content, key.private, algorithm=algorithm)


def test_an_assertion_names_its_user(assertions: Assertions, acme_key: KeyPair) -> None:
    assert assertions.redeem(assertion(acme_key)).key == ANA


def test_the_short_form_of_the_crm_id_is_the_same_user(
    assertions: Assertions, acme_key: KeyPair
) -> None:
    assert assertions.redeem(assertion(acme_key, sub="005000000000001")).key == ANA


def test_an_assertion_works_once(
    assertions: Assertions, acme_key: KeyPair, clock: Clock
) -> None:
    text = assertion(acme_key)
    assertions.redeem(text)
    for later in (0, 299, 359):
        clock.now = NOW + later
        with pytest.raises(TokenError):
            assertions.redeem(text)


def test_the_same_jti_of_another_tenant_is_another(
    assertions: Assertions, acme_key: KeyPair, evil_key: KeyPair
) -> None:
    assertions.redeem(assertion(acme_key))
    eve = assertion(evil_key, iss="00Devil", sub="005000000000009AAA")
    assert assertions.redeem(eve).key.tenant == "evil"


def test_another_tenants_key_signs_for_nobody_else(
    assertions: Assertions, evil_key: KeyPair
) -> None:
    with pytest.raises(TokenError):
        assertions.redeem(assertion(evil_key))


def test_a_user_of_another_tenant_is_not_found(
    assertions: Assertions, evil_key: KeyPair
) -> None:
    with pytest.raises(TokenError, match="no phone account"):
        assertions.redeem(assertion(evil_key, iss="00Devil"))


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://login.salesforce.com"},
        {"aud": None},
        {"exp": NOW - 60},
        {"exp": NOW + 361},
        {"exp": None},
        {"jti": None},
        {"jti": ""},
        {"sub": None},
        {"sub": "005000000000002AAA"},
        {"iss": None},
        {"iss": "00Dnobody"},
        {"iss": ""},
        {"nbf": NOW + 61},
    ],
)
def test_other_assertions_are_refused(
    assertions: Assertions, acme_key: KeyPair, changed: dict[str, Any]
) -> None:
    with pytest.raises(TokenError):
        assertions.redeem(assertion(acme_key, **changed))


def test_other_algorithms_are_refused(
    assertions: Assertions, acme_key: KeyPair, clock: Clock
) -> None:
    content = jwt.decode(assertion(acme_key), options={"verify_signature": False})
    for text in (
        unsigned({"alg": "none"}, content),
        assertion(acme_key, "RS512"),
        assertion(acme_key, "PS256"),
    ):
        with pytest.raises(TokenError):
            assertions.redeem(text)


def test_errors_do_not_quote_the_token(
    assertions: Assertions, evil_key: KeyPair
) -> None:
    text = assertion(evil_key)
    with pytest.raises(TokenError) as caught:
        assertions.redeem(text)
    assert text[:20] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_when_the_memory_of_used_ids_is_full_nothing_is_accepted(
    clock: Clock, acme_key: KeyPair
) -> None:
    directory = InMemoryUserDirectory(
        [TenantIdentity("acme", "00Dacme", acme_key.public)],
        [User(ANA, "Ana", "1", crm_user_id="005000000000001AAA")],
    )
    assertions = Assertions(directory, public_url=URL, clock=clock, max_remembered=2)
    assertions.redeem(assertion(acme_key, jti="1"))
    assertions.redeem(assertion(acme_key, jti="2"))
    with pytest.raises(TokenError):
        assertions.redeem(assertion(acme_key, jti="3"))
    clock.now += 400
    assertions.redeem(assertion(acme_key, jti="4", exp=clock.now + 10))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.floats(0, 10), st.floats(0, 20)), max_size=60
    )
)
def test_an_id_is_accepted_again_only_after_its_expiry(
    steps: list[tuple[int, float, float]],
) -> None:
    memory = RememberedIds(limit=4)
    now, expiry = 0.0, {}
    for number, advance, lasts in steps:
        now += advance
        is_new = memory.add(f"{number}", expires_at=now + lasts, now=now)
        if is_new:
            assert expiry.get(number, -1.0) < now
            expiry[number] = now + lasts
        assert len(memory) <= 4


# Several keys ---------------------------------------------------------------------


def test_keys_change_and_nobody_is_signed_out(clock: Clock, ed_key: KeyPair) -> None:
    old = SigningKey("old", "HS256", SECRET)
    new = SigningKey("new", "EdDSA", ed_key.private, not_before=NOW + 60)
    before = access_tokens(clock, old).issue(ANA)
    both = access_tokens(clock, new, old)
    assert jwt.get_unverified_header(both.issue(ANA))["kid"] == "old"
    # Others see the key before it signs.
    assert [key["kid"] for key in both.public_keys()] == ["new"]
    clock.now += 61
    after = both.issue(ANA)
    assert jwt.get_unverified_header(after) == {
        "alg": "EdDSA",
        "kid": "new",
        "typ": "JWT",
    }
    assert both.verify(before).user == both.verify(after).user == ANA
    alone = access_tokens(clock, SigningKey("new", "EdDSA", ed_key.private))
    assert alone.verify(after).user == ANA
    with pytest.raises(TokenError, match="unknown key"):
        alone.verify(before)


def test_others_verify_with_what_is_published(clock: Clock, ed_key: KeyPair) -> None:
    tokens = access_tokens(
        clock,
        SigningKey("e", "EdDSA", ed_key.private),
        SigningKey("h", "HS256", SECRET),
    )
    published = {"keys": tokens.public_keys()}
    text = json.dumps(published)
    assert SECRET not in text
    assert base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=") not in text
    assert [sorted(key) for key in published["keys"]] == [
        ["alg", "crv", "kid", "kty", "use", "x"]
    ]
    token = tokens.issue(ANA)
    key = jwt.PyJWKSet.from_dict(published)[jwt.get_unverified_header(token)["kid"]]
    read = jwt.decode(
        token, key, algorithms=["EdDSA"], audience=URL, options={"verify_iat": False}
    )
    assert (read["tenant"], read["sub"]) == ("acme", "ana")


def test_a_kid_names_the_algorithm_too(
    clock: Clock, ed_key: KeyPair, evil_key: KeyPair
) -> None:
    tokens = access_tokens(
        clock,
        SigningKey("e", "EdDSA", ed_key.private),
        SigningKey("h", "HS256", SECRET),
    )
    public = tokens.public_keys()[0]
    forged = [
        # The published key as an HMAC secret, in each form that one may try.
        *(
            _hs256(secret.encode(), {"alg": "HS256", "typ": "JWT", "kid": "e"})
            for secret in (ed_key.public, public["x"], json.dumps(public))
        ),
        # Signed with the HMAC secret under the other kid, and the other way round.
        jwt.encode(claims(), SECRET, algorithm="HS256", headers={"kid": "e"}),
        jwt.encode(claims(), ed_key.private, algorithm="EdDSA", headers={"kid": "h"}),
        jwt.encode(claims(), evil_key.private, algorithm="RS256", headers={"kid": "e"}),
        # A key of one's own, brought along.
        jwt.encode(
            claims(), SECRET, algorithm="HS256", headers={"kid": "e", "jwk": public}
        ),
        unsigned({"alg": "none", "kid": "e"}, claims()),
    ]
    for token in forged:
        with pytest.raises(TokenError, match="not valid"):
            tokens.verify(token)


def _hs256(secret: bytes, header: dict[str, str]) -> str:
    # PyJWT itself refuses to sign with a public key.
    text = unsigned(header, claims()).rstrip(".")
    digest = hmac.digest(secret, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def test_what_is_no_signing_key(ed_key: KeyPair, acme_key: KeyPair) -> None:
    for pem in ("", "x", ed_key.public, acme_key.private):
        with pytest.raises(ValueError, match="no unencrypted Ed25519 private key"):
            SigningKey("e", "EdDSA", pem)


def test_one_key_must_be_good_at_once(clock: Clock) -> None:
    with pytest.raises(ValueError, match="good at any time"):
        access_tokens(clock, SigningKey("k", "HS256", SECRET, not_before=NOW))
