"""ICE-lite: who is answered, and what a source address can become."""

from __future__ import annotations

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.relay.ice_lite import (
    IceCredentials,
    StunRejectedError,
    answer_check,
    new_credentials,
)

OURS = IceCredentials("ours", "secret-password-of-ours")
SOURCE = ("192.0.2.7", 40000)


def credentials_of(ufrag: str) -> IceCredentials | None:
    return OURS if ufrag == OURS.ufrag else None


def check(
    username: str = "ours:theirs",
    password: str = OURS.password,
    *,
    role: str = "ICE-CONTROLLING",
    nominate: bool = False,
    method: stun.Method = stun.Method.BINDING,
    kind: stun.Class = stun.Class.REQUEST,
) -> bytes:
    message = stun.Message(message_method=method, message_class=kind)
    message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = 1
    message.attributes[role] = 1
    if nominate:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(password.encode())
    return bytes(message)


def test_a_right_check_is_answered_with_its_source() -> None:
    data = check(nominate=True)
    result = answer_check(data, SOURCE, credentials_of)
    assert result.is_success
    assert result.nominated
    response = stun.parse_message(result.response)
    assert response.attributes["XOR-MAPPED-ADDRESS"] == SOURCE
    assert response.check_message_integrity(OURS.password.encode())
    assert len(result.response) <= len(data)


def test_without_use_candidate_nothing_is_nominated() -> None:
    assert not answer_check(check(), SOURCE, credentials_of).nominated


def test_a_controlled_browser_gets_a_role_conflict() -> None:
    data = check(role="ICE-CONTROLLED", nominate=True)
    result = answer_check(data, SOURCE, credentials_of)
    assert not result.is_success
    assert not result.nominated
    assert stun.parse_message(result.response).error_code == 487


@pytest.mark.parametrize(
    "data",
    [
        check(username="other:theirs"),
        check(username=""),
        check(password="wrong-password-of-ours!"),
        check(method=stun.Method.ALLOCATE),
        check(kind=stun.Class.INDICATION),
        check(kind=stun.Class.RESPONSE),
        check()[:-1],
        check()[:20],
        b"\x00",
        b"",
        check() + bytes(600),
        b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(12) + b"\x80\x29\x00\x02ab\0\0",
    ],
)
def test_anything_else_is_dropped_without_a_word(data: bytes) -> None:
    with pytest.raises(StunRejectedError):
        answer_check(data, SOURCE, credentials_of)


def test_integrity_is_needed() -> None:
    message = stun.Message(
        message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST
    )
    message.attributes["USERNAME"] = "ours:theirs"
    with pytest.raises(StunRejectedError):
        answer_check(bytes(message), SOURCE, credentials_of)


def test_credentials_are_long_and_hidden() -> None:
    import secrets

    made = new_credentials(secrets.token_bytes)
    assert len(made.ufrag) >= 4
    assert len(made.password) >= 22
    assert made.password not in repr(made)


@given(st.binary(max_size=700), st.integers(0, 150))
def test_any_bytes_are_rejected_cleanly(data: bytes, cut: int) -> None:
    good = check()
    for attempt in (data, good[:cut] + data, data + good[cut:]):
        if attempt == good:
            continue
        try:
            answer_check(attempt, SOURCE, credentials_of)
        except StunRejectedError:
            continue
        # Only what follows the integrity can differ.
        assert attempt[:60] == good[:60]
