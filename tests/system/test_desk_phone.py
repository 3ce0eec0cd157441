"""The rep's desk phone: what happens there is in the signed-in client, and logged once.

Kamailio publishes its calls (RFC 4235), baresip is the phone on the desk.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.identity.passwords import hash_password
from tests.system.baresip import Baresip
from tests.system.kamailio import PRESENCE_MODULES, Kamailio
from tests.system.program import LogBook
from tests.system.salesforce import Salesforce
from tests.system.service import Rep, Service
from tests.system.waiting import until
from tests.system.wire_client import WireClient, WireError
from tests.system.world import ANA, PASSWORD, ROBIN, ROBIN_USERNAME, SIP_PASSWORD

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", PRESENCE_MODULES),
]

FOLLOWED = r"subscription of .* -> active"


@dataclass
class Office:
    """An application server that tells of calls, the service, and an org."""

    proxy: Kamailio
    salesforce: Salesforce
    service: Service
    logs: LogBook
    directory: Path
    phones: int = 0

    def page(self) -> WireClient:
        """Another page of the rep's."""
        return WireClient(
            self.service.url,
            tenant=self.service.tenant,
            user=ROBIN,
            password=PASSWORD,
        )

    @asynccontextmanager
    async def rep(self) -> AsyncIterator[WireClient]:
        """Signed in, registered, and followed."""
        before = sum(bool(re.search(FOLLOWED, line)) for line in self.service.log)
        async with self.page() as page:
            await page.wait_registered()
            await self.service.wait_for_log(FOLLOWED, count=before + 1)
            yield page

    def desk(self) -> Baresip:
        return self._phone("desk", ROBIN, password=SIP_PASSWORD)

    def customer(self) -> Baresip:
        """Calls in from outside."""
        return self._phone("customer", ANA, domain="carrier.invalid")

    async def callee(self, number: str) -> Baresip:
        """Can be called."""
        await self.proxy.add_user(number, "callee")
        return self._phone("callee", number, password="callee")

    def _phone(self, name: str, number: str, **options: Any) -> Baresip:
        self.phones += 1
        return Baresip(
            name,
            user=number,
            server=self.proxy,
            logs=self.logs,
            directory=self.directory / f"{name}-{self.phones}",
            **options,
        )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(
    logs: LogBook, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    directory = tmp_path_factory.mktemp("office")
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Kamailio(presence=True))
        await proxy.add_user(ROBIN, SIP_PASSWORD)
        salesforce = await stack.enter_async_context(
            Salesforce(
                directory=directory / "salesforce",
                logs=logs,
                widget_url="http://127.0.0.1/widget/salesforce",
                gateway_url="http://127.0.0.1",
            )
        )
        service = await stack.enter_async_context(
            Service(
                directory=directory / "service",
                logs=logs,
                server=proxy,
                reps=[
                    Rep(
                        id=ROBIN,
                        sip_password=SIP_PASSWORD,
                        password_hash=hash_password(PASSWORD),
                        salesforce_user_id=salesforce.users[ROBIN_USERNAME],
                        salesforce_username=ROBIN_USERNAME,
                    )
                ],
                salesforce=salesforce.configuration(),
                follows_desk_phones=True,
            )
        )
        yield Office(proxy, salesforce, service, logs, directory)


def on_the_desk(event: dict[str, Any]) -> bool:
    return bool(event["call"]["device"] == "desk_phone")


async def test_answered_at_the_desk(office: Office) -> None:
    """It is on the desk phone for the client, and one row and one Task when over."""
    logged = len(await office.salesforce.tasks())
    ana = await office.salesforce.contact("Ruiz")
    async with (
        office.rep() as rep,
        office.desk() as desk,
        office.customer() as customer,
    ):
        await desk.wait_registered()
        await customer.dial(ROBIN)
        rang = await rep.wait_event("call.incoming")
        call_id = rang["call"]["call_id"]
        assert rang["call"]["device"] == "here"
        await rep.wait_event(
            "call.updated", matches=lambda event: event["call"]["match"]["records"]
        )
        await desk.wait_event("CALL_INCOMING")
        await desk.accept()
        assert (await rep.wait_ended(call_id))["end_reason"] == "answered_elsewhere"
        taken = await rep.wait_event("call.answered", matches=on_the_desk)
        assert taken["call"]["call_id"] == call_id
        assert [each["id"] for each in taken["call"]["match"]["records"]] == [ana["Id"]]
        with pytest.raises(WireError) as refused:
            await rep.hang_up(call_id)
        assert refused.value.kind == "call.wrong_state"
        # A page that comes now is told, too.
        async with office.page() as other:
            [call] = other.snapshot["calls"]
            assert (call["call_id"], call["state"]) == (call_id, "active")
            assert call["device"] == "desk_phone"
            assert other.snapshot["rules"]["desk_phone"] is True
            await customer.hang_up()
            ended = await other.wait_event("call.ended", matches=on_the_desk)
            assert ended["call"]["call_id"] == call_id
            [task] = await office.salesforce.wait_tasks(1, after=logged)
            assert (task.direction, task.outcome) == ("Inbound", "Answered")
            assert (task.call_id, task.who_id) == (call_id, ana["Id"])
            # What is written was kept before.
            history = await other.request("history.list", limit=10)
            assert [each["call_id"] for each in history["calls"]] == [call_id]
            await other.sign_out()
    assert len(await office.salesforce.tasks()) == logged + 1


async def test_dialled_at_the_desk_by_hand(office: Office) -> None:
    logged = len(await office.salesforce.tasks())
    number = "+12025550187"
    async with (
        office.rep() as rep,
        office.desk() as desk,
        await office.callee(number) as callee,
    ):
        for phone in (desk, callee):
            await phone.wait_registered()
        await desk.dial(number)
        await callee.wait_event("CALL_INCOMING")
        await rep.wait_event("call.ringing", matches=on_the_desk)
        await callee.accept()
        taken = await rep.wait_event("call.answered", matches=on_the_desk)
        assert taken["call"]["direction"] == "outbound"
        assert taken["call"]["peer"]["e164"] == number
        await desk.hang_up()
        await rep.wait_ended(taken["call"]["call_id"])
        [task] = await office.salesforce.wait_tasks(1, after=logged)
        assert (task.direction, task.outcome) == ("Outbound", "Answered")
        await rep.sign_out()


async def test_dialled_by_a_click(office: Office) -> None:
    """The desk phone rings, is picked up, and calls; all that is one call."""
    logged = len(await office.salesforce.tasks())
    number = "+12025550188"
    async with (
        office.rep() as rep,
        office.desk() as desk,
        await office.callee(number) as callee,
    ):
        for phone in (desk, callee):
            await phone.wait_registered()
        await rep.command(
            "call.create", call_id="click", to=number, device="desk_phone"
        )
        await desk.wait_event("CALL_INCOMING")
        assert not callee.seen("CALL_INCOMING")
        [invite] = desk.requests("INVITE")
        assert '"Call (202) 555-0188"' in (invite.header("From") or "")
        await rep.wait_event("call.ringing", matches=on_the_desk)
        await desk.accept()
        await callee.wait_event("CALL_INCOMING")
        await callee.accept()
        taken = await rep.wait_event("call.answered", matches=on_the_desk)
        assert taken["call"]["call_id"] == "click"
        # Ours has gone, theirs talk.
        await desk.wait_event("CALL_CLOSED")
        await callee.wait_hears(440.0)
        await callee.hang_up()
        await rep.wait_ended("click")
        [task] = await office.salesforce.wait_tasks(1, after=logged)
        assert (task.direction, task.outcome) == ("Outbound", "Answered")
        assert task.call_id == "click"
        calls = {event["call"]["call_id"] for event in rep.events if "call" in event}
        assert calls == {"click"}
        await rep.sign_out()
    assert len(await office.salesforce.tasks()) == logged + 1


async def test_a_restart_in_the_middle_of_a_call(office: Office) -> None:
    """The gateway is killed while the desk phone talks: still one row, one Task."""
    logged = len(await office.salesforce.tasks())
    async with office.desk() as desk, office.customer() as customer:
        async with office.rep() as rep:
            await desk.wait_registered()
            await customer.dial(ROBIN)
            # Kamailio cancels no branch from which it has heard nothing yet.
            await rep.wait_event("call.incoming")
            await desk.wait_event("CALL_INCOMING")
            await desk.accept()
            taken = await rep.wait_event("call.answered", matches=on_the_desk)
            call_id = taken["call"]["call_id"]
            await office.service.kill()
        await office.service.start()
        [task] = await office.salesforce.wait_tasks(1, after=logged)
        assert (task.call_id, task.outcome) == (call_id, "Interrupted")
        async with office.rep() as rep:
            taken = await rep.wait_event("call.answered", matches=on_the_desk)
            assert taken["call"]["call_id"] == call_id
            await desk.hang_up()
            await rep.wait_ended(call_id)

            async def is_kept() -> bool:
                kept = (await rep.request("history.list", limit=10))["calls"]
                ends = [c["end_reason"] for c in kept if c["call_id"] == call_id]
                return ends == ["hung_up_here"]

            await until(is_kept, "its end in the history")
            # Of the same Task the org has what it had, or what it was corrected to.
            [task] = await office.salesforce.wait_tasks(1, after=logged)
            assert task.call_id == call_id
            await rep.sign_out()
