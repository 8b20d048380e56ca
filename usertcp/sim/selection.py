"""Which packet is "the second data segment": for losses that a scenario names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from usertcp.wire import ipv4, ipv6, tcp
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import ACK, FIN, RST, SYN, Segment

#: ``data``: with at least one byte of text; ``syn`` and ``fin``: with that bit; ``ack``: with nothing but an
#: acknowledgment.  A segment may be of several kinds.
SegmentKind: TypeAlias = Literal["data", "syn", "fin", "ack"]
KINDS: Final[frozenset[str]] = frozenset(get_args(SegmentKind))


class Nth(NamedTuple):
    """The ``number``-th segment (from 1) of ``kind`` that passes; one sent again is one more."""

    kind: SegmentKind
    number: int


class Selector:
    """Recognises the segments that it was asked for, as they pass."""

    __slots__ = ("_passed", "_wanted")

    def __init__(self, wanted: Iterable[Nth]) -> None:
        self._wanted = frozenset(wanted)
        self._passed: Counter[SegmentKind] = Counter()

    def matches(self, packet: bytes) -> bool:
        """Whether ``packet`` is wanted; counts it."""
        if not self._wanted:
            return False
        kinds = kinds_of(packet)
        self._passed.update(kinds)
        return any(Nth(kind, self._passed[kind]) in self._wanted for kind in kinds)


def kinds_of(packet: bytes) -> list[SegmentKind]:
    """What an IP packet is; nothing where it carries no whole TCP segment."""
    segment = tcp_segment(packet)
    if segment is None:
        return []
    flags = segment.flags
    kinds: list[SegmentKind] = []
    if segment.payload:
        kinds.append("data")
    if flags & SYN:
        kinds.append("syn")
    if flags & FIN:
        kinds.append("fin")
    if not segment.payload and flags & (SYN | FIN | RST | ACK) == ACK:
        kinds.append("ack")
    return kinds


def tcp_segment(packet: bytes) -> Segment | None:
    """The TCP segment in an IP packet of either family, if there is a whole one."""
    if not packet:
        return None
    if packet[0] >> 4 == 4:
        v4 = ipv4.parse(packet)
        if isinstance(v4, Malformed) or v4.protocol != tcp.PROTOCOL or v4.more_fragments or v4.fragment_offset:
            return None
        segment = tcp.parse(packet[v4.header_length : v4.total_length])
    else:
        v6 = ipv6.parse(packet)
        if isinstance(v6, Malformed) or v6.next_header != tcp.PROTOCOL or v6.fragment is not None:
            return None
        segment = tcp.parse(packet[v6.payload_offset : v6.payload_offset + v6.payload_length])
    return None if isinstance(segment, Malformed) else segment
