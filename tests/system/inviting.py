"""What a rep and a guest do around a video invite, and what comes of it."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import vobject
from playwright.async_api import Page, expect

from tests.gateway.invites.mail_server import Received
from tests.system.browser import Chromium, wait_hears, wait_sees
from tests.system.conftest import (
    BROWSER_SAYS,
    BROWSER_SHOWS,
    GUEST_SAYS,
    GUEST_SHOWS,
)
from tests.system.guest import GuestPage
from tests.system.rep import RepPage
from tests.system.waiting import until, until_true
from tests.system.wire_client import WireClient
from tests.system.world import World

ANA_EMAIL = "ana.ruiz@acme-corp.example"


async def invite(rep: RepPage, world: World, *, preset: str = "Now") -> Received:
    """Ana is searched and invited; gives the mail that she gets."""
    before = len(world.post.inbox)
    await rep.open_panel()
    await rep.widget.get_by_role("tab", name="Invites").click()
    await rep.press("New invite")
    name = rep.widget.get_by_role("combobox", name="Name", exact=True)
    await name.press_sequentially("ana")
    await rep.widget.locator(".rb-option").first.click()
    await expect(rep.widget.get_by_label("E-mail")).to_have_value(ANA_EMAIL)
    await rep.widget.get_by_label("Subject").fill("Renewal quote")
    await rep.press(preset)
    await rep.press("Send invite")
    await until_true(lambda: len(world.post.inbox) > before, "the mail")
    return world.post.inbox[before]


def link_of(mail: Received) -> str:
    text = mail.message.get_body(("plain",))
    assert text is not None
    found = re.search(r"https?://\S+/join/\S+", text.get_content())
    assert found is not None
    return found[0]


def calendar_of(mail: Received) -> Any:
    """The entry, as another program reads it."""
    [part] = [
        part
        for part in mail.message.walk()
        if part.get_content_type() == "text/calendar" and not part.get_filename()
    ]
    return vobject.readOne(part.get_content())


@asynccontextmanager
async def guest_page(guests: Chromium, link: str) -> AsyncIterator[GuestPage]:
    async with guests.visitor("guest", has_camera=True) as visitor:
        yield GuestPage(visitor, await visitor.open(link))


async def answer_with_video(rep: RepPage) -> Page:
    """Gives the window of the call."""
    await rep.wait_screen("ringing")
    await rep.button("Answer with video").wait_for()
    await asyncio.sleep(0.45)
    async with rep.page.expect_popup() as popup:
        await rep.button("Answer with video").click()
    return await popup.value


async def see_each_other(
    window: Page, guest: GuestPage, *, timeout_s: float = 10
) -> float:
    """Sound and moving pictures both ways; gives how long it took, in seconds."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.gather(
        wait_hears(window, GUEST_SAYS, timeout_s=timeout_s),
        wait_sees(window, GUEST_SHOWS, timeout_s=timeout_s),
        wait_hears(guest.page, BROWSER_SAYS, timeout_s=timeout_s),
        wait_sees(guest.page, BROWSER_SHOWS, timeout_s=timeout_s),
    )
    return loop.time() - start


async def wait_events(world: World, count: int) -> list[dict[str, Any]]:
    async def events() -> list[dict[str, Any]] | None:
        found = await world.salesforce.records("Event")
        return found if len(found) >= count else None

    found = await until(events, f"{count} events")
    assert found is not None
    assert len(found) == count
    return found


# By the bare protocol, at times of one's choice --------------------------------------


def draft(
    *,
    starts_in_s: float = 0,
    lasts_s: float = 1800,
    guests: Sequence[Mapping[str, str]] = ({"name": "Ana Ruiz", "email": ANA_EMAIL},),
    send_mail: bool = True,
) -> dict[str, Any]:
    """What ``invite.create`` takes."""
    starts_at = time.time() + starts_in_s
    return {
        "subject": "Renewal quote",
        "starts_at": int(starts_at * 1000),
        "ends_at": int((starts_at + lasts_s) * 1000),
        "time_zone": "America/New_York",
        "guests": list(guests),
        "send_mail": send_mail,
    }


@dataclass
class Made:
    """An invite and its links, in the order of its guests."""

    view: dict[str, Any]
    links: list[str]

    @property
    def id(self) -> str:
        return str(self.view["invite_id"])

    def guest_id(self, index: int = 0) -> str:
        return str(self.view["guests"][index]["guest_id"])


async def make(rep: WireClient, invite: Mapping[str, Any]) -> Made:
    invite_id = str(uuid.uuid4())
    made = await rep.command("invite.create", invite_id=invite_id, invite=invite)
    view = made["invite"]
    links = [
        await rep.request(
            "invite.link", invite_id=invite_id, guest_id=guest["guest_id"]
        )
        for guest in view["guests"]
    ]
    return Made(view, [link["url"] for link in links])


async def mails_to(world: World, address: str, *, after: int, count: int) -> list[Any]:
    """Wait for mails to an address; gives their calendar entries."""

    def found() -> list[Received]:
        return [m for m in world.post.inbox[after:] if m.recipients == [address]]

    await until_true(lambda: len(found()) >= count, f"{count} mails")
    return [calendar_of(mail) for mail in found()]
