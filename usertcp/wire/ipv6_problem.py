"""What is wrong with the headers of an IPv6 packet, as an ICMPv6 parameter problem says it (RFC 8200 §4)."""

from __future__ import annotations

from typing import NamedTuple

from usertcp.wire import icmp, ipv6
from usertcp.wire.buffer import Buffer

_EXTENSIONS = (ipv6.HOP_BY_HOP, ipv6.ROUTING, ipv6.FRAGMENT, ipv6.DESTINATION_OPTIONS)
_PAYLOAD_LENGTH_AT = 4
_NEXT_HEADER_AT = 6
_LARGEST_ERROR = 127


class Problem(NamedTuple):
    """Code of a parameter problem, and the offset in bytes of what it is about (RFC 4443 §3.4)."""

    code: int
    pointer: int


#: A packet that is discarded, and nothing said.
_SILENT = Problem(-1, -1)
_INCOMPLETE = Problem(icmp.V6_INCOMPLETE_CHAIN, 0)


def problem_of(packet: Buffer) -> Problem | None:
    """The first problem that the sender of ``packet``, of at least 40 bytes, is to be told of; None: there is none.

    Not of one in a packet that cannot be walked to its end, but where that is the problem, nor in an ICMPv6 error
    (RFC 4443 §2.4(e)).
    """
    end = min(len(packet), ipv6.HEADER_LENGTH + int.from_bytes(packet[4:6], "big"))
    kind, kind_at, offset = packet[_NEXT_HEADER_AT], _NEXT_HEADER_AT, ipv6.HEADER_LENGTH
    found: Problem | None = None
    while kind in _EXTENSIONS:
        following = _end_of(packet, kind, offset, end)
        if following is None:
            return found if found is _INCOMPLETE else None
        found = found or _problem(packet, kind, kind_at, offset, following, end)
        if kind == ipv6.FRAGMENT and int.from_bytes(packet[offset + 2 : offset + 4], "big") & 0xFFF8:
            break  # what follows is a piece of anything
        kind, kind_at, offset = packet[offset], offset, following
    else:
        if kind == icmp.PROTOCOL_V6 and (offset >= end or packet[offset] <= _LARGEST_ERROR):
            return None
    return None if found is _SILENT else found


def _end_of(packet: Buffer, kind: int, offset: int, end: int) -> int | None:
    """Where the extension header at ``offset`` ends; None: beyond the packet."""
    if offset + 8 > end:
        return None
    # A fragment header has no length: the byte is reserved, and the header always 8 bytes.
    following = offset + (8 if kind == ipv6.FRAGMENT else 8 + packet[offset + 1] * 8)
    return following if following <= end else None


def _problem(packet: Buffer, kind: int, kind_at: int, offset: int, following: int, end: int) -> Problem | None:
    if kind == ipv6.ROUTING:
        # RFC 8200 §4.4: segments left, and no type that a host would know
        return Problem(icmp.V6_ERRONEOUS_HEADER, offset + 2) if packet[offset + 3] else None
    if kind == ipv6.FRAGMENT:
        return _of_fragment(packet, offset, end)
    if kind == ipv6.HOP_BY_HOP and offset != ipv6.HEADER_LENGTH:
        return Problem(icmp.V6_UNRECOGNIZED_NEXT_HEADER, kind_at)  # RFC 8200 §4
    return _of_options(packet, offset + 2, following)


def _of_fragment(packet: Buffer, offset: int, end: int) -> Problem | None:
    """RFC 8200 §4.5: a length that is no multiple of 8, a datagram that would be too long, or headers left out."""
    position = int.from_bytes(packet[offset + 2 : offset + 4], "big")
    length = end - (offset + 8)
    if position & 1 and length & 7:
        return Problem(icmp.V6_ERRONEOUS_HEADER, _PAYLOAD_LENGTH_AT)
    if (position & 0xFFF8) + length > ipv6.MAX_PAYLOAD:
        return Problem(icmp.V6_ERRONEOUS_HEADER, offset + 2)
    if position == 1 and ipv6.is_incomplete(packet[offset + 8 : end], packet[offset]):
        return _INCOMPLETE
    return None


def _of_options(packet: Buffer, at: int, end: int) -> Problem | None:
    """RFC 8200 §4.2: the highest bits of an unknown option's type say what becomes of the packet.

    00: nothing; 01: it is discarded silently; 10 and, where it is for no group, 11: its sender is told.
    """
    while at < end:
        kind = packet[at]
        if kind & 0x80:
            return Problem(icmp.V6_UNRECOGNIZED_OPTION, at)
        if kind & 0x40:
            return _SILENT
        if not kind:
            at += 1
        elif at + 1 < end:
            at += 2 + packet[at + 1]
        else:
            return _SILENT  # no room for its length
    return None
