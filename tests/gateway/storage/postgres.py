"""A PostgreSQL server of the tests' own: in a temporary folder, on a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """The folder with initdb and postgres, None if they are not installed."""
    found = shutil.which("initdb")
    if found and shutil.which("postgres"):
        return Path(found).resolve().parent
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run one; gives the URL of its default database."""
    # PostgreSQL refuses to run as root, and its user must reach its folder.
    user = _unprivileged()
    data = Path(tempfile.mkdtemp(prefix="ringbridge-postgres-"))
    if user is not None:
        os.chown(data, user.pw_uid, user.pw_gid)
    try:
        create = [folder / "initdb", "-D", data / "db", "-U", "ringbridge"]
        _run([*create, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"], user)
        port = _free_port()
        settings = ("listen_addresses=127.0.0.1", f"unix_socket_directories={data}")
        serve = [folder / "postgres", "-D", data / "db", "-p", str(port)]
        for setting in (*settings, "fsync=off"):
            serve += ["-c", setting]
        process = subprocess.Popen(
            serve,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_as(user),
        )
        try:
            _wait_until_ready(folder, port, process)
            yield f"postgresql://ringbridge@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _as(user: pwd.struct_passwd | None) -> dict[str, object]:
    if user is None:
        return {"cwd": "/"}
    return {
        "cwd": "/",
        "user": user.pw_uid,
        "group": user.pw_gid,
        "extra_groups": [],
    }


def _run(command: list[object], user: pwd.struct_passwd | None) -> None:
    subprocess.run(
        [str(part) for part in command],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=60,
        **_as(user),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(
    folder: Path, port: int, process: subprocess.Popen[bytes]
) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done = subprocess.run(
            [folder / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)],
            check=False,
        )
        if done.returncode == 0:
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError("PostgreSQL did not start")
