"""The page and Open CTI in a real browser, the adapter on another origin."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from aiohttp import web
from playwright.async_api import Browser, Frame, Page, async_playwright

from gateway.sandbox.salesforce import (
    FaultKind,
    MicrophoneMode,
    SalesforceSimulator,
    SimulatorConfig,
)

pytestmark = pytest.mark.system

CHROMIUM = "/usr/bin/chromium"
ADAPTER = """<!doctype html><html><body style="font-family: sans-serif; padding: 16px">
<p>Test adapter</p><script>
const origin = new URLSearchParams(location.search).get('sfdcIframeOrigin');
window.raw = [];
window.addEventListener('message',
  (e) => window.raw.push({origin: e.origin, data: e.data}));
const script = document.createElement('script');
script.src = origin + '/support/api/66.0/lightning/opencti_min.js';
script.onload = () => { window.ready = true; };
document.head.append(script);
window.call = (name, args = {}) => new Promise((done) =>
  sforce.opencti[name]({...args, callback: done}));
window.events = {};
window.listen = (name) => { window.events[name] = [];
  sforce.opencti[name]({listener: (p) => window.events[name].push(p)}); };
window.settle = async () => { await call('getAppViewInfo'); };
</script></body></html>"""


@dataclass
class Desk:
    """A browser page of the org, and the adapter's frame in it."""

    simulator: SalesforceSimulator
    page: Page
    frame: Frame

    async def call(self, name: str, args: dict[str, object] | None = None) -> dict:
        return await self.frame.evaluate(
            "([name, args]) => call(name, args)", [name, args or {}]
        )

    async def value(self, name: str, args: dict[str, object] | None = None) -> object:
        reply = await self.call(name, args)
        assert reply["success"] is True, reply
        assert reply["errors"] is None
        return reply["returnValue"]

    async def error(self, name: str, args: dict[str, object] | None = None) -> dict:
        reply = await self.call(name, args)
        assert reply["success"] is False
        assert reply["returnValue"] is None
        (error,) = reply["errors"]
        assert set(error) == {"code", "description", "details"}
        return error

    async def listen(self, name: str) -> None:
        await self.frame.evaluate("(name) => listen(name)", name)
        await self.frame.evaluate("settle()")

    async def events(self, name: str) -> list[dict]:
        await self.frame.evaluate("settle()")
        return await self.frame.evaluate("(name) => events[name]", name)


@pytest.fixture
async def adapter_url() -> AsyncIterator[str]:
    async def adapter(_: web.Request) -> web.Response:
        return web.Response(text=ADAPTER, content_type="text/html")

    app = web.Application()
    app.router.add_get("/adapter", adapter)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/adapter"
    await runner.cleanup()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                "--host-resolver-rules=MAP *.lightning.force.com 127.0.0.1",
                "--ignore-certificate-errors",
            ],
        )
        yield browser
        await browser.close()


async def open_desk(browser: Browser, simulator: SalesforceSimulator, url: str) -> Desk:
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    await page.goto(url)
    handle = await page.wait_for_selector("#softphone", state="attached")
    frame = await handle.content_frame()
    assert frame is not None
    await frame.wait_for_function("window.ready === true")
    return Desk(simulator, page, frame)


@pytest.fixture
async def desk(browser: Browser, adapter_url: str) -> AsyncIterator[Desk]:
    simulator = SalesforceSimulator(
        SimulatorConfig(adapter_url=adapter_url, gateway_url="https://gw.example")
    )
    await simulator.start()
    try:
        yield await open_desk(browser, simulator, simulator.url)
    finally:
        await simulator.close()


def contact_id(simulator: SalesforceSimulator, name: str) -> str:
    return next(
        r.id for r in simulator.store.records("Contact") if r.values["Name"] == name
    )


async def test_frame_gets_the_query_of_lightning(desk: Desk) -> None:
    query = await desk.frame.evaluate("location.search")
    names = [part.partition("=")[0] for part in query[1:].split("&")]
    assert names == [
        "mode",
        "ltn_app_id",
        "isdtp",
        "sfdcIframeOrigin",
        "clc",
        "nonce",
    ]
    values = dict(part.split("=") for part in query[1:].split("&"))
    assert values["mode"] == "Lightning"
    assert values["isdtp"] == "vw"
    assert values["clc"] == "1"
    assert len(values["ltn_app_id"]) == 18
    assert values["ltn_app_id"].startswith("06m")
    assert len(values["nonce"]) == 64
    assert values["sfdcIframeOrigin"] == desk.simulator.url.replace(":", "%3A").replace(
        "/", "%2F"
    )


async def test_messages_have_the_documented_shape(desk: Desk) -> None:
    await desk.value("getAppViewInfo")
    raw = await desk.frame.evaluate("raw")
    assert raw[-1]["origin"] == desk.simulator.url
    message = raw[-1]["data"]
    assert set(message) == {
        "apiVersion",
        "apiType",
        "methodName",
        "callId",
        "response",
    }
    assert (message["apiVersion"], message["apiType"]) == (66, "opencti")
    assert set(message["response"]) == {"success", "returnValue", "errors"}


async def test_panel_and_item(desk: Desk) -> None:
    assert await desk.value("isSoftphonePanelVisible") == {"visible": False}
    await desk.frame.evaluate("window.marker = 'the same frame'")
    assert await desk.value("setSoftphonePanelVisibility", {"visible": True}) is None
    assert await desk.page.is_visible("#softphone")
    await desk.value("setSoftphonePanelWidth", {"widthPX": 400})
    await desk.value("setSoftphonePanelHeight", {"heightPX": 550})
    box = await (
        await desk.page.wait_for_selector("#softphone", state="attached")
    ).bounding_box()
    assert box is not None
    assert (round(box["width"]), round(box["height"])) == (398, 550)
    error = await desk.error("setSoftphonePanelHeight", {"heightPX": 100})
    assert error["code"] == "INVALID_PARAM"
    error = await desk.error("setSoftphonePanelWidth", {"other": 1})
    assert error["description"] == (
        "An invalid value was passed to the parameter widthPX. A numeric value was "
        "expected, but undefined was found instead."
    )
    await desk.value("setSoftphoneItemLabel", {"label": "Ringing: Ana"})
    await desk.value("setSoftphoneItemIcon", {"key": "incoming_call"})
    assert await desk.page.inner_text("#utility-label") == "Ringing: Ana"
    assert await desk.page.get_attribute("#utility-icon", "data-key") == "incoming_call"
    await desk.page.click("#utility")
    assert await desk.value("isSoftphonePanelVisible") == {"visible": False}
    await desk.page.click("nav.tabs a[data-object=Account]")
    await desk.page.wait_for_selector("text=All Accounts")
    assert await desk.frame.evaluate("window.marker") == "the same frame"


async def test_click_to_dial_tells_the_record(desk: Desk) -> None:
    await desk.listen("onClickToDial")
    assert await desk.page.locator("button.dial").count() == 0
    await desk.value("enableClickToDial")
    await desk.page.click("button.dial[data-number='(646) 555-0175']")
    assert await desk.events("onClickToDial") == [
        {
            "number": "(646) 555-0175",
            "recordId": contact_id(desk.simulator, "Ana Ruiz"),
            "recordName": "Ana Ruiz",
            "objectType": "Contact",
            "params": "",
        }
    ]
    await desk.value("disableClickToDial")
    assert await desk.page.locator("button.dial").count() == 0


async def test_an_invitation_is_a_click_to_dial_with_a_word(desk: Desk) -> None:
    """What docs/design/005 says of it; beside an e-mail, or a number without one."""
    store = desk.simulator.store
    kim = store.create(
        "Contact",
        {"LastName": "Kim", "Phone": "212-555-0110"},
        user_id=desk.simulator.user("robin").id,
    )
    expected = []
    for name, number in (("Ana Ruiz", "(646) 555-0175"), ("Dana Whitfield", "")):
        expected.append(
            {
                "number": number,
                "recordId": contact_id(desk.simulator, name),
                "recordName": name,
                "objectType": "Contact",
                "params": "ringbridge=invite",
            }
        )
    await desk.listen("onClickToDial")
    await desk.value("screenPop", {"type": "sobject", "params": {"recordId": kim.id}})
    assert await desk.page.locator("button.invite").count() == 0
    await desk.value("enableClickToDial")
    assert await desk.page.locator("[data-field=Phone] button.invite").count() == 1
    for payload in expected:
        pop = {"type": "sobject", "params": {"recordId": payload["recordId"]}}
        await desk.value("screenPop", pop)
        await desk.page.click("[data-field=Email] button.invite")
    assert await desk.events("onClickToDial") == expected
    icon = desk.page.get_by_role("button", name="Invite Dana Whitfield to a video call")
    assert await icon.count() >= 1
    account = next(store.records("Account"))
    await desk.value(
        "screenPop", {"type": "sobject", "params": {"recordId": account.id}}
    )
    await desk.page.wait_for_selector("button.dial")
    assert await desk.page.locator("button.invite").count() == 0


async def test_events_stand_where_they_belong_in_time(desk: Desk) -> None:
    ana = contact_id(desk.simulator, "Ana Ruiz")
    now = datetime.now(UTC).replace(microsecond=0)

    def meet(subject: str, starts: timedelta, **more: str) -> None:
        desk.simulator.store.create(
            "Event",
            {
                "Subject": subject,
                "WhoId": ana,
                "StartDateTime": (now + starts).isoformat(),
                "EndDateTime": (now + starts + timedelta(minutes=30)).isoformat(),
                **more,
            },
            user_id=desk.simulator.user("robin").id,
        )

    meet("Later", timedelta(days=2), Location="https://gw.example/widget/")
    meet("Running", timedelta(minutes=-10))
    meet("Cancelled: Soon", timedelta(hours=2), ShowAs="Free")
    meet("Long ago", timedelta(days=-20))
    meet("Yesterday", timedelta(days=-1))
    await desk.value("screenPop", {"type": "sobject", "params": {"recordId": ana}})
    titles = await desk.page.locator("#timeline h3").all_inner_texts()
    assert titles == ["Upcoming", "Past"]
    lists = desk.page.locator("#timeline .activities")
    subjects = [
        await lists.nth(place).locator(".activity-line > a").all_inner_texts()
        for place in (0, 1)
    ]
    assert subjects[0] == ["Running", "Cancelled: Soon", "Later"]
    # The history of the seed has a call, too.
    assert [text for text in subjects[1] if "Renewal" not in text] == [
        "Yesterday",
        "Long ago",
    ]
    soon = desk.page.locator(".activity", has_text="Cancelled: Soon")
    assert "Shown as free" in await soon.inner_text()
    later = desk.page.locator(".activity", has_text="Later")
    assert "https://gw.example/widget/" in await later.inner_text()
    times = await later.locator("time").evaluate_all("all => all.map(t => t.dateTime)")
    assert [datetime.fromisoformat(at) for at in times] == [
        now + timedelta(days=2),
        now + timedelta(days=2, minutes=30),
    ]
    await desk.page.click("nav.tabs a[data-object=Event]")
    await desk.page.wait_for_selector("text=All Events")


async def test_navigation_is_told_and_repeated_on_focus(desk: Desk) -> None:
    await desk.listen("onNavigationChange")
    assert await desk.events("onNavigationChange") == [], "no ack of a listener"
    ana = contact_id(desk.simulator, "Ana Ruiz")
    await desk.page.click("text=Ana Ruiz")
    await desk.page.wait_for_selector("h1:has-text('Ana Ruiz')")
    (event,) = await desk.events("onNavigationChange")
    assert event == {
        "url": f"{desk.simulator.url}/lightning/r/Contact/{ana}/view",
        "recordId": ana,
        "recordName": "Ana Ruiz",
        "objectType": "Contact",
    }
    assert await desk.value("getAppViewInfo") == event
    await desk.page.evaluate("window.dispatchEvent(new Event('focus'))")
    assert await desk.events("onNavigationChange") == [event, event]
    await desk.value(
        "screenPop",
        {"type": "newRecord", "params": {"entityName": "Contact"}},
    )
    assert len(await desk.events("onNavigationChange")) == 3


async def test_screen_pops(desk: Desk) -> None:
    ana = contact_id(desk.simulator, "Ana Ruiz")
    await desk.value("screenPop", {"type": "sobject", "params": {"recordId": ana[:15]}})
    await desk.page.wait_for_url(f"**/lightning/r/Contact/{ana}/view")
    await desk.value("screenPop", {"type": "objecthome", "params": {"scope": "Lead"}})
    await desk.page.wait_for_url("**/lightning/o/Lead/list")
    await desk.value(
        "screenPop", {"type": "search", "params": {"searchString": "glob"}}
    )
    await desk.page.wait_for_selector("text=Globex")
    url = "/lightning/o/Account/list"
    await desk.value("screenPop", {"type": "url", "params": {"url": url}})
    await desk.page.wait_for_url(f"**{url}")
    for bad in (
        {"type": "search", "params": {"searchString": "ab"}},
        {"type": "url", "params": {"url": "https://elsewhere.example/"}},
        {"type": "nonsense", "params": {"a": 1}},
    ):
        assert (await desk.error("screenPop", bad))["code"] == "INVALID_PARAM"
    defaults = {"LastName": "Neu", "Phone": "+1 646 555 0199"}
    await desk.value(
        "screenPop",
        {
            "type": "newRecord",
            "params": {"entityName": "Contact", "defaultFieldValues": defaults},
        },
    )
    assert await desk.page.input_value("#new-Phone") == "+1 646 555 0199"
    await desk.page.click("dialog button.primary")
    await desk.page.wait_for_selector("h1:has-text('Neu')")
    assert contact_id(desk.simulator, "Neu")


async def test_search_and_screen_pop(desk: Desk) -> None:
    ana = contact_id(desk.simulator, "Ana Ruiz")
    args: dict[str, object] = {"searchParams": "+16465550175", "callType": "inbound"}
    found = await desk.value("searchAndScreenPop", {**args, "deferred": True})
    assert isinstance(found, dict)
    assert found.pop("SCREEN_POP_DATA") == {
        "type": "sobject",
        "params": {"recordId": ana},
    }
    assert set(found) == {ana}
    assert found[ana]["RecordType"] == "Contact"
    assert "/Contact/list" in desk.page.url
    await desk.value("searchAndScreenPop", {**args, "callType": "outbound"})
    assert "/Contact/list" in desk.page.url
    await desk.value("searchAndScreenPop", args)
    await desk.page.wait_for_url(f"**/Contact/{ana}/view")
    both = await desk.value(
        "searchAndScreenPop", {"searchParams": "4155550120", "callType": "inbound"}
    )
    assert isinstance(both, dict)
    assert {m["Name"] for m in both.values()} == {
        "Ben Hartmann",
        "Chloe Nakamura",
        "Globex",
    }
    assert "/lightning/search" in desk.page.url


async def test_log_is_shown_after_refresh(desk: Desk) -> None:
    ana = contact_id(desk.simulator, "Ana Ruiz")
    await desk.value("screenPop", {"type": "sobject", "params": {"recordId": ana}})
    saved = await desk.value(
        "saveLog",
        {
            "value": {
                "entityApiName": "Task",
                "Subject": "Call from Ana",
                "WhoId": ana,
                "TaskSubtype": "Call",
                "CallType": "Inbound",
                "Status": "Completed",
            }
        },
    )
    assert isinstance(saved, str)
    assert saved.startswith("00T")
    assert not await desk.page.is_visible("text=Call from Ana")
    await desk.value("refreshView")
    assert await desk.page.is_visible("#timeline >> text=Call from Ana")
    error = await desk.error(
        "saveLog", {"value": {"entityApiName": "Task", "CallType": "Sideways"}}
    )
    assert error["details"][0]["fields"] == ["CallType"]


async def test_apex_says_who_is_signed_in(desk: Desk) -> None:
    args = {"apexClass": "RingbridgeIdentity", "methodName": "token"}
    result = await desk.value("runApex", {**args, "methodParams": ""})
    assert isinstance(result, dict)
    claims = jwt.decode(
        result["runApex"],
        desk.simulator.identity_public_key_pem,
        algorithms=["RS256"],
        audience="https://gw.example",
        issuer=desk.simulator.organization_id,
    )
    assert claims["sub"] == desk.simulator.user("Robin").id
    assert claims["exp"] - claims["iat"] == 180
    assert claims["jti"]
    said = await desk.value("runApex", {**args, "methodName": "language"})
    assert said == {"runApex": "en_US"}
    error = await desk.error("runApex", {**args, "apexClass": "Nothing"})
    assert error["description"] == "Could not load Apex class: Nothing."


async def test_settings_and_layout(desk: Desk) -> None:
    settings = await desk.value("getCallCenterSettings")
    assert isinstance(settings, dict)
    assert settings["/reqGateway/reqGatewayUrl"] == "https://gw.example"
    assert settings["/reqGeneralInfo/reqAdapterUrl/label"] == "CTI Adapter URL"
    layout = await desk.value("getSoftphoneLayout")
    assert isinstance(layout, dict)
    assert set(layout) == {"Internal", "Inbound", "Outbound"}


async def test_argument_checks_of_the_client(desk: Desk) -> None:
    async def thrown(code: str) -> str:
        script = f"() => {{ try {{ {code} }} catch (e) {{ return e.message }} }}"
        return await desk.frame.evaluate(script)

    one = "Must pass in only one object which holds arguments to this API method call."
    assert await thrown("sforce.opencti.screenPop()") == one
    assert await thrown("sforce.opencti.screenPop({}, {})") == one
    assert await thrown("sforce.opencti.getAppViewInfo({a: 1})") == (
        "Missing the required argument `callback`!"
    )
    assert await thrown("sforce.opencti.onClickToDial({a: 1})") == (
        "Missing the required argument `listener`!"
    )
    assert await thrown("sforce.opencti.refreshView()") is None


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.OPEN_CTI_INVALID_PARAM, "INVALID_PARAM"),
        (FaultKind.OPEN_CTI_GENERIC_ERROR, "GENERIC_ERROR"),
        (FaultKind.OPEN_CTI_SERVER_ERROR, "SERVER_ERROR"),
        (FaultKind.OPEN_CTI_SOFTPHONE_CONTAINER_ERROR, "SOFTPHONE_CONTAINER_ERROR"),
    ],
)
async def test_injected_errors(desk: Desk, kind: FaultKind, code: str) -> None:
    desk.simulator.add_fault(kind, path="refreshView")
    assert (await desk.error("refreshView"))["code"] == code
    await desk.value("refreshView")


async def test_strangers_are_not_heard(desk: Desk) -> None:
    """Wrong window, wrong API version, and a host that answers another origin."""
    message = (
        "{methodName: 'setSoftphoneItemLabel', callId: 90, apiVersion: %d, apiType:"
        " '%s', isCallbackRegistered: false, isListenerRegistered: false,"
        " args: {label: 'intruder'}}"
    )
    await desk.page.evaluate(f"window.postMessage({message % (66, 'opencti')}, '*')")
    for version, kind in ((42, "opencti"), (67, "opencti"), (66, "other")):
        await desk.frame.evaluate(
            f"parent.postMessage({message % (version, kind)}, '*')"
        )
    await desk.frame.evaluate("settle()")
    assert await desk.page.inner_text("#utility-label") == "Ringbridge"
    # The right frame, gone to another origin.
    await desk.page.evaluate(
        "() => { window.heard = 0;"
        " window.addEventListener('message', () => window.heard++); }"
    )
    event = (
        "new MessageEvent('message', {data: " + message % (66, "opencti") + ","
        " origin: 'http://evil.example', source:"
        " document.getElementById('softphone').contentWindow})"
    )
    await desk.page.evaluate(f"window.dispatchEvent({event})")
    assert await desk.page.evaluate("window.heard") == 1
    await desk.frame.evaluate("settle()")
    assert await desk.page.inner_text("#utility-label") == "Ringbridge"
    calls = [e.path for e in desk.simulator.journal.requests(path="/opencti/set")]
    assert calls == []


@pytest.mark.parametrize("mode", list(MicrophoneMode))
async def test_microphone_modes(desk: Desk, mode: MicrophoneMode) -> None:
    await desk.page.goto(f"{desk.simulator.url}/?mic={mode}")
    handle = await desk.page.wait_for_selector("#softphone", state="attached")
    frame = await handle.content_frame()
    assert frame is not None
    await frame.wait_for_function("window.ready === true")
    outcome = await frame.evaluate(
        "navigator.mediaDevices.getUserMedia({audio: true})"
        ".then((s) => { s.getTracks().forEach((t) => t.stop()); return 'open'; },"
        " (e) => e.name)"
    )
    expected = "open" if mode is MicrophoneMode.DELEGATED else "NotAllowedError"
    assert outcome == expected


async def test_org_host_name_over_tls(browser: Browser, adapter_url: str) -> None:
    simulator = SalesforceSimulator(SimulatorConfig(adapter_url=adapter_url))
    await simulator.start(tls_port=0)
    try:
        port = simulator.tls_url.rpartition(":")[2]
        page = await browser.new_page(ignore_https_errors=True)
        await page.goto(f"https://acme.lightning.force.com:{port}/")
        handle = await page.wait_for_selector("#softphone", state="attached")
        assert await page.inner_text("#utility-label") == "Ringbridge"
        source = await handle.get_attribute("src")
        assert source is not None
        assert "acme.lightning.force.com" in source
        await page.close()
    finally:
        await simulator.close()


async def test_script_refuses_other_hosts(desk: Desk) -> None:
    """The client script throws its string when the page is not framed by an org."""
    browser = desk.page.context.browser
    assert browser is not None
    page = await browser.new_page()
    base = (await desk.frame.evaluate("location.href")).partition("?")[0]
    thrown: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    page.on("pageerror", lambda e: thrown.done() or thrown.set_result(e.message))
    await page.goto(f"{base}?mode=Lightning&sfdcIframeOrigin=http%3A%2F%2Fevil.example")
    await page.add_script_tag(
        url=f"{desk.simulator.url}/support/api/66.0/lightning/opencti_min.js"
    )
    message = await asyncio.wait_for(thrown, 5)
    assert "Failed to initialize Open CTI" in message


async def test_pictures(desk: Desk, tmp_path: Path) -> None:
    """Every state can be drawn; ``SCREENSHOTS=folder`` keeps the pictures."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    page = desk.page
    start = datetime.now(UTC) + timedelta(hours=3)
    for subject, starts in (
        ("Video call: Renewal quote", start),
        ("Cancelled: Video call: Delivery 4711", start - timedelta(days=2)),
    ):
        desk.simulator.store.create(
            "Event",
            {
                "Subject": subject,
                "WhoId": contact_id(desk.simulator, "Ana Ruiz"),
                "StartDateTime": starts.isoformat(),
                "DurationInMinutes": 30,
                "Location": "http://127.0.0.1:8800/widget/",
                "Description": "Invited:\n- Ana Ruiz <ana.ruiz@acme-corp.example>",
                "ShowAs": "Free" if "Cancelled" in subject else "Busy",
            },
            user_id=desk.simulator.user("robin").id,
        )
    await desk.value("enableClickToDial")
    await page.screenshot(path=folder / "list.png")
    await page.click("text=Ana Ruiz")
    await page.wait_for_selector("#timeline")
    await page.screenshot(path=folder / "contact.png")
    await desk.value("setSoftphonePanelVisibility", {"visible": True})
    await page.screenshot(path=folder / "panel.png")
    await page.set_viewport_size({"width": 420, "height": 800})
    await desk.value("setSoftphonePanelVisibility", {"visible": False})
    await page.screenshot(path=folder / "narrow.png")
    await page.set_viewport_size({"width": 1280, "height": 800})
    await desk.value(
        "screenPop", {"type": "newRecord", "params": {"entityName": "Lead"}}
    )
    await page.screenshot(path=folder / "dialog.png")
