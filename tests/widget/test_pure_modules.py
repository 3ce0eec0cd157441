"""The widget's pure modules, by Node's own test runner; and its types."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WEB = HERE.parents[1] / "sfdc_widget" / "web"
BUDGET_BYTES = 60_000

pytestmark = [pytest.mark.needs("node")]


async def test_pure_modules() -> None:
    process = await asyncio.create_subprocess_exec(
        "node",
        "--test",
        str(HERE / "pure.test.mjs"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


@pytest.mark.parametrize("host", ["salesforce", "standalone"])
def test_script_and_style_fit_the_budget(host: str) -> None:
    other = {"salesforce": "standalone", "standalone": "salesforce"}[host]
    left_out = {f"app-{other}.js"}
    if host == "standalone":
        left_out.add("open-cti.js")
    shipped = [*WEB.rglob("*.js"), *WEB.rglob("*.css")]
    loaded = [path for path in shipped if path.name not in left_out]
    assert len(loaded) > 10
    assert sum(len(gzip.compress(p.read_bytes())) for p in loaded) < BUDGET_BYTES
