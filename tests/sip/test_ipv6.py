"""RFC 5118: IPv6 where it is ambiguous, in whole messages."""

from __future__ import annotations

import pytest

from sip.errors import ParseError
from sip.message import Request
from sip.parser import parse_datagram
from sip.sdp import Connection, SessionDescription


def register(
    uri: str = "sip:[2001:db8::10]",
    via: str = "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111",
    contact: str = "<sip:caller@[2001:db8::1]>",
) -> bytes:
    return (
        f"REGISTER {uri} SIP/2.0\r\n"
        "To: sip:user@example.com\r\n"
        "From: sip:user@example.com;tag=81x2\r\n"
        f"Via: {via}\r\n"
        "Call-ID: SSG9559905523997077@hlau_4100\r\n"
        f"Contact: {contact}\r\n"
        "CSeq: 98176 REGISTER\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def read(data: bytes) -> Request:
    message = parse_datagram(data)
    assert isinstance(message, Request)
    return message


def test_4_1_references_everywhere() -> None:
    message = read(register())
    assert message.uri.host == "2001:db8::10"
    assert message.via.host == "2001:db8::9:1"
    assert message.contacts[0].uri.host == "2001:db8::1"
    assert b"REGISTER sip:[2001:db8::10] SIP/2.0" in message.to_bytes()
    assert str(message.via).startswith("SIP/2.0/UDP [2001:db8::9:1];")


def test_4_2_an_address_without_brackets_is_refused() -> None:
    with pytest.raises(ParseError) as caught:
        parse_datagram(register(uri="sip:2001:db8::10"))
    assert caught.value.status == 400
    assert caught.value.request is not None


def test_4_3_what_looks_like_a_port_is_part_of_the_address() -> None:
    message = read(register(uri="sip:[2001:db8::10:5070]"))
    assert (message.uri.host, message.uri.port) == ("2001:db8::10:5070", None)


def test_4_4_a_port_stands_outside() -> None:
    message = read(register(uri="sip:[2001:db8::10]:5070"))
    assert (message.uri.host, message.uri.port) == ("2001:db8::10", 5070)


@pytest.mark.parametrize("received", ["[2001:db8::9:255]", "2001:db8::9:255"])
def test_4_5_received_with_and_without_brackets(received: str) -> None:
    via = f"SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3-111"
    assert read(register(via=via)).via.received == "2001:db8::9:255"


def test_4_6_addresses_of_both_families_in_a_description() -> None:
    parsed = SessionDescription.parse(
        "v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=Live\r\n"
        "c=IN IP6 2001:db8::1\r\nt=0 0\r\n"
        "m=audio 6000 RTP/AVP 0\r\nm=video 6024 RTP/AVP 107\r\nc=IN IP4 192.0.2.1\r\n"
    )
    audio, video = parsed.media
    assert parsed.connection(audio) == Connection("IP6", "2001:db8::1")
    assert parsed.connection(video) == Connection("IP4", "192.0.2.1")


def test_4_7_via_of_both_families() -> None:
    via = (
        "SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111, "
        "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144"
    )
    assert [hop.sent_by for hop in read(register(via=via)).vias] == [
        "[2001:db8::9:1]:6050",
        "192.0.2.1",
    ]


def test_4_9_an_ipv4_address_mapped_into_ipv6() -> None:
    message = read(register(contact="<sip:caller@[::ffff:192.0.2.10]>"))
    assert message.contacts[0].uri.host == "::ffff:192.0.2.10"


def test_4_10_three_colons_in_a_row_are_none() -> None:
    with pytest.raises(ParseError):
        parse_datagram(register(via="SIP/2.0/UDP [2001:db8:::192.0.2.1];branch=x"))
    assert read(register(via="SIP/2.0/UDP [2001:db8::192.0.2.1];branch=x")).via.host
