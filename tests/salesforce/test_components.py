"""The Lightning components by Salesforce's own test runner; the grammar of the Apex."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.salesforce.package import PROJECT, SOURCE

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / "node_modules"


async def node(*arguments: str, folder: Path = HERE) -> tuple[int, str]:
    """Exit status and output of a program for Node.js."""
    process = await asyncio.create_subprocess_exec(
        "node",
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.needs("node")
@pytest.mark.needs_npm("@salesforce/sfdx-lwc-jest")
@pytest.mark.timeout(240)
async def test_lightning_components() -> None:
    # The first run compiles what the next ones find in the cache.
    jest = str(MODULES / "jest" / "bin" / "jest.js")
    status, output = await node(jest, "--ci", "--colors=false", folder=PROJECT)
    assert status == 0, output


@pytest.mark.needs("node")
@pytest.mark.needs_npm("@apexdevtools/apex-parser")
@pytest.mark.timeout(240)
async def test_apex_is_apex(tmp_path: Path) -> None:
    classes = [str(path) for path in sorted((SOURCE / "classes").glob("*.cls"))]
    assert len(classes) > 4
    status, output = await node("apex.mjs", *classes)
    assert status == 0, output

    wrong = tmp_path / "Wrong.cls"
    wrong.write_text("public class Wrong { void a() { return new; } }")
    status, output = await node("apex.mjs", str(wrong))
    assert status == 1
    assert "Wrong.cls:1:" in output
