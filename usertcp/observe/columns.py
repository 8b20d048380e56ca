"""The columns of a ladder in text: where times, states, rails and arrows stand in a line of a given width."""

from __future__ import annotations

from typing import Final

from usertcp.observe.lines import Line, Role, Span

#: From here on, both ends' states stand beside the rails.
FULL_WIDTH: Final = 80
#: From here on there are rails; in less, a ladder is a list.
RAILS_WIDTH: Final = 60
#: Longer arrows are harder to follow, not easier.
MAX_WIDTH: Final = 160
MIN_WIDTH: Final = 40
NOTHING: Final = Span("", Role.PLAIN)
_TIME: Final = 9
_STATE: Final = 12
_NUMBER: Final = 6


def length(line: Line) -> int:
    """Columns that ``line`` takes."""
    return sum(len(span.text) for span in line)


def clock(time: float, room: int = _TIME) -> str:
    """``time`` in milliseconds, right-aligned in ``room`` columns; without decimals where there is no room for them."""
    for form in (".3f", ".0f", ".1e"):
        text = f"{time * 1000:{room}{form}}"
        if len(text) <= room:
            break
    return text


class Columns:
    """Builds lines of at most ``width`` columns; ``numbered`` ones begin with a connection's number.

    ``inner`` is the room between the rails.  ``beside`` is False where the peer's state has no column of its own.
    """

    def __init__(self, width: int, *, numbered: bool) -> None:
        self.width = min(max(width, MIN_WIDTH), MAX_WIDTH)
        self.numbered = numbered
        self.beside = self.width >= FULL_WIDTH
        states = _STATE * 2 + 2 if self.beside else _STATE + 1
        self.inner = self.width - _TIME - states - 3 - (_NUMBER if numbered else 0)

    def row(self, prefix: Line, left: Span, left_rail: str, channel: Line, right_rail: str, right: Span) -> Line:
        """One line: ``prefix`` (number and time), our state, the rails with ``channel`` between them, the peer's."""
        line = (
            *prefix,
            Span(" ", Role.PLAIN),
            Span(left.text.ljust(_STATE) + " ", left.role),
            Span(left_rail, Role.RAIL),
            *channel,
            Span(" " * (self.inner - length(channel)), Role.PLAIN),
            Span(right_rail, Role.RAIL),
        )
        return (*line, Span(" " + right.text, right.role)) if self.beside else line

    def at(self, number: str, time: float) -> Line:
        """The beginning of a line about connection ``number`` at ``time``, in seconds from its start."""
        return (*self._prefix(number), Span(clock(time), Role.TIME))

    def blank(self, number: str) -> Line:
        """The same without a time."""
        return (*self._prefix(number), Span(" " * _TIME, Role.PLAIN))

    def heading(self, key: str) -> Line:
        """What the columns are; ``key`` explains the marks on the rails."""
        prefix = (Span(" " * (_NUMBER if self.numbered else 0), Role.PLAIN), Span("ms".rjust(_TIME), Role.DIM))
        fits = key if len(key) < self.inner else ""
        key_span = Span(fits.rjust(self.inner - 1), Role.DIM)
        return self.row(prefix, Span("usertcp", Role.TITLE), " ", (key_span,), " ", Span("peer", Role.TITLE))

    def _prefix(self, number: str) -> Line:
        return (Span(number.ljust(_NUMBER), Role.TITLE),) if self.numbered else ()
