"""tools/rfc_coverage --executed: cited tests that do not call the code that they are cited for."""

from __future__ import annotations

from pathlib import Path

import pytest
from rfc_coverage_data import Requirement, Rfc, Status
from rfc_coverage_executed import Unwatched, not_executed

SOURCE = """\
LIMIT = 1

class Thing:
    def __init__(self):
        self.size = LIMIT
    def grow(self):
        self.size += 1

def used(): return Thing()

def unused(): ...
"""
TESTS = """\
import threading
import pytest
from usertcp import a

def test_using(): a.used()

@pytest.mark.parametrize("times", [0, 1])
def test_growing(times):
    thing = a.Thing()
    for _ in range(times):
        thing.grow()

def test_in_a_thread():
    thread = threading.Thread(target=a.unused)
    thread.start()
    thread.join()

@pytest.mark.kernel
def test_elsewhere(): ...

def test_failing(): assert not a.used()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # ours is of the package that stands aside here
    for folder in ("usertcp", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "usertcp/__init__.py").touch()
    (tmp_path / "usertcp/a.py").write_text(SOURCE)
    (tmp_path / "tests/test_a.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\nmarkers =\n    kernel: in another process\n")
    return tmp_path


def rfc(code: list[str], tests: list[str]) -> Rfc:
    one = Requirement(
        id="2-1", section="2", level="MUST", text="It works.", status=Status.DONE,
        code=tuple(f"usertcp/a.py::{name}" for name in code), tests=tuple(f"tests/test_a.py::{name}" for name in tests),
    )  # fmt: skip
    return Rfc(number=9293, title="TCP", requirements=(one,))


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        (["used", "Thing", "LIMIT"], ["test_using"]),
        (["used", "Thing.grow"], ["test_using", "test_growing"]),
        (["unused"], ["test_in_a_thread"]),
        (["unused"], ["test_elsewhere"]),
    ],
)
def test_code_that_is_called(project: Path, code: list[str], tests: list[str]) -> None:
    assert list(not_executed(project, [rfc(code, tests)])) == []


def test_code_that_is_not_called(project: Path) -> None:
    assert list(not_executed(project, [rfc(["used", "Thing.grow", "unused"], ["test_using"])])) == [
        "RFC 9293, 2-1: no test calls usertcp/a.py::Thing.grow",
        "RFC 9293, 2-1: no test calls usertcp/a.py::unused",
    ]


def test_tests_that_fail(project: Path) -> None:
    with pytest.raises(Unwatched, match="1 failed"):
        list(not_executed(project, [rfc(["used"], ["test_failing"])]))
