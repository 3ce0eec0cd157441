"""Who may send to a SIP-side port."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.relay.config import SymmetricRtp
from gateway.media.relay.source_filter import SourceFilter

PEER = ("192.0.2.1", 4000)
SAME_HOST = ("192.0.2.1", 5000)
STRANGER = ("198.51.100.9", 4000)
WINDOW_S = 3.0


def new_filter(policy: SymmetricRtp) -> SourceFilter:
    source_filter = SourceFilter(policy, window_s=WINDOW_S)
    source_filter.expect(PEER, 0.0)
    return source_filter


@pytest.mark.parametrize("policy", list(SymmetricRtp))
def test_nobody_before_an_sdp(policy: SymmetricRtp) -> None:
    source_filter = SourceFilter(policy, window_s=WINDOW_S)
    assert not source_filter.admits(PEER, 0.0)
    assert source_filter.destination is None


@pytest.mark.parametrize("policy", list(SymmetricRtp))
@pytest.mark.parametrize("first_at", [0.0, 3.5])
def test_the_sdp_address_is_always_admitted(
    policy: SymmetricRtp, first_at: float
) -> None:
    source_filter = new_filter(policy)
    assert source_filter.admits(PEER, first_at)
    assert source_filter.destination == PEER


@pytest.mark.parametrize(
    ("policy", "source", "learned"),
    [
        (SymmetricRtp.OFF, SAME_HOST, False),
        (SymmetricRtp.OFF, STRANGER, False),
        (SymmetricRtp.AUTO, SAME_HOST, True),
        (SymmetricRtp.AUTO, STRANGER, False),
        (SymmetricRtp.ON, SAME_HOST, True),
        (SymmetricRtp.ON, STRANGER, True),
    ],
)
def test_learning_inside_and_after_the_window(
    policy: SymmetricRtp, source: tuple[str, int], learned: bool
) -> None:
    early = new_filter(policy)
    for step in range(100):
        early.admits(source, step * 0.02)
    assert early.admits(source, 2.1) is learned
    assert early.destination == (source if learned else PEER)
    late = new_filter(policy)
    for step in range(100):
        assert not late.admits(source, WINDOW_S + step * 0.02)
    assert late.destination == PEER


@pytest.mark.parametrize("policy", list(SymmetricRtp))
@pytest.mark.parametrize("peer_at", [0.1, 0.4])
def test_a_sprayer_gets_nothing_when_the_peer_speaks(
    policy: SymmetricRtp, peer_at: float
) -> None:
    """RTP bleed: the stranger is first and sends every 5 ms for 10 s."""
    source_filter = new_filter(policy)
    for step in range(2000):
        now = step * 0.005
        assert not source_filter.admits(STRANGER, now)
        assert source_filter.destination == PEER
        if now >= peer_at:
            assert source_filter.admits(PEER, now)


def test_the_peer_takes_its_place_back_inside_the_window() -> None:
    source_filter = new_filter(SymmetricRtp.ON)
    for step in range(60):
        source_filter.admits(STRANGER, step * 0.02)
    assert source_filter.destination == STRANGER
    assert source_filter.admits(PEER, 1.5)
    assert source_filter.destination == PEER
    assert not source_filter.admits(STRANGER, 1.6)


def test_a_new_sdp_address_opens_a_new_window() -> None:
    source_filter = new_filter(SymmetricRtp.AUTO)
    assert source_filter.admits(SAME_HOST, 1.0)
    source_filter.expect(PEER, 50.0)
    assert source_filter.admits(SAME_HOST, 50.0)
    moved = ("203.0.113.5", 6000)
    source_filter.expect(moved, 60.0)
    assert not source_filter.admits(SAME_HOST, 60.1)
    assert source_filter.admits(("203.0.113.5", 7000), 60.1)


hosts = st.sampled_from(["192.0.2.1", "198.51.100.9", "203.0.113.5"])
sources = st.tuples(hosts, st.sampled_from([4000, 5000, 6000]))


@given(
    st.sampled_from(list(SymmetricRtp)),
    st.lists(st.tuples(st.floats(0, 1), sources), max_size=60),
)
def test_nothing_is_learned_after_the_window(
    policy: SymmetricRtp, story: list[tuple[float, tuple[str, int]]]
) -> None:
    source_filter = new_filter(policy)
    now, settled = 0.0, None
    for pause, source in story:
        now += pause
        admitted = source_filter.admits(source, now)
        if now >= WINDOW_S:
            settled = settled or source_filter.destination
            assert source_filter.destination == settled
            assert admitted is (source == settled)
        if policy is SymmetricRtp.OFF:
            assert admitted is (source == PEER)
