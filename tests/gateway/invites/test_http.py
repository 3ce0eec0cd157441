"""From a link to a session, over real HTTP and a real WebSocket."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.calls.policy import GUESTS_MAY
from gateway.identity.directory import InMemoryUserDirectory, TenantIdentity
from gateway.identity.tokens import SigningKey
from gateway.identity.turn import TurnConfig
from gateway.invites import http
from gateway.invites.admission import Admission
from gateway.invites.backend import InviteBackend
from gateway.invites.board import Board
from gateway.invites.guests import GuestBook
from gateway.invites.links import Links
from gateway.invites.service import InviteService
from gateway.sessions import wire
from gateway.sessions.routes import Door, add_routes, new_events, new_http_services
from gateway.sessions.session import SessionEvents
from gateway.storage import Database
from gateway.storage.invites import InviteStore
from tests.gateway.invites.desk import SETTINGS
from tests.gateway.invites.samples import (
    EVE,
    PUBLIC_URL,
    ROBIN,
    SECRET,
    USERS,
    a_draft,
    ana,
)
from tests.gateway.sessions.client import WireClient
from tests.gateway.sessions.fakes import Clock, FakeBackend, eventually

OWN = "https://acme.example"
FOREIGN = "https://evil.example"


class House:
    """A small service with invites; its calls are scripted."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock(1_796_137_200.0)
        self.book = GuestBook(
            InMemoryUserDirectory(
                [
                    TenantIdentity("acme", allowed_origins=frozenset({OWN})),
                    TenantIdentity("evil", allowed_origins=frozenset({FOREIGN})),
                ],
                USERS,
            )
        )
        self.addresses = itertools.repeat("192.0.2.1")
        self.door = Door(
            users=self.book,
            public_url=PUBLIC_URL,
            signing_keys=(SigningKey("k1", "HS256", SECRET),),
            turn=TurnConfig(urls=("turn:turn.example",), secret="s" * 20),
            client_address=lambda _: next(self.addresses),
            clock=self.clock,
            wall_clock=self.clock,
        )
        self.events: SessionEvents = new_events(self.door)
        self.services = new_http_services(self.door)
        self.links = Links(SECRET, public_url=PUBLIC_URL)
        self.board = Board(
            InviteStore(database),
            self.book,
            self.events,
            {"acme": SETTINGS, "evil": SETTINGS},
            now=self.clock,
        )
        self.service = InviteService(
            self.board,
            self.links,
            end_calls=lambda _: asyncio.sleep(0),
            expel=lambda key: self.sessions.expel(key),
            wake_mails=lambda: None,
            later=lambda delay, call: asyncio.get_running_loop().call_later(
                delay, call
            ),
            random_bytes=self.door.random_bytes,
        )
        self.admission = Admission(self.board, self.links, uid_host="calls.example")
        self.calls = FakeBackend(self.events)
        self.app = web.Application()
        self.sessions = add_routes(
            self.app,
            InviteBackend(
                self.calls,
                self.service,
                self.admission,
                self.board,
                invites_from=lambda user: f"{user.key.user}@from.example",
            ),
            self.door,
            events=self.events,
            services=self.services,
        )
        http.add_routes(self.app, self.admission, self.board, self.services)
        self.url = ""
        self.http: aiohttp.ClientSession | None = None
        self.clients: list[WireClient] = []
        self._names = itertools.count(1)

    async def invite(self, user: Any = ROBIN, **changes: Any) -> wire.InviteView:
        values = {"at": self.clock.now, "send_mail": False} | changes
        params = wire.InviteCreate(
            op_id="create",
            invite_id=f"invite-{next(self._names)}",
            invite=a_draft(**values),
        )
        result = await self.service.perform(user, params)
        assert isinstance(result, wire.InviteResult)
        return result.invite

    def token(self, view: wire.InviteView, tenant: str = "acme") -> str:
        return self.links.token(tenant, view.guests[0].guest_id, 1)

    async def post(
        self, path: str, body: Any, *, origin: str | None = None, raw: bytes = b""
    ) -> tuple[int, dict[str, Any], bytes]:
        assert self.http is not None
        headers = {"Content-Type": "application/json"}
        if origin is not None:
            headers["Origin"] = origin
        options: dict[str, Any] = {"data": raw} if raw else {"json": body}
        async with self.http.post(
            self.url + path, headers=headers, **options
        ) as response:
            return response.status, await response.json(), await response.read()

    async def look(self, token: str, browser: str = "phone", **more: Any) -> str:
        _, body, _ = await self.post(
            "/v1/join", {"token": token, "browser": browser}, **more
        )
        return str(body.get("state") or body["error"]["kind"])

    async def enter(
        self, token: str, browser: str = "phone", name: str = "Ana"
    ) -> tuple[int, dict[str, Any]]:
        status, body, _ = await self.post(
            "/v1/join/session", {"token": token, "browser": browser, "name": name}
        )
        return status, body

    async def guest(self, token: str, browser: str = "phone") -> WireClient:
        """A guest's page with an access token."""
        status, body = await self.enter(token, browser)
        assert status == 200, body
        assert self.http is not None
        client = WireClient(self.http, self.url)
        client.access_token = body["access_token"]
        self.clients.append(client)
        return client


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    house = House(database)
    server = TestServer(house.app)
    await server.start_server()
    house.url = str(server.make_url("")).rstrip("/")
    async with aiohttp.ClientSession() as session:
        house.http = session
        yield house
        for client in house.clients:
            await client.close()
    await server.close()
    await house.service.close()
    await house.admission.close()


async def test_from_the_link_to_a_session(house: House) -> None:
    token = house.token(await house.invite())
    status, view, _ = await house.post("/v1/join", {"token": token, "browser": "b"})
    assert (status, view["state"], view["host"]) == (200, "open", "Robin Reyes")
    status, body = await house.enter(token, "b", "Anita")
    assert status == 200
    assert body["user"]["role"] == "guest"
    assert body["user"]["name"] == "Anita"
    guest = await house.guest(token, "b")
    hello = await guest.hello()
    assert hello.snapshot.join is not None
    assert hello.snapshot.join.state == "open"
    assert hello.snapshot.user.role == "guest"
    assert hello.snapshot.user.id.startswith("guest:")


async def test_a_guest_may_call_the_host_and_nothing_else(house: House) -> None:
    guest = await house.guest(house.token(await house.invite()))
    await guest.hello()
    values = {
        "to": "1001",
        "offer": "v=0",
        "generation": 1,
        "digits": "1",
        "record_id": "003",
        "last_name": "X",
        "text": "x",
        "invite_id": "invite-1",
        "guest_id": "g",
        "minutes": 5,
        "call_ids": ["c", "d"],
        "state": "do_not_disturb",
        "record": {"id": "003", "kind": "Contact", "name": "X"},
        "entry": {"kind": "colleague", "name": "X", "number": "1"},
        "invite": a_draft().model_dump(mode="json"),
    }
    for method, (params, _) in wire.METHODS.items():
        if method.startswith("session.") or method == "ping":
            continue
        fields = {"op_id": f"op-{method}", "call_id": "c"} | values
        body = {k: v for k, v in fields.items() if k in params.model_fields}
        answer = await guest.raw(method, body)
        kind = answer["error"]["data"]["kind"] if "error" in answer else ""
        assert (kind == "policy.denied") is (method not in GUESTS_MAY), method
    performed = {method for _, method, _ in house.calls.performed}
    assert performed == GUESTS_MAY
    assert "result" in await guest.raw("ping", {})


async def test_a_guest_is_handed_turn(house: House) -> None:
    guest = await house.guest(house.token(await house.invite()))
    assert house.http is not None
    headers = {"Authorization": f"Bearer {guest.access_token}"}
    async with house.http.post(house.url + "/v1/turn", headers=headers) as response:
        assert response.status == 200
        assert (await response.json())["ice_servers"][0]["urls"] == [
            "turn:turn.example"
        ]


async def test_wrong_links_look_alike(house: House) -> None:
    view = await house.invite()
    token = house.token(view)
    answers = set()
    refusals = set()
    for wrong in ("x", token[:-1], token + "A", "A" * 32, house.token(view, "evil")):
        status, _, body = await house.post("/v1/join", {"token": wrong, "browser": "b"})
        answers.add((status, body))
        status, _, body = await house.post(
            "/v1/join/session", {"token": wrong, "browser": "b", "name": "A"}
        )
        refusals.add((status, body))
        status, _, body = await house.post(
            "/v1/join/calendar", {"token": wrong, "browser": "b"}
        )
        refusals.add((status, body))
    # A good link, asked for by the pages of another company.
    status, _, body = await house.post(
        "/v1/join", {"token": token, "browser": "b"}, origin=FOREIGN
    )
    answers.add((status, body))
    assert len(answers) == len(refusals) == 1
    assert await house.look(token) == "open"
    assert await house.look(token, origin=OWN) == "open"
    status, body, _ = await house.post(
        "/v1/join", {"token": token, "browser": "b"}, origin="https://stranger.example"
    )
    assert status == 403


async def test_guessing_is_limited_by_address(house: House) -> None:
    token = house.token(await house.invite())
    seen = [await house.look(f"guess-{n}") for n in range(32)]
    assert seen == ["unknown"] * 30 + ["rate.limited"] * 2
    # A good guess would not be answered either.
    assert await house.look(token) == "rate.limited"
    status, _ = await house.enter(token)
    assert status == 429
    # Another address is another matter.
    house.addresses = itertools.repeat("192.0.2.2")
    assert await house.look(token) == "open"
    house.addresses = itertools.repeat("192.0.2.1")
    house.clock.advance(31)
    assert await house.look(token) == "open"


async def test_good_links_do_not_count_as_guesses(house: House) -> None:
    token = house.token(await house.invite())
    assert {await house.look(token) for _ in range(60)} == {"open"}


async def test_guesses_at_once_are_no_more_than_one_by_one(house: House) -> None:
    answers = await asyncio.gather(*(house.look(f"guess-{n}") for n in range(60)))
    assert answers.count("unknown") == 30


async def test_an_invite_is_not_entered_without_end(house: House) -> None:
    house.addresses = map(str, itertools.count())
    token = house.token(await house.invite())
    other = house.token(await house.invite())
    statuses = [(await house.enter(token))[0] for _ in range(62)]
    assert statuses == [200] * 60 + [429] * 2
    assert (await house.enter(other))[0] == 200


async def test_each_page_says_why(house: House) -> None:
    later = await house.invite(at=house.clock.now + 7200)
    status, body = await house.enter(house.token(later))
    assert (status, body["error"]["kind"]) == (409, "invite.closed")
    assert "early" in body["error"]["message"]
    cancel = wire.InviteCancel(op_id="c", invite_id=later.invite_id)
    await house.service.perform(ROBIN, cancel)
    assert await house.look(house.token(later)) == "cancelled"
    _, body = await house.enter(house.token(later))
    assert "cancelled" in body["error"]["message"]


async def test_bad_bodies(house: House) -> None:
    good = {"token": "t", "browser": "b"}
    for body in (
        {},
        [],
        {"token": "t"},
        {"token": "", "browser": "b"},
        {"token": 1, "browser": "b"},
        {"token": "t", "browser": "with space"},
        {"token": "t" * 9000, "browser": "b"},
    ):
        status, answer, _ = await house.post("/v1/join", body)
        assert (status, answer["error"]["kind"]) == (400, "bad_request")
    status, _, _ = await house.post("/v1/join/session", good)
    assert status == 400
    status, _, _ = await house.post("/v1/join", None, raw=b"{" * 20_000)
    assert status == 413
    token = house.token(await house.invite())
    status, answer = await house.enter(token, name="\u202e")
    assert (status, answer["error"]["message"]) == (400, "Say who you are.")
    assert house.http is not None
    async with house.http.get(house.url + "/v1/join") as response:
        assert response.status == 405


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
async def test_nothing_that_is_sent_breaks_it(
    house: House, data: st.DataObject
) -> None:
    house.addresses = map(str, itertools.count())
    path = data.draw(
        st.sampled_from(["/v1/join", "/v1/join/session", "/v1/join/calendar"])
    )
    body = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                name: st.one_of(st.text(max_size=40), st.none(), st.integers())
                for name in ("token", "browser", "name")
            },
        )
    )
    status, _, _ = await house.post(path, body)
    assert status in (200, 400, 404)


# A sign-in that ends ----------------------------------------------------------------


async def ticket_status(house: House, client: WireClient) -> int:
    assert house.http is not None
    headers = {"Authorization": f"Bearer {client.access_token}"}
    async with house.http.post(house.url + "/v1/sessions", headers=headers) as response:
        return response.status


@pytest.mark.parametrize("how", ["cancelled", "taken out", "over"])
async def test_a_guest_whose_invite_ends_is_out(house: House, how: str) -> None:
    view = await house.invite()
    guest = await house.guest(house.token(view))
    await guest.hello()
    assert await ticket_status(house, guest) == 200
    match how:
        case "cancelled":
            params: wire.Wire = wire.InviteCancel(op_id="c", invite_id=view.invite_id)
            await house.service.perform(ROBIN, params)
        case "taken out":
            params = wire.InviteChange(
                op_id="c",
                invite_id=view.invite_id,
                invite=a_draft(
                    at=house.clock.now,
                    send_mail=False,
                    guests=(ana(name="Ben", email="ben@customer.example"),),
                ),
            )
            await house.service.perform(ROBIN, params)
        case _:
            house.clock.now = view.ends_at / 1000
            house.service._clock._ring()
    await eventually(lambda: house.sessions.session_count == 0)
    assert await guest.closed() == wire.CLOSE_NO_HELLO
    assert await ticket_status(house, guest) == 401
    assert len(house.book) == 0
    user = house.calls.log[-1]
    assert user[0] == "signed_out"


async def test_another_browser_ends_the_sign_in_of_the_first(house: House) -> None:
    token = house.token(await house.invite())
    first = await house.guest(token, "phone")
    second = await house.guest(token, "laptop")
    assert await ticket_status(house, first) == 401
    assert await ticket_status(house, second) == 200


async def test_a_link_that_is_in_use(house: House) -> None:
    view = await house.invite()
    token = house.token(view)
    await house.guest(token, "phone")
    house.admission.call_changed(
        view.invite_id, view.guests[0].guest_id, in_call=True, answered=True
    )
    assert await house.look(token, "laptop") == "in_use"
    status, body = await house.enter(token, "laptop")
    assert (status, body["error"]["kind"]) == (409, "invite.closed")
    assert await house.look(token, "phone") == "open"


async def test_guests_of_two_tenants_never_meet(house: House) -> None:
    ours = await house.guest(house.token(await house.invite()))
    theirs = await house.guest(house.token(await house.invite(EVE), "evil"))
    mine, others = await ours.hello(), await theirs.hello()
    assert (mine.snapshot.user.tenant, others.snapshot.user.tenant) == ("acme", "evil")
    assert mine.snapshot.join is not None
    assert others.snapshot.join is not None
    assert (mine.snapshot.join.host, others.snapshot.join.host) == (
        "Robin Reyes",
        "Eve",
    )


async def test_links_are_in_no_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = house.token(await house.invite())
    guest = await house.guest(token, "secret-of-the-browser")
    await guest.hello()
    await house.look(token)
    await house.look("another-token-that-is-wrong")
    for secret in (token, "secret-of-the-browser", "another-token-that-is-wrong"):
        assert secret not in caplog.text
    assert token not in repr(wire.JoinByLink(token=token, browser="b"))


# The rep's session ------------------------------------------------------------------


async def test_a_rep_sees_where_invites_come_from(house: House) -> None:
    snapshot = InviteBackend(
        house.calls,
        house.service,
        house.admission,
        house.board,
        invites_from=lambda user: f"{user.key.user}@from.example",
    ).snapshot(ROBIN)
    assert snapshot.user.invites_from == "robin@from.example"
    assert snapshot.user.role == "rep"
    assert snapshot.join is None
