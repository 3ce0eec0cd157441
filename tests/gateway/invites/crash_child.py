"""The process that the crash test kills: it invites people, or sends what is left.

``python -m tests.gateway.invites.crash_child FOLDER PORT SEED invite|drain``. Prints
the guest's address once an invite is durable, and "drained" at the end.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from gateway.invites import sender as senders
from gateway.invites.model import MailDraft, MailKind
from gateway.invites.sender import MailSender
from gateway.invites.smtp import SmtpConfig, SmtpTransport
from gateway.storage import Database
from gateway.storage.invites import InviteStore
from gateway.storage.mails import MailRowState, MailStore
from tests.gateway.invites.samples import a_guest, an_invite, message_of
from tests.gateway.invites.samples import content as mail_content
from tests.gateway.storage.samples import eventually

HOSTS = 4


async def main(folder: Path, port: int, rng: random.Random, mode: str) -> None:
    # Nobody waits for the pauses that the faults have earned.
    senders.MIN_DELAY_S, senders.BACKOFF_BASE_S = 0.01, 0.05
    database = Database(f"sqlite:///{folder}/ringbridge.db")
    await database.open()
    store, mails = InviteStore(database), MailStore(database, owner="main")
    sender = MailSender(
        mails,
        {"acme": SmtpTransport(SmtpConfig("127.0.0.1", port, "none", "here"))},
        compose=message_of,
        return_path=lambda _: "invites@acme.example",
        on_news=lambda _: None,
        now=time.time,
        rng=rng,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(sender.run())
        if mode == "invite":
            for _ in range(HOSTS):
                group.create_task(invite_people(store, sender, rng))
            return

        async def is_done() -> bool:
            busy = {MailRowState.WAITING, MailRowState.SENDING}
            return not busy & (await mails.counts()).keys()

        await eventually(is_done)
        await sender.close()
    await database.close()
    print("drained", flush=True)


async def invite_people(
    store: InviteStore, sender: MailSender, rng: random.Random
) -> None:
    while True:
        number = rng.getrandbits(120)
        now = time.time()
        guest = replace(a_guest(number), email=f"g{number:x}@customer.example")
        invite = an_invite(
            invite_id=f"i{number:x}",
            starts_at=now,
            ends_at=now + 3600,
            guests=(guest,),
        )
        content = mail_content(
            guest_email=guest.email, starts_at=now, ends_at=now + 3600
        )
        draft = MailDraft(guest.guest_id, 1, MailKind.INVITATION, content)
        await store.add(invite, mails=[draft], links={}, now=now)
        print(guest.email, flush=True)
        sender.wake()
        await asyncio.sleep(rng.uniform(0.0, 0.02))


if __name__ == "__main__":
    asyncio.run(
        main(
            Path(sys.argv[1]),
            int(sys.argv[2]),
            random.Random(int(sys.argv[3])),
            sys.argv[4],
        )
    )
