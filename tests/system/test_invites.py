"""Video invites, from the rep's dialog to the activity: everything is real."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
import vobject
from playwright.async_api import Page, expect

from tests.gateway.invites.mail_server import Received
from tests.system.browser import Chromium, wait_hears, wait_sees
from tests.system.conftest import BROWSER_SAYS, BROWSER_SHOWS, HOSTS
from tests.system.guest import GuestPage
from tests.system.program import LogBook
from tests.system.rep import RepPage
from tests.system.waiting import until, until_true
from tests.system.world import World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "chromium"),
]

GUEST_SAYS, GUEST_SHOWS = 1500.0, 0x3C
DESK_SAYS = 700.0
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
ANA_EMAIL = "ana.ruiz@acme-corp.example"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guests(
    tmp_path_factory: pytest.TempPathFactory, logs: LogBook
) -> AsyncIterator[Chromium]:
    """The customers' browser: another voice, other pictures than the rep's."""
    async with Chromium(
        directory=tmp_path_factory.mktemp("guests"),
        says=GUEST_SAYS,
        shows=GUEST_SHOWS,
        logs=logs,
        hosts=dict.fromkeys(HOSTS, "127.0.0.1"),
    ) as browser:
        yield browser


# What the rep does ----------------------------------------------------------------


async def invite(rep: RepPage, world: World, *, preset: str = "Now") -> Received:
    """Ana is searched and invited; gives the mail that she gets."""
    before = len(world.post.inbox)
    await rep.open_panel()
    await rep.widget.get_by_role("tab", name="Invites").click()
    await rep.press("New invite")
    name = rep.widget.get_by_role("combobox", name="Name")
    await name.press_sequentially("ana")
    await rep.widget.locator(".rb-option").first.click()
    await expect(rep.widget.get_by_label("E-mail")).to_have_value(ANA_EMAIL)
    await rep.widget.get_by_label("Subject").fill("Renewal quote")
    await rep.press(preset)
    await rep.press("Send invite")
    await until_true(lambda: len(world.post.inbox) > before, "the mail")
    return world.post.inbox[before]


def link_of(mail: Received) -> str:
    text = mail.message.get_body(("plain",))
    assert text is not None
    found = re.search(r"https?://\S+/join/\S+", text.get_content())
    assert found is not None
    return found[0]


def calendar_of(mail: Received) -> Any:
    """The entry, as another program reads it."""
    [part] = [
        part
        for part in mail.message.walk()
        if part.get_content_type() == "text/calendar" and not part.get_filename()
    ]
    return vobject.readOne(part.get_content())


@asynccontextmanager
async def guest_page(guests: Chromium, link: str) -> AsyncIterator[GuestPage]:
    async with guests.visitor("guest", has_camera=True) as visitor:
        yield GuestPage(visitor, await visitor.open(link))


async def answer_with_video(rep: RepPage) -> Page:
    """Gives the window of the call."""
    await rep.wait_screen("ringing")
    await rep.button("Answer with video").wait_for()
    await asyncio.sleep(0.45)
    async with rep.page.expect_popup() as popup:
        await rep.button("Answer with video").click()
    return await popup.value


async def see_each_other(
    window: Page, guest: GuestPage, *, timeout_s: float = 10
) -> float:
    """Sound and moving pictures both ways; gives how long it took, in seconds."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.gather(
        wait_hears(window, GUEST_SAYS, timeout_s=timeout_s),
        wait_sees(window, GUEST_SHOWS, timeout_s=timeout_s),
        wait_hears(guest.page, BROWSER_SAYS, timeout_s=timeout_s),
        wait_sees(guest.page, BROWSER_SHOWS, timeout_s=timeout_s),
    )
    return loop.time() - start


async def wait_events(world: World, count: int) -> list[dict[str, Any]]:
    async def events() -> list[dict[str, Any]] | None:
        found = await world.salesforce.records("Event")
        return found if len(found) >= count else None

    found = await until(events, f"{count} events")
    assert found is not None
    assert len(found) == count
    return found


# ----------------------------------------------------------------------------------


async def test_a_customer_clicks_the_link_and_is_in_a_video_call(
    world: World, guests: Chromium
) -> None:
    """Mail, calendar, page, fork, pictures, sound, hang-up, one Event and one Task."""
    logged = len(await world.salesforce.tasks())
    had = len(await world.salesforce.records("Event"))
    ana = await world.salesforce.contact("Ruiz")
    async with (
        world.rep_page(has_camera=True) as rep,
        world.desk_phone() as desk,
    ):
        await desk.wait_registered()
        mail = await invite(rep, world)
        assert mail.recipients == [ANA_EMAIL]
        link = link_of(mail)
        entry = calendar_of(mail)
        assert entry.method.value == "REQUEST"
        assert entry.vevent.url.value == link
        async with guest_page(guests, link) as guest:
            await guest.says("Robin Reyes invites you to a video call")
            await guest.join()
            await desk.wait_event("CALL_INCOMING")
            await rep.wait_text("Ana Ruiz")
            await rep.wait_text("Renewal quote")
            window = await answer_with_video(rep)
            await guest.stage("call")
            await see_each_other(window, guest)

            await desk.wait_event("CALL_CLOSED")
            [cancel] = desk.requests("CANCEL")
            assert cancel.header("Reason") == ELSEWHERE
            assert cancel.header("From") is not None

            await guest.leave()
            await rep.wait_screen("ended")
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert task.who_id == ana["Id"]
        assert task.owner_id == world.salesforce.users["robin.reyes@acme.example"]
        assert (task.direction, task.outcome) == ("Inbound", "Answered")
        event = (await wait_events(world, had + 1))[-1]
        assert event["WhoId"] == ana["Id"]
        assert "Renewal quote" in event["Subject"]
        assert "/join/" not in str(event)


async def test_answered_on_the_desk_phone(world: World, guests: Chromium) -> None:
    """The guest hears the rep, the widget says where, the Task is written."""
    logged = len(await world.salesforce.tasks())
    async with world.rep_page() as rep, world.desk_phone() as desk:
        await desk.wait_registered()
        link = link_of(await invite(rep, world))
        async with guest_page(guests, link) as guest:
            await guest.join()
            await desk.wait_event("CALL_INCOMING")
            await rep.wait_screen("ringing")
            await desk.accept()
            await guest.stage("call")
            await wait_hears(guest.page, DESK_SAYS, timeout_s=8)
            await desk.wait_hears(GUEST_SAYS)
            await rep.wait_screen("ended")
            await rep.wait_text("Answered on another device")
            await desk.hang_up()
            await guest.shows("ended", "finished")
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert task.outcome == "Answered"
