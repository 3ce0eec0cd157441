"""A TLS terminator before the service, as an operator has one.

Salesforce's pages are https, so the widget in them has to be. It also is the wire
between page and service, which a test can cut.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.sandbox.salesforce.certificates import make_certificate
from tests.system.ports import free_port

HOST = "phone.acme.example"
CHUNK_BYTES = 64 * 1024


class TlsFront:
    """Listens with TLS on ``port`` and passes everything on to ``target_port``."""

    def __init__(self, *, target_port: int, directory: Path) -> None:
        self.port = free_port()
        self.url = f"https://{HOST}:{self.port}"
        self._target_port = target_port
        self._directory = directory
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        # While False new connections are dropped, too.
        self._is_up = True

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._server = await asyncio.start_server(
            self._serve,
            "127.0.0.1",
            self.port,
            ssl=make_certificate().server_context(self._directory),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def cut(self) -> int:
        """Reset every connection and let none come; gives how many there were."""
        self._is_up = False
        return self.drop()

    def mend(self) -> None:
        """Let connections come again."""
        self._is_up = True

    def drop(self) -> int:
        """Reset every connection, once; gives how many there were."""
        for writer in self._writers:
            writer.transport.abort()
        return len(self._writers)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if not self._is_up:
            writer.transport.abort()
            return
        try:
            back_reader, back_writer = await asyncio.open_connection(
                "127.0.0.1", self._target_port
            )
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, back_writer}
        self._writers |= pair
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pipe(reader, back_writer))
                group.create_task(_pipe(back_reader, writer))
        finally:
            self._writers -= pair
            for each in pair:
                each.transport.abort()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()
    except (ConnectionError, RuntimeError, ssl.SSLError):
        # The other side went first; the pair is torn down together.
        writer.transport.abort()
