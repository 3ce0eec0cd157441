"""``ringbridge demo``, as a stranger with a browser meets it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import FrameLocator, Page, expect

from tests.system.browser import Chromium, Visitor, hears, wait_hears
from tests.system.ports import free_ports
from tests.system.program import LogBook, Program
from tests.system.tones import level
from tests.system.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.needs("chromium")]

PORTS = 4


@dataclass
class Stranger:
    """Somebody who opened the two links that the demo printed."""

    visitor: Visitor
    salesforce: Page
    console: Page

    @property
    def widget(self) -> FrameLocator:
        return self.salesforce.frame_locator("#softphone")

    async def call_from(self, who: str) -> None:
        card = self.console.get_by_role("listitem").filter(has_text=who)
        await card.get_by_role("button", name="Call Robin").click()

    async def hang_up_everywhere(self) -> None:
        """Whatever the test left going on."""
        for phone in ("ana", "stranger", "desk"):
            await self.console.evaluate(
                "path => fetch(path, {method: 'POST'})", f"phones/{phone}/hangup"
            )

    async def press(self, name: str) -> None:
        await self.widget.get_by_role("button", name=name).first.click()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(logs: LogBook) -> AsyncIterator[Program]:
    """The command, once for all tests here; it ends as by Ctrl-C."""
    command = Path(sys.executable).parent / "ringbridge"
    first = free_ports(PORTS)
    program = Program("demo", [command, "demo", "--port", str(first)], logs=logs)
    async with program:
        await program.wait_for_line("Ctrl-C ends everything", timeout_s=30)
        children = _children(program.pid)
        assert children
        yield program
        os.kill(program.pid, signal.SIGINT)
        assert await program.wait(timeout_s=15) == 0
        assert not _alive(children)
        # Nothing went wrong, and nothing but the instructions was said.
        assert not program.matching("ERROR|WARNING|Traceback")


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def _alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@asynccontextmanager
async def stranger(demo: Program, chromium: Chromium) -> AsyncIterator[Stranger]:
    links = [
        re.search(r"http://localhost:\d+/", line)
        for line in demo.matching("http://localhost")
    ]
    salesforce, console, _mailbox = (link[0] for link in links if link)
    async with chromium.visitor("stranger") as visitor:
        # Two slow cores may be shared by all that is in this world.
        expect.set_options(timeout=15_000)
        person = Stranger(
            visitor, await visitor.open(salesforce), await visitor.open(console)
        )
        await expect(person.salesforce.locator("#softphone")).to_be_attached()
        await person.salesforce.locator("#utility").click()
        await expect(person.widget.get_by_text("Ready").first).to_be_visible()
        try:
            yield person
        finally:
            await person.hang_up_everywhere()


async def test_ana_calls_and_is_answered(demo: Program, chromium: Chromium) -> None:
    """Points 2 and 3 of what it prints, and the reload of point 5."""
    async with stranger(demo, chromium) as person:
        await person.call_from("Ana Ruiz")
        desk = person.console.get_by_role("listitem").filter(has_text="desk phone")
        await expect(desk.get_by_text("Ringing")).to_be_visible()
        await expect(person.widget.get_by_text("Ana Ruiz").first).to_be_visible()
        await expect(person.widget.get_by_text("Acme Corp").first).to_be_visible()
        await person.press("Answer")
        await expect(desk.get_by_text("Answered on another device")).to_be_visible()

        # She speaks, and then plays back the browser's microphone.
        frame = person.salesforce.frames[-1]
        await until(lambda: _is_loud(person), "Ana speaks", timeout_s=5)
        await wait_hears(frame, 1000.0, timeout_s=20)

        await person.salesforce.reload()
        await expect(person.widget.get_by_text("On call").first).to_be_visible()
        await wait_hears(person.salesforce.frames[-1], 1000.0, timeout_s=10)

        await until(lambda: _has_the_mouse(person), "the frame has the mouse")
        await person.press("Open in Salesforce")
        await expect(person.salesforce).to_have_url(re.compile("/lightning/r/Contact/"))
        await person.press("End")
        await expect(
            person.widget.get_by_role("button", name="Saved to Salesforce")
        ).to_be_visible()
        await expect(
            person.salesforce.locator("#timeline .activity", has_text="Ana Ruiz").first
        ).to_be_visible()
        person.visitor.assert_no_complaints()


async def _has_the_mouse(person: Stranger) -> bool:
    """Soon after a load, Chromium gives clicks in a frame to the page around it."""
    box = await person.salesforce.locator("#softphone").bounding_box()
    assert box is not None
    for shift in (2, 4):
        await person.salesforce.mouse.move(box["x"] + shift, box["y"] + shift)
    frame = person.salesforce.frames[-1]
    return bool(await frame.evaluate("document.querySelector(':hover') !== null"))


async def _is_loud(person: Stranger) -> bool:
    return level(await hears(person.salesforce.frames[-1])) > 0.01


async def test_a_stranger_becomes_a_contact(demo: Program, chromium: Chromium) -> None:
    """Jo March is in no Salesforce; one click, and she is."""
    async with stranger(demo, chromium) as person:
        await person.call_from("Jo March")
        await person.press("Add Jo March as a contact")
        await expect(
            person.widget.get_by_role("button", name="Open in Salesforce")
        ).to_be_visible()
        await person.press("Decline")
        caller = person.console.get_by_role("listitem").filter(has_text="Jo March")
        await expect(caller.get_by_text("603")).to_be_visible()


async def test_click_to_dial(demo: Program, chromium: Chromium) -> None:
    """Point 4: Ana's phone rings, she answers by herself, and is logged."""
    async with stranger(demo, chromium) as person:
        await person.salesforce.get_by_role("link", name="Ana Ruiz").click()
        await expect(person.salesforce).to_have_url(re.compile("/lightning/r/Contact/"))
        activities = person.salesforce.locator("#timeline .activity")
        await expect(activities.first).to_be_visible()
        before = await activities.count()
        await person.salesforce.locator("button.dial").first.click()
        await expect(person.widget.get_by_text("On call").first).to_be_visible(
            timeout=15_000
        )
        await person.press("End")
        await expect(
            person.widget.get_by_role("button", name="Saved to Salesforce")
        ).to_be_visible()
        await expect(activities).to_have_count(before + 1)


async def test_the_desk_phone_answers(demo: Program, chromium: Chromium) -> None:
    async with stranger(demo, chromium) as person:
        await person.call_from("Ana Ruiz")
        desk = person.console.get_by_role("listitem").filter(has_text="desk phone")
        await desk.get_by_role("button", name="Answer").click()
        await expect(
            person.widget.get_by_role("heading", name="Answered on another device")
        ).to_be_visible()
        await desk.get_by_role("button", name="Hang up").click()
