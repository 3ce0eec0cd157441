"""A call with several others: who is seen and heard, by what arrives in the browser."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from gateway.sessions import wire
from tests.guest.firefox import firefox
from tests.widget.browser import SIGNED_IN, WATCH
from tests.widget.fake_gateway import TOKEN, FakeGateway
from tests.widget.fake_media import Member, rooms_of, video_of

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

ANA = Member("", "Ana Ruiz", shade=90)
BEN = Member("stream-of-ben", "Ben", tone=600, shade=60)
CLEO = Member("stream-of-cleo", "Cleo", tone=1000, shade=150)
DORA = Member("stream-of-dora", "Dora", tone=1500, shade=210)
MUTE_BEN = replace(BEN, shade=None)

# What a person would see and hear: grey levels of the pictures that `remotes` has, and
# the frequencies of what audio elements play.
EYES_AND_EARS = """
globalThis.senses = (() => {
  const elements = new Set();
  const screens = new WeakMap();
  const ears = new WeakMap();
  let context;
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    if (this instanceof HTMLAudioElement && this.srcObject) elements.add(this);
    return globalThis.isHeldBack
      ? Promise.reject(new DOMException('press first', 'NotAllowedError'))
      : play.call(this);
  };
  const shade = (stream) => {
    if (!stream) return null;
    let screen = screens.get(stream);
    if (!screen) {
      screen = document.createElement('video');
      Object.assign(screen, { muted: true, srcObject: stream });
      play.call(screen).catch(() => undefined);
      screens.set(stream, screen);
    }
    if (!screen.videoWidth) return -1;
    const canvas = new OffscreenCanvas(1, 1).getContext('2d');
    canvas.drawImage(screen, 0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data[0];
  };
  const tone = (track) => {
    context ??= new AudioContext();
    let ear = ears.get(track);
    if (!ear) {
      ear = context.createAnalyser();
      context.createMediaStreamSource(new MediaStream([track])).connect(ear);
      ears.set(track, ear);
    }
    const levels = new Uint8Array(ear.frequencyBinCount);
    ear.getByteFrequencyData(levels);
    const loudest = Math.max(...levels);
    const hertz = (levels.indexOf(loudest) * context.sampleRate) / ear.fftSize;
    return loudest < 100 ? 0 : hertz;
  };
  return {
    elements,
    look: (callId) => client.localState(callId).remotes
      .map(({ video, ...who }) => ({ ...who, shade: shade(video) })),
    hear: () => [...elements]
      .filter(({ srcObject, paused }) => srcObject && !paused)
      .map(({ srcObject }) => tone(srcObject.getAudioTracks()[0]))
      .filter((hertz) => hertz > 0),
  };
})();
"""


MEETS = """([callId, wanted, tones]) => {
  if (!globalThis.client) return false;
  const seen = senses.look(callId);
  const heard = senses.hear();
  return seen.length === wanted.length
    && seen.every(({ id, name, isHost, shade }, index) => {
      const want = wanted[index];
      return id === want.id && name === want.name && isHost === want.isHost
        && (want.shade === null ? shade === null
          : shade !== null && Math.abs(shade - want.shade) < 12);
    })
    && heard.length === tones.length
    && tones.every((tone) => heard.some((each) => Math.abs(each - tone) < 40));
}"""


PLAYED = "[...senses.elements].filter((e) => e.srcObject && !e.paused).length"


def to_meet(members: Sequence[Member]) -> tuple[list[dict[str, Any]], list[int]]:
    """What :data:`MEETS` is to find: people as on show, and their tones."""
    people = [
        {
            "id": each.id,
            "name": each.name,
            "isHost": each.is_host,
            # Full range, as a page reads it.
            "shade": None if each.shade is None else (each.shade - 16) * 255 / 219,
        }
        for each in members
    ]
    return people, [each.tone for each in members if each.id]


@dataclass
class Meeting:
    """A page with the SDK alone, in a video call with Ana by the call's own lines."""

    page: Page
    gateway: FakeGateway
    call_id: str = ""
    errors: list[str] = field(default_factory=list)

    async def run(self, method: str, *arguments: Any) -> Any:
        return await self.page.evaluate(
            "([method, args]) => client[method](...args)",
            [method, list(arguments)],
        )

    async def state(self, expression: str) -> Any:
        return await self.page.evaluate(
            f"(id) => {{ const local = client.localState(id); return {expression}; }}",
            self.call_id,
        )

    async def until(self, expression: str) -> None:
        await self.page.wait_for_function(
            "(id) => { const local = globalThis.client?.localState(id);"
            f" return globalThis.client && {expression}; }}",
            arg=self.call_id,
        )

    async def begin(self, *others: Member) -> None:
        await self.until("client.state.status === 'ready'")
        offered = wire.VideoView(state=wire.VideoState.OFFERED)
        self.call_id = await self.gateway.ring(video=offered)
        await self.run("answer", self.call_id, {"video": True})
        await self.meets(ANA)
        if others:
            await self.comes(ANA, *others)
            await self.meets(ANA, *others)

    async def comes(self, *members: Member) -> None:
        await self.gateway.participants(self.call_id, members)

    async def meets(self, *members: Member) -> None:
        """These are on show, in this order, and all who have a tone are heard."""
        await self.page.wait_for_function(MEETS, arg=[self.call_id, *to_meet(members)])

    @property
    def offers(self) -> list[wire.CallMedia]:
        return self.gateway.sent("call.media")


OpenMeeting = Callable[..., Awaitable[Meeting]]


@pytest_asyncio.fixture(loop_scope="session")
async def open_meeting(
    browser: Browser, gateway: FakeGateway
) -> AsyncIterator[OpenMeeting]:
    opened: list[Meeting] = []

    async def opener(*others: Member, init: str = "") -> Meeting:
        context = await browser.new_context(permissions=["microphone", "camera"])
        page = await context.new_page()
        for script in (WATCH, SIGNED_IN, EYES_AND_EARS, init):
            await page.add_init_script(script)
        meeting = Meeting(page, gateway)
        page.on("pageerror", lambda error: meeting.errors.append(str(error)))
        opened.append(meeting)
        await page.goto(f"{gateway.url}/bare")
        await meeting.begin(*others)
        return meeting

    yield opener
    for meeting in opened:
        await meeting.page.context.close()
    assert [error for meeting in opened for error in meeting.errors] == []


def lines(offer: str) -> tuple[int, int]:
    return len(rooms_of(offer, "audio")), len(rooms_of(offer, "video"))


async def test_others_come_and_go_and_lines_are_used_again(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    meeting = await open_meeting(BEN)
    await meeting.comes(ANA, BEN, CLEO)
    await meeting.meets(ANA, BEN, CLEO)
    before = gateway.media.seats(meeting.call_id, 1)
    await meeting.comes(ANA, CLEO)
    await meeting.meets(ANA, CLEO)
    await meeting.comes(ANA, CLEO, DORA)
    await meeting.meets(ANA, CLEO, DORA)
    assert gateway.media.seats(meeting.call_id, 1) == {
        mid: DORA.id if who == BEN.id else who for mid, who in before.items()
    }
    assert lines(meeting.offers[-1].offer) == (2, 2)
    assert gateway.is_media_up(meeting.call_id, 1), "it is one connection all the time"


async def test_the_line_of_one_who_leaves_is_given_to_another_at_once(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    """No answer says in between that nobody is in it."""
    meeting = await open_meeting(BEN)
    await meeting.comes(ANA, DORA)
    await meeting.meets(ANA, DORA)
    assert lines(meeting.offers[-1].offer) == (1, 1)


async def test_the_host_is_first_and_who_sends_no_picture_has_none(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    host = Member("stream-of-sam", "Sam", is_host=True, tone=1500, shade=210)
    meeting = await open_meeting()
    await meeting.comes(ANA, MUTE_BEN, host)
    await meeting.meets(host, ANA, MUTE_BEN)
    await meeting.comes(ANA, MUTE_BEN, CLEO, host)
    await meeting.meets(host, ANA, MUTE_BEN, CLEO)


async def test_without_video_here_there_is_room_for_sound_alone(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    meeting = await open_meeting(BEN)
    await meeting.run("stopVideo", meeting.call_id)
    silent = replace(ANA, shade=None)
    await meeting.meets(silent, MUTE_BEN)
    assert lines(meeting.offers[-1].offer) == (1, 0)
    await meeting.comes(ANA, BEN, CLEO)
    await meeting.meets(silent, MUTE_BEN, replace(CLEO, shade=None))
    assert not video_of(meeting.offers[-1].offer)
    await meeting.run("startVideo", meeting.call_id)
    await meeting.meets(ANA, BEN, CLEO)


async def test_a_reload_finds_the_same_people(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    meeting = await open_meeting(BEN, CLEO)
    before = len(meeting.offers)
    await meeting.page.reload()
    await meeting.meets(ANA, BEN, CLEO)
    (again,) = meeting.offers[before:]
    assert again.reason is wire.MediaReason.RELOAD
    assert lines(again.offer) == (2, 2), "room for them from the start"


async def test_another_network(open_meeting: OpenMeeting, gateway: FakeGateway) -> None:
    meeting = await open_meeting(BEN, CLEO)
    before = len(meeting.offers)
    await meeting.page.evaluate("dispatchEvent(new Event('online'))")
    await gateway.until_media(meeting.call_id, 2)
    await gateway.media.kill(meeting.call_id, 1)
    await meeting.meets(ANA, BEN, CLEO)
    (again,) = meeting.offers[before:]
    assert (again.generation, again.reason) == (2, wire.MediaReason.NETWORK)
    assert lines(again.offer) == (2, 2)
    await meeting.comes(ANA, CLEO, DORA)
    await meeting.meets(ANA, CLEO, DORA)


async def test_somebody_comes_while_the_connection_is_renewed(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    meeting = await open_meeting(BEN)
    await meeting.page.evaluate("dispatchEvent(new Event('online'))")
    await meeting.comes(ANA, BEN, CLEO)
    await gateway.until_media(meeting.call_id, 2)
    await meeting.meets(ANA, BEN, CLEO)


async def test_who_is_told_before_their_stream_is_there(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    """The gateway asks for another offer when it has something for it."""
    meeting = await open_meeting()
    offers = len(meeting.offers)
    await gateway.update(meeting.call_id, participants=(ANA.view, BEN.view))
    await gateway.until_sent("call.media", offers + 1)
    await gateway.participants(meeting.call_id, [ANA, BEN], is_told=False)
    await gateway.renegotiate(meeting.call_id)
    await meeting.meets(ANA, BEN)


async def test_a_renegotiation_of_codecs_changes_nothing(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    meeting = await open_meeting(BEN, CLEO)
    before = len(meeting.offers)
    pictures = "local.remotes.map(({ video }) => video)"
    await meeting.state(f"void (globalThis.kept = {pictures})")
    await gateway.renegotiate(meeting.call_id)
    await gateway.until_sent("call.media", before + 1)
    await meeting.meets(ANA, BEN, CLEO)
    assert await meeting.state(f"{pictures}.every((each, i) => each === kept[i])")
    assert len(meeting.offers) == before + 1


async def test_news_in_a_burst_are_few_offers(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    meeting = await open_meeting()
    before = len(meeting.offers)
    for others in ([BEN], [BEN, CLEO], [CLEO], [CLEO, DORA], [BEN, CLEO, DORA]):
        await meeting.comes(ANA, *others)
        await gateway.renegotiate(meeting.call_id)
    await meeting.meets(ANA, BEN, CLEO, DORA)
    assert len(meeting.offers) - before <= 5


async def test_everybody_is_heard_after_one_press(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    meeting = await open_meeting()
    await meeting.page.evaluate("globalThis.isHeldBack = true")
    await meeting.comes(ANA, BEN, CLEO)
    await meeting.until("client.state.isPlaybackBlocked")
    await meeting.page.evaluate("globalThis.isHeldBack = false")
    await meeting.state("client.unblockPlayback()")
    await meeting.until("!client.state.isPlaybackBlocked")
    await meeting.meets(ANA, BEN, CLEO)


async def test_who_is_held_back_and_leaves_needs_no_press(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    meeting = await open_meeting()
    await meeting.page.evaluate("globalThis.isHeldBack = true")
    await meeting.comes(ANA, BEN)
    await meeting.until("client.state.isPlaybackBlocked")
    await meeting.comes(ANA)
    await meeting.until("!client.state.isPlaybackBlocked")


async def test_everybody_by_the_speaker_that_was_chosen(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    meeting = await open_meeting(
        BEN,
        init="""
        HTMLMediaElement.prototype.setSinkId = async function (id) {
          this.routed = id;
        };
        """,
    )
    routes = "[...senses.elements].filter((e) => e.srcObject).map((e) => e.routed)"
    await meeting.state("client.chooseSpeaker('desk')")
    assert await meeting.state(routes) == ["desk", "desk"]
    await meeting.comes(ANA, BEN, CLEO)
    await meeting.meets(ANA, BEN, CLEO)
    assert await meeting.state(routes) == ["desk", "desk", "desk"]


async def test_the_leader_leaves_and_the_others_still_see_us(
    open_meeting: OpenMeeting, gateway: FakeGateway
) -> None:
    """The call has no SIP leg any more; the camera is for those who are left."""
    meeting = await open_meeting(BEN)
    await meeting.run("setCamera", meeting.call_id, True)
    await meeting.state(f"client.mute('{meeting.call_id}', true)")
    await gateway.update(meeting.call_id, video=wire.VideoView())
    await meeting.comes(BEN)
    await meeting.meets(BEN)
    state = await meeting.state("local")
    assert state["isCameraOn"]
    assert state["isMuted"]
    # In a call of two again, and by its own lines.
    await meeting.comes()
    await meeting.until("!local.isCameraOn")


@pytest.mark.needs("firefox-esr")
async def test_a_meeting_in_firefox(gateway: FakeGateway) -> None:
    async with firefox() as browser:
        await browser.goto(f"{gateway.url}/bare")
        await browser.until("globalThis.client")
        await browser.evaluate(EYES_AND_EARS)
        # Without a sound card it analyses nothing: that they are played has to do.
        await browser.evaluate("senses.hear = () => []")
        await browser.evaluate(f"client.useToken('{TOKEN}')")
        await browser.until("client.state.status === 'ready'")
        call_id = await gateway.ring(
            video=wire.VideoView(state=wire.VideoState.OFFERED)
        )
        await browser.evaluate(f"client.answer('{call_id}', {{ video: true }})")
        for members in ([ANA, BEN, CLEO], [ANA, CLEO], [ANA, CLEO, DORA], [ANA, BEN]):
            await gateway.participants(call_id, members)
            wanted = json.dumps([call_id, to_meet(members)[0], []])
            await browser.until(f"({MEETS})({wanted})")
            await browser.until(f"{PLAYED} === {len(members)}")
        assert gateway.is_media_up(call_id, 1)
