"""The options that say what a ladder tells, shared by all commands that draw one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import click

TELLING_OPTIONS: Final = (
    click.option("--absolute", is_flag=True, help="Sequence numbers in the ladder as they are on the wire."),
    click.option(
        "-v", "--verbose", is_flag=True, help="Every kind of event in the ladder: timers, estimates, cwnd, options."
    ),
    click.option("--unfold", is_flag=True, help="Every segment in the ladder: nothing is folded or only counted."),
)


def telling_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to ``command``, which gets ``absolute``, ``verbose`` and ``unfold``."""
    for option in reversed(TELLING_OPTIONS):
        command = option(command)
    return command
