"""The real service, ``ringbridge serve``, as a process of its own.

It can be killed and started again over the same database, and be counted from
outside: file descriptors, sockets and threads of it and its workers as the kernel
sees them, and its own gauges from ``/metrics``.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

from tests.system.baresip import Server
from tests.system.holdings import (
    Footprint,
    Holdings,
    alive,
    footprint,
    read_metrics,
    tree,
)
from tests.system.ports import free_port, free_ports
from tests.system.program import LogBook, Program
from tests.system.waiting import until, until_true

COMMAND = Path(sys.executable).parent / "ringbridge"
START_TIMEOUT_S = 30.0
RTP_PORTS = 200
DATABASE = "ringbridge.db"
# None of these when nothing goes on.
GAUGES = (
    "ringbridge_calls_active",
    "ringbridge_sessions",
    "ringbridge_media_open_calls",
)


@dataclass(frozen=True, slots=True)
class Rep:
    """A user of the service: SIP account, CRM user, and a password of our own."""

    id: str
    sip_password: str = field(repr=False)
    name: str = "Robin Reyes"
    password_hash: str = field(default="", repr=False)
    salesforce_user_id: str = ""
    salesforce_username: str = ""
    email: str = ""


class Service:
    """One ``ringbridge serve`` with one tenant, ``acme``.

    Args:
        reps: its users.
        server: where they register.
        salesforce: the tenant's ``salesforce`` section, None for no CRM.
        invites: the tenant's ``invites`` section, None for no video invites.
        caller_key: where INVITEs say what a caller typed, None for nowhere.
        members: further ones of the tenant.
        origins: pages that may hold the widget.
        sections: further sections of the file; they replace ours member by member.
        environment: for the process, beside our own.
        expires_s: of the registrations.
        is_verbose: log every state change.
        follows_desk_phones: as far as the server tells of calls.
    """

    tenant = "acme"

    def __init__(
        self,
        *,
        directory: Path,
        logs: LogBook,
        server: Server,
        reps: Sequence[Rep],
        salesforce: Mapping[str, Any] | None = None,
        origins: Sequence[str] = (),
        sections: Mapping[str, Mapping[str, Any]] | None = None,
        environment: Mapping[str, str] | None = None,
        http_port: int | None = None,
        invites: Mapping[str, Any] | None = None,
        caller_key: Mapping[str, Any] | None = None,
        members: Mapping[str, Any] | None = None,
        expires_s: int = 120,
        is_verbose: bool = True,
        follows_desk_phones: bool = False,
    ) -> None:
        self.directory = directory
        self.http_port = http_port or free_port()
        self.sip_port = free_port()
        self.media_port = free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self._server = server
        self._reps = tuple(reps)
        self._salesforce = salesforce
        self._origins = tuple(origins)
        self._sections = dict(sections or {})
        self._invites = invites
        self._caller_key = caller_key
        self._members = dict(members or {})
        self._expires_s = expires_s
        self._follows_desk_phones = follows_desk_phones
        self._rtp_port = free_ports(RTP_PORTS)
        self._file = directory / "ringbridge.yaml"
        self._program = Program(
            "ringbridge",
            [
                COMMAND,
                *(("-v",) if is_verbose else ()),
                *("serve", "--config", self._file),
            ],
            logs=logs,
            directory=directory,
            environment=environment,
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    # Life ---------------------------------------------------------------------------

    async def start(self) -> None:
        """Start it, over whatever database is there, and wait until it is ready."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._file.write_text(yaml.safe_dump(self._configuration()))
        await self._program.start()
        try:
            await until(self._is_ready_or_over, "ready", timeout_s=START_TIMEOUT_S)
            if not self._program.is_running:
                raise AssertionError(f"it ended:\n{self._program.tail()}")
        except AssertionError:
            await self._program.stop()
            raise

    async def stop(self) -> int | None:
        """End it as an operator would; gives the exit status."""
        return await self._program.stop(grace_s=15)

    async def kill(self) -> None:
        """``kill -9`` it; its workers end by themselves."""
        pids = tree(self._program.pid)
        await self._program.kill()
        await until_true(lambda: not alive(pids), "the end of the workers")

    @property
    def is_running(self) -> bool:
        return self._program.is_running

    @property
    def pid(self) -> int:
        """Of the control process."""
        return self._program.pid

    @property
    def log(self) -> list[str]:
        """What it logged since it was started last."""
        return self._program.lines

    async def wait_for_log(
        self, pattern: str, *, count: int = 1, timeout_s: float = 10.0
    ) -> list[str]:
        """Wait for lines of its log; see :meth:`Program.wait_for_line`."""
        return await self._program.wait_for_line(
            pattern, count=count, timeout_s=timeout_s
        )

    async def _is_ready_or_over(self) -> bool:
        if not self._program.is_running:
            return True
        try:
            status, _ = await self.get("/health/ready")
        except aiohttp.ClientConnectionError:
            return False
        return status == 200

    def _configuration(self) -> dict[str, Any]:
        sections: dict[str, Any] = {
            "signing_key": "a signing key for tests alone, of 48 characters.",
            "http": {
                "host": "127.0.0.1",
                "port": self.http_port,
                "public_url": self.url,
            },
            "sip": {"bind_host": "127.0.0.1", "bind_port": self.sip_port},
            "media": {
                "bind_host": "127.0.0.1",
                "browser_port": self.media_port,
                "rtp_port_min": self._rtp_port,
                "rtp_port_max": self._rtp_port + RTP_PORTS - 1,
                "quiet_s": 1,
            },
            "storage": {
                "url": f"sqlite+aiosqlite:///{self.directory}/{DATABASE}",
                "spool": str(self.directory / "ringbridge.spool"),
            },
            "calls": {"resume_window_s": 20},
        }
        for name, members in self._sections.items():
            sections[name] = {**sections.get(name, {}), **members}
        return {**sections, "tenants": [self._tenant()]}

    def _tenant(self) -> dict[str, Any]:
        server = self._server
        tenant: dict[str, Any] = {
            "id": self.tenant,
            "company": "Acme Corp",
            "country": "US",
            "application_server": {
                "domain": server.domain,
                "registrar": f"sip:{server.host}:{server.port}",
                "expires_s": self._expires_s,
                "desk_phones": self._follows_desk_phones,
            },
            "origins": list(self._origins),
            "users": [_user(rep) for rep in self._reps],
        }
        if self._caller_key is not None:
            tenant["application_server"]["caller_key"] = dict(self._caller_key)
        if self._salesforce is not None:
            tenant["salesforce"] = dict(self._salesforce)
        if self._invites is not None:
            tenant["invites"] = dict(self._invites)
        return {**tenant, **self._members}

    # From outside -------------------------------------------------------------------

    async def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET.

        Raises:
            aiohttp.ClientConnectionError: it does not listen (yet).
        """
        timeout = aiohttp.ClientTimeout(total=5)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self.url + path) as response,
        ):
            return response.status, await response.text()

    async def metrics(self) -> dict[str, float]:
        """All samples of ``/metrics``."""
        return await read_metrics(self.url)

    async def holdings(
        self, *, but_connections_of: frozenset[int] = frozenset()
    ) -> Holdings:
        """What it holds now; see :func:`tests.system.holdings.footprint`."""
        metrics = await self.metrics()
        # Ports before the footprint: they are the last to go, and it counts them.
        rtp_ports = frozenset(self.udp_ports())
        return Holdings(
            gauges={name: metrics[name] for name in GAUGES}
            | {
                name: value
                for name, value in metrics.items()
                if name.startswith("ringbridge_registrations{")
            },
            tasks=metrics["ringbridge_tasks"],
            footprint=self.footprint(but_connections_of=but_connections_of),
            rtp_ports=rtp_ports,
        )

    def footprint(
        self, *, but_connections_of: frozenset[int] = frozenset()
    ) -> Footprint:
        """What the process tree holds now, but its database's files."""
        return footprint(
            self._program.pid,
            but_connections_of=but_connections_of,
            but_file=str(self.directory / DATABASE),
        )

    def worker_pids(self) -> list[int]:
        """Of its media workers."""
        return [
            pid
            for pid in tree(self._program.pid)[1:]
            if b"gateway.media" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]

    def udp_ports(self) -> set[int]:
        """The RTP ports of its range that are bound, by whom is not asked."""
        return {
            port
            for port in range(self._rtp_port, self._rtp_port + RTP_PORTS)
            if not _can_bind(port)
        }


def _user(rep: Rep) -> dict[str, Any]:
    user: dict[str, Any] = {
        "id": rep.id,
        "name": rep.name,
        "number": rep.id,
        "sip": {"username": rep.id, "password": rep.sip_password},
        "password_hash": rep.password_hash,
        "email": rep.email,
    }
    if rep.salesforce_user_id:
        user["salesforce"] = {
            "user_id": rep.salesforce_user_id,
            "username": rep.salesforce_username,
        }
    return user


def _can_bind(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
