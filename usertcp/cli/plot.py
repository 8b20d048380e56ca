"""``usertcp plot``: time and sequence numbers of a recorded connection."""

from __future__ import annotations

import sys

import click

from usertcp.cli.ending import Failure
from usertcp.cli.plotting import SVG, TEXT, drawing, form_of
from usertcp.cli.recorded import draw_into, recorded
from usertcp.observe.plot.curves import Direction, NothingToPlot, curves
from usertcp.observe.plot.text import MAX_WIDTH, MIN_WIDTH, to_lines
from usertcp.observe.printer import Printer


@click.command()
@click.argument("events", metavar="EVENTS", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--conn", type=click.IntRange(min=1), metavar="N", help="The connection; by default that with most data.")
@click.option(
    "--direction",
    type=click.Choice([each.value for each in Direction]),
    help="Whose data: ours (out) or the peer's (in); by default who sent more.",
)
@click.option("--format", "form", type=click.Choice([TEXT, SVG]), help="By default what FILE's name says, else text.")
@click.option("-o", "--output", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Instead of stdout.")
@click.option("--width", type=click.IntRange(MIN_WIDTH, MAX_WIDTH), metavar="N", help="Of text, in columns.")
def plot(
    events: str, conn: int | None, direction: str | None, form: str | None, file: str | None, width: int | None
) -> None:
    """Plot segments, acknowledgments and windows of a connection over time, and what its sender knew.

    EVENTS is what --events FILE of try, listen or connect wrote, or --json; - is stdin.
    """
    with recorded(events) as reader:
        try:
            drawn = curves(reader, conn, Direction(direction) if direction else None)
        except NothingToPlot as error:
            raise Failure(f"nothing to plot: {error}") from error
    form = form or form_of(file)
    if form == TEXT and file is None:
        printer = Printer(sys.stdout, width=width)
        printer.print(to_lines(drawn, printer.width))
    else:
        draw_into(file or "-", drawing(drawn, form, width))
