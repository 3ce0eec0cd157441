"""Addresses that only the service can make."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import MailSection
from gateway.invites.return_path import TAG_CHARS, ReturnPaths
from tests.gateway.invites.samples import SECRET

GUEST = "a" * 32
PATHS = ReturnPaths(SECRET, tenant="acme", address="Invites@acme.example")
MAIL_IDS = st.integers(min_value=1, max_value=2**40 - 1)


@given(MAIL_IDS, st.text(string.hexdigits, min_size=32, max_size=32))
def test_there_and_back(mail_id: int, guest_id: str) -> None:
    address = PATHS.address(mail_id, guest_id)
    assert address.startswith("Invites+")
    assert address.endswith("@acme.example")
    local = address.partition("@")[0]
    assert len(local) == len("Invites+") + TAG_CHARS
    # Servers change the case of what they pass on.
    for written in (address, address.upper(), address.lower()):
        assert PATHS.mail_id(written) == mail_id
        assert PATHS.is_of(written, mail_id, guest_id)


def test_a_tag_is_of_one_mail_one_guest_one_tenant_and_one_key() -> None:
    address = PATHS.address(7, GUEST)
    assert not PATHS.is_of(address, 8, GUEST)
    assert not PATHS.is_of(address, 7, "b" * 32)
    for other in (
        ReturnPaths(SECRET, tenant="evil", address="Invites@acme.example"),
        ReturnPaths("j" * 32, tenant="acme", address="Invites@acme.example"),
    ):
        assert not other.is_of(address, 7, GUEST)


@given(MAIL_IDS, st.integers(0, TAG_CHARS - 1), st.sampled_from("abcdefgh234567"))
def test_a_tag_that_was_changed_anywhere_is_none(
    mail_id: int, at: int, character: str
) -> None:
    address = PATHS.address(mail_id, GUEST)
    at += len("Invites+")
    changed = address[:at] + character + address[at + 1 :]
    named = PATHS.mail_id(changed)
    assert named is not None
    assert PATHS.is_of(changed, named, GUEST) is (changed == address)


def test_the_tags_of_mails_that_follow_each_other_tell_nothing() -> None:
    tags = [PATHS.address(number, GUEST)[8:32] for number in range(1, 200)]
    assert len(set(tags)) == len(tags)
    for at in range(TAG_CHARS):
        assert len({tag[at] for tag in tags}) > 10


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "invites@acme.example",
        "invites+@acme.example",
        f"invites+{'a' * 23}@acme.example",
        f"invites+{'1' * 24}@acme.example",
        f"invites+{'a' * 24}@evil.example",
        f"others+{'a' * 24}@acme.example",
        f"invites-{'a' * 24}@acme.example",
        f"invites+{'ä' * 24}@acme.example",
    ],
)
def test_other_addresses_are_no_mails(address: str) -> None:
    assert PATHS.mail_id(address) is None
    assert not PATHS.is_of(address, 7, GUEST)


@given(st.text(max_size=80))
def test_any_text_is_looked_at(address: str) -> None:
    assert PATHS.mail_id(address) is None
    assert not PATHS.is_of(address, 7, GUEST)


def test_a_name_that_leaves_no_room_for_the_tag_is_refused() -> None:
    def section(local: str) -> MailSection:
        return MailSection.model_validate(
            {
                "host": "mail.acme.example",
                "sender": f"{local}@acme.example",
                "bounces": {
                    "host": "mail.acme.example",
                    "username": "invites",
                    "password": "x",
                },
            }
        )

    assert section("i" * 39).bounces is not None
    with pytest.raises(ValueError, match="too long"):
        section("i" * 40)
