"""``usertcp ladder``: the ladders of recorded connections."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from usertcp.cli.ending import Failure
from usertcp.cli.recorded import draw_into, recorded
from usertcp.cli.telling import telling_options
from usertcp.observe.columns import FULL_WIDTH, MAX_WIDTH, MIN_WIDTH
from usertcp.observe.ladder import ladders
from usertcp.observe.ladder_forms import Form, drawing, form_of
from usertcp.observe.narrator import Telling
from usertcp.observe.printer import Printer
from usertcp.tcp.events import TraceEvent


@click.command()
@click.argument("events", metavar="EVENTS", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--conn", type=click.IntRange(min=1), metavar="N", help="This connection only.")
@telling_options
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Form]),
    help="By default what FILE's name says (.svg, .mmd), else text.",
)
@click.option("-o", "--output", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Instead of stdout.")
@click.option(
    "--width",
    type=click.IntRange(MIN_WIDTH, MAX_WIDTH),
    metavar="N",
    help="Of text, in columns; by default the terminal's.",
)
def ladder(
    events: str,
    conn: int | None,
    absolute: bool,
    verbose: bool,
    unfold: bool,
    form: str | None,
    file: str | None,
    width: int | None,
) -> None:
    """Draw what the two ends of each connection sent each other, and what it did to their states.

    EVENTS is what --events FILE of try, listen or connect wrote, or --json; - is stdin.
    """
    telling = Telling(absolute, verbose, unfold)
    chosen = Form(form) if form else form_of(file or "")
    with recorded(events) as reader:
        wanted = reader if conn is None else _only(reader, conn)
        if chosen is Form.TEXT and file is None:
            printer = Printer(sys.stdout, width=width)
            printer.print(ladders(wanted, width=printer.width, telling=telling))
        else:
            draw_into(file or "-", drawing(wanted, chosen, telling=telling, width=width or FULL_WIDTH))


def _only(events: Iterable[TraceEvent], conn: int) -> Iterator[TraceEvent]:
    """Those of connection ``conn``; Failure at their end where there is none."""
    seen: set[int] = set()
    for event in events:
        if event.conn == conn:
            yield event
        seen.add(event.conn)
    if conn not in seen:
        there = sorted(seen - {0})
        known = ", ".join(map(str, there[:10])) + (", …" if len(there) > 10 else "")
        raise Failure(f"the events tell of no connection {conn}; they tell of {known or 'none'}")
