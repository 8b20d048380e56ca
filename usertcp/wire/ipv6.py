"""IPv6 headers with their extension headers (RFC 8200 §3, §4)."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from usertcp.wire.buffer import Buffer
from usertcp.wire.malformed import Malformed

HEADER_LENGTH: Final = 40
MAX_PAYLOAD: Final = 0xFFFF

HOP_BY_HOP: Final = 0
ROUTING: Final = 43
FRAGMENT: Final = 44
NO_NEXT_HEADER: Final = 59
DESTINATION_OPTIONS: Final = 60

#: RFC 8504 §5.3 allows a host to limit how many extension headers it walks.
MAX_EXTENSIONS: Final = 8

_EXTENSIONS = frozenset((HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS))
#: How long the headers of upper layers are at least: TCP, UDP, ICMPv6, and none at all; what is not known here has a
#: byte.
_UPPER_LAYER = {6: 20, 17: 8, 58: 8, NO_NEXT_HEADER: 0}
_MORE_FRAGMENTS = 1
_PAD1 = 0
_PADN = 1
_ROUTER_ALERT = 5
_JUMBO_PAYLOAD = 0xC2
_KNOWN_OPTIONS = frozenset((_PADN, _ROUTER_ALERT))

# version, traffic class and flow label, payload length, next header, hop limit, src, dst
_FORMAT = Struct("!IHBB16s16s")
# next header, reserved, offset and more, identification
_FRAGMENT_FORMAT = Struct("!BBHI")


class Extension(NamedTuple):
    """An extension header: its type, and its bytes after "next header" and "length"."""

    kind: int
    data: bytes


class Fragment(NamedTuple):
    """The fragment header of a real fragment: ``offset`` in bytes."""

    offset: int
    more: bool
    identification: int


class Header(NamedTuple):
    """One IPv6 header and what follows it up to the upper layer.

    ``next_header`` is the type of what starts at ``packet[payload_offset:]`` and is ``payload_length``
    bytes long.  Behind a fragment header that is the fragment's piece, not parsed any further, and
    ``fragment`` is set.  A fragment header around a whole datagram (an "atomic fragment", RFC 6946) is
    only one more entry of ``extensions``.
    """

    src: bytes
    dst: bytes
    next_header: int
    hop_limit: int = 64
    traffic_class: int = 0
    flow_label: int = 0
    extensions: tuple[Extension, ...] = ()
    fragment: Fragment | None = None
    payload_offset: int = HEADER_LENGTH
    payload_length: int = 0


def parse(packet: Buffer) -> Header | Malformed:
    """Version, lengths and the chain of extension headers are verified.

    Bytes after the payload length are padding of some link and not ours to judge.
    """
    if len(packet) < HEADER_LENGTH:
        return Malformed.IPV6_HEADER_TRUNCATED
    first, length, kind, hop_limit, src, dst = _FORMAT.unpack_from(packet)
    if first >> 28 != 6:
        return Malformed.IPV6_VERSION
    end = HEADER_LENGTH + length
    if end > len(packet):
        return Malformed.IPV6_PAYLOAD_LENGTH
    offset = HEADER_LENGTH
    extensions: tuple[Extension, ...] = ()
    fragment = None
    if kind in _EXTENSIONS:
        chain = walk(packet, kind, end)
        if isinstance(chain, Malformed):
            return chain
        kind, offset, extensions, fragment = chain
    return tuple.__new__(
        Header,
        (
            src,
            dst,
            kind,
            hop_limit,
            first >> 20 & 0xFF,
            first & 0xFFFFF,
            extensions,
            fragment,
            offset,
            end - offset,
        ),
    )


class Chain(NamedTuple):
    """Where a chain of extension headers leads, as in :class:`Header`; ``offset`` is in the buffer walked."""

    next_header: int
    offset: int
    extensions: tuple[Extension, ...]
    fragment: Fragment | None


def walk(packet: Buffer, kind: int, end: int, start: int = HEADER_LENGTH) -> Chain | Malformed:
    """Follow the chain of extension headers in ``packet[start:end]``, the first of type ``kind``.

    ``start=0`` walks on in what was put together from fragments, which begins behind the fragment header;
    a chain that leads to one more fragment is then for the caller to refuse.
    """
    offset = start
    extensions: list[Extension] = []
    while kind in _EXTENSIONS:
        if len(extensions) == MAX_EXTENSIONS:
            return Malformed.IPV6_EXTENSIONS_TOO_MANY
        if offset + 8 > end:
            return Malformed.IPV6_EXTENSION_TRUNCATED
        following = packet[offset]
        # A fragment header has no length: the byte is reserved, and the header always 8 bytes.
        length = 8 if kind == FRAGMENT else 8 + packet[offset + 1] * 8
        if offset + length > end:
            return Malformed.IPV6_EXTENSION_TRUNCATED
        extension = Extension(kind, bytes(packet[offset + 2 : offset + length]))
        if kind == FRAGMENT:
            fragment = _fragment(extension.data)
            if fragment is not None:
                return Chain(following, offset + length, tuple(extensions), fragment)
        else:
            problem = _problem(extension, first=offset == HEADER_LENGTH == start)
            if problem is not None:
                return problem
        extensions.append(extension)
        kind = following
        offset += length
    return Chain(kind, offset, tuple(extensions), None)


def is_incomplete(payload: Buffer, kind: int) -> bool:
    """Whether a first fragment, with ``payload`` of type ``kind`` behind its header, lacks a part of any header, that
    of the upper layer too (RFC 8200 §4.5)."""
    chain = walk(payload, kind, len(payload), 0)
    if isinstance(chain, Malformed):
        return chain is Malformed.IPV6_EXTENSION_TRUNCATED
    return chain.fragment is None and chain.offset + _UPPER_LAYER.get(chain.next_header, 1) > len(payload)


def _fragment(data: bytes) -> Fragment | None:
    """What a fragment header says; None if it is around a whole datagram (RFC 6946)."""
    position = int.from_bytes(data[:2], "big")
    offset = position & 0xFFF8
    more = position & _MORE_FRAGMENTS != 0
    if not offset and not more:
        return None
    return Fragment(offset, more, int.from_bytes(data[2:6], "big"))


def _problem(extension: Extension, *, first: bool) -> Malformed | None:
    """Why the packet must be discarded for this extension header, if it must."""
    kind, data = extension
    if kind == ROUTING:
        # RFC 8200 §4.4: data[1] is "segments left"; a host is nobody's waypoint, and RFC 5095 deprecates
        # the one type that everybody knew.
        return Malformed.IPV6_ROUTING if data[1] else None
    if kind == HOP_BY_HOP and not first:
        return Malformed.IPV6_EXTENSION_ORDER  # RFC 8200 §4.1
    return _options_problem(data)


def _options_problem(data: bytes) -> Malformed | None:
    """RFC 8200 §4.2: the two highest bits of an unknown option's type say whether to skip it."""
    at = 0
    end = len(data)
    while at < end:
        kind = data[at]
        if kind == _PAD1:
            at += 1
            continue
        if at + 2 > end or at + 2 + data[at + 1] > end:
            return Malformed.IPV6_OPTION
        if kind == _JUMBO_PAYLOAD:
            return Malformed.IPV6_JUMBOGRAM
        if kind >= 0x40 and kind not in _KNOWN_OPTIONS:
            return Malformed.IPV6_OPTION_UNRECOGNIZED
        at += 2 + data[at + 1]
    return None


def emit(header: Header, payload_length: int) -> bytes:
    """The header and its extension headers, for ``payload_length`` bytes that follow them.

    The payload fields in ``header`` are ignored.  Raises ValueError for what no IPv6 header can say.
    """
    kind = header.next_header
    tail = b""
    if header.fragment is not None:
        tail = _emit_fragment(header.fragment, kind)
        kind = FRAGMENT
    for extension in reversed(header.extensions):
        tail = _emit_extension(extension, kind) + tail
        kind = extension.kind
    length = len(tail) + payload_length
    if length > MAX_PAYLOAD:
        raise ValueError("IPv6 payload too long")
    first = 6 << 28 | header.traffic_class << 20 | header.flow_label
    return _FORMAT.pack(first, length, kind, header.hop_limit, header.src, header.dst) + tail


def _emit_fragment(fragment: Fragment, next_header: int) -> bytes:
    if fragment.offset & 7:
        raise ValueError("IPv6 fragment offset must be a multiple of 8")
    return _FRAGMENT_FORMAT.pack(
        next_header, 0, fragment.offset | (_MORE_FRAGMENTS if fragment.more else 0), fragment.identification
    )


def _emit_extension(extension: Extension, next_header: int) -> bytes:
    kind, data = extension
    size = 2 + len(data)
    if size & 7 or not 8 <= size <= (8 if kind == FRAGMENT else 2048):
        raise ValueError("an IPv6 extension header must be a multiple of 8 bytes, 8 to 2048 (fragment: 8)")
    return bytes((next_header, 0 if kind == FRAGMENT else size // 8 - 1)) + data
