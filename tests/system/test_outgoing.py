"""The rep calls out: how it ends, and that each attempt is logged exactly once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.baresip import Baresip, TracedMessage
from tests.system.conftest import BROWSER_SAYS
from tests.system.salesforce import CrmTask
from tests.system.tones import write_ulaw_tone
from tests.system.waiting import until, until_true
from tests.system.world import ANA, PHONE_SAYS, World

pytestmark = [
    pytest.mark.system,
    pytest.mark.needs("kamailio", "kamcmd", "baresip", "sipp", "chromium"),
]


# Well above what it takes to be heard on a busy machine.
ANNOUNCEMENT_MS = 8000


async def only_task(world: World, logged: int) -> CrmTask:
    """The one activity that was added, once nothing more can come."""
    [task] = await world.salesforce.wait_tasks(1, after=logged)
    assert task.direction == "Outbound"
    return task


async def test_answered_and_hung_up_here(world: World) -> None:
    logged = len(await world.salesforce.tasks())
    async with (
        await world.callee("+12025550101") as callee,
        world.rep_page() as rep,
    ):
        await callee.wait_registered()
        await rep.dial("(202) 555-0101")
        await callee.wait_event("CALL_INCOMING")
        await rep.wait_status("Ringing…")
        await callee.accept()
        await rep.wait_status("On call")
        await rep.wait_hears(PHONE_SAYS)
        await callee.wait_hears(BROWSER_SAYS)
        await rep.end()
        await callee.wait_event("CALL_CLOSED")
        assert callee.requests("BYE")
        await rep.wait_text("You ended the call")
        assert (await only_task(world, logged)).outcome == "Answered"
        rep.visitor.assert_no_complaints()


async def test_heard_before_it_is_answered(world: World, tmp_path: Path) -> None:
    """Early media: an announcement, then the answer in the same dialog."""
    logged = len(await world.salesforce.tasks())
    number = "+12025550116"
    await world.proxy.add_user(number, "callee")
    sound = write_ulaw_tone(tmp_path / "sound.ulaw", PHONE_SAYS, seconds=5)
    async with (
        world.sipp(
            "uas_announces", keys={"sound": str(sound)}, pause_ms=ANNOUNCEMENT_MS
        ) as callee,
        world.rep_page() as rep,
    ):
        await callee.register(number, "callee")
        await rep.dial(number)
        await rep.wait_hears(PHONE_SAYS)
        await rep.wait_status("Ringing…")
        assert "SIP/2.0 200" not in callee.messages()

        await rep.wait_status("On call", timeout_s=2 * ANNOUNCEMENT_MS / 1000)
        await rep.wait_hears(PHONE_SAYS)
        await rep.end()
        await callee.finish()
        assert (await only_task(world, logged)).outcome == "Answered"
        rep.visitor.assert_no_complaints()


async def test_answered_and_hung_up_there(world: World) -> None:
    logged = len(await world.salesforce.tasks())
    async with (
        await world.callee("+12025550102", answer="auto") as callee,
        world.rep_page() as rep,
    ):
        await callee.wait_registered()
        await rep.dial("+1 202 555 0102")
        await rep.wait_status("On call")
        await rep.wait_hears(PHONE_SAYS)
        await callee.hang_up()
        await rep.wait_screen("ended")
        await rep.wait_text("They hung up")
        assert (await only_task(world, logged)).outcome == "Answered"


@pytest.mark.parametrize(
    ("status", "words", "outcome"),
    [
        pytest.param(486, "The line is busy", "Busy", id="busy"),
        pytest.param(408, "No answer", "No answer", id="no_answer"),
        pytest.param(
            404, "This number does not exist", "Unknown number", id="unknown_number"
        ),
        pytest.param(480, "cannot be reached", "Unreachable", id="unreachable"),
    ],
)
async def test_not_answered(
    world: World, status: int, words: str, outcome: str
) -> None:
    logged = len(await world.salesforce.tasks())
    number = f"+1202555{status:04d}"
    await world.proxy.set_answer(number, status)
    async with world.rep_page() as rep:
        await rep.dial(number)
        await rep.wait_screen("ended")
        await rep.wait_text(words)
    task = await only_task(world, logged)
    assert task.outcome == outcome
    assert task.duration_s == 0
    assert f"SIP response: {status}" in task.description


async def test_declined_by_the_phone_that_rang(world: World) -> None:
    logged = len(await world.salesforce.tasks())
    number = "+12025550103"
    await world.proxy.add_user(number, "callee")
    async with (
        world.sipp("uas_refuses", keys={"refusal": "603 Decline"}) as callee,
        world.rep_page() as rep,
    ):
        await callee.register(number, "callee")
        await rep.dial(number)
        await rep.wait_screen("ended")
        await rep.wait_text("They declined the call")
        await callee.finish()
    assert (await only_task(world, logged)).outcome == "Declined"


async def test_cancelled_while_it_rings(world: World) -> None:
    """The phone that rings gets a CANCEL, and its 487 an ACK."""
    logged = len(await world.salesforce.tasks())
    number = "+12025550104"
    await world.proxy.add_user(number, "callee")
    async with world.sipp("uas_rings") as callee, world.rep_page() as rep:
        await callee.register(number, "callee")
        await rep.dial(number)
        await rep.wait_status("Ringing…")
        await rep.end()
        await rep.wait_text("You cancelled the call")
        await callee.finish()
    assert (await only_task(world, logged)).outcome == "Cancelled"


async def test_click_to_dial_on_a_contact(world: World) -> None:
    """The number on the contact's page is dialled; the activity is on the contact."""
    logged = len(await world.salesforce.tasks())
    ana = await world.salesforce.contact("Ruiz")
    async with (
        await world.callee(ANA, answer="auto") as callee,
        world.rep_page() as rep,
    ):
        await callee.wait_registered()
        await rep.click_to_dial(ana["Id"])
        await rep.wait_status("On call")
        await rep.wait_text("Ana Ruiz")
        await rep.wait_hears(PHONE_SAYS)
        await rep.end()
        task = await only_task(world, logged)
        assert task.who_id == ana["Id"]
        # The contact's page shows it without a reload.
        await rep.page.locator(f"#timeline [data-id='{task.id}']").wait_for()


async def test_digits_of_the_keypad_arrive(world: World) -> None:
    """As telephone-events (RFC 4733): baresip understands nothing else here."""
    async with (
        await world.callee("+12025550105", answer="auto") as callee,
        world.rep_page() as rep,
    ):
        await callee.wait_registered()
        await rep.dial("+12025550105")
        await rep.wait_status("On call")
        await rep.wait_hears(PHONE_SAYS)
        await rep.type_digits("159#*0")
        await callee.wait_event("CALL_DTMF_END", count=6)
        assert callee.heard_digits() == "159#*0"
        assert not callee.requests("INFO")
        await rep.end()


@pytest.mark.parametrize(
    "codec", ["PCMA/8000/1", "G722/16000/1", "opus/48000/2"], ids=lambda c: c[:4]
)
async def test_sound_with_whatever_codec_the_far_end_has(
    world: World, codec: str
) -> None:
    async with (
        await world.callee("+12025550106", answer="auto", codecs=(codec,)) as callee,
        world.rep_page() as rep,
    ):
        await callee.wait_registered()
        await rep.dial("+12025550106")
        await rep.wait_status("On call")
        await rep.wait_hears(PHONE_SAYS)
        await callee.wait_hears(BROWSER_SAYS)
        await rep.end()


async def test_held_and_taken_back_by_the_far_end(world: World) -> None:
    """Hold is silence for the rep's microphone only; sound is back afterwards."""
    async with (
        await world.callee("+12025550107", answer="auto") as callee,
        world.rep_page() as rep,
    ):
        await callee.wait_registered()
        await rep.dial("+12025550107")
        await rep.wait_status("On call")
        await rep.wait_hears(PHONE_SAYS)
        await callee.wait_hears(BROWSER_SAYS)

        await callee.hold()
        await until_true(lambda: len(answered(callee)) == 1, "the hold answered")
        assert "a=recvonly" in answered(callee)[0].text
        await callee.resume()
        await until_true(lambda: len(answered(callee)) == 2, "the resume answered")
        assert "a=sendrecv" in answered(callee)[1].text
        before = await callee.received_packets()
        await rep.wait_hears(PHONE_SAYS)

        async def is_heard_again() -> bool:
            return await callee.received_packets() >= before + 25

        await until(is_heard_again, "half a second of sound for the far end")
        await rep.end()


def answered(phone: Baresip) -> list[TracedMessage]:
    """200s that the phone got for its own INVITEs."""
    return [
        message
        for message in phone.trace()
        if not message.sent and message.status == 200 and message.method == "INVITE"
    ]
