"""Scripts as tests: collected only where that is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PASSES = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
FAILS = PASSES + "+0 close(3) = -1 EBADF (Bad file descriptor)\n"
UNSUPPORTED = PASSES + "+0 frobnicate(3) = 0\n"
LEFT = PASSES + "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n+0 connect(3, ..., ...) = -1 EINPROGRESS (now)\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in (("passes", PASSES), ("fails", FAILS), ("unsupported", UNSUPPORTED), ("left", LEFT)):
        (tmp_path / "scripts").mkdir(exist_ok=True)
        (tmp_path / "scripts" / f"{name}.pkt").write_text(text)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "passes.pkt").write_text(PASSES)
    return tmp_path


def pytest_in(project: Path, ini: str, *arguments: str) -> tuple[int, str]:
    (project / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *arguments],
        cwd=project, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_nothing_is_collected_unless_asked_for(project: Path) -> None:
    status, output = pytest_in(project, "")
    assert status == 5
    assert "no tests ran" in output


def test_directories_that_are_asked_for(project: Path) -> None:
    status, output = pytest_in(project, "drill_paths = scripts")
    assert status == 1
    assert "1 failed, 2 passed, 1 skipped" in output
    assert "close() is not as expected: result: expected -1 EBADF, got 0" in output
    assert "+0 close(3) = -1 EBADF (Bad file descriptor)" in output
    assert "Traceback" not in output
    assert "unsupported: line 2: the system call frobnicate()" in output


def test_the_option_collects_everywhere(project: Path) -> None:
    status, output = pytest_in(project, "", "--drill", "--drill-profile", "linux")
    assert status == 1
    assert "1 failed, 3 passed, 1 skipped" in output


def test_how_they_are_run(project: Path) -> None:
    status, output = pytest_in(project, "drill_paths = scripts\ndrill_strict_end = true\ndrill_profile = freebsd")
    assert "packets left that the script does not expect: 1" in output
    assert status == 1


@pytest.mark.parametrize("ini", ["drill_profile = plan9", "drill_ignore = nonsense"])
def test_a_wrong_setting_is_said(project: Path, ini: str) -> None:
    status, output = pytest_in(project, f"drill_paths = scripts\n{ini}")
    assert status != 0
    assert "there are" in output
