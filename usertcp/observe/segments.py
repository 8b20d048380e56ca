"""A TCP segment in a packet, found at a glance: enough to tell it from others."""

from __future__ import annotations

from typing import NamedTuple

from usertcp.tcp.events import Opened, StrayIn, StrayOut
from usertcp.wire import ipv4, ipv6, tcp
from usertcp.wire.malformed import Malformed


class Sockets(NamedTuple):
    """Both ends of a segment."""

    local_address: bytes
    local_port: int
    remote_address: bytes
    remote_port: int

    @classmethod
    def of(cls, event: Opened | StrayIn | StrayOut) -> Sockets:
        """Those that ``event`` names."""
        return cls(event.local_address, event.local_port, event.remote_address, event.remote_port)


class Segment(NamedTuple):
    """A segment that leaves; ``length`` counts its data bytes."""

    sockets: Sockets
    seq: int
    flags: int
    length: int


def peek(packet: memoryview) -> Segment | None:
    """The segment in an outbound IP packet; None where there is none, or a part of one."""
    if not packet:
        return None
    ip: ipv4.Header | ipv6.Header | Malformed
    if packet[0] >> 4 == 4:
        ip = ipv4.parse(packet)
        if isinstance(ip, Malformed) or ip.protocol != tcp.PROTOCOL or ip.more_fragments or ip.fragment_offset:
            return None
        payload = packet[ip.header_length : ip.total_length]
    else:
        ip = ipv6.parse(packet)
        if isinstance(ip, Malformed) or ip.next_header != tcp.PROTOCOL or ip.fragment is not None:
            return None
        payload = packet[ip.payload_offset : ip.payload_offset + ip.payload_length]
    segment = tcp.parse(payload)
    if isinstance(segment, Malformed):
        return None
    sockets = Sockets(ip.src, segment.src_port, ip.dst, segment.dst_port)
    return Segment(sockets, segment.seq, segment.flags, len(segment.payload))
