"""The embedded relay passes the contract."""

from __future__ import annotations

from tests.gateway.media.contract import MediaEngineContract
from tests.gateway.media.mix_contract import MixContract
from tests.gateway.media.video_contract import VideoContract


class TestRelay(MediaEngineContract):
    """With one worker and short timers; see conftest."""


class TestRelayWithVideo(VideoContract):
    """The same."""


class TestRelayHoldAndConference(MixContract):
    """The same."""
