"""Runs the command line for real."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from usertcp.cli import main


class Ended(NamedTuple):
    """How a run ended; ``status`` is negative for the signal that killed it."""

    status: int
    out: str
    err: str


class Running:
    """``usertcp ARGUMENTS`` in a forked process.

    Forked, not executed: in a user namespace without root an exec loses the capabilities over it.  As ``user``,
    another uid, if that is given.
    """

    def __init__(
        self,
        directory: Path,
        *arguments: str,
        stdin: bytes = b"",
        stdout_closed: bool = False,
        user: int | None = None,
    ) -> None:
        #: Where its standard output goes.
        self.out_path = directory / "stdout"
        source = directory / "stdin"
        source.write_bytes(stdin)
        self.out_path.touch()
        reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(os.open(source, os.O_RDONLY), 0)
            os.dup2(_pipe_without_reader() if stdout_closed else os.open(self.out_path, os.O_WRONLY), 1)
            os.dup2(writer, 2)
            os.close(reader)
            if user is not None:
                os.setresuid(user, user, user)
            _run(arguments)
        os.close(writer)
        self._err = open(reader, encoding="utf-8", errors="surrogateescape")  # noqa: SIM115 - closed by end()
        #: What :meth:`wait_until` has read of stderr.
        self.seen = ""
        self._ended = False

    def wait_until(self, words: str) -> None:
        """Until a line with ``words`` was written to stderr."""
        while words not in self.seen:
            line = self._err.readline()
            assert line, f"it ended and never said {words!r}: {self.seen}"
            self.seen += line

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self) -> Ended:
        """Wait for it."""
        self._ended = True
        with self._err:
            err = self.seen + self._err.read()
        _, status = os.waitpid(self.pid, 0)
        return Ended(os.waitstatus_to_exitcode(status), self.out_path.read_text(), err)

    def kill(self) -> None:
        if not self._ended:
            self.signal(signal.SIGKILL)
            self.end()


def _pipe_without_reader() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def _run(arguments: tuple[str, ...]) -> None:
    status = 99
    try:
        sys.stdin, sys.stdout = open(0), open(1, "w", encoding="utf-8")  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", buffering=1)  # noqa: SIM115
        main(list(arguments), prog_name="usertcp")
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else 98
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


@pytest.fixture
def usertcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """``usertcp("listen", "80", stdin=b"...")`` starts it."""
    started: list[Running] = []

    def start(*arguments: str, **options: Any) -> Running:
        running = Running(tmp_path_factory.mktemp("run"), *arguments, **options)
        started.append(running)
        return running

    yield start
    for running in started:
        running.kill()
