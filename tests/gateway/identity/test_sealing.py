"""Sealed secrets: who has a key opens them, for whom they were sealed."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.sealing import (
    NoSecretsKeyError,
    SecretBox,
    SecretMisplacedError,
    SecretNotOpenedError,
    check_key,
)
from gateway.identity.users import UserKey
from tests.gateway.identity.people import KEY, OLD_KEY

SAM = UserKey("acme", "sam")


@given(st.text(max_size=300))
def test_what_was_sealed_is_opened(secret: str) -> None:
    box = SecretBox([KEY])
    assert box.open(SAM, box.seal(SAM, secret)).reveal() == secret


@pytest.mark.parametrize(
    "other",
    [UserKey("globex", "sam"), UserKey("acme", "robin"), UserKey("ac", "mesam")],
)
def test_a_secret_moved_to_another_row_does_not_open(other: UserKey) -> None:
    box = SecretBox([KEY])
    sealed = box.seal(SAM, "geheim")
    with pytest.raises(SecretMisplacedError, match=str(other)) as caught:
        box.open(other, sealed)
    assert "geheim" not in str(caught.value)


def test_the_first_key_seals_and_all_open() -> None:
    old, both, new = SecretBox([OLD_KEY]), SecretBox([KEY, OLD_KEY]), SecretBox([KEY])
    of_old = old.seal(SAM, "geheim")
    assert both.open(SAM, of_old).reveal() == "geheim"
    assert not both.is_of_first_key(of_old)
    assert both.is_of_first_key(both.seal(SAM, "geheim"))
    assert new.open(SAM, both.seal(SAM, "geheim")).reveal() == "geheim"
    with pytest.raises(SecretNotOpenedError, match="none of secrets_keys opens"):
        new.open(SAM, of_old)


def test_without_keys_it_says_what_is_missing() -> None:
    box = SecretBox([])
    with pytest.raises(NoSecretsKeyError, match="has no secrets_keys"):
        box.seal(SAM, "geheim")
    with pytest.raises(NoSecretsKeyError):
        box.open(SAM, SecretBox([KEY]).seal(SAM, "geheim"))
    assert not box.is_of_first_key("x")


@given(st.text(max_size=200))
def test_what_nobody_sealed_does_not_open(sealed: str) -> None:
    with pytest.raises(SecretNotOpenedError):
        SecretBox([KEY]).open(SAM, sealed)


@pytest.mark.parametrize("text", ["[]", '["acme", "sam"]', '["acme", "sam", 5]', "7"])
def test_what_was_sealed_otherwise_does_not_open(text: str) -> None:
    sealed = Fernet(KEY).encrypt(text.encode()).decode()
    with pytest.raises(SecretMisplacedError):
        SecretBox([KEY]).open(SAM, sealed)


@pytest.mark.parametrize("key", ["", "short", "ü" * 44, KEY[:-4], KEY + KEY])
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="32 bytes in URL-safe base64"):
        check_key(key)


def test_nothing_shows_a_secret() -> None:
    box = SecretBox([KEY])
    assert KEY not in repr(box)
    assert "geheim" not in repr(box.open(SAM, box.seal(SAM, "geheim")))
