"""The options of SOL_IP and SOL_IPV6."""

from __future__ import annotations

from errno import EINVAL, ENOPROTOOPT, ENOTCONN, EPERM
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import constants as c
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.options import (
    Option,
    Table,
    acts,
    between,
    fixed,
    flag,
    missing,
    number,
    packed,
    reads,
    remembered,
)

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
_MULTICAST_TTL: Final = (_IP, c.IP_MULTICAST_TTL)
_MULTICAST_LOOP: Final = (_IP, c.IP_MULTICAST_LOOP)
_MULTICAST_HOPS: Final = (_IPV6, c.IPV6_MULTICAST_HOPS)
_AUTO_LABEL: Final = (_IPV6, c.IPV6_AUTOFLOWLABEL)
_PORT_RANGE: Final = (_IP, c.IP_LOCAL_PORT_RANGE)
_DEFAULT_HOPS: Final = 64
_INT_SIZE: Final = 4
_MINIMUM_MTU: Final = 1280


def _byte(option: Option, *, needed: bool = False) -> Option:
    """Linux takes IPv4's numbers as a single byte, too, and nothing as 0 where a number is not ``needed``."""

    def set_number(socket: Socket, value: bytes) -> None:
        if socket.machine.personality == "linux" and len(value) < _INT_SIZE and (value or not needed):
            value = packed(value[0] if value else 0)
        assert option.set is not None
        option.set(socket, value)

    return Option(option.get, set_number)


def _byte_flag(name: int, *, needed: bool = False) -> tuple[int, Option]:
    return name, _byte(flag(_IP, name), needed=needed)


def _without_ecn(socket: Socket, value: int) -> int:
    return value & 0xFF & ~_ECN_BITS if socket.kind == c.SOCK_STREAM else value & 0xFF


def _set_tos(socket: Socket, value: bytes) -> None:
    socket.numbers[_TOS] = _without_ecn(socket, number(value))
    socket.headers_changed()


def _set_ttl(socket: Socket, value: bytes) -> None:
    given = number(value)
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


def _tos(socket: Socket) -> int:
    return _seen(socket, _TOS, socket.machine.host.config.settings.traffic_class)


def _ttl(socket: Socket) -> int:
    return _seen(socket, _TTL, socket.machine.host.config.settings.ttl)


def _set_multicast_ttl(socket: Socket, value: bytes) -> None:
    given = between(value, -1, 255)
    if socket.kind == c.SOCK_STREAM:
        raise failure(EINVAL)
    socket.numbers[_MULTICAST_TTL] = 1 if given == -1 else given


def _set_loop(socket: Socket, value: bytes) -> None:
    socket.numbers[_MULTICAST_LOOP] = int(bool(number(value)))


def _set_multicast_hops(socket: Socket, value: bytes) -> None:
    if socket.kind == c.SOCK_STREAM:
        raise failure(ENOPROTOOPT)
    given = between(value, -1, 255)
    socket.numbers[_MULTICAST_HOPS] = 1 if given == -1 else given


def _set_auto_label(socket: Socket, value: bytes) -> None:
    socket.numbers[_AUTO_LABEL] = int(bool(number(value)))


def _set_port_range(socket: Socket, value: bytes) -> None:
    """The lowest port in the lower half of the number, the highest in the upper one; 0: the system's."""
    if len(value) != _INT_SIZE:
        raise failure(EINVAL)
    given = number(value) & 0xFFFFFFFF
    low, high = given & 0xFFFF, given >> 16
    if low and high and low > high:
        raise failure(EINVAL)
    socket.numbers[_PORT_RANGE] = given


IP: Final[Table] = {
    c.IP_TOS: _byte(acts(_tos, _set_tos)),
    c.IP_TTL: _byte(acts(_ttl, _set_ttl), needed=True),
    c.IP_OPTIONS: Option(lambda socket: b"", missing("IP options").set),
    c.IP_MTU_DISCOVER: _byte(_discovers_mtu(_IP, c.IP_MTU_DISCOVER)),
    c.IP_MTU: reads(_path_mtu),
    c.IP_MULTICAST_TTL: _byte(acts(lambda socket: _seen(socket, _MULTICAST_TTL, 1), _set_multicast_ttl), needed=True),
    c.IP_MULTICAST_LOOP: _byte(acts(lambda socket: _seen(socket, _MULTICAST_LOOP, 1), _set_loop), needed=True),
    c.IP_NODEFRAG: reads(lambda socket: 0),
    c.IP_HDRINCL: reads(lambda socket: 0),
    c.IP_PROTOCOL: reads(lambda socket: 0),
    c.IP_MINTTL: _byte(fixed("IP_MINTTL", low=0, high=255), needed=True),
    c.IP_LOCAL_PORT_RANGE: acts(lambda socket: _seen(socket, _PORT_RANGE, 0), _set_port_range),
    **dict(
        [
            _byte_flag(c.IP_RECVERR),
            _byte_flag(c.IP_RECVTTL),
            _byte_flag(c.IP_RECVTOS),
            _byte_flag(c.IP_PKTINFO),
            _byte_flag(c.IP_RECVOPTS),
            _byte_flag(c.IP_RETOPTS),
            _byte_flag(c.IP_CHECKSUM),
            _byte_flag(c.IP_FREEBIND, needed=True),
            _byte_flag(c.IP_TRANSPARENT, needed=True),
            _byte_flag(c.IP_BIND_ADDRESS_NO_PORT),
        ]
    ),
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
    c.IPV6_AUTOFLOWLABEL: acts(lambda socket: _seen(socket, _AUTO_LABEL, 1), _set_auto_label),
    c.IPV6_FLOWINFO_SEND: fixed("IPV6_FLOWINFO_SEND"),
    c.IPV6_FLOWINFO: fixed("IPV6_FLOWINFO"),
    c.IPV6_RECVPATHMTU: fixed("IPV6_RECVPATHMTU"),
    c.IPV6_MULTICAST_HOPS: acts(lambda socket: _seen(socket, _MULTICAST_HOPS, 1), _set_multicast_hops),
    c.IPV6_MINHOPCOUNT: fixed("IPV6_MINHOPCOUNT", low=0, high=255),
}
