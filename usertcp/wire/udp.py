"""UDP headers (RFC 768)."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from usertcp.wire.buffer import Buffer
from usertcp.wire.checksum import finish, ones_sum, pseudo_header_sum
from usertcp.wire.malformed import Malformed

PROTOCOL: Final = 17
HEADER_LENGTH: Final = 8
MAX_LENGTH: Final = 0xFFFF

# source port, destination port, length, checksum
_FORMAT = Struct("!HHHH")


class Header(NamedTuple):
    """One UDP header; ``length`` counts it and the payload, in bytes."""

    src_port: int
    dst_port: int
    length: int


def parse(data: Buffer, src: bytes, dst: bytes, *, verify: bool = True) -> Header | Malformed:
    """The header of the datagram at the start of ``data``; bytes beyond its length are not its.

    ``verify``: its checksum must be right (RFC 8200 §8.1 wants one with IPv6).
    """
    if len(data) < HEADER_LENGTH:
        return Malformed.UDP_HEADER_TRUNCATED
    src_port, dst_port, length, checksum = _FORMAT.unpack_from(data)
    if not HEADER_LENGTH <= length <= len(data):
        return Malformed.UDP_LENGTH
    if not verify:
        return Header(src_port, dst_port, length)
    if not checksum:
        return Header(src_port, dst_port, length) if len(src) == 4 else Malformed.UDP_CHECKSUM
    if (ones_sum(data[:length]) + pseudo_header_sum(src, dst, PROTOCOL, length)) % 0xFFFF:
        return Malformed.UDP_CHECKSUM
    return Header(src_port, dst_port, length)


def emit(src: bytes, dst: bytes, src_port: int, dst_port: int, payload: Buffer) -> bytes:
    """The header before ``payload``, with its checksum.  Raises ValueError for a payload that is too long."""
    length = HEADER_LENGTH + len(payload)
    if length > MAX_LENGTH:
        raise ValueError(f"a UDP datagram of {length} bytes")
    unsummed = _FORMAT.pack(src_port, dst_port, length, 0)
    total = pseudo_header_sum(src, dst, PROTOCOL, length) + ones_sum(unsummed) + ones_sum(payload)
    return _FORMAT.pack(src_port, dst_port, length, finish(total) or 0xFFFF)
