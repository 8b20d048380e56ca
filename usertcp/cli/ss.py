"""``usertcp ss``: the sockets of a running usertcp."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Final

import click

from usertcp.cli.common import say
from usertcp.cli.reaching import FILTER_HELP, Running, choosing_options, filter_text, find
from usertcp.control import protocol
from usertcp.control.client import NoAnswer, asked
from usertcp.control.filter import asks_for_states
from usertcp.control.filter_parser import parse
from usertcp.control.sockets import Socket, to_object
from usertcp.control.table import table

#: What is shown where neither an option nor the filter says which states: as in ss, connections that are in use.
_IN_USE: Final = "exclude listen exclude time-wait exclude syn-received"
_LISTENING: Final = "state listen"


@click.command(
    epilog=f"{FILTER_HELP}  Amounts are bytes, times milliseconds.",
)
@choosing_options
@click.option("-i", "--info", is_flag=True, help="Under each connection all that is known of it.")
@click.option("-l", "--listening", is_flag=True, help="Only listeners.")
@click.option("-a", "--all", "everything", is_flag=True, help="In every state, listeners and TIME-WAIT too.")
@click.option("-t", "--tcp", is_flag=True, help="Nothing: there is only TCP.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each socket, with all that is known of it.")
def ss(
    words: tuple[str, ...],
    tun: str | None,
    path: Path | None,
    info: bool,
    listening: bool,
    everything: bool,
    tcp: bool,
    as_json: bool,
) -> int:
    """Show the connections of the usertcp that is running, as ss does those of the kernel."""
    wanted = _wanted(filter_text(words), listening, everything)
    found = find(tun, path)
    status = 0
    for running in found:
        try:
            shown = _ask(running, wanted, info or as_json)
        except NoAnswer as error:
            say(f"usertcp: {error}")
            status = 1
            continue
        if as_json:
            _print_json(running, shown)
        else:
            _print(running, shown, details=info, title=len(found) > 1)
    return status


def _wanted(written: str, listening: bool, everything: bool) -> str:
    if listening:
        states = _LISTENING
    elif everything or asks_for_states(parse(written)):
        return written
    else:
        states = _IN_USE
    return f"({states}) ({written})" if written else states


def _ask(running: Running, wanted: str, everything: bool) -> list[Socket]:
    with asked(running.path, command="sockets", filter=wanted, status=everything) as answer:
        return list(answer.sockets())


def _print_json(running: Running, shown: list[Socket]) -> None:
    for socket in shown:
        made = {"v": protocol.VERSION, "tun": running.greeting.tun, **to_object(socket)}
        click.echo(json.dumps(made, separators=(",", ":")))


def _print(running: Running, shown: list[Socket], *, details: bool, title: bool) -> None:
    if title:
        click.echo(f"{running}:")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in table(shown, details=details, width=width):
        click.echo(line)
