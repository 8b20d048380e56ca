"""The options that say what a ladder tells, shared by all commands that draw one."""

from __future__ import annotations

from typing import Final

import click

TELLING_OPTIONS: Final = (
    click.option("--absolute", is_flag=True, help="Sequence numbers in the ladder as they are on the wire."),
    click.option(
        "-v", "--verbose", is_flag=True, help="Every kind of event in the ladder: timers, estimates, cwnd, options."
    ),
    click.option("--unfold", is_flag=True, help="Every segment in the ladder: nothing is folded or only counted."),
)
