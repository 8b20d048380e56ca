"""A pytest plugin for tools/rfc_coverage --executed: which functions of the package each test calls.

They are written, as JSON, to the file that RFC_COVERAGE_WATCH names: by the test's id without parameters, or by the
name of its script, "usertcp/tcp/arrival.py::segment_arrives" and the like.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from types import CodeType, FrameType

import pytest

#: Instead of functions, for a test that runs in a process of its own, where nobody watches.
UNSEEN = "?"

_called: set[CodeType] = set()
_by_test: dict[str, set[str]] = {}


def _watch(frame: FrameType, event: str, _argument: object) -> None:
    if event == "call":
        _called.add(frame.f_code)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Watch one test."""
    _called.clear()
    threading.setprofile(_watch)
    sys.setprofile(_watch)
    try:
        return (yield)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        called = _by_test.setdefault(_name(item), set())
        called |= set(filter(None, (_citation(code, item.config.rootpath) for code in _called)))
        if item.get_closest_marker("kernel"):
            called.add(UNSEEN)


def _name(item: pytest.Item) -> str:
    file, _, test = item.nodeid.partition("::")
    return file if file.endswith(".pkt") else f"{file}::{test.partition('[')[0]}"


def _citation(code: CodeType, root: Path) -> str | None:
    path = Path(code.co_filename)
    if not path.is_relative_to(root / "usertcp"):
        return None
    return f"{path.relative_to(root)}::{code.co_qualname}"


def pytest_sessionfinish() -> None:
    """All tests have been run."""
    Path(os.environ["RFC_COVERAGE_WATCH"]).write_text(json.dumps({test: sorted(c) for test, c in _by_test.items()}))
