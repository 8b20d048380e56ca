"""A packet from the wire, read strictly: what every outbound packet must be, whatever the script says.

Reading never raises.  What is wrong is a :class:`Difference` of its own, and as much as possible is read on.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from usertcp.drill.packets import options as tcp_options
from usertcp.drill.packets.encapsulation import peel
from usertcp.drill.script import OuterHeader, TcpOption
from usertcp.wire import checksum, icmp, ipv4, ipv6, tcp
from usertcp.wire.malformed import Malformed

UDP: Final = 17
_UDP_HEADER_LENGTH = 8
_TCP_HEADER = Struct("!HHIIHHHH")
_UDP_HEADER = Struct("!HHHH")
_ICMP_HEADER = Struct("!BBHI")
#: Between the data offset and AE (RFC 9293 §3.1, RFC 9768 §3.1).
_TCP_RESERVED = 0xE00
_TCP_FLAGS = 0x1FF
_IPV4_RESERVED = 0x80


class Difference(NamedTuple):
    """One field that is not as it should be; the values as text, safe for a terminal."""

    field: str
    expected: str
    actual: str


class Endpoints(NamedTuple):
    """Between whom a packet goes: addresses of 4 or 16 bytes; ports are 0 where there are none."""

    source: bytes
    source_port: int
    destination: bytes
    destination_port: int


@dataclass(frozen=True, slots=True)
class LiveTcp:
    """A TCP segment with the numbers on the wire; ``payload`` as it came."""

    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    window: int
    urgent: int
    options: tuple[TcpOption, ...]
    payload: bytes


@dataclass(frozen=True, slots=True)
class LiveUdp:
    """A UDP datagram."""

    source_port: int
    destination_port: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class LiveIcmp:
    """An ICMP message of the family of its IP header; ``word`` is what follows the checksum, ``body`` the rest."""

    type: int
    code: int
    word: int
    body: bytes


Body: TypeAlias = LiveTcp | LiveUdp | LiveIcmp | None


@dataclass(frozen=True, slots=True)
class Live:
    """A packet.  ``version`` 0: not even an IP header could be read; ``body`` None: another protocol, or unreadable.

    ``faults`` are what no packet of any script may have.
    """

    version: int = 0
    source: bytes = b""
    destination: bytes = b""
    ttl: int = 0
    tos: int = 0
    flow_label: int = 0
    protocol: int = 0
    outer: tuple[OuterHeader, ...] = ()
    body: Body = None
    faults: tuple[Difference, ...] = ()

    @property
    def ends(self) -> Endpoints:
        """For an ICMP error, those of the packet that it quotes, as that packet had them."""
        body = self.body
        if isinstance(body, LiveIcmp):
            quoted = icmp.quoted(body.body, self.version)
            if isinstance(quoted, icmp.Quoted):
                return Endpoints(quoted.src, quoted.src_port, quoted.dst, quoted.dst_port)
        elif body is not None:
            return Endpoints(self.source, body.source_port, self.destination, body.destination_port)
        return Endpoints(self.source, 0, self.destination, 0)


class _Ip(NamedTuple):
    version: int
    source: bytes
    destination: bytes
    ttl: int
    tos: int
    flow_label: int
    protocol: int
    payload: bytes


def read(packet: bytes) -> Live:
    """The packet that fills ``packet``: from its first IP header on, without a virtio header."""
    outer, inner, problem = peel(packet)
    if problem:
        return Live(outer=outer, faults=(Difference("outer header", "well-formed", problem),))
    faults: list[Difference] = []
    ip = _read_ip(inner, faults)
    if ip is None:
        return Live(outer=outer, faults=tuple(faults))
    body = _read_body(ip, faults)
    return Live(
        ip.version, ip.source, ip.destination, ip.ttl, ip.tos, ip.flow_label, ip.protocol, outer, body, tuple(faults)
    )


def _read_ip(packet: bytes, faults: list[Difference]) -> _Ip | None:
    version = packet[0] >> 4 if packet else 0
    header = ipv6.parse(packet) if version == 6 else ipv4.parse(packet)
    if isinstance(header, Malformed):
        field = "ip checksum" if header is Malformed.IPV4_CHECKSUM else "ip header"
        faults.append(Difference(field, "right", header.meaning))
        return None
    if isinstance(header, ipv6.Header):
        start, end = header.payload_offset, header.payload_offset + header.payload_length
        fragment = header.fragment is not None
        found = _Ip(
            6, header.src, header.dst, header.hop_limit, header.traffic_class, header.flow_label, header.next_header,
            packet[start:end],
        )  # fmt: skip
    else:
        start, end = header.header_length, header.total_length
        fragment = header.more_fragments or header.fragment_offset != 0
        if packet[6] & _IPV4_RESERVED:
            faults.append(Difference("ip reserved bit", "0", "1"))
        found = _Ip(4, header.src, header.dst, header.ttl, header.tos, 0, header.protocol, packet[start:end])
    if end != len(packet):
        faults.append(Difference("ip length", str(len(packet)), str(end)))
    if fragment:
        faults.append(Difference("fragment", "no", "yes"))
    return found


def _read_body(ip: _Ip, faults: list[Difference]) -> Body:
    if ip.protocol == tcp.PROTOCOL:
        return _read_tcp(ip, faults)
    if ip.protocol == UDP:
        return _read_udp(ip, faults)
    if ip.protocol == (icmp.PROTOCOL_V6 if ip.version == 6 else icmp.PROTOCOL_V4):
        return _read_icmp(ip, faults)
    return None


def _read_tcp(ip: _Ip, faults: list[Difference]) -> LiveTcp | None:
    data = ip.payload
    if len(data) < tcp.HEADER_LENGTH:
        faults.append(Difference("tcp header", "at least 20 bytes", f"{len(data)} bytes"))
        return None
    source_port, destination_port, seq, ack, offset_and_flags, window, _, urgent = _TCP_HEADER.unpack_from(data)
    _check_sum("tcp checksum", ip, faults)
    header_length = offset_and_flags >> 12 << 2
    if not tcp.HEADER_LENGTH <= header_length <= len(data):
        faults.append(Difference("tcp data offset", f"20 to {len(data)} bytes", f"{header_length} bytes"))
        return None
    if offset_and_flags & _TCP_RESERVED:
        faults.append(Difference("tcp reserved bits", "0", str(offset_and_flags >> 9 & 7)))
    options, problem = tcp_options.decode(data[tcp.HEADER_LENGTH : header_length])
    if problem:
        faults.append(Difference("tcp options", "well-formed", problem))
    return LiveTcp(
        source_port, destination_port, seq, ack, offset_and_flags & _TCP_FLAGS, window, urgent, options,
        data[header_length:],
    )  # fmt: skip


def _read_udp(ip: _Ip, faults: list[Difference]) -> LiveUdp | None:
    data = ip.payload
    if len(data) < _UDP_HEADER_LENGTH:
        faults.append(Difference("udp header", "8 bytes", f"{len(data)} bytes"))
        return None
    source_port, destination_port, length, told = _UDP_HEADER.unpack_from(data)
    if length != len(data):
        faults.append(Difference("udp length", str(len(data)), str(length)))
    if told or ip.version == 6:  # RFC 8200 §8.1: only IPv4 may leave it out
        _check_sum("udp checksum", ip, faults)
    return LiveUdp(source_port, destination_port, data[_UDP_HEADER_LENGTH:])


def _read_icmp(ip: _Ip, faults: list[Difference]) -> LiveIcmp | None:
    data = ip.payload
    if len(data) < icmp.HEADER_LENGTH:
        faults.append(Difference("icmp header", "8 bytes", f"{len(data)} bytes"))
        return None
    kind, code, _, word = _ICMP_HEADER.unpack_from(data)
    _check_sum("icmp checksum", ip, faults)
    return LiveIcmp(kind, code, word, data[icmp.HEADER_LENGTH :])


#: Protocol -> where the checksum stands in its header.
_CHECKSUM_AT: Final = {tcp.PROTOCOL: 16, UDP: 6, icmp.PROTOCOL_V4: 2, icmp.PROTOCOL_V6: 2}


def _check_sum(field: str, ip: _Ip, faults: list[Difference]) -> None:
    data = ip.payload
    pseudo = 0
    if ip.protocol != icmp.PROTOCOL_V4:
        pseudo = checksum.pseudo_header_sum(ip.source, ip.destination, ip.protocol, len(data))
    if (checksum.ones_sum(data) + pseudo) % 0xFFFF == 0:
        return
    at = _CHECKSUM_AT[ip.protocol]
    right = checksum.finish(checksum.ones_sum(data[:at] + b"\0\0" + data[at + 2 :]) + pseudo)
    actual = int.from_bytes(data[at : at + 2], "big")
    faults.append(Difference(field, f"{right:#06x}", f"{actual:#06x}"))
