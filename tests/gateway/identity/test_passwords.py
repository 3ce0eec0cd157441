from __future__ import annotations

import pytest

from gateway.identity.passwords import hash_password, verify_password

QUICK = {"log2_n": 4, "r": 1, "p": 1}


@pytest.mark.parametrize(
    "password", ["", "correct horse", "pässwörd", "\ud800", "x" * 999]
)
def test_only_the_right_password_matches(password: str) -> None:
    encoded = hash_password(password, **QUICK)
    assert verify_password(password, encoded)
    assert not verify_password(password + "x", encoded)


def test_the_same_password_has_another_hash_each_time() -> None:
    assert hash_password("a", **QUICK) != hash_password("a", **QUICK)


def test_the_default_parameters_are_written_down_and_verify() -> None:
    encoded = hash_password("a", salt=b"0123456789abcdef")
    assert encoded.startswith("$scrypt$ln=14,r=8,p=5$MDEyMzQ1Njc4OWFiY2RlZg$")
    assert verify_password("a", encoded)


def test_rfc_7914_vector() -> None:
    """Section 12: scrypt("", "", 16, 1, 1) starts with these bytes."""
    import hashlib

    digest = hashlib.scrypt(b"", salt=b"", n=16, r=1, p=1, dklen=64)
    assert digest.hex().startswith("77d6576238657b203b19ca42c18a0497")


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "plain",
        "$scrypt$ln=30,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43,
        "$scrypt$ln=0,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43,
        "$scrypt$ln=4,r=99,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + "A" * 43,
        "$scrypt$ln=4,r=1,p=1$MDEyMzQ1Njc4OWFiY2RlZ$" + "A" * 41,
        "$scrypt$ln=4,r=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$",
    ],
)
def test_a_malformed_or_monstrous_hash_never_matches(encoded: str) -> None:
    assert not verify_password("a", encoded)
