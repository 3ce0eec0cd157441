"""What may happen to the page, the network or a media worker: the call goes on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from tests.system.baresip import Baresip
from tests.system.conftest import BROWSER_SAYS
from tests.system.rep import RepPage
from tests.system.waiting import until, until_true
from tests.system.world import ANA, PHONE_SAYS, ROBIN, World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "chromium"),
]

# From the page being ready to sound in both directions.
RESTORED_WITHIN_S = 2.0
OTHER_TAB = ".rb-elsewhere"


async def start_call(rep: RepPage, callee: Baresip) -> None:
    """A call to the callee, with sound both ways."""
    await callee.wait_registered()
    await rep.dial(callee.user)
    await rep.wait_status("On call")
    await hear_each_other(rep, callee)


async def hear_each_other(
    rep: RepPage, callee: Baresip, *, timeout_s: float = 5.0
) -> float:
    """Wait for both tones; gives how long it took, in seconds."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.gather(
        rep.wait_hears(PHONE_SAYS, timeout_s=timeout_s),
        callee.wait_hears(BROWSER_SAYS, timeout_s=timeout_s),
    )
    return loop.time() - start


def assert_untouched(callee: Baresip, *, invites: int = 1) -> None:
    """The far end's call has not been ended, and not been renegotiated."""
    assert len(callee.requests("INVITE")) == invites
    assert not callee.requests("BYE")


async def test_reload_of_the_page(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    """Sound is back both ways within 2 s; the far end notices nothing."""
    logged = len(await world.salesforce.tasks())
    async with (
        await world.callee("+12025550121", answer="auto") as callee,
        world.rep_page() as rep,
    ):
        await start_call(rep, callee)
        await rep.page.reload(wait_until="load")
        await rep.wait_screen("up")
        took_s = await hear_each_other(rep, callee, timeout_s=RESTORED_WITHIN_S)
        record_property("sound_restored_s", round(took_s, 2))
        assert_untouched(callee)

        # The panel is open again: whoever is in a call must see it.
        await rep.wait_status("On call")
        await rep.end()
        await callee.wait_event("CALL_CLOSED")
        # One call for the CRM, too.
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert task.outcome == "Answered"


async def test_reload_while_it_rings(world: World) -> None:
    """An incoming call is there again after the reload, and can be answered."""
    async with (
        world.rep_page() as rep,
        world.customer("+12025550122") as customer,
    ):
        await customer.dial(ROBIN)
        await rep.wait_screen("ringing")
        await rep.page.reload(wait_until="load")
        await rep.answer()
        await customer.wait_event("CALL_ESTABLISHED")
        await hear_each_other(rep, customer)
        await rep.end()


async def test_lost_socket(world: World) -> None:
    """The wire to the service is cut: the sound goes on, then the page resumes."""
    async with (
        await world.callee("+12025550123", answer="auto") as callee,
        world.rep_page() as rep,
    ):
        await start_call(rep, callee)
        peers = await rep.generations()
        assert world.front.cut() > 0
        try:
            await rep.wait_text("Reconnecting", within=".rb-softphone")
            await hear_each_other(rep, callee)
        finally:
            world.front.mend()
        await rep.wait_status("On call")
        await hear_each_other(rep, callee)
        assert await rep.generations() == peers
        assert_untouched(callee)
        # The resumed session takes commands.
        await rep.end()
        await callee.wait_event("CALL_CLOSED")


async def test_hung_up_while_the_socket_was_lost(world: World) -> None:
    """What happened meanwhile is told after the resume."""
    async with (
        await world.callee("+12025550124", answer="auto") as callee,
        world.rep_page() as rep,
    ):
        await start_call(rep, callee)
        world.front.cut()
        try:
            await callee.hang_up()
            await callee.wait_event("CALL_CLOSED")
        finally:
            world.front.mend()
        await rep.wait_screen("ended")
        await rep.wait_text("They hung up")


async def test_network_change(world: World) -> None:
    """The browser comes online again: a new generation of media, the same call."""
    async with (
        await world.callee("+12025550125", answer="auto") as callee,
        world.rep_page() as rep,
    ):
        await start_call(rep, callee)
        peers = await rep.generations()
        await rep.visitor.context.set_offline(True)
        await rep.visitor.context.set_offline(False)

        async def is_renewed() -> bool:
            return await rep.generations() > peers

        await until(is_renewed, "a new peer connection")
        await rep.wait_status("On call")
        await hear_each_other(rep, callee)
        # The former connection is closed once the new one carries sound.
        states = await rep.frame.evaluate("ringbridgeEars.states()")
        assert states.count("connected") == 1, states
        assert_untouched(callee)
        await rep.end()


async def test_the_tab_of_the_call_is_closed(world: World) -> None:
    """A second tab looks on, moves the call by a click, and back when it is closed."""
    async with (
        await world.callee("+12025550126", answer="auto") as callee,
        world.rep_page() as rep,
    ):
        await start_call(rep, callee)
        page = await rep.visitor.open(world.salesforce.lightning)
        second = RepPage(rep.visitor, page, world.widget_url)
        await second.open_panel()
        await second.wait_status("On call")
        await second.wait_text("You are talking in another tab.", within=OTHER_TAB)
        assert await second.generations() == 0
        await second.press("Move the call here")
        await rep.wait_text("You are talking in another tab.", within=OTHER_TAB)
        await hear_each_other(second, callee)

        await page.close()
        await hear_each_other(rep, callee, timeout_s=10)
        await rep.wait_status("On call")
        assert_untouched(callee)
        await rep.end()
        await callee.wait_event("CALL_CLOSED")


async def test_media_worker_dies(world: World) -> None:
    """``kill -9`` of the worker: new media on both sides, the call survives."""
    async with (
        await world.callee("+12025550127", answer="auto") as callee,
        world.rep_page() as rep,
    ):
        await start_call(rep, callee)
        [pid] = world.service.worker_pids()
        os.kill(pid, signal.SIGKILL)
        await until_true(
            lambda: len(callee.requests("INVITE")) == 2, "a re-INVITE to the far end"
        )
        await hear_each_other(rep, callee, timeout_s=10)
        assert_untouched(callee, invites=2)
        await rep.end()
        await callee.wait_event("CALL_CLOSED")


async def test_service_dies_and_comes_back(world: World) -> None:
    """``kill -9``: the page comes back by itself, and the next call rings in it."""
    logged = len(await world.salesforce.tasks())
    async with (
        await world.callee("+12025550128", answer="auto") as callee,
        world.customer(ANA) as customer,
        world.rep_page() as rep,
    ):
        await start_call(rep, callee)
        await world.service.kill()
        await rep.wait_text("Reconnecting", within=".rb-softphone")
        await world.service.start()
        # The call is over; the page says why, and so does its activity.
        await rep.wait_text("The phone service restarted")
        await rep.press("Done")
        await rep.wait_ready()
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert task.outcome == "Interrupted"
        await callee.hang_up()

        await customer.dial(ROBIN)
        await rep.answer()
        await hear_each_other(rep, customer)
        await rep.end()
        await world.salesforce.wait_tasks(2, after=logged)
