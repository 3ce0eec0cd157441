"""Who the peer is, when its server says so in a call (RFC 3325, 4916)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sip
from sip.identity import stated_identity
from sip.message import Request
from sip.transport import Source
from tests.sip.peers import Bench

ANA = sip.Uri.parse("sip:ana@example.net")
STRANGER = Source("udp", "203.0.113.5", 5060)
PAI, RPID = "P-Asserted-Identity", "Remote-Party-ID"


def request(
    *headers: tuple[str, str], sender: str = "<sip:ana@example.net>"
) -> Request:
    return Request("UPDATE", ANA, [("From", f"{sender};tag=a"), *headers])


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        ([(PAI, '"Carol" <sip:carol@example.net>')], "carol"),
        ([(PAI, "<sip:carol@example.net>, <tel:+1>")], "carol"),
        ([(PAI, "<tel:+16465550175>")], None),
        ([(PAI, "<sip:carol@example.net>"), ("Privacy", "id")], None),
        ([(PAI, "<sip:carol@example.net>"), ("Privacy", "none")], "carol"),
        ([(PAI, "no identity at all")], None),
        ([(RPID, "<sip:carol@example.net>;party=called;privacy=off")], "carol"),
        ([(RPID, "<sip:carol@example.net>;privacy=full")], None),
        ([(RPID, "<sip:carol@example.net>;screen=no")], None),
        ([(PAI, "<sip:dora@example.net>"), (RPID, "<sip:carol@example.net>")], "dora"),
        ([], None),
    ],
)
def test_what_a_request_says(headers: list[tuple[str, str]], user: str | None) -> None:
    found = stated_identity(request(*headers), ANA)
    if headers == [(PAI, "<tel:+16465550175>")]:
        assert found is not None
        assert str(found.uri) == "tel:+16465550175"
    else:
        assert (found and found.uri.user) == user


@pytest.mark.parametrize(
    ("sender", "headers", "user"),
    [
        ("<sip:carol@example.net>", [], "carol"),
        ("<sip:carol@example.net>", [("Privacy", "user;id")], None),
        # The same person, by another server.
        ("<sip:ana@192.0.2.1:5070>", [], None),
    ],
)
def test_another_from(
    sender: str, headers: list[tuple[str, str]], user: str | None
) -> None:
    found = stated_identity(request(*headers, sender=sender), ANA)
    assert (found and found.uri.user) == user


@given(st.sampled_from([PAI, RPID, "Privacy"]), st.text(max_size=60))
def test_no_word_of_a_peer_breaks_it(name: str, value: str) -> None:
    message = request()
    message.headers.add(name, value)
    stated_identity(message, ANA)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "UPDATE without SDP"])
@pytest.mark.parametrize("is_caller", [True, False])
def test_it_is_told_before_the_offer(
    bench: Bench, method: str, is_caller: bool
) -> None:
    call: sip.Call
    if is_caller:
        call, dialog, ok = bench.established_outgoing()
        dialog.headers.set("To", ok.headers.get("To") or "")
        within: Request | sip.Response = dialog
    else:
        call, _, within = bench.established_incoming()
    name, _, silent = method.partition(" ")
    body = None if silent else "v=0\r\ns=new\r\n"
    carol = '"Carol" <sip:carol@example.net>'
    bench.within(name, within, body=body, headers=[(PAI, carol)])
    told: list[sip.CallEvent] = [sip.PeerIdentified(sip.NameAddr.parse(carol))]
    if body is not None:
        told.append(sip.Offer(body))
        call.accept_offer(body)
    bench.happened(*told)
    bench.drain()


async def test_only_the_accounts_own_server_is_believed() -> None:
    bench = await Bench(trusted_sources=("192.0.2.1",)).start()
    call, _, ok = bench.established_incoming()
    carol = [(PAI, "<sip:carol@example.net>")]
    bench.within("UPDATE", ok, headers=carol, source=STRANGER)
    bench.within("UPDATE", ok, sender="<sip:carol@example.net>", source=STRANGER)
    bench.happened()
    bench.within("UPDATE", ok, sender="<sip:carol@example.net>")
    bench.run()
    (event,) = bench.events
    assert isinstance(event, sip.PeerIdentified)
    assert event.identity.uri.user == "carol"
    bench.drain()
    call.hangup()
    await bench.finish()


def test_what_is_refused_says_nothing(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    call.reinvite("v=0\r\ns=ours\r\n")
    bench.request("INVITE")
    carol = [(PAI, "<sip:carol@example.net>")]
    bench.within("INVITE", ok, body="v=0\r\n", headers=carol)
    bench.response(491, "INVITE")
    bench.within("UPDATE", ok, cseq=1, headers=carol)
    bench.response(500, "UPDATE")
    bench.happened()
