"""Showing trace events while they happen: what ``--trace`` and ``--json`` ask for."""

from __future__ import annotations

from typing import IO

from usertcp.cli.common import StackOptions
from usertcp.cli.pumping import View
from usertcp.observe.jsonl import to_line
from usertcp.observe.narrator import CONCISE, Telling
from usertcp.observe.printer import Printer, live_ladder
from usertcp.tcp.events import TraceEvent


class JsonView:
    """One line of JSON for each event."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def show(self, event: TraceEvent) -> None:
        self._file.write(to_line(event) + "\n")

    def flush(self) -> None:
        self._file.flush()

    settle = end = flush


class LadderView:
    """One ladder for all connections."""

    def __init__(self, file: IO[str], telling: Telling = CONCISE) -> None:
        self._printer = Printer(file)
        self._ladder = live_ladder(self._printer, telling)

    def show(self, event: TraceEvent) -> None:
        self._printer.print(self._ladder.feed(event))

    def flush(self) -> None:
        pass  # every line of the ladder is written at once

    def settle(self) -> None:
        self._printer.print(self._ladder.flush())

    def end(self) -> None:
        self._printer.print(self._ladder.end())


def live_view(options: StackOptions, file: IO[str]) -> View | None:
    """What ``--json`` or ``--trace`` asks for; None where neither was given."""
    if options.json:
        return JsonView(file)
    return LadderView(file, options.telling) if options.trace else None
