"""A time-sequence plot as text, as wide as a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final, NamedTuple

from usertcp.observe.escape import for_terminal
from usertcp.observe.lines import Line, Role, Span, wrap
from usertcp.observe.plot.curves import Bar, Curves, Direction, Point
from usertcp.observe.plot.layout import (
    Limits,
    caption,
    congestion_limits,
    duration_limits,
    sequence_limits,
    time_limits,
)
from usertcp.observe.plot.scale import LogScale, Mapping, Scale, bytes_labels, duration_labels, time_labels

#: Columns left of the picture: the labels of the axis.
_MARGIN: Final = 10
MIN_WIDTH: Final = 40
MAX_WIDTH: Final = 200
#: Rows of the panels.
_SEQUENCE, _CONGESTION, _TIMES = 20, 8, 7


class _Sign(NamedTuple):
    """What stands in a cell; the higher ``rank`` wins where several want the same."""

    character: str
    role: Role
    rank: int


_EDGE: Final = _Sign("·", Role.DIM, 1)
_ACK: Final = _Sign("─", Role.ARROW_IN, 2)
_SENT: Final = _Sign("│", Role.ARROW_OUT, 3)
_EARLY: Final = _Sign("o", Role.WARNING, 4)
_HELD: Final = _Sign("s", Role.WARNING, 4)
_AGAIN: Final = _Sign("R", Role.ERROR, 5)
_FLIGHT: Final = _Sign(":", Role.DIM, 1)
_THRESHOLD: Final = _Sign("-", Role.RESET, 2)
_CWND: Final = _Sign("=", Role.CAUSE, 3)
_RTO: Final = _Sign("r", Role.WARNING, 2)
_SRTT: Final = _Sign("─", Role.ARROW_IN, 3)


class _Grid:
    """A panel of cells, the first row at the top."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._cells: dict[tuple[int, int], _Sign] = {}

    def put(self, column: int, row: int, sign: _Sign) -> None:
        """``sign`` in a cell; outside of the panel nothing."""
        if not (0 <= column < self.columns and 0 <= row < self.rows):
            return
        there = self._cells.get((column, row))
        if there is None or there.rank < sign.rank:
            self._cells[column, row] = sign

    def row(self, row: int) -> Iterator[Span]:
        """The row's text in pieces of one role each."""
        cells = [self._cells.get((column, row)) for column in range(self.columns)]
        for role, group in groupby(cells, key=lambda sign: sign.role if sign else Role.PLAIN):
            yield Span("".join(sign.character if sign else " " for sign in group), role)


def to_lines(curves: Curves, width: int) -> list[Line]:
    """The plot in ``width`` columns (:data:`MIN_WIDTH` to :data:`MAX_WIDTH` of them are used)."""
    return list(_Plot(curves, max(MIN_WIDTH, min(width, MAX_WIDTH))).lines())


class _Plot:
    def __init__(self, curves: Curves, width: int) -> None:
        self._curves = curves
        self._width = width
        self._columns = width - _MARGIN - 1
        self._x = Scale(*time_limits(curves), 0, self._columns - 1)

    def lines(self) -> Iterator[Line]:
        curves = self._curves
        out = curves.direction is Direction.OUT
        yield from wrap([Span(for_terminal(curves.title), Role.TITLE)], self._width)
        yield from wrap([Span(caption(curves), Role.DIM)], self._width)
        limits, leaves = sequence_limits(curves)
        yield from self._sequence(limits)
        yield from self._legend(
            (_SENT, "a segment sent" if out else "a segment arrived"),
            (_AGAIN, "sent again" if out else "late, or sent again") if curves.repeats else None,
            (_EARLY, "arrived behind a gap") if curves.early else None,
            (_HELD, "reported held (SACK)") if curves.held else None,
            (_ACK, "acknowledged up to here"),
            (_EDGE, "edge of the receiver's window" + (", partly above" if leaves else "")),
        )
        windows = congestion_limits(curves)
        if windows is not None:
            yield from self._windows(windows)
            yield from self._legend(
                (_CWND, "cwnd") if curves.cwnd else None,
                (_THRESHOLD, "ssthresh") if curves.ssthresh else None,
                (_FLIGHT, "in flight: sent, not acknowledged"),
            )
        times = duration_limits(curves.rto, curves.srtt)
        if times is not None:
            yield from self._times(times)
            yield from self._legend(
                (_SRTT, "srtt: the smoothed round trip"), (_RTO, "rto: patience before sending again")
            )

    # -- Panels ----------------------------------------------------------------------------------------

    def _sequence(self, limits: Limits) -> Iterator[Line]:
        curves, grid = self._curves, _Grid(self._columns, _SEQUENCE)
        y = Scale(*limits, grid.rows - 1, 0)
        self._stairs(grid, y, curves.edges, _EDGE)
        self._stairs(grid, y, curves.acks, _ACK)
        for bars, sign in (
            (curves.held, _HELD), (curves.segments, _SENT), (curves.early, _EARLY), (curves.repeats, _AGAIN),
        ):  # fmt: skip
            self._bars(grid, y, bars, sign)
        yield from self._framed("sequence number", grid, y, bytes_labels, 5)

    def _windows(self, limits: Limits) -> Iterator[Line]:
        curves, grid = self._curves, _Grid(self._columns, _CONGESTION)
        y = Scale(*limits, grid.rows - 1, 0)
        self._stairs(grid, y, curves.in_flight, _FLIGHT, fill=True)
        self._stairs(grid, y, curves.ssthresh, _THRESHOLD)
        self._stairs(grid, y, curves.cwnd, _CWND)
        yield from self._framed("windows", grid, y, bytes_labels, 3)

    def _times(self, limits: Limits) -> Iterator[Line]:
        curves, grid = self._curves, _Grid(self._columns, _TIMES)
        y = LogScale(*limits, grid.rows - 1, 0)
        self._stairs(grid, y, curves.rto, _RTO)
        self._stairs(grid, y, curves.srtt, _SRTT)
        yield from self._framed("times", grid, y, duration_labels, 3)

    def _bars(self, grid: _Grid, y: Mapping, bars: list[Bar], sign: _Sign) -> None:
        for bar in bars:
            column = round(self._x(bar.time))
            for row in range(round(y(bar.end)), round(y(bar.start)) + 1):
                grid.put(column, row, sign)

    def _stairs(self, grid: _Grid, y: Mapping, points: list[Point], sign: _Sign, *, fill: bool = False) -> None:
        """In each column what holds at its end; steps are not joined, a terminal's cells are too coarse for it."""
        if not points:
            return
        # What was told long after the last segment lies beyond the picture.
        last = min(round(self._x(max(self._curves.ended, points[-1].time))), self._columns - 1)
        following = iter(points)
        point: Point | None = next(following)
        assert point is not None
        value = point.value
        for column in range(round(self._x(point.time)), last + 1):
            highest = value if fill else 0.0
            while point is not None and round(self._x(point.time)) <= column:
                value = point.value
                highest = max(highest, value)
                point = next(following, None)
            row = round(y(highest if fill else value))
            for each in range(row, grid.rows if fill and highest else row + 1):
                grid.put(column, each, sign)

    # -- What stands around them -----------------------------------------------------------------------

    def _framed(
        self, name: str, grid: _Grid, y: Mapping, labels: Callable[[list[float]], list[str]], most: int
    ) -> Iterator[Line]:
        values = y.ticks(most)
        at = {round(y(value)): label for value, label in zip(values, labels(values), strict=True)}
        yield _text(name, Role.NOTE, " " * (_MARGIN + 1))
        for row in range(grid.rows):
            label = at.get(row, "")
            yield (
                Span(f"{label:>{_MARGIN - 1}} ", Role.TIME),
                Span("┤" if label else "│", Role.RAIL),
                *grid.row(row),
            )
        yield from self._time_axis()

    def _time_axis(self) -> Iterator[Line]:
        times = self._x.ticks(max(self._columns // 14, 2))
        labels = time_labels(times)
        axis, below = ["─"] * self._columns, [" "] * (self._columns + _MARGIN)
        free = 0
        for time, label in zip(times, labels, strict=True):
            column = round(self._x(time))
            if not 0 <= column < self._columns:
                continue
            axis[column] = "┬"
            start = max(free, column + _MARGIN + 1 - len(label) // 2)
            if start + len(label) <= len(below):
                below[start : start + len(label)] = label
                free = start + len(label) + 1
        yield Span(" " * _MARGIN, Role.PLAIN), Span("└" + "".join(axis), Role.RAIL)
        yield _text("".join(below), Role.TIME)

    def _legend(self, *entries: tuple[_Sign, str] | None) -> Iterator[Line]:
        """Samples and what they mean, as many in a line as there is room for."""
        line: list[Span] = []
        used = 0
        for entry in entries:
            if entry is None:
                continue
            sign, text = entry
            length = len(text) + 5
            if line and used + length > self._width:
                yield tuple(line)
                line, used = [], 0
            line += [Span(f"  {sign.character} ", sign.role), Span(text + " ", Role.PLAIN)]
            used += length
        if line:
            yield tuple(line)
        yield ()


def _text(text: str, role: Role, indent: str = "") -> Line:
    return Span(indent, Role.PLAIN), Span(text, role)
