"""One request of ours: ways, fail-over, challenges. Virtual time."""

from __future__ import annotations

import asyncio

import dns.exception
import pytest

import sip
from sip.message import Request
from sip.transport import Target
from tests.sip.peers import ANSWER, EXPIRY_S, Bench

TWO = (sip.Uri.parse("sip:192.0.2.1"), sip.Uri.parse("sip:192.0.2.2"))


def challenge(
    nonce: str,
    *,
    realm: str = "example.com",
    status: int = 407,
    stale: bool = False,
) -> tuple[str, str]:
    name = "Proxy-Authenticate" if status == 407 else "WWW-Authenticate"
    return (
        name,
        f'Digest realm="{realm}", nonce="{nonce}", qop="auth", algorithm=MD5'
        + (", stale=true" if stale else ""),
    )


def test_a_challenged_invite(bench: Bench) -> None:
    bench.call()
    first = bench.request("INVITE")
    bench.reply(first, 407, tag="p", headers=[challenge("one")])
    assert bench.request("ACK").via.branch == first.via.branch
    second = bench.request("INVITE")
    assert second.call_id == first.call_id
    assert second.from_.tag == first.from_.tag
    assert second.to.tag is None
    assert second.cseq.number == first.cseq.number + 1
    assert second.via.branch != first.via.branch
    credentials = second.headers.get("Proxy-Authorization") or ""
    assert 'uri="sip:bob@example.com"' in credentials
    assert "correct" not in credentials
    bench.reply(second, 200, tag="bob", sdp=ANSWER)
    ack = bench.request("ACK")
    # RFC 3261 22.1: the ACK carries what the INVITE did, and its number
    assert ack.headers.get("Proxy-Authorization") == credentials
    assert ack.cseq.number == second.cseq.number


def test_bye_counts_on_from_the_challenged_invite(bench: Bench) -> None:
    call = bench.call()
    bench.reply(bench.request("INVITE"), 407, headers=[challenge("one")])
    bench.request("ACK")
    second = bench.request("INVITE")
    bench.reply(
        second, 200, tag="bob", sdp=ANSWER, record_routes=["<sip:192.0.2.1;lr>"]
    )
    bench.request("ACK")
    call.hangup()
    bye = bench.request("BYE")
    assert bye.cseq.number == second.cseq.number + 1
    bench.reply(bye, 407, headers=[challenge("two")])
    again = bench.request("BYE")
    assert again.cseq.number == bye.cseq.number + 1
    assert 'nonce="two"' in (again.headers.get("Proxy-Authorization") or "")
    bench.reply(again, 200)


def test_the_next_call_is_authorised_beforehand(bench: Bench) -> None:
    bench.call()
    bench.reply(bench.request("INVITE"), 407, headers=[challenge("one")])
    bench.request("ACK")
    bench.reply(bench.request("INVITE"), 486, tag="bob")
    bench.request("ACK")
    bench.call()
    invite = bench.request("INVITE")
    assert "nc=00000002" in (invite.headers.get("Proxy-Authorization") or "")
    # its nonce has expired meanwhile
    bench.reply(invite, 407, headers=[challenge("two", stale=True)])
    bench.request("ACK")
    assert 'nonce="two"' in (
        bench.request("INVITE").headers.get("Proxy-Authorization") or ""
    )


async def test_several_proxies_each_get_theirs() -> None:
    bench = await Bench(realms=("one.example", "two.example")).start()
    bench.call()
    bench.reply(
        bench.request("INVITE"), 407, headers=[challenge("a", realm="one.example")]
    )
    bench.request("ACK")
    bench.reply(
        bench.request("INVITE"), 407, headers=[challenge("b", realm="two.example")]
    )
    bench.request("ACK")
    values = bench.request("INVITE").headers.get_all("Proxy-Authorization")
    assert ["one.example" in value for value in values] == [True, False]
    assert len(values) == 2
    await bench.finish()


def test_a_wrong_password_is_a_named_failure(bench: Bench) -> None:
    bench.call()
    bench.reply(bench.request("INVITE"), 407, headers=[challenge("one")])
    bench.request("ACK")
    bench.reply(bench.request("INVITE"), 407, headers=[challenge("two")])
    bench.request("ACK")
    bench.quiet()
    (event,) = bench.events
    assert isinstance(event, sip.Rejected)
    assert (event.status, event.refusal) == (407, sip.Refusal.WRONG_PASSWORD)


@pytest.mark.parametrize("status", [401, 407])
def test_the_password_is_not_for_a_foreign_realm(bench: Bench, status: int) -> None:
    """CVE-2021-41158: a callee that challenges collects hashes of the password."""
    bench.call()
    bench.reply(
        bench.request("INVITE"),
        status,
        headers=[challenge("n", realm="evil.example", status=status)],
    )
    bench.request("ACK")
    bench.quiet()
    (event,) = bench.events
    assert isinstance(event, sip.Rejected)
    assert event.refusal is sip.Refusal.FOREIGN_REALM


async def test_the_password_is_not_for_a_foreign_host() -> None:
    bench = await Bench(outbound_proxies=()).start()
    bench.call("sip:bob@203.0.113.66")
    sent = bench.take()
    assert sent.target.host == "203.0.113.66"
    assert isinstance(sent.message, Request)
    bench.reply(sent.message, 407, headers=[challenge("n")])
    bench.request("ACK")
    bench.quiet()
    (event,) = bench.events
    assert isinstance(event, sip.Rejected)
    assert event.refusal is sip.Refusal.FOREIGN_HOST
    await bench.finish()


@pytest.mark.parametrize("how", ["refused", "503", "silent"])
async def test_the_next_target_is_tried(how: str) -> None:
    """RFC 3263 4.3: as a new transaction, with a new branch."""
    bench = await Bench(outbound_proxies=TWO).start()
    if how == "refused":
        bench.wire.refused.add(Target("udp", "192.0.2.1", 5060))
    call = bench.call()
    branches = set()
    if how == "503":
        first = bench.request("INVITE")
        branches.add(first.via.branch)
        bench.reply(first, 503, headers=[("Retry-After", "60")])
        bench.request("ACK")
    elif how == "silent":
        bench.run(EXPIRY_S)
    sent = [each for each in bench.drain() if each.target.host == "192.0.2.2"]
    second = sent[0].message
    assert isinstance(second, Request)
    assert second.via.branch not in branches
    bench.reply(second, 200, tag="bob", sdp=ANSWER)
    assert bench.take().message.cseq.method == "ACK"
    bench.happened(sip.Answered(ANSWER, "bob"))
    # everything of this call goes the same way now
    call.hangup()
    bench.request("BYE")
    await bench.finish()


async def test_a_dead_target_is_passed_over_for_its_time() -> None:
    bench = await Bench(outbound_proxies=TWO).start()
    bench.call()
    bench.reply(bench.request("INVITE"), 503, headers=[("Retry-After", "60")])
    bench.request("ACK")
    bench.reply(bench.request("INVITE"), 486, tag="x")
    bench.request("ACK")
    bench.call()
    assert bench.take().target.host == "192.0.2.2"
    bench.run(61)
    bench.drain()
    bench.call()
    assert bench.take().target.host == "192.0.2.1"
    await bench.finish()


async def test_no_target_at_all_is_503() -> None:
    bench = await Bench(outbound_proxies=TWO[:1]).start()
    bench.wire.refused.add(Target("udp", "192.0.2.1", 5060))
    bench.call()
    bench.happened(sip.Rejected(503, "Service Unavailable", local=True))
    await bench.finish()


def test_after_ringing_no_other_target_is_tried(bench: Bench) -> None:
    bench.call()
    invite = bench.request("INVITE")
    bench.reply(invite, 180, tag="bob")
    bench.reply(invite, 503, tag="bob")
    bench.request("ACK")
    bench.quiet()
    assert isinstance(bench.events[-1], sip.Rejected)


def test_a_large_request_goes_over_tcp(bench: Bench) -> None:
    """RFC 3261 18.1.1."""
    bench.call(offer="v=0\r\n" + "a=x\r\n" * 300)
    sent = bench.take()
    assert sent.target == Target("tcp", "192.0.2.1", 5060)
    assert sent.message.via.transport == "TCP"


def test_and_over_udp_when_tcp_is_refused(bench: Bench) -> None:
    large = "v=0\r\n" + "a=x\r\n" * 300
    bench.wire.refused.add(Target("tcp", "192.0.2.1", 5060))
    bench.call(offer=large)
    sent = bench.take()
    assert sent.target == Target("udp", "192.0.2.1", 5060)
    assert sent.message.via.transport == "UDP"
    # for a while TCP is not even tried
    bench.wire.refused.clear()
    bench.call(offer=large)
    assert bench.take().target.transport == "udp"
    bench.run(31)
    bench.drain()
    bench.call(offer=large)
    assert bench.take().target.transport == "tcp"


async def test_a_connection_that_closes_fails_its_transactions() -> None:
    bench = await Bench(
        outbound_proxies=(sip.Uri.parse("sip:192.0.2.1;transport=tcp"),)
    ).start()
    bench.call()
    invite = bench.request("INVITE")
    bench.reply(invite, 180, tag="bob")
    bench.events.clear()
    bench.agent.connection_lost(1)
    bench.happened(sip.Rejected(503, "Service Unavailable", local=True))
    await bench.finish()


class _NoDns:
    async def resolve(self, qname: str, rdtype: str, **options: object) -> object:
        raise dns.exception.Timeout


async def test_a_name_that_nobody_knows_is_503() -> None:
    bench = Bench(outbound_proxies=(sip.Uri.parse("sip:proxy.example.com"),))
    bench.agent._resolver = _NoDns()
    await bench.start()
    bench.call()
    for _ in range(10):
        await asyncio.sleep(0)
    bench.happened(sip.Rejected(503, "Service Unavailable", local=True))
    await bench.finish()


class _SlowDns:
    async def resolve(self, qname: str, rdtype: str, **options: object) -> object:
        return await asyncio.get_running_loop().create_future()


async def test_hangup_while_the_name_is_looked_up() -> None:
    bench = Bench(outbound_proxies=(sip.Uri.parse("sip:proxy.example.com"),))
    bench.agent._resolver = _SlowDns()
    await bench.start()
    call = bench.call()
    await asyncio.sleep(0)
    call.hangup()
    bench.happened(sip.LocalEnd())
    assert not bench.agent.calls
    await bench.finish()
