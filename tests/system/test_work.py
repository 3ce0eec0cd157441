"""What the rep writes down and opens during a call is in Salesforce, once."""

from __future__ import annotations

import pytest

from tests.system.waiting import until
from tests.system.world import ANA, ROBIN, World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "chromium"),
]


async def test_notes_and_what_was_opened_are_in_the_activity(world: World) -> None:
    """In the frame of the real page: typed, navigated, and corrected afterwards."""
    logged = len(await world.salesforce.tasks())
    ana = await world.salesforce.contact("Ruiz")
    async with world.rep_page() as rep, world.customer(ANA) as customer:
        await customer.dial(ROBIN)
        await rep.wait_screen("ringing")
        await rep.wait_text("Ana Ruiz")
        await rep.answer()
        await customer.wait_event("CALL_ESTABLISHED")
        notes = rep.widget.get_by_label("Notes")
        await notes.fill("Wants two pumps.")
        await rep.press("Open in Salesforce")
        await rep.page.wait_for_url("**/lightning/r/Contact/**")
        await rep.page.locator('#main a[href*="/lightning/r/Account/"]').first.click()
        await rep.page.wait_for_url("**/lightning/r/Account/**")
        await rep.wait_text("Related to")
        await rep.end()
        [task] = await world.salesforce.wait_tasks(1, after=logged)

        async def row() -> dict[str, str]:
            rows = await world.salesforce.records("Task")
            [found] = [each for each in rows if each["Id"] == task.id]
            return found

        written = await row()
        assert written["WhoId"] == ana["Id"]
        assert written["WhatId"] == ana["AccountId"]
        assert "Wants two pumps." in written["Description"]
        assert f"/lightning/r/Account/{ana['AccountId']}" in written["Description"]

        # The call is over, and the rep remembers something.
        await notes.fill("Wants two pumps, and a hose.")

        async def is_corrected() -> bool:
            return "and a hose" in (await row())["Description"]

        await until(is_corrected, "the correction", timeout_s=20.0)
        assert len(await world.salesforce.tasks()) == logged + 1
        rep.visitor.assert_no_complaints()
