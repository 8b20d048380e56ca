"""The Internet checksum (RFC 1071), on whole buffers at once.

2**16 is 1 modulo 0xFFFF, so the ones' complement sum of 16-bit words is the buffer, read as one large
integer, modulo 0xFFFF.  Wider words may be added the same way: a 32-bit field counts as its two halves.
"""

from __future__ import annotations

from usertcp.wire.buffer import Buffer

#: Above this many bytes an integer is folded in half before it is divided: additions run faster than
#: the one long division.
_FOLD_FROM = 1024


def ones_sum(data: Buffer) -> int:
    """The ones' complement sum of ``data`` as 16-bit big-endian words, an odd last byte zero-padded.

    0 only if every byte is zero, else 1 .. 0xFFFF (so 0xFFFF is a sum that vanishes).
    """
    total = int.from_bytes(data, "big")
    size = len(data)
    if size & 1:
        total <<= 8
    while size > _FOLD_FROM:
        size = (size // 2 + 3) & ~1
        total = (total >> 8 * size) + (total & (1 << 8 * size) - 1)
    return total % 0xFFFF or (0xFFFF if total else 0)


def pseudo_header_sum(src: bytes, dst: bytes, protocol: int, length: int) -> int:
    """Folded, uncomplemented sum of the pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1), 1 .. 0xFFFF.

    ``length`` is that of the upper-layer packet in bytes.
    """
    total = int.from_bytes(src, "big") + int.from_bytes(dst, "big") + protocol + length
    return total % 0xFFFF or 0xFFFF


def finish(total: int) -> int:
    """The value of the checksum field for a sum ``total`` (any size, not negative)."""
    return -total % 0xFFFF if total else 0xFFFF
