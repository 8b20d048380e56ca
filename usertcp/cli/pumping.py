"""From the core, which must not wait, to whoever takes trace events at a pace of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, Protocol

import click
import trio

from usertcp.observe.printer import LivePrinter
from usertcp.runtime.bell import Bell
from usertcp.tcp.events import Sink, TraceEvent

#: After so many seconds without an event, what a view keeps back is shown.
QUIET: Final = 0.3


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


@asynccontextmanager
async def watch(view: View | None, *, threads: bool = True, purpose: str = "to be shown") -> AsyncIterator[Sink | None]:
    """A sink whose events ``view`` shows while the block runs; the rest of them at its end.

    The stack must be opened inside the block, so that its last events are shown too.  Writing happens
    in a thread: a pipe that nobody reads, or a slow terminal, must not stop the stack.  ``threads`` is
    False where the process may have none.  ``purpose`` says what it is that was too much, if it is.
    """
    if view is None:
        yield None
        return
    bell = Bell()
    events = LivePrinter(view.show, wake=bell.ring)
    try:
        async with beside(partial(_pump, events, view, bell, threads)):
            yield events
    finally:
        _show(events, view)
        view.end()
        if events.lost:
            click.echo(f"usertcp: {events.lost:,} events came too fast {purpose}", err=True)


@asynccontextmanager
async def beside(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """``work`` runs while the block does.  It is shielded: how a stack in the block closes its connections after Ctrl-C
    is seen as it happens."""
    scope = trio.CancelScope(shield=True)

    async def shielded() -> None:
        with scope:
            await work()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(shielded)
        try:
            yield
        finally:
            scope.cancel()


async def _pump(events: LivePrinter, view: View, bell: Bell, threads: bool) -> None:
    async def call(function: Callable[[], None]) -> None:
        if threads:
            await trio.to_thread.run_sync(function)
        else:
            function()

    while True:
        await bell.wait()
        quiet = False
        while not quiet:
            await call(partial(_show, events, view))
            with trio.move_on_after(QUIET) as waiting:
                await bell.wait()
            quiet = waiting.cancelled_caught
        await call(view.settle)


def _show(events: LivePrinter, view: View) -> None:
    events.pump()
    view.flush()
