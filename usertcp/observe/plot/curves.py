"""What a time-sequence plot shows of one direction of a connection, out of its trace events.

Sequence numbers are counted from the sender's initial sequence number and go on beyond 2**32, times are seconds since
the connection's first event.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from usertcp.observe.names import is_set, socket_text
from usertcp.tcp.events import (
    Acknowledged,
    Congestion,
    Cwnd,
    Estimated,
    Joined,
    Lost,
    Opened,
    OutOfOrder,
    PeerSeen,
    Retransmitted,
    SegmentIn,
    SegmentOut,
    TraceEvent,
    Transitioned,
)
from usertcp.tcp.states import State
from usertcp.wire.seq import unwrap
from usertcp.wire.tcp import ACK, FIN, RST, SYN

#: Events of a connection that a plot takes in; what comes after them is counted in :attr:`Curves.left_out`.
MAX_EVENTS: Final = 2_000_000
#: Seconds; a recorded time beyond is no connection's, and an axis has to end somewhere.
_LONGEST: Final = 1e9
_TROUBLE: Final = ("recovery", "loss")


class Direction(Enum):
    """Whose data it is."""

    OUT = "out"
    IN = "in"


class Bar(NamedTuple):
    """A segment: its first sequence number, and the one behind its last."""

    time: float
    start: int
    end: int


class Point(NamedTuple):
    """From ``time`` on it is ``value``."""

    time: float
    value: float


class Mark(NamedTuple):
    """SYN, FIN or RST, at a sequence number."""

    time: float
    value: int
    text: str


class Span(NamedTuple):
    """From ``start`` to ``end``, in seconds, it was ``what``."""

    start: float
    end: float
    what: str


@dataclass
class Curves:
    """One direction of one connection; windows in bytes, ``srtt`` and ``rto`` in seconds."""

    conn: int
    direction: Direction
    local: str = ""
    remote: str = ""
    #: Of the first event, on the host's clock.
    started: float = 0.0
    #: Of the last segment.
    ended: float = 0.0
    segments: list[Bar] = field(default_factory=list)
    #: Ours: those that were sent again.  The peer's: those that came late or again, before the highest that had come.
    repeats: list[Bar] = field(default_factory=list)
    #: Those that arrived behind a gap.
    early: list[Bar] = field(default_factory=list)
    acks: list[Point] = field(default_factory=list)
    #: Times and numbers of acknowledgments that acknowledged nothing more (RFC 5681 §2).
    duplicates: list[Point] = field(default_factory=list)
    edges: list[Point] = field(default_factory=list)
    #: What a SACK option reported for the first time; of the peer's data it is what arrived early.
    held: list[Bar] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    cwnd: list[Point] = field(default_factory=list)
    ssthresh: list[Point] = field(default_factory=list)
    in_flight: list[Point] = field(default_factory=list)
    srtt: list[Point] = field(default_factory=list)
    rto: list[Point] = field(default_factory=list)
    #: Fast recovery and recovery after a timeout.
    trouble: list[Span] = field(default_factory=list)
    #: The sender's states.
    states: list[Span] = field(default_factory=list)
    #: With all that was sent again.
    bytes_sent: int = 0
    #: Segments with data; a super-segment counts as those that it becomes.
    segments_sent: int = 0
    #: Events that did not fit, or that a bounded record had lost before.
    left_out: int = 0

    @property
    def title(self) -> str:
        """Which data, from where to where."""
        if self.direction is Direction.OUT:
            return f"connection {self.conn}: usertcp {self.local} → peer {self.remote}"
        return f"connection {self.conn}: peer {self.remote} → usertcp {self.local}"


class NothingToPlot(ValueError):
    """There is no such connection among the events, or no segment of it; the message says what there is."""


def curves(events: Iterable[TraceEvent], conn: int | None = None, direction: Direction | None = None) -> Curves:
    """The curves of connection ``conn``; by default of the one, and the direction, that carried most.

    Raises :class:`NothingToPlot`.
    """
    drawings: dict[int, tuple[_Drawing, _Drawing]] = {}
    lost = 0
    for event in events:
        if isinstance(event, Lost):
            lost += event.events
        if event.conn == 0 or (conn is not None and event.conn != conn):
            continue
        if event.conn not in drawings:
            out, back = Curves(event.conn, Direction.OUT), Curves(event.conn, Direction.IN)
            drawings[event.conn] = _Out(out, event.time), _In(back, event.time)
        for drawing in drawings[event.conn]:
            drawing.take(event)
    made = [drawing.finish() for both in drawings.values() for drawing in both]
    wanted = [each for each in made if direction in (None, each.direction)]
    candidates = [each for each in wanted if each.segments or each.repeats or each.early or each.marks]
    if not candidates:
        which = "of any connection" if conn is None else f"of connection {conn}"
        raise NothingToPlot(f"there is no segment {which} among the events")
    best = max(candidates, key=lambda each: each.bytes_sent)
    best.left_out += lost
    return best


class _Drawing:
    """Builds the curves of one direction, event by event."""

    def __init__(self, curves: Curves, started: float) -> None:
        self.curves = curves
        self._started = curves.started = started
        self._base: int | None = None
        #: The highest sequence number sent, and the highest acknowledged.
        self._sent = self._acked = 0
        self._taken = 0
        self._reported: list[tuple[int, int]] = []
        self._state: tuple[float, State] | None = None

    def take(self, event: TraceEvent) -> None:
        """One more event of the connection."""
        self._taken += 1
        if self._taken > MAX_EVENTS:
            self.curves.left_out += 1
            return
        if isinstance(event, (Opened, Joined)):
            self.curves.local = socket_text(event.local_address, event.local_port)
            self.curves.remote = socket_text(event.remote_address, event.remote_port)
        if isinstance(event, Joined):
            self._joins(event)
        self._take(event, min(max(event.time - self._started, 0.0), _LONGEST))

    def _take(self, event: TraceEvent, now: float) -> None:
        raise NotImplementedError

    def _joins(self, event: Joined) -> None:
        raise NotImplementedError

    def finish(self) -> Curves:
        """No event comes any more: what has been drawn."""
        if self._state is not None:
            self._add_span(self.curves.states, self._state[0], self.curves.ended, self._state[1].value)
        return self.curves

    # -- What both directions know ---------------------------------------------------------------------

    def _segment(self, segment: SegmentIn | SegmentOut, now: float, bars: list[Bar]) -> None:
        """The sender sent ``segment``."""
        start = self._number(segment.seq, self._sent, first=True)
        end = start + segment.length
        flags = segment.flags
        self.curves.ended = max(self.curves.ended, now)
        if segment.length:
            self.curves.segments_sent += segment.segments if isinstance(segment, SegmentOut) else 1
            bars.append(Bar(now, start + bool(flags & SYN), end + bool(flags & SYN)))
            self.curves.bytes_sent += segment.length
        for bit, text in ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST")):
            if flags & bit:
                self.curves.marks.append(Mark(now, end if bit is FIN else start, text))
        end += bool(flags & SYN) + bool(flags & FIN)
        self._sent = max(self._sent, end)

    def _answer(self, segment: SegmentIn | SegmentOut, now: float) -> None:
        """The receiver sent ``segment``: what it acknowledges, offers, and holds."""
        self.curves.ended = max(self.curves.ended, now)
        if not segment.flags & ACK or self._base is None:
            return
        ack = self._number(segment.ack, self._sent)
        if ack > self._sent:
            return  # of something that nobody sent
        if ack > self._acked or not self.curves.acks:
            self._acked = ack
            self.curves.acks.append(Point(now, ack))
        elif ack == self._acked < self._sent and not segment.length and not segment.flags & (SYN | FIN):
            self.curves.duplicates.append(Point(now, ack))
        if ack >= self._acked:
            self.curves.edges.append(Point(now, ack + segment.window))
        for left, right in segment.options.sack if self.curves.direction is Direction.OUT else ():
            self._holds(now, self._number(left, ack), self._number(right, ack))

    def _holds(self, now: float, left: int, right: int) -> None:
        """The receiver holds ``left`` to ``right``, says a SACK block: only what it says anew is drawn."""
        if not self._acked <= left < right <= self._sent:
            return  # a DSACK, or nonsense
        self._reported = [block for block in self._reported if block[1] > self._acked]
        new = [(left, right)]
        for start, end in self._reported:
            new = [part for old in new for part in _without(old, start, end)]
        for start, end in new:
            self.curves.held.append(Bar(now, start, end))
        self._reported = _merged([*self._reported, *new])

    def _enters(self, now: float, state: State, before: State | None = None) -> None:
        if self._state is None:
            self._state = 0.0, before or state
        if state is not self._state[1]:
            self._add_span(self.curves.states, self._state[0], now, self._state[1].value)
            self._state = now, state

    def _number(self, number: int, near: int, *, first: bool = False) -> int:
        """``number`` from the wire, counted from the start; the nearest to ``near`` of those that it can be."""
        if self._base is None and first:
            self._base = number
        base = self._base or 0
        return unwrap(number, base + near) - base

    @staticmethod
    def _add_span(spans: list[Span], start: float, end: float, what: str) -> None:
        if end >= start:
            spans.append(Span(start, end, what))


class _Out(_Drawing):
    """What we sent."""

    def __init__(self, curves: Curves, started: float) -> None:
        super().__init__(curves, started)
        #: Where the next segment out begins, if it is one that was sent before.
        self._repeating: int | None = None
        self._trouble: tuple[float, str] | None = None

    def _joins(self, event: Joined) -> None:
        self._base = event.iss
        self._enters(0.0, event.state)

    def _take(self, event: TraceEvent, now: float) -> None:
        curves = self.curves
        match event:
            case Retransmitted():
                self._repeating = event.seq
            case SegmentOut():
                self._segment(event, now, curves.repeats if event.seq == self._repeating else curves.segments)
                self._repeating = None
                if event.length:
                    self._flies(now, (curves.in_flight[-1].value if curves.in_flight else 0) + event.length)
            case SegmentIn():
                self._answer(event, now)
            case Acknowledged():
                self._flies(now, event.in_flight)
            case Cwnd():
                self._windows(now, event.cwnd, event.ssthresh, event.in_flight)
            case Congestion():
                self._windows(now, event.cwnd, event.ssthresh, event.in_flight)
                self._recovers(now, event.state)
            case Estimated():
                if event.srtt is not None:
                    curves.srtt.append(Point(now, event.srtt))
                curves.rto.append(Point(now, event.rto))
            case Transitioned():
                self._enters(now, event.next_state, event.state)
            case _:
                pass

    def finish(self) -> Curves:
        if self._trouble is not None:
            self._add_span(self.curves.trouble, self._trouble[0], self.curves.ended, self._trouble[1])
        return super().finish()

    def _windows(self, now: float, cwnd: int, ssthresh: int, in_flight: int) -> None:
        self.curves.cwnd.append(Point(now, cwnd))
        if is_set(ssthresh):
            self.curves.ssthresh.append(Point(now, ssthresh))
        self._flies(now, in_flight)

    def _flies(self, now: float, size: float) -> None:
        self.curves.in_flight.append(Point(now, size))

    def _recovers(self, now: float, state: str) -> None:
        if self._trouble is not None and state != self._trouble[1]:
            self._add_span(self.curves.trouble, self._trouble[0], now, self._trouble[1])
            self._trouble = None
        if self._trouble is None and state in _TROUBLE:
            self._trouble = now, state


class _In(_Drawing):
    """What the peer sent, as it arrived here; its windows and estimates where its kernel told them."""

    def __init__(self, curves: Curves, started: float) -> None:
        super().__init__(curves, started)
        self._last: tuple[SegmentIn, float] | None = None

    def _joins(self, event: Joined) -> None:
        self._base = event.irs

    def _take(self, event: TraceEvent, now: float) -> None:
        match event:
            case SegmentIn():
                self._settle()
                self._last = event, now
            case OutOfOrder():
                self._settle(early=True)
            case SegmentOut():
                self._settle()
                self._answer(event, now)
            case PeerSeen():
                self._peer(event, now)
            case _:
                pass

    def finish(self) -> Curves:
        self._settle()
        return super().finish()

    def _settle(self, *, early: bool = False) -> None:
        """Draws the segment that arrived last: what followed it has said whether it came behind a gap."""
        if self._last is None:
            return
        (segment, now), self._last = self._last, None
        repeated = self._base is not None and self._number(segment.seq, self._sent) < self._sent
        bars = self.curves.early if early else self.curves.repeats if repeated else self.curves.segments
        self._segment(segment, now, bars)

    def _peer(self, event: PeerSeen, now: float) -> None:
        curves = self.curves
        self._enters(now, event.state)
        if event.cwnd is not None:
            curves.cwnd.append(Point(now, event.cwnd))
        if event.ssthresh is not None and is_set(event.ssthresh):
            curves.ssthresh.append(Point(now, event.ssthresh))
        if event.unacked is not None and event.mss is not None:
            curves.in_flight.append(Point(now, event.unacked * event.mss))
        if event.srtt is not None:
            curves.srtt.append(Point(now, event.srtt))
        if event.rto is not None:
            curves.rto.append(Point(now, event.rto))


def _without(block: tuple[int, int], start: int, end: int) -> list[tuple[int, int]]:
    """``block`` but for ``start`` to ``end``."""
    parts = [(block[0], min(block[1], start)), (max(block[0], end), block[1])]
    return [part for part in parts if part[0] < part[1]]


def _merged(blocks: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(blocks):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged
