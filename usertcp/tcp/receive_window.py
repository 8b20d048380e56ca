"""How large the receive buffer is: it grows with the bandwidth-delay product and never shrinks.

A receiver that always offered its largest window would let a fast sender fill memory for nothing; one
that offered little would be the bottleneck of a long path.  So the buffer begins small and grows to twice
what the application read in one round trip, up to a bound ("dynamic right-sizing", the receiver's half of
RFC 7323's large windows).  The round trip is measured by the timestamps that the peer echoes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from usertcp.tcp import opening
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: A round trip longer than this (in ms) is a timestamp that is not ours.
_ABSURD = 600_000
#: Timestamps count milliseconds: shorter round trips cannot be told apart.
_SHORTEST = 0.001


def measure(tcb: Connection, segment: Segment, now: float) -> None:
    """Take a round trip from the echo of a data segment: the least seen is closest to the path's."""
    echo = segment.ts_ecr
    if not echo or echo == tcb.rcv_rtt_echo:
        return
    tcb.rcv_rtt_echo = echo
    elapsed = (opening.timestamp(tcb, now) - echo) & MASK
    if elapsed < _ABSURD:
        sample = max(elapsed / 1000, _SHORTEST)
        tcb.rcv_rtt = sample if not tcb.rcv_rtt else min(sample, tcb.rcv_rtt * 0.875 + sample * 0.125)


def grow(tcb: Connection, taken: int, now: float) -> None:
    """The application took ``taken`` bytes: once a round trip, see whether the buffer is too small."""
    most = tcb.settings.receive_buffer
    if tcb.rcv_buf >= most:
        return
    tcb.rcv_taken += taken
    round_trip = tcb.rcv_rtt or tcb.rtt.srtt or 0.0
    if now - tcb.rcv_round_at < round_trip:
        return
    # Twice, since the sender's window may double in the next round trip, and some for the one after.
    wanted = 2 * tcb.rcv_taken + 16 * tcb.rcv_mss
    if wanted > tcb.rcv_buf:
        tcb.rcv_buf = min(wanted, most)
    tcb.rcv_taken = 0
    tcb.rcv_round_at = now
