"""Timeouts: RFC 9293 §3.10.8 and §3.8.3, RFC 6298 §5.  TIME-WAIT's is in :mod:`.time_wait`."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp import calls, keepalive, output, path_mtu, persist, recovery, telling, tlp, user_timeout
from usertcp.tcp.errors import ConnectionTimedOut, tries
from usertcp.tcp.states import SYN_RECEIVED, SYN_SENT, Event

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection
    from usertcp.tcp.retransmission import Record

#: Sums of times as floats are not exact: what is due so soon is due.
_EPSILON: Final = 1e-9


def run(tcb: Connection, now: float) -> None:
    """Act on each timer that is due."""
    # Where both are due, a tail loss probe takes the timeout's place (RFC 8985 §7.2).
    if tcb.loss_due <= now and tcb.loss_due <= tcb.retransmit_due:
        telling.fired(tcb, "reordering" if tcb.loss_is_reordering else "tail-loss", tcb.loss_due, now)
        if tcb.loss_is_reordering:
            recovery.reordering_timeout(tcb, now)
        else:
            tlp.fire(tcb, now)
    if tcb.retransmit_due <= now:
        _retransmission(tcb, now)
    if tcb.ack_due <= now:
        telling.fired(tcb, "delayed-ack", tcb.ack_due, now)
        tcb.ack_due = inf
        if tcb.ack_timing is not None:
            tcb.ack_timing.timer_fired(tcb)
        tcb.need_ack()
    if tcb.pace_due <= now:
        tcb.pace_due = inf
        tcb.touch()
    if tcb.keepalive_due <= now:
        keepalive.fire(tcb, now)
    if tcb.fin_wait_2_due <= now:
        telling.fired(tcb, "fin-wait-2", tcb.fin_wait_2_due, now)
        state = tcb.state
        tcb.step(Event.FIN_WAIT_2_TIMEOUT, now)
        tcb.end(now, ConnectionTimedOut(f"timed out in {state}: the peer never closed its own side"))
    if tcb.outlet.trace is not None:
        telling.after_timers(tcb, now)


def _retransmission(tcb: Connection, now: float) -> None:
    if not tcb.snd_wnd and not (tcb.rtx and tcb.rtx.first.syn):  # a SYN needs no window
        telling.fired(tcb, "persist", tcb.retransmit_due, now)
        _zero_window(tcb, now)
    elif tcb.rtx:
        telling.fired(tcb, "retransmission", tcb.retransmit_due, now)
        _expired(tcb, now)
    else:
        telling.fired(tcb, "silly-window", tcb.retransmit_due, now)
        # Silly-window avoidance has held data back for long enough (RFC 9293 §3.8.6.2.1 (4)).
        tcb.probing = False
        tcb.retransmit_due = inf
        tcb.sws_override = True
        tcb.touch()


def _zero_window(tcb: Connection, now: float) -> None:
    """Probe.  As long as the peer acknowledges, the connection stays open (RFC 9293 §3.8.6.1, MUST-37)."""
    limit = user_timeout.limit(tcb, syn=False)
    if now - tcb.last_arrival >= limit - _EPSILON:
        why = f"after {tries(tcb.probes)}", "the peer stopped answering the probes of its closed window"
        _give_up(tcb, now, "window probes timed out", *why)
        return
    closed_for = now - tcb.at_risk_since
    if (tcb.released or tcb.user_timeout is not None) and closed_for >= limit - _EPSILON:
        _give_up(tcb, now, "user timeout", "", f"the peer kept its window closed for {closed_for:.0f} s")
        return
    if tcb.released:
        calls.throw_unread_away(tcb)
    if tcb.settings.zero_window_probe == "old" and tcb.rtx:
        _into_closed_window(tcb, now)
    else:
        telling.probe(tcb, "zero-window", tcb.unanswered_probes + 1, "3.8.6.1", now)
        output.send_probe(tcb, now)
        tcb.probing = True
        tcb.probes = tcb.unanswered_probes + 1
        tcb.probed_at = now
    tcb.outlet.count("window-probes")
    tcb.rtt.back_off()  # RFC 9293 §3.8.6.1 (SHLD-30)
    if tcb.outlet.trace is not None:
        telling.estimates(tcb, now)
    tcb.retransmit_due = now + persist.interval(tcb)
    if tcb.user_timeout is not None:
        tcb.retransmit_due = min(tcb.retransmit_due, tcb.at_risk_since + limit)


def _into_closed_window(tcb: Connection, now: float) -> None:
    """The window was closed over what is outstanding: a retransmission is the probe, too (RFC 9293 §3.8.6.1)."""
    tcb.step(Event.RETRANSMISSION_TIMEOUT, now)
    recovery.on_timeout(tcb, now)
    tcb.touch()


def _expired(tcb: Connection, now: float) -> None:
    """RFC 6298 §5.4-§5.6, RFC 9293 §3.8.3."""
    first = tcb.rtx.first
    if user_timeout.expired(tcb, first, now):
        what = "our SYN" if first.syn else "our data"
        icmp = _reported(tcb).removeprefix(_at_r1(tcb)).removeprefix(": ")
        detail = f" ({icmp})" if icmp else ""
        why = f"the peer did not acknowledge {what} within {now - tcb.at_risk_since:.0f} s{detail}"
        timer = "retransmission timed out" if tcb.user_timeout is None else "user timeout"
        _give_up(tcb, now, timer, f"after {tries(first.times_sent - 1)}", why)
        return
    tcb.step(Event.RETRANSMISSION_TIMEOUT, now)
    if first.syn:
        _syn_expired(tcb, first)
    else:
        recovery.on_timeout(tcb, now)
        path_mtu.on_timeout(tcb, now)
        tcb.rtt.back_off()
    tcb.retransmit_due = now + tcb.rtt.rto
    # it ends then, not an RTO later
    tcb.retransmit_due = min(tcb.retransmit_due, user_timeout.since(tcb) + user_timeout.patience(tcb, syn=first.syn))
    tcb.outlet.count("retransmission-timeouts")
    tcb.timeouts_in_row += 1
    if first.times_sent == tcb.settings.r1:
        _r1_reached(tcb, now)
    if tcb.outlet.trace is not None:
        telling.estimates(tcb, now)
    telling.congestion(tcb, f"retransmission timeout, the next one after {tcb.rtt.rto:.3g} s", now)
    tcb.touch()


def _syn_expired(tcb: Connection, first: Record) -> None:
    settings = tcb.settings
    if tcb.state is not SYN_SENT:
        if not tcb.deferred or tcb.timeouts_in_row >= settings.defer_accept - 1:
            tcb.rtx.mark_all_lost()
        tcb.rtt.back_off()
        return
    tcb.rtx.mark_lost(first)  # data that went with it waits for the answer (RFC 7413 §4.2.2)
    if settings.syn_backoff:
        steps = settings.syn_backoff
        tcb.rtt.rto = settings.initial_rto * steps[min(tcb.timeouts_in_row + 1, len(steps) - 1)]
    elif tcb.timeouts_in_row >= settings.syn_linear_timeouts:
        tcb.rtt.back_off()


def revert_backoff(tcb: Connection, seq: int, now: float) -> None:
    """A router had no route for the segment at ``seq``: what was lost was lost of that, and the timer need not have
    been doubled for it (RFC 6069 §4.2)."""
    if not tcb.rtx or not tcb.rtt.backoffs or seq != tcb.snd_una:
        return
    tcb.rtt.take_back()
    tcb.outlet.count("backoffs-reverted")
    tcb.retransmit_due = max(tcb.rtx.first.sent_at + tcb.rtt.rto, now)
    tcb.touch()


def _r1_reached(tcb: Connection, now: float) -> None:
    """RFC 9293 §3.8.3 (e), SHLD-9: the application may want to know before it is over."""
    tcb.outlet.count("r1-reached")
    why = _reported(tcb)
    tcb.report(f"{_at_r1(tcb)}: {why}" if why else _at_r1(tcb), now)


def _at_r1(tcb: Connection) -> str:
    return f"no acknowledgment after {tcb.settings.r1} retransmissions"


def _reported(tcb: Connection) -> str:
    """The soft error of this time of waiting; "": there was none."""
    return tcb.soft_error if tcb.soft_error_at >= tcb.at_risk_since else ""


def _give_up(tcb: Connection, now: float, what: str, after: str, why: str) -> None:
    """R2 is reached: the connection is closed and the application told (RFC 9293 §3.8.3)."""
    state = tcb.state
    tcb.outlet.count("timed-out")
    half_open = tcb.state is SYN_SENT or (tcb.state is SYN_RECEIVED and tcb.opened_passively)
    if tcb.settings.reset_on_timeout == "always" and not half_open:
        output.send_reset(tcb, now)
    tcb.step(Event.USER_TIMEOUT, now)
    tcb.end(now, ConnectionTimedOut(f"{what} {after} in {state}: {why}" if after else f"{what} in {state}: {why}"))
