"""Options that draw a picture of everything that happened into a file: ``--ladder FILE`` and its like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import click

from usertcp.cli.ending import Failure
from usertcp.cli.own_file import create
from usertcp.observe.escape import for_terminal
from usertcp.observe.recorder import Recorder
from usertcp.tcp.events import TraceEvent

#: Makes a picture's text from events.
Draw: TypeAlias = Callable[[Iterable[TraceEvent]], str]


@contextmanager
def picture_file(path: str | None, draw: Draw, shared: Recorder | None = None) -> Iterator[Recorder | None]:
    """A sink for the events; when the block ends, what ``draw`` makes of them is in the file.

    It is ``shared``, the sink of another picture, where there is one already; without a path it is that, or None.
    The file is opened first, so that what is wrong with it is said before anything happens.  Of more events than a
    :class:`~usertcp.observe.recorder.Recorder` keeps, the picture says how many it does not have.

    :raises Failure: it cannot be written.
    """
    if path is None:
        yield shared
        return
    try:
        file = create(path)
    except OSError as error:
        raise Failure(f"{for_terminal(path)} cannot be written: {error.strerror or error}") from error
    recorder = Recorder() if shared is None else shared
    try:
        yield recorder
    finally:
        try:
            with file:
                file.write(draw(recorder.events()))
        except OSError as error:
            click.echo(f"usertcp: {for_terminal(path)} is not whole: {error.strerror or error}", err=True)
