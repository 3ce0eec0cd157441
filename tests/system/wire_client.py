"""A rep without a browser: the browser protocol as it is on the wire.

For scenarios where only signalling matters. Its SDP offers are a browser's in form,
but nobody ever does ICE for them.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import aiohttp

SUBPROTOCOL = "ringbridge.v1"
REPLY_TIMEOUT_S = 15.0


class WireError(Exception):
    """A JSON-RPC error; ``kind`` as the protocol names it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


def browser_offer() -> str:
    """An audio offer as Chromium writes it, with credentials of its own."""
    fingerprint = ":".join(f"{byte:02X}" for byte in secrets.token_bytes(32))
    return "\r\n".join(
        (
            "v=0",
            f"o=- {secrets.randbits(62)} 2 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "a=msid-semantic: WMS",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 9 0 8 126",
            "c=IN IP4 0.0.0.0",
            "a=rtcp:9 IN IP4 0.0.0.0",
            f"a=ice-ufrag:{secrets.token_hex(2)}",
            f"a=ice-pwd:{secrets.token_hex(12)}",
            "a=ice-options:trickle",
            f"a=fingerprint:sha-256 {fingerprint}",
            "a=setup:actpass",
            "a=mid:0",
            "a=sendrecv",
            "a=rtcp-mux",
            "a=rtpmap:111 opus/48000/2",
            "a=fmtp:111 minptime=10;useinbandfec=1",
            "a=rtpmap:9 G722/8000",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:126 telephone-event/8000",
            "",
        )
    )


class WireClient:
    """One signed-in user with one socket.

    Args:
        url: of the service.
        tenant, user, password: sign-in without a CRM.
    """

    def __init__(self, url: str, *, tenant: str, user: str, password: str) -> None:
        self._url = url
        self._credentials = {"tenant": tenant, "username": user, "password": password}
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next_id = 0
        self.snapshot: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self._grew = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        try:
            await self._sign_in(self._http)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _sign_in(self, http: aiohttp.ClientSession) -> None:
        token = await self._post(http, "/v1/sign-in", self._credentials)
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        ticket = await self._post(http, "/v1/sessions", {}, headers=headers)
        self._socket = await http.ws_connect(
            f"{self._url}/v1/ws", protocols=(SUBPROTOCOL,)
        )
        self._reader = asyncio.create_task(self._read(self._socket))
        hello = await self.request(
            "session.hello",
            ticket=ticket["ticket"],
            client={"name": "test", "version": "0", "instance_id": str(uuid.uuid4())},
        )
        self.snapshot = hello["snapshot"]

    async def _post(
        self,
        http: aiohttp.ClientSession,
        path: str,
        body: dict[str, str],
        *,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        async with http.post(self._url + path, json=body, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            if response.status != 200:
                raise WireError(answer["error"]["kind"], answer["error"]["message"])
            return answer

    async def close(self) -> None:
        """Drop the socket, as a closed page does; the session stays for its window."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader
        if self._http is not None:
            await self._http.close()

    @property
    def is_closed(self) -> bool:
        return self._socket is None or self._socket.closed

    async def sign_out(self) -> None:
        """End the session: calls end, the phone account leaves the registrar."""
        try:
            await self.command("session.close")
        except ConnectionError:
            # The socket may close before the reply is read.
            pass

    # Requests -----------------------------------------------------------------------

    async def request(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and wait for its result.

        Raises:
            WireError: the answer is an error.
            ConnectionError: the socket closed first.
        """
        if self._socket is None or self._socket.closed:
            raise ConnectionError("no socket")
        self._next_id += 1
        number = self._next_id
        reply: asyncio.Future[dict[str, Any]] = (
            asyncio.get_running_loop().create_future()
        )
        self._replies[number] = reply
        await self._socket.send_json(
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        )
        answer = await asyncio.wait_for(reply, REPLY_TIMEOUT_S)
        if "error" in answer:
            error = answer["error"]
            raise WireError(error.get("data", {}).get("kind", ""), error["message"])
        result: dict[str, Any] = answer["result"]
        return result

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """A request that changes something: with an ``op_id`` of its own."""
        return await self.request(method, op_id=str(uuid.uuid4()), **params)

    async def answer(self, call_id: str) -> None:
        await self.command(
            "call.answer", call_id=call_id, offer=browser_offer(), generation=1
        )

    async def dial(self, number: str) -> str:
        """Start a call; gives its id."""
        call_id = str(uuid.uuid4())
        await self.command(
            "call.create", call_id=call_id, to=number, offer=browser_offer()
        )
        return call_id

    async def hang_up(self, call_id: str) -> None:
        await self.command("call.hangup", call_id=call_id)

    # Events -------------------------------------------------------------------------

    async def wait_event(
        self,
        type: str,
        *,
        matches: Callable[[dict[str, Any]], bool] = lambda event: True,
        timeout_s: float = 10.0,
    ) -> dict[str, Any]:
        """Wait for the first event of a type that matches.

        Raises:
            TimeoutError: it did not come; the text has those that did.
        """

        def found() -> dict[str, Any] | None:
            for event in self.events:
                if event["type"] == type and matches(event):
                    return event
            return None

        try:
            async with asyncio.timeout(timeout_s), self._grew:
                await self._grew.wait_for(lambda: found() is not None)
        except TimeoutError:
            seen = [event["type"] for event in self.events]
            raise TimeoutError(f"no {type} among {seen}") from None
        event = found()
        assert event is not None
        return event

    async def wait_registered(self) -> None:
        """Wait until the phone account is registered."""
        if self.snapshot["registration"]["state"] != "registered":
            await self.wait_event(
                "registration.state",
                matches=lambda event: event["registration"]["state"] == "registered",
            )

    async def wait_ended(self, call_id: str) -> dict[str, Any]:
        """Wait for the end of a call; gives its last view."""
        event = await self.wait_event(
            "call.ended", matches=lambda event: event["call"]["call_id"] == call_id
        )
        view: dict[str, Any] = event["call"]
        return view

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            frame = message.json()
            if "id" in frame:
                reply = self._replies.pop(frame["id"], None)
                if reply is not None and not reply.done():
                    reply.set_result(frame)
            elif frame.get("method") == "event":
                async with self._grew:
                    self.events.append(frame["params"])
                    self._grew.notify_all()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ConnectionError("the socket closed"))
        self._replies.clear()
