"""Firefox, driven by WebDriver BiDi over its own port: nothing else to install."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

EXECUTABLE = "firefox-esr"
PREFERENCES = """
user_pref("media.navigator.streams.fake", true);
user_pref("media.navigator.permission.disabled", true);
user_pref("media.autoplay.default", 0);
user_pref("media.peerconnection.ice.loopback", true);
user_pref("media.peerconnection.ice.obfuscate_host_addresses", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
"""
LISTENING = "WebDriver BiDi listening on "


class Firefox:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._context = ""

    async def _send(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async for message in self._socket:
            answer = message.json()
            if answer.get("id") == number:
                assert answer["type"] == "success", answer
                return answer["result"]
        raise ConnectionError("Firefox is gone")

    async def begin(self) -> None:
        await self._send("session.new", capabilities={})
        tree = await self._send("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]

    async def goto(self, url: str) -> None:
        await self._send(
            "browsingContext.navigate", context=self._context, url=url, wait="complete"
        )

    async def evaluate(self, expression: str) -> Any:
        """As if a user had touched the page."""
        answer = await self._send(
            "script.evaluate",
            expression=expression,
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    async def until(self, claim: str, *, within_s: float = 20) -> None:
        waiting = (
            "new Promise((resolve) => { const look = () =>"
            f" Boolean({claim}) ? resolve() : setTimeout(look, 50); look(); }})"
        )
        try:
            async with asyncio.timeout(within_s):
                await self.evaluate(waiting)
        except TimeoutError:
            raise AssertionError(f"never came true: {claim}") from None

    async def press(self, label: str) -> None:
        """The button of this name, as soon as it is there."""
        find = (
            "[...document.querySelectorAll('button')].find((each) =>"
            " each.checkVisibility() && !each.disabled && "
            f"(each.ariaLabel ?? each.innerText).trim() === {label!r})"
        )
        await self.until(find)
        await self.evaluate(f"{find}.click()")


@contextlib.asynccontextmanager
async def firefox() -> AsyncIterator[Firefox]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        (Path(profile) / "user.js").write_text(PREFERENCES)
        process = await asyncio.create_subprocess_exec(
            EXECUTABLE,
            "--headless",
            "--no-remote",
            "--remote-debugging-port=0",
            "--profile",
            profile,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={"HOME": profile, "PATH": "/usr/bin:/bin", "MOZ_CRASHREPORTER": "0"},
        )
        assert process.stderr is not None
        drain: asyncio.Task[bytes] | None = None
        try:
            async with asyncio.timeout(40):
                line = ""
                while LISTENING not in line:
                    read = await process.stderr.readline()
                    assert read, "Firefox did not start"
                    line = read.decode(errors="replace")
            drain = asyncio.create_task(process.stderr.read())
            address = line.partition(LISTENING)[2].strip()
            async with (
                aiohttp.ClientSession() as http,
                http.ws_connect(f"{address}/session", max_msg_size=0) as socket,
            ):
                browser = Firefox(socket)
                await browser.begin()
                yield browser
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            if drain is not None:
                await drain
