from errno import EBADF, EINVAL, ENOTCONN, ENOTSOCK
from struct import pack

import pytest

from tests.sim.posix.peer import accepted, asleep, connecting, errno_of, machine, ours, still_asleep, theirs
from usertcp.sim.posix.constants import (
    AF_INET,
    F_SETFL,
    O_RDWR,
    SHUT_RDWR,
    SHUT_WR,
    SO_LINGER,
    SOCK_STREAM,
    SOL_SOCKET,
)
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN


def linger(on: int, seconds: int) -> bytes:
    return pack("=ii", on, seconds)


def test_close_says_so_to_the_peer() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.close(fd)
    assert peer.receives_one().flags == FIN | ACK
    assert errno_of(us.close, fd) == EBADF
    assert errno_of(us.read, fd, 1) == EBADF
    assert us.state_of(ours(), theirs()) is State.FIN_WAIT_1


def test_close_with_unread_data_resets() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK, b"nobody reads this")
    peer.receives()
    us.close(fd)
    assert peer.receives_one().flags & RST
    assert us.state_of(ours(), theirs()) is None


def test_on_freebsd_it_does_not() -> None:
    us = machine(personality="freebsd")
    fd, peer = accepted(us)
    peer.sends(ACK, b"nobody reads this")
    peer.receives()
    us.close(fd)
    assert peer.receives_one().flags == FIN | ACK
    peer.sends(ACK)
    peer.receives_nothing()


def test_linger_zero_resets() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_SOCKET, SO_LINGER, linger(1, 0))
    us.close(fd)
    assert peer.receives_one().flags & RST


def test_linger_zero_while_connecting_says_nothing() -> None:
    us = machine()
    fd, peer = connecting(us)
    peer.receives()
    us.setsockopt(fd, SOL_SOCKET, SO_LINGER, linger(1, 0))
    us.close(fd)
    peer.receives_nothing()
    assert us.state_of(ours(), theirs()) is None


def test_linger_makes_close_sleep() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.fcntl(fd, F_SETFL, O_RDWR)
    us.setsockopt(fd, SOL_SOCKET, SO_LINGER, linger(1, 3))
    sleeping = asleep(us.close, fd)
    assert sleeping.deadline == us.now + 3
    peer.receives()
    sleeping = still_asleep(sleeping)
    peer.sends(ACK)
    assert sleeping.resume() is None
    assert us.state_of(ours(), theirs()) is State.FIN_WAIT_2


def test_linger_ends_after_its_time() -> None:
    us = machine()
    fd, _ = accepted(us)
    us.fcntl(fd, F_SETFL, O_RDWR)
    us.setsockopt(fd, SOL_SOCKET, SO_LINGER, linger(1, 3))
    sleeping = asleep(us.close, fd)
    us.advance(us.now + 3)
    assert sleeping.resume() is None


def test_who_may_not_wait_does_not_linger() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_SOCKET, SO_LINGER, linger(1, 3))
    assert us.close(fd) is None
    assert peer.receives_one().flags == FIN | ACK


def test_the_last_descriptor_closes() -> None:
    us = machine()
    fd, peer = accepted(us)
    other = us.dup(fd)
    us.close(fd)
    peer.receives_nothing()
    assert us.write(other, b"still here") == 10
    peer.receives()
    peer.sends(ACK)
    us.close(other)
    assert peer.receives_one().flags == FIN | ACK


def test_a_sleeping_call_keeps_what_it_works_on() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.fcntl(fd, F_SETFL, O_RDWR)
    sleeping = asleep(us.read, fd, 10)
    us.close(fd)
    peer.receives_nothing()
    peer.sends(ACK, b"data")
    assert sleeping.resume() == b"data"
    assert [segment.flags for segment in peer.receives()][-1] == FIN | ACK


def test_shutdown_of_writing_is_a_fin() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.shutdown(fd, SHUT_WR)
    assert peer.receives_one().flags == FIN | ACK
    peer.sends(ACK, b"more")
    assert us.read(fd, 10) == b"more"
    peer.sends(FIN | ACK)
    assert us.state_of(ours(), theirs()) is State.TIME_WAIT
    assert us.read(fd, 10) == b""
    assert errno_of(us.getpeername, fd) == ENOTCONN
    us.close(fd)


def test_shutdown_of_what_is_not_connected() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    assert errno_of(us.shutdown, fd, SHUT_RDWR) == ENOTCONN
    assert errno_of(us.shutdown, fd, 3) == EINVAL
    reader, _ = us.pipe()
    assert errno_of(us.shutdown, reader, SHUT_WR) == ENOTSOCK
    assert errno_of(us.shutdown, 99, SHUT_WR) == EBADF


def test_a_new_syn_is_answered_while_another_connection_waits_out() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.close(fd)
    peer.receives()
    peer.sends(FIN | ACK)
    peer.receives()
    us.advance(us.now + 61)
    assert us.state_of(ours(), theirs()) is None
    peer.sends(SYN, seq=0)
    assert peer.receives_one().flags == RST | ACK


@pytest.mark.parametrize("personality", ["linux", "freebsd"])
def test_close_in_time_wait_is_silent(personality: str) -> None:
    us = machine(personality=personality)
    fd, peer = accepted(us)
    us.shutdown(fd, SHUT_WR)
    peer.receives()
    peer.sends(FIN | ACK, b"unread")
    peer.receives()
    us.close(fd)
    peer.receives_nothing()
