"""Several calls of one rep through Kamailio: hold, conference, one that waits, and
what others do with a call of the rep's.

Everybody says a tone of their own, so that who hears whom can be told. The rep's side
is a scripted browser; phones are baresip, and our own library's where tones must be
heard through a hold (baresip's recording ends there).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import sip
from gateway.identity.passwords import hash_password
from sip.sdp import Direction
from tests.gateway.media.mix_rig import TONES
from tests.gateway.media.rig import loopback_ice
from tests.system.baresip import Baresip
from tests.system.kamailio import Kamailio
from tests.system.program import LogBook
from tests.system.service import Rep, Service
from tests.system.tonal import Desk, OwnCall, far_end
from tests.system.waiting import until
from tests.system.wire_client import WireClient

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd"),
]

NUMBER, PASSWORD, SIP_PASSWORD = "several", "correct horse", "sip secret"
ANA, BEN, DESK = "+12025550181", "+12025550182", "+12025550183"


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
        directory=tmp_path_factory.mktemp("several"),
        logs=logs,
        server=proxy,
        reps=[Rep(NUMBER, SIP_PASSWORD, password_hash=hash_password(PASSWORD))],
        members={"transfers_from_outside": "allow"},
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def rep(service: Service) -> AsyncIterator[Desk]:
    client = WireClient(
        service.url, tenant=service.tenant, user=NUMBER, password=PASSWORD
    )
    async with client, AsyncExitStack() as stack:
        await client.wait_registered()
        # Whatever a run before has left.
        await client.command("presence.set", state="available")
        yield Desk(client, stack)
        await client.sign_out()


@asynccontextmanager
async def desk_phone(
    proxy: Kamailio, logs: LogBook, directory: Path
) -> AsyncIterator[Baresip]:
    await proxy.add_user(DESK, "secret")
    async with Baresip(
        "several",
        user=DESK,
        password="secret",
        server=proxy,
        logs=logs,
        directory=directory,
        answer="auto",
        says=TONES[0],
    ) as phone:
        await phone.wait_registered()
        yield phone


def directions(phone: Baresip) -> list[str]:
    """As the gateway described its side in each INVITE that a phone got."""
    found = (
        re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", each.text, re.M)
        for each in phone.requests("INVITE")
    )
    return [match[1] if match else "sendrecv" for match in found]


@pytest.mark.needs("baresip")
async def test_a_desk_phone_is_held_and_retrieved(
    proxy: Kamailio, rep: Desk, logs: LogBook, tmp_path: Path
) -> None:
    async with desk_phone(proxy, logs, tmp_path / "phone") as phone:
        call = await rep.dial(DESK, TONES[1])
        await rep.client.wait_event("call.answered")
        await call.ear.hears({TONES[0]})
        await phone.wait_hears(TONES[1])

        assert (await rep.do("call.hold", call_id=call.call_id))["held_here"]
        await until(lambda: _equal(directions(phone), "sendonly"), "sendonly")
        assert "0.0.0.0" not in phone.requests("INVITE")[-1].text
        before = await phone.received_packets()
        # Music.
        await until(lambda: _got(phone, before + 20), "music")

        await rep.do("call.retrieve", call_id=call.call_id)
        await until(lambda: _equal(directions(phone), "sendrecv"), "sendrecv")
        await call.ear.hears({TONES[0]})

        # The same from its side.
        await phone.hold()
        await rep.shows(call, held_there=True, held_here=False)
        await phone.resume()
        await rep.shows(call, held_there=False)
        await call.ear.hears({TONES[0]})
        await rep.client.hang_up(call.call_id)
        await phone.wait_event("CALL_CLOSED")


async def _equal(found: list[str], last: str) -> bool:
    return len(found) > 1 and found[-1] == last


async def _got(phone: Baresip, packets: int) -> bool:
    return await phone.received_packets() >= packets


async def _in_history(rep: Desk, call_id: str) -> bool:
    calls = (await rep.client.request("history.list"))["calls"]
    return call_id in [each["call_id"] for each in calls]


async def test_a_conference_by_tones(proxy: Kamailio, rep: Desk) -> None:
    """Each hears exactly whom it should: talking, on hold, mixed, split."""
    both, held = Direction.SENDRECV, Direction.SENDONLY
    async with (
        far_end(proxy, ANA, TONES[2]) as ana,
        far_end(proxy, BEN, TONES[3]) as ben,
    ):
        with_ana = await rep.dial(ANA, TONES[4])
        await ana.ear.hears({TONES[4]})
        await with_ana.ear.hears({ana.says})
        with_ben = await rep.dial(BEN, TONES[5])
        await ben.ear.hears({TONES[5]})
        await with_ben.ear.hears({ben.says})
        # She waits, with music: none of our tones.
        await rep.shows(with_ana, held_here=True)
        await ana.described(both, held)
        await ana.ear.hears(set())

        calls = [with_ana.call_id, with_ben.call_id]
        view = await rep.do("call.merge", call_ids=calls)
        assert view["conference"]
        await ana.described(both, held, both)
        await ana.ear.hears({TONES[4], ben.says})
        await ben.ear.hears({TONES[5], ana.says})
        # The rep hears each in a call of their own.
        await with_ana.ear.hears({ana.says})
        await with_ben.ear.hears({ben.says})

        # Without the rep they go on, and are told nothing.
        await rep.do("call.hold", call_id=with_ana.call_id)
        await ana.ear.hears({ben.says})
        await ben.ear.hears({ana.says})
        await rep.do("call.retrieve", call_id=with_ben.call_id)
        await ana.ear.hears({TONES[4], ben.says})
        await ana.described(both, held, both)
        await ben.described(both)

        await rep.do("call.split", call_id=with_ben.call_id)
        await ana.ear.hears({TONES[4]})
        await ben.described(both, held)
        await ben.ear.hears(set())
        await rep.shows(with_ana, conference="", held_here=False)
        await with_ana.ear.hears({ana.says})
        for call_id in calls:
            await rep.client.hang_up(call_id)


async def test_a_second_call_rings_while_one_is_up(proxy: Kamailio, rep: Desk) -> None:
    async with (
        far_end(proxy, ANA, TONES[2]) as ana,
        far_end(proxy, BEN, TONES[3]) as ben,
    ):
        first = await rep.dial(ANA, TONES[4])
        await ana.ear.hears({TONES[4]})
        outgoing = ben.dial(NUMBER, ben.media.sdp())
        rang = await rep.client.wait_event("call.incoming")
        # That it rings changes nothing.
        await ana.ear.hears({TONES[4]})
        await rep.client.command(
            "call.reject", call_id=rang["call"]["call_id"], reason="busy"
        )
        assert (await ben.event(sip.Rejected)).status == 486

        await rep.do("presence.set", state="do_not_disturb")
        ben.dial(NUMBER, ben.media.sdp())
        assert (await ben.event(sip.Rejected, count=2)).status == 480
        ended = await rep.client.wait_event(
            "call.ended",
            matches=lambda each: each["call"]["end_reason"] == "do_not_disturb",
        )
        await until(lambda: _in_history(rep, ended["call"]["call_id"]), "history")
        await rep.do("presence.set", state="available")

        known = {rang["call"]["call_id"], ended["call"]["call_id"]}
        outgoing = ben.dial(NUMBER, ben.media.sdp())
        rang = await rep.client.wait_event(
            "call.incoming", matches=lambda each: each["call"]["call_id"] not in known
        )
        second = await rep.answer(rang["call"]["call_id"], TONES[5])
        ben.media.learn((await ben.event(sip.Answered)).sdp or "")
        await second.ear.hears({ben.says})
        await ben.ear.hears({TONES[5]})
        await ana.ear.hears(set())
        # A swap, and back to one.
        await rep.do("call.retrieve", call_id=first.call_id)
        await ana.ear.hears({TONES[4]})
        await rep.shows(second, held_here=True)
        outgoing.hangup()
        await rep.client.wait_ended(second.call_id)
        await rep.client.hang_up(first.call_id)


# What others do with it ---------------------------------------------------------------


@pytest.mark.needs("baresip")
async def test_a_desk_phone_hands_the_rep_on(
    proxy: Kamailio, rep: Desk, logs: LogBook, tmp_path: Path
) -> None:
    async with (
        desk_phone(proxy, logs, tmp_path / "phone") as phone,
        far_end(proxy, ANA, TONES[2]) as ana,
    ):
        call = await rep.dial(DESK, TONES[1])
        await call.ear.hears({TONES[0]})
        await phone.command("transfer", str(ana.account.aor))
        await ana.ear.hears({TONES[1]})
        await call.ear.hears({ana.says})
        await _is_with(rep, call, ANA, by=DESK)
        # It hangs up when it hears how it went, and that is no end of the call.
        await phone.wait_event("CALL_CLOSED")
        reports = [each.text for each in phone.requests("NOTIFY")]
        assert "SIP/2.0 100" in reports[0]
        assert "SIP/2.0 200" in reports[-1]
        await call.ear.hears({ana.says})
        ana.calls[0].hangup()
        await rep.client.wait_ended(call.call_id)


async def test_a_colleague_asks_first_and_hands_the_rep_over(
    proxy: Kamailio, rep: Desk
) -> None:
    """With Replaces, by a REFER to the rep and by one to the other."""
    async with (
        far_end(proxy, ANA, TONES[2]) as ana,
        far_end(proxy, BEN, TONES[3]) as ben,
    ):
        call = await rep.dial(ANA, TONES[4])
        await ana.ear.hears({TONES[4]})
        with_rep = ana.calls[-1]
        # Whom nobody knows the rep is not handed to.
        with_rep.transfer(sip.Uri.parse(f"sip:+12025550189@{proxy.domain}"))
        await ana.outcome(sip.TransferProgress(404, True, "Not Found"))
        await ana.ear.hears({TONES[4]})

        asked = ana.dial(BEN, ana.media.sdp())
        await ana.event(sip.Answered)
        with_rep.transfer(ben.account.aor, replaces=asked.as_replaces)
        await ana.until(
            lambda: any(
                isinstance(each, sip.TransferProgress) and each.status == 200
                for each in ana.events
            ),
            "that it has come about",
        )
        with_rep.hangup()
        await ben.ear.hears({TONES[4]})
        await call.ear.hears({ben.says})
        await _is_with(rep, call, BEN, by=ANA)
        assert asked.is_ended
        assert ANA in (ben.calls[-1].request.headers.get("Referred-By") or "")

        # And back: whom the rep now talks with sends the other to the rep.
        with_rep = ben.calls[-1]
        asked = ben.dial(ANA, ben.media.sdp())
        await ben.event(sip.Answered)
        rep_address = sip.Uri.parse(f"sip:{NUMBER}@{proxy.domain}")
        asked.transfer(rep_address, replaces=with_rep.as_replaces)
        wanted = await ana.event(sip.TransferRequested)
        ana.calls[-1].accept_transfer()
        ana.agent.call(
            ana.account,
            wanted.target,
            ana.media.sdp(),
            ana.hear,
            replaces=wanted.replaces,
        )
        answer = (await ana.event(sip.Answered, count=2)).sdp
        ana.media.learn(answer or "")
        await ana.ear.hears({TONES[4]})
        await call.ear.hears({ana.says})
        await _is_with(rep, call, ANA, by=BEN)
        assert with_rep.is_ended
        assert not any(e["type"] == "call.incoming" for e in rep.client.events)

        await rep.client.hang_up(call.call_id)
        await until(lambda: _in_history(rep, call.call_id), "history")
        (kept, *_) = (await rep.client.request("history.list"))["calls"]
        assert (kept["call_id"], kept["peer"]["number"]) == (call.call_id, ANA)
        assert kept["transferred_by"]["number"] == BEN


async def _is_with(rep: Desk, call: OwnCall, number: str, *, by: str) -> None:
    def is_so(event: dict[str, Any]) -> bool:
        view = event["call"]
        return (
            view["call_id"] == call.call_id
            and view["peer"]["number"] == number
            and (view["transferred_by"] or {}).get("number") == by
        )

    await rep.client.wait_event("call.updated", matches=is_so)
