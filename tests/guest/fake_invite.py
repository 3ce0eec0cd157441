"""The widget tests' gateway, for somebody who comes by an invite's link."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from pydantic import BaseModel

from gateway.pages import join_headers
from gateway.sessions import wire
from tests.widget.fake_gateway import NOBODY, TOKEN, WEB, FakeGateway, now_ms, peer

LINK = "Zm9yLWEtdmlkZW8tY2FsbC13aXRoLVJvYmlu"
MINUTE_MS = 60_000
CALENDAR = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"


class FakeInvite(FakeGateway):
    """``view`` is what the link leads to; times are relative to this moment."""

    def __init__(self) -> None:
        super().__init__()
        start = now_ms() // MINUTE_MS * MINUTE_MS
        self.view = wire.JoinView(
            state=wire.JoinState.OPEN,
            subject="Renewal of your contract",
            host="Robin Reyes",
            company="Acme Corp",
            contact="robin.reyes@acme.example",
            guest="Ana Ruiz",
            language="en",
            time_zone="UTC",
            opens_at=start - 5 * MINUTE_MS,
            starts_at=start,
            ends_at=start + 30 * MINUTE_MS,
            server_time=0,
        )
        self.user = wire.UserView(
            id="guest:1",
            name="Ana Ruiz",
            number="",
            tenant="acme",
            company="Acme Corp",
            role=wire.UserRole.GUEST,
        )
        self.crm = ""
        # Of the server's clock, against this machine's.
        self.clock_offset_ms = 0
        # Instead of an answer to each of the endpoints: an HTTP status.
        self.status = 0
        self.looks: list[wire.JoinByLink] = []
        self.entries: list[wire.JoinSession] = []
        self.calendars = 0

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/join/{token:.*}", self._page_of_link)
        app.router.add_post("/v1/join", self._look)
        app.router.add_post("/v1/join/session", self._enter)
        app.router.add_post("/v1/join/calendar", self._calendar)

    def shows(self, **changes: Any) -> None:
        self.view = self.view.model_copy(update=changes)

    def opens_in(self, seconds: float) -> None:
        """By the server's clock, whatever that is."""
        opens = now_ms() + self.clock_offset_ms + int(seconds * 1000)
        self.shows(
            state=wire.JoinState.EARLY,
            opens_at=opens,
            starts_at=opens + 5 * MINUTE_MS,
            ends_at=opens + 35 * MINUTE_MS,
        )

    def ends_in(self, seconds: float) -> None:
        self.shows(ends_at=now_ms() + self.clock_offset_ms + int(seconds * 1000))

    def now(self) -> int:
        return now_ms() + self.clock_offset_ms

    def snapshot(self) -> wire.Snapshot:
        self.join = self._seen()
        return super().snapshot()

    def _seen(self) -> wire.JoinView:
        time = now_ms() + self.clock_offset_ms
        view = self.view.model_copy(update={"server_time": time})
        if view.state is wire.JoinState.EARLY and view.opens_at <= time:
            view = view.model_copy(update={"state": wire.JoinState.OPEN})
        return view

    async def _page_of_link(self, request: web.Request) -> web.StreamResponse:
        page = (WEB / "guest" / "index.html").read_text()
        return web.Response(
            text=page, content_type="text/html", headers=join_headers(request.host)
        )

    async def _look(self, request: web.Request) -> web.Response:
        self._refuse()
        asked = wire.JoinByLink.model_validate(await request.json())
        self.looks.append(asked)
        await self._notify()
        if asked.token != LINK:
            return _answer(
                wire.JoinView(state=wire.JoinState.UNKNOWN, server_time=now_ms())
            )
        return _answer(self._seen())

    async def _enter(self, request: web.Request) -> web.Response:
        self._refuse()
        entry = wire.JoinSession.model_validate(await request.json())
        assert entry.token == LINK
        assert entry.browser == self.looks[0].browser
        self.entries.append(entry)
        self.user = self.user.model_copy(update={"name": entry.name})
        await self._notify()
        return _answer(
            wire.SignInResult(access_token=TOKEN, expires_in=3600, user=self.user)
        )

    async def _calendar(self, request: web.Request) -> web.Response:
        self._refuse()
        wire.JoinByLink.model_validate(await request.json())
        self.calendars += 1
        return _answer(wire.JoinCalendar(text=CALENDAR))

    def _refuse(self) -> None:
        if self.status == 429:
            raise web.HTTPTooManyRequests
        if self.status == 404:
            raise web.HTTPNotFound
        if self.status:
            raise web.HTTPServiceUnavailable

    # What a test makes happen ----------------------------------------------------

    async def ringing(self, joins: int | None = None) -> str:
        """The guest's call, the ``joins``th or else the last so far, has reached the
        host's devices."""
        count = joins or len(self.sent("call.join")) or 1
        joined = await self.until_sent("call.join", count)
        call_id: str = joined.call_id
        await self.until_media_answered(call_id)
        await self.alerting(call_id)
        return call_id

    async def until_media_answered(self, call_id: str) -> None:
        """The gateway proper answers before anything else happens, as this one does
        not by itself: it is slower at descriptions."""
        await self.until(lambda: self.media.has(call_id, 1))

    async def host_answers(self, call_id: str, *, has_video: bool = True) -> None:
        await self.answered(call_id)
        state = wire.VideoState.ACTIVE if has_video else wire.VideoState.NONE
        await self.update(
            call_id,
            video=wire.VideoView(state=state, sends=has_video, receives=has_video),
        )

    def running_call(self, call_id: str, **changes: Any) -> wire.CallView:
        """A call that another page of this guest's has begun."""
        call = self.make_call(
            call_id=call_id,
            direction=wire.CallDirection.OUTBOUND,
            state=wire.CallState.ACTIVE,
            who=peer("", ""),
            match=NOBODY,
            answered_at=now_ms(),
            media_generation=1,
            **changes,
        )
        self.calls[call_id] = call
        return call


def _answer(body: BaseModel) -> web.Response:
    return web.Response(
        text=body.model_dump_json(exclude_none=True), content_type="application/json"
    )
