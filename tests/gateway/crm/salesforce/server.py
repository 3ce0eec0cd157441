"""The least that must answer for Salesforce: tokens, searches, activities by key.

Not the sandbox's simulator: here every answer can be bent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

DATA = "/services/data/v66.0"
KEY_FIELD = "Ringbridge_Key__c"


def make_key() -> tuple[str, Any]:
    """An RSA key: (PEM, public key)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode(), key.public_key()


@dataclass(slots=True)
class Fault:
    """One bent answer to the next request whose path contains ``path``.

    ``commits``: the request is done first, and only its answer is replaced.
    ``drops``: no answer, the connection is cut. ``waits``: until this is set.
    """

    path: str = DATA
    method: str = ""
    status: int = 500
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    commits: bool = False
    drops: bool = False
    waits: asyncio.Event | None = None
    times: int = 1


def error(code: str, message: str = "", **more: Any) -> list[dict[str, Any]]:
    return [{"errorCode": code, "message": message or code, **more}]


class FakeSalesforce:
    """``requests`` is every (method, path); ``tasks`` and ``events`` are by key;
    ``found`` is what a search gives."""

    def __init__(self, public_key: Any) -> None:
        self.requests: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.tasks: dict[str, dict[str, Any]] = {}
        self.events: dict[str, dict[str, Any]] = {}
        # What each Event became, in the order of writing: (key, Subject).
        self.history: list[tuple[str, str]] = []
        self.contacts: list[dict[str, Any]] = []
        self.accounts: dict[str, list[str]] = {}
        self.found: list[dict[str, Any]] = []
        self.searches: list[str] = []
        self.tokens: set[str] = set()
        self.issued: list[str] = []
        self.assertions: list[dict[str, Any]] = []
        self.refuse_tokens = False
        self.hidden_fields: set[str] = set()
        self.limit_info = "api-usage=18/5000"
        self.create_only_is_refused = True
        # Faults by chance: asked at each request.
        self.chaos: Callable[[], Fault | None] = lambda: None
        self.created: list[str] = []
        self.duplicate_keys: dict[str, list[str]] = {}
        self.no_body_on_update = False
        self.most_at_once = 0
        self._at_once = 0
        self._arrived = asyncio.Event()
        self._public_key = public_key
        self.app = web.Application(middlewares=[self._bend])
        self.app.router.add_post("/services/oauth2/token", self._token)
        self.app.router.add_get(f"{DATA}/search/", self._search)
        self.app.router.add_get(f"{DATA}/query/", self._query)
        self.app.router.add_post(f"{DATA}/sobjects/Contact/", self._contact)
        row = f"{DATA}/sobjects/{{kind:Task|Event}}/{KEY_FIELD}/{{key}}"
        self.app.router.add_patch(row, self._upsert)
        self.app.router.add_get(row, self._get_row)
        self.app.router.add_patch(f"{DATA}/sobjects/Task/{{id}}", self._update)

    def count(self, part: str) -> int:
        return sum(part in path for _, path in self.requests)

    async def until(self, part: str, count: int) -> None:
        """Wait until so many requests with this in their path have come."""
        while self.count(part) < count:
            self._arrived.clear()
            await self._arrived.wait()

    @web.middleware
    async def _bend(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        self._arrived.set()
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._answer(request, handler)
        finally:
            self._at_once -= 1

    async def _answer(self, request: web.Request, handler: Any) -> web.StreamResponse:
        await request.read()
        by_chance = self.chaos()
        for fault in [*self.faults, *([by_chance] if by_chance else [])]:
            if fault.path in request.path and fault.method in ("", request.method):
                fault.times -= 1
                if fault.times <= 0 and fault in self.faults:
                    self.faults.remove(fault)
                if fault.commits:
                    await handler(request)
                if fault.waits is not None:
                    await fault.waits.wait()
                if fault.drops:
                    assert request.transport is not None
                    request.transport.abort()
                    return web.Response()
                body = fault.body if isinstance(fault.body, bytes) else b""
                if fault.body is not None and not isinstance(fault.body, bytes):
                    body = json.dumps(fault.body).encode()
                return web.Response(
                    status=fault.status, body=body, headers=fault.headers
                )
        if request.path.startswith(DATA):
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self.refuse_tokens or given not in self.tokens:
                return web.json_response(
                    error("INVALID_SESSION_ID", "Session expired or invalid"),
                    status=401,
                )
        response: web.StreamResponse = await handler(request)
        response.headers["Sforce-Limit-Info"] = self.limit_info
        return response

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        claims = jwt.decode(
            str(form["assertion"]),
            self._public_key,
            algorithms=["RS256"],
            audience="https://login.salesforce.com",
        )
        self.assertions.append(claims)
        token = f"00D!secret{len(self.issued)}"
        self.issued.append(token)
        self.tokens.add(token)
        return web.json_response({"access_token": token, "token_type": "Bearer"})

    async def _search(self, request: web.Request) -> web.Response:
        text = request.query["q"]
        self.searches.append(text)
        for name in self.hidden_fields:
            if name in text:
                return web.json_response(error("INVALID_FIELD", name), status=400)
        return web.json_response({"searchRecords": self.found})

    async def _query(self, request: web.Request) -> web.Response:
        text = request.query["q"]
        ids: list[str] = []
        for name, matching in self.accounts.items():
            if "FROM Account" in text and f"'{name}'" in text:
                ids = matching
        if "FROM Contact" in text:
            ids = [
                contact["Id"]
                for contact in self.contacts
                if f"'{contact['LastName']}'" in text
            ]
        rows = [{"Id": record_id} for record_id in ids]
        return web.json_response(
            {"totalSize": len(rows), "done": True, "records": rows}
        )

    async def _contact(self, request: web.Request) -> web.Response:
        fields = await request.json()
        record_id = f"003{len(self.contacts):012}AAA"
        self.contacts.append({"Id": record_id, **fields})
        return web.json_response({"id": record_id, "success": True}, status=201)

    async def _upsert(self, request: web.Request) -> web.Response:
        key, fields = request.match_info["key"], await request.json()
        if key in self.duplicate_keys:
            return web.json_response(self.duplicate_keys[key], status=300)
        assert KEY_FIELD not in fields
        rows, prefix = self._rows(request)
        if rows is self.events:
            self.history.append((key, fields["Subject"]))
        old = rows.get(key)
        if old is not None:
            if "TaskSubtype" in fields and self.create_only_is_refused:
                return web.json_response(
                    error(
                        "INVALID_FIELD_FOR_INSERT_UPDATE",
                        "Unable to create/update fields: TaskSubtype.",
                        fields=["TaskSubtype"],
                    ),
                    status=400,
                )
            old.update(fields)
            if self.no_body_on_update:
                return web.Response(status=204)
            answer = {"id": old["Id"], "success": True, "created": False}
            return web.json_response(answer)
        record_id = f"{prefix}{len(rows):012}AAA"
        rows[key] = {"Id": record_id, **fields}
        self.created.append(key)
        return web.json_response(
            {"id": record_id, "success": True, "created": True}, status=201
        )

    async def _update(self, request: web.Request) -> web.Response:
        fields = await request.json()
        for row in self.tasks.values():
            if row["Id"] == request.match_info["id"]:
                row.update(fields)
                return web.Response(status=204)
        return web.json_response(error("NOT_FOUND"), status=404)

    def _rows(self, request: web.Request) -> tuple[dict[str, dict[str, Any]], str]:
        if request.match_info["kind"] == "Task":
            return self.tasks, "00T"
        return self.events, "00U"

    async def _get_row(self, request: web.Request) -> web.Response:
        found = self._rows(request)[0].get(request.match_info["key"])
        if found is None:
            message = "The requested resource does not exist"
            return web.json_response(error("NOT_FOUND", message), status=404)
        return web.json_response(found)
