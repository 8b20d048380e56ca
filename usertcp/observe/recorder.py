"""Keeps the latest trace events of a host."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from usertcp.tcp.events import Sink, TraceEvent, read

DEFAULT_LIMIT: Final = 200_000


class Recorder:
    """A sink that keeps the newest ``limit`` events; install it as a host's ``trace``.

    Older events are thrown away and counted in :attr:`lost`.  ``forward``, if given, gets each event too;
    it is called inside the core, so it must be quick and must not raise (:class:`~.printer.LivePrinter`
    only queues).
    """

    __slots__ = ("_forward", "_kept", "_seen")

    def __init__(self, limit: int = DEFAULT_LIMIT, forward: Sink | None = None) -> None:
        self._kept: deque[tuple[Any, ...]] = deque(maxlen=limit)
        self._seen = 0
        self._forward = forward

    def __call__(self, flat: tuple[Any, ...]) -> None:
        self._seen += 1
        self._kept.append(flat)
        if self._forward is not None:
            self._forward(flat)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def lost(self) -> int:
        """How many events, the oldest ones, were thrown away because the ring was full."""
        return self._seen - len(self._kept)

    def events(self) -> Iterator[TraceEvent]:
        """The kept events in their typed form, oldest first, as they are at the time of the call."""
        return map(read, tuple(self._kept))

    def flat_events(self) -> tuple[tuple[Any, ...], ...]:
        """The same as the core emitted them."""
        return tuple(self._kept)

    def clear(self) -> None:
        """Forgets everything, the count of lost events too."""
        self._kept.clear()
        self._seen = 0
