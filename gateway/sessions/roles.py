"""What a page may ask for that has not got the phone."""

from __future__ import annotations

from gateway.sessions import wire
from gateway.sessions.wire import Wire

# What carries the media of the page that asks, or is about them.
OWNER_METHODS = frozenset(
    {"call.answer", "call.join", "call.media", "call.trickle", "session.mute"}
)


def needs_phone(method: str, params: Wire) -> bool:
    """Only the owner may ask for this.

    Calls to be made by the desk phone have no media here.
    """
    if isinstance(params, wire.CallCreate):
        return params.offer is not None or params.device is wire.CallDevice.HERE
    return method in OWNER_METHODS
