"""Calls of video invites: reloads, nobody who answers, the end of the time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.system.browser import Chromium
from tests.system.inviting import (
    answer_with_video,
    guest_page,
    invite,
    link_of,
    see_each_other,
)
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
