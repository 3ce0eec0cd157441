"""Calls of video invites: reloads, nobody who answers, the end of the time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.system.browser import Chromium
from tests.system.inviting import (
    answer_with_video,
    draft,
    guest_page,
    invite,
    link_of,
    make,
    see_each_other,
)
from tests.system.rep import RepPage
from tests.system.world import World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "chromium"),
]

# From the page being ready to picture and sound in both directions.
RESTORED_WITHIN_S = 3.0


def requests(world: World) -> list[str]:
    """What either leg of a call has asked of the application server so far."""
    return world.proxy.log_lines(r"REQUEST (INVITE|BYE|CANCEL|UPDATE) ")


async def test_reload_on_either_side(
    world: World,
    guests: Chromium,
    record_property: Callable[[str, object], None],
) -> None:
    """Picture and sound are back within 3 s; the SIP call notices nothing."""
    logged = len(await world.salesforce.tasks())
    async with world.rep_page(has_camera=True) as rep:
        link = link_of(await invite(rep, world))
        async with guest_page(guests, link) as guest:
            await guest.join()
            window = await answer_with_video(rep)
            await guest.stage("call")
            await see_each_other(window, guest)
            asked = requests(world)

            for name, page in (
                ("guest", guest.page),
                ("window", window),
                ("salesforce", rep.page),
            ):
                await page.reload(wait_until="load")
                took_s = await see_each_other(
                    window, guest, timeout_s=RESTORED_WITHIN_S
                )
                record_property(f"restored_after_{name}_s", round(took_s, 2))
                assert requests(world) == asked, name

            # The page that was loaded again finds the window, and all are in charge.
            await rep.open_panel()
            await rep.press("Show the window")
            await rep.wait_text("Ana Ruiz")
            await guest.leave()
            await rep.wait_screen("ended")
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert task.outcome == "Answered"


async def newest_in_history(rep: RepPage) -> str:
    await rep.press("Done")
    await rep.widget.get_by_role("tab", name="Recents").click()
    text = await rep.widget.locator(".rb-recents li").first.text_content()
    return text or ""


async def test_nobody_answers(world: World, guests: Chromium) -> None:
    """The guest reads that the rep is told, the rep finds it; one Task says missed."""
    logged = len(await world.salesforce.tasks())
    async with world.rep_page() as rep, world.proxy.switched("ring_ms", 2500):
        link = link_of(await invite(rep, world))
        async with guest_page(guests, link) as guest:
            await guest.join()
            await rep.wait_screen("ringing")
            await guest.shows("ended", "no_answer")
            await guest.says("Robin Reyes has not answered yet")
            await guest.says("Robin Reyes has been told that you are here.")
        await rep.wait_screen("ended")
        await rep.wait_text("Missed call")
        newest = await newest_in_history(rep)
        assert "Missed: Renewal quote" in newest, newest
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert (task.direction, task.outcome) == ("Inbound", "Missed")
        assert task.duration_s == 0


async def test_declined(world: World, guests: Chromium) -> None:
    """The guest is told kindly and may try again; one Task says declined."""
    logged = len(await world.salesforce.tasks())
    async with world.rep_page() as rep:
        link = link_of(await invite(rep, world))
        async with guest_page(guests, link) as guest:
            await guest.join()
            await rep.decline()
            await guest.shows("ended", "declined")
            await guest.says("Robin Reyes cannot take the call right now")
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert (task.direction, task.outcome) == ("Inbound", "Declined")
        assert task.duration_s == 0


async def test_link_in_use(world: World, guests: Chromium) -> None:
    """While somebody is in the call by a link, another browser has to wait."""
    async with world.client() as robin, world.desk_phone() as desk:
        await desk.wait_registered()
        made = await make(robin, draft(send_mail=False))
        async with (
            guest_page(guests, made.links[0]) as first,
            guest_page(guests, made.links[0]) as second,
        ):
            await second.shows("lobby")
            await first.join()
            await desk.wait_event("CALL_INCOMING")
            await desk.accept()
            await first.stage("call")
            await second.page.reload()
            await second.shows("notice", "in_use")
            await second.says("This link is in use right now")
            await first.leave()
            await first.shows("ended", "left")
            await second.page.get_by_role("button", name="Check again").click()
            await second.shows("lobby")
        await robin.command("invite.cancel", invite_id=made.id)
        await robin.sign_out()


async def test_the_time_is_over(world: World, guests: Chromium) -> None:
    """Both sides are warned, and told why, when the invite's end ends the call."""
    logged = len(await world.salesforce.tasks())
    async with world.client() as robin:
        made = await make(robin, draft(starts_in_s=-200, lasts_s=222, send_mail=False))
        await robin.sign_out()
    async with (
        world.rep_page(has_camera=True) as rep,
        guest_page(guests, made.links[0]) as guest,
    ):
        await guest.join()
        window = await answer_with_video(rep)
        await guest.stage("call")
        await see_each_other(window, guest)
        await guest.says("One minute left. Then the call ends.")
        await window.get_by_text("The invite ends in less than a minute.").wait_for()
        await guest.page.locator("[data-kind=time_over]").wait_for(timeout=30_000)
        await guest.says("The time of this call is over")
        await guest.says("It has ended as planned.")
        await rep.wait_screen("ended")
        await rep.wait_text("The time of the invite is over")
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert (task.direction, task.outcome) == ("Inbound", "Answered")


async def test_server_that_rewrites_from(world: World, guests: Chromium) -> None:
    """All calls come from one number: the rep still sees whose invite it is."""
    logged = len(await world.salesforce.tasks())
    ana = await world.salesforce.contact("Ruiz")
    async with world.rep_page() as rep, world.proxy.switched("from_user", "5550100"):
        link = link_of(await invite(rep, world))
        async with guest_page(guests, link) as guest:
            await guest.join()
            await rep.wait_screen("ringing")
            await rep.wait_text("Ana Ruiz")
            await rep.wait_text("Renewal quote")
            await rep.press("Answer with audio only")
            await guest.stage("call")
            await guest.leave()
            await rep.wait_screen("ended")
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert (task.outcome, task.who_id) == ("Answered", ana["Id"])
