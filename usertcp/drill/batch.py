"""Many scripts: which files, and how they are spread over processors."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final

from usertcp.drill.outcome import Outcome, Result
from usertcp.drill.runner import How, run_file

SUFFIX: Final = ".pkt"
#: Scripts that one process gets at a time: few enough that none waits long for another.
_CHUNK: Final = 8
#: Fewer scripts are done before a second process has begun.
_WORTH_IT: Final = 16


class NoScripts(Exception):
    """A path that leads to no script; says which, and why."""


def find(paths: Iterable[str]) -> list[str]:
    """The scripts that ``paths`` are or hold: a file as it is given, of a directory all ``.pkt`` files below it.

    Those of a directory are sorted.  Raises NoScripts for a path that is neither, and a directory without any.
    """
    found: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            below = sorted(str(file) for file in Path(path).rglob(f"*{SUFFIX}") if file.is_file())
            if not below:
                raise NoScripts(f"{path}: there is no {SUFFIX} file in it")
            found += below
        elif os.path.exists(path):
            found.append(path)
        else:
            raise NoScripts(f"{path}: there is no such file")
    return found


def run_all(paths: list[str], how: How, jobs: int | None = None) -> Iterator[Outcome]:
    """Run each script; outcomes come in the order of ``paths``.

    ``jobs``: processes (None: one for each CPU).  With more than one, outcomes are without their packets.
    """
    jobs = _processors() if jobs is None else jobs
    if jobs <= 1 or len(paths) < _WORTH_IT:
        for path in paths:
            yield run_file(path, how)
        return
    done = 0
    try:
        with ProcessPoolExecutor(min(jobs, len(paths)), initializer=_leave_interrupts_to_our_parent) as pool:
            for outcome in pool.map(_Job(how), paths, chunksize=_CHUNK):
                done += 1
                yield outcome
    except BrokenProcessPool:
        yield from _one_by_one(paths[done:], how)


class _Job:
    """What a process does with a path."""

    def __init__(self, how: How) -> None:
        self._how = how

    def __call__(self, path: str) -> Outcome:
        outcome = run_file(path, self._how)
        outcome.crossings.clear()  # nobody asks for them, and they would have to be handed over
        return outcome


def _leave_interrupts_to_our_parent() -> None:
    """Ctrl-C reaches every process of the terminal; one of them is to say so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _one_by_one(paths: list[str], how: How) -> Iterator[Outcome]:
    """A process has died of a script: each gets one of its own, so that it is known which."""
    for path in paths:
        try:
            with ProcessPoolExecutor(1) as pool:
                yield pool.submit(run_file, path, how).result()
        except BrokenProcessPool:
            yield Outcome(path, Result.FAILED, "internal error: the process that ran the script died")


def _processors() -> int:
    """How many we may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1
