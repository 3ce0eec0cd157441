"""Requests to an identity provider: bounded in time and size, and never redirected."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

import aiohttp

from gateway.identity.openid import ProviderAwayError

TIMEOUT_S = 10.0
MAX_BODY_BYTES = 256 * 1024


class ProviderHttp:
    """Implements :class:`gateway.identity.salesforce.Ask`.

    Args:
        ca_file: certificates to trust instead of the public ones, "" for those.
        proxy: URL of a forward proxy, "" for none; it may hold a password.

    Raises:
        ValueError: the certificates cannot be read.
    """

    def __init__(self, *, ca_file: str = "", proxy: str = "") -> None:
        try:
            self._tls = ssl.create_default_context(cafile=ca_file or None)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"cannot read ca_file: {error}") from None
        self._proxy = proxy or None
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Give up all connections; twice is harmless."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        bearer: str = "",
    ) -> tuple[int, bytes]:
        headers = {"Accept": "application/json"}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        if self._session is None:
            # No cookies: one user's are nothing to the next.
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._session.request(
                    method,
                    url,
                    data=form,
                    headers=headers,
                    ssl=self._tls,
                    proxy=self._proxy,
                    allow_redirects=False,
                ) as response,
            ):
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise ProviderAwayError("its answer is too large")
                return response.status, bytes(body)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Its text may hold the URL, and that what it was asked with.
            raise ProviderAwayError(type(error).__name__) from None
