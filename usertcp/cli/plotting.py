"""Plots as files: ``usertcp plot -o FILE`` and ``--plot FILE``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

import click

from usertcp.observe.escape import for_terminal
from usertcp.observe.lines import plain
from usertcp.observe.plot.curves import Curves, NothingToPlot, curves
from usertcp.observe.plot.svg import to_svg
from usertcp.observe.plot.text import to_lines
from usertcp.tcp.events import TraceEvent

SVG: Final = "svg"
TEXT: Final = "text"
_COLUMNS: Final = 100


def form_of(file: str | None) -> str:
    """What the name of ``file`` says that it is to hold."""
    return SVG if file is not None and PurePath(file).suffix.lower() == ".svg" else TEXT


def drawing(drawn: Curves, form: str, width: int | None = None) -> str:
    """The plot as the text of a file."""
    if form == SVG:
        return to_svg(drawn)
    return "".join(f"{plain(line)}\n" for line in to_lines(drawn, width or _COLUMNS))


def plotted(events: Iterable[TraceEvent], file: str) -> str:
    """What ``file`` is to hold of the connection that carried most; nothing, and a word about it, where none did."""
    try:
        return drawing(curves(events), form_of(file))
    except NothingToPlot as error:
        click.echo(f"usertcp: {for_terminal(file)} stays empty: {error}", err=True)
        return ""
