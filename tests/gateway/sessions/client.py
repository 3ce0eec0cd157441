"""A client of the browser protocol for tests, checking what a browser would rely on.

``async with WireClient(http, base_url) as client: await client.sign_in_by_password(…);
await client.hello(); call = await client.event("call.incoming")``. Every frame is
checked against the wire types, every event against the gapless numbering.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import uuid
from collections.abc import Callable
from typing import Any

import aiohttp
from pydantic import TypeAdapter

from gateway.sessions import wire
from gateway.sessions.wire import AnyEvent, ErrorData, Snapshot, Wire

_EVENT: TypeAdapter[Any] = TypeAdapter(AnyEvent)


class WireError(Exception):
    """The server answered with an error."""

    def __init__(self, code: int, message: str, data: ErrorData) -> None:
        super().__init__(f"{data.kind}: {message}")
        self.code = code
        self.data = data
        self.kind = data.kind


class HttpFailure(Exception):
    """An HTTP answer that is an error."""

    def __init__(self, status: int, detail: wire.HttpErrorDetail) -> None:
        super().__init__(f"{status} {detail.kind}: {detail.message}")
        self.status = status
        self.kind = detail.kind


class SocketClosed(Exception):
    """The socket closed while something was waited for."""

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class WireClient:
    """One page: signs in once, connects as often as needed."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        base_url: str,
        *,
        instance_id: str | None = None,
        origin: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self.instance_id = instance_id or uuid.uuid4().hex
        self._headers = {"Origin": origin} if origin else {}
        self._timeout_s = timeout_s
        self.access_token = ""
        self.session_id = ""
        self.resume_token = ""
        self.last_seq = 0
        self.snapshot: Snapshot | None = None
        # Every event of this page, in order.
        self.events: list[Any] = []
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._changed = asyncio.Condition()
        self._taken = 0

    async def __aenter__(self) -> WireClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # HTTP -----------------------------------------------------------------------------

    async def post(self, path: str, body: object = None) -> dict[str, Any]:
        """POST with the access token.

        Raises:
            HttpFailure: the answer is an error.
        """
        headers = dict(self._headers)
        if self.access_token:
            headers["Authorization"] = f"Bearer {self.access_token}"
        async with self._http.post(
            self._base_url + path, json=body, headers=headers
        ) as response:
            answer: dict[str, Any] = await response.json()
            if response.status != 200:
                error = wire.HttpError.model_validate(answer).error
                raise HttpFailure(response.status, error)
            return answer

    async def sign_in_by_password(
        self, tenant: str, username: str, password: str
    ) -> wire.SignInResult:
        return await self._sign_in(
            {"tenant": tenant, "username": username, "password": password}
        )

    async def sign_in_by_assertion(self, assertion: str) -> wire.SignInResult:
        return await self._sign_in({"assertion": assertion})

    async def _sign_in(self, body: object) -> wire.SignInResult:
        self.access_token = ""
        result = wire.SignInResult.model_validate(await self.post("/v1/sign-in", body))
        self.access_token = result.access_token
        return result

    async def ticket(self) -> str:
        result = wire.TicketResult.model_validate(await self.post("/v1/sessions"))
        return result.ticket

    # The socket -----------------------------------------------------------------------

    async def connect(self) -> aiohttp.ClientWebSocketResponse:
        """A new socket, without a greeting; the one before is given up."""
        await self.lose()
        self.socket = await self._http.ws_connect(
            self._base_url.replace("http", "ws", 1) + "/v1/ws",
            protocols=(wire.SUBPROTOCOL,),
            headers=self._headers,
            max_msg_size=0,
        )
        self._reader = asyncio.get_running_loop().create_task(self._read(self.socket))
        return self.socket

    async def hello(self, *, ticket: str | None = None) -> wire.SessionHelloResult:
        """Connect as a new page."""
        ticket = ticket or await self.ticket()
        await self.connect()
        result = await self.request(
            "session.hello",
            ticket=ticket,
            client={
                "name": "wire-client",
                "version": "1",
                "instance_id": self.instance_id,
            },
        )
        assert isinstance(result, wire.SessionHelloResult)
        return result

    async def resume(self) -> wire.SessionResumeResult:
        """Connect again as the same page."""
        await self.connect()
        result = await self.request(
            "session.resume",
            session_id=self.session_id,
            resume_token=self.resume_token,
            instance_id=self.instance_id,
            last_seq=self.last_seq,
        )
        assert isinstance(result, wire.SessionResumeResult)
        return result

    async def request(self, method: str, **params: Any) -> Wire:
        """Send a request; an ``op_id`` is made if the method takes one.

        Raises:
            WireError: the answer is an error.
            SocketClosed: there will be no answer.
        """
        parameters, result = wire.METHODS[method]
        if "op_id" in parameters.model_fields:
            params.setdefault("op_id", uuid.uuid4().hex)
        answer = await self.raw(method, params)
        if "error" in answer:
            error = answer["error"]
            data = ErrorData.model_validate(error["data"])
            raise WireError(error["code"], error["message"], data)
        return result.model_validate(answer["result"])

    async def raw(self, method: str, params: object) -> dict[str, Any]:
        """Send any request and give the whole response."""
        assert self.socket is not None
        request_id = next(self._ids)
        future: asyncio.Future[dict[str, Any]]
        future = asyncio.get_running_loop().create_future()
        self._answers[request_id] = future
        await self.socket.send_str(
            json.dumps(
                {
                    "jsonrpc": "2.0",
                    "id": request_id,
                    "method": method,
                    "params": params,
                }
            )
        )
        async with asyncio.timeout(self._timeout_s):
            return await future

    async def event(
        self,
        type_: str | None = None,
        *,
        where: Callable[[Any], bool] = lambda _: True,
        timeout_s: float | None = None,
    ) -> Any:
        """The next event of this type that was not taken yet; others are passed."""
        async with asyncio.timeout(timeout_s or self._timeout_s), self._changed:
            while True:
                while self._taken < len(self.events):
                    event = self.events[self._taken]
                    self._taken += 1
                    if type_ in (None, event.type) and where(event):
                        return event
                if self.socket is None or self.socket.closed:
                    code = None if self.socket is None else self.socket.close_code
                    raise SocketClosed(code)
                await self._changed.wait()

    async def closed(self) -> int | None:
        """Wait until the server has closed the socket; the close code."""
        assert self._reader is not None
        assert self.socket is not None
        async with asyncio.timeout(self._timeout_s):
            await asyncio.wait((self._reader,))
        return self.socket.close_code

    async def lose(self) -> None:
        """Cut the connection as a network would, without a closing handshake."""
        if self.socket is None or self._reader is None:
            return
        connection = self.socket.get_extra_info("socket")
        if connection is not None and not self.socket.closed:
            transport = self.socket._response.connection
            if transport is not None and transport.transport is not None:
                transport.transport.abort()
        await asyncio.wait((self._reader,))

    async def close(self) -> None:
        if self.socket is not None and self._reader is not None:
            await self.socket.close()
            await asyncio.wait((self._reader,))

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                async with self._changed:
                    self._take(json.loads(message.data))
                    self._changed.notify_all()
        finally:
            for future in self._answers.values():
                if not future.done():
                    future.set_exception(SocketClosed(socket.close_code))
                    # Whoever asked may have given up already.
                    future.exception()
            self._answers.clear()
            async with self._changed:
                self._changed.notify_all()

    def _take(self, frame: dict[str, Any]) -> None:
        assert frame["jsonrpc"] == "2.0"
        if frame.get("method") == "event":
            event = _EVENT.validate_python(frame["params"])
            assert event.seq == self.last_seq + 1, (event.seq, self.last_seq)
            self.last_seq = event.seq
            self.events.append(event)
            return
        # Here and not in hello() and resume(): events follow in the same breath.
        result = frame.get("result", {})
        if "resume_token" in result:
            self.resume_token = result["resume_token"]
            self.session_id = result.get("session_id", self.session_id)
            if "snapshot" in result:
                self.snapshot = Snapshot.model_validate(result["snapshot"])
                self.last_seq = result["seq"]
        future = self._answers.pop(frame["id"], None)
        if future is not None and not future.done():
            future.set_result(frame)
