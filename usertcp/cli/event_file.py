"""``--events``: every trace event into a file, as a line of JSON each, while the stack runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from usertcp.cli.ending import Failure
from usertcp.cli.own_file import create
from usertcp.observe.escape import for_terminal
from usertcp.observe.jsonl import to_line
from usertcp.tcp.events import TraceEvent


class EventFile:
    """Takes the events; a :class:`~usertcp.cli.pumping.View`.  Made by :func:`event_file`.

    Where a write fails, the file ends with what it has, and the stack goes on.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = create(path)
        self._failed = False

    def show(self, event: TraceEvent) -> None:
        if not self._failed:
            try:
                self._file.write(to_line(event) + "\n")
            except OSError as error:
                self._fail(error)

    def flush(self) -> None:
        if not self._failed:
            try:
                self._file.flush()
            except OSError as error:
                self._fail(error)

    settle = end = flush

    def close(self) -> None:
        self.flush()
        with suppress(OSError):  # what could not be written was said
            self._file.close()

    def _fail(self, error: OSError) -> None:
        self._failed = True
        click.echo(f"usertcp: the events in {for_terminal(self.path)} end here: {error.strerror or error}", err=True)


@contextmanager
def event_file(path: str | None) -> Iterator[EventFile | None]:
    """The file that ``--events`` asks for; None without it.

    To be opened before anything else, so that what is wrong with it is said before anything happens.

    :raises Failure: it cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        file = EventFile(path)
    except OSError as error:
        raise Failure(f"the events cannot be written to {for_terminal(path)}: {error.strerror or error}") from error
    try:
        yield file
    finally:
        file.close()
