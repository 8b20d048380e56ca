"""A time-sequence plot as SVG: for a page, a slide or a handout."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from usertcp.observe.escape import for_html
from usertcp.observe.palette import STATE_COLOURS
from usertcp.observe.plot import thinning
from usertcp.observe.plot.curves import Bar, Curves, Direction, Point, Span
from usertcp.observe.plot.layout import (
    Limits,
    caption,
    congestion_limits,
    duration_limits,
    sequence_limits,
    time_limits,
)
from usertcp.observe.plot.legend_svg import STYLE, Shown, legend
from usertcp.observe.plot.scale import LogScale, Mapping, Scale, bytes_labels, duration_labels, time_labels
from usertcp.tcp.states import State

_WIDTH: Final = 1280
_LEFT, _RIGHT = 108, 1256
_GAP: Final = 26
_STRIP: Final = 24
#: Heights of the panels, in pixels.
_SEQUENCE, _CONGESTION, _TIMES = 440, 170, 130
#: What is nearer together than this many pixels is drawn as one.
_APART: Final = 0.6
#: A segment of a few bytes still has to be seen.
_LEAST_BAR: Final = 5.0


class _Panel(NamedTuple):
    """Where a panel stands, and what its height means."""

    name: str
    top: float
    bottom: float
    y: Mapping
    labels: Callable[[list[float]], list[str]]
    most_ticks: int


def to_svg(curves: Curves) -> str:
    """The plot as an SVG document of its own."""
    return _Plot(curves).document()


class _Plot:
    """One document; ``_x`` maps times, each panel its own values."""

    def __init__(self, curves: Curves) -> None:
        self._curves = curves
        self._out = curves.direction is Direction.OUT
        self._times = time_limits(curves)
        self._x = Scale(*self._times, _LEFT, _RIGHT)
        limits, self._edge_leaves = sequence_limits(curves)
        windows, times = congestion_limits(curves), duration_limits(curves.rto, curves.srtt)
        shown = Shown(windows is not None, times is not None, self._edge_leaves)
        self._legend, self._top = legend(curves, shown, _WIDTH)
        self._y = self._top + (_STRIP + 8 if curves.states else 0)
        self._sequence = self._panel("sequence number", Scale, limits, _SEQUENCE, bytes_labels, 8)
        self._congestion = self._panel("windows", Scale, windows, _CONGESTION, bytes_labels, 4)
        self._timing = self._panel("times", LogScale, times, _TIMES, duration_labels, 4)
        self._height = self._y + 20

    def _panel(
        self,
        name: str,
        scale: Callable[[float, float, float, float], Mapping],
        limits: Limits | None,
        height: float,
        labels: Callable[[list[float]], list[str]],
        most: int,
    ) -> _Panel | None:
        if limits is None:
            return None
        top, bottom = self._y, self._y + height
        self._y = bottom + _GAP
        return _Panel(name, top, bottom, scale(*limits, bottom, top), labels, most)

    def document(self) -> str:
        panels = [panel for panel in (self._sequence, self._congestion, self._timing) if panel is not None]
        parts = [*self._head()]
        for panel in panels:
            parts += self._trouble(panel)
            parts += self._frame(panel, last=panel is panels[-1])
        parts += self._state_strip()
        if self._sequence is not None:
            parts += self._draw_sequence(self._sequence)
        if self._congestion is not None:
            parts += self._draw_congestion(self._congestion)
        if self._timing is not None:
            parts += self._draw_times(self._timing)
        return "\n".join([*parts, "</svg>"]) + "\n"

    # -- What stands around the curves -----------------------------------------------------------------

    def _head(self) -> Iterator[str]:
        name = for_html(f"Time and sequence numbers, {self._curves.title}")
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {self._height:g}" '
            f'width="{_WIDTH}" height="{self._height:g}" role="img" aria-labelledby="name">'
        )
        yield f'<title id="name">{name}</title>'
        yield f"<style>{STYLE}</style>"
        yield "<defs>"
        for panel in (self._sequence, self._congestion, self._timing):
            if panel is not None:
                yield (
                    f'<clipPath id="{_clip(panel)}"><rect x="{_LEFT}" y="{panel.top:g}" '
                    f'width="{_RIGHT - _LEFT}" height="{panel.bottom - panel.top:g}"/></clipPath>'
                )
        yield "</defs>"
        yield f'<rect width="{_WIDTH}" height="{self._height:g}" fill="#fff"/>'
        yield f'<text class="title" x="24" y="38">{for_html(self._curves.title)}</text>'
        yield f'<text class="sub" x="24" y="62">{for_html(caption(self._curves))}</text>'
        yield from self._legend

    def _frame(self, panel: _Panel, *, last: bool) -> Iterator[str]:
        width = _RIGHT - _LEFT
        times = self._x.ticks(10)
        values = panel.y.ticks(panel.most_ticks)
        lines = [f"M{self._x(time):.1f} {panel.top:g}V{panel.bottom:g}" for time in times]
        lines += [f"M{_LEFT} {panel.y(value):.1f}H{_RIGHT}" for value in values]
        yield f'<path class="grid" d="{"".join(lines)}"/>'
        yield (
            f'<rect class="frame" x="{_LEFT}" y="{panel.top:g}" width="{width}" height="{panel.bottom - panel.top:g}"/>'
        )
        middle = (panel.top + panel.bottom) / 2
        turned = f'transform="translate(22 {middle:g}) rotate(-90)"'
        yield f'<text class="name" text-anchor="middle" {turned}>{panel.name}</text>'
        for value, label in zip(values, panel.labels(values), strict=True):
            yield f'<text class="tick" x="{_LEFT - 8}" y="{panel.y(value) + 4.5:.1f}" text-anchor="end">{label}</text>'
        if last:
            for time, label in zip(times, time_labels(times), strict=True):
                at = f'x="{self._x(time):.1f}" y="{panel.bottom + 20:g}"'
                yield f'<text class="tick" {at} text-anchor="middle">{label}</text>'

    def _state_strip(self) -> Iterator[str]:
        """Our states along the time; a name only where it has room."""
        for span in self._curves.states:
            x = self._x(span.start)
            width = min(self._x(span.end), _RIGHT) - x
            if width <= 0:
                continue
            colour = STATE_COLOURS[State(span.what)]
            yield (
                f'<rect x="{x:.1f}" y="{self._top:g}" width="{width:.1f}" height="{_STRIP}" '
                f'fill="{colour}" stroke="#fff"><title>{for_html(span.what)}</title></rect>'
            )
            if width > 8.2 * len(span.what) + 6:
                at = f'x="{x + width / 2:.1f}" y="{self._top + 16:g}"'
                yield f'<text class="state" {at} text-anchor="middle">{for_html(span.what)}</text>'
        if self._curves.states:
            yield f'<text class="tick" x="{_LEFT - 8}" y="{self._top + 16:g}" text-anchor="end">state</text>'

    def _trouble(self, panel: _Panel) -> Iterator[str]:
        for span in self._curves.trouble:
            x = self._x(span.start)
            width = max(self._x(span.end) - x, 1)
            yield (
                f'<rect class="{span.what}" x="{x:.1f}" y="{panel.top:g}" width="{width:.1f}" '
                f'height="{panel.bottom - panel.top:g}"/>'
            )

    # -- The curves ------------------------------------------------------------------------------------

    def _draw_sequence(self, panel: _Panel) -> Iterator[str]:
        curves, clip = self._curves, f'clip-path="url(#{_clip(panel)})"'
        yield f"<g {clip}>"
        yield self._stairs("edge", curves.edges, panel)
        yield self._bars("held", curves.held, panel, caps=False)
        yield self._bars("sent", curves.segments, panel)
        yield self._bars("early", curves.early, panel)
        yield self._stairs("ack", curves.acks, panel)
        yield self._ticks("duplicate", curves.duplicates, panel)
        yield self._bars("again", curves.repeats, panel)
        yield "</g>"
        yield from self._marks(panel)

    def _marks(self, panel: _Panel) -> Iterator[str]:
        taken: list[tuple[float, float]] = []
        for mark in self._curves.marks:
            x, y = self._x(mark.time), panel.y(mark.value)
            if any(abs(x - other_x) < 40 and abs(y - other_y) < 14 for other_x, other_y in taken):
                continue
            taken.append((x, y))
            late = x > _RIGHT - 60
            at = f'x="{x - 7 if late else x + 7:.1f}" y="{min(y - 5, panel.bottom - 6):.1f}"'
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#7d3c98"/>'
            yield f'<text class="mark halo" {at} text-anchor="{"end" if late else "start"}">{mark.text}</text>'

    def _draw_congestion(self, panel: _Panel) -> Iterator[str]:
        yield f'<g clip-path="url(#{_clip(panel)})">'
        yield self._area("flight", self._curves.in_flight, panel)
        yield self._stairs("ssthresh", self._curves.ssthresh, panel)
        yield self._stairs("cwnd", self._curves.cwnd, panel)
        yield "</g>"

    def _draw_times(self, panel: _Panel) -> Iterator[str]:
        yield f'<g clip-path="url(#{_clip(panel)})">'
        yield self._stairs("rto", self._curves.rto, panel)
        yield self._stairs("srtt", self._curves.srtt, panel)
        yield "</g>"

    def _bars(self, kind: str, given: list[Bar], panel: _Panel, *, caps: bool = True) -> str:
        parts = []
        for bar in thinning.bars(given, self._x, _APART):
            x, low, high = self._x(bar.time), panel.y(bar.start), panel.y(bar.end)
            if low - high < _LEAST_BAR:
                middle = (low + high) / 2
                low, high = middle + _LEAST_BAR / 2, middle - _LEAST_BAR / 2
            parts.append(f"M{x:.1f} {low:.1f}V{high:.1f}")
            if caps:
                parts.append(f"M{x - 2.5:.1f} {low:.1f}h5M{x - 2.5:.1f} {high:.1f}h5")
        return f'<path class="{kind}" d="{"".join(parts)}"/>' if parts else ""

    def _ticks(self, kind: str, given: list[Point], panel: _Panel) -> str:
        shown = thinning.steps(given, self._x, _APART)
        parts = [f"M{self._x(point.time):.1f} {panel.y(point.value):.1f}v8" for point in shown]
        return f'<path class="{kind}" d="{"".join(parts)}"/>' if parts else ""

    def _stairs(self, kind: str, given: list[Point], panel: _Panel) -> str:
        if not given:
            return ""
        return f'<path class="{kind}" d="{self._steps(given, panel)}"/>'

    def _area(self, kind: str, given: list[Point], panel: _Panel) -> str:
        if not given:
            return ""
        start, floor = f"{self._x(given[0].time):.1f}", f"{panel.bottom:g}"
        return f'<path class="{kind}" d="M{start} {floor}{self._steps(given, panel, "L")}V{floor}Z"/>'

    def _steps(self, given: list[Point], panel: _Panel, first: str = "M") -> str:
        """From each point to the right until the next one, then up or down to it."""
        points = thinning.steps(given, self._x, _APART)
        parts = [f"{first}{self._x(points[0].time):.1f} {panel.y(points[0].value):.1f}"]
        for before, point in pairwise(points):
            height = "" if point.value == before.value else f"V{panel.y(point.value):.1f}"
            parts.append(f"H{self._x(point.time):.1f}{height}")
        end = Span(points[-1].time, max(self._curves.ended, points[-1].time), "").end
        return "".join([*parts, f"H{self._x(end):.1f}"])


def _clip(panel: _Panel) -> str:
    return f"clip-{panel.top:.0f}"
