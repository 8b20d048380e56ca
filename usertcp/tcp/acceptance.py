"""First, check the sequence number: RFC 9293 §3.10.7.4, and the timestamp around it (RFC 7323 §5.3).

What Table 6 finds acceptable is one rule.  Others are known that take more of an old segment, or less of one that
goes beyond the window; :attr:`Settings.acceptance` chooses.  A rule may take away text and FIN of what it accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from usertcp.tcp import ecn, opening, output, sack
from usertcp.tcp.refusal import drop
from usertcp.tcp.reset import sequence_length
from usertcp.tcp.states import CLOSE_WAIT, CLOSING, LAST_ACK, RECEIVE_CLOSED, SYN_RECEIVED, Event
from usertcp.wire.seq import MASK, unwrap
from usertcp.wire.tcp import ACK, FIN, RST, SYN, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: Whether a segment, whose sequence number is the third argument, is looked at any further.
Rule: TypeAlias = "Callable[[Connection, Segment, int, float], bool]"

_TS_RECENT_LIFETIME: Final = 24 * 86400.0
_OLDER: Final = 0x80000000
#: A peer that has sent its FIN may think that we wait for that.
BEFORE_FIN: Final = frozenset({CLOSE_WAIT, CLOSING, LAST_ACK})


# -- Table 6 ----------------------------------------------------------------------------------------------


def by_the_table(tcb: Connection, segment: Segment, seq: int, now: float) -> bool:
    """RFC 9293 §3.10.7.4, with what RFC 7323 §5.3 adds: R1 to R3."""
    flags = segment.flags
    if tcb.timestamps and segment.ts_val is None and tcb.settings.require_timestamps and not flags & RST:
        drop(tcb, segment, "timestamp-missing", "RFC 7323 §3.2", now)
        return False
    ts_val = segment.ts_val if tcb.timestamps and not flags & (RST | SYN) else None
    if ts_val is not None and (ts_val - tcb.ts_recent) & _OLDER and not _outdated(tcb, now):  # R1
        drop(tcb, segment, "paws", "RFC 7323 §5.3", now)
        if segment.payload and seq < tcb.rcv_nxt:
            # An original that its own retransmission has overtaken: the sender is to know that it was sent in vain.
            sack.note_duplicate(tcb, seq, min(seq + len(segment.payload), tcb.rcv_nxt))
        if segment.payload or tcb.settings.paws_answers_empty:
            tcb.need_ack()
        return False
    if not _in_window(tcb, segment, seq, now):  # R2
        return False
    if ts_val is not None and seq <= tcb.last_ack_sent:  # R3
        tcb.ts_recent = ts_val
        tcb.ts_recent_at = now
    return True


def _outdated(tcb: Connection, now: float) -> bool:
    """After 24 days of silence the peer's clock may have wrapped: TS.Recent says nothing (RFC 7323 §5.5)."""
    return now - tcb.ts_recent_at > _TS_RECENT_LIFETIME


def _in_window(tcb: Connection, segment: Segment, seq: int, now: float) -> bool:
    """Table 6."""
    flags = segment.flags
    # A RST's text is a comment, not data (§3.5.3, SHLD-2): only where it stands counts.
    length = 0 if flags & RST else sequence_length(segment)
    end = seq + length
    rcv_nxt, edge = tcb.rcv_nxt, tcb.rcv_adv
    if flags & RST and tcb.settings.reset_at == "acknowledged":
        rcv_nxt = tcb.last_ack_sent
    if length == 0:
        # An empty segment may stand at the very edge: a peer that has filled the window sends its
        # acknowledgments from there ("special allowance", §3.10.7.4).
        if rcv_nxt <= seq <= edge:
            return True
    elif seq < edge and end > rcv_nxt:
        return True
    elif seq == rcv_nxt and not flags & (SYN | RST):
        return _into_closed_window(tcb, segment, now)
    if tcb.settings.old_acks_count and _is_old(tcb, segment, end):
        return _only_its_acknowledgment(tcb, segment, seq, end)
    return _unacceptable(tcb, segment, seq, end, now)


def _is_old(tcb: Connection, segment: Segment, end: int) -> bool:
    return end <= tcb.rcv_nxt and not segment.flags & (RST | SYN) and tcb.state is not SYN_RECEIVED


def _only_its_acknowledgment(tcb: Connection, segment: Segment, seq: int, end: int) -> bool:
    """Nothing of it is new, and it is answered; what it acknowledges counts."""
    if end > seq:
        sack.note_duplicate(tcb, seq, end)
    segment.payload = b""
    segment.flags &= ~FIN
    tcb.need_ack()
    return True


def _into_closed_window(tcb: Connection, segment: Segment, now: float) -> bool:
    """A probe of our closed window: its text cannot be taken, its ACK can, and a bare FIN needs no room."""
    tcb.need_ack()
    if segment.payload:
        drop(tcb, segment, "window-closed", "3.8.6.1", now)
        segment.payload = b""
        segment.flags &= ~FIN
    return True


def _unacceptable(tcb: Connection, segment: Segment, seq: int, end: int, now: float) -> bool:
    """It is answered, unless it is a RST; only a SYN is looked at further."""
    flags = segment.flags
    if flags & RST:
        drop(tcb, segment, "reset-outside-window", "3.10.7.4", now)
        return False
    drop(tcb, segment, "old-duplicate" if end <= tcb.rcv_nxt else "outside-window", "3.10.7.4", now)
    if flags & SYN and tcb.state is SYN_RECEIVED and seq == tcb.irs:
        # The peer has not seen our SYN,ACK: the acknowledgment that is due is that SYN,ACK again.
        ecn.syn_again(tcb, segment)
        opening.repeat_syn(tcb)
        return False
    if flags & SYN and tcb.state is not SYN_RECEIVED:
        return True  # RFC 5961 §4: "irrespective of the sequence number"
    if flags & FIN and end == tcb.rcv_nxt and tcb.state in RECEIVE_CLOSED:
        tcb.step(Event.RCV_FIN, now)
    if end > seq:
        if end <= tcb.rcv_nxt and not flags & SYN:
            sack.note_duplicate(tcb, seq, end)
        if tcb.ack_timing is not None and seq < tcb.rcv_nxt:
            tcb.ack_timing.disorder(tcb)
        tcb.need_ack()
    elif tcb.settings.challenge_unacceptable:
        # Two ends that disagree must not answer each other's empty segments for ever.
        output.challenge_ack(tcb, "it lies outside the window", now)
    else:
        tcb.need_ack()
    return False


# -- From the last acknowledgment on ------------------------------------------------------------------------


def from_the_last_ack(tcb: Connection, segment: Segment, seq: int, now: float) -> bool:
    """The window begins where our last acknowledgment said, and a segment that goes beyond it is taken whole or not.

    So an old one may still acknowledge, and one that is too long is taken where nothing is waiting to be read.
    """
    flags = segment.flags
    ts_val = segment.ts_val if tcb.timestamps else None
    if ts_val is not None and _is_too_old(tcb, segment, seq, ts_val, now):
        return _too_old(tcb, segment, seq, now)
    length = sequence_length(segment)
    end = seq + length
    edge = max(tcb.rcv_adv, tcb.rcv_nxt)
    if flags & RST and seq == tcb.rcv_nxt - 1 and tcb.state in BEFORE_FIN:
        return True
    if end < tcb.last_ack_sent or seq > edge or (end > edge and tcb.receive_buffer.ready.length):
        return _unacceptable(tcb, segment, seq, end, now)
    if flags & (RST | SYN):
        return True
    if ts_val is not None and seq <= tcb.last_ack_sent and not (ts_val - tcb.ts_recent) & _OLDER:
        tcb.ts_recent = ts_val
        tcb.ts_recent_at = now
    if end > edge:
        if edge == tcb.rcv_nxt and segment.payload:
            return _into_closed_window(tcb, segment, now)
        tcb.rcv_adv = end
    elif length and end <= tcb.rcv_nxt:
        _repeated(tcb, segment, seq, end, now)
    return True


def _is_too_old(tcb: Connection, segment: Segment, seq: int, ts_val: int, now: float) -> bool:
    age = (tcb.ts_recent - ts_val) & MASK
    if not 1 < age < _OLDER or _outdated(tcb, now):
        return False
    return age > tcb.rtt.rto * 1000 or not _repeats_an_ack(tcb, segment, seq)


def _repeats_an_ack(tcb: Connection, segment: Segment, seq: int) -> bool:
    """A duplicate acknowledgment that others have overtaken, which may help to recover."""
    if segment.flags & (ACK | SYN | FIN | RST) != ACK or segment.payload or seq != tcb.rcv_nxt:
        return False
    window = segment.window << tcb.snd_wscale
    news = seq > tcb.snd_wl1 or (seq == tcb.snd_wl1 and (window > tcb.snd_wnd or not window))
    return not news and unwrap(segment.ack, tcb.snd_una) == tcb.snd_una


def _too_old(tcb: Connection, segment: Segment, seq: int, now: float) -> bool:
    """RFC 7323 §5.3, R1; an old acknowledgment is too common to be answered."""
    flags = segment.flags
    if flags & SYN and not flags & RST:
        return True  # its challenge ACK comes later
    drop(tcb, segment, "paws", "RFC 7323 §5.3", now)
    length = sequence_length(segment)
    if flags & RST or (not length and flags & ACK and seq < tcb.rcv_nxt):
        return False
    if not length:
        output.challenge_ack(tcb, "its timestamp is old", now)
        return False
    if seq < tcb.rcv_nxt:
        sack.note_duplicate(tcb, seq, min(seq + length, tcb.rcv_nxt))
        if tcb.ack_timing is not None:
            tcb.ack_timing.disorder(tcb)
    tcb.need_ack()
    return False


def _repeated(tcb: Connection, segment: Segment, seq: int, end: int, now: float) -> None:
    """All of it came before: only its acknowledgment counts."""
    drop(tcb, segment, "old-duplicate", "3.10.7.4", now)
    if segment.flags & FIN and end == tcb.rcv_nxt and tcb.state in RECEIVE_CLOSED:
        tcb.step(Event.RCV_FIN, now)
    sack.note_duplicate(tcb, seq, end)
    segment.payload = b""
    segment.flags &= ~FIN
    if tcb.ack_timing is not None:
        tcb.ack_timing.disorder(tcb)
    tcb.need_ack()


#: By the name that :attr:`usertcp.tcp.settings.Settings.acceptance` has for it.
RULES: Final[dict[str, Rule]] = {
    "table": by_the_table,
    "last-ack": from_the_last_ack,
}
