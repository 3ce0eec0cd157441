from __future__ import annotations

import pytest

from sip.errors import InvalidValue, ParseError
from sip.headers import Headers, Reason
from sip.message import Request, Response, create_response, reason_phrase
from sip.uri import Uri, escape_user

URI = Uri.parse("sip:bob@example.com")


def invite() -> Request:
    return Request(
        "INVITE",
        URI,
        [
            ("Via", "SIP/2.0/UDP a;branch=z9hG4bK1"),
            ("v", "SIP/2.0/UDP b;branch=z9hG4bK2"),
            ("Record-Route", "<sip:p1;lr>, <sip:p2;lr>"),
            ("From", "<sip:alice@example.com>;tag=a"),
            ("To", "<sip:bob@example.com>"),
            ("Call-ID", "c1"),
            ("CSeq", "1 INVITE"),
            ("Timestamp", "54"),
        ],
        b"body",
    )


def test_content_length_is_computed_and_stands_once() -> None:
    message = invite()
    assert message.to_bytes().endswith(b"Content-Length: 4\r\n\r\nbody")
    message.headers.prepend("l", "999")
    message.headers.add("Content-Length", "998")
    data = message.to_bytes()
    assert data.startswith(b"INVITE sip:bob@example.com SIP/2.0\r\nl: 4\r\nVia")
    assert b"99" not in data


@pytest.mark.parametrize("value", ["x\r\nVia: y", "x\ny", "x\ry", "x\0y", "x\\\n"])
def test_header_injection_is_refused(value: str) -> None:
    message = invite()
    message.headers.add("Subject", value)
    with pytest.raises(InvalidValue):
        message.to_bytes()


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ä"])
def test_a_header_name_is_a_token(name: str) -> None:
    message = invite()
    message.headers.add(name, "x")
    with pytest.raises(InvalidValue):
        message.to_bytes()


def test_start_lines_cannot_be_broken() -> None:
    with pytest.raises(InvalidValue):
        Request("IN VITE", URI).to_bytes()
    with pytest.raises(InvalidValue):
        Response(200, "OK\r\nVia: x").to_bytes()
    with pytest.raises(InvalidValue):
        Response(99).to_bytes()
    with pytest.raises(InvalidValue):
        Response(700).to_bytes()


def test_bytes_that_are_no_utf_8_survive() -> None:
    message = invite()
    message.headers.add("Subject", b"caf\xe9".decode("utf-8", "surrogateescape"))
    assert b"Subject: caf\xe9\r\n" in message.to_bytes()


def test_half_a_surrogate_pair_is_no_text() -> None:
    message = invite()
    message.headers.add("Subject", "\ud800")
    with pytest.raises(InvalidValue):
        message.to_bytes()
    with pytest.raises(InvalidValue):
        escape_user("\ud800")
    with pytest.raises(ParseError):
        Uri.parse("sip:\ud800@example.com")


def test_accessors_of_missing_headers() -> None:
    message = Request("OPTIONS", URI)
    for name in ("via", "from_", "to", "call_id", "cseq"):
        with pytest.raises(ParseError):
            getattr(message, name)
    assert message.vias == message.contacts == message.routes == message.reasons == ()
    assert message.contact is None
    assert message.content_type is None
    assert message.max_forwards is None
    assert message.expires is None
    assert message.retry_after is None


def test_numbers() -> None:
    message = Response(
        503, None, [("Retry-After", "120 (I'm in a meeting);duration=3600")]
    )
    assert message.retry_after == 120
    message.headers.add("Expires", "Thu, 01 Dec 1994 16:00:00 GMT")
    assert message.expires is None
    message.headers.add("Min-Expires", "60")
    assert message.min_expires == 60


@pytest.mark.parametrize("value", ["256", "-1", "x", "", "9" * 9000])
def test_max_forwards_out_of_range(value: str) -> None:
    with pytest.raises(ParseError):
        _ = Request("OPTIONS", URI, [("Max-Forwards", value)]).max_forwards


def test_content_type_is_compared_without_case_and_parameters() -> None:
    message = Request("INFO", URI, [("c", 'Multipart / Mixed ; boundary="x y"')])
    assert message.content_type == "multipart/mixed"
    assert message.content_type_params == (("boundary", '"x y"'),)


def test_contact_wildcard() -> None:
    message = Request("REGISTER", URI, [("Contact", " * ")])
    assert message.has_contact_wildcard
    assert message.contacts == ()
    assert not invite().has_contact_wildcard


def test_reasons_leave_out_what_cannot_be_read() -> None:
    message = Request(
        "CANCEL",
        URI,
        [
            ("Reason", 'SIP;cause=200;text="Call completed elsewhere", Q.850;cause=26'),
            ("Reason", 'broken;"'),
            ("Reason", "Q.850;cause=16"),
        ],
    )
    assert message.reasons == (
        Reason("SIP", 200, "Call completed elsewhere"),
        Reason("Q.850", 26),
        Reason("Q.850", 16),
    )


def test_option_tags() -> None:
    message = Request(
        "INVITE", URI, [("k", "timer, 100rel"), ("Supported", "Replaces")]
    )
    assert message.option_tags("Supported") == {"timer", "100rel", "replaces"}


def test_a_copy_can_be_changed_alone() -> None:
    message = invite()
    copy = message.copy()
    assert copy == message
    copy.headers.set("CSeq", "2 INVITE")
    assert message.cseq.number == 1
    assert copy != message
    answer = Response(200)
    assert answer.copy() == answer
    assert answer != message


class TestCreateResponse_8_2_6:
    def test_copies_what_identifies_the_request(self) -> None:
        response = create_response(invite(), 486, to_tag="b")
        assert response.reason == "Busy Here"
        assert [via.host for via in response.vias] == ["a", "b"]
        assert response.to.tag == "b"
        assert response.from_.tag == "a"
        assert (response.call_id, response.cseq.method) == ("c1", "INVITE")
        assert response.record_routes == ()

    @pytest.mark.parametrize("status", [180, 183, 200])
    def test_record_route_where_a_dialog_is_made(self, status: int) -> None:
        response = create_response(invite(), status, to_tag="b")
        assert [r.uri.host for r in response.record_routes] == ["p1", "p2"]

    def test_trying_has_the_timestamp_and_no_record_route(self) -> None:
        response = create_response(invite(), 100)
        assert response.headers.get("Timestamp") == "54"
        assert response.record_routes == ()
        assert response.to.tag is None

    def test_an_existing_to_tag_stays(self) -> None:
        request = invite()
        request.headers.set("To", "<sip:bob@example.com>;tag=mine")
        assert create_response(request, 200, to_tag="other").to.tag == "mine"

    def test_a_to_that_cannot_be_read_is_copied_as_it_is(self) -> None:
        request = Request("INVITE", URI, [("To", '"x <sip:b@c>')])
        response = create_response(request, 400, "No", to_tag="t")
        assert response.headers.items() == [("To", '"x <sip:b@c>')]
        assert response.reason == "No"


def test_every_status_has_a_phrase() -> None:
    assert reason_phrase(487) == "Request Terminated"
    assert reason_phrase(299) == "OK"
    assert reason_phrase(498) == "Error"
    assert reason_phrase(999) == "Unknown"


def test_status_classes() -> None:
    assert Response(183).is_provisional
    assert Response(202).is_success
    assert not Response(302).is_success


def test_a_repr_is_the_start_line() -> None:
    assert repr(Response(200)) == "<Response 'SIP/2.0 200 OK'>"
    assert isinstance(invite().headers, Headers)
