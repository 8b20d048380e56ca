"""The path that a connection took through the state diagram, and when: both ends of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from usertcp.observe.peer import PeerStep
from usertcp.tcp.events import Transitioned
from usertcp.tcp.states import Event, State

#: A peer can make a connection go back to LISTEN, or an inference be corrected, any number of times.
MAX_STOPS: Final = 64


class Stop(NamedTuple):
    """A state that was entered at ``time``, by ``event`` (None where an inference of the peer's state was corrected,
    or a reading of it tells no event).  ``read``: known, not inferred."""

    time: float
    state: State
    event: Event | None
    read: bool


class Path(NamedTuple):
    """What one connection went through, from ``started`` to ``ended``.

    The first stop of each end is the state in which it was first seen; later ones are entered from the one before.
    Of more than :data:`MAX_STOPS` the last ones are left out, and ``complete`` is False.
    """

    conn: int
    started: float
    ended: float
    ours: tuple[Stop, ...]
    peers: tuple[Stop, ...]
    complete: bool


class Journey:
    """Collects the stops of one connection as they are made."""

    __slots__ = ("_complete", "_ours", "_peers", "_started", "conn", "ended")

    def __init__(self, conn: int, started: float) -> None:
        self.conn = conn
        self._started = self.ended = started
        self._ours: list[Stop] = []
        self._peers: list[Stop] = []
        self._complete = True

    def we_step(self, event: Transitioned) -> None:
        """Our side took a step."""
        if not self._ours:
            self._add(self._ours, Stop(event.time, event.state, None, True))
        if event.next_state is not event.state:
            self._add(self._ours, Stop(event.time, event.next_state, event.event, True))

    def peer_steps(self, time: float, steps: Iterable[PeerStep], *, read: bool) -> None:
        """The peer took ``steps``."""
        for step in steps:
            if not self._peers and step.state is not None:
                self._add(self._peers, Stop(time, step.state, None, read))
            self._add(self._peers, Stop(time, step.next_state, step.event, read))

    def path(self) -> Path:
        """The path so far."""
        return Path(self.conn, self._started, self.ended, tuple(self._ours), tuple(self._peers), self._complete)

    def _add(self, stops: list[Stop], stop: Stop) -> None:
        if len(stops) < MAX_STOPS:
            stops.append(stop)
        else:
            self._complete = False
