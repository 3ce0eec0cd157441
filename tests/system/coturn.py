"""Debian's coturn with the sample configuration, on loopback."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from tests.system.ports import free_port, free_ports
from tests.system.program import LogBook, Program
from tests.system.waiting import until_true

SAMPLE = Path(__file__).parents[2] / "sample_configs" / "turnserver.conf"
SECRET = "change-me-to-the-secret-of-the-turn-section"
RELAY_PORTS = 50


class Coturn:
    """One TURN server for UDP and TCP; an async context manager."""

    def __init__(self, *, directory: Path, logs: LogBook) -> None:
        self.port = free_port()
        first = free_ports(RELAY_PORTS)
        text = SAMPLE.read_text(encoding="utf-8")
        for old, new in {
            "192.0.2.10": "127.0.0.1",
            "listening-port=3478": f"listening-port={self.port}",
            "min-port=30000": f"min-port={first}",
            "max-port=30999": f"max-port={first + RELAY_PORTS - 1}",
        }.items():
            assert old in text
            text = text.replace(old, new)
        # All that is different: here the service is on loopback.
        text += "allow-loopback-peers\n"
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "turnserver.conf"
        config.write_text(text, encoding="utf-8")
        self._program = Program(
            "coturn",
            [
                *("turnserver", "-c", config, "-v"),
                *("--pidfile", directory / "pid", "--db", directory / "turndb"),
            ],
            logs=logs,
            directory=directory,
        )

    async def __aenter__(self) -> Self:
        await self._program.start()
        try:
            await until_true(self._listens, "coturn listens")
        except BaseException:
            await self._program.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._program.stop()

    def url(self, transport: str) -> str:
        """For ``iceServers``; ``transport`` is ``udp`` or ``tcp``."""
        return f"turn:127.0.0.1:{self.port}?transport={transport}"

    def said(self, pattern: str) -> list[str]:
        """Lines of its log that match."""
        return self._program.matching(pattern)

    def _listens(self) -> bool:
        rows = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        return any(row.split()[1].endswith(f":{self.port:04X}") for row in rows)
