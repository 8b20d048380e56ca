"""SEGMENT ARRIVES: RFC 9293 §3.10.7, in its own order.

§3.10.7.1 (CLOSED) is the host's, since there is no connection: see :mod:`.reset`.  Each numbered check of
§3.10.7.2 (LISTEN), §3.10.7.3 (SYN-SENT) and §3.10.7.4 (the rest) is a few lines here, with its number.
The third check of §3.10.7.4 (security and compartment) is left out: no host that can reach us labels its
packets so.  TIME-WAIT has a module of its own, :mod:`.time_wait`.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp import (
    acceptance,
    acknowledgment,
    advertised_window,
    calls,
    ecn,
    fast_open,
    half_open,
    keepalive,
    opening,
    output,
    receive_window,
    sack,
    timeouts,
)
from usertcp.tcp.errors import ConnectionRefused, ConnectionReset, HostUnreachable, IcmpMeaning, TcpError
from usertcp.tcp.events import Kind, segment_in
from usertcp.tcp.refusal import answer_with_reset, drop
from usertcp.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    RECEIVING,
    SEND_CLOSED,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
    Event,
)
from usertcp.tcp.wakeup import OPENED, READABLE
from usertcp.wire.seq import MASK, unwrap
from usertcp.wire.tcp import ACK, ECE, FIN, PSH, RST, SYN, URG, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

_REFUSED: Final = "the peer answered our SYN with a RST, so nothing listens on that port"


def segment_arrives(tcb: Connection, segment: Segment, now: float) -> None:
    """Process one segment for this pair of sockets."""
    tcb.segments_received += 1
    if segment.payload:
        tcb.data_segments_received += 1
    tcb.last_arrival = now
    trace = tcb.outlet.trace
    if trace is not None:
        trace(segment_in(tcb.number, segment, tcb.snd_wscale, now))
    state = tcb.state
    if state is SYN_SENT:
        _in_syn_sent(tcb, segment, now)
    elif state is LISTEN:
        _in_listen(tcb, segment, now)
    elif state is CLOSED:
        answer_with_reset(tcb, segment, now)
    else:
        _in_other_states(tcb, segment, now)


# -- §3.10.7.2 LISTEN --------------------------------------------------------------------------------


def _in_listen(tcb: Connection, segment: Segment, now: float) -> None:
    flags = segment.flags
    if flags & RST:  # First, check for a RST
        tcb.step(Event.RCV_RST, now)
        return
    if flags & ACK:  # Second, check for an ACK
        tcb.step(Event.RCV_ACK, now)
        answer_with_reset(tcb, segment, now)
        return
    if not flags & SYN:  # Fourth, other data or control: no SYN, no ACK, no RST
        drop(tcb, segment, "no-ack", "3.10.7.2", now)
        return
    # Third, check for a SYN
    opening.peer_syn(tcb, segment, now)
    tcb.step(Event.RCV_SYN, now)
    opening.send_syn(tcb, now)
    tcb.snd_wnd = segment.window
    _queue_from_syn(tcb, segment)
    if tcb.early:
        fast_open.take_early(tcb, now)


def _queue_from_syn(tcb: Connection, segment: Segment) -> None:
    """Text and FIN that came with a SYN wait until the connection is established (§3.10.7.2, third)."""
    if not tcb.settings.keep_syn_data and not tcb.early:
        return
    room = advertised_window.syn_promise(tcb)
    if segment.payload:
        tcb.receive_buffer.hold(tcb.rcv_nxt, segment.payload[:room])
        tcb.account_for_held()
    if segment.flags & FIN and len(segment.payload) <= room:
        tcb.rcv_fin = tcb.rcv_nxt + len(segment.payload)


# -- §3.10.7.3 SYN-SENT ------------------------------------------------------------------------------


def _in_syn_sent(tcb: Connection, segment: Segment, now: float) -> None:
    flags = segment.flags
    ack = unwrap(segment.ack, tcb.snd_una)
    if flags & ACK and not tcb.iss < ack <= tcb.snd_nxt:  # First, check the ACK bit
        drop(tcb, segment, "ack-of-unsent", "3.10.7.3", now)
        answer_with_reset(tcb, segment, now)
        if tcb.settings.syn_again_after is not None and tcb.rtx and tcb.rtx.first.times_sent == 1:
            tcb.retransmit_due = min(tcb.retransmit_due, now + tcb.settings.syn_again_after)
            tcb.touch()
        return
    if flags & RST:  # Second, check the RST bit
        if flags & ACK:
            tcb.step(Event.RCV_RST, now)
            tcb.end(now, ConnectionRefused(f"connection refused in SYN-SENT: {_REFUSED}"))
        else:
            drop(tcb, segment, "reset-without-ack", "3.10.7.3", now)
        return
    if not flags & SYN:  # Fifth, neither SYN nor RST
        if flags & ACK:
            tcb.step(Event.RCV_ACK, now)
        drop(tcb, segment, "no-syn", "3.10.7.3", now)
        return
    # Fourth, check the SYN bit
    opening.peer_syn(tcb, segment, now)
    if not flags & ACK:
        tcb.step(Event.RCV_SYN, now)
        tcb.snd_wnd = segment.window
        tcb.snd_wl1 = segment.seq
        tcb.fast_open = None
        tcb.rtx.mark_lost(tcb.rtx.first)  # our SYN goes out again, as a SYN,ACK
        tcb.rtx.first.times_sent = 0
        _queue_from_syn(tcb, segment)
        tcb.touch()
        return
    tcb.step(Event.RCV_SYN_ACK, now)
    again = tcb.rtx.first.times_sent > 1
    _established(tcb, segment, segment.seq, ack, now, shift=0)
    if tcb.fast_open is not None:
        fast_open.answered(tcb, segment, now, again=again)
    _queue_from_syn(tcb, segment)
    if tcb.ack_timing is None:
        tcb.need_ack()
    else:
        tcb.ack_timing.syn_answered(tcb, now)
    _take_what_was_queued(tcb, now)


def _established(tcb: Connection, segment: Segment, seq: int, ack: int, now: float, *, shift: int) -> None:
    """Our SYN is acknowledged: the send window is what the segment says, and the round trip is known."""
    sent_again = tcb.rtx.first.times_sent - 1 if tcb.rtx else 0
    acknowledgment.process(tcb, segment, seq, ack, now)
    tcb.max_snd_wnd = tcb.snd_wnd = segment.window << shift
    if tcb.settings.mss_within_half_window:
        opening.size_segments(tcb)
    tcb.snd_wl1 = seq
    tcb.snd_wl2 = ack
    if sent_again:
        _syn_was_lost(tcb, sent_again)
    tcb.last_sent_at = now
    if tcb.ack_timing is not None:
        tcb.ack_timing.last_data = now
    advertised_window.opened(tcb)
    if tcb.keepalive:
        keepalive.switch(tcb, True, now)
    tcb.outlet.established(tcb, now)
    tcb.notify(OPENED)
    if tcb.close_queued and tcb.state is ESTABLISHED:
        tcb.step(Event.CLOSE, now)


def _syn_was_lost(tcb: Connection, times: int) -> None:
    """Our SYN had to be sent again: the path may be full, and its round trip is not known."""
    settings = tcb.settings
    if times > (settings.syn_ack_losses_forgiven if tcb.opened_passively else settings.syn_losses_forgiven):
        tcb.congestion.on_syn_lost()  # RFC 5681 §3.1
    if tcb.rtt.srtt is None:
        tcb.rtt.rto = max(tcb.rtt.rto, 3.0)  # RFC 6298 §5.7
        if tcb.rtt.rttvar:
            tcb.rtt.rttvar = tcb.rtt.rto / 4


def _take_what_was_queued(tcb: Connection, now: float) -> None:
    """Text and FIN of a SYN, now that the connection is established."""
    if tcb.receive_buffer.held:
        before = tcb.rcv_nxt
        tcb.rcv_nxt = tcb.receive_buffer.pull(before)
        tcb.account_for_held()
        _delivered(tcb, tcb.rcv_nxt - before)
        tcb.need_ack()
    _check_fin(tcb, now)


# -- §3.10.7.4 Other states --------------------------------------------------------------------------


def _in_other_states(tcb: Connection, segment: Segment, now: float) -> None:
    seq = unwrap(segment.seq, tcb.rcv_nxt)
    if tcb.state is SYN_RECEIVED and not half_open.takes(tcb, segment, seq, now):
        return
    if segment.flags & SYN and tcb.state is SYN_RECEIVED:
        seq = _our_simultaneous_syn_ack(tcb, segment, seq)
        if seq == tcb.irs:  # the SYN that opened this, again: its text was taken or queued already
            segment.payload = b""
            segment.flags &= ~FIN
    if not tcb.accept(tcb, segment, seq, now):  # First
        return
    flags = segment.flags
    if flags & RST:  # Second
        _check_rst(tcb, segment, seq, now)
        return
    if flags & SYN:  # Fourth
        opened = tcb.state is not SYN_RECEIVED
        if opened and tcb.settings.syn_in_window_resets and tcb.rcv_nxt <= seq < tcb.rcv_adv:
            _reset_by_syn(tcb, now)
        else:
            _check_syn(tcb, now)
        return
    if not flags & ACK:  # Fifth
        drop(tcb, segment, "no-ack", "3.10.7.4", now)
        return
    if not _check_ack(tcb, segment, seq, now):
        return
    if flags & URG:  # Sixth
        _check_urgent(tcb, segment, seq)
    if segment.payload or flags & FIN:
        _process_text(tcb, segment, seq, now)  # Seventh
        _check_fin(tcb, now)  # Eighth
        if tcb.receive_buffer.held_bytes != tcb.held_accounted:
            tcb.account_for_held()


def _our_simultaneous_syn_ack(tcb: Connection, segment: Segment, seq: int) -> int:
    """The SYN,ACK that ends a simultaneous open (figure 8): its SYN was taken already, what follows counts."""
    if seq == tcb.irs and segment.flags & ACK and not segment.flags & RST:
        segment.flags &= ~(SYN | ECE)  # ECE of a SYN,ACK echoes no mark (RFC 3168 §6.1.1)
        segment.window >>= tcb.snd_wscale  # a SYN's window is not scaled (RFC 7323 §2.2), the rest of this is
        if tcb.settings.acknowledge_crossed_syn:
            sack.note_duplicate(tcb, seq, seq + 1)
            tcb.need_ack()
        return seq + 1
    return seq


def _check_rst(tcb: Connection, segment: Segment, seq: int, now: float) -> None:
    """Second, check the RST bit, as RFC 5961 §3 has it."""
    if not _is_exact(tcb, seq):
        if seq < tcb.rcv_adv:
            output.challenge_ack(tcb, "a RST inside the window, but not at its left edge", now)
        drop(tcb, segment, "reset-not-exact", "3.10.7.4", now)
        return
    state = tcb.state
    if state is TIME_WAIT and tcb.settings.rfc1337:
        drop(tcb, segment, "reset-in-time-wait", "RFC 1337 §3", now)
        return
    if state is SYN_RECEIVED:
        if tcb.opened_passively and not tcb.early:
            _return_to_listen(tcb, Event.RCV_RST_PASSIVE, now)
            return
        error: TcpError | None = (
            ConnectionReset(f"reset by peer in {state}")
            if tcb.early
            else ConnectionRefused(f"connection refused in {state}: the peer took back its SYN with a RST")
        )
    elif state in (CLOSING, LAST_ACK, TIME_WAIT):
        error = None
    else:
        error = ConnectionReset(f"reset by peer in {state}")
    tcb.step(Event.RCV_RST, now)
    tcb.end(now, error)


def _is_exact(tcb: Connection, seq: int) -> bool:
    """Whether a RST in the window stands where one of the peer's must (RFC 5961 §3.2)."""
    where = tcb.settings.reset_at
    if where == "acknowledged":
        return seq == tcb.last_ack_sent
    if where == "window":
        return seq < tcb.rcv_adv
    if seq == tcb.rcv_nxt or where == "next":
        return seq == tcb.rcv_nxt
    held = tcb.receive_buffer.held
    at_sack = bool(held) and seq == held[-1].end and tcb.sack_ok
    return at_sack or (seq == tcb.rcv_nxt - 1 and tcb.state in acceptance.BEFORE_FIN)


def _return_to_listen(tcb: Connection, event: Event, now: float) -> None:
    tcb.step(event, now)
    tcb.end(now, ConnectionReset("reset by peer in SYN-RECEIVED: it took back its SYN"))


def _reset_by_syn(tcb: Connection, now: float) -> None:
    """As RFC 793 had it: "it is an error, send a reset"."""
    state = tcb.state
    output.send_reset(tcb, now)
    tcb.step(Event.ABORT, now)
    tcb.end(now, ConnectionReset(f"reset in {state}: the peer sent a SYN inside the window"))


def _check_syn(tcb: Connection, now: float) -> None:
    """Fourth, check the SYN bit: a challenge ACK, irrespective of the sequence number (RFC 5961 §4)."""
    if tcb.state is SYN_RECEIVED and tcb.opened_passively and not tcb.early:
        _return_to_listen(tcb, Event.RCV_SYN_PASSIVE, now)
        return
    tcb.step(Event.RCV_SYN, now)
    output.challenge_ack(tcb, "a SYN on an open connection", now)


def _check_ack(tcb: Connection, segment: Segment, seq: int, now: float) -> bool:
    """Fifth, check the ACK field; False where the processing ends here."""
    ack = unwrap(segment.ack, tcb.snd_una)
    state = tcb.state
    if state is SYN_RECEIVED:
        if not tcb.snd_una < ack <= tcb.snd_nxt:
            drop(tcb, segment, "ack-of-unsent", "3.10.7.4", now)
            output.reset_with(tcb, ack, now)
            return False
        if _deferred(tcb, segment):
            drop(tcb, segment, "accept-deferred", "3.10.7.4", now)
            return False
        tcb.step(Event.RCV_ACK, now)
        _established(tcb, segment, seq, ack, now, shift=tcb.snd_wscale)
        _take_what_was_queued(tcb, now)
        return True
    if not acknowledgment.acceptable(tcb, ack, now):
        drop(tcb, segment, "ack-unacceptable", "3.10.7.4", now)
        return False
    acknowledgment.process(tcb, segment, seq, ack, now)
    if state in SEND_CLOSED and tcb.fin_seq is not None and tcb.snd_una > tcb.fin_seq:
        return _fin_acknowledged(tcb, now)
    return True


def _deferred(tcb: Connection, segment: Segment) -> bool:
    """An ACK without anything else does not yet establish the connection (:attr:`Settings.defer_accept`)."""
    limit = tcb.settings.defer_accept
    if not limit or not tcb.opened_passively or segment.payload or segment.flags & FIN:
        return False
    if tcb.timeouts_in_row >= limit:
        return False
    tcb.deferred = True
    return True


def _fin_acknowledged(tcb: Connection, now: float) -> bool:
    """Our FIN is acknowledged: FIN-WAIT-1, CLOSING and LAST-ACK move on."""
    state = tcb.state
    if state is FIN_WAIT_1:
        tcb.step(Event.RCV_ACK_OF_FIN, now)
        calls.enter_fin_wait_2(tcb, now)
        return tcb.state is FIN_WAIT_2
    if state is CLOSING:
        tcb.step(Event.RCV_ACK_OF_FIN, now)
        _start_time_wait(tcb, now)
        return False
    if state is LAST_ACK:
        tcb.step(Event.RCV_ACK_OF_FIN, now)
        tcb.end(now, None)
        return False
    return True


def _check_urgent(tcb: Connection, segment: Segment, seq: int) -> None:
    """Sixth, check the URG bit; the pointer names the byte after the urgent data's last (RFC 6093 §4)."""
    if tcb.state not in RECEIVING:
        return
    pointer = seq + segment.urgent
    told_before = tcb.urgent_remaining
    if tcb.rcv_up is None or pointer > tcb.rcv_up:
        tcb.rcv_up = pointer
    if tcb.urgent_remaining and not told_before:
        tcb.notify(READABLE)


def _process_text(tcb: Connection, segment: Segment, seq: int, now: float) -> None:
    """Seventh, process the segment text, and note where the FIN stands."""
    if tcb.state not in RECEIVING:
        if tcb.settings.reset_late_data and seq < tcb.rcv_nxt < seq + len(segment.payload):
            answer_with_reset(tcb, segment, now)  # it goes on behind its own FIN
            calls.lost_data(tcb, now)
        return
    payload = segment.payload
    if payload and (tcb.released or tcb.receive_shut) and _nobody_reads(tcb, segment, seq, now):
        return
    if tcb.ecn.listens and payload:
        ecn.text_arrived(tcb, segment, now)
    rcv_nxt = tcb.rcv_nxt
    end = seq + len(payload)
    limit = tcb.rcv_adv if tcb.rcv_fin is None else tcb.rcv_fin
    if segment.flags & FIN and tcb.rcv_fin is None and end <= limit:
        tcb.rcv_fin = limit = end
        tcb.receive_buffer.trim_beyond(end)
    if end > limit:
        payload = payload[: max(0, limit - seq)]
        drop(tcb, segment, "text-beyond-window", "3.10.7.4", now, length=end - max(limit, seq))
        tcb.need_ack()
    if seq < rcv_nxt:
        sack.note_duplicate(tcb, seq, min(end, rcv_nxt))
        payload = payload[rcv_nxt - seq :]
        seq = rcv_nxt
        if tcb.ack_timing is None:
            tcb.need_ack()
    if not payload:
        if segment.flags & FIN and seq > rcv_nxt:
            output.send_ack(tcb, now)  # out of order like any byte (RFC 5681 §4.2)
        return
    if seq == rcv_nxt:
        _in_order(tcb, segment, payload, now)
    else:
        _out_of_order(tcb, segment, seq, payload, now)


def _nobody_reads(tcb: Connection, segment: Segment, seq: int, now: float) -> bool:
    """Text for an application that is gone: not accepted; a RST once it cannot overtake our own data.

    False: take it.
    """
    if tcb.settings.reset_late_data:
        if tcb.state not in SEND_CLOSED or seq + len(segment.payload) <= tcb.rcv_nxt:
            return False
        answer_with_reset(tcb, segment, now)
        calls.lost_data(tcb, now)
    elif not tcb.released:
        return False
    elif tcb.state is FIN_WAIT_2:
        calls.reset_for_lost_data(tcb, now)
    elif not tcb.snd_wnd:
        calls.throw_unread_away(tcb)  # what came before this
        return False
    else:
        drop(tcb, segment, "data-after-close", "3.6.1", now)
    return True


def _in_order(tcb: Connection, segment: Segment, payload: bytes | memoryview, now: float) -> None:
    length = len(payload)
    buffer = tcb.receive_buffer
    buffer.deliver(payload)
    tcb.rcv_nxt += length
    if tcb.timestamps and tcb.rcv_buf < tcb.settings.receive_buffer:
        receive_window.measure(tcb, segment, now)
    if tcb.window_bounds is not None:
        receive_window.segment_taken(tcb, tcb.window_bounds, length)
    timing = tcb.ack_timing
    if timing is not None:
        flags = segment.flags
        timing.data_arrived(tcb, length, now, pushed=bool(flags & PSH), last=bool(flags & (FIN | SYN | URG | PSH)))
    elif length > tcb.rcv_mss:
        # The largest segment seen is what "full-sized" means for this peer (§3.8.6.3).
        tcb.rcv_mss = min(length, tcb.path.link_mtu - opening.header_length(tcb))
    if buffer.held:
        if tcb.dsack is None and buffer.held[0].seq < tcb.rcv_nxt:
            sack.note_duplicate(tcb, buffer.held[0].seq, min(buffer.held[0].end, tcb.rcv_nxt))
        before = tcb.rcv_nxt
        tcb.rcv_nxt = buffer.pull(before)
        length += tcb.rcv_nxt - before
        tcb.need_ack()  # it fills a gap (RFC 5681 §4.2)
    _delivered(tcb, length)


def _delivered(tcb: Connection, length: int) -> None:
    if tcb.settings.acks_by_segments and (tcb.ack_due < inf or length > tcb.snd_mss):
        tcb.need_ack()
    tcb.bytes_received += length
    tcb.unacked_bytes += length
    tcb.touch()
    tcb.notify(READABLE)


def _out_of_order(tcb: Connection, segment: Segment, seq: int, payload: bytes | memoryview, now: float) -> None:
    """Held for later (SHLD-31), and acknowledged at once (RFC 5681 §4.2)."""
    buffer, outlet = tcb.receive_buffer, tcb.outlet
    if outlet.out_of_order_bytes + len(payload) > outlet.out_of_order_limit:
        drop(tcb, segment, "out-of-order-memory", "3.10.7.4", now)
        output.send_ack(tcb, now)
        return
    duplicate = buffer.held_part(seq, seq + len(payload))
    if not buffer.hold(seq, payload) and duplicate is None:
        drop(tcb, segment, "too-many-gaps", "3.10.7.4", now)
        output.send_ack(tcb, now)
        return
    outlet.count("out-of-order")
    tcb.out_of_order_segments += 1
    sack.note_held(tcb, seq)
    if duplicate is not None:
        sack.note_duplicate(tcb, *duplicate)
    trace = tcb.outlet.trace
    if trace is not None:
        trace((Kind.OUT_OF_ORDER, now, tcb.number, seq & MASK, len(payload), buffer.held_bytes))
    # One acknowledgment for each of them, not one a batch: the peer counts duplicates.
    if tcb.ack_timing is None or tcb.ack_timing.out_of_order(tcb, now):
        output.send_ack(tcb, now)


def _check_fin(tcb: Connection, now: float) -> None:
    """Eighth, check the FIN bit: it counts once everything before it has arrived."""
    if tcb.rcv_fin is None or tcb.rcv_nxt != tcb.rcv_fin or tcb.state not in RECEIVING:
        return
    tcb.rcv_nxt += 1
    tcb.rcv_adv = max(tcb.rcv_adv, tcb.rcv_nxt)
    after = tcb.step(Event.RCV_FIN, now)
    tcb.notify(READABLE)
    if tcb.ack_timing is None:
        tcb.need_ack()
    else:
        tcb.ack_timing.fin_arrived(tcb, passive=after is CLOSE_WAIT)
    if after is TIME_WAIT:
        _start_time_wait(tcb, now)


# -- TIME-WAIT ---------------------------------------------------------------------------------------


def _start_time_wait(tcb: Connection, now: float) -> None:
    """Start the time-wait timer, turn off the other timers."""
    ack_now = tcb.ack_now
    tcb.stop_timers()
    tcb.ack_now = ack_now
    tcb.time_wait_due = now + tcb.settings.time_wait
    tcb.notify(READABLE)


# -- Shared ------------------------------------------------------------------------------------------


def icmp_error(tcb: Connection, message: str, seq: int, now: float, meaning: IcmpMeaning) -> None:
    """RFC 9293 §3.9.2.2: believe an ICMP error only where it quotes what is outstanding (RFC 5927 §4)."""
    quoted = unwrap(seq, tcb.snd_una)
    if tcb.state in (CLOSED, LISTEN) or not tcb.snd_una <= quoted < tcb.snd_nxt:
        tcb.outlet.count("icmp-not-outstanding")
        return
    tcb.report(message, now)  # RFC 9293 §3.9.2.2 (SHLD-25)
    opening_up = tcb.state in (SYN_SENT, SYN_RECEIVED)
    ends = _ends_opening(tcb, meaning) if opening_up else meaning is IcmpMeaning.HARD
    trace = tcb.outlet.trace
    if trace is not None:
        effect = "the attempt to connect ends" if ends and opening_up else "remembered, nothing else"
        trace((Kind.ICMP_IN, now, tcb.number, message, effect))
    if ends:
        state = tcb.state
        tcb.step(Event.ICMP_HARD_ERROR, now)
        if opening_up:
            tcb.end(now, HostUnreachable(f"{message} in {state}"))
    elif meaning is IcmpMeaning.NO_ROUTE and tcb.settings.revert_backoff and not opening_up:
        timeouts.revert_backoff(tcb, quoted, now)


def _ends_opening(tcb: Connection, meaning: IcmpMeaning) -> bool:
    """Whether an ICMP error ends an attempt to connect (RFC 9293 §3.9.2.2, SHLD-26)."""
    rule = tcb.settings.icmp_ends_opening
    if rule == "hard":
        return meaning is IcmpMeaning.HARD
    if rule != "any":
        refused = rule == "refusals" and meaning in (IcmpMeaning.HARD, IcmpMeaning.FORBIDDEN)
        return refused and tcb.state is SYN_SENT
    if not tcb.opened_passively or tcb.early:
        return True
    if len(tcb.local_address) == 16:
        return meaning is IcmpMeaning.HARD
    return meaning in (IcmpMeaning.NO_ROUTE, IcmpMeaning.UNDERWAY)
