"""How long a probe of a closed window waits (RFC 9293 §3.8.6.1): MAY-8, SHLD-29 and SHLD-30."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: More doublings lead beyond any bound.
_MOST_DOUBLINGS: Final = 12


def interval(tcb: Connection) -> float:
    """Seconds until the next probe: the retransmission timeout, or longer where the settings want it rare."""
    settings, rtt = tcb.settings, tcb.rtt
    if settings.persist_min is None:
        return rtt.rto
    once = 2 * settings.initial_rto if rtt.srtt is None else 4 * rtt.srtt + 8 * rtt.rttvar
    doubled = once * (1 << min(rtt.backoffs, _MOST_DOUBLINGS)) + settings.rto_slop
    return min(max(doubled, settings.persist_min), settings.persist_max)
