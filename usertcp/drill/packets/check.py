"""Whether a script's packet can be dealt with at all, before anything is run."""

from __future__ import annotations

from usertcp.drill.packets import encapsulation, icmp_words
from usertcp.drill.packets.build import build
from usertcp.drill.packets.errors import Unbuildable
from usertcp.drill.packets.flow import Flow
from usertcp.drill.packets.options import excess
from usertcp.drill.script import IcmpPacket, Packet, TcpPacket

_ADDRESS_LENGTH = {4: 4, 6: 16}
#: Stands for the packet inside of others.
_INNER = {4: b"\x45", 6: b"\x60"}


def check(packet: Packet, version: int, *, inbound: bool) -> None:
    """Raises :class:`Unbuildable` where no packet can say this, and :class:`UnknownPart` where ours cannot.

    ``version`` is that of IP on the wire, 4 or 6.  What is expected need not be possible: then it never comes.  But
    its TCP options say all of their padding, or one that is left out would not be missed.
    """
    if inbound:
        if isinstance(packet, TcpPacket):
            _check_said(packet)
        size = _ADDRESS_LENGTH[version]
        build(packet, Flow(bytes(size), bytes(size), 1, 1))
        return
    if isinstance(packet, TcpPacket) and packet.options and excess(packet.options):
        raise Unbuildable(f"TCP options are not padded to 32 bits: {excess(packet.options)} bytes more")
    encapsulation.wrap(_INNER[version], packet.outer)
    if isinstance(packet, IcmpPacket):
        icmp_words.number_of_code(packet.code, icmp_words.number_of_type(packet.type, version), version)


def _check_said(packet: TcpPacket) -> None:
    """What an expectation may leave out, the peer has to know."""
    if packet.window is None:
        raise Unbuildable("a segment of the peer's says its window")
    if packet.options is None:
        raise Unbuildable("a segment of the peer's says its options")
