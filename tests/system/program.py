"""Real programs that a test starts: own process group, output kept, ended by pid.

Whatever is started here is written into a :class:`LogBook`, so that the report of a
failed test can show what the programs said.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

# Lines of each program that a failure report shows.
SHOWN_LINES = 120
# A program that writes without end must not fill the memory.
KEPT_LINES = 200_000


class LogBook:
    """The logs of all parts that a test used."""

    def __init__(self) -> None:
        self._logs: dict[str, list[str]] = {}

    def open(self, name: str) -> list[str]:
        """A new log; a second one of the same name gets a number."""
        unique, number = name, 1
        while unique in self._logs:
            number += 1
            unique = f"{name} ({number})"
        return self._logs.setdefault(unique, [])

    def marks(self) -> dict[str, int]:
        """Where each log ends now."""
        return {name: len(lines) for name, lines in self._logs.items()}

    def since(self, marks: Mapping[str, int]) -> list[tuple[str, str]]:
        """Name and text of all that was written after ``marks``."""
        return [
            (name, "\n".join(lines[marks.get(name, 0) :][-SHOWN_LINES:]))
            for name, lines in self._logs.items()
            if len(lines) > marks.get(name, 0)
        ]


class Program:
    """One program; an async context manager, or :meth:`start` and :meth:`stop`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        logs: LogBook,
        directory: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._command = [str(part) for part in command]
        self._directory = directory
        self._environment = {**os.environ, **(environment or {})}
        self._logs = logs
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.lines: list[str] = []
        self._grew = asyncio.Condition()

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

    @property
    def pid(self) -> int:
        """Of the running program.

        Raises:
            RuntimeError: it does not run.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} does not run")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it; its readiness is the caller's business (:meth:`wait_for_line`)."""
        if self._process is not None:
            raise RuntimeError(f"{self.name} runs already")
        self.lines = self._logs.open(self.name)
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._directory,
            env=self._environment,
            start_new_session=True,
            limit=1024 * 1024,
        )
        self._reader = asyncio.create_task(self._read(self._process))

    async def stop(self, *, grace_s: float = 5.0) -> int | None:
        """End it by SIGTERM, after ``grace_s`` by SIGKILL; gives the exit status."""
        process = self._process
        if process is None:
            return None
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), grace_s)
            except TimeoutError:
                self._note(f"did not end within {grace_s:.0f} s: killed")
                self._kill_group(process)
        return await self._reap(process)

    async def kill(self) -> None:
        """End it and its children by SIGKILL, at once."""
        process = self._process
        if process is not None:
            self._kill_group(process)
            await self._reap(process)

    async def wait(self, *, timeout_s: float) -> int:
        """Wait until it ends by itself; gives the exit status."""
        process = self._process
        if process is None:
            raise RuntimeError(f"{self.name} does not run")
        try:
            await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            raise TimeoutError(f"{self.name} did not end:\n{self.tail()}") from None
        return await self._reap(process)

    async def wait_for_line(
        self, pattern: str, *, count: int = 1, timeout_s: float = 10.0
    ) -> list[str]:
        """Wait until ``count`` lines match; gives all that do.

        Raises:
            TimeoutError: they did not come.
            RuntimeError: it ended before.
        """

        def is_decided() -> bool:
            return len(self.matching(pattern)) >= count or not self.is_running

        try:
            async with asyncio.timeout(timeout_s), self._grew:
                await self._grew.wait_for(is_decided)
        except TimeoutError:
            raise TimeoutError(
                f"{self.name}: no {count} lines like {pattern!r}:\n{self.tail()}"
            ) from None
        found = self.matching(pattern)
        if len(found) < count:
            raise RuntimeError(f"{self.name} ended:\n{self.tail()}")
        return found

    def matching(self, pattern: str) -> list[str]:
        """The lines so far that match."""
        expression = re.compile(pattern)
        return [line for line in self.lines if expression.search(line)]

    def tail(self, count: int = 40) -> str:
        """The last lines, for a failure's text."""
        return "\n".join(self.lines[-count:])

    def _note(self, text: str) -> None:
        self.lines.append(f"[{self.name}: {text}]")

    @staticmethod
    def _kill_group(process: asyncio.subprocess.Process) -> None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    async def _reap(self, process: asyncio.subprocess.Process) -> int:
        status = await process.wait()
        # What it left behind would hold the pipe open for ever.
        self._kill_group(process)
        if self._reader is not None:
            await self._reader
            self._reader = None
        self._process = None
        return status

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            async with self._grew:
                if len(self.lines) < KEPT_LINES:
                    self.lines.append(line.decode(errors="replace").rstrip())
                self._grew.notify_all()
        await process.wait()
        async with self._grew:
            self._note(f"ended with {process.returncode}")
            self._grew.notify_all()
