"""Fragmentation of what we send: IPv4 (RFC 791 §3.2) and IPv6 (RFC 8200 §4.5).

TCP never needs it; the answer to a ping that is longer than the link's MTU does.
"""

from __future__ import annotations

from collections.abc import Iterator

from usertcp.wire import ipv4, ipv6
from usertcp.wire.buffer import Buffer

# A fragment header's 8 bytes come on top in IPv6.
_OVERHEAD_V4 = ipv4.HEADER_LENGTH
_OVERHEAD_V6 = ipv6.HEADER_LENGTH + 8


def packets(
    src: bytes, dst: bytes, protocol: int, payload: Buffer, *, mtu: int, identification: int
) -> Iterator[tuple[bytes, Buffer]]:
    """One datagram as packets of at most ``mtu`` bytes, each a header and what follows it.

    ``payload`` begins with the upper layer's header and is at most 65,515 bytes long (IPv6: 65,535);
    ``mtu`` is at least 68 bytes (RFC 791; IPv6: 1280).  ``identification`` (32 bits, of which IPv4 uses 16)
    tells the fragments of this datagram from others between these addresses.
    """
    is_ipv4 = len(src) == 4
    whole = ipv4.HEADER_LENGTH if is_ipv4 else ipv6.HEADER_LENGTH
    if whole + len(payload) <= mtu:
        yield _whole_header(src, dst, protocol, len(payload)), payload
        return
    # All but the last carry a multiple of 8 bytes.
    size = mtu - (_OVERHEAD_V4 if is_ipv4 else _OVERHEAD_V6) & ~7
    view = memoryview(payload)
    for offset in range(0, len(view), size):
        piece = view[offset : offset + size]
        more = offset + size < len(view)
        yield _fragment_header(src, dst, protocol, identification, offset, more, len(piece)), piece


def _whole_header(src: bytes, dst: bytes, protocol: int, length: int) -> bytes:
    if len(src) == 4:
        return ipv4.emit(ipv4.Header(src, dst, protocol), length)
    return ipv6.emit(ipv6.Header(src, dst, protocol), length)


def _fragment_header(
    src: bytes, dst: bytes, protocol: int, identification: int, offset: int, more: bool, length: int
) -> bytes:
    if len(src) == 4:
        return ipv4.emit(
            ipv4.Header(
                src,
                dst,
                protocol,
                identification=identification & 0xFFFF,
                more_fragments=more,
                fragment_offset=offset,
            ),
            length,
        )
    fragment = ipv6.Fragment(offset, more, identification)
    return ipv6.emit(ipv6.Header(src, dst, protocol, fragment=fragment), length)
