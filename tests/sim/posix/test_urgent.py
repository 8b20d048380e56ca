"""Urgent data (RFC 9293 §3.8.5) as sockets show it: one byte beside the stream, or in it."""

from errno import EAGAIN, EINVAL

from tests.sim.posix.peer import accepted, errno_of, machine
from usertcp.sim.posix.constants import (
    AF_INET,
    FIONREAD,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    POLLIN,
    POLLPRI,
    SIOCATMARK,
    SO_OOBINLINE,
    SO_RCVLOWAT,
    SOCK_STREAM,
    SOL_SOCKET,
)
from usertcp.sim.posix.options import packed
from usertcp.wire.tcp import ACK, FIN, URG

WANTED = POLLIN | POLLPRI


def test_the_byte_before_the_pointer_is_out_of_band() -> None:
    us = machine()
    fd, peer = accepted(us)
    assert errno_of(us.recv, fd, 1, MSG_OOB) == EINVAL
    peer.sends(ACK | URG, b"abcdef", urgent=4)
    assert us.poll([(fd, WANTED)], 0) == [(fd, WANTED)]
    assert us.ioctl(fd, FIONREAD) == 3
    assert us.recv(fd, 10, MSG_OOB | MSG_PEEK) == b"d"
    message = us.recvmsg(fd, 10, 0, MSG_OOB)
    assert (message.data, message.flags) == (b"d", MSG_OOB)
    assert errno_of(us.recv, fd, 10, MSG_OOB) == EINVAL
    assert us.poll([(fd, WANTED)], 0) == [(fd, POLLIN)]
    assert us.ioctl(fd, SIOCATMARK) == 0
    assert us.read(fd, 100) == b"abc"
    assert us.ioctl(fd, SIOCATMARK) == 1
    assert us.read(fd, 100) == b"ef"
    assert us.ioctl(fd, SIOCATMARK) == 0


def test_it_is_passed_over_when_nobody_wants_it() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK | URG, b"abcd", urgent=1)
    assert us.read(fd, 100) == b"bcd"
    assert errno_of(us.recv, fd, 1, MSG_OOB) == EINVAL


def test_nothing_but_the_byte_is_nothing_to_read() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK | URG, b"a", urgent=1)
    assert us.poll([(fd, WANTED)], 0) == [(fd, POLLPRI)]
    assert errno_of(us.read, fd, 10) == EAGAIN
    peer.sends(ACK, b"b")
    assert us.read(fd, 10) == b"b"


def test_inline() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, packed(1))
    peer.sends(ACK | URG, b"abcdef", urgent=4)
    assert us.ioctl(fd, FIONREAD) == 6
    assert errno_of(us.recv, fd, 1, MSG_OOB) == EINVAL
    assert us.read(fd, 100) == b"abc"
    assert us.ioctl(fd, SIOCATMARK) == 1
    assert us.read(fd, 100) == b"def"


def test_it_may_be_announced_before_it_comes() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK | URG, b"ab", urgent=4)
    assert errno_of(us.recv, fd, 1, MSG_OOB) == EAGAIN
    assert us.read(fd, 10) == b"ab"
    peer.sends(ACK, b"cd")
    assert us.poll([(fd, WANTED)], 0) == [(fd, WANTED)]
    assert us.recv(fd, 10, MSG_OOB) == b"d"
    assert us.read(fd, 10) == b"c"


def test_it_never_comes() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK | URG, b"ab", urgent=9)
    peer.sends(ACK | FIN)
    assert us.recv(fd, 1, MSG_OOB) == b""


def test_a_peek_stops_there_too() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK | URG, b"abcd", urgent=3)
    assert us.recv(fd, 10, MSG_PEEK) == b"ab"
    assert us.read(fd, 10) == b"ab"
    assert us.recv(fd, 10, MSG_PEEK) == b"d"
    assert us.read(fd, 10) == b"d"


def test_no_room_for_the_byte() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK | URG, b"a", urgent=1)
    message = us.recvmsg(fd, 0, 0, MSG_OOB)
    assert (message.data, message.flags) == (b"", MSG_OOB | MSG_TRUNC)


def test_it_does_not_count_for_rcvlowat() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, packed(2))
    peer.sends(ACK | URG, b"ab", urgent=1)
    assert us.poll([(fd, POLLIN)], 0) == [(fd, 0)]
    peer.sends(ACK, b"c")
    assert us.poll([(fd, POLLIN)], 0) == [(fd, POLLIN)]


def test_sending_it() -> None:
    us = machine()
    fd, peer = accepted(us)
    assert us.send(fd, b"abc!", MSG_OOB) == 4
    segment = peer.receives_one()
    assert (bytes(segment.payload), segment.flags & URG, segment.urgent) == (b"abc!", URG, 4)
    us.write(fd, b"more")
    assert [(segment.flags & URG, segment.urgent) for segment in peer.receives()] == [(0, 0)]


def test_a_socket_of_nothing() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    assert us.ioctl(fd, SIOCATMARK) == 0
    assert us.ioctl(fd, FIONREAD) == 0
    assert errno_of(us.recv, fd, 1, MSG_OOB) == EINVAL
