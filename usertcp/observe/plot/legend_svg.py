"""The legend of a plot as SVG, and how everything in it looks: a plot has to explain itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from usertcp.observe.escape import for_html
from usertcp.observe.plot.curves import Curves, Direction

#: Where the legend begins, and how far apart its rows are.
_TOP, _ROW = 90.0, 24.0

STYLE: Final = """
  text { font-family: "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; fill: #1b2733 }
  text { font-size: 14px }
  .title { font-size: 24px; font-weight: 700 }
  .sub { font-size: 15px; fill: #5b6875 }
  .name { font-size: 14px; font-weight: 700 }
  .tick { font-size: 13px; fill: #5b6875 }
  .frame { fill: none; stroke: #9aa5b1 }
  .grid { stroke: #e4e8ec; fill: none }
  .sent { stroke: #1f5fa8; stroke-width: 1.6; fill: none }
  .again { stroke: #c62828; stroke-width: 2.6; fill: none }
  .early { stroke: #e07b00; stroke-width: 2; fill: none }
  .held { stroke: #8e44ad; stroke-width: 7; fill: none; stroke-opacity: .4 }
  .ack { stroke: #2e7d32; stroke-width: 1.8; fill: none }
  .duplicate { stroke: #2e7d32; stroke-width: 1.2; fill: none }
  .edge { stroke: #6b7785; stroke-width: 1.4; fill: none; stroke-dasharray: 7 4 }
  .cwnd { stroke: #1f5fa8; stroke-width: 2; fill: none }
  .ssthresh { stroke: #c62828; stroke-width: 1.6; fill: none; stroke-dasharray: 7 4 }
  .flight { fill: #9cc3e6; fill-opacity: .5; stroke: none }
  .srtt { stroke: #2e7d32; stroke-width: 2; fill: none }
  .rto { stroke: #c46a0a; stroke-width: 2; fill: none }
  .recovery { fill: #fdebc8; fill-opacity: .75 }
  .loss { fill: #f9d0cb; fill-opacity: .75 }
  .mark { font-size: 12px; font-weight: 700; fill: #7d3c98 }
  .state { font-size: 12px; font-weight: 700 }
  .halo { paint-order: stroke; stroke: #fff; stroke-width: 3px; stroke-linejoin: round }
"""


class Shown(NamedTuple):
    """Which panels there are, and whether the window's edge runs out of the picture."""

    windows: bool
    times: bool
    edge_leaves: bool


class _Entry(NamedTuple):
    """A sample of what is drawn at a place, and what it means."""

    sample: Callable[[float, float], str]
    text: str


def legend(curves: Curves, shown: Shown, available: float) -> tuple[list[str], float]:
    """The legend drawn, of at most the width ``available``, and where the picture may begin."""
    drawn = []
    y = _TOP
    for row in _explained(curves, shown):
        x = 24.0
        for sample, text in row:
            width = 42 + 6.7 * len(text) + 24
            if x > 24 and x + width > available:
                x, y = 24.0, y + _ROW
            drawn += [sample(x, y), f'<text x="{x + 42:g}" y="{y + 5:g}">{for_html(text)}</text>']
            x += width
        y += _ROW
    return drawn, y


def _explained(curves: Curves, shown: Shown) -> Iterator[list[_Entry]]:
    """The legend, a row or more for each panel."""
    out = curves.direction is Direction.OUT
    verb = "sent" if out else "arrived"
    segments = [_Entry(_sample_bar("sent"), f"a segment {verb}: from its first byte to its last")]
    if curves.repeats:
        text = "sent again" if out else "late, or sent again: it fills a gap"
        segments.append(_Entry(_sample_bar("again"), text))
    if curves.early:
        segments.append(_Entry(_sample_bar("early"), "arrived behind a gap, and was held"))
    if curves.held:
        segments.append(_Entry(_sample_bar("held"), "reported as held behind a gap (SACK)"))
    yield segments
    edge = "the edge of the receiver's window"
    answers = [_Entry(_sample_line("ack"), "acknowledged up to here")]
    if curves.duplicates:
        answers.append(_Entry(_sample_tick, "the same acknowledgment again"))
    answers.append(_Entry(_sample_line("edge"), f"{edge}, partly above the picture" if shown.edge_leaves else edge))
    yield answers
    if shown.windows:
        whose = "" if out else "the peer's "
        yield [
            *([_Entry(_sample_line("cwnd"), f"cwnd: {whose}congestion window")] if curves.cwnd else []),
            *([_Entry(_sample_line("ssthresh"), "ssthresh: below it slow start")] if curves.ssthresh else []),
            _Entry(_sample_area("flight"), "in flight: sent, not acknowledged"),
        ]
    below = []
    if shown.times:
        below = [
            _Entry(_sample_line("srtt"), "srtt: the smoothed round trip"),
            _Entry(_sample_line("rto"), "rto: patience before sending again"),
        ]
    for what, text in (("recovery", "fast recovery"), ("loss", "recovery after a timeout")):
        if any(span.what == what for span in curves.trouble):
            below.append(_Entry(_sample_area(what), text))
    if below:
        yield below


def _sample_bar(kind: str) -> Callable[[float, float], str]:
    caps = "" if kind == "held" else "m-2.5 0h5m-2.5 -16m-2.5 0h5"

    def draw(x: float, y: float) -> str:
        return f'<path class="{kind}" d="M{x + 18:g} {y - 8:g}v16{caps}"/>'

    return draw


def _sample_line(kind: str) -> Callable[[float, float], str]:
    return lambda x, y: f'<path class="{kind}" d="M{x:g} {y:g}h34"/>'


def _sample_area(kind: str) -> Callable[[float, float], str]:
    return lambda x, y: f'<rect class="{kind}" x="{x:g}" y="{y - 8:g}" width="34" height="16"/>'


def _sample_tick(x: float, y: float) -> str:
    return f'<path class="ack" d="M{x:g} {y - 3:g}h34"/><path class="duplicate" d="M{x + 9:g} {y - 3:g}v8m16 -8v8"/>'
