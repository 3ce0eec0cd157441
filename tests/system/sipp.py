"""SIPp peers that do exactly what a scenario of ours says, and fail otherwise.

The scenarios are in ``scenarios/``. A peer succeeds when its scenario ran to the end
for every call; :meth:`Sipp.finish` fails with SIPp's own words if it did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.system.baresip import Server
from tests.system.ports import free_port, free_ports
from tests.system.program import LogBook, Program

SCENARIOS = Path(__file__).parent / "scenarios"


class Sipp:
    """One SIPp process.

    Args:
        scenario: name of a file in ``scenarios/`` without its ending.
        server: where requests go; its domain is ``[domain]`` in the scenario.
        service: ``[service]``: the number called, or registered.
        keys: further words in brackets; a status line cannot have one, so ``@word@``
            is replaced before SIPp reads the file.
        password: answers a challenge, as the user ``service``.
        calls: how many calls make the scenario done.
        pause_ms: length of every ``<pause/>``.
        echo: send RTP back to where it came from.
    """

    def __init__(
        self,
        scenario: str,
        *,
        server: Server,
        logs: LogBook,
        directory: Path,
        service: str = "service",
        keys: Mapping[str, str] | None = None,
        password: str = "",
        calls: int = 1,
        pause_ms: int = 200,
        echo: bool = False,
        timeout_s: int = 60,
    ) -> None:
        self.scenario = scenario
        self.port = free_port()
        self._server = server
        self._logs = logs
        self._directory = directory
        self._errors = directory / f"{scenario}-{self.port}-errors.log"
        self._messages = directory / f"{scenario}-{self.port}-messages.log"
        self._file = directory / f"{scenario}-{self.port}.xml"
        self._words = words = {"domain": server.domain, "shown": "", **(keys or {})}
        self._program = Program(
            f"sipp {scenario}",
            [
                "sipp",
                f"{server.host}:{server.port}",
                *("-sf", self._file),
                *("-i", "127.0.0.1", "-p", str(self.port)),
                *("-mi", "127.0.0.1", "-mp", str(free_ports(4))),
                *("-s", service, "-m", str(calls), "-l", str(calls)),
                *("-d", str(pause_ms), "-timeout", f"{timeout_s}s", "-timeout_error"),
                *("-trace_err", "-error_file", self._errors),
                *("-trace_msg", "-message_file", self._messages),
                *(("-au", service, "-ap", password) if password else ()),
                *(("-rtp_echo",) if echo else ()),
                *(word for key in words.items() for word in ("-key", *key)),
                "-nostdin",
            ],
            logs=logs,
            directory=directory,
            environment={"TERM": "dumb"},
        )

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        text = (SCENARIOS / f"{self.scenario}.xml").read_text()
        for word, value in self._words.items():
            text = text.replace(f"@{word}@", value)
        self._file.write_text(text)
        await self._program.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._program.stop()

    async def finish(self, *, timeout_s: float = 30.0) -> None:
        """Wait for the end of the scenario.

        Raises:
            AssertionError: something unexpected came, or too few calls did.
        """
        status = await self._program.wait(timeout_s=timeout_s)
        if status != 0:
            errors = self._errors.read_text() if self._errors.exists() else ""
            raise AssertionError(
                f"SIPp {self.scenario} ended with {status}:\n{errors}\n"
                f"{self.messages()[-6000:]}"
            )

    def messages(self) -> str:
        """All that it sent and received."""
        return self._messages.read_text() if self._messages.exists() else ""

    async def register(self, user: str, password: str) -> None:
        """Let the server send calls for ``user`` to this peer."""
        async with Sipp(
            "register",
            server=self._server,
            logs=self._logs,
            directory=self._directory,
            service=user,
            keys={"contact_port": str(self.port)},
            password=password,
            timeout_s=10,
        ) as registrar:
            await registrar.finish()
