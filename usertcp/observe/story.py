"""What a ladder tells, rung by rung, before anybody has decided how it looks.

:class:`~usertcp.observe.narrator.Narrator` makes rungs from trace events; the text, SVG and mermaid forms of a
ladder each draw them.  Texts in here are safe to print on a terminal (:mod:`usertcp.observe.escape`); what
draws into another language escapes for that.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from usertcp.observe.columns import clock
from usertcp.observe.lines import Role
from usertcp.observe.names import cited
from usertcp.observe.path import Path, Stop
from usertcp.observe.summary import Answer
from usertcp.tcp.states import State


class Label(NamedTuple):
    """What stands on an arrow, in the order in which it may be left out where there is no room.

    ``numbers`` (seq, ack, len) are never left out; ``isn`` is that of a SYN, in parentheses; ``window`` is worth
    a line of its own only where it ``window_changed``; ``rest`` are options and the like.
    """

    flags: str
    numbers: tuple[str, ...]
    isn: str = ""
    window: str = ""
    window_changed: bool = False
    rest: tuple[str, ...] = ()

    def whole(self) -> str:
        """Everything, in one line."""
        words = [self.flags, *self.numbers[:1], self.isn, *self.numbers[1:], self.window, *self.rest]
        return " ".join(word for word in words if word)


class Remark(NamedTuple):
    """Something to be said of a segment, under its arrow."""

    text: str
    role: Role = Role.NOTE
    kind: str = ""


class Turn(NamedTuple):
    """A step of one end's state machine.

    ``state`` is the new one; None where it did not change.  ``read``: of the peer's, that its kernel told it; else it
    is inferred.
    """

    story: int
    time: float
    ours: bool
    state: State | None
    cause: str
    section: str
    reason: str
    read: bool = True


def why(turn: Turn) -> str:
    """Where the step of our state machine is written, and its reason."""
    return f"{cited(turn.section)}: {turn.reason}"


class Begun(NamedTuple):
    """A connection, or for ``conn`` 0 segments between two sockets that no connection is there for.

    ``local`` is empty where the beginning was not recorded.  ``joined`` is the state in which somebody began to watch.
    """

    story: int
    time: float
    conn: int
    role: str
    local: str
    remote: str
    joined: State | None = None


class Arrow(NamedTuple):
    """A segment.  ``states`` are ours and the peer's before it; ``after`` is what it does at the peer."""

    story: int
    time: float
    out: bool
    flags: int
    label: Label
    states: tuple[State | None, State | None]
    length: int = 0
    segments: int = 1
    again: bool = False
    dropped: bool = False
    #: The sequence number after its last byte, and the latest of the other end that it tells to have arrived: which
    #: arrows cross follows from these.
    end: int = 0
    covers: int | None = None
    remarks: tuple[Remark, ...] = ()
    #: What is not said of it, since enough of its kind was said before.
    unsaid: tuple[str, ...] = ()
    after: tuple[Turn, ...] = ()


class Note(NamedTuple):
    """Something that happened at one end and is no segment and no step."""

    story: int
    time: float
    text: str
    role: Role
    ours: bool = True
    kind: str = ""


class Folded(NamedTuple):
    """Segments in which nothing is to be learned, from ``started`` to ``time``."""

    story: int
    started: float
    time: float
    text: str


class Ended(NamedTuple):
    """Nothing more comes of this story.

    ``summary`` counts, in short phrases; ``answers`` are those to the classical questions about a connection; ``path``
    is what both ends went through, and None where there was no connection.
    """

    story: int
    time: float
    text: str
    role: Role
    summary: tuple[str, ...]
    answers: tuple[Answer, ...]
    path: Path | None


def foot(ended: Ended) -> list[Answer]:
    """The answers, and the path of each end as the last one."""
    path = ended.path
    if path is None or not path.ours:
        return list(ended.answers)
    ends = [_way("usertcp", path.ours, path.started)]
    if path.peers:
        mark = "◆" if all(stop.read for stop in path.peers) else "◇"
        ends.append(_way(f"peer {mark}", path.peers, path.started))
    if not path.complete:
        ends.append("… and more states")
    return [*ended.answers, Answer("States, ms", tuple(ends))]


def _way(whose: str, stops: tuple[Stop, ...], started: float) -> str:
    entered = [f"{stop.state.value} {clock(stop.time - started).strip()}" for stop in stops[1:]]
    return f"{whose}: {' → '.join([stops[0].state.value, *entered])}"


Rung: TypeAlias = Begun | Arrow | Turn | Note | Folded | Ended
