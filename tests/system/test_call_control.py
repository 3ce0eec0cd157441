"""Hold, transfer and replacing on the wire, with telephones that are not ours."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import sip
from sip.hold import held, is_hold, retrieved
from sip.sdp import SessionDescription
from tests.sip.phones import Phone
from tests.system.baresip import Baresip
from tests.system.kamailio import Kamailio
from tests.system.program import LogBook
from tests.system.sipp import Sipp

pytestmark = [pytest.mark.system, pytest.mark.needs("kamailio", "kamcmd")]

REP, COLLEAGUE, DESK = "control1", "control2", "control3"


class Ours(Phone):
    """A phone of the library's with a socket that swallows what is said to it."""

    def __init__(self, user: str, proxy: Kamailio) -> None:
        super().__init__(
            user,
            domain=proxy.domain,
            password="secret",
            server=(proxy.host, proxy.port),
        )
        self._ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ear.bind(("127.0.0.1", 0))
        self.sdp = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self._ear.getsockname()[1]} RTP/AVP 0\r\n"
            "a=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
        )

    def close(self) -> None:
        self._ear.close()


@pytest_asyncio.fixture(loop_scope="session")
async def rep(proxy: Kamailio) -> AsyncIterator[Ours]:
    async for phone in _registered(proxy, REP):
        yield phone


@pytest_asyncio.fixture(loop_scope="session")
async def colleague(proxy: Kamailio) -> AsyncIterator[Ours]:
    async for phone in _registered(proxy, COLLEAGUE):
        yield phone


async def _registered(proxy: Kamailio, user: str) -> AsyncIterator[Ours]:
    await proxy.add_user(user, "secret")
    async with Ours(user, proxy) as phone:
        await phone.registered()
        yield phone
    phone.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(
    proxy: Kamailio, logs: LogBook, tmp_path: Path
) -> AsyncIterator[Baresip]:
    await proxy.add_user(DESK, "secret")
    async with Baresip(
        "desk",
        user=DESK,
        password="secret",
        server=proxy,
        logs=logs,
        directory=tmp_path / "desk",
        answer="auto",
    ) as phone:
        await phone.wait_registered()
        yield phone


@pytest.mark.needs("baresip")
async def test_hold_and_retrieve_both_ways(rep: Ours, desk: Baresip) -> None:
    call = rep.dial(DESK, rep.sdp)
    await rep.event(sip.Answered)
    await desk.wait_event("CALL_ESTABLISHED")
    await desk.hold()
    offer = await rep.event(sip.Offer)
    assert offer.is_hold
    call.accept_offer(rep.sdp.replace("sendrecv", "recvonly"))
    await desk.resume()
    offer = await rep.event(sip.Offer, count=2)
    assert not offer.is_hold
    call.accept_offer(rep.sdp)

    on_hold = held(SessionDescription.parse(rep.sdp))
    call.reinvite(str(on_hold))
    answer = (await rep.event(sip.OfferAnswered)).sdp
    assert "a=recvonly" in answer
    assert not is_hold(answer)
    call.reinvite(str(retrieved(on_hold)))
    answer = (await rep.event(sip.OfferAnswered, count=2)).sdp
    assert "a=sendrecv" in answer
    call.hangup()
    await desk.wait_event("CALL_CLOSED")


@pytest.mark.needs("baresip")
async def test_a_phone_is_transferred_by_us(
    rep: Ours, colleague: Ours, desk: Baresip
) -> None:
    colleague.answers_with = colleague.sdp
    call = rep.dial(DESK, rep.sdp)
    await rep.event(sip.Answered)
    await desk.wait_event("CALL_ESTABLISHED")
    call.transfer(colleague.account.aor)
    await colleague.event(sip.Confirmed)
    assert colleague.calls[0].remote.uri.user == DESK
    await rep.until(lambda: _outcome(rep) is not None, "an outcome")
    assert _outcome(rep) == 200
    call.hangup()
    await rep.event(sip.LocalEnd)
    assert not colleague.calls[0].is_ended
    colleague.calls[0].hangup()
    await desk.wait_event("CALL_CLOSED", count=2)


@pytest.mark.needs("baresip")
async def test_a_phone_transfers_us(rep: Ours, colleague: Ours, desk: Baresip) -> None:
    colleague.answers_with = colleague.sdp
    call = rep.dial(DESK, rep.sdp)
    await rep.event(sip.Answered)
    await desk.wait_event("CALL_ESTABLISHED")
    await desk.command("transfer", str(colleague.account.aor))
    wanted = await rep.event(sip.TransferRequested)
    assert wanted.target == colleague.account.aor
    assert wanted.replaces is None
    assert call.accept_transfer()
    rep.agent.call(rep.account, wanted.target, rep.sdp, rep.hear)
    await colleague.event(sip.Confirmed)
    call.report_transfer(200)
    # it hangs up when the report says so
    await rep.event(sip.RemoteHangup)
    await desk.wait_event("CALL_CLOSED")
    reports = [each.text for each in desk.requests("NOTIFY")]
    assert ["SIP/2.0 100 Trying" in reports[0], "SIP/2.0 200 OK" in reports[-1]] == [
        True,
        True,
    ]
    colleague.calls[0].hangup()
    await rep.event(sip.RemoteHangup, count=2)


@pytest.mark.needs("baresip")
async def test_a_phone_hears_that_we_refuse(
    rep: Ours, colleague: Ours, desk: Baresip
) -> None:
    call = rep.dial(DESK, rep.sdp)
    await rep.event(sip.Answered)
    await desk.wait_event("CALL_ESTABLISHED")
    await desk.command("transfer", str(colleague.account.aor))
    await rep.event(sip.TransferRequested)
    call.refuse_transfer()
    await desk.wait_event("TRANSFER_FAILED")
    # It ends the call in its disappointment; nobody was called.
    await rep.event(sip.RemoteHangup)
    answers = [each.status for each in desk.trace() if each.method == "REFER"]
    assert answers == [None, 603]
    assert not colleague.calls


@pytest.mark.needs("sipp")
@pytest.mark.parametrize(
    "refusal", ["405 Method Not Allowed", "501 Not Implemented", "603 Decline"]
)
async def test_a_peer_that_does_not_transfer(
    refusal: str,
    rep: Ours,
    colleague: Ours,
    proxy: Kamailio,
    logs: LogBook,
    tmp_path: Path,
) -> None:
    await proxy.add_user("control4", "secret")
    async with Sipp(
        "uas_refuses_refer",
        server=proxy,
        logs=logs,
        directory=tmp_path,
        keys={"refusal": refusal},
    ) as peer:
        await peer.register("control4", "secret")
        call = rep.dial("control4", rep.sdp)
        await rep.event(sip.Answered)
        # The scenario wants the ACK first, and the server has several workers.
        await proxy.wait_for_log(f"REQUEST ACK .*{call.call_id}")
        call.transfer(colleague.account.aor)
        refused = await rep.event(sip.TransferRefused)
        assert (refused.status, refused.local) == (int(refusal[:3]), False)
        assert not call.is_ended
        call.hangup()
        await peer.finish()
    assert not colleague.calls


@pytest.mark.needs("sipp")
async def test_a_peer_takes_the_place_of_another(
    rep: Ours, colleague: Ours, proxy: Kamailio, logs: LogBook, tmp_path: Path
) -> None:
    rep.answers_with = rep.sdp
    old = colleague.dial(REP, colleague.sdp)
    await rep.event(sip.Confirmed)
    async with Sipp(
        "uac_replaces",
        server=proxy,
        logs=logs,
        directory=tmp_path,
        service=REP,
        keys={"replaces": str(old.as_replaces), "refusal": "481"},
    ) as peer:
        await rep.called(2)
        assert rep.calls[1].replaced is rep.calls[0]
        await rep.event(sip.Replaced)
        await colleague.event(sip.RemoteHangup)
        await rep.event(sip.Confirmed, count=2)
        rep.calls[1].hangup()
        await peer.finish()


@pytest.mark.needs("sipp")
@pytest.mark.parametrize(
    ("replaces", "status"), [("nobody;to-tag=a;from-tag=b", 481), ("early", 486)]
)
async def test_a_place_that_cannot_be_taken(
    replaces: str,
    status: int,
    rep: Ours,
    colleague: Ours,
    proxy: Kamailio,
    logs: LogBook,
    tmp_path: Path,
) -> None:
    rep.answers_with = rep.sdp
    call = colleague.dial(REP, colleague.sdp)
    await rep.event(sip.Confirmed)
    if replaces == "early":
        replaces = f"{call.as_replaces};early-only"
    async with Sipp(
        "uac_replaces",
        server=proxy,
        logs=logs,
        directory=tmp_path,
        service=REP,
        keys={"replaces": replaces, "refusal": str(status)},
    ) as peer:
        await peer.finish()
    assert len(rep.calls) == 1
    assert not call.is_ended
    call.hangup()
    await rep.event(sip.RemoteHangup)


def _outcome(phone: Phone) -> int | None:
    for event in phone.events:
        if isinstance(event, sip.TransferProgress) and event.is_final:
            return event.status
    return None
