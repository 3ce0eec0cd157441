"""A customer calls the rep: the application server rings desk phone and browser."""

from __future__ import annotations

import pytest

from tests.system.conftest import BROWSER_SAYS
from tests.system.world import ANA, PHONE_SAYS, ROBIN, STRANGER, World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "sipp", "chromium"),
]

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


async def test_answered_in_the_browser(world: World) -> None:
    """Sound both ways, the desk phone told, one activity on the right contact."""
    logged = len(await world.salesforce.tasks())
    ana = await world.salesforce.contact("Ruiz")
    async with (
        world.rep_page() as rep,
        world.desk_phone() as desk,
        world.customer(ANA) as customer,
    ):
        await desk.wait_registered()
        await customer.dial(ROBIN)
        await desk.wait_event("CALL_INCOMING")
        await rep.wait_screen("ringing")
        # Salesforce knows the number; SIP gave no name.
        await rep.wait_text("Ana Ruiz")
        await rep.wait_text("Acme Corp")
        await rep.answer()

        await customer.wait_event("CALL_ESTABLISHED")
        await rep.wait_hears(PHONE_SAYS)
        await customer.wait_hears(BROWSER_SAYS)

        await desk.wait_event("CALL_CLOSED")
        [cancel] = desk.requests("CANCEL")
        assert cancel.header("Reason") == ELSEWHERE

        await rep.end()
        await customer.wait_event("CALL_CLOSED")
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert task.who_id == ana["Id"]
        assert task.owner_id == world.salesforce.users["robin.reyes@acme.example"]
        assert (task.direction, task.outcome) == ("Inbound", "Answered")
        await rep.wait_text("Saved to Salesforce")
        rep.visitor.assert_no_complaints()


async def test_answered_on_the_desk_phone(world: World) -> None:
    """The widget says so; it is no missed call, and nothing is logged."""
    logged = len(await world.salesforce.tasks())
    async with (
        world.rep_page() as rep,
        world.desk_phone() as desk,
        world.customer(ANA) as customer,
    ):
        await desk.wait_registered()
        await customer.dial(ROBIN)
        await desk.wait_event("CALL_INCOMING")
        await rep.wait_screen("ringing")
        await desk.accept()
        await customer.wait_event("CALL_ESTABLISHED")

        await rep.wait_screen("ended")
        await rep.wait_text("Answered on another device")
        assert "Missed" not in await rep.text()
        await rep.press("Done")
        newest = await rep.widget.locator(".rb-recents li").first.text_content()
        assert newest is not None
        assert "Answered on another device" in newest
        assert "Missed" not in newest

        # The desk phone's call is not disturbed by the browser's leg ending.
        await customer.wait_hears(700.0)
        await desk.hang_up()
        await customer.wait_event("CALL_CLOSED")

        # A later call is logged; only it is, so the other one never will be.
        await world.proxy.set_answer(STRANGER, 486)
        await rep.dial(STRANGER)
        await rep.wait_screen("ended")
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert (task.direction, task.outcome) == ("Outbound", "Busy")


async def test_declined_in_the_browser(world: World) -> None:
    """The caller is told, the desk phone stops ringing, the attempt is logged."""
    logged = len(await world.salesforce.tasks())
    async with (
        world.rep_page() as rep,
        world.desk_phone() as desk,
        world.customer(ANA) as customer,
    ):
        await desk.wait_registered()
        await customer.dial(ROBIN)
        await desk.wait_event("CALL_INCOMING")
        await rep.decline()
        closed = await customer.wait_event("CALL_CLOSED")
        assert closed.param.startswith("603")
        await desk.wait_event("CALL_CLOSED")
        await rep.wait_text("You declined the call")
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert (task.direction, task.outcome) == ("Inbound", "Declined")
        assert task.duration_s == 0


async def test_missed_when_the_caller_gives_up(world: World) -> None:
    logged = len(await world.salesforce.tasks())
    async with world.rep_page() as rep:
        async with world.sipp(
            "uac_gives_up", service=ROBIN, keys={"caller": ANA}, pause_ms=700
        ) as caller:
            await rep.wait_screen("ringing")
            await rep.wait_screen("ended")
            await rep.wait_text("Missed call")
            await caller.finish()
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert (task.direction, task.outcome) == ("Inbound", "Missed")
        assert task.who_id == (await world.salesforce.contact("Ruiz"))["Id"]


async def test_the_caller_hangs_up_and_the_talk_time_is_logged(world: World) -> None:
    logged = len(await world.salesforce.tasks())
    async with world.rep_page() as rep:
        async with world.sipp(
            "uac_hangs_up", service=ROBIN, keys={"caller": ANA}, pause_ms=2000
        ) as caller:
            await rep.answer()
            await rep.wait_screen("ended")
            await rep.wait_text("They hung up")
            await caller.finish()
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert (task.direction, task.outcome) == ("Inbound", "Answered")
        assert task.duration_s in (2, 3)


async def test_an_unknown_caller_becomes_a_contact(world: World) -> None:
    """Add contact while the call goes on: contact and activity belong together."""
    logged = len(await world.salesforce.tasks())
    number = "+12025550171"
    async with (
        world.rep_page() as rep,
        world.customer(number, shown="Nadia Petrov") as customer,
    ):
        await customer.dial(ROBIN)
        await rep.wait_screen("ringing")
        await rep.wait_text("Nadia Petrov")
        await rep.wait_text("Add Nadia Petrov as a contact")
        await rep.answer()
        await rep.press("Add Nadia Petrov as a contact")
        # The page around the softphone goes to the new contact.
        await rep.page.wait_for_url("**/lightning/r/Contact/**")
        contact = await world.salesforce.contact("Petrov")
        assert contact["FirstName"] == "Nadia"
        assert contact["Phone"] == number
        assert contact["Id"] in rep.page.url

        await customer.hang_up()
        await rep.wait_screen("ended")
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert task.who_id == contact["Id"]
        rep.visitor.assert_no_complaints()


async def test_second_caller_while_in_a_call(world: World) -> None:
    """End and answer takes the second call; each call has its own activity."""
    logged = len(await world.salesforce.tasks())
    async with (
        world.rep_page() as rep,
        world.customer(ANA) as first,
        world.customer(STRANGER, shown="Second Caller") as second,
    ):
        await first.dial(ROBIN)
        await rep.answer()
        await first.wait_event("CALL_ESTABLISHED")
        await second.dial(ROBIN)
        await rep.wait_text("Second Caller is calling too", within=".rb-second")
        await rep.press("End and answer")
        await first.wait_event("CALL_CLOSED")
        await second.wait_event("CALL_ESTABLISHED")
        await second.wait_hears(BROWSER_SAYS)
        await rep.wait_hears(PHONE_SAYS)
        await rep.end()
        tasks = await world.salesforce.wait_tasks(2, after=logged)
        assert {task.outcome for task in tasks} == {"Answered"}
