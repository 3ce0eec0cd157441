"""Ways to sign in that the page offers, and how it keeps what it was given."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.widget.browser import SIGNED_IN, Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import FakeGateway

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

WAYS = {"tenant": "acme", "sign_in": ["salesforce", "phone", "password"]}
PROLONGABLE = f"{SIGNED_IN}; sessionStorage.setItem('ringbridge.refresh_token', '%s')"


def stored(token: str) -> str:
    """Signed in, with a refresh token that is not due."""
    later = "sessionStorage.setItem('ringbridge.refresh_at', String(Date.now() + 1e7))"
    return (
        f"if (!sessionStorage.getItem('ringbridge.refresh_token')) {{"
        f" {PROLONGABLE % token}; {later}; }}"
    )


async def kept(widget: Widget) -> str:
    found: str = await widget.page.evaluate(
        "sessionStorage.getItem('ringbridge.refresh_token')"
    )
    return found


async def test_the_ways_that_there_are(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.config = WAYS
    widget = await open_page(signed_in=False)
    await widget.shows("signed-out")
    await expect(widget.button("Sign in with Salesforce")).to_be_visible()
    await expect(widget.page.get_by_label("Password")).to_be_hidden()
    await widget.button("Sign in with your phone account").click()
    await expect(widget.page.get_by_label("Phone user name")).to_be_focused()
    await widget.page.keyboard.type("1001")
    await widget.page.get_by_label("Phone password").fill("wrong")
    await widget.page.keyboard.press("Enter")
    await expect(widget.text("The user name or password is not right.")).to_be_visible()
    await widget.button("Sign in with a password").click()
    await widget.button("Sign in with your phone account").click()
    await widget.page.get_by_label("Phone password").fill("secret")
    await widget.page.keyboard.press("Enter")
    await widget.shows("idle")
    assert gateway.sign_ins[-1] == {
        "tenant": "acme",
        "sip_username": "1001",
        "sip_password": "secret",
    }


@pytest.mark.parametrize(
    ("ways", "visible"),
    [(["phone"], "Phone password"), (["password"], "Password"), ([], "Password")],
)
async def test_the_only_way_is_open_at_once(
    open_page: OpenWidget, gateway: FakeGateway, ways: list[str], visible: str
) -> None:
    gateway.config = {"tenant": "acme", "sign_in": ways}
    widget = await open_page(signed_in=False)
    field = widget.page.get_by_label(visible, exact=True)
    await expect(field).to_be_visible()
    await expect(widget.button("Sign in with Salesforce")).to_be_hidden()


async def test_a_message_of_somebody_else_is_not_heard(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.config = WAYS
    widget = await open_page(signed_in=False)
    async with widget.page.expect_popup() as opened:
        await widget.button("Sign in with Salesforce").click()
    window = await opened.value
    await expect(widget.text("Continue in the window")).to_be_visible()
    await window.wait_for_url("**/v1/oauth/salesforce/start?**")
    before = list(gateway.sign_ins)
    # Of this origin, in this form, but not from the window.
    await widget.page.evaluate(
        "postMessage({type: 'ringbridge.sign-in', code: 'theirs'}, location.origin)"
    )
    # From the window, but of another kind.
    await window.evaluate("opener.postMessage({type: 'other', code: 'x'}, '*')")
    await window.evaluate(
        "opener.postMessage({type: 'ringbridge.sign-in', code: 'good'},"
        " location.origin)"
    )
    await widget.shows("idle")
    [sent] = gateway.sign_ins[len(before) :]
    assert sent["code"] == "good"
    assert len(sent["secret"]) == 43
    assert sent["secret"] not in window.url
    assert window.is_closed()


async def test_an_expired_token_is_prolonged_and_nobody_notices(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.accepts_token = False
    widget = await open_page(signed_in=False, init=stored("family.0.mac"))
    await widget.says("Available")
    assert gateway.refreshes == [{"refresh_token": "family.0.mac"}]
    assert await kept(widget) == "family.1.mac"


async def test_a_sign_in_is_prolonged_before_it_ends(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.config = {"tenant": "acme", "sign_in": ["password"]}
    gateway.token_lasts_s = 1
    widget = await open_page(signed_in=False)
    await widget.page.get_by_label("User name").fill("sam")
    await widget.page.get_by_label("Password").fill("secret")
    await widget.page.keyboard.press("Enter")
    await widget.says("Available")
    await gateway.until(lambda: len(gateway.refreshes) >= 2)
    used = [body["refresh_token"] for body in gateway.refreshes]
    assert len(set(used)) == len(used), "each is used once"


async def test_many_who_want_it_ask_once(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.refresh_gate.clear()
    widget = await open_page(signed_in=False, init=stored("family.0.mac"))
    await widget.says("Available")
    gateway.accepts_token = False
    # One that is under way when the connection is lost, and wants it too.
    await widget.page.evaluate("sessionStorage.setItem('ringbridge.refresh_at', '0')")
    await widget.page.reload()
    await gateway.until(lambda: len(gateway.refreshes) == 1)
    gateway.drop_sockets()
    gateway.refresh_gate.set()
    await widget.says("Available")
    assert len(gateway.refreshes) == 1


async def test_a_doubled_tab_has_what_the_other_was_given(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    first = await open_page(signed_in=False, init=stored("family.0.mac"))
    await first.says("Available")
    doubled = await first.page.context.new_page()
    await doubled.add_init_script(stored("family.0.mac"))
    second = Widget(doubled, gateway)
    await doubled.goto(first.page.url)
    await second.says("Available")
    gateway.accepts_token = False
    gateway.sessions.clear()
    for socket in list(gateway.sockets):
        socket.close(1012, "")
    is_new = "sessionStorage.getItem('ringbridge.refresh_token') === 'family.1.mac'"
    await second.until(is_new)
    await first.until(is_new)
    assert gateway.refreshes == [{"refresh_token": "family.0.mac"}]


async def test_a_sign_in_that_is_over_asks_for_another(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.accepts_token = False
    gateway.refresh_status = 401
    widget = await open_page(signed_in=False, init=stored("family.0.mac"))
    await widget.shows("signed-out")
    await expect(widget.text("Your sign-in has expired.")).to_be_visible()
    assert await widget.page.evaluate("sessionStorage.length") == 0


async def test_a_gateway_that_is_away_ends_no_sign_in(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    gateway.accepts_token = False
    gateway.refresh_status = 503
    widget = await open_page(signed_in=False, init=stored("family.0.mac"))
    await gateway.until(lambda: len(gateway.refreshes) >= 1)
    gateway.refresh_status = 200
    await widget.says("Available")


async def test_signing_out_ends_the_sign_in(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(signed_in=False, init=stored("family.0.mac"))
    await widget.says("Available")
    await widget.button("Menu").click()
    await widget.button("Sign out").click()
    await gateway.until(lambda: bool(gateway.sign_outs))
    assert gateway.sign_outs == [{"refresh_token": "family.0.mac"}]
    await widget.shows("signed-out")
    assert await widget.page.evaluate("sessionStorage.length") == 0
