"""Time-limited TURN credentials (draft-uberti-behave-turn-rest-00).

``username`` is the expiry time and the user, ``credential`` its HMAC-SHA1 under the
secret shared with the TURN server: what coturn checks with ``use-auth-secret``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.identity.users import UserKey

MAX_TTL_S = 3600


@dataclass(frozen=True, slots=True)
class TurnCredentials:
    """What a browser puts into ``RTCIceServer``."""

    urls: tuple[str, ...]
    username: str
    credential: str = field(repr=False)
    ttl_s: int


@dataclass(frozen=True, slots=True)
class TurnConfig:
    """TURN servers as ``turn:`` or ``turns:`` URLs; none by default."""

    urls: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    ttl_s: int = 600

    def __post_init__(self) -> None:
        if not 1 <= self.ttl_s <= MAX_TTL_S:
            raise ValueError(f"TURN credentials last from 1 to {MAX_TTL_S} s")


class TurnServer:
    """Mints credentials. Time is handed in (Unix seconds)."""

    def __init__(self, config: TurnConfig, *, clock: Callable[[], float]) -> None:
        self.config = config
        self._clock = clock

    def mint(self, user: UserKey) -> TurnCredentials | None:
        """Credentials for the user; None when there is no TURN server or secret."""
        config = self.config
        if not config.urls or not config.secret:
            return None
        # A hash, not the name: TURN servers log user names, and anyone on the way
        # reads them from the STUN message.
        who = hashlib.sha256(str(user).encode("utf-8")).hexdigest()[:16]
        username = f"{int(self._clock()) + config.ttl_s}:{who}"
        mac = hmac.new(
            config.secret.encode("utf-8"), username.encode("ascii"), hashlib.sha1
        )
        credential = base64.b64encode(mac.digest()).decode("ascii")
        return TurnCredentials(config.urls, username, credential, config.ttl_s)
