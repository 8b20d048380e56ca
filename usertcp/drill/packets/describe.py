"""A packet from the wire as a script would say it: with the script's numbers, and with everything said."""

from __future__ import annotations

from dataclasses import replace

from usertcp.drill.packets import icmp_words
from usertcp.drill.packets.build import FLAG_BITS
from usertcp.drill.packets.flow import Flow
from usertcp.drill.packets.live import Live, LiveIcmp, LiveTcp, LiveUdp, read
from usertcp.drill.packets.spell import spell
from usertcp.drill.script import IcmpPacket, IpInfo, Packet, Sequence, TcpOption, TcpPacket, UdpPacket
from usertcp.observe.escape import for_terminal
from usertcp.wire import icmp, tcp

_ECN_WORDS = ("noecn", "ect1", "ect0", "ce")


def describe(packet: bytes, flow: Flow, like: Packet | None = None) -> str:
    """One line of packetdrill's language for an outbound packet (IP and up); safe for a terminal.

    Ports and fields of the IP header are told where ``like`` tells them, and an ECN field that is not 0.
    """
    live = read(packet)
    seen = observed(live, flow)
    if seen is None:
        what = "; ".join(fault.actual for fault in live.faults) or f"protocol {live.protocol}"
        return f"{len(packet)} bytes ({for_terminal(what)})"
    seen = replace(seen, ip=_asked_for(seen.ip, IpInfo() if like is None else like.ip))
    if isinstance(seen, TcpPacket | UdpPacket):
        named = isinstance(like, TcpPacket | UdpPacket) and like.ports is not None
        seen = replace(seen, ports=(flow.named_ports or seen.ports) if named else None)
    return for_terminal(spell(seen))


def _asked_for(seen: IpInfo, asked: IpInfo) -> IpInfo:
    return IpInfo(
        None if asked.ecn is None and seen.ecn == "noecn" else seen.ecn,
        None if asked.ttl is None else seen.ttl,
        None if asked.tos is None else seen.tos,
        None if asked.flow_label is None else seen.flow_label,
    )


def observed(live: Live, flow: Flow, offset: int | None = None) -> Packet | None:
    """What was sent, every field said; None if it is not TCP, UDP or ICMP, or could not be read.

    ``offset`` is what its sequence number is more on the wire than in the script; None: as ``flow`` has it, and 0 is
    the number of a SYN that begins a connection.
    """
    info = IpInfo(_ECN_WORDS[live.tos & 3], live.ttl, live.tos, live.flow_label if live.version == 6 else None)
    match live.body:
        case LiveTcp() as segment:
            return _tcp(live, segment, flow, info, offset)
        case LiveUdp() as datagram:
            ports = (datagram.source_port, datagram.destination_port)
            return UdpPacket(len(datagram.payload), info, live.outer, ports)
        case LiveIcmp() as message:
            return _icmp(live, message, flow, info)
    return None


def _tcp(live: Live, segment: LiveTcp, flow: Flow, info: IpInfo, offset: int | None) -> TcpPacket:
    seq = segment.seq - (_likely_offset(segment, flow) if offset is None else offset) & 0xFFFFFFFF
    ack = flow.outbound_ack(segment.ack) if segment.flags & tcp.ACK else segment.ack or None
    return TcpPacket(
        frozenset(letter for letter, bit in FLAG_BITS.items() if segment.flags & bit),
        _sequence(seq, len(segment.payload)),
        ack,
        segment.window,
        segment.urgent or None,
        tuple(_option(option, flow) for option in segment.options),
        info,
        live.outer,
        (segment.source_port, segment.destination_port),
    )


def _sequence(start: int, length: int) -> Sequence:
    return Sequence(start, start + length & 0xFFFFFFFF, length)


def _likely_offset(segment: LiveTcp, flow: Flow) -> int:
    if segment.flags & tcp.SYN and flow.may_begin:
        return segment.seq
    if is_of_no_connection(segment):
        return 0
    return flow.local_offset or 0


def is_of_no_connection(segment: LiveTcp) -> bool:
    """Whether this looks like the RST that answers a segment without an acknowledgment (RFC 9293 §3.10.7.1).

    Its number is 0, whatever the initial sequence numbers are.
    """
    return segment.seq == 0 and segment.flags & (tcp.RST | tcp.ACK) == tcp.RST | tcp.ACK


def _option(option: TcpOption, flow: Flow) -> TcpOption:
    if option.kind == "sack":
        return TcpOption("sack", tuple(map(flow.outbound_ack, option.values)))
    return option


def _icmp(live: Live, message: LiveIcmp, flow: Flow, info: IpInfo) -> IcmpPacket:
    kind, code, version = message.type, message.code, live.version
    echoed_tcp = echoed_udp = None
    if icmp_words.is_error(kind, version):
        quoted = icmp.quoted(message.body, version)
        if isinstance(quoted, icmp.Quoted):
            length = _quoted_length(message.body, version)
            if quoted.protocol == tcp.PROTOCOL:
                start = flow.outbound_ack(quoted.seq)
                echoed_tcp = _sequence(start, max(0, length - tcp.HEADER_LENGTH))
            else:
                echoed_udp = max(0, length - 8)
    return IcmpPacket(
        icmp_words.word_of_type(kind, version),
        icmp_words.word_of_code(code, kind, version),
        message.word if icmp_words.takes_mtu(kind, code, version) else None,
        echoed_tcp,
        echoed_udp,
        info,
        live.outer,
    )


def _quoted_length(quoted: bytes, version: int) -> int:
    """How long the quoted packet was behind its IP header, as that header says."""
    if version == 6:
        return int.from_bytes(quoted[4:6], "big")
    return int.from_bytes(quoted[2:4], "big") - (quoted[0] & 0xF) * 4
