"""A ladder in text: two rails, arrows between them, states beside them."""

from __future__ import annotations

from usertcp.observe.columns import NOTHING, Columns, length
from usertcp.observe.lines import Line, Role, Span, wrap
from usertcp.observe.story import Arrow, Folded, Label, Note, Turn, why
from usertcp.tcp.states import State
from usertcp.wire.tcp import FIN, RST, SYN


class Rails:
    """Draws rungs as lines.  ``number`` is what stands before the line, ``time`` counts from the story's start."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._inner = columns.inner

    def arrow(self, number: str, time: float, arrow: Arrow, *, restate: bool) -> list[Line]:
        """A segment: the arrow, what did not fit on it, what is said of it, what it does to the peer.

        ``restate``: both states are written beside it, since the last ones are far above.
        """
        label, rest = _fit(arrow.label, self._inner - 6)
        lines = [self._shaft(number, time, arrow, label, restate=restate)]
        details = wrap([Span(rest, Role.NOTE)], self._inner - 4)
        for remark in arrow.remarks:
            details += wrap([Span(remark.text, remark.role)], self._inner - 4)
        after = list(arrow.after)
        for index, detail in enumerate(details):
            own = (Span("   ", Role.PLAIN), *detail)
            last = index == len(details) - 1
            if last and after and length(own) + length(self._cause(after[0])) < self._inner - 2:
                lines.append(self._peers(number, after.pop(0), own))
            else:
                lines.append(self._row(number, None, NOTHING, "│", own, "│", NOTHING))
        for turn in after:
            lines += self.peers_turn(number, turn)
        return lines

    def our_turn(self, number: str, time: float, turn: Turn) -> list[Line]:
        """A step of our state machine, with its section and reason."""
        spans = [
            Span(turn.cause, Role.CAUSE),
            Span("·", Role.DIM),
            Span(why(turn), Role.NOTE),
        ]
        return self._notes(number, time, spans, turn.state)

    def peers_turn(self, number: str, turn: Turn) -> list[Line]:
        """A step of the peer's, inferred or read."""
        if length(self._cause(turn)) <= self._inner:
            return [self._peers(number, turn, ())]
        state = turn.state.value if turn.state is not None else ""
        return [
            *(
                self._row(number, None, NOTHING, "│", self._right(line), "│", NOTHING)
                for line in wrap([Span(turn.cause, Role.CAUSE)], self._inner - 2)
            ),
            self._peers(number, turn._replace(cause=""), ())
            if not self._columns.beside
            else self._row(number, None, NOTHING, "│", (), _mark(turn), Span(state, Role.NEW_STATE)),
        ]

    def note(self, number: str, time: float, note: Note) -> list[Line]:
        """Something that happened at our side, or, set to the right, at the peer's."""
        if note.ours:
            return self._notes(number, time, [Span(note.text, note.role)], None)
        prefix = self._columns.at(number, time)
        lines = []
        for text in wrap([Span(note.text, note.role)], self._inner - 2):
            lines.append(self._columns.row(prefix, NOTHING, "│", self._right(text), "│", NOTHING))
            prefix = self._columns.blank(number)
        return lines

    def folded(self, number: str, time: float, folded: Folded) -> list[Line]:
        """What was left out."""
        return self._notes(number, time, [Span(folded.text, Role.DIM)], None)

    # -- rows ---------------------------------------------------------------------------------------------

    def _row(
        self, number: str, time: float | None, left: Span, rail: str, channel: Line, right_rail: str, right: Span
    ) -> Line:
        prefix = self._columns.blank(number) if time is None else self._columns.at(number, time)
        return self._columns.row(prefix, left, rail, channel, right_rail, right)

    def _shaft(self, number: str, time: float, arrow: Arrow, label: str, *, restate: bool) -> Line:
        role = Role.ARROW_OUT if arrow.out else Role.ARROW_IN
        if arrow.again or arrow.dropped:
            role = Role.ERROR if arrow.dropped else Role.WARNING
        shaft = "╌" if arrow.again else "─"
        tail = shaft * (self._inner - len(label) - 5)
        if arrow.out:
            start, end, rails = shaft * 2, f"{tail}▶", ("├", "│")
        else:
            start, end, rails = f"{'✗' if arrow.dropped else '◀'}{shaft}", tail + shaft, ("│", "┤")
        left = right = NOTHING
        if restate:
            left, right = (_state(state) for state in arrow.states)
        channel = (Span(f"{start} ", role), Span(label, _flag_role(arrow.flags)), Span(f" {end}", role))
        return self._row(number, time, left, rails[0], channel, rails[1], right)

    def _peers(self, number: str, turn: Turn, own: Line) -> Line:
        cause = self._cause(turn)
        gap = Span(" " * (self._inner - length(own) - length(cause)), Role.PLAIN)
        state = turn.state.value if turn.state is not None else ""
        return self._row(number, None, NOTHING, "│", (*own, gap, *cause), _mark(turn), Span(state, Role.NEW_STATE))

    def _cause(self, turn: Turn) -> Line:
        """Why the peer changes its state, and where there is no column for the state, the state."""
        cause = Span(f"{turn.cause} ", Role.CAUSE)
        if self._columns.beside or turn.state is None:
            return (cause,)
        return (cause, Span(f"→ {turn.state.value} " if turn.cause else f"{turn.state.value} ", Role.NEW_STATE))

    def _right(self, line: Line) -> Line:
        return (Span(" " * (self._inner - length(line) - 1), Role.PLAIN), *line)

    def _notes(self, number: str, time: float, spans: list[Span], state: State | None) -> list[Line]:
        lines = []
        for index, text in enumerate(wrap(spans, self._inner - 2)):
            first = index == 0
            lines.append(
                self._row(
                    number,
                    time if first else None,
                    _state(state, Role.NEW_STATE) if first else NOTHING,
                    "◆" if state is not None and first else "│",
                    (Span(" ", Role.PLAIN), *text),
                    "│",
                    NOTHING,
                )
            )
        return lines


def _fit(label: Label, room: int) -> tuple[str, str]:
    """The text on the arrow, and what has no room there."""
    items = [label.flags, *label.numbers]
    rest: list[str] = []
    if label.isn:
        if len(" ".join([*items, label.isn])) <= room:
            items.insert(2, label.isn)
        else:
            rest.append(label.isn)
    if label.window and (label.window_changed or len(" ".join([*items, *label.rest, label.window])) <= room):
        rest.append(label.window)
    items += [*rest, *label.rest]
    fitting = len(items)
    while len(" ".join(items[:fitting])) > room:
        fitting -= 1
    return " ".join(items[:fitting]), ", ".join(items[fitting:])


def _mark(turn: Turn) -> str:
    return "◆" if turn.read else "◇"


def _state(state: State | None, role: Role = Role.STATE) -> Span:
    return NOTHING if state is None else Span(state.value, role)


def _flag_role(flags: int) -> Role:
    if flags & RST:
        return Role.RESET
    if flags & SYN:
        return Role.OPENING
    return Role.CLOSING if flags & FIN else Role.DATA
