"""The WebSocket shell: real sockets on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from gateway.sessions import conversation, websocket, wire
from gateway.sessions.wire import ErrorKind
from tests.gateway.sessions.client import HttpFailure, SocketClosed, WireError
from tests.gateway.sessions.fakes import MemoryOutlet, call_view, eventually
from tests.gateway.sessions.service import ANA, EVE, Service, running_service

TAKEOVERS = 5
# Frames that a page has under way when it is closed.
WORDS = 20


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with running_service() as service:
        yield service


async def test_a_page_says_hello_and_hears_events(service: Service) -> None:
    client = await service.attached()
    assert client.snapshot is not None
    assert client.snapshot.user.name == "Ana Ruiz"
    service.backend.ring(ANA, "c1")
    event = await client.event("call.incoming")
    assert (event.seq, event.call.call_id) == (1, "c1")
    result = await client.request("call.answer", call_id="c1")
    assert isinstance(result, wire.CallAnswerResult)
    # The event that the request caused was there before its response.
    assert [event.type for event in client.events] == [
        "call.incoming",
        "call.answered",
    ]


async def test_a_lost_socket_resumes_with_everything_missed(service: Service) -> None:
    client = await service.attached()
    service.backend.ring(ANA, "c1")
    await client.event("call.incoming")
    await client.lose()
    await eventually(lambda: service.directory.attached_count == 0)
    service.backend.ring(ANA, "c2")
    result = await client.resume()
    assert (result.resumed, result.replay_from) == (True, 2)
    assert (await client.event("call.incoming")).call.call_id == "c2"


async def test_a_reload_takes_over_and_the_old_page_is_closed(
    service: Service,
) -> None:
    old = await service.attached()
    service.backend.ring(ANA, "live")
    new = await service.attached()
    assert new.snapshot is not None
    assert [call.call_id for call in new.snapshot.calls] == ["live"]
    assert await old.closed() == wire.CLOSE_SUPERSEDED
    assert old.events[-1].type == "session.superseded"
    service.backend.ring(ANA, "next")
    assert (await new.event("call.incoming")).call.call_id == "next"


async def test_the_close_code_arrives_though_the_page_talks(service: Service) -> None:
    """No reset overtakes it: the connection stays until the page has said Close."""
    page = await service.signed_in()
    host = urlsplit(service.url)
    said = wire.CLOSE_SUPERSEDED.to_bytes(2, "big") + b"another page has taken over"
    for _ in range(TAKEOVERS):
        reader, writer = await asyncio.open_connection(host.hostname, host.port)
        await upgrade(reader, writer)
        hello = {
            "ticket": await page.ticket(),
            "client": {"name": "x", "version": "1", "instance_id": "raw"},
        }
        writer.write(text_frame(request_frame(1, "session.hello", hello)))
        await reader.readuntil(b"resume_token")
        await page.hello()
        for number in range(WORDS):
            writer.write(text_frame(request_frame(number, "ping", {})))
            await writer.drain()
        await reader.readuntil(bytes((0x88, len(said))) + said)
        writer.write(raw_frame(0x88, said[:2]))
        assert await reader.read() == b""
        writer.close()


async def test_a_reload_while_the_old_socket_is_half_dead(service: Service) -> None:
    """The old socket neither answers nor closes; the new page must not wait."""
    old = await service.signed_in()
    host = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    await upgrade(reader, writer)
    hello = {
        "ticket": await old.ticket(),
        "client": {"name": "x", "version": "1", "instance_id": "dead"},
    }
    writer.write(text_frame(request_frame(1, "session.hello", hello)))
    await eventually(lambda: service.directory.attached_count == 1)
    service.backend.ring(ANA, "live")
    async with asyncio.timeout(10):
        new = await service.attached()
    assert new.snapshot is not None
    assert [call.call_id for call in new.snapshot.calls] == ["live"]
    service.backend.ring(ANA, "next")
    assert (await new.event("call.incoming")).call.call_id == "next"
    writer.close()


async def test_a_retry_after_a_reconnect_gets_the_first_outcome(
    service: Service,
) -> None:
    client = await service.attached()
    gate, started = asyncio.Event(), asyncio.Event()

    async def slow(user: object, params: wire.Wire) -> wire.Wire:
        started.set()
        await gate.wait()
        return wire.CallAnswerResult(call=_view(params), answer="v=0 once")

    service.backend.hooks["call.create"] = slow
    dial = {"op_id": "op-1", "call_id": "c1", "to": "1002", "offer": "v=0"}
    first = asyncio.ensure_future(client.request("call.create", **dial))
    await started.wait()
    await client.lose()
    with pytest.raises(SocketClosed):
        await first
    await client.resume()
    retry = asyncio.ensure_future(client.request("call.create", **dial))
    await eventually(lambda: service.directory.counters.ops_replayed == 1)
    gate.set()
    result = await retry
    assert isinstance(result, wire.CallAnswerResult)
    assert result.answer == "v=0 once"
    again = await client.request("call.create", **dial)
    assert again == result
    assert len(service.backend.performed) == 1


def _view(params: wire.Wire) -> wire.CallView:
    assert isinstance(params, wire.CallCreate)
    return call_view(params.call_id)


async def test_sign_out_ends_everything(service: Service) -> None:
    client = await service.attached()
    await client.request("session.close")
    assert await client.closed() == 1000
    with pytest.raises(WireError) as caught:
        await client.resume()
    assert caught.value.kind == ErrorKind.SESSION_UNKNOWN
    with pytest.raises(HttpFailure) as refused:
        await client.ticket()
    assert refused.value.kind == ErrorKind.AUTH_EXPIRED


async def test_after_a_refused_resume_the_same_socket_may_say_hello(
    service: Service,
) -> None:
    client = await service.signed_in()
    client.session_id, client.resume_token = "gone", "gone"
    with pytest.raises(WireError):
        await client.resume()
    params = {
        "ticket": await client.ticket(),
        "client": {"name": "x", "version": "1", "instance_id": client.instance_id},
    }
    result = await client.request("session.hello", **params)
    assert isinstance(result, wire.SessionHelloResult)


async def test_shutdown_closes_with_4503(service: Service) -> None:
    client = await service.attached()
    await service.directory.close()
    assert await client.closed() == wire.CLOSE_DRAIN
    assert client.events[-1].type == "server.notice"


async def test_nothing_of_a_socket_is_left(service: Service) -> None:
    before = len(asyncio.all_tasks())
    client = await service.attached()
    await client.request("session.close")
    await client.closed()
    await client.close()
    await eventually(lambda: len(asyncio.all_tasks()) <= before + 1)


# Coming in ----------------------------------------------------------------------------


async def refused_upgrade(
    service: Service,
    *,
    protocols: tuple[str, ...] = (wire.SUBPROTOCOL,),
    origin: str | None = None,
) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await service.http.ws_connect(
            service.url + "/v1/ws",
            protocols=protocols,
            headers={"Origin": origin} if origin else {},
        )
    return caught.value.status


async def test_the_subprotocol_is_required(service: Service) -> None:
    assert await refused_upgrade(service, protocols=()) == 406
    assert await refused_upgrade(service, protocols=("ringbridge.v2",)) == 406


@pytest.mark.parametrize(
    "origin",
    [
        "https://attacker.example",
        "null",
        "https://acme.example.attacker.example",
        "http://acme.example",
        "https://acme.example:8443",
        "https://phone.example.com.",
    ],
)
async def test_other_origins_are_refused(service: Service, origin: str) -> None:
    assert await refused_upgrade(service, origin=origin) == 403


@pytest.mark.parametrize(
    "origin", ["https://phone.example.com", "https://acme.example"]
)
async def test_known_origins_come_in(service: Service, origin: str) -> None:
    client = service.client(origin=origin)
    await client.sign_in_by_password("acme", "ana", "correct horse")
    await client.hello()


async def test_another_tenants_origin_is_refused_at_hello(service: Service) -> None:
    ana = await service.signed_in(ANA)
    page = service.client(origin="https://evil.example")
    with pytest.raises(WireError) as caught:
        await page.hello(ticket=await ana.ticket())
    assert caught.value.kind == ErrorKind.POLICY_DENIED


async def test_another_tenants_origin_cannot_resume(service: Service) -> None:
    ana = await service.attached(ANA, instance_id="page")
    page = service.client(origin="https://evil.example", instance_id="page")
    page.session_id, page.resume_token = ana.session_id, ana.resume_token
    with pytest.raises(WireError) as caught:
        await page.resume()
    assert caught.value.kind == ErrorKind.POLICY_DENIED
    # Nor does the attempt take anything from its owner.
    assert (await ana.resume()).resumed


async def test_a_plain_request_is_no_socket(service: Service) -> None:
    async with service.http.get(service.url + "/v1/ws") as response:
        assert response.status == 400
        assert (await response.json())["error"]["kind"] == "bad_request"


async def test_sockets_without_hello_are_limited() -> None:
    async with running_service(max_without_hello=2) as service:
        idle = [service.client(), service.client()]
        for client in idle:
            await client.connect()
        assert await refused_upgrade(service) == 503
        await idle[0].close()
        await eventually(lambda: service.directory.counters.sockets_without_hello == 1)
        # A greeted socket no longer counts.
        await service.attached(ANA)
        await service.attached(EVE)


async def test_silence_at_the_start_is_closed_with_4401(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "FIRST_FRAME_TIMEOUT_S", 0.01)
    async with running_service() as service:
        client = service.client()
        await client.connect()
        assert await client.closed() == wire.CLOSE_NO_HELLO


async def test_a_silent_client_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "SILENCE_LIMIT_S", 0.01)
    async with running_service() as service:
        client = await service.attached()
        assert await client.closed() == wire.CLOSE_SILENT
        assert service.directory.counters.silent_clients == 1


# Frames -------------------------------------------------------------------------------


async def test_a_frame_of_64_kib_is_read_and_one_more_byte_is_not(
    service: Service,
) -> None:
    client = await service.attached()
    assert client.socket is not None
    frame = request_frame(99, "ping", {})
    padded = frame + " " * (wire.MAX_FRAME_BYTES - len(frame))
    answer: asyncio.Future[dict[str, Any]]
    answer = asyncio.get_running_loop().create_future()
    client._answers[99] = answer
    await client.socket.send_str(padded)
    assert (await answer)["result"] == {}
    await client.socket.send_str(padded + " ")
    assert await client.closed() == 1009


async def test_a_binary_frame_closes_the_socket(service: Service) -> None:
    client = await service.attached()
    assert client.socket is not None
    await client.socket.send_bytes(b"{}")
    assert await client.closed() == wire.CLOSE_PROTOCOL


async def test_invalid_utf8_closes_the_socket(service: Service) -> None:
    host = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    await upgrade(reader, writer)
    writer.write(raw_frame(0x81, b"\xff\xfe{}"))
    assert close_code(await reader.read()) == 1007
    writer.close()


async def test_permessage_deflate_is_not_spoken(service: Service) -> None:
    socket = await service.http.ws_connect(
        service.url + "/v1/ws", protocols=(wire.SUBPROTOCOL,), compress=15
    )
    assert socket.compress == 0
    await socket.close()
    host = urlsplit(service.url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    head = await upgrade(reader, writer, extensions="permessage-deflate")
    assert b"permessage-deflate" not in head
    # A frame that says it is compressed all the same.
    writer.write(raw_frame(0xC1, b"\x00\x00"))
    assert close_code(await reader.read()) == 1002
    writer.close()


async def test_a_first_frame_that_is_no_greeting_closes(service: Service) -> None:
    client = service.client()
    await client.connect()
    with pytest.raises(WireError) as caught:
        await client.request("ping")
    assert caught.value.kind == ErrorKind.AUTH_DENIED
    assert await client.closed() == wire.CLOSE_NO_HELLO


async def test_a_flood_is_refused_and_then_closed(service: Service) -> None:
    client = await service.attached()
    assert client.socket is not None
    frame = request_frame(0, "ping", {})
    try:
        for _ in range(1000):
            await client.socket.send_str(frame)
    except ConnectionError:
        pass
    assert await client.closed() == wire.CLOSE_RATE_LIMITED
    assert service.directory.counters.frames_over_rate >= 100


@pytest.mark.parametrize("is_observer", [False, True])
async def test_a_slow_client_is_cut_off_and_no_other(is_observer: bool) -> None:
    async with running_service() as service:
        slow = await service.signed_in(instance_id="slow")
        host = urlsplit(service.url)
        reader, writer = await asyncio.open_connection(
            host.hostname, host.port, limit=1024
        )
        await upgrade(reader, writer)
        params = {
            "ticket": await slow.ticket(),
            "client": {"name": "x", "version": "1", "instance_id": "slow"},
            "role": "observer",
        }
        writer.write(text_frame(request_frame(1, "session.hello", params)))
        await eventually(lambda: service.directory.attached_count == 1)
        (session,) = service.directory._sessions.values()
        other = MemoryOutlet()
        if is_observer:
            session.pages.join(
                "other",
                other,
                role=wire.SessionRole.OWNER,
                instead_of=None,
                is_window=False,
                now=0.0,
            )
        # It reads nothing from here on; the kernel's buffers fill, then the queue.
        for _ in range(40_000):
            service.backend.ring(ANA, "x" * 100)
            if service.directory.counters.slow_clients:
                break
            await asyncio.sleep(0)
        assert service.directory.counters.slow_clients == 1
        await eventually(lambda: len(session.pages.attached) == int(is_observer))
        assert service.directory.counters.slow_observers == int(is_observer)
        assert service.directory.session_count == 1
        assert other.closed is None
        assert len(other.events) == (session.log.head if is_observer else 0)
        writer.close()


async def test_a_socket_that_does_not_answer_pings_is_given_up() -> None:
    async with running_service(ping_interval_s=0.3) as service:
        page = await service.signed_in()
        host = urlsplit(service.url)
        reader, writer = await asyncio.open_connection(host.hostname, host.port)
        await upgrade(reader, writer)
        params = {
            "ticket": await page.ticket(),
            "client": {"name": "x", "version": "1", "instance_id": "dead"},
        }
        writer.write(text_frame(request_frame(1, "session.hello", params)))
        await eventually(lambda: service.directory.counters.detached == 1)
        assert service.directory.session_count == 1
        writer.close()


# Raw WebSocket frames -----------------------------------------------------------------


def request_frame(request_id: int, method: str, params: object) -> str:
    return json.dumps(
        {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    )


async def upgrade(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, extensions: str = ""
) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        "GET /v1/ws HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Protocol: {wire.SUBPROTOCOL}",
    ]
    if extensions:
        lines.append(f"Sec-WebSocket-Extensions: {extensions}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head
    return head


def text_frame(text: str) -> bytes:
    return raw_frame(0x81, text.encode())


def raw_frame(first: int, payload: bytes) -> bytes:
    """A masked frame; the mask is zero, so the payload is readable."""
    size = len(payload)
    if size < 126:
        head = bytes([first, 0x80 | size])
    else:
        head = bytes([first, 0x80 | 126]) + size.to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


def close_code(data: bytes) -> int:
    assert data[0] == 0x88, data
    return int.from_bytes(data[2:4], "big")


def test_the_send_queue_takes_a_whole_replay() -> None:
    assert websocket.SEND_QUEUE_FRAMES > wire.RING_EVENTS
    assert websocket.SEND_QUEUE_CHARS > wire.RING_BYTES
