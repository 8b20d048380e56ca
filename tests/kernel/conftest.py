"""Every test in this directory meets a real kernel, so each runs in a network namespace of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# Whoever is not root runs all kernel tests without privileges already.
collect_ignore = [] if os.geteuid() == 0 else ["test_rootless.py"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.kernel)
