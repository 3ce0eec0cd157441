"""Whether an account's password is right: a REGISTER that asks and changes nothing.

A REGISTER without Contact lists the bindings and leaves them as they are (RFC 3261
10.2.3), so that whoever is only asked about is not rung. What counts is a success that
followed our credentials: a registrar that takes a request without a challenge, because
it knows our address, has not looked at any password.

Each proof has credentials of its own: nonces of another's proof, or of a registration
of the same account, are never used for it.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Callable

from sip.account import Account
from sip.compose import MAX_FORWARDS
from sip.core import Core
from sip.digest import DigestClient, Refusal
from sip.exchange import Exchange, Reply
from sip.headers import CSeq, Headers
from sip.message import Request

_log = logging.getLogger("sip.proving")

# A person waits for it; a registrar on the way answers within a few round trips.
PROVE_TIMEOUT_S = 8.0


class Proof(enum.StrEnum):
    """What the registrar said of a password."""

    ACCEPTED = "accepted"
    # By a challenge that repeats itself, or by 403 and 404.
    REFUSED = "refused"
    # Taken without being asked for: nothing is known.
    UNASKED = "unasked"
    # No answer, one that asks to come later, or one that nobody understands.
    UNAVAILABLE = "unavailable"


def judge(reply: Reply) -> Proof:
    """What a final reply to the REGISTER means."""
    status = reply.response.status
    if reply.is_local:
        return Proof.UNAVAILABLE
    if status < 300:
        sent = reply.request.headers
        is_asked = any(
            sent.get(name) is not None
            for name in ("Authorization", "Proxy-Authorization")
        )
        return Proof.ACCEPTED if is_asked else Proof.UNASKED
    if reply.refusal is Refusal.WRONG_PASSWORD or status in (403, 404):
        return Proof.REFUSED
    return Proof.UNAVAILABLE


async def prove(core: Core, account: Account) -> Proof:
    """Ask the account's registrar; answers after :data:`PROVE_TIMEOUT_S` at most."""
    done: asyncio.Future[Proof] = asyncio.get_running_loop().create_future()

    def replied(reply: Reply) -> None:
        if not reply.response.is_provisional and not done.done():
            done.set_result(judge(reply))

    exchange = _exchange(core, account, replied)
    try:
        async with asyncio.timeout(PROVE_TIMEOUT_S):
            exchange.start()
            proof = await done
    except TimeoutError:
        proof = Proof.UNAVAILABLE
    finally:
        exchange.abandon()
    if proof is Proof.UNASKED:
        _log.warning(
            "%s accepts REGISTER without a challenge: it proves no password",
            account.registrar_uri,
        )
    return proof


def _exchange(
    core: Core, account: Account, replied: Callable[[Reply], None]
) -> Exchange:
    cseq = 0

    def next_cseq() -> int:
        nonlocal cseq
        cseq += 1
        return cseq

    headers = Headers(
        [
            ("Max-Forwards", str(MAX_FORWARDS)),
            (
                "From",
                str(account.address.with_tag(f"{core.rng.getrandbits(80):020x}")),
            ),
            ("To", str(account.address)),
            ("Call-ID", core.new_call_id()),
            ("CSeq", str(CSeq(next_cseq(), "REGISTER"))),
            ("User-Agent", core.user_agent),
        ]
    )
    return Exchange(
        core,
        Request("REGISTER", account.registrar_uri, headers),
        next_hops=account.outbound_proxies or (account.registrar_uri,),
        on_reply=replied,
        digest=DigestClient(
            account.username,
            account.password,
            hosts=account.own_hosts,
            realms=account.realms,
            algorithms=account.algorithms,
            rng=core.rng,
        ),
        next_cseq=next_cseq,
        transport=account.transport,
        trusts_targets=True,
    )
