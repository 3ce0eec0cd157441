"""The page in Firefox, where that is installed: joined, answered, and reloaded."""

from __future__ import annotations

import json

import pytest

from tests.guest.fake_invite import FakeInvite
from tests.guest.firefox import firefox
from tests.guest.page import address
from tests.guest.scenes import HOST
from tests.widget.seats import BEN, CHLOE, SEAT, SEATED, told

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("firefox-esr"),
    pytest.mark.asyncio(loop_scope="session"),
]

SEES = "document.querySelector('{}')?.currentTime > 0"
STAGE = "document.querySelector('.g-stage')?.dataset.state === '{}'"


async def test_a_call_in_firefox(gateway: FakeInvite) -> None:
    async with firefox() as browser:
        await browser.goto(address(gateway))
        await browser.until("document.querySelector('#g-main').dataset.screen")
        await browser.press("Turn on camera and microphone")
        await browser.until(SEES.format(".g-preview video"))
        await browser.press("Join")
        call_id = await gateway.ringing()
        await browser.until(STAGE.format("ringing"))
        await gateway.host_answers(call_id)
        await browser.until(STAGE.format("call"))
        await gateway.until_media(call_id, 1)
        await browser.until(SEES.format(".rb-remote"))
        await browser.until(SEES.format(".g-self video"))

        await browser.goto(address(gateway))
        await gateway.until_media(call_id, 2)
        await browser.until(STAGE.format("call"))
        await browser.until(SEES.format(".rb-remote"))
        people = json.dumps(told(HOST, BEN, CHLOE))
        await browser.evaluate(f"({SEAT})({people})")
        await browser.until(f"({SEATED})()")
        await browser.press("Make Ben Okafor big")
        await browser.until("document.querySelector('.rb-gallery[data-big]')")
        await browser.press("Leave")
        heading = "document.querySelector('h1').textContent"
        await browser.until(f"{heading} === 'You have left the call'")
