"""Tail loss probes: a lost last segment is found without waiting for a timeout (RFC 8985 §7)."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from usertcp.tcp import ecn, output, telling
from usertcp.tcp import recovery as repairs
from usertcp.tcp.states import SYN_RECEIVED

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection


def schedule(tcb: Connection, now: float) -> None:
    """TLP_calc_PTO (§7.2), after new data was sent or acknowledged; without a loss in sight only."""
    recovery = tcb.recovery
    if not tcb.sack_ok or not tcb.settings.tlp or recovery.tlp_end is not None:
        return
    if tcb.state is SYN_RECEIVED:
        return  # early data (RFC 7413): it is the handshake that has to go on first
    if tcb.loss_is_reordering or recovery.active or tcb.rtx.sacked or not tcb.rtx or tcb.probing:
        return
    if recovery.tlp_samples == tcb.rtt.samples:
        return  # probes must not keep SRTT from following the path (§7.3, second condition)
    srtt = tcb.rtt.srtt
    if srtt is None:
        pto = 1.0
    elif tcb.snd_nxt - tcb.snd_una <= tcb.snd_mss:
        pto = 2 * srtt + tcb.settings.peer_ack_delay  # the peer may wait with acknowledging a single segment
    else:
        pto = 2 * srtt
    if srtt is not None and tcb.snd_nxt - tcb.snd_una > tcb.snd_mss:
        pto += tcb.settings.probe_slack
    tcb.loss_due = min(now + max(pto, tcb.settings.min_pto), tcb.retransmit_due)


def cancel(tcb: Connection) -> None:
    """Neither a probe nor RACK's timer is wanted."""
    tcb.loss_due = inf
    tcb.loss_is_reordering = False


def fire(tcb: Connection, now: float) -> None:
    """TLP_send_probe (§7.3): new data if there is any, else the last segment again."""
    cancel(tcb)
    if not tcb.rtx or tcb.recovery.active or tcb.rtx.sacked:
        return  # what has come since has RACK's timer or the retransmission timer look after it
    recovery = repairs.own(tcb)
    tcb.outlet.count("tail-loss-probes")
    telling.probe(tcb, "tail-loss", 1, "RFC 8985 §7.3", now)
    recovery.tlp_is_retransmission = not output.probe_with_new_data(tcb, now)
    if recovery.tlp_is_retransmission:
        output.resend(tcb, tcb.rtx.last_segment(tcb.snd_mss), now, "tail loss probe")
    recovery.tlp_end = tcb.snd_nxt
    recovery.tlp_samples = tcb.rtt.samples
    tcb.retransmit_due = now + tcb.rtt.rto


def on_ack(tcb: Connection, ack: int, now: float, *, duplicate: bool, dsack: bool, sacked: bool) -> None:
    """TLP_process_ack (§7.4): the end of a probe, and whether it repaired a loss."""
    recovery = tcb.recovery
    if recovery.tlp_end is None or ack < recovery.tlp_end:
        return
    if not recovery.tlp_is_retransmission or dsack or (duplicate and not sacked):
        recovery.tlp_end = None
    elif ack > recovery.tlp_end:
        recovery.tlp_end = None
        # The probe repaired a loss that nothing else showed: react to it all the same.
        tcb.congestion.on_loss(tcb.snd_nxt - tcb.snd_una, now)
        if not tcb.congestion.governs_recovery:
            tcb.congestion.cwnd = tcb.congestion.ssthresh
        ecn.window_reduced(tcb)
        telling.congestion(tcb, "a tail loss probe repaired a loss", now)
