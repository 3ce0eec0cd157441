"""The simulated org as something that listens."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from aiohttp import web

from gateway.sandbox.salesforce.certificates import Certificate, make_certificate
from gateway.sandbox.salesforce.config import ConnectedApp, SimulatorConfig
from gateway.sandbox.salesforce.faults import Fault, FaultKind, FaultPlan
from gateway.sandbox.salesforce.journal import Journal
from gateway.sandbox.salesforce.org import ORGANIZATION_ID, Org
from gateway.sandbox.salesforce.record import Record
from gateway.sandbox.salesforce.store import Store
from gateway.sandbox.salesforce.web import WebShell

# Above the org's own limits, so that it is the org that refuses (414, 431).
_PARSER_LIMIT_BYTES = 128 * 1024


class SalesforceSimulator:
    """A local Salesforce: REST API, Lightning-like page, control API.

    Args:
        clock: epoch seconds.
        rng: source of tokens and of chance in faults.

    ``start`` listens in plain HTTP and, if asked, in TLS beside it on another port;
    both show the same org. ``close`` may be called at any time, and twice.
    """

    def __init__(
        self,
        config: SimulatorConfig | None = None,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._org = Org(
            config or SimulatorConfig(),
            clock=clock,
            rng=rng or random.Random(random.SystemRandom().getrandbits(128)),
        )
        self._runner: web.AppRunner | None = None
        self._shell: WebShell | None = None
        self._certificate: Certificate | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._port = 0
        self._tls_port = 0
        self._host = "localhost"

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, *, tls_port: int | None = None
    ) -> None:
        """Listen on ``port`` and, if ``tls_port`` is given, on it with TLS (0: any).

        Raises:
            OSError: a port is taken.
        """
        self._shell = WebShell(self._org)
        self._runner = web.AppRunner(
            self._shell.application(),
            access_log=None,
            shutdown_timeout=1.0,
            max_line_size=_PARSER_LIMIT_BYTES,
            max_field_size=_PARSER_LIMIT_BYTES,
        )
        await self._runner.setup()
        self._host = "localhost" if host in ("127.0.0.1", "::1") else host
        try:
            await web.TCPSite(self._runner, host, port).start()
            self._port = self._runner.addresses[0][1]
            if tls_port is not None:
                self._certificate = make_certificate()
                self._folder = tempfile.TemporaryDirectory(prefix="sandbox-salesforce-")
                context = self._certificate.server_context(Path(self._folder.name))
                await web.TCPSite(
                    self._runner, host, tls_port, ssl_context=context
                ).start()
                self._tls_port = self._runner.addresses[-1][1]
        except OSError:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop listening, let go of what hangs, save."""
        if self._shell is not None:
            self._shell.close()
            self._shell = None
        if self._runner is not None:
            # TLS would go on saying goodbye after the loop of a test is gone.
            if self._tls_port and self._runner.server is not None:
                for connection in self._runner.server.connections:
                    if connection.transport is not None:
                        connection.transport.abort()
            await self._runner.cleanup()
            self._runner = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self._org.save_if_changed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- where

    @property
    def url(self) -> str:
        """``http://localhost:PORT``, another site than the widget's 127.0.0.1."""
        return f"http://{self._host}:{self._port}"

    @property
    def tls_url(self) -> str:
        """``https://localhost:PORT``; "" without TLS."""
        return f"https://{self._host}:{self._tls_port}" if self._tls_port else ""

    @property
    def certificate_path(self) -> Path | None:
        """PEM file to trust as authority while the simulator is up."""
        return Path(self._folder.name, "certificate.pem") if self._folder else None

    # -- the org

    @property
    def organization_id(self) -> str:
        return ORGANIZATION_ID

    @property
    def identity_public_key_pem(self) -> str:
        """Verifies what ``RingbridgeIdentity.token`` returns."""
        return self._org.identity.public_key_pem

    @property
    def store(self) -> Store:
        return self._org.store

    @property
    def journal(self) -> Journal:
        return self._org.journal

    @property
    def faults(self) -> FaultPlan:
        return self._org.faults

    def add_fault(
        self,
        kind: FaultKind,
        *,
        times: int | None = 1,
        probability: float = 1.0,
        path: str = "",
        method: str = "",
        delay_s: float = 1.0,
        status: int = 400,
        error: str = "invalid_grant",
        description: str = "expired access/refresh token",
    ) -> Fault:
        """Order a fault (see :class:`Fault`)."""
        return self._org.faults.add(
            Fault(
                kind,
                times,
                probability,
                path,
                method,
                delay_s,
                status,
                error,
                description,
            )
        )

    def reconfigure(self, **changes: object) -> None:
        """Change fields of the configuration while the org is up."""
        self._org.reconfigure(**changes)

    def register(self, app: ConnectedApp) -> None:
        """Add a connected app."""
        self._org.register(app)

    def user(self, name: str) -> Record:
        """A user by id, username or first name.

        Raises:
            KeyError: there is none.
        """
        found = self._org.user(name)
        if found is None:
            raise KeyError(name)
        return found

    def access_token(self, user: str = "Robin") -> str:
        """A token without the OAuth dance, for tests of the API alone."""
        return self._org.tokens.sessions.open(self.user(user).id).token

    def expire_sessions(self) -> int:
        """Every access token is refused from now on; the number of them."""
        return self._org.tokens.sessions.expire_all()

    def revoke_grants(self) -> int:
        """Refresh tokens and what came from them are refused; the number of grants."""
        return self._org.tokens.sessions.revoke_all()

    def rotate_keys(self, *, keep_old: bool = True) -> str:
        """ID tokens are signed with a new key from now on; its kid."""
        return self._org.tokens.keys.rotate(keep_old=keep_old)

    def set_api_usage(self, calls: int) -> None:
        """As if so many calls had been made just now."""
        self._org.usage.set_used(calls)
