"""The ACK field of an arriving segment: RFC 9293 §3.10.7.4, fifth, for the synchronized states.

What an acknowledgment says about losses is for :mod:`.recovery`.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp import ecn, opening, output, path_mtu, recovery, sack, telling, tlp
from usertcp.tcp.congestion.base import AckSample
from usertcp.tcp.recovery import LOSS
from usertcp.tcp.retransmission import Delivery, Record
from usertcp.tcp.wakeup import WRITABLE
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import ECE, SYN, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: A round trip longer than this (in ms) is a timestamp that is not ours.
_ABSURD_RTT: Final = 600_000


def acceptable(tcb: Connection, ack: int, now: float) -> bool:
    """RFC 5961 §5: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT; anything else gets an ACK."""
    settings = tcb.settings
    if ack > tcb.snd_nxt:
        if tcb.settings.challenge_unacceptable:
            output.challenge_ack(tcb, "it acknowledges what was never sent", now)
        else:
            tcb.need_ack()
        tcb.outlet.count("ack-of-unsent")
        if tcb.outlet.trace is not None:
            telling.ignored(tcb, ack, "3.10.7.4", "it acknowledges what was never sent", now)
        return False
    if ack < tcb.snd_una and not settings.accept_old_acks and ack < _oldest(tcb):
        output.challenge_ack(tcb, "its acknowledgment is older than any window", now)
        tcb.outlet.count("ack-too-old")
        if tcb.outlet.trace is not None:
            telling.ignored(tcb, ack, "RFC 5961 §5", "it is older than any window", now)
        return False
    return True


def _oldest(tcb: Connection) -> int:
    oldest = tcb.snd_una - tcb.max_snd_wnd
    return max(oldest, tcb.iss + 1) if tcb.settings.reject_ghost_acks else oldest


def process(tcb: Connection, segment: Segment, seq: int, ack: int, now: float) -> None:
    """The processing of ESTABLISHED: advance SND.UNA, update the send window."""
    window = segment.window << tcb.snd_wscale
    una = tcb.snd_una
    blocks = segment.options.sack
    # With nothing outstanding a DSACK may still come: it says that what was sent again had not been lost.  Blocks
    # of an older acknowledgment, which others have overtaken, are as good as any (RFC 6675 §5).
    if ack > una or (blocks and tcb.sack_ok) or (ack == una < tcb.snd_nxt and not segment.payload):
        _arrived(tcb, segment, ack, window, now)
    elif ack < una and tcb.outlet.trace is not None:
        telling.acknowledgment(tcb, una, ack, 0, now, duplicate=False)
    if ack >= una and (tcb.snd_wl1 < seq or (tcb.snd_wl1 == seq and tcb.snd_wl2 <= ack)):
        _update_window(tcb, window, seq, ack)
    if tcb.outlet.trace is not None:
        telling.after_acknowledgment(tcb, now)


def _arrived(tcb: Connection, segment: Segment, ack: int, window: int, now: float) -> None:
    """An acknowledgment of something, a duplicate one, or an older one with blocks."""
    una, in_flight = tcb.snd_una, tcb.in_flight
    delivery = Delivery()
    duplicate = False
    dsack: tuple[int, int] | None = None
    if ack > una:
        tcb.rtx.acknowledge(ack, delivery)
        tcb.snd_una = ack
        tcb.send_buffer.acknowledge(min(ack, tcb.send_buffer.end))
    else:
        # The answers to probes of a closed window look like duplicates, and mean no loss.
        duplicate = ack == una < tcb.snd_nxt and _is_duplicate(segment, 0 < window == tcb.snd_wnd)
    blocks = segment.options.sack
    acknowledged = delivery.length
    if blocks and tcb.sack_ok:
        dsack = sack.take_blocks(tcb, blocks, ack, una, delivery)
        if dsack is not None:
            telling.dsack(tcb, "theirs", dsack, now)
            tcb.outlet.count("dsacks-received")
            segments = max(1, -(-(dsack[1] - dsack[0]) // tcb.snd_mss))
            tcb.dsacks += segments
            delivery.came_twice = segments * tcb.snd_mss
            if tcb.usage is None or (tcb.rack.reordering_seen and dsack[1] != tcb.recovery.tlp_end):
                tcb.rack.dsack_seen(tcb.snd_una, tcb.snd_nxt)
    if tcb.outlet.trace is not None:
        telling.acknowledgment(tcb, una, ack, delivery.length - acknowledged, now, duplicate=duplicate)
    rtt = _take_sample(tcb, segment, delivery, now)
    if tcb.usage is not None and rtt is not None and not (tcb.opened_passively and una == tcb.iss):
        # (what a SYN,ACK took says little of what the path does to data)
        tcb.congestion.round_trip(rtt, tcb.snd_una, tcb.snd_nxt, now)
    echo = tcb.ecn.sends and ack >= una and segment.flags & (ECE | SYN) == ECE
    if delivery.length:
        _note_delivery(tcb, segment, delivery, now)
    if ack > una:
        _restart_timer(tcb, now)
    if tcb.recovery.tlp_end is not None:
        tlp.on_ack(tcb, ack, now, duplicate=duplicate, dsack=dsack is not None, sacked=bool(blocks))
    recovery.on_ack(tcb, segment, delivery, una, now, duplicate=duplicate, dsack=dsack)
    if echo and tcb.usage is not None:
        recovery.enter_cwr(tcb, delivery, advanced=ack > una, now=now)
    if delivery.length and (not tcb.recovery.reduces or tcb.congestion.governs_recovery):
        sample = _sample(tcb, delivery, tcb.snd_una - una, in_flight, rtt, now)
        if echo:
            sample.marked = sample.acked
            sample.limited = False  # such an acknowledgment lets no window grow (RFC 3168 §6.1.2)
        tcb.congestion.on_ack(sample, now)
    if echo and tcb.usage is None:
        ecn.echo_arrived(tcb, in_flight, now)
    tlp.schedule(tcb, now)
    if tcb.blocked_on_room and 3 * tcb.send_room >= tcb.settings.send_buffer:
        tcb.blocked_on_room = False
        tcb.notify(WRITABLE)
    tcb.touch()


def _is_duplicate(segment: Segment, same_window: bool) -> bool:
    """RFC 5681 §2: an empty segment without SYN or FIN, and the same window (outstanding data: see caller)."""
    return same_window and not segment.payload and not segment.flags & 0x03


def _restart_timer(tcb: Connection, now: float) -> None:
    tcb.probing = False
    if tcb.rtx:
        tcb.retransmit_due = now + tcb.rtt.rto  # RFC 6298 §5.3
        tcb.at_risk_since = now
        if tcb.resent_since != inf:
            tcb.resent_since = inf
            tcb.timeouts_in_row = 0
    else:
        tcb.retransmit_due = tcb.at_risk_since = tcb.resent_since = inf  # RFC 6298 §5.2
        tcb.timeouts_in_row = 0
        tlp.cancel(tcb)


def _take_sample(tcb: Connection, segment: Segment, delivery: Delivery, now: float) -> float | None:
    """Feed the estimator: from the records (Karn: RFC 6298 §3), else from the timestamp echo, which no
    retransmission makes ambiguous (RFC 7323 §4.1).  Returns the sample in seconds."""
    record, newest = delivery.rtt_of, delivery.newest
    if record is not None and record.syn and tcb.opened_passively and not tcb.settings.sample_syn_ack:
        record = None
    ambiguous = delivery.repeated and delivery.cumulative if tcb.usage is None else delivery.cumulative_repeated
    if record is not None and not ambiguous:
        sample = now - record.sent_at
        if tcb.settings.rtt_of_oldest and delivery.oldest is not None:
            tcb.rtt.sample(now - delivery.oldest.sent_at, tcb.snd_una, tcb.snd_nxt)
            tcb.rtt.min_rtt = min(tcb.rtt.min_rtt, sample)
            return sample
    elif delivery.cumulative and tcb.timestamps and segment.ts_ecr:
        older = delivery.repeated and newest is not None and _echo_is_older(tcb, segment, newest)
        if newest is None or (older and not tcb.settings.rtt_of_repeated):
            return None  # the echo is an earlier sending's, and the time since then is no round trip
        elapsed = (opening.timestamp(tcb, now) - segment.ts_ecr) & MASK
        if elapsed >= _ABSURD_RTT:
            return None
        sample = max(elapsed, 1) / 1000
    else:
        return None
    tcb.rtt.sample(sample, tcb.snd_una, tcb.snd_nxt)
    return sample


def _note_delivery(tcb: Connection, segment: Segment, delivery: Delivery, now: float) -> None:
    tcb.delivered += delivery.length
    tcb.delivered_at = now
    newest = delivery.newest
    assert newest is not None
    tcb.window_sent_at = newest.sent_at
    path_mtu.delivered(tcb, newest)
    if tcb.app_limited and tcb.delivered > tcb.app_limited:
        tcb.app_limited = 0
    if tcb.sack_ok:
        echoed = tcb.timestamps and newest.times_sent > 1 and newest.end <= tcb.snd_una
        echo_older = echoed and _echo_is_older(tcb, segment, newest)
        tcb.rack.update(delivery, tcb.rtt.min_rtt, now, echo_older=echo_older)
        if tcb.usage is not None:
            tcb.rack.note_distance(delivery, tcb.snd_mss, now)


def _echo_is_older(tcb: Connection, segment: Segment, record: Record) -> bool:
    """Whether the timestamp that ``segment`` echoes is from before the last sending of ``record``."""
    return bool(((segment.ts_ecr or 0) - opening.timestamp(tcb, record.sent_at)) & 0x80000000)


def _sample(
    tcb: Connection, delivery: Delivery, acked: int, in_flight: int, rtt: float | None, now: float
) -> AckSample:
    """What the congestion controller wants to know (see :class:`AckSample`)."""
    sample = AckSample()
    sample.acked = acked
    sample.delivered = delivery.length
    sample.total_delivered = tcb.delivered
    newest = delivery.newest
    assert newest is not None
    sample.rtt = rtt
    sample.srtt = tcb.rtt.srtt
    sample.min_rtt = tcb.rtt.min_rtt
    sample.in_flight = in_flight
    if tcb.usage is None:
        sample.limited = tcb.limited or tcb.recovery.state is LOSS
    else:
        sample.limited = tcb.usage.lets_grow(tcb.congestion.cwnd, tcb.congestion.ssthresh)
    sample.snd_una = tcb.snd_una
    sample.snd_nxt = tcb.snd_nxt
    sample.prior_delivered = newest.delivered
    sample.rate_app_limited = newest.app_limited
    elapsed = max(now - newest.delivered_at, newest.sent_at - newest.window_sent_at)
    # A shorter time than any round trip is one in which acknowledgments were bunched; and a SYN's one
    # sequence number says nothing about a rate.
    measurable = elapsed > 0 and elapsed >= tcb.rtt.min_rtt and not newest.syn
    sample.rate = (tcb.delivered - newest.delivered) / elapsed if measurable else None
    sample.lost = tcb.rtx.ever_lost - tcb.loss_reported
    tcb.loss_reported = tcb.rtx.ever_lost
    return sample


def _update_window(tcb: Connection, window: int, seq: int, ack: int) -> None:
    if 0 < window < tcb.snd_wnd and seq == tcb.snd_wl1 and ack == tcb.snd_wl2 and tcb.settings.only_larger_windows:
        return
    was_closed = not tcb.snd_wnd
    if ack + window > tcb.snd_wl2 + tcb.snd_wnd:
        tcb.touch()
    tcb.snd_wnd = window
    tcb.snd_wl1 = seq
    tcb.snd_wl2 = ack
    if window > tcb.max_snd_wnd:
        tcb.max_snd_wnd = window
        if tcb.settings.mss_within_half_window:
            opening.size_segments(tcb)
    if was_closed and window:
        _window_opened(tcb)
    elif not window and tcb.probing and tcb.settings.zero_window_probe == "old":
        tcb.retransmit_due = tcb.last_arrival + tcb.rtt.rto  # an answer, or an acknowledgment as good as one


def _window_opened(tcb: Connection) -> None:
    """What the peer refused while its window was closed is sent again without waiting for a timer."""
    tcb.rtt.reset()
    tcb.probing = False
    tcb.retransmit_due = tcb.at_risk_since = inf
    tcb.rtx.mark_all_lost()
