"""Where FreeBSD's sockets do otherwise than Linux's."""

from errno import (
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENOENT,
    ENOTCONN,
    EPIPE,
)
from struct import pack

import pytest

from tests.sim.posix.peer import (
    PLAIN,
    Peer,
    accepted,
    asleep,
    connecting,
    errno_of,
    listener,
    machine,
    nonblocking,
    ours,
    theirs,
)
from usertcp.sim.posix import Machine, NotSupported, tcp_info
from usertcp.sim.posix import constants as c
from usertcp.sim.posix.names import value
from usertcp.sim.posix.options import packed
from usertcp.sim.posix.tcp_transfer import MSG_EOF
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

READ = c.POLLIN | c.POLLRDNORM
WRITE = c.POLLOUT | c.POLLWRNORM
EVERYTHING = READ | WRITE | c.POLLPRI | c.POLLRDHUP


def bsd() -> Machine:
    return machine(PLAIN, personality="freebsd")


def own(name: str) -> int:
    number = value(name, "freebsd")
    assert number is not None
    return number


def mask(us: Machine, fd: int) -> int:
    ((_, found),) = us.poll([(fd, EVERYTHING)], 0)
    return found


def test_polling() -> None:
    us = bsd()
    fresh = us.socket(c.AF_INET, c.SOCK_STREAM, 0)
    assert mask(us, fresh) == 0
    fd, peer = connecting(us)
    assert mask(us, fd) == 0
    peer.answers_syn()
    assert mask(us, fd) == WRITE
    peer.receives()
    peer.sends(ACK, b"data")
    assert mask(us, fd) == READ | WRITE
    peer.sends(FIN | ACK)
    assert mask(us, fd) == READ | WRITE | c.POLLRDHUP
    peer.sends(RST)
    assert mask(us, fd) == READ | WRITE | c.POLLRDHUP | c.POLLHUP


def test_a_full_buffer_is_not_writable() -> None:
    us = bsd()
    fd, peer = accepted(us)
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_SNDBUF, packed(5000))
    us.write(fd, bytes(us.getsockopt(fd, c.SOL_SOCKET, c.SO_SNDBUF)[0] + 1))
    assert mask(us, fd) == WRITE
    errno_of(us.write, fd, bytes(20000))
    assert mask(us, fd) == 0
    peer.receives()
    peer.sends(ACK)
    assert mask(us, fd) == WRITE


def test_connect_again() -> None:
    us = bsd()
    fd, _ = accepted(us)
    assert errno_of(us.connect, fd, theirs()) == EISCONN
    fd = nonblocking(us, us.socket(c.AF_INET, c.SOCK_STREAM, 0))
    us.next_isn = 9000
    assert errno_of(us.connect, fd, theirs()) == EINPROGRESS
    peer = Peer(us)
    peer.answers_syn()
    assert errno_of(us.connect, fd, theirs()) == EISCONN  # Linux says 0 once
    refused, peer = connecting(us)
    peer.our_port = peer.receives()[-1].src_port
    peer.sends(RST | ACK)
    assert us.getsockopt(refused, c.SOL_SOCKET, c.SO_ERROR) == packed(ECONNREFUSED)
    assert errno_of(us.connect, refused, theirs()) == ECONNREFUSED


def test_writing_wants_a_connection() -> None:
    us = bsd()
    assert errno_of(us.write, us.socket(c.AF_INET, c.SOCK_STREAM, 0), b"x") == ENOTCONN
    assert errno_of(us.write, listener(us), b"x") == ENOTCONN
    fd, _ = connecting(us)
    assert errno_of(us.write, fd, b"x") == ENOTCONN


def test_a_reset() -> None:
    us = bsd()
    fd, peer = accepted(us)
    peer.sends(FIN | ACK)
    peer.sends(RST)
    assert errno_of(us.write, fd, b"x") == EPIPE
    assert errno_of(us.read, fd, 10) == ECONNRESET  # although the peer's FIN had come
    assert us.read(fd, 10) == b""


def test_options_of_what_is_over() -> None:
    us = bsd()
    fd, peer = accepted(us)
    peer.sends(RST)
    assert errno_of(us.getsockopt, fd, c.SOL_TCP, c.TCP_INFO, 300) == ECONNRESET
    assert errno_of(us.setsockopt, fd, c.SOL_TCP, c.TCP_NODELAY, packed(1)) == ECONNRESET
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_ERROR) == packed(ECONNRESET)


def test_time_wait_is_seen() -> None:
    us = bsd()
    fd, peer = accepted(us)
    us.shutdown(fd, c.SHUT_WR)
    peer.receives()
    peer.sends(FIN | ACK)
    told = tcp_info.fields(us.getsockopt(fd, c.SOL_TCP, c.TCP_INFO, 300), "freebsd")
    assert told["tcpi_state"] == value("TCPS_TIME_WAIT", "freebsd")


def test_shutdown_of_reading_throws_away() -> None:
    us = bsd()
    fd, peer = accepted(us)
    peer.sends(ACK, b"before")
    us.shutdown(fd, c.SHUT_RD)
    assert us.read(fd, 10) == b""
    peer.sends(ACK, b"after")
    assert us.read(fd, 10) == b""
    peer.receives()
    us.close(fd)
    assert peer.receives_one().flags == FIN | ACK


def test_shutdown_of_a_listener() -> None:
    us = bsd()
    fd = listener(us)
    sleeping = asleep(us.accept, fd)
    assert errno_of(us.shutdown, fd, c.SHUT_WR) == ENOTCONN
    assert errno_of(us.shutdown, fd, c.SHUT_RD) == ENOTCONN
    assert errno_of(sleeping.resume) == ECONNABORTED
    Peer(us).connects()
    us.accept(fd)


def test_shutdown_while_connecting_waits_for_the_handshake() -> None:
    us = bsd()
    fd, peer = connecting(us)
    us.shutdown(fd, c.SHUT_WR)
    peer.answers_syn()
    assert peer.receives()[-1].flags == FIN | ACK
    assert errno_of(us.shutdown, us.socket(c.AF_INET, c.SOCK_STREAM, 0), c.SHUT_WR) == ENOTCONN


def test_close_before_the_handshake_is_over_is_silent() -> None:
    us = bsd()
    fd, peer = connecting(us)
    peer.our_port = peer.receives_one().src_port
    peer.sends(SYN)  # both at once
    assert peer.receives_one().flags == SYN | ACK
    us.close(fd)
    peer.receives_nothing()
    assert us.state_of(ours(peer.our_port), theirs()) is None


def test_a_connection_that_is_gone_is_not_accepted() -> None:
    us = bsd()
    fd = nonblocking(us, listener(us))
    peer = Peer(us)
    peer.connects()
    peer.sends(RST)
    assert errno_of(us.accept, fd) == ECONNABORTED


def test_the_end_of_the_data_goes_with_it() -> None:
    us = bsd()
    fd, peer = accepted(us)
    assert us.send(fd, b"bye", MSG_EOF) == 3
    segment = peer.receives_one()
    assert bytes(segment.payload) == b"bye" or segment.flags & FIN
    assert us.state_of(ours(), theirs()) is State.FIN_WAIT_1


def test_a_connected_datagram_socket_takes_no_address() -> None:
    us = bsd()
    fd = us.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    us.connect(fd, theirs())
    assert errno_of(us.sendto, fd, b"x", 0, theirs()) == EISCONN


# -- Options -----------------------------------------------------------------------------------------------------


def function_set(name: bytes, users: int = 0) -> bytes:
    return pack("=32sI", name, users)


def test_its_tcp_stack_is_the_one_that_there_is() -> None:
    us = bsd()
    fd = us.socket(c.AF_INET, c.SOCK_STREAM, 0)
    option = own("TCP_FUNCTION_BLK")
    us.setsockopt(fd, c.SOL_TCP, option, function_set(b"freebsd"))
    assert us.getsockopt(fd, c.SOL_TCP, option, 36) == function_set(b"freebsd", 1)
    with pytest.raises(NotSupported):
        us.setsockopt(fd, c.SOL_TCP, option, function_set(b"rack"))
    assert errno_of(us.setsockopt, fd, c.SOL_TCP, option, function_set(b"nothing")) == ENOENT
    assert errno_of(us.setsockopt, fd, c.SOL_TCP, option, b"freebsd\0") == EINVAL


def test_options_that_only_freebsd_has() -> None:
    us = bsd()
    fd = us.socket(c.AF_INET, c.SOCK_STREAM, 0)
    for name, on in (("SO_NOSIGPIPE", 0x800), ("SO_USELOOPBACK", 0x40)):
        us.setsockopt(fd, c.SOL_SOCKET, own(name), packed(1))
        assert us.getsockopt(fd, c.SOL_SOCKET, own(name)) == packed(on)
    us.setsockopt(fd, c.SOL_TCP, own("TCP_LOG"), packed(3))
    assert us.getsockopt(fd, c.SOL_TCP, own("TCP_LOG")) == packed(3)
    us.setsockopt(fd, c.SOL_TCP, own("TCP_NOOPT"), packed(0))
    assert us.getsockopt(fd, c.SOL_TCP, own("TCP_NOOPT")) == packed(0)
    with pytest.raises(NotSupported):
        us.setsockopt(fd, c.SOL_TCP, own("TCP_NOOPT"), packed(1))
    with pytest.raises(NotSupported):
        us.getsockopt(fd, c.SOL_TCP, own("TCP_STATS"))


def test_queues_of_a_listener() -> None:
    us = bsd()
    fd = listener(us, backlog=7)
    Peer(us).connects()
    assert us.getsockopt(fd, c.SOL_SOCKET, own("SO_LISTENQLIMIT")) == packed(7)
    assert us.getsockopt(fd, c.SOL_SOCKET, own("SO_LISTENQLEN")) == packed(1)
    fresh = us.socket(c.AF_INET, c.SOCK_STREAM, 0)
    assert errno_of(us.getsockopt, fresh, c.SOL_SOCKET, own("SO_LISTENQLIMIT")) == EINVAL
