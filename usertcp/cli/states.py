"""``usertcp states``: the transition table and the state diagram."""

from __future__ import annotations

import shutil
import sys

import click

from usertcp.observe import diagram_text
from usertcp.observe.diagram import to_json, to_mermaid
from usertcp.observe.diagram_svg import to_svg
from usertcp.observe.escape import for_ascii
from usertcp.observe.printer import can_draw


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
def states(form: str, complete: bool) -> None:
    """Print TCP's state diagram and the table that this stack runs (RFC 9293)."""
    match form:
        case "mermaid":
            click.echo(to_mermaid(), nl=False)
        case "svg":
            click.echo(to_svg(), nl=False)
        case "json":
            click.echo(to_json(), nl=False)
        case _:
            text = _text(complete)
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
