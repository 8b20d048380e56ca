"""Files of recorded trace events, and the drawings made of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import click

from usertcp.cli.common import say
from usertcp.cli.ending import Failure
from usertcp.cli.own_file import create
from usertcp.observe.escape import for_terminal
from usertcp.observe.jsonl import BadLine, Reader, read_file


@contextmanager
def recorded(path: str) -> Iterator[Reader]:
    """The events that ``--events FILE`` or ``--json`` wrote to ``path`` (``-`` is stdin), as they are asked for.

    :raises Failure: the file cannot be read, or is no such file; which line is not, and why.
    """
    name = "stdin" if path == "-" else for_terminal(path)
    try:
        with _opened(path) as file:
            reader = read_file(file)
            yield reader
    except BadLine as error:
        raise Failure(f"{name}, {error}; events are what --events FILE or --json of usertcp write") from error
    except BrokenPipeError:
        raise  # not the file's: who read what is drawn has had enough
    except OSError as error:
        raise Failure(f"{name} cannot be read: {error.strerror or error}") from error
    if not reader.line:
        say(f"usertcp: {name} is empty: nothing has happened, or nothing was written yet")
    if reader.unknown:
        say(f"usertcp: {reader.unknown:,} events are of kinds that only a later usertcp knows")
    if reader.broke_off:
        say(f"usertcp: the last line of {name} breaks off: whoever wrote it was ended")


def _opened(path: str) -> IO[str]:
    descriptor = sys.stdin.fileno() if path == "-" else path
    return open(descriptor, encoding="utf-8", errors="replace", closefd=path != "-")


def draw_into(path: str, drawing: str) -> None:
    """``drawing`` into the file at ``path``, or to stdout for ``-``.

    :raises Failure: it cannot be written.
    """
    if path == "-":
        click.echo(drawing, nl=False)
        return
    try:
        with create(path) as file:
            file.write(drawing)
    except OSError as error:
        raise Failure(f"{for_terminal(path)} cannot be written: {error.strerror or error}") from error
