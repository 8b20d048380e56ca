"""Collects packetdrill scripts: each ``.pkt`` file is a test, whose failure shows the diff.

Off unless asked for, so that nobody's files are collected by surprise: ``pytest --drill``, or in the configuration
``drill_paths``, a list of directories below which scripts are collected.  ``drill_profile``, ``drill_ignore``,
``drill_options`` (packetdrill's, as ``--mtu=1400``) and ``drill_strict_end`` say how they are run, and
``drill_profiles`` which directories have a profile of their own.  An unsupported script is skipped, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from usertcp.drill.outcome import Outcome
    from usertcp.drill.runner import How

# The interpreter is loaded when there is a script to run, and not in every run of pytest.

_SUFFIX: Final = ".pkt"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The ways to ask for it, and to say how."""
    group = parser.getgroup("drill", "packetdrill scripts (usertcp)")
    group.addoption("--drill", action="store_true", default=False, help=f"collect {_SUFFIX} files everywhere")
    group.addoption("--drill-profile", metavar="NAME", help="whose defaults the stack has (ini: drill_profile)")
    parser.addini("drill_paths", f"directories below which {_SUFFIX} files are collected", "paths", [])
    parser.addini("drill_profile", "whose defaults the stack has: linux, freebsd or usertcp", "string", "usertcp")
    parser.addini("drill_profiles", "profiles of directories: lines of DIRECTORY PROFILE", "linelist", [])
    parser.addini("drill_ignore", "what is relaxed, as usertcp drill --ignore has it", "args", [])
    parser.addini("drill_options", "packetdrill's own options, as --mtu=1400", "args", [])
    parser.addini("drill_strict_end", "a packet after the last expectation is a failure", "bool", False)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A script, if scripts are asked for here."""
    config = parent.config
    if file_path.suffix != _SUFFIX:
        return None
    asked = config.getoption("--drill") or any(
        file_path.is_relative_to(directory) for directory in config.getini("drill_paths")
    )
    return ScriptFile.from_parent(parent, path=file_path) if asked else None


class ScriptFile(pytest.File):
    """One file with one script."""

    def collect(self) -> Iterable[pytest.Item]:
        """The one test in it."""
        yield ScriptItem.from_parent(self, name=self.path.stem)


class ScriptFailed(Exception):
    """A script failed; carries its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class ScriptItem(pytest.Item):
    """One script."""

    @property
    def obj(self) -> Any:
        """What is run: other plugins (pytest-trio) take it for granted that an item has a function."""
        return self.runtest

    def runtest(self) -> None:
        """Raises ScriptFailed; skips what is unsupported."""
        from usertcp.drill.outcome import Result
        from usertcp.drill.runner import run_file

        outcome = run_file(str(self.path), _how(self.config, self.path))
        if outcome.result is Result.UNSUPPORTED:
            pytest.skip(f"unsupported: line {outcome.line}: {outcome.reason}")
        if outcome.result is Result.FAILED:
            raise ScriptFailed(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The reason and the diff, and not how we got there."""
        if isinstance(excinfo.value, ScriptFailed):
            outcome = excinfo.value.outcome
            return f"{self.path}:{outcome.line}: {outcome.reason}\n{outcome.detail}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it is."""
        return self.path, 0, f"script: {self.name}"


def _how(config: pytest.Config, path: Path) -> How:
    from usertcp.drill.ignore import UnknownIgnore
    from usertcp.drill.ignore import parse as parse_ignore
    from usertcp.drill.runner import How

    try:
        ignore = parse_ignore(config.getini("drill_ignore"))
    except UnknownIgnore as error:
        raise pytest.UsageError(f"drill_ignore: {error}") from None
    pairs = [text.removeprefix("--").partition("=") for text in config.getini("drill_options")]
    options = [(name, value) for name, _, value in pairs]
    return How(_profile(config, path), ignore, options, strict_end=config.getini("drill_strict_end"))


def _profile(config: pytest.Config, path: Path) -> str:
    """That of the option, else that of the innermost directory that has one, else the usual one."""
    from usertcp.drill.profiles import NAMES

    name = config.getoption("--drill-profile") or config.getini("drill_profile")
    deepest = -1
    for line in () if config.getoption("--drill-profile") else config.getini("drill_profiles"):
        directory, _, own = line.rpartition(" ")
        below = (config.rootpath / directory.strip()).parts
        if path.parts[: len(below)] == below and len(below) > deepest:
            deepest, name = len(below), own
    if name not in NAMES:
        raise pytest.UsageError(f"drill_profile {name}: there are {', '.join(NAMES)}")
    return str(name)
