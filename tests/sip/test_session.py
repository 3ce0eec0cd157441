"""What happens within a dialog, in virtual time: offers, glare, INFO, UPDATE."""

from __future__ import annotations

import pytest

import sip
from sip.call_events import FailureCause
from sip.message import Request
from tests.sip.peers import ANSWER, EXPIRY_S, OFFER, Bench

HOLD = "v=0\r\ns=hold\r\n"
HELD = "v=0\r\ns=held\r\n"


def test_our_reinvite(bench: Bench) -> None:
    call, invite, _ = bench.established_outgoing()
    call.reinvite(HOLD)
    again = bench.request("INVITE")
    assert again.cseq.number == invite.cseq.number + 1
    assert again.to.tag == "bob"
    assert again.body == HOLD.encode()
    assert [str(route.uri) for route in again.routes] == ["sip:192.0.2.1;lr"]
    bench.reply(again, 200, sdp=HELD, contact="sip:bob@192.0.2.77")
    ack = bench.request("ACK")
    assert ack.cseq.number == again.cseq.number
    assert str(ack.uri) == "sip:bob@192.0.2.77"
    bench.happened(sip.OfferAnswered(HELD))
    bench.reply(again, 200, sdp=HELD, contact="sip:bob@192.0.2.77")
    assert bench.request("ACK").to_bytes() == ack.to_bytes()
    bench.happened()


def test_target_refresh_never_changes_the_route_set(bench: Bench) -> None:
    call, _, _ = bench.established_outgoing()
    call.reinvite(HOLD)
    bench.reply(
        bench.request("INVITE"),
        200,
        sdp=HELD,
        contact="sip:bob@192.0.2.77",
        record_routes=["<sip:192.0.2.66;lr>"],
    )
    bench.request("ACK")
    call.hangup()
    bye = bench.request("BYE")
    assert str(bye.uri) == "sip:bob@192.0.2.77"
    assert [str(route.uri) for route in bye.routes] == ["sip:192.0.2.1;lr"]
    bench.reply(bye, 200)


@pytest.mark.parametrize("status", [403, 488, 500, 603])
def test_a_refused_reinvite_leaves_the_call_as_it_was(
    bench: Bench, status: int
) -> None:
    call, _, _ = bench.established_outgoing()
    call.reinvite(HOLD)
    bench.reply(bench.request("INVITE"), status)
    bench.request("ACK")
    bench.happened(sip.OfferFailed(status))
    call.info("text/plain", b"still here")
    bench.reply(bench.request("INFO"), 200)
    bench.happened()


@pytest.mark.parametrize("status", [408, 481])
def test_408_and_481_end_the_call(bench: Bench, status: int) -> None:
    call, _, _ = bench.established_outgoing()
    call.reinvite(HOLD)
    bench.reply(bench.request("INVITE"), status)
    bench.request("ACK")
    bench.reply(bench.request("BYE"), 481)
    bench.happened(sip.Failed(FailureCause.DIALOG_LOST))


def test_a_reinvite_that_nobody_answers_ends_the_call(bench: Bench) -> None:
    call, _, _ = bench.established_outgoing()
    call.reinvite(HOLD)
    bench.run(EXPIRY_S)
    assert bench.drain()[-1].message.cseq.method == "BYE"
    bench.happened(sip.Failed(FailureCause.DIALOG_LOST))


@pytest.mark.parametrize(("is_caller", "span"), [(True, (2.1, 4.0)), (False, (0, 2))])
def test_491_is_tried_again(
    bench: Bench, is_caller: bool, span: tuple[float, float]
) -> None:
    """RFC 3261 14.1: the owner of the Call-ID waits longer."""
    call: sip.Call
    if is_caller:
        call, _, _ = bench.established_outgoing()
    else:
        call, _, _ = bench.established_incoming()
    call.reinvite(HOLD)
    bench.reply(bench.request("INVITE"), 491)
    bench.request("ACK")
    refused_at = bench.clock.now()
    bench.run(span[1])
    sent = bench.wire.sent.popleft()
    assert span[0] <= sent.at - refused_at <= span[1]
    again = sent.message
    assert isinstance(again, Request)
    assert again.body == HOLD.encode()
    bench.reply(again, 200, sdp=HELD)
    bench.request("ACK")
    bench.happened(sip.OfferAnswered(HELD))


def test_offers_wait_for_their_turn_and_the_last_wins(bench: Bench) -> None:
    call, _, _ = bench.established_outgoing()
    call.reinvite(HOLD)
    first = bench.request("INVITE")
    call.reinvite("v=0\r\ns=second\r\n")
    call.reinvite("v=0\r\ns=third\r\n")
    bench.quiet()
    bench.reply(first, 200, sdp=HELD)
    bench.request("ACK")
    assert b"third" in bench.request("INVITE").body


def test_the_peers_reinvite(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    again = bench.within("INVITE", ok, body=HOLD)
    bench.happened(sip.Offer(HOLD))
    call.accept_offer(HELD)
    accepted = bench.response(200, "INVITE")
    assert accepted.body == HELD.encode()
    assert accepted.contact is not None
    # repeated until its ACK
    bench.run(0.5)
    assert bench.response(200).to_bytes() == accepted.to_bytes()
    bench.within("ACK", ok, cseq=again.cseq.number)
    bench.run(10)
    bench.quiet()
    bench.happened()
    # the Contact of the re-INVITE is where we send to now
    call.hangup()
    bye = bench.request("BYE")
    assert str(bye.uri) == "sip:moved@192.0.2.10:5064"
    assert [str(route.uri) for route in bye.routes] == ["sip:192.0.2.1;lr"]
    bench.reply(bye, 200)


def test_the_peers_reinvite_refused(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    again = bench.within("INVITE", ok, body=HOLD, branch="z9hG4bKre")
    bench.happened(sip.Offer(HOLD))
    call.reject_offer(488)
    bench.response(488, "INVITE")
    bench.within("ACK", ok, cseq=again.cseq.number, branch="z9hG4bKre")
    bench.run(10)
    bench.quiet()
    with pytest.raises(sip.LocalProtocolError):
        call.accept_offer(HELD)


def test_the_peers_offerless_reinvite(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    again = bench.within("INVITE", ok)
    bench.happened(sip.Offer(None))
    call.accept_offer(OFFER)
    assert bench.response(200).body == OFFER.encode()
    # our offer is open: the peer's next one must wait
    bench.within("INVITE", ok, body=HOLD)
    bench.response(491)
    bench.within("ACK", ok, cseq=again.cseq.number, body=ANSWER)
    bench.happened(sip.OfferAnswered(ANSWER))


def test_glare_on_our_side(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    call.reinvite(HOLD)
    ours = bench.request("INVITE")
    bench.within("INVITE", ok, body=HOLD)
    bench.response(491, "INVITE")
    bench.happened()
    bench.reply(ours, 200, sdp=HELD)
    bench.request("ACK")
    bench.happened(sip.OfferAnswered(HELD))


def test_a_second_reinvite_before_the_first_is_answered(bench: Bench) -> None:
    """RFC 3261 14.2."""
    call, _, ok = bench.established_incoming()
    bench.within("INVITE", ok, body=HOLD)
    bench.within("INVITE", ok, body=HELD)
    refused = bench.response(500, "INVITE")
    assert refused.retry_after is not None
    assert 0 <= refused.retry_after <= 10
    bench.happened(sip.Offer(HOLD))
    call.accept_offer(HELD)
    bench.response(200)


def test_our_offer_is_overtaken_by_the_peers(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    again = bench.within("INVITE", ok, body=HOLD)
    call.reinvite(OFFER)
    bench.quiet()
    call.accept_offer(HELD)
    bench.response(200)
    bench.quiet()
    # What was offered before the peer's is out of date, and its version went back.
    bench.within("ACK", ok, cseq=again.cseq.number)
    bench.quiet()
    bench.happened(sip.Offer(HOLD), sip.OfferFailed(491))
    call.reinvite("v=0\r\ns=anew\r\n")
    assert b"anew" in bench.request("INVITE").body


def test_our_offer_waits_until_the_peers_is_refused(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    bench.within("INVITE", ok, body=HOLD)
    call.reinvite(OFFER)
    bench.quiet()
    call.reject_offer(488)
    bench.response(488)
    assert bench.request("INVITE").body == OFFER.encode()


def test_an_offer_that_waits_out_glare_is_overtaken(bench: Bench) -> None:
    """RFC 3261 14.1: meanwhile the peer's offer comes; the wait still holds."""
    call, _, ok = bench.established_incoming()
    call.reinvite(OFFER)
    bench.reply(bench.request("INVITE"), 491)
    bench.request("ACK")
    again = bench.within("INVITE", ok, body=HOLD)
    bench.happened(sip.Offer(HOLD))
    call.accept_offer(HELD)
    bench.response(200)
    bench.within("ACK", ok, cseq=again.cseq.number)
    bench.happened(sip.OfferFailed(491))
    bench.run(5)
    bench.quiet()
    call.reinvite("v=0\r\ns=anew\r\n")
    assert b"anew" in bench.request("INVITE").body


def test_the_peer_cancels_its_reinvite(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    again = bench.within("INVITE", ok, body=HOLD)
    bench.cancel(again)
    bench.response(200, "CANCEL")
    bench.response(487, "INVITE")
    bench.happened(sip.Offer(HOLD), sip.OfferFailed(487))
    assert not call.is_ended


def test_bye_ends_an_open_reinvite_with_487(bench: Bench) -> None:
    _, _, ok = bench.established_incoming()
    bench.within("INVITE", ok, body=HOLD)
    bench.within("BYE", ok)
    bench.response(200, "BYE")
    bench.response(487, "INVITE")
    bench.happened(sip.Offer(HOLD), sip.RemoteHangup())


def test_a_lower_cseq_is_500(bench: Bench) -> None:
    """RFC 3261 12.2.2; gaps are fine."""
    _, _, ok = bench.established_incoming()
    bench.within("OPTIONS", ok, cseq=bench.cseq + 50)
    bench.response(200)
    bench.within("OPTIONS", ok, cseq=bench.cseq + 49)
    bench.response(500)


def test_update_with_an_offer(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    bench.within("UPDATE", ok, body=HOLD)
    bench.happened(sip.Offer(HOLD))
    call.accept_offer(HELD)
    accepted = bench.response(200, "UPDATE")
    assert accepted.body == HELD.encode()
    bench.run(EXPIRY_S)
    bench.quiet()


def test_update_without_an_offer_refreshes_the_target(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    bench.within("UPDATE", ok)
    bench.response(200, "UPDATE")
    bench.happened()
    call.hangup()
    bye = bench.request("BYE")
    assert str(bye.uri) == "sip:moved@192.0.2.10:5064"
    bench.reply(bye, 200)


def test_update_in_an_early_dialog_of_theirs(bench: Bench) -> None:
    """RFC 3311 5.2: their first offer is not answered yet."""
    bench.invite()
    bench.calls[0].ring()
    bench.within("UPDATE", bench.response(180), body=HOLD)
    assert bench.response(500, "UPDATE").retry_after is not None


def test_info_both_ways(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    bench.within("INFO", ok, body="Signal=5\r\n", content_type="application/dtmf-relay")
    bench.response(200, "INFO")
    bench.happened(sip.InfoReceived("application/dtmf-relay", b"Signal=5\r\n"))
    call.info("application/dtmf-relay", b"Signal=6\r\n")
    info = bench.request("INFO")
    assert info.body == b"Signal=6\r\n"
    bench.reply(info, 200)


def test_info_that_meets_481_ends_the_call(bench: Bench) -> None:
    call, _, _ = bench.established_outgoing()
    call.info("text/plain", b"x")
    bench.reply(bench.request("INFO"), 481)
    bench.reply(bench.request("BYE"), 481)
    bench.happened(sip.Failed(FailureCause.DIALOG_LOST))


def test_an_info_package_is_469(bench: Bench) -> None:
    _, _, ok = bench.established_incoming()
    bench.within("INFO", ok, headers=[("Info-Package", "foo")])
    bench.response(469, "INFO")
    bench.happened()


@pytest.mark.parametrize(
    ("method", "status"),
    [("OPTIONS", 200), ("NOTIFY", 481), ("REFER", 400), ("PRACK", 405), ("FOO", 405)],
)
def test_other_methods_in_the_dialog(bench: Bench, method: str, status: int) -> None:
    _, _, ok = bench.established_incoming()
    bench.within(method, ok)
    answer = bench.response(status, method)
    assert ("Allow" in answer.headers) == (status in (200, 405))


def test_an_unsupported_extension_is_420(bench: Bench) -> None:
    _, _, ok = bench.established_incoming()
    bench.within("INVITE", ok, body=HOLD, headers=[("Require", "timer")])
    assert bench.response(420).headers.get("Unsupported") == "timer"
    bench.happened()


def test_hangup_after_the_peers_offer(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    bench.within("INVITE", ok, body=HOLD)
    call.hangup()
    bench.response(487, "INVITE")
    bench.reply(bench.request("BYE"), 200)
    call.accept_offer(HELD)
    bench.quiet()
