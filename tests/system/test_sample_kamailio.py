"""The application server of sample_configs/ as it stands there, but for its address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import sip
from tests.sip.phones import Phone
from tests.system.ports import free_port
from tests.system.program import LogBook, Program
from tests.system.waiting import until_true

pytestmark = [pytest.mark.system, pytest.mark.needs("kamailio")]

SAMPLES = Path(__file__).parents[2] / "sample_configs"
DOMAIN, PASSWORD = "office.example", "change-me"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    tmp_path_factory: pytest.TempPathFactory, logs: LogBook
) -> AsyncIterator[tuple[str, int]]:
    folder = tmp_path_factory.mktemp("sample")
    port = free_port()
    text = (SAMPLES / "kamailio-small-office.cfg").read_text(encoding="utf-8")
    assert text.count("192.0.2.10:5060") == 2
    text = text.replace("192.0.2.10:5060", f"127.0.0.1:{port}")
    text = text.replace("/etc/kamailio/dbtext", str(SAMPLES / "kamailio-dbtext"))
    config = folder / "kamailio.cfg"
    config.write_text(text, encoding="utf-8")
    program = Program(
        "sample kamailio",
        ["kamailio", "-f", config, "-DD", "-E", "-m", "32", "-M", "8", "-w", folder],
        logs=logs,
        environment={"PATH": "/usr/sbin:/usr/bin:/bin"},
    )
    async with program:
        await until_true(lambda: _listens(port), "the sample listens")
        yield "127.0.0.1", port


def _listens(port: int) -> bool:
    rows = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") for row in rows)


def phone(server: tuple[str, int], user: str, *, username: str = "") -> Phone:
    return Phone(
        user,
        domain=DOMAIN,
        password=PASSWORD,
        server=server,
        username=username or None,
        registers=not username,
    )


async def test_all_devices_of_a_user_ring(server: tuple[str, int]) -> None:
    desk, browser = phone(server, "1001"), phone(server, "1001")
    async with desk, browser, phone(server, "1000") as caller:
        await desk.registered()
        await browser.registered()
        await caller.registered()
        caller.dial("1001")
        await asyncio.gather(desk.called(), browser.called())
        browser.calls[0].answer("v=0\r\n")
        await caller.event(sip.Answered)
        cancelled = await desk.event(sip.Cancelled)
        assert "Call completed elsewhere" in str(cancelled.reasons)


async def test_a_guest_calls_in_a_name_of_its_own(server: tuple[str, int]) -> None:
    async with (
        phone(server, "1001") as host,
        phone(server, "guest-5f0c2a9e8d1b4c7fa3e6", username="guests") as guest,
    ):
        await host.registered()
        guest.dial("1001")
        await host.called()
        assert host.calls[0].remote.uri.user == "guest-5f0c2a9e8d1b4c7fa3e6"


@pytest.mark.parametrize(
    ("user", "username"),
    [
        ("guest-5f0c2a9e8d1b4c7fa3e6", "1000"),
        ("1001", "guests"),
        ("1001", "1000"),
    ],
)
async def test_nobody_calls_in_anothers_name(
    server: tuple[str, int], user: str, username: str
) -> None:
    async with phone(server, user, username=username) as caller:
        caller.dial("1000")
        assert (await caller.event(sip.Rejected)).status == 403


async def test_guests_call_no_other_domain(server: tuple[str, int]) -> None:
    async with phone(server, "guest-5f0c2a9e8d1b4c7fa3e6", username="guests") as guest:
        guest.agent.call(
            guest.account,
            sip.Uri.parse("sip:+12025550199@elsewhere.example"),
            "v=0\r\n",
            guest._on_event,
        )
        assert (await guest.event(sip.Rejected)).status == 403
