"""What a TCP socket hears of ICMP errors."""

from errno import ECONNREFUSED, EHOSTUNREACH, ENOPROTOOPT, ETIMEDOUT

import pytest

from tests.sim.posix.peer import accepted, connecting, errno_of, machine, theirs
from usertcp.sim.posix.constants import (
    IP_RECVERR,
    IPV6_RECVERR,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    SO_ERROR,
    SOL_IP,
    SOL_IPV6,
    SOL_SOCKET,
)
from usertcp.sim.posix.icmp_errors import find
from usertcp.sim.posix.options import packed
from usertcp.wire import icmp


@pytest.mark.parametrize(
    ("family", "code", "expected"),
    [
        (4, icmp.V4_PORT, ECONNREFUSED),
        (4, icmp.V4_PROTOCOL, ENOPROTOOPT),
        (6, icmp.V6_PORT, ECONNREFUSED),
    ],
)
def test_an_attempt_to_connect_ends(family: int, code: int, expected: int) -> None:
    us = machine()
    fd, peer = connecting(us, family=family)
    peer.receives()
    peer.reports(icmp.Unreachable(code, peer.last_packet))
    assert us.poll([(fd, POLLIN | POLLOUT)], 0) == [(fd, POLLIN | POLLOUT | POLLERR | POLLHUP)]
    assert errno_of(us.connect, fd, theirs(family=family)) == expected


def test_a_connection_lives_on_and_the_error_is_told_once() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.write(fd, b"x")
    peer.receives()
    peer.reports(icmp.Unreachable(icmp.V4_HOST, peer.last_packet))
    assert us.poll([(fd, POLLOUT)], 0) == [(fd, POLLOUT)]
    assert us.getsockopt(fd, SOL_SOCKET, SO_ERROR) == packed(EHOSTUNREACH)
    assert us.getsockopt(fd, SOL_SOCKET, SO_ERROR) == packed(0)
    assert us.write(fd, b"y") == 1


@pytest.mark.parametrize(
    ("family", "level", "name", "code"),
    [(4, SOL_IP, IP_RECVERR, icmp.V4_HOST), (6, SOL_IPV6, IPV6_RECVERR, icmp.V6_ADDRESS)],
)
def test_with_recverr_it_is_an_error(family: int, level: int, name: int, code: int) -> None:
    us = machine()
    fd, peer = accepted(us, family=family)
    us.setsockopt(fd, level, name, packed(1))
    us.write(fd, b"x")
    peer.receives()
    peer.reports(icmp.Unreachable(code, peer.last_packet))
    assert us.poll([(fd, POLLOUT)], 0) == [(fd, POLLOUT | POLLERR)]
    assert errno_of(us.write, fd, b"y") == EHOSTUNREACH
    assert us.write(fd, b"y") == 1


def test_a_timeout_says_why() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.write(fd, b"x")
    peer.receives()
    us.advance(us.now + 10)
    peer.receives()
    peer.reports(icmp.Unreachable(icmp.V4_HOST, peer.last_packet))
    us.advance(us.now + 5000)
    assert errno_of(us.read, fd, 10) == EHOSTUNREACH
    us.close(fd)
    peer.receives()
    fd, peer = accepted(us)
    us.write(fd, b"x")
    us.advance(us.now + 5000)
    assert errno_of(us.read, fd, 10) == ETIMEDOUT


def test_what_quotes_nothing_of_ours_is_ignored() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.write(fd, b"x")
    peer.receives()
    forged = bytearray(peer.last_packet)
    forged[24:28] = bytes(4)  # another sequence number
    peer.reports(icmp.Unreachable(icmp.V4_HOST, bytes(forged)))
    assert us.getsockopt(fd, SOL_SOCKET, SO_ERROR) == packed(0)


def test_freebsd_has_other_numbers_and_keeps_soft_errors_to_itself() -> None:
    us = machine(personality="freebsd")
    fd, peer = connecting(us)
    peer.receives()
    peer.reports(icmp.Unreachable(icmp.V4_PROTOCOL, peer.last_packet))
    assert us.getsockopt(fd, SOL_SOCKET, SO_ERROR) == packed(ECONNREFUSED)
    fd, peer = accepted(us)
    us.write(fd, b"x")
    peer.receives()
    peer.reports(icmp.Unreachable(icmp.V4_HOST, peer.last_packet))
    assert us.getsockopt(fd, SOL_SOCKET, SO_ERROR) == packed(0)


def test_what_is_no_icmp_error() -> None:
    assert find(b"") is None
    assert find(bytes(60)) is None
    assert find(b"\x45" + bytes(60)) is None
    assert find(b"\x60" + bytes(60)) is None
