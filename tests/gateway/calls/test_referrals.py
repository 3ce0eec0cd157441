"""Whose transfers are followed, and to whom (RFC 3515 5.2, toll fraud)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sip
from gateway.calls.referrals import TransfersFromOutside, Unwanted, judge
from sip import SipError

ALLOW, COLLEAGUES = TransfersFromOutside.ALLOW, TransfersFromOutside.COLLEAGUES
HOSTS = frozenset({"acme.example", "127.0.0.1"})


def status(
    target: str, policy: TransfersFromOutside = ALLOW, *, is_colleague: bool = False
) -> int:
    with pytest.raises(Unwanted) as caught:
        dialled(target, policy, is_colleague=is_colleague)
    return caught.value.status


def dialled(
    target: str, policy: TransfersFromOutside = ALLOW, *, is_colleague: bool = False
) -> str:
    return judge(
        sip.Uri.parse(target),
        policy,
        is_colleague=is_colleague,
        hosts=HOSTS,
        country="US",
    ).dial


@pytest.mark.parametrize(
    ("target", "number"),
    [
        ("sip:1002@acme.example", "1002"),
        ("sips:1002@ACME.example:5061;transport=tcp", "1002"),
        ("sip:6465550175@127.0.0.1:5060", "+16465550175"),
        ("sip:%2B16465550175@acme.example;user=phone", "+16465550175"),
        ("tel:+1-646-555-0175", "+16465550175"),
    ],
)
def test_what_a_rep_may_dial(target: str, number: str) -> None:
    assert dialled(target) == number
    assert dialled(target, COLLEAGUES, is_colleague=True) == number
    assert status(target, COLLEAGUES) == 603
    assert status(target, TransfersFromOutside.REFUSE, is_colleague=True) == 603


@pytest.mark.parametrize(
    ("target", "refusal"),
    [
        # Another server is not ours to call, whoever is said to be there.
        ("sip:1002@evil.example", 403),
        ("sip:1002@acme.example.evil.example", 403),
        ("sip:1002@192.0.2.1", 403),
        ("sip:acme.example", 404),
        ("sip:carol@acme.example", 404),
        ("sip:1002;ext=9@acme.example", 404),
        ("sip:1002%40evil.example@acme.example", 404),
        ("tel:+1646555017501234567890", 404),
        ("mailto:x", 403),
    ],
)
def test_what_nobody_has_us_call(target: str, refusal: int) -> None:
    assert status(target) == refusal


@given(st.text(max_size=40), st.sampled_from(["sip:", "sips:", "tel:", "x:"]))
def test_whatever_it_is_it_is_a_number_or_refused(text: str, scheme: str) -> None:
    try:
        target = sip.Uri.parse(f"{scheme}{text}@acme.example")
    except SipError:
        return
    with contextlib.suppress(Unwanted):
        number = judge(target, ALLOW, is_colleague=False, hosts=HOSTS, country="US")
        assert set(number.dial) <= set("+*#0123456789")
