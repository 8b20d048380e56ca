"""Keeps trace events of a host: where its story begins, and the latest."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from usertcp.tcp.events import Kind, TraceEvent, read

#: Events that are kept. One takes some 400 bytes, and never more than :data:`MAX_EVENT`. A transfer of 1 GB in
#: super-segments is not quite so many, and what a ring is written into for the first time costs time, too.
DEFAULT_LIMIT: Final = 50_000
#: Of these, how many are the first ones.
DEFAULT_BEGINNING: Final = 2_000
#: No event takes more memory, in bytes: of what is in it only a header's 40 bytes of options are the peer's.
MAX_EVENT: Final = 4096


class Recorder:
    """A sink that keeps ``limit`` events at most: the first ``beginning`` ones and, in a ring, the newest.

    So the handshake of what a ladder shows is there however much came after it.  What was thrown away between the two
    is counted in :attr:`lost`, and a ``lost`` event stands where it was.  With ``beginning`` 0 it is a ring and nothing
    else, and what is lost are the oldest.
    """

    __slots__ = ("_append", "_beginning", "_first", "_newest", "_seen")

    def __init__(self, limit: int = DEFAULT_LIMIT, *, beginning: int = DEFAULT_BEGINNING) -> None:
        self._beginning = min(beginning, limit // 2)
        self._first: list[tuple[Any, ...]] = []
        self._newest: deque[tuple[Any, ...]] = deque(maxlen=limit - self._beginning)
        self._append = self._newest.append
        self._seen = 0

    def __call__(self, flat: tuple[Any, ...]) -> None:
        self._append(flat)
        self._seen += 1
        if self._seen == self._beginning:
            self._first.extend(self._newest)
            self._newest.clear()

    def __len__(self) -> int:
        return len(self._first) + len(self._newest)

    @property
    def lost(self) -> int:
        """How many events were thrown away because there was no room."""
        return self._seen - len(self)

    def events(self) -> Iterator[TraceEvent]:
        """The kept events in their typed form, oldest first, as they are at the time of the call."""
        return map(read, self.flat_events())

    def flat_events(self) -> tuple[tuple[Any, ...], ...]:
        """The same as the core emitted them."""
        newest = tuple(self._newest)
        if not self.lost:
            return (*self._first, *newest)
        return (*self._first, (Kind.LOST, newest[0][1], 0, self.lost), *newest)

    def clear(self) -> None:
        """Forgets everything, the count of lost events too."""
        self._first.clear()
        self._newest.clear()
        self._seen = 0
