"""One who watches a running host: the events that a filter selects, from some moment on, within a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from usertcp.control.filter import Everything, Filter, Subject
from usertcp.control.sockets import subject_of_time_wait
from usertcp.observe.event_queue import EventQueue
from usertcp.stack.host import Host
from usertcp.tcp.events import Kind
from usertcp.tcp.states import State
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import SYN

Flat: TypeAlias = tuple[Any, ...]

_OPENINGS: Final = (Kind.OPENED, Kind.JOINED)
_SEGMENTS: Final = (Kind.SEGMENT_IN, Kind.SEGMENT_OUT)
_STRAYS: Final = (Kind.STRAY_IN, Kind.STRAY_OUT)


class Selection:
    """Which events are of a socket that a filter means.

    A socket's state changes as the events tell; the change into a state that is meant, and the one out of it, are.
    Of events without a connection only those are that have addresses, unless all are; and the word that some are lost.
    """

    def __init__(self, wanted: Filter) -> None:
        self._wanted = wanted
        self._everything = isinstance(wanted, Everything)
        self._subjects: dict[int, Subject] = {}
        self._meant: set[int] = set()

    def subject(self, conn: int) -> Subject | None:
        """The sockets of a connection, as far as it is known."""
        return self._subjects.get(conn)

    def learn(self, conn: int, subject: Subject) -> None:
        """What is known of a connection now."""
        self._subjects[conn] = subject
        if self._wanted.matches(subject):
            self._meant.add(conn)
        else:
            self._meant.discard(conn)

    def takes(self, flat: Flat) -> bool:
        """Whether it is one of them; to be asked for each event, in their order."""
        kind, conn = flat[0], flat[2]
        if conn == 0:
            stray = kind in _STRAYS and self._wanted.matches(Subject(State.CLOSED, *flat[3:7]))
            return self._everything or kind == Kind.LOST or stray
        if kind in _OPENINGS:
            self.learn(conn, Subject(State.CLOSED if kind == Kind.OPENED else flat[8], *flat[3:7]))
        taken = self._everything or conn in self._meant
        if kind == Kind.TRANSITION:
            taken = self._moved(conn, flat[5]) or taken
        elif kind == Kind.DELETED:
            self._subjects.pop(conn, None)
            self._meant.discard(conn)
        return taken

    def _moved(self, conn: int, state: State) -> bool:
        subject = self._subjects.get(conn)
        if subject is not None and subject.state is not state:
            self.learn(conn, subject._replace(state=state))
        return conn in self._meant


def selected(events: Iterable[Flat], wanted: Filter) -> Iterator[Flat]:
    """Those of ``events`` that ``wanted`` means."""
    return filter(Selection(wanted).takes, events)


class _Start(NamedTuple):
    """What ``joined`` tells beside the sockets."""

    role: str
    iss: int
    irs: int


class Follower(EventQueue):
    """A sink for a running host.  A connection that was there before it was meant begins with ``joined``."""

    def __init__(self, host: Host, wanted: Filter, *, wake: Callable[[], None], limit: int) -> None:
        super().__init__(wake=wake, limit=limit)
        self._selection = Selection(wanted)
        self._starts: dict[int, _Start] = {}
        self._look_around(host)

    def __call__(self, flat: Flat) -> None:
        if not self._selection.takes(flat):
            self._pass_over(flat)
            return
        if self._starts:
            self._join(flat)
        self.put(flat)

    def _pass_over(self, flat: Flat) -> None:
        """Keep what ``joined`` has to tell, should its connection come to be meant later."""
        kind, conn = flat[0], flat[2]
        if kind == Kind.OPENED:
            self._starts[conn] = _Start(flat[7], 0, 0)
        elif kind == Kind.DELETED:
            self._starts.pop(conn, None)
        elif kind in _SEGMENTS and flat[5] & SYN and conn in self._starts:
            number = {"iss" if kind == Kind.SEGMENT_OUT else "irs": flat[3]}
            self._starts[conn] = self._starts[conn]._replace(**number)

    def _join(self, flat: Flat) -> None:
        """Tell of its connection, if this is the first event that is meant of one that was there before."""
        conn = flat[2]
        start, subject = self._starts.pop(conn, None), self._selection.subject(conn)
        if start is None or subject is None:
            return
        state = flat[3] if flat[0] == Kind.TRANSITION else subject.state
        self.put((Kind.JOINED, flat[1], conn, *subject[1:], start.role, state, start.iss, start.irs))

    def _look_around(self, host: Host) -> None:
        for tcb in host.connections.values():
            there = (tcb.local_address, tcb.local_port, tcb.remote_address, tcb.remote_port)
            self._selection.learn(tcb.number, Subject(tcb.state, *there))
            role = "passive" if tcb.opened_passively else "active"
            self._starts[tcb.number] = _Start(role, tcb.iss & MASK, tcb.irs & MASK)
        for waiting in host.time_waits.values():
            self._selection.learn(waiting.number, subject_of_time_wait(waiting))
            # The initial sequence numbers are forgotten by then: what stands before the next ones takes their place.
            self._starts[waiting.number] = _Start("", (waiting.snd_nxt - 1) & MASK, (waiting.rcv_nxt - 1) & MASK)
