"""Asking for a full picture by SIP INFO, where RTCP cannot (RFC 5168)."""

from __future__ import annotations

import re
from collections.abc import Callable

from gateway.calls.ports import Alarm

CONTENT_TYPE = "application/media_control+xml"
PICTURE_FAST_UPDATE = (
    b'<?xml version="1.0" encoding="utf-8"?>\r\n'
    b"<media_control><vc_primitive><to_encoder>"
    b"<picture_fast_update/>"
    b"</to_encoder></vc_primitive></media_control>\r\n"
)
# A request is shorter; more of a stranger's XML is not even looked at.
MAX_BODY_BYTES = 2048
# Between two of one direction. A picture takes longer to get smooth again than that
# only on a bad line, where more pictures make it worse.
INTERVAL_S = 1.0

_REQUEST = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?picture_fast_update[\s/>]")


def asks_for_keyframe(content_type: str, body: bytes) -> bool:
    """Whether this INFO wants a full picture."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == CONTENT_TYPE and bool(_REQUEST.search(body[:MAX_BODY_BYTES]))


class Paced:
    """Does something at most once in ``interval_s``; what comes too early is done
    later, once.

    Args:
        action: must not block.
        now: seconds; ``later`` calls back once.
    """

    def __init__(
        self,
        action: Callable[[], None],
        *,
        interval_s: float = INTERVAL_S,
        now: Callable[[], float],
        later: Callable[[float, Callable[[], None]], Alarm],
    ) -> None:
        self._action = action
        self._interval_s = interval_s
        self._now = now
        self._later = later
        self._last: float | None = None
        self._alarm: Alarm | None = None
        self._is_closed = False

    def ask(self) -> None:
        """Now, as soon as it may be, or with what waits already."""
        if self._alarm is not None or self._is_closed:
            return
        wait_s = 0.0
        if self._last is not None:
            # A clock that was set back must not silence us for as long.
            wait_s = min(self._last + self._interval_s - self._now(), self._interval_s)
        if wait_s <= 0:
            self._do()
        else:
            self._alarm = self._later(wait_s, self._due)

    def close(self) -> None:
        """Never again."""
        self._is_closed = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _due(self) -> None:
        self._alarm = None
        self._do()

    def _do(self) -> None:
        self._last = self._now()
        self._action()
