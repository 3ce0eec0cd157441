"""HTTP of the Lightning-like page: documents, scripts, and what they ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from gateway.sandbox.salesforce import page, softphone
from gateway.sandbox.salesforce.config import MicrophoneMode
from gateway.sandbox.salesforce.duplicates import DuplicateOptions
from gateway.sandbox.salesforce.errors import RestError, not_found
from gateway.sandbox.salesforce.faults import OPEN_CTI_PATH, FaultKind
from gateway.sandbox.salesforce.oauth_web import USER_COOKIE
from gateway.sandbox.salesforce.org import Org
from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.replies import body_of, json_reply, refuse_strangers
from gateway.sandbox.salesforce.rest import as_mapping

PAGES = Path(__file__).parent / "pages"
_MICROPHONE_COOKIE = "sandbox_microphone"
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


class PageShell:
    """Handlers of the page and of the softphone in it."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def add_routes(self, router: web.UrlDispatcher) -> None:
        add = router.add_route
        add("GET", "/support/api/{version}/lightning/opencti_min.js", self.client)
        add("GET", "/", self.home)
        add("GET", "/lightning", self.home)
        add("GET", "/lightning/{tail:.*}", self.document)
        add("GET", "/static/{name}", self.static)
        add("GET", "/favicon.ico", self.no_content)
        add("GET", "/sandbox/page/{what}", self.page_read)
        add("POST", "/sandbox/page/{what}", self.page_write)
        add("GET", "/sandbox/login", self.login)
        # A record's URL without /lightning, as links in old mails have it.
        add("GET", "/{record_id:[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?}", self.short_link)

    async def home(self, request: web.Request) -> web.Response:
        query = f"?{request.query_string}" if request.query_string else ""
        raise web.HTTPFound(f"/lightning/o/Contact/list{query}")

    async def short_link(self, request: web.Request) -> web.Response:
        record = self._org.store.find(request.match_info["record_id"])
        if record is None:
            raise web.HTTPNotFound
        raise web.HTTPFound(f"/lightning/r/{record.object.name}/{record.id}/view")

    async def no_content(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def document(self, request: web.Request) -> web.Response:
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

    async def static(self, request: web.Request) -> web.Response:
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

    async def client(self, request: web.Request) -> web.Response:
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

    def user_of(self, request: web.Request) -> Record:
        found = self._org.user(request.cookies.get(USER_COOKIE, ""))
        return found or self._org.default_user()

    def _microphone(self, request: web.Request) -> MicrophoneMode:
        for text in (
            request.query.get("mic"),
            request.cookies.get(_MICROPHONE_COOKIE),
        ):
            if text and text in tuple(MicrophoneMode):
                return MicrophoneMode(text)
        return self._org.config.microphone

    async def login(self, request: web.Request) -> web.Response:
        user = self._org.user(request.query.get("user", ""))
        if user is None:
            raise web.HTTPNotFound(text="no such user")
        response = web.HTTPFound("/lightning/o/Contact/list")
        response.set_cookie(USER_COOKIE, user.id, httponly=True, samesite="Lax")
        raise response

    async def page_read(self, request: web.Request) -> web.Response:
        org = self._org
        try:
            match request.match_info["what"]:
                case "bootstrap":
                    user = self.user_of(request)
                    return json_reply(
                        page.bootstrap(org, user, self._microphone(request))
                    )
                case "list":
                    kind = org.store.object_named(request.query.get("object", ""))
                    return json_reply(page.list_view(org, kind))
                case "record":
                    record = org.store.find(request.query.get("id", ""))
                    if record is None:
                        raise not_found()
                    return json_reply(page.record_view(org, record))
                case "search":
                    return json_reply(page.search_view(org, request.query.get("q", "")))
                case "form":
                    kind = org.store.object_named(request.query.get("object", ""))
                    return json_reply(page.form(org, kind))
                case _:
                    raise not_found()
        except RestError as error:
            return json_reply([error.as_item()], error.status)

    async def page_write(self, request: web.Request) -> web.Response:
        refuse_strangers(request)
        raw = await request.read()
        user = self.user_of(request)
        try:
            body = as_mapping(body_of(raw))
            match request.match_info["what"]:
                case "create":
                    record = self._org.store.create(
                        str(body.get("object", "")),
                        as_mapping(body.get("fields")),
                        user_id=user.id,
                        options=DuplicateOptions(
                            allow_save=body.get("allowDuplicates") is True
                        ),
                        schema=self._org.view(user.id),
                    )
                    result: object = {"id": record.id, "object": record.object.name}
                case "opencti":
                    result = await self._open_cti(user, body)
                case _:
                    raise not_found()
        except RestError as error:
            return json_reply([error.as_item()], error.status)
        self._org.save_if_changed()
        return json_reply(result)

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
