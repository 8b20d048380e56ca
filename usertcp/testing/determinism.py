"""The one place that reaches into trio: it makes the order in which tasks run come from a seed.

trio runs the tasks that are ready in an order that it shuffles, on purpose, so that nobody relies on one.  The
numbers are those of ``trio._core._run._r``, and ``_ALLOW_DETERMINISTIC_SCHEDULING`` has it sort the tasks before
it shuffles them; both are private, and there for tests (Hypothesis and pytest-trio use them, too).  With both in
our hands, tasks that do the same at the same (virtual) time do it in the same order in each run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from random import Random
from typing import Any, Final

_MODULE: Final = "trio._core._run"
_RANDOM: Final = "_r"
_SWITCH: Final = "_ALLOW_DETERMINISTIC_SCHEDULING"


@contextmanager
def seed_scheduling(seed: int) -> Iterator[bool]:
    """While it lasts, the order of trio's tasks comes from ``seed``; call it around ``trio.run``.

    Afterwards all is as it was.  Yields whether it could be done: a trio that has no such thing is left alone.
    """
    scheduler = _scheduler()
    if scheduler is None:
        yield False
        return
    random, switch = getattr(scheduler, _RANDOM), getattr(scheduler, _SWITCH)
    state = random.getstate()
    random.seed(seed)
    setattr(scheduler, _SWITCH, True)
    try:
        yield True
    finally:
        random.setstate(state)
        setattr(scheduler, _SWITCH, switch)


def _scheduler() -> Any:
    try:
        module = import_module(_MODULE)
    except ImportError:
        return None
    known = isinstance(getattr(module, _RANDOM, None), Random) and hasattr(module, _SWITCH)
    return module if known else None
