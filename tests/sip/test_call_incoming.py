"""Calls to us from scripted peers, in virtual time."""

from __future__ import annotations

import pytest

import sip
import sip.transport
from sip.call_events import NOT_ACKNOWLEDGED, FailureCause
from tests.sip.peers import ANSWER, EXPIRY_S, OFFER, PROXY, Bench, account


def test_100_comes_when_the_user_is_slow(bench: Bench) -> None:
    bench.invite()
    bench.run(0.19)
    bench.quiet()
    bench.run(0.02)
    trying = bench.response(100, "INVITE")
    assert trying.to.tag is None
    bench.calls[0].reject(486)
    bench.response(486)


def test_180_has_tag_contact_and_record_route(bench: Bench) -> None:
    invite = bench.invite(record_routes=["<sip:192.0.2.3;lr>", "<sip:192.0.2.1;lr>"])
    bench.calls[0].ring()
    ringing = bench.response(180, "INVITE")
    assert len(ringing.to.tag or "") >= 16
    assert ringing.contact is not None
    assert ringing.headers.get_all("Record-Route") == [
        "<sip:192.0.2.3;lr>",
        "<sip:192.0.2.1;lr>",
    ]
    assert ringing.via.rport == 5060
    assert ringing.via.received == "192.0.2.1"
    # a repeated INVITE gets the 180 again and rings nobody twice
    bench.deliver(invite)
    assert bench.response(180).to_bytes() == ringing.to_bytes()
    assert len(bench.calls) == 1
    bench.calls[0].ring(183, ANSWER)
    assert bench.response(183).body == ANSWER.encode()


def test_answer_and_confirmation(bench: Bench) -> None:
    invite = bench.invite()
    call = bench.calls[0]
    assert call.remote_offer == OFFER
    assert call.account == bench.account
    assert (call.remote.display_name, call.remote.uri.user) == ("Ana", "ana")
    call.answer(ANSWER)
    ok = bench.response(200, "INVITE")
    assert ok.body == ANSWER.encode()
    assert ok.content_type == "application/sdp"
    bench.happened()
    bench.within("ACK", ok, cseq=invite.cseq.number)
    bench.happened(sip.Confirmed(None))
    bench.run(EXPIRY_S)
    bench.quiet()
    call.hangup()
    bye = bench.request("BYE")
    assert [str(route.uri) for route in bye.routes] == ["sip:192.0.2.1;lr"]
    assert str(bye.uri) == "sip:ana@192.0.2.9:5062"
    bench.reply(bye, 200)
    bench.happened(sip.LocalEnd())


def test_the_200_is_repeated_until_its_ack(bench: Bench) -> None:
    """RFC 3261 13.3.1.4: T1, doubled up to T2."""
    invite = bench.invite()
    bench.calls[0].answer(ANSWER)
    began = bench.clock.now()
    bench.run(12)
    sent = bench.drain()
    assert [round(each.at - began, 3) for each in sent] == [0, 0.5, 1.5, 3.5, 7.5, 11.5]
    assert len({each.data for each in sent}) == 1
    bench.within("ACK", sent[0].message, cseq=invite.cseq.number)
    bench.run(EXPIRY_S)
    bench.quiet()
    bench.happened(sip.Confirmed(None))


def test_no_ack_ends_in_bye(bench: Bench) -> None:
    bench.invite()
    bench.calls[0].answer(ANSWER)
    bench.run(EXPIRY_S - 0.1)
    assert all(sent.message.cseq.method == "INVITE" for sent in bench.drain())
    bench.run(0.1)
    bye = bench.request("BYE")
    assert bye.reasons == (NOT_ACKNOWLEDGED,)
    bench.reply(bye, 200)
    bench.happened(sip.Failed(FailureCause.NO_ACK))


def test_no_bye_before_the_ack(bench: Bench) -> None:
    """RFC 3261 15: the callee waits for the ACK."""
    invite = bench.invite()
    call = bench.calls[0]
    call.answer(ANSWER)
    ok = bench.response(200)
    call.hangup()
    bench.quiet()
    bench.happened(sip.LocalEnd())
    bench.within("ACK", ok, cseq=invite.cseq.number)
    bench.reply(bench.request("BYE"), 200)
    bench.happened()


def test_an_offerless_invite(bench: Bench) -> None:
    invite = bench.invite(sdp=None)
    call = bench.calls[0]
    assert call.remote_offer is None
    call.answer(OFFER)
    ok = bench.response(200)
    assert ok.body == OFFER.encode()
    bench.within("ACK", ok, cseq=invite.cseq.number, body=ANSWER)
    bench.happened(sip.Confirmed(ANSWER))


@pytest.mark.parametrize("status", [480, 486, 488, 603])
def test_a_refusal_is_repeated_until_its_ack(bench: Bench, status: int) -> None:
    """The peer whose ACK is lost gets the refusal again (17.2.1)."""
    invite = bench.invite(branch="z9hG4bKrefused")
    bench.calls[0].reject(status)
    bench.happened(sip.LocalEnd())
    bench.run(4)
    sent = bench.drain()
    assert [each.message.status for each in sent] == [status] * 4  # type: ignore[union-attr]
    bench.within(
        "ACK", sent[0].message, cseq=invite.cseq.number, branch="z9hG4bKrefused"
    )
    bench.run(EXPIRY_S)
    bench.quiet()
    assert bench.agent.transaction_count == 0


def test_cancel(bench: Bench) -> None:
    invite = bench.invite()
    bench.calls[0].ring()
    tag = bench.response(180).to.tag
    bench.cancel(
        invite,
        headers=[("Reason", 'SIP;cause=200;text="Call completed elsewhere"')],
    )
    ok = bench.response(200, "CANCEL")
    terminated = bench.response(487, "INVITE")
    assert ok.to.tag == terminated.to.tag == tag
    bench.happened(sip.Cancelled((sip.COMPLETED_ELSEWHERE,)))
    # the user was slow: nothing happens, and nothing is raised
    bench.calls[0].answer(ANSWER)
    bench.calls[0].reject(486)
    bench.calls[0].ring()
    bench.quiet()


def test_cancel_after_the_answer_changes_nothing(bench: Bench) -> None:
    invite = bench.invite()
    bench.calls[0].answer(ANSWER)
    ok = bench.response(200)
    bench.cancel(invite)
    bench.response(200, "CANCEL")
    bench.quiet()
    bench.within("ACK", ok, cseq=invite.cseq.number)
    bench.happened(sip.Confirmed(None))
    bench.within("BYE", ok)
    bench.response(200, "BYE")
    bench.happened(sip.RemoteHangup())


def test_cancel_of_nothing_is_481(bench: Bench) -> None:
    invite = bench.invite()
    invite.headers.set("Via", bench.via("z9hG4bKother"))
    bench.cancel(invite)
    bench.response(481, "CANCEL")


def test_bye_of_an_early_dialog(bench: Bench) -> None:
    """RFC 3261 15: the caller may."""
    bench.invite()
    bench.calls[0].ring()
    ringing = bench.response(180)
    bench.within("BYE", ringing)
    bench.response(200, "BYE")
    bench.response(487, "INVITE")
    bench.happened(sip.Cancelled())


def test_bye_before_the_ack(bench: Bench) -> None:
    """RFC 5407 3.1.2: they crossed."""
    bench.invite()
    bench.calls[0].answer(ANSWER)
    ok = bench.response(200)
    bench.within("BYE", ok)
    bench.response(200, "BYE")
    bench.happened(sip.RemoteHangup())
    bench.run(EXPIRY_S)
    bench.quiet()


@pytest.mark.parametrize(("expires", "after"), [("60", 60), ("9999", 300), (None, 300)])
def test_a_caller_that_vanished_does_not_ring_for_ever(
    bench: Bench, expires: str | None, after: float
) -> None:
    bench.invite(headers=[("Expires", expires)] if expires else [])
    bench.calls[0].ring()
    bench.response(180)
    bench.run(after - 1)
    bench.quiet()
    bench.run(1)
    bench.response(487)
    bench.happened(sip.Cancelled())


def test_hangup_while_it_rings_is_480(bench: Bench) -> None:
    bench.invite()
    bench.calls[0].hangup()
    bench.response(480)
    bench.happened(sip.LocalEnd())


def test_the_same_request_by_two_ways_is_merged(bench: Bench) -> None:
    """RFC 3261 8.2.2.2."""
    bench.invite()
    bench.invite()
    bench.response(482)
    assert len(bench.calls) == 1
    assert bench.agent.counters["requests_merged"] == 1


async def test_a_fork_to_two_of_our_contacts_is_two_calls(bench: Bench) -> None:
    other = account(aor=sip.Uri.parse("sip:other@example.com"))
    bench.agent.add_account(other)
    bench.invite()
    bench.invite(uri="sip:other@example.com", to="sip:group@example.com")
    assert [call.account for call in bench.calls] == [bench.account, other]


async def test_the_contact_decides_whose_call_it_is(bench: Bench) -> None:
    mine = bench.agent.registration(bench.account, lambda state: None)
    bench.invite(uri=str(mine.contact), to="sip:sales@example.com")
    assert bench.calls[0].account == bench.account
    bench.calls[0].ring()
    contact = bench.response(180).contact
    assert contact is not None
    assert contact.uri.user == mine.contact.user
    mine.close()


@pytest.mark.parametrize(
    ("uri", "to", "headers"),
    [
        ("sip:rep@example.com", "sip:sales@example.com", []),
        ("sip:x@198.51.100.7", "sip:rep@example.com", []),
        (
            "sip:x@198.51.100.7",
            "sip:sales@example.com",
            [("P-Called-Party-ID", "<sip:rep@example.com>")],
        ),
    ],
)
def test_an_aor_decides_when_the_contact_was_rewritten(
    bench: Bench, uri: str, to: str, headers: list[tuple[str, str]]
) -> None:
    bench.invite(uri=uri, to=to, headers=headers)
    assert bench.calls[0].account == bench.account


def test_nobody_is_404(bench: Bench) -> None:
    bench.invite(uri="sip:nobody@example.com", to="sip:nobody@example.com")
    bench.response(404)


def test_a_mistake_of_the_user_is_500_and_the_next_call_rings(bench: Bench) -> None:
    def broken(call: sip.IncomingCall) -> None:
        call.on_event = bench.events.append
        raise RuntimeError("mistake")

    rings, bench.agent.on_invite = bench.agent.on_invite, broken
    bench.invite(call_id="one")
    bench.response(500)
    bench.agent.on_invite = rings
    bench.invite(call_id="two")
    assert bench.calls
    assert bench.agent.counters["callback_errors"] == 1


def test_more_calls_than_allowed_are_503(bench: Bench) -> None:
    for number in range(8):
        bench.invite(call_id=f"call{number}")
    bench.quiet()
    bench.invite(call_id="one-too-many")
    assert bench.response(503).retry_after == 5


def test_wrong_use_is_an_error_and_changes_nothing(bench: Bench) -> None:
    bench.invite()
    call = bench.calls[0]
    with pytest.raises(sip.LocalProtocolError):
        call.ring(200)
    with pytest.raises(sip.LocalProtocolError):
        call.reject(200)
    with pytest.raises(sip.LocalProtocolError):
        call.reinvite(OFFER)
    with pytest.raises(sip.InvalidValue):
        call.reject(486, "Busy\r\nX-Evil: 1")
    bench.quiet()
    call.answer(ANSWER)
    with pytest.raises(sip.LocalProtocolError):
        call.answer(ANSWER)
    with pytest.raises(sip.LocalProtocolError):
        call.reject(486)
    bench.response(200)


def test_asserted_identity(bench: Bench) -> None:
    bench.invite(headers=[("P-Asserted-Identity", '"Ana, B." <sip:+1555@example.com>')])
    identity = bench.calls[0].asserted_identity
    assert identity is not None
    assert (identity.display_name, identity.uri.user) == ("Ana, B.", "+1555")


async def test_pinned_sources() -> None:
    stranger = sip.transport.Target("udp", "203.0.113.66", 5060)
    bench = await Bench(trusted_sources=("192.0.2.0/24",)).start()
    bench.invite(source=stranger)
    bench.response(403)
    bench.invite(call_id="other", source=PROXY)
    assert len(bench.calls) == 1
    assert bench.agent.counters["requests_untrusted"] == 1
    await bench.finish()


async def test_strangers_may_be_dropped_in_silence() -> None:
    stranger = sip.transport.Target("udp", "203.0.113.66", 5060)
    bench = await Bench(trusted_sources=("192.0.2.1",), untrusted="drop").start()
    bench.invite(source=stranger)
    bench.quiet()
    assert not bench.calls
    await bench.finish()
