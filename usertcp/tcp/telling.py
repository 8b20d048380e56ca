"""When a connection tells its watcher what changes all the time (see :mod:`.events`).

Whoever calls something here has seen that there is a watcher; without one nothing of this runs and nothing is kept.
What was told last is remembered, so that a window that slides with every segment is told when it is worth it.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp import held_back, telling_windows
from usertcp.tcp.events import ACKNOWLEDGMENT, Kind
from usertcp.tcp.states import CLOSED, ESTABLISHED, LISTEN
from usertcp.tcp.told import Told, told_of
from usertcp.wire.seq import MASK

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

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
_ACCEPTED: Final = "accepted"
_OUTSTANDING: Final = "it acknowledges what was outstanding"
#: In seconds.
_NOW_AND_THEN: Final = 0.001
#: So many segments in one go are a bulk transfer.
_BULK: Final = 8


# -- Acknowledgments -----------------------------------------------------------------------------------


def acknowledgment(tcb: Connection, una: int, ack: int, sacked: int, now: float, *, duplicate: bool) -> None:
    """An acknowledgment was taken; ``una`` is SND.UNA before it.  One that says nothing new is not told."""
    told = tcb.told or told_of(tcb)
    if ack > una:
        recovery = tcb.recovery
        if now < told.bulk_until and now < told.ack_at and ack < tcb.snd_nxt and not recovery.active:
            told.acked += ack - una
            return
        if ack < recovery.recover and recovery.active:
            verdict, section, reason = "partial", "RFC 6582 §3.2", "it does not cover all that was sent before the loss"
        else:
            verdict, section, reason = _ACCEPTED, "3.10.7.4", _OUTSTANDING
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
    acked, in_flight, number = ack - una if ack > una else 0, tcb.in_flight, tcb.number
    if told.acked:
        if verdict == _ACCEPTED:
            acked += told.acked
        else:  # those that were kept back came before it
            before = (told.acked, 0, in_flight, "3.10.7.4", _OUTSTANDING)
            trace((ACKNOWLEDGMENT, now, number, _ACCEPTED, una & MASK, *before))
        told.acked = 0
    told.ack_at = now + _NOW_AND_THEN
    trace((ACKNOWLEDGMENT, now, number, verdict, ack & MASK, acked, sacked, in_flight, section, reason))


def ignored(tcb: Connection, ack: int, section: str, reason: str, now: float) -> None:
    """An acknowledgment is not taken."""
    trace = tcb.outlet.trace
    assert trace is not None
    trace((ACKNOWLEDGMENT, now, tcb.number, "ignored", ack & MASK, 0, 0, tcb.in_flight, section, reason))


def after_acknowledgment(tcb: Connection, now: float) -> None:
    """It was processed: tell what has changed noticeably by it."""
    told = tcb.told or told_of(tcb)
    state = tcb.recovery.state
    if state is not told.recovery:
        congestion(tcb, _STATES[state.value], now)
    if tcb.congestion.cwnd != told.cwnd:
        _cwnd(tcb, told, now)
    if now >= told.estimate_due or not told.least_rto <= tcb.rtt.rto <= told.most_rto:
        estimates(tcb, now)
    if tcb.snd_wnd != told.theirs:
        telling_windows.theirs(tcb, told, now)


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
    told, control = told_of(tcb), tcb.congestion
    told.cwnd = control.cwnd
    told.recovery = state = tcb.recovery.state
    in_flight = tcb.in_flight
    trace((Kind.CONGESTION, now, tcb.number, what, control.cwnd, control.ssthresh, state.value, in_flight))


def estimates(tcb: Connection, now: float) -> None:
    """Of the round trip: at most once in one, but a timeout that becomes another at once."""
    told, rtt = tcb.told or told_of(tcb), tcb.rtt
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


# -- After output, and after timers --------------------------------------------------------------------


def after_output(tcb: Connection, now: float) -> None:
    """What may leave has left: tell which timers run now, what window the peer was told, why no more left.

    While super-segments leave one after the other it looks only now and then: what they leave behind is about
    to change, and their acknowledgments bring it back here.
    """
    told = tcb.told or told_of(tcb)
    if tcb.snd_nxt - told.snd_nxt > _BULK * tcb.snd_mss:
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
        telling_windows.ours(tcb, told, now)
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
        told_of(tcb).timers &= ~_FIRED[timer]
        trace((Kind.TIMER, now, tcb.number, timer, "fired", due))
