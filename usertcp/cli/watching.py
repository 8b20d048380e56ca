"""Showing trace events while they happen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import IO, Final, Protocol

import trio

from usertcp.cli.common import StackOptions, say
from usertcp.observe.jsonl import to_line
from usertcp.observe.narrator import CONCISE, Telling
from usertcp.observe.printer import LivePrinter, Printer, live_ladder
from usertcp.tcp.events import Sink, TraceEvent

#: After so many seconds without an event, what the ladder has folded is shown.
_QUIET: Final = 0.3


class View(Protocol):
    """Shows typed events, somewhere."""

    def show(self, event: TraceEvent) -> None:
        """One more event; may keep its output back."""

    def flush(self) -> None:
        """There is a moment's time to write out what is buffered."""

    def settle(self) -> None:
        """No event came for a while: nothing may be kept back any longer."""

    def end(self) -> None:
        """No event will come any more."""


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


@asynccontextmanager
async def watch(view: View | None, *, threads: bool = True) -> AsyncIterator[Sink | None]:
    """A sink whose events ``view`` shows while the block runs; the rest of them at its end.

    The stack must be opened inside the block, so that its last events are shown too.  Writing happens
    in a thread: a pipe that nobody reads, or a slow terminal, must not stop the stack.  ``threads`` is
    False where the process may have none.
    """
    if view is None:
        yield None
        return
    bell = _Bell()
    events = LivePrinter(view.show, wake=bell.ring)
    try:
        async with trio.open_nursery() as nursery:
            # Shielded, so that how the stack closes its connections after Ctrl-C is seen as it happens.
            scope = trio.CancelScope(shield=True)
            nursery.start_soon(_pump, events, view, bell, scope, threads)
            try:
                yield events
            finally:
                scope.cancel()
    finally:
        _show(events, view)
        view.end()
        if events.lost:
            say(f"usertcp: {events.lost:,} events came too fast to be shown")


async def _pump(events: LivePrinter, view: View, bell: _Bell, scope: trio.CancelScope, threads: bool) -> None:
    async def call(function: Callable[[], None]) -> None:
        if threads:
            await trio.to_thread.run_sync(function)
        else:
            function()

    with scope:
        while True:
            await bell.wait()
            quiet = False
            while not quiet:
                await call(partial(_show, events, view))
                with trio.move_on_after(_QUIET) as waiting:
                    await bell.wait()
                quiet = waiting.cancelled_caught
            await call(view.settle)


def _show(events: LivePrinter, view: View) -> None:
    events.pump()
    view.flush()


class _Bell:
    """Wakes one task; rung while nobody waits, it wakes the next wait at once."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = trio.Event()
