"""The pages that stand for the telephones around the rep, and for the mailbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from importlib import resources

from aiohttp import web

from gateway.sandbox import mailbox_page
from gateway.sandbox.mailbox import Mailbox
from gateway.sandbox.phone import Phone

MAX_EVENTS = 64
# A page that is gone is noticed by this.
KEEPALIVE_S = 3.0
_FILES = {
    "": "index.html",
    "console.css": "console.css",
    "console.js": "console.js",
    "mailbox": "mailbox.html",
    "mailbox.js": "mailbox.js",
}
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}


class Console:
    """Serves the pages; :meth:`phones_changed`, :meth:`say` and
    :meth:`mails_changed` update them.

    ``calls`` maps a phone's name to the (label, number) its button dials.
    """

    def __init__(
        self,
        phones: Mapping[str, Phone],
        calls: Mapping[str, tuple[str, str]],
        *,
        mailbox: Mailbox,
        now: Callable[[], float],
    ) -> None:
        self._mailbox = mailbox
        self._phones = phones
        self._calls = calls
        self._now = now
        self._pages: set[asyncio.Queue[tuple[str, object]]] = set()
        self._closing = asyncio.Event()

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application()
        app.router.add_get("/events", self._events)
        app.router.add_post("/phones/{name}/{action}", self._act)
        mailbox_page.add_routes(app, self._mailbox)
        app.router.add_get("/{file:[a-z.]*}", self._file)
        app.on_shutdown.append(self._shut_down)
        return app

    async def _shut_down(self, _: web.Application) -> None:
        self._closing.set()

    def phones_changed(self) -> None:
        """Some phone's state changed."""
        self._tell("phones", self._view())

    def mails_changed(self) -> None:
        """There is a new mail."""
        self._tell("mails", mailbox_page.listing(self._mailbox))

    def say(self, text: str) -> None:
        """The application server did something worth a line."""
        self._tell("entry", {"at": self._now(), "text": text})

    def _tell(self, kind: str, data: object) -> None:
        for page in self._pages:
            if not page.full():
                page.put_nowait((kind, data))

    def _view(self) -> list[dict[str, object]]:
        return [
            {
                "name": name,
                "label": phone.config.label,
                "number": phone.config.number,
                "state": phone.state.value,
                "otherParty": phone.other_party,
                "lastEnd": phone.last_end,
                "registered": phone.is_registered,
                "calls": self._calls[name][0] if name in self._calls else "",
            }
            for name, phone in self._phones.items()
        ]

    async def _file(self, request: web.Request) -> web.Response:
        name = _FILES.get(request.match_info["file"])
        if name is None:
            raise web.HTTPNotFound
        text = resources.files("gateway.sandbox").joinpath(f"console/{name}")
        return web.Response(
            text=text.read_text(encoding="utf-8"),
            content_type=_TYPES[name.rpartition(".")[2]],
            headers={
                "Content-Security-Policy": (
                    "default-src 'self'; img-src data:; frame-ancestors 'none'"
                ),
                "Cache-Control": "no-cache",
            },
        )

    async def _act(self, request: web.Request) -> web.Response:
        # Another site's page must not be able to make the phones ring.
        if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise web.HTTPForbidden
        name, action = request.match_info["name"], request.match_info["action"]
        phone = self._phones.get(name)
        if phone is None:
            raise web.HTTPNotFound
        match action:
            case "call" if name in self._calls:
                await phone.dial(self._calls[name][1])
            case "answer":
                await phone.answer()
            case "hangup":
                phone.hang_up()
            case _:
                raise web.HTTPNotFound
        return web.Response(status=204)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        page: asyncio.Queue[tuple[str, object]] = asyncio.Queue(MAX_EVENTS)
        page.put_nowait(("phones", self._view()))
        page.put_nowait(("mails", mailbox_page.listing(self._mailbox)))
        self._pages.add(page)
        closing = asyncio.create_task(self._closing.wait())
        try:
            while not self._closing.is_set():
                next_ = asyncio.create_task(page.get())
                done, _ = await asyncio.wait(
                    {next_, closing},
                    timeout=KEEPALIVE_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if next_ in done:
                    kind, data = next_.result()
                    await response.write(
                        f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
                    )
                else:
                    next_.cancel()
                    await response.write(b": still here\n\n")
        except ConnectionResetError:
            pass
        finally:
            closing.cancel()
            self._pages.discard(page)
        return response
