"""Which RST answers a segment that belongs to no connection (RFC 9293 §3.5.2, §3.10.7.1)."""

from __future__ import annotations

from typing import NamedTuple

from usertcp.wire.seq import MASK
from usertcp.wire.tcp import ACK, FIN, RST, SYN, Segment


class Reset(NamedTuple):
    """Sequence and acknowledgment number (as on the wire) and flags of the answer."""

    seq: int
    ack: int
    flags: int


def reset_for(segment: Segment) -> Reset | None:
    """The RST that makes the sender's half of ``segment``'s connection end; None for a RST."""
    if segment.flags & RST:
        return None
    if segment.flags & ACK:
        return Reset(segment.ack, 0, RST)  # <SEQ=SEG.ACK><CTL=RST>
    return Reset(0, (segment.seq + sequence_length(segment)) & MASK, RST | ACK)  # <SEQ=0><ACK=SEG.SEQ+SEG.LEN>


def sequence_length(segment: Segment) -> int:
    """SEG.LEN: the data bytes, and one each for SYN and FIN."""
    flags = segment.flags
    return len(segment.payload) + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)
