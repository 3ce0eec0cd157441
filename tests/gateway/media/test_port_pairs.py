"""SIP-side port pairs: range, parity, quarantine."""

from __future__ import annotations

import random
import socket

import pytest

from gateway.media.relay.config import RelayConfig
from gateway.media.relay.port_pairs import NoPortsError, PortPairs


def free_range(pairs: int) -> int:
    """First even port of a range that is free now."""
    rng = random.Random()
    while True:
        first = rng.randrange(20000, 60000, 2)
        socks = [
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2 * pairs)
        ]
        try:
            for offset, sock in enumerate(socks):
                sock.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        finally:
            for sock in socks:
                sock.close()
        return first


def new_pairs(first: int, last: int, quarantine_s: float = 30.0) -> PortPairs:
    return PortPairs(
        host="127.0.0.1",
        first=first,
        last=last,
        quarantine_s=quarantine_s,
        rng=random.Random(1),
    )


def test_range_is_used_up_and_comes_back_when_quiet() -> None:
    first = free_range(2)
    pairs = new_pairs(first, first + 3)
    one, two = pairs.acquire(), pairs.acquire()
    assert sorted(pair.port for pair in (one, two)) == [first, first + 2]
    with pytest.raises(NoPortsError):
        pairs.acquire()
    pairs.release(one, 100.0)
    with pytest.raises(NoPortsError):
        pairs.acquire()
    pairs.sweep(129.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
        late.sendto(b"late packet", ("127.0.0.1", one.port))
    pairs.sweep(129.5)
    assert pairs.late_packets == 1
    pairs.sweep(159.0)
    assert pairs.in_quarantine == 1
    pairs.sweep(159.6)
    assert pairs.in_quarantine == 0
    again = pairs.acquire()
    assert again.port == one.port
    again.close()
    two.close()


def test_ephemeral_pairs_are_even_and_adjacent() -> None:
    pairs = new_pairs(0, 0)
    got = [pairs.acquire() for _ in range(20)]
    for pair in got:
        assert pair.port % 2 == 0
        assert pair.rtcp.getsockname()[1] == pair.port + 1
    assert pairs.in_use == 20
    for pair in got:
        pairs.release(pair, 0.0)
    assert (pairs.in_use, pairs.in_quarantine) == (0, 20)
    pairs.close()
    assert pairs.in_quarantine == 0


def test_workers_share_a_range_without_overlap() -> None:
    config = RelayConfig(workers=3, rtp_port_min=30001, rtp_port_max=30020)
    ranges = [config.port_range(index) for index in range(3)]
    assert ranges == [(30002, 30007), (30008, 30013), (30014, 30019)]


@pytest.mark.parametrize(
    "settings",
    [
        {"workers": 0},
        {"bind_host": "0.0.0.0"},
        {"bind_host": "localhost"},
        {"bind_host": "127.0.0.1", "advertised_host": "::1"},
        {"browser_port": 65535},
        {"rtp_port_min": 30000, "rtp_port_max": 30000},
        {"rtp_port_min": 80, "rtp_port_max": 90},
        {"codecs": ()},
        {"codecs": ("G729",)},
        {"video_codecs": ("AV1",)},
        {"max_calls_per_worker": 0},
    ],
)
def test_bad_configuration_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        RelayConfig(**settings)  # type: ignore[arg-type]
