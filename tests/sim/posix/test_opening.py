from errno import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EAGAIN,
    EALREADY,
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENETUNREACH,
    ENOTCONN,
    EPIPE,
    EPROTONOSUPPORT,
    EPROTOTYPE,
    ETIMEDOUT,
)

import pytest

from tests.sim.posix.peer import (
    PORT,
    THEIR_PORT,
    Peer,
    accepted,
    asleep,
    connected,
    connecting,
    errno_of,
    listener,
    machine,
    nonblocking,
    ours,
    still_asleep,
    theirs,
)
from usertcp.sim.posix import UNSPECIFIED, NotSupported, SocketAddress, socket_address
from usertcp.sim.posix.constants import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    F_GETFD,
    F_GETFL,
    FD_CLOEXEC,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV6_V6ONLY,
    O_NONBLOCK,
    O_RDWR,
    SHUT_RD,
    SHUT_WR,
    SO_ERROR,
    SO_REUSEADDR,
    SO_SNDTIMEO,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_IPV6,
    SOL_SOCKET,
    SOL_TCP,
    TCP_DEFER_ACCEPT,
)
from usertcp.sim.posix.options import packed
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, RST, SYN


def test_sockets() -> None:
    us = machine()
    assert us.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP) == 3
    assert us.socket(AF_INET6, SOCK_STREAM, 0) == 4
    assert us.fcntl(3, F_GETFL) == O_RDWR | O_NONBLOCK
    assert us.fcntl(3, F_GETFD) == FD_CLOEXEC
    assert us.fcntl(4, F_GETFL) == O_RDWR
    assert us.fcntl(4, F_GETFD) == 0
    assert errno_of(us.socket, AF_UNIX, SOCK_STREAM, 0) == EAFNOSUPPORT
    assert errno_of(us.socket, AF_INET, SOCK_STREAM, IPPROTO_UDP) == EPROTOTYPE
    assert errno_of(us.socket, AF_INET, SOCK_DGRAM, 99) == EPROTONOSUPPORT
    assert errno_of(us.socket, AF_INET, SOCK_STREAM | 0x100, 0) == EINVAL
    with pytest.raises(NotSupported):
        us.socket(AF_INET, SOCK_RAW, 1)


def test_bind() -> None:
    us = machine()
    fd, other = us.socket(AF_INET, SOCK_STREAM, 0), us.socket(AF_INET, SOCK_STREAM, 0)
    assert errno_of(us.bind, fd, socket_address("10.0.0.1", 80)) == EADDRNOTAVAIL
    assert errno_of(us.bind, fd, ours(family=6)) == EAFNOSUPPORT
    assert errno_of(us.bind, fd, SocketAddress(AF_INET, b"", 80)) == EINVAL
    us.bind(fd, ours())
    assert us.getsockname(fd) == ours()
    assert errno_of(us.bind, fd, ours(81)) == EINVAL
    assert errno_of(us.bind, other, ours()) == EADDRINUSE
    us.bind(other, socket_address("0.0.0.0", 0))
    assert us.getsockname(other).port >= 32768
    assert us.getsockname(other).address == bytes(4)


def test_two_sockets_share_a_port_with_reuseaddr_unless_one_listens() -> None:
    us = machine()
    first, second, third = (us.socket(AF_INET, SOCK_STREAM, 0) for _ in range(3))
    for fd in (first, second, third):
        us.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, packed(1))
    us.bind(first, ours())
    us.bind(second, ours())
    us.listen(first, 1)
    assert errno_of(us.listen, second, 1) == EADDRINUSE
    assert errno_of(us.bind, third, ours()) == EADDRINUSE


def test_a_port_in_time_wait_needs_reuseaddr() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.close(fd)
    peer.receives()
    peer.sends(0x11)  # FIN,ACK
    peer.receives()
    assert us.state_of(ours(), theirs()) is State.TIME_WAIT
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    assert errno_of(us.bind, fd, ours()) == EADDRINUSE
    us.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, packed(1))
    us.bind(fd, ours())


def test_accept_sleeps_until_somebody_is_there() -> None:
    us = machine()
    fd = listener(us)
    sleeping = asleep(us.accept, fd)
    peer = Peer(us)
    us.next_isn = 9000
    peer.sends(SYN)
    peer.receives()
    sleeping = still_asleep(sleeping)
    assert us.state_of(ours(), theirs()) is State.SYN_RECEIVED
    peer.sends(ACK)
    accepted_fd, address = sleeping.resume()
    assert address == theirs()
    assert us.getpeername(accepted_fd) == theirs()
    assert us.getsockname(accepted_fd) == ours()
    assert us.fcntl(accepted_fd, F_GETFL) == O_RDWR


def test_accept_that_may_not_wait() -> None:
    us = machine()
    fd = nonblocking(us, listener(us))
    assert errno_of(us.accept, fd) == EAGAIN
    peer = Peer(us)
    peer.connects()
    assert errno_of(us.accept4, fd, 1) == EINVAL
    accepted_fd, _ = us.accept4(fd, SOCK_NONBLOCK | SOCK_CLOEXEC)
    assert us.fcntl(accepted_fd, F_GETFL) == O_RDWR | O_NONBLOCK
    assert us.fcntl(accepted_fd, F_GETFD) == FD_CLOEXEC


def test_what_is_no_listener_accepts_nothing() -> None:
    us = machine()
    assert errno_of(us.accept, us.socket(AF_INET, SOCK_STREAM, 0)) == EINVAL
    fd, _ = accepted(us)
    assert errno_of(us.accept, fd) == EINVAL
    assert errno_of(us.listen, fd, 5) == EINVAL


def test_the_backlog_counts_one_more_than_it_says_on_linux() -> None:
    us = machine()
    fd = nonblocking(us, listener(us, backlog=1))
    for number in range(4):
        peer = Peer(us, port=50000 + number)
        us.next_isn = 9000
        peer.sends(SYN)
        if peer.receives():
            peer.sends(ACK)
    assert us.accept(fd)[1].port == 50000
    assert us.accept(fd)[1].port == 50001
    assert errno_of(us.accept, fd) == EAGAIN


def test_shutdown_of_a_listener_ends_listening() -> None:
    us = machine()
    fd = listener(us)
    sleeping = asleep(us.accept, fd)
    us.shutdown(fd, SHUT_WR)
    sleeping = still_asleep(sleeping)
    us.shutdown(fd, SHUT_RD)
    assert errno_of(sleeping.resume) == EINVAL
    peer = Peer(us)
    peer.sends(SYN)
    assert peer.receives_one().flags == RST | ACK
    us.listen(fd, 1)
    us.next_isn = 9000
    peer.sends(SYN)
    assert peer.receives_one().flags == SYN | ACK


def test_close_of_a_listener_resets_who_waits() -> None:
    us = machine()
    fd = listener(us)
    peer = Peer(us)
    peer.connects()
    us.close(fd)
    assert peer.receives_one().flags & RST
    assert us.state_of(ours(), theirs()) is None


@pytest.mark.parametrize("family", [4, 6])
def test_connect(family: int) -> None:
    us = machine()
    fd = us.socket(AF_INET if family == 4 else AF_INET6, SOCK_STREAM, 0)
    us.next_isn = 9000
    sleeping = asleep(us.connect, fd, theirs(family=family))
    peer = Peer(us, family=family)
    peer.answers_syn()
    assert sleeping.resume() is None
    assert peer.receives_one().flags == ACK
    assert us.getpeername(fd) == theirs(family=family)
    assert us.getsockname(fd).address == ours(family=family).address
    assert errno_of(us.connect, fd, theirs(family=family)) == EISCONN


def test_connect_that_may_not_wait() -> None:
    us = machine()
    fd = nonblocking(us, us.socket(AF_INET, SOCK_STREAM, 0))
    us.next_isn = 9000
    assert errno_of(us.connect, fd, theirs()) == EINPROGRESS
    assert errno_of(us.connect, fd, theirs()) == EALREADY
    assert errno_of(us.getpeername, fd) == ENOTCONN
    assert errno_of(us.write, fd, b"early") == EAGAIN
    assert errno_of(us.read, fd, 10) == EAGAIN
    peer = Peer(us)
    peer.answers_syn()
    assert us.connect(fd, theirs()) is None  # once: how it went
    assert errno_of(us.connect, fd, theirs()) == EISCONN


def test_connect_refused() -> None:
    us = machine()
    fd, peer = connecting(us)
    peer.our_port = peer.receives_one().src_port
    peer.sends(RST | ACK)
    assert errno_of(us.connect, fd, theirs()) == ECONNREFUSED
    assert errno_of(us.connect, fd, theirs()) == EINPROGRESS  # a new attempt


def test_a_refusal_is_told_once() -> None:
    us = machine()
    fd, peer = connecting(us)
    peer.our_port = peer.receives_one().src_port
    peer.sends(RST | ACK)
    assert us.getsockopt(fd, SOL_SOCKET, SO_ERROR) == packed(ECONNREFUSED)
    assert us.getsockopt(fd, SOL_SOCKET, SO_ERROR) == packed(0)
    assert errno_of(us.connect, fd, theirs()) == ECONNABORTED
    assert errno_of(us.write, fd, b"data") == EPIPE


def test_a_blocking_connect_hears_of_the_refusal_and_of_silence() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    us.next_isn = 9000
    sleeping = asleep(us.connect, fd, theirs())
    peer = Peer(us)
    peer.our_port = peer.receives_one().src_port
    peer.sends(RST | ACK)
    assert errno_of(sleeping.resume) == ECONNREFUSED
    sleeping = asleep(us.connect, fd, theirs())
    us.advance(us.now + 1000)
    assert errno_of(sleeping.resume) == ETIMEDOUT


def test_connect_has_the_patience_of_sndtimeo() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    us.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, (2).to_bytes(8, "little") + bytes(8))
    sleeping = asleep(us.connect, fd, theirs())
    assert sleeping.deadline == us.now + 2
    us.advance(us.now + 2)
    assert errno_of(sleeping.resume) == EINPROGRESS
    assert us.state_of(us.getsockname(fd), theirs()) is State.SYN_SENT


def test_connect_from_where_it_is_bound() -> None:
    us = machine()
    fd = nonblocking(us, us.socket(AF_INET, SOCK_STREAM, 0))
    us.bind(fd, ours(1234))
    assert errno_of(us.connect, fd, theirs()) == EINPROGRESS
    assert Peer(us).receives_one().src_port == 1234
    again = nonblocking(us, us.socket(AF_INET, SOCK_STREAM, 0))
    assert errno_of(us.bind, again, ours(1234)) == EADDRINUSE


def test_connect_to_where_nobody_can_be() -> None:
    us = machine(families=(4,))
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    assert errno_of(us.connect, fd, socket_address("224.0.0.1", 80)) == ENETUNREACH
    assert errno_of(us.connect, fd, theirs(family=6)) == EAFNOSUPPORT
    assert errno_of(us.connect, us.socket(AF_INET6, SOCK_STREAM, 0), theirs(family=6)) == ENETUNREACH
    listening = listener(us)
    assert errno_of(us.connect, listening, theirs()) == EISCONN


def test_connect_to_nobody_undoes_it() -> None:
    us = machine()
    fd, peer = connected(us)
    assert us.connect(fd, UNSPECIFIED) is None
    assert peer.receives_one().flags & RST
    assert us.getsockopt(fd, SOL_SOCKET, SO_ERROR) == packed(ECONNRESET)
    assert us.getsockname(fd).port == 0
    assert errno_of(us.connect, fd, theirs()) == EINPROGRESS


def test_shutdown_while_connecting_undoes_it_too() -> None:
    us = machine()
    fd, peer = connecting(us)
    peer.receives()
    us.shutdown(fd, SHUT_WR)
    peer.receives_nothing()
    assert errno_of(us.connect, fd, theirs()) == EINPROGRESS
    assert errno_of(us.write, fd, b"data") == EAGAIN


def test_mapped_addresses() -> None:
    us = machine()
    mapped = socket_address("::ffff:192.0.2.1", THEIR_PORT)
    fd = nonblocking(us, us.socket(AF_INET6, SOCK_STREAM, 0))
    us.next_isn = 9000
    assert errno_of(us.connect, fd, mapped) == EINPROGRESS
    peer = Peer(us)
    peer.answers_syn()
    assert us.getpeername(fd) == mapped
    assert us.getsockname(fd).address == socket_address("::ffff:192.168.0.1", 0).address
    only = us.socket(AF_INET6, SOCK_STREAM, 0)
    us.setsockopt(only, SOL_IPV6, IPV6_V6ONLY, packed(1))
    assert errno_of(us.connect, only, mapped) == ENETUNREACH


def test_an_ipv6_listener_takes_ipv4_unless_told_otherwise() -> None:
    us = machine()
    fd = us.socket(AF_INET6, SOCK_STREAM, 0)
    us.bind(fd, socket_address("::", PORT))
    us.listen(fd, 5)
    Peer(us).connects()
    _, address = us.accept(fd)
    assert address == socket_address("::ffff:192.0.2.1", THEIR_PORT)
    us.close(fd)
    only = us.socket(AF_INET6, SOCK_STREAM, 0)
    us.setsockopt(only, SOL_SOCKET, SO_REUSEADDR, packed(1))
    us.setsockopt(only, SOL_IPV6, IPV6_V6ONLY, packed(1))
    us.bind(only, socket_address("::", PORT))
    us.listen(only, 5)
    stranger = Peer(us, port=40001)
    stranger.sends(SYN)
    assert stranger.receives_one().flags == RST | ACK
    six = Peer(us, family=6, port=40001)
    six.connects()
    assert us.accept(only)[1] == theirs(40001, family=6)


def test_an_ipv4_listener_on_any_address_leaves_ipv6_alone() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    us.bind(fd, socket_address("0.0.0.0", PORT))
    us.listen(fd, 5)
    six = Peer(us, family=6)
    six.sends(SYN)
    assert six.receives_one().flags == RST | ACK
    Peer(us).connects()
    assert us.accept(fd)[1] == theirs()
    us.close(fd)
    stranger = Peer(us, port=40001)
    stranger.sends(SYN)
    assert stranger.receives_one().flags == RST | ACK


def test_listen_without_bind_finds_a_port() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    us.listen(fd, 1)
    assert us.getsockname(fd).port >= 32768


def test_a_listener_may_wait_for_data() -> None:
    us = machine()
    fd = nonblocking(us, listener(us))
    us.setsockopt(fd, SOL_TCP, TCP_DEFER_ACCEPT, packed(5))
    assert us.getsockopt(fd, SOL_TCP, TCP_DEFER_ACCEPT) == packed(7)
    peer = Peer(us)
    peer.connects()
    assert errno_of(us.accept, fd) == EAGAIN
    peer.sends(ACK, b"request")
    accepted_fd, _ = us.accept(fd)
    assert us.read(accepted_fd, 10) == b"request"
