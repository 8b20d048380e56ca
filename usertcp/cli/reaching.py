"""Which running usertcp is meant: the options that choose one, and what to say where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from usertcp.cli.common import say
from usertcp.cli.ending import Failure
from usertcp.control import places
from usertcp.control.client import Forbidden, Gone, NoAnswer, asked
from usertcp.control.filter_parser import FilterError, parse
from usertcp.control.protocol import Greeting
from usertcp.observe.escape import for_terminal

#: The words that :func:`filter_text` takes.
FILTER_HELP: Final = (
    "FILTER, in ss's words: state NAME, exclude NAME, sport = :PORT, dport = :PORT (also != < <= > >=), "
    "src ADDRESS[/LENGTH][:PORT], dst ..., joined by and, or, not, ( )."
)
#: Whether we may use it tells the attempt.
_PATH: Final = click.Path(readable=False, path_type=Path)
_SOCKET_HELP: Final = f"Only the one with this socket; {places.VARIABLE} says the same."
_START_ONE: Final = 'start one, as "usertcp try -- sh" or "sudo usertcp listen 80"'


def choosing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--tun`` and ``--socket``, as arguments ``tun`` and ``path``; and the filter's words, as ``words``."""
    for option in (
        click.argument("words", metavar="[FILTER]...", nargs=-1, type=click.UNPROCESSED),
        click.option("--tun", metavar="NAME", help="Only the usertcp on this interface."),
        click.option("--socket", "path", metavar="PATH", type=_PATH, envvar=places.VARIABLE, help=_SOCKET_HELP),
    ):
        command = option(command)
    return command


def filter_text(words: tuple[str, ...]) -> str:
    """The filter that these words make.

    :raises click.UsageError: they are none.
    """
    try:
        parse(words)
    except FilterError as error:
        raise click.UsageError(str(error)) from error
    return " ".join(words)


class Running(NamedTuple):
    """A usertcp that answers, and where."""

    path: Path
    greeting: Greeting

    def __str__(self) -> str:
        greeting = self.greeting
        return f"{for_terminal(greeting.tun)} ({for_terminal(greeting.program)}, process {greeting.pid})"


def find(tun: str | None, path: Path | None) -> list[Running]:
    """Those that are meant, of the calling user's; why others do not answer goes to stderr.

    :raises Failure: there is none.
    """
    found, forbidden = [], []
    for candidate in places.sockets() if path is None else [path]:
        try:
            with asked(candidate, command="who") as answer:
                if tun in (None, answer.greeting.tun):
                    found.append(Running(candidate, answer.greeting))
        except (Gone, Forbidden) as error:
            if path is not None:
                raise Failure(str(error)) from error
            if isinstance(error, Forbidden):
                forbidden.append(candidate)
        except NoAnswer as error:
            if path is not None:
                raise Failure(str(error)) from error
            say(f"usertcp: {error}")
    if not found:
        raise Failure(_nobody(tun, forbidden))
    return found


def _nobody(tun: str | None, forbidden: list[Path]) -> str:
    what = "no usertcp of yours is running" if tun is None else f"no usertcp of yours is running on {tun}"
    if forbidden:
        return f"{what}; {forbidden[0]} is another user's: use sudo"
    looked = " and ".join(map(str, places.directories()))
    return f"{what}{f' (nobody answers in {looked})' if looked else ''}: {_START_ONE}"
