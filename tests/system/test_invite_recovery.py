"""Mails and events of invites survive the death of the service, none of them doubled.

No browser: a rep by the bare protocol, and a mail server that waits when it is told to.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from gateway.identity.passwords import hash_password
from tests.gateway.invites.mail_server import MailServer, mail_server
from tests.system.inviting import calendar_of, draft, make
from tests.system.kamailio import Kamailio
from tests.system.program import LogBook
from tests.system.salesforce import KEY_FIELD, Salesforce
from tests.system.service import Rep, Service
from tests.system.waiting import until, until_true
from tests.system.wire_client import WireClient

pytestmark = [pytest.mark.system, pytest.mark.needs("kamailio", "kamcmd")]

USER = "1006"
PASSWORD = "sign-in"
USERNAME = "robin.reyes@acme.example"
SEED = 20261125
KILLS = 5
ANSWERS_AFTER_S = 0.06
SETTLED = {"sent", "uncertain"}


@dataclass(slots=True)
class PostRoom:
    """A service with an org and a mail server, and the invites made so far."""

    service: Service
    salesforce: Salesforce
    post: MailServer
    # Invite id to the address that it is for.
    invited: dict[str, str] = field(default_factory=dict)

    def rep(self) -> WireClient:
        return WireClient(
            self.service.url, tenant=Service.tenant, user=USER, password=PASSWORD
        )

    async def invite(self, rep: WireClient) -> str:
        """Gives the address."""
        address = f"guest{len(self.invited)}@acme-corp.example"
        made = await make(rep, draft(guests=[{"name": "Ana Ruiz", "email": address}]))
        self.invited[made.id] = address
        return address

    def received(self, address: str) -> int:
        return sum(mail.recipients == [address] for mail in self.post.inbox)

    async def states(self) -> dict[str, str]:
        """How the rep sees each invite's mail, by address, once all are settled."""

        async def settled() -> dict[str, str] | None:
            async with self.rep() as rep:
                listed = await rep.request("invite.list", limit=100)
            seen = {
                invite["guests"][0]["email"]: invite["guests"][0]["mail"]
                for invite in listed["invites"]
            }
            assert seen.keys() == set(self.invited.values())
            return seen if set(seen.values()) <= SETTLED else None

        found = await until(settled, "all mails settled", timeout_s=30)
        assert found is not None
        return found

    async def assert_events_once(self) -> None:
        """One Event per invite, each by its key."""

        async def keys() -> list[Any] | None:
            rows = await self.salesforce.records("Event")
            found = [row[KEY_FIELD] for row in rows if row.get(KEY_FIELD)]
            return found if len(found) >= len(self.invited) else None

        found = await until(keys, "all events", timeout_s=30)
        assert found is not None
        assert sorted(found) == sorted(f"meet:{invite}" for invite in self.invited)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def room(
    proxy: Kamailio, logs: LogBook, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PostRoom]:
    directory = tmp_path_factory.mktemp("post-room")
    await proxy.add_user(USER, "desk")
    post = MailServer()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(mail_server(post))
        salesforce = await stack.enter_async_context(
            Salesforce(
                directory=directory / "salesforce",
                logs=logs,
                widget_url="http://127.0.0.1:9/widget/salesforce",
                gateway_url="http://127.0.0.1:9",
            )
        )
        rep = Rep(
            id=USER,
            sip_password="desk",
            password_hash=hash_password(PASSWORD),
            salesforce_user_id=salesforce.users[USERNAME],
            salesforce_username=USERNAME,
            email=USERNAME,
        )
        service = await stack.enter_async_context(
            Service(
                directory=directory / "service",
                logs=logs,
                server=proxy,
                reps=[rep],
                salesforce=salesforce.configuration(),
                invites={
                    "mail": {
                        "host": "127.0.0.1",
                        "port": post.port,
                        "security": "none",
                        "sender": "calls@acme.example",
                    },
                    "sip": {"username": "guests", "password": "guests"},
                },
            )
        )
        yield PostRoom(service, salesforce, post)


async def wait_sent(room: PostRoom, address: str) -> None:
    await until_true(lambda: room.received(address) > 0, f"a mail to {address}")


@pytest.mark.timeout(180)
async def test_killed_around_sending(
    room: PostRoom, record_property: Callable[[str, object], None]
) -> None:
    """``kill -9`` from the answer on until well after the sending.

    The first invite's service dies at once, the last one's when nothing is left to do;
    between are moments of one generator. The mail server takes a while to answer.
    """
    loop = asyncio.get_running_loop()
    rng = random.Random(SEED)
    moments = [0.0, *sorted(rng.uniform(0.0, 0.15) for _ in range(KILLS)), 1.0]
    record_property("kill_after_answer_s", [round(moment, 3) for moment in moments])
    for moment in moments:
        room.post.gate = asyncio.Event()
        async with room.rep() as rep:
            await room.invite(rep)
            loop.call_later(ANSWERS_AFTER_S, room.post.gate.set)
            # The point of the test is the moment itself, so this one sleep is meant.
            await asyncio.sleep(moment)
            await room.service.kill()
        room.post.gate.set()
        await room.service.start()
    room.post.gate = None
    states = await room.states()
    record_property("mails", sorted(states.values()))
    for address, state in states.items():
        count = room.received(address)
        assert count == 1 if state == "sent" else count <= 1, (address, state, count)
    await room.assert_events_once()


async def test_killed_while_the_server_takes_its_time(room: PostRoom) -> None:
    """Handed over, not answered: nobody knows. The rep is told, it is not repeated."""
    room.post.gate = asyncio.Event()
    async with room.rep() as rep:
        address = await room.invite(rep)
        await wait_sent(room, address)
        await room.service.kill()
    room.post.gate.set()
    room.post.gate = None
    await room.service.start()
    assert (await room.states())[address] == "uncertain"
    # A later mail goes out; the uncertain one had its chance by then.
    async with room.rep() as rep:
        later = await room.invite(rep)
    await wait_sent(room, later)
    assert (await room.states())[address] == "uncertain"
    assert room.received(address) == 1
    await room.assert_events_once()


async def test_mail_server_is_away_when_it_dies(room: PostRoom) -> None:
    """What was put off is sent by the next process, once."""
    room.post.rcpt = "451 later"
    async with room.rep() as rep:
        address = await room.invite(rep)
        await room.service.wait_for_log(r"mail \d+ of invite .* waits")
        await room.service.kill()
    room.post.rcpt = None
    await room.service.start()
    assert (await room.states())[address] == "sent"
    assert room.received(address) == 1
    [mail] = [m for m in room.post.inbox if m.recipients == [address]]
    assert re.match(r"REQUEST", calendar_of(mail).method.value)
    await room.assert_events_once()
