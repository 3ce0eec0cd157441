"""People of a meeting in a page of a call: pictures that are drawn, not received."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from playwright.async_api import Page

# `localState` of every client of the page tells of these from now on. A frame all
# around shows what is cut off; the pictures move, so that they are played.
SEAT = """async (seats) => {
  const { RingbridgeClient } = await import('/widget/client/index.js');
  globalThis.seated ??= { streams: new Map(), timers: [] };
  const draw = ({ id, width, height, hue }) => {
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d');
    let turn = 0;
    const paint = () => {
      turn += 1;
      context.fillStyle = `hsl(${hue} 45% 40%)`;
      context.fillRect(0, 0, width, height);
      context.strokeStyle = '#fff';
      context.lineWidth = height / 20;
      context.strokeRect(0, 0, width, height);
      context.beginPath();
      context.arc(width / 2, height / 2, height / 4 + (turn % 2), 0, 7);
      context.fillStyle = `hsl(${hue} 45% 70%)`;
      context.fill();
    };
    paint();
    seated.timers.push(setInterval(paint, 200));
    return canvas.captureStream(5);
  };
  const remotes = seats.map((seat) => {
    const { id, name, is_host: isHost, width } = seat;
    const key = JSON.stringify(seat);
    if (width > 0 && !seated.streams.has(key)) seated.streams.set(key, draw(seat));
    return { id, name, isHost, video: seated.streams.get(key) ?? null };
  });
  seated.localState ??= RingbridgeClient.prototype.localState;
  seated.remotes = remotes;
  const original = seated.localState;
  RingbridgeClient.prototype.localState = function (callId) {
    return { ...original.call(this, callId), remotes };
  };
}"""


@dataclass(frozen=True)
class Seat:
    """``width`` 0: sends no picture."""

    id: str
    name: str
    width: int = 640
    height: int = 360
    hue: int = 210
    is_host: bool = False


LONG = "Wolfeschlegelsteinhausenbergerdorff-Freifrau von Oberndorff-K"
ANA = Seat("", "Ana Ruiz")
BEN = Seat("s-ben", "Ben Okafor", hue=20)
CHLOE = Seat("s-chloe", "Chloé Martin", hue=120)
DAN = Seat("s-dan", "Dan Wu", hue=280)
FOUR = (ANA, BEN, CHLOE, DAN)


# Every one of them is on show, and no others.
SEATED = """() => {
  const tiles = [...document.querySelectorAll('.rb-tile')];
  const { remotes } = seated;
  return tiles.length === remotes.length && remotes.every((each, index) => {
    const video = tiles[index].querySelector('video');
    const isPlayed = each.video === null ? video.hidden : video.currentTime > 0;
    return video.srcObject === each.video && isPlayed;
  });
}"""


def told(*seats: Seat) -> list[dict[str, object]]:
    """As ``SEAT`` takes them."""
    return [asdict(each) for each in seats]


async def seat(page: Page, *seats: Seat) -> None:
    """These are in the call; back when the page shows them."""
    await page.evaluate(SEAT, told(*seats))
    await page.wait_for_function(SEATED)


async def boxes(page: Page) -> list[dict[str, float]]:
    """Where the tiles are, in their order."""
    found: list[dict[str, float]] = await page.evaluate(
        "[...document.querySelectorAll('.rb-tile')].map((each) =>"
        " each.getBoundingClientRect().toJSON())"
    )
    return found
