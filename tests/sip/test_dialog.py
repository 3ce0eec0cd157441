"""Dialogs alone (RFC 3261 12)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import sip
from sip.dialog import Dialog, DialogId, DialogState
from sip.errors import LocalProtocolError
from sip.message import Request


def invite(*, routes: Sequence[str] = (), number: int = 7) -> Request:
    return Request(
        "INVITE",
        sip.Uri.parse("sip:bob@example.com"),
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            *(("Record-Route", route) for route in routes),
            ("From", "<sip:ana@example.net>;tag=a"),
            ("To", "<sip:bob@example.com>"),
            ("Call-ID", "c"),
            ("CSeq", f"{number} INVITE"),
            ("Contact", "<sip:ana@192.0.2.1>"),
        ],
    )


def answer(*, routes: Sequence[str] = (), contact: str | None = "sip:bob@192.0.2.2"):  # type: ignore[no-untyped-def]
    response = sip.create_response(invite(routes=routes), 200, to_tag="b")
    if contact is not None:
        response.headers.add("Contact", f"<{contact}>")
    return response


ROUTES = ("<sip:p2;lr>", "<sip:p1;lr>")


def test_the_callers_route_set_is_reversed_and_the_callees_is_not() -> None:
    caller = Dialog.as_caller(invite(), answer(routes=ROUTES))
    callee = Dialog.as_callee(invite(routes=ROUTES), "b")
    assert [route.uri.host for route in caller.route_set] == ["p1", "p2"]
    assert [route.uri.host for route in callee.route_set] == ["p2", "p1"]
    assert caller.id == DialogId("c", "a", "b")
    assert callee.id == DialogId("c", "b", "a")
    assert (caller.local_cseq, caller.remote_cseq) == (7, None)
    assert (callee.local_cseq, callee.remote_cseq) == (0, 7)
    assert str(caller.remote_target) == "sip:bob@192.0.2.2"
    assert str(callee.remote_target) == "sip:ana@192.0.2.1"


def test_both_sides_find_the_same_dialog() -> None:
    caller = Dialog.as_caller(invite(), answer())
    callee = Dialog.as_callee(invite(), "b")
    assert DialogId.of_request(caller.create_request("BYE")) == callee.id
    assert DialogId.of_request(callee.create_request("BYE")) == caller.id


def test_without_contact_the_request_goes_where_the_first_one_went() -> None:
    dialog = Dialog.as_caller(invite(), answer(contact=None))
    assert str(dialog.remote_target) == "sip:bob@example.com"


def test_numbers_go_up_by_one() -> None:
    dialog = Dialog.as_caller(invite(), answer())
    numbers = [dialog.create_request("INFO").cseq.number for _ in range(3)]
    assert numbers == [8, 9, 10]


def test_received_numbers_may_have_gaps_but_not_fall() -> None:
    dialog = Dialog.as_callee(invite(), "b")
    assert dialog.accepts_cseq(invite(number=9))
    assert not dialog.accepts_cseq(invite(number=8))
    assert dialog.accepts_cseq(invite(number=100))


def test_loose_and_strict_routing() -> None:
    dialog = Dialog.as_caller(invite(), answer(routes=("<sip:p2;lr>", "<sip:p1>")))
    request = dialog.create_request("BYE")
    assert str(request.uri) == "sip:p1"
    assert [str(route.uri) for route in request.routes] == [
        "sip:p2;lr",
        "sip:bob@192.0.2.2",
    ]
    assert dialog.next_hop.host == "p1"
    loose = Dialog.as_caller(invite(), answer(routes=ROUTES))
    request = loose.create_request("BYE")
    assert str(request.uri) == "sip:bob@192.0.2.2"
    assert [route.uri.host for route in request.routes] == ["p1", "p2"]
    assert loose.next_hop.host == "p1"


def test_the_2xx_sets_the_callers_route_anew() -> None:
    dialog = Dialog.as_caller(invite(), answer(routes=ROUTES))
    dialog.confirm(answer(routes=("<sip:p9;lr>",), contact="sip:bob@192.0.2.3"))
    assert [route.uri.host for route in dialog.route_set] == ["p9"]
    assert str(dialog.remote_target) == "sip:bob@192.0.2.3"
    assert dialog.state is DialogState.CONFIRMED


def test_a_refresh_changes_the_target_and_nothing_else() -> None:
    dialog = Dialog.as_callee(invite(routes=ROUTES), "b")
    before = dialog.route_set
    again = invite(routes=("<sip:evil;lr>",))
    again.headers.set("Contact", "<sip:ana@192.0.2.77>")
    dialog.refresh_target(again)
    assert str(dialog.remote_target) == "sip:ana@192.0.2.77"
    assert dialog.route_set == before
    again.headers.remove("Contact")
    dialog.refresh_target(again)
    assert str(dialog.remote_target) == "sip:ana@192.0.2.77"


def test_the_ack_has_the_invites_number_and_credentials() -> None:
    dialog = Dialog.as_caller(invite(), answer())
    dialog.create_request("INFO")
    sent = invite()
    sent.headers.add("Proxy-Authorization", "Digest x")
    ack = dialog.create_ack(sent, body=b"v=0")
    assert str(ack.cseq) == "7 ACK"
    assert ack.headers.get("Proxy-Authorization") == "Digest x"
    assert ack.content_type == "application/sdp"


def test_the_end_is_the_end() -> None:
    dialog = Dialog.as_callee(invite(), "b")
    dialog.terminate("test")
    with pytest.raises(LocalProtocolError):
        dialog.confirm()
    assert dialog.state is DialogState.TERMINATED


def test_a_peer_of_rfc_2543_has_no_tag() -> None:
    request = invite()
    request.headers.set("From", "<sip:ana@example.net>")
    dialog = Dialog.as_callee(request, "b")
    assert dialog.id == DialogId("c", "b", "")
    assert dialog.create_request("BYE").to.tag is None
