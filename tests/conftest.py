"""What every test shares: real parts that may be missing, and leaks that may not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def program(name: str) -> str | None:
    """Where a real part is installed, or None."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs(*programs): real parts without which the test is left out"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests first: the cheap ones tell first what is broken."""
    items.sort(key=lambda item: item.get_closest_marker("system") is not None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if program(name) is None:
                if os.environ.get("CI") == "true":
                    pytest.fail(f"{name} is not installed, and CI leaves nothing out")
                pytest.skip(f"{name} is not installed: see tests/system/parts.sh")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds pyproject.toml."""
    return Path(__file__).parents[1]
