"""Puts lines on a terminal, or into a file or pipe."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from typing import IO, Final

from rich.console import Console
from rich.text import Text

from usertcp.observe.columns import FULL_WIDTH, MIN_WIDTH
from usertcp.observe.escape import for_ascii
from usertcp.observe.event_queue import EventQueue
from usertcp.observe.ladder import Ladder
from usertcp.observe.lines import Line, Role, plain
from usertcp.observe.narrator import CONCISE, Telling
from usertcp.tcp.events import TraceEvent, read

_STYLES: Final = {
    Role.PLAIN: "",
    Role.TITLE: "bold",
    Role.DIM: "dim",
    Role.TIME: "dim",
    Role.STATE: "dim",
    Role.NEW_STATE: "bold cyan",
    Role.RAIL: "dim",
    Role.ARROW_IN: "blue",
    Role.ARROW_OUT: "green",
    Role.OPENING: "bold",
    Role.CLOSING: "bold magenta",
    Role.RESET: "bold red",
    Role.DATA: "",
    Role.NOTE: "dim",
    Role.CAUSE: "cyan",
    Role.WARNING: "yellow",
    Role.ERROR: "red",
}


class Printer:
    """Writes lines to ``file``: in colour where it is a terminal, as plain text where it is not."""

    def __init__(self, file: IO[str], *, width: int | None = None) -> None:
        """``width`` in columns; by default the terminal's, and 80 where there is none.

        Colour can be refused by the environment variable NO_COLOR (https://no-color.org).
        """
        self._file = file
        terminal = file.isatty()
        self._colour = terminal and not os.environ.get("NO_COLOR")
        if width is None:
            width = shutil.get_terminal_size((FULL_WIDTH, 24)).columns if terminal else FULL_WIDTH
        self.width = max(width, MIN_WIDTH)
        self._ascii = not can_draw(file)
        self._console = Console(file=file, width=self.width, highlight=False, soft_wrap=True)

    def print(self, lines: Iterable[Line]) -> None:
        """Writes ``lines``; raises what ``file`` raises (a closed pipe)."""
        for line in lines:
            if self._colour:
                self._console.print(self._text(line))
            else:
                self._file.write(self._encodable(plain(line)) + "\n")
        self._file.flush()

    def _text(self, line: Line) -> Text:
        text = Text(no_wrap=True, end="")
        for span in line:
            text.append(self._encodable(span.text), style=_STYLES[span.role])
        return text

    def _encodable(self, text: str) -> str:
        return for_ascii(text) if self._ascii else text


class LivePrinter(EventQueue):
    """A sink that queues, so that nothing is formatted or written inside the core.

    ``show`` gets each typed event when :meth:`pump` is called, which should be soon after ``wake`` was.
    """

    def __init__(
        self,
        show: Callable[[TraceEvent], None],
        *,
        wake: Callable[[], None] | None = None,
        limit: int = 100_000,
    ) -> None:
        super().__init__(wake=wake, limit=limit)
        self._show = show

    __call__ = EventQueue.put

    def pump(self) -> None:
        """Shows every waiting event."""
        while some := self.take(1):
            for flat in some:
                self._show(read(flat))


def can_draw(file: IO[str]) -> bool:
    """Whether ``file``'s encoding has the characters that diagrams and ladders are made of."""
    try:
        "◀─▶│◆◇…§✗".encode(getattr(file, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def live_ladder(printer: Printer, telling: Telling = CONCISE) -> Ladder:
    """The ladder for several connections at once, as wide as ``printer``."""
    return Ladder(width=printer.width, telling=telling, numbered=True)
