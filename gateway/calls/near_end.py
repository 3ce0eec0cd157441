"""A call's browser side: what the engine says of it, and a worker that is lost.

Runs in the call's actor and changes the call by :class:`Owner` only.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, assert_never

from gateway.calls.media import SIP_STATUS, CallMedia
from gateway.calls.ports import Alarm, Services
from gateway.media.engine import (
    BrowserConnected,
    BrowserLost,
    DigitReceived,
    EngineLost,
    KeyframeWanted,
    Leg,
    MediaError,
    MediaErrorKind,
    MediaEvent,
    Negotiated,
    RoomChanged,
    SipMediaStarted,
)
from gateway.sessions.wire import CallDtmfEvent, CallMediaEvent, Event, MediaAction

logger = logging.getLogger(__name__)

# A media worker that died is replaced in well under this; the call waits for it.
REOPEN_WITHIN_S = 10.0
REOPEN_PAUSE_S = 0.2


class Owner(Protocol):
    """The call, as its browser side sees it."""

    @property
    def is_over(self) -> bool: ...

    def publish(self, event: type[Event], **fields: object) -> None:
        """To the user's session."""

    def keyframe_wanted(self) -> None:
        """The browser waits for a full picture of the far end's."""

    def media_failed(self, status: int | None) -> None:
        """There are no media for it; ``status`` fits a refusal by SIP."""


class NearEnd:
    """See the module.

    Args:
        post: puts a job into the call's inbox.
    """

    def __init__(
        self,
        call_id: str,
        call: Owner,
        media: CallMedia,
        post: Callable[[Callable[[], Awaitable[None]]], None],
        services: Services,
    ) -> None:
        self._call_id = call_id
        self._call = call
        self._media = media
        self._post = post
        self._services = services
        self._reopening: Alarm | None = None

    def close(self) -> None:
        """No worker is waited for any more."""
        if self._reopening is not None:
            self._reopening.cancel()

    def agreed(self, negotiated: Negotiated) -> None:
        """What both sides agreed on may want a new offer of the browser's."""
        if negotiated.renegotiate_browser:
            self._tell(MediaAction.RENEGOTIATE, self._media.generation)

    async def receive(self, event: MediaEvent) -> None:
        """Something has come from the engine."""
        match event:
            case BrowserConnected():
                self._tell(MediaAction.CONNECTED, event.generation)
            case BrowserLost():
                if event.generation == self._media.generation:
                    self._tell(MediaAction.LOST, event.generation)
            case DigitReceived():
                if event.leg is Leg.SIP:
                    self._call.publish(
                        CallDtmfEvent, call_id=self._call_id, digit=event.digit
                    )
            case EngineLost():
                self._media.lost()
                await self._reopen(until=self._services.now() + REOPEN_WITHIN_S)
            case KeyframeWanted():
                # The browser always understands RTCP.
                if event.leg is Leg.SIP:
                    self._call.keyframe_wanted()
            case RoomChanged():
                self._tell(MediaAction.RENEGOTIATE, self._media.generation)
            case SipMediaStarted():
                logger.debug("call %s: first RTP from the far end", self._call_id)
            case _:
                assert_never(event)

    def failed(self, error: MediaError) -> None:
        """The engine has refused something that nobody waits for."""
        logger.warning("call %s: %s", self._call_id, error)
        if error.kind is not MediaErrorKind.ENGINE_LOST:
            self._call.media_failed(SIP_STATUS[error.kind])

    async def _reopen(self, *, until: float) -> None:
        """A new worker, as soon as there is one; a new offer; a re-INVITE."""
        if self._call.is_over:
            return
        try:
            await self._media.reopen()
        except MediaError as error:
            if self._services.now() < until:
                self._reopening = self._services.later(
                    REOPEN_PAUSE_S,
                    lambda: self._post(lambda: self._reopen(until=until)),
                )
                return
            logger.warning("call %s: no media engine: %s", self._call_id, error)
            self._call.media_failed(None)
            return
        self._tell(MediaAction.RENEW, self._media.generation)

    def _tell(self, action: MediaAction, generation: int) -> None:
        self._call.publish(
            CallMediaEvent, call_id=self._call_id, action=action, generation=generation
        )
