"""What can be known of the image without an engine to build it.

The Dockerfile and the compose file are read as text and data; what the image would
run is built as the wheel that it installs and started with no rights at all.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import zipfile
from pathlib import Path

import aiohttp
import pytest
import yaml

from gateway.cli import main
from tests.system.ports import free_ports

REPOSITORY = Path(__file__).parents[2]
DOCKER = REPOSITORY / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """(INSTRUCTION, rest) of each, continued lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M).replace("\\\n", " ")
    return [
        (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1])
        for line in text.splitlines()
        if line.strip()
    ]


def last_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(i for i, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def test_it_runs_as_a_user_without_rights() -> None:
    users = [rest for name, rest in last_stage() if name == "USER"]
    assert users == ["10001:10001"]
    names = [name for name, _ in last_stage()]
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_everything_it_copies_is_there_and_not_ignored() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").split()
    for name, rest in instructions():
        if name != "COPY" or rest.startswith("--from"):
            continue
        for source in rest.split()[:-1]:
            assert (REPOSITORY / source).exists()
            assert source not in ignored


def test_its_command_is_one_that_exists(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    parts = dict(last_stage())
    assert json.loads(parts["ENTRYPOINT"]) == ["ringbridge"]
    command = json.loads(parts["CMD"])
    assert command[:2] == ["serve", "--config"]
    # The file is not there on this machine: the command is understood and says so.
    assert main([*command[:2], str(tmp_path / "missing.yaml")]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_dependencies_are_installed_by_hash() -> None:
    assert "--require-hashes -r requirements.lock" in DOCKERFILE


def test_compose_names_what_exists() -> None:
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    service = compose["services"]["ringbridge"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    for each in compose["services"].values():
        for volume in each.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DOCKER / source).resolve().exists()
            else:
                assert source in compose["volumes"]
    assert (DOCKER / service["build"]["dockerfile"].removeprefix("docker/")).exists()
    config = service["command"][-1].replace("/etc/ringbridge", "sample_configs")
    assert (REPOSITORY / config).exists()
    example = (DOCKER / "ringbridge.env.example").read_text(encoding="utf-8")
    settings = [
        line
        for line in (REPOSITORY / config).read_text("utf-8").splitlines()
        if not line.lstrip().startswith("#")
    ]
    wanted = set(re.findall(r"env: (\w+)", "\n".join(settings)))
    assert wanted == set(re.findall(r"^(\w+)=", example, flags=re.M))


CONFIG = """\
signing_key: {key}
http: {{host: 127.0.0.1, port: {http}, public_url: "http://127.0.0.1:{http}"}}
sip: {{bind_host: 127.0.0.1, bind_port: 0}}
media: {{browser_port: 0, rtp_port_min: 0, rtp_port_max: 0}}
tenants:
  - id: acme
    application_server: {{domain: acme.example, registrar: "sip:127.0.0.1:{sip}"}}
    users: [{{id: robin, name: Robin, sip: {{username: "1000", password: x}}}}]
"""


@pytest.mark.system
@pytest.mark.needs("unshare")
async def test_what_it_installs_serves_without_any_rights(tmp_path: Path) -> None:
    """The wheel has all it needs, and the process needs to be nobody special."""
    wheel = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
        *("--wheel-dir", str(tmp_path), str(REPOSITORY)),
    )
    assert await wheel.wait() == 0
    installed, home = tmp_path / "installed", tmp_path / "home"
    (built,) = tmp_path.glob("ringbridge-*.whl")
    zipfile.ZipFile(built).extractall(installed)
    home.mkdir()
    http = free_ports(2)
    (home / "ringbridge.yaml").write_text(
        CONFIG.format(key="k" * 32, http=http, sip=http + 1), encoding="utf-8"
    )
    # In a user namespace of its own a process has no capability outside of it.
    service = await asyncio.create_subprocess_exec(
        *("unshare", "--user", sys.executable, "-m", "gateway.cli", "serve"),
        *("--config", "ringbridge.yaml"),
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(installed)},
        stderr=asyncio.subprocess.PIPE,
    )
    assert service.stderr is not None
    try:
        async with asyncio.timeout(30):
            while b"serving on" not in (line := await service.stderr.readline()):
                assert line, "it ended"
        async with aiohttp.ClientSession(f"http://127.0.0.1:{http}") as browser:
            for path in ("/health/ready", "/widget/", "/widget/salesforce"):
                async with browser.get(path) as response:
                    assert response.status == 200, path
    finally:
        service.terminate()
        await service.communicate()
    assert service.returncode == 0
    assert (home / "ringbridge.db").exists()
