"""Video invites, from the rep's dialog to the activity: everything is real."""

from __future__ import annotations

import pytest

from tests.system.browser import Chromium, wait_hears
from tests.system.conftest import GUEST_SAYS
from tests.system.inviting import (
    ANA_EMAIL,
    answer_with_video,
    calendar_of,
    guest_page,
    invite,
    link_of,
    see_each_other,
    wait_events,
)
from tests.system.world import World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "chromium"),
]

DESK_SAYS = 700.0
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


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
