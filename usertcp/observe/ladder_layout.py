"""Where the parts of a ladder stand on a page: no two labels overlap, and nothing comes before its cause.

Columns are fixed; downward everything takes the room that it needs.  An arrow leaves one lifeline and reaches the other
a little later.  Two arrows cross where the segments did: each was sent before the other one could be known.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import atan, degrees
from textwrap import wrap
from typing import Final

from usertcp.observe.columns import clock
from usertcp.observe.crossings import Crossed, crossings
from usertcp.observe.ladder import title
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
    Band,
    Page,
    Shaft,
    Step,
    Text,
)
from usertcp.observe.lines import Role
from usertcp.observe.names import milliseconds
from usertcp.observe.story import Arrow, Begun, Ended, Folded, Note, Rung, Turn, foot, why
from usertcp.observe.tales import Tale
from usertcp.tcp.states import State
from usertcp.wire.tcp import RST

#: How far an arrow falls on its way.
_FALL: Final = 22.0
#: The same of two that cross.
_CROSSING_FALL: Final = 58.0
#: Room for the next step of the same end.
_STEP: Final = 19.0
#: Characters that fit: on an arrow, on half of one, in our notes, in the peer's, between the lifelines, at the foot.
_ON_ARROW: Final = 74
_ON_HALF: Final = 38
_IN_NOTES: Final = 41
_IN_PEER_NOTES: Final = 32
_IN_FOLD: Final = 84
_AT_FOOT: Final = 170
#: A silence that is longer, in seconds, is told.
_SILENCE: Final = 0.15
#: The name of a state is written again after so many pixels.
_AGAIN: Final = 420.0


def lay_out(tale: Tale) -> Page:
    """The page of one tale; its first rung says what it is about."""
    layout = _Layout(tale)
    for rung in crossings(tale.rungs):
        layout.place(rung)
    return layout.page


class _Layout:
    """Places one rung after the other; what is taken at each column only moves down."""

    def __init__(self, tale: Tale) -> None:
        self.page = Page(top=74.0)
        self._started = self._last = tale.rungs[0].time
        self._peer_is_read = tale.peer_is_read
        #: The height up to which each lifeline and each column of notes is taken.
        self._left = self._right = self.page.top + 14
        self._notes = self._peer_notes = self.page.top
        #: Up to here the last arrow and its texts reach: at its tail, its head, and the far end of the texts.
        self._arrow_foot = self._arrow_head = self._arrow_far_foot = 0.0
        self._arrow_out = True
        self._clock = ""
        self._clock_y = 0.0
        self._ours: Band | None = None
        self._peers: Band | None = None

    def place(self, rung: Rung | Crossed) -> None:
        """Everything that ``rung`` draws."""
        if isinstance(rung, (Arrow, Turn, Note)):
            self._silence(rung.time)
        match rung:
            case Crossed():
                self._crossed(rung)
            case Begun():
                self._heading(rung)
            case Arrow():
                self._arrow(rung)
            case Turn():
                self._turn(rung)
            case Note():
                self._note(rung)
            case Folded():
                self._fold(rung)
            case Ended():
                self._end(rung)

    # -- rungs --------------------------------------------------------------------------------------------

    def _heading(self, rung: Begun) -> None:
        peer = "peer, as its kernel says" if self._peer_is_read else "peer, inferred"
        self.page.heading = [
            Text(NOTES, 18, title(rung), "title"),
            Text(CLOCK, 56, "ms", "clock"),
            Text(NOTES, 56, "what happened here, and why", "quiet"),
            Text(OUR_BAND + 8, 56, "usertcp", "head"),
            Text(LEFT + CHANNEL / 2, 56, "segments", "fold"),
            Text(PEER_BAND + 12, 56, peer, "head"),
        ]
        if rung.joined is not None:
            self._enter(rung.joined, self.page.top, ours=True)

    def _arrow(self, arrow: Arrow) -> None:
        main, details = _texts(arrow)
        above = LINE * len(main) + 5
        near, far = (self._left, self._right) if arrow.out else (self._right, self._left)
        tail = max(self._arrow_foot + above, near + 2)
        if arrow.out != self._arrow_out:
            tail = max(tail, self._arrow_head + above, self._arrow_far_foot + above)
        head = max(tail + _FALL, far + 4)
        tail = head - _FALL
        self._shaft(arrow, tail, head, main, details)
        foot = tail + LINE * len(details) + 4
        near, far = max(near, foot), max(far, head + 4)
        self._left, self._right = (near, far) if arrow.out else (far, near)
        self._arrow_foot, self._arrow_head, self._arrow_out = foot, head, arrow.out
        # What stands below the line falls with it, as far as it reaches.
        reach = max((len(text) for text, _ in details), default=0) / _ON_ARROW
        self._arrow_far_foot = foot + _FALL * reach if details else 0.0
        self._time(arrow.time, tail if arrow.out else head)
        for turn in arrow.after:
            self._turn(turn)

    def _crossed(self, pair: Crossed) -> None:
        """Both leave at one height, and each has its own half of the room for its texts."""
        texts = [
            [line for text in (above, *(line for line, _ in below)) for line in wrap(text, _ON_HALF)]
            for (above, *_), below in (_texts(pair.ours), _texts(pair.theirs))
        ]
        above = LINE * max(map(len, texts)) + 5
        tail = max(self._level() + 2, self._left, self._right) + above
        head = tail + _CROSSING_FALL
        self._silence(pair.ours.time)
        self._shaft(pair.ours, tail, head, texts[0], [])
        self._shaft(pair.theirs, tail, head, texts[1], [])
        self._time(pair.ours.time, tail)
        self._time(pair.theirs.time, head)
        self._from_here_on(head + 4)
        self._last = pair.time
        for turn in pair.theirs.after:
            self._turn(turn)

    def _shaft(self, arrow: Arrow, tail: float, head: float, main: list[str], details: list[tuple[str, str]]) -> None:
        out = arrow.out
        self.page.shafts.append(Shaft(out, tail, head, arrow.again, arrow.dropped, bool(arrow.flags & RST)))
        slope = (head - tail) / CHANNEL
        x, angle = (LEFT + 14, degrees(atan(slope))) if out else (RIGHT - 14, -degrees(atan(slope)))
        # The texts begin a little along the line, so they stand a little lower.
        y = tail + 14 * slope
        for index, text in enumerate(reversed(main)):
            self.page.texts.append(Text(x, y - 6 - LINE * index, text, "label", angle, not out))
        for index, (text, kind) in enumerate(details):
            self.page.texts.append(Text(x, y + 13 + LINE * index, text, kind, angle, not out))

    def _turn(self, turn: Turn) -> None:
        if turn.ours:
            y = max(self._left, self._notes) + 8
            if turn.state is not None:
                self._enter(turn.state, y, ours=True)
                self.page.steps.append(Step(True, y, True))
            texts = [(turn.cause, "cause"), *((line, "note") for line in wrap(why(turn), _IN_NOTES))]
            self._column(y, texts)
            self._time(turn.time, y)
            self._left = y + _STEP
            return
        y = max(self._right, self._peer_notes) + 8
        if turn.state is not None:
            self._enter(turn.state, y, ours=False)
            self.page.steps.append(Step(False, y, turn.read))
        self._peers_column(y, turn.cause, "cause")
        self._right = y + _STEP

    def _note(self, note: Note) -> None:
        kind = {Role.WARNING: "warning", Role.ERROR: "error"}.get(note.role, "note")
        if note.ours:
            y = max(self._left, self._notes) + 8
            self._column(y, [(line, kind) for line in wrap(note.text, _IN_NOTES)])
            self._time(note.time, y)
            self._left = y + 6
            return
        y = max(self._right, self._peer_notes) + 8
        self._peers_column(y, note.text, kind)
        self._right = y + 6

    def _fold(self, folded: Folded) -> None:
        y = self._level() + 20
        self._time(folded.time, y - 4)
        lines = [
            Text(LEFT + CHANNEL / 2, y + LINE * i, line, "fold") for i, line in enumerate(wrap(folded.text, _IN_FOLD))
        ]
        self.page.folds.append(lines)
        self._from_here_on(y + LINE * len(lines) - 3)

    def _end(self, ended: Ended) -> None:
        if ended.text:
            self._note(Note(ended.story, ended.time, ended.text, ended.role))
        bottom = max(self._level(), self._notes, self._peer_notes) + 10
        for band in (self._ours, self._peers):
            if band is not None:
                self._leave(band, bottom)
        self.page.bottom = bottom
        y = bottom + 28
        self.page.texts.append(Text(NOTES, y, " · ".join(ended.summary), "quiet"))
        for answer in foot(ended):
            self.page.texts.append(Text(NOTES, y + LINE + 4, answer.question, "cause"))
            y += 4
            for line in (line for text in answer.lines for line in wrap(text, _AT_FOOT)):
                y += LINE
                self.page.texts.append(Text(NOTES + 110, y, line, "note"))
        self.page.height = y + 10

    # -- columns ------------------------------------------------------------------------------------------

    def _column(self, y: float, texts: Iterable[tuple[str, str]]) -> None:
        """Our notes, from ``y`` downward."""
        for text, kind in texts:
            self.page.texts.append(Text(NOTES, y + 4, text, kind))
            y += LINE
        self._notes = y

    def _peers_column(self, y: float, text: str, kind: str) -> None:
        """The peer's notes, from ``y`` downward."""
        for line in wrap(text, _IN_PEER_NOTES):
            self.page.texts.append(Text(PEER_NOTES, y + 4, line, kind))
            y += LINE
            self._peer_notes = y

    def _time(self, time: float, y: float) -> None:
        """The time beside ``y``, where it is another than the last one and there is room for it."""
        text = clock(time - self._started).strip()
        if text != self._clock and y - self._clock_y > LINE - 3:
            self.page.texts.append(Text(CLOCK, y + 4, text, "clock"))
            self._clock, self._clock_y = text, y

    def _silence(self, time: float) -> None:
        """Nothing happened for long: it is told."""
        if time - self._last >= _SILENCE:
            y = self._level() + 18
            span = f"⋮ {milliseconds(time - self._last)}"
            self.page.texts.append(Text(LEFT + CHANNEL / 2, y, span, "fold"))
            self._from_here_on(y + 8)
        self._last = time

    def _level(self) -> float:
        return max(self._left, self._right, self._arrow_foot, self._arrow_head)

    def _from_here_on(self, y: float) -> None:
        self._left = self._right = self._arrow_foot = self._arrow_head = y
        self._arrow_far_foot = 0.0

    def _enter(self, state: State, y: float, *, ours: bool) -> None:
        band = Band(ours, state, y)
        before = self._ours if ours else self._peers
        if before is not None:
            self._leave(before, y)
        if ours:
            self._ours = band
        else:
            self._peers = band

    def _leave(self, band: Band, y: float) -> None:
        band.bottom = y
        name = band.top + 14
        while name < y + 2:
            band.names.append(name)
            name += _AGAIN
        self.page.bands.append(band)


def _texts(arrow: Arrow) -> tuple[list[str], list[tuple[str, str]]]:
    """What stands above the line, and below it with its kind."""
    label = arrow.label
    main, rest = label.whole(), ""
    if len(main) > _ON_ARROW:
        main = " ".join(word for word in (label.flags, *label.numbers, label.window) if word)
        rest = " ".join(word for word in (label.isn, *label.rest) if word)
    below = [(line, "detail") for line in wrap(rest, _ON_ARROW)]
    for remark in arrow.remarks:
        kind = {Role.WARNING: "detail warning", Role.ERROR: "detail error"}.get(remark.role, "detail")
        below += [(line, kind) for line in wrap(remark.text, _ON_ARROW)]
    return wrap(main, _ON_ARROW), below
