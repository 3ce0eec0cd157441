"""Whatever arrives, a user agent does not break, and forgets it in the end."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sip
from sip.errors import ParseError
from sip.message import Request
from sip.parser import parse_datagram
from tests.sip.peers import ANSWER, PROXY, Bench

METHODS = (
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "UPDATE",
    "INFO",
    "OPTIONS",
    "NOTIFY",
    "REFER",
    "SUBSCRIBE",
    "X",
)
STATUSES = (100, 180, 183, 199, 200, 202, 302, 401, 407, 423, 481, 487, 491, 503, 603)

mutation = st.tuples(
    st.sampled_from(
        [
            "Via",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Contact",
            "Require",
            "Refer-To",
            "Referred-By",
            "Replaces",
            "Event",
            "Subscription-State",
        ]
    ),
    st.sampled_from(
        [
            "",
            "*",
            "1 INVITE",
            "0 BYE",
            "<sip:x@192.0.2.9>;tag=x",
            "<tel:+1555>",
            "sip:rep@example.com",
            "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKfuzz",
            "SIP/2.0/TCP [2001:db8::1]:1;branch=z9hG4bKfuzz;rport;maddr=192.0.2.7",
            "incoming",
            "100rel",
            "replaces",
            "refer",
            "active;expires=1",
            "terminated;reason=timeout",
            "first;to-tag=x;from-tag=x",
            "\x01\udcff",
        ]
    ),
)
step: st.SearchStrategy[tuple[str, object, object]] = st.one_of(
    st.tuples(st.just("request"), st.sampled_from(METHODS), st.lists(mutation)),
    st.tuples(st.just("response"), st.sampled_from(STATUSES), st.lists(mutation)),
    st.tuples(st.just("user"), st.integers(0, 17), st.just([])),
    st.tuples(st.just("time"), st.integers(0, 40), st.just([])),
    st.tuples(st.just("bytes"), st.binary(max_size=300), st.just([])),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(step, max_size=25))
def test_any_messages_in_any_order(steps: list[tuple[str, object, object]]) -> None:
    async def play() -> None:
        bench = await Bench().start()
        bench.invite(call_id="first")
        call = bench.call()
        bench.run()
        for kind, what, mutations in steps:
            _play(bench, call, kind, what, mutations)
        bench.drain()
        for each in bench.agent.calls:
            each.hangup()
        bench.run(2000)
        bench.drain()
        assert bench.agent.counters["callback_errors"] == 0
        assert not bench.agent.calls
        assert bench.agent.transaction_count == 0
        terminal = [e for e in bench.events if isinstance(e, sip.TERMINAL_EVENTS)]
        assert len(terminal) == len(bench.calls) + 1
        await bench.agent.close()
        assert bench.clock.pending == 0

    asyncio.run(play())


def _play(
    bench: Bench, call: sip.OutgoingCall, kind: str, what: object, mutations: object
) -> None:
    match kind, what:
        case "request", str():
            dialog = next(
                (
                    sent.message
                    for sent in reversed(bench.wire.sent)
                    if sent.message.to.tag
                ),
                call.request,
            )
            message = Request(
                what,
                sip.Uri.parse("sip:rep@example.com"),
                [
                    ("Via", bench.via()),
                    ("From", dialog.headers.get("From") or ""),
                    ("To", dialog.headers.get("To") or ""),
                    ("Call-ID", dialog.call_id),
                    ("CSeq", f"{bench.cseq} {what}"),
                    ("Contact", "<sip:ana@192.0.2.9>"),
                    ("Refer-To", "<sip:carol@example.com>"),
                    ("Event", "refer"),
                    ("Subscription-State", "active"),
                ],
            )
            _deliver(bench, message, mutations)
        case "response", int():
            requests = [
                sent.message
                for sent in bench.wire.sent
                if isinstance(sent.message, Request)
            ]
            if requests:
                response = sip.create_response(requests[-1], what, to_tag=f"t{what}")
                _deliver(bench, response, mutations)
        case "user", int():
            _act(bench, call, what)
        case "time", int():
            bench.run(what)
        case "bytes", bytes():
            _arrive(bench, what)
        case _:
            raise AssertionError(kind)


def _deliver(
    bench: Bench, message: sip.Request | sip.Response, changes: object
) -> None:
    assert isinstance(changes, list)
    for name, value in changes:
        message.headers.set(name, value)
    _arrive(bench, message.to_bytes())


def _arrive(bench: Bench, data: bytes) -> None:
    try:
        message = parse_datagram(data)
    except ParseError as error:
        bench.agent.receive_malformed(error, PROXY)
    else:
        bench.agent.receive(message, PROXY)
    bench.run()


def _act(bench: Bench, call: sip.OutgoingCall, what: int) -> None:
    each: sip.Call = bench.calls[0] if bench.calls and what % 2 else call
    try:
        match what // 2:
            case 0:
                each.ring()
            case 1:
                each.answer(ANSWER)
            case 2:
                each.reinvite(ANSWER)
            case 3:
                each.accept_offer(ANSWER)
            case 4:
                each.transfer(sip.Uri.parse("sip:carol@example.com"))
            case 5:
                each.accept_transfer()
            case 6:
                each.refuse_transfer()
            case 7:
                each.report_transfer(180 if what % 2 else 200)
            case _:
                each.hangup()
    except sip.LocalProtocolError:
        pass
    bench.run()
