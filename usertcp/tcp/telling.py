"""When a connection tells its watcher what changes all the time (see :mod:`.events`).

Whoever calls something here has seen that there is a watcher; without one nothing of this runs and nothing is kept.
What was told last is remembered, so that a window that slides with every segment is told when it is worth it.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp import held_back
from usertcp.tcp.events import ACKNOWLEDGMENT, Kind
from usertcp.tcp.states import CLOSED, ESTABLISHED, LISTEN
from usertcp.wire.seq import MASK

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection
    from usertcp.tcp.recovery import CaState

# Timers, as bits of what is running
_RETRANSMISSION: Final = 1
_PERSIST: Final = 2
_SILLY_WINDOW: Final = 4
_TAIL_LOSS: Final = 8
_REORDERING: Final = 16
_DELAYED_ACK: Final = 32
_KEEP_ALIVE: Final = 64
_FIN_WAIT_2: Final = 128
_TIME_WAIT: Final = 256
_TIMERS: Final = {
    _RETRANSMISSION: "retransmission",
    _PERSIST: "persist",
    _SILLY_WINDOW: "silly-window",
    _TAIL_LOSS: "tail-loss",
    _REORDERING: "reordering",
    _DELAYED_ACK: "delayed-ack",
    _KEEP_ALIVE: "keep-alive",
    _FIN_WAIT_2: "fin-wait-2",
    _TIME_WAIT: "time-wait",
}
#: What does not run any more when one of them has fired: three are one timer with several meanings.
_FIRED: Final = {
    name: _RETRANSMISSION | _PERSIST | _SILLY_WINDOW if bit <= _SILLY_WINDOW else bit for bit, name in _TIMERS.items()
}

#: What the state of loss recovery means where no event of its own has told it.
_STATES: Final = {
    "open": "no gap is left",
    "disorder": "the peer holds data beyond a gap: a loss, or reordering",
    "cwr": "the window is reduced",
    "recovery": "fast recovery",
    "loss": "recovery after a timeout",
}
#: In seconds.
_NOW_AND_THEN: Final = 0.001
#: A window is told when it differs by this part of what was told last.
_QUARTER: Final = 4


class Told:
    """What the watcher of one connection was told last.

    Of the windows nothing is told at first (-1); the congestion window and the estimates, which nothing else tells, are
    told with the first acknowledgment.
    """

    __slots__ = (
        "bulk_until", "cwnd", "estimate_due", "field", "held_back", "least_rto", "look_at", "most_rto", "ours",
        "ours_buffer", "recovery", "snd_nxt", "srtt", "theirs", "theirs_edge", "timers",
    )  # fmt: skip

    def __init__(self, tcb: Connection) -> None:
        self.timers = 0
        self.held_back = held_back.NOTHING_TO_SEND
        self.cwnd = 0
        self.recovery: CaState = tcb.recovery.state
        self.srtt = 0.0
        #: What runs and what waits is looked at again then; super-segments have left lately; and SND.NXT as it was.
        self.look_at = self.bulk_until = -inf
        self.snd_nxt = tcb.snd_nxt
        #: An estimate is looked at when it is due, or when the timeout is beyond these.
        self.estimate_due = -inf
        self.least_rto = self.most_rto = 0.0
        #: The window field of our last segment when it was looked at.
        self.field = -1
        self.ours = self.theirs = -1
        self.ours_buffer = tcb.rcv_buf
        self.theirs_edge = 0


def _told(tcb: Connection) -> Told:
    told = tcb.told
    if told is None:
        told = tcb.told = Told(tcb)
    return told


# -- Acknowledgments -----------------------------------------------------------------------------------


def acknowledgment(tcb: Connection, una: int, ack: int, sacked: int, now: float, *, duplicate: bool) -> None:
    """An acknowledgment was taken; ``una`` is SND.UNA before it.  One that says nothing new is not told."""
    if ack > una:
        recovery = tcb.recovery
        if ack < recovery.recover and recovery.active:
            verdict, section, reason = "partial", "RFC 6582 §3.2", "it does not cover all that was sent before the loss"
        else:
            verdict, section, reason = "accepted", "3.10.7.4", "it acknowledges what was outstanding"
    elif ack < una:
        verdict, section, reason = "ignored", "3.10.7.4", "others that left later came before it"
    elif sacked:
        verdict, section, reason = "duplicate", "RFC 6675 §2", "it reports data that is held beyond a gap"
    elif duplicate:
        verdict, section, reason = "duplicate", "RFC 5681 §2", "it asks once more for what comes next"
    else:
        return
    trace = tcb.outlet.trace
    assert trace is not None
    acked, in_flight = ack - una if ack > una else 0, tcb.in_flight
    trace((ACKNOWLEDGMENT, now, tcb.number, verdict, ack & MASK, acked, sacked, in_flight, section, reason))


def ignored(tcb: Connection, ack: int, section: str, reason: str, now: float) -> None:
    """An acknowledgment is not taken."""
    trace = tcb.outlet.trace
    assert trace is not None
    trace((ACKNOWLEDGMENT, now, tcb.number, "ignored", ack & MASK, 0, 0, tcb.in_flight, section, reason))


def after_acknowledgment(tcb: Connection, now: float) -> None:
    """It was processed: tell what has changed noticeably by it."""
    told = tcb.told or _told(tcb)
    state = tcb.recovery.state
    if state is not told.recovery:
        congestion(tcb, _STATES[state.value], now)
    if tcb.congestion.cwnd != told.cwnd:
        _cwnd(tcb, told, now)
    if now >= told.estimate_due or not told.least_rto <= tcb.rtt.rto <= told.most_rto:
        estimates(tcb, now)
    if tcb.snd_wnd != told.theirs:
        _their_window(tcb, told, now)


def _cwnd(tcb: Connection, told: Told, now: float) -> None:
    cwnd = tcb.congestion.cwnd
    moved = abs(cwnd - told.cwnd)
    if moved < tcb.snd_mss or moved << 5 < told.cwnd:
        return
    told.cwnd = cwnd
    trace = tcb.outlet.trace
    assert trace is not None
    trace((Kind.CWND, now, tcb.number, cwnd, tcb.congestion.ssthresh, tcb.in_flight))


def congestion(tcb: Connection, what: str, now: float) -> None:
    """The controller has changed its mind; does nothing where nobody watches."""
    trace = tcb.outlet.trace
    if trace is None:
        return
    told, control = _told(tcb), tcb.congestion
    told.cwnd = control.cwnd
    told.recovery = state = tcb.recovery.state
    in_flight = tcb.in_flight
    trace((Kind.CONGESTION, now, tcb.number, what, control.cwnd, control.ssthresh, state.value, in_flight))


def estimates(tcb: Connection, now: float) -> None:
    """Of the round trip: at most once in one, but a timeout that becomes another at once."""
    told, rtt = tcb.told or _told(tcb), tcb.rtt
    rto, srtt = rtt.rto, rtt.srtt or 0.0
    if told.least_rto <= rto <= told.most_rto:
        told.estimate_due = now + srtt
        if abs(srtt - told.srtt) * 8 <= told.srtt:
            return
    told.estimate_due = now + srtt
    told.srtt, told.least_rto, told.most_rto = srtt, rto * 7 / 8, rto * 9 / 8
    trace = tcb.outlet.trace
    assert trace is not None
    trace((Kind.ESTIMATE, now, tcb.number, rtt.srtt, rtt.rttvar, rto, rtt.latest, rtt.backoffs))


def probe(tcb: Connection, purpose: str, attempt: int, section: str, now: float) -> None:
    """The next segment out is a question; does nothing where nobody watches."""
    trace = tcb.outlet.trace
    if trace is not None:
        trace((Kind.PROBE, now, tcb.number, purpose, attempt, section))


def dsack(tcb: Connection, side: str, block: tuple[int, int], now: float) -> None:
    """One end reports that ``block`` came twice; does nothing where nobody watches."""
    trace = tcb.outlet.trace
    if trace is not None:
        trace((Kind.DSACK, now, tcb.number, side, block[0] & MASK, block[1] & MASK))


def handshake(tcb: Connection, what: str, section: str, now: float) -> None:
    """Something belongs to the opening besides segments; does nothing where nobody watches."""
    trace = tcb.outlet.trace
    if trace is not None:
        trace((Kind.HANDSHAKE, now, tcb.number, what, section))


# -- Windows -------------------------------------------------------------------------------------------


def _differs(window: int, before: int) -> bool:
    return not window or not before or abs(window - before) * _QUARTER > before


def _their_window(tcb: Connection, told: Told, now: float) -> None:
    window, before = tcb.snd_wnd, told.theirs
    edge = tcb.snd_wl2 + window
    moved_left = before >= 0 and edge < told.theirs_edge
    if before < 0:
        told.theirs, told.theirs_edge = window, edge
    if before < 0 or not (moved_left or _differs(window, before)):
        return
    if not window:
        what, section, reason = "closed", "3.8.6.1", "the peer has no room: probes will ask for it"
    elif not before:
        what, section, reason = "opened", "3.8.6.1", "the peer has room again"
    elif window > before:
        what, section, reason = "grew", "3.8.6", "the peer offers more"
    else:
        what, section, reason = "shrank", "3.8.6", "its application has not read what came"
    if moved_left:
        reason = "the peer takes back what it had offered: its right edge moved left"
    told.theirs, told.theirs_edge = window, edge
    _window(tcb, "theirs", what, window, edge, reason, section, now)


def _our_window(tcb: Connection, told: Told, now: float) -> None:
    if tcb.segments_sent == tcb.syns_sent:
        return  # a SYN's window is not scaled
    told.field = tcb.last_window
    window, before = told.field << tcb.rcv_wscale, told.ours
    if before < 0:
        told.ours, told.ours_buffer = window, tcb.rcv_buf
    if before < 0 or not _differs(window, before):
        return
    waiting = tcb.receive_buffer.ready.length
    section = "3.8.6.2.2"
    if not window:
        what, reason = "closed", f"{waiting} bytes wait to be read, and there is no room for more"
    elif window < before:
        what, reason = "shrank", f"{waiting} bytes wait to be read, {tcb.receive_buffer.held_bytes} behind a gap"
    elif not before:
        what, reason = "opened", "the application has read"
    elif tcb.rcv_buf > told.ours_buffer:
        what, reason = "grew", f"the buffer grew to {tcb.rcv_buf} bytes: the application keeps up with the peer"
        section = "RFC 7323 §2"
    else:
        what, reason = "grew", "the application has read"
    told.ours, told.ours_buffer = window, tcb.rcv_buf
    _window(tcb, "ours", what, window, tcb.rcv_adv, reason, section, now)


def _window(
    tcb: Connection, side: str, what: str, window: int, edge: int, reason: str, section: str, now: float
) -> None:
    trace = tcb.outlet.trace
    assert trace is not None
    trace((Kind.WINDOW, now, tcb.number, side, what, window, edge & MASK, reason, section))


# -- After output, and after timers --------------------------------------------------------------------


def after_output(tcb: Connection, now: float) -> None:
    """What may leave has left: tell which timers run now, what window the peer was told, why no more left.

    While super-segments leave one after the other it looks only now and then: what they leave behind is about
    to change, and their acknowledgments bring it back here.
    """
    told = tcb.told or _told(tcb)
    if tcb.snd_nxt - told.snd_nxt > tcb.snd_mss:
        told.bulk_until = now + _NOW_AND_THEN
    told.snd_nxt = tcb.snd_nxt
    if now < told.look_at and now < told.bulk_until and told.timers & _RETRANSMISSION and tcb.rtx:
        return
    state = tcb.state
    if state is CLOSED or state is LISTEN:
        return
    told.look_at = now + _NOW_AND_THEN
    running = 0
    if tcb.retransmit_due != inf:
        running = (_SILLY_WINDOW if tcb.snd_wnd else _PERSIST) if tcb.probing else _RETRANSMISSION
    if tcb.loss_due != inf:
        running |= _REORDERING if tcb.loss_is_reordering else _TAIL_LOSS
    if tcb.ack_due != inf:
        running |= _DELAYED_ACK
    if state is not ESTABLISHED or tcb.keepalive:
        running |= _rarely_running(tcb)
    if running != told.timers:
        _timers(tcb, told, running, now)
    if tcb.last_window != told.field:
        _our_window(tcb, told, now)
    reason = held_back.reason(tcb, now)
    if reason != told.held_back:
        told.held_back = reason
        trace = tcb.outlet.trace
        assert trace is not None
        unsent, room = held_back.amounts(tcb, reason)
        trace((Kind.HELD_BACK, now, tcb.number, reason, unsent, room, held_back.SECTIONS[reason]))


def _rarely_running(tcb: Connection) -> int:
    running = 0
    if tcb.keepalive_due != inf:
        running = _KEEP_ALIVE
    if tcb.fin_wait_2_due != inf:
        running |= _FIN_WAIT_2
    if tcb.time_wait_due != inf:
        running |= _TIME_WAIT
    return running


def _due(tcb: Connection, bit: int) -> float:
    if bit <= _SILLY_WINDOW:
        return tcb.retransmit_due
    if bit <= _REORDERING:
        return tcb.loss_due
    if bit == _DELAYED_ACK:
        return tcb.ack_due
    if bit == _KEEP_ALIVE:
        return tcb.keepalive_due
    return tcb.fin_wait_2_due if bit == _FIN_WAIT_2 else tcb.time_wait_due


def _timers(tcb: Connection, told: Told, running: int, now: float) -> None:
    trace = tcb.outlet.trace
    assert trace is not None
    changed = running ^ told.timers
    told.timers = running
    for bit, name in _TIMERS.items():
        if changed & bit:
            if running & bit:
                trace((Kind.TIMER, now, tcb.number, name, "armed", _due(tcb, bit)))
            else:
                trace((Kind.TIMER, now, tcb.number, name, "stopped", None))


def after_timers(tcb: Connection, now: float) -> None:
    """The timers that were due have acted; where more is to be put out, :func:`after_output` comes then."""
    if not tcb.touched:
        after_output(tcb, now)


def fired(tcb: Connection, timer: str, due: float, now: float) -> None:
    """``timer``, which was set to ``due``, goes off; does nothing where nobody watches.

    Call it before it does anything.  If it is set again, that is told, too.
    """
    trace = tcb.outlet.trace
    if trace is not None:
        _told(tcb).timers &= ~_FIRED[timer]
        trace((Kind.TIMER, now, tcb.number, timer, "fired", due))
