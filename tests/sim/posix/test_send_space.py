"""SO_SNDBUF as Linux charges it; the numbers were seen on Linux 6.18 (with MSS 1000 and a closed window)."""

from __future__ import annotations

from errno import EAGAIN

from tests.sim.posix.peer import accepted, errno_of, machine
from usertcp.sim.posix import SocketConfig
from usertcp.sim.posix.config import PACKET_OVERHEAD
from usertcp.sim.posix.constants import (
    EPOLL_CTL_ADD,
    EPOLLET,
    EPOLLOUT,
    POLLOUT,
    SO_SNDBUF,
    SOL_SOCKET,
    SOL_TCP,
    TCP_NOTSENT_LOWAT,
)
from usertcp.sim.posix.options import packed
from usertcp.wire.tcp import ACK

LINUX = SocketConfig(send_buffer=262144, most_send_buffer=4 << 20, packet_overhead=PACKET_OVERHEAD)


def test_a_packet_is_filled_and_then_the_limit_is_looked_at() -> None:
    us = machine(config=LINUX)
    fd, peer = accepted(us, window=60000)
    us.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, packed(2304))
    peer.sends(ACK, window=0)
    # half of the largest window that the peer offered, in whole segments
    assert us.write(fd, bytes(100000)) == 30000
    assert errno_of(us.write, fd, b"x") == EAGAIN


def test_a_packet_that_is_not_full_takes_more() -> None:
    us = machine(config=LINUX)
    fd, peer = accepted(us, window=60000)
    us.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, packed(2304))
    peer.sends(ACK, window=0)
    for _ in range(29):
        assert us.write(fd, bytes(1000)) == 1000
    assert us.write(fd, bytes(5000)) == 1000


def test_each_packet_is_charged() -> None:
    us = machine(config=LINUX)
    fd, peer = accepted(us, window=60000)
    us.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, packed((60000 + 2 * PACKET_OVERHEAD) // 2))
    peer.sends(ACK, window=0)
    assert us.write(fd, bytes(100000)) == 60000
    us.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, packed((60000 + 2 * PACKET_OVERHEAD) // 2 + 1))
    assert us.write(fd, bytes(100000)) == 30000


def test_it_grows_with_the_window() -> None:
    us = machine(config=SocketConfig(send_buffer=16384, most_send_buffer=4 << 20, packet_overhead=PACKET_OVERHEAD))
    fd, peer = accepted(us)
    # two windows of ten segments, each of 2048 and 256 bytes (tcp_sndbuf_expand)
    assert us.getsockopt(fd, SOL_SOCKET, SO_SNDBUF) == packed(2 * 10 * 2304)
    us.write(fd, bytes(60000))
    us.poll([(fd, POLLOUT)], 0)
    peer.receives()
    peer.sends(ACK)
    grown = int.from_bytes(us.getsockopt(fd, SOL_SOCKET, SO_SNDBUF), "little")
    assert grown == 2 * 18 * 2304  # slow start, which counts eight segments for one acknowledgment


def test_not_so_when_it_was_chosen() -> None:
    us = machine(config=LINUX)
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, packed(10000))
    us.write(fd, bytes(60000))
    us.poll([(fd, POLLOUT)], 0)
    peer.receives()
    peer.sends(ACK)
    assert us.getsockopt(fd, SOL_SOCKET, SO_SNDBUF) == packed(20000)


def test_what_is_not_sent_is_bounded_too() -> None:
    us = machine(config=LINUX)
    fd, peer = accepted(us, window=60000)
    us.setsockopt(fd, SOL_TCP, TCP_NOTSENT_LOWAT, packed(20000))
    peer.sends(ACK, window=0)
    assert us.write(fd, bytes(100000)) == 30000  # the packet that was begun below the limit
    assert errno_of(us.write, fd, b"x") == EAGAIN
    assert us.poll([(fd, POLLOUT)], 0) == [(fd, 0)]


def test_room_is_an_edge_when_half_of_the_limit_is_sent() -> None:
    us = machine(config=LINUX)
    fd, peer = accepted(us, window=60000)
    us.setsockopt(fd, SOL_TCP, TCP_NOTSENT_LOWAT, packed(20000))
    epoll = us.epoll_create1(0)
    peer.sends(ACK, window=0)
    us.write(fd, bytes(30000))
    us.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLET, 1)
    assert us.epoll_wait(epoll, 1, 0) == []
    peer.sends(ACK, window=10000)
    peer.receives()
    assert us.epoll_wait(epoll, 1, 0) == []  # 20000 wait
    peer.sends(ACK, window=15000)
    peer.receives()
    assert us.epoll_wait(epoll, 1, 0) == []  # 10 or 15 left: not below half
    peer.sends(ACK, window=60000)
    peer.receives()
    assert us.epoll_wait(epoll, 1, 0) == [(EPOLLOUT, 1)]
