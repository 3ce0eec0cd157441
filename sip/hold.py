"""Who holds whom, read from session descriptions and written into them (RFC 3264 8.4).

A peer holds the call when it does not want to receive its sound: ``sendonly``,
``inactive``, or an unspecified address as RFC 2543 did it. Video alone is no matter of
hold: it comes and goes while people talk.
"""

from __future__ import annotations

from sip.errors import SdpError
from sip.sdp import Direction, MediaDescription, SessionDescription


def is_hold(sdp: str | None) -> bool:
    """Whether who wrote this description holds the call.

    Of an answer it can be told only when the offer was to send: to ``recvonly`` and
    ``inactive`` no other answer is possible. None, and what cannot be read, holds
    nothing: who asks for an offer wants to talk again.
    """
    if sdp is None:
        return False
    try:
        description = SessionDescription.parse(sdp)
        lines = [media for media in description.media if _carries_sound(media)]
        return bool(lines) and all(map(description.is_held_by_writer, lines))
    except SdpError:
        return False


def held(description: SessionDescription) -> SessionDescription:
    """The next offer that puts the other side on hold: sound is sent, not received.

    The address stays ours: 0.0.0.0 would end RTCP as well (RFC 3264 8.4).
    """
    return _with_receiving(description, False)


def retrieved(description: SessionDescription) -> SessionDescription:
    """The next offer that takes the other side back, the inverse of :func:`held`."""
    return _with_receiving(description, True)


def _with_receiving(
    description: SessionDescription, receives: bool
) -> SessionDescription:
    changed = description
    for index, media in enumerate(description.media):
        if media.is_rejected or not media.is_rtp:
            continue
        stated = media.own_direction or description.own_direction or Direction.SENDRECV
        wanted = Direction.of(sends=stated.sends, receives=receives)
        if wanted is not stated or media.own_direction is None:
            changed = changed.with_media(index, media.with_direction(wanted))
    return changed if changed == description else changed.with_next_version()


def _carries_sound(media: MediaDescription) -> bool:
    return media.kind == "audio" and not media.is_rejected
