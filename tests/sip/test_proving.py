"""A password is proven by a REGISTER that changes nothing."""

from __future__ import annotations

import asyncio

import pytest

import sip
from sip import proving
from sip.message import Request
from tests.sip.peers import Bench, account
from tests.system.kamailio import Kamailio

CHALLENGE = ("WWW-Authenticate", 'Digest realm="example.com", nonce="n1", qop="auth"')
AGAIN = ("WWW-Authenticate", 'Digest realm="example.com", nonce="n2", qop="auth"')


async def asked(bench: Bench) -> tuple[asyncio.Task[sip.Proof], Request]:
    task = asyncio.create_task(bench.agent.prove(bench.account))
    await asyncio.sleep(0)
    request = bench.request("REGISTER")
    return task, request


async def test_a_password_that_is_taken(bench: Bench) -> None:
    task, request = await asked(bench)
    # Nobody is registered by it, and nobody's registration is touched.
    assert request.headers.get("Contact") is None
    assert request.headers.get("Expires") is None
    assert request.headers.get("Authorization") is None
    bench.reply(request, 401, headers=[CHALLENGE])
    again = bench.request("REGISTER")
    assert 'username="rep"' in (again.headers.get("Authorization") or "")
    assert again.headers.get("Contact") is None
    assert again.call_id == request.call_id
    bench.reply(again, 200)
    assert await task is sip.Proof.ACCEPTED


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_password_that_is_refused(bench: Bench, status: int) -> None:
    task, request = await asked(bench)
    bench.reply(request, 401, headers=[CHALLENGE])
    headers = [AGAIN] if status == 401 else []
    bench.reply(bench.request("REGISTER"), status, headers=headers)
    assert await task is sip.Proof.REFUSED
    bench.quiet()


async def test_a_registrar_that_does_not_ask_proves_nothing(bench: Bench) -> None:
    task, request = await asked(bench)
    bench.reply(request, 200)
    assert await task is sip.Proof.UNASKED


async def test_credentials_of_a_registration_are_not_taken_for_it(bench: Bench) -> None:
    registration = bench.agent.registration(bench.account, lambda _: None)
    registration.start()
    bench.reply(bench.request("REGISTER"), 401, headers=[CHALLENGE])
    bench.reply(bench.request("REGISTER"), 200)
    task, request = await asked(bench)
    assert request.headers.get("Authorization") is None
    bench.reply(request, 200)
    assert await task is sip.Proof.UNASKED
    registration.close()


@pytest.mark.parametrize("status", [480, 500, 503])
async def test_one_who_cannot_say(bench: Bench, status: int) -> None:
    task, request = await asked(bench)
    bench.reply(request, status)
    assert await task is sip.Proof.UNAVAILABLE


async def test_the_password_goes_to_no_foreign_realm() -> None:
    bench = await Bench(realms=("example.com",)).start()
    task, request = await asked(bench)
    foreign = ("WWW-Authenticate", 'Digest realm="evil.example", nonce="n"')
    bench.reply(request, 401, headers=[foreign])
    assert await task is sip.Proof.UNAVAILABLE
    bench.quiet()
    await bench.finish()


async def test_no_answer_is_not_waited_for_long(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "PROVE_TIMEOUT_S", 0.01)
    task, _ = await asked(bench)
    assert await task is sip.Proof.UNAVAILABLE
    bench.drain()


@pytest.mark.system
@pytest.mark.needs("kamailio", "kamcmd")
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_real_registrar(algorithm: str) -> None:
    async with Kamailio(users={"1000": "right"}, algorithm=algorithm) as proxy:  # type: ignore[arg-type]
        agent = sip.UserAgent(sip.AgentConfig(bind_host="127.0.0.1"))
        await agent.start()
        try:
            for user, password, proof in (
                ("1000", "right", sip.Proof.ACCEPTED),
                ("1000", "wrong", sip.Proof.REFUSED),
                ("1999", "right", sip.Proof.REFUSED),
            ):
                line = account(
                    aor=sip.Uri("sip", user=user, host=proxy.domain),
                    username=user,
                    password=sip.Secret(password),
                    registrar=sip.Uri.parse(f"sip:127.0.0.1:{proxy.port}"),
                    outbound_proxies=(),
                )
                assert await agent.prove(line) is proof
            assert "sip:1000@" not in await proxy.contacts()
        finally:
            await agent.close()
