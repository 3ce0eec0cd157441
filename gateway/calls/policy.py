"""Who may ask for what. Pure, and the one place where it is said."""

from __future__ import annotations

from gateway.identity.users import User
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import ErrorKind

# Whatever a method of tomorrow does, guests may not, until it is listed here.
GUESTS_MAY = frozenset(
    {"call.join", "call.media", "call.trickle", "call.dtmf", "call.hangup"}
)
# A rep has no pass for anybody's invite.
GUESTS_ONLY = frozenset({"call.join"})


def check(user: User, method: str) -> None:
    """Whether the user may use this method of the browser protocol at all.

    ``session.*`` and ``ping`` are the session's own and never come here.

    Raises:
        RequestError: ``policy.denied``.
    """
    allowed = method in GUESTS_MAY if user.is_guest else method not in GUESTS_ONLY
    if not allowed:
        raise RequestError(ErrorKind.POLICY_DENIED, "You may not do that.")
