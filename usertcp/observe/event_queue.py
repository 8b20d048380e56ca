"""Trace events on their way from the core to who takes them at a pace of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from usertcp.tcp.events import Kind


class EventQueue:
    """Flat events that wait to be taken, perhaps in another thread.

    ``wake`` is called when an event comes and none was waiting.  Of more than ``limit`` waiting events the oldest are
    thrown away and counted in :attr:`lost`; a ``lost`` event stands where they were.
    """

    def __init__(self, *, wake: Callable[[], None] | None, limit: int) -> None:
        self._wake = wake
        self._limit = limit
        self._waiting: deque[tuple[Any, ...]] = deque(maxlen=limit)
        self.lost = 0
        self._told_lost = 0

    def put(self, flat: tuple[Any, ...]) -> None:
        """One more."""
        if len(self._waiting) == self._limit:
            self.lost += 1
        self._waiting.append(flat)
        if self._wake is not None and len(self._waiting) == 1:
            self._wake()

    def take(self, most: int) -> list[tuple[Any, ...]]:
        """The next events that wait, not more than ``most`` beside ``lost``; none: none wait."""
        waiting, taken = self._waiting, []
        for _ in range(min(most, len(waiting))):
            flat = waiting.popleft()
            lost = self.lost
            if lost > self._told_lost:
                taken.append((Kind.LOST, flat[1], 0, lost - self._told_lost))
                self._told_lost = lost
            taken.append(flat)
        return taken
