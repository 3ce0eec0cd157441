"""The User-to-User header (RFC 7433)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip import Headers, ParseError, UserToUser
from sip.lexical import quote
from sip.user_to_user import MAX_CHARS


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("56a390f3d2b7310023a2;encoding=hex", bytes.fromhex("56a390f3d2b7310023a2")),
        ("3132;Encoding=HEX;purpose=foo;content=bar", b"12"),
        ("00001026", b"00001026"),
        ('"Case 1026; urgent"', b"Case 1026; urgent"),
        ('"a\\"b" ; purpose=acme', b'a"b'),
        ("0431;purpose=isdn-uui", b"\x041"),
        ('"3132";encoding="hex"', b"12"),
    ],
)
def test_what_was_meant(text: str, octets: bytes) -> None:
    assert UserToUser.parse(text).octets() == octets


@pytest.mark.parametrize(
    "text",
    ["", ";encoding=hex", "a b", '"open', "a;;b", "a;=x", "<a>", "a" * (MAX_CHARS + 1)],
)
def test_what_is_malformed(text: str) -> None:
    with pytest.raises(ParseError):
        UserToUser.parse(text)


@pytest.mark.parametrize(
    "text", ["123;encoding=hex", "xy;encoding=hex", "aa;encoding=b"]
)
def test_what_is_not_of_its_encoding(text: str) -> None:
    with pytest.raises(ParseError):
        UserToUser.parse(text).octets()


def test_a_receiver_may_know_the_encoding() -> None:
    value = UserToUser.parse("3132")
    assert (value.octets(), value.octets(is_hex=True)) == (b"3132", b"12")
    assert UserToUser.parse("31;purpose=isdn-uui").octets(is_hex=False) == b"31"


def test_of_several_the_malformed_are_passed_over() -> None:
    headers = Headers(
        [
            ("User-to-User", 'a;purpose=one, b c, "d,e";encoding=hex'),
            ("user-to-user", "f"),
        ]
    )
    assert [value.data for value in UserToUser.of_headers(headers)] == ["a", "d,e", "f"]
    assert UserToUser.of_headers(Headers([("User-to-User", '"open')])) == ()
    assert UserToUser.of_headers(Headers()) == ()


@given(st.binary(min_size=1, max_size=128))
def test_octets_survive_as_hex(octets: bytes) -> None:
    text = f"{octets.hex()};encoding=hex"
    (value,) = UserToUser.of_headers(Headers([("User-to-User", text)]))
    assert value.octets() == octets


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=200))
def test_text_survives_in_quotes(text: str) -> None:
    assert UserToUser.parse(quote(text)).octets() == text.encode()


@given(st.text(max_size=80) | st.from_regex(r'[a-f0-9;="\\,<> ]{0,40}', fullmatch=True))
def test_any_text_is_read_or_passed_over(text: str) -> None:
    for value in UserToUser.of_headers(Headers([("User-to-User", text)])):
        try:
            value.octets()
        except ParseError:
            assert value.encoding or value.purpose
        assert len(value.data) <= MAX_CHARS
