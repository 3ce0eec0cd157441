"""What the link leads to: each state's words, and the way on."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Request, expect

from gateway.sessions.wire import JoinState
from tests.guest.conftest import OpenGuest
from tests.guest.fake_invite import CALENDAR, LINK, MINUTE_MS, FakeInvite
from tests.guest.page import Guest

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_who_invites_and_when(guest: Guest) -> None:
    await guest.says("Renewal of your contract")
    await expect(guest.text("Acme Corp").first).to_be_visible()
    await expect(guest.text("Robin Reyes invites you to a video call")).to_be_visible()
    await expect(guest.page.get_by_label("Your name")).to_have_value("Ana Ruiz")
    assert await guest.page.title() == "Video call with Robin Reyes"
    await expect(guest.page.locator("html")).to_have_attribute("lang", "en")


async def test_the_waiting_room_opens_by_itself_by_the_servers_clock(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    gateway.clock_offset_ms = -3 * 3_600_000
    gateway.opens_in(2)
    guest = await open_page()
    await guest.shows("lobby", "early")
    await expect(guest.text("Opens in 0:0")).to_be_visible()
    await expect(guest.button("Join")).to_be_hidden()
    await guest.shows("lobby", "open")
    await expect(guest.button("Join")).to_be_visible()
    told = guest.page.get_by_role("status").filter(has_text="You can join now.")
    await expect(told).to_have_count(1)


async def test_a_server_that_is_not_ready_yet_is_asked_again(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    gateway.opens_in(60)
    guest = await open_page()
    await guest.shows("lobby", "early")
    # Moved forward meanwhile: the page learns of it when it is looked at.
    gateway.shows(state=JoinState.OPEN)
    await guest.look_again()
    await guest.shows("lobby", "open")


async def test_the_invite_goes_into_the_calendar(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    gateway.opens_in(754)
    guest = await open_page()
    async with guest.page.expect_download() as started:
        await guest.button("Add to calendar").click()
    download = await started.value
    assert download.suggested_filename == "invite.ics"
    assert Path(await download.path()).read_bytes() == CALENDAR.encode()
    gateway.status = 503
    await guest.button("Add to calendar").click()
    await expect(guest.text("could not be fetched")).to_be_visible()


async def test_both_clocks_when_they_differ(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    gateway.shows(time_zone="America/New_York")
    guest = await open_page(timezone_id="Europe/Berlin")
    await expect(guest.text("for Robin Reyes")).to_be_visible()
    await expect(guest.text("Central European")).to_be_visible()


@pytest.mark.parametrize("token", ["nothing", "%3Cscript%3E/a", "%00%ff"])
async def test_whatever_is_not_a_link_looks_alike(
    open_page: OpenGuest, gateway: FakeInvite, token: str
) -> None:
    guest = await open_page(token=token, locale="fr-FR")
    await guest.shows("notice", "unknown")
    await guest.says("Ce lien ne fonctionne pas")
    assert await guest.page.title() == "Appel vidéo"


async def test_a_phone_number_to_reach_the_host(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    gateway.shows(state=JoinState.OVER, contact="+1 (646) 555-0175")
    guest = await open_page()
    await expect(guest.page.get_by_role("link")).to_have_attribute(
        "href", "tel:+16465550175"
    )


async def test_words_of_the_host_are_only_words(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    gateway.shows(
        state=JoinState.OVER, host=nasty, company=nasty, contact="javascript:alert(1)"
    )
    guest = await open_page()
    await guest.shows("notice", "over")
    await expect(guest.text(nasty).first).to_be_visible()
    assert await guest.page.locator("img").count() == 0
    assert await guest.page.get_by_role("link").count() == 0


async def test_cancelled_while_one_waits(guest: Guest, gateway: FakeInvite) -> None:
    gateway.shows(state=JoinState.CANCELLED)
    await guest.look_again()
    await guest.says("This call was cancelled")
    live = await guest.page.evaluate("() => document.querySelector('video') !== null")
    assert not live, "the camera has no business any more"


async def test_in_use_until_it_is_left_there(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    gateway.shows(state=JoinState.IN_USE)
    guest = await open_page()
    await guest.shows("notice", "in_use")
    gateway.shows(state=JoinState.OPEN)
    await guest.button("Check again").click()
    await guest.shows("lobby", "open")


async def test_a_gateway_that_is_down_is_tried_until_it_is_up(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    gateway.status = 503
    guest = await open_page()
    await guest.shows("notice", "unreachable")
    await expect(guest.text("tries again by itself")).to_be_visible()
    gateway.status = 0
    await guest.shows("lobby", "open")


async def test_offline_and_back(guest: Guest) -> None:
    await guest.page.context.set_offline(True)
    await expect(guest.text("You are offline")).to_be_visible()
    await guest.shows("lobby")
    await guest.page.context.set_offline(False)
    await expect(guest.text("You are offline")).to_be_hidden()


async def test_too_many_tries(open_page: OpenGuest, gateway: FakeInvite) -> None:
    gateway.status = 429
    guest = await open_page()
    await guest.says("Too many tries")
    gateway.status = 0
    await guest.button("Check again").click()
    await guest.shows("lobby")


@pytest.mark.parametrize(
    ("language", "join", "by"),
    [
        ("de", "Teilnehmen", "Robin Reyes lädt Sie zum Videogespräch ein"),
        ("es", "Entrar", "Robin Reyes le invita a una videollamada"),
        ("fr", "Rejoindre", "Robin Reyes vous invite à un appel vidéo"),
        ("xx", "Join", "Robin Reyes invites you to a video call"),
    ],
)
async def test_in_the_language_of_the_invite(
    open_page: OpenGuest, gateway: FakeInvite, language: str, join: str, by: str
) -> None:
    gateway.shows(language=language)
    guest = await open_page(locale="en-US")
    await guest.shows("lobby")
    await expect(guest.button(join)).to_be_visible()
    await expect(guest.text(by)).to_be_visible()
    spoken = language if language != "xx" else "en"
    await expect(guest.page.locator("html")).to_have_attribute("lang", spoken)


async def test_from_the_right_where_no_invite_can_say_it(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    gateway.shows(language="en")
    guest = await open_page(locale="ar-SA")
    await guest.shows("lobby")
    await expect(guest.button("انضمام")).to_be_visible()
    html = guest.page.locator("html")
    await expect(html).to_have_attribute("lang", "ar")
    await expect(html).to_have_attribute("dir", "rtl")
    await expect(guest.text("\u2068Robin Reyes\u2069 إلى مكالمة فيديو")).to_be_visible()


async def test_a_browser_keeps_its_secret_and_the_token_stays_in_the_link(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    guest = await open_page()
    await guest.shows("lobby")
    requests: list[Request] = []
    guest.page.on("request", lambda request: requests.append(request))
    await guest.page.reload()
    await guest.shows("lobby")
    first, second = gateway.looks[0], gateway.looks[-1]
    assert first.browser == second.browser
    assert len(first.browser) >= 32
    others = [each for each in requests if f"/join/{LINK}" not in each.url]
    assert len(others) > 30
    for each in others:
        assert LINK not in each.url
        assert not (await each.all_headers()).get("referer")


async def test_an_old_browser_is_told(open_page: OpenGuest) -> None:
    guest = await open_page(init="delete globalThis.RTCPeerConnection;")
    await guest.says("This browser cannot make video calls")
    await guest.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await guest.button("Copy the link").click()
    await expect(guest.text("The link has been copied.")).to_be_visible()
    copied = await guest.page.evaluate("() => navigator.clipboard.readText()")
    assert copied == guest.page.url


async def test_a_script_that_never_starts_leaves_words(open_page: OpenGuest) -> None:
    guest = await open_page(java_script_enabled=False)
    words = guest.page.get_by_text("This page needs JavaScript")
    await expect(words).to_be_hidden()
    await guest.page.evaluate(
        "() => document.getAnimations().forEach((each) => each.finish())"
    )
    await expect(words).to_be_visible()


async def test_the_time_runs_out_in_front_of_the_door(
    open_page: OpenGuest, gateway: FakeInvite
) -> None:
    gateway.ends_in(2)
    guest = await open_page()
    await guest.shows("lobby", "open")
    gateway.shows(state=JoinState.OVER)
    await guest.shows("notice", "over")
    assert gateway.view.ends_at - gateway.view.starts_at < 35 * MINUTE_MS
