"""What the page behind a link says when there is no call by it, and what mails said."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.system.browser import Chromium
from tests.system.guest import GuestPage
from tests.system.inviting import (
    ANA_EMAIL,
    draft,
    guest_page,
    mails_to,
    make,
    wait_events,
)
from tests.system.waiting import until
from tests.system.world import World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "chromium"),
]

EXPERT = {"name": "Kim Expert", "email": "kim@acme-corp.example"}
ANA = {"name": "Ana Ruiz", "email": ANA_EMAIL}


async def no_join(guest: GuestPage) -> None:
    """There is nothing to join by on the page."""
    join = guest.page.get_by_role("button", name="Join", exact=True)
    await expect(join.locator("visible=true")).to_have_count(0)


async def words(guest: GuestPage) -> str:
    return " ".join((await guest.page.locator("#g-main").inner_text()).split())


async def test_early_moved_and_cancelled(world: World, guests: Chromium) -> None:
    """The page waits with a countdown; mails are one calendar entry that changes."""
    had = len(world.post.inbox)
    async with world.client() as robin:
        made = await make(robin, draft(starts_in_s=1500))
        [request] = await mails_to(world, ANA_EMAIL, after=had, count=1)
        assert request.method.value == "REQUEST"
        async with guest_page(guests, made.links[0]) as guest:
            await guest.shows("lobby")
            await guest.says("Robin Reyes invites you to a video call")
            countdown = guest.page.get_by_role("timer")
            await expect(countdown).to_have_text(re.compile(r"^Opens in 0?1[45]:\d\d"))
            before = await countdown.inner_text()
            await expect(countdown).not_to_have_text(before)
            await guest.says("Leave this page open: it opens by itself.")
            await no_join(guest)

            moved = draft(
                starts_in_s=2700, guests=[{**ANA, "guest_id": made.guest_id()}]
            )
            await robin.command("invite.change", invite_id=made.id, invite=moved)
            await guest.page.reload()
            await expect(countdown).to_have_text(re.compile(r"^Opens in 3[45]:\d\d"))

            await robin.command("invite.cancel", invite_id=made.id)
            await guest.page.reload()
            await guest.shows("notice", "cancelled")
            await guest.says("This call was cancelled")
            await guest.says("Robin Reyes cancelled it. You need not do anything.")
            await guest.says("How to reach Robin Reyes")
            await no_join(guest)
        entries = await mails_to(world, ANA_EMAIL, after=had, count=3)
        assert [entry.method.value for entry in entries] == [
            "REQUEST",
            "REQUEST",
            "CANCEL",
        ]
        assert len({entry.vevent.uid.value for entry in entries}) == 1
        sequences = [int(entry.vevent.sequence.value) for entry in entries]
        assert sequences == sorted(set(sequences))
        starts = [entry.vevent.dtstart.value for entry in entries]
        assert (starts[1] - starts[0]).total_seconds() == pytest.approx(1200, abs=30)
        assert entries[2].vevent.status.value == "CANCELLED"
        await robin.sign_out()


async def test_taken_out_and_wrong(world: World, guests: Chromium) -> None:
    """Who was taken out is told so; wrong links all look alike, and tell nothing."""
    had = len(world.post.inbox)
    async with world.client() as robin:
        made = await make(robin, draft(guests=[ANA, EXPERT]))
        await mails_to(world, EXPERT["email"], after=had, count=1)
        alone = draft(guests=[{**ANA, "guest_id": made.guest_id()}])
        await robin.command("invite.change", invite_id=made.id, invite=alone)
        entries = await mails_to(world, EXPERT["email"], after=had, count=2)
        assert entries[1].method.value == "CANCEL"
        assert entries[1].vevent.uid.value == entries[0].vevent.uid.value

        async with guest_page(guests, made.links[1]) as guest:
            await guest.shows("notice", "revoked")
            await guest.says("This link is no longer valid")
            assert "Renewal quote" not in await words(guest)
            await no_join(guest)

        right = made.links[0]
        last = "A" if right[-1] != "A" else "B"
        wrong = right[:-1] + last, right.rpartition("/")[0] + "/" + "x" * 32
        seen = []
        for link in wrong:
            async with guest_page(guests, link) as guest:
                await guest.shows("notice", "unknown")
                await guest.says("This link does not work")
                seen.append(await words(guest))
                await no_join(guest)
        assert seen[0] == seen[1]
        assert "Robin" not in seen[0]
        await robin.command("invite.cancel", invite_id=made.id)
        await robin.sign_out()


async def test_nobody_comes(world: World, guests: Chromium) -> None:
    """The page says that the time is over; the Event and one Task that nobody came."""
    logged = len(await world.salesforce.tasks())
    had = len(await world.salesforce.records("Event"))
    async with world.client() as robin:
        # The least that an invite may last is a minute, which is nearly over.
        made = await make(robin, draft(starts_in_s=-56, lasts_s=64, send_mail=False))
        async with guest_page(guests, made.links[0]) as guest:
            await guest.shows("notice", "over")
            await guest.says("The time of this call is over")
            await guest.says("The link worked until then only.")
            await no_join(guest)
        ended = await robin.wait_event(
            "invite.updated",
            matches=lambda event: (
                event["invite"]["invite_id"] == made.id
                and event["invite"]["state"] == "no_show"
            ),
        )
        assert "joined_at" not in ended["invite"]["guests"][0]
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert task.key == f"noshow:{made.id}"
        assert task.subject == "No-show: Ana Ruiz, Renewal quote"
        [event] = (await wait_events(world, had + 1))[had:]

        async def is_told() -> bool:
            [row] = [
                row
                for row in await world.salesforce.records("Event")
                if row["Id"] == event["Id"]
            ]
            return "did not come" in row["Description"]

        await until(is_told, "an Event that says so")
        assert len(await world.salesforce.records("Event")) == had + 1
        assert len(await world.salesforce.tasks()) == logged + 1
        await robin.sign_out()
