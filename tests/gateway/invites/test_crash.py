"""kill -9 around sending: each mail arrives once, or is marked uncertain."""

from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.invites.model import MailDraft, MailKind
from gateway.invites.sender import MailSender
from gateway.invites.smtp import SmtpConfig, SmtpTransport
from gateway.sessions.wire import MailState
from gateway.storage import Database
from gateway.storage.invites import InviteStore
from gateway.storage.mails import MailRowState, MailStore
from tests.gateway.invites.mail_server import MailServer, mail_server
from tests.gateway.invites.samples import T0, a_guest, an_invite, message_of
from tests.gateway.invites.samples import content as mail_content
from tests.gateway.storage.samples import eventually

KILLS = 5


async def child(
    repository: Path, folder: Path, port: int, mode: str, seed: int
) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.gateway.invites.crash_child",
        str(folder),
        str(port),
        str(seed),
        mode,
        stdout=PIPE,
        cwd=repository,
    )


async def lines(process: Process, count: int) -> list[str]:
    assert process.stdout is not None
    found = []
    for _ in range(count):
        line = await process.stdout.readline()
        assert line, "the child ended by itself"
        found.append(line.decode().strip())
    return found


class Slow(MailServer):
    """Takes its time before it answers, and puts some off."""

    rng = random.Random(23)

    async def handle_DATA(self, *arguments: Any) -> str:
        if self.rng.random() < 0.15:
            self.replies = ["451 4.3.2 Later"]
        await asyncio.sleep(self.rng.uniform(0.0, 0.01))
        reply = await super().handle_DATA(*arguments)
        await asyncio.sleep(self.rng.uniform(0.0, 0.01))
        return reply


@pytest.mark.timeout(180)
async def test_each_mail_arrives_once_or_is_uncertain(
    repository: Path, tmp_path: Path
) -> None:
    rng = random.Random(7)
    invited: list[str] = []
    async with mail_server(Slow()) as server:
        for seed in range(KILLS):
            process = await child(repository, tmp_path, server.port, "invite", seed)
            invited += await lines(process, rng.randint(5, 30))
            # Somewhere in the middle of whatever it does now.
            await asyncio.sleep(rng.uniform(0.0, 0.05))
            process.kill()
            rest, _ = await process.communicate()
            invited += [line for line in rest.decode().split("\n")[:-1] if line]
        process = await child(repository, tmp_path, server.port, "drain", KILLS)
        assert await lines(process, 1) == ["drained"]
        assert await process.wait() == 0

    arrived = Counter(
        recipient for mail in server.inbox for recipient in mail.recipients
    )
    assert max(arrived.values()) == 1
    assert len({mail.message["Message-ID"] for mail in server.inbox}) == len(
        server.inbox
    )
    database = Database(f"sqlite:///{tmp_path}/ringbridge.db")
    await database.open()
    kept = await InviteStore(database).unclosed()
    await database.close()
    states = {invite.guests[0].email: invite.guests[0].mail for invite in kept}
    assert set(invited) <= set(states)
    assert len(invited) >= 5 * KILLS
    assert set(states.values()) <= {MailState.SENT, MailState.UNCERTAIN}
    for address, state in states.items():
        if state is MailState.SENT:
            assert arrived[address] == 1, address
    # The kills did hit the moment in question.
    assert MailState.UNCERTAIN in states.values()


SEAMS = ("before begin", "after begin", "after data", "before settle")


@pytest.mark.parametrize("seam", SEAMS)
async def test_a_death_at_each_seam(
    seam: str, database: Database, store: InviteStore, mails: MailStore
) -> None:
    """The four moments that a kill can fall between, each for certain."""
    death = asyncio.Event()

    async def die() -> None:
        death.set()
        await asyncio.Event().wait()

    class Dying(MailStore):
        async def begin(self, mail: Any) -> bool:
            if seam == "before begin":
                await die()
            is_ours = await super().begin(mail)
            if seam == "after begin":
                await die()
            return is_ours

        async def settle(self, *arguments: Any, **options: Any) -> bool:
            if seam == "before settle":
                await die()
            return await super().settle(*arguments, **options)

    class DyingTransport(SmtpTransport):
        async def deliver(
            self,
            message: bytes,
            **options: Any,
        ) -> bool:
            is_sent = await super().deliver(message, **options)
            if seam == "after data":
                await die()
            return is_sent

    def sender(mails: MailStore, transport: SmtpTransport) -> MailSender:
        return MailSender(
            mails,
            {"acme": transport},
            compose=message_of,
            return_path=lambda _: "a@acme.example",
            on_news=lambda _: None,
            now=lambda: T0,
            rng=random.Random(1),
            finish_within_s=0.0,
        )

    async with mail_server() as server:
        config = SmtpConfig("127.0.0.1", server.port, "none", "here")
        draft = MailDraft(
            f"{1:032x}",
            1,
            MailKind.INVITATION,
            mail_content(guest_email=a_guest(1).email),
        )
        assert await store.add(an_invite(), mails=[draft], links={}, now=T0)
        first = sender(Dying(database, owner="node-1"), DyingTransport(config))
        task = asyncio.create_task(first.run())
        await death.wait()
        await first.close()
        await task

        second = sender(mails, SmtpTransport(config))
        task = asyncio.create_task(second.run())
        wanted = MailRowState.SENT if seam == "before begin" else MailRowState.UNCERTAIN

        async def is_so() -> bool:
            return await mails.counts() == {wanted: 1}

        await eventually(is_so)
        await second.close()
        await task
    arrived = 0 if seam == "after begin" else 1
    assert len(server.inbox) == arrived
