"""A ladder where there is no room for rails: the same, as a list."""

from __future__ import annotations

from usertcp.observe.columns import clock
from usertcp.observe.lines import Line, Role, Span, wrap
from usertcp.observe.story import Arrow, Folded, Note, Turn, why

_TIME = 8


class Listed:
    """Draws rungs as lines of at most ``width`` columns; the methods are those of
    :class:`~usertcp.observe.ladder_rails.Rails`."""

    def __init__(self, width: int, *, numbered: bool) -> None:
        self._width = width
        self._numbered = numbered

    def arrow(self, number: str, time: float, arrow: Arrow, *, restate: bool) -> list[Line]:
        """A segment, and what is said of it."""
        head = "▶" if arrow.out else "✗" if arrow.dropped else "◀"
        role = Role.ARROW_OUT if arrow.out else Role.ARROW_IN
        lines = self._item(number, time, Span(head, role), [Span(arrow.label.whole(), Role.DATA)])
        for remark in arrow.remarks:
            lines += self._item(number, None, Span(" ", Role.PLAIN), [Span(remark.text, remark.role)])
        for turn in arrow.after:
            lines += self.peers_turn(number, turn)
        return lines

    def our_turn(self, number: str, time: float, turn: Turn) -> list[Line]:
        """A step of our state machine."""
        text = f"{turn.cause} · {why(turn)}"
        spans = [Span(text, Role.NOTE)]
        if turn.state is None:
            return self._item(number, time, Span(" ", Role.PLAIN), spans)
        return self._item(number, time, Span("◆", Role.RAIL), [Span(turn.state.value, Role.NEW_STATE), *spans])

    def peers_turn(self, number: str, turn: Turn) -> list[Line]:
        """A step of the peer's."""
        state = turn.state.value if turn.state is not None else ""
        spans = [Span(f"peer: {state}", Role.NEW_STATE), Span(turn.cause, Role.CAUSE)]
        return self._item(number, None, Span("◆" if turn.read else "◇", Role.RAIL), spans)

    def note(self, number: str, time: float, note: Note) -> list[Line]:
        """Something else that happened."""
        text = note.text if note.ours else f"peer: {note.text}"
        return self._item(number, time, Span(" ", Role.PLAIN), [Span(text, note.role)])

    def folded(self, number: str, time: float, folded: Folded) -> list[Line]:
        """What was left out."""
        return self._item(number, time, Span(" ", Role.PLAIN), [Span(folded.text, Role.DIM)])

    def _item(self, number: str, time: float | None, mark: Span, spans: list[Span]) -> list[Line]:
        start = (Span(f"{number} ", Role.TITLE),) if self._numbered else ()
        stamp = clock(time, _TIME) if time is not None else " " * _TIME
        first = (*start, Span(stamp, Role.TIME), Span(" ", Role.PLAIN), mark, Span(" ", Role.PLAIN))
        indent = Span(" " * sum(len(span.text) for span in first), Role.PLAIN)
        texts = wrap(spans, max(self._width - len(indent.text), 8))
        return [(*(first if index == 0 else (indent,)), *text) for index, text in enumerate(texts)]
