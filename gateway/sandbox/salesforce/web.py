"""HTTP around an org: sizes, faults, journal, sign-in; then REST, page and control.

Faults and the journal concern ``/services/`` only. The control API below
``/sandbox/`` answers loopback alone, and never a page of another origin.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from gateway.sandbox.salesforce import page, softphone
from gateway.sandbox.salesforce.config import (
    ConnectedApp,
    MicrophoneMode,
    PhoneIndexing,
)
from gateway.sandbox.salesforce.errors import (
    OAuthError,
    RestError,
    invalid_session,
    not_found,
)
from gateway.sandbox.salesforce.faults import (
    OPEN_CTI_PATH,
    Fault,
    FaultKind,
    fault_from_json,
)
from gateway.sandbox.salesforce.journal import Entry
from gateway.sandbox.salesforce.org import ORGANIZATION_ID, Org, limit_exceeded
from gateway.sandbox.salesforce.rest import as_mapping, call_from_url
from gateway.sandbox.salesforce.store import Record, duplicates_detected

PAGES = Path(__file__).parent / "pages"
MAX_URI_BYTES = 16_384  # facts, 3.2
MAX_HEADER_BYTES = 16_384  # facts, 3.2
MAX_BODY_BYTES = 6 * 1024 * 1024

_USER_COOKIE = "sandbox_user"
_MICROPHONE_COOKIE = "sandbox_microphone"
_UNANSWERED = frozenset({FaultKind.HANG, FaultKind.DOWN})
_OPEN_CTI_ERRORS = {
    FaultKind.OPEN_CTI_INVALID_PARAM: (
        "INVALID_PARAM",
        "An invalid value was passed to the parameter.",
    ),
    FaultKind.OPEN_CTI_GENERIC_ERROR: (
        "GENERIC_ERROR",
        "An error occurred while calling the API method.",
    ),
    FaultKind.OPEN_CTI_SERVER_ERROR: (
        "SERVER_ERROR",
        "A problem occurred on the server.",
    ),
    FaultKind.OPEN_CTI_SOFTPHONE_CONTAINER_ERROR: (
        "SOFTPHONE_CONTAINER_ERROR",
        "The API method can't be called because the softphone container hasn't "
        "initialized yet.",
    ),
}


def _json(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status,
        text=json.dumps(body, ensure_ascii=False),
        content_type="application/json",
        headers=headers,
    )


class WebShell:
    """Routes and handlers of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Let go of every request that hangs."""
        self._closing.set()

    def application(self) -> web.Application:
        app = web.Application(
            client_max_size=MAX_BODY_BYTES, middlewares=[self._guard_sizes]
        )
        add = app.router.add_route
        add("POST", "/services/oauth2/token", self._service)
        add("*", "/services/{tail:.*}", self._service)
        add("*", "/id/{org}/{user}", self._service)
        add("GET", "/support/api/{version}/lightning/opencti_min.js", self._client)
        add("GET", "/", self._home)
        add("GET", "/lightning", self._home)
        add("GET", "/lightning/{tail:.*}", self._document)
        add("GET", "/static/{name}", self._static)
        add("GET", "/favicon.ico", self._no_content)
        add("GET", "/sandbox/page/{what}", self._page_read)
        add("POST", "/sandbox/page/{what}", self._page_write)
        add("GET", "/sandbox/login", self._login)
        add("*", "/sandbox/{what:[a-z]+}", self._control)
        add("*", "/sandbox/{what:[a-z]+}/{which}", self._control)
        # A record's URL without /lightning, as links in old mails have it.
        add("GET", "/{record_id:[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?}", self._short_link)
        return app

    # -- sizes

    @web.middleware
    async def _guard_sizes(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        if len(request.raw_path.encode()) > MAX_URI_BYTES:
            return _json(
                [RestError(414, "URI_TOO_LONG", "URI Too Long").as_item()], 414
            )
        size = sum(len(name) + len(value) + 4 for name, value in request.raw_headers)
        if size > MAX_HEADER_BYTES:
            return _json(
                [
                    RestError(
                        431,
                        "REQUEST_HEADER_FIELDS_TOO_LARGE",
                        "Request Header Fields Too Large",
                    ).as_item()
                ],
                431,
            )
        return await handler(request)

    # -- services

    async def _service(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        is_token = request.path.startswith("/services/oauth2/")
        entry = self._org.journal.add(
            at=self._org.clock(),
            method=request.method,
            path=request.path,
            query="" if is_token else request.query_string,
            body="" if is_token else raw.decode("utf-8", "replace"),
        )
        fault = self._org.faults.strike(request.method, request.path)
        if fault is not None:
            entry.fault = fault.kind.value
            if (early := await self._before(request, fault)) is not None:
                entry.status = 0 if fault.kind in _UNANSWERED else early.status
                return early
        response = (
            self._oauth(request, raw) if is_token else self._rest(request, raw, entry)
        )
        self._org.save_if_changed()
        if fault is not None:
            match fault.kind:
                case FaultKind.LOST_REPLY:
                    return self._cut(request)
                case FaultKind.MALFORMED_BODY:
                    response = web.Response(
                        status=response.status,
                        text='{"records": [{"Id": "003',
                        content_type="application/json",
                    )
                case _:
                    pass
        entry.status = response.status
        return response

    @staticmethod
    def _cut(request: web.Request) -> web.Response:
        """Close the connection without an answer."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _before(self, request: web.Request, fault: Fault) -> web.Response | None:
        """What a fault does instead of the work; None to go on with it."""
        match fault.kind:
            case FaultKind.SERVER_UNAVAILABLE:
                error = RestError(
                    503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable"
                )
            case FaultKind.INVALID_SESSION_ID:
                error = invalid_session()
            case FaultKind.UNABLE_TO_LOCK_ROW:
                error = RestError(
                    400,
                    "UNABLE_TO_LOCK_ROW",
                    "unable to obtain exclusive access to this record or 1 records: "
                    "001RB0000000001",
                )
            case FaultKind.REQUEST_LIMIT_EXCEEDED:
                error = limit_exceeded()
            case FaultKind.UNKNOWN_EXCEPTION:
                error = RestError(
                    500, "UNKNOWN_EXCEPTION", "An unexpected error occurred."
                )
            case FaultKind.DUPLICATES_DETECTED:
                first = next(self._org.store.records("Contact"), None)
                known = first or self._org.default_user()
                error = duplicates_detected([known], status=fault.status)
            case FaultKind.SLOW:
                await self._wait(fault.delay_s)
                return None
            case FaultKind.HANG:
                await self._wait(fault.delay_s)
                return self._cut(request)
            case FaultKind.DOWN:
                return self._cut(request)
            case _:
                return None
        return self._refusal(error)

    async def _wait(self, delay_s: float) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._closing.wait()
        except TimeoutError:
            return

    def _refusal(self, error: RestError) -> web.Response:
        return _json(
            [error.as_item()],
            error.status,
            {"Sforce-Limit-Info": self._org.limit_info},
        )

    def _oauth(self, request: web.Request, raw: bytes) -> web.Response:
        own_url = f"{request.scheme}://{request.host}"
        try:
            match request.path:
                case "/services/oauth2/token" if request.method == "POST":
                    reply = self._org.tokens.exchange(
                        _form(raw), own_url=own_url, instance_url=own_url
                    )
                    return _json(reply, headers={"Cache-Control": "no-store"})
                case "/services/oauth2/revoke":
                    form = {**request.query, **_form(raw)}
                    if not self._org.tokens.revoke(form.get("token", "")):
                        raise OAuthError("unsupported_token_type", "invalid token")
                    return web.Response(status=200)
                case "/services/oauth2/userinfo":
                    user = self._bearer(request)
                    return _json(self._org.userinfo(user, own_url=own_url))
                case _:
                    return web.Response(status=404, text="Not found")
        except OAuthError as error:
            return _json(
                {"error": error.error, "error_description": error.description},
                error.status,
            )
        except RestError:
            return web.Response(status=403, text="Bad_OAuth_Token")

    def _bearer(self, request: web.Request) -> Record:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        user = (
            self._org.tokens.user_of(token.strip())
            if scheme.lower() in ("bearer", "oauth")
            else None
        )
        if user is None:
            raise invalid_session()
        return user

    def _rest(self, request: web.Request, raw: bytes, entry: Entry) -> web.Response:
        try:
            if request.path.rstrip("/") == "/services/data":
                return _json(self._org.api.versions())
            user = self._bearer(request)
            entry.user = user.id
            if request.path.startswith("/id/"):
                if request.match_info["user"] != user.id:
                    raise not_found()
                own_url = f"{request.scheme}://{request.host}"
                return _json(self._org.userinfo(user, own_url=own_url))
            self._org.count_call()
            call = call_from_url(
                _method_of(request),
                request.raw_path,
                user_id=user.id,
                headers=CIMultiDict(request.headers),
                body=_body_of(raw),
            )
            reply = self._org.api.answer(call)
        except RestError as error:
            return self._refusal(error)
        headers = {**reply.headers, "Sforce-Limit-Info": self._org.limit_info}
        if reply.body is None:
            return web.Response(status=reply.status, headers=headers)
        return _json(reply.body, reply.status, headers)

    # -- the page

    async def _home(self, request: web.Request) -> web.Response:
        query = f"?{request.query_string}" if request.query_string else ""
        raise web.HTTPFound(f"/lightning/o/Contact/list{query}")

    async def _short_link(self, request: web.Request) -> web.Response:
        record = self._org.store.find(request.match_info["record_id"])
        if record is None:
            raise web.HTTPNotFound
        raise web.HTTPFound(f"/lightning/r/{record.object.name}/{record.id}/view")

    async def _no_content(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _document(self, request: web.Request) -> web.Response:
        mode = self._microphone(request)
        origin = self._org.config.adapter_origin
        frames = [origin]
        if self._org.config.standby_url:
            frames.append(self._org.config.standby_url)
        headers = {
            "Content-Security-Policy": "default-src 'self'; base-uri 'none'; "
            f"object-src 'none'; frame-ancestors 'none'; frame-src {' '.join(frames)}",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        if mode is MicrophoneMode.BLOCKED:
            headers["Permissions-Policy"] = "microphone=()"
        response = web.Response(
            body=(PAGES / "index.html").read_bytes(),
            content_type="text/html",
            charset="utf-8",
            headers=headers,
        )
        if "mic" in request.query:
            response.set_cookie(_MICROPHONE_COOKIE, mode.value, samesite="Lax")
        return response

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        kinds = {".js": "text/javascript", ".css": "text/css"}
        file = PAGES / name
        if file.suffix not in kinds or file.parent != PAGES or not file.is_file():
            raise web.HTTPNotFound
        return web.Response(
            body=file.read_bytes(),
            content_type=kinds[file.suffix],
            charset="utf-8",
            headers={"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"},
        )

    async def _client(self, request: web.Request) -> web.Response:
        version = request.match_info["version"].removesuffix(".0")
        newest = int(self._org.config.api_version)
        known = version.isascii() and version.isdigit() and len(version) < 4
        if not known or not 43 <= int(version) <= newest:
            raise web.HTTPNotFound
        script = (PAGES / "opencti.js").read_text(encoding="utf-8")
        return web.Response(
            text=script.replace("__API_VERSION__", version),
            content_type="text/javascript",
            headers={"Cache-Control": "no-cache"},
        )

    def _user(self, request: web.Request) -> Record:
        found = self._org.user(request.cookies.get(_USER_COOKIE, ""))
        return found or self._org.default_user()

    def _microphone(self, request: web.Request) -> MicrophoneMode:
        for text in (
            request.query.get("mic"),
            request.cookies.get(_MICROPHONE_COOKIE),
        ):
            if text and text in tuple(MicrophoneMode):
                return MicrophoneMode(text)
        return self._org.config.microphone

    async def _login(self, request: web.Request) -> web.Response:
        user = self._org.user(request.query.get("user", ""))
        if user is None:
            raise web.HTTPNotFound(text="no such user")
        response = web.HTTPFound("/lightning/o/Contact/list")
        response.set_cookie(_USER_COOKIE, user.id, httponly=True, samesite="Lax")
        raise response

    async def _page_read(self, request: web.Request) -> web.Response:
        org = self._org
        try:
            match request.match_info["what"]:
                case "bootstrap":
                    user = self._user(request)
                    return _json(page.bootstrap(org, user, self._microphone(request)))
                case "list":
                    kind = org.store.object_named(request.query.get("object", ""))
                    return _json(page.list_view(org, kind))
                case "record":
                    record = org.store.find(request.query.get("id", ""))
                    if record is None:
                        raise not_found()
                    return _json(page.record_view(org, record))
                case "search":
                    return _json(page.search_view(org, request.query.get("q", "")))
                case "form":
                    kind = org.store.object_named(request.query.get("object", ""))
                    return _json(page.form(org, kind))
                case _:
                    raise not_found()
        except RestError as error:
            return _json([error.as_item()], error.status)

    async def _page_write(self, request: web.Request) -> web.Response:
        self._refuse_strangers(request)
        raw = await request.read()
        user = self._user(request)
        try:
            body = as_mapping(_body_of(raw))
            match request.match_info["what"]:
                case "create":
                    record = self._org.store.create(
                        str(body.get("object", "")),
                        as_mapping(body.get("fields")),
                        user_id=user.id,
                        allow_duplicates=body.get("allowDuplicates") is True,
                    )
                    result: object = {"id": record.id, "object": record.object.name}
                case "opencti":
                    result = await self._open_cti(user, body)
                case _:
                    raise not_found()
        except RestError as error:
            return _json([error.as_item()], error.status)
        self._org.save_if_changed()
        return _json(result)

    async def _open_cti(
        self, user: Record, body: Mapping[str, object]
    ) -> Mapping[str, object]:
        """One call of the softphone: ``{returnValue, pop}`` or ``{error}``."""
        method = str(body.get("methodName", ""))
        args = as_mapping(body.get("args"))
        path = OPEN_CTI_PATH + method
        entry = self._org.journal.add(
            at=self._org.clock(), method="POST", path=path, body=json.dumps(args)
        )
        entry.user = user.id
        entry.status = 200
        fault = self._org.faults.strike("POST", path)
        if fault is not None:
            entry.fault = fault.kind.value
            if fault.kind is FaultKind.OPEN_CTI_SILENT:
                return {"silent": True}
            code, description = _OPEN_CTI_ERRORS[fault.kind]
            return {
                "error": {"code": code, "description": description, "details": None}
            }
        try:
            match method:
                case "saveLog":
                    saved = softphone.save_log(self._org, user, args.get("object"))
                    return {"returnValue": saved}
                case "runApex":
                    text = softphone.run_apex(self._org, user, args)
                    return {"returnValue": {"runApex": text}}
                case "searchAndScreenPop":
                    found = softphone.search_and_screen_pop(self._org, args)
                    return {"returnValue": found["matches"], "pop": found["pop"]}
                case _:
                    return {"returnValue": None}
        except softphone.OpenCtiError as error:
            return {"error": error.as_json()}

    # -- control

    def _refuse_strangers(self, request: web.Request) -> None:
        """Only this machine, and of its pages only the org's own."""
        peer = request.transport and request.transport.get_extra_info("peername")
        try:
            address = ipaddress.ip_address(str(peer[0])) if peer else None
        except ValueError:
            address = None
        origin = request.headers.get("Origin")
        own = f"{request.scheme}://{request.host}"
        if address is None or not address.is_loopback or origin not in (None, own):
            raise web.HTTPForbidden(text="loopback only")
        host = request.host.rpartition(":")[0] or request.host
        if not (
            host in ("localhost", "127.0.0.1", "[::1]")
            or host.endswith((".force.com", ".salesforce.com"))
        ):
            raise web.HTTPForbidden(text="loopback only")

    async def _control(self, request: web.Request) -> web.Response:
        self._refuse_strangers(request)
        which = request.match_info.get("which", "")
        raw = await request.read()
        try:
            match (request.method, request.match_info["what"]):
                case ("GET", "faults"):
                    return _json([f.as_json() for f in self._org.faults.faults])
                case ("POST", "faults"):
                    fault = self._org.faults.add(fault_from_json(_loads(raw)))
                    return _json(fault.as_json(), 201)
                case ("DELETE", "faults"):
                    return self._delete_faults(which)
                case ("GET", "journal"):
                    found = self._org.journal.requests(
                        request.query.get("method", ""), request.query.get("path", "")
                    )
                    return _json([e.as_json() for e in found])
                case ("DELETE", "journal"):
                    self._org.journal.clear()
                    return web.Response(status=204)
                case ("GET", "records"):
                    kind = self._org.store.object_named(which)
                    rows = [r.values for r in self._org.store.records(kind.name)]
                    return _json(rows)
                case ("GET", "info"):
                    return _json(self._info())
                case ("DELETE", "sessions"):
                    return _json({"expired": self._org.tokens.expire_all()})
                case ("PATCH", "settings"):
                    self._change_settings(as_mapping(_loads(raw)))
                    return _json(self._info())
                case ("POST", "apps"):
                    self._register(as_mapping(_loads(raw)))
                    return web.Response(status=204)
                case _:
                    raise web.HTTPNotFound
        except (ValueError, TypeError) as error:
            return _json({"error": str(error)}, 400)
        except RestError as error:
            return _json([error.as_item()], error.status)

    def _delete_faults(self, which: str) -> web.Response:
        if not which:
            self._org.faults.clear()
        elif not which.isdigit() or not self._org.faults.remove(int(which)):
            raise web.HTTPNotFound
        return web.Response(status=204)

    def _register(self, body: Mapping[str, object]) -> None:
        if not body.get("consumer_key") or not body.get("public_key_pem"):
            raise ValueError("consumer_key and public_key_pem are needed")
        self._org.register(
            ConnectedApp(str(body["consumer_key"]), str(body["public_key_pem"]))
        )

    def _change_settings(self, body: Mapping[str, object]) -> None:
        readers: dict[str, Callable[[object], object]] = {
            "adapter_url": str,
            "gateway_url": str,
            "index_lag_s": _seconds,
            "daily_api_limit": _whole,
            "microphone": lambda text: MicrophoneMode(str(text)),
            "phone_indexing": lambda text: PhoneIndexing(str(text)),
            "standby_url": str,
            "adapter_timeout_ms": _whole,
        }
        unknown = sorted(set(body) - set(readers))
        if unknown:
            raise ValueError(f"cannot be changed: {', '.join(unknown)}")
        self._org.reconfigure(
            **{name: readers[name](value) for name, value in body.items()}
        )

    def _info(self) -> dict[str, object]:
        org = self._org
        return {
            "organization_id": ORGANIZATION_ID,
            "identity_public_key_pem": org.identity.public_key_pem,
            "adapter_url": org.config.adapter_url,
            "gateway_url": org.config.gateway_url,
            "users": [
                {
                    "id": u.id,
                    "username": u.values.get("Username"),
                    "name": u.display_name,
                    "login": f"/sandbox/login?user={quote(u.id)}",
                }
                for u in org.store.records("User")
            ],
            "api_calls": org.api_calls,
            "requests": org.journal.total,
        }


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError("a number from 0 is expected")
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number from 0 is expected")
    return value


def _loads(raw: bytes) -> object:
    try:
        return json.loads(raw or b"null")
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None


def _body_of(raw: bytes) -> object:
    try:
        return _loads(raw)
    except ValueError:
        raise RestError(
            400, "JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]"
        ) from None


def _form(raw: bytes) -> dict[str, str]:
    return dict(parse_qsl(raw.decode("utf-8", "replace")))


def _method_of(request: web.Request) -> str:
    """The method; ``_HttpMethod=PATCH`` on a POST stands for what it names."""
    override = request.query.get("_HttpMethod", "")
    return override.upper() if request.method == "POST" and override else request.method
