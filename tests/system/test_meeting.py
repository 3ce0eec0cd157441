"""A rep and two guests of one invite in three browsers: everybody meets everybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from playwright.async_api import Page

from tests.system.browser import Chromium, wait_meets
from tests.system.conftest import (
    BROWSER_SAYS,
    BROWSER_SHOWS,
    COLLEAGUE_SAYS,
    COLLEAGUE_SHOWS,
    GUEST_SAYS,
    GUEST_SHOWS,
)
from tests.system.guest import GuestPage
from tests.system.inviting import ANA_EMAIL, answer_with_video, draft, guest_page, make
from tests.system.rep import RepPage
from tests.system.world import World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "chromium"),
]

RESTORED_WITHIN_S = 3.0
ROBIN = {BROWSER_SHOWS: BROWSER_SAYS}
ANA = {GUEST_SHOWS: GUEST_SAYS}
BEN = {COLLEAGUE_SHOWS: COLLEAGUE_SAYS}
GUESTS = (
    {"name": "Ana Ruiz", "email": ANA_EMAIL},
    {"name": "Ben Ode", "email": "ben.ode@acme-corp.example"},
)


@dataclass
class Meeting:
    """The three pages; ``window`` is the rep's picture of it."""

    rep: RepPage
    ana: GuestPage
    ben: GuestPage


@asynccontextmanager
async def three_people(
    world: World, guests: Chromium, colleagues: Chromium
) -> AsyncIterator[Meeting]:
    """The rep's page and both guests' lobbies."""
    async with world.client() as robin:
        made = await make(robin, draft(guests=GUESTS, send_mail=False))
        await robin.sign_out()
    async with (
        world.rep_page(has_camera=True) as rep,
        guest_page(guests, made.links[0]) as ana,
        guest_page(colleagues, made.links[1]) as ben,
    ):
        yield Meeting(rep, ana, ben)


async def meet(
    people: Mapping[Page, Mapping[int, float]], *, timeout_s: float = 10.0
) -> float:
    """Wait until each page sees and hears its others; gives the seconds it took."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.gather(
        *(
            wait_meets(page, others, timeout_s=timeout_s)
            for page, others in people.items()
        )
    )
    return loop.time() - start


def invites(world: World) -> list[str]:
    return world.proxy.log_lines(r"REQUEST INVITE ")


async def test_three_browsers_in_one_session(
    world: World,
    guests: Chromium,
    colleagues: Chromium,
    record_property: Callable[[str, object], None],
) -> None:
    """One comes, another comes, pages reload, the first leaves, the rep ends it."""
    logged = len(await world.salesforce.tasks())
    async with (
        three_people(world, guests, colleagues) as meeting,
        world.desk_phone() as desk,
    ):
        rep, ana, ben = meeting.rep, meeting.ana, meeting.ben
        await desk.wait_registered()
        await ana.join()
        await desk.wait_event("CALL_INCOMING")
        window = await answer_with_video(rep)
        await ana.stage("call")
        await meet({window: ANA, ana.page: ROBIN})
        await desk.wait_event("CALL_CLOSED")

        # Who comes to a meeting that is running rings nowhere.
        asked = invites(world)
        await ben.press_join()
        await ben.stage("call")
        all_of_them = {
            window: ANA | BEN,
            ana.page: ROBIN | BEN,
            ben.page: ROBIN | ANA,
        }
        record_property("third_is_met_s", round(await meet(all_of_them), 2))
        assert invites(world) == asked
        for page, names in (
            (window, ("Ana Ruiz", "Ben Ode")),
            (ana.page, ("Robin Reyes", "Ben Ode")),
            (ben.page, ("Robin Reyes", "Ana Ruiz")),
        ):
            for name in names:
                await page.get_by_text(name).locator("visible=true").first.wait_for()

        for name, page in (
            ("ana", ana.page),
            ("ben", ben.page),
            ("window", window),
        ):
            await page.reload(wait_until="load")
            took_s = await meet(all_of_them, timeout_s=RESTORED_WITHIN_S)
            record_property(f"restored_after_{name}_s", round(took_s, 2))
        assert invites(world) == asked

        # The first one's was the SIP call; the others notice nothing.
        await ana.leave()
        await ana.shows("ended", "left")
        await meet({window: BEN, ben.page: ROBIN})
        await rep.open_panel()
        await rep.wait_text("Ben Ode")
        await window.get_by_role("button", name="End call").click()
        await ben.shows("ended", "finished")
        await rep.wait_screen("ended")
    tasks = await world.salesforce.wait_tasks(2, after=logged)
    assert [(task.direction, task.outcome) for task in tasks] == [
        ("Inbound", "Answered")
    ] * 2


async def test_who_waits_comes_in_with_the_first(
    world: World, guests: Chromium, colleagues: Chromium
) -> None:
    """Two wait while it rings once; the rep answers once; both are there."""
    logged = len(await world.salesforce.tasks())
    async with three_people(world, guests, colleagues) as meeting:
        rep, ana, ben = meeting.rep, meeting.ana, meeting.ben
        await ana.join()
        await rep.wait_screen("ringing")
        asked = invites(world)
        await ben.join()
        assert invites(world) == asked
        window = await answer_with_video(rep)
        await ana.stage("call")
        await ben.stage("call")
        await meet({window: ANA | BEN, ana.page: ROBIN | BEN, ben.page: ROBIN | ANA})
        assert invites(world) == asked
        # The last one out ends it.
        await ben.leave()
        await meet({window: ANA, ana.page: ROBIN})
        await ana.leave()
        await rep.wait_screen("ended")
    tasks = await world.salesforce.wait_tasks(2, after=logged)
    assert {task.outcome for task in tasks} == {"Answered"}
