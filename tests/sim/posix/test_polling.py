from errno import EBADF, EINVAL

import pytest

from tests.sim.posix.peer import Peer, accepted, asleep, connecting, errno_of, listener, machine, still_asleep
from usertcp.sim.posix import Machine, SocketConfig
from usertcp.sim.posix.constants import (
    AF_INET,
    AF_INET6,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLPRI,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_ERROR,
    SO_RCVLOWAT,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    SOL_TCP,
    TCP_NOTSENT_LOWAT,
)
from usertcp.sim.posix.options import packed
from usertcp.wire.tcp import ACK, FIN, RST, SYN

EVERYTHING = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP | POLLWRBAND
READ = POLLIN | POLLRDNORM
WRITE = POLLOUT | POLLWRNORM


def mask(us: Machine, fd: int) -> int:
    ((_, found),) = us.poll([(fd, EVERYTHING)], 0)
    return found


def test_a_fresh_socket_hangs_up() -> None:
    us = machine()
    assert mask(us, us.socket(AF_INET, SOCK_STREAM, 0)) == WRITE | POLLHUP


def test_a_listener_has_somebody_to_accept() -> None:
    us = machine()
    fd = listener(us)
    assert mask(us, fd) == 0
    peer = Peer(us)
    us.next_isn = 9000
    peer.sends(SYN)
    peer.receives()
    assert mask(us, fd) == 0
    peer.sends(ACK)
    assert mask(us, fd) == READ
    us.accept(fd)
    assert mask(us, fd) == 0
    us.shutdown(fd, SHUT_RD)
    assert mask(us, fd) == WRITE | POLLHUP


def test_connecting() -> None:
    us = machine()
    fd, peer = connecting(us)
    assert mask(us, fd) == 0
    peer.answers_syn()
    assert mask(us, fd) == WRITE


def test_refused() -> None:
    us = machine()
    fd, peer = connecting(us)
    peer.our_port = peer.receives_one().src_port
    peer.sends(RST | ACK)
    assert mask(us, fd) == READ | WRITE | POLLRDHUP | POLLERR | POLLHUP
    us.getsockopt(fd, SOL_SOCKET, SO_ERROR)
    assert mask(us, fd) == READ | WRITE | POLLRDHUP | POLLHUP


def test_data_and_the_end() -> None:
    us = machine()
    fd, peer = accepted(us)
    assert mask(us, fd) == WRITE
    peer.sends(ACK, b"data")
    assert mask(us, fd) == READ | WRITE
    us.read(fd, 10)
    assert mask(us, fd) == WRITE
    peer.sends(FIN | ACK)
    assert mask(us, fd) == READ | WRITE | POLLRDHUP
    us.shutdown(fd, SHUT_WR)
    assert mask(us, fd) == READ | WRITE | POLLRDHUP | POLLHUP


def test_reset() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(RST)
    assert mask(us, fd) == READ | WRITE | POLLRDHUP | POLLHUP | POLLERR


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (SHUT_RD, READ | WRITE | POLLRDHUP),
        (SHUT_WR, WRITE),
        (SHUT_RDWR, READ | WRITE | POLLRDHUP | POLLHUP),
    ],
)
def test_shutdown(how: int, expected: int) -> None:
    us = machine()
    fd, _ = accepted(us)
    us.shutdown(fd, how)
    assert mask(us, fd) == expected


def test_rcvlowat() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, packed(5))
    peer.sends(ACK, b"1234")
    assert mask(us, fd) == WRITE
    peer.sends(ACK, b"5")
    assert mask(us, fd) == READ | WRITE


def test_room_to_write() -> None:
    us = machine(config=SocketConfig(send_buffer=9000, most_send_buffer=9000))
    fd, peer = accepted(us)
    us.write(fd, bytes(6000))
    assert mask(us, fd) == WRITE
    us.write(fd, bytes(1))
    assert mask(us, fd) == 0
    peer.receives()
    peer.sends(ACK, ack=2)
    assert mask(us, fd) == WRITE


def test_what_waits_to_be_sent_makes_it_unwritable() -> None:
    us = machine()
    fd, _ = accepted(us, window=1000)
    us.setsockopt(fd, SOL_TCP, TCP_NOTSENT_LOWAT, packed(2000))
    us.write(fd, bytes(1999))
    assert mask(us, fd) == WRITE
    us.write(fd, bytes(1))
    assert mask(us, fd) == 0


def test_a_poll_tells_what_was_asked_for_and_what_is_always_told() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK, b"data")
    assert us.poll([(fd, POLLIN), (fd, POLLOUT), (fd, 0), (99, POLLIN), (-1, POLLIN)], 0) == [
        (fd, POLLIN),
        (fd, POLLOUT),
        (fd, 0),
        (99, POLLNVAL),
        (-1, 0),
    ]
    peer.sends(RST)
    assert us.poll([(fd, 0)], 0) == [(fd, POLLERR | POLLHUP)]
    assert us.poll([], 0) == []


def test_a_poll_that_sleeps() -> None:
    us = machine()
    fd, peer = accepted(us)
    sleeping = asleep(us.poll, [(fd, POLLIN)], -1)
    sleeping = still_asleep(sleeping)
    peer.sends(ACK, b"data")
    assert sleeping.resume() == [(fd, POLLIN)]


def test_a_poll_times_out() -> None:
    us = machine()
    fd, _ = accepted(us)
    sleeping = asleep(us.poll, [(fd, POLLIN)], 1500)
    assert sleeping.deadline == us.now + 1.5
    us.advance(us.now + 1.5)
    assert sleeping.resume() == [(fd, 0)]
    assert us.poll([(fd, POLLIN)], 0) == [(fd, 0)]


def test_select() -> None:
    us = machine()
    fd, peer = accepted(us)
    assert us.select(fd + 1, [fd], [fd], [fd], 0) == ([], [fd], [])
    peer.sends(ACK, b"data")
    assert us.select(fd + 1, [fd], [fd], [fd], None) == ([fd], [fd], [])
    assert us.select(fd, [fd], [fd], [fd], 0) == ([], [], [])
    us.read(fd, 10)
    sleeping = asleep(us.select, fd + 1, [fd], [], [], 2.0)
    assert sleeping.deadline == us.now + 2
    peer.sends(RST)
    assert sleeping.resume() == ([fd], [], [])
    assert us.select(fd + 1, [], [], [fd], 0) == ([], [], [])
    assert errno_of(us.select, 100, [99], [], [], 0) == EBADF
    assert errno_of(us.select, -1, [], [], [], 0) == EINVAL


def test_a_select_that_nothing_comes_of() -> None:
    us = machine()
    fd, _ = accepted(us)
    sleeping = asleep(us.select, fd + 1, [fd], [], [], 2.0)
    us.advance(us.now + 2)
    assert sleeping.resume() == ([], [], [])


@pytest.mark.parametrize("domain", [AF_INET, AF_INET6])
def test_a_datagram_socket_is_writable(domain: int) -> None:
    us = machine()
    assert mask(us, us.socket(domain, SOCK_DGRAM, 0)) == WRITE | POLLWRBAND
