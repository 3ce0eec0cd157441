"""``ringbridge demo``, as a stranger with a browser meets it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import FrameLocator, Page, expect

from tests.system.browser import Chromium, Visitor, hears, wait_hears, wait_sees
from tests.system.conftest import BROWSER_SAYS, BROWSER_SHOWS
from tests.system.guest import GuestPage
from tests.system.holdings import (
    Holdings,
    Inventory,
    alive,
    footprint,
    read_metrics,
    served,
    tree,
)
from tests.system.ports import free_ports
from tests.system.program import LogBook, Program
from tests.system.rep import GUARD_S
from tests.system.tones import level
from tests.system.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.needs("chromium")]

PORTS = 4
CLONE_TIMEOUT_S = 600
DATABASE = "ringbridge.db"
GAUGES = ("ringbridge_calls_active", "ringbridge_media_open_calls")
GUEST_SAYS, GUEST_SHOWS = 1500.0, 0x3C
EMAIL = "ana.ruiz@acme-corp.example"


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
        button = self.widget.get_by_role("button", name=name).first
        await button.wait_for()
        await asyncio.sleep(GUARD_S)
        await button.click()

    async def sees_heading(self, words: str) -> None:
        await expect(self.widget.get_by_role("heading", name=words)).to_be_visible()

    async def sees_saved(self) -> None:
        await expect(
            self.widget.get_by_role("button", name="Saved to Salesforce")
        ).to_be_visible()


class Demo:
    """The command as it runs, and what it holds."""

    def __init__(self, program: Program, first_port: int) -> None:
        self.program = program
        self._ports = range(first_port, first_port + PORTS)
        self.inventory = Inventory(self._holdings)

    async def _holdings(self) -> Holdings:
        """Of everything, as all of it is one process and its media workers.

        The session outlives its page by two minutes: it is no leak.
        """
        metrics = await read_metrics(f"http://127.0.0.1:{self._ports[0]}")
        return Holdings(
            gauges={name: metrics[name] for name in GAUGES},
            # The simulator serves each connection of a pool by a task.
            tasks=metrics["ringbridge_tasks"] - served(self._ports[1]),
            footprint=footprint(
                self.program.pid,
                # The service's pools: of requests to Salesforce, of SIP by TCP.
                but_connections_of=frozenset({self._ports[1], self._ports[3]}),
                but_file=DATABASE,
            ),
        )

    def links(self) -> tuple[str, str]:
        """The rep's Salesforce, the other telephones; as it says them."""
        lines = self.program.matching("http://localhost")
        links = [re.search(r"http://localhost:\d+/", line) for line in lines]
        salesforce, console, _mailbox = (link[0] for link in links if link)
        return salesforce, console

    @property
    def mailbox(self) -> str:
        """The customers' mailbox; as it says it."""
        [line] = self.program.matching("mailbox +http")
        return line.split()[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guests(
    tmp_path_factory: pytest.TempPathFactory, logs: LogBook
) -> AsyncIterator[Chromium]:
    """Ana's browser: another voice, other pictures than Robin's."""
    async with Chromium(
        directory=tmp_path_factory.mktemp("guests"),
        says=GUEST_SAYS,
        shows=GUEST_SHOWS,
        logs=logs,
    ) as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole_demo(logs: LogBook, chromium: Chromium) -> AsyncIterator[Demo]:
    """The command, once for all tests here; it ends as by Ctrl-C."""
    command = Path(sys.executable).parent / "ringbridge"
    first = free_ports(PORTS)
    program = Program("demo", [command, "demo", "--port", str(first)], logs=logs)
    async with program:
        await program.wait_for_line("Ctrl-C ends everything", timeout_s=30)
        demo = Demo(program, first)
        # One short call, so that what is made at first need has been made.
        async with stranger(demo, chromium) as person:
            await person.call_from("Ana Ruiz")
            await person.press("Answer")
            await expect(person.widget.get_by_text("On call").first).to_be_visible()
            await person.press("End")
            await person.sees_saved()
        await demo.inventory.take()
        pids = tree(program.pid)
        assert len(pids) > 1
        yield demo
        os.kill(program.pid, signal.SIGINT)
        assert await program.wait(timeout_s=15) == 0
        assert not alive(pids)
        # Nothing went wrong, and nothing but the instructions was said.
        assert not program.matching("ERROR|WARNING|Traceback")


@pytest_asyncio.fixture(loop_scope="session")
async def demo(whole_demo: Demo) -> AsyncIterator[Demo]:
    """The running demo; a test that leaves anything behind in it fails."""
    yield whole_demo
    await whole_demo.inventory.check()


@asynccontextmanager
async def stranger(
    demo: Demo, chromium: Chromium, *, has_camera: bool = False
) -> AsyncIterator[Stranger]:
    salesforce, console = demo.links()
    async with chromium.visitor("stranger", has_camera=has_camera) as visitor:
        # Two slow cores may be shared by all that is in this world.
        expect.set_options(timeout=15_000)
        person = Stranger(
            visitor, await visitor.open(salesforce), await visitor.open(console)
        )
        await expect(person.salesforce.locator("#softphone")).to_be_attached()
        await person.salesforce.locator("#utility").click()
        await expect(person.widget.get_by_text("Available").first).to_be_visible()
        try:
            yield person
        finally:
            await person.hang_up_everywhere()


async def test_ana_calls_and_is_answered(demo: Demo, chromium: Chromium) -> None:
    """Points 2 and 3 of what it prints, and the reload of point 5."""
    async with stranger(demo, chromium) as person:
        await person.call_from("Ana Ruiz")
        desk = person.console.get_by_role("listitem").filter(has_text="desk phone")
        await expect(desk.get_by_text("Ringing")).to_be_visible()
        await person.sees_heading("Ana Ruiz")
        await expect(person.widget.get_by_text("Acme Corp · Contact")).to_be_visible()
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
        await person.sees_saved()
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


async def test_a_stranger_becomes_a_contact(demo: Demo, chromium: Chromium) -> None:
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


async def test_click_to_dial(demo: Demo, chromium: Chromium) -> None:
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
        await person.sees_saved()
        await expect(activities).to_have_count(before + 1)


async def test_a_video_invite(demo: Demo, chromium: Chromium, guests: Chromium) -> None:
    """Points 6 and 7: invite, mail, link, both see and hear each other, two records."""
    async with (
        stranger(demo, chromium, has_camera=True) as person,
        guests.visitor("ana", has_camera=True) as visitor,
    ):
        await person.salesforce.get_by_role("link", name="Ana Ruiz").click()
        timeline = person.salesforce.locator("#timeline .activity")
        await expect(timeline.first).to_be_visible()
        before = await timeline.count()
        camera = person.salesforce.get_by_role("button", name="Invite Ana Ruiz")
        await camera.first.click()
        await expect(person.widget.get_by_label("E-mail")).to_have_value(EMAIL)
        subject = await person.widget.get_by_label("Subject").input_value()
        await person.press("Now")
        await person.press("Send invite")
        await expect(timeline).to_have_count(before + 1)

        mailbox = await visitor.open(demo.mailbox)
        await expect(mailbox.get_by_role("heading", name="Invitation:")).to_be_visible()
        await expect(mailbox.locator(".entry")).to_contain_text(EMAIL)
        link = mailbox.frame_locator("iframe").get_by_role("link").first
        async with mailbox.expect_popup() as popup:
            await link.click()
        guest = GuestPage(visitor, await popup.value)
        await guest.says("Robin Reyes invites you to a video call")
        await guest.join()

        desk = person.console.get_by_role("listitem").filter(has_text="desk phone")
        await expect(desk.get_by_text("Ringing")).to_be_visible()
        await person.sees_heading("Ana Ruiz")
        await expect(person.widget.get_by_text(subject)).to_be_visible()
        async with person.salesforce.expect_popup() as popup:
            await person.press("Answer with video")
        window = await popup.value
        await guest.stage("call")
        await asyncio.gather(
            wait_hears(window, GUEST_SAYS, timeout_s=15),
            wait_sees(window, GUEST_SHOWS, timeout_s=15),
            guest.meets(hz=BROWSER_SAYS, who=BROWSER_SHOWS, timeout_s=15),
        )
        await expect(desk.get_by_text("Answered on another device")).to_be_visible()

        await guest.leave()
        await expect(timeline).to_have_count(before + 2)
        person.visitor.assert_no_complaints()
        visitor.assert_no_complaints()


async def test_the_desk_phone_answers(demo: Demo, chromium: Chromium) -> None:
    async with stranger(demo, chromium) as person:
        await person.call_from("Ana Ruiz")
        desk = person.console.get_by_role("listitem").filter(has_text="desk phone")
        await desk.get_by_role("button", name="Answer").click()
        await person.sees_heading("Answered on another device")
        await desk.get_by_role("button", name="Hang up").click()


@pytest.mark.timeout(CLONE_TIMEOUT_S)
@pytest.mark.needs("git", "make")
async def test_from_a_clone_to_ringing(
    logs: LogBook,
    chromium: Chromium,
    tmp_path: Path,
    repository: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """The README's words, by somebody who has Python, git and make.

    How long it takes is told and not judged: it depends on the machine and on what
    of the packages is in pip's cache.
    """
    began = time.monotonic()
    clone = tmp_path / "ringbridge"
    first = free_ports(PORTS)
    newcomer = _without_our_environment()
    git = Program(
        "git", ["git", "clone", "--quiet", repository, clone], logs=logs, **newcomer
    )
    async with git:
        assert await git.wait(timeout_s=60) == 0
    program = Program(
        "make demo",
        ["make", "demo", f"DEMO_OPTIONS=--port {first}"],
        logs=logs,
        directory=clone,
        **newcomer,
    )
    async with program:
        await program.wait_for_line("Ctrl-C ends everything", timeout_s=CLONE_TIMEOUT_S)
        # What pip had to say about its indexes.
        said = len(program.matching("ERROR|WARNING"))
        pids = tree(program.pid)
        [command] = [pid for pid in pids if _is_the_command(pid, clone)]
        async with stranger(Demo(program, first), chromium) as person:
            await person.call_from("Ana Ruiz")
            await person.sees_heading("Ana Ruiz")
            await expect(
                person.widget.get_by_role("button", name="Answer").first
            ).to_be_visible()
            seconds = round(time.monotonic() - began, 1)
        record_property("clone_to_ringing_s", seconds)
        print(f"from clone to ringing: {seconds} s")
        os.kill(command, signal.SIGINT)
        assert await program.wait(timeout_s=15) == 0
        assert not alive(pids)
        assert len(program.matching("ERROR|WARNING")) == said
        assert not program.matching("Traceback")


def _without_our_environment() -> dict[str, Mapping[str, str]]:
    """What a newcomer's shell has: no virtual environment, no make around it."""
    ours = str(Path(sys.executable).parent)
    path = os.environ["PATH"].split(os.pathsep)
    return {
        "environment": {
            "PATH": os.pathsep.join(part for part in path if part != ours),
            "VIRTUAL_ENV": "",
            "MAKEFLAGS": "",
            "MAKELEVEL": "",
        }
    }


def _is_the_command(pid: int, clone: Path) -> bool:
    """Whether it is the clone's ``ringbridge``, by the clone's own Python."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    is_it = len(words) > 2 and words[1].endswith(".venv/bin/ringbridge")
    return is_it and Path(words[0]).is_relative_to(clone)
