"""The softphone in Salesforce: Open CTI, by a stand-in for the org's script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import FrameLocator, Page, expect

from gateway.sessions import wire
from gateway.sessions.wire import ActivityState, EndReason
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import NOBODY, FakeGateway, invite, record

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

# Records what it is asked, answers as the real one does (salesforce: callbacks with
# {success, returnValue, errors}; listeners get the bare payload).
OPEN_CTI = """
(() => {
  const asked = (globalThis.asked = []);
  const listeners = (globalThis.listeners = {});
  const answers = {
    runApex: ({ methodName }) => ({ runApex: methodName === 'language'
      ? localStorage.hostLanguage ?? 'en_US' : globalThis.assertion ?? 'good' }),
    getAppViewInfo: () => ({ recordId: '003', objectType: 'Contact' }),
  };
  const method = (name) => (args = {}) => {
    const { callback, listener, ...rest } = args;
    asked.push([name, rest]);
    if (listener) listeners[name] = listener;
    setTimeout(() => callback?.({ success: true,
      returnValue: answers[name]?.(rest) ?? null, errors: null }));
  };
  globalThis.sforce = { opencti: {
    SCREENPOP_TYPE: { SOBJECT: 'sobject', NEW_RECORD_MODAL: 'newRecord' },
    ...Object.fromEntries(['enableClickToDial', 'onClickToDial', 'screenPop',
      'notifyInitializationComplete', 'setSoftphoneItemLabel', 'setSoftphoneItemIcon',
      'onNavigationChange', 'setSoftphonePanelVisibility', 'refreshView', 'runApex',
      'getAppViewInfo',
    ].map((name) => [name, method(name)])),
  } };
})();
"""


@pytest_asyncio.fixture(loop_scope="session")
async def org(gateway: FakeGateway) -> AsyncIterator[str]:
    """The origin of a Salesforce organisation that the gateway knows."""

    async def script(request: web.Request) -> web.Response:
        assert request.match_info["version"] == "66.0"
        return web.Response(text=OPEN_CTI, content_type="text/javascript")

    async def page(request: web.Request) -> web.Response:
        source = f"{gateway.url}{path_for(f'http://{request.host}')}"
        return web.Response(
            text=f'<iframe src="{source}" width="340" height="480" '
            'allow="microphone; autoplay"></iframe>',
            content_type="text/html",
        )

    app = web.Application()
    app.router.add_get("/page", page)
    app.router.add_get("/support/api/{version}/lightning/opencti_min.js", script)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://localhost:{runner.addresses[0][1]}"
    gateway.config = {
        "salesforce_origins": [origin],
        "opencti_version": "66.0",
        "tenant": "acme",
    }
    gateway.script_origin = origin
    yield origin
    await runner.cleanup()


def path_for(origin: str) -> str:
    return f"/widget/salesforce?mode=Lightning&isdtp=vw&sfdcIframeOrigin={origin}"


async def asked(widget: Widget, method: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await widget.page.evaluate(
        "(name) => asked.filter(([each]) => each === name).map(([, args]) => args)",
        method,
    )
    return found


async def click_to_dial(widget: Widget, payload: dict[str, Any]) -> None:
    await widget.page.evaluate("(click) => listeners.onClickToDial(click)", payload)


async def test_signed_in_by_salesforce_without_a_word(
    open_page: OpenWidget, gateway: FakeGateway, org: str
) -> None:
    widget = await open_page(path=path_for(org), signed_in=False)
    await widget.shows("idle")
    await widget.says("Available")
    assert gateway.sign_ins == [{"assertion": "good"}]
    await widget.page.wait_for_function(
        "asked.filter(([name]) => name === 'runApex').length === 2"
    )
    assert await asked(widget, "runApex") == [
        {"apexClass": "RingbridgeIdentity", "methodName": name, "methodParams": ""}
        for name in ("token", "language")
    ]
    assert len(await asked(widget, "notifyInitializationComplete")) == 1
    assert len(await asked(widget, "enableClickToDial")) == 1


async def test_it_speaks_what_salesforce_speaks_to_the_user(
    open_page: OpenWidget, gateway: FakeGateway, org: str
) -> None:
    init = "localStorage.hostLanguage = 'es_MX';"
    widget = await open_page(path=path_for(org), signed_in=False, init=init)
    await widget.says("Disponible")
    # From the start the next time, also where Salesforce is slow to say it.
    await widget.page.reload()
    await expect(widget.page.locator("html")).to_have_attribute("lang", "es")
    await widget.says("Disponible")


async def test_an_assertion_that_is_refused_leads_to_the_form(
    open_page: OpenWidget, gateway: FakeGateway, org: str
) -> None:
    widget = await open_page(
        path=path_for(org), signed_in=False, init="globalThis.assertion = 'bad';"
    )
    await widget.shows("signed-out")
    await expect(widget.text("Salesforce did not confirm who you are")).to_be_visible()
    await widget.page.get_by_label("User name").fill("sam")
    await widget.page.get_by_label("Password").fill("secret")
    await widget.page.keyboard.press("Enter")
    await widget.shows("idle")


async def test_ringing_opens_the_panel_and_says_who(
    open_page: OpenWidget, gateway: FakeGateway, org: str
) -> None:
    widget = await open_page(path=path_for(org))
    await widget.says("Available")
    call_id = await gateway.ring()
    await widget.shows("call", "ringing")
    assert {"visible": True} in await asked(widget, "setSoftphonePanelVisibility")
    assert (await asked(widget, "setSoftphoneItemLabel"))[-1] == {
        "label": "Ringing: Ana Ruiz"
    }
    assert (await asked(widget, "setSoftphoneItemIcon"))[-1] == {"key": "incoming_call"}
    await widget.button("Open in Salesforce").click()
    assert await asked(widget, "screenPop") == [
        {"type": "sobject", "params": {"recordId": "003000000000001AAA"}}
    ]
    call = await gateway.end(call_id, EndReason.HUNG_UP_THERE)
    await gateway.logged(call)
    await expect(widget.text("Saved to Salesforce")).to_be_visible()
    assert len(await asked(widget, "refreshView")) == 1


async def test_a_written_event_is_shown_on_the_page(
    open_page: OpenWidget, gateway: FakeGateway, org: str
) -> None:
    widget = await open_page(path=path_for(org))
    await widget.says("Available")
    for state in (
        ActivityState.WAITING,
        ActivityState.WRITTEN,
        # Something else about the invite; and it is moved.
        ActivityState.WRITTEN,
        ActivityState.WAITING,
        ActivityState.WRITTEN,
    ):
        event = wire.ActivityView(state=state)
        await gateway.publish(wire.InviteUpdatedEvent, invite=invite(event=event))
    await gateway.ring()
    await widget.shows("call", "ringing")
    assert len(await asked(widget, "refreshView")) == 2


@pytest.mark.parametrize("is_wrapped", [False, True])
async def test_click_to_dial_carries_the_record(
    open_page: OpenWidget, gateway: FakeGateway, org: str, is_wrapped: bool
) -> None:
    widget = await open_page(path=path_for(org))
    await widget.says("Available")
    click = {
        "number": "(646) 555-0175",
        "recordId": "003000000000001AAA",
        "recordName": "Ana Ruiz",
        "objectType": "Contact",
        "params": "",
    }
    await click_to_dial(widget, {"returnValue": click} if is_wrapped else click)
    created = await gateway.until_sent("call.create")
    assert created.to == "(646) 555-0175"
    assert created.record is not None
    assert created.record.id == "003000000000001AAA"
    assert created.record.name == "Ana Ruiz"
    assert {"visible": True} in await asked(widget, "setSoftphonePanelVisibility")
    await expect(widget.page.get_by_role("heading", name="Ana Ruiz")).to_be_visible()


@pytest.mark.parametrize("kind", ["Contact", "Opportunity"])
async def test_the_pages_icon_asks_for_an_invite_and_dials_nobody(
    open_page: OpenWidget, gateway: FakeGateway, org: str, kind: str
) -> None:
    gateway.people = [record(email="ana@example.com")]
    widget = await open_page(path=path_for(org))
    await widget.says("Available")
    click = {
        "number": "",
        "recordId": "003000000000001AAA",
        "recordName": "Ana Ruiz",
        "objectType": kind,
        "params": "a=b,ringbridge=invite",
    }
    await click_to_dial(widget, click)
    dialog = widget.page.get_by_role("dialog", name="New video invite")
    await expect(dialog).to_be_visible()
    email = widget.page.get_by_label("E-mail")
    if kind == "Contact":
        await expect(email).to_have_value("ana@example.com")
    else:
        await expect(dialog.get_by_text("About Ana Ruiz")).to_be_visible()
        await expect(email).to_have_value("")
    assert {"visible": True} in await asked(widget, "setSoftphonePanelVisibility")
    assert gateway.sent("call.create") == []


async def test_click_to_dial_before_the_phone_is_ready_keeps_the_number(
    open_page: OpenWidget, gateway: FakeGateway, org: str
) -> None:
    widget = await open_page(path=path_for(org))
    await widget.says("Available")
    gateway.answers_sockets = False
    gateway.drop_sockets()
    await widget.says("Reconnecting…")
    await click_to_dial(widget, {"number": "1001"})
    await expect(widget.page.get_by_label("Name or number")).to_have_value("1001")
    await expect(widget.text("Your phone is not connected yet.")).to_be_visible()
    gateway.answers_sockets = True
    await widget.says("Available")
    assert gateway.sent("call.create") == []


async def test_a_page_that_the_gateway_does_not_know_gets_no_script(
    open_page: OpenWidget, gateway: FakeGateway, org: str
) -> None:
    gateway.config = {"salesforce_origins": ["https://acme.lightning.force.com"]}
    widget = await open_page(path=path_for(org))
    await widget.says("Available")
    assert await widget.page.evaluate("typeof globalThis.sforce") == "undefined"
    await gateway.ring(match=NOBODY)
    await widget.shows("call", "ringing")


async def test_in_a_frame_of_another_origin(
    open_page: OpenWidget, gateway: FakeGateway, org: str
) -> None:
    """As in Lightning: framed, with the microphone delegated."""
    outer = await open_page(signed_in=False)
    page: Page = await outer.page.context.new_page()
    await page.goto(f"{org}/page")
    frame: FrameLocator = page.frame_locator("iframe")
    await expect(frame.locator(".rb-state")).to_have_text("Available")
    await gateway.ring()
    await frame.get_by_role("button", name="Answer").wait_for()
    await page.wait_for_timeout(450)
    await frame.get_by_role("button", name="Answer").click()
    await gateway.until_sent("call.answer")
    await expect(frame.locator(".rb-state")).to_have_text("On call")


async def test_the_calls_window_outlives_the_page_around_the_frame(
    open_page: OpenWidget, gateway: FakeGateway, org: str
) -> None:
    """As in Lightning: another origin, which delegates no camera, is loaded again."""
    outer = await open_page(signed_in=False)
    page: Page = await outer.page.context.new_page()
    await page.goto(f"{org}/page")
    frame: FrameLocator = page.frame_locator("iframe")
    await expect(frame.locator(".rb-state")).to_have_text("Available")
    call_id = await gateway.ring(video=wire.VideoView(state=wire.VideoState.OFFERED))
    answer = frame.get_by_role("button", name="Answer with video")
    await answer.wait_for()
    await page.wait_for_timeout(450)
    async with page.expect_popup() as popup:
        await answer.click()
    window = await popup.value
    picture = window.locator(".rb-remote")
    await expect(picture).to_be_visible()
    await expect(frame.get_by_text("The video is in its own window.")).to_be_visible()
    negotiated = len(gateway.sent("call.media"))

    await page.reload()
    await expect(frame.get_by_text("Your call is in the video window")).to_be_visible()
    await expect(picture).to_be_visible()
    assert len(gateway.sent("call.media")) == negotiated
    assert call_id in gateway.calls
    gateway.window_grace_s = 0
    await window.close()
    await expect(frame.locator(".rb-state")).to_have_text("On call")


async def test_records_that_are_opened_during_a_call_belong_to_it(
    open_page: OpenWidget, gateway: FakeGateway, org: str
) -> None:
    widget = await open_page(path=path_for(org), signed_in=False)
    await widget.shows("idle")

    await widget.page.wait_for_function("() => Boolean(listeners.onNavigationChange)")

    async def navigate(**payload: str) -> None:
        await widget.page.evaluate(
            "(payload) => listeners.onNavigationChange(payload)", payload
        )

    case = {"recordId": "500A", "objectType": "Case", "recordName": "Broken pump"}
    await navigate(**case)
    await gateway.ring(work=wire.WorkView(state=wire.WorkState.OPEN))
    await widget.shows("call", "ringing")
    # The page has the focus again; a list; and then another record.
    await navigate(**case)
    await navigate(recordId="", objectType="", recordName="", url="/lightning/o/Case")
    await navigate(
        recordId="006A",
        objectType="Opportunity",
        recordName="Q4",
        url="/lightning/r/Opportunity/006A/view",
    )
    visit = await gateway.until_sent("work.visit")
    assert [each.record.id for each in gateway.sent("work.visit")] == ["006A"]
    assert (visit.record.kind, visit.record.name) == ("Opportunity", "Q4")
    assert visit.record.url == f"{org}/lightning/r/Opportunity/006A/view"
