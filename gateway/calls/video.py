"""What both sides of a call say of video, and what follows from it. Pure.

Whether a call has video follows from the descriptions alone (design 008). The browser
*wants* it when its offer has an m=video and our answer took it; the SIP side was
*told* so with the newest description that was made for it, and *has* video when the
answer, its own or ours, left it in. The SIP side is *behind* when the browser wants
something else than it was told; a re-INVITE then tells it.

Odd cases:

* what was refused is not asked again until the browser wants something else;
* nothing need be said to a SIP side that has no video when the browser gives it up;
* while a lowering is under way the far end's picture is no offer of video;
* in a room the browser's video has takers, whatever the SIP side says of it: it is
  active when our answer took it. What comes is told of the call's own stream alone.
"""

from __future__ import annotations

from gateway.media.engine import Negotiated
from gateway.sessions.wire import VideoState, VideoView
from sip.errors import SipError
from sip.sdp import Direction, MediaDescription, SessionDescription


def offers_video(sdp: str | None) -> bool:
    """Whether a far end's offer has video that flows in any direction."""
    return _direction(sdp) is not None


def _direction(sdp: str | None) -> Direction | None:
    """Of the first m=video; None without one, or when it is rejected or inactive."""
    found = _video(sdp)
    if found is None:
        return None
    session, media = found
    direction = session.direction(media)
    return None if direction is Direction.INACTIVE else direction


def _video(sdp: str | None) -> tuple[SessionDescription, MediaDescription] | None:
    if sdp is None:
        return None
    try:
        session = SessionDescription.parse(sdp)
    except SipError:
        # Whoever negotiates with it says what is wrong.
        return None
    media = next((m for m in session.media if m.kind == "video"), None)
    return None if media is None or media.is_rejected else (session, media)


class CallVideo:
    """See the module."""

    def __init__(self) -> None:
        # Which way the browser wants it, None: not at all.
        self._wanted: Direction | None = None
        # The same, when the SIP side's newest description was made.
        self._told: Direction | None = None
        # Since then it was another, or the question was never answered.
        self._is_anew = False
        self._sip_has_video = False
        # What the engine last said of both sides together.
        self._is_agreed = False
        self._sends = False
        self._receives = False
        self._is_offered = False
        # The browser meets others besides the SIP side, or instead of it.
        self.is_in_room = False

    @property
    def view(self) -> VideoView:
        """As the browser protocol shows it."""
        if self._wanted is not None and self.is_in_room:
            return VideoView(
                state=VideoState.ACTIVE,
                sends=self._wanted.sends,
                receives=self._is_agreed and self._receives,
            )
        if self._wanted is not None and self._is_agreed:
            return VideoView(
                state=VideoState.ACTIVE, sends=self._sends, receives=self._receives
            )
        if self._is_offered:
            return VideoView(state=VideoState.OFFERED)
        return VideoView()

    @property
    def wanted(self) -> Direction | None:
        """Which way the browser wants it, None: not at all."""
        return self._wanted

    @property
    def sip_is_behind(self) -> bool:
        """Whether a re-INVITE would tell the SIP side something new."""
        if self._wanted is None:
            return self._told is not None and self._sip_has_video
        if self._wanted is not self._told:
            return True
        return self._is_anew and not self._sip_has_video

    def invited(self, offer: str | None) -> None:
        """An INVITE has come with this SDP: its video is a question to the user."""
        self._is_offered = offers_video(offer)

    def browser_agreed(
        self, offer: str, agreed: Negotiated, *, sip_has_spoken: bool
    ) -> None:
        """The engine has answered the browser's offer."""
        is_taken = _video(agreed.sdp) is not None
        self._wanted = _direction(offer) if is_taken else None
        self._is_anew |= self._wanted is not self._told
        if sip_has_spoken:
            self._note(agreed)

    def sip_told(self) -> None:
        """A description was made for the SIP side."""
        self._told = self._wanted
        self._is_anew = False

    def sip_agreed(self, answer: str, agreed: Negotiated) -> None:
        """The engine has negotiated with the SIP side; ``answer`` is theirs or ours."""
        self._sip_has_video = self._told is not None and _video(answer) is not None
        self._is_agreed = bool(agreed.video)
        self._note(agreed)

    def sip_overtaken(self) -> None:
        """The peer's offer came first: what ours asked for is still to be asked."""
        self._is_anew = True

    def browser_gone(self) -> None:
        """There is no browser any more, and nobody who would look."""
        self._wanted = None
        self._is_anew = self._is_offered = self.is_in_room = False

    def sip_gone(self) -> None:
        """There is no SIP side any more."""
        self._told = None
        self._is_anew = self._sip_has_video = False
        self._is_agreed = self._sends = self._receives = self._is_offered = False

    def _note(self, agreed: Negotiated) -> None:
        self._sends = agreed.video_sends
        self._receives = agreed.video_receives
        self._is_offered = agreed.video_offered and not self.sip_is_behind
