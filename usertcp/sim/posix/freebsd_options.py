"""Socket options that FreeBSD has and Linux has not."""

from __future__ import annotations

from errno import EINVAL, ENOENT
from struct import Struct
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import constants as c
from usertcp.sim.posix.errors import NotSupported, failure
from usertcp.sim.posix.freebsd import NUMBERS, OWN
from usertcp.sim.posix.options import Option, Table, acts, flag, missing, number, reads, remembered

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket

#: struct tcp_function_set: the name of a TCP stack, and how many connections use it.
_FUNCTION_SET: Final = Struct("=32sI")
_OUR_STACK: Final = b"freebsd"
#: Stacks that FreeBSD may have beside its own.
_OTHER_STACKS: Final = (b"rack", b"bbr")


def _number(name: str) -> int:
    return NUMBERS[name] + OWN


def _function_set(socket: TcpSocket) -> bytes:
    users = sum(1 for other in socket.machine.sockets() if other.protocol == c.IPPROTO_TCP)
    return _FUNCTION_SET.pack(_OUR_STACK, users)


def _set_function_set(socket: TcpSocket, value: bytes) -> None:
    if len(value) < _FUNCTION_SET.size:
        raise failure(EINVAL)
    name = _FUNCTION_SET.unpack_from(value)[0].split(b"\0")[0]
    if name.startswith(_OTHER_STACKS):
        raise NotSupported(f"the TCP stack {name.decode('latin-1')}")
    if name != _OUR_STACK:
        raise failure(ENOENT)


def _only_zero(name: str) -> Option:
    """An option that changes what TCP does, and that we leave off."""

    def set_option(socket: TcpSocket, value: bytes) -> None:
        if number(value):
            raise NotSupported(name)

    return acts(lambda socket: 0, set_option)


def _socket_flag(name: str) -> tuple[int, Option]:
    return _number(name), flag(c.SOL_SOCKET, _number(name), freebsd=NUMBERS[name])


def _remembered(level: int, name: str, default: int = 0) -> tuple[int, Option]:
    return _number(name), remembered(level, _number(name), default)


def _queue_limit(socket: TcpSocket) -> int:
    if socket.listener is None:
        raise failure(EINVAL)
    return socket.backlog


def _queue_length(socket: TcpSocket) -> int:
    if socket.listener is None:
        raise failure(EINVAL)
    return len(socket.listener.ready)


SOCKET: Final[Table] = dict(
    [
        _socket_flag("SO_USELOOPBACK"),
        _socket_flag("SO_NOSIGPIPE"),
        _socket_flag("SO_NO_OFFLOAD"),
        _socket_flag("SO_NO_DDP"),
        _socket_flag("SO_REUSEPORT_LB"),
        _socket_flag("SO_RERROR"),
        _socket_flag("SO_BINTIME"),
        _remembered(c.SOL_SOCKET, "SO_SETFIB"),
        _remembered(c.SOL_SOCKET, "SO_USER_COOKIE"),
        _remembered(c.SOL_SOCKET, "SO_TS_CLOCK"),
        (_number("SO_LISTENQLIMIT"), reads(_queue_limit)),
        (_number("SO_LISTENQLEN"), reads(_queue_length)),
        (_number("SO_ACCEPTFILTER"), missing("SO_ACCEPTFILTER")),
    ]
)

_NO_EFFECT: Final = ("TCP_LOG", "TCP_PCAP_OUT", "TCP_PCAP_IN", "TCP_LOG_LIMIT", "TCP_PROC_ACCOUNTING")
_LEFT_OFF: Final = (
    "TCP_NOOPT",
    "TCP_TXTLS_ENABLE",
    "TCP_RXTLS_ENABLE",
    "TCP_REMOTE_UDP_ENCAPS_PORT",
    "TCP_DELACK",
    "TCP_FIN_IS_RST",
    "TCP_MAXUNACKTIME",
    "TCP_MAXPEAKRATE",
    "TCP_IDLE_REDUCE",
    "TCP_SHARED_CWND_ALLOWED",
    "TCP_USE_CMP_ACKS",
    "TCP_LRD",
)
_MISSING: Final = (
    "TCP_STATS",
    "TCP_LOGBUF",
    "TCP_LOGID",
    "TCP_LOGDUMP",
    "TCP_LOGDUMPID",
    "TCP_IWND_NB",
    "TCP_IWND_NSEG",
    "TCP_USER_LOG",
    "TCP_CCALGOOPT",
    "TCP_PERF_INFO",
    "TCP_KEEPINIT",
    "TCP_REUSPORT_LB_NUMA",
)

TCP: Final[Table] = {
    _number("TCP_FUNCTION_BLK"): Option(_function_set, _set_function_set),
    _number("TCP_FUNCTION_ALIAS"): Option(_function_set, None),
    **dict(_remembered(c.SOL_TCP, name) for name in _NO_EFFECT),
    **{_number(name): _only_zero(name) for name in _LEFT_OFF},
    **{_number(name): missing(name) for name in _MISSING},
}

IP: Final[Table] = dict(
    [
        _remembered(c.SOL_IP, "IP_DONTFRAG"),
        _remembered(c.SOL_IP, "IP_RECVDSTADDR"),
    ]
)
IPV6: Final[Table] = dict([_remembered(c.SOL_IPV6, "IPV6_USE_MIN_MTU", -1)])
