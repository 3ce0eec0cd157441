"""Reading frames: limits, JSON-RPC's error codes, and a fuzz of both layers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.sessions import frames, wire
from gateway.sessions.frames import FrameError, read_request
from gateway.sessions.wire import ErrorData
from tests.gateway.sessions.fakes import ANA, World


def request(**changed: Any) -> str:
    good = {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {}}
    return json.dumps(good | changed)


def nested(depth: int) -> str:
    return request(params={"x": json.loads("[" * depth + "]" * depth)})


@pytest.mark.parametrize(
    ("text", "code", "kind"),
    [
        ("", -32700, "bad_request"),
        ("nonsense", -32700, "bad_request"),
        ("{" * 60_000, -32700, "bad_request"),
        ("[" * 60_000 + "]" * 5_000, -32700, "bad_request"),
        ('{"a":"\ud800"}', -32700, "bad_request"),
        ('{"a":"\\ud800"}', -32700, "bad_request"),
        ("\ufeff" + request(), -32700, "bad_request"),
        (request(params={"x": "y" * wire.MAX_FRAME_BYTES}), -32700, "bad_request"),
        ('{"a":NaN}', -32700, "bad_request"),
        ('{"a":' + "9" * 5000 + "}", -32700, "bad_request"),
        ('{"a":9007199254740993}', -32600, "bad_request"),
        ('{"a":-9007199254740993}', -32600, "bad_request"),
        ('{"a":1e999}', -32600, "bad_request"),
        (nested(15), -32600, "bad_request"),
        ("[]", -32600, "bad_request"),
        (f"[{request()}]", -32600, "bad_request"),
        ("7", -32600, "bad_request"),
        ("null", -32600, "bad_request"),
        ("{}", -32600, "bad_request"),
        (request(jsonrpc="1.0"), -32600, "bad_request"),
        (request(jsonrpc=2.0), -32600, "bad_request"),
        (request(method=7), -32600, "bad_request"),
        (request(id=None), -32600, "bad_request"),
        (request(id=True), -32600, "bad_request"),
        (request(id=1.5), -32600, "bad_request"),
        (request(id=[1]), -32600, "bad_request"),
        (request(id="x" * 129), -32600, "bad_request"),
        (request(method="call.explode"), -32601, "method.unknown"),
        (request(method="__class__"), -32601, "method.unknown"),
        (request(params=[1]), -32602, "bad_request"),
        (request(params=None), -32602, "bad_request"),
        (request(method="session.ack", params={}), -32602, "bad_request"),
        (request(method="session.ack", params={"seq": "1"}), -32602, "bad_request"),
        (request(method="session.ack", params={"seq": True}), -32602, "bad_request"),
        (request(method="session.ack", params={"seq": -1}), -32602, "bad_request"),
        (request(method="history.list", params={"limit": 101}), -32602, "bad_request"),
        (
            request(method="call.hangup", params={"op_id": "a b", "call_id": "c"}),
            -32602,
            "bad_request",
        ),
        (
            request(method="call.hangup", params={"op_id": "x" * 129, "call_id": "c"}),
            -32602,
            "bad_request",
        ),
        (
            request(
                method="call.dtmf",
                params={"op_id": "a", "call_id": "c", "digits": "1\r\n"},
            ),
            -32602,
            "bad_request",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_what_is_wrong_is_said_by_code_and_kind(
    text: str, code: int, kind: str
) -> None:
    with pytest.raises(FrameError) as caught:
        read_request(text)
    answer = json.loads(caught.value.frame())
    assert answer["error"]["code"] == code
    assert answer["error"]["data"]["kind"] == kind


def test_the_largest_allowed_things_are_read() -> None:
    assert read_request(nested(14)).method == "ping"
    assert read_request(request(id="x" * 128)).request_id == "x" * 128
    assert read_request(request(id=2**53)).request_id == 2**53
    padded = request() + " " * (wire.MAX_FRAME_BYTES - len(request()))
    assert read_request(padded).method == "ping"


def test_unknown_fields_are_ignored() -> None:
    text = request(method="session.ack", params={"seq": 3, "extra": [1]}, more=1)
    assert read_request(text).params == wire.SessionAck(seq=3)


def test_enums_and_lists_are_read_from_json() -> None:
    params = {
        "ticket": "t",
        "client": {"name": "a", "version": "1", "instance_id": "i"},
    }
    hello = read_request(
        request(method="session.hello", params=params | {"caps": ["x"]})
    ).params
    assert isinstance(hello, wire.SessionHello)
    assert hello.caps == ("x",)
    media = {
        "op_id": "o",
        "call_id": "c",
        "offer": "v=0",
        "generation": 2,
        "reason": "network",
    }
    offer = read_request(request(method="call.media", params=media)).params
    assert isinstance(offer, wire.CallMedia)
    assert offer.reason is wire.MediaReason.NETWORK


def test_only_ack_and_ping_may_be_notifications() -> None:
    ping = json.dumps({"jsonrpc": "2.0", "method": "ping"})
    assert read_request(ping).request_id is None
    with pytest.raises(FrameError) as caught:
        read_request(json.dumps({"jsonrpc": "2.0", "method": "history.list"}))
    assert caught.value.is_answered
    bad = json.dumps({"jsonrpc": "2.0", "method": "session.ack", "params": {}})
    with pytest.raises(FrameError) as silent:
        read_request(bad)
    assert not silent.value.is_answered


def test_problems_do_not_quote_what_was_sent() -> None:
    secret = "hunter2-hunter2 with a space"
    text = request(
        method="session.hello",
        params={
            "ticket": secret,
            "client": {"name": "a", "version": "1", "instance_id": "i"},
        },
    )
    with pytest.raises(FrameError) as caught:
        read_request(text)
    assert "hunter2" not in caught.value.frame()
    assert "ticket" in str(caught.value)


def test_secrets_are_not_in_reprs() -> None:
    client = wire.Client(name="a", version="1", instance_id="i")
    shown = [
        wire.SessionHello(ticket="s3cret", client=client),
        wire.SessionResume(
            session_id="s", resume_token="s3cret", instance_id="i", last_seq=0
        ),
        wire.SessionResumeResult(resumed=True, resume_token="s3cret", seq=1),
        wire.SignInByAssertion(assertion="s3cret"),
        wire.SignInByPassword(tenant="t", username="u", password="s3cret"),
        wire.TicketResult(ticket="s3cret", expires_in=1),
        wire.IceServer(urls=("turn:t",), username="u", credential="s3cret"),
    ]
    for message in shown:
        assert "s3cret" not in repr(message)
        assert "s3cret" in message.model_dump_json()


# Fuzz ---------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["c1", "op", "v=0", "ana", "acme"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
field_names = st.sampled_from(
    sorted({name for p, _ in wire.METHODS.values() for name in p.model_fields})
)
near_requests = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.sampled_from(["2.0", "1.0", 2]),
        "id": json_values,
        "method": st.sampled_from([*wire.METHODS, "event", ""]) | json_values,
        "params": st.dictionaries(field_names, json_values) | json_values,
    },
).map(json.dumps)
any_frames = near_requests | st.text(max_size=200) | json_values.map(json.dumps)


def check_answer(frame: dict[str, Any]) -> None:
    assert frame["jsonrpc"] == "2.0"
    if "error" in frame:
        assert frame["error"]["code"] in (-32700, -32600, -32601, -32602, -32000)
        ErrorData.model_validate(frame["error"]["data"])
    else:
        assert "result" in frame or frame["method"] == "event"


@settings(deadline=None)
@given(any_frames)
def test_any_text_is_a_request_or_a_frame_error(text: str) -> None:
    try:
        parsed = read_request(text)
    except FrameError as error:
        check_answer(json.loads(error.frame()))
    else:
        assert parsed.method in wire.METHODS


@given(st.lists(any_frames, max_size=12))
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
def test_any_frames_get_answers_or_a_close_and_never_a_crash(texts: list[str]) -> None:
    async def scenario(is_greeted: bool) -> None:
        world = World()
        page = world.page()
        if is_greeted:
            await page.hello()
            world.backend.ring(ANA, "c1")
        for text in texts:
            await page.conversation.receive(text)
        await asyncio.sleep(0)
        for frame in page.outlet.frames:
            check_answer(frame)
        if is_greeted:
            assert world.directory.counters.internal_errors == 0
            if page.outlet.closed is None:
                assert await page.result("ping") == {}
        elif texts:
            assert page.outlet.closed is not None
        page.conversation.lost()
        await world.directory.close()

    asyncio.run(scenario(is_greeted=True))
    asyncio.run(scenario(is_greeted=False))


def test_an_error_response_echoes_hostile_ids_safely() -> None:
    text = frames.response('"}\u2028', '"result":{}')
    assert json.loads(text)["id"] == '"}\u2028'
