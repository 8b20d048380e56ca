"""One deadline for all connections' timers; nothing ticks when nothing is due."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from math import inf

from usertcp.tcp.connection import Connection


class TimerQueue:
    """A heap of deadlines, each with a number that stands for a connection while it is watched.

    A deadline that moves later is left where it is and looked at again when it is due: an
    acknowledgment, which moves the retransmission timer each time, costs nothing here.  A connection that
    ends leaves its number behind and nothing else, so the heap keeps none alive: many a connection ends long
    before the timer that it once had.
    """

    __slots__ = ("_heap", "_serial", "_watched")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._watched: dict[int, Connection] = {}
        self._serial = 0

    def watch(self, connection: Connection) -> None:
        """Take note of ``connection``'s deadline."""
        deadline = connection.deadline()
        if deadline < connection.scheduled_at:
            self._watched.pop(connection.scheduled_as, None)
            self._serial += 1
            connection.scheduled_at = deadline
            connection.scheduled_as = self._serial
            self._watched[self._serial] = connection
            heappush(self._heap, (deadline, self._serial))

    def forget(self, connection: Connection) -> None:
        """It has no timers any more."""
        self._watched.pop(connection.scheduled_as, None)
        connection.scheduled_at = inf

    def deadline(self) -> float:
        """When :meth:`due` should be called; ``inf`` for never."""
        heap, watched = self._heap, self._watched
        while heap:
            due, serial = heap[0]
            if serial in watched:
                return due
            heappop(heap)
        return inf

    def due(self, now: float) -> Iterator[Connection]:
        """Each connection whose timers are due; the caller runs them and watches it again."""
        while self.deadline() <= now:
            connection = self._watched.pop(heappop(self._heap)[1])
            connection.scheduled_at = inf
            if connection.deadline() <= now:
                yield connection
            else:
                self.watch(connection)
