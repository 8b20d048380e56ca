"""IPv4 headers (RFC 791 §3.1)."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from usertcp.wire.buffer import Buffer
from usertcp.wire.checksum import finish, ones_sum
from usertcp.wire.malformed import Malformed

HEADER_LENGTH: Final = 20
MAX_LENGTH: Final = 0xFFFF

_DONT_FRAGMENT = 0x4000
_MORE_FRAGMENTS = 0x2000
_OFFSET_MASK = 0x1FFF

# version and IHL, TOS, total length, identification, flags and offset, TTL, protocol, (checksum,) src, dst
_FORMAT = Struct("!BBHHHBB2x4s4s")


class Header(NamedTuple):
    """One IPv4 header; the payload is ``packet[header_length:total_length]``.

    ``fragment_offset``, ``total_length`` and ``header_length`` are bytes.  ``options`` are raw, and a
    multiple of 4 bytes when parsed.
    """

    src: bytes
    dst: bytes
    protocol: int
    ttl: int = 64
    tos: int = 0
    identification: int = 0
    dont_fragment: bool = False
    more_fragments: bool = False
    fragment_offset: int = 0
    options: bytes = b""
    total_length: int = HEADER_LENGTH
    header_length: int = HEADER_LENGTH


def parse(packet: Buffer) -> Header | Malformed:
    """Version, lengths and header checksum are verified (RFC 1122 §3.2.1).

    Bytes after the total length are padding of some link and not ours to judge.
    """
    size = len(packet)
    if size < HEADER_LENGTH:
        return Malformed.IPV4_HEADER_TRUNCATED
    first, tos, total_length, identification, fragment, ttl, protocol, src, dst = _FORMAT.unpack_from(packet)
    header_length = HEADER_LENGTH
    options = b""
    if first != 0x45:
        if first >> 4 != 4:
            return Malformed.IPV4_VERSION
        header_length = (first & 0xF) * 4
        if header_length < HEADER_LENGTH:
            return Malformed.IPV4_HEADER_LENGTH
        if header_length > size:
            return Malformed.IPV4_HEADER_TRUNCATED
        options = bytes(packet[HEADER_LENGTH:header_length])
    if not header_length <= total_length <= size:
        return Malformed.IPV4_TOTAL_LENGTH
    # A first byte of 0x4N keeps the sum from being a true zero, so "divisible" is "correct".
    if int.from_bytes(packet[:header_length], "big") % 0xFFFF:
        return Malformed.IPV4_CHECKSUM
    return tuple.__new__(
        Header,
        (
            src,
            dst,
            protocol,
            ttl,
            tos,
            identification,
            fragment & _DONT_FRAGMENT != 0,
            fragment & _MORE_FRAGMENTS != 0,
            (fragment & _OFFSET_MASK) * 8,
            options,
            total_length,
            header_length,
        ),
    )


def emit(header: Header, payload_length: int) -> bytes:
    """The header with its checksum, for ``payload_length`` bytes that follow it.

    Both lengths in ``header`` are ignored; options are zero-padded to 32 bits.  Raises ValueError for
    what no IPv4 header can say.
    """
    options = header.options
    if len(options) & 3:
        options += bytes(-len(options) & 3)
    header_length = HEADER_LENGTH + len(options)
    total_length = header_length + payload_length
    if header_length > 60 or total_length > MAX_LENGTH:
        raise ValueError("IPv4 options or payload too long")
    if header.fragment_offset & 7 or not 0 <= header.fragment_offset >> 3 <= _OFFSET_MASK:
        raise ValueError("IPv4 fragment offset must be a multiple of 8 below 65536")
    fragment = header.fragment_offset >> 3
    if header.dont_fragment:
        fragment |= _DONT_FRAGMENT
    if header.more_fragments:
        fragment |= _MORE_FRAGMENTS
    first = 0x40 | header_length >> 2
    unsummed = _FORMAT.pack(
        first, header.tos, total_length, header.identification, fragment, header.ttl, header.protocol,
        header.src, header.dst,
    ) + options  # fmt: skip
    checksum = finish(ones_sum(unsummed))
    return unsummed[:10] + checksum.to_bytes(2, "big") + unsummed[12:]
