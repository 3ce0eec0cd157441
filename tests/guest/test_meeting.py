"""Several others in a guest's call, and no room for one more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import expect

from gateway.sessions import wire
from tests.guest.conftest import OpenGuest
from tests.guest.fake_invite import FakeInvite
from tests.guest.page import Guest
from tests.guest.scenes import HOST
from tests.widget.fake_gateway import Refused
from tests.widget.seats import BEN, CHLOE, DAN, seat

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_others_come_and_go_in_the_guests_language(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    gateway.shows(language="de")
    guest = await open_page()
    page = guest.page
    await guest.sees_self()
    await guest.button("Teilnehmen").click()
    await gateway.host_answers(await gateway.ringing())
    await guest.stage("call")
    said = page.locator(".rb-gallery-said")
    bar = await page.locator(".g-bar").bounding_box()
    await seat(page, HOST, BEN)
    await expect(said).to_have_text("Ben Okafor ist jetzt dabei")
    await guest.says("Im Gespräch mit Robin Reyes und Ben Okafor")
    await expect(page).to_have_title("Videogespräch mit Robin Reyes und Ben Okafor")
    await seat(page, HOST, BEN, replace(CHLOE, width=0), DAN)
    await guest.says("Im Gespräch mit Robin Reyes, Ben Okafor und 2 weitere Personen")
    assert await page.locator(".g-bar").bounding_box() == bar
    await guest.button("Ben Okafor groß zeigen").click()
    await expect(page.locator(".rb-gallery[data-big]")).to_have_count(1)
    await page.keyboard.press("Escape")
    await expect(page.locator(".rb-gallery[data-big]")).to_have_count(0)
    await seat(page, HOST)
    await expect(said).to_contain_text("Ben Okafor hat das Gespräch verlassen")
    await guest.says("Im Gespräch mit Robin Reyes")


async def test_a_full_meeting_is_said_and_tried_again(
    guest: Guest, gateway: FakeInvite
) -> None:
    async def deny(params: wire.CallJoin) -> wire.Wire:
        raise Refused(wire.ErrorKind.CALL_LIMIT)

    gateway.overrides["call.join"] = deny
    await guest.button("Join").click()
    await guest.says("This call is full right now")
    await expect(guest.text("try again in a few minutes")).to_be_visible()
    await guest.button("Try again").click()
    await gateway.until_sent("call.join", 2)
    await guest.says("This call is full right now")
    del gateway.overrides["call.join"]
    await guest.button("Try again").click()
    await guest.shows("ringing")
    call_id = (await gateway.until_sent("call.join", 3)).call_id
    await gateway.until_media_answered(call_id)
    await gateway.alerting(call_id)
    await gateway.host_answers(call_id)
    await guest.stage("call")
