"""What the panels of a plot show, whatever draws them: which curves, between which limits."""

from __future__ import annotations

from typing import Final, NamedTuple

from usertcp.observe.names import counted
from usertcp.observe.plot.curves import Curves, Direction, Point

#: The peer's window may reach far beyond what was sent: this part of the height is left to it.
_ABOVE: Final = 0.12
#: A clock that cannot tell less may say 0, in seconds.
_SHORTEST: Final = 1e-6
#: No timer is as long, in seconds; what is recorded may say anything.
_LONGEST: Final = 1e9


class Limits(NamedTuple):
    """The lowest and the highest value that a panel shows."""

    low: float
    high: float


def time_limits(curves: Curves) -> Limits:
    """Seconds, from the first event to a little after the last segment."""
    return Limits(0.0, curves.ended * 1.02 if curves.ended >= _SHORTEST else 1e-3)


def sequence_limits(curves: Curves) -> tuple[Limits, bool]:
    """Sequence numbers, and whether the window's edge runs out of the picture at the top."""
    bars = [*curves.segments, *curves.repeats, *curves.early]
    places = [end for bar in bars for end in (bar.start, bar.end)]
    places += [mark.value for mark in curves.marks] + [int(point.value) for point in curves.acks]
    low, top = min(places), max(places)
    reach = max(top - low, 1)
    edge = max((point.value for point in curves.edges), default=top)
    high = min(edge + 0.03 * reach, top + _ABOVE * reach)
    return Limits(low - 0.04 * reach, max(high, top + 0.06 * reach)), edge > high


def value_limits(*lines: list[Point]) -> Limits | None:
    """From 0 to a little above the highest of ``lines``; None where they are all empty."""
    highest = max((point.value for line in lines for point in line), default=None)
    if highest is None:
        return None
    return Limits(0.0, highest * 1.12 or 1.0)


def duration_limits(*lines: list[Point]) -> Limits | None:
    """For a logarithmic scale: a little beyond the lowest and the highest, and a decade at least."""
    values = [min(max(point.value, _SHORTEST), _LONGEST) for line in lines for point in line]
    if not values:
        return None
    low, high = min(values) / 1.6, max(values) * 1.6
    return Limits(min(low, high / 10), high)


def congestion_limits(curves: Curves) -> Limits | None:
    """Bytes; a threshold far above every window is not shown at its height."""
    limits = value_limits(curves.cwnd, curves.in_flight)
    if limits is None:
        return value_limits(curves.ssthresh)
    highest = max((point.value for point in curves.ssthresh), default=0.0)
    return Limits(0.0, max(limits.high, min(highest * 1.12, limits.high * 1.6)))


def caption(curves: Curves) -> str:
    """What was carried, in a line."""
    parts = [
        f"{counted(curves.bytes_sent, 'byte')} of data",
        counted(curves.segments_sent, "segment"),
        f"{len(curves.repeats):,} {'sent again' if curves.direction is Direction.OUT else 'late or again'}",
        counted(len(curves.duplicates), "duplicate acknowledgment"),
    ]
    if curves.left_out:
        parts.append(f"{curves.left_out:,} events are missing")
    return " · ".join(parts)
