"""The ACK field of an arriving segment: RFC 9293 §3.10.7.4, fifth, for the synchronized states.

Loss detection without SACK (RFC 5681 §3.2, RFC 6582) is here too, since duplicate acknowledgments are
its only input.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp import opening, output
from usertcp.tcp.events import Kind
from usertcp.tcp.wakeup import WRITABLE
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: Duplicate acknowledgments that mean a loss (RFC 5681 §3.2).
DUPLICATE_THRESHOLD: Final = 3
#: A round trip longer than this (in ms) is a timestamp that is not ours.
_ABSURD_RTT: Final = 600_000


def acceptable(tcb: Connection, ack: int, now: float) -> bool:
    """RFC 5961 §5: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT; anything else gets an ACK."""
    if ack > tcb.snd_nxt:
        output.challenge_ack(tcb, "it acknowledges what was never sent", now)
        tcb.outlet.count("ack-of-unsent")
        return False
    if ack < tcb.snd_una - tcb.max_snd_wnd:
        output.challenge_ack(tcb, "its acknowledgment is older than any window", now)
        tcb.outlet.count("ack-too-old")
        return False
    return True


def process(tcb: Connection, segment: Segment, seq: int, ack: int, now: float) -> None:
    """The processing of ESTABLISHED: advance SND.UNA, update the send window."""
    window = segment.window << tcb.snd_wscale
    if ack > tcb.snd_una:
        _advance(tcb, segment, ack, now)
    elif ack == tcb.snd_una and _is_duplicate(tcb, segment, window):
        _duplicate(tcb, now)
    if ack >= tcb.snd_una and (tcb.snd_wl1 < seq or (tcb.snd_wl1 == seq and tcb.snd_wl2 <= ack)):
        _update_window(tcb, window, seq, ack)
    tcb.touch()


def _advance(tcb: Connection, segment: Segment, ack: int, now: float) -> None:
    """New data is acknowledged."""
    acked = ack - tcb.snd_una
    sample = tcb.rtx.acknowledge(ack, now)
    tcb.snd_una = ack
    tcb.send_buffer.acknowledge(min(ack, tcb.send_buffer.end))
    _take_sample(tcb, segment, sample, now)
    if tcb.rtx:
        tcb.retransmit_due = now + tcb.rtt.rto  # RFC 6298 §5.3
        tcb.at_risk_since = now
    else:
        tcb.retransmit_due = inf  # RFC 6298 §5.2
        tcb.at_risk_since = inf
    tcb.probing = False
    if tcb.recovering:
        _in_recovery(tcb, acked, now)
    else:
        tcb.dup_acks = 0
        if tcb.limited:
            tcb.congestion.on_ack(acked, now)
    if tcb.blocked_on_room and 3 * tcb.send_room >= tcb.settings.send_buffer:
        tcb.blocked_on_room = False
        tcb.notify(WRITABLE)


def _take_sample(tcb: Connection, segment: Segment, sample: float | None, now: float) -> None:
    """Feed the estimator: from the records, else from the timestamp echo, which no retransmission
    makes ambiguous (RFC 7323 §4.1)."""
    if sample is None and tcb.timestamps and segment.ts_ecr:
        elapsed = (opening.timestamp(tcb, now) - segment.ts_ecr) & MASK
        if elapsed < _ABSURD_RTT:
            sample = max(elapsed, 1) / 1000
    if sample is not None:
        tcb.rtt.sample(sample)


def _is_duplicate(tcb: Connection, segment: Segment, window: int) -> bool:
    """RFC 5681 §2: outstanding data, an empty segment without SYN or FIN, and the same window."""
    return tcb.snd_una < tcb.snd_nxt and not segment.payload and not segment.flags & 0x03 and window == tcb.snd_wnd


def _duplicate(tcb: Connection, now: float) -> None:
    tcb.dup_acks += 1
    # RFC 6582 §3.2 step 1: not again for losses of the window that a timeout or recovery covered
    if tcb.dup_acks == DUPLICATE_THRESHOLD and not tcb.recovering and tcb.snd_una > tcb.recover:
        tcb.recovering = True
        tcb.recover = tcb.snd_nxt
        tcb.congestion.on_loss(tcb.snd_nxt - tcb.snd_una, now)
        tcb.rtx.mark_front_lost(tcb.snd_mss)
        _tell(tcb, "three duplicate acknowledgments: fast retransmit", now)


def _in_recovery(tcb: Connection, acked: int, now: float) -> None:
    if tcb.snd_una >= tcb.recover:  # a full acknowledgment
        tcb.recovering = False
        tcb.dup_acks = 0
        tcb.congestion.on_recovered(tcb.snd_nxt - tcb.snd_una, now)
        _tell(tcb, "recovery is over", now)
        return
    # A partial acknowledgment: the next hole is lost too (RFC 6582 §3.2 step 3).  What it covers beyond
    # the segment sent again had left the network before, and was counted by duplicates.
    tcb.dup_acks = max(0, tcb.dup_acks - max(0, acked // tcb.snd_mss - 1))
    tcb.rtx.mark_front_lost(tcb.snd_mss)
    _tell(tcb, "a partial acknowledgment: the next hole is sent again", now)


def _update_window(tcb: Connection, window: int, seq: int, ack: int) -> None:
    was_closed = not tcb.snd_wnd
    tcb.snd_wnd = window
    tcb.snd_wl1 = seq
    tcb.snd_wl2 = ack
    if window > tcb.max_snd_wnd:
        tcb.max_snd_wnd = window
    if was_closed and window:
        _window_opened(tcb)


def _window_opened(tcb: Connection) -> None:
    """What the peer refused while its window was closed is sent again without waiting for a timer."""
    tcb.rtt.reset()
    tcb.probing = False
    tcb.retransmit_due = inf
    tcb.rtx.mark_all_lost()


def _tell(tcb: Connection, what: str, now: float) -> None:
    trace = tcb.outlet.trace
    if trace is not None:
        trace((Kind.CONGESTION, now, tcb.number, what, tcb.congestion.cwnd, tcb.congestion.ssthresh))
