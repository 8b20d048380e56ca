"""Trace events: what the core tells whoever watches it.

The core emits flat tuples (cheap to make and to keep); :func:`read` turns one into its typed form.  A
tuple's first item is its :class:`Kind`, the rest are the fields of the typed form in order.  With no
sink installed nothing is built at all.

All sequence numbers are as on the wire (0 .. 2**32-1), times are seconds of the host's monotonic clock,
lengths and windows are bytes (a window is already scaled).  ``conn`` is the connection's number within
its host, from 1; 0 means "no connection".
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final, NamedTuple, TypeAlias

from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import SYN, Options, Segment

#: Takes one flat event.  It is called inside the core: it must be quick, must not raise, and must not
#: call back into the core.
Sink: TypeAlias = Callable[[tuple[Any, ...]], None]


class Kind(IntEnum):
    """The vocabulary, in the order of :data:`TYPES`."""

    OPENED = 0
    SEGMENT_IN = 1
    SEGMENT_OUT = 2
    TRANSITION = 3
    RETRANSMIT = 4
    DROPPED = 5
    OUT_OF_ORDER = 6
    CHALLENGE_ACK = 7
    CONGESTION = 8
    DELETED = 9
    ICMP_IN = 10
    PATH_MTU = 11


class Opened(NamedTuple):
    """A connection block was made; all later events of ``conn`` belong to these two sockets.

    ``role`` is "active" or "passive".  Addresses are 4 or 16 bytes.
    """

    time: float
    conn: int
    local_address: bytes
    local_port: int
    remote_address: bytes
    remote_port: int
    role: str


class SegmentIn(NamedTuple):
    """A segment arrived for ``conn``, before it is processed. ``length`` counts its data bytes only."""

    time: float
    conn: int
    seq: int
    ack: int
    flags: int
    window: int
    length: int
    ts_val: int | None
    ts_ecr: int | None
    options: Options


class SegmentOut(NamedTuple):
    """A segment was sent on ``conn``; ``segments`` is how many the path sees (a super-segment is cut)."""

    time: float
    conn: int
    seq: int
    ack: int
    flags: int
    window: int
    length: int
    ts_val: int | None
    ts_ecr: int | None
    options: Options
    segments: int


class Transitioned(NamedTuple):
    """The state machine took one step (also when it stays where it is and the event is worth telling)."""

    time: float
    conn: int
    state: State
    event: Event
    next_state: State
    section: str
    reason: str


class Retransmitted(NamedTuple):
    """The next segment out repeats ``length`` bytes from ``seq``. ``rule`` says who decided it."""

    time: float
    conn: int
    seq: int
    length: int
    rule: str
    attempt: int


class Dropped(NamedTuple):
    """An arriving segment or packet was thrown away; ``reason`` is also the name of its counter."""

    time: float
    conn: int
    reason: str
    section: str
    seq: int
    length: int


class OutOfOrder(NamedTuple):
    """Data beyond a gap was kept for later; ``held`` is how many bytes wait now."""

    time: float
    conn: int
    seq: int
    length: int
    held: int


class ChallengeAck(NamedTuple):
    """An ACK answers a suspicious segment (RFC 5961); ``sent`` is False where the rate limit held it back."""

    time: float
    conn: int
    reason: str
    sent: bool


class Congestion(NamedTuple):
    """The congestion controller changed its mind: ``what`` happened, and cwnd and ssthresh after it."""

    time: float
    conn: int
    what: str
    cwnd: int
    ssthresh: int


class Deleted(NamedTuple):
    """The connection block is gone; ``error`` is empty after an orderly end."""

    time: float
    conn: int
    error: str


class IcmpIn(NamedTuple):
    """An ICMP error quoted a segment of ``conn``; ``effect`` says what we did with it."""

    time: float
    conn: int
    message: str
    effect: str


class PathMtu(NamedTuple):
    """``what`` happened to the size of our packets; ``mtu`` is the path's as we know it now, and ``mss`` what
    a segment of ours carries."""

    time: float
    conn: int
    what: str
    mtu: int
    mss: int


TraceEvent: TypeAlias = (
    Opened
    | SegmentIn
    | SegmentOut
    | Transitioned
    | Retransmitted
    | Dropped
    | OutOfOrder
    | ChallengeAck
    | Congestion
    | Deleted
    | IcmpIn
    | PathMtu
)

TYPES: Final[tuple[type[TraceEvent], ...]] = (
    Opened,
    SegmentIn,
    SegmentOut,
    Transitioned,
    Retransmitted,
    Dropped,
    OutOfOrder,
    ChallengeAck,
    Congestion,
    Deleted,
    IcmpIn,
    PathMtu,
)


def read(flat: tuple[Any, ...]) -> TraceEvent:
    """The typed form of a flat event."""
    event: TraceEvent = TYPES[flat[0]]._make(flat[1:])
    return event


def segment_in(conn: int, segment: Segment, window_scale: int, now: float) -> tuple[Any, ...]:
    """The flat :class:`SegmentIn` of ``segment``; the window of a SYN is never scaled (RFC 7323 §2.2)."""
    return (
        Kind.SEGMENT_IN,
        now,
        conn,
        segment.seq,
        segment.ack,
        segment.flags,
        segment.window if segment.flags & SYN else segment.window << window_scale,
        len(segment.payload),
        segment.ts_val,
        segment.ts_ecr,
        segment.options,
    )
