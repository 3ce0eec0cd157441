"""Another language at once, with nothing lost; and one that is read from the right."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from gateway.sessions import wire
from tests.widget.browser import Widget
from tests.widget.conftest import OpenWidget
from tests.widget.fake_gateway import FakeGateway, Refused, record
from tests.widget.scenes_control import open_tool, take_call
from tests.widget.scenes_languages import speaking
from tests.widget.test_accessibility import serious_findings

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

CASE = record("Broken pump", id="500000000000001AAA", kind="Case", company="")
WORK = wire.WorkView(state=wire.WorkState.OPEN, visited=(CASE,))
# Whose text does not fit. The names of tools may be a little shortened in the fonts of
# this machine, which are wide.
CUT = """(allowed) => [...document.querySelectorAll(
    '.rb-tool-name, .rb-tab, .rb-button, .rb-state, .rb-header, .rb-card-body')]
  .filter((each) => each.checkVisibility() && each.scrollWidth > each.clientWidth
    + (each.matches('.rb-tool-name') ? allowed : 1))
  .map((each) => `${each.className}: ${each.textContent}`)"""


async def choose(widget: Widget, language: str) -> None:
    await widget.page.locator(".rb-header [aria-controls=rb-menu]").click()
    choice = widget.page.locator(".rb-menu select").last
    await choice.select_option(language)
    await expect(widget.page.locator("html")).to_have_attribute("lang", language)
    # In the new one, with the focus where it was.
    await expect(widget.page.locator(".rb-menu select").last).to_be_focused()
    await widget.page.keyboard.press("Escape")


async def test_another_language_in_the_middle_of_a_call(
    widget: Widget, gateway: FakeGateway
) -> None:
    def refuse(_params: object) -> wire.Wire:
        raise Refused(wire.ErrorKind.INTERNAL, retryable=True)

    call = await take_call(widget, work=WORK)
    await widget.page.get_by_label("Notes").wait_for()
    # Typed, and it cannot be sent: the one thing that only the page has.
    gateway.overrides["work.change"] = refuse
    await widget.page.get_by_label("Notes").fill("Two pumps")
    await widget.button("Mute").click()
    await choose(widget, "de")
    await widget.says("Im Gespräch, stumm")
    notes = widget.page.get_by_label("Notizen")
    await expect(notes).to_have_value("Two pumps")
    del gateway.overrides["work.change"]
    await gateway.until(
        lambda: any(each.notes == "Two pumps" for each in gateway.sent("work.change"))
    )
    await widget.past_guard()
    await widget.button("Stumm").click()
    await widget.says("Im Gespräch")
    assert await widget.state(f"client.localState('{call.call_id}').isConnected")
    assert gateway.sent("call.hangup") == []
    assert len(gateway.sent("call.answer")) == 1

    await widget.page.reload()
    await widget.says("Im Gespräch")
    await expect(widget.page.get_by_label("Notizen")).to_have_value("Two pumps")


async def test_what_is_being_typed_outlives_the_language(
    widget: Widget, gateway: FakeGateway
) -> None:
    await widget.page.get_by_label("Name or number").fill("0171 5")
    await choose(widget, "fr")
    await expect(widget.page.get_by_label("Nom ou numéro")).to_have_value("0171 5")
    await widget.page.get_by_label("Nom ou numéro").fill("")
    await widget.page.get_by_role("tab", name="Invitations").click()
    await widget.button("Nouvelle invitation").click()
    await widget.page.get_by_label("Objet").fill("Renouvellement")
    await choose(widget, "es")
    # The dialog is as it was until it is left.
    await expect(widget.page.get_by_label("Objet")).to_have_value("Renouvellement")
    await widget.button("Retour").click()
    await widget.button("Nueva invitación").click()
    await expect(widget.page.get_by_label("Asunto")).to_have_value(
        "Videollamada con Acme Corp"
    )


async def test_from_the_right_as_the_browser_wishes(
    open_page: OpenWidget, gateway: FakeGateway
) -> None:
    widget = await open_page(locale="ar-EG")
    await widget.shows("idle")
    html = widget.page.locator("html")
    await expect(html).to_have_attribute("lang", "ar")
    await expect(html).to_have_attribute("dir", "rtl")
    await widget.says("متاح")
    assert await serious_findings(widget.page) == []
    await widget.page.locator(".rb-header [aria-controls=rb-menu]").click()
    assert await serious_findings(widget.page) == []
    await take_call(widget)
    await open_tool(widget, "transfer")
    assert await serious_findings(widget.page) == []
    # The number as it is dialled, and the plus before it, not behind.
    plus, last = await widget.page.evaluate(
        """() => {
          const text = document.querySelector('.rb-call .rb-number').firstChild;
          const at = (index) => {
            const range = new Range();
            range.setStart(text, index);
            range.setEnd(text, index + 1);
            return range.getBoundingClientRect().x;
          };
          return [at(0), at(text.length - 1)];
        }"""
    )
    assert plus < last
    mute, end = [
        await widget.page.locator(each).bounding_box()
        for each in (".rb-tool >> nth=0", "[data-action=end]")
    ]
    assert mute is not None
    assert end is not None
    assert mute["x"] > end["x"], "what comes first is at the right"


async def test_no_word_is_cut(open_page: OpenWidget, gateway: FakeGateway) -> None:
    widget = await open_page(init=speaking("en"))
    await widget.shows("idle")
    await take_call(widget)
    await gateway.ring()
    await widget.page.locator(".rb-second").wait_for()
    for language in ("en", "de", "es", "fr", "ar"):
        await widget.page.evaluate(
            """async (language) => {
              const { chooseToSpeak } = await import('/widget/words/index.js');
              await chooseToSpeak(language);
              document.querySelector('ringbridge-softphone').renew();
            }""",
            language,
        )
        await widget.page.locator(".rb-second").wait_for()
        await widget.page.locator(".rb-tool").first.wait_for()
        for width, tolerated in ((240, 8), (340, 2)):
            await widget.page.set_viewport_size({"width": width, "height": 480})
            assert await widget.page.evaluate(CUT, tolerated) == [], language
