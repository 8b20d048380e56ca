"""The options of SOL_SOCKET."""

from __future__ import annotations

from errno import EDOM, EINVAL, EOPNOTSUPP
from math import ceil, inf
from struct import Struct
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import constants as c
from usertcp.sim.posix.errors import NotSupported, failure
from usertcp.sim.posix.options import (
    Option,
    Table,
    acts,
    between,
    fixed,
    flag,
    ignored,
    missing,
    number,
    reads,
    remembered,
)

if TYPE_CHECKING:
    from usertcp.sim.posix.sockets import Socket

_LINGER: Final = Struct("=ii")
_TIMEVAL: Final = Struct("=qq")
_MICROSECONDS: Final = 1_000_000
_INT_MAX: Final = (1 << 31) - 1
#: SO_BPF_EXTENSIONS as Linux has had it since 3.14.
_BPF_EXTENSIONS: Final = 64
#: No socket's SO_MAX_PACING_RATE.
_NO_LIMIT: Final = bytes([0xFF]) * 8


def _set_linger(socket: Socket, value: bytes) -> None:
    if len(value) < _LINGER.size:
        raise failure(EINVAL)
    on, seconds = _LINGER.unpack_from(value)
    socket.linger = float(seconds if seconds >= 0 else inf) if on else None
    socket.linger_seconds = seconds


def _linger(socket: Socket) -> bytes:
    return _LINGER.pack(socket.linger is not None, socket.linger_seconds)


def _timeout(value: bytes) -> float:
    """Seconds; 0 means for ever, a negative one not at all."""
    if len(value) < _TIMEVAL.size:
        raise failure(EINVAL)
    seconds, microseconds = _TIMEVAL.unpack_from(value)
    if not 0 <= microseconds < _MICROSECONDS:
        raise failure(EDOM)
    if seconds < 0:
        return 0.0
    return float(seconds + microseconds / _MICROSECONDS) or inf


def _timeval(timeout: float) -> bytes:
    if timeout == inf:
        return _TIMEVAL.pack(0, 0)
    return _TIMEVAL.pack(*divmod(ceil(timeout * _MICROSECONDS - 1e-3), _MICROSECONDS))


def _set_receive_timeout(socket: Socket, value: bytes) -> None:
    socket.receive_timeout = _timeout(value)


def _set_send_timeout(socket: Socket, value: bytes) -> None:
    socket.send_timeout = _timeout(value)


def _set_send_buffer(socket: Socket, value: bytes) -> None:
    socket.set_send_buffer(number(value), forced=False)


def _force_send_buffer(socket: Socket, value: bytes) -> None:
    socket.set_send_buffer(number(value), forced=True)


def _set_receive_buffer(socket: Socket, value: bytes) -> None:
    socket.set_receive_buffer(number(value), forced=False)


def _force_receive_buffer(socket: Socket, value: bytes) -> None:
    socket.set_receive_buffer(number(value), forced=True)


def _set_low_water(socket: Socket, value: bytes) -> None:
    socket.set_receive_low_water(number(value))


def _set_max_pacing_rate(socket: Socket, value: bytes) -> None:
    number(value)
    if value.rstrip(b"\xff"):
        raise NotSupported("SO_MAX_PACING_RATE")


def _no_effect(socket: Socket, value: bytes) -> None:
    number(value)


def _rehash(socket: Socket) -> int:
    if socket.protocol != c.IPPROTO_TCP:
        raise failure(EOPNOTSUPP)
    return socket.numbers.get((c.SOL_SOCKET, c.SO_TXREHASH), 1)


def _set_rehash(socket: Socket, value: bytes) -> None:
    if socket.protocol != c.IPPROTO_TCP:
        raise failure(EOPNOTSUPP)
    given = between(value, -1, 1)
    socket.numbers[c.SOL_SOCKET, c.SO_TXREHASH] = 1 if given == -1 else given


def _keepalive() -> Option:
    plain = flag(c.SOL_SOCKET, c.SO_KEEPALIVE, freebsd=0x8)

    def set_keepalive(socket: Socket, value: bytes) -> None:
        assert plain.set is not None
        plain.set(socket, value)
        socket.keepalive_switched(on=bool(number(value)))

    return Option(plain.get, set_keepalive)


def _flag(name: int, freebsd: int = 1) -> Option:
    return flag(c.SOL_SOCKET, name, freebsd=freebsd)


def _remembered(name: int, default: int = 0) -> Option:
    return remembered(c.SOL_SOCKET, name, default)


TABLE: Final[Table] = {
    c.SO_DEBUG: _flag(c.SO_DEBUG, 0x1),
    c.SO_REUSEADDR: _flag(c.SO_REUSEADDR, 0x4),
    c.SO_TYPE: reads(lambda socket: socket.kind),
    c.SO_ERROR: reads(lambda socket: socket.tell_error()),
    c.SO_DONTROUTE: _flag(c.SO_DONTROUTE, 0x10),
    c.SO_BROADCAST: _flag(c.SO_BROADCAST, 0x20),
    c.SO_SNDBUF: acts(lambda socket: socket.send_buffer_size, _set_send_buffer),
    c.SO_RCVBUF: acts(lambda socket: socket.receive_buffer_size, _set_receive_buffer),
    c.SO_SNDBUFFORCE: Option(None, _force_send_buffer),
    c.SO_RCVBUFFORCE: Option(None, _force_receive_buffer),
    c.SO_KEEPALIVE: _keepalive(),
    c.SO_OOBINLINE: _flag(c.SO_OOBINLINE, 0x100),
    c.SO_NO_CHECK: _flag(c.SO_NO_CHECK),
    c.SO_PRIORITY: _remembered(c.SO_PRIORITY),
    c.SO_LINGER: Option(_linger, _set_linger),
    c.SO_REUSEPORT: _flag(c.SO_REUSEPORT, 0x200),
    c.SO_RCVLOWAT: acts(lambda socket: socket.receive_low_water, _set_low_water),
    c.SO_SNDLOWAT: reads(lambda socket: 1),
    c.SO_RCVTIMEO_NEW: Option(lambda socket: _timeval(socket.receive_timeout), _set_receive_timeout),
    c.SO_SNDTIMEO_NEW: Option(lambda socket: _timeval(socket.send_timeout), _set_send_timeout),
    c.SO_RCVTIMEO: Option(lambda socket: _timeval(socket.receive_timeout), _set_receive_timeout),
    c.SO_SNDTIMEO: Option(lambda socket: _timeval(socket.send_timeout), _set_send_timeout),
    c.SO_ACCEPTCONN: reads(lambda socket: int(socket.listening)),
    c.SO_PROTOCOL: reads(lambda socket: socket.protocol),
    c.SO_DOMAIN: reads(lambda socket: socket.domain),
    c.SO_MARK: _remembered(c.SO_MARK),
    c.SO_RCVMARK: _flag(c.SO_RCVMARK),
    c.SO_BUSY_POLL: remembered(c.SOL_SOCKET, c.SO_BUSY_POLL, low=0, high=_INT_MAX),
    c.SO_PREFER_BUSY_POLL: _flag(c.SO_PREFER_BUSY_POLL),
    c.SO_BUSY_POLL_BUDGET: ignored(0, 0xFFFF),
    c.SO_BPF_EXTENSIONS: reads(lambda socket: _BPF_EXTENSIONS),
    c.SO_BSDCOMPAT: acts(lambda socket: 0, _no_effect),
    c.SO_CNX_ADVICE: ignored(-_INT_MAX - 1, _INT_MAX),
    c.SO_LOCK_FILTER: _flag(c.SO_LOCK_FILTER),
    c.SO_NOFCS: _flag(c.SO_NOFCS),
    c.SO_INCOMING_CPU: _remembered(c.SO_INCOMING_CPU, -1),
    c.SO_SELECT_ERR_QUEUE: _flag(c.SO_SELECT_ERR_QUEUE),
    c.SO_ZEROCOPY: flag(c.SOL_SOCKET, c.SO_ZEROCOPY, strict=True),
    c.SO_TXREHASH: acts(_rehash, _set_rehash),
    c.SO_TIMESTAMP: fixed("SO_TIMESTAMP"),
    c.SO_TIMESTAMPNS: fixed("SO_TIMESTAMPNS"),
    c.SO_MAX_PACING_RATE: Option(lambda socket: _NO_LIMIT, _set_max_pacing_rate),
    c.SO_PEEK_OFF: fixed("SO_PEEK_OFF", -1),
    c.SO_BINDTOIFINDEX: fixed("SO_BINDTOIFINDEX", low=0),
    c.SO_BUF_LOCK: fixed("SO_BUF_LOCK", low=0, high=3),
    c.SO_RESERVE_MEM: fixed("SO_RESERVE_MEM", low=0),
    c.SO_RXQ_OVFL: fixed("SO_RXQ_OVFL"),
    c.SO_TIMESTAMP_NEW: fixed("SO_TIMESTAMP"),
    c.SO_TIMESTAMPNS_NEW: fixed("SO_TIMESTAMPNS"),
    c.SO_ATTACH_FILTER: missing("SO_ATTACH_FILTER"),
    c.SO_ATTACH_BPF: missing("SO_ATTACH_BPF"),
    c.SO_BINDTODEVICE: missing("SO_BINDTODEVICE"),
    c.SO_TXTIME: missing("SO_TXTIME"),
    c.SO_MEMINFO: missing("SO_MEMINFO"),
    c.SO_COOKIE: Option(lambda socket: socket.cookie.to_bytes(8, "little"), None),
}
