"""Transfer through Kamailio, by tones: each hears exactly whom it should.

By REFER where the far end takes it (baresip, and with Replaces our own library's),
else the gateway brings the far ends together.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

import sip
from gateway.identity.passwords import hash_password
from tests.gateway.media.mix_rig import TONES
from tests.gateway.media.rig import loopback_ice
from tests.system.baresip import G711, Baresip
from tests.system.kamailio import Kamailio
from tests.system.program import LogBook
from tests.system.service import Rep, Service
from tests.system.tonal import Desk, FarEnd, far_end
from tests.system.wire_client import WireClient

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd"),
]

NUMBER, PASSWORD, SIP_PASSWORD = "handover", "correct horse", "sip secret"
ANA, BEN, DESK = "+12025550191", "+12025550192", "+12025550193"
REP, REP_2 = TONES[4], TONES[5]


class Transferee(FarEnd):
    """It calls whom it is told to, or refuses with ``refuses_with``."""

    refuses_with = 0

    def _on_event(self, event: sip.CallEvent) -> None:
        if isinstance(event, sip.TransferRequested):
            self._transfer(self.calls[0], event)
        super()._on_event(event)

    def _transfer(self, call: sip.IncomingCall, event: sip.TransferRequested) -> None:
        if self.refuses_with:
            call.refuse_transfer(self.refuses_with)
            return
        call.accept_transfer()

        def on_event(news: sip.CallEvent) -> None:
            if isinstance(news, sip.Answered):
                assert news.sdp is not None
                self.media.learn(news.sdp)
                call.report_transfer(200)
            elif isinstance(news, sip.Rejected):
                call.report_transfer(news.status)

        self.agent.call(
            self.account,
            event.target,
            self.media.sdp(),
            on_event,
            replaces=event.replaces,
            referred_by=event.referred_by,
        )


@pytest.fixture(autouse=True)
def by_loopback() -> Iterator[None]:
    with loopback_ice():
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(
    proxy: Kamailio, logs: LogBook, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Service]:
    await proxy.add_user(NUMBER, SIP_PASSWORD)
    async with Service(
        directory=tmp_path_factory.mktemp("transfer"),
        logs=logs,
        server=proxy,
        reps=[Rep(NUMBER, SIP_PASSWORD, password_hash=hash_password(PASSWORD))],
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def rep(service: Service) -> AsyncIterator[Desk]:
    client = WireClient(
        service.url, tenant=service.tenant, user=NUMBER, password=PASSWORD
    )
    async with client, AsyncExitStack() as stack:
        await client.wait_registered()
        yield Desk(client, stack)
        if not client.is_closed:
            await client.sign_out()


@asynccontextmanager
async def desk_phone(
    proxy: Kamailio, logs: LogBook, directory: Path, codecs: Sequence[str] = G711
) -> AsyncIterator[Baresip]:
    await proxy.add_user(DESK, "secret")
    async with Baresip(
        "transfer",
        user=DESK,
        password="secret",
        server=proxy,
        logs=logs,
        directory=directory,
        answer="auto",
        says=TONES[0],
        codecs=codecs,
    ) as phone:
        await phone.wait_registered()
        yield phone


@pytest.mark.needs("baresip")
async def test_blind_by_refer(
    proxy: Kamailio, rep: Desk, logs: LogBook, tmp_path: Path
) -> None:
    """The desk phone is handed to Ben, whom it calls itself."""
    async with (
        desk_phone(proxy, logs, tmp_path / "phone") as phone,
        far_end(proxy, BEN, TONES[3]) as ben,
    ):
        call = await rep.dial(DESK, REP)
        await call.ear.hears({TONES[0]})
        await phone.wait_hears(REP)
        view = await rep.do("call.transfer", call_id=call.call_id, to=BEN)
        assert (view["transfer"]["to"]["number"], view["held_here"]) == (BEN, True)
        ended = await rep.client.wait_ended(call.call_id)
        assert ended["end_reason"] == "transferred"
        # Held before it was asked.
        asked = [m.method for m in phone.trace() if m.status is None and not m.sent]
        assert asked.index("REFER") > asked.index("INVITE", asked.index("INVITE") + 1)
        await ben.ear.hears({TONES[0]})
        await phone.wait_hears(ben.says)
        await phone.hang_up()


async def test_attended_with_replaces(proxy: Kamailio, rep: Desk) -> None:
    async with (
        far_end(proxy, ANA, TONES[2], Transferee) as ana,
        far_end(proxy, BEN, TONES[3]) as ben,
    ):
        about = await rep.dial(ANA, REP)
        await ana.ear.hears({REP})
        asked = await rep.dial(BEN, REP_2, consults_for=about.call_id)
        await ben.ear.hears({REP_2})
        await ana.ear.hears(set())
        await rep.do("call.transfer", call_id=about.call_id, to_call=asked.call_id)
        for call in (about, asked):
            ended = await rep.client.wait_ended(call.call_id)
            assert ended["end_reason"] == "transferred"
        request = await ana.event(sip.TransferRequested)
        assert request.replaces is not None
        assert ben.calls[1].replaced is ben.calls[0]
        await ana.ear.hears({ben.says})
        await ben.ear.hears({ana.says})


@pytest.mark.needs("baresip")
async def test_refused_is_joined_here(
    proxy: Kamailio, rep: Desk, logs: LogBook, tmp_path: Path, service: Service
) -> None:
    """With another codec, and without the rep; one's end is the other's."""
    async with (
        desk_phone(proxy, logs, tmp_path / "phone", ("G722/16000/1",)) as phone,
        far_end(proxy, ANA, TONES[2], Transferee) as ana,
    ):
        ana.refuses_with = 405
        call = await rep.dial(ANA, REP)
        await ana.ear.hears({REP})
        await rep.do("call.transfer", call_id=call.call_id, to=DESK)
        ended = await rep.client.wait_ended(call.call_id)
        assert ended["end_reason"] == "transferred"
        await ana.ear.hears({TONES[0]})
        await phone.wait_hears(ana.says)
        # The rep goes home.
        await rep.client.sign_out()
        await rep.client.close()
        ana.ear.restart()
        await ana.ear.hears({TONES[0]})
        await phone.wait_hears(ana.says)
        assert not phone.seen("CALL_CLOSED")
        ana.calls[0].hangup()
        await phone.wait_event("CALL_CLOSED")


async def test_attended_refused_joins_both(proxy: Kamailio, rep: Desk) -> None:
    async with (
        far_end(proxy, ANA, TONES[2], Transferee) as ana,
        far_end(proxy, BEN, TONES[3]) as ben,
    ):
        ana.refuses_with = 603
        about = await rep.dial(ANA, REP)
        await ana.ear.hears({REP})
        asked = await rep.dial(BEN, REP_2, consults_for=about.call_id)
        await ben.ear.hears({REP_2})
        await rep.do("call.transfer", call_id=about.call_id, to_call=asked.call_id)
        for call in (about, asked):
            ended = await rep.client.wait_ended(call.call_id)
            assert ended["end_reason"] == "transferred"
        await ana.ear.hears({ben.says})
        await ben.ear.hears({ana.says})
        ben.calls[0].hangup()
        await ana.event(sip.RemoteHangup)


async def test_declined_the_rep_has_the_call(proxy: Kamailio, rep: Desk) -> None:
    """Nobody has that number; and the rep talks on."""
    async with far_end(proxy, ANA, TONES[2], Transferee) as ana:
        call = await rep.dial(ANA, REP)
        await ana.ear.hears({REP})
        await rep.do("call.transfer", call_id=call.call_id, to="+12025550184")
        failed = await rep.client.wait_event(
            "call.updated",
            matches=lambda event: (
                (event["call"].get("transfer") or {}).get("state") == "failed"
            ),
        )
        assert failed["call"]["transfer"]["sip_code"] == 404
        assert failed["call"]["held_here"]
        await ana.ear.hears(set())
        await rep.do("call.retrieve", call_id=call.call_id)
        await ana.ear.hears({REP})
        await call.ear.hears({ana.says})
        await rep.client.hang_up(call.call_id)
