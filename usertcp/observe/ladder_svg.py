"""Ladders as SVG, to be printed and handed out: two lifelines coloured by state, and arrows that take their time.

Where everything stands is found by :mod:`usertcp.observe.ladder_layout`; here it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from usertcp.observe.escape import for_html
from usertcp.observe.ladder_layout import lay_out
from usertcp.observe.ladder_page import (
    CHANNEL,
    CLOCK,
    LEFT,
    LINE,
    NOTES,
    OUR_BAND,
    PEER_BAND,
    PEER_NOTES,
    RIGHT,
    WIDTH,
    Band,
    Page,
    Shaft,
    Step,
    Text,
)
from usertcp.observe.narrator import CONCISE, Telling
from usertcp.observe.palette import MEANINGS, STATE_COLOURS
from usertcp.observe.tales import tales
from usertcp.tcp.events import TraceEvent

#: One page draws no more connections than these.
MAX_DRAWN: Final = 20
_MARGIN: Final = 28
_STYLE: Final = """
text { font: 11.5px Helvetica, Arial, "Liberation Sans", sans-serif; fill: #1b2733 }
.label, .detail { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 11px }
.label { font-weight: 600 }
.detail { fill: #4a5763; font-size: 10.5px }
.title { font-size: 20px; font-weight: 700 }
.head { font-size: 13px; font-weight: 700 }
.clock { fill: #5b6875; font-variant-numeric: tabular-nums; text-anchor: end }
.state { font-size: 11px; font-weight: 700 }
.note { fill: #33404c }
.quiet { fill: #5b6875 }
.warning { fill: #8a4b00 }
.error { fill: #a11212; font-weight: 600 }
.cause { font-weight: 700 }
.fold { fill: #5b6875; font-style: italic; text-anchor: middle }
.line { stroke: #1b2733; stroke-width: 1.3; fill: none }
.again { stroke-dasharray: 5 4; stroke: #8a4b00 }
.lost { stroke: #a11212 }
.rst { stroke: #a11212; stroke-width: 1.8 }
.rail { stroke: #33404c; stroke-width: 1.6 }
.mark { stroke: #1b2733; stroke-width: 1.2 }
""".strip()


def to_svg(events: Iterable[TraceEvent], *, telling: Telling = CONCISE) -> str:
    """All connections in ``events``, below each other, as an SVG document of its own."""
    told = [tale for tale in tales(events, telling) if tale.story]
    parts: list[str] = []
    top = float(_MARGIN)
    for tale in told[:MAX_DRAWN]:
        page = lay_out(tale)
        parts += [f'<g transform="translate(0 {top:g})">', *_page(page), "</g>"]
        top += page.height + 36
    if len(told) > MAX_DRAWN:
        parts.append(_text(Text(NOTES, top, f"{len(told) - MAX_DRAWN:,} more connections are not drawn", "head")))
        top += 30
    if not told:
        parts.append(_text(Text(NOTES, top + 14, "No connection was seen", "head")))
        top += 40
    parts += _legend(top)
    return "\n".join([*_head(top + 74), *parts, "</svg>", ""])


def _head(height: float) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" role="img">'
    )
    yield "<title>What two ends of a TCP connection sent each other</title>"
    yield f"<style>{_STYLE}</style>"
    yield "<defs>"
    for name, colour in (("tip", "#1b2733"), ("tip-again", "#8a4b00"), ("tip-red", "#a11212")):
        yield (
            f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
            f'orient="auto"><path d="M0 0.8L10 5L0 9.2z" fill="{colour}"/></marker>'
        )
    yield (
        '<marker id="cross" viewBox="0 0 10 10" refX="5" refY="5" markerWidth="11" markerHeight="11" orient="0">'
        '<path d="M1 1L9 9M9 1L1 9" stroke="#a11212" stroke-width="2"/></marker>'
    )
    yield "</defs>"
    yield f'<rect width="{WIDTH}" height="{height:.0f}" fill="#fff"/>'


def _page(page: Page) -> Iterator[str]:
    for text in page.heading:
        yield _text(text)
    for band in page.bands:
        yield from _band(band)
    for x in (LEFT, RIGHT):
        yield f'<line class="rail" x1="{x}" y1="{page.top:g}" x2="{x}" y2="{page.bottom:g}"/>'
    for fold in page.folds:
        size = f'width="{CHANNEL + 14}" height="{7 + LINE * len(fold):g}"'
        yield (
            f'<rect x="{LEFT - 7}" y="{fold[0].y - 15:g}" {size} fill="#fff" stroke="#8c98a4" stroke-dasharray="2 3"/>'
        )
    for shaft in page.shafts:
        yield _shaft(shaft)
    for step in page.steps:
        yield _step(step)
    for text in page.texts:
        yield _text(text)
    for fold in page.folds:
        yield from map(_text, fold)


def _band(band: Band) -> Iterator[str]:
    x, width = (OUR_BAND, LEFT - OUR_BAND) if band.ours else (RIGHT, PEER_NOTES - RIGHT - 10)
    yield (
        f'<rect x="{x}" y="{band.top:.1f}" width="{width}" height="{band.bottom - band.top:.1f}" '
        f'fill="{STATE_COLOURS[band.state]}"/>'
    )
    inside = PEER_BAND + 12 if not band.ours else OUR_BAND + 8
    for y in band.names:
        yield f'<text class="state" x="{inside}" y="{y:.1f}">{for_html(band.state.value)}</text>'


def _shaft(shaft: Shaft) -> str:
    kind, tip = "line", "tip"
    if shaft.dropped:
        kind, tip = "line lost", "cross"
    elif shaft.reset:
        kind, tip = "line rst", "tip-red"
    if shaft.again:
        kind, tip = "line again", tip if shaft.dropped else "tip-again"
    ends = (LEFT, shaft.tail, RIGHT, shaft.head) if shaft.out else (RIGHT, shaft.tail, LEFT, shaft.head)
    return (
        f'<line class="{kind}" x1="{ends[0]}" y1="{ends[1]:.1f}" x2="{ends[2]}" y2="{ends[3]:.1f}" '
        f'marker-end="url(#{tip})"/>'
    )


def _step(step: Step) -> str:
    x = LEFT if step.ours else RIGHT
    fill = "#1b2733" if step.known else "#fff"
    return f'<path class="mark" d="M{x} {step.y - 6:.1f}l6 6l-6 6l-6 -6z" fill="{fill}"/>'


def _text(text: Text) -> str:
    turn = f' transform="rotate({text.angle:.2f} {text.x:g} {text.y:.1f})"' if text.angle else ""
    anchor = ' text-anchor="end"' if text.right else ""
    return f'<text class="{text.kind}" x="{text.x:g}" y="{text.y:.1f}"{anchor}{turn}>{for_html(text.text)}</text>'


def _legend(top: float) -> Iterator[str]:
    """What arrows, marks and colours mean."""
    y = top + 14
    yield _text(Text(CLOCK + 10, y, "Legend", "head"))
    x = NOTES + 60.0
    for kind, tip, name in (
        ("line", "tip", "segment"),
        ("line again", "tip-again", "sent again"),
        ("line lost", "cross", "dropped by its receiver"),
        ("line rst", "tip-red", "RST"),
    ):
        ends = f'x1="{x:g}" y1="{y - 4:g}" x2="{x + 44:g}" y2="{y - 4:g}"'
        yield f'<line class="{kind}" {ends} marker-end="url(#{tip})"/>'
        yield _text(Text(x + 54, y, name, "note"))
        x += 84 + 6.4 * len(name)
    for fill, name in (("#1b2733", "a step that is known"), ("#fff", "a step that is inferred")):
        yield f'<path class="mark" d="M{x:g} {y - 10:g}l6 6l-6 6l-6 -6z" fill="{fill}"/>'
        yield _text(Text(x + 12, y, name, "note"))
        x += 36 + 6.4 * len(name)
    y += LINE + 12
    x = NOTES + 60.0
    for colour, name in MEANINGS:
        yield f'<rect x="{x:g}" y="{y - 12:g}" width="26" height="15" fill="{colour}" stroke="#8c98a4"/>'
        yield _text(Text(x + 34, y, name, "note"))
        x += 60 + 6.4 * len(name)
    yield _text(Text(x, y, "time runs downward, not to scale; an arrow's slope is its way, not its speed", "quiet"))
