"""A real Kamailio for system tests: registrar, digest, record-routing fork.

It listens on one loopback port (UDP and TCP), keeps everything in a temporary
folder, and is stopped by its own process group. Typical use::

    async with Kamailio(users={"1000": "secret"}, answers={"486": 486}) as proxy:
        ...                       # sip:127.0.0.1:{proxy.port}, domain proxy.domain
        await proxy.wait_for_log(r"REGISTERED 1000")

What it does with requests is in ``kamailio_config/kamailio.cfg.in``: a From in
``domain`` is challenged, any other From may call in; every contact of an AoR is
rung at once, losers get ``Reason: SIP;cause=200;text="Call completed elsewhere"``;
an in-dialog request without its Route gets ``404 Not here - missing Route``;
callers of a number in ``answers`` get that status.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

CONFIG = Path(__file__).parent / "kamailio_config" / "kamailio.cfg.in"
# What ``presence`` needs, for ``pytest.mark.needs``.
PRESENCE_MODULES = "/usr/lib/*/kamailio/modules/presence_dialoginfo.so"
# The empty tables that its packages bring.
DBTEXT = Path("/usr/share/kamailio/dbtext/kamailio")
START_TIMEOUT_S = 15.0

# Callers of these numbers get that status, unless the test says otherwise.
FIXED_ANSWERS: Mapping[str, int] = {"486": 486, "603": 603, "503": 503, "404": 404}


def _free_port() -> int:
    """A loopback port that is free for UDP and for TCP just now."""
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind(("127.0.0.1", port))
                except OSError:
                    continue
            return port
    raise RuntimeError("no port is free for both UDP and TCP")


class Kamailio:
    """One Kamailio process tree.

    Args:
        users: user name to plain password, all of ``domain``.
        answers: called number to the status that its callers get.
        algorithm: of the digest challenges.
        nonce: ``"normal"``; ``"one_time"``, where a second use gets 401
            ``stale=true``; ``"short"``, where a nonce dies after a second.
        ring_s: how long a branch may ring before Kamailio answers 408.
        presence: it also tells who subscribes to ``dialog`` which calls somebody has.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        answers: Mapping[str, int] = FIXED_ANSWERS,
        domain: str = "test.local",
        algorithm: Literal["MD5", "SHA-256"] = "MD5",
        nonce: Literal["normal", "one_time", "short"] = "normal",
        min_expires_s: int = 1,
        ring_s: float = 60.0,
        presence: bool = False,
    ) -> None:
        self.domain = domain
        self.host = "127.0.0.1"
        # Set by start().
        self.port = 0
        self._users = dict(users or {})
        self._answers = dict(answers)
        self._algorithm = algorithm
        self._nonce = nonce
        self._min_expires_s = min_expires_s
        self._ring_s = ring_s
        self._presence = presence
        self._run: Path | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._lines: list[str] = []
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
    def pid(self) -> int | None:
        """Of the main process; None when it does not run."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start and wait until it answers on its control socket and its port.

        Raises:
            RuntimeError: it ended or did not answer; the text is its log.
        """
        for attempt in range(3):
            try:
                await self._start_once()
            except RuntimeError:
                await self.stop()
                # Somebody may have taken the port between the look and the bind.
                if attempt == 2 or not self._log_has("Address already in use"):
                    raise
            else:
                break
        try:
            for name, password in list(self._users.items()):
                await self.add_user(name, password)
            for number, status in list(self._answers.items()):
                await self.set_answer(number, status)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the process tree and delete its folder. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 5)
                except TimeoutError:
                    os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
            try:
                # children outlive a main process that was killed from outside
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self._reader is not None:
            await self._reader
            self._reader = None
        if self._run is not None:
            shutil.rmtree(self._run, ignore_errors=True)
            self._run = None

    async def add_user(self, name: str, password: str) -> None:
        """Add a user or change the password, at any time while it runs."""
        await self.rpc("htable.sets", "users", f"s:{name}", f"s:{password}")
        self._users[name] = password

    async def set_answer(self, number: str, status: int) -> None:
        """From now on callers of ``number`` get ``status``."""
        await self.rpc("htable.sets", "answers", f"s:{number}", f"s:{status}")
        self._answers[number] = status

    async def clear_answer(self, number: str) -> None:
        """Callers of ``number`` reach its registered contacts again."""
        await self.rpc("htable.delete", "answers", f"s:{number}")
        self._answers.pop(number, None)

    @asynccontextmanager
    async def switched(self, name: str, value: str | int) -> AsyncIterator[None]:
        """Meanwhile it does otherwise.

        ``ring_ms``: how long it rings; ``from_user``: user part of every caller's From.
        """
        await self.rpc("htable.sets", "switches", f"s:{name}", f"s:{value}")
        try:
            yield
        finally:
            await self.rpc("htable.delete", "switches", f"s:{name}")

    async def contacts(self) -> str:
        """The location table, as the control command prints it."""
        return await self.rpc("ul.dump")

    async def rpc(self, *arguments: str) -> str:
        """Run one control command.

        Raises:
            RuntimeError: it was refused; the text is its answer.
        """
        if self._run is None:
            raise RuntimeError("Kamailio does not run")
        process = await asyncio.create_subprocess_exec(
            "kamcmd",
            "-s",
            f"unix:{self._run}/ctl",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_environment(),
        )
        output, _ = await process.communicate()
        text = output.decode(errors="replace")
        if process.returncode != 0 or text.startswith("error:"):
            raise RuntimeError(f"{arguments[0]}: {text.strip()}")
        return text

    def log_lines(self, pattern: str = "") -> list[str]:
        """What the script logged so far, the lines that match ``pattern``.

        The script writes ``REQUEST method uri``, ``CHALLENGE method user code=N``,
        ``REGISTERED user``, ``BRANCH n -> uri``, ``REPLY status method`` and
        ``MISSING ROUTE method uri``; with ``presence`` ``PRESENCE method user``.
        """
        return [line for line in self._lines if re.search(pattern, line)]

    async def wait_for_log(
        self, pattern: str, *, count: int = 1, timeout_s: float = 10.0
    ) -> list[str]:
        """Wait until ``count`` log lines match; returns all that do.

        Raises:
            TimeoutError: they did not come; the text has the log.
        """
        try:
            async with asyncio.timeout(timeout_s), self._grew:
                await self._grew.wait_for(lambda: len(self.log_lines(pattern)) >= count)
        except TimeoutError:
            tail = "\n".join(self._lines[-40:])
            raise TimeoutError(
                f"no {count} lines like {pattern!r} in:\n{tail}"
            ) from None
        return self.log_lines(pattern)

    def _log_has(self, text: str) -> bool:
        return any(text in line for line in self._lines)

    async def _start_once(self) -> None:
        self.port = _free_port()
        # A unix socket's path may have 107 bytes: pytest's own folders are too deep.
        self._run = Path(tempfile.mkdtemp(prefix="kamailio-"))
        if self._presence:
            shutil.copytree(DBTEXT, self._run / "dbtext")
        config = self._run / "kamailio.cfg"
        config.write_text(self._rendered(), encoding="utf-8")
        self._lines.clear()
        self._process = await asyncio.create_subprocess_exec(
            "kamailio",
            *("-f", str(config), "-DD", "-E", "-m", "32", "-M", "8"),
            *("-w", str(self._run), "-Y", str(self._run)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read_log(self._process))
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not await self._answers_now():
                    if self._process.returncode is not None:
                        raise TimeoutError
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log = "\n".join(self._lines[-40:])
            raise RuntimeError(f"Kamailio did not start:\n{log}") from None

    async def _answers_now(self) -> bool:
        try:
            await self.rpc("core.uptime")
            _, writer = await asyncio.open_connection(self.host, self.port)
        except (RuntimeError, OSError):
            return False
        writer.close()
        await writer.wait_closed()
        return True

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            async with self._grew:
                self._lines.append(line.decode(errors="replace").rstrip())
                self._grew.notify_all()

    def _rendered(self) -> str:
        values = {
            "PORT": str(self.port),
            "RUN": str(self._run),
            "DOMAIN": self.domain,
            "ALGORITHM": self._algorithm,
            "NONCE_S": "1" if self._nonce == "short" else "300",
            "MIN_EXPIRES": str(self._min_expires_s),
            "RING_MS": str(int(self._ring_s * 1000)),
        }
        text = CONFIG.read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        if self._nonce == "one_time":
            text = text.replace("#!KAMAILIO", "#!KAMAILIO\n#!define NONCE_ONE_TIME", 1)
        if self._presence:
            text = text.replace("#!KAMAILIO", "#!KAMAILIO\n#!define WITH_PRESENCE", 1)
        return text


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"}
