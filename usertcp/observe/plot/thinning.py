"""Fewer points for the same picture: what would be drawn on one spot is drawn once."""

from __future__ import annotations

from collections.abc import Iterable

from usertcp.observe.plot.curves import Bar, Point
from usertcp.observe.plot.scale import Scale


def bars(given: Iterable[Bar], scale: Scale, apart: float) -> list[Bar]:
    """Bars that lie less than ``apart`` from the first of a group, in ``scale``'s units, and touch, joined."""
    joined: list[Bar] = []
    for bar in given:
        if joined:
            last = joined[-1]
            near = abs(scale(bar.time) - scale(last.time)) < apart
            if near and bar.start <= last.end and last.start <= bar.end:
                joined[-1] = Bar(last.time, min(last.start, bar.start), max(last.end, bar.end))
                continue
        joined.append(bar)
    return joined


def steps(given: Iterable[Point], scale: Scale, apart: float) -> list[Point]:
    """Of the points of a group that lies within ``apart``: the first, the lowest, the highest and the last."""
    kept: list[Point] = []
    group: list[Point] = []
    for point in given:
        if group and scale(point.time) - scale(group[0].time) >= apart:
            kept += _corners(group)
            group = []
        group.append(point)
    return kept + _corners(group)


def _corners(group: list[Point]) -> list[Point]:
    if len(group) <= 4:
        return group
    indices = range(len(group))
    lowest = min(indices, key=lambda index: group[index].value)
    highest = max(indices, key=lambda index: group[index].value)
    return [group[index] for index in sorted({0, lowest, highest, len(group) - 1})]
