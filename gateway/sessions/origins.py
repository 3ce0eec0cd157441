"""Which web sites' pages may use the gateway (``Origin``, RFC 6454)."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateway.identity.directory import UserDirectory

_DEFAULT_PORTS = {"http": 80, "https": 443}


class AllowedOrigins:
    """The gateway's own origin for everyone, and each tenant's for its users.

    A request without ``Origin`` comes from no page, so it carries no page's user
    with it, and is allowed: every browser sends the header where it matters. The
    opaque origin ``null`` (sandboxed frames, files) is never allowed.
    """

    def __init__(self, users: UserDirectory, *, public_url: str) -> None:
        self._users = users
        self._own = origin_of(public_url)

    def is_known(self, origin: str | None) -> bool:
        """True if somebody's pages have this origin; asked before sign-in."""
        return (
            origin is None
            or origin == self._own
            or self._users.is_allowed_origin(origin)
        )

    def is_allowed(self, origin: str | None, tenant: str) -> bool:
        """True if pages of this origin may act for the tenant's users."""
        if origin is None or origin == self._own:
            return True
        identity = self._users.tenant(tenant)
        return identity is not None and origin in identity.allowed_origins


def origin_of(url: str) -> str:
    """The origin of an http or https URL, as browsers write it.

    Raises:
        ValueError: the URL has none.
    """
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("the public URL must be http:// or https:// with a host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.port in (None, _DEFAULT_PORTS[parts.scheme]):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{parts.port}"
