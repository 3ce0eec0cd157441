"""Who holds whom in one call, and what our descriptions say of it (RFC 3264 8.4). Pure.

Two flags beside the state of the call. *Held here* is what the rep wants. The far end
is told so by a direction, never by 0.0.0.0, and not at all while it is mixed with
others: a conference goes on without the rep. It is *behind* when it was told something
else; a re-INVITE then tells it.

Odd cases:

* a refused hold is not asked for again: the engine alone keeps the rep from being
  heard. A refused retrieval leaves the far end silent, so the call is on hold again;
* what was overtaken by the far end's own offer is told anew unless our answer to that
  has said it (491, RFC 3261 14.1);
* *held there* is read from whatever the far end described last, offer or answer.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from sip.errors import SdpError
from sip.hold import held, is_hold
from sip.sdp import SessionDescription


@dataclass(slots=True)
class HoldState:
    """See the module.

    Attributes:
        is_held: by the rep.
        is_mixed: the far end is in a conference.
        is_held_there: by the far end.
    """

    is_held: bool = False
    is_mixed: bool = False
    is_held_there: bool = False
    _told: bool = False
    # What the far end was told when it last agreed to anything.
    _agreed: bool = False

    def succeeded(self, *, told: bool) -> HoldState:
        """Of another far end, which was ``told`` in its first description whether it
        is held."""
        return HoldState(self.is_held, self.is_mixed, _told=told)

    @property
    def holds_far_end(self) -> bool:
        """What the far end is to be told."""
        return self.is_held and not self.is_mixed

    @property
    def sip_is_behind(self) -> bool:
        """Whether a re-INVITE would tell the far end something new."""
        return self.holds_far_end != self._told

    def told(self) -> None:
        """A description was made for the far end."""
        self._told = self.holds_far_end

    def agreed(self, theirs: str) -> None:
        """Offer and answer have met; ``theirs`` is the far end's."""
        self._agreed = self._told
        self.is_held_there = is_hold(theirs)

    def refused(self, status: int) -> bool:
        """An offer of ours came to nothing; True: it was to take the call back, which
        is on hold again."""
        is_retrieval = self._agreed and not self._told and status != 491
        if status == 491 or is_retrieval:
            self._told = self._agreed
        self.is_held |= is_retrieval
        return is_retrieval


class OurDescriptions:
    """What of ours goes to the far end: the engine's, with our direction. The version
    counts what was sent, which the engine does not know (RFC 3264 8)."""

    def __init__(self) -> None:
        self._last: SessionDescription | None = None

    def write(self, sdp: str, *, holds: bool) -> str:
        """What to send in place of ``sdp``, which nobody can read if we cannot."""
        try:
            description = SessionDescription.parse(sdp)
        except SdpError:
            return sdp
        if holds:
            description = held(description)
        last, self._last = self._last, description
        if last is None or last.origin.session_id != description.origin.session_id:
            return str(description)
        version = last.origin.version
        if _numbered(description, version) != last:
            version = max(version + 1, description.origin.version)
        self._last = _numbered(description, version)
        return str(self._last)


def _numbered(description: SessionDescription, version: int) -> SessionDescription:
    origin = dataclasses.replace(description.origin, version=version)
    return dataclasses.replace(description, origin=origin)
