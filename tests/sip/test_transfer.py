"""REFER within a call, both ways, in virtual time (RFC 3515, 4488, 5589)."""

from __future__ import annotations

import pytest

import sip
from sip.call_events import FailureCause
from sip.message import Request, Response
from sip.transfer_in import EXPIRES_S
from sip.transfer_out import GRACE_S, MAX_EXPIRES_S, MAX_PROGRESS
from sip.transfers import MAX_REFERS_PER_SESSION
from tests.sip.peers import EXPIRY_S, Bench

CAROL = sip.Uri.parse("sip:carol@example.com")
UNKNOWN = sip.TransferProgress(None, True)


def trying(phrase: str = "") -> sip.TransferProgress:
    return sip.TransferProgress(100, False, phrase)


def notify(
    bench: Bench,
    dialog: Request | Response,
    report: str | None,
    state: str | None = "active;expires=60",
    *,
    event: str = "refer",
    content_type: str = "message/sipfrag;version=2.0",
    cseq: int | None = None,
) -> Request:
    headers = [("Event", event)]
    if state is not None:
        headers.append(("Subscription-State", state))
    return bench.within(
        "NOTIFY",
        dialog,
        headers=headers,
        body=report,
        content_type=content_type,
        cseq=cseq,
    )


def asked(
    bench: Bench, status: int = 202, *headers: tuple[str, str]
) -> tuple[sip.Call, Request, Response]:
    """A call whose peer has answered our REFER; the REFER, and the 200 of the call."""
    call, _, ok = bench.established_outgoing()
    call.transfer(CAROL)
    refer = bench.request("REFER")
    bench.reply(refer, status, headers=headers)
    return call, refer, ok


# -- ours ------------------------------------------------------------------------------


def test_a_blind_transfer(bench: Bench) -> None:
    call, invite, _ = bench.established_outgoing()
    call.transfer(CAROL)
    refer = bench.request("REFER")
    assert refer.cseq.number == invite.cseq.number + 1
    assert refer.headers.get("Refer-To") == "<sip:carol@example.com>"
    assert refer.headers.get("Referred-By") == "<sip:rep@example.com>"
    assert "norefersub" in refer.option_tags("Supported")
    assert refer.headers.get("Refer-Sub") is None
    assert refer.contact is not None
    bench.reply(refer, 202)
    bench.happened(trying())
    notify(bench, refer, "SIP/2.0 100 Trying\r\n")
    bench.response(200, "NOTIFY")
    bench.happened()
    notify(bench, refer, "SIP/2.0 180 Ringing\r\n")
    bench.response(200, "NOTIFY")
    notify(bench, refer, "SIP/2.0 200 OK\r\n", "terminated;reason=noresource")
    bench.response(200, "NOTIFY")
    bench.happened(
        sip.TransferProgress(180, False, "Ringing"),
        sip.TransferProgress(200, True, "OK"),
    )
    # the call is still ours to end
    call.hangup()
    bench.reply(bench.request("BYE"), 200)
    bench.happened(sip.LocalEnd())


def test_an_attended_transfer(bench: Bench) -> None:
    consulted, invite, _ = bench.established_outgoing()
    call, _, _ = bench.established_incoming()
    call.transfer(consulted.remote_target, replaces=consulted.as_replaces)
    refer = bench.request("REFER")
    target = sip.NameAddr.parse(refer.headers.get("Refer-To") or "").uri
    assert str(target.without_headers()) == "sip:peer@192.0.2.9:5062"
    # in the words of who gets the INVITE: its own tag is the to-tag (RFC 3891 3)
    assert sip.Replaces.parse(target.header("Replaces") or "") == sip.Replaces(
        invite.call_id, "bob", invite.from_.tag or ""
    )
    bench.reply(refer, 603)
    bench.happened(sip.TransferRefused(603, "Decline"))


@pytest.mark.parametrize("status", [403, 405, 420, 488, 501, 603])
def test_a_peer_that_does_not_transfer(bench: Bench, status: int) -> None:
    call, _, _ = asked(bench, status)
    bench.run()
    (refused,) = bench.events
    assert isinstance(refused, sip.TransferRefused)
    assert (refused.status, refused.local) == (status, False)
    bench.events.clear()
    # the call goes on, and another try is possible
    call.transfer(CAROL)
    bench.reply(bench.request("REFER"), 202)
    bench.happened(trying())


def test_nobody_answers_the_refer(bench: Bench) -> None:
    call, _, _ = bench.established_outgoing()
    call.transfer(CAROL)
    bench.run(EXPIRY_S)
    bench.drain()
    bench.happened(sip.TransferRefused(408, "Request Timeout", True))
    assert not call.is_ended


def test_a_peer_that_forgot_the_call(bench: Bench) -> None:
    asked(bench, 481)
    bench.reply(bench.request("BYE"), 481)
    bench.happened(sip.Failed(FailureCause.DIALOG_LOST))


def test_a_challenged_refer(bench: Bench) -> None:
    call, _, _ = bench.established_outgoing()
    call.transfer(CAROL)
    first = bench.request("REFER")
    challenge = 'Digest realm="example.com", nonce="n", qop="auth"'
    bench.reply(first, 407, headers=[("Proxy-Authenticate", challenge)])
    again = bench.request("REFER")
    assert again.cseq.number == first.cseq.number + 1
    bench.reply(again, 202)
    notify(
        bench,
        again,
        "SIP/2.0 200 OK",
        "terminated",
        event=f"refer;id={again.cseq.number}",
    )
    bench.response(200, "NOTIFY")
    bench.happened(trying(), sip.TransferProgress(200, True, "OK"))


def test_a_peer_that_never_reports(bench: Bench) -> None:
    call, _, _ = asked(bench)
    bench.happened(trying())
    bench.run(EXPIRY_S - 0.1)
    bench.happened()
    bench.run(0.2)
    bench.happened(UNKNOWN)
    assert not call.is_ended


@pytest.mark.parametrize(
    ("granted", "within_s"),
    [
        ("active;expires=20", 20),
        ("active;expires=99999", MAX_EXPIRES_S),
        ("active", 180),
        (None, 180),
    ],
)
def test_a_peer_that_reports_no_more(
    bench: Bench, granted: str | None, within_s: float
) -> None:
    _, refer, _ = asked(bench)
    notify(bench, refer, "SIP/2.0 100 Trying", granted)
    bench.response(200, "NOTIFY")
    bench.happened(trying())
    bench.run(within_s + GRACE_S - 0.1)
    bench.happened()
    bench.run(0.2)
    bench.happened(UNKNOWN)


@pytest.mark.parametrize(
    ("report", "state", "expected"),
    [
        # accepted and never looked at again, as some phones do it
        ("SIP/2.0 100 Trying", "terminated;reason=timeout", UNKNOWN),
        (None, "terminated", UNKNOWN),
        ("nonsense", "terminated", UNKNOWN),
        # an outcome is an outcome, whatever the subscription does
        (
            "SIP/2.0 486 Busy Here",
            "active",
            sip.TransferProgress(486, True, "Busy Here"),
        ),
        ("SIP/2.0 200 OK", None, sip.TransferProgress(200, True, "OK")),
    ],
)
def test_last_reports(
    bench: Bench, report: str | None, state: str | None, expected: sip.CallEvent
) -> None:
    _, refer, _ = asked(bench)
    notify(bench, refer, report, state)
    bench.response(200, "NOTIFY")
    bench.happened(trying(), expected)
    # what comes late is no news
    notify(bench, refer, "SIP/2.0 200 OK", "terminated")
    bench.response(200, "NOTIFY")
    bench.run(400)
    bench.happened()


def test_a_flood_of_reports(bench: Bench) -> None:
    _, refer, _ = asked(bench)
    for number in range(3 * MAX_PROGRESS):
        notify(bench, refer, f"SIP/2.0 {180 + number % 2} x")
        bench.response(200, "NOTIFY")
    notify(bench, refer, "SIP/2.0 200 OK", "terminated")
    bench.response(200, "NOTIFY")
    bench.run()
    assert len(bench.events) == MAX_PROGRESS + 1
    assert bench.events[-1] == sip.TransferProgress(200, True, "OK")


def test_a_report_before_the_202(bench: Bench) -> None:
    call, _, _ = bench.established_outgoing()
    call.transfer(CAROL)
    refer = bench.request("REFER")
    notify(bench, refer, "SIP/2.0 200 OK", "terminated;reason=noresource")
    bench.response(200, "NOTIFY")
    bench.happened(sip.TransferProgress(200, True, "OK"))
    bench.reply(refer, 202)
    bench.run(400)
    bench.happened()


def test_no_reports_wanted(bench: Bench) -> None:
    call, _, _ = bench.established_outgoing()
    call.transfer(CAROL, wants_reports=False)
    refer = bench.request("REFER")
    assert refer.headers.get("Refer-Sub") == "false"
    bench.reply(refer, 200, headers=[("Refer-Sub", "false")])
    bench.happened(UNKNOWN)


@pytest.mark.parametrize(
    ("event", "content_type", "status"),
    [
        ("refer;id=77", "message/sipfrag", 481),
        ("dialog", "message/sipfrag", 489),
        ('"', "message/sipfrag", 481),
        ("refer", "text/plain", 415),
    ],
)
def test_reports_that_are_none(
    bench: Bench, event: str, content_type: str, status: int
) -> None:
    _, refer, _ = asked(bench)
    bench.happened(trying())
    notify(bench, refer, "SIP/2.0 200 OK", event=event, content_type=content_type)
    bench.response(status, "NOTIFY")
    bench.happened()


def test_a_report_without_a_refer(bench: Bench) -> None:
    _, _, ok = bench.established_incoming()
    notify(bench, ok, "SIP/2.0 200 OK")
    bench.response(481, "NOTIFY")
    bench.happened()


def test_one_transfer_at_a_time(bench: Bench) -> None:
    call, _, _ = asked(bench)
    with pytest.raises(sip.LocalProtocolError):
        call.transfer(CAROL)
    bench.quiet()


def test_a_call_that_is_not_established(bench: Bench) -> None:
    call = bench.call()
    bench.request("INVITE")
    for forbidden in (
        lambda: call.transfer(CAROL),
        lambda: call.as_replaces,
        lambda: call.remote_target,
    ):
        with pytest.raises(sip.LocalProtocolError):
            forbidden()
    assert not call.accept_transfer()
    call.hangup()


def test_hangup_before_the_outcome(bench: Bench) -> None:
    call, refer, _ = asked(bench)
    call.hangup()
    bye = bench.request("BYE")
    bench.reply(bye, 200)
    notify(bench, refer, "SIP/2.0 200 OK", "terminated")
    bench.response(481, "NOTIFY")
    bench.happened(trying(), sip.LocalEnd())
    call.transfer(CAROL)
    bench.quiet()


def test_the_peer_hangs_up_before_the_outcome(bench: Bench) -> None:
    _, refer, _ = asked(bench)
    bench.within("BYE", refer)
    bench.response(200, "BYE")
    bench.run(400)
    bench.happened(trying(), sip.RemoteHangup(()))


# -- the peer's ------------------------------------------------------------------------


def refer(
    bench: Bench,
    dialog: Response,
    *headers: tuple[str, str],
    target: str = "<sip:carol@example.com>",
) -> Request:
    return bench.within("REFER", dialog, headers=[("Refer-To", target), *headers])


def reported(bench: Bench, status: int = 200) -> tuple[str, str]:
    """Our next report, answered: its Subscription-State without expires, its line."""
    sent = bench.request("NOTIFY")
    assert sent.content_type == "message/sipfrag"
    assert sent.contact is not None
    bench.reply(sent, status)
    state = sent.headers.get("Subscription-State") or ""
    return state.partition(";expires")[0], sent.body.decode().strip()


def requested(bench: Bench, *headers: tuple[str, str]) -> tuple[sip.Call, Response]:
    call, _, ok = bench.established_incoming()
    refer(bench, ok, *headers)
    bench.happened(sip.TransferRequested(CAROL))
    return call, ok


def test_the_peer_transfers_us(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    refer(
        bench,
        ok,
        ("Referred-By", "<sip:ana@example.net>"),
        target="<sip:carol@example.com?Replaces=c%3Bto-tag%3Db%3Bfrom-tag%3Da>",
    )
    bench.happened(
        sip.TransferRequested(
            CAROL,
            sip.Replaces("c", "b", "a"),
            sip.NameAddr.parse("<sip:ana@example.net>"),
        )
    )
    bench.quiet()
    assert call.accept_transfer()
    accepted = bench.response(202, "REFER")
    assert accepted.contact is not None
    assert accepted.headers.get("Refer-Sub") is None
    assert reported(bench) == ("active", "SIP/2.0 100 Trying")
    call.report_transfer(180)
    assert reported(bench) == ("active", "SIP/2.0 180 Ringing")
    call.report_transfer(486, "Engaged")
    assert reported(bench) == ("terminated;reason=noresource", "SIP/2.0 486 Engaged")
    call.report_transfer(200)
    bench.quiet()
    assert not call.accept_transfer()
    bench.happened()


def test_reports_never_overtake_each_other(bench: Bench) -> None:
    call, _ = requested(bench)
    call.accept_transfer()
    bench.response(202)
    first = bench.request("NOTIFY")
    call.report_transfer(180)
    call.report_transfer(183)
    call.report_transfer(200)
    bench.quiet()
    bench.reply(first, 200)
    # only the newest is of interest
    assert reported(bench) == ("terminated;reason=noresource", "SIP/2.0 200 OK")
    bench.quiet()


@pytest.mark.parametrize("status", [603, 403, 480])
def test_we_refuse(bench: Bench, status: int) -> None:
    call, _ = requested(bench)
    call.refuse_transfer(status)
    bench.response(status, "REFER")
    assert not call.accept_transfer()
    call.report_transfer(200)
    call.refuse_transfer()
    bench.run(400)
    bench.quiet()
    bench.happened()


def test_nobody_decides(bench: Bench) -> None:
    call, _ = requested(bench)
    bench.run(EXPIRY_S / 2 - 0.1)
    bench.quiet()
    bench.run(0.2)
    bench.response(603, "REFER")
    assert not call.accept_transfer()
    bench.quiet()


@pytest.mark.parametrize(
    "header", [("Refer-Sub", "false"), ("Require", "nosub"), ("Require", "norefersub")]
)
def test_a_peer_that_wants_no_reports(bench: Bench, header: tuple[str, str]) -> None:
    call, _ = requested(bench, header)
    assert call.accept_transfer()
    accepted = bench.response(202, "REFER")
    wants = header[1] == "norefersub"
    assert (accepted.headers.get("Refer-Sub") == "false") is not wants
    if wants:
        reported(bench)
    call.report_transfer(200)
    if wants:
        reported(bench)
    bench.quiet()


def test_explicit_subscriptions_are_not_ours(bench: Bench) -> None:
    """RFC 7614."""
    _, _, ok = bench.established_incoming()
    refer(bench, ok, ("Require", "explicitsub"))
    assert bench.response(420, "REFER").headers.get("Unsupported") == "explicitsub"
    bench.happened()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("<http://example.com/>", 416),
        ("<sip:carol@example.com;method=BYE>", 501),
        ("nonsense", 400),
    ],
)
def test_refused_without_asking(bench: Bench, target: str, status: int) -> None:
    _, _, ok = bench.established_incoming()
    refer(bench, ok, target=target)
    bench.response(status, "REFER")
    bench.happened()


def test_one_refer_at_a_time(bench: Bench) -> None:
    call, ok = requested(bench)
    refer(bench, ok)
    bench.response(491, "REFER")
    call.accept_transfer()
    bench.response(202)
    reported(bench)
    refer(bench, ok)
    bench.response(491, "REFER")
    call.report_transfer(404)
    reported(bench)
    bench.happened()
    # the second says which it is (RFC 3515 2.4.6)
    again = refer(bench, ok)
    bench.happened(sip.TransferRequested(CAROL))
    call.accept_transfer()
    bench.response(202)
    report = bench.request("NOTIFY")
    assert report.headers.get("Event") == f"refer;id={again.cseq.number}"
    bench.reply(report, 200)


def test_a_peer_that_asks_again_and_again(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    for _ in range(MAX_REFERS_PER_SESSION):
        refer(bench, ok)
        bench.happened(sip.TransferRequested(CAROL))
        call.refuse_transfer()
        bench.response(603)
    refer(bench, ok)
    bench.response(603)
    bench.happened()
    assert bench.agent.counters["refers_over_limit"] == 1


def test_the_time_for_reports_is_over(bench: Bench) -> None:
    call, _ = requested(bench)
    call.accept_transfer()
    bench.response(202)
    reported(bench)
    call.report_transfer(180)
    reported(bench)
    bench.run(EXPIRES_S)
    assert reported(bench) == ("terminated;reason=timeout", "SIP/2.0 180 Ringing")
    call.report_transfer(200)
    bench.quiet()


@pytest.mark.parametrize("status", [481, 489, 500])
def test_a_report_that_is_not_taken(bench: Bench, status: int) -> None:
    call, _ = requested(bench)
    call.accept_transfer()
    bench.response(202)
    first = bench.request("NOTIFY")
    call.report_transfer(180)
    bench.reply(first, status)
    call.report_transfer(200)
    bench.run(400)
    bench.quiet()
    assert not call.is_ended


def test_the_peer_refreshes_and_unsubscribes(bench: Bench) -> None:
    call, ok = requested(bench)
    bench.within("SUBSCRIBE", ok, headers=[("Event", "refer")])
    bench.response(481, "SUBSCRIBE")
    call.accept_transfer()
    bench.response(202)
    reported(bench)
    bench.within("SUBSCRIBE", ok, headers=[("Event", "dialog")])
    bench.response(489, "SUBSCRIBE")
    bench.run(EXPIRES_S - 1)
    bench.within("SUBSCRIBE", ok, headers=[("Event", "refer")])
    assert bench.response(200, "SUBSCRIBE").expires == EXPIRES_S
    assert reported(bench) == ("active", "SIP/2.0 100 Trying")
    bench.run(EXPIRES_S - 1)
    bench.quiet()
    bench.within("SUBSCRIBE", ok, headers=[("Event", "refer"), ("Expires", "0")])
    assert bench.response(200, "SUBSCRIBE").expires == 0
    assert reported(bench) == ("terminated;reason=timeout", "SIP/2.0 100 Trying")


@pytest.mark.parametrize("is_accepted", [True, False])
def test_the_call_ends_meanwhile(bench: Bench, is_accepted: bool) -> None:
    call, ok = requested(bench)
    if is_accepted:
        call.accept_transfer()
        bench.response(202)
        reported(bench)
    bench.within("BYE", ok)
    statuses = {bench.take().message.status for _ in range(1 if is_accepted else 2)}  # type: ignore[union-attr]
    assert statuses == ({200} if is_accepted else {200, 481})
    assert not call.accept_transfer()
    call.report_transfer(200)
    call.refuse_transfer()
    bench.run(400)
    bench.quiet()
    bench.happened(sip.RemoteHangup(()))


def test_a_caller_that_is_not_answered_yet_is_not_transferred(bench: Bench) -> None:
    bench.invite()
    bench.calls[0].ring()
    ringing = bench.response(180)
    refer(bench, ringing)
    bench.response(403, "REFER")
    bench.calls[0].reject(486)
    bench.response(486)
    bench.happened(sip.LocalEnd())


def test_nonsense_reports_of_our_own(bench: Bench) -> None:
    call, _ = requested(bench)
    call.accept_transfer()
    bench.response(202)
    reported(bench)
    for status, phrase in ((99, ""), (700, ""), (200, "a\r\nX: y")):
        with pytest.raises(sip.LocalProtocolError):
            call.report_transfer(status, phrase)
    with pytest.raises(sip.LocalProtocolError):
        call.refuse_transfer(200)
    bench.quiet()
    call.report_transfer(200)
    reported(bench)
