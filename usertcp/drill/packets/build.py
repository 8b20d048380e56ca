"""A script's packet -> the bytes to inject.

Everything that the script does not say is harmless: ports and addresses of the flow, 255 hops, not ECN-capable,
a window of 65535, zeros for payload.  What it does say is done, however wrong it is for TCP.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from usertcp.drill.packets import encapsulation, icmp_words, options
from usertcp.drill.packets.errors import Unbuildable
from usertcp.drill.packets.flow import Flow
from usertcp.drill.script import IcmpPacket, IpInfo, Packet, Sequence, TcpOption, TcpPacket, UdpPacket
from usertcp.wire import checksum, codepoint, icmp, ipv4, ipv6, tcp

_UDP: Final = 17
_TTL: Final = 255
_WINDOW: Final = 0xFFFF

FLAG_BITS: Final = {
    "F": tcp.FIN,
    "S": tcp.SYN,
    "R": tcp.RST,
    "P": tcp.PSH,
    "U": tcp.URG,
    "E": tcp.ECE,
    "W": tcp.CWR,
    "A": tcp.AE,
    ".": tcp.ACK,
}
#: RFC 9768 §3.2.1: AE, CWR and ECE as one number.
ACE_SHIFT: Final = 6
#: What each word for the ECN field allows; the first one is what we send.
ECN_WORDS: Final = {
    "noecn": (codepoint.NOT_ECT,),
    "ect1": (codepoint.ECT_1,),
    "ect0": (codepoint.ECT_0,),
    "ect01": (codepoint.ECT_0, codepoint.ECT_1),
    "ce": (codepoint.CE,),
}

_TCP_HEADER = Struct("!HHIIHHHH")
_UDP_HEADER = Struct("!HHHH")
_ICMP_HEADER = Struct("!BBHI")
#: RFC 792: an error quotes the IP header and this much.
_QUOTED = 8


def build(packet: Packet, flow: Flow) -> bytes:
    """The IP packet that the other end of ``flow`` sends, to be injected as one, however long it is.

    Tells ``flow`` of it.  Raises Unbuildable where no packet can say what the script says.
    """
    if packet.ip.flow_label is not None and len(flow.local) == 4:
        raise Unbuildable("a flow label in IPv4")
    match packet:
        case TcpPacket():
            body = _tcp(packet, flow)
            protocol = tcp.PROTOCOL
            flow.injected(flag_bits(packet), flow.inbound_seq(packet.sequence.start))
        case UdpPacket():
            body = _udp(packet, flow)
            protocol = _UDP
        case IcmpPacket():
            body = _icmp(packet, flow)
            protocol = icmp.PROTOCOL_V4 if len(flow.local) == 4 else icmp.PROTOCOL_V6
    return encapsulation.wrap(_ip_header(packet.ip, flow.remote, flow.local, protocol, len(body)) + body, packet.outer)


def flag_bits(packet: TcpPacket) -> int:
    """The nine flags of the segment as on the wire."""
    bits = sum(FLAG_BITS[letter] for letter in packet.flags)
    return bits if packet.ace is None else bits | packet.ace << ACE_SHIFT


def _ip_header(info: IpInfo, source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    ttl = _TTL if info.ttl is None else info.ttl
    tos = info.tos or 0
    if info.ecn is not None:
        tos = tos & ~codepoint.FIELD | ECN_WORDS[info.ecn][0]
    label = info.flow_label or 0
    if not 0 <= ttl <= 0xFF or not 0 <= tos <= 0xFF or not 0 <= label <= 0xFFFFF:
        raise Unbuildable("TTL, TOS or flow label is out of its range")
    try:
        if len(source) == 4:
            return ipv4.emit(ipv4.Header(source, destination, protocol, ttl, tos, dont_fragment=True), length)
        return ipv6.emit(ipv6.Header(source, destination, protocol, ttl, tos, label), length)
    except ValueError as error:
        raise Unbuildable(str(error)) from None


def _ports(flow: Flow) -> tuple[int, int]:
    """Local and remote."""
    if flow.local_port is None or flow.remote_port is None:
        raise Unbuildable("the ports of this connection are not known before its first packet went out")
    return flow.local_port, flow.remote_port


def _sum(data: bytes, source: bytes, destination: bytes, protocol: int) -> int:
    return checksum.finish(
        checksum.ones_sum(data) + checksum.pseudo_header_sum(source, destination, protocol, len(data))
    )


# -- TCP


def _tcp(packet: TcpPacket, flow: Flow) -> bytes:
    local_port, remote_port = _ports(flow)
    sequence = packet.sequence
    seq = sequence.start & 0xFFFFFFFF if sequence.absolute else flow.inbound_seq(sequence.start)
    window = _WINDOW if packet.window is None else packet.window
    urgent = packet.urgent or 0
    if not 0 <= window <= 0xFFFF or not 0 <= urgent <= 0xFFFF:
        raise Unbuildable("window and urgent pointer have 16 bits")
    encoded = options.encode(tuple(_live_option(option, flow) for option in packet.options or ()))
    payload = _payload(sequence.length)
    offset_and_flags = (tcp.HEADER_LENGTH + len(encoded)) << 10 | flag_bits(packet)
    fields = (remote_port, local_port, seq, _ack(packet, flow), offset_and_flags, window)
    unsummed = _TCP_HEADER.pack(*fields, 0, urgent) + encoded + payload
    total = _sum(unsummed, flow.remote, flow.local, tcp.PROTOCOL)
    return _TCP_HEADER.pack(*fields, total, urgent) + encoded + payload


def _ack(packet: TcpPacket, flow: Flow) -> int:
    number = packet.ack or 0
    # Without the flag the field has no meaning, and so none to be mapped.
    absolute = packet.ack_absolute or "." not in packet.flags
    return number & 0xFFFFFFFF if absolute else flow.inbound_ack(number)


def _live_option(option: TcpOption, flow: Flow) -> TcpOption:
    values = option.values
    if option.kind == "sack":
        return TcpOption("sack", tuple(map(flow.inbound_ack, values)))
    if option.kind == "TS" and len(values) == 2:
        return TcpOption("TS", (values[0], flow.inbound_ecr(values[1])))
    return option


def _payload(length: int) -> bytes:
    if not 0 <= length <= ipv4.MAX_LENGTH:
        raise Unbuildable(f"a payload of {length} bytes does not fit into a packet")
    return bytes(length)


# -- UDP and ICMP


def _udp(packet: UdpPacket, flow: Flow) -> bytes:
    local_port, remote_port = _ports(flow)
    payload = _payload(packet.length)
    length = 8 + len(payload)
    if length > 0xFFFF:
        raise Unbuildable(f"a UDP payload of {packet.length} bytes does not fit into a packet")
    total = _sum(_UDP_HEADER.pack(remote_port, local_port, length, 0) + payload, flow.remote, flow.local, _UDP)
    # RFC 768: 0 would say that there is none.
    return _UDP_HEADER.pack(remote_port, local_port, length, total or 0xFFFF) + payload


def _icmp(packet: IcmpPacket, flow: Flow) -> bytes:
    version = 4 if len(flow.local) == 4 else 6
    kind = icmp_words.number_of_type(packet.type, version)
    code = icmp_words.number_of_code(packet.code, kind, version)
    word = packet.mtu or 0
    if not 0 <= word <= (0xFFFF if version == 4 else 0xFFFFFFFF):
        raise Unbuildable(f"an MTU of {word} does not fit into ICMP")
    body = _quoted(packet, flow) if icmp_words.is_error(kind, version) else b""
    unsummed = _ICMP_HEADER.pack(kind, code, 0, word) + body
    if version == 4:
        total = checksum.finish(checksum.ones_sum(unsummed))
    else:
        total = _sum(unsummed, flow.remote, flow.local, icmp.PROTOCOL_V6)
    return _ICMP_HEADER.pack(kind, code, total, word) + body


def _quoted(packet: IcmpPacket, flow: Flow) -> bytes:
    """The start of the packet of ours that the message is about."""
    local_port, remote_port = _ports(flow)
    if packet.echoed_udp is not None:
        length = 8 + len(_payload(packet.echoed_udp))
        if length > 0xFFFF:
            raise Unbuildable("the quoted datagram does not fit into a packet")
        upper = _UDP_HEADER.pack(local_port, remote_port, length, 0)
        return _ip_header(IpInfo(ttl=64), flow.local, flow.remote, _UDP, length) + upper
    sequence = packet.echoed_tcp or Sequence(0, 0, 0)
    seq = sequence.start & 0xFFFFFFFF if sequence.absolute else flow.inbound_ack(sequence.start)
    length = tcp.HEADER_LENGTH + len(_payload(sequence.length))
    upper = _TCP_HEADER.pack(local_port, remote_port, seq, 0, 5 << 12, 0, 0, 0)[:_QUOTED]
    return _ip_header(IpInfo(ttl=64), flow.local, flow.remote, tcp.PROTOCOL, length) + upper
