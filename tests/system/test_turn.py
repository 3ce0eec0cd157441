"""The sample TURN server, with credentials that the gateway mints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aioice import stun, turn
from playwright.async_api import Page, expect

from gateway.identity.passwords import hash_password
from gateway.identity.turn import TurnConfig, TurnCredentials, TurnServer
from gateway.identity.users import UserKey
from tests.system.browser import Chromium, statistics, wait_hears, wait_sees
from tests.system.coturn import SECRET, Coturn
from tests.system.guest import GuestPage
from tests.system.kamailio import Kamailio
from tests.system.program import LogBook
from tests.system.service import Rep, Service
from tests.system.wire_client import WireClient
from tests.system.world import GUESTS, SIP_PASSWORD

pytestmark = [pytest.mark.system, pytest.mark.needs("turnserver")]

USER = UserKey("acme", "robin")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def coturn(
    tmp_path_factory: pytest.TempPathFactory, logs: LogBook
) -> AsyncIterator[Coturn]:
    folder = tmp_path_factory.mktemp("coturn")
    async with Coturn(directory=folder, logs=logs) as server:
        yield server


def mint(*, secret: str = SECRET, at: float | None = None) -> TurnCredentials:
    config = TurnConfig(urls=("turn:127.0.0.1",), secret=secret)
    now = time.time() if at is None else at
    credentials = TurnServer(config, clock=lambda: now).mint(USER)
    assert credentials is not None
    return credentials


async def allocate(
    coturn: Coturn, credentials: TurnCredentials
) -> asyncio.DatagramTransport:
    transport, _ = await turn.create_turn_endpoint(
        asyncio.DatagramProtocol,
        server_addr=("127.0.0.1", coturn.port),
        username=credentials.username,
        password=credentials.credential,
    )
    return transport


async def permit(transport: asyncio.DatagramTransport, host: str) -> None:
    """Ask for a permission to send to a peer (RFC 8656 section 9)."""
    client = transport._TurnTransport__inner_protocol  # type: ignore[attr-defined]
    request = stun.Message(
        message_method=stun.Method.CREATE_PERMISSION,
        message_class=stun.Class.REQUEST,
    )
    request.attributes["XOR-PEER-ADDRESS"] = (host, 40000)
    await client.request_with_retry(request)


async def test_minted_credentials_open_a_relay_to_the_gateway_only(
    coturn: Coturn,
) -> None:
    transport = await allocate(coturn, mint())
    try:
        await permit(transport, "127.0.0.1")
        for host in (
            "10.0.0.1",
            "169.254.169.254",
            "192.168.1.1",
            "8.8.8.8",
            "0.0.0.0",
        ):
            with pytest.raises(stun.TransactionFailed) as failed:
                await permit(transport, host)
            assert failed.value.response.attributes["ERROR-CODE"][0] == 403
    finally:
        transport.close()


@pytest.mark.parametrize(
    "credentials",
    [mint(secret="another"), mint(at=time.time() - 3600)],
    ids=["forged", "expired"],
)
async def test_others_open_none(coturn: Coturn, credentials: TurnCredentials) -> None:
    with pytest.raises(stun.TransactionFailed) as failed:
        await allocate(coturn, credentials)
    assert failed.value.response.attributes["ERROR-CODE"][0] == 401


# A call through it --------------------------------------------------------------------

REP, PASSWORD = "1006", "sign-in"
SAYS, SHOWS = 1200.0, 0x5A


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def service(
    coturn: Coturn,
    proxy: Kamailio,
    logs: LogBook,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Service]:
    await proxy.add_user(REP, "desk")
    await proxy.add_user(GUESTS, SIP_PASSWORD)
    rep = Rep(id=REP, sip_password="desk", password_hash=hash_password(PASSWORD))
    async with Service(
        directory=tmp_path_factory.mktemp("service"),
        logs=logs,
        server=proxy,
        reps=[rep],
        invites={"sip": {"username": GUESTS, "password": SIP_PASSWORD}},
        sections={"turn": {"urls": [coturn.url("tcp")], "secret": SECRET}},
    ) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def behind_a_firewall(
    tmp_path_factory: pytest.TempPathFactory, logs: LogBook
) -> AsyncIterator[Chromium]:
    """A browser that can send no UDP at all."""
    async with Chromium(
        directory=tmp_path_factory.mktemp("firewall"),
        says=SAYS,
        shows=SHOWS,
        logs=logs,
        arguments=["--webrtc-ip-handling-policy=disable_non_proxied_udp"],
    ) as browser:
        yield browser


async def assert_relayed(page: Page) -> None:
    """Everything goes by a TURN server, and to it by TCP."""
    rows = await statistics(page, "local-candidate")
    pairs = await statistics(page, "candidate-pair")
    used = {pair["localCandidateId"] for pair in pairs if pair.get("nominated")}
    assert used
    for row in rows:
        if row["id"] in used:
            assert (row["candidateType"], row["relayProtocol"]) == ("relay", "tcp")


@pytest.mark.needs("kamailio", "chromium")
async def test_a_video_call_where_no_udp_gets_through(
    service: Service, behind_a_firewall: Chromium
) -> None:
    """Rep and guest both reach the gateway by TCP to the relay only."""
    now = int(time.time() * 1000)
    async with WireClient(
        service.url, tenant=Service.tenant, user=REP, password=PASSWORD
    ) as client:
        made = await client.command(
            "invite.create",
            invite_id="relayed",
            invite={
                "subject": "Behind a firewall",
                "starts_at": now,
                "ends_at": now + 3_600_000,
                "time_zone": "Europe/Berlin",
                "guests": [{"name": "Ana Ruiz"}],
                "send_mail": False,
            },
        )
        [guest] = made["invite"]["guests"]
        link = await client.request(
            "invite.link", invite_id="relayed", guest_id=guest["guest_id"]
        )
        await client.sign_out()
    async with (
        behind_a_firewall.visitor("rep", has_camera=True) as rep,
        behind_a_firewall.visitor("guest", has_camera=True) as customer,
    ):
        phone = await rep.open(f"{service.url}/widget/")
        await phone.get_by_label("User name").fill(REP)
        await phone.get_by_label("Password").fill(PASSWORD)
        await phone.get_by_role("button", name="Sign in").click()
        state = phone.locator(".rb-state")
        await expect(state).to_have_text("Available", timeout=15_000)
        page = GuestPage(customer, await customer.open(link["url"]))
        await page.join()
        answer = phone.get_by_role("button", name="Answer with video")
        await answer.wait_for()
        async with phone.expect_popup() as popup:
            # Presses right after the buttons have changed are not for them.
            await answer.click(delay=500)
        window = await popup.value
        await page.stage("call")
        for each in (window, page.page):
            await wait_hears(each, SAYS, timeout_s=15)
            await wait_sees(each, SHOWS, timeout_s=15)
            await assert_relayed(each)
        await page.leave()
        await expect(phone.locator("ringbridge-softphone")).to_have_attribute(
            "data-screen", "ended", timeout=15_000
        )
