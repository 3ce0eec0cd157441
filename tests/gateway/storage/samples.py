"""Calls to keep, as the calls module would hand them over."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace

from gateway.activities.composer import compose
from gateway.activities.record import CallRecord, InviteOfCall, Party
from gateway.crm.connector import Activity, CrmRecord
from gateway.identity.users import User, UserKey
from gateway.sessions.wire import CallDirection, EndReason

T0 = 1_790_000_000.0
ALEX = User(
    key=UserKey("acme", "alex"),
    name="Alex Kim",
    number="101",
    crm_user_id="005000000000001AAA",
    crm_username="alex@acme.example",
)
ANA = CrmRecord(
    id="003000000000001AAA",
    kind="Contact",
    name="Ana Ruiz",
    url="https://acme.example/lightning/r/Contact/003000000000001AAA/view",
    company="Ruiz Ltd",
    phone="+1 415 555 1212",
)
DEAL = CrmRecord(
    id="006000000000001AAA",
    kind="Opportunity",
    name="A big deal",
    url="https://acme.example/lightning/r/Opportunity/006000000000001AAA/view",
)
# Alex invited Ana; the second is how the host's own side of her call says so.
ATTEMPT = InviteOfCall(
    "inv-1",
    "Ana Ruiz",
    "The contract",
    "alex",
    DEAL,
    is_attempt=True,
    guest_user="guest:1",
    attempt_id="attempt-1",
)
HOSTS_SIDE = replace(ATTEMPT, is_attempt=False)
GUEST = UserKey("acme", "guest:1")
BEN = replace(ANA, id="003000000000002AAA", name="Ben Ortiz")
# Whom a call may have been with before.
CLEO = Party("102", "", "Cleo")


def started(
    call_id: str = "call-1", *, at: float = T0, user: User = ALEX
) -> CallRecord:
    return CallRecord(
        call_id=call_id,
        user=user.key,
        direction=CallDirection.INBOUND,
        number="+14155551212",
        e164="+14155551212",
        display_name="ANA",
        record=ANA,
        started_at=at,
    )


def attempt(call_id: str = "attempt-1", *, at: float = T0) -> CallRecord:
    """A guest's call to Alex, which goes on."""
    return replace(
        started(call_id, at=at),
        user=GUEST,
        number="",
        e164="",
        display_name="Ana Ruiz",
        invite=ATTEMPT,
    )


def ended(
    call_id: str = "call-1", *, at: float = T0, user: User = ALEX
) -> tuple[CallRecord, Activity]:
    call = replace(
        started(call_id, at=at, user=user),
        answered_at=at + 5.0,
        ended_at=at + 65.0,
        reason=EndReason.HUNG_UP_THERE,
    )
    activity = compose(call, user)
    assert activity is not None
    return call, activity


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Until it holds, for what has no event of its own; the test's timeout ends it."""
    async with asyncio.timeout(20):
        for pause_s in itertools.repeat(0.01):
            if await condition():
                return
            await asyncio.sleep(pause_s)
