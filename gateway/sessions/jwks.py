"""The public keys of our access tokens, for whoever wants to verify one."""

from __future__ import annotations

import json

from aiohttp import hdrs, web

from gateway.identity.tokens import AccessTokens

PATH = "/.well-known/jwks.json"
# A key is here long before it signs, so what others keep may be this old.
MAX_AGE_S = 300


def add_routes(app: web.Application, tokens: AccessTokens) -> None:
    """Serve :data:`PATH` (RFC 7517) to everybody; there is nothing secret in it."""
    text = json.dumps({"keys": tokens.public_keys()})

    async def keys(_: web.Request) -> web.Response:
        return web.Response(
            text=text,
            content_type="application/jwk-set+json",
            headers={
                hdrs.CACHE_CONTROL: f"public, max-age={MAX_AGE_S}",
                hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
            },
        )

    app.router.add_get(PATH, keys)
