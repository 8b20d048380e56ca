"""The options of SOL_TCP."""

from __future__ import annotations

from errno import EINVAL, ENOENT, EPERM
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import constants as c
from usertcp.sim.posix import socket_options, tcp_completions, tcp_info
from usertcp.sim.posix.errors import NotSupported, failure
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
from usertcp.tcp import opening
from usertcp.tcp import options as live
from usertcp.tcp.congestion import registry
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket

_TCP: Final = c.SOL_TCP
_MILLISECONDS: Final = 1000.0
_MICROSECONDS: Final = 1_000_000.0
#: Bounds of the numbers that Linux takes (include/net/tcp.h).
_MIN_MSS: Final = 88
#: What TCP_MAXSEG says of a socket that is not connected, IPv6 or not.
_MSS_OF_NOBODY: Final = 536
_MAX_WINDOW: Final = 32767
_MAX_SECONDS: Final = 32767
_MAX_PROBES: Final = 127
_MAX_SYN_RETRIES: Final = 127
_DEFAULT_SYN_RETRIES: Final = 6
_MAX_LINGER: Final = 120
_MIN_CLAMP: Final = 2304 // 2
_MAX_DELAY: Final = ((1 << 31) - 1) // 1000
#: Congestion controllers by the names that systems have for them, and those that we have not.
_OTHER_NAMES: Final = {"newreno": "reno"}
_MISSING_CONTROLLERS: Final = {
    *("bic", "cdg", "chd", "hd", "highspeed", "htcp", "hybla", "illinois", "lp", "nv", "prague"),
    *("scalable", "vegas", "veno", "westwood", "yeah"),
}
_CONGESTION_NAME_LENGTH: Final = 16
_KEY_LENGTH: Final = 16


# -- Segments ----------------------------------------------------------------------------------------------------


def _set_nodelay(socket: TcpSocket, value: bytes) -> None:
    on = bool(number(value))
    socket.override(nodelay=on)
    if socket.connection is not None:
        live.set_nodelay(socket.connection, on, socket.machine.now)


def _nodelay(socket: TcpSocket) -> int:
    on = socket.settings.nodelay
    return 4 if on and socket.machine.personality == "freebsd" else int(on)


def _set_max_segment(socket: TcpSocket, value: bytes) -> None:
    given = number(value)
    if given and not _MIN_MSS <= given <= _MAX_WINDOW:
        raise failure(EINVAL)
    socket.override(user_mss=given or None)


def _max_segment(socket: TcpSocket) -> int:
    connection = socket.connection
    if connection is not None and not connection.is_over:
        return connection.snd_mss
    if socket.overrides.get("user_mss"):
        return int(socket.overrides["user_mss"])
    return _MSS_OF_NOBODY if socket.machine.personality == "linux" else opening.default_mss(socket.local.address)


def _set_cork(socket: TcpSocket, value: bytes) -> None:
    socket.corked = bool(number(value))
    connection = socket.connection
    if connection is not None:
        connection.corked = socket.corked
        if not socket.corked:
            connection.push(socket.machine.now)


# -- Timers ------------------------------------------------------------------------------------------------------


def _set_idle(socket: TcpSocket, value: bytes) -> None:
    socket.override(keepalive_idle=float(between(value, 1, _MAX_SECONDS)))
    socket.keepalive_times_changed()


def _set_interval(socket: TcpSocket, value: bytes) -> None:
    socket.override(keepalive_interval=float(between(value, 1, _MAX_SECONDS)))


def _set_probes(socket: TcpSocket, value: bytes) -> None:
    socket.override(keepalive_probes=between(value, 1, _MAX_PROBES))


def _set_syn_retries(socket: TcpSocket, value: bytes) -> None:
    socket.override(syn_retries=between(value, 1, _MAX_SYN_RETRIES))


def _syn_retries(socket: TcpSocket) -> int:
    retries = socket.settings.syn_retries
    return _DEFAULT_SYN_RETRIES if retries is None else retries


def _set_linger2(socket: TcpSocket, value: bytes) -> None:
    given = number(value)
    socket.linger2 = -1 if given < 0 else min(given, _MAX_LINGER)
    default = socket.machine.host.config.settings.fin_wait_2_timeout
    socket.override(fin_wait_2_timeout=float(socket.linger2) if socket.linger2 > 0 else default)


def _linger2(socket: TcpSocket) -> int:
    return socket.linger2 or round(socket.machine.host.config.settings.fin_wait_2_timeout)


def _set_max_rto(socket: TcpSocket, value: bytes) -> None:
    seconds = between(value, 1000, 120_000) / _MILLISECONDS
    socket.override(max_rto=seconds)
    if socket.connection is not None:
        socket.connection.rtt.max_rto = seconds


def _set_min_rto(socket: TcpSocket, value: bytes) -> None:
    seconds = between(value, 2000, 200_000) / _MICROSECONDS
    socket.override(min_rto=seconds)
    if socket.connection is not None:
        socket.connection.rtt.min_rto = seconds


def _set_max_ack_delay(socket: TcpSocket, value: bytes) -> None:
    socket.override(max_ack_delay=between(value, 2000, 200_000) / _MICROSECONDS)


def _set_user_timeout(socket: TcpSocket, value: bytes) -> None:
    given = number(value)
    if given < 0:
        raise failure(EINVAL)
    seconds = given / _MILLISECONDS or None
    socket.override(user_timeout=seconds)
    if socket.connection is not None:
        live.set_user_timeout(socket.connection, seconds)


def _user_timeout(socket: TcpSocket) -> int:
    return round((socket.settings.user_timeout or 0) * _MILLISECONDS)


def _set_defer_accept(socket: TcpSocket, value: bytes) -> None:
    socket.defer_accept = _retransmissions_within(max(number(value), 0))
    socket.override(defer_accept=socket.defer_accept)


def _retransmissions_within(seconds: int) -> int:
    """How many SYN,ACKs it takes for so many seconds to pass (Linux's secs_to_retrans)."""
    count, period, timeout = 0, 1, 1
    if seconds <= 0:
        return 0
    count = 1
    while seconds > period and count < 255:
        count += 1
        timeout = min(timeout * 2, 120)
        period += timeout
    return count


def defer_seconds(count: int) -> int:
    """The time that ``count`` SYN,ACKs take (Linux's retrans_to_secs)."""
    period, timeout = 0, 1
    for _ in range(count):
        period += timeout
        timeout = min(timeout * 2, 120)
    return period


# -- Windows and acknowledgments ---------------------------------------------------------------------------------


def _set_window_clamp(socket: TcpSocket, value: bytes) -> None:
    given = number(value)
    if not given and socket.state is not State.CLOSED:
        raise failure(EINVAL)
    socket.override(window_clamp=max(given, _MIN_CLAMP) if given else None)


def _set_quick_acks(socket: TcpSocket, value: bytes) -> None:
    given = number(value)
    connection = socket.connection
    if connection is None or connection.is_over:
        socket.numbers[_TCP, c.TCP_QUICKACK] = int(bool(given))
        return
    owed = bool(connection.unacked_bytes)
    connection.quick_ack(bool(given))
    if given and not given & 1 and owed:
        connection.quick_ack(False)  # this once


def _quick_acks(socket: TcpSocket) -> int:
    connection = socket.connection
    if connection is None or connection.is_over:
        return socket.numbers.get((_TCP, c.TCP_QUICKACK), 1)
    return int(connection.quick_ack_mode)


def _set_not_sent_low_water(socket: TcpSocket, value: bytes) -> None:
    socket.space.low_water = number(value) & 0xFFFFFFFF


# -- Congestion control ------------------------------------------------------------------------------------------


def _set_congestion(socket: TcpSocket, value: bytes) -> None:
    name = value[: _CONGESTION_NAME_LENGTH - 1].split(b"\0")[0].decode("latin-1")
    if not value:
        raise failure(EINVAL)
    if name in _MISSING_CONTROLLERS:
        raise NotSupported(f"the congestion controller {name}")
    name = _OTHER_NAMES.get(name, name)
    if name not in registry.NAMES:
        raise failure(ENOENT)
    socket.override(congestion_control=name)
    if socket.connection is not None:
        live.set_congestion_control(socket.connection, name)


def _congestion(socket: TcpSocket) -> bytes:
    connection = socket.connection
    name = socket.settings.congestion_control if connection is None else connection.congestion.name
    if name == "reno" and socket.machine.personality == "freebsd":
        name = "newreno"
    return name.encode().ljust(_CONGESTION_NAME_LENGTH, b"\0")


# -- Fast Open ---------------------------------------------------------------------------------------------------


def _set_fast_open(socket: TcpSocket, value: bytes) -> None:
    given = number(value)
    if given < 0 or socket.state not in (State.CLOSED, State.LISTEN):
        raise failure(EINVAL)
    given = min(given, socket.machine.config.somaxconn)
    socket.fast_open = given
    if socket.listener is not None:
        socket.listener.fast_open.most = given


def _set_fast_open_connect(socket: TcpSocket, value: bytes) -> None:
    given = between(value, 0, 1)
    if socket.state is not State.CLOSED:
        raise failure(EINVAL)
    socket.numbers[_TCP, c.TCP_FASTOPEN_CONNECT] = given


def _set_no_cookie(socket: TcpSocket, value: bytes) -> None:
    if socket.state not in (State.CLOSED, State.LISTEN):
        raise failure(EINVAL)
    given = between(value, 0, 1)
    socket.numbers[_TCP, c.TCP_FASTOPEN_NO_COOKIE] = given
    socket.override(fast_open_server_cookie=not given, fast_open_client_cookie=not given)


def _set_fast_open_keys(socket: TcpSocket, value: bytes) -> None:
    if len(value) not in (_KEY_LENGTH, 2 * _KEY_LENGTH):
        raise failure(EINVAL)
    socket.fast_open_keys = tuple(value[at : at + _KEY_LENGTH] for at in range(0, len(value), _KEY_LENGTH))
    if socket.listener is not None:
        socket.listener.fast_open_keys = socket.fast_open_keys


def _fast_open_keys(socket: TcpSocket) -> bytes:
    return b"".join(socket.fast_open_keys or socket.machine.host.config.fast_open_keys)


# -- The rest ----------------------------------------------------------------------------------------------------


def _timestamp(socket: TcpSocket) -> int:
    connection = socket.connection
    now = socket.machine.now
    return int(now * _MILLISECONDS) & 0xFFFFFFFF if connection is None else opening.timestamp(connection, now)


def _set_upper_layer(socket: TcpSocket, value: bytes) -> None:
    if value.rstrip(b"\0") in (b"tls", b"mptcp", b"smc"):
        raise NotSupported("TCP_ULP")
    raise failure(ENOENT)


def _refused(socket: TcpSocket, value: bytes) -> None:
    raise failure(EPERM)


def _timestamping(socket: TcpSocket) -> bytes:
    """struct so_timestamping: the flags, and a clock of the device's, which has none."""
    return packed(tcp_completions.timestamping(socket)) + packed(0)


def _set_repair(socket: TcpSocket, value: bytes) -> None:
    if between(value, -1, 1) == 1:
        if socket.listening:
            raise failure(EPERM)
        raise NotSupported("TCP_REPAIR")


def _not_in_repair(number: int, *, connected: int | None = None) -> Option:
    """An option for sockets in repair mode only: what it says to others that set it."""

    def get(socket: TcpSocket) -> bytes:
        raise failure(EINVAL)

    def set_option(socket: TcpSocket, value: bytes) -> None:
        raise failure(number if connected is None or socket.state is State.CLOSED else connected)

    return Option(get, set_option)


def _set_thin_dupack(socket: TcpSocket, value: bytes) -> None:
    between(value, 0, 1)


def _set_thin_timeouts(socket: TcpSocket, value: bytes) -> None:
    if between(value, 0, 1):
        raise NotSupported("TCP_THIN_LINEAR_TIMEOUTS")


TABLE: Final[Table] = {
    c.TCP_NODELAY: acts(_nodelay, _set_nodelay),
    c.TCP_MAXSEG: acts(_max_segment, _set_max_segment),
    c.TCP_CORK: acts(lambda socket: int(socket.corked), _set_cork),
    c.TCP_KEEPIDLE: acts(lambda socket: round(socket.settings.keepalive_idle), _set_idle),
    c.TCP_KEEPINTVL: acts(lambda socket: round(socket.settings.keepalive_interval), _set_interval),
    c.TCP_KEEPCNT: acts(lambda socket: socket.settings.keepalive_probes, _set_probes),
    c.TCP_SYNCNT: acts(_syn_retries, _set_syn_retries),
    c.TCP_LINGER2: acts(_linger2, _set_linger2),
    c.TCP_DEFER_ACCEPT: acts(lambda socket: defer_seconds(socket.defer_accept), _set_defer_accept),
    c.TCP_WINDOW_CLAMP: acts(lambda socket: socket.overrides.get("window_clamp") or 0, _set_window_clamp),
    c.TCP_INFO: Option(tcp_info.of_socket, None),
    c.TCP_QUICKACK: acts(_quick_acks, _set_quick_acks),
    c.TCP_CONGESTION: Option(_congestion, _set_congestion),
    c.TCP_THIN_LINEAR_TIMEOUTS: acts(lambda socket: 0, _set_thin_timeouts),
    c.TCP_THIN_DUPACK: acts(lambda socket: 0, _set_thin_dupack),
    c.TCP_USER_TIMEOUT: acts(_user_timeout, _set_user_timeout),
    c.TCP_FASTOPEN: acts(lambda socket: socket.fast_open, _set_fast_open),
    c.TCP_TIMESTAMP: acts(_timestamp, _refused),
    c.TCP_NOTSENT_LOWAT: acts(lambda socket: socket.space.low_water, _set_not_sent_low_water),
    c.TCP_FASTOPEN_CONNECT: acts(
        lambda socket: socket.numbers.get((_TCP, c.TCP_FASTOPEN_CONNECT), 0), _set_fast_open_connect
    ),
    c.TCP_FASTOPEN_NO_COOKIE: acts(
        lambda socket: socket.numbers.get((_TCP, c.TCP_FASTOPEN_NO_COOKIE), 0), _set_no_cookie
    ),
    c.TCP_FASTOPEN_KEY: Option(_fast_open_keys, _set_fast_open_keys),
    c.TCP_INQ: flag(_TCP, c.TCP_INQ, strict=True),
    c.TCP_IS_MPTCP: reads(lambda socket: 0),
    c.TCP_MD5SIG: missing("TCP_MD5SIG"),
    c.TCP_MD5SIG_EXT: missing("TCP_MD5SIG"),
    c.TCP_REPAIR: acts(lambda socket: 0, _set_repair),
    c.TCP_REPAIR_QUEUE: _not_in_repair(EPERM),
    c.TCP_QUEUE_SEQ: _not_in_repair(EINVAL, connected=EPERM),
    c.TCP_REPAIR_OPTIONS: Option(None, _not_in_repair(EINVAL).set),
    c.TCP_REPAIR_WINDOW: _not_in_repair(EPERM),
    c.TCP_CC_INFO: missing("TCP_CC_INFO"),
    c.TCP_SAVE_SYN: fixed("TCP_SAVE_SYN", low=0, high=2),
    c.TCP_SAVED_SYN: Option(lambda socket: b"", None),
    c.TCP_ULP: Option(lambda socket: b"", _set_upper_layer),
    c.TCP_ZEROCOPY_RECEIVE: missing("TCP_ZEROCOPY_RECEIVE"),
    c.TCP_TX_DELAY: fixed("TCP_TX_DELAY", low=0, high=_MAX_DELAY),
    c.TCP_AO_ADD_KEY: missing("TCP-AO"),
    c.TCP_AO_DEL_KEY: missing("TCP-AO"),
    c.TCP_AO_INFO: missing("TCP-AO"),
    c.TCP_AO_GET_KEYS: missing("TCP-AO"),
    c.TCP_AO_REPAIR: missing("TCP-AO"),
    c.TCP_RTO_MAX_MS: acts(lambda socket: round(socket.settings.max_rto * _MILLISECONDS), _set_max_rto),
    c.TCP_RTO_MIN_US: acts(lambda socket: round(socket.settings.min_rto * _MICROSECONDS), _set_min_rto),
    c.TCP_DELACK_MAX_US: acts(lambda socket: round(socket.settings.max_ack_delay * _MICROSECONDS), _set_max_ack_delay),
}

#: What SOL_SOCKET has for TCP only.
SOCKET: Final[Table] = {
    **socket_options.TABLE,
    c.SO_PEEK_OFF: remembered(c.SOL_SOCKET, c.SO_PEEK_OFF, -1),
    c.SO_TIMESTAMPING: Option(_timestamping, tcp_completions.set_timestamping),
}
