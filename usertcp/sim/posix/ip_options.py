"""The options of SOL_IP and SOL_IPV6."""

from __future__ import annotations

from errno import EINVAL, ENOTCONN, EPERM
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import constants as c
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.options import Option, Table, acts, between, fixed, flag, missing, number, reads, remembered

if TYPE_CHECKING:
    from usertcp.sim.posix.sockets import Socket

_IP: Final = c.SOL_IP
_IPV6: Final = c.SOL_IPV6
#: TCP says in these bits what ECN has to say; nobody else writes them.
_ECN_BITS: Final = 3
_TOS: Final = (_IP, c.IP_TOS)
_TTL: Final = (_IP, c.IP_TTL)
_CLASS: Final = (_IPV6, c.IPV6_TCLASS)
_HOPS: Final = (_IPV6, c.IPV6_UNICAST_HOPS)
_DEFAULT_HOPS: Final = 64
_MINIMUM_MTU: Final = 1280


def _byte_or_number(value: bytes) -> int:
    """IPv4's options may be a single byte."""
    if len(value) >= 4:
        return number(value)
    if not value:
        raise failure(EINVAL)
    return value[0]


def _without_ecn(socket: Socket, value: int) -> int:
    return value & 0xFF & ~_ECN_BITS if socket.kind == c.SOCK_STREAM else value & 0xFF


def _set_tos(socket: Socket, value: bytes) -> None:
    socket.numbers[_TOS] = _without_ecn(socket, _byte_or_number(value))
    socket.headers_changed()


def _set_ttl(socket: Socket, value: bytes) -> None:
    given = _byte_or_number(value)
    if given != -1 and not 1 <= given <= 255:
        raise failure(EINVAL)
    socket.numbers[_TTL] = _DEFAULT_HOPS if given == -1 else given
    socket.headers_changed()


def _set_class(socket: Socket, value: bytes) -> None:
    given = between(value, -1, 255)
    socket.numbers[_CLASS] = _without_ecn(socket, max(given, 0))
    socket.headers_changed()


def _set_hops(socket: Socket, value: bytes) -> None:
    given = between(value, -1, 255)
    socket.numbers[_HOPS] = _DEFAULT_HOPS if given == -1 else given
    socket.headers_changed()


def _set_v6_only(socket: Socket, value: bytes) -> None:
    given = number(value)
    if socket.local.port:
        raise failure(EINVAL)
    socket.numbers[_IPV6, c.IPV6_V6ONLY] = int(bool(given))


def _path_mtu(socket: Socket) -> int:
    mtu = socket.path_mtu
    if mtu is None:
        raise failure(ENOTCONN)
    return mtu


def _transparent(socket: Socket, value: bytes) -> None:
    if number(value):
        raise failure(EPERM)


def _discovers_mtu(level: int, name: int) -> Option:
    """IP_PMTUDISC_WANT, DO and PROBE set DF, as we always do; without it packets would have to be fragmented."""
    return remembered(level, name, c.IP_PMTUDISC_WANT, low=c.IP_PMTUDISC_DONT, high=c.IP_PMTUDISC_OMIT)


def _seen(socket: Socket, option: tuple[int, int], default: int) -> int:
    return socket.numbers.get(option, default)


IP: Final[Table] = {
    c.IP_TOS: acts(lambda socket: _seen(socket, _TOS, socket.machine.host.config.settings.traffic_class), _set_tos),
    c.IP_TTL: acts(lambda socket: _seen(socket, _TTL, socket.machine.host.config.settings.ttl), _set_ttl),
    c.IP_OPTIONS: Option(lambda socket: b"", missing("IP options").set),
    c.IP_RECVERR: flag(_IP, c.IP_RECVERR),
    c.IP_RECVTTL: flag(_IP, c.IP_RECVTTL),
    c.IP_RECVTOS: flag(_IP, c.IP_RECVTOS),
    c.IP_PKTINFO: flag(_IP, c.IP_PKTINFO),
    c.IP_MTU_DISCOVER: _discovers_mtu(_IP, c.IP_MTU_DISCOVER),
    c.IP_MTU: reads(_path_mtu),
    c.IP_FREEBIND: flag(_IP, c.IP_FREEBIND),
    c.IP_TRANSPARENT: flag(_IP, c.IP_TRANSPARENT),
    c.IP_BIND_ADDRESS_NO_PORT: flag(_IP, c.IP_BIND_ADDRESS_NO_PORT),
    c.IP_MULTICAST_TTL: remembered(_IP, c.IP_MULTICAST_TTL, 1),
    c.IP_MINTTL: fixed("IP_MINTTL"),
    c.IP_LOCAL_PORT_RANGE: missing("IP_LOCAL_PORT_RANGE"),
}

IPV6: Final[Table] = {
    c.IPV6_TCLASS: acts(lambda socket: _seen(socket, _CLASS, 0), _set_class),
    c.IPV6_UNICAST_HOPS: acts(lambda socket: _seen(socket, _HOPS, _DEFAULT_HOPS), _set_hops),
    c.IPV6_V6ONLY: acts(lambda socket: _seen(socket, (_IPV6, c.IPV6_V6ONLY), 0), _set_v6_only),
    c.IPV6_MTU_DISCOVER: _discovers_mtu(_IPV6, c.IPV6_MTU_DISCOVER),
    c.IPV6_MTU: reads(_path_mtu),
    c.IPV6_RECVERR: flag(_IPV6, c.IPV6_RECVERR),
    c.IPV6_RECVPKTINFO: flag(_IPV6, c.IPV6_RECVPKTINFO),
    c.IPV6_RECVHOPLIMIT: flag(_IPV6, c.IPV6_RECVHOPLIMIT),
    c.IPV6_RECVTCLASS: flag(_IPV6, c.IPV6_RECVTCLASS),
    c.IPV6_FREEBIND: flag(_IPV6, c.IPV6_FREEBIND),
    c.IPV6_TRANSPARENT: flag(_IPV6, c.IPV6_TRANSPARENT),
    c.IPV6_DONTFRAG: flag(_IPV6, c.IPV6_DONTFRAG),
    c.IPV6_AUTOFLOWLABEL: remembered(_IPV6, c.IPV6_AUTOFLOWLABEL, 1),
    c.IPV6_FLOWINFO_SEND: fixed("IPV6_FLOWINFO_SEND"),
    c.IPV6_MINHOPCOUNT: fixed("IPV6_MINHOPCOUNT"),
}
