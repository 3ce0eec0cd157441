from __future__ import annotations

import pytest

from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity
from gateway.identity.users import User, UserKey
from tests.gateway.identity.conftest import KeyPair

TENANTS = [
    TenantIdentity("acme", allowed_origins=frozenset({"https://acme.example"})),
    TenantIdentity("evil"),
]


def user(tenant: str, name: str, **rest: str) -> User:
    return User(UserKey(tenant, name), name.title(), "1", **rest)


def test_every_lookup_is_within_the_tenant() -> None:
    ana = user(
        "acme",
        "ana",
        crm_user_id="005000000000001AAA",
        crm_username="ana@acme.example",
        password_hash="x",
    )
    directory = InMemoryUserDirectory(TENANTS, [ana, user("evil", "eve")])
    assert directory.user(UserKey("acme", "ana")) is ana
    assert directory.by_crm_user("acme", "005000000000001AAA") is ana
    assert directory.by_crm_user("acme", "005000000000001") is ana
    assert directory.by_username("acme", "ANA") is ana
    assert directory.by_username("acme", "Ana@Acme.example") is ana
    assert directory.user(UserKey("evil", "ana")) is None
    assert directory.by_crm_user("evil", "005000000000001AAA") is None
    assert directory.by_username("evil", "ana") is None
    assert directory.is_allowed_origin("https://acme.example")
    assert not directory.is_allowed_origin("https://evil.example")


def test_a_user_without_password_has_no_sign_in_name() -> None:
    directory = InMemoryUserDirectory(TENANTS, [user("acme", "ana")])
    assert directory.by_username("acme", "ana") is None


def test_the_same_name_in_two_tenants_is_two_users() -> None:
    users = [
        user("acme", "ana", crm_user_id="005000000000001"),
        user("evil", "ana", crm_user_id="005000000000001"),
    ]
    directory = InMemoryUserDirectory(TENANTS, users)
    found = directory.by_crm_user("evil", "005000000000001")
    assert found is users[1]


@pytest.mark.parametrize(
    "users",
    [
        [user("acme", "a"), user("acme", "a")],
        [
            user("acme", "a", crm_user_id="005000000000001"),
            user("acme", "b", crm_user_id="005000000000001AAA"),
        ],
        [
            user("acme", "a", password_hash="x"),
            user("acme", "b", password_hash="x", crm_username="A"),
        ],
        [user("nobody", "a")],
    ],
)
def test_ambiguous_users_are_refused(users: list[User]) -> None:
    with pytest.raises(ValueError, match=r"twice|no known tenant"):
        InMemoryUserDirectory(TENANTS, users)


def test_two_tenants_of_one_issuer_are_refused(acme_key: KeyPair) -> None:
    with pytest.raises(ValueError, match="twice"):
        InMemoryUserDirectory(
            [
                TenantIdentity("a", "00D", acme_key.public),
                TenantIdentity("b", "00D", acme_key.public),
            ],
            [],
        )


def test_assertion_keys_are_rsa_of_2048_bits(
    short_key: KeyPair, ed_key: KeyPair, acme_key: KeyPair
) -> None:
    for key in (short_key.public, ed_key.public, "nonsense", acme_key.private):
        with pytest.raises(ValueError, match="assertion key"):
            TenantIdentity("a", "00D", key)
