"""Calls of ours against scripted peers, in virtual time."""

from __future__ import annotations

import pytest

import sip
from sip.call_events import NORMAL_CLEARING
from sip.message import Request
from tests.sip.peers import ANSWER, EXPIRY_S, OFFER, Bench, account


def test_the_invite_says_who_where_and_what(bench: Bench) -> None:
    bench.call("sip:bob@example.com")
    sent = bench.take()
    invite = sent.message
    assert isinstance(invite, Request)
    assert (sent.target.host, sent.target.port) == ("192.0.2.1", 5060)
    assert str(invite.uri) == "sip:bob@example.com"
    assert invite.via.wants_rport
    assert invite.via.has_magic_cookie
    assert invite.from_.uri == bench.account.aor
    assert len(invite.from_.tag or "") >= 16
    assert invite.to.tag is None
    assert invite.max_forwards == 70
    assert "UPDATE" in (invite.headers.get("Allow") or "")
    assert invite.body == OFFER.encode()
    contact = invite.contact
    assert contact is not None
    assert contact.uri.host == "198.51.100.7"


def test_a_silent_peer_gets_the_invite_at_doubling_intervals(bench: Bench) -> None:
    bench.call()
    began = bench.clock.now()
    bench.run(EXPIRY_S - 0.01)
    sent = bench.drain()
    at = [round(each.at - began, 3) for each in sent]
    assert at == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert len({each.data for each in sent}) == 1
    bench.happened()
    bench.run(0.01)
    bench.happened(
        sip.Rejected(408, "Request Timeout", local=True),
    )


def test_a_phone_may_ring_for_forty_seconds(bench: Bench) -> None:
    bench.call()
    invite = bench.request("INVITE")
    bench.reply(invite, 180, tag="bob")
    bench.run(40)
    bench.quiet()
    bench.reply(invite, 200, tag="bob", sdp=ANSWER)
    bench.request("ACK")
    bench.happened(sip.Progress(180, None, "bob"), sip.Answered(ANSWER, "bob"))


def test_the_ack_of_a_2xx(bench: Bench) -> None:
    """RFC 3261 13.2.2.4: new branch, the INVITE's number, the dialog's way."""
    bench.call()
    invite = bench.request("INVITE")
    bench.reply(
        invite,
        200,
        tag="bob",
        sdp=ANSWER,
        contact="sip:bob@192.0.2.9:5062",
        record_routes=["<sip:192.0.2.3;lr>", "<sip:192.0.2.2;lr>"],
    )
    sent = bench.take()
    ack = sent.message
    assert isinstance(ack, Request)
    assert ack.method == "ACK"
    assert ack.via.branch != invite.via.branch
    assert ack.cseq.number == invite.cseq.number
    assert [str(route.uri) for route in ack.routes] == [
        "sip:192.0.2.2;lr",
        "sip:192.0.2.3;lr",
    ]
    assert sent.target.host == "192.0.2.2"
    assert str(ack.uri) == "sip:bob@192.0.2.9:5062"
    assert ack.to.tag == "bob"


def test_a_contact_that_cannot_be_reached_is_acknowledged_where_the_invite_went(
    bench: Bench,
) -> None:
    bench.call()
    bench.reply(
        bench.request("INVITE"),
        200,
        tag="bob",
        sdp=ANSWER,
        contact="sip:bob@192.0.2.9;transport=sctp",
    )
    sent = bench.take()
    assert sent.message.cseq.method == "ACK"
    assert sent.target.host == "192.0.2.1"


def test_a_strict_router_gets_the_request_uri(bench: Bench) -> None:
    """RFC 3261 12.2.1.1."""
    call = bench.call()
    bench.reply(
        bench.request("INVITE"),
        200,
        tag="bob",
        sdp=ANSWER,
        contact="sip:bob@192.0.2.9",
        record_routes=["<sip:192.0.2.3;lr>", "<sip:192.0.2.2>"],
    )
    bench.request("ACK")
    call.hangup()
    bye = bench.request("BYE")
    assert str(bye.uri) == "sip:192.0.2.2"
    assert [str(route.uri) for route in bye.routes] == [
        "sip:192.0.2.3;lr",
        "sip:bob@192.0.2.9",
    ]
    bench.reply(bye, 200)


def test_a_repeated_200_gets_the_very_same_ack(bench: Bench) -> None:
    bench.call()
    invite = bench.request("INVITE")
    bench.reply(invite, 200, tag="bob", sdp=ANSWER)
    first = bench.take()
    bench.run(0.5)
    bench.reply(invite, 200, tag="bob", sdp=ANSWER)
    second = bench.take()
    assert first.data == second.data
    bench.happened(sip.Answered(ANSWER, "bob"))


def test_two_forks_answer(bench: Bench) -> None:
    """180 A, 183 B, 200 B, 200 A: ACK B, then ACK and BYE for A by A's way."""
    call = bench.call()
    invite = bench.request("INVITE")
    bench.reply(invite, 180, tag="A", contact="sip:a@192.0.2.21")
    bench.reply(
        invite,
        183,
        tag="B",
        sdp=ANSWER,
        contact="sip:b@192.0.2.22",
        record_routes=["<sip:192.0.2.2;lr>"],
    )
    bench.reply(
        invite,
        200,
        tag="B",
        sdp=ANSWER,
        contact="sip:b@192.0.2.22",
        record_routes=["<sip:192.0.2.2;lr>"],
    )
    ack_b = bench.request("ACK")
    assert (ack_b.to.tag, str(ack_b.uri)) == ("B", "sip:b@192.0.2.22")
    bench.reply(
        invite,
        200,
        tag="A",
        sdp="v=0\r\ns=other\r\n",
        contact="sip:a@192.0.2.21",
        record_routes=["<sip:192.0.2.3;lr>"],
    )
    ack_a = bench.request("ACK")
    bye_a = bench.request("BYE")
    for request in (ack_a, bye_a):
        assert request.to.tag == "A"
        assert str(request.uri) == "sip:a@192.0.2.21"
        assert [str(route.uri) for route in request.routes] == ["sip:192.0.2.3;lr"]
    assert bye_a.cseq.number == invite.cseq.number + 1
    assert sip.COMPLETED_ELSEWHERE in bye_a.reasons
    bench.reply(bye_a, 200)
    # the loser's 200 again: its ACK again, and no second BYE
    bench.reply(invite, 200, tag="A", sdp=ANSWER, contact="sip:a@192.0.2.21")
    assert bench.request("ACK").to_bytes() == ack_a.to_bytes()
    bench.quiet()
    bench.happened(
        sip.Progress(180, None, "A"),
        sip.Progress(183, ANSWER, "B"),
        sip.Answered(ANSWER, "B"),
    )
    call.hangup()
    bye = bench.request("BYE")
    assert bye.to.tag == "B"
    bench.reply(bye, 200)


def test_the_route_set_of_the_2xx_replaces_that_of_the_18x(bench: Bench) -> None:
    call = bench.call()
    invite = bench.request("INVITE")
    bench.reply(invite, 180, tag="bob", record_routes=["<sip:192.0.2.2;lr>"])
    bench.reply(
        invite, 200, tag="bob", sdp=ANSWER, record_routes=["<sip:192.0.2.3;lr>"]
    )
    bench.request("ACK")
    call.hangup()
    bye = bench.request("BYE")
    assert [str(route.uri) for route in bye.routes] == ["sip:192.0.2.3;lr"]
    bench.reply(bye, 200)


@pytest.mark.parametrize("status", [302, 404, 480, 486, 500, 600, 603])
def test_a_rejection_is_acknowledged_and_told(bench: Bench, status: int) -> None:
    bench.call()
    invite = bench.request("INVITE")
    bench.reply(
        invite,
        status,
        tag="bob",
        headers=[("Reason", "Q.850;cause=17"), ("Retry-After", "7 (later)")],
    )
    ack = bench.request("ACK")
    assert ack.via.branch == invite.via.branch
    assert ack.uri == invite.uri
    assert ack.to.tag == "bob"
    assert ack.cseq.number == invite.cseq.number
    # a lost ACK: the response comes again, and so does the ACK
    bench.reply(invite, status, tag="bob")
    assert bench.request("ACK").to_bytes() == ack.to_bytes()
    bench.quiet()
    (event,) = bench.events
    assert isinstance(event, sip.Rejected)
    assert (event.status, event.retry_after, event.local) == (status, 7, False)
    assert event.reasons == (sip.Reason("Q.850", 17),)


def test_cancel_waits_for_a_provisional_response(bench: Bench) -> None:
    """RFC 3261 9.1."""
    call = bench.call()
    invite = bench.request("INVITE")
    call.hangup()
    bench.happened(sip.LocalEnd())
    bench.quiet()
    bench.reply(invite, 180, tag="bob")
    cancel = bench.request("CANCEL")
    assert cancel.via.branch == invite.via.branch
    assert cancel.uri == invite.uri
    assert cancel.to.tag is None
    assert cancel.from_.tag == invite.from_.tag
    assert cancel.cseq.number == invite.cseq.number
    assert cancel.reasons == (NORMAL_CLEARING,)
    bench.reply(cancel, 200)
    bench.reply(invite, 487, tag="bob")
    bench.request("ACK")
    bench.happened()


def test_cancel_without_any_provisional_response(bench: Bench) -> None:
    call = bench.call()
    bench.request("INVITE")
    call.hangup()
    bench.run(EXPIRY_S)
    assert {sent.message.method for sent in bench.drain()} == {"INVITE"}  # type: ignore[union-attr]
    bench.happened(sip.LocalEnd())
    assert not bench.agent.calls


def test_a_200_that_crosses_cancel_is_acknowledged_and_ended(bench: Bench) -> None:
    call = bench.call()
    invite = bench.request("INVITE")
    bench.reply(invite, 180, tag="bob")
    call.hangup(sip.Reason("SIP", 480, "gone"))
    cancel = bench.request("CANCEL")
    assert cancel.reasons == (sip.Reason("SIP", 480, "gone"),)
    bench.reply(invite, 200, tag="bob", sdp=ANSWER)
    ack, bye = bench.request("ACK"), bench.request("BYE")
    assert ack.cseq.number == invite.cseq.number
    assert bye.cseq.number == invite.cseq.number + 1
    bench.reply(cancel, 481)
    bench.reply(bye, 200)
    bench.happened(sip.Progress(180, None, "bob"), sip.LocalEnd())


def test_487_never_comes(bench: Bench) -> None:
    call = bench.call()
    invite = bench.request("INVITE")
    bench.reply(invite, 180, tag="bob")
    call.hangup()
    bench.reply(bench.request("CANCEL"), 200)
    bench.run(EXPIRY_S - 0.1)
    assert bench.agent.calls
    bench.run(0.2)
    assert not bench.agent.calls
    assert bench.agent.transaction_count == 0


def test_hangup_twice_is_once(bench: Bench) -> None:
    call = bench.call()
    bench.reply(bench.request("INVITE"), 180, tag="bob")
    call.hangup()
    call.hangup()
    bench.request("CANCEL")
    bench.quiet()


def test_an_offerless_invite(bench: Bench) -> None:
    call = bench.call(offer=None)
    invite = bench.request("INVITE")
    assert invite.body == b""
    bench.reply(invite, 200, tag="bob", sdp=OFFER)
    bench.quiet()
    bench.reply(invite, 200, tag="bob", sdp=OFFER)
    bench.quiet()
    bench.happened(sip.Answered(OFFER, "bob"))
    call.accept_offer(ANSWER)
    ack = bench.request("ACK")
    assert ack.body == ANSWER.encode()
    bench.reply(invite, 200, tag="bob", sdp=OFFER)
    assert bench.request("ACK").to_bytes() == ack.to_bytes()


def test_hangup_before_the_offer_of_the_200_is_answered(bench: Bench) -> None:
    call = bench.call(offer=None)
    bench.reply(bench.request("INVITE"), 200, tag="bob", sdp=OFFER)
    call.hangup()
    bench.request("ACK")
    bench.reply(bench.request("BYE"), 200)


def test_the_peer_hangs_up(bench: Bench) -> None:
    call, _, ok = bench.established_outgoing()
    bench.within("BYE", _as_request(bench, ok), headers=[("Reason", "Q.850;cause=16")])
    bench.response(200, "BYE")
    bench.happened(sip.RemoteHangup((sip.Reason("Q.850", 16),)))
    call.hangup()
    call.info("text/plain", b"x")
    call.reinvite(OFFER)
    bench.quiet()


def test_bye_with_wrong_tags_is_481(bench: Bench) -> None:
    call, _, ok = bench.established_outgoing()
    forged = _as_request(bench, ok)
    forged.headers.set("To", "<sip:bob@example.com>;tag=guess")
    bench.within("BYE", forged)
    bench.response(481, "BYE")
    bench.happened()
    call.hangup()
    bench.reply(bench.request("BYE"), 200)


def test_crossing_byes(bench: Bench) -> None:
    """RFC 5407 3.1.3: both get 200."""
    call, _, ok = bench.established_outgoing()
    call.hangup()
    bye = bench.request("BYE")
    bench.within("BYE", _as_request(bench, ok))
    bench.response(200, "BYE")
    bench.reply(bye, 200)
    bench.happened(sip.LocalEnd())


def test_a_bye_that_nobody_answers(bench: Bench) -> None:
    call, _, _ = bench.established_outgoing()
    call.hangup()
    bench.run(EXPIRY_S + 1)
    sent = bench.drain()
    assert len(sent) == 11
    bench.happened(sip.LocalEnd())


def test_no_line_break_reaches_the_wire(bench: Bench) -> None:
    with pytest.raises(sip.InvalidValue):
        bench.agent.call(
            bench.account,
            sip.Uri.parse("sip:bob@example.com"),
            OFFER,
            bench.events.append,
            headers=[("Subject", "x\r\nX-Evil: 1")],
        )
    bench.quiet()
    assert not bench.agent.calls


def _as_request(bench: Bench, response: sip.Response) -> Request:
    """A request of the agent's in the dialog that its peer's 200 made."""
    return Request(
        "ACK",
        sip.Uri.parse("sip:peer@192.0.2.9"),
        [
            ("From", response.headers.get("From") or ""),
            ("To", response.headers.get("To") or ""),
            ("Call-ID", response.call_id),
        ],
    )


def test_an_account_that_is_not_registered_may_call(bench: Bench) -> None:
    """One made for a single call: it is challenged, re-invited, and forgotten."""
    once = account(
        aor=sip.Uri.parse("sip:guest-0123@example.com"),
        display_name='Ana "A" Ruiz',
        username="guests",
    )
    call = bench.agent.call(
        once, sip.Uri.parse("sip:bob@example.com"), OFFER, bench.events.append
    )
    invite = bench.request("INVITE")
    assert invite.from_.uri.user == "guest-0123"
    assert invite.from_.display_name == 'Ana "A" Ruiz'
    challenge = 'Digest realm="example.com", nonce="n1", qop="auth", algorithm=MD5'
    bench.reply(invite, 407, headers=[("Proxy-Authenticate", challenge)])
    bench.request("ACK")
    again = bench.request("INVITE")
    assert 'username="guests"' in (again.headers.get("Proxy-Authorization") or "")
    ok = bench.reply(again, 200, tag="bob", sdp=ANSWER)
    bench.request("ACK")
    bench.agent.remove_account(once)
    # Only the dialog is left of it, and that is enough for the peer's requests.
    dialog = again.copy()
    dialog.headers.set("To", str(ok.to))
    re_invite = bench.within("INVITE", dialog, body=OFFER)
    call.accept_offer(ANSWER)
    assert bench.response(200, "INVITE").body == ANSWER.encode()
    bench.within("ACK", dialog, cseq=re_invite.cseq.number)
    # A branch that answers late is released without waking the account.
    bench.reply(again, 200, tag="late", sdp=ANSWER)
    bench.request("ACK")
    bench.reply(bench.request("BYE"), 200)
    call.hangup()
    bench.reply(bench.request("BYE"), 200)
    assert once not in bench.agent._core.presences
