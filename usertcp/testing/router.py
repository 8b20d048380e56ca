"""What a router does with a packet that the next link cannot carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from usertcp.wire import icmp, ipv4, ipv6
from usertcp.wire.malformed import Malformed

#: The address from which a router speaks, in each family (RFC 7600, RFC 6666: neither is anybody's).
ADDRESS_V4: Final = bytes([192, 0, 0, 8])
ADDRESS_V6: Final = bytes.fromhex("0100") + bytes(13) + b"\1"


def fragments(packet: bytes, mtu: int) -> list[bytes] | None:
    """An IPv4 packet in pieces of at most ``mtu`` bytes (RFC 791 §3.2); None where it must not be divided."""
    header = ipv4.parse(packet) if packet[0] >> 4 == 4 else Malformed.IPV4_VERSION
    if isinstance(header, Malformed) or header.dont_fragment:
        return None
    return list(_pieces(header, memoryview(packet)[header.header_length : header.total_length], mtu))


def _pieces(header: ipv4.Header, payload: memoryview, mtu: int) -> Iterator[bytes]:
    size = mtu - header.header_length & ~7
    for offset in range(0, len(payload), size):
        piece = payload[offset : offset + size]
        place = header._replace(
            fragment_offset=header.fragment_offset + offset,
            more_fragments=header.more_fragments or offset + size < len(payload),
        )
        yield ipv4.emit(place, len(piece)) + piece


def too_big(packet: bytes, mtu: int) -> bytes:
    """The message to the sender of ``packet`` that the next link carries only ``mtu`` bytes (RFC 1191 §4, RFC 8201)."""
    message = icmp.PacketTooBig(mtu, packet)
    if packet[0] >> 4 == 4:
        body, sender = icmp.emit_v4(message), packet[12:16]
        return ipv4.emit(ipv4.Header(ADDRESS_V4, sender, icmp.PROTOCOL_V4), len(body)) + body
    sender = packet[8:24]
    body = icmp.emit_v6(message, ADDRESS_V6, sender)
    return ipv6.emit(ipv6.Header(ADDRESS_V6, sender, icmp.PROTOCOL_V6), len(body)) + body
