"""The ways of both ends through the state diagram: numbered badges on the arrows, and a table below."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import hypot
from typing import Final, NamedTuple

from usertcp.observe.diagram import Edge
from usertcp.observe.diagram_path import Step, Walk, rows, walks
from usertcp.observe.escape import for_html
from usertcp.observe.path import Path

Point = tuple[float, float]

_RADIUS: Final = 13.0
_ROW: Final = 24.0
_HEAD: Final = 64.0

WAY_STYLE: Final = """
  .way-us circle, .way-us rect { fill: #1f5fa8; stroke: #fff; stroke-width: 2 }
  .way-peer circle, .way-peer rect { fill: #c46a0a; stroke: #fff; stroke-width: 2 }
  .way-us text, .way-peer text { fill: #fff; font-size: 14px; font-weight: 700; text-anchor: middle }
  .way-head { font-size: 18px; font-weight: 700 }
  .way-row { font-size: 15px }
  .way-time { font-size: 15px; fill: #5b6875; text-anchor: end }
"""


class Way(NamedTuple):
    """One end's walk, its name and the class of its badges."""

    name: str
    style: str
    walk: Walk


def ways_of(path: Path) -> tuple[Way, ...]:
    """Ours and the peer's."""
    ours, peers = walks(path)
    return Way("usertcp", "way-us", ours), Way("the peer", "way-peer", peers)


def steps_on(way: Way, edge: Edge) -> list[Step]:
    """The steps of ``way`` that went along ``edge``."""
    return way.walk.on(edge.source, edge.target, edge.events)


def badges(ways: tuple[Way, ...], edge: Edge, points: tuple[Point, ...]) -> Iterator[str]:
    """Round badges for us and square ones for the peer, side by side on the arrow."""
    given = [(way, step) for way in ways for step in steps_on(way, edge)]
    if not given:
        return
    for (way, step), (x, y) in zip(given, _places(points, len(given)), strict=True):
        yield _badge(way, step, x, y)


def _places(points: tuple[Point, ...], count: int) -> list[Point]:
    """Clear of the text: at the right end of the longest part, or, where that stands upright, beside its beginning."""
    (ax, ay), (bx, by) = max(pairwise(points), key=lambda part: hypot(part[1][0] - part[0][0], part[1][1] - part[0][1]))
    apart = 2 * _RADIUS + 2
    if ax == bx:
        y = ay + 2 * _RADIUS * (1 if by > ay else -1)
        return [(ax + (index - (count - 1) / 2) * apart, y) for index in range(count)]
    right = max(ax, bx) - 2 * _RADIUS
    return [(right - (count - 1 - index) * apart, ay) for index in range(count)]


def _badge(way: Way, step: Step, x: float, y: float) -> str:
    if way.style == "way-us":
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_RADIUS:g}"/>'
    else:
        side = 2 * _RADIUS - 2
        shape = f'<rect x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:g}" height="{side:g}" rx="5"/>'
    return f'<g class="{way.style}">{shape}<text x="{x:.1f}" y="{y + 5:.1f}">{step.order}</text></g>'


def table_height(ways: tuple[Way, ...]) -> float:
    """What :func:`tables` takes, in pixels."""
    return _HEAD + _ROW * max(len(rows(way.walk)) for way in ways) + 20


def tables(ways: tuple[Way, ...], top: float, width: float) -> Iterator[str]:
    """When each end entered which state, and by which event."""
    for index, way in enumerate(ways):
        left = 60 + index * (width / 2)
        yield f'<text class="way-head" x="{left:g}" y="{top + 30:g}">{for_html(way.name)}</text>'
        listed = rows(way.walk)
        if not listed:
            yield f'<text class="way-row" x="{left:g}" y="{top + _HEAD:g}">no state of it is known</text>'
            continue
        steps = [None, *way.walk.steps]
        for row, ((_, time, state, event), step) in enumerate(zip(listed, steps, strict=True)):
            y = top + _HEAD + row * _ROW
            if step is not None:
                yield _badge(way, step, left + _RADIUS, y - 5)
            yield f'<text class="way-time" x="{left + 135:g}" y="{y:g}">{for_html(time)}</text>'
            yield f'<text class="way-row" font-weight="700" x="{left + 155:g}" y="{y:g}">{for_html(state)}</text>'
            yield f'<text class="way-row" x="{left + 310:g}" y="{y:g}">{for_html(event)}</text>'
