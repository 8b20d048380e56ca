"""``usertcp trace``: the trace events of a running usertcp."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from usertcp.cli.common import say
from usertcp.cli.ending import Failure
from usertcp.cli.pumping import QUIET, View
from usertcp.cli.reaching import FILTER_HELP, Running, choosing_options, filter_text, find
from usertcp.cli.telling import telling_options
from usertcp.cli.watching import JsonView, LadderView
from usertcp.control.client import NoAnswer, asked
from usertcp.observe.narrator import Telling


@click.command(epilog=FILTER_HELP)
@choosing_options
@click.option("-f", "--follow", is_flag=True, help="What happens from now on, until Ctrl-C or the end of that usertcp.")
@click.option("--json", "as_json", is_flag=True, help="Each event as a line of JSON instead of the ladder.")
@telling_options
def trace(
    words: tuple[str, ...],
    tun: str | None,
    path: Path | None,
    follow: bool,
    as_json: bool,
    absolute: bool,
    verbose: bool,
    unfold: bool,
) -> None:
    """Show what a running usertcp does, live (--follow); of a "usertcp try" also what it has done so far."""
    wanted = filter_text(words)
    running = _one_of(find(tun, path))
    view: View = JsonView(sys.stdout) if as_json else LadderView(sys.stdout, Telling(absolute, verbose, unfold))
    try:
        _show(running, view, wanted, follow)
    except NoAnswer as error:
        raise Failure(str(error)) from error
    finally:
        view.end()


def _show(running: Running, view: View, wanted: str, follow: bool) -> None:
    with asked(running.path, command="trace", filter=wanted, follow=follow) as answer:
        if follow:
            say(f"usertcp: following {running}; Ctrl-C ends")
        for event in answer.events(quiet=QUIET if follow else None):
            if event is None:
                view.settle()
            else:
                view.show(event)
                view.flush()


def _one_of(found: list[Running]) -> Running:
    if len(found) > 1:
        which = ", ".join(f"{running} at {running.path}" for running in found)
        raise Failure(f"several are running, choose one by --socket or --tun: {which}")
    return found[0]
