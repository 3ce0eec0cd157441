"""The eyes of the tests see what a camera films, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system import pictures
from tests.system.browser import Chromium, sees, wait_sees
from tests.system.program import LogBook

pytestmark = [pytest.mark.system, pytest.mark.needs("chromium")]

LOOPBACK = """async () => {
  const [here, there] = [new RTCPeerConnection(), new RTCPeerConnection()];
  here.onicecandidate = ({candidate}) => there.addIceCandidate(candidate);
  there.onicecandidate = ({candidate}) => here.addIceCandidate(candidate);
  const stream = await navigator.mediaDevices.getUserMedia({video: true});
  stream.getTracks().forEach((track) => here.addTrack(track, stream));
  await here.setLocalDescription();
  await there.setRemoteDescription(here.localDescription);
  await there.setLocalDescription();
  await here.setRemoteDescription(there.localDescription);
}"""


@pytest.mark.parametrize(
    ("who", "count"), [(0xA5, 0), (0x3C, 255), (0, 17), (255, 128)]
)
def test_a_picture_is_read_as_it_was_drawn(who: int, count: int) -> None:
    picture = pictures.draw(who, count)
    step_x, step_y = pictures.WIDTH // pictures.GRID, pictures.HEIGHT // pictures.GRID
    cells = [
        int(picture[step_y // 2 + row * step_y, step_x // 2 + column * step_x])
        for row in range(pictures.GRID)
        for column in range(pictures.GRID)
    ]
    assert pictures.read(cells) == (who, count)


async def test_what_a_camera_films_is_seen(tmp_path: Path, logs: LogBook) -> None:
    page_file = tmp_path / "page.html"
    page_file.write_text("<!doctype html><title>page</title>")
    async with (
        Chromium(
            directory=tmp_path / "chromium",
            says=700.0,
            shows=0x3C,
            logs=logs,
            arguments=["--allow-file-access-from-files"],
        ) as chromium,
        chromium.visitor("guest", has_camera=True) as visitor,
    ):
        page = await visitor.open(page_file.as_uri())
        assert await sees(page) is None
        await page.evaluate(LOOPBACK)
        await wait_sees(page, 0x3C)
        with pytest.raises(AssertionError, match="no moving pictures of 0xa5"):
            await wait_sees(page, 0xA5, timeout_s=0.2)
