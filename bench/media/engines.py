"""The engines under load, each behind the same small interface."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol, cast

import aiohttp

from bench.media.parties import LoadBrowser, LoadPhone, media_port
from gateway.media.engine import Leg, MediaCallId
from gateway.media.relay import RelayConfig, RelayEngine

START_TIMEOUT_S = 15.0


class Engine(Protocol):
    """Sets up calls in a process (or several) whose CPU time is counted."""

    pids: tuple[int, ...]

    async def call(self, index: int, browser: LoadBrowser, phone: LoadPhone) -> int:
        """Connect one call; returns the engine's port for the phone."""


class Relay:
    """The project's own."""

    def __init__(self, engine: RelayEngine) -> None:
        self._engine = engine
        self.pids = engine.worker_pids()

    async def call(self, index: int, browser: LoadBrowser, phone: LoadPhone) -> int:
        call = MediaCallId(f"load-{index}")
        await self._engine.open(call)
        answer = await self._engine.answer(call, Leg.BROWSER, await browser.offer())
        offer = await self._engine.offer(call, Leg.SIP)
        await self._engine.accept(call, Leg.SIP, phone.answer(browser.kind))
        await browser.connect(answer.sdp)
        return media_port(offer, browser.kind)


@contextlib.asynccontextmanager
async def run_relay(host: str, calls: int, workers: int) -> AsyncIterator[Relay]:
    """Start it as the gateway does."""
    config = RelayConfig(
        workers=workers, bind_host=host, max_calls_per_worker=max(calls, 1)
    )
    async with RelayEngine(config) as engine:
        yield Relay(engine)


@contextlib.asynccontextmanager
async def _process(*command: str, folder: Path) -> AsyncIterator[int]:
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=log, stderr=log, stdin=asyncio.subprocess.DEVNULL
        )
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


class Rtpengine:
    """rtpengine in userspace, one thread, over its ng protocol."""

    def __init__(self, pid: int, port: int) -> None:
        self.pids = (pid,)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)
        self._cookies = itertools.count(1)

    async def command(self, **fields: Any) -> dict[str, Any]:
        """One ng request."""
        cookie = f"{os.getpid()}_{next(self._cookies)}".encode()
        body = _bencode({key.replace("_", "-"): value for key, value in fields.items()})
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._socket, cookie + b" " + body)
        async with asyncio.timeout(5):
            while True:
                answer = await loop.sock_recv(self._socket, 65536)
                if answer.startswith(cookie + b" "):
                    break
        decoded, _ = _bdecode(answer, len(cookie) + 1)
        if decoded.get("result") not in (b"ok", b"pong"):
            raise RuntimeError(f"rtpengine: {decoded}")
        return dict(decoded)

    async def call(self, index: int, browser: LoadBrowser, phone: LoadPhone) -> int:
        common: dict[str, Any] = {"call_id": f"load-{index}", "from_tag": "a"}
        offered = await self.command(
            command="offer",
            # One m-line: it does not split bundles.
            sdp=await browser.offer(alone=True),
            ICE="remove",
            DTLS="off",
            SDES="off",
            rtcp_mux=["demux"],
            transport_protocol="RTP/AVP",
            replace=["origin", "session-connection"],
            flags=["trust-address", "strip-extmap"],
            **common,
        )
        answered = await self.command(
            command="answer",
            to_tag="b",
            sdp=phone.answer(browser.kind, alone=True),
            ICE="force",
            rtcp_mux=["require"],
            transport_protocol="UDP/TLS/RTP/SAVPF",
            replace=["origin", "session-connection"],
            flags=["trust-address", "generate-mid"],
            **common,
        )
        await browser.connect(answered["sdp"].decode())
        return media_port(offered["sdp"].decode(), browser.kind)

    def close(self) -> None:
        """Close the control socket."""
        self._socket.close()


@contextlib.asynccontextmanager
async def run_rtpengine(host: str) -> AsyncIterator[Rtpengine]:
    """Start it and wait until it answers."""
    with tempfile.TemporaryDirectory(prefix="ringbridge-bench-") as folder:
        port = _free_port()
        command = (
            "rtpengine",
            "--config-file=none",
            "--table=-1",
            f"--interface={host}",
            f"--listen-ng=127.0.0.1:{port}",
            "--foreground",
            "--log-stderr",
            "--log-level=4",
            "--port-min=30000",
            "--port-max=33999",
            "--num-threads=1",
            "--timeout=60",
        )
        async with _process(*command, folder=Path(folder)) as pid:
            engine = Rtpengine(pid, port)
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    while True:
                        with contextlib.suppress(OSError, TimeoutError):
                            await engine.command(command="ping")
                            break
                        await asyncio.sleep(0.1)
                yield engine
            finally:
                engine.close()


def _bencode(value: Any) -> bytes:
    match value:
        case int():
            return b"i%de" % value
        case str():
            return _bencode(value.encode())
        case bytes():
            return b"%d:" % len(value) + value
        case list():
            return b"l" + b"".join(map(_bencode, value)) + b"e"
        case dict():
            parts = (_bencode(key) + _bencode(value[key]) for key in sorted(value))
            return b"d" + b"".join(parts) + b"e"
        case _:
            raise TypeError(type(value).__name__)


def _bdecode(data: bytes, at: int) -> tuple[Any, int]:
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        at += 1
        items: list[Any] = []
        while data[at : at + 1] != b"e":
            item, at = _bdecode(data, at)
            items.append(item)
        if kind == b"l":
            return items, at + 1
        keys = (key.decode() for key in items[::2])
        return dict(zip(keys, items[1::2], strict=True)), at + 1
    colon = data.index(b":", at)
    start, length = colon + 1, int(data[at:colon])
    return data[start : start + length], start + length


class _Answerer(asyncio.DatagramProtocol):
    """A SIP phone bank of thirty lines: answers every INVITE at once."""

    def __init__(self) -> None:
        self.phones: dict[int, LoadPhone] = {}
        self.ports: dict[int, int] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        head, _, body = data.decode().partition("\r\n\r\n")
        lines = head.split("\r\n")
        method = lines[0].split()[0]
        if method == "ACK" or lines[0].startswith("SIP/"):
            return
        kept = [
            line
            for line in lines[1:]
            if line.partition(":")[0].lower() in ("via", "from", "call-id", "cseq")
        ]
        to = next(line for line in lines if line.lower().startswith("to:"))
        assert self._transport is not None
        own = self._transport.get_extra_info("sockname")
        answer = ""
        if method == "INVITE":
            index = int(lines[0].split("sip:phone")[1].split("@")[0])
            self.ports[index] = media_port(body)
            answer = self.phones[index].answer()
        response = [
            "SIP/2.0 200 OK",
            *kept,
            to if "tag=" in to else f"{to};tag=bench",
            f"Contact: <sip:bench@{own[0]}:{own[1]}>",
            *(["Content-Type: application/sdp"] if answer else []),
            f"Content-Length: {len(answer)}",
            "",
            answer,
        ]
        self._transport.sendto("\r\n".join(response).encode(), addr)


class Janus:
    """Janus with its SIP plugin, over WebSocket."""

    def __init__(
        self,
        pid: int,
        host: str,
        socket_: aiohttp.ClientWebSocketResponse,
        answerer: _Answerer,
        sip_port: int,
    ) -> None:
        self.pids = (pid,)
        self._host = host
        self._socket = socket_
        self._answerer = answerer
        self._sip_port = sip_port
        self._numbers = itertools.count(1)
        self._early: deque[dict[str, Any]] = deque(maxlen=64)

    async def _request(self, **fields: Any) -> dict[str, Any]:
        transaction = f"t{next(self._numbers)}"
        await self._socket.send_json({"transaction": transaction, **fields})
        async with asyncio.timeout(10):
            while True:
                message = await self._socket.receive_json()
                if message.get("transaction") == transaction and message["janus"] in (
                    "success",
                    "ack",
                    "error",
                ):
                    return dict(message)
                # The event that a request leads to may overtake its "ack".
                self._early.append(message)

    async def _event(self, name: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while True:
                if self._early:
                    message = self._early.popleft()
                else:
                    message = await self._socket.receive_json()
                data = message.get("plugindata", {}).get("data", {})
                if data.get("result", {}).get("event") == name:
                    return dict(message)
                if "error" in data:
                    raise RuntimeError(f"Janus: {data['error']}")

    async def call(self, index: int, browser: LoadBrowser, phone: LoadPhone) -> int:
        self._answerer.phones[index] = phone
        session = (await self._request(janus="create"))["data"]["id"]
        handle = (
            await self._request(
                janus="attach", session_id=session, plugin="janus.plugin.sip"
            )
        )["data"]["id"]
        to: dict[str, Any] = {
            "janus": "message",
            "session_id": session,
            "handle_id": handle,
        }
        await self._request(
            **to,
            body={
                "request": "register",
                "type": "guest",
                "username": f"sip:bench{index}@{self._host}",
            },
        )
        await self._event("registered")
        await self._request(
            **to,
            body={
                "request": "call",
                "uri": f"sip:phone{index}@{self._host}:{self._sip_port}",
            },
            jsep={"type": "offer", "sdp": await browser.offer()},
        )
        answered = await self._event("accepted")
        await browser.connect(answered["jsep"]["sdp"])
        return self._answerer.ports[index]


@contextlib.asynccontextmanager
async def run_janus(host: str) -> AsyncIterator[Janus]:
    """Start it with only the SIP plugin and the WebSocket transport."""
    with tempfile.TemporaryDirectory(prefix="ringbridge-bench-") as name:
        folder = Path(name)
        port = _free_port()
        _write_janus_configuration(folder, host, port)
        command = ("janus", "-F", name, "-C", str(folder / "janus.jcfg"))
        async with contextlib.AsyncExitStack() as stack:
            pid = await stack.enter_async_context(_process(*command, folder=folder))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            websocket = await _connect_janus(session, port)
            stack.push_async_callback(websocket.close)
            loop = asyncio.get_running_loop()
            transport, answerer = await loop.create_datagram_endpoint(
                _Answerer, local_addr=(host, 0)
            )
            stack.callback(transport.close)
            sip_port = transport.get_extra_info("sockname")[1]
            yield Janus(pid, host, websocket, answerer, sip_port)


async def _connect_janus(
    session: aiohttp.ClientSession, port: int
) -> aiohttp.ClientWebSocketResponse:
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            try:
                return await session.ws_connect(
                    f"http://127.0.0.1:{port}", protocols=["janus-protocol"]
                )
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


def _write_janus_configuration(folder: Path, host: str, port: int) -> None:
    library = "/usr/lib/x86_64-linux-gnu/janus"
    plugins = sorted(
        path.name
        for path in Path(library, "plugins").glob("*.so")
        if path.name != "libjanus_sip.so"
    )
    transports = sorted(
        path.name
        for path in Path(library, "transports").glob("*.so")
        if path.name != "libjanus_websockets.so"
    )
    (folder / "janus.jcfg").write_text(
        f'general: {{ configs_folder="{folder}"; interface="{host}";\n'
        f'  plugins_folder="{library}/plugins";\n'
        f'  transports_folder="{library}/transports";\n'
        "  debug_level=2; session_timeout=300; }\n"
        'media: { rtp_port_range="34000-37999"; }\n'
        f'nat: {{ ice_lite=false; ice_enforce_list="{host}"; ignore_mdns=true; }}\n'
        f'plugins: {{ disable="{",".join(plugins)}"; }}\n'
        f'transports: {{ disable="{",".join(transports)}"; }}\n'
    )
    (folder / "janus.plugin.sip.jcfg").write_text(
        f'general: {{ local_ip="{host}"; sdp_ip="{host}"; local_media_ip="{host}";\n'
        '  rtp_port_range="38000-41999"; events=false; keepalive_interval=0;\n'
        "  behind_nat=false; }\n"
    )
    (folder / "janus.transport.websockets.jcfg").write_text(
        f'general: {{ json="plain"; ws=true; ws_port={port}; ws_interface="lo";\n'
        "  wss=false; }\nadmin: { admin_ws=false; }\n"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
