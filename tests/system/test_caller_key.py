"""A caller has typed a Case's number before the rep's phone rings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.system.world import ROBIN, STRANGER, World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "sipp", "chromium"),
]


@pytest.mark.parametrize("is_hex", [False, True], ids=["text", "hex"])
async def test_the_case_and_its_contact_are_shown_while_it_rings(
    world: World, is_hex: bool
) -> None:
    """User-to-User through Kamailio; shown, matched, logged on both records."""
    logged = len(await world.salesforce.tasks())
    ana = await world.salesforce.contact("Ruiz")
    [case] = await world.salesforce.records("Case")
    typed = case["CaseNumber"].lstrip("0")
    uui = f"{typed.encode().hex()};encoding=hex" if is_hex else typed

    def is_matched(event: dict[str, Any]) -> bool:
        return event["call"]["match"]["state"] == "found"

    async with (
        world.client() as robin,
        world.sipp(
            "uac_with_key",
            service=ROBIN,
            # A number that nobody has: it is the key that leads to Ana.
            keys={"caller": STRANGER, "uui": uui},
        ) as caller,
    ):
        await robin.wait_registered()
        ringing = (await robin.wait_event("call.incoming"))["call"]
        assert ringing["caller_key"] == typed
        seen = await robin.wait_event("call.updated", matches=is_matched)
        call = seen["call"]
        assert call["state"] == "ringing"
        assert [record["id"] for record in call["match"]["records"]] == [ana["Id"]]
        assert call["work"]["about"]["id"] == case["Id"]
        await robin.answer(call["call_id"])
        await robin.wait_ended(call["call_id"])
        await caller.finish()
        [task] = await world.salesforce.wait_tasks(1, after=logged)
        assert task.who_id == ana["Id"]
        [row] = [
            r for r in await world.salesforce.records("Task") if r["Id"] == task.id
        ]
        assert row["WhatId"] == case["Id"]
        await robin.sign_out()
