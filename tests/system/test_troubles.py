"""What goes wrong around a call: said in words, and never in the call's way."""

from __future__ import annotations

import asyncio

import pytest

from tests.system.conftest import BROWSER_SAYS
from tests.system.world import PHONE_SAYS, ROBIN, SAM, World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "chromium"),
]

# A caller hears ringing this soon, whatever the CRM does.
RINGS_WITHIN_S = 1.0


async def test_wrong_sip_password(world: World) -> None:
    """The widget names it; the registrar is not asked into a lock-out."""
    refused = rf"CHALLENGE REGISTER {SAM}"
    async with world.rep_page(user="sam", is_ready=False) as rep:
        await rep.wait_status("Phone not connected")
        await rep.wait_text("Your phone password is not accepted")
        # The first challenge asks for the password, the second refuses it.
        assert len(world.proxy.log_lines(refused)) == 2

        # Only the rep makes another attempt, once the password is right.
        await world.proxy.add_user(SAM, "correct-horse")
        await rep.press("Try again")
        await rep.wait_ready()
        assert len(world.proxy.log_lines(refused)) == 3
    await world.proxy.add_user(SAM, "staple")


@pytest.mark.parametrize(
    ("fault", "number", "last_name"),
    # Somebody else each time, whom the service has not looked up lately.
    [
        pytest.param("slow", "+14155550121", "Nakamura", id="slow"),
        pytest.param("down", "+16465550188", "الحسيني", id="down"),
        pytest.param("hang", "+13125550161", "Größmann-Schäfer", id="hang"),
    ],
)
async def test_crm_trouble_does_not_delay_a_call(
    world: World, fault: str, number: str, last_name: str
) -> None:
    """The phone rings, is answered and hung up as ever; the log follows later."""
    logged = len(await world.salesforce.tasks())
    loop = asyncio.get_running_loop()
    async with (
        world.rep_page() as rep,
        world.customer(number) as customer,
    ):
        await world.salesforce.fault(fault, times=None, path="", delay_s=8.0)
        start = loop.time()
        await customer.dial(ROBIN)
        await customer.wait_event("CALL_RINGING")
        assert loop.time() - start < RINGS_WITHIN_S
        await rep.answer()
        await rep.wait_hears(PHONE_SAYS)
        await customer.wait_hears(BROWSER_SAYS)
        if fault == "down":
            await rep.wait_text("could not be searched")
        start = loop.time()
        await rep.end()
        await customer.wait_event("CALL_CLOSED")
        assert loop.time() - start < 2.0
        await rep.wait_text("Waiting to be saved to Salesforce")

        await world.salesforce.clear_faults()
        [task] = await world.salesforce.wait_tasks(1, after=logged, timeout_s=40)
        assert task.who_id == (await world.salesforce.contact(last_name))["Id"]
        assert task.outcome == "Answered"
