"""Segments that are not taken: counted under a name, and answered with a RST where that is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usertcp.tcp.events import Kind
from usertcp.tcp.reset import reset_for
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import NO_OPTIONS, Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection


def answer_with_reset(tcb: Connection, segment: Segment, now: float) -> None:
    """The RST of §3.5.2 for a segment that cannot be for this connection."""
    reset = reset_for(segment)
    if reset is not None:
        tcb.segments_sent += 1
        tcb.outlet.count("resets-sent")
        tcb.outlet.transmit(tcb, reset.seq, reset.ack, reset.flags, 0, None, 0, NO_OPTIONS, b"", now)


def drop(
    tcb: Connection, segment: Segment, reason: str, section: str, now: float, *, length: int | None = None
) -> None:
    """Count a segment that is thrown away, or the last ``length`` bytes of it, and say why."""
    tcb.outlet.count(reason)
    trace = tcb.outlet.trace
    if trace is not None:
        whole = len(segment.payload)
        cut = 0 if length is None else whole - length
        trace((Kind.DROPPED, now, tcb.number, reason, section, (segment.seq + cut) & MASK, whole - cut))
