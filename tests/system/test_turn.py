"""The sample TURN server, with credentials that the gateway mints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aioice import stun, turn

from gateway.identity.turn import TurnConfig, TurnCredentials, TurnServer
from gateway.identity.users import UserKey
from tests.system.coturn import SECRET, Coturn
from tests.system.program import LogBook

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
