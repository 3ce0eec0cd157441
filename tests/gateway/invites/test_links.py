"""Tokens: long, unlike each other, worth nothing to who has only the table."""

from __future__ import annotations

import base64
import itertools
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from gateway.invites.links import TOKEN_BYTES, Links, hash_of
from gateway.invites.smtp import SmtpConfig
from gateway.storage.models import InviteLinkRow
from tests.gateway.invites.samples import PUBLIC_URL, SECRET

LINKS = Links(SECRET, public_url=PUBLIC_URL + "/")


def test_a_link_holds_192_bits_and_is_good_in_a_path() -> None:
    token = LINKS.token("acme", "guest-1", 1)
    assert len(base64.urlsafe_b64decode(token)) == TOKEN_BYTES == 24
    assert LINKS.url(token) == f"https://calls.acme.example/join/{token}"
    assert len(token) == 32
    assert set(token) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )


def test_each_tenant_guest_generation_and_key_has_its_own() -> None:
    keys = [Links(key * 32, public_url=PUBLIC_URL) for key in "ab"]
    # "1" and generation 11, "11" and generation 1: no two run together.
    combinations = itertools.product(keys, ("acme", "acme1"), ("1", "11"), (1, 11))
    tokens = {links.token(t, g, n) for links, t, g, n in combinations}
    assert len(tokens) == 16


@given(
    st.lists(
        st.tuples(st.text(max_size=8), st.text(max_size=8), st.integers(1, 99)),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_no_two_names_share_a_token(names: list[tuple[str, str, int]]) -> None:
    clean = [
        (t, g, n) for t, g, n in names if "\0" not in t + g and (t + g).isprintable()
    ]
    assert len({LINKS.token(*name) for name in clean}) == len(clean)


def test_bits_look_like_chance() -> None:
    ones = sum(
        int.from_bytes(
            base64.urlsafe_b64decode(LINKS.token("acme", str(n), 1)), "big"
        ).bit_count()
        for n in range(500)
    )
    # 96,000 bits: six standard deviations are 930.
    assert abs(ones - 48_000) < 930


def test_the_table_has_hashes_only() -> None:
    token = LINKS.token("acme", "guest-1", 1)
    assert token not in hash_of(token)
    assert len(hash_of(token)) == 64
    assert "token" not in InviteLinkRow.__table__.columns
    assert hash_of("\ud800")


def test_secrets_are_in_no_repr() -> None:
    assert SECRET not in repr(LINKS)
    assert "hunter2" not in repr(SmtpConfig("h", 25, "none", "h", "user", "hunter2"))
    assert {f.name for f in fields(SmtpConfig) if not f.repr} == {"password"}
