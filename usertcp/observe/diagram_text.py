"""The state diagram and the table as text of at most 80 columns (the table as wide as the terminal)."""

from __future__ import annotations

from itertools import pairwise
from textwrap import wrap
from typing import Final, NamedTuple

from usertcp.observe.diagram import Edge, action, edges
from usertcp.observe.diagram_path import Walk
from usertcp.tcp.states import TABLE, UNREACHABLE, Event, State

_UP, _RIGHT, _DOWN, _LEFT = 1, 2, 4, 8
#: The character for a cell, by the directions in which a line leaves it.
_STROKES: Final = dict(zip(range(16), " ╵╶└╷│┌├╴┘─┴┐┤┬┼", strict=True))
_HEAVY_STROKES: Final = dict(zip(range(16), " ╹╺┗╻┃┏┣╸┛━┻┓┫┳╋", strict=True))
_HEADS: Final = {_UP: "▲", _RIGHT: "▶", _DOWN: "▼", _LEFT: "◀"}
_OPPOSITE: Final = {_UP: _DOWN, _DOWN: _UP, _LEFT: _RIGHT, _RIGHT: _LEFT}


class _Canvas:
    """A grid of characters on which lines meet as they should."""

    def __init__(self) -> None:
        self._strokes: dict[tuple[int, int], int] = {}
        self._heavy: set[tuple[int, int]] = set()
        self._text: dict[tuple[int, int], str] = {}

    def line(self, *points: tuple[int, int], heavy: bool = False) -> int:
        """Straight lines through ``points``; returns the direction of the last."""
        heading = 0
        for (x, y), (to_x, to_y) in pairwise(points):
            heading = _heading(to_x - x, to_y - y)
            while (x, y) != (to_x, to_y):
                self._stroke(x, y, heading, heavy)
                x += (heading == _RIGHT) - (heading == _LEFT)
                y += (heading == _DOWN) - (heading == _UP)
                self._stroke(x, y, _OPPOSITE[heading], heavy)
        return heading

    def arrow(self, *points: tuple[int, int], heavy: bool = False) -> None:
        """A line whose last cell is an arrowhead."""
        self._text[points[-1]] = _HEADS[self.line(*points, heavy=heavy)]

    def box(self, x: int, y: int, width: int, height: int, text: str, *, heavy: bool = False) -> None:
        right, bottom = x + width - 1, y + height - 1
        self.line((x, y), (right, y), (right, bottom), (x, bottom), (x, y), heavy=heavy)
        self.put(x + (width - len(text)) // 2, y + height // 2, text)

    def put(self, x: int, y: int, text: str) -> None:
        for offset, character in enumerate(text):
            self._text[x + offset, y] = character

    def __str__(self) -> str:
        cells = self._strokes.keys() | self._text.keys()
        height = 1 + max(y for _, y in cells)
        width = 1 + max(x for x, _ in cells)
        rows = ("".join(self._cell(x, y) for x in range(width)).rstrip() for y in range(height))
        return "\n".join(rows) + "\n"

    def _cell(self, x: int, y: int) -> str:
        strokes = _HEAVY_STROKES if (x, y) in self._heavy else _STROKES
        return self._text.get((x, y)) or strokes[self._strokes.get((x, y), 0)]

    def _stroke(self, x: int, y: int, direction: int, heavy: bool) -> None:
        self._strokes[x, y] = self._strokes.get((x, y), 0) | direction
        if heavy:
            self._heavy.add((x, y))


def _heading(dx: int, dy: int) -> int:
    assert (dx == 0) != (dy == 0), "lines are horizontal or vertical"
    if dx:
        return _RIGHT if dx > 0 else _LEFT
    return _DOWN if dy > 0 else _UP


class _Route(NamedTuple):
    """Where an edge runs, and where its event and the action are written (an end is right-aligned)."""

    points: tuple[tuple[int, int], ...]
    event_at: tuple[int, int]
    action_at: tuple[int, int] = (0, 0)
    right_aligned: bool = False


class _Box(NamedTuple):
    state: State
    x: int
    y: int
    height: int


_S = State
_WIDTH: Final = 16
_BOXES: Final = (
    _Box(_S.CLOSED, 32, 0, 5),
    _Box(_S.LISTEN, 32, 9, 5),
    _Box(_S.SYN_RECEIVED, 0, 18, 3),
    _Box(_S.SYN_SENT, 64, 18, 3),
    _Box(_S.ESTABLISHED, 32, 24, 7),
    _Box(_S.FIN_WAIT_1, 0, 35, 3),
    _Box(_S.CLOSE_WAIT, 64, 35, 3),
    _Box(_S.FIN_WAIT_2, 0, 43, 3),
    _Box(_S.CLOSING, 32, 43, 3),
    _Box(_S.LAST_ACK, 64, 43, 3),
    _Box(_S.TIME_WAIT, 28, 51, 3),
    _Box(_S.CLOSED, 64, 51, 3),
)
_ROUTES: Final[dict[tuple[State, State], _Route]] = {
    (_S.CLOSED, _S.LISTEN): _Route(((36, 4), (36, 8)), (34, 6), (34, 7), True),
    (_S.CLOSED, _S.SYN_SENT): _Route(((47, 1), (76, 1), (76, 17)), (50, 0), (50, 2)),
    (_S.LISTEN, _S.CLOSED): _Route(((43, 9), (43, 5)), (45, 6), (45, 7)),
    (_S.LISTEN, _S.SYN_SENT): _Route(((47, 12), (66, 12), (66, 17)), (50, 11), (50, 13)),
    (_S.LISTEN, _S.SYN_RECEIVED): _Route(((32, 12), (13, 12), (13, 17)), (16, 11), (16, 13)),
    (_S.SYN_SENT, _S.CLOSED): _Route(((71, 18), (71, 3), (48, 3)), (69, 7), (69, 8), True),
    (_S.SYN_SENT, _S.SYN_RECEIVED): _Route(((64, 19), (16, 19)), (35, 18), (35, 20)),
    (_S.SYN_SENT, _S.ESTABLISHED): _Route(((68, 20), (68, 25), (48, 25)), (50, 24), (50, 26)),
    (_S.SYN_RECEIVED, _S.LISTEN): _Route(((2, 18), (2, 10), (31, 10)), (4, 9)),
    (_S.SYN_RECEIVED, _S.ESTABLISHED): _Route(((13, 20), (13, 25), (31, 25)), (16, 24), (16, 26)),
    (_S.SYN_RECEIVED, _S.FIN_WAIT_1): _Route(((2, 20), (2, 34)), (4, 27), (4, 28)),
    (_S.ESTABLISHED, _S.FIN_WAIT_1): _Route(((32, 29), (13, 29), (13, 34)), (16, 28), (16, 30)),
    (_S.ESTABLISHED, _S.CLOSE_WAIT): _Route(((47, 29), (68, 29), (68, 34)), (50, 28), (50, 30)),
    (_S.FIN_WAIT_1, _S.FIN_WAIT_2): _Route(((4, 37), (4, 42)), (6, 39), (6, 40)),
    (_S.FIN_WAIT_1, _S.CLOSING): _Route(((15, 36), (40, 36), (40, 42)), (18, 35), (18, 37)),
    (_S.CLOSE_WAIT, _S.LAST_ACK): _Route(((72, 37), (72, 42)), (70, 39), (70, 40), True),
    (_S.FIN_WAIT_2, _S.TIME_WAIT): _Route(((8, 45), (8, 52), (27, 52)), (11, 51), (11, 53)),
    (_S.CLOSING, _S.TIME_WAIT): _Route(((36, 45), (36, 50)), (38, 47), (38, 48)),
    (_S.LAST_ACK, _S.CLOSED): _Route(((72, 45), (72, 50)), (70, 47), (70, 48), True),
    (_S.TIME_WAIT, _S.CLOSED): _Route(((43, 52), (63, 52)), (45, 51), (45, 53)),
}


def diagram(walk: Walk | None = None) -> str:
    """Figure 5 of RFC 9293, drawn from the table, in 80 columns; what ``walk`` went through in heavy lines."""
    canvas = _Canvas()
    ended = walk is not None and bool(walk.steps)  # CLOSED is drawn twice: where it begins and where it ends
    for box in _BOXES:
        begins = box.y == 0
        heavy = walk is not None and box.state in walk.states
        if box.state is _S.CLOSED and walk is not None:
            heavy = walk.start is _S.CLOSED if begins else ended and walk.steps[-1].target is _S.CLOSED
        canvas.box(box.x, box.y, _WIDTH, box.height, box.state.value, heavy=heavy)
    drawn = [edge for edge in edges() if edge.in_figure]
    taken = [walk is not None and bool(walk.on(edge.source, edge.target, edge.events)) for edge in drawn]
    for edge, heavy in sorted(zip(drawn, taken, strict=True), key=lambda pair: pair[1]):
        _draw(canvas, edge, _ROUTES[edge.source, edge.target], heavy=heavy)
    return str(canvas)


def _draw(canvas: _Canvas, edge: Edge, route: _Route, *, heavy: bool) -> None:
    canvas.arrow(*route.points, heavy=heavy)
    events = " or ".join(event.value for event in edge.events)
    actions = " or ".join(filter(None, (action(edge.source, event) for event in edge.events)))
    for text, (x, y) in ((events, route.event_at), (actions, route.action_at)):
        canvas.put(x - len(text) + 1 if route.right_aligned else x, y, text)


def not_in_figure(width: int = 80) -> str:
    """The state changes that figure 5 leaves out, one event and next state a line."""
    grouped: dict[tuple[Event, State], list[State]] = {}
    for edge in edges():
        if not edge.in_figure:
            for event in edge.events:
                grouped.setdefault((event, edge.target), []).append(edge.source)
    widest = max(len(event.value) for event, _ in grouped)
    lines = []
    for (event, target), sources in sorted(grouped.items(), key=lambda item: list(Event).index(item[0][0])):
        head = f"{event.value:<{widest}}  → {target.value:<8}  from "
        lines += _hanging(head, _listed(sources), width)
    return "\n".join(lines) + "\n"


def table(width: int = 80, *, complete: bool = False) -> str:
    """The transitions, grouped by state.

    Only those that change the state, or, with ``complete``, also those that leave it as it is and the pairs
    that cannot happen, with the proof.  A line has at most ``width`` columns.
    """
    parts = []
    for state in State:
        rows = [_row(state, event, width) for event in Event if complete or _changes(state, event)]
        parts.append("\n".join([state.value, *rows]))
    return "\n\n".join(parts) + "\n"


def _listed(states: list[State]) -> str:
    """The states, by exception where that is shorter."""
    others = [state for state in State if state not in states]
    if len(others) < len(states):
        return f"any but {', '.join(state.value for state in others)}"
    return ", ".join(state.value for state in states)


def _hanging(head: str, text: str, width: int) -> list[str]:
    return wrap(text, width, initial_indent=head, subsequent_indent=" " * len(head), break_on_hyphens=False)


_EVENT_WIDTH: Final = max(len(event.value) for event in Event)
#: With less room than this for the reason it goes on a line of its own.
_ROOM_BESIDE: Final = 48
_STATE_WIDTH: Final = max(len(state.value) for state in State)


def _changes(state: State, event: Event) -> bool:
    transition = TABLE.get((state, event))
    return transition is not None and transition.next_state is not state


def _row(state: State, event: Event, width: int) -> str:
    if (state, event) in UNREACHABLE:
        target, section, text = "never", "", UNREACHABLE[state, event]
    else:
        next_state, section, text = TABLE[state, event]
        target = "stays" if next_state is state else f"→ {next_state}"
        section = f"§{section}"
    head = f"  {event.value:<{_EVENT_WIDTH}}  {target:<{_STATE_WIDTH + 2}}  {section:<9}  "
    if width - len(head) >= _ROOM_BESIDE:
        return "\n".join(_hanging(head, text, width))
    return "\n".join([head.rstrip(), *_hanging(" " * 6, text, width)])
