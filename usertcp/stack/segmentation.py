"""TCP segmentation in software, for kernels that refuse a super-segment which they said they would take.

Does what the kernel does with a packet whose virtio header asks for it (``GSO_TCPV4``, ``GSO_TCPV6``):
the TCP payload is cut into pieces of ``gso_size`` bytes, each behind a copy of the headers.
"""

from __future__ import annotations

import struct
from typing import Final

from usertcp.wire import checksum, virtio
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import CWR, FIN, PSH

_NO_OFFLOAD: Final = bytes(virtio.LENGTH)
_TCP: Final = 6


def segment_packet(packet: bytes) -> list[bytes]:
    """Cut one outgoing super-segment (virtio header, IP, TCP, payload) into packets ready to write.

    Each result starts with an empty virtio header and has checksums of its own, sequence numbers that
    follow one another and, for IPv4, identifications that do.  FIN and PSH stay with the last piece and
    CWR with the first (RFC 3168 §6.1.2: once per window).

    The packet must be our own: a well-formed header that nobody fragmented.
    """
    header = virtio.parse(packet)
    if isinstance(header, Malformed) or not header.gso_size:
        raise ValueError("not a super-segment")
    mss, tcp_start = header.gso_size, header.csum_start
    ip = packet[virtio.LENGTH :]
    payload_start = tcp_start + (ip[tcp_start + 12] >> 4) * 4
    headers, payload = ip[:payload_start], ip[payload_start:]
    pieces = [payload[at : at + mss] for at in range(0, len(payload), mss)] or [b""]
    return [
        _NO_OFFLOAD + _piece(headers, tcp_start, piece, number, number * mss, number == len(pieces) - 1)
        for number, piece in enumerate(pieces)
    ]


def _piece(headers: bytes, tcp_start: int, payload: bytes, number: int, offset: int, last: bool) -> bytes:
    """One packet: the headers corrected for `payload`, which is `offset` bytes into the super-segment."""
    ip = bytearray(headers[:tcp_start])
    tcp = bytearray(headers[tcp_start:])
    if ip[0] >> 4 == 4:
        _correct_ipv4(ip, len(tcp) + len(payload), number)
        addresses = ip[12:20]
    else:
        struct.pack_into("!H", ip, 4, len(ip) - 40 + len(tcp) + len(payload))
        addresses = ip[8:40]
    _correct_tcp(tcp, offset, first=number == 0, last=last)
    half = len(addresses) // 2
    total = checksum.pseudo_header_sum(
        bytes(addresses[:half]), bytes(addresses[half:]), _TCP, len(tcp) + len(payload)
    )
    total += checksum.ones_sum(bytes(tcp)) + checksum.ones_sum(payload)
    struct.pack_into("!H", tcp, 16, checksum.finish(total))
    return bytes(ip + tcp) + payload


def _correct_ipv4(ip: bytearray, length: int, number: int) -> None:
    identification = int.from_bytes(ip[4:6], "big") + number
    struct.pack_into("!HH", ip, 2, len(ip) + length, identification & 0xFFFF)
    struct.pack_into("!H", ip, 10, 0)
    struct.pack_into("!H", ip, 10, checksum.finish(checksum.ones_sum(bytes(ip))))


def _correct_tcp(tcp: bytearray, offset: int, *, first: bool, last: bool) -> None:
    seq = (int.from_bytes(tcp[4:8], "big") + offset) & 0xFFFF_FFFF
    flags = tcp[13]
    if not last:
        flags &= ~(FIN | PSH)
    if not first:
        flags &= ~CWR
    struct.pack_into("!I", tcp, 4, seq)
    tcp[13] = flags
    struct.pack_into("!H", tcp, 16, 0)
