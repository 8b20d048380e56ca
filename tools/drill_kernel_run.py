"""Runs a script against the kernel, in a process and a network namespace made for it alone."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final

from drill_kernel_target import KernelTarget

from usertcp.drill.errors import ScriptError, Unsupported
from usertcp.drill.ignore import Ignore
from usertcp.drill.options import Options
from usertcp.drill.outcome import Outcome, Result
from usertcp.drill.parser import parse
from usertcp.drill.profiles import profile
from usertcp.drill.run import Run, Strictness
from usertcp.drill.runner import internal_error
from usertcp.drill.script import Script
from usertcp.observe.escape import for_terminal
from usertcp.runtime import namespace
from usertcp.runtime.errors import SetupError

_FORK: Final = multiprocessing.get_context("fork")
#: Beside what a script's own times come to, in seconds.
_SPARE: Final = 20.0
#: A line of a script near its top that says that it holds for Linux, too.
MARK: Final = "also: linux"
_NEAR_THE_TOP: Final = 40


@dataclass(frozen=True, slots=True)
class How:
    """How scripts are run; times are in seconds."""

    #: At least so much may the kernel's packets and calls be off: this machine has other things to do.
    tolerance: float = 0.03
    #: And so many percent of the time since the event before: a kernel's timers are late by up to an eighth, each anew.
    percent: float = 20.0
    ignore: frozenset[Ignore] = frozenset()
    strict_end: bool = False


def is_marked(path: Path) -> bool:
    """Whether the script says that it holds for Linux."""
    with path.open(errors="replace") as file:
        lines = [line.strip().lstrip("/# ") for _, line in zip(range(_NEAR_THE_TOP), file, strict=False)]
    return MARK in lines


def run_all(paths: Iterable[Path], how: How, jobs: int = 1) -> Iterator[Outcome]:
    """Run each of them, up to ``jobs`` at once; outcomes come in the order of ``paths``.

    Raises SetupError where there can be no namespace or device.
    """
    waiting = deque(paths)
    running: deque[_Job | Outcome] = deque()
    try:
        while waiting or running:
            while waiting and sum(isinstance(job, _Job) and not job.ready for job in running) < jobs:
                running.append(_begin(waiting.popleft(), how))
            first = running[0]
            if isinstance(first, Outcome):
                running.popleft()
                yield first
            elif first.ready:
                yield first.end()
                running.popleft()
            else:
                _wait([job for job in running if isinstance(job, _Job) and not job.ready])
    finally:
        for job in running:
            if isinstance(job, _Job):
                job.stop()


def run_file(path: Path, how: How) -> Outcome:
    """Run the script in the file.  Raises SetupError where there can be no namespace or device."""
    return next(run_all([path], how))


def _begin(path: Path, how: How) -> _Job | Outcome:
    """Begin to run a script; its outcome where there is nothing to run."""
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        script = parse(text, str(path))
        options = Options().with_pairs(script.options)
    except Unsupported as missing:
        return Outcome(str(path), Result.UNSUPPORTED, for_terminal(missing.reason), missing.line)
    except (ScriptError, OSError) as error:
        return Outcome(str(path), Result.FAILED, for_terminal(str(error)))
    options = replace(
        options,
        tolerance=max(options.tolerance, how.tolerance),
        tolerance_percent=max(options.tolerance_percent, how.percent),
    )
    return _Job(script, text, options, how)


def _wait(jobs: list[_Job]) -> None:
    """Until one of them is ready."""
    soonest = min(job.deadline for job in jobs)
    ready = wait([job.pipe for job in jobs], max(0.0, soonest - time.monotonic()))
    for job in jobs:
        job.ready = job.pipe in ready or time.monotonic() >= job.deadline


class _Job:
    """A process that runs a script."""

    def __init__(self, script: Script, text: str, options: Options, how: How) -> None:
        patience = _length(script) + _SPARE
        self.script = script
        self.deadline = time.monotonic() + patience + _SPARE
        #: Whether there is an answer, or no more hope of one.
        self.ready = False
        self.pipe, theirs = _FORK.Pipe(duplex=False)
        arguments = (theirs, script, text, options, how, patience)
        self._process = _FORK.Process(target=_child, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def end(self) -> Outcome:
        """What became of it.  Raises SetupError."""
        try:
            if not self.pipe.poll():
                return Outcome(self.script.path, Result.FAILED, "it did not come to an end, and was killed")
            answer = self.pipe.recv()
        except EOFError:
            return Outcome(self.script.path, Result.FAILED, "the script's process ended without an answer")
        finally:
            self.stop()
        if isinstance(answer, SetupError):
            raise answer
        assert isinstance(answer, Outcome)
        return answer

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _child(pipe: Connection, script: Script, text: str, options: Options, how: How, patience: float) -> None:
    try:
        namespace.die_with_parent()
        namespace.enter()
        _be_in_time()
        target = KernelTarget(options)
        strictness = Strictness(how.ignore, how.strict_end)
        pipe.send(Run(script, text, target, options, profile("linux"), strictness, patience=patience).run())
    except SetupError as error:
        pipe.send(error)
    except Exception as error:
        pipe.send(internal_error(script.path, error))
    finally:
        # Threads may still sleep in calls.
        os._exit(0)


def _be_in_time() -> None:
    """Be served at once where that is allowed: a script hardly does anything, but that in time."""
    gc.disable()
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def _length(script: Script) -> float:
    """How long the script takes, at most: its times, each counted once."""
    times = (max(event.time.start, event.time.end) for event in script.events)
    ends = (getattr(event.action, "end", None) or 0.0 for event in script.events)
    return sum(times) + sum(ends)
