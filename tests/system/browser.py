"""Debian's Chromium under Playwright: a microphone that is a tone, and ears.

The ears are independent of the page's own code: an init script, put into every frame
before anything else runs, keeps every ``RTCPeerConnection`` and listens to the newest
remote audio track, so that a test can ask what is heard *now* and look for a
frequency in it. Typical use::

    async with Chromium(directory=folder, says=1000.0, logs=logs) as chromium:
        async with chromium.visitor("rep") as visitor:
            page = await visitor.open("https://acme.lightning.force.com/")
            await wait_hears(frame, 440.0)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Frame,
    Page,
    Playwright,
    async_playwright,
)

from tests.system import pictures
from tests.system.pictures import write_film
from tests.system.program import LogBook
from tests.system.tones import Sound, assert_tone, has_tone, write_tone

EXECUTABLE = "/usr/bin/chromium"
MICROPHONE_RATE = 48_000
MICROPHONE_SECONDS = 20
HEARING_RATE = 16_000
# One look at the sound: a power of two as an AnalyserNode wants it, 256 ms.
HEARING_SAMPLES = 4096

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The tests' pages are not in front; their timers must run all the same.
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)

EARS = Path(__file__).parent / "ears.js"
EYES = Path(__file__).parent / "eyes.js"


@dataclass  # no slots: Playwright keeps its wrappers on the object
class Visitor:
    """One browser profile: its own storage, and what its pages complained about."""

    name: str
    context: BrowserContext
    log: list[str]
    # Errors on the console and exceptions that nobody caught, as text.
    complaints: list[str] = field(default_factory=list)

    async def open(self, url: str) -> Page:
        """A new page at a URL, loaded."""
        page = await self.context.new_page()
        page.on("console", self._on_console)
        page.on("pageerror", self._on_error)
        await page.goto(url, wait_until="load")
        return page

    def _on_console(self, message: ConsoleMessage) -> None:
        place = message.location.get("url", "")
        text = f"{message.type}: {message.text} ({place})"
        self.log.append(text)
        if message.type == "error":
            self.complaints.append(text)

    def _on_error(self, error: Error) -> None:
        self.log.append(f"uncaught: {error}")
        self.complaints.append(f"uncaught: {error}")

    def assert_no_complaints(self, *, but: str = "") -> None:
        """Fail on any console error or uncaught exception; ``but`` may be in one."""
        left = [text for text in self.complaints if not but or but not in text]
        assert not left, "the page complained:\n" + "\n".join(left)


class Chromium:
    """One browser process for many visitors.

    Args:
        says: frequency in hertz of what every microphone of it hears.
        shows: byte that names the pictures that every camera of it films, None for
            Chromium's own test picture.
        arguments: more of the command line.
        hosts: host name patterns that lead to other hosts, e.g.
            ``{"*.lightning.force.com": "127.0.0.1"}``.
    """

    def __init__(
        self,
        *,
        directory: Path,
        says: float,
        logs: LogBook,
        shows: int | None = None,
        hosts: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self._directory = directory
        self._says = says
        self._shows = shows
        self._arguments = tuple(arguments)
        self._logs = logs
        self._hosts = dict(hosts or {})
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        tone = write_tone(
            self._directory / "microphone.wav",
            self._says,
            rate=MICROPHONE_RATE,
            seconds=MICROPHONE_SECONDS,
        )
        rules = ",".join(f"MAP {name} {host}" for name, host in self._hosts.items())
        arguments = [
            *ARGUMENTS,
            f"--use-file-for-fake-audio-capture={tone}",
            *self._arguments,
        ]
        if self._shows is not None:
            film = write_film(self._directory / "camera.y4m", self._shows)
            arguments.append(f"--use-file-for-fake-video-capture={film}")
        if rules:
            arguments.append(f"--host-resolver-rules={rules}")
        self._playwright = await async_playwright().start()
        try:
            self._browser = await self._playwright.chromium.launch(
                executable_path=EXECUTABLE, headless=True, args=arguments
            )
        except BaseException:
            await self._playwright.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()

    @asynccontextmanager
    async def visitor(
        self, name: str, *, has_microphone: bool = True, has_camera: bool = False
    ) -> AsyncIterator[Visitor]:
        """A fresh profile, forgotten afterwards."""
        if self._browser is None:
            raise RuntimeError("Chromium does not run")
        context = await self._browser.new_context(
            ignore_https_errors=True, viewport={"width": 1280, "height": 800}
        )
        context.set_default_timeout(10_000)
        try:
            devices = {"microphone": has_microphone, "camera": has_camera}
            await context.grant_permissions(
                [name for name, has in devices.items() if has]
            )
            await context.add_init_script(path=EARS)
            await context.add_init_script(path=EYES)
            yield Visitor(name, context, self._logs.open(f"page of {name}"))
        finally:
            await context.close()


async def hears(frame: Frame | Page) -> Sound:
    """What the page's newest remote audio track sounds like now; empty if none."""
    samples: list[int] | None = await frame.evaluate(
        "(how) => ringbridgeEars.listen(how)",
        {"rate": HEARING_RATE, "samples": HEARING_SAMPLES},
    )
    return Sound(np.array(samples or [], dtype=np.float64) / 32767, HEARING_RATE)


async def wait_hears(
    frame: Frame | Page, hz: float, *, timeout_s: float = 5.0
) -> Sound:
    """Wait until the page hears a tone.

    Raises:
        AssertionError: not within the time; the text says what it hears.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    while True:
        sound = await hears(frame)
        if has_tone(sound, hz):
            return sound
        if loop.time() > end:
            states = await frame.evaluate("ringbridgeEars.states()")
            assert len(sound.samples), f"no remote audio; peers are {states}"
            assert_tone(sound, hz)
        await asyncio.sleep(0.03)


async def sees(frame: Frame | Page) -> tuple[int, int] | None:
    """Who is in the page's newest remote picture, and which picture it is."""
    cells: list[int] | None = await frame.evaluate(
        "(grid) => ringbridgeEyes.look(grid)", pictures.GRID
    )
    return None if cells is None else pictures.read(cells)


async def wait_sees(frame: Frame | Page, who: int, *, timeout_s: float = 5.0) -> None:
    """Wait until the page sees moving pictures of ``who``.

    Raises:
        AssertionError: not within the time; the text says what it sees.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    counts: set[int] = set()
    seen = None
    while len(counts) < 3:
        seen = await sees(frame)
        if seen is not None and seen[0] == who:
            counts.add(seen[1])
        if loop.time() > end:
            states = await frame.evaluate("ringbridgeEars.states()")
            raise AssertionError(
                f"no moving pictures of {who:#x} but {seen}, {len(counts)} of them; "
                f"peers are {states}"
            )
        await asyncio.sleep(0.03)


async def wait_meets(
    frame: Frame | Page, others: Mapping[int, float], *, timeout_s: float = 10.0
) -> None:
    """Wait until the page sees moving pictures of all others and hears all of them.

    Args:
        others: the tone in hertz of each, by what their pictures say.

    Raises:
        AssertionError: not within the time; the text says who is missed.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    counts: dict[int, set[int]] = {who: set() for who in others}
    unheard = set(others.values())
    while unheard or min(map(len, counts.values())) < 3:
        pieces: list[list[int]] = await frame.evaluate(
            "(how) => ringbridgeEars.listenToAll(how)",
            {"rate": HEARING_RATE, "samples": HEARING_SAMPLES},
        )
        for piece in pieces:
            sound = Sound(np.array(piece, dtype=np.float64) / 32767, HEARING_RATE)
            unheard = {hz for hz in unheard if not has_tone(sound, hz)}
        for cells in await frame.evaluate(
            "(grid) => ringbridgeEyes.lookAtAll(grid)", pictures.GRID
        ):
            who, count = pictures.read(cells)
            if who in counts:
                counts[who].add(count)
        if loop.time() > end:
            states = await frame.evaluate("ringbridgeEars.states()")
            seen = {f"{who:#x}": len(count) for who, count in counts.items()}
            raise AssertionError(
                f"{unheard or 'nobody'} unheard, pictures of {seen}; peers are {states}"
            )
        await asyncio.sleep(0.03)


async def statistics(frame: Frame | Page, kind: str) -> list[dict[str, Any]]:
    """WebRTC statistics of one type (``inbound-rtp``) of all open connections."""
    rows: list[dict[str, Any]] = await frame.evaluate("ringbridgeEars.statistics()")
    return [row for row in rows if row.get("type") == kind]
