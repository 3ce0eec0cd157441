"""NACK, PLI and FIR, read and written (RFC 4585, RFC 5104)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.media.relay.feedback import (
    MAX_LOST,
    KeyframeMessage,
    KeyframeRequest,
    Nack,
    build_keyframe_request,
    build_nack,
    nack_items,
)
from gateway.media.relay.rtcp import parse_compound


def test_nack_as_the_rfc_draws_it() -> None:
    packet = build_nack(1, 2, [100, 101, 116, 117])
    assert packet == struct.pack("!BBHIIHHHH", 0x81, 205, 4, 1, 2, 100, 0x8001, 117, 0)
    assert parse_compound(packet).feedback == (Nack(2, (100, 101, 116, 117)),)


def test_nack_across_the_wrap() -> None:
    lost = (65534, 65535, 0, 3)
    assert len(nack_items(lost)) == 4
    assert parse_compound(build_nack(1, 2, lost)).feedback == (Nack(2, lost),)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=60, unique=True))
def test_every_number_survives(lost: list[int]) -> None:
    (read,) = parse_compound(build_nack(1, 2, lost)).feedback
    assert isinstance(read, Nack)
    assert set(read.lost) == set(lost)


def test_keyframe_requests() -> None:
    pli = build_keyframe_request(KeyframeMessage.PICTURE_LOSS, 1, 2, 9)
    assert pli == struct.pack("!BBHII", 0x81, 206, 2, 1, 2)
    assert parse_compound(pli).feedback == (KeyframeRequest(2),)
    fir = build_keyframe_request(KeyframeMessage.FULL_INTRA, 1, 2, 257)
    assert fir == struct.pack("!BBHIIIB3x", 0x84, 206, 4, 1, 0, 2, 1)
    assert parse_compound(fir).feedback == (KeyframeRequest(2),)


@pytest.mark.parametrize(
    "packet",
    [
        struct.pack("!BBHII4sI", 0x8F, 206, 4, 1, 0, b"REMB", 0x01000000),
        struct.pack("!BBHIIHHI", 0x8F, 205, 4, 1, 2, 3, 4, 5),
        struct.pack("!BBHI", 0x81, 206, 1, 1),
        struct.pack("!BBHII", 0x81, 205, 2, 1, 2),
        struct.pack("!BBHII", 0x82, 206, 2, 1, 2),
    ],
    ids=["REMB", "transport-cc", "cut PLI", "empty NACK", "SLI"],
)
def test_everything_else_is_consumed(packet: bytes) -> None:
    assert parse_compound(packet).feedback == ()


def test_a_nack_for_everything_is_bounded() -> None:
    items = b"".join(struct.pack("!HH", at * 17, 0xFFFF) for at in range(300))
    header = struct.pack("!BBHII", 0x81, 205, 2 + len(items) // 4, 1, 2)
    (read,) = parse_compound(header + items).feedback
    assert isinstance(read, Nack)
    assert len(read.lost) == MAX_LOST


@given(st.sampled_from([205, 206]), st.integers(0, 31), st.binary(max_size=200))
def test_any_body_is_read_or_ignored(kind: int, form: int, body: bytes) -> None:
    body += bytes(-len(body) % 4)
    header = struct.pack("!BBH", 0x80 | form, kind, len(body) // 4)
    for message in parse_compound(header + body).feedback:
        assert 0 <= message.ssrc <= 0xFFFFFFFF
