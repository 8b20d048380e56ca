"""ICMPv4 (RFC 792, RFC 1191) and ICMPv6 (RFC 4443): the messages a host understands or sends.

Both families share one vocabulary; type numbers appear only in here.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from usertcp.wire import ipv4, ipv6, tcp
from usertcp.wire.buffer import Buffer
from usertcp.wire.checksum import finish, ones_sum, pseudo_header_sum
from usertcp.wire.malformed import Malformed

PROTOCOL_V4: Final = 1
PROTOCOL_V6: Final = 58

HEADER_LENGTH: Final = 8
#: What of the offending packet an error we emit quotes at most, in bytes: the datagram stays within 576
#: (RFC 1812 §4.3.2.3) or 1280 bytes (RFC 4443 §2.4(c)).
MAX_QUOTED_V4: Final = 576 - ipv4.HEADER_LENGTH - HEADER_LENGTH
MAX_QUOTED_V6: Final = 1280 - ipv6.HEADER_LENGTH - HEADER_LENGTH

#: Codes of :class:`Unreachable` in ICMPv4 (RFC 792, RFC 1122 §3.2.2.1).
V4_NET: Final = 0
V4_HOST: Final = 1
V4_PROTOCOL: Final = 2
V4_PORT: Final = 3
V4_SOURCE_ROUTE_FAILED: Final = 5
V4_NET_PROHIBITED: Final = 9
V4_HOST_PROHIBITED: Final = 10
V4_ADMINISTRATIVELY_PROHIBITED: Final = 13

#: Codes of :class:`Unreachable` in ICMPv6 (RFC 4443 §3.1).
V6_NO_ROUTE: Final = 0
V6_ADMINISTRATIVELY_PROHIBITED: Final = 1
V6_ADDRESS: Final = 3
V6_PORT: Final = 4

#: Codes of :class:`TimeExceeded`, in both families.
HOP_LIMIT: Final = 0
REASSEMBLY: Final = 1

#: Codes of :class:`ParameterProblem` in ICMPv6 (RFC 4443 §3.4).
V6_ERRONEOUS_HEADER: Final = 0
V6_UNRECOGNIZED_NEXT_HEADER: Final = 1
V6_UNRECOGNIZED_OPTION: Final = 2
V6_INCOMPLETE_CHAIN: Final = 3  # RFC 7112

_V4_ECHO_REPLY = 0
_V4_UNREACHABLE = 3
_V4_ECHO = 8
_V4_TIME_EXCEEDED = 11
_V4_PARAMETER_PROBLEM = 12
_V4_FRAGMENTATION_NEEDED = 4  # a code of unreachable

_V6_UNREACHABLE = 1
_V6_PACKET_TOO_BIG = 2
_V6_TIME_EXCEEDED = 3
_V6_PARAMETER_PROBLEM = 4
_V6_ECHO = 128
_V6_ECHO_REPLY = 129

# type, code, checksum, and the four bytes whose meaning depends on the type
_HEADER = Struct("!BBHI")
_PORTS_AND_SEQ = Struct("!HHI")

_UDP = 17


class Echo(NamedTuple):
    """Echo request or reply; a reply repeats ``ident``, ``seq`` and ``data``."""

    reply: bool
    ident: int
    seq: int
    data: bytes = b""


class Unreachable(NamedTuple):
    """Destination unreachable; ``code`` is the family's own."""

    code: int
    quoted: bytes


class PacketTooBig(NamedTuple):
    """Packet too big, in ICMPv4 "fragmentation needed and DF set".

    ``mtu`` is the next hop's in bytes; 0 from a router older than RFC 1191.
    """

    mtu: int
    quoted: bytes


class TimeExceeded(NamedTuple):
    """Hop limit or reassembly time exceeded."""

    code: int
    quoted: bytes


class ParameterProblem(NamedTuple):
    """``pointer`` is the offset in bytes of what is wrong in the quoted packet."""

    code: int
    pointer: int
    quoted: bytes


class Other(NamedTuple):
    """A well-formed message of a type that a TCP host has nothing to do with."""

    type: int
    code: int


Message: TypeAlias = Echo | Unreachable | PacketTooBig | TimeExceeded | ParameterProblem | Other


def parse_v4(data: Buffer) -> Message | Malformed:
    """The ICMPv4 message that fills ``data``; its checksum is verified."""
    if len(data) < HEADER_LENGTH:
        return Malformed.ICMP_TRUNCATED
    if ones_sum(data) != 0xFFFF:
        return Malformed.ICMP_CHECKSUM
    kind, code, _, word = _HEADER.unpack_from(data)
    body = bytes(data[HEADER_LENGTH:])
    if kind in (_V4_ECHO, _V4_ECHO_REPLY) and code == 0:
        return Echo(kind == _V4_ECHO_REPLY, word >> 16, word & 0xFFFF, body)
    if kind == _V4_UNREACHABLE:
        if code == _V4_FRAGMENTATION_NEEDED:
            return PacketTooBig(word & 0xFFFF, body)  # RFC 1191 §4
        return Unreachable(code, body)
    if kind == _V4_TIME_EXCEEDED:
        return TimeExceeded(code, body)
    if kind == _V4_PARAMETER_PROBLEM:
        return ParameterProblem(code, word >> 24, body)
    return Other(kind, code)


def parse_v6(data: Buffer, src: bytes, dst: bytes) -> Message | Malformed:
    """The ICMPv6 message that fills ``data``; its checksum is verified (RFC 4443 §2.3)."""
    if len(data) < HEADER_LENGTH:
        return Malformed.ICMP_TRUNCATED
    if (ones_sum(data) + pseudo_header_sum(src, dst, PROTOCOL_V6, len(data))) % 0xFFFF:
        return Malformed.ICMP_CHECKSUM
    kind, code, _, word = _HEADER.unpack_from(data)
    body = bytes(data[HEADER_LENGTH:])
    if kind in (_V6_ECHO, _V6_ECHO_REPLY) and code == 0:
        return Echo(kind == _V6_ECHO_REPLY, word >> 16, word & 0xFFFF, body)
    if kind == _V6_UNREACHABLE:
        return Unreachable(code, body)
    if kind == _V6_PACKET_TOO_BIG:
        return PacketTooBig(word, body)
    if kind == _V6_TIME_EXCEEDED:
        return TimeExceeded(code, body)
    if kind == _V6_PARAMETER_PROBLEM:
        return ParameterProblem(code, word, body)
    return Other(kind, code)


class _Fields(NamedTuple):
    kind: int
    code: int
    word: int
    body: bytes


def emit_v4(message: Message) -> bytes:
    """The whole message; of a quoted packet only the first :data:`MAX_QUOTED_V4` bytes."""
    kind, code, word, body = _fields_v4(message)
    unsummed = _HEADER.pack(kind, code, 0, word) + body
    return _HEADER.pack(kind, code, finish(ones_sum(unsummed)), word) + body


def emit_v6(message: Message, src: bytes, dst: bytes) -> bytes:
    """The whole message; of a quoted packet only the first :data:`MAX_QUOTED_V6` bytes."""
    kind, code, word, body = _fields_v6(message)
    unsummed = _HEADER.pack(kind, code, 0, word) + body
    checksum = finish(ones_sum(unsummed) + pseudo_header_sum(src, dst, PROTOCOL_V6, len(unsummed)))
    return _HEADER.pack(kind, code, checksum, word) + body


def _fields_v4(message: Message) -> _Fields:
    match message:
        case Echo(reply, ident, seq, data):
            return _Fields(_V4_ECHO_REPLY if reply else _V4_ECHO, 0, ident << 16 | seq, data)
        case Unreachable(code, quoted):
            return _Fields(_V4_UNREACHABLE, code, 0, quoted[:MAX_QUOTED_V4])
        case PacketTooBig(mtu, quoted):
            return _Fields(
                _V4_UNREACHABLE, _V4_FRAGMENTATION_NEEDED, min(mtu, 0xFFFF), quoted[:MAX_QUOTED_V4]
            )
        case TimeExceeded(code, quoted):
            return _Fields(_V4_TIME_EXCEEDED, code, 0, quoted[:MAX_QUOTED_V4])
        case ParameterProblem(code, pointer, quoted):
            return _Fields(_V4_PARAMETER_PROBLEM, code, pointer << 24, quoted[:MAX_QUOTED_V4])
        case Other(kind, code):
            return _Fields(kind, code, 0, b"")


def _fields_v6(message: Message) -> _Fields:
    match message:
        case Echo(reply, ident, seq, data):
            return _Fields(_V6_ECHO_REPLY if reply else _V6_ECHO, 0, ident << 16 | seq, data)
        case Unreachable(code, quoted):
            return _Fields(_V6_UNREACHABLE, code, 0, quoted[:MAX_QUOTED_V6])
        case PacketTooBig(mtu, quoted):
            return _Fields(_V6_PACKET_TOO_BIG, 0, mtu, quoted[:MAX_QUOTED_V6])
        case TimeExceeded(code, quoted):
            return _Fields(_V6_TIME_EXCEEDED, code, 0, quoted[:MAX_QUOTED_V6])
        case ParameterProblem(code, pointer, quoted):
            return _Fields(_V6_PARAMETER_PROBLEM, code, pointer, quoted[:MAX_QUOTED_V6])
        case Other(kind, code):
            return _Fields(kind, code, 0, b"")


class Quoted(NamedTuple):
    """Whose packet an ICMP error is about: ``src`` is who sent it, so an address of the error's receiver.

    ``seq`` is 0 unless ``protocol`` is TCP.
    """

    src: bytes
    dst: bytes
    protocol: int
    src_port: int
    dst_port: int
    seq: int


def quoted(data: Buffer, family: int) -> Quoted | Malformed:
    """What the quoted packet ``data`` of IP version ``family`` (4 or 6) was.

    It is usually cut short, and its header may have been changed on the way: neither its lengths nor its
    checksum say anything about who sent it.
    """
    return _quoted_v4(data) if family == 4 else _quoted_v6(data)


def _quoted_v4(data: Buffer) -> Quoted | Malformed:
    if len(data) < ipv4.HEADER_LENGTH:
        return Malformed.ICMP_QUOTED_TRUNCATED
    if data[0] >> 4 != 4 or data[0] & 0xF < 5:
        return Malformed.ICMP_QUOTED_VERSION
    if (data[6] & 0x1F) << 8 | data[7]:
        return Malformed.ICMP_QUOTED_FRAGMENT
    return _quoted_upper_layer(data, bytes(data[12:16]), bytes(data[16:20]), data[9], (data[0] & 0xF) * 4)


def _quoted_v6(data: Buffer) -> Quoted | Malformed:
    if len(data) < ipv6.HEADER_LENGTH:
        return Malformed.ICMP_QUOTED_TRUNCATED
    if data[0] >> 4 != 6:
        return Malformed.ICMP_QUOTED_VERSION
    chain = ipv6.walk(data, data[6], len(data))
    if isinstance(chain, Malformed):
        return Malformed.ICMP_QUOTED_TRUNCATED
    if chain.fragment is not None and chain.fragment.offset:
        return Malformed.ICMP_QUOTED_FRAGMENT
    return _quoted_upper_layer(data, bytes(data[8:24]), bytes(data[24:40]), chain.next_header, chain.offset)


def _quoted_upper_layer(
    data: Buffer, src: bytes, dst: bytes, protocol: int, offset: int
) -> Quoted | Malformed:
    """RFC 792 promises 8 bytes of it: the ports, and TCP's sequence number."""
    if protocol not in (tcp.PROTOCOL, _UDP):
        return Malformed.ICMP_QUOTED_PROTOCOL
    if len(data) < offset + _PORTS_AND_SEQ.size:
        return Malformed.ICMP_QUOTED_TRUNCATED
    src_port, dst_port, seq = _PORTS_AND_SEQ.unpack_from(data, offset)
    return Quoted(src, dst, protocol, src_port, dst_port, seq if protocol == tcp.PROTOCOL else 0)
