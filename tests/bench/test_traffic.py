"""The generator's own accounts, with two bare sockets in place of a gateway."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.load.traffic import End, State, Traffic, compile_library
from tests.system.waiting import until_true

pytestmark = pytest.mark.needs("cc")

CALLS = 2


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_library(tmp_path_factory.mktemp("traffic"))


@pytest.fixture
def sockets() -> Iterator[list[dict[End, socket.socket]]]:
    """Of both ends of each call."""
    with ExitStack() as stack:
        calls = []
        for _ in range(CALLS):
            ends = {}
            for end in End:
                ends[end] = stack.enter_context(
                    socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                )
                ends[end].bind(("127.0.0.1", 0))
            calls.append(ends)
        yield calls


def join(
    traffic: Traffic, call: int, end: End, *, own: socket.socket, to: socket.socket
) -> None:
    traffic.set_end(
        call,
        end,
        fd=own.fileno(),
        to=to.getsockname(),
        payload_type=0,
        ssrc=0x12345678,
    )


async def test_every_packet_is_accounted_for(
    library: Path, sockets: list[dict[End, socket.socket]]
) -> None:
    with Traffic(CALLS, library=library) as traffic:
        for call, ends in enumerate(sockets):
            for end, other in ((End.BROWSER, End.PHONE), (End.PHONE, End.BROWSER)):
                join(traffic, call, end, own=ends[end], to=ends[other])
            traffic.set_state(call, State.COUNTING)
        traffic.measure(True)
        await until_true(
            lambda: traffic.numbers(1, End.PHONE).received >= 10, "ten packets"
        )
        traffic.measure(False)
        for call in range(CALLS):
            traffic.set_state(call, State.SILENT)
            await until_true(
                lambda call=call: (
                    traffic.numbers(call, End.BROWSER).sent
                    == traffic.numbers(call, End.PHONE).received
                ),
                "all packets",
            )
            await traffic.end(call)
            numbers = traffic.numbers(call, End.BROWSER)
            assert (numbers.strayed, numbers.repeated, numbers.refused) == (0, 0, 0)
        assert traffic.latency(End.BROWSER).quantile(0.5) > 0
        assert sum(traffic.lateness().bins) == traffic.thread_numbers().slots


async def test_a_packet_of_another_call_is_found(
    library: Path, sockets: list[dict[End, socket.socket]]
) -> None:
    first, second = sockets
    with Traffic(CALLS, library=library) as traffic:
        for call, (own, other) in enumerate(((first, second), (second, first))):
            join(traffic, call, End.BROWSER, own=own[End.BROWSER], to=other[End.PHONE])
            join(traffic, call, End.PHONE, own=own[End.PHONE], to=own[End.BROWSER])
            traffic.set_state(call, State.COUNTING)
        await until_true(lambda: traffic.numbers(0, End.PHONE).strayed > 3, "strays")
        assert traffic.numbers(0, End.PHONE).received == 0
        for call in range(CALLS):
            await traffic.end(call)


async def test_packets_before_counting_are_seen_but_not_counted(
    library: Path, sockets: list[dict[End, socket.socket]]
) -> None:
    (ends, _) = sockets
    with Traffic(CALLS, library=library) as traffic:
        join(traffic, 0, End.BROWSER, own=ends[End.BROWSER], to=ends[End.PHONE])
        join(traffic, 0, End.PHONE, own=ends[End.PHONE], to=ends[End.BROWSER])
        traffic.set_state(0, State.WARMING)
        await until_true(lambda: traffic.numbers(0, End.PHONE).seen > 3, "packets")
        assert traffic.numbers(0, End.PHONE).received == 0
        assert traffic.numbers(0, End.BROWSER).sent == 0
        await traffic.end(0)
