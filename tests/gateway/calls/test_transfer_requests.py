"""What the far end wants to do with a call that this layer does not yet do."""

from __future__ import annotations

import sip
from gateway.sessions.wire import CallState, EndReason
from tests.gateway.calls.fakes import World, settle
from tests.gateway.calls.test_outgoing import connect


async def test_a_transfer_is_declined_and_the_call_goes_on(world: World) -> None:
    leg = await connect(world)
    leg.on_event(sip.TransferRequested(sip.Uri.parse("sip:carol@acme.example")))
    leg.on_event(sip.TransferProgress(100, False))
    leg.on_event(sip.TransferRefused(603))
    await settle()
    assert leg.did[-1] == ("refuse_transfer", 603)
    assert world.call().state is CallState.ACTIVE


async def test_a_call_that_was_replaced_has_ended(world: World) -> None:
    leg = await connect(world)
    leg.on_event(sip.Replaced("another"))
    await settle()
    assert world.journal.over[0].reason is EndReason.HUNG_UP_THERE
