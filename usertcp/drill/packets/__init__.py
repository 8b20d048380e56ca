"""Packets of a script against packets on the wire.

======================================================== ==========================================================
``Flow(local, remote, local_port, remote_port)``         the numbers of one connection; learns as it is used
``build(packet, flow) -> bytes``                         the IP packet to inject; raises :class:`Unbuildable`
``compare(packet, live, flow, ignore) -> differences``   an outbound IP packet against the expectation; never raises
``describe(live, flow) -> str``                          an outbound packet in the script's words; never raises
``diff(line, packet, live, flow, differences) -> str``   the text of a failure
``split(live, length) -> two packets, or None``          a super-segment whose segments the script expects one by one
``divide(packet, length) -> two packets, or None``       an expectation where several segments say what one was to say
``check(packet, version, inbound)``                      before a run; raises Unbuildable, or its subclass UnknownPart
``payload_length(live) -> int``                          bytes of TCP payload; 0 for anything else
``endpoints(live) -> Endpoints``                         whose an outbound packet is: ask ``flow.sends(endpoints)``
======================================================== ==========================================================

``ignore`` is a set of :class:`usertcp.drill.ignore.Ignore`.  ``live`` is a packet from its first IP header on, with
whole checksums; a super-segment is one packet.
"""

from __future__ import annotations

from usertcp.drill.packets.build import build
from usertcp.drill.packets.check import check
from usertcp.drill.packets.compare import compare
from usertcp.drill.packets.describe import describe
from usertcp.drill.packets.diff import diff
from usertcp.drill.packets.errors import Unbuildable, UnknownPart
from usertcp.drill.packets.flow import Flow, TimestampClock
from usertcp.drill.packets.live import Difference, Endpoints, LiveTcp, read
from usertcp.drill.packets.split import divide, split

__all__ = [
    "Difference",
    "Endpoints",
    "Flow",
    "TimestampClock",
    "Unbuildable",
    "UnknownPart",
    "build",
    "check",
    "compare",
    "describe",
    "diff",
    "divide",
    "endpoints",
    "payload_length",
    "split",
]


def endpoints(packet: bytes) -> Endpoints:
    """Between whom an IP packet goes; for an ICMP error, the packet that it quotes.  Never raises."""
    return read(packet).ends


def payload_length(packet: bytes) -> int:
    """The bytes of payload in an IP packet that holds a TCP segment; 0 for any other packet.  Never raises."""
    body = read(packet).body
    return len(body.payload) if isinstance(body, LiveTcp) else 0
