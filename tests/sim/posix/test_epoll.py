from errno import EBADF, EEXIST, EINVAL, ELOOP, ENOENT, EPERM

from tests.sim.posix.peer import Peer, accepted, asleep, errno_of, listener, machine, still_asleep
from usertcp.sim.posix import Machine, SocketConfig
from usertcp.sim.posix.constants import (
    AF_INET,
    EPOLL_CLOEXEC,
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLLERR,
    EPOLLET,
    EPOLLHUP,
    EPOLLIN,
    EPOLLONESHOT,
    EPOLLOUT,
    EPOLLRDHUP,
    F_GETFD,
    FD_CLOEXEC,
    POLLIN,
    SOCK_STREAM,
)
from usertcp.wire.tcp import ACK, FIN, RST

NOW, EVER = 0, -1


def watching(us: Machine, fd: int, events: int, data: int = 7) -> int:
    epoll = us.epoll_create1(0)
    us.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, events, data)
    return epoll


def test_level_triggered() -> None:
    us = machine()
    fd, peer = accepted(us)
    epoll = watching(us, fd, EPOLLIN)
    assert us.epoll_wait(epoll, 10, NOW) == []
    peer.sends(ACK, b"data")
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLIN, 7)]
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLIN, 7)]
    us.read(fd, 10)
    assert us.epoll_wait(epoll, 10, NOW) == []


def test_edge_triggered() -> None:
    us = machine()
    fd, peer = accepted(us)
    epoll = watching(us, fd, EPOLLIN | EPOLLET)
    peer.sends(ACK, b"data")
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLIN, 7)]
    assert us.epoll_wait(epoll, 10, NOW) == []
    us.read(fd, 2)
    assert us.epoll_wait(epoll, 10, NOW) == []
    peer.sends(ACK, b"more")
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLIN, 7)]
    us.read(fd, 10)
    peer.sends(ACK)
    assert us.epoll_wait(epoll, 10, NOW) == []


def test_what_is_ready_when_it_is_added_is_an_edge() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK, b"data")
    epoll = watching(us, fd, EPOLLIN | EPOLLOUT | EPOLLET)
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLIN | EPOLLOUT, 7)]
    assert us.epoll_wait(epoll, 10, NOW) == []
    us.epoll_ctl(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLET, 8)
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLOUT, 8)]


def test_an_edge_for_room_comes_only_after_there_was_none() -> None:
    us = machine(config=SocketConfig(send_buffer=9000, most_send_buffer=9000))
    fd, peer = accepted(us)
    epoll = watching(us, fd, EPOLLOUT | EPOLLET)
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLOUT, 7)]
    us.write(fd, bytes(5000))
    peer.receives()
    peer.sends(ACK)
    assert us.epoll_wait(epoll, 10, NOW) == []
    assert us.write(fd, bytes(10000)) == 9000
    assert us.epoll_wait(epoll, 10, NOW) == []
    peer.receives()
    peer.sends(ACK, ack=1 + 5000 + 2000)
    assert us.epoll_wait(epoll, 10, NOW) == []
    peer.sends(ACK, ack=1 + 5000 + 3000)
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLOUT, 7)]
    assert us.epoll_wait(epoll, 10, NOW) == []


def test_oneshot() -> None:
    us = machine()
    fd, peer = accepted(us)
    epoll = watching(us, fd, EPOLLIN | EPOLLONESHOT)
    peer.sends(ACK, b"data")
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLIN, 7)]
    assert us.epoll_wait(epoll, 10, NOW) == []
    peer.sends(RST)
    assert us.epoll_wait(epoll, 10, NOW) == []
    us.epoll_ctl(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 9)
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLIN | EPOLLERR | EPOLLHUP, 9)]


def test_the_end_and_an_error_are_told_unasked() -> None:
    us = machine()
    fd, peer = accepted(us)
    epoll = watching(us, fd, EPOLLRDHUP | EPOLLET)
    peer.sends(ACK, b"data")
    assert us.epoll_wait(epoll, 10, NOW) == []
    peer.sends(FIN | ACK)
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLRDHUP, 7)]
    peer.sends(RST)
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLRDHUP | EPOLLERR | EPOLLHUP, 7)]


def test_waiting() -> None:
    us = machine()
    fd, peer = accepted(us)
    epoll = watching(us, fd, EPOLLIN)
    sleeping = asleep(us.epoll_wait, epoll, 10, EVER)
    sleeping = still_asleep(sleeping)
    peer.sends(ACK, b"data")
    assert sleeping.resume() == [(EPOLLIN, 7)]
    us.read(fd, 10)
    sleeping = asleep(us.epoll_wait, epoll, 10, 250)
    assert sleeping.deadline == us.now + 0.25
    us.advance(us.now + 0.25)
    assert sleeping.resume() == []


def test_several_take_turns() -> None:
    us = machine()
    listening = listener(us)
    peers = [Peer(us, port=50000 + number) for number in range(3)]
    epoll = us.epoll_create(1)
    fds = []
    for peer in peers:
        peer.connects()
        fd, _ = us.accept(listening)
        us.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, fd)
        fds.append(fd)
    for peer in peers:
        peer.sends(ACK, b"x")
    assert us.epoll_wait(epoll, 2, NOW) == [(EPOLLIN, fds[0]), (EPOLLIN, fds[1])]
    assert us.epoll_wait(epoll, 2, NOW) == [(EPOLLIN, fds[2]), (EPOLLIN, fds[0])]
    us.epoll_ctl(epoll, EPOLL_CTL_DEL, fds[1])
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLIN, fds[2]), (EPOLLIN, fds[0])]


def test_a_closed_descriptor_is_watched_no_more() -> None:
    us = machine()
    fd, peer = accepted(us)
    epoll = watching(us, fd, EPOLLIN)
    other = us.dup(fd)
    us.close(fd)
    peer.sends(ACK, b"data")
    assert us.epoll_wait(epoll, 10, NOW) == [(EPOLLIN, 7)]
    us.close(other)
    assert us.epoll_wait(epoll, 10, NOW) == []


def test_an_epoll_in_an_epoll() -> None:
    us = machine()
    fd, peer = accepted(us)
    inner = watching(us, fd, EPOLLIN)
    outer = watching(us, inner, EPOLLIN, 5)
    assert us.epoll_wait(outer, 10, NOW) == []
    peer.sends(ACK, b"data")
    assert us.poll([(inner, POLLIN)], 0) == [(inner, POLLIN)]
    assert us.epoll_wait(outer, 10, NOW) == [(EPOLLIN, 5)]
    assert errno_of(us.epoll_ctl, inner, EPOLL_CTL_ADD, outer, EPOLLIN) == ELOOP


def test_errors() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    epoll = watching(us, fd, EPOLLIN)
    assert errno_of(us.epoll_create, 0) == EINVAL
    assert errno_of(us.epoll_create1, 1) == EINVAL
    assert us.fcntl(us.epoll_create1(EPOLL_CLOEXEC), F_GETFD) == FD_CLOEXEC
    assert errno_of(us.epoll_ctl, epoll, EPOLL_CTL_ADD, fd, EPOLLIN) == EEXIST
    assert errno_of(us.epoll_ctl, epoll, EPOLL_CTL_ADD, epoll, EPOLLIN) == EINVAL
    assert errno_of(us.epoll_ctl, fd, EPOLL_CTL_ADD, fd, EPOLLIN) == EINVAL
    assert errno_of(us.epoll_ctl, epoll, EPOLL_CTL_ADD, 99, EPOLLIN) == EBADF
    assert errno_of(us.epoll_ctl, 99, EPOLL_CTL_ADD, fd, EPOLLIN) == EBADF
    assert errno_of(us.epoll_ctl, epoll, 9, fd, EPOLLIN) == EINVAL
    assert errno_of(us.epoll_ctl, epoll, EPOLL_CTL_ADD, us.memfd_create(), EPOLLIN) == EPERM
    us.epoll_ctl(epoll, EPOLL_CTL_DEL, fd)
    assert errno_of(us.epoll_ctl, epoll, EPOLL_CTL_DEL, fd) == ENOENT
    assert errno_of(us.epoll_ctl, epoll, EPOLL_CTL_MOD, fd, EPOLLIN) == ENOENT
    assert errno_of(us.epoll_wait, epoll, 0, NOW) == EINVAL
    assert errno_of(us.epoll_wait, fd, 1, NOW) == EINVAL
    assert errno_of(us.epoll_wait, 99, 1, NOW) == EBADF
