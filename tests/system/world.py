"""Everything together: Kamailio, the Salesforce simulator, the service, Chromium.

One world serves many tests. Robin (number 1001) is signed in by Salesforce; Sam
(1002) has a phone password that the application server does not take. Tests dial and
are dialled by numbers of their own; :meth:`World.settle` checks that a test left
nothing behind.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from gateway.identity.passwords import hash_password
from tests.gateway.invites.mail_server import MailServer, mail_server
from tests.system.baresip import G711, Baresip
from tests.system.browser import Chromium
from tests.system.holdings import Holdings, Inventory
from tests.system.kamailio import Kamailio
from tests.system.ports import free_port
from tests.system.program import LogBook
from tests.system.rep import RepPage
from tests.system.salesforce import Salesforce
from tests.system.service import Rep, Service
from tests.system.sipp import Sipp
from tests.system.tls_front import TlsFront
from tests.system.wire_client import WireClient

ROBIN, ROBIN_USERNAME = "1001", "robin.reyes@acme.example"
# The account by which guests of video invites call.
GUESTS = "guests"
SAM, SAM_USERNAME = "1002", "sam.okafor@acme.example"
SIP_PASSWORD = "correct-horse"
# The application server's idea of Sam's password; ours is SIP_PASSWORD.
SAM_PASSWORD = "staple"
PASSWORD = "sign-in without a CRM"

ANA = "+16465550175"
STRANGER = "+12025550143"

# What the far end says, and what the browser says is conftest's.
PHONE_SAYS = 440.0


class World:
    """See the module; an async context manager."""

    def __init__(
        self, *, proxy: Kamailio, chromium: Chromium, logs: LogBook, directory: Path
    ) -> None:
        self.proxy = proxy
        self._chromium = chromium
        self._logs = logs
        self._directory = directory
        self._numbers = itertools.count(1)
        self._stack = AsyncExitStack()
        port = free_port()
        self.front = TlsFront(target_port=port, directory=directory / "front")
        self.widget_url = f"{self.front.url}/widget/salesforce"
        self.salesforce = Salesforce(
            directory=directory / "salesforce",
            logs=logs,
            widget_url=self.widget_url,
            gateway_url=self.front.url,
        )
        # Where invitations are handed in, and stay.
        self.post = MailServer()
        self._http_port = port
        self._service: Service | None = None
        self._inventory = Inventory(self._holdings)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        await self.proxy.add_user(GUESTS, SIP_PASSWORD)
        await self._stack.enter_async_context(mail_server(self.post))
        await self.proxy.add_user(ROBIN, SIP_PASSWORD)
        await self.proxy.add_user(SAM, SAM_PASSWORD)
        await self._stack.enter_async_context(self.front)
        salesforce = await self._stack.enter_async_context(self.salesforce)
        self._service = await self._stack.enter_async_context(
            Service(
                directory=self._directory / "service",
                logs=self._logs,
                server=self.proxy,
                reps=self._reps(),
                salesforce=salesforce.configuration(),
                origins=(salesforce.lightning,),
                http_port=self._http_port,
                caller_key={
                    "header": "User-to-User",
                    "fields": {"Case": "CaseNumber"},
                },
                invites={
                    "mail": {
                        "host": "127.0.0.1",
                        "port": self.post.port,
                        "security": "none",
                        "sender": "calls@acme.example",
                    },
                    "sip": {"username": GUESTS, "password": SIP_PASSWORD},
                },
                sections={"http": {"public_url": self.front.url}},
            )
        )
        await self._warm_up()

    def _reps(self) -> tuple[Rep, ...]:
        secret = hash_password(PASSWORD)
        users = self.salesforce.users
        return tuple(
            Rep(
                id=number,
                name=name,
                sip_password=SIP_PASSWORD,
                password_hash=secret,
                salesforce_user_id=users[username],
                salesforce_username=username,
                email=username,
            )
            for number, name, username in (
                (ROBIN, "Robin Reyes", ROBIN_USERNAME),
                (SAM, "Sam Okafor", SAM_USERNAME),
            )
        )

    async def _warm_up(self) -> None:
        """One short call, so that what is made at first need has been made."""
        after = len(await self.salesforce.tasks())
        await self.proxy.set_answer("+12025550199", 486)
        async with self.client() as robin:
            await robin.wait_registered()
            await robin.wait_ended(await robin.dial("+12025550199"))
            await self.salesforce.wait_tasks(1, after=after)
            await robin.sign_out()
        await self._inventory.take()

    @property
    def service(self) -> Service:
        if self._service is None:
            raise RuntimeError("the service does not run")
        return self._service

    # People ---------------------------------------------------------------------------

    @asynccontextmanager
    async def rep_page(
        self,
        *,
        user: Literal["robin", "sam"] = "robin",
        has_microphone: bool = True,
        has_camera: bool = False,
        is_ready: bool = True,
    ) -> AsyncIterator[RepPage]:
        """The rep's Salesforce page, signed in and registered."""
        lightning = self.salesforce.lightning
        async with self._chromium.visitor(
            user, has_microphone=has_microphone, has_camera=has_camera
        ) as visitor:
            page = await visitor.open(f"{lightning}/sandbox/login?user={user}")
            rep = RepPage(visitor, page, self.widget_url)
            await rep.open_panel()
            if is_ready:
                await rep.wait_ready()
            yield rep

    def client(self, number: str = ROBIN) -> WireClient:
        """A rep without a browser, to be entered."""
        return WireClient(
            self.service.url,
            tenant=self.service.tenant,
            user=number,
            password=PASSWORD,
        )

    def desk_phone(self, number: str = ROBIN, **options: Any) -> Baresip:
        """The rep's desk phone, to be entered; wait until it is registered."""
        password = SAM_PASSWORD if number == SAM else SIP_PASSWORD
        return self._phone("desk", number, password=password, says=700.0, **options)

    def customer(
        self, number: str = ANA, *, shown: str = "", **options: Any
    ) -> Baresip:
        """Somebody outside who calls in."""
        return self._phone(
            "customer",
            number,
            domain="carrier.invalid",
            display_name=shown,
            says=PHONE_SAYS,
            **options,
        )

    async def callee(
        self,
        number: str,
        *,
        answer: Literal["auto", "manual"] = "manual",
        codecs: tuple[str, ...] = G711,
        has_video: bool = False,
    ) -> Baresip:
        """Somebody whom the rep can call at that number, to be entered."""
        await self.proxy.add_user(number, "callee")
        return self._phone(
            "callee",
            number,
            password="callee",
            says=PHONE_SAYS,
            answer=answer,
            codecs=codecs,
            has_video=has_video,
        )

    def sipp(self, scenario: str, **options: Any) -> Sipp:
        """A scripted peer, to be entered."""
        return Sipp(
            scenario,
            server=self.proxy,
            logs=self._logs,
            directory=self._directory / f"sipp-{next(self._numbers)}",
            **options,
        )

    def _phone(self, name: str, number: str, **options: Any) -> Baresip:
        return Baresip(
            name,
            user=number,
            server=self.proxy,
            logs=self._logs,
            directory=self._directory / f"{name}-{next(self._numbers)}",
            **options,
        )

    # What is left behind --------------------------------------------------------------

    async def _holdings(self) -> Holdings:
        # Requests too large for UDP go to the proxy by TCP (RFC 3261 18.1.1).
        pooled = frozenset({self.salesforce.port, self.proxy.port})
        return await self.service.holdings(but_connections_of=pooled)

    async def settle(self) -> None:
        """End what a test left open, and check that nothing stays behind.

        Raises:
            AssertionError: the service holds more than it did before all tests.
        """
        await self.salesforce.clear_faults()
        for number in (ROBIN, SAM):
            if (await self.service.metrics())["ringbridge_sessions"]:
                async with self.client(number) as client:
                    await client.sign_out()
        await self._inventory.check()
