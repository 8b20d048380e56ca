"""Whether the tests that a requirement cites call the code that it cites: they are run, and watched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from rfc_coverage_anchors import functions
from rfc_coverage_data import Requirement, Rfc, Status
from rfc_coverage_watch import UNSEEN

_TOOLS: Final = Path(__file__).resolve().parent


class Unwatched(Exception):
    """Some test fails; with the end of what pytest says."""


def not_executed(root: Path, rfcs: Sequence[Rfc]) -> Iterator[str]:
    """Run the tests of everything that is done; a line for each citation of code that none of them calls.

    Raises Unwatched.
    """
    done = [(rfc, one) for rfc in rfcs for one in rfc.requirements if one.status is Status.DONE]
    calls = _run(root, sorted({test for _, one in done for test in one.tests}))
    for rfc, one in done:
        for code in _uncalled(root, one, calls):
            yield f"RFC {rfc.number}, {one.id}: no test calls {code}"


def _uncalled(root: Path, one: Requirement, calls: Mapping[str, Sequence[str]]) -> Iterator[str]:
    called = {code for test in one.tests for code in calls.get(test, ())}
    if UNSEEN in called:
        return
    for code in one.code:
        file, _, name = code.partition("::")
        inside = {own for own in functions(root / file) if own == name or own.startswith(f"{name}.")}
        if inside and not any(f"{file}::{own}" in called for own in inside):
            yield code


def _run(root: Path, tests: Sequence[str]) -> dict[str, list[str]]:
    """What each of ``tests`` calls."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "calls.json")
        path = os.pathsep.join(filter(None, (str(_TOOLS), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "rfc_coverage_watch", "-p", "no:cacheprovider", *tests]
        environment = os.environ | {"PYTHONPATH": path, "RFC_COVERAGE_WATCH": str(result)}
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise Unwatched("\n".join((done.stdout + done.stderr).splitlines()[-20:]))
        calls: dict[str, list[str]] = json.loads(result.read_text())
        return calls
