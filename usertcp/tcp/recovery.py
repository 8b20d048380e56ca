"""What happens after a loss: fast recovery, recovery after a timeout, and taking both back.

Fast recovery with SACK goes by RACK and PRR (RFC 8985, RFC 9937), without it by duplicate
acknowledgments (RFC 5681 §3.2, RFC 6582).  A mistaken one is found by timestamps (RFC 3522), DSACK
(RFC 3708's idea, with RFC 2883) or F-RTO (RFC 5682), and taken back (RFC 4015).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from usertcp.tcp import ecn, path_mtu, rack, telling, tlp
from usertcp.tcp.retransmission import Delivery
from usertcp.wire.tcp import ECE, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: Duplicate acknowledgments that mean a loss (RFC 5681 §3.2).
DUPLICATE_THRESHOLD: Final = 3


class CaState(Enum):
    """Where loss recovery stands; the values are the names that ``ss`` and the literature use."""

    OPEN = "open"
    DISORDER = "disorder"
    #: A mark lets the window go down in step with what arrives (windows of segments only).
    CWR = "cwr"
    RECOVERY = "recovery"
    LOSS = "loss"


# By themselves, too: each acknowledgment asks a few times (see states).
OPEN: Final = CaState.OPEN
DISORDER: Final = CaState.DISORDER
CWR: Final = CaState.CWR
RECOVERY: Final = CaState.RECOVERY
LOSS: Final = CaState.LOSS


class Recovery:
    """The variables of loss recovery of one connection.  Sequence numbers are unbounded."""

    __slots__ = (
        "active", "force", "frto", "new_first", "prr_delivered", "prr_out", "recover", "recover_fs", "reduces",
        "repairing_ts", "state", "tlp_end", "tlp_is_retransmission", "tlp_samples", "undo_from", "undo_length",
        "undo_to", "undo_una",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = OPEN
        #: Fast or timeout recovery is going on; the window goes down in step with what arrives.
        self.active = self.reduces = False
        #: Recovery is over when this is acknowledged (RFC 6582 §3.2).
        self.recover = -1
        # RFC 9937 §6
        self.prr_delivered = 0
        self.prr_out = 0
        self.recover_fs = 1
        #: A retransmission goes out whatever cwnd says (RFC 6582 §3.2 steps 2 and 3).
        self.force = False
        #: SND.UNA when the present (or last) recovery began; None: there is nothing to take back.
        self.undo_una: int | None = None
        #: Retransmitted in it, and not yet reported as duplicate.
        self.undo_length = 0
        #: All of it lies between these.
        self.undo_from = self.undo_to = 0
        #: Our timestamp at its first retransmission.
        self.repairing_ts: int | None = None
        #: F-RTO watches the first acknowledgments after a timeout (RFC 5682 §3).
        self.frto = False
        #: F-RTO, step 2b: new data goes before what is marked lost.
        self.new_first = False
        #: RFC 8985 §7.1
        self.tlp_end: int | None = None
        self.tlp_is_retransmission = False
        #: Round-trip samples at the last probe.
        self.tlp_samples = -1

    def enter(self, state: CaState) -> None:
        """Recovery stands there from now on."""
        self.state = state
        self.active = state is RECOVERY or state is LOSS
        self.reduces = state is RECOVERY or state is CWR


#: Of all connections that have had nothing to repair.  It stays as it is: who has to change it asks :func:`own`.
CALM: Final = Recovery()


def own(tcb: Connection) -> Recovery:
    """The variables of ``tcb`` alone."""
    if tcb.recovery is CALM:
        tcb.recovery = Recovery()
    return tcb.recovery


# -- An acknowledgment -------------------------------------------------------------------------------


def on_ack(
    tcb: Connection,
    segment: Segment,
    delivery: Delivery,
    una_before: int,
    now: float,
    *,
    duplicate: bool,
    dsack: tuple[int, int] | None,
) -> None:
    """Find losses, and move between the states."""
    recovery = tcb.recovery
    advanced = tcb.snd_una > una_before
    if recovery.undo_una is not None and _mistaken(tcb, segment, delivery, advanced=advanced, dsack=dsack):
        if tcb.ecn.sends and segment.flags & ECE:
            recovery.undo_una = None  # there is congestion all the same (RFC 4015 §3.4)
        else:
            _take_back(tcb, now)
    ever_lost, recovering = tcb.rtx.ever_lost, recovery.active
    if tcb.sack_ok:
        _look_for_losses(tcb, now)
    state = recovery.state
    if state is RECOVERY:
        more_lost = tcb.rtx.ever_lost > ever_lost
        _in_fast_recovery(tcb, delivery, advanced, duplicate, now, more_lost=more_lost)
    elif state is LOSS:
        _after_timeout(tcb, delivery, advanced, duplicate, now)
    elif state is CWR:
        _in_cwr(tcb, delivery, advanced, now)
    elif not tcb.sack_ok:
        _count_duplicates(tcb, delivery, una_before, advanced, duplicate, now)
    if tcb.sack_ok and not recovery.active:
        # Also where this acknowledgment has just ended a recovery: what was sent in it can be lost too.  What was
        # marked lost before and outside of any, as what a closed window refused, is no sign of congestion.
        if tcb.rtx.lost and (recovering or tcb.rtx.ever_lost > ever_lost):
            _enter(tcb, delivery, una_before, "a segment sent later has arrived: fast retransmit (RACK)", now)
        elif recovery.state is not CWR:
            calm = DISORDER if tcb.rtx.sacked else OPEN
            if recovery.state is not calm:
                own(tcb).enter(calm)


def _look_for_losses(tcb: Connection, now: float) -> None:
    if not tcb.rtx.sacked and not tcb.recovery.active and tcb.usage is None:
        if tcb.loss_is_reordering:
            tlp.cancel(tcb)
        return
    wait = rack.detect_losses(tcb, now)
    if tcb.path.probe is not None:
        path_mtu.look_at_probe(tcb, now)
    if wait:
        tcb.loss_due = now + wait + tcb.settings.probe_slack
        tcb.loss_is_reordering = True
    elif tcb.loss_is_reordering:
        tlp.cancel(tcb)


def reordering_timeout(tcb: Connection, now: float) -> None:
    """RACK's timer: what was in doubt may be lost by now (RFC 8985 §6.2, step 5)."""
    _look_for_losses(tcb, now)
    if tcb.rtx.lost:
        if not tcb.recovery.active:
            why = "reordering can not explain it any more: fast retransmit (RACK)"
            _enter(tcb, Delivery(), tcb.snd_una, why, now)
        elif tcb.recovery.state is RECOVERY and tcb.usage is None:
            _reduce_proportionally(tcb, 0, safe=False)
        tcb.touch()


def _count_duplicates(
    tcb: Connection, delivery: Delivery, una_before: int, advanced: bool, duplicate: bool, now: float
) -> None:
    """Without SACK: three duplicates mean a loss (RFC 5681 §3.2)."""
    if advanced:
        tcb.dup_acks = 0
    if not duplicate:
        return
    tcb.dup_acks += 1
    # RFC 6582 §3.2 step 1: not again for losses of the window that a timeout or recovery covered
    if tcb.dup_acks == tcb.settings.reordering and tcb.snd_una > tcb.recovery.recover:
        if tcb.usage is not None:
            tcb.rtx.mark_front_lost(tcb.snd_mss)
        _enter(tcb, delivery, una_before, "three duplicate acknowledgments: fast retransmit", now)
        if tcb.usage is None:
            tcb.rtx.mark_front_lost(tcb.snd_mss)
            tcb.recovery.force = True


# -- Fast recovery -----------------------------------------------------------------------------------


def _enter(tcb: Connection, delivery: Delivery, una_before: int, why: str, now: float) -> None:
    recovery, congestion = own(tcb), tcb.congestion
    _begin_episode(tcb)
    if not tcb.loss_is_reordering:
        tlp.cancel(tcb)
    if tcb.usage is not None:
        _enter_by_segments(tcb, delivery, why, now)
        return
    recovery.enter(RECOVERY)
    recovery.recover = tcb.snd_nxt
    flight = tcb.snd_nxt - una_before
    congestion.on_loss(flight, now)
    ecn.window_reduced(tcb)
    recovery.tlp_end = None
    if tcb.sack_ok:
        recovery.prr_delivered = recovery.prr_out = 0
        # RFC 9937 §6: the flight at the start, less what was held by the peer before this acknowledgment
        recovery.recover_fs = max(1, flight - (tcb.rtx.sacked - (delivery.length - delivery.cumulative)))
        _reduce_proportionally(tcb, delivery.length, safe=False)
    elif not congestion.governs_recovery:
        congestion.cwnd = congestion.ssthresh
    telling.congestion(tcb, why, now)


def _enter_by_segments(tcb: Connection, delivery: Delivery, why: str, now: float) -> None:
    """The same where windows are counted in segments: one reduction, also if a mark has begun it."""
    if not tcb.recovery.reduces:
        _begin_reduction(tcb)
        tcb.congestion.on_loss(tcb.in_flight, now)
        ecn.window_reduced(tcb)
    tcb.recovery.enter(RECOVERY)
    _reduce_proportionally(tcb, delivery.length + delivery.came_twice or tcb.snd_mss, safe=False)
    telling.congestion(tcb, why, now)


def _begin_reduction(tcb: Connection) -> None:
    recovery = own(tcb)
    recovery.recover = tcb.snd_nxt
    recovery.tlp_end = None
    recovery.prr_delivered = recovery.prr_out = 0
    recovery.recover_fs = tcb.congestion.cwnd


def enter_cwr(tcb: Connection, delivery: Delivery, *, advanced: bool, now: float) -> None:
    """The peer echoes a mark (RFC 3168 §6.1.2): the window goes down in step with what arrives."""
    recovery = own(tcb)
    if recovery.active or recovery.state is CWR:
        return
    recovery.undo_una = None
    _begin_reduction(tcb)
    tcb.congestion.on_congestion_mark(tcb.in_flight, now)
    ecn.window_reduced(tcb)
    tcb.ecn.reductions += 1
    tcb.outlet.count("ecn-reductions")
    recovery.enter(CWR)
    if delivery.length:
        _reduce_proportionally(tcb, delivery.length, safe=advanced)
    telling.congestion(tcb, "the peer echoes a congestion mark: as if a segment were lost (RFC 3168 §6.1.2)", now)


def _in_cwr(tcb: Connection, delivery: Delivery, advanced: bool, now: float) -> None:
    recovery, congestion = tcb.recovery, tcb.congestion
    if tcb.snd_una > recovery.recover:
        congestion.cwnd = congestion.ssthresh
        recovery.enter(OPEN)
        telling.congestion(tcb, "the reduction is over", now)
    elif delivery.length:
        _reduce_proportionally(tcb, delivery.length, safe=advanced)


def _begin_episode(tcb: Connection) -> None:
    recovery = own(tcb)
    recovery.undo_una = tcb.snd_una
    recovery.undo_length = 0
    recovery.repairing_ts = None


def _in_fast_recovery(
    tcb: Connection, delivery: Delivery, advanced: bool, duplicate: bool, now: float, *, more_lost: bool
) -> None:
    recovery = tcb.recovery
    by_segments = tcb.usage is not None and not tcb.sack_ok
    if advanced and tcb.snd_una >= recovery.recover and not (by_segments and tcb.snd_una == recovery.recover):
        _leave(tcb, now)
    elif by_segments:
        _next_hole_by_segments(tcb, delivery, advanced, duplicate)
    elif tcb.sack_ok:
        arrived = delivery.length if tcb.usage is None else delivery.length + delivery.came_twice
        if arrived:
            _reduce_proportionally(tcb, arrived, safe=advanced and not more_lost)
    elif advanced:
        # A partial acknowledgment: the next hole is lost too (RFC 6582 §3.2 step 3).  What it covers
        # beyond the segment sent again had left the network before, and was counted by duplicates.
        tcb.dup_acks = max(0, tcb.dup_acks - max(0, delivery.cumulative // tcb.snd_mss - 1))
        tcb.rtx.mark_front_lost(tcb.snd_mss)
        recovery.force = True
        telling.congestion(tcb, "a partial acknowledgment: the next hole is sent again", now)
    elif duplicate:
        tcb.dup_acks += 1


def _next_hole_by_segments(tcb: Connection, delivery: Delivery, advanced: bool, duplicate: bool) -> None:
    """Without SACK, where windows are counted in segments: duplicates are deliveries, and PRR goes by them."""
    mss = tcb.snd_mss
    if advanced:
        acked = -(-delivery.cumulative // mss)
        delivered = max(acked - tcb.dup_acks, 1) * mss
        tcb.dup_acks = max(0, tcb.dup_acks - (acked - 1))
        if tcb.snd_una == tcb.recovery.recover:
            # RFC 6582 §4: only what is above it ends the recovery, else late duplicates would begin another
            tcb.dup_acks = 0
            _reduce_proportionally(tcb, delivered, safe=True)
            return
        tcb.rtx.mark_front_lost(mss)
        _reduce_proportionally(tcb, delivered, safe=False)
    elif duplicate:
        tcb.dup_acks += 1
        _reduce_proportionally(tcb, mss, safe=False)


def _leave(tcb: Connection, now: float) -> None:
    recovery = tcb.recovery
    recovery.enter(DISORDER if tcb.rtx.sacked else OPEN)
    recovery.force = False
    tcb.dup_acks = 0
    tcb.rack.recovery_ends()
    if tcb.sack_ok and not tcb.congestion.governs_recovery:
        tcb.congestion.cwnd = tcb.congestion.ssthresh
    tcb.congestion.on_recovered(tcb.in_flight, now, recovery.undo_length)
    telling.congestion(tcb, "recovery is over", now)


def _reduce_proportionally(tcb: Connection, delivered: int, *, safe: bool) -> None:
    """Proportional Rate Reduction: cwnd goes down to ssthresh in step with what arrives (RFC 9937 §6).

    ``safe``: the acknowledgment advances and shows no further loss.
    """
    recovery, congestion = tcb.recovery, tcb.congestion
    if congestion.governs_recovery:
        return
    recovery.prr_delivered += delivered
    in_flight, ssthresh, mss = tcb.in_flight, congestion.ssthresh, tcb.snd_mss
    if in_flight > ssthresh:
        target = -(-recovery.prr_delivered * ssthresh // recovery.recover_fs)
        if tcb.usage is not None:
            target = -(-target // mss) * mss
        send = target - recovery.prr_out
    else:
        send = max(recovery.prr_delivered - recovery.prr_out, delivered)
        if safe:
            send += mss
        send = min(ssthresh - in_flight, send)
    if not recovery.prr_out:
        send = max(send, mss)  # the fast retransmit itself
    congestion.cwnd = in_flight + max(send, 0)


# -- After a timeout ---------------------------------------------------------------------------------


def on_timeout(tcb: Connection, now: float) -> None:
    """The retransmission timer fired for data (RFC 5681 §3.1, RFC 8985 §6.3, RFC 5682 §3)."""
    recovery = own(tcb)
    again = recovery.active and tcb.snd_una < recovery.recover  # one episode for each window
    if tcb.usage is not None:
        again = again or (recovery.state is CWR and tcb.snd_una < recovery.recover)
    flight = tcb.snd_nxt - tcb.snd_una
    if not again:
        fresh = recovery.state is not RECOVERY
        _begin_episode(tcb)
        recovery.frto = tcb.settings.frto and fresh and tcb.sack_ok
    else:
        recovery.frto = False
    if recovery.state is RECOVERY and tcb.usage is None:
        # A retransmission was lost too: another sign of congestion, for the window of this recovery (RFC 5681 §4.3).
        tcb.congestion.on_timeout(min(flight, tcb.congestion.ssthresh), again=False, now=now)
    else:
        tcb.congestion.on_timeout(flight, again=again, now=now)
    ecn.window_reduced(tcb)
    recovery.enter(LOSS)
    recovery.recover = tcb.snd_nxt  # RFC 6582 §3.2 step 4
    recovery.force = True  # the first segment goes out also where later ones, not lost yet, fill cwnd (RFC 6298 §5.4)
    recovery.new_first = False
    recovery.tlp_end = None
    tlp.cancel(tcb)
    tcb.dup_acks = 0
    if tcb.rtx.first.sacked:
        tcb.rtx.forget_sacked()  # RFC 2018 §8: the peer must have reneged
        tcb.outlet.count("sack-reneged")
    if tcb.sack_ok:
        rack.mark_losses_on_timeout(tcb, now)
    else:
        tcb.rtx.mark_all_lost()
    if tcb.usage is not None:
        tcb.congestion.cwnd = tcb.in_flight // tcb.snd_mss * tcb.snd_mss + tcb.snd_mss


def _after_timeout(tcb: Connection, delivery: Delivery, advanced: bool, duplicate: bool, now: float) -> None:
    recovery = tcb.recovery
    if recovery.frto:
        _watch_for_originals(tcb, delivery, advanced)
    if advanced and tcb.snd_una >= recovery.recover:
        recovery.frto = recovery.new_first = False
        recovery.enter(DISORDER if tcb.rtx.sacked else OPEN)
        tcb.rack.recovery_ends()
        telling.congestion(tcb, "everything outstanding at the timeout is acknowledged", now)


def _watch_for_originals(tcb: Connection, delivery: Delivery, advanced: bool) -> None:
    """F-RTO, steps 2 and 3 (RFC 5682 §3.1); that an original arrived was seen before (:func:`_mistaken`)."""
    recovery = tcb.recovery
    if tcb.snd_nxt > recovery.recover:
        if delivery.length and not advanced:
            recovery.frto = recovery.new_first = False  # step 3a: the loss is real
    elif advanced and tcb.snd_una < recovery.recover:
        more = tcb.send_buffer.end > tcb.snd_nxt and tcb.snd_una + tcb.snd_wnd > tcb.snd_nxt
        recovery.new_first = more
        recovery.frto = more
    elif delivery.length:
        recovery.frto = False


# -- Taking it back ----------------------------------------------------------------------------------


def note_retransmission(tcb: Connection, seq: int, length: int, ts_val: int | None) -> None:
    """``length`` from ``seq`` are sent again, with our timestamp ``ts_val``.

    Only a retransmission of the first segment outstanding can be told from its original by timestamps:
    what acknowledges a later one may echo a retransmission of the recovery before.
    """
    recovery = tcb.recovery
    if recovery.undo_una is None:
        return
    if not recovery.undo_length:
        if seq == tcb.snd_una:
            recovery.repairing_ts = ts_val
        recovery.undo_from, recovery.undo_to = seq, seq + length
    recovery.undo_length += length
    recovery.undo_from = min(recovery.undo_from, seq)
    recovery.undo_to = max(recovery.undo_to, seq + length)


def _mistaken(
    tcb: Connection, segment: Segment, delivery: Delivery, *, advanced: bool, dsack: tuple[int, int] | None
) -> bool:
    """Whether it is clear now that nothing was lost."""
    recovery = tcb.recovery
    if dsack is not None and recovery.undo_length and recovery.undo_from <= dsack[0] < recovery.undo_to:
        # (what lies elsewhere was not sent again by us, but repeated by the network: RFC 2883 §5.1)
        recovery.undo_length = max(0, recovery.undo_length - (dsack[1] - dsack[0]))
        if not recovery.undo_length:
            return True  # every retransmission arrived beside its original
    if not recovery.active:
        return False
    if not recovery.undo_length and not tcb.rtx.lost:
        return True  # all that was taken for lost has arrived before any of it was sent again
    only_originals = tcb.settings.frto_beside_repeated or not delivery.repeated
    if recovery.frto and recovery.state is LOSS and delivery.first_time and only_originals:
        # RFC 5682 §3.1 step 3b: data that was sent once, before the timeout, has arrived.
        return delivery.rtt_of is not None and delivery.rtt_of.end <= recovery.recover
    if not (advanced and tcb.timestamps and recovery.repairing_ts is not None and segment.ts_ecr):
        return False
    # RFC 3522 §3.2: the echo is older than the first retransmission: the original was acknowledged.
    late = bool((segment.ts_ecr - recovery.repairing_ts) & 0x80000000)
    if late and tcb.usage is not None and recovery.state is RECOVERY and tcb.snd_una < recovery.recover:
        tcb.rack.came_late(tcb.snd_una - delivery.cumulative, tcb.snd_mss)
        return not tcb.rtx.repairing  # else wait for that
    return late


def _take_back(tcb: Connection, now: float) -> None:
    """RFC 4015 §3: the windows as they were before, and nothing is lost."""
    recovery = tcb.recovery
    recovery.undo_una = None
    recovery.frto = recovery.new_first = recovery.force = False
    tcb.congestion.undo(now)
    if tcb.usage is not None and tcb.ecn.sends:
        tcb.ecn.cwr_due = False  # there was no reduction
    tcb.rtx.forgive_lost()
    tcb.dup_acks = 0
    recovery.enter(DISORDER if tcb.rtx.sacked else OPEN)
    tcb.outlet.count("recoveries-undone")
    telling.congestion(tcb, "nothing was lost after all: the reduction is taken back", now)
