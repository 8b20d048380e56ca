"""Ladders in text: what a connection's two ends sent each other, line by line, and what it did to their states.

Our side is on the left, the peer on the right, time runs downward.  A :class:`Ladder` takes trace events
and gives lines as they come (``listen --trace``); :func:`ladders` draws each connection by itself from
recorded events (``try``, ``usertcp ladder``).  Neither knows about terminals: see :mod:`usertcp.observe.printer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from usertcp.observe.columns import FULL_WIDTH, RAILS_WIDTH, Columns, clock, length
from usertcp.observe.ladder_list import Listed
from usertcp.observe.ladder_rails import Rails
from usertcp.observe.lines import Line, Role, Span, wrap
from usertcp.observe.narrator import CONCISE, Narrator, Telling
from usertcp.observe.path import Stop
from usertcp.observe.story import Arrow, Begun, Ended, Folded, Note, Rung, Turn
from usertcp.observe.summary import Answer
from usertcp.observe.tales import Tale, tales
from usertcp.tcp.events import TraceEvent

#: The column of the questions under a ladder.
_QUESTION: Final = 14
_KNOWN_AND_INFERRED: Final = "◆ known   ◇ inferred"
_KEYS: Final = {
    False: "◆ ours   ◇ the peer's, inferred",
    True: "◆ ours, and the peer's as its kernel says",
}


class Drawing:
    """Draws rungs as lines of at most ``width`` columns (40 to 160; less or more is taken as those)."""

    def __init__(self, width: int, *, numbered: bool = False) -> None:
        self._columns = Columns(width, numbered=numbered)
        self._width = self._columns.width
        self._numbered = numbered
        self._list = self._width < RAILS_WIDTH
        self._form: Rails | Listed = Listed(self._width, numbered=numbered) if self._list else Rails(self._columns)
        #: Each story's number, as written, and when it began.
        self._stories: dict[int, tuple[str, float]] = {}
        self._last: int | None = None
        #: Stories of which something was left out since their states were last written.
        self._restate: set[int] = set()
        self._titled = False

    def draw(self, rung: Rung, *, key: str = _KNOWN_AND_INFERRED) -> list[Line]:
        """The lines of ``rung``; ``key`` explains the marks, where it begins a ladder."""
        if isinstance(rung, Begun):
            return self._begun(rung, key)
        if not rung.story and isinstance(rung, Note):
            return wrap([Span(f"— {rung.text}", rung.role)], self._width)
        number, started = self._stories.get(rung.story, ("—", rung.time))
        lines = self._drawn(rung, number, rung.time - started)
        if lines:
            self._last = rung.story
        if isinstance(rung, Ended):
            self._stories.pop(rung.story, None)
            self._restate.discard(rung.story)
        return lines

    def _drawn(self, rung: Arrow | Turn | Note | Folded | Ended, number: str, time: float) -> list[Line]:
        match rung:
            case Arrow():
                restate = rung.story in self._restate or (self._numbered and self._last != rung.story)
                self._restate.discard(rung.story)
                return self._form.arrow(number, time, rung, restate=restate)
            case Turn():
                if rung.ours:
                    return self._form.our_turn(number, time, rung)
                return self._form.peers_turn(number, rung)
            case Folded():
                self._restate.add(rung.story)
                return self._form.folded(number, time, rung)
            case Note():
                return self._form.note(number, time, rung)
            case Ended():
                return self._ended(rung, number, time)

    def _begun(self, rung: Begun, key: str) -> list[Line]:
        number = f"#{rung.conn}" if rung.conn else "—"
        self._stories[rung.story] = number, self._stories.get(rung.story, ("", rung.time))[1]
        lines = wrap([Span(title(rung), Role.TITLE)], self._width)
        if self._numbered and self._titled:
            return lines
        self._titled = True
        if self._list:
            return [*lines, *wrap([Span(f"{key}   times in ms", Role.DIM)], self._width)]
        heading = self._columns.heading(key)
        return [heading, *lines] if self._numbered else [*lines, (), heading]

    def _ended(self, rung: Ended, number: str, time: float) -> list[Line]:
        lines: list[Line] = []
        if rung.text:
            lines += self._form.note(number, time, Note(rung.story, rung.time, rung.text, rung.role))
        prefix = f"{number} " if self._numbered else ""
        phrases = [*(f"{phrase} ·" for phrase in rung.summary[:-1]), *rung.summary[-1:]]
        lines += _flow(prefix, [(Span(phrase, Role.DIM),) for phrase in phrases], self._width)
        for answer in rung.answers:
            lines += self._answer(answer, prefix)
        return lines + self._path(rung, prefix)

    def _answer(self, answer: Answer, prefix: str) -> list[Line]:
        """A question and its answer, in two columns."""
        indent = len(prefix) + _QUESTION
        texts = [line for text in answer.lines for line in wrap([Span(text, Role.PLAIN)], self._width - indent)]
        first = Span(f"{prefix}{answer.question:{_QUESTION}}", Role.TITLE)
        blank = Span(" " * indent, Role.PLAIN)
        return [(blank if index else first, *text) for index, text in enumerate(texts)]

    def _path(self, rung: Ended, prefix: str) -> list[Line]:
        """The path that both ends took through figure 5, and when."""
        if rung.path is None or not rung.path.ours:
            return []
        started, width = rung.path.started, self._width
        lines = _stops(f"{prefix}{'States, ms':{_QUESTION}}", "usertcp", rung.path.ours, started, width)
        if rung.path.peers:
            peer = "peer ◆" if all(stop.read for stop in rung.path.peers) else "peer ◇"
            lines += _stops(" " * (len(prefix) + _QUESTION), peer, rung.path.peers, started, width)
        if not rung.path.complete:
            lines += wrap([Span(f"{prefix}… and more states", Role.DIM)], width)
        return lines


class Ladder:
    """Turns trace events into lines, as they come.

    ``width`` is the longest line in columns.  ``numbered`` puts the connection's number before each line, for several
    connections in one ladder; then long folds also tell their progress.
    """

    def __init__(self, *, width: int = FULL_WIDTH, telling: Telling = CONCISE, numbered: bool = False) -> None:
        self._narrator = Narrator(telling, live=numbered)
        self._drawing = Drawing(width, numbered=numbered)

    def feed(self, event: TraceEvent) -> list[Line]:
        """The lines that ``event`` adds; none while it is folded away or kept back."""
        return self._draw(self._narrator.feed(event))

    def flush(self) -> list[Line]:
        """Draws what is still folded or kept back; call it when no event has come for a while."""
        return self._draw(self._narrator.flush())

    def end(self) -> list[Line]:
        """The last lines: of every connection that has not ended."""
        return self._draw(self._narrator.end())

    def _draw(self, rungs: Sequence[Rung]) -> list[Line]:
        return [line for rung in rungs for line in self._drawing.draw(rung)]


def ladders(events: Iterable[TraceEvent], *, width: int = FULL_WIDTH, telling: Telling = CONCISE) -> Iterator[Line]:
    """One ladder for each connection in ``events``, in the order in which they were opened."""
    first = True
    for tale in tales(events, telling):
        if not first:
            yield ()
        first = False
        yield from _ladder(tale, width)


def _ladder(tale: Tale, width: int) -> Iterator[Line]:
    drawing = Drawing(width)
    if not tale.story:
        yield (Span("For no connection:", Role.TITLE),)
    for rung in tale.rungs:
        yield from drawing.draw(rung, key=_KEYS[tale.peer_is_read])


def title(rung: Begun) -> str:
    """``"Connection 1: usertcp 192.0.2.2:80 ◀── peer 192.0.2.1:43210"``."""
    name = f"Connection {rung.conn}" if rung.conn else "No connection"
    if not rung.local:
        return f"{name}: its beginning was not recorded"
    arrow = "──▶" if rung.role == "active" else "◀──"
    joined = f" (joined in {rung.joined})" if rung.joined is not None else ""
    return f"{name}: usertcp {rung.local} {arrow} peer {rung.remote}{joined}"


def _stops(name: str, whose: str, stops: Sequence[Stop], started: float, width: int) -> list[Line]:
    """The stops of one end, behind ``name`` and ``whose``."""
    pieces: list[Line] = [(Span(f"{whose:7}", Role.PLAIN), Span(f" {stops[0].state.value}", Role.STATE))]
    for stop in stops[1:]:
        time = clock(stop.time - started).strip()
        pieces.append((Span("─▶ ", Role.DIM), Span(stop.state.value, Role.STATE), Span(f" {time}", Role.DIM)))
    return _flow(name, pieces, width)


def _pieces_of(pieces: Sequence[Line], room: int) -> Iterator[Line]:
    """``pieces``, those broken that are longer than any line."""
    for piece in pieces:
        yield from [piece] if length(piece) <= room else wrap(list(piece), room)


def _flow(name: str, pieces: Sequence[Line], width: int) -> list[Line]:
    """``pieces`` after each other behind ``name``, broken only between them."""
    lines: list[Line] = []
    line: list[Span] = [Span(name, Role.TITLE)]
    used = indent = len(name)
    room = width - indent
    for piece in _pieces_of(pieces, room):
        size = length(piece)
        if used > indent and used + 1 + size > width:
            lines.append(tuple(line))
            line, used = [Span(" " * indent, Role.PLAIN)], indent
        if used > indent:
            line.append(Span(" ", Role.PLAIN))
            used += 1
        line += piece
        used += size
    return [*lines, tuple(line)]
