"""The one place where segments leave: what may be sent now, and why not more.

Every way into a connection (segment, call, timer) ends in :func:`put_out`, once a batch.  The order is:
what is lost first, then new data as far as the peer's window, the congestion window, Nagle and
silly-window avoidance let it, then the FIN, and an acknowledgment of its own only if none of these
carried it.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp import (
    advertised_window,
    bursts,
    ecn,
    fast_open,
    opening,
    path_mtu,
    persist,
    sack,
    telling,
    tlp,
    user_timeout,
)
from usertcp.tcp.events import Kind
from usertcp.tcp.recovery import LOSS, RECOVERY, note_retransmission
from usertcp.tcp.retransmission import Record
from usertcp.tcp.states import SENDING, SYN_RECEIVED, SYN_SENT
from usertcp.wire.codepoint import ECT_0, NOT_ECT
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import ACK, ECE, FIN, NO_OPTIONS, PSH, RST, SYN, URG, Buffer, Options

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

_TIMEOUT: Final = "retransmission timeout"
_REFUSED: Final = "the peer or the path can take it now"
#: Who decided that something lost is sent again.
_RULES: Final = {RECOVERY: "fast retransmit", LOSS: _TIMEOUT}
#: What leaves together when pacing, in seconds of its rate.
_PACING_QUANTUM: Final = 0.001
#: How late a timer may be without a loss of rate, in seconds: what was missed leaves in a burst.
_PACING_CREDIT: Final = 0.005
_UNPACED: Final = 1 << 40


NOTHING: Buffer = b""


def put_out(tcb: Connection, now: float) -> None:
    """Send what may be sent now."""
    new_first = tcb.recovery.new_first
    if tcb.rtx.lost and not new_first:
        _resend_lost(tcb, now)
    if tcb.state in SENDING or (tcb.early and tcb.state is SYN_RECEIVED):
        _send_new(tcb, now)
    if new_first:
        tcb.recovery.new_first = False
    timing = tcb.ack_timing
    if timing is not None:
        if timing.decide(tcb, now):
            send_ack(tcb, now)
    elif tcb.ack_now or tcb.unacked_bytes >= 2 * tcb.rcv_mss > 0:  # RFC 9293 §3.8.6.3 (SHLD-19)
        send_ack(tcb, now)
    elif tcb.unacked_bytes and tcb.ack_due == inf:
        tcb.ack_due = now + tcb.settings.ack_delay  # RFC 9293 §3.8.6.3 (SHLD-18, MUST-40)
    if tcb.outlet.trace is not None:
        telling.after_output(tcb, now)


# -- What is lost ------------------------------------------------------------------------------------


def _resend_lost(tcb: Connection, now: float) -> None:
    """Send lost records again, as many as the congestion window lets out.

    Without SACK, fast recovery sends what it marked at once (RFC 6582 §3.2 steps 2 and 3); with SACK,
    PRR has made room for it in cwnd (RFC 9937).
    """
    burst, paced = _largest_burst(tcb), 0
    recovery = tcb.recovery
    while True:
        if tcb.state is SYN_RECEIVED and tcb.settings.early_data_waits and not tcb.rtx.first.lost:
            break
        in_flight = tcb.in_flight
        room = tcb.congestion.cwnd - in_flight
        if room < tcb.snd_mss and in_flight and not recovery.force:
            break
        if paced < tcb.snd_mss:
            paced = _paced(tcb, now)
            if not paced:
                break
        most = min(burst, paced, max(room // tcb.snd_mss, 1) * tcb.snd_mss)
        record = next_lost(tcb, most)
        if record is None:
            break
        if recovery.force:
            recovery.force = False
        paced -= record.end - record.seq
        resend(tcb, record, now, _RULES.get(recovery.state, _REFUSED) if not record.syn else _TIMEOUT)


def next_lost(tcb: Connection, most: int) -> Record | None:
    """What is lost and goes out next: a record of at most ``most`` bytes."""
    return tcb.rtx.next_lost(most, tcb.snd_mss if tcb.pushes_bursts else None)


def resend(tcb: Connection, record: Record, now: float, rule: str) -> None:
    """Send ``record`` again, for the first time where a SYN waits for its turn."""
    if record.times_sent:
        length = record.end - record.seq
        tcb.retransmissions += 1
        tcb.resent_segments += max(1, -(-length // tcb.snd_mss))
        tcb.resent_bytes += length - record.syn - record.fin
        if record.lost:
            tcb.resent_since = min(tcb.resent_since, now)
        tcb.outlet.count("retransmissions")
        note_retransmission(tcb, record.seq, length, opening.timestamp(tcb, now) if tcb.timestamps else None)
        trace = tcb.outlet.trace
        if trace is not None:
            trace((Kind.RETRANSMIT, now, tcb.number, record.seq & MASK, length, rule, record.times_sent))
    if record.seq == tcb.snd_una:
        # The timer belongs to the first segment outstanding, which leaves only now (RFC 6298 §5.1).
        tcb.retransmit_due = inf
    tcb.rtx.resent(record, now)
    _note_pace(tcb, record.end - record.seq, now)
    if tcb.recovery.reduces:
        tcb.recovery.prr_out += record.end - record.seq
    stamp(tcb, record, now)
    if record.syn:
        send_syn(tcb, now, again=record.times_sent > 1)
    else:
        _send_record(tcb, record, now)
    arm_retransmission(tcb, now)
    if record.syn or tcb.user_timeout is not None:
        ends_at = user_timeout.since(tcb) + user_timeout.patience(tcb, syn=record.syn)
        tcb.retransmit_due = min(tcb.retransmit_due, ends_at)


def send_syn(tcb: Connection, now: float, *, again: bool = False) -> None:
    """Our SYN, or SYN,ACK once the peer's has come."""
    tcb.syns_sent += 1
    flags = SYN if tcb.state is SYN_SENT else SYN | ACK
    options, payload = opening.syn_options(tcb), NOTHING
    if tcb.fast_open is not None and not again:
        options, payload = fast_open.add_to_syn(tcb, options, now)
    transmit(tcb, tcb.iss, flags | ecn.syn_flags(tcb), payload, now, options)


def _send_record(tcb: Connection, record: Record, now: float, *, capable: bool = False) -> None:
    """``capable``: new data that routers may mark instead of dropping it (RFC 3168 §6.1.2, §6.1.5)."""
    length = record.end - record.seq - record.fin
    if length:
        tcb.last_sent_at = now
    payload = tcb.send_buffer.view(record.seq, length) if length else b""
    flags = ACK
    codepoint = NOT_ECT
    if capable and length:
        flags |= ecn.flags_of_new_data(tcb)
        codepoint = ECT_0
    if record.seq + length == tcb.send_buffer.end:
        flags |= PSH if length and not tcb.more else 0
        if record.fin:
            flags |= FIN
    if tcb.pushes_bursts and length:
        flags = flags & ~PSH | _push_of(tcb, record, length)
    transmit(tcb, record.seq, flags, payload, now, codepoint=codepoint)


def note_push(tcb: Connection, *, ends: bool) -> None:
    """The application has written: a write ends here, or half of the peer's window was written without such an end."""
    push_ends = tcb.push_ends
    if push_ends is None:
        push_ends = tcb.push_ends = []
    end, before = tcb.send_buffer.end, push_ends[-1] if push_ends else 0
    if tcb.snd_nxt < before < end and (before - tcb.snd_nxt) % bursts.largest(tcb) and not _ends_record(tcb, before):
        push_ends.pop()  # what was written now goes on filling the packet that ended there
    if ends or end > max(tcb.pushed_end, tcb.iss + 1) + (tcb.max_snd_wnd >> 1):
        push_ends.append(end)
        tcb.pushed_end = end


def _ends_record(tcb: Connection, seq: int) -> bool:
    return tcb.record_ends is not None and seq in tcb.record_ends


def _push_of(tcb: Connection, record: Record, length: int) -> int:
    """PSH, if a write ends with ``record``, or if it is a super-segment."""
    ends, end = tcb.push_ends or [], record.seq + length
    while ends and ends[0] <= end:
        record.push = record.push or ends[0] == end
        ends.pop(0)
    return PSH if record.push or length > tcb.snd_mss else 0


# -- New data and the FIN ----------------------------------------------------------------------------


def _send_new(tcb: Connection, now: float) -> None:
    """As much new data as the windows let out, then the FIN."""
    sent_before = tcb.snd_nxt
    if tcb.fin_seq is not None or (tcb.snd_nxt == tcb.send_buffer.end and not tcb.close_queued):
        return
    if ecn.holds_back(tcb, now):
        return
    _restart_after_idle(tcb, now)
    if now >= tcb.path.search_at and path_mtu.search(tcb, now):
        return
    burst, paced = _largest_burst(tcb), 0
    if tcb.halves_bursts:
        burst = min(burst, bursts.half_window(tcb))
    tcb.limited = False
    if tcb.usage is not None and not tcb.in_flight:
        tcb.congestion.sending_again(now - tcb.last_sent_at, now)
    may_end = tcb.close_queued and tcb.state is not SYN_RECEIVED  # RFC 9293 §3.10.4
    while not _ended(tcb):
        unsent = tcb.send_buffer.end - tcb.snd_nxt
        window = tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt
        room = tcb.congestion.cwnd - tcb.in_flight
        if not unsent:
            if may_end and window > 0:
                send_first(tcb, 0, now, fin=True)
            break
        if paced < tcb.snd_mss:
            paced = _paced(tcb, now)
            if not paced:
                break
        if tcb.record_ends:
            unsent = _until_record_ends(tcb, unsent)
        length = tcb.sendable(tcb, unsent, window, min(room, burst, paced))
        if tcb.defers_bursts and length and bursts.deferred(tcb, unsent, window, room, burst, now):
            length, tcb.partial_end = 0, min(tcb.partial_end, tcb.snd_nxt)
        if not length:
            tcb.limited = room < min(unsent, window, tcb.snd_mss)
            break
        fin = may_end and length == tcb.send_buffer.end - tcb.snd_nxt and window > length
        send_first(tcb, length, now, fin=fin)
        paced -= length
    _watch_for_stall(tcb, now)
    if tcb.usage is not None:
        tcb.usage.note(tcb, sent=tcb.snd_nxt > sent_before, stopped=tcb.limited)
    if tcb.snd_nxt > sent_before:
        tlp.schedule(tcb, now)
    if tcb.snd_nxt >= tcb.send_buffer.end and not tcb.rtx.lost and tcb.in_flight < tcb.congestion.cwnd:
        tcb.app_limited = max(1, tcb.delivered + tcb.in_flight)


def _largest_burst(tcb: Connection) -> int:
    """A device would copy an urgent pointer into all segments of a super-segment."""
    return tcb.snd_mss if tcb.sending_urgent else tcb.largest_burst(tcb)


def _ended(tcb: Connection) -> bool:
    return tcb.fin_seq is not None


def _until_record_ends(tcb: Connection, unsent: int) -> int:
    """How much of ``unsent`` may go into one segment."""
    ends = tcb.record_ends or []
    while ends and ends[0] <= tcb.snd_nxt:
        ends.pop(0)
    return min(unsent, ends[0] - tcb.snd_nxt) if ends else unsent


def send_first(tcb: Connection, length: int, now: float, *, fin: bool) -> Record:
    """Send ``length`` new bytes, and the FIN with or without them."""
    seq = tcb.snd_nxt
    record = Record(seq, seq + length + fin, now, fin=fin)
    stamp(tcb, record, now)
    tcb.rtx.add(record)
    tcb.snd_nxt = record.end
    if tcb.recovery.reduces:
        tcb.recovery.prr_out += length
    _note_pace(tcb, length, now)
    tcb.sws_override = False
    tcb.bytes_sent += length
    if fin:
        tcb.fin_seq = seq + length
    if tcb.congestion.cwnd < tcb.congestion.ssthresh and 2 * tcb.in_flight > tcb.congestion.cwnd:
        tcb.limited = True
    _send_record(tcb, record, now, capable=tcb.ecn.sends and tcb.snd_wnd > 0)  # no window probe: RFC 3168 §6.1.6
    arm_retransmission(tcb, now)
    return record


def _paced(tcb: Connection, now: float) -> int:
    """How much pacing lets out now, in bytes: 0 sets the timer that goes on.

    What one millisecond carries leaves at once, so that no timer is needed for each packet.
    """
    rate = tcb.congestion.pacing_rate
    if rate is None:
        return _UNPACED
    ahead = tcb.pace_at - now
    if ahead > 0:
        tcb.pace_due = tcb.pace_at
        return 0
    return max(2 * tcb.snd_mss, int(rate * _PACING_QUANTUM) // tcb.snd_mss * tcb.snd_mss)


def _note_pace(tcb: Connection, length: int, now: float) -> None:
    rate = tcb.congestion.pacing_rate
    if rate is not None:
        tcb.pace_at = max(tcb.pace_at, now - _PACING_CREDIT) + length / rate


def stamp(tcb: Connection, record: Record, now: float) -> None:
    """Note what had been delivered when this was sent, to measure the delivery rate by."""
    if tcb.snd_una == record.seq:
        # Nothing else is in flight: a new sample begins.
        tcb.window_sent_at = tcb.delivered_at = now
    record.delivered = tcb.delivered
    record.delivered_at = tcb.delivered_at
    record.window_sent_at = tcb.window_sent_at
    record.app_limited = bool(tcb.app_limited)


def probe_with_new_data(tcb: Connection, now: float) -> bool:
    """One segment of new data whatever the congestion window says (RFC 8985 §7.3); False: there is none."""
    unsent = tcb.send_buffer.end - tcb.snd_nxt
    window = tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt
    if tcb.fin_seq is not None or tcb.state not in SENDING or min(unsent, window) <= 0:
        return False
    send_first(tcb, min(unsent, window, tcb.snd_mss), now, fin=False)
    return True


def _restart_after_idle(tcb: Connection, now: float) -> None:
    """RFC 5681 §4.1: after more than one timeout of silence the congestion window means nothing."""
    silent = now - tcb.last_sent_at
    if tcb.snd_nxt == tcb.snd_una and silent > tcb.rtt.rto and tcb.settings.slow_start_after_idle:
        tcb.congestion.on_idle(now, int(min(silent / tcb.rtt.rto, 64)))


def _watch_for_stall(tcb: Connection, now: float) -> None:
    """Data waits and nothing is outstanding, so that no acknowledgment will wake us: set a timer.

    With a closed window it is the probe's (RFC 9293 §3.8.6.1, MUST-36), else silly-window avoidance's.
    """
    if tcb.rtx or tcb.probing or tcb.fin_seq is not None:
        return
    if tcb.snd_nxt == tcb.send_buffer.end and not tcb.close_queued:
        return
    tcb.probing = True
    if tcb.at_risk_since == inf:
        tcb.at_risk_since = now
    override = tcb.settings.sws_override
    tcb.retransmit_due = now + (override if override is not None and tcb.snd_wnd else persist.interval(tcb))


def send_probe(tcb: Connection, now: float) -> None:
    """One byte (or the FIN) into a closed window (RFC 9293 §3.8.6.1), or what the peer must answer as well."""
    if tcb.settings.zero_window_probe == "old":
        send_keepalive(tcb, now)
        return
    if tcb.rtx:
        record = tcb.rtx.first
        record.times_sent += 1  # its round trip says nothing any more
        only = record.end - record.seq - record.fin > 0
        if only:
            transmit(tcb, record.seq, ACK, tcb.send_buffer.view(record.seq, 1), now)
        else:
            transmit(tcb, record.seq, ACK | FIN, b"", now)
        return
    unsent = tcb.send_buffer.end - tcb.snd_nxt
    send_first(tcb, min(unsent, 1), now, fin=not unsent)


def arm_retransmission(tcb: Connection, now: float) -> None:
    """RFC 6298 §5.1: the timer runs whenever something is outstanding."""
    if tcb.retransmit_due == inf or tcb.probing:
        tcb.probing = False
        tcb.retransmit_due = now + tcb.rtt.rto
    if tcb.at_risk_since == inf:
        tcb.at_risk_since = now


# -- Acknowledgments and resets ----------------------------------------------------------------------


def send_ack(tcb: Connection, now: float) -> None:
    """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, now."""
    if tcb.dsack is not None:
        telling.dsack(tcb, "ours", tcb.dsack, now)
    transmit(tcb, _acceptable_seq(tcb), ACK, b"", now, sack.options(tcb))


def _acceptable_seq(tcb: Connection) -> int:
    """SND.NXT, or where a probe or a shrunken window put it beyond what the peer accepts, the window's end.

    The peer would drop the segment unread, acknowledgment or RST and all (RFC 9293 §3.10.7.4, first).
    """
    return min(tcb.snd_nxt, max(tcb.snd_una + tcb.snd_wnd, tcb.iss + 1))


def challenge_ack(tcb: Connection, reason: str, now: float) -> None:
    """Answer a suspicious segment with an acknowledgment, at a bounded rate (RFC 5961 §7)."""
    if may_challenge(tcb, reason, now):
        tcb.need_ack()


def may_challenge(tcb: Connection, reason: str, now: float) -> bool:
    """Whether the rate lets a suspicious segment be answered (RFC 5961 §7)."""
    if now >= tcb.challenge_after:
        tcb.challenge_after = now + tcb.settings.challenge_interval
        tcb.challenges = 0
    allowed = tcb.challenges < tcb.settings.challenge_count
    trace = tcb.outlet.trace
    if trace is not None:
        trace((Kind.CHALLENGE_ACK, now, tcb.number, reason, allowed))
    if not allowed:
        tcb.outlet.count("challenge-acks-held-back")
        return False
    tcb.outlet.count("challenge-acks")
    tcb.challenges += 1
    return True


def send_keepalive(tcb: Connection, now: float) -> None:
    """<SEQ=SND.NXT-1><ACK=RCV.NXT><CTL=ACK>: an old segment, which the peer must answer (RFC 9293 §3.8.4).

    Nothing is outstanding, so it is an empty segment from before the window.
    """
    transmit(tcb, tcb.snd_nxt - 1, ACK, b"", now)


def send_reset(tcb: Connection, now: float) -> None:
    """<SEQ=SND.NXT><CTL=RST> (RFC 9293 §3.10.5)."""
    if tcb.settings.reset_acknowledges:
        tcb.outlet.count("resets-sent")
        transmit(tcb, _acceptable_seq(tcb), RST | ACK, NOTHING, now, sack.options(tcb))
        return
    reset_with(tcb, _acceptable_seq(tcb), now)


def reset_with(tcb: Connection, seq: int, now: float) -> None:
    """<SEQ=seq><CTL=RST>."""
    tcb.segments_sent += 1
    tcb.outlet.count("resets-sent")
    tcb.outlet.transmit(tcb, seq & MASK, 0, RST, 0, None, 0, NO_OPTIONS, b"", now)


def transmit(
    tcb: Connection,
    seq: int,
    flags: int,
    payload: Buffer,
    now: float,
    options: Options = NO_OPTIONS,
    codepoint: int = NOT_ECT,
) -> None:
    """Hand one segment to the host, with the acknowledgment, window and timestamp of this moment."""
    window = tcb.last_window = advertised_window.of_syn(tcb) if flags & SYN else advertised_window.field(tcb)
    if flags & RST and not tcb.settings.reset_has_window:
        window = 0
    ack = 0
    if flags & ACK:
        ack = tcb.rcv_nxt & MASK
        tcb.last_ack_sent = tcb.rcv_nxt
        tcb.ack_now = False
        tcb.unacked_bytes = 0
        tcb.ack_due = inf
        if tcb.ack_timing is not None:
            tcb.ack_timing.acknowledged(tcb)
            if len(payload):
                tcb.ack_timing.data_sent(now)
    ts_val = opening.timestamp(tcb, now) if tcb.timestamps else None
    if tcb.ecn.echoing and not flags & SYN:
        flags |= ECE  # RFC 3168 §6.1.3
    ts_ecr = tcb.ts_recent if flags & ACK else 0
    urgent = 0
    if seq < tcb.snd_up <= seq + 0xFFFF and not flags & (SYN | RST):
        flags |= URG  # RFC 9293 §3.8.5 (MUST-30)
        urgent = tcb.snd_up - seq
    segments = 1
    if len(payload):
        segments = -(-len(payload) // tcb.snd_mss)
        tcb.data_segments_sent += segments
    tcb.segments_sent += segments
    tcb.outlet.transmit(tcb, seq & MASK, ack, flags, window, ts_val, ts_ecr, options, payload, now, codepoint, urgent)
