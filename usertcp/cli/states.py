"""``usertcp states``: the transition table and the state diagram."""

from __future__ import annotations

import shutil
import sys

import click

from usertcp.cli.ending import Failure
from usertcp.cli.recorded import recorded
from usertcp.observe import diagram_text
from usertcp.observe.diagram import to_json, to_mermaid
from usertcp.observe.diagram_path import listing, walks
from usertcp.observe.diagram_svg import to_svg
from usertcp.observe.escape import for_ascii
from usertcp.observe.lines import plain
from usertcp.observe.path import Path
from usertcp.observe.printer import can_draw
from usertcp.observe.tales import paths


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "mermaid", "svg", "json"]),
    default="text",
    show_default=True,
    help="text: figure 5 and the table; mermaid, svg: the diagram; json: the table.",
)
@click.option(
    "--all",
    "complete",
    is_flag=True,
    help="In text: also the events that leave a state as it is, and those that cannot happen.",
)
@click.option(
    "--path",
    "events",
    metavar="EVENTS",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Show the way that a connection took, out of what --events FILE or --json of try, listen or connect wrote "
    "(- is stdin); text and svg.",
)
@click.option("--conn", type=click.IntRange(min=1), metavar="N", help="With --path: the connection; else the first.")
def states(form: str, complete: bool, events: str | None, conn: int | None) -> None:
    """Print TCP's state diagram and the table that this stack runs (RFC 9293)."""
    if events is not None:
        _way(form, _path(events, conn))
        return
    match form:
        case "mermaid":
            click.echo(to_mermaid(), nl=False)
        case "svg":
            click.echo(to_svg(), nl=False)
        case "json":
            click.echo(to_json(), nl=False)
        case _:
            _echo(_text(complete))


def _path(events: str, conn: int | None) -> Path:
    """The path of connection ``conn`` of a file, or of its first one."""
    with recorded(events) as reader:
        found = paths(reader)
    for path in found:
        if conn in (None, path.conn):
            return path
    there = ", ".join(str(path.conn) for path in found[:20]) or "none"
    raise Failure(f"no such connection among the events; there are: {there}")


def _way(form: str, path: Path) -> None:
    title = f"connection {path.conn}"
    if form == "svg":
        click.echo(to_svg(path, title), nl=False)
    elif form == "text":
        ours, _ = walks(path)
        table = "".join(f"{plain(line)}\n" for line in listing(path))
        _echo(f"The way of {title}, our side in heavy lines\n\n{diagram_text.diagram(ours)}\n{table}")
    else:
        raise click.UsageError(f"--path is drawn as text or svg, not as {form}")


def _echo(text: str) -> None:
    click.echo(text if can_draw(sys.stdout) else for_ascii(text), nl=False)


def _text(complete: bool) -> str:
    width = min(shutil.get_terminal_size((80, 24)).columns, 132)
    parts = [
        "The states of a TCP connection (RFC 9293, figure 5)",
        diagram_text.diagram(),
        "What the figure leaves out: errors, timeouts, ABORT",
        diagram_text.not_in_figure(width),
        "Every transition that changes the state" if not complete else "Every state and every event",
        diagram_text.table(width, complete=complete),
    ]
    return "\n".join(parts)
