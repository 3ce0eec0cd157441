"""What a reader must know to judge a figure: the machine, the versions, the day."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("aiortc", "pylibsrtp", "uvloop", "aiohttp")
# How each program says its version; none is ever more than a line of digits and dots.
PROGRAMS = {
    "rtpengine": ("--version",),
    "janus": ("--version",),
    "kamailio": ("-v",),
    "chromium": ("--version",),
}
_VERSION = re.compile(r"\d+\.\d+(\.\d+)*")


@dataclass(frozen=True, slots=True)
class Conditions:
    """Of one run; nothing in it names the machine or a place on it."""

    day: str
    commit: str
    processor: str
    cores: int
    memory_gb: float
    kernel: str
    python: str
    versions: tuple[tuple[str, str], ...]


def read_conditions(day: datetime.date) -> Conditions:
    """Look at this machine."""
    packages = [(name, importlib.metadata.version(name)) for name in PACKAGES]
    programs = [
        (name, version)
        for name, options in PROGRAMS.items()
        if (version := _version_of(name, options))
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Conditions(
        day=day.isoformat(),
        commit=_commit(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gb=round(pages / 2**30, 1),
        kernel=platform.release().partition("-")[0],
        python=platform.python_version(),
        versions=(*packages, *programs),
    )


def _output(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def _version_of(program: str, options: Sequence[str]) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    found = _VERSION.search(_output([path, *options])) if path else None
    return found[0] if found else ""


def _commit() -> str:
    commit = _output(["git", "rev-parse", "--short", "HEAD"]).strip()
    is_changed = _output(["git", "status", "--porcelain", "--", "gateway", "sip"])
    return f"{commit} with changes" if is_changed.strip() else commit


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
