"""TIME-WAIT (RFC 9293 §3.6.1, §3.10.7.4, §3.10.8): all that is left of a connection for 2 MSL.

A server that closes first collects many of these, so each is a few numbers and not a connection block.
The application's handle, if it still has one, stays a :class:`~usertcp.tcp.connection.Connection` in
TIME-WAIT from which the rest can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from usertcp.tcp.events import Kind
from usertcp.tcp.moments import LONG_AGO
from usertcp.tcp.reset import sequence_length
from usertcp.tcp.states import TIME_WAIT, Event, step
from usertcp.wire.seq import MASK, unwrap
from usertcp.wire.tcp import ACK, FIN, RST, SYN, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection
    from usertcp.tcp.outlet import Outlet


class TimeWait:
    """What must be remembered: where both sequences ended, until when, and for whom.

    ``window`` is the window field of our last acknowledgment; the scales are what window fields are shifted
    by to show them in a trace.  ``timestamps``: the connection had them.  ``due`` is the end of 2 MSL in seconds.
    """

    __slots__ = (
        "challenge_after", "connection", "due", "key", "number", "rcv_nxt", "rcv_wscale", "settings", "snd_nxt",
        "snd_wscale", "timestamps", "traffic_class", "ts_offset", "ts_recent", "window",
    )  # fmt: skip

    def __init__(self, tcb: Connection, window: int) -> None:
        self.key = tcb.key
        self.number = tcb.number
        self.snd_nxt = tcb.snd_nxt
        self.rcv_nxt = tcb.rcv_nxt
        self.window = window
        self.rcv_wscale = tcb.rcv_wscale
        self.snd_wscale = tcb.snd_wscale
        self.timestamps = tcb.timestamps
        self.ts_offset = tcb.ts_offset
        self.ts_recent = tcb.ts_recent
        self.due = tcb.time_wait_due
        self.settings = tcb.settings
        self.traffic_class = tcb.traffic_class
        self.challenge_after = LONG_AGO
        self.connection: Connection | None = None if tcb.released else tcb


class TimeWaitRule(NamedTuple):
    """``gives_way``: whether a SYN may take its place; ``answer``: what becomes of any other segment."""

    gives_way: Callable[[TimeWait, Segment, bool], bool]
    answer: Callable[[TimeWait, Segment, Outlet, float], None]


def gives_way(waiting: TimeWait, syn: Segment, *, timestamps: bool) -> bool:
    """Whether ``syn`` (no ACK, no RST) may begin a new connection.

    ``timestamps``: that would use them if the peer does.
    """
    return RULES[waiting.settings.time_wait_rule].gives_way(waiting, syn, timestamps)


def segment_arrives(waiting: TimeWait, segment: Segment, outlet: Outlet, now: float) -> None:
    """Everything that can still come here is an old duplicate, or the peer's FIN again."""
    RULES[waiting.settings.time_wait_rule].answer(waiting, segment, outlet, now)


# -- By the RFC's numbers ---------------------------------------------------------------------------------


def _beyond(waiting: TimeWait, syn: Segment, timestamps: bool) -> bool:
    """Whether ``syn`` is beyond all numbers of the old connection, so that nothing of it can be mistaken.

    RFC 9293 §3.6.1 (MAY-2, SHLD-4), RFC 6191 §2.
    """
    later = unwrap(syn.seq, waiting.rcv_nxt) >= waiting.rcv_nxt  # beyond the FIN, which stands before it
    if not timestamps or syn.ts_val is None:
        return later
    if not waiting.timestamps:
        return True
    newer = (syn.ts_val - waiting.ts_recent) & MASK
    return newer < 0x80000000 if newer else later


def _step_by_step(waiting: TimeWait, segment: Segment, outlet: Outlet, now: float) -> None:
    """RFC 9293 §3.10.7.4: the checks in their order."""
    seq = unwrap(segment.seq, waiting.rcv_nxt)
    flags = segment.flags
    end = seq + sequence_length(segment)
    if flags & RST:  # Second, check the RST bit
        if waiting.settings.rfc1337:
            _drop(waiting, segment, "reset-in-time-wait", outlet, now, "RFC 1337 §3")
        elif seq == waiting.rcv_nxt:
            leave(waiting, Event.RCV_RST, outlet, now)
        else:
            _drop(waiting, segment, "reset-not-exact", outlet, now)
    elif flags & SYN:  # Fourth, check the SYN bit
        _step(waiting, Event.RCV_SYN, outlet, now)
        _challenge(waiting, "a SYN in TIME-WAIT", outlet, now)
    elif not flags & ACK and _acceptable(waiting, seq, end):  # Fifth, check the ACK field
        _drop(waiting, segment, "no-ack", outlet, now)
    elif _is_older(waiting, segment):  # RFC 7323 §5.3, R1
        _drop(waiting, segment, "paws", outlet, now, "RFC 7323 §5.3")
        outlet.acknowledge(waiting, now)
    elif flags & FIN and end == waiting.rcv_nxt:  # Eighth, check the FIN bit
        _step(waiting, Event.RCV_FIN, outlet, now)
        if waiting.timestamps and segment.ts_val is not None:
            waiting.ts_recent = segment.ts_val  # RFC 7323 §5.3, R3
        waiting.due = now + waiting.settings.time_wait
        outlet.acknowledge(waiting, now)
    elif end > seq:
        _drop(waiting, segment, "old-duplicate", outlet, now)
        outlet.acknowledge(waiting, now)
    elif seq != waiting.rcv_nxt:
        _drop(waiting, segment, "old-duplicate", outlet, now)
        _challenge(waiting, "it lies outside the window", outlet, now)


# -- As others do ------------------------------------------------------------------------------------------


def _later_or_newer(waiting: TimeWait, syn: Segment, timestamps: bool) -> bool:
    """Beyond the FIN, or with a newer timestamp whatever its number."""
    if _is_older(waiting, syn):
        return False
    if unwrap(syn.seq, waiting.rcv_nxt) > waiting.rcv_nxt:
        return True
    return waiting.ts_offset is not None and syn.ts_val is not None and syn.ts_val != waiting.ts_recent


def _answer_all_but_the_next(waiting: TimeWait, segment: Segment, outlet: Outlet, now: float) -> None:
    """What stands exactly next begins 2 MSL anew, or ends it if it is a RST; all the rest is out of place."""
    seq = unwrap(segment.seq, waiting.rcv_nxt)
    flags = segment.flags
    length = sequence_length(segment)
    older = _is_older(waiting, segment)
    if not older and seq == waiting.rcv_nxt and (flags & RST or not length):
        if not flags & RST:
            _again(waiting, outlet, now)
            if waiting.ts_offset is not None and segment.ts_val is not None:
                waiting.ts_recent = segment.ts_val
        elif waiting.settings.rfc1337:
            _drop(waiting, segment, "reset-in-time-wait", outlet, now, "RFC 1337 §3")
        else:
            leave(waiting, Event.RCV_RST, outlet, now)
        return
    if older:
        _drop(waiting, segment, "paws", outlet, now, "RFC 7323 §5.3")
    if flags & RST:
        _drop(waiting, segment, "reset-not-exact", outlet, now)
        return
    if older or flags & ACK:
        _again(waiting, outlet, now)
    if length and not flags & SYN:
        outlet.acknowledge(waiting, now)
    else:
        _challenge(waiting, "it lies outside the window", outlet, now)


def _later(waiting: TimeWait, syn: Segment, timestamps: bool) -> bool:
    """Beyond the FIN; timestamps say nothing."""
    return unwrap(syn.seq, waiting.rcv_nxt) > waiting.rcv_nxt


def _answer_all_but_duplicates(waiting: TimeWait, segment: Segment, outlet: Outlet, now: float) -> None:
    """RSTs and what does not acknowledge are passed over; only our own last exchange, again, is worth no answer."""
    flags = segment.flags
    if flags & RST:
        _drop(waiting, segment, "reset-in-time-wait", outlet, now, "RFC 1337 §3")
        return
    if not flags & ACK:
        _drop(waiting, segment, "no-ack", outlet, now)
        return
    seq = unwrap(segment.seq, waiting.rcv_nxt)
    if flags & FIN and seq + sequence_length(segment) == waiting.rcv_nxt:
        _again(waiting, outlet, now)
    known = seq == waiting.rcv_nxt and segment.ack == waiting.snd_nxt & MASK
    if flags != ACK or segment.payload or not known:
        outlet.acknowledge(waiting, now)


def _again(waiting: TimeWait, outlet: Outlet, now: float) -> None:
    _step(waiting, Event.RCV_FIN, outlet, now)
    waiting.due = now + waiting.settings.time_wait


#: By the name that :attr:`usertcp.tcp.settings.Settings.time_wait_rule` has for it.
RULES: Final[dict[str, TimeWaitRule]] = {
    "checks": TimeWaitRule(_beyond, _step_by_step),
    "next": TimeWaitRule(_later_or_newer, _answer_all_but_the_next),
    "duplicates": TimeWaitRule(_later, _answer_all_but_duplicates),
}


# -- Shared ------------------------------------------------------------------------------------------------


def _is_older(waiting: TimeWait, segment: Segment) -> bool:
    """Whether the timestamp is from before the last one of the connection."""
    if not waiting.timestamps or segment.ts_val is None:
        return False
    return bool((segment.ts_val - waiting.ts_recent) & 0x80000000)


def _acceptable(waiting: TimeWait, seq: int, end: int) -> bool:
    """First, check the sequence number: Table 6 of RFC 9293 §3.10.7.4."""
    edge = waiting.rcv_nxt + (waiting.window << waiting.rcv_wscale)
    if end == seq:
        return waiting.rcv_nxt <= seq <= edge
    return seq < edge and end > waiting.rcv_nxt


def leave(waiting: TimeWait, event: Event, outlet: Outlet, now: float) -> None:
    """To CLOSED, by ``event``."""
    tcb = waiting.connection
    if event is Event.TIME_WAIT_TIMEOUT and outlet.trace is not None:
        outlet.trace((Kind.TIMER, now, waiting.number, "time-wait", "fired", waiting.due))
    outlet.forget(waiting)
    if tcb is not None:
        tcb.step(event, now)
        tcb.end(now, None)
        return
    _step(waiting, event, outlet, now)
    if outlet.trace is not None:
        outlet.trace((Kind.DELETED, now, waiting.number, ""))


def _step(waiting: TimeWait, event: Event, outlet: Outlet, now: float) -> None:
    after, section, reason = step(TIME_WAIT, event)
    if outlet.trace is not None:
        outlet.trace((Kind.TRANSITION, now, waiting.number, TIME_WAIT, event, after, section, reason))


def _challenge(waiting: TimeWait, reason: str, outlet: Outlet, now: float) -> None:
    """As :func:`usertcp.tcp.output.challenge_ack` (RFC 5961 §7)."""
    allowed = now >= waiting.challenge_after
    if outlet.trace is not None:
        outlet.trace((Kind.CHALLENGE_ACK, now, waiting.number, reason, allowed))
    if allowed:
        outlet.count("challenge-acks")
        waiting.challenge_after = now + waiting.settings.challenge_interval
        outlet.acknowledge(waiting, now)
    else:
        outlet.count("challenge-acks-held-back")


def _drop(
    waiting: TimeWait, segment: Segment, reason: str, outlet: Outlet, now: float, section: str = "3.10.7.4"
) -> None:
    outlet.count(reason)
    if outlet.trace is not None:
        length = len(segment.payload)
        outlet.trace((Kind.DROPPED, now, waiting.number, reason, section, segment.seq, length))
