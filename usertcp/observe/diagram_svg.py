"""The state diagram as SVG: places are fixed by state, arrows and labels come from the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import hypot
from typing import Final, NamedTuple

from usertcp.observe.diagram import Edge, action, edges
from usertcp.observe.diagram_way_svg import WAY_STYLE, Way, badges, steps_on, table_height, tables, ways_of
from usertcp.observe.escape import for_html
from usertcp.observe.path import Path
from usertcp.tcp.states import State

Point = tuple[float, float]

_S = State
_WIDTH, _HEIGHT = 1500, 1360
_LEFT, _MIDDLE, _RIGHT = 400, 750, 1100
_BOX_WIDTH, _BOX_HEIGHT = 190, 64
_RADIUS: Final = 14
#: Three arrows meet on one side of LISTEN.
_TALL: Final = {_S.LISTEN: 96}

_PLACES: Final[dict[State, Point]] = {
    _S.CLOSED: (_MIDDLE, 190),
    _S.LISTEN: (_MIDDLE, 370),
    _S.SYN_RECEIVED: (_LEFT, 530),
    _S.SYN_SENT: (_RIGHT, 530),
    _S.ESTABLISHED: (_MIDDLE, 690),
    _S.FIN_WAIT_1: (_LEFT, 870),
    _S.CLOSE_WAIT: (_RIGHT, 870),
    _S.FIN_WAIT_2: (_LEFT, 1060),
    _S.CLOSING: (_MIDDLE, 1060),
    _S.LAST_ACK: (_RIGHT, 1060),
    _S.TIME_WAIT: (_MIDDLE, 1230),
}
#: CLOSED is drawn a second time where connections end, as in the RFC's figure.
_END: Final = (_RIGHT, 1230)


class _Route(NamedTuple):
    """The corners of an arrow, and where its label starts ("start"), ends ("end") or is centred ("middle")."""

    points: tuple[Point, ...]
    label: Point
    anchor: str = "start"


def _top(state: State) -> float:
    return _PLACES[state][1] - _height(state) / 2


def _bottom(state: State) -> float:
    return _PLACES[state][1] + _height(state) / 2


def _height(state: State) -> float:
    return _TALL.get(state, _BOX_HEIGHT)


_LEFT_EDGE, _RIGHT_EDGE = _MIDDLE - _BOX_WIDTH / 2, _MIDDLE + _BOX_WIDTH / 2

#: By source, target and whether figure 5 has the edge.
_ROUTES: Final[dict[tuple[State, State, bool], _Route]] = {
    (_S.CLOSED, _S.LISTEN, True): _Route(
        ((_MIDDLE - 40, _bottom(_S.CLOSED)), (_MIDDLE - 40, _top(_S.LISTEN))),
        (_MIDDLE - 50, 275),
        "end",
    ),
    (_S.LISTEN, _S.CLOSED, True): _Route(
        ((_MIDDLE + 40, _top(_S.LISTEN)), (_MIDDLE + 40, _bottom(_S.CLOSED))), (_MIDDLE + 50, 275)
    ),
    (_S.CLOSED, _S.SYN_SENT, True): _Route(
        ((_RIGHT_EDGE, 175), (_RIGHT + 70, 175), (_RIGHT + 70, _top(_S.SYN_SENT))), (_RIGHT_EDGE + 25, 148)
    ),
    (_S.SYN_SENT, _S.CLOSED, True): _Route(
        ((_RIGHT + 25, _top(_S.SYN_SENT)), (_RIGHT + 25, 205), (_RIGHT_EDGE, 205)),
        (_RIGHT + 15, 275),
        "end",
    ),
    (_S.LISTEN, _S.SYN_SENT, True): _Route(
        ((_RIGHT_EDGE, 402), (_RIGHT - 70, 402), (_RIGHT - 70, _top(_S.SYN_SENT))), (_RIGHT_EDGE + 25, 421)
    ),
    (_S.LISTEN, _S.SYN_SENT, False): _Route(
        ((_RIGHT_EDGE, 338), (_RIGHT - 25, 338), (_RIGHT - 25, _top(_S.SYN_SENT))), (_RIGHT_EDGE + 25, 329)
    ),
    (_S.LISTEN, _S.SYN_RECEIVED, True): _Route(
        ((_LEFT_EDGE, 402), (_LEFT + 60, 402), (_LEFT + 60, _top(_S.SYN_RECEIVED))), (_LEFT + 80, 421)
    ),
    (_S.SYN_RECEIVED, _S.LISTEN, True): _Route(
        ((_LEFT + 10, _top(_S.SYN_RECEIVED)), (_LEFT + 10, 370), (_LEFT_EDGE, 370)), (_LEFT + 30, 361)
    ),
    (_S.SYN_RECEIVED, _S.LISTEN, False): _Route(
        (
            (_LEFT - 60, _top(_S.SYN_RECEIVED)),
            (_LEFT - 60, 338),
            (_LEFT_EDGE, 338),
        ),
        (_LEFT - 40, 329),
    ),
    (_S.SYN_SENT, _S.SYN_RECEIVED, True): _Route(
        ((_RIGHT - _BOX_WIDTH / 2, 530), (_LEFT + _BOX_WIDTH / 2, 530)), (_MIDDLE, 503), "middle"
    ),
    (_S.SYN_RECEIVED, _S.ESTABLISHED, True): _Route(
        ((_LEFT + 60, _bottom(_S.SYN_RECEIVED)), (_LEFT + 60, 675), (_LEFT_EDGE, 675)), (_LEFT + 80, 666)
    ),
    (_S.SYN_SENT, _S.ESTABLISHED, True): _Route(
        ((_RIGHT - 60, _bottom(_S.SYN_SENT)), (_RIGHT - 60, 675), (_RIGHT_EDGE, 675)), (_RIGHT_EDGE + 25, 648)
    ),
    (_S.SYN_RECEIVED, _S.FIN_WAIT_1, True): _Route(
        ((_LEFT - 60, _bottom(_S.SYN_RECEIVED)), (_LEFT - 60, _top(_S.FIN_WAIT_1))), (_LEFT - 50, 730)
    ),
    (_S.ESTABLISHED, _S.FIN_WAIT_1, True): _Route(
        ((_LEFT_EDGE, 705), (_LEFT + 60, 705), (_LEFT + 60, _top(_S.FIN_WAIT_1))), (_LEFT + 80, 724)
    ),
    (_S.ESTABLISHED, _S.CLOSE_WAIT, True): _Route(
        ((_RIGHT_EDGE, 705), (_RIGHT - 60, 705), (_RIGHT - 60, _top(_S.CLOSE_WAIT))), (_RIGHT_EDGE + 25, 724)
    ),
    (_S.FIN_WAIT_1, _S.FIN_WAIT_2, True): _Route(
        ((_LEFT, _bottom(_S.FIN_WAIT_1)), (_LEFT, _top(_S.FIN_WAIT_2))), (_LEFT + 12, 970)
    ),
    (_S.FIN_WAIT_1, _S.CLOSING, True): _Route(
        ((_LEFT + _BOX_WIDTH / 2, 870), (_MIDDLE, 870), (_MIDDLE, _top(_S.CLOSING))), (_LEFT + 120, 843)
    ),
    (_S.CLOSE_WAIT, _S.LAST_ACK, True): _Route(
        ((_RIGHT, _bottom(_S.CLOSE_WAIT)), (_RIGHT, _top(_S.LAST_ACK))), (_RIGHT + 12, 960)
    ),
    (_S.FIN_WAIT_2, _S.TIME_WAIT, True): _Route(
        ((_LEFT, _bottom(_S.FIN_WAIT_2)), (_LEFT, 1230), (_LEFT_EDGE, 1230)), (_LEFT + 30, 1203)
    ),
    (_S.CLOSING, _S.TIME_WAIT, True): _Route(
        ((_MIDDLE, _bottom(_S.CLOSING)), (_MIDDLE, _top(_S.TIME_WAIT))), (_MIDDLE + 12, 1150)
    ),
    (_S.LAST_ACK, _S.CLOSED, True): _Route(
        ((_RIGHT, _bottom(_S.LAST_ACK)), (_RIGHT, 1230 - _BOX_HEIGHT / 2)), (_RIGHT + 12, 1150)
    ),
    (_S.TIME_WAIT, _S.CLOSED, True): _Route(
        ((_RIGHT_EDGE, 1230), (_RIGHT - _BOX_WIDTH / 2, 1230)), (_MIDDLE + 175, 1203), "middle"
    ),
}

#: The side on which a state's short way to CLOSED leaves, for the transitions that figure 5 leaves out.
_ESCAPES: Final[dict[State, str]] = {
    _S.LISTEN: "down",
    _S.SYN_RECEIVED: "left",
    _S.SYN_SENT: "right",
    _S.ESTABLISHED: "down",
    _S.FIN_WAIT_1: "left",
    _S.FIN_WAIT_2: "left",
    _S.CLOSE_WAIT: "right",
    _S.CLOSING: "left, text below",
    _S.LAST_ACK: "right",
    _S.TIME_WAIT: "down, text left",
}

_PHASES: Final = {
    "closed": (_S.CLOSED,),
    "opening": (_S.LISTEN, _S.SYN_SENT, _S.SYN_RECEIVED),
    "open": (_S.ESTABLISHED,),
    "first": (_S.FIN_WAIT_1, _S.FIN_WAIT_2, _S.CLOSING, _S.TIME_WAIT),
    "second": (_S.CLOSE_WAIT, _S.LAST_ACK),
}
_PHASE_OF: Final = {state: phase for phase, states in _PHASES.items() for state in states}

_STYLE: Final = """
  svg { background: #fff }
  text { font-family: "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; fill: #1b2733 }
  .title { font-size: 30px; font-weight: 700 }
  .sub { font-size: 16px; fill: #5b6875 }
  .area { fill-opacity: .45; stroke: none }
  .area-name { font-size: 14px; font-weight: 700; letter-spacing: .08em; fill: #7b8794 }
  .box rect { stroke-width: 2 }
  .box text { font-size: 18px; font-weight: 700; text-anchor: middle }
  .closed rect { fill: #eceff2; stroke: #5b6875 }
  .opening rect { fill: #dcebfb; stroke: #2169b3 }
  .open rect { fill: #d8f1df; stroke: #1d8348 }
  .first rect { fill: #fdebd3; stroke: #c46a0a }
  .second rect { fill: #f0e1f7; stroke: #7d3c98 }
  .edge { fill: none; stroke: #33414e; stroke-width: 2; marker-end: url(#head) }
  .extra { fill: none; stroke: #a0453a; stroke-width: 1.6; stroke-dasharray: 6 5; marker-end: url(#head-extra) }
  .event { font-size: 15px; font-weight: 600 }
  .action { font-size: 14px; fill: #5b6875; font-style: italic }
  .extra-event { font-size: 13px; fill: #a0453a }
  .pill rect { fill: #fff; stroke: #a0453a; stroke-width: 1.4; stroke-dasharray: 5 4 }
  .pill text { font-size: 12px; font-weight: 700; text-anchor: middle; fill: #a0453a }
  .halo { paint-order: stroke; stroke: #fff; stroke-width: 4px; stroke-linejoin: round; stroke-opacity: .85 }
"""


def to_svg(path: Path | None = None, title: str = "") -> str:
    """The diagram as an SVG document of its own; with ``path``, the way that both ends of a connection took."""
    if path is None:
        return (
            "\n".join(_document(_HEIGHT, "RFC 9293, figure 5, and the transitions that the figure leaves out")) + "\n"
        )
    ways = ways_of(path)
    below = list(tables(ways, _HEIGHT, _WIDTH))
    height = _HEIGHT + table_height(ways)
    return (
        "\n".join(
            _document(height, f"The way of {title}: usertcp's steps are round, the peer's are square", ways, below)
        )
        + "\n"
    )


def _document(height: float, subtitle: str, ways: tuple[Way, ...] = (), below: Iterable[str] = ()) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" '
        f'width="{_WIDTH}" height="{height:g}" role="img" aria-labelledby="name">'
    )
    yield '<title id="name">The states of a TCP connection (RFC 9293, figure 5)</title>'
    yield f"<style>{_STYLE}{WAY_STYLE if ways else ''}</style>"
    yield "<defs>"
    yield _marker("head", "#33414e")
    yield _marker("head-extra", "#a0453a")
    yield "</defs>"
    yield f'<rect width="{_WIDTH}" height="{height:g}" fill="#fff"/>'
    yield '<text class="title" x="40" y="58">The states of a TCP connection</text>'
    yield f'<text class="sub" x="40" y="86">{for_html(subtitle)}</text>'
    yield from _legend()
    yield from _areas()
    visited = frozenset[State]().union(*(way.walk.states for way in ways))
    for edge in edges():
        yield from _dimmed(_edge(edge), bool(ways) and not any(steps_on(way, edge) for way in ways))
    for state, place in _PLACES.items():
        yield from _dimmed([_box(state, place)], bool(ways) and state not in visited)
    yield from _dimmed([_box(State.CLOSED, _END)], bool(ways) and State.CLOSED not in visited)
    for edge in edges():
        yield from badges(ways, edge, _points(edge))
    yield from below
    yield "</svg>"


def _dimmed(parts: Iterable[str], dim: bool) -> Iterator[str]:
    """What no end went through steps back."""
    if dim:
        yield '<g opacity="0.3">'
    yield from parts
    if dim:
        yield "</g>"


def _points(edge: Edge) -> tuple[Point, ...]:
    """The corners of the arrow of ``edge``."""
    if not edge.in_figure and edge.target is State.CLOSED:
        return _escape_ends(edge.source)
    return _ROUTES[edge.source, edge.target, edge.in_figure].points


def _marker(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10z" fill="{colour}"/></marker>'
    )


def _legend() -> Iterator[str]:
    yield '<path class="edge" d="M40 122H96"/>'
    yield '<text class="event" x="108" y="119">event</text>'
    yield '<text class="action" x="108" y="137">action, as in figure 5</text>'
    yield '<path class="extra" d="M40 168H96"/>'
    yield '<text class="extra-event" x="108" y="165">not in the figure:</text>'
    yield '<text class="extra-event" x="108" y="181">errors, timeouts, ABORT</text>'


def _areas() -> Iterator[str]:
    yield from _area(30, 865, 515, "#fef4e6", "WE CLOSE FIRST")
    yield from _area(915, 520, 320, "#f8effb", "THE PEER CLOSES FIRST", right=True)


def _area(x: int, width: int, height: int, colour: str, name: str, *, right: bool = False) -> Iterator[str]:
    y = 815
    yield f'<rect class="area" x="{x}" y="{y}" width="{width}" height="{height}" rx="18" fill="{colour}"/>'
    at, anchor = (x + width - 18, "end") if right else (x + 18, "start")
    yield f'<text class="area-name" x="{at}" y="{y + height - 16}" text-anchor="{anchor}">{name}</text>'


def _box(state: State, place: Point) -> str:
    x, y = place
    height = _height(state)
    return (
        f'<g class="box {_PHASE_OF[state]}"><rect x="{x - _BOX_WIDTH / 2:g}" y="{y - height / 2:g}" '
        f'width="{_BOX_WIDTH}" height="{height:g}" rx="12"/>'
        f'<text x="{x:g}" y="{y + 6:g}">{for_html(state.value)}</text></g>'
    )


def _edge(edge: Edge) -> Iterator[str]:
    if not edge.in_figure and edge.target is State.CLOSED:
        yield from _escape(edge)
        return
    route = _ROUTES[edge.source, edge.target, edge.in_figure]
    yield f'<path class="{"edge" if edge.in_figure else "extra"}" d="{_path(route.points)}"/>'
    yield from _label(edge, route)


def _label(edge: Edge, route: _Route) -> Iterator[str]:
    x, y = route.label
    for event in edge.events:
        kind = "event" if edge.in_figure else "extra-event"
        yield _text(kind, x, y, route.anchor, event.value)
        y += 18
        done = action(edge.source, event)
        if done:
            yield _text("action", x, y, route.anchor, done)
            y += 18


def _text(kind: str, x: float, y: float, anchor: str, text: str) -> str:
    return f'<text class="{kind} halo" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{for_html(text)}</text>'


def _escape(edge: Edge) -> Iterator[str]:
    """A short arrow to a small CLOSED beside the state: ten long ones would bury the figure."""
    x, y = _PLACES[edge.source]
    side = _ESCAPES[edge.source]
    names = [event.value for event in edge.events]
    start, end = _escape_ends(edge.source)
    if side.startswith("down"):
        pill, text, anchor = (x, end[1] + 12), (x + 41, end[1] + 16), "start"
    else:
        sign = 1 if side == "right" else -1
        pill, text = (end[0] + sign * 33, y), (end[0] + sign * 74, y + 4)
        anchor = "start" if side == "right" else "end"
    if side == "down, text left":
        text, anchor = (x - 41, text[1]), "end"
    if side == "left, text below":
        text, anchor = (pill[0], y + 32 + 8 * (len(names) - 1)), "middle"
    yield f'<path class="extra" d="{_path((start, end))}"/>'
    yield (
        f'<g class="pill"><rect x="{pill[0] - 33:g}" y="{pill[1] - 12:g}" width="66" height="24" rx="12"/>'
        f'<text x="{pill[0]:g}" y="{pill[1] + 4:g}">{State.CLOSED}</text></g>'
    )
    for index, name in enumerate(names):
        yield _text("extra-event", text[0], text[1] + 16 * index - 8 * (len(names) - 1), anchor, name)


def _escape_ends(source: State) -> tuple[Point, Point]:
    x, y = _PLACES[source]
    side = _ESCAPES[source]
    if side.startswith("down"):
        return (x, _bottom(source)), (x, _bottom(source) + 30)
    sign = 1 if side == "right" else -1
    return (x + sign * _BOX_WIDTH / 2, y), (x + sign * (_BOX_WIDTH / 2 + 40), y)


def _path(points: tuple[Point, ...]) -> str:
    """Straight lines with rounded corners."""
    parts = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        (ax, ay), (bx, by) = _towards(corner, before), _towards(corner, after)
        parts.append(f"L{ax:g} {ay:g}Q{corner[0]:g} {corner[1]:g} {bx:g} {by:g}")
    parts.append(f"L{points[-1][0]:g} {points[-1][1]:g}")
    return "".join(parts)


def _towards(start: Point, end: Point) -> Point:
    """The point at the corner's radius from ``start`` on the way to ``end``."""
    (x, y), (to_x, to_y) = start, end
    length = hypot(to_x - x, to_y - y)
    share = min(_RADIUS, length / 2) / length
    return round(x + (to_x - x) * share, 1), round(y + (to_y - y) * share, 1)
