"""Every state that the page can be in, and how it comes there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.sessions import wire
from gateway.sessions.wire import EndReason, JoinState
from tests.guest.fake_invite import FakeInvite
from tests.guest.page import ASKS, Guest
from tests.widget.fake_gateway import Refused
from tests.widget.seats import BEN, CHLOE, DAN, Seat, seat

LONG = "Wolfeschlegelsteinhausenbergerdorff-Freifrau von Oberndorff-K"
BUSY = ("NotReadableError", "Could not start video source")

Scene = Callable[[Guest], Awaitable[None]]
Prepare = Callable[[FakeInvite], None]


@dataclass
class State:
    name: str
    scene: Scene
    prepare: Prepare = field(default=lambda gateway: None)
    options: dict[str, Any] = field(default_factory=dict)


async def lobby(guest: Guest) -> None:
    await guest.shows("lobby", "open")
    await guest.sees_self()
    await guest.text("Your microphone works").wait_for()


async def early(guest: Guest) -> None:
    await guest.shows("lobby", "early")
    await guest.sees_self()


async def asking(guest: Guest) -> None:
    await guest.button("Turn on camera and microphone").wait_for()


async def problem(guest: Guest) -> None:
    await guest.shows("lobby")
    await guest.page.locator(".g-problem").first.wait_for()


async def nameless(guest: Guest) -> None:
    await lobby(guest)
    await guest.page.get_by_label("Your name").fill(" ")
    await guest.button("Join").click()
    await guest.text("Enter your name.").wait_for()


async def notice(guest: Guest) -> None:
    await guest.shows("notice")


async def ringing(guest: Guest) -> None:
    await lobby(guest)
    await guest.join()


async def in_call(guest: Guest) -> None:
    await lobby(guest)
    await guest.connect()
    await guest.page.wait_for_function(
        "() => document.querySelector('.rb-remote').currentTime > 0"
    )


def meeting(*seats: Seat, big: str = "") -> Scene:
    async def scene(guest: Guest) -> None:
        await in_call(guest)
        await seat(guest.page, *seats)
        if big:
            press = guest.page.locator(f'.rb-tile-press[title="{big}"]')
            await press.click()
        await guest.page.mouse.move(150, 150)

    return scene


async def full(guest: Guest) -> None:
    async def deny(params: wire.CallJoin) -> wire.Wire:
        del params
        raise Refused(wire.ErrorKind.CALL_LIMIT)

    guest.gateway.overrides["call.join"] = deny
    await lobby(guest)
    await guest.button("Join").click()
    await guest.shows("notice", "full")


async def audio_only(guest: Guest) -> None:
    await lobby(guest)
    await guest.connect(has_video=False)


async def no_microphone(guest: Guest) -> None:
    await problem(guest)
    await guest.connect()


async def settings(guest: Guest) -> None:
    await in_call(guest)
    await guest.button("Camera and sound settings").click()


async def muted(guest: Guest) -> None:
    await in_call(guest)
    await guest.page.keyboard.press("Tab")
    await guest.button("Turn microphone off").click()
    await guest.button("Turn camera off").click()
    await guest.button("Turn camera on").wait_for()


async def offered(guest: Guest) -> None:
    await lobby(guest)
    call_id = await guest.connect(has_video=False)
    await guest.gateway.update(
        call_id, video=wire.VideoView(state=wire.VideoState.OFFERED)
    )
    await guest.text("would like to see you").wait_for()


async def reconnecting(guest: Guest) -> None:
    await in_call(guest)
    guest.gateway.answers_sockets = False
    guest.gateway.drop_sockets()
    await guest.stage("reconnecting")


async def returning(guest: Guest) -> None:
    await in_call(guest)
    guest.gateway.answers_sockets = False
    await guest.page.reload()
    await guest.stage("returning")


async def ending(guest: Guest) -> None:
    await in_call(guest)
    (call_id,) = guest.gateway.calls
    await guest.gateway.ends(call_id, 290)
    await guest.text("5 minutes left").wait_for()


def ended(reason: EndReason, *, talked: bool = False) -> Scene:
    async def scene(guest: Guest) -> None:
        await lobby(guest)
        call_id = await (guest.connect() if talked else guest.join())
        await guest.gateway.end(call_id, reason)
        await guest.shows("ended")
        await guest.gateway.until(lambda: len(guest.gateway.looks) >= 2)

    return scene


async def superseded(guest: Guest) -> None:
    await in_call(guest)
    guest.gateway.drop_sockets(wire.CLOSE_SUPERSEDED)
    await guest.shows("ended", "elsewhere")


async def not_joined(guest: Guest) -> None:
    await lobby(guest)
    guest.gateway.status = 503
    await guest.button("Join").click()
    await guest.text("That did not work").wait_for()


def state_is(state: JoinState) -> Prepare:
    return lambda gateway: gateway.shows(state=state)


def status_is(status: int) -> Prepare:
    def prepare(gateway: FakeInvite) -> None:
        gateway.status = status

    return prepare


def opens_in(seconds: float) -> Prepare:
    return lambda gateway: gateway.opens_in(seconds)


def elsewhere(gateway: FakeInvite) -> None:
    gateway.shows(time_zone="America/Los_Angeles")
    gateway.opens_in(14 * 60 + 3)


def long_names(gateway: FakeInvite) -> None:
    gateway.shows(
        subject="Donaudampfschifffahrtselektrizitätenhauptbetriebswerk: "
        "Vertragsverlängerung und Rahmenvereinbarung für die kommenden Jahre",
        host=LONG,
        company="Donaudampfschifffahrtselektrizitätenhauptbetriebswerk GmbH & Co. KG",
    )


HOST = Seat("", "Robin Reyes", is_host=True)
SCREEN = replace(BEN, width=2560, height=1080)
PHONE = replace(CHLOE, width=360, height=640)
UNSEEN = replace(DAN, width=0)
NO_DEVICES = {"missing": ("video", "audio")}
UNSUPPORTED = {"init": "delete globalThis.RTCPeerConnection;"}

STATES = [
    State("open", lobby),
    State("early", early, opens_in(754)),
    State("early-days", early, opens_in(3 * 86_400)),
    State("early-zones", early, elsewhere),
    State("asking", asking, options={"init": ASKS}),
    State("blocked", problem, options={"camera": False, "microphone": False}),
    State("camera-blocked", problem, options={"camera": False}),
    State("microphone-blocked", problem, options={"microphone": False}),
    State("camera-busy", problem, options={"failing": {"video": BUSY}}),
    State("microphone-busy", problem, options={"failing": {"audio": BUSY}}),
    State("no-camera", problem, options={"missing": ("video",)}),
    State("no-microphone", problem, options={"missing": ("audio",)}),
    State("no-devices", problem, options=NO_DEVICES),
    State("nameless", nameless),
    State("not-joined", not_joined),
    State("in-use", notice, state_is(JoinState.IN_USE)),
    State("used-up", notice, state_is(JoinState.USED_UP)),
    State("over", notice, state_is(JoinState.OVER)),
    State("cancelled", notice, state_is(JoinState.CANCELLED)),
    State("revoked", notice, state_is(JoinState.REVOKED)),
    State("unknown", notice, options={"token": "nothing"}),
    State("unreachable", notice, status_is(503)),
    State("too-many", notice, status_is(429)),
    State("unsupported", notice, options=UNSUPPORTED),
    State("ringing", ringing),
    State("call", in_call),
    State("call-muted", muted),
    State("meeting-2", meeting(HOST, BEN)),
    State("meeting-3", meeting(HOST, replace(BEN, name=LONG), UNSEEN)),
    State("meeting-4", meeting(HOST, SCREEN, PHONE, UNSEEN)),
    State("meeting-big", meeting(HOST, SCREEN, PHONE, UNSEEN, big="Ben Okafor")),
    State("full", full),
    State("call-audio", audio_only),
    State("call-offered", offered),
    State("call-silent", no_microphone, options={"missing": ("audio",)}),
    State("call-settings", settings),
    State("call-ending", ending),
    State("reconnecting", reconnecting),
    State("returning", returning),
    State("no-answer", ended(EndReason.NO_ANSWER)),
    State("busy", ended(EndReason.BUSY)),
    State("declined", ended(EndReason.DECLINED_THERE)),
    State("left", ended(EndReason.HUNG_UP_HERE, talked=True)),
    State("finished", ended(EndReason.HUNG_UP_THERE, talked=True)),
    State("time-over", ended(EndReason.INVITE_OVER, talked=True)),
    State("no-media", ended(EndReason.MEDIA_FAILED, talked=True)),
    State("elsewhere", superseded),
]
