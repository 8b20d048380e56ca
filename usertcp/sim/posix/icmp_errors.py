"""The errno that an ICMP error is, and whether it is one for good.

Linux has that in icmp_err_convert and icmpv6_err_convert, FreeBSD in icmp_errmap and icmp6_errmap.
"""

from __future__ import annotations

from errno import (
    EACCES,
    ECONNREFUSED,
    EHOSTDOWN,
    EHOSTUNREACH,
    EMSGSIZE,
    ENETUNREACH,
    ENONET,
    ENOPROTOOPT,
    EOPNOTSUPP,
    EPROTO,
)
from typing import Final, NamedTuple, TypeAlias

from usertcp.wire import icmp, ipv4, ipv6
from usertcp.wire.malformed import Malformed


class IcmpError(NamedTuple):
    """An ICMP error that has come: what it says, whose packet it is about (``src`` is us), and its bytes.

    ``hard``: it will not get better.  ``kind`` and ``code`` are those on the wire.
    """

    number: int
    hard: bool
    kind: int
    code: int
    mtu: int
    reporter: bytes
    quoted: icmp.Quoted
    quoted_bytes: bytes


#: (errno, for good) by code of "destination unreachable", and for codes that are not listed.
_Unreachable: TypeAlias = dict[int, tuple[int, bool]]
_V4: Final[_Unreachable] = {
    0: (ENETUNREACH, False),
    1: (EHOSTUNREACH, False),
    2: (ENOPROTOOPT, True),
    3: (ECONNREFUSED, True),
    4: (EMSGSIZE, False),
    5: (EOPNOTSUPP, False),
    6: (ENETUNREACH, True),
    7: (EHOSTDOWN, True),
    8: (ENONET, True),
    9: (ENETUNREACH, True),
    10: (EHOSTUNREACH, True),
    11: (ENETUNREACH, False),
    12: (EHOSTUNREACH, False),
    13: (EHOSTUNREACH, True),
    14: (EHOSTUNREACH, True),
    15: (EHOSTUNREACH, True),
}
_V6: Final[_Unreachable] = {
    0: (ENETUNREACH, False),
    1: (EACCES, True),
    2: (EHOSTUNREACH, False),
    3: (EHOSTUNREACH, False),
    4: (ECONNREFUSED, True),
    5: (EACCES, True),
    6: (EACCES, True),
}
_FREEBSD_V4: Final[_Unreachable] = {
    **dict.fromkeys((0, 1, 5, 6, 7, 8, 11, 12, 14, 15), (EHOSTUNREACH, False)),
    **dict.fromkeys((2, 3, 9, 10, 13), (ECONNREFUSED, True)),
}
_FREEBSD_V6: Final[_Unreachable] = {
    0: (EHOSTUNREACH, False),
    1: (ECONNREFUSED, True),
    2: (ENOPROTOOPT, False),
    3: (EHOSTDOWN, False),
    4: (ECONNREFUSED, True),
}
_TABLES: Final[dict[tuple[str, int], _Unreachable]] = {
    ("linux", 4): _V4,
    ("linux", 6): _V6,
    ("freebsd", 4): _FREEBSD_V4,
    ("freebsd", 6): _FREEBSD_V6,
}
_V4_TYPES: Final = {"unreachable": 3, "time": 11, "parameter": 12}
_V6_TYPES: Final = {"unreachable": 1, "big": 2, "time": 3, "parameter": 4}


def find(packet: bytes, personality: str = "linux") -> IcmpError | None:
    """The ICMP error that an IP packet is; None: it is none, or malformed."""
    family = packet[0] >> 4 if packet else 0
    header: ipv4.Header | ipv6.Header | Malformed
    if family == 4:
        header = ipv4.parse(packet)
        if isinstance(header, Malformed) or header.protocol != icmp.PROTOCOL_V4:
            return None
        message = icmp.parse_v4(packet[header.header_length : header.total_length])
    else:
        header = ipv6.parse(packet)
        if isinstance(header, Malformed) or header.next_header != icmp.PROTOCOL_V6:
            return None
        body = packet[header.payload_offset : header.payload_offset + header.payload_length]
        message = icmp.parse_v6(body, header.src, header.dst)
    if isinstance(message, Malformed | icmp.Echo | icmp.Other):
        return None
    quoted = icmp.quoted(message.quoted, family)
    if isinstance(quoted, Malformed):
        return None
    number, hard, kind, code, mtu = _meaning(message, family, personality)
    return IcmpError(number, hard, kind, code, mtu, header.src, quoted, message.quoted)


def _meaning(
    message: icmp.Unreachable | icmp.PacketTooBig | icmp.TimeExceeded | icmp.ParameterProblem,
    family: int,
    personality: str,
) -> tuple[int, bool, int, int, int]:
    types = _V4_TYPES if family == 4 else _V6_TYPES
    match message:
        case icmp.Unreachable(code, _):
            unknown = (EHOSTUNREACH if family == 4 else EPROTO, True)
            number, hard = _TABLES[personality, family].get(code, unknown)
            return number, hard, types["unreachable"], code, 0
        case icmp.PacketTooBig(mtu, _):
            return EMSGSIZE, False, types["unreachable"] if family == 4 else types["big"], 4 * (family == 4), mtu
        case icmp.TimeExceeded(code, _):
            return EHOSTUNREACH, False, types["time"], code, 0
        case icmp.ParameterProblem(code, _, _):
            return EPROTO if personality == "linux" else ENOPROTOOPT, True, types["parameter"], code, 0
