"""What getsockopt() and setsockopt() take and give; the numbers were looked up on Linux 6.18."""

from errno import EDOM, EINPROGRESS, EINVAL, ENOENT, ENOPROTOOPT, EOPNOTSUPP, EPERM
from struct import pack

import pytest

from tests.sim.posix.peer import OURS, Peer, accepted, errno_of, listener, machine, nonblocking, theirs
from usertcp.sim.posix import Machine, NotSupported, SocketAddress, SocketConfig, socket_address
from usertcp.sim.posix import constants as c
from usertcp.sim.posix.options import packed
from usertcp.tcp.settings import Settings
from usertcp.wire.tcp import ACK


def tcp_socket(us: Machine, domain: int = c.AF_INET) -> int:
    return us.socket(domain, c.SOCK_STREAM, 0)


def number(us: Machine, fd: int, level: int, name: int) -> int:
    value = us.getsockopt(fd, level, name, 4)
    assert len(value) == 4
    return int.from_bytes(value, "little", signed=True)


def outcome(us: Machine, fd: int, level: int, name: int, value: int) -> int | str:
    """What the option is after it was set, or the errno's name."""
    failed = errno_of(us.setsockopt, fd, level, name, packed(value))
    return number(us, fd, level, name) if failed is None else -failed


DEFAULTS = [
    (c.SOL_SOCKET, c.SO_DEBUG, 0),
    (c.SOL_SOCKET, c.SO_REUSEADDR, 0),
    (c.SOL_SOCKET, c.SO_TYPE, c.SOCK_STREAM),
    (c.SOL_SOCKET, c.SO_ERROR, 0),
    (c.SOL_SOCKET, c.SO_KEEPALIVE, 0),
    (c.SOL_SOCKET, c.SO_OOBINLINE, 0),
    (c.SOL_SOCKET, c.SO_PRIORITY, 0),
    (c.SOL_SOCKET, c.SO_REUSEPORT, 0),
    (c.SOL_SOCKET, c.SO_RCVLOWAT, 1),
    (c.SOL_SOCKET, c.SO_SNDLOWAT, 1),
    (c.SOL_SOCKET, c.SO_ACCEPTCONN, 0),
    (c.SOL_SOCKET, c.SO_PROTOCOL, c.IPPROTO_TCP),
    (c.SOL_SOCKET, c.SO_DOMAIN, c.AF_INET),
    (c.SOL_SOCKET, c.SO_INCOMING_CPU, -1),
    (c.SOL_SOCKET, c.SO_ZEROCOPY, 0),
    (c.SOL_TCP, c.TCP_NODELAY, 0),
    (c.SOL_TCP, c.TCP_MAXSEG, 536),
    (c.SOL_TCP, c.TCP_CORK, 0),
    (c.SOL_TCP, c.TCP_KEEPIDLE, 7200),
    (c.SOL_TCP, c.TCP_KEEPINTVL, 75),
    (c.SOL_TCP, c.TCP_KEEPCNT, 9),
    (c.SOL_TCP, c.TCP_LINGER2, 60),
    (c.SOL_TCP, c.TCP_DEFER_ACCEPT, 0),
    (c.SOL_TCP, c.TCP_WINDOW_CLAMP, 0),
    (c.SOL_TCP, c.TCP_QUICKACK, 1),
    (c.SOL_TCP, c.TCP_USER_TIMEOUT, 0),
    (c.SOL_TCP, c.TCP_FASTOPEN, 0),
    (c.SOL_TCP, c.TCP_NOTSENT_LOWAT, 0),
    (c.SOL_TCP, c.TCP_FASTOPEN_CONNECT, 0),
    (c.SOL_TCP, c.TCP_INQ, 0),
    (c.SOL_TCP, c.TCP_IS_MPTCP, 0),
    (c.SOL_IP, c.IP_TOS, 0),
    (c.SOL_IP, c.IP_TTL, 64),
    (c.SOL_IP, c.IP_MTU_DISCOVER, c.IP_PMTUDISC_WANT),
    (c.SOL_IP, c.IP_RECVERR, 0),
    (c.SOL_IP, c.IP_FREEBIND, 0),
    (c.SOL_IP, c.IP_BIND_ADDRESS_NO_PORT, 0),
]


@pytest.mark.parametrize(("level", "name", "value"), DEFAULTS)
def test_defaults(level: int, name: int, value: int) -> None:
    us = machine()
    assert number(us, tcp_socket(us), level, name) == value


SETTING = [
    (c.SOL_SOCKET, c.SO_REUSEADDR, [(1, 1), (5, 1), (-1, 1), (0, 0)]),
    (c.SOL_SOCKET, c.SO_KEEPALIVE, [(1, 1), (0, 0)]),
    (c.SOL_SOCKET, c.SO_TYPE, [(1, -ENOPROTOOPT)]),
    (c.SOL_SOCKET, c.SO_ERROR, [(1, -ENOPROTOOPT)]),
    (c.SOL_SOCKET, c.SO_SNDLOWAT, [(10, -ENOPROTOOPT)]),
    (c.SOL_SOCKET, c.SO_SNDBUF, [(0, 4608), (2304, 4608), (5000, 10000), (1 << 30, 8 << 20), (-1, 8 << 20)]),
    (c.SOL_SOCKET, c.SO_RCVBUF, [(0, 2304), (1000, 2304), (2304, 4608), (100000, 200000), (-1, 8 << 20)]),
    (c.SOL_SOCKET, c.SO_RCVLOWAT, [(0, 1), (1000, 1000)]),
    (c.SOL_SOCKET, c.SO_PRIORITY, [(6, 6), (-1, -1)]),
    (c.SOL_SOCKET, c.SO_MARK, [(77, 77)]),
    (c.SOL_SOCKET, c.SO_ZEROCOPY, [(1, 1), (2, -EINVAL)]),
    (c.SOL_TCP, c.TCP_NODELAY, [(1, 1), (5, 1), (0, 0)]),
    (c.SOL_TCP, c.TCP_MAXSEG, [(1, -EINVAL), (87, -EINVAL), (32768, -EINVAL), (-1, -EINVAL)]),
    (c.SOL_TCP, c.TCP_KEEPIDLE, [(0, -EINVAL), (1, 1), (32767, 32767), (32768, -EINVAL)]),
    (c.SOL_TCP, c.TCP_KEEPINTVL, [(0, -EINVAL), (1, 1), (32767, 32767), (32768, -EINVAL)]),
    (c.SOL_TCP, c.TCP_KEEPCNT, [(0, -EINVAL), (1, 1), (127, 127), (128, -EINVAL)]),
    (c.SOL_TCP, c.TCP_SYNCNT, [(0, -EINVAL), (128, -EINVAL), (-1, -EINVAL)]),
    (c.SOL_TCP, c.TCP_LINGER2, [(-1, -1), (0, 60), (1, 1), (120, 120), (1000, 120)]),
    (c.SOL_TCP, c.TCP_USER_TIMEOUT, [(1, 1), (100000, 100000), (-1, -EINVAL), (0, 0)]),
    (c.SOL_TCP, c.TCP_THIN_LINEAR_TIMEOUTS, [(0, 0), (2, -EINVAL)]),
    (c.SOL_TCP, c.TCP_THIN_DUPACK, [(1, 0), (2, -EINVAL)]),
    (c.SOL_TCP, c.TCP_FASTOPEN, [(5, 5), (-1, -EINVAL), (5000, 4096)]),
    (c.SOL_TCP, c.TCP_FASTOPEN_CONNECT, [(1, 1), (2, -EINVAL)]),
    (c.SOL_TCP, c.TCP_TIMESTAMP, [(1, -EPERM)]),
    (c.SOL_TCP, c.TCP_NOTSENT_LOWAT, [(1, 1), (-1, -1)]),
    (c.SOL_TCP, c.TCP_INQ, [(1, 1), (2, -EINVAL)]),
    (c.SOL_IP, c.IP_TOS, [(3, 0), (0x10, 0x10), (0xFF, 0xFC), (256, 0)]),
    (c.SOL_IP, c.IP_TTL, [(0, -EINVAL), (1, 1), (255, 255), (256, -EINVAL), (-1, 64)]),
    (c.SOL_IP, c.IP_MTU_DISCOVER, [(0, 0), (5, 5), (6, -EINVAL), (-1, -EINVAL)]),
    (c.SOL_IP, c.IP_RECVERR, [(1, 1), (2, 1), (0, 0)]),
    (c.SOL_IP, c.IP_MULTICAST_TTL, [(5, -EINVAL)]),
    (c.SOL_IP, c.IP_MULTICAST_LOOP, [(0, 0), (1, 1)]),
]


@pytest.mark.parametrize(("level", "name", "steps"), SETTING)
def test_setting(level: int, name: int, steps: list[tuple[int, int]]) -> None:
    us = machine()
    fd = tcp_socket(us)
    for value, expected in steps:
        assert outcome(us, fd, level, name, value) == expected, value


SETTING_V6 = [
    (c.IPV6_UNICAST_HOPS, [(0, 0), (255, 255), (256, -EINVAL), (-1, 64), (-2, -EINVAL)]),
    (c.IPV6_TCLASS, [(-1, 0), (3, 0), (0xFF, 0xFC), (256, -EINVAL)]),
    (c.IPV6_V6ONLY, [(1, 1), (0, 0)]),
    (c.IPV6_MTU_DISCOVER, [(5, 5), (6, -EINVAL)]),
    (c.IPV6_RECVERR, [(1, 1)]),
    (c.IPV6_MULTICAST_HOPS, [(5, -ENOPROTOOPT)]),
    (c.IPV6_AUTOFLOWLABEL, [(5, 1), (0, 0)]),
]


@pytest.mark.parametrize(("name", "steps"), SETTING_V6)
def test_setting_of_ipv6(name: int, steps: list[tuple[int, int]]) -> None:
    us = machine()
    fd = tcp_socket(us, c.AF_INET6)
    for value, expected in steps:
        assert outcome(us, fd, c.SOL_IPV6, name, value) == expected, value


def test_what_does_not_exist() -> None:
    us = machine()
    fd = tcp_socket(us)
    assert errno_of(us.getsockopt, fd, c.SOL_SOCKET, 999) == ENOPROTOOPT
    assert errno_of(us.setsockopt, fd, c.SOL_SOCKET, 999, packed(1)) == ENOPROTOOPT
    assert errno_of(us.getsockopt, fd, 999, 1) == EOPNOTSUPP
    assert errno_of(us.setsockopt, fd, 999, 1, packed(1)) == ENOPROTOOPT
    assert errno_of(us.getsockopt, fd, c.SOL_IPV6, c.IPV6_V6ONLY) == EOPNOTSUPP
    assert errno_of(us.getsockopt, fd, c.SOL_SOCKET, c.SO_SNDBUFFORCE) == ENOPROTOOPT
    datagrams = us.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    assert errno_of(us.getsockopt, datagrams, c.SOL_TCP, c.TCP_NODELAY) == EOPNOTSUPP


def test_what_is_missing_here_is_said() -> None:
    us = machine()
    fd = tcp_socket(us)
    for level, name in ((c.SOL_TCP, c.TCP_MD5SIG), (c.SOL_TCP, c.TCP_CC_INFO), (c.SOL_SOCKET, c.SO_TXTIME)):
        with pytest.raises(NotSupported):
            us.setsockopt(fd, level, name, packed(1))
        with pytest.raises(NotSupported):
            us.getsockopt(fd, level, name)
    for level, name, default in (
        (c.SOL_TCP, c.TCP_REPAIR, 0),
        (c.SOL_TCP, c.TCP_TX_DELAY, 0),
        (c.SOL_SOCKET, c.SO_BUF_LOCK, 0),
        (c.SOL_IP, c.IP_MINTTL, 0),
    ):
        assert number(us, fd, level, name) == default
        us.setsockopt(fd, level, name, packed(default))
        with pytest.raises(NotSupported):
            us.setsockopt(fd, level, name, packed(1))


def test_only_sockets_in_repair_have_these() -> None:
    us = machine()
    fd = tcp_socket(us)
    for name, expected in ((c.TCP_REPAIR_QUEUE, EPERM), (c.TCP_QUEUE_SEQ, EINVAL), (c.TCP_REPAIR_OPTIONS, EINVAL)):
        assert errno_of(us.setsockopt, fd, c.SOL_TCP, name, packed(1)) == expected
    assert errno_of(us.getsockopt, fd, c.SOL_TCP, c.TCP_QUEUE_SEQ) == EINVAL
    us.listen(fd, 1)
    assert errno_of(us.setsockopt, fd, c.SOL_TCP, c.TCP_QUEUE_SEQ, packed(1)) == EPERM
    assert errno_of(us.setsockopt, fd, c.SOL_TCP, c.TCP_REPAIR, packed(1)) == EPERM


def test_ports_of_a_range() -> None:
    us = machine()
    ports = []
    for _ in range(3):
        fd = tcp_socket(us)
        us.setsockopt(fd, c.SOL_IP, c.IP_LOCAL_PORT_RANGE, packed(40001 << 16 | 40000))
        if errno_of(us.bind, fd, socket_address("0.0.0.0", 0)) is None:
            ports.append(us.getsockname(fd).port)
    assert ports == [40000, 40001]
    outside = tcp_socket(us)
    us.setsockopt(outside, c.SOL_IP, c.IP_LOCAL_PORT_RANGE, packed(200 << 16 | 100))
    us.bind(outside, socket_address("0.0.0.0", 0))
    assert us.getsockname(outside).port == 32768
    assert errno_of(us.setsockopt, outside, c.SOL_IP, c.IP_LOCAL_PORT_RANGE, packed(1 << 16 | 2)) == EINVAL


def test_an_address_without_a_port() -> None:
    us = machine()
    fd = nonblocking(us, tcp_socket(us))
    us.setsockopt(fd, c.SOL_IP, c.IP_BIND_ADDRESS_NO_PORT, packed(1))
    us.bind(fd, SocketAddress(c.AF_INET, OURS[4], 0))
    assert us.getsockname(fd) == SocketAddress(c.AF_INET, OURS[4], 0)
    assert errno_of(us.connect, fd, theirs()) == EINPROGRESS
    assert us.getsockname(fd).port >= 32768


def test_what_has_bounds_and_no_effect() -> None:
    us = machine()
    fd = tcp_socket(us)
    for name, good, bad in (
        (c.SO_BUSY_POLL, 50, -1),
        (c.SO_BUSY_POLL_BUDGET, 0xFFFF, 0x10000),
        (c.SO_TXREHASH, -1, 2),
        (c.SO_BUF_LOCK, 0, 4),
    ):
        us.setsockopt(fd, c.SOL_SOCKET, name, packed(good))
        assert errno_of(us.setsockopt, fd, c.SOL_SOCKET, name, packed(bad)) == EINVAL
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_BSDCOMPAT, packed(1))
    assert number(us, fd, c.SOL_SOCKET, c.SO_BSDCOMPAT) == 0
    assert number(us, fd, c.SOL_SOCKET, c.SO_TXREHASH) == 1
    datagrams = us.socket(c.AF_INET6, c.SOCK_DGRAM, 0)
    assert errno_of(us.getsockopt, datagrams, c.SOL_SOCKET, c.SO_TXREHASH) == EOPNOTSUPP
    assert errno_of(us.setsockopt, datagrams, c.SOL_SOCKET, c.SO_TXREHASH, packed(1)) == EOPNOTSUPP
    for level, name in ((c.SOL_IP, c.IP_MULTICAST_TTL), (c.SOL_IPV6, c.IPV6_MULTICAST_HOPS)):
        us.setsockopt(datagrams, level, name, packed(9))
        assert number(us, datagrams, level, name) == 9
    us.setsockopt(datagrams, c.SOL_IP, c.IP_MULTICAST_LOOP, b"\0")
    assert number(us, datagrams, c.SOL_IP, c.IP_MULTICAST_LOOP) == 0


def test_low_water_is_half_of_the_buffer_at_most() -> None:
    us = machine()
    fd = tcp_socket(us)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_RCVBUF, packed(10000))
    for asked in (-1, 1 << 30):
        us.setsockopt(fd, c.SOL_SOCKET, c.SO_RCVLOWAT, packed(asked))
        assert number(us, fd, c.SOL_SOCKET, c.SO_RCVLOWAT) == 10000


def test_pacing_is_not_bounded() -> None:
    us = machine()
    fd = tcp_socket(us)
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_MAX_PACING_RATE, 8) == bytes([255]) * 8
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_MAX_PACING_RATE, packed(-1))
    with pytest.raises(NotSupported):
        us.setsockopt(fd, c.SOL_SOCKET, c.SO_MAX_PACING_RATE, packed(10000))


def test_upper_layers() -> None:
    us = machine()
    fd = tcp_socket(us)
    assert us.getsockopt(fd, c.SOL_TCP, c.TCP_ULP, 16) == b""
    assert errno_of(us.setsockopt, fd, c.SOL_TCP, c.TCP_ULP, b"nothing") == ENOENT
    with pytest.raises(NotSupported):
        us.setsockopt(fd, c.SOL_TCP, c.TCP_ULP, b"tls")


def test_each_socket_has_a_cookie_of_its_own() -> None:
    us = machine()
    cookies = {us.getsockopt(tcp_socket(us), c.SOL_SOCKET, c.SO_COOKIE, 8) for _ in range(3)}
    assert len(cookies) == 3


def test_bounds_of_timers() -> None:
    us = machine()
    fd, peer = accepted(us)
    assert outcome(us, fd, c.SOL_TCP, c.TCP_RTO_MAX_MS, 999) == -EINVAL
    assert outcome(us, fd, c.SOL_TCP, c.TCP_RTO_MAX_MS, 1000) == 1000
    assert outcome(us, fd, c.SOL_TCP, c.TCP_RTO_MIN_US, 1) == -EINVAL
    assert outcome(us, fd, c.SOL_TCP, c.TCP_RTO_MIN_US, 50000) == 50000
    assert outcome(us, fd, c.SOL_TCP, c.TCP_DELACK_MAX_US, 200001) == -EINVAL
    assert outcome(us, fd, c.SOL_TCP, c.TCP_DELACK_MAX_US, 10000) == 10000
    us.write(fd, b"x")
    peer.receives()
    us.advance(us.now + 10)
    assert len(peer.receives()) > 8


def test_the_length_counts() -> None:
    us = machine()
    fd = tcp_socket(us)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_PRIORITY, packed(0x01020304))
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_PRIORITY, 2) == b"\x04\x03"
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_PRIORITY, 100) == b"\x04\x03\x02\x01"
    assert errno_of(us.getsockopt, fd, c.SOL_SOCKET, c.SO_PRIORITY, -1) == EINVAL
    assert errno_of(us.setsockopt, fd, c.SOL_SOCKET, c.SO_PRIORITY, b"\1\0") == EINVAL
    assert errno_of(us.setsockopt, fd, c.SOL_TCP, c.TCP_NODELAY, b"\1") == EINVAL
    us.setsockopt(fd, c.SOL_IP, c.IP_TOS, b"\x08")
    assert number(us, fd, c.SOL_IP, c.IP_TOS) == 8
    us.setsockopt(fd, c.SOL_IP, c.IP_TOS, b"")
    assert number(us, fd, c.SOL_IP, c.IP_TOS) == 0
    assert us.getsockopt(fd, c.SOL_IP, c.IP_TTL, 3) == b"\x40"
    assert errno_of(us.setsockopt, fd, c.SOL_IP, c.IP_TTL, b"") == EINVAL
    assert errno_of(us.setsockopt, fd, c.SOL_IP, c.IP_LOCAL_PORT_RANGE, b"\1") == EINVAL
    assert errno_of(us.setsockopt, fd, c.SOL_SOCKET, 999, b"\1") == EINVAL
    datagrams = us.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    assert errno_of(us.setsockopt, datagrams, c.SOL_TCP, c.TCP_NODELAY, b"\1") == ENOPROTOOPT


def test_linger() -> None:
    us = machine()
    fd = tcp_socket(us)
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, 16) == pack("=ii", 0, 0)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, pack("=ii", 1, 5))
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, 16) == pack("=ii", 1, 5)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, pack("=ii", 0, 7))
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, 16) == pack("=ii", 0, 7)
    assert errno_of(us.setsockopt, fd, c.SOL_SOCKET, c.SO_LINGER, packed(1)) == EINVAL


@pytest.mark.parametrize("name", [c.SO_RCVTIMEO, c.SO_SNDTIMEO])
def test_timeouts(name: int) -> None:
    us = machine()
    fd = tcp_socket(us)
    assert us.getsockopt(fd, c.SOL_SOCKET, name, 16) == bytes(16)
    us.setsockopt(fd, c.SOL_SOCKET, name, pack("=qq", 1, 500000))
    assert us.getsockopt(fd, c.SOL_SOCKET, name, 16) == pack("=qq", 1, 500000)
    us.setsockopt(fd, c.SOL_SOCKET, name, pack("=qq", -1, 0))
    assert us.getsockopt(fd, c.SOL_SOCKET, name, 16) == bytes(16)
    assert errno_of(us.setsockopt, fd, c.SOL_SOCKET, name, pack("=qq", 1, 1000000)) == EDOM
    assert errno_of(us.setsockopt, fd, c.SOL_SOCKET, name, bytes(8)) == EINVAL


def test_congestion_control() -> None:
    us = machine(Settings())
    fd = tcp_socket(us)
    assert us.getsockopt(fd, c.SOL_TCP, c.TCP_CONGESTION, 16) == b"cubic".ljust(16, b"\0")
    us.setsockopt(fd, c.SOL_TCP, c.TCP_CONGESTION, b"reno\0rubbish")
    assert us.getsockopt(fd, c.SOL_TCP, c.TCP_CONGESTION, 4) == b"reno"
    assert errno_of(us.setsockopt, fd, c.SOL_TCP, c.TCP_CONGESTION, b"nosuch") == ENOENT
    assert errno_of(us.setsockopt, fd, c.SOL_TCP, c.TCP_CONGESTION, b"") == EINVAL
    with pytest.raises(NotSupported):
        us.setsockopt(fd, c.SOL_TCP, c.TCP_CONGESTION, b"vegas")


def test_freebsd_tells_flags_as_it_has_them() -> None:
    us = machine(personality="freebsd")
    fd = tcp_socket(us)
    for name, on in ((c.SO_REUSEADDR, 4), (c.SO_KEEPALIVE, 8), (c.SO_REUSEPORT, 0x200), (c.SO_OOBINLINE, 0x100)):
        assert outcome(us, fd, c.SOL_SOCKET, name, 1) == on
    assert outcome(us, fd, c.SOL_TCP, c.TCP_NODELAY, 1) == 4
    us.setsockopt(fd, c.SOL_TCP, c.TCP_CONGESTION, b"newreno")
    assert us.getsockopt(fd, c.SOL_TCP, c.TCP_CONGESTION, 16).rstrip(b"\0") == b"newreno"
    assert errno_of(us.getsockopt, fd, 999, 1) == EINVAL


def test_a_child_has_the_options_of_its_listener() -> None:
    us = machine()
    listening = listener(us)
    us.setsockopt(listening, c.SOL_SOCKET, c.SO_PRIORITY, packed(3))
    us.setsockopt(listening, c.SOL_TCP, c.TCP_KEEPIDLE, packed(33))
    us.setsockopt(listening, c.SOL_SOCKET, c.SO_LINGER, pack("=ii", 1, 5))
    us.setsockopt(listening, c.SOL_SOCKET, c.SO_SNDBUF, packed(10000))
    assert number(us, listening, c.SOL_SOCKET, c.SO_ACCEPTCONN) == 1
    Peer(us).connects()
    fd, _ = us.accept(listening)
    assert number(us, fd, c.SOL_SOCKET, c.SO_PRIORITY) == 3
    assert number(us, fd, c.SOL_TCP, c.TCP_KEEPIDLE) == 33
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, 8) == pack("=ii", 1, 5)
    assert number(us, fd, c.SOL_SOCKET, c.SO_SNDBUF) == 20000
    us.setsockopt(listening, c.SOL_SOCKET, c.SO_PRIORITY, packed(5))
    assert number(us, fd, c.SOL_SOCKET, c.SO_PRIORITY) == 3


def test_the_mtu_is_known_when_connected() -> None:
    us = machine()
    assert errno_of(us.getsockopt, tcp_socket(us), c.SOL_IP, c.IP_MTU) == 107
    fd, _ = accepted(us)
    assert number(us, fd, c.SOL_IP, c.IP_MTU) == 1500


def test_buffers_may_be_forced() -> None:
    us = machine(config=SocketConfig(send_buffer_limit=5000, receive_buffer_limit=5000))
    fd = tcp_socket(us)
    assert outcome(us, fd, c.SOL_SOCKET, c.SO_SNDBUF, 9000) == 10000
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_SNDBUFFORCE, packed(9000))
    assert number(us, fd, c.SOL_SOCKET, c.SO_SNDBUF) == 18000
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_RCVBUFFORCE, packed(9000))
    assert number(us, fd, c.SOL_SOCKET, c.SO_RCVBUF) == 18000


def test_nodelay_lets_out_what_waits() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.write(fd, b"first")
    us.write(fd, b"second")
    assert [bytes(segment.payload) for segment in peer.receives()] == [b"first"]
    us.setsockopt(fd, c.SOL_TCP, c.TCP_NODELAY, packed(1))
    assert [bytes(segment.payload) for segment in peer.receives()] == [b"second"]


def test_keepalive_times_may_change_while_it_is_idle() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.advance(us.now + 10)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_KEEPALIVE, packed(1))
    us.setsockopt(fd, c.SOL_TCP, c.TCP_KEEPIDLE, packed(30))
    us.advance(us.now + 19)
    peer.receives_nothing()
    us.advance(us.now + 1.1)
    assert peer.receives_one().flags == ACK


def test_the_type_of_service_stands_in_the_header() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, c.SOL_IP, c.IP_TOS, packed(0x10))
    us.write(fd, b"x")
    peer.receives()
    assert peer.last_packet[1] == 0x10
    six, peer = accepted(us, family=6)
    us.setsockopt(six, c.SOL_IPV6, c.IPV6_TCLASS, packed(0x20))
    us.write(six, b"x")
    peer.receives()
    assert (peer.last_packet[0] << 4 | peer.last_packet[1] >> 4) & 0xFF == 0x20


def test_the_time_to_live_may_change() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, c.SOL_IP, c.IP_TTL, packed(7))
    us.write(fd, b"x")
    peer.receives()
    assert peer.last_packet[8] == 7
    us.setsockopt(fd, c.SOL_IP, c.IP_TTL, packed(-1))
    peer.sends(ACK)
    us.write(fd, b"x")
    peer.receives()
    assert peer.last_packet[8] == 64
    six, peer = accepted(us, family=6)
    us.setsockopt(six, c.SOL_IPV6, c.IPV6_UNICAST_HOPS, packed(7))
    us.write(six, b"x")
    peer.receives()
    assert peer.last_packet[7] == 7


def test_the_time_to_live_of_a_connection_to_come() -> None:
    us = machine()
    fd = tcp_socket(us)
    us.setsockopt(fd, c.SOL_IP, c.IP_TTL, packed(9))
    us.fcntl(fd, c.F_SETFL, c.O_NONBLOCK)

    errno_of(us.connect, fd, theirs())
    (packet,) = us.sent()
    assert packet[8] == 9
