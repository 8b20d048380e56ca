"""Trace events: what the core tells whoever watches it.

The core emits flat tuples (cheap to make and to keep); :func:`read` turns one into its typed form.  A
tuple's first item is its :class:`Kind`, the rest are the fields of the typed form in order.  With no
sink installed nothing is built at all.

What changes with every segment is not told with every segment: a timer that only moves, a window that slides,
a congestion window that grows by a hair.  Each such form says when it is told (:mod:`usertcp.tcp.telling`).

Fields are only ever added at a form's end, with a default, and kinds at the end of :class:`Kind`; so old records
can be read, and who knows an older vocabulary can pass over the rest.

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
    ACKNOWLEDGMENT = 12
    WINDOW = 13
    TIMER = 14
    CWND = 15
    ESTIMATE = 16
    HELD_BACK = 17
    PROBE = 18
    DSACK = 19
    HANDSHAKE = 20
    STRAY_IN = 21
    STRAY_OUT = 22
    PEER = 23
    LOST = 24
    JOINED = 25


# The kinds that come with every packet, by names that are found at once: an attribute of an enumeration is not.
SEGMENT_IN: Final = Kind.SEGMENT_IN
SEGMENT_OUT: Final = Kind.SEGMENT_OUT
ACKNOWLEDGMENT: Final = Kind.ACKNOWLEDGMENT


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
    """A segment arrived for ``conn``, before it is processed. ``length`` counts its data bytes only.

    ``urgent`` is the urgent pointer as on the wire (it means something with URG only), ``ecn`` the ECN field of
    the IP header (RFC 3168 §5: 0 not capable, 1 ECT(1), 2 ECT(0), 3 a congestion mark), ``scale`` the shift by which
    ``window`` was scaled: the header's field is ``window`` >> ``scale``.  Its checksum was right; what is wrong
    is ``dropped`` before it is a connection's.
    """

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
    urgent: int = 0
    ecn: int = 0
    scale: int = 0


class SegmentOut(NamedTuple):
    """A segment was sent on ``conn``; ``segments`` is how many the path sees (a super-segment is cut).

    ``urgent``, ``ecn`` and ``scale`` as with ``segment-in``.
    """

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
    urgent: int = 0
    ecn: int = 0
    scale: int = 0


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
    """The congestion controller changed its mind: ``what`` happened, and cwnd and ssthresh after it.

    ``state`` is that of loss recovery: open, disorder, cwr, recovery or loss, as `ss` calls them; ``in_flight`` what is
    in the network then (RFC 6675's pipe).  Slow start is where ``cwnd`` is less than ``ssthresh``.
    """

    time: float
    conn: int
    what: str
    cwnd: int
    ssthresh: int
    state: str = "open"
    in_flight: int = 0


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


class Acknowledged(NamedTuple):
    """What was made of the acknowledgment in the segment before.

    ``verdict`` is "accepted" (it acknowledges ``acked`` sequence numbers more), "partial" (the same, but in a recovery
    that it does not end), "duplicate" (RFC 5681 §2) or "ignored".  ``sacked``: so many bytes more are
    reported as held beyond a gap.  ``in_flight`` is what is in the network after it (RFC 6675's pipe).  One that
    repeats the last and means nothing by it, as every data segment of a peer that only sends bears it, is not told.
    While a bulk transfer goes on, accepted ones within a millisecond are told together, by the last of them.
    """

    time: float
    conn: int
    verdict: str
    ack: int
    acked: int
    sacked: int
    in_flight: int
    section: str
    reason: str


class WindowChanged(NamedTuple):
    """A window was closed, opened again, or became so much larger or smaller that it is worth telling.

    ``side`` is "ours" (what we offer the peer) or "theirs" (what the peer offers us), ``what`` is "opened", "closed",
    "grew" or "shrank", ``edge`` the sequence number at its right edge.  Told when the window is 0 or was, when its
    right edge moved left, and when it is a quarter larger or smaller than when it was last told.
    """

    time: float
    conn: int
    side: str
    what: str
    window: int
    edge: int
    reason: str
    section: str


class Timer(NamedTuple):
    """``timer`` was "armed" (for the time ``due``), "stopped", or "fired".

    Timers are: retransmission, persist (the window is closed), silly-window (data waits for company), tail-loss,
    reordering, delayed-ack, keep-alive, fin-wait-2, time-wait.  A timer that is set again before it is due, as
    the retransmission timer with each acknowledgment, only moves, and is not told.  Nor is pacing's, which runs between
    any two segments.  All timers stop when a connection is ``deleted``.
    """

    time: float
    conn: int
    timer: str
    what: str
    due: float | None


class Cwnd(NamedTuple):
    """The congestion window grew or shrank in the ordinary course; ``congestion`` tells of what is more than that.

    Told when it is a segment, and 1/32 of it, away from what was last told.
    """

    time: float
    conn: int
    cwnd: int
    ssthresh: int
    in_flight: int


class Estimated(NamedTuple):
    """The estimates of the round trip, in seconds (RFC 6298); ``srtt`` is null before the first sample.

    ``latest`` is the last sample, or 0.0; ``backoffs`` how often ``rto`` was doubled since it.  Told when ``srtt`` or
    ``rto`` is an eighth away from what was last told.
    """

    time: float
    conn: int
    srtt: float | None
    rttvar: float
    rto: float
    latest: float
    backoffs: int


class HeldBack(NamedTuple):
    """Why no more was sent: told when ``reason`` is another one than before, not at each attempt.

    It is "window" (the peer's), "cwnd", "ecn" (even one segment a round trip was too much), "nagle", "cork" (the
    application is about to add to it), "silly-window", "pacing", "burst" (a super-segment waits to become larger),
    "handshake" (its time has not come) or "nothing-to-send", with which a connection begins.  ``unsent`` bytes wait,
    ``room`` is what that reason leaves for them.
    """

    time: float
    conn: int
    reason: str
    unsent: int
    room: int
    section: str


class Probe(NamedTuple):
    """The next segment out is a question: "keep-alive", "zero-window", "tail-loss" or "path-mtu".

    ``attempt`` counts from 1 those that nothing has answered yet.
    """

    time: float
    conn: int
    purpose: str
    attempt: int
    section: str


class Dsack(NamedTuple):
    """A segment says that ``start`` up to ``end`` came twice (RFC 2883).

    ``side`` is "ours" (the next segment out says it) or "theirs" (the one before said it: we sent that in vain).
    """

    time: float
    conn: int
    side: str
    start: int
    end: int


class Handshake(NamedTuple):
    """``what`` happened in opening a connection, besides segments and transitions: a SYN cookie, Fast Open."""

    time: float
    conn: int
    what: str
    section: str


class StrayIn(NamedTuple):
    """A segment arrived that no connection is there for; ``conn`` is 0, and no window is scaled.

    A ``dropped`` follows unless it is answered with a SYN cookie.
    """

    time: float
    conn: int
    local_address: bytes
    local_port: int
    remote_address: bytes
    remote_port: int
    seq: int
    ack: int
    flags: int
    window: int
    length: int
    ts_val: int | None
    ts_ecr: int | None
    options: Options
    urgent: int
    ecn: int


class StrayOut(NamedTuple):
    """A segment was sent for no connection: a RST or a SYN cookie; ``conn`` is 0, and no window is scaled."""

    time: float
    conn: int
    local_address: bytes
    local_port: int
    remote_address: bytes
    remote_port: int
    seq: int
    ack: int
    flags: int
    window: int
    length: int
    ts_val: int | None
    ts_ecr: int | None
    options: Options
    urgent: int
    ecn: int
    reason: str
    section: str


class PeerSeen(NamedTuple):
    """The peer's own view of ``conn``, read from the kernel that it lives in (sock_diag, `tcp_info`).

    Not the core's: the runtime tells it where the peer is this machine.  ``after`` says when it was read: "open" (just
    before our first segment), "segment-in" (the peer has just sent what the next ``segment-in`` tells) or "segment-out"
    (it has just taken what we sent).  What the kernel does not say in that state is null: of TIME-WAIT it knows
    a timer only, and of CLOSED nothing.  Windows are bytes, times seconds; ``unacked`` segments are outstanding, and
    ``retransmitted`` ones were sent again so far.  ``timer`` is "retransmission", "keep-alive", "time-wait",
    "fin-wait-2", "persist" or "", and fires in ``timer_left``.  ``unread`` bytes wait for its application, ``queued``
    ones for our acknowledgment.  ``congestion`` is the state of its loss recovery, as with ``congestion`` events.
    """

    time: float
    conn: int
    after: str
    state: State
    cwnd: int | None
    ssthresh: int | None
    unacked: int | None
    retransmitted: int | None
    srtt: float | None
    rttvar: float | None
    rto: float | None
    timer: str
    timer_left: float | None
    unread: int | None
    queued: int | None
    congestion: str | None = None
    mss: int | None = None


class Lost(NamedTuple):
    """So many ``events`` stood here that who kept or carried them had no room for.  ``conn`` is 0."""

    time: float
    conn: int
    events: int


class Joined(NamedTuple):
    """The watching of a connection began while it was there already: what ``opened`` and the handshake would have told.

    ``iss`` and ``irs`` are the two initial sequence numbers, ours and the peer's.  In TIME-WAIT they are forgotten:
    they stand one before the next ones, and ``role`` is empty.
    """

    time: float
    conn: int
    local_address: bytes
    local_port: int
    remote_address: bytes
    remote_port: int
    role: str
    state: State
    iss: int
    irs: int


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
    | Acknowledged
    | WindowChanged
    | Timer
    | Cwnd
    | Estimated
    | HeldBack
    | Probe
    | Dsack
    | Handshake
    | StrayIn
    | StrayOut
    | PeerSeen
    | Lost
    | Joined
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
    Acknowledged,
    WindowChanged,
    Timer,
    Cwnd,
    Estimated,
    HeldBack,
    Probe,
    Dsack,
    Handshake,
    StrayIn,
    StrayOut,
    PeerSeen,
    Lost,
    Joined,
)


def read(flat: tuple[Any, ...]) -> TraceEvent:
    """The typed form of a flat event."""
    event: TraceEvent = TYPES[flat[0]](*flat[1:])
    return event


def segment_in(conn: int, segment: Segment, window_scale: int, now: float) -> tuple[Any, ...]:
    """The flat :class:`SegmentIn` of ``segment``; the window of a SYN is never scaled (RFC 7323 §2.2)."""
    if segment.flags & SYN:
        window_scale = 0
    return (
        SEGMENT_IN,
        now,
        conn,
        segment.seq,
        segment.ack,
        segment.flags,
        segment.window << window_scale,
        len(segment.payload),
        segment.ts_val,
        segment.ts_ecr,
        segment.options,
        segment.urgent,
        segment.ecn,
        window_scale,
    )
