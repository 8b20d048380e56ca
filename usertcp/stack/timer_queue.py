"""One deadline for all connections' timers; nothing ticks when nothing is due."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from math import inf
from weakref import ref

from usertcp.tcp.connection import Connection


class TimerQueue:
    """A heap of connections by deadline.

    A deadline that moves later is left where it is and looked at again when it is due: an
    acknowledgment, which moves the retransmission timer each time, costs nothing here.  For the same
    reason the entries do not keep their connections alive: many a connection ends long before the timer
    that it once had.
    """

    __slots__ = ("_heap", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, ref[Connection]]] = []
        self._serial = 0

    def watch(self, connection: Connection) -> None:
        """Take note of ``connection``'s deadline."""
        deadline = connection.deadline()
        if deadline < connection.scheduled_at:
            connection.scheduled_at = deadline
            self._serial += 1
            heappush(self._heap, (deadline, self._serial, ref(connection)))

    def forget(self, connection: Connection) -> None:
        """It has no timers any more."""
        connection.scheduled_at = inf

    def deadline(self) -> float:
        """When :meth:`due` should be called; ``inf`` for never."""
        heap = self._heap
        while heap:
            due, _, reference = heap[0]
            connection = reference()
            # Else it is gone, or an earlier entry took the place of this one.
            if connection is not None and connection.scheduled_at == due:
                return due
            heappop(heap)
        return inf

    def due(self, now: float) -> Iterator[Connection]:
        """Each connection whose timers are due; the caller runs them and watches it again."""
        while self.deadline() <= now:
            connection = heappop(self._heap)[2]()
            if connection is None:
                continue
            connection.scheduled_at = inf
            if connection.deadline() <= now:
                yield connection
            else:
                self.watch(connection)
