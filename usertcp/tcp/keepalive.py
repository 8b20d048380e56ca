"""Keep-alives (RFC 9293 §3.8.4): off unless asked for; an idle peer must answer or the connection ends."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from usertcp.tcp import output, telling
from usertcp.tcp.errors import ConnectionTimedOut, tries
from usertcp.tcp.states import CLOSED, SYNCHRONIZED, TIME_WAIT, Event

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection


def switch(tcb: Connection, on: bool, now: float) -> None:
    """Turn keep-alives on or off (MUST-24, MUST-25)."""
    tcb.keepalive = on
    tcb.probes = 0
    on = on and tcb.state not in (CLOSED, TIME_WAIT)  # where nobody is left to ask
    tcb.keepalive_due = now + tcb.settings.keepalive_idle if on else inf
    tcb.touch()


def fire(tcb: Connection, now: float) -> None:
    """The timer is due.  It is not moved when segments arrive: it looks when the last one did."""
    settings = tcb.settings
    if tcb.state not in SYNCHRONIZED:
        tcb.keepalive_due = now + settings.keepalive_idle
        return
    last = max(tcb.last_arrival, -inf)
    # The same sum as that which the timer was set to: a difference could be a hair less, for ever.
    heard = last >= tcb.probed_at if tcb.probes else now < last + settings.keepalive_idle
    if tcb.rtx or heard:
        # Something was heard, or the retransmission timer watches over what is outstanding (MUST-26).
        tcb.probes = 0
        tcb.keepalive_due = last + settings.keepalive_idle
        if tcb.rtx:
            tcb.keepalive_due = max(tcb.keepalive_due, now + settings.keepalive_interval)
        return
    telling.fired(tcb, "keep-alive", tcb.keepalive_due, now)
    if _is_dead(tcb, now - last):
        tcb.outlet.count("timed-out")
        silent = now - last
        if settings.reset_on_timeout != "never":
            output.send_reset(tcb, now)
        state = tcb.state
        tcb.step(Event.KEEPALIVE_TIMEOUT, now)
        what = f"the peer was silent for {silent:.0f} s and answered no keep-alive"
        tcb.end(now, ConnectionTimedOut(f"keep-alive timed out after {tries(tcb.probes)} in {state}: {what}"))
        return
    tcb.probes += 1
    tcb.probed_at = now
    tcb.outlet.count("keepalives-sent")
    telling.probe(tcb, "keep-alive", tcb.probes, "3.8.4", now)
    output.send_keepalive(tcb, now)
    tcb.keepalive_due = now + settings.keepalive_interval


def _is_dead(tcb: Connection, silent: float) -> bool:
    """Whether enough probes stayed unanswered, or for long enough (RFC 9293 §3.9.1.1's timeout, if there is one)."""
    if tcb.user_timeout is None:
        return tcb.probes >= tcb.settings.keepalive_probes
    return tcb.probes > 0 and silent >= tcb.user_timeout
