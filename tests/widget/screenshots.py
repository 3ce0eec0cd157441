"""Pictures of every state: ``python -m tests.widget.screenshots OUTDIR``.

Widths 240, 340 and 400 px, light and dark, forced colours, long words, right to
left, and text at 200 %. For people to look at; nothing is compared.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from gateway.sessions import wire
from gateway.sessions.wire import ActivityState, EndReason
from tests.widget import scenes_languages as languages
from tests.widget.browser import Widget, chromium, open_widget
from tests.widget.fake_gateway import (
    NOBODY,
    SEARCHING,
    FakeGateway,
    guest,
    invite,
    now_ms,
    peer,
    record,
)
from tests.widget.pictures import take
from tests.widget.scenes_control import LONG, SCENES, VARIED
from tests.widget.seats import ANA, BEN, CHLOE, DAN, FOUR, Seat, seat

ARABIC = wire.Match(
    state=wire.MatchState.FOUND,
    records=(record("عبد الرحمن الخوارزمي", company="شركة الأفق للتجارة"),),
)

Scene = Callable[[Widget], Awaitable[object]]


def ended(
    minutes_ago: int,
    name: str,
    reason: EndReason,
    *,
    outbound: bool = False,
    talked_s: int = 0,
    activity: ActivityState = ActivityState.WRITTEN,
    match: wire.Match | None = None,
    number: str = "+16465550175",
    national: str = "+1 (646) 555-0175",
) -> wire.CallView:
    start = now_ms() - minutes_ago * 60_000
    return wire.CallView(
        call_id=f"past-{minutes_ago}",
        direction=wire.CallDirection.OUTBOUND
        if outbound
        else wire.CallDirection.INBOUND,
        state=wire.CallState.ENDED,
        peer=peer(number, national, display_name=name),
        match=match
        or (
            wire.Match(state=wire.MatchState.FOUND, records=(record(name),))
            if name
            else NOBODY
        ),
        started_at=start,
        answered_at=start + 6000 if talked_s else None,
        ended_at=start + 6000 + talked_s * 1000,
        end_reason=reason,
        activity=wire.ActivityView(state=activity),
    )


def past() -> list[wire.CallView]:
    here, there = EndReason.HUNG_UP_HERE, EndReason.HUNG_UP_THERE
    return [
        ended(4, "Ana Ruiz", there, talked_s=751),
        ended(
            31,
            "",
            EndReason.MISSED,
            number="+442079460123",
            national="+44 20 7946 0123",
        ),
        ended(
            58,
            "Ben Okafor",
            here,
            outbound=True,
            talked_s=65,
            activity=ActivityState.WAITING,
        ),
        ended(95, LONG, EndReason.NO_ANSWER, outbound=True),
        ended(1500, "Chloé Martin", here, talked_s=3911, activity=ActivityState.FAILED),
        ended(
            1600, "Dan Wu", EndReason.ANSWERED_ELSEWHERE, activity=ActivityState.NONE
        ),
        ended(9000, "", EndReason.DECLINED_HERE, number="1001", national="1001"),
        ended(20000, "", there, match=ARABIC, talked_s=120),
    ]


# Scenes -------------------------------------------------------------------------


async def idle(widget: Widget) -> None:
    await widget.page.locator(".rb-recent").first.wait_for()


async def empty(widget: Widget) -> None:
    await widget.text("No calls yet").wait_for()


async def keypad(widget: Widget) -> None:
    await widget.button("Show keypad").click()
    for digit in "6465":
        await (
            widget.page.locator("ringbridge-idle")
            .get_by_role("button", name=digit, exact=True)
            .click()
        )


async def menu(widget: Widget) -> None:
    await widget.button("Menu").click()


async def bad_number(widget: Widget) -> None:
    await widget.page.locator(".rb-dial-field").first.fill("not a number")
    await widget.page.keyboard.press("Enter")


async def ring(widget: Widget, **call: Any) -> str:
    call_id = await widget.gateway.ring(**call)
    await widget.shows("call", "ringing")
    return call_id


async def ringing(widget: Widget) -> None:
    await ring(widget)


async def searching(widget: Widget) -> None:
    await ring(widget, match=SEARCHING)


async def several(widget: Widget) -> None:
    people = (
        record("Ana Ruiz"),
        record("Anastasia Ruiz-Hernández", id="2", kind="Lead", company="Initech"),
        record("Acme Corp", id="3", kind="Account", company="", certainty="possible"),
    )
    await ring(widget, match=wire.Match(state=wire.MatchState.FOUND, records=people))


async def unknown(widget: Widget) -> None:
    await ring(widget, match=NOBODY)


async def named_unknown(widget: Widget) -> None:
    await ring(widget, match=NOBODY, who=peer(display_name="Jane Doe"))


async def add_form(widget: Widget) -> None:
    await ring(widget, match=NOBODY)
    await widget.button("Add contact").click()


async def long_name(widget: Widget) -> None:
    match = wire.Match(
        state=wire.MatchState.FOUND,
        records=(
            record(
                LONG,
                company="Donaudampfschifffahrtselektrizitätenhauptbetriebswerk GmbH",
            ),
        ),
    )
    await ring(widget, match=match)


async def arabic(widget: Widget) -> None:
    await ring(widget, match=ARABIC)


async def withheld(widget: Widget) -> None:
    await ring(widget, match=NOBODY, who=peer("anonymous", ""))


async def on_call(widget: Widget) -> None:
    started = now_ms() - 751_000
    call = widget.gateway.make_call(started_at=started)
    widget.gateway.calls[call.call_id] = call
    await widget.gateway.publish(wire.CallIncomingEvent, call=call)
    await widget.shows("call", "ringing")
    await widget.past_guard()
    await widget.page.locator("[data-action=answer]").click()
    await widget.shows("call", "active")
    await widget.gateway.update(call.call_id, answered_at=started)
    await widget.until(f"client.localState('{call.call_id}').isConnected")
    await widget.past_guard()


CASE = record("Broken pump in Oslo", id="500A", kind="Case", company="")


async def notes(widget: Widget) -> None:
    """What a rep writes, on a call."""
    await on_call(widget)
    [call_id] = widget.gateway.calls
    work = wire.WorkView(
        state=wire.WorkState.OPEN,
        notes="Wants two pumps by Friday. Send the offer to her new address.",
        visited=(CASE,),
    )
    await widget.gateway.update(call_id, work=work)
    await widget.page.get_by_label("Notes").scroll_into_view_if_needed()


async def wrap_up(widget: Widget) -> None:
    widget.gateway.rules = wire.WidgetRules(dispositions=("Sold", "No interest"))
    await widget.page.reload()
    await widget.shows("idle")
    await notes(widget)
    [(call_id, call)] = widget.gateway.calls.items()
    work = call.work.model_copy(
        update={
            "state": wire.WorkState.WRAP_UP,
            "saves_at": now_ms() + 24_000,
            "disposition": "Sold",
            "next_step": wire.NextStep(subject="Send the offer", on="2026-12-01"),
        }
    )
    await widget.gateway.update(call_id, work=work)
    await widget.gateway.end(call_id, EndReason.HUNG_UP_THERE)
    await widget.shows("call", "ended")
    await widget.past_guard()


async def not_saved(widget: Widget) -> None:
    await notes(widget)
    [call_id] = widget.gateway.calls
    ended = await widget.gateway.end(call_id, EndReason.HUNG_UP_THERE)
    problem = "FIELD_CUSTOM_VALIDATION_EXCEPTION: Amount is required."
    activity = wire.ActivityView(state=wire.ActivityState.FAILED, problem=problem)
    work = ended.work.model_copy(update={"state": wire.WorkState.SAVED})
    failed = ended.model_copy(update={"activity": activity, "work": work})
    await widget.gateway.publish(wire.CallUpdatedEvent, call=failed)
    await widget.button("Try again").wait_for()


async def muted(widget: Widget) -> None:
    await on_call(widget)
    await widget.page.locator(".rb-tool").first.click()


async def in_call_keypad(widget: Widget) -> None:
    await on_call(widget)
    await widget.page.locator(".rb-tool").nth(2).click()
    await widget.page.keyboard.press("4")
    await widget.page.keyboard.press("2")


async def reconnecting(widget: Widget) -> None:
    await on_call(widget)
    widget.gateway.answers_sockets = False
    widget.gateway.drop_sockets()
    await widget.says("Reconnecting…")


async def dialling(widget: Widget) -> None:
    await widget.page.locator(".rb-dial-field").first.fill("+442079460123")
    await widget.page.keyboard.press("Enter")
    created = await widget.gateway.until_sent("call.create")
    await widget.gateway.alerting(created.call_id)
    await widget.says("Ringing…")
    await widget.gateway.update(created.call_id, match=NOBODY)


def end(reason: EndReason, sip_code: int | None = None) -> Scene:
    async def scene(widget: Widget) -> None:
        await on_call(widget)
        (call_id,) = widget.gateway.calls
        await widget.gateway.end(call_id, reason, sip_code=sip_code)
        await widget.shows("call", "ended")
        await widget.gateway.logged(widget.gateway.history[0])
        await widget.page.locator(".rb-activity[data-state=written]").wait_for()

    return scene


async def wrong_password(widget: Widget) -> None:
    await widget.gateway.register(
        wire.Registration(
            state=wire.RegistrationState.FAILED,
            problem=wire.RegistrationProblem.WRONG_PASSWORD,
            sip_code=403,
        )
    )
    await widget.says("Phone not connected")


async def unreachable(widget: Widget) -> None:
    await widget.gateway.register(
        wire.Registration(
            state=wire.RegistrationState.FAILED,
            problem=wire.RegistrationProblem.UNREACHABLE,
            sip_code=408,
            retry_in_s=28,
        )
    )
    await widget.says("Phone not connected")


async def microphone_denied(widget: Widget) -> None:
    await ring(widget)
    await widget.past_guard()
    await widget.button("Answer").click()
    await widget.page.locator(".rb-problem >> visible=true").wait_for()


async def superseded(widget: Widget) -> None:
    widget.gateway.supersede()
    await widget.shows("superseded")


async def looks_on(widget: Widget) -> None:
    await widget.gateway.taken_elsewhere()
    await widget.page.locator(".rb-elsewhere >> visible=true").wait_for()


async def looks_on_ringing(widget: Widget) -> None:
    await looks_on(widget)
    await ring(widget)


async def looks_on_call(widget: Widget) -> None:
    await on_call(widget)
    await looks_on(widget)


async def looks_on_ended(widget: Widget) -> None:
    await looks_on_call(widget)
    (call_id,) = widget.gateway.calls
    await widget.gateway.end(call_id, EndReason.HUNG_UP_THERE)
    await widget.shows("call", "ended")


async def offline(widget: Widget) -> None:
    widget.gateway.is_deaf = True
    await widget.page.context.set_offline(True)
    await widget.says("Offline")


async def sign_in(widget: Widget) -> None:
    await widget.shows("signed-out")


async def sign_in_wrong(widget: Widget) -> None:
    await widget.page.get_by_label("Company").first.fill("acme")
    await widget.page.get_by_label("User name").fill("sam")
    await widget.page.get_by_label("Password").fill("wrong")
    await widget.button("Sign in").click()
    await widget.page.locator(".rb-error >> visible=true").wait_for()


OFFERED = wire.VideoView(state=wire.VideoState.OFFERED)
REF = wire.InviteRef(invite_id="i1", subject="Renewal of the contract", guest="Ana")


async def incoming_video(widget: Widget) -> None:
    await ring(widget, video=OFFERED, invite=REF)


async def incoming_video_long(widget: Widget) -> None:
    match = wire.Match(state=wire.MatchState.FOUND, records=(record(LONG),))
    ref = REF.model_copy(update={"subject": f"{LONG} and the renewal"})
    await ring(widget, video=OFFERED, invite=ref, match=match)


async def video_offered(widget: Widget) -> None:
    await on_call(widget)
    (call_id,) = widget.gateway.calls
    await widget.gateway.update(call_id, video=OFFERED)
    await widget.text("offers video").wait_for()


async def call_window(widget: Widget) -> Page:
    await incoming_video(widget)
    await widget.past_guard()
    async with widget.page.expect_popup() as popup:
        await widget.button("Answer with video").click()
    window = await popup.value
    await window.set_viewport_size({"width": 960, "height": 640})
    await window.locator(".rb-remote").wait_for()
    await widget.text("The video is in its own window.").wait_for()
    return window


async def in_video_window(widget: Widget) -> None:
    await call_window(widget)
    (call_id,) = widget.gateway.calls
    await widget.gateway.ends(call_id, 290)
    await widget.text("The invite ends in 5 minutes.").wait_for()


async def video_elsewhere(widget: Widget) -> None:
    await call_window(widget)
    await widget.page.reload()
    await widget.shows("superseded")


async def window_blocked(widget: Widget) -> None:
    await ring(widget, video=OFFERED)
    await widget.page.evaluate("window.open = () => null")
    await widget.past_guard()
    await widget.button("Answer with video").click()
    await widget.text("The browser held back the video window").wait_for()


async def invites_empty(widget: Widget) -> None:
    await widget.page.get_by_role("tab", name="Invites").click()
    await widget.text("No invites to come").wait_for()


async def invites(widget: Widget) -> None:
    failed = wire.MailState.BOUNCED
    problem = "There is no such address. (550 5.1.1 user unknown)"
    bounced = guest(
        "Ben Okafor", "ben@initech.example", time_zone="Asia/Tokyo"
    ).model_copy(update={"mail": failed, "mail_problem": problem})
    joined = guest(joined_at=now_ms() - 60_000, is_in_call=True)
    expert = guest("Eve Expert", "eve@acme.example").model_copy(
        update={"role": wire.GuestRole.COLLEAGUE}
    )
    open_now = wire.InviteState.OPEN
    for made in (
        invite("i1", in_minutes=-5, state=open_now, guests=(joined, expert)),
        invite("i2", subject="Quote", in_minutes=200, guests=(bounced,)),
        invite("i3", subject=f"{LONG} again", in_minutes=1600, guests=(guest(LONG),)),
        invite("i4", in_minutes=-2000, state=wire.InviteState.NO_SHOW),
        invite("i5", in_minutes=-3000, state=wire.InviteState.CANCELLED),
        invite("i6", in_minutes=-4000, state=wire.InviteState.OVER),
    ):
        widget.gateway.invites[made.invite_id] = made
    await widget.page.get_by_role("tab", name="Invites").click()
    await widget.button("Show past invites").click()
    await widget.page.locator("[data-invite=i6]").wait_for()


async def invite_details(widget: Widget) -> None:
    await invites(widget)
    await widget.page.locator("[data-invite=i1] button").first.click()
    await widget.button("Cancel invite").click()


async def invite_mail_failed(widget: Widget) -> None:
    await invites(widget)
    await widget.page.locator("[data-invite=i2] button").first.click()


async def invite_form(widget: Widget) -> None:
    await invites_empty(widget)
    await widget.button("New invite").click()
    await widget.page.get_by_role("combobox", name="Name", exact=True).fill("ana")
    await widget.page.locator(".rb-option").wait_for()


async def invite_zones(widget: Widget) -> None:
    await invites_empty(widget)
    await widget.button("New invite").click()
    await widget.page.get_by_label("Name", exact=True).fill("Ana Ruiz")
    await widget.page.get_by_label("E-mail").fill("ana@example.com")
    zone = widget.page.get_by_role("combobox", name="Their time zone")
    await zone.fill("new y")
    await zone.press("Enter")
    await widget.page.get_by_text("in New York").scroll_into_view_if_needed()


async def invite_zone_search(widget: Widget) -> None:
    await invites_empty(widget)
    await widget.button("New invite").click()
    await widget.page.get_by_role("combobox", name="Their time zone").fill("san")
    await widget.page.locator(".rb-option").first.wait_for()


async def invite_errors(widget: Widget) -> None:
    await invites_empty(widget)
    await widget.button("New invite").click()
    await widget.page.get_by_label("E-mail").fill("ana@example")
    await widget.page.get_by_label("Subject").fill("")
    await widget.button("Send invite").click()
    await widget.page.get_by_text("3 fields are not right.").wait_for()


async def invite_guests(widget: Widget) -> None:
    await invites_empty(widget)
    await widget.button("New invite").click()
    await widget.button("Add a guest").click()
    await widget.page.locator(".rb-further input").first.fill(LONG)


async def invite_link(widget: Widget) -> None:
    await invites_empty(widget)
    await widget.button("Start now").click()
    await widget.button("Make the link").click()
    await widget.button("Copy link").wait_for()


@dataclass
class Shot:
    name: str
    scene: Scene
    options: dict[str, Any] = field(default_factory=dict)
    has_past: bool = True
    language: str = ""
    zoom: bool = False


SIGNED_OUT = {"signed_in": False}
DENIED = {"microphone": False}
STATES = [
    Shot("idle", idle),
    Shot("empty", empty, has_past=False),
    Shot("keypad", keypad),
    Shot("menu", menu),
    Shot("bad-number", bad_number),
    Shot("ringing", ringing),
    Shot("searching", searching),
    Shot("several", several),
    Shot("unknown", unknown),
    Shot("named-unknown", named_unknown),
    Shot("add-form", add_form),
    Shot("long-name", long_name),
    Shot("arabic", arabic),
    Shot("withheld", withheld),
    Shot("on-call", on_call),
    Shot("notes", notes),
    Shot("wrap-up", wrap_up),
    Shot("not-saved", not_saved),
    Shot("muted", muted),
    Shot("call-keypad", in_call_keypad),
    Shot("reconnecting", reconnecting),
    Shot("dialling", dialling),
    Shot("ended", end(EndReason.HUNG_UP_THERE)),
    Shot("failed", end(EndReason.UNREACHABLE, 480)),
    Shot("wrong-password", wrong_password),
    Shot("unreachable", unreachable),
    Shot("microphone-denied", microphone_denied, DENIED),
    Shot("superseded", superseded),
    Shot("looks-on", looks_on),
    Shot("looks-on-ringing", looks_on_ringing),
    Shot("looks-on-call", looks_on_call),
    Shot("looks-on-ended", looks_on_ended),
    Shot("offline", offline),
    Shot("incoming-video", incoming_video),
    Shot("incoming-video-long", incoming_video_long),
    Shot("video-offered", video_offered),
    Shot("in-video-window", in_video_window),
    Shot("video-elsewhere", video_elsewhere),
    Shot("window-blocked", window_blocked),
    Shot("invites-empty", invites_empty),
    Shot("invites", invites),
    Shot("invite-details", invite_details),
    Shot("invite-mail-failed", invite_mail_failed),
    Shot("invite-zones", invite_zones),
    Shot("invite-zone-search", invite_zone_search),
    Shot("invite-form", invite_form),
    Shot("invite-errors", invite_errors),
    Shot("invite-guests", invite_guests),
    Shot("invite-link", invite_link),
    *(Shot(name, scene) for name, scene in SCENES.items()),
    Shot("sign-in", sign_in, SIGNED_OUT),
    Shot("sign-in-wrong", sign_in_wrong, SIGNED_OUT),
]


def shots() -> list[Shot]:
    made: list[Shot] = []
    for state in STATES:
        for width, height in ((240, 400), (340, 480), (400, 600)):
            for scheme in ("light", "dark"):
                made.append(vary(state, f"{width}-{scheme}", width, height, scheme))
    by_name = {state.name: state for state in STATES}
    varied = ("idle", "ringing", "on-call", "wrap-up", "ended", "wrong-password")
    for name in (*varied, "incoming-video", "invites", "invite-errors", *VARIED):
        state = by_name[name]
        made.append(vary(state, "forced", 340, 480, "dark", forced_colors="active"))
        made.append(vary(state, "small", 240, 200, "light"))
        made.append(vary(state, "zoom", 340, 480, "light", zoom=True))
    made.append(vary(by_name["ringing"], "wide", 1440, 800, "light"))
    return made + in_languages()


def in_languages() -> list[Shot]:
    states = [
        *(Shot(name, scene) for name, scene in languages.SCENES.items()),
        *(
            Shot(name, scene, SIGNED_OUT)
            for name, scene in languages.SIGNED_OUT.items()
        ),
    ]
    return [
        vary(
            state,
            f"{language}-{width}-{scheme}",
            width,
            height,
            scheme,
            language=language,
        )
        for language in languages.SHOWN
        for state in states
        for width, height in languages.SIZES
        for scheme in ("light", "dark")
    ]


def vary(
    state: Shot,
    suffix: str,
    width: int,
    height: int,
    scheme: str,
    *,
    language: str = "",
    zoom: bool = False,
    **options: Any,
) -> Shot:
    return Shot(
        f"{state.name}-{suffix}",
        state.scene,
        {
            **state.options,
            **options,
            "viewport": {"width": width, "height": height},
            "color_scheme": scheme,
        },
        state.has_past,
        language,
        zoom,
    )


@asynccontextmanager
async def stage(browser: Browser, shot: Shot) -> AsyncIterator[Widget]:
    gateway = FakeGateway()
    gateway.history = past() if shot.has_past else []
    await gateway.start()
    init = ""
    if shot.zoom:
        init += "document.documentElement.style.fontSize = '200%';"
        init = f"addEventListener('DOMContentLoaded', () => {{ {init} }});"
    if shot.language:
        init += languages.speaking(shot.language)
    widget = await open_widget(browser, gateway, init=init, **shot.options)
    try:
        yield widget
    finally:
        await widget.page.context.close()
        await gateway.stop()


async def window_connected(window: Page, widget: Widget) -> None:
    """As it is after a while: the bar is there, since the pointer moved."""
    del widget
    await window.mouse.move(200, 200)


async def window_waiting(window: Page, widget: Widget) -> None:
    (call_id,) = widget.gateway.calls
    await widget.gateway.update(call_id, video=wire.VideoView())
    await window.get_by_text("Waiting for").wait_for()


async def window_devices(window: Page, widget: Widget) -> None:
    del widget
    await window.get_by_role("button", name="Devices").click()
    await window.get_by_role("combobox", name="Camera").wait_for()


async def window_second(window: Page, widget: Widget) -> None:
    (call_id,) = widget.gateway.calls
    await widget.gateway.ring(who=peer("+4989123456", "+49 89 123456"), match=NOBODY)
    await widget.gateway.ends(call_id, 50)
    await window.get_by_text("is calling too").wait_for()


async def window_ended(window: Page, widget: Widget) -> None:
    (call_id,) = widget.gateway.calls
    await widget.gateway.end(call_id, EndReason.HUNG_UP_THERE)
    await window.get_by_role("heading", name="They hung up").wait_for()


WindowScene = Callable[[Page, Widget], Awaitable[None]]


def meeting(*seats: Seat, big: str = "") -> WindowScene:
    async def scene(window: Page, widget: Widget) -> None:
        del widget
        await seat(window, *seats)
        if big:
            await window.get_by_role("button", name=f"Make {big} big").click()
        await window.mouse.move(200, 200)

    return scene


SCREEN = replace(BEN, width=2560, height=1080)
PHONE = replace(CHLOE, width=360, height=640)
UNSEEN = replace(DAN, width=0)
LONG_SEATS = (
    replace(ANA, name=LONG),
    replace(BEN, name=LONG, width=0),
    replace(CHLOE, name="عبد الرحمن الخوارزمي"),
)
WINDOWS: dict[str, WindowScene] = {
    "connected": window_connected,
    "waiting": window_waiting,
    "devices": window_devices,
    "second": window_second,
    "ended": window_ended,
    "meeting-1-screen": meeting(replace(SCREEN, id="")),
    "meeting-2": meeting(ANA, BEN),
    "meeting-3": meeting(ANA, BEN, UNSEEN),
    "meeting-4": meeting(*FOUR),
    "meeting-4-mixed": meeting(ANA, SCREEN, PHONE, UNSEEN),
    "meeting-big": meeting(ANA, SCREEN, PHONE, UNSEEN, big="Ben Okafor"),
    "meeting-big-2": meeting(ANA, BEN, big="Ana Ruiz"),
    "meeting-long": meeting(*LONG_SEATS),
}
WINDOW_SIZES = ((320, 560), (960, 640), (1440, 800))
# Other ways of looking at some of them.
WINDOW_WAYS: dict[str, dict[str, Any]] = {
    "rtl": {"is_rtl": True},
    "zoom": {"zoom": True},
    "forced": {"options": {"forced_colors": "active"}},
}
WINDOW_VARIED = ("meeting-4", "meeting-big", "meeting-long")


def window_pictures() -> list[tuple[str, str, tuple[int, int], dict[str, Any]]]:
    made: list[tuple[str, str, tuple[int, int], dict[str, Any]]] = [
        (f"window-{name}-{size[0]}", name, size, {})
        for name in WINDOWS
        for size in WINDOW_SIZES
    ]
    for name in WINDOW_VARIED:
        made.append((f"window-{name}-1280", name, (1280, 720), {}))
        made.append((f"window-{name}-low", name, (640, 320), {}))
        for way, options in WINDOW_WAYS.items():
            made.append((f"window-{name}-{way}", name, (960, 640), options))
        made.append((f"window-{name}-rtl-340", name, (340, 560), {"is_rtl": True}))
        made.append((f"window-{name}-zoom-340", name, (340, 560), {"zoom": True}))
    return made


async def window_shots(browser: Browser, folder: Path, wanted: list[str]) -> None:
    for title, name, (width, height), options in window_pictures():
        if wanted and not any(each in title for each in wanted):
            continue
        known = {way: value for way, value in options.items() if way != "is_rtl"}
        async with stage(browser, Shot(title, idle, **known)) as widget:
            await widget.shows("idle")
            window = await call_window(widget)
            await window.evaluate(
                "([dir, size]) => Object.assign(document.documentElement, { dir })"
                ".style.fontSize = size",
                [
                    "rtl" if options.get("is_rtl") else "",
                    "200%" if options.get("zoom") else "",
                ],
            )
            await window.set_viewport_size({"width": width, "height": height})
            await WINDOWS[name](window, widget)
            await window.wait_for_timeout(300)
            await window.screenshot(path=folder / f"{title}.png")


async def play(shot: Shot, widget: Widget) -> None:
    if shot.options.get("signed_in", True):
        await widget.shows("idle")
    await shot.scene(widget)


async def main(folder: Path, wanted: list[str]) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    async with chromium() as browser:
        await take(browser, shots(), stage, play, folder, wanted)
        await window_shots(browser, folder, wanted)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
