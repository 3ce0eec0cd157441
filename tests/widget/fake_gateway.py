"""A gateway for the widget's tests: real wire types, real SDP, scripted behaviour.

Every request is validated by ``wire.METHODS`` and every message leaves through a
wire type, so the widget cannot drift from the protocol unseen. Media is real, see
``fake_media``; what the far end does is said by the test.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web
from pydantic import ValidationError

from gateway.sessions import wire
from gateway.sessions.counters import SessionCounters
from gateway.sessions.pages import Change, Page, Pages
from gateway.sessions.roles import needs_phone
from gateway.sessions.websocket import SocketOutlet
from tests.widget.fake_media import FakeMedia, Member, video_of

WEB = Path(__file__).parents[2] / "sfdc_widget" / "web"
TOKEN = "access-token-of-the-tests"
# The SDK alone, as somebody else's page has it.
BARE_PAGE = '<!doctype html><script type="module" src="/bare.js"></script>'
BARE_SCRIPT = """
import { RingbridgeClient } from '/widget/client/index.js';
globalThis.client = new RingbridgeClient({ baseUrl: location.origin });
client.start();
"""
# Longer than any test.
PATIENCE_S = 600.0

Override = Callable[[Any], Awaitable[wire.Wire]]


class Refused(Exception):
    """An override's way of answering with an error."""

    def __init__(self, kind: wire.ErrorKind, **data: Any) -> None:
        super().__init__(kind)
        self.data = wire.ErrorData(kind=kind, **data)


@dataclass
class Session:
    id: str
    token: str
    instance: str
    seq: int = 0
    events: list[wire.Event] = field(default_factory=list)
    acknowledged: int = 0
    socket: SocketOutlet | None = None


@dataclass
class Request:
    method: str
    params: Any
    at: float


def record(
    name: str = "Ana Ruiz",
    *,
    id: str = "003000000000001AAA",
    kind: str = "Contact",
    company: str = "Acme Corp",
    **more: Any,
) -> wire.Record:
    return wire.Record(
        id=id,
        kind=kind,
        name=name,
        company=company,
        url=f"https://acme.example.com/{id}",
        **more,
    )


FOUND = wire.Match(state=wire.MatchState.FOUND, records=(record(),))
NOBODY = wire.Match(state=wire.MatchState.NONE)
SEARCHING = wire.Match(state=wire.MatchState.SEARCHING)


def colleague(
    name: str,
    number: str,
    state: wire.EntryState = wire.EntryState.AVAILABLE,
    **more: Any,
) -> wire.DirectoryEntry:
    return wire.DirectoryEntry(
        kind=wire.EntryKind.COLLEAGUE, name=name, number=number, state=state, **more
    )


def in_crm(name: str, number: str, **more: Any) -> wire.DirectoryEntry:
    found = record(name)
    return wire.DirectoryEntry(
        kind=wire.EntryKind.RECORD,
        name=name,
        number=number,
        company=found.company,
        record=found,
        **more,
    )


def peer(
    number: str = "+16465550175",
    national: str = "+1 (646) 555-0175",
    display_name: str = "",
) -> wire.Peer:
    return wire.Peer(
        number=number,
        national=national,
        e164=number if number.startswith("+") else "",
        display_name=display_name,
    )


def now_ms() -> int:
    return int(time.time() * 1000)


def guest(
    name: str = "Ana Ruiz", email: str = "ana@example.com", **more: Any
) -> wire.GuestView:
    return wire.GuestView(
        guest_id=f"guest-of-{email}", name=name, email=email, mail=SENT, **more
    )


SENT = wire.MailState.SENT


def invite(
    invite_id: str = "i1",
    *,
    subject: str = "Renewal",
    in_minutes: float = 60,
    minutes: float = 30,
    state: wire.InviteState = wire.InviteState.SCHEDULED,
    guests: tuple[wire.GuestView, ...] | None = None,
    **more: Any,
) -> wire.InviteView:
    starts = now_ms() + int(in_minutes * 60_000)
    return wire.InviteView(
        invite_id=invite_id,
        state=state,
        subject=subject,
        starts_at=starts,
        ends_at=starts + int(minutes * 60_000),
        opens_at=starts - 600_000,
        time_zone="Europe/Berlin",
        language="en",
        guests=guests or (guest(),),
        **more,
    )


class Nowhere:
    """The socket of a page that is not looked at."""

    def send(self, frame: str) -> None:
        del frame

    def close(self, code: int, reason: str) -> None:
        del code, reason


class FakeGateway:
    def __init__(self) -> None:
        self.user = wire.UserView(
            id="rep",
            name="Sam Rivera",
            number="1000",
            tenant="acme",
            company="Acme Corp",
            invites_from="sam@acme.example",
        )
        self.registration = wire.Registration(state=wire.RegistrationState.REGISTERED)
        self.crm = "Salesforce"
        self.calls: dict[str, wire.CallView] = {}
        self.history: list[wire.CallView] = []
        self.presence = wire.PresenceState.AVAILABLE
        self.rules = wire.WidgetRules()
        self.directory: list[wire.DirectoryEntry] = []
        self.is_directory_complete = True
        self.people: list[wire.Record] = [record(email="ana@example.com")]
        self.invites: dict[str, wire.InviteView] = {}
        self.join: wire.JoinView | None = None
        self.rules = wire.WidgetRules()
        self.config: dict[str, Any] = {}
        self.requests: list[Request] = []
        self.sign_ins: list[dict[str, Any]] = []
        self.accepts_token = True
        # Bodies of what prolongs a sign-in, and of what ends one.
        self.refreshes: list[dict[str, Any]] = []
        self.sign_outs: list[dict[str, Any]] = []
        self.refresh_gate = asyncio.Event()
        self.refresh_gate.set()
        self.refresh_status = 200
        self.token_lasts_s = 3600
        self.overrides: dict[str, Override] = {}
        self.sessions: dict[str, Session] = {}
        # The far end takes part in video.
        self.has_far_video = True
        self.answers_sockets = True
        self.turn_is_up = asyncio.Event()
        self.turn_is_up.set()
        self.is_deaf = False
        self.sockets: set[SocketOutlet] = set()
        self.accepted = 0
        self.url = ""
        self.script_origin = ""
        self._tickets: set[str] = set()
        # Ids of sessions that another page has taken over.
        self._superseded: set[str] = set()
        # The gateway's own: which page has the phone.
        self.pages = Pages(grace_s=0.5)
        self.muted: tuple[str, ...] = ()
        self._tasks: set[asyncio.Future[None]] = set()
        self._election: asyncio.TimerHandle | None = None
        self._results: dict[str, wire.Wire] = {}
        self._changed = asyncio.Condition()
        self.media = FakeMedia(self._notify)
        self._counter = 0
        self._runner: web.AppRunner | None = None

    # Life ---------------------------------------------------------------------

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/sign-in", self._sign_in)
        app.router.add_post("/v1/sign-in/refresh", self._refresh)
        app.router.add_post("/v1/sign-out", self._sign_out)
        app.router.add_post("/v1/sessions", self._create_ticket)
        app.router.add_post("/v1/turn", self._turn)
        app.router.add_get("/v1/ws", self._socket)
        self.add_routes(app)
        app.router.add_get("/widget/config.json", self._config)
        app.router.add_get("/widget/", self._page("index.html"))
        app.router.add_get("/widget/salesforce", self._page("salesforce.html"))
        app.router.add_get("/bare", self._text(BARE_PAGE, "text/html"))
        app.router.add_get("/bare.js", self._text(BARE_SCRIPT, "text/javascript"))
        app.router.add_static("/widget/", WEB)
        app.on_response_prepare.append(self._harden)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    def add_routes(self, app: web.Application) -> None:
        """For those who need more than the widget does."""

    async def stop(self) -> None:
        await self.media.close()
        if self._election is not None:
            self._election.cancel()
        for socket in list(self.sockets):
            socket.close(1001, "the test is over")
        if self._runner is not None:
            await self._runner.cleanup()

    async def _harden(self, request: web.Request, response: web.StreamResponse) -> None:
        del request
        response.headers.setdefault(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'self'; img-src 'self'; "
            f"script-src 'self' {self.script_origin}; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'",
        )
        response.headers["X-Content-Type-Options"] = "nosniff"

    def _page(
        self, name: str
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            del request
            return web.FileResponse(WEB / name)

        return serve

    def _text(
        self, text: str, content_type: str
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            del request
            return web.Response(text=text, content_type=content_type)

        return serve

    async def _config(self, request: web.Request) -> web.Response:
        del request
        return web.json_response(self.config)

    # HTTP ---------------------------------------------------------------------

    async def _sign_in(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.sign_ins.append(body)
        await self._notify()
        if body.get("password") == "secret" or body.get("assertion") == "good":
            return self._tokens()
        if body.get("sip_password") == "secret" or body.get("code") == "good":
            return self._tokens()
        return web.json_response(
            {"error": {"kind": "auth.denied", "message": "No."}}, status=401
        )

    def _tokens(self) -> web.Response:
        result = wire.SignInResult(
            access_token=TOKEN,
            expires_in=self.token_lasts_s,
            refresh_token=f"family.{len(self.refreshes)}.mac",
            user=self.user,
        )
        return web.json_response(result.model_dump(mode="json"))

    async def _refresh(self, request: web.Request) -> web.Response:
        self.refreshes.append(await request.json())
        await self._notify()
        await self.refresh_gate.wait()
        if self.refresh_status != 200:
            return web.json_response(
                {"error": {"kind": "auth.expired", "message": "Over."}},
                status=self.refresh_status,
            )
        self.accepts_token = True
        return self._tokens()

    async def _sign_out(self, request: web.Request) -> web.Response:
        self.sign_outs.append(await request.json())
        await self._notify()
        return web.json_response({})

    async def _create_ticket(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}" or not (
            self.accepts_token
        ):
            return web.json_response(
                {"error": {"kind": "auth.expired", "message": "Expired."}}, status=401
            )
        ticket = self._new_id("ticket")
        self._tickets.add(ticket)
        return web.json_response({"ticket": ticket, "expires_in": 30})

    async def _turn(self, request: web.Request) -> web.Response:
        await self.turn_is_up.wait()
        del request
        return web.json_response({"ice_servers": []})

    # WebSocket ----------------------------------------------------------------

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not self.answers_sockets:
            raise web.HTTPServiceUnavailable
        response = web.WebSocketResponse(protocols=(wire.SUBPROTOCOL,))
        await response.prepare(request)
        assert request.transport is not None
        # The gateway's own: a close code must arrive here as it does there.
        socket = SocketOutlet(
            response, request.transport.abort, counters=SessionCounters()
        )
        writer = asyncio.create_task(socket.run())
        self.accepted += 1
        self.sockets.add(socket)
        await self._notify()
        try:
            await self._serve(socket)
        finally:
            self.sockets.discard(socket)
            socket.close(1000, "")
            await asyncio.wait((writer,))
        return response

    async def _serve(self, socket: SocketOutlet) -> None:
        session: Session | None = None
        while (message := await socket.receive(PATIENCE_S)) is not None:
            if message.type is not WSMsgType.TEXT:
                break
            if self.is_deaf:
                continue
            frame = json.loads(message.data)
            method = frame["method"]
            try:
                params = wire.METHODS[method][0].model_validate(frame["params"])
            except ValidationError as error:
                raise AssertionError(f"{method}: {error}") from error
            self.requests.append(Request(method, params, time.monotonic()))
            await self._notify()
            answer = {"jsonrpc": "2.0", "id": frame["id"]}
            try:
                if session is None:
                    session, result = await self._introduce(method, params, socket)
                else:
                    result = await self._perform(session, method, params)
            except Refused as refused:
                data = refused.data.model_dump(mode="json", exclude_none=True)
                error = {"code": -32000, "message": "Refused.", "data": data}
                socket.send(json.dumps({**answer, "error": error}))
                continue
            body = result.model_dump(mode="json", exclude_none=True)
            socket.send(json.dumps({**answer, "result": body}))
            if isinstance(params, wire.SessionResume):
                self._replay(session, params.last_seq)
        if session is not None and session.socket is socket:
            session.socket = None
        self.pages.leave(socket, time.monotonic())
        self._await_election()
        await self._notify()

    async def _introduce(
        self, method: str, params: Any, socket: SocketOutlet
    ) -> tuple[Session, wire.Wire]:
        if isinstance(params, wire.SessionHello):
            if params.ticket not in self._tickets:
                raise Refused(wire.ErrorKind.AUTH_DENIED)
            self._tickets.remove(params.ticket)
            now = time.monotonic()
            if wire.CAP_YIELDS in params.caps and self.pages.is_in_window(now):
                raise Refused(wire.ErrorKind.SESSION_SUPERSEDED)
            session = Session(
                self._new_id("session"),
                self._new_id("token"),
                params.client.instance_id,
            )
            former = self.sessions.values()
            self.sessions = {each.id: each for each in former if each.socket}
            change = self.pages.join(
                session.instance,
                socket,
                role=params.role,
                instead_of=params.instead_of,
                is_window=wire.CAP_CALL_WINDOW in params.caps,
                now=now,
            )
            await self._tell_owner(change)
            self.sessions[session.id] = session
            session.socket = socket
            await self._notify()
            return session, wire.SessionHelloResult(
                session_id=session.id,
                resume_token=session.token,
                heartbeat_s=self.heartbeat_s,
                heartbeat_in_call_s=self.heartbeat_s,
                seq=session.seq,
                snapshot=self.snapshot(),
                owner=self.owner,
            )
        assert isinstance(params, wire.SessionResume), method
        if params.session_id in self._superseded:
            raise Refused(wire.ErrorKind.SESSION_SUPERSEDED)
        known = self.sessions.get(params.session_id)
        if known is None:
            raise Refused(wire.ErrorKind.SESSION_UNKNOWN)
        assert params.resume_token == known.token, "the token is rotated"
        assert params.instance_id == known.instance
        known.token = self._new_id("token")
        known.socket = socket
        page = self.pages.known(known.instance) or Page(
            known.instance, None, can_observe=True, is_window=False
        )
        await self._tell_owner(self.pages.back(page, socket, time.monotonic()))
        await self._notify()
        if self.forgets_events:
            return known, wire.SessionResumeResult(
                resumed=False,
                resume_token=known.token,
                seq=known.seq,
                snapshot=self.snapshot(),
                owner=self.owner,
            )
        return known, wire.SessionResumeResult(
            resumed=True,
            resume_token=known.token,
            seq=known.seq,
            replay_from=params.last_seq + 1,
            owner=self.owner,
        )

    @property
    def window_grace_s(self) -> float:
        return self.pages.window_grace_s

    @window_grace_s.setter
    def window_grace_s(self, seconds: float) -> None:
        self.pages.window_grace_s = seconds

    @property
    def owner(self) -> wire.SessionOwner:
        page = self.pages.owner
        assert page is not None
        return wire.SessionOwner(
            instance_id=page.instance_id, is_window=page.is_window, muted=self.muted
        )

    async def _tell_owner(self, change: Change) -> None:
        for session in list(self.sessions.values()):
            if change.superseded and session.instance == change.superseded.instance_id:
                self._supersede(session)
        if change.has_new_owner:
            await self.publish(wire.SessionOwnerEvent, owner=self.owner)
        self._await_election()

    def _await_election(self) -> None:
        if self._election is not None:
            self._election.cancel()
        self._election = None
        if self.pages.due is not None:
            loop = asyncio.get_running_loop()
            wait_s = max(0.0, self.pages.due - time.monotonic()) + 0.01
            self._election = loop.call_later(wait_s, self._elect)

    def _elect(self) -> None:
        change = self.pages.elect(time.monotonic())
        if change is not None:
            task = asyncio.ensure_future(self._tell_owner(change))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._await_election()

    heartbeat_s = 15
    forgets_events = False

    def _supersede(self, session: Session, *, is_heard: bool = True) -> None:
        self._superseded.add(session.id)
        socket, session.socket = session.socket, None
        if socket is None:
            return
        if is_heard:
            socket.close(wire.CLOSE_SUPERSEDED, "another page has taken over")
        else:
            socket.abort()

    def _replay(self, session: Session, last_seq: int) -> None:
        if session.socket is None or self.forgets_events:
            return
        for event in session.events:
            if event.seq > last_seq:
                self._send_event(session.socket, event)

    def snapshot(self) -> wire.Snapshot:
        return wire.Snapshot(
            user=self.user,
            registration=self.registration,
            calls=tuple(self.calls.values()),
            crm=self.crm,
            country="US",
            join=self.join,
            presence=self.presence,
            rules=self.rules,
            server_time=now_ms(),
        )

    # Methods ------------------------------------------------------------------

    async def _perform(self, session: Session, method: str, params: Any) -> wire.Wire:
        op_id = getattr(params, "op_id", None)
        if op_id in self._results:
            return self._results[op_id]
        owner = self.pages.owner
        if needs_phone(method, params) and (
            owner is None or owner.instance_id != session.instance
        ):
            raise Refused(wire.ErrorKind.SESSION_OBSERVER)
        if method in self.overrides:
            result = await self.overrides[method](params)
        else:
            result = await self._default(session, params)
        if op_id is not None:
            self._results[op_id] = result
        return result

    async def _default(self, session: Session, params: Any) -> wire.Wire:
        match params:
            case wire.SessionAck(seq=seq):
                assert session.acknowledged < seq <= session.seq
                session.acknowledged = seq
                return wire.Empty()
            case wire.SessionTake():
                page = self.pages.known(session.instance)
                assert page is not None
                await self._tell_owner(self.pages.take(page))
                return wire.Empty()
            case wire.SessionMute(call_ids=call_ids):
                self.muted = call_ids
                await self.publish(wire.SessionOwnerEvent, owner=self.owner)
                return wire.Empty()
            case wire.CallMedia():
                answer = await self.answer_media(
                    params.call_id, params.offer, params.generation
                )
                await self._show_video(params.call_id, answer)
                await self.publish(
                    wire.CallMediaEvent,
                    call_id=params.call_id,
                    action=wire.MediaAction.CONNECTED,
                    generation=params.generation,
                )
                return wire.CallMediaResult(answer=answer, generation=params.generation)
            case wire.CallAnswer():
                sdp = None
                if params.offer is not None:
                    sdp = await self.answer_media(
                        params.call_id, params.offer, params.generation
                    )
                await self.hold_others(params.call_id)
                call = await self.answered(params.call_id)
                if sdp is not None:
                    await self._show_video(params.call_id, sdp)
                return wire.CallAnswerResult(call=call, answer=sdp)
            case wire.CallCreate() | wire.CallJoin():
                to = getattr(params, "to", "")
                about = getattr(params, "record", None)
                call = wire.CallView(
                    call_id=params.call_id,
                    direction=wire.CallDirection.OUTBOUND,
                    state=wire.CallState.CALLING,
                    peer=peer(to, to),
                    match=SEARCHING
                    if about is None
                    else wire.Match(state=wire.MatchState.FOUND, records=(about,)),
                    started_at=now_ms(),
                    media_generation=1,
                    **self._kind_of(params),
                )
                self.calls[call.call_id] = call
                await self._notify()
                if params.offer is None:
                    return wire.CallAnswerResult(call=call)
                await self.hold_others(params.call_id)
                sdp = await self.answer_media(params.call_id, params.offer, 1)
                return wire.CallAnswerResult(call=call, answer=sdp)
            case wire.CallReject():
                return wire.CallResult(
                    call=await self.end(params.call_id, wire.EndReason.DECLINED_HERE)
                )
            case wire.CallHangup():
                call = self.calls[params.call_id]
                reason = (
                    wire.EndReason.HUNG_UP_HERE
                    if call.answered_at
                    else wire.EndReason.CANCELLED_HERE
                )
                return wire.CallResult(call=await self.end(params.call_id, reason))
            case (
                wire.CallHold()
                | wire.CallRetrieve()
                | wire.CallTransfer()
                | wire.CallMerge()
                | wire.CallSplit()
            ):
                return wire.CallResult(call=await self._control(params))
            case wire.PresenceSet():
                self.presence = params.state
                await self.publish(wire.PresenceChangedEvent, state=params.state)
                return wire.Empty()
            case wire.DirectorySearch():
                return wire.DirectorySearchResult(
                    entries=self._search(params.text),
                    is_complete=self.is_directory_complete,
                )
            case wire.FavouriteSet():
                others = [
                    each
                    for each in self.directory
                    if each.number != params.entry.number
                ]
                entry = params.entry.model_copy(
                    update={"is_favourite": params.is_favourite}
                )
                self.directory = [*others, entry]
                return wire.Empty()
            case wire.HistoryList():
                return wire.HistoryListResult(calls=tuple(self.history))
            case wire.CallChooseRecord():
                call = self.calls[params.call_id]
                chosen = next(r for r in call.match.records if r.id == params.record_id)
                call = await self.update(
                    params.call_id,
                    match=wire.Match(state=wire.MatchState.FOUND, records=(chosen,)),
                )
                return wire.CallResult(call=call)
            case wire.WorkChange():
                changed = params.model_dump(exclude_none=True)
                for name in ("op_id", "call_id", "clear", "keep_open"):
                    changed.pop(name, None)
                changed |= {
                    name: wire.WorkView.model_fields[name].default
                    for name in params.clear
                }
                if params.keep_open:
                    changed["saves_at"] = None
                return await self._worked(params.call_id, changed)
            case wire.WorkSave():
                return await self._worked(
                    params.call_id, {"state": wire.WorkState.SAVED, "saves_at": None}
                )
            case wire.ActivityRetry():
                waiting = wire.ActivityView(state=wire.ActivityState.WAITING)
                return await self._worked(params.call_id, {}, activity=waiting)
            case wire.WorkVisit():
                for call_id, call in tuple(self.calls.items()):
                    visited = [*call.work.visited, params.record]
                    await self._worked(call_id, {"visited": visited})
                return wire.Empty()
            case wire.ContactCreate():
                made = record(
                    f"{params.first_name} {params.last_name}".strip(),
                    id="003000000000099AAA",
                    company=params.company,
                )
                if params.call_id is not None:
                    await self.update(
                        params.call_id,
                        match=wire.Match(state=wire.MatchState.FOUND, records=(made,)),
                    )
                return wire.ContactCreateResult(record=made)
            case wire.InviteCreate() | wire.InviteChange():
                return wire.InviteResult(invite=await self._drafted(params))
            case wire.InviteExtend():
                return wire.InviteResult(invite=await self._extend(params))
            case wire.InviteCancel():
                state = wire.InviteState.CANCELLED
                return wire.InviteResult(
                    invite=await self.change_invite(params.invite_id, state=state)
                )
            case wire.InviteResend():
                return wire.InviteResult(invite=self.invites[params.invite_id])
            case wire.InviteLink():
                return wire.InviteLinkResult(
                    url=f"https://phone.example.com/join/token-of-{params.guest_id}"
                )
            case wire.InviteList():
                return wire.InviteListResult(invites=self._listed(params))
            case wire.RecordSearch():
                wanted = params.text.lower()
                return wire.RecordSearchResult(
                    records=tuple(
                        each for each in self.people if wanted in each.name.lower()
                    )
                )
            case wire.CallDtmf() | wire.Ping() | wire.RegistrationRetry():
                return wire.Empty()
            case wire.SessionClose():
                return wire.Empty()
            case _:
                raise AssertionError(f"not expected: {params!r}")

    async def _worked(
        self, call_id: str, work: dict[str, Any], **changes: Any
    ) -> wire.CallResult:
        """Of a call that goes on, or of the history."""
        old = next(
            call
            for call in (*self.calls.values(), *self.history)
            if call.call_id == call_id
        )
        values = old.work.model_dump() | work
        new = old.model_copy(
            update={"work": wire.WorkView.model_validate(values), **changes}
        )
        if call_id in self.calls:
            self.calls[call_id] = new
        else:
            self.history[self.history.index(old)] = new
        await self.publish(wire.CallUpdatedEvent, call=new)
        return wire.CallResult(call=new)

    def _kind_of(self, params: Any) -> dict[str, Any]:
        about = getattr(params, "consults_for", None)
        return {
            "device": getattr(params, "device", wire.CallDevice.HERE),
            "consults_for": about,
            "type": wire.CallType.EXTERNAL if about is None else wire.CallType.CONSULT,
        }

    def _search(self, text: str) -> tuple[wire.DirectoryEntry, ...]:
        wanted = text.lower()
        found = [
            each
            for each in self.directory
            if (wanted in f"{each.name} {each.number}".lower() if wanted else True)
            and (bool(wanted) or each.is_favourite)
        ]
        return tuple(sorted(found, key=lambda each: not each.is_favourite))

    def beside(self, call_id: str) -> list[str]:
        """The call, or all calls of the conference that it is in."""
        name = self.calls[call_id].conference
        if not name:
            return [call_id]
        return [each.call_id for each in self.calls.values() if each.conference == name]

    async def hold_others(self, call_id: str) -> None:
        """One talks, or one conference does, as in the gateway proper."""
        kept = self.beside(call_id)
        for other in list(self.calls.values()):
            is_talking = other.state is wire.CallState.ACTIVE and not other.held_here
            is_here = other.device is wire.CallDevice.HERE
            if is_talking and is_here and other.call_id not in kept:
                await self.update(other.call_id, held_here=True)

    async def _control(self, params: Any) -> wire.CallView:
        match params:
            case wire.CallHold():
                for each in self.beside(params.call_id):
                    await self.update(each, held_here=True)
            case wire.CallRetrieve():
                await self.hold_others(params.call_id)
                for each in self.beside(params.call_id):
                    await self.update(each, held_here=False, transfer=None)
            case wire.CallTransfer():
                other = self.calls.get(params.to_call or "")
                to = other.peer if other else peer(params.to or "", params.to or "")
                view = wire.TransferView(state=wire.TransferState.ASKED, to=to)
                return await self.update(params.call_id, transfer=view)
            case wire.CallMerge():
                name = self._new_id("conference")
                every = [each for id in params.call_ids for each in self.beside(id)]
                for each in dict.fromkeys(every):
                    await self.update(each, conference=name, held_here=False)
                return self.calls[params.call_ids[0]]
            case wire.CallSplit():
                await self.update(params.call_id, conference="", held_here=True)
                await self._disband()
        return self.calls[params.call_id]

    async def _disband(self) -> None:
        """A conference of one is an ordinary call."""
        for call in list(self.calls.values()):
            if call.conference and len(self.beside(call.call_id)) < 2:
                await self.update(call.call_id, conference="")

    async def _extend(self, params: wire.InviteExtend) -> wire.InviteView:
        known = self.invites.setdefault(params.invite_id, invite(params.invite_id))
        return await self.change_invite(
            params.invite_id, ends_at=known.ends_at + params.minutes * 60_000
        )

    async def change_invite(self, invite_id: str, **changes: Any) -> wire.InviteView:
        made = self.invites[invite_id].model_copy(update=changes)
        self.invites[invite_id] = made
        await self.publish(wire.InviteUpdatedEvent, invite=made)
        return made

    async def _drafted(
        self, params: wire.InviteCreate | wire.InviteChange
    ) -> wire.InviteView:
        draft = params.invite
        mail = wire.MailState.WAITING if draft.send_mail else wire.MailState.NONE
        is_open = draft.starts_at <= now_ms()
        made = wire.InviteView(
            invite_id=params.invite_id,
            state=wire.InviteState.OPEN if is_open else wire.InviteState.SCHEDULED,
            opens_at=draft.starts_at - 600_000,
            guests=tuple(
                wire.GuestView(
                    guest_id=each.guest_id or f"guest-{index}",
                    mail=mail,
                    **each.model_dump(exclude={"guest_id"}),
                )
                for index, each in enumerate(draft.guests)
            ),
            **draft.model_dump(exclude={"guests", "send_mail"}),
        )
        self.invites[params.invite_id] = made
        await self.publish(wire.InviteUpdatedEvent, invite=made)
        return made

    def _listed(self, params: wire.InviteList) -> tuple[wire.InviteView, ...]:
        live = (wire.InviteState.SCHEDULED, wire.InviteState.OPEN)
        found = sorted(
            (e for e in self.invites.values() if (e.state not in live) == params.past),
            key=lambda each: each.starts_at,
            reverse=params.past,
        )
        names = [each.invite_id for each in found]
        first = names.index(params.after) + 1 if params.after else 0
        return tuple(found[first : first + params.limit])

    async def answer_media(self, call_id: str, offer: str, generation: int) -> str:
        answer = await self.media.answer(call_id, offer, generation)
        if call_id in self.calls:
            self.calls[call_id] = self.calls[call_id].model_copy(
                update={"media_generation": generation}
            )
        return answer

    async def _show_video(self, call_id: str, answer: str) -> None:
        """The call's view follows from what was agreed, as in the gateway proper."""
        call = self.calls[call_id]
        if call.state is not wire.CallState.ACTIVE:
            return
        is_on = bool(video_of(answer)) and self.has_far_video
        video = wire.VideoView(
            state=wire.VideoState.ACTIVE if is_on else wire.VideoState.NONE,
            sends=is_on,
            receives=is_on,
        )
        if video != call.video:
            await self.update(call_id, video=video)

    def is_media_up(self, call_id: str, generation: int) -> bool:
        return self.media.is_up(call_id, generation)

    async def until_media(self, call_id: str, generation: int) -> None:
        await self.until(lambda: self.is_media_up(call_id, generation))

    async def kill_media(self, call_id: str, generation: int) -> None:
        await self.media.kill(call_id, generation)

    async def participants(
        self, call_id: str, members: Sequence[Member], *, is_told: bool = True
    ) -> None:
        """Everybody else in a meeting from now on, and what they send.

        ``is_told`` False: their media is there, and the list does not say so yet.
        """
        self.media.members[call_id] = tuple(members)
        if is_told:
            await self.update(
                call_id, participants=tuple(each.view for each in members)
            )

    async def renegotiate(self, call_id: str) -> None:
        await self.publish(
            wire.CallMediaEvent,
            call_id=call_id,
            action=wire.MediaAction.RENEGOTIATE,
            generation=self.calls[call_id].media_generation,
        )

    # What a test makes happen ----------------------------------------------------

    async def publish(self, event: type[wire.Event], **fields: Any) -> None:
        for session in self.sessions.values():
            session.seq += 1
            made = event(seq=session.seq, at=now_ms(), **fields)
            session.events.append(made)
            if session.socket is not None:
                self._send_event(session.socket, made)

    @staticmethod
    def _send_event(socket: SocketOutlet, event: wire.Event) -> None:
        params = event.model_dump(mode="json", exclude_none=True)
        socket.send(json.dumps({"jsonrpc": "2.0", "method": "event", "params": params}))

    def now(self) -> int:
        return now_ms()

    def make_call(
        self,
        *,
        call_id: str | None = None,
        direction: wire.CallDirection = wire.CallDirection.INBOUND,
        state: wire.CallState = wire.CallState.RINGING,
        who: wire.Peer | None = None,
        match: wire.Match = FOUND,
        started_at: int | None = None,
        **more: Any,
    ) -> wire.CallView:
        return wire.CallView(
            call_id=call_id or self._new_id("call"),
            direction=direction,
            state=state,
            peer=who or peer(),
            match=match,
            started_at=started_at or now_ms(),
            **more,
        )

    async def ring(self, **call: Any) -> str:
        made = self.make_call(**call)
        self.calls[made.call_id] = made
        await self.publish(wire.CallIncomingEvent, call=made)
        return made.call_id

    def _change(self, call_id: str, **changes: Any) -> wire.CallView:
        self.calls[call_id] = self.calls[call_id].model_copy(update=changes)
        return self.calls[call_id]

    async def update(self, call_id: str, **changes: Any) -> wire.CallView:
        call = self._change(call_id, **changes)
        await self.publish(wire.CallUpdatedEvent, call=call)
        return call

    async def ends(self, call_id: str, in_seconds: float) -> None:
        """The time of the call's invite is over then; both sides' calls say so."""
        known = self.calls[call_id].invite or wire.InviteRef(
            invite_id="i1", subject="Renewal", guest="Ana Ruiz"
        )
        ends_at = self.now() + int(in_seconds * 1000)
        changed = known.model_copy(update={"ends_at": ends_at})
        await self.update(call_id, invite=changed)

    async def alerting(self, call_id: str) -> None:
        call = self._change(call_id, state=wire.CallState.ALERTING)
        await self.publish(wire.CallRingingEvent, call=call)

    async def early_media(self, call_id: str) -> None:
        await self.publish(wire.CallEarlyMediaEvent, call=self.calls[call_id])

    async def answered(self, call_id: str) -> wire.CallView:
        call = self._change(call_id, state=wire.CallState.ACTIVE, answered_at=now_ms())
        await self.publish(wire.CallAnsweredEvent, call=call)
        return call

    async def end(
        self,
        call_id: str,
        reason: wire.EndReason,
        *,
        activity: wire.ActivityState = wire.ActivityState.WAITING,
        sip_code: int | None = None,
    ) -> wire.CallView:
        call = self.calls.pop(call_id).model_copy(
            update={
                "state": wire.CallState.ENDED,
                "ended_at": now_ms(),
                "end_reason": reason,
                "sip_code": sip_code,
                "activity": wire.ActivityView(state=activity),
            }
        )
        self.history.insert(0, call)
        await self.publish(wire.CallEndedEvent, call=call)
        await self._disband()
        return call

    async def logged(self, call: wire.CallView) -> None:
        await self.publish(
            wire.CallUpdatedEvent,
            call=call.model_copy(
                update={
                    "activity": wire.ActivityView(
                        state=wire.ActivityState.WRITTEN,
                        record_id="00T000000000001AAA",
                        url="https://acme.example.com/00T",
                    )
                }
            ),
        )

    async def register(self, registration: wire.Registration) -> None:
        self.registration = registration
        await self.publish(wire.RegistrationStateEvent, registration=registration)

    def drop_sockets(self, code: int = 1011, reason: str = "") -> None:
        for session in self.sessions.values():
            socket, session.socket = session.socket, None
            if socket is not None:
                self.pages.leave(socket, time.monotonic())
                socket.close(code, reason)

    async def taken_elsewhere(self) -> None:
        """A page that only the gateway knows has the phone from now on."""
        elsewhere = self.pages.join(
            "elsewhere",
            Nowhere(),
            role=wire.SessionRole.OWNER,
            instead_of=None,
            is_window=False,
            now=time.monotonic(),
        )
        await self._tell_owner(elsewhere)

    def supersede(self, *, is_heard: bool = True) -> None:
        """A page too many; ``is_heard``: it is told by the close."""
        for session in self.sessions.values():
            self._supersede(session, is_heard=is_heard)

    # What a test waits for ---------------------------------------------------------

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], Any], *, within_s: float = 10) -> Any:
        async with asyncio.timeout(within_s), self._changed:
            return await self._changed.wait_for(condition)

    def sent(self, method: str) -> list[Any]:
        return [each.params for each in self.requests if each.method == method]

    async def until_sent(self, method: str, count: int = 1) -> Any:
        await self.until(lambda: len(self.sent(method)) >= count)
        return self.sent(method)[count - 1]

    @property
    def is_attached(self) -> bool:
        return any(session.socket is not None for session in self.sessions.values())

    async def until_connected(self) -> Session:
        def attached() -> Session | None:
            return next(
                (s for s in self.sessions.values() if s.socket is not None), None
            )

        session: Session = await self.until(attached)
        return session

    def _new_id(self, kind: str) -> str:
        self._counter += 1
        return f"{kind}-{self._counter}"
