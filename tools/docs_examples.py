"""The examples in README.md and docs/: commands that a reader can type, with what they print.

An example is a block marked ``console``.  Its lines that begin with ``$ `` are commands (``> `` continues
one), the lines after each are what it printed, on stdout and stderr, when it was last run.  A command runs
in the project's directory with an empty stdin and with usertcp's own virtual environment first on PATH.
Blocks marked ``sh`` are for the reader only: they need root, a password, or more time than a test has.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_OPENING = "```console"
_CLOSING = "```"
_TIMEOUT = 60.0


class Example(NamedTuple):
    """One command: on which line (from 1) it stands, what to run, and what it printed."""

    line: int
    command: str
    output: tuple[str, ...]


def written_by_hand(root: Path) -> Iterator[Path]:
    """The pages that people write."""
    yield root / "README.md"
    yield root / "CHANGELOG.md"
    for page in sorted((root / "docs").glob("*.md")):
        if "Made by tools/make_docs" not in page.read_text():
            yield page


def examples(text: str) -> Iterator[Example]:
    """The examples of one page, in order."""
    inside = False
    command: list[str] = []
    output: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        begins = inside and line.startswith("$ ")
        if command and (begins or (inside and line == _CLOSING)):
            yield Example(start, "\n".join(command), tuple(output))
            command, output = [], []
        if line == _OPENING or (inside and line == _CLOSING):
            inside = line == _OPENING
        elif begins:
            start, command = number, [line[2:]]
        elif inside and line.startswith("> ") and not output:
            command.append(line[2:])
        elif inside:
            output.append(line)


def run(example: Example, root: Path) -> tuple[str, ...]:
    """The lines that the command prints; raises subprocess.TimeoutExpired."""
    binaries = os.path.dirname(sys.executable)
    environment = os.environ | {"PATH": f"{binaries}:{os.environ['PATH']}", "COLUMNS": "80", "PYTHONUTF8": "1"}
    done = subprocess.run(
        ["bash", "-c", example.command],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_TIMEOUT,
        check=False,
    )
    return tuple(line.rstrip() for line in done.stdout.decode(errors="replace").splitlines())


def refreshed(text: str, root: Path) -> str:
    """The page with every example run again."""
    lines = text.splitlines()
    for example in reversed(list(examples(text))):
        begin = example.line + example.command.count("\n")
        lines[begin : begin + len(example.output)] = run(example, root)
    return "\n".join(lines) + "\n"


#: Our states in their order, and the exit status where it is printed.
_STORY = re.compile(r"^(?:#\d+)? *[\d.]+ ([A-Z][A-Z0-9-]+) +◆|^(exit status \d+)$")


def story(output: tuple[str, ...]) -> list[str]:
    """What ``output`` tells, without the times and numbers that differ from run to run."""
    return [found[1] or found[2] for line in output if (found := _STORY.search(line))]


def tells_the_same(example: Example, output: tuple[str, ...]) -> bool:
    """Whether ``output`` has the story of ``example``; of two that ``tail`` cut, one may begin earlier."""
    shorter, longer = sorted((story(example.output), story(output)), key=len)
    if "| tail " in example.command:
        return longer[len(longer) - len(shorter) :] == shorter and bool(shorter) == bool(longer)
    return shorter == longer
