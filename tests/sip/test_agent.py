"""What reaches the user agent outside of calls, and that closing leaves nothing."""

from __future__ import annotations

import asyncio
import gc
import os
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

import sip
from sip.message import Request
from sip.transport import Target
from tests.sip.peers import ANSWER, OFFER, Bench, account
from tests.sip.phones import Phone


def outside(
    bench: Bench,
    method: str,
    *,
    uri: str = "sip:rep@example.com",
    headers: Sequence[tuple[str, str]] = (),
    to: str = "<sip:rep@example.com>",
    body: bytes = b"",
) -> Request:
    return Request(
        method,
        sip.Uri.parse(uri),
        [
            ("Via", bench.via()),
            ("From", "<sip:x@example.net>;tag=x"),
            ("To", to),
            ("Call-ID", "outside"),
            ("CSeq", f"1 {method}"),
            ("Contact", "<sip:x@192.0.2.9>"),
            *headers,
        ],
        body,
    )


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("OPTIONS", 200),
        ("REFER", 403),
        ("MESSAGE", 403),
        ("SUBSCRIBE", 489),
        ("NOTIFY", 481),
        ("BYE", 481),
        ("INFO", 481),
        ("UPDATE", 481),
        ("PRACK", 481),
        ("REGISTER", 405),
        ("PUBLISH", 405),
        ("NONSENSE", 405),
    ],
)
def test_requests_outside_of_dialogs(bench: Bench, method: str, status: int) -> None:
    request = outside(bench, method)
    bench.deliver(request)
    answer = bench.response(status, method)
    assert answer.to.tag
    assert ("Allow" in answer.headers) == (status in (200, 405))
    # a repetition gets the same answer, without any state being kept
    bench.deliver(request)
    assert bench.response(status).to_bytes() == answer.to_bytes()
    assert bench.agent.transaction_count == 0


def test_options_without_a_user_part(bench: Bench) -> None:
    bench.deliver(outside(bench, "OPTIONS", uri="sip:198.51.100.7"))
    bench.response(200)


@pytest.mark.parametrize(
    ("headers", "body", "uri", "status"),
    [
        ([("Require", "100rel")], b"", "sip:rep@example.com", 420),
        ([("Content-Type", "text/plain")], b"x", "sip:rep@example.com", 415),
        ([], b"", "unknown:rep", 416),
    ],
)
def test_invites_that_are_refused_for_what_they_ask(
    bench: Bench,
    headers: list[tuple[str, str]],
    body: bytes,
    uri: str,
    status: int,
) -> None:
    bench.deliver(outside(bench, "INVITE", uri=uri, headers=headers, body=body))
    bench.response(status)
    assert not bench.calls


def test_a_request_of_an_unknown_dialog_is_481(bench: Bench) -> None:
    for method in ("INVITE", "BYE", "INFO"):
        bench.deliver(outside(bench, method, to="<sip:rep@example.com>;tag=none"))
        bench.response(481, method)


def test_a_stray_ack_is_never_answered(bench: Bench) -> None:
    bench.deliver(outside(bench, "ACK", to="<sip:rep@example.com>;tag=none"))
    bench.quiet()
    assert bench.agent.counters["acks_stray"] == 1


def test_a_flood_costs_no_memory(bench: Bench) -> None:
    """Security test 21: what is refused is refused without state."""
    for _ in range(100):
        for method in ("OPTIONS", "REGISTER", "MESSAGE"):
            bench.deliver(outside(bench, method))
    assert len(bench.drain()) == 300
    assert bench.agent.transaction_count == 0


async def test_strangers_get_nothing_of_interest() -> None:
    bench = await Bench(trusted_sources=("192.0.2.0/24",)).start()
    stranger = Target("udp", "203.0.113.66", 5060)
    for method in ("OPTIONS", "MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY"):
        bench.deliver(outside(bench, method), stranger)
        bench.response(403, method)
    bench.agent.add_account(account(untrusted="drop", trusted_sources=("192.0.2.1",)))
    bench.deliver(outside(bench, "OPTIONS"), stranger)
    bench.quiet()
    await bench.finish()


@pytest.mark.parametrize(
    "change",
    [
        ("Via", "SIP/2.0/UDP 203.0.113.1:5060;branch={branch};rport"),
        ("Via", "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKguess;rport"),
        ("Call-ID", "guess"),
        ("CSeq", "999 INVITE"),
    ],
)
def test_forged_responses_are_ignored(bench: Bench, change: tuple[str, str]) -> None:
    """Security test 26."""
    bench.call()
    invite = bench.request("INVITE")
    forged = sip.create_response(invite, 486, to_tag="x")
    name, value = change
    forged.headers.set(name, value.format(branch=invite.via.branch))
    bench.deliver(forged)
    bench.quiet()
    bench.happened()
    assert bench.agent.counters["responses_stray"] == 1


def test_a_response_with_a_second_via_is_ignored(bench: Bench) -> None:
    """RFC 3261 8.1.3.3."""
    bench.call()
    forged = sip.create_response(bench.request("INVITE"), 486, to_tag="x")
    forged.headers.add("Via", "SIP/2.0/UDP 203.0.113.1;branch=z9hG4bKx")
    bench.deliver(forged)
    bench.happened()


def test_the_configuration_is_checked() -> None:
    with pytest.raises(ValueError, match="advertised_host"):
        sip.AgentConfig(bind_host="0.0.0.0")
    with pytest.raises(ValueError, match="address"):
        sip.AgentConfig(bind_host="nonsense")
    with pytest.raises(ValueError, match="transport"):
        sip.AgentConfig(bind_host="127.0.0.1", transports=())
    with pytest.raises(ValueError, match="network"):
        account(trusted_sources=("nonsense",))
    with pytest.raises(ValueError, match="AoR"):
        account(aor=sip.Uri.parse("tel:+1555"))


def test_secrets_do_not_show() -> None:
    assert "correct" not in repr(account())
    assert "correct" not in f"{account().password} {account().password!r}"


async def test_nothing_is_done_before_start_or_after_close() -> None:
    agent = sip.UserAgent(sip.AgentConfig(bind_host="127.0.0.1"))
    with pytest.raises(sip.LocalProtocolError):
        agent.registration(account(), lambda state: None)
    await agent.close()
    await agent.start()
    await agent.close()
    await agent.close()
    with pytest.raises(sip.LocalProtocolError):
        agent.call(account(), account().aor, OFFER, lambda event: None)


async def test_two_agents_cannot_share_a_port() -> None:
    one = sip.UserAgent(sip.AgentConfig(bind_host="127.0.0.1"))
    await one.start()
    port = one.local_address("udp")[1]
    assert one.local_address("tcp")[1] == port
    other = sip.UserAgent(sip.AgentConfig(bind_host="127.0.0.1", bind_port=port))
    with pytest.raises(OSError, match="already in use"):
        await other.start()
    await one.close()


async def test_the_advertised_address_is_what_others_see() -> None:
    agent = sip.UserAgent(
        sip.AgentConfig(
            bind_host="127.0.0.1", advertised_host="sip.example.com", advertised_port=1
        )
    )
    await agent.start()
    registration = agent.registration(account(), lambda state: None)
    assert str(registration.contact).endswith("@sip.example.com:1")
    await agent.close()


# -- leaks: over real sockets ----------------------------------------------------------


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@asynccontextmanager
async def no_leaks() -> AsyncIterator[None]:
    await asyncio.sleep(0)
    tasks, files = asyncio.all_tasks(), open_files()
    yield
    await asyncio.sleep(0)
    gc.collect()
    assert asyncio.all_tasks() == tasks
    assert open_files() == files


def pair(transport: str, **options: object) -> tuple[Phone, Phone]:
    callee = Phone(
        "bob",
        domain="example.com",
        password="x",
        server=("127.0.0.1", 9),
        registers=False,
    )
    caller = Phone(
        "ana",
        domain="example.com",
        password="x",
        server=("127.0.0.1", 0),
        registers=False,
        transport=transport,  # type: ignore[arg-type]
    )
    return caller, callee


@asynccontextmanager
async def calling(transport: str) -> AsyncIterator[tuple[Phone, Phone]]:
    caller, callee = pair(transport)
    async with callee:
        caller.server = callee.agent.local_address(transport)  # type: ignore[arg-type]
        async with caller:
            yield caller, callee


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("state", ["calling", "ringing", "talking", "ended"])
async def test_closing_leaves_nothing(transport: str, state: str) -> None:
    async with no_leaks():
        async with calling(transport) as (caller, callee):
            callee.answers_with = ANSWER if state in ("talking", "ended") else None
            call = caller.dial("bob")
            if state == "ringing":
                await caller.event(sip.Progress)
            elif state in ("talking", "ended"):
                await callee.event(sip.Confirmed)
            if state == "ended":
                call.hangup()
                await callee.event(sip.RemoteHangup)
        for phone in (caller, callee):
            assert not phone.agent.calls
            assert phone.agent.transaction_count == 0
        assert caller.events[-1] == sip.LocalEnd()
        if state == "ringing":
            assert callee.events == [sip.Cancelled((sip.NORMAL_CLEARING,))]
        elif state == "talking":
            assert callee.events[-1] == sip.RemoteHangup((sip.NORMAL_CLEARING,))


async def test_closing_with_a_registrar_that_is_silent_takes_two_seconds() -> None:
    async with no_leaks():
        agent = sip.UserAgent(
            sip.AgentConfig(bind_host="127.0.0.1", close_timeout_s=0.2)
        )
        await agent.start()
        hole = sip.UserAgent(sip.AgentConfig(bind_host="127.0.0.1"))
        await hole.start()
        port = hole.local_address("udp")[1]
        await hole.close()
        each = account(outbound_proxies=(sip.Uri.parse(f"sip:127.0.0.1:{port}"),))
        agent.registration(each, lambda state: None).start()
        agent.call(each, each.aor, OFFER, lambda event: None)
        began = asyncio.get_running_loop().time()
        await agent.close()
        assert asyncio.get_running_loop().time() - began < 2.0
        assert agent.transaction_count == 0


async def test_a_hundred_calls_return_to_the_baseline() -> None:
    async with no_leaks(), calling("udp") as (caller, callee):
        callee.answers_with = ANSWER
        rng = random.Random(3)
        for number in range(1, 101):
            call = caller.dial("bob")
            if rng.random() < 0.3:
                call.hangup()
                await caller.event(sip.LocalEnd, count=number)
                continue
            await asyncio.wait_for(_answered(caller, call), 5)
            call.hangup()
            await caller.event(sip.LocalEnd, count=number)
    assert not caller.agent.calls
    assert not callee.agent.calls


async def _answered(phone: Phone, call: sip.OutgoingCall) -> None:
    seen = asyncio.Event()
    previous = call.on_event

    def watch(event: sip.CallEvent) -> None:
        previous(event)
        if isinstance(event, sip.Answered):
            seen.set()

    call.on_event = watch
    await seen.wait()
