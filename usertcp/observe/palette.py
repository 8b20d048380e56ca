"""The colours that stand for states, alike in all pictures; light, so that black text on them can be printed."""

from __future__ import annotations

from typing import Final

from usertcp.tcp.states import State

_NOTHING: Final = "#eceff2"
_OPENING: Final = "#dcebfb"
_OPEN: Final = "#d8f1df"
_CLOSED_FIRST: Final = "#fdebd3"
_CLOSED_SECOND: Final = "#f0e1f7"

STATE_COLOURS: Final[dict[State, str]] = {
    State.CLOSED: _NOTHING,
    State.LISTEN: _OPENING,
    State.SYN_SENT: _OPENING,
    State.SYN_RECEIVED: _OPENING,
    State.ESTABLISHED: _OPEN,
    State.FIN_WAIT_1: _CLOSED_FIRST,
    State.FIN_WAIT_2: _CLOSED_FIRST,
    State.CLOSING: _CLOSED_FIRST,
    State.TIME_WAIT: _CLOSED_FIRST,
    State.CLOSE_WAIT: _CLOSED_SECOND,
    State.LAST_ACK: _CLOSED_SECOND,
}

#: What the colours mean, for a legend.
MEANINGS: Final[tuple[tuple[str, str], ...]] = (
    (_NOTHING, "no connection"),
    (_OPENING, "opening"),
    (_OPEN, "established"),
    (_CLOSED_FIRST, "closed first"),
    (_CLOSED_SECOND, "closed second"),
)
