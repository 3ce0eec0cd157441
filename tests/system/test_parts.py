"""The real parts by themselves: what the other tests rely on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.system.baresip import Baresip
from tests.system.browser import Chromium, wait_hears
from tests.system.conftest import BROWSER_SAYS
from tests.system.kamailio import Kamailio
from tests.system.program import LogBook
from tests.system.sipp import Sipp
from tests.system.tones import (
    Sound,
    assert_no_tone,
    assert_tone,
    dominant_hz,
    read_growing_wav,
    write_tone,
)

pytestmark = pytest.mark.system


def test_a_written_tone_is_found_and_no_other(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "tone.wav", 620.0, rate=8000, seconds=0.5)
    sound = read_growing_wav(path)
    assert sound.seconds == pytest.approx(0.5)
    assert dominant_hz(sound) == pytest.approx(620.0, abs=3)
    assert_tone(sound, 620.0)
    assert_no_tone(sound, 1000.0)
    with pytest.raises(AssertionError, match="the strongest is 620 Hz"):
        assert_tone(sound, 1000.0)


def test_silence_and_noise_have_no_tone() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 4000)
    for samples in (np.zeros(0), np.zeros(4000), noise):
        with pytest.raises(AssertionError):
            assert_tone(Sound(samples, 8000), 440.0)


@pytest.mark.needs("kamailio", "kamcmd", "baresip")
async def test_two_phones_hear_each_other_through_kamailio(
    proxy: Kamailio, logs: LogBook, tmp_path: Path
) -> None:
    await proxy.add_user("parts1", "secret")
    async with (
        Baresip(
            "desk",
            user="parts1",
            password="secret",
            server=proxy,
            logs=logs,
            directory=tmp_path / "desk",
            says=600.0,
        ) as desk,
        Baresip(
            "customer",
            user="+16465550175",
            domain="carrier.invalid",
            display_name="Ana Ruiz",
            server=proxy,
            logs=logs,
            directory=tmp_path / "customer",
            says=440.0,
        ) as customer,
    ):
        await desk.wait_registered()
        await customer.dial("parts1")
        incoming = await desk.wait_event("CALL_INCOMING")
        assert incoming.all["peerdisplayname"] == "Ana Ruiz"
        await desk.accept()
        await desk.wait_event("CALL_ESTABLISHED")
        await desk.wait_hears(440.0)
        await customer.wait_hears(600.0)
        await customer.press("5")
        await desk.wait_event("CALL_DTMF_START")
        assert desk.heard_digits() == "5"
        await desk.hang_up()
        await customer.wait_event("CALL_CLOSED")
        assert customer.requests("BYE")
        assert desk.requests("BYE", sent=True)


@pytest.mark.needs("kamailio", "kamcmd", "baresip", "sipp")
async def test_sipp_refuses_with_the_status_it_is_told(
    proxy: Kamailio, logs: LogBook, tmp_path: Path
) -> None:
    await proxy.add_user("parts2", "secret")
    async with (
        Baresip(
            "caller",
            user="parts3",
            domain="carrier.invalid",
            server=proxy,
            logs=logs,
            directory=tmp_path / "caller",
        ) as caller,
        Sipp(
            "uas_refuses",
            server=proxy,
            logs=logs,
            directory=tmp_path / "sipp",
            keys={"refusal": "603 Decline"},
        ) as callee,
    ):
        await callee.register("parts2", "secret")
        await caller.dial("parts2")
        closed = await caller.wait_event("CALL_CLOSED")
        await callee.finish()
        assert closed.param == "603 Decline"


@pytest.mark.needs("chromium")
async def test_chromium_hears_its_own_microphone(chromium: Chromium) -> None:
    async with chromium.visitor("itself") as visitor:
        page = await visitor.open("data:text/html,<title>loop</title>")
        # A data: page is no secure context; getUserMedia needs one.
        await page.route(
            "http://127.0.0.1:9/",
            lambda route: route.fulfill(body="", content_type="text/html"),
        )
        await page.goto("http://127.0.0.1:9/")
        await page.evaluate(
            """async () => {
              const [one, two] = [new RTCPeerConnection(), new RTCPeerConnection()];
              one.onicecandidate = ({candidate}) => two.addIceCandidate(candidate);
              two.onicecandidate = ({candidate}) => one.addIceCandidate(candidate);
              const microphone = await navigator.mediaDevices.getUserMedia({audio: {
                echoCancellation: false, noiseSuppression: false}});
              one.addTrack(microphone.getAudioTracks()[0], microphone);
              await one.setLocalDescription();
              await two.setRemoteDescription(one.localDescription);
              await two.setLocalDescription();
              await one.setRemoteDescription(two.localDescription);
            }"""
        )
        await wait_hears(page, BROWSER_SAYS)
        visitor.assert_no_complaints()
