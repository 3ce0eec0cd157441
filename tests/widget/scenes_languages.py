"""The phone's main states in any language: nothing is found by what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.sessions import wire
from gateway.sessions.wire import EndReason
from tests.widget.browser import Widget
from tests.widget.fake_gateway import guest, invite, now_ms, record
from tests.widget.scenes_control import (
    open_tool,
    people,
    take_call,
    two_calls,
    waiting,
)

WRITTEN = "Wants two pumps by Friday. Send the offer to her new address."
CASE = record("Broken pump in Oslo", id="500A", kind="Case", company="")


async def idle(widget: Widget) -> None:
    await widget.page.locator(".rb-recent").first.wait_for()


async def menu(widget: Widget) -> None:
    await widget.page.locator(".rb-header [aria-controls=rb-menu]").click()
    await widget.page.locator(".rb-menu >> visible=true").wait_for()


async def bad_number(widget: Widget) -> None:
    await widget.page.locator(".rb-dial-field").first.fill("not a number")
    await widget.page.keyboard.press("Enter")


async def wrong_password(widget: Widget) -> None:
    await widget.gateway.register(
        wire.Registration(
            state=wire.RegistrationState.FAILED,
            problem=wire.RegistrationProblem.WRONG_PASSWORD,
            sip_code=403,
        )
    )
    await widget.page.locator(".rb-problem >> visible=true").wait_for()


async def ringing(widget: Widget) -> None:
    await widget.gateway.ring()
    await widget.shows("call", "ringing")


async def unknown(widget: Widget) -> None:
    await widget.gateway.ring(match=wire.Match(state=wire.MatchState.NONE))
    await widget.shows("call", "ringing")


async def on_call(widget: Widget) -> wire.CallView:
    return await take_call(widget)


async def on_hold(widget: Widget) -> None:
    call = await take_call(widget)
    await widget.gateway.update(call.call_id, held_here=True)
    await widget.until("phone.dataset.tone === 'warn'")


async def notes(widget: Widget) -> wire.CallView:
    widget.gateway.rules = wire.WidgetRules(dispositions=("Sold", "No interest"))
    await widget.page.reload()
    await widget.shows("idle")
    call = await take_call(widget)
    work = wire.WorkView(state=wire.WorkState.OPEN, notes=WRITTEN, visited=(CASE,))
    await widget.gateway.update(call.call_id, work=work)
    await widget.page.locator(".rb-notes textarea").scroll_into_view_if_needed()
    return call


async def wrap_up(widget: Widget) -> None:
    call = await notes(widget)
    work = wire.WorkView(
        state=wire.WorkState.WRAP_UP,
        notes=WRITTEN,
        saves_at=now_ms() + 24_000,
        next_step=wire.NextStep(subject="Send the offer", on="2026-12-01"),
    )
    await widget.gateway.update(call.call_id, work=work)
    await widget.gateway.end(call.call_id, EndReason.HUNG_UP_THERE)
    await widget.shows("call", "ended")


async def transfer(widget: Widget) -> None:
    widget.gateway.directory = people()
    await take_call(widget)
    await open_tool(widget, "transfer")
    await widget.page.locator(".rb-target-panel .rb-person-row").first.wait_for()


async def more(widget: Widget) -> None:
    await two_calls(widget)
    await open_tool(widget, "more")


async def failed(widget: Widget) -> None:
    call = await take_call(widget)
    await widget.gateway.end(call.call_id, EndReason.UNREACHABLE, sip_code=480)
    await widget.shows("call", "ended")


async def sign_in(widget: Widget) -> None:
    await widget.shows("signed-out")


async def sign_in_wrong(widget: Widget) -> None:
    for name, value in (("tenant", "acme"), ("username", "sam"), ("password", "no")):
        await widget.page.locator(f".rb-sign-in [name={name}]").fill(value)
    await widget.page.keyboard.press("Enter")
    await widget.page.locator(".rb-error >> visible=true").wait_for()


async def invites(widget: Widget) -> None:
    for made in (
        invite("i1", in_minutes=-5, state=wire.InviteState.OPEN, guests=(guest(),)),
        invite("i2", subject="Quote", in_minutes=1600, guests=(guest("Ben Okafor"),)),
    ):
        widget.gateway.invites[made.invite_id] = made
    await widget.page.locator("#rb-tab-invites").click()
    await widget.page.locator("[data-invite=i1] button").first.click()


async def invite_form(widget: Widget) -> None:
    await widget.page.locator("#rb-tab-invites").click()
    await widget.page.locator(".rb-invite-new .rb-brand").click()
    await widget.page.locator(".rb-invite-form [type=email]").first.fill("ana@example")
    await widget.page.locator(".rb-invite-form [type=submit]").click()
    await widget.page.locator(".rb-error >> visible=true").first.wait_for()


Scene = Callable[[Widget], Awaitable[object]]
SCENES: dict[str, Scene] = {
    "idle": idle,
    "menu": menu,
    "bad-number": bad_number,
    "wrong-password": wrong_password,
    "ringing": ringing,
    "unknown": unknown,
    "on-call": on_call,
    "on-hold": on_hold,
    "two-calls": two_calls,
    "waiting": waiting,
    "notes": notes,
    "wrap-up": wrap_up,
    "transfer": transfer,
    "more": more,
    "failed": failed,
    "invites": invites,
    "invite-form": invite_form,
}
SIGNED_OUT: dict[str, Scene] = {"sign-in": sign_in, "sign-in-wrong": sign_in_wrong}
# The one with the longest words, and the one that is read from the right.
SHOWN = ("de", "ar")
SIZES = ((240, 400), (340, 480))


def speaking(language: str) -> str:
    """What a page does first, so that it speaks it."""
    return f"localStorage.setItem('ringbridge.language', '{language}');"
