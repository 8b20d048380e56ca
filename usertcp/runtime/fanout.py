"""The trace events of one host for several who watch, who come and go."""

from __future__ import annotations

from typing import Any

from usertcp.stack.host import Host
from usertcp.tcp.events import Sink


class Fanout:
    """Gives each event of ``host`` to every sink, in the order in which they were attached.

    A sink is called inside the core: it must be quick, must not raise and must not call back into the core.  Whoever
    has more to do keeps the events, within a bound of its own, and counts what it loses.  While there is
    no sink the host has none either, and builds no events; a single one is the host's, without a step between.  The
    sink that the host was made with is the first.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._sinks: tuple[Sink, ...] = () if host.trace is None else (host.trace,)

    def attach(self, sink: Sink) -> None:
        """From now on ``sink`` gets each event; no more than once, however often it is attached."""
        if sink not in self._sinks:
            self._install((*self._sinks, sink))

    def detach(self, sink: Sink) -> None:
        """From now on ``sink`` gets none; nothing happens where it was not attached."""
        self._install(tuple(each for each in self._sinks if each != sink))

    def _install(self, sinks: tuple[Sink, ...]) -> None:
        self._sinks = sinks
        if len(sinks) > 1:
            self._host.trace = _to_all(sinks)
        else:
            self._host.trace = sinks[0] if sinks else None


def _to_all(sinks: tuple[Sink, ...]) -> Sink:
    def tell(flat: tuple[Any, ...]) -> None:
        for sink in sinks:
            sink(flat)

    return tell
