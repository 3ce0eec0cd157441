from __future__ import annotations

import pytest

from sip.errors import InvalidValue, ParseError
from sip.headers import CSeq, Headers, Reason, Via


def sample() -> Headers:
    return Headers(
        [
            ("v", "SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2"),
            ("Subject", "one"),
            ("VIA", "SIP/2.0/UDP c;branch=z9hG4bK3"),
        ]
    )


def test_names_are_found_in_any_case_and_form() -> None:
    headers = sample()
    assert len(headers.get_all("Via")) == 2
    assert headers.get("V") == headers.get("via") == headers.get("VIA")
    assert "s" in headers
    assert "Subject" in headers
    assert "To" not in headers
    assert 5 not in headers
    assert headers.get("To") is None


def test_order_and_spelling_are_kept() -> None:
    assert [name for name, _ in sample()] == ["v", "Subject", "VIA"]
    assert len(sample()) == 3


def test_comma_separated_elements_do_not_split_inside_quotes_or_brackets() -> None:
    headers = Headers(
        [("Contact", '"A, B" <sip:a,b@c>;x="1,2" , <sip:d@e>'), ("m", "")]
    )
    assert headers.get_list("m") == ['"A, B" <sip:a,b@c>;x="1,2"', "<sip:d@e>"]
    with pytest.raises(ParseError):
        Headers([("Contact", '"A, B <sip:a@c>')]).get_list("Contact")


def test_set_replaces_all_in_the_place_of_the_first() -> None:
    headers = sample()
    headers.set("Via", "x")
    headers.set("To", "y")
    assert headers.items() == [("Via", "x"), ("Subject", "one"), ("To", "y")]


def test_prepend_stands_before_its_like_and_remove_takes_all() -> None:
    headers = Headers([("Subject", "s"), ("Route", "<sip:b>")])
    headers.prepend("Route", "<sip:a>")
    headers.prepend("Via", "v")
    assert [name for name, _ in headers] == ["Via", "Subject", "Route", "Route"]
    assert headers.get_list("Route") == ["<sip:a>", "<sip:b>"]
    headers.remove("Route")
    assert "Route" not in headers


def test_popping_and_replacing_the_topmost_element_of_a_shared_line() -> None:
    headers = sample()
    headers.replace_first("Via", "SIP/2.0/UDP z;branch=z9hG4bK0")
    assert [Via.parse(text).host for text in headers.get_list("Via")] == ["z", "b", "c"]
    popped = [headers.pop_first("Via") for _ in range(4)]
    assert [text and Via.parse(text).host for text in popped] == ["z", "b", "c", None]
    assert headers.items() == [("Subject", "one")]
    headers.replace_first("Via", "v")
    assert headers.items()[0] == ("Via", "v")


def test_a_copy_is_independent() -> None:
    headers = sample()
    copy = headers.copy()
    copy.add("X", "y")
    assert "X" not in headers
    assert copy != headers
    assert headers == sample()


def test_a_repr_shows_no_values() -> None:
    headers = Headers([("Authorization", "Digest response=abc")])
    assert "abc" not in repr(headers)


class TestVia:
    @pytest.mark.parametrize(
        "text",
        [
            "SIP/2.0/UDP pc33.example.com;branch=z9hG4bK776asdhds",
            "SIP/2.0/TLS [2001:db8::9:1]:5061;branch=z9hG4bKas3;rport",
            "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks",
        ],
    )
    def test_is_written_as_it_was_read(self, text: str) -> None:
        assert str(Via.parse(text)) == text

    def test_white_space_around_everything(self) -> None:
        via = Via.parse(
            " SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ; branch=z9hG4bKa7c6 "
        )
        assert (via.transport, via.sent_by) == ("UDP", "first.example.com:4000")
        assert via.has_magic_cookie

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 host",
            "HTTP/1.1/TCP host",
            "SIP/2.0/UDP host:x",
            "SIP/2.0/UDP host:99999",
            "SIP/2.0/UDP 2001:db8::1",
            "SIP/2.0/UDP [zz]",
            "SIP/2.0/UDP host;",
            "SIP/2.0/UDP host;;branch=x",
            "SIP/2.0/UDP host extra",
        ],
    )
    def test_malformed(self, text: str) -> None:
        with pytest.raises(ParseError):
            Via.parse(text)

    def test_rfc_5118_received_with_and_without_brackets(self) -> None:
        base = "SIP/2.0/UDP [2001:db8::9:1];received="
        assert Via.parse(base + "[2001:db8::9:255]").received == "2001:db8::9:255"
        with pytest.raises(ParseError):
            Via.parse("SIP/2.0/UDP [2001:db8::9:1;received=x")

    def test_received_is_added_when_the_source_differs(self) -> None:
        via = Via.parse("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx")
        assert via.with_source("192.0.2.1", 5060) == via
        assert via.with_source("192.0.2.9", 5060).received == "192.0.2.9"

    def test_ipv6_is_the_same_in_any_spelling(self) -> None:
        via = Via.parse("SIP/2.0/UDP [2001:DB8:0:0::1]")
        assert via.with_source("2001:db8::1", 5060).received is None

    def test_rfc_3581_rport_is_filled_and_received_always_there(self) -> None:
        via = Via.parse("SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bKx")
        assert via.wants_rport
        assert via.rport is None
        filled = via.with_source("192.0.2.1", 40000)
        assert (filled.rport, filled.received) == (40000, "192.0.2.1")

    def test_maddr(self) -> None:
        assert Via.parse("SIP/2.0/UDP h;maddr=224.0.1.75").maddr == "224.0.1.75"
        assert Via.parse("SIP/2.0/UDP h").maddr is None

    def test_a_received_the_sender_made_up_is_dropped(self) -> None:
        via = Via.parse("SIP/2.0/UDP 192.0.2.1;received=203.0.113.66")
        assert via.with_source("192.0.2.1", 5060).received is None

    @pytest.mark.parametrize("value", ["", "x", "0", "99999"])
    def test_a_senseless_rport_is_none(self, value: str) -> None:
        assert Via.parse(f"SIP/2.0/UDP h;rport={value}").rport is None

    @pytest.mark.parametrize("branch", ["", ";branch=", ";branch=z9hG4bK", ";branch=1"])
    def test_branches_that_identify_nothing(self, branch: str) -> None:
        assert not Via.parse(f"SIP/2.0/UDP h{branch}").has_magic_cookie


class TestCSeq:
    def test_reads_and_writes(self) -> None:
        assert str(CSeq.parse(" 0009   INVITE ")) == "9 INVITE"
        assert CSeq.parse("2147483647 BYE").number == 2**31 - 1

    @pytest.mark.parametrize(
        "text",
        ["", "1", "INVITE", "-1 BYE", "1 BYE x", "1 B(E", "2147483648 BYE", "9" * 5000],
    )
    def test_malformed(self, text: str) -> None:
        with pytest.raises(ParseError):
            CSeq.parse(text)

    def test_an_endless_number_is_an_error_and_nothing_worse(self) -> None:
        with pytest.raises(ParseError):
            CSeq.parse(f"{'9' * 8000} BYE")
        assert CSeq.parse(f"{'0' * 8000}7 BYE").number == 7


class TestReason:
    def test_answered_elsewhere(self) -> None:
        text = 'SIP;cause=200;text="Call completed elsewhere"'
        reason = Reason.parse(text)
        assert reason == Reason("SIP", 200, "Call completed elsewhere")
        assert str(reason) == text

    def test_without_cause(self) -> None:
        assert Reason.parse("Q.850") == Reason("Q.850")

    @pytest.mark.parametrize(
        "text", ["", "SIP;cause=x", "SIP;cause=-1", "S P", 'SIP;"']
    )
    def test_malformed(self, text: str) -> None:
        with pytest.raises(ParseError):
            Reason.parse(text)

    @pytest.mark.parametrize(
        "reason", [Reason("SIP", 200, "x\r\nVia: y"), Reason("S P", 200)]
    )
    def test_cannot_smuggle(self, reason: Reason) -> None:
        with pytest.raises(InvalidValue):
            str(reason)
