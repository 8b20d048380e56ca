"""Scripts as tests: collected only where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

import usertcp.drill.runner  # noqa: F401 - loaded before, or each run inside of this one would load it anew

pytest_plugins = ["pytester"]

Run: TypeAlias = Callable[..., tuple[int, str]]

PASSES = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
FAILS = PASSES + "+0 close(3) = -1 EBADF (Bad file descriptor)\n"
UNSUPPORTED = PASSES + "+0 frobnicate(3) = 0\n"
LEFT = PASSES + "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n+0 connect(3, ..., ...) = -1 EINPROGRESS (now)\n"


@pytest.fixture
def project(pytester: pytest.Pytester) -> Path:
    for name, text in (("passes", PASSES), ("fails", FAILS), ("unsupported", UNSUPPORTED), ("left", LEFT)):
        (pytester.path / "scripts").mkdir(exist_ok=True)
        (pytester.path / "scripts" / f"{name}.pkt").write_text(text)
    (pytester.path / "other").mkdir()
    (pytester.path / "other" / "passes.pkt").write_text(PASSES)
    return pytester.path


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    def run_pytest(ini: str, *arguments: str) -> tuple[int, str]:
        pytester.makeini(f"[pytest]\n{ini}\n")
        done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rA", *arguments)
        return int(done.ret), done.stdout.str() + done.stderr.str()

    return run_pytest


def test_nothing_is_collected_unless_asked_for(project: Path, run: Run) -> None:
    status, output = run("")
    assert status == 5
    assert "no tests ran" in output


def test_directories_that_are_asked_for(project: Path, run: Run) -> None:
    status, output = run("drill_paths = scripts")
    assert status == 1
    assert "1 failed, 2 passed, 1 skipped" in output
    assert "close() is not as expected: result: expected -1 EBADF, got 0" in output
    assert "+0 close(3) = -1 EBADF (Bad file descriptor)" in output
    assert "Traceback" not in output
    assert "unsupported: line 2: the system call frobnicate()" in output


def test_the_option_collects_everywhere(project: Path, run: Run) -> None:
    status, output = run("", "--drill", "--drill-profile", "linux")
    assert status == 1
    assert "1 failed, 3 passed, 1 skipped" in output


def test_how_they_are_run(project: Path, run: Run) -> None:
    status, output = run("drill_paths = scripts\ndrill_strict_end = true\ndrill_profile = freebsd")
    assert "packets left that the script does not expect: 1" in output
    assert status == 1


def test_directories_may_have_profiles_of_their_own(project: Path, run: Run) -> None:
    name = "+0 setsockopt(3, SOL_TCP, TCP_CORK, [0], 4) = 0\n"  # FreeBSD has no such name
    for directory in ("a", "a/b", "c"):
        (project / directory).mkdir()
        (project / directory / "x.pkt").write_text(PASSES + name)
    ini = "drill_paths = a c\ndrill_profile = linux\ndrill_profiles =\n  a freebsd\n  a/b linux"
    status, output = run(ini)
    assert status == 0
    assert "2 passed, 1 skipped" in output
    assert "3 skipped" in run(ini, "--drill-profile=freebsd")[1]


@pytest.mark.parametrize("ini", ["drill_profile = plan9", "drill_profiles = scripts plan9", "drill_ignore = nonsense"])
def test_a_wrong_setting_is_said(project: Path, run: Run, ini: str) -> None:
    status, output = run(f"drill_paths = scripts\n{ini}")
    assert status != 0
    assert "there are" in output
