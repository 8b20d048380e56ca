"""Processes of the benchmark's own: forked, measured from outside, and gone when it is.

Forked and not executed anew, since a process in a user namespace loses its capabilities, and with them
the right to make a TUN, when it executes another program.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Final

from usertcp.runtime import namespace

_FORK: Final = multiprocessing.get_context("fork")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class ChildError(Exception):
    """A process of ours failed, or did not answer in time; ``str(error)`` says which and why."""


class Child:
    """``function(pipe, *arguments)`` in a process of its own, which dies with this one.

    What the function returns, and what it sends on ``pipe`` before, is had by :meth:`receive`.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.name = function.__name__
        self._pipe, theirs = _FORK.Pipe()
        self._process = _FORK.Process(target=_run, args=(self._pipe, theirs, function, arguments), daemon=True)
        self._process.start()
        theirs.close()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def receive(self, timeout: float) -> Any:
        """The next answer.  Raises :class:`ChildError`, also after ``timeout`` seconds without one."""
        try:
            if not self._pipe.poll(timeout):
                raise ChildError(f"{self.name} gave no answer in {timeout:g} s")
            failed, answer = self._pipe.recv()
        except (EOFError, ConnectionError):
            raise ChildError(f"{self.name} ended without an answer") from None
        if failed:
            raise ChildError(f"{self.name} failed: {answer}")
        return answer

    def send(self, value: object) -> None:
        """Hand ``value`` to the function, which gets it by ``pipe.recv()``."""
        self._pipe.send(value)

    def cpu_seconds(self) -> float:
        """User and system time used so far, to the nanosecond."""
        # What clock_getcpuclockid(3) computes: Python has it for threads only.
        return time.clock_gettime(~self.pid << 3 | 2)

    def resident_bytes(self) -> int:
        """Physical memory in use (RSS)."""
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE

    def stop(self) -> None:
        """End the process, at once."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def call(timeout: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """What ``function(pipe, *arguments)`` returns, run in a process of its own.  Raises :class:`ChildError`."""
    with Child(function, *arguments) as child:
        return child.receive(timeout)


def _run(parents: Connection, pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    namespace.die_with_parent()
    parents.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair: it ends us
    try:
        pipe.send((False, function(pipe, *arguments)))
    except BaseException as error:
        if os.environ.get("BENCH_TRACEBACKS"):
            traceback.print_exc()
        pipe.send((True, f"{type(error).__name__}: {error}"))


def answer(pipe: Connection, value: object) -> None:
    """In the child: let the parent's :meth:`Child.receive` return ``value`` while the function goes on."""
    pipe.send((False, value))
