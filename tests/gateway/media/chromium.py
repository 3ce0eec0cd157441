"""A page of a real Chromium that hears and sees files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from playwright.async_api import Page, async_playwright

CHROMIUM = "/usr/bin/chromium"


@contextlib.asynccontextmanager
async def chromium_page(
    *, microphone: Path, camera: Path | None = None, permissions: Sequence[str]
) -> AsyncIterator[Page]:
    """An empty page whose capture devices play these files."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n"
            b"Connection: close\r\n\r\n<html>"
        )
        await writer.drain()
        writer.close()

    arguments = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
        "--autoplay-policy=no-user-gesture-required",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    if camera is not None:
        arguments.append(f"--use-file-for-fake-video-capture={camera}")
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=arguments
        )
        try:
            context = await browser.new_context(permissions=list(permissions))
            page = await context.new_page()
            await page.goto(f"http://127.0.0.1:{port}/")
            yield page
        finally:
            await browser.close()
