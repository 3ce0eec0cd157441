"""The simulator as a process of its own, which dies and comes back."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp


async def start(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.sandbox.salesforce",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    return process, ready


async def end(process: asyncio.subprocess.Process, *, hard: bool = False) -> int:
    (process.kill if hard else process.terminate)()
    return await asyncio.wait_for(process.wait(), 10)


async def test_what_was_answered_survives_a_kill(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    state = str(tmp_path / "org.json")
    process, ready = await start("--state", state, "--tls-port", "0")
    try:
        assert ready["url"].startswith("http://localhost:")
        assert ready["tls_url"].startswith("https://localhost:")
        body = {"object": "Contact", "fields": {"LastName": "Kept"}}
        url = f"{ready['url']}/sandbox/page/create"
        async with http.post(url, json=body) as reply:
            made = await reply.json()
            assert reply.status == 200
    finally:
        await end(process, hard=True)
    process, again = await start("--state", state)
    try:
        assert again["identity_public_key_pem"] == ready["identity_public_key_pem"]
        async with http.get(f"{again['url']}/sandbox/records/Contact") as reply:
            assert made["id"] in {row["Id"] for row in await reply.json()}
    finally:
        assert await end(process) == 0
