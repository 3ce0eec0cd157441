"""An append-only file of JSON lines: the last resort while the database is away.

Blocking; call it in a thread. A line is durable when :meth:`Spool.append` returns. A
line torn by a crash is skipped: its writer never got an answer.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

MAX_SPOOL_BYTES = 64 * 1024 * 1024


class SpoolFull(Exception):
    """The spool has reached its bound; nothing was appended."""


class Spool:
    """The file at ``path``, of at most ``max_bytes``; it need not exist."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_SPOOL_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes

    def append(self, values: Iterable[dict[str, Any]]) -> None:
        """Add values in order, all or none of them.

        Raises:
            SpoolFull: they do not fit.
            OSError: the disk refuses.
        """
        data = b"".join(
            json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"
            for value in values
        )
        if not data:
            return
        is_new = not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size + len(data) > self._max_bytes:
                raise SpoolFull(f"{self.path} holds {size} bytes")
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                # A torn line before ours must not swallow it.
                data = b"\n" + data
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            # The file's name is the folder's data.
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def read(self) -> list[dict[str, Any]]:
        """All values, oldest first."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        values = []
        for number, line in enumerate(data.split(b"\n"), start=1):
            if not line:
                continue
            try:
                value = json.loads(line)
            except ValueError:
                logger.warning("spool %s: line %d is torn", self.path, number)
                continue
            if isinstance(value, dict):
                values.append(value)
        return values

    def clear(self) -> None:
        """Everything in it has been kept elsewhere."""
        self.path.unlink(missing_ok=True)
