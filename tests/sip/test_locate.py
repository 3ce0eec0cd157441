"""RFC 3263 with a scripted DNS: NAPTR, SRV, addresses, and what skips them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sip
from sip.locate import MAX_TARGETS, LocateError, Locator
from sip.transport import Target


class ScriptedDns:
    def __init__(self, zone: Mapping[tuple[str, str], Sequence[str]]) -> None:
        self.zone = zone
        self.asked: list[tuple[str, str]] = []

    async def resolve(self, qname: str, rdtype: str, **options: Any) -> Any:
        self.asked.append((qname, rdtype))
        texts = self.zone.get((qname, rdtype))
        if texts is None:
            raise dns.resolver.NXDOMAIN
        if texts == ["broken"]:
            raise dns.exception.Timeout
        kind = dns.rdatatype.from_text(rdtype)
        return [
            dns.rdata.from_text(dns.rdataclass.IN, kind, text, relativize=False)
            for text in texts
        ]


def locator(
    zone: Mapping[tuple[str, str], Sequence[str]], *, seed: int = 1
) -> tuple[Locator, ScriptedDns]:
    dns_ = ScriptedDns(zone)
    return Locator(rng=random.Random(seed), now=lambda: 0.0, resolver=dns_), dns_


ADDRESSES = {
    ("a.example.com", "A"): ["192.0.2.1"],
    ("b.example.com", "A"): ["192.0.2.2"],
    ("example.com", "A"): ["192.0.2.9"],
}


async def located(
    text: str, zone: Mapping[tuple[str, str], Sequence[str]]
) -> list[str]:
    found = await locator(zone)[0].locate(sip.Uri.parse(text))
    return [str(target) for target in found]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:192.0.2.5", "udp:192.0.2.5:5060"),
        ("sip:192.0.2.5:5070", "udp:192.0.2.5:5070"),
        ("sip:x@192.0.2.5;transport=TCP", "tcp:192.0.2.5:5060"),
        ("sip:[2001:db8::1]:5070", "udp:[2001:db8::1]:5070"),
        ("sip:example.com;maddr=192.0.2.6", "udp:192.0.2.6:5060"),
    ],
)
async def test_numeric_hosts_need_no_dns(uri: str, expected: str) -> None:
    each, dns_ = locator({})
    (target,) = await each.locate(sip.Uri.parse(uri))
    assert str(target) == expected
    assert each.locate_now(sip.Uri.parse(uri)) == [target]
    assert dns_.asked == []


async def test_an_explicit_port_skips_naptr_and_srv() -> None:
    each, dns_ = locator(ADDRESSES)
    (target,) = await each.locate(sip.Uri.parse("sip:a.example.com:5070"))
    assert target == Target("udp", "192.0.2.1", 5070)
    assert {kind for _, kind in dns_.asked} == {"A", "AAAA"}


async def test_naptr_then_srv_then_addresses() -> None:
    zone = {
        **ADDRESSES,
        ("example.com", "NAPTR"): [
            '20 10 "s" "SIP+D2U" "" _sip._udp.example.com.',
            '10 10 "s" "SIP+D2T" "" _sip._tcp.example.com.',
            '5 10 "s" "SIPS+D2T" "" _sips._tcp.example.com.',
        ],
        ("_sip._tcp.example.com", "SRV"): ["10 0 5080 a.example.com."],
        ("_sip._udp.example.com", "SRV"): [
            "20 0 5062 b.example.com.",
            "10 0 5061 a.example.com.",
        ],
    }
    assert await located("sip:example.com", zone) == [
        "tcp:192.0.2.1:5080",
        "udp:192.0.2.1:5061",
        "udp:192.0.2.2:5062",
    ]


async def test_srv_without_naptr() -> None:
    zone = {**ADDRESSES, ("_sip._tcp.example.com", "SRV"): ["1 0 5080 b.example.com."]}
    assert await located("sip:example.com", zone) == ["tcp:192.0.2.2:5080"]


async def test_transport_in_the_uri_skips_naptr() -> None:
    each, dns_ = locator(
        {**ADDRESSES, ("_sip._tcp.example.com", "SRV"): ["1 0 5080 b.example.com."]}
    )
    await each.locate(sip.Uri.parse("sip:example.com;transport=tcp"))
    assert dns_.asked[0] == ("_sip._tcp.example.com", "SRV")


async def test_addresses_alone() -> None:
    zone = {**ADDRESSES, ("example.com", "AAAA"): ["2001:db8::9"]}
    assert await located("sip:example.com", zone) == [
        "udp:192.0.2.9:5060",
        "udp:[2001:db8::9]:5060",
    ]


async def test_localhost_is_never_asked_of_the_dns() -> None:
    assert await located("sip:localhost", {}) == ["udp:127.0.0.1:5060"]


@pytest.mark.parametrize(
    "uri",
    [
        "sip:nowhere.example.com",
        "sips:example.com",
        "tel:+1555",
        "sip:example.com;transport=sctp",
    ],
)
async def test_no_way(uri: str) -> None:
    with pytest.raises(LocateError):
        await located(uri, ADDRESSES)


async def test_a_service_that_is_decidedly_not_offered() -> None:
    zone = {("_sip._udp.example.com", "SRV"): ["0 0 0 ."]}
    with pytest.raises(LocateError):
        await located("sip:example.com", zone)


async def test_a_broken_answer_is_like_none() -> None:
    zone = {**ADDRESSES, ("example.com", "NAPTR"): ["broken"]}
    assert await located("sip:example.com", zone) == ["udp:192.0.2.9:5060"]


async def test_weights_decide_how_often_a_server_is_first() -> None:
    """RFC 2782."""
    zone = {
        **ADDRESSES,
        ("_sip._udp.example.com", "SRV"): [
            "1 90 5060 a.example.com.",
            "1 10 5060 b.example.com.",
        ],
    }
    first: Counter[str] = Counter()
    for seed in range(300):
        each, _ = locator(zone, seed=seed)
        targets = await each.locate(sip.Uri.parse("sip:example.com"))
        assert len(targets) == 2
        first[targets[0].host] += 1
    assert first["192.0.2.1"] > 4 * first["192.0.2.2"] > 0


async def test_a_zone_cannot_make_us_try_for_ever() -> None:
    zone = {("example.com", "A"): [f"192.0.2.{number}" for number in range(1, 200)]}
    assert len(await located("sip:example.com", zone)) == MAX_TARGETS


@given(st.lists(st.integers(0, 20), max_size=10), st.integers(0, 50))
def test_dead_targets_come_last_until_their_time(dead: list[int], now: int) -> None:
    time = [0.0]
    each = Locator(rng=random.Random(1), now=lambda: time[0])
    targets = [Target("udp", f"192.0.2.{number}", 5060) for number in range(21)]
    for number in dead:
        each.mark_dead(targets[number], float(number))
    time[0] = float(now)
    ordered = each.living_first(targets)
    still = {targets[number] for number in dead if number > now}
    assert sorted(map(str, ordered)) == sorted(map(str, targets))
    assert set(ordered[len(targets) - len(still) :]) == still
