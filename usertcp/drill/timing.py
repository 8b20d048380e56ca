"""When the events of a script are due, in seconds since it began."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from usertcp.drill.script import Event, SystemCall, Time, TimeKind

#: Sums of decimal fractions are off by less than this.
_ROUNDING = 1e-7


@dataclass(frozen=True, slots=True)
class Due:
    """An event may happen from ``start`` to ``end``, and by ``tolerance`` before and after."""

    start: float
    end: float
    tolerance: float

    @property
    def earliest(self) -> float:
        """The first moment that is not too early."""
        return self.start - self.tolerance - _ROUNDING

    @property
    def latest(self) -> float:
        """The last moment that is not too late."""
        return self.end + self.tolerance + _ROUNDING

    def has(self, time: float) -> bool:
        """Whether ``time`` is right."""
        return self.earliest <= time <= self.latest

    def __str__(self) -> str:
        """As a message says it."""
        if self.end == inf:
            return "any time"
        span = f"{self.start:.6f} s" if self.start == self.end else f"{self.start:.6f} to {self.end:.6f} s"
        return f"{span} (tolerance {self.tolerance:.6f} s)"


class Schedule:
    """Turns the times that events are written with into times since the script began.

    A relative time counts from that of the event before as it is written; after a ``*`` or a range, from when
    that event really happened.
    """

    def __init__(self, tolerance: float, percent: float, first: float) -> None:
        self._tolerance = tolerance
        self._percent = percent
        #: The first event happens at once, whatever its time.
        self._first = first
        self._before = 0.0

    def due(self, event: Event) -> Due:
        """When ``event`` may happen."""
        time = event.time
        if time.kind is TimeKind.ANY:
            return Due(self._before, inf, inf)
        start = self._absolute(time, time.start)
        ranged = time.kind in (TimeKind.ABSOLUTE_RANGE, TimeKind.RELATIVE_RANGE)
        end = self._absolute(time, time.end) if ranged else start
        return Due(start, end, self._allowed(end))

    def returns(self, event: Event, call: SystemCall) -> Due:
        """When a call that is written with an end may return; to be asked before :meth:`happened`."""
        assert call.end is not None
        end = self._absolute(event.time, call.end)
        return Due(end, end, self._allowed(end))

    def happened(self, event: Event, due: Due, now: float) -> None:
        """``event`` is over, and the next one comes."""
        fixed = event.time.kind in (TimeKind.ABSOLUTE, TimeKind.RELATIVE) and due.end < inf
        self._before = due.start if fixed else now

    def _absolute(self, time: Time, seconds: float) -> float:
        if time.kind in (TimeKind.RELATIVE, TimeKind.RELATIVE_RANGE):
            return self._before + seconds
        return seconds - self._first

    def _allowed(self, end: float) -> float:
        return max(self._tolerance, (end - self._before) * self._percent / 100)


def free(due: Due) -> Due:
    """``due`` with any time allowed."""
    return Due(due.start, inf, inf)


def first_time(events: tuple[Event, ...]) -> float:
    """What the script calls the moment when it begins: its first event's time if that is absolute."""
    if not events or events[0].time.kind not in (TimeKind.ABSOLUTE, TimeKind.ABSOLUTE_RANGE):
        return 0.0
    return events[0].time.start
