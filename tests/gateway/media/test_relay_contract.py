"""The embedded relay passes the contract."""

from __future__ import annotations

from tests.gateway.media.contract import MediaEngineContract


class TestRelay(MediaEngineContract):
    """With one worker and short timers; see conftest."""
