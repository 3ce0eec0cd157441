"""A customer calls the rep: the application server rings desk phone and browser."""

from __future__ import annotations

import pytest

from tests.system.conftest import BROWSER_SAYS
from tests.system.world import ANA, PHONE_SAYS, ROBIN, World

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
        assert (task.direction, task.outcome) == ("Inbound", "Answered")
        rep.visitor.assert_no_complaints()
