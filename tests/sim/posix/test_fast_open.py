"""TCP Fast Open (RFC 7413) by MSG_FASTOPEN and TCP_FASTOPEN_CONNECT."""

from errno import EALREADY, EDESTADDRREQ, EINPROGRESS, EINVAL, EISCONN, EOPNOTSUPP

from tests.sim.posix.peer import (
    OUR_ISN,
    OURS,
    PORT,
    THEIRS,
    Peer,
    accepted,
    asleep,
    errno_of,
    listener,
    machine,
    nonblocking,
    ours,
    theirs,
)
from usertcp.sim.posix import UNSPECIFIED, Machine, SocketConfig
from usertcp.sim.posix.constants import (
    AF_INET,
    F_SETFL,
    MSG_FASTOPEN,
    O_RDWR,
    POLLIN,
    POLLOUT,
    SOCK_STREAM,
    SOL_TCP,
    TCP_FASTOPEN,
    TCP_FASTOPEN_CONNECT,
    TCP_FASTOPEN_KEY,
    TCP_FASTOPEN_NO_COOKIE,
    TCP_INFO,
    TCPI_OPT_SYN_DATA,
    TCPI_OPT_TFO_CHILD,
)
from usertcp.sim.posix.options import packed
from usertcp.sim.posix.tcp_info import fields
from usertcp.stack.fast_open import keyed_cookies
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, SYN, Options, Segment

COOKIE = b"a cookie"


def fresh(us: Machine) -> int:
    us.next_isn = OUR_ISN
    return nonblocking(us, us.socket(AF_INET, SOCK_STREAM, 0))


def answers(peer: Peer, syn: Segment, *, ack: int = 1, cookie: bytes | None = None) -> None:
    peer.our_port = syn.src_port
    peer.sends(SYN | ACK, seq=0, ack=ack, options=Options(mss=1000, fast_open=cookie))


def ends(us: Machine, fd: int, peer: Peer) -> None:
    us.close(fd)
    peer.receives()
    peer.sends(FIN | ACK)
    peer.receives()


def with_cookie() -> Machine:
    """A machine that has a cookie of the peer."""
    us = machine()
    fd, peer = fresh(us), Peer(us)
    assert errno_of(us.sendto, fd, b"", MSG_FASTOPEN, theirs()) == EINPROGRESS
    syn = peer.receives_one()
    assert (syn.options.fast_open, bytes(syn.payload)) == (b"", b"")
    answers(peer, syn, cookie=COOKIE)
    peer.receives()
    ends(us, fd, peer)
    return us


def test_without_a_cookie_nothing_is_taken() -> None:
    us = machine()
    fd, peer = fresh(us), Peer(us)
    assert errno_of(us.sendto, fd, b"hello", MSG_FASTOPEN, theirs()) == EINPROGRESS
    syn = peer.receives_one()
    assert (syn.options.fast_open, bytes(syn.payload)) == (b"", b"")
    assert errno_of(us.sendto, fd, b"hello", MSG_FASTOPEN, theirs()) == EALREADY
    answers(peer, syn)
    peer.receives()
    us.connect(fd, theirs())
    assert errno_of(us.sendto, fd, b"hello", MSG_FASTOPEN, theirs()) == EISCONN


def test_with_one_it_takes_what_the_syn_carries() -> None:
    us = with_cookie()
    fd, peer = fresh(us), Peer(us)
    taken = us.sendto(fd, bytes(3000), MSG_FASTOPEN, theirs())
    syn = peer.receives_one()
    assert syn.options.fast_open == COOKIE
    assert 900 < len(syn.payload) == taken < 1000
    answers(peer, syn, ack=1 + taken)
    assert [segment.flags for segment in peer.receives()] == [ACK]
    us.connect(fd, theirs())
    assert us.write(fd, b"more") == 4
    assert bytes(peer.receives_one().payload) == b"more"


def test_a_call_that_may_sleep_sends_all() -> None:
    us = with_cookie()
    fd, peer = fresh(us), Peer(us)
    us.fcntl(fd, F_SETFL, O_RDWR)
    data = bytes(range(250)) * 12
    sleeping = asleep(us.sendto, fd, data, MSG_FASTOPEN, theirs())
    syn = peer.receives_one()
    answers(peer, syn, ack=1 + len(syn.payload))
    assert sleeping.resume() == 3000
    got = bytes(syn.payload) + b"".join(segment.payload for segment in peer.receives())
    peer.sends(ACK)
    assert got + b"".join(segment.payload for segment in peer.receives()) == data


def test_connect_leaves_the_syn_to_the_first_data() -> None:
    us = with_cookie()
    fd, peer = fresh(us), Peer(us)
    us.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_CONNECT, packed(1))
    assert us.connect(fd, theirs()) is None
    peer.receives_nothing()
    assert us.poll([(fd, POLLIN | POLLOUT)], 0) == [(fd, POLLOUT)]
    assert errno_of(us.connect, fd, theirs()) == EISCONN
    assert us.write(fd, b"hello") == 5
    syn = peer.receives_one()
    assert (syn.options.fast_open, bytes(syn.payload)) == (COOKIE, b"hello")
    answers(peer, syn, ack=6)
    peer.receives()
    assert us.connect(fd, theirs()) is None


def test_without_a_cookie_connect_connects() -> None:
    us = machine()
    fd, peer = fresh(us), Peer(us)
    us.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_CONNECT, packed(1))
    assert errno_of(us.connect, fd, theirs()) == EINPROGRESS
    syn = peer.receives_one()
    assert syn.options.fast_open == b""
    answers(peer, syn, cookie=COOKIE)
    peer.receives()
    assert us.connect(fd, theirs()) is None
    assert us.write(fd, b"x") == 1


def test_where_it_is_no_use() -> None:
    us = machine()
    assert errno_of(us.sendto, fresh(us), b"x", MSG_FASTOPEN, UNSPECIFIED) == EOPNOTSUPP
    assert errno_of(us.sendto, fresh(us), b"x", MSG_FASTOPEN, None) == EDESTADDRREQ
    listening = listener(us)
    assert errno_of(us.sendto, listening, b"x", MSG_FASTOPEN, theirs()) == EISCONN
    us.close(listening)
    without = machine(config=SocketConfig(fast_open=0))
    assert errno_of(without.sendto, fresh(without), b"x", MSG_FASTOPEN, theirs()) == EOPNOTSUPP
    fd, _ = accepted(us)
    assert errno_of(us.sendto, fd, b"x", MSG_FASTOPEN, theirs()) == EISCONN


def server_cookie(us: Machine) -> bytes:
    """The cookie that a listener gives, if it gives one."""
    peer = Peer(us, port=50000)
    peer.sends(SYN, options=Options(mss=1000, fast_open=b""))
    return peer.receives_one().options.fast_open or b""


def test_a_server() -> None:
    us = machine()
    fd = nonblocking(us, listener(us))
    assert server_cookie(us) == b""
    us.setsockopt(fd, SOL_TCP, TCP_FASTOPEN, packed(5))
    peer = Peer(us, port=50001)
    peer.sends(SYN, options=Options(mss=1000, fast_open=b""))
    cookie = peer.receives_one().options.fast_open
    assert cookie
    peer = Peer(us, port=50002)
    us.next_isn = OUR_ISN
    peer.sends(SYN, b"request", options=Options(mss=1000, fast_open=cookie))
    accepted_fd, address = us.accept(fd)
    assert address.port == 50002
    assert us.state_of(us.getsockname(accepted_fd), address) is State.SYN_RECEIVED
    assert us.poll([(accepted_fd, POLLIN | POLLOUT)], 0) == [(accepted_fd, POLLIN | POLLOUT)]
    assert us.read(accepted_fd, 100) == b"request"
    assert us.write(accepted_fd, b"answer") == 6


def test_a_listener_may_have_keys_of_its_own() -> None:
    us = machine(config=SocketConfig(fast_open=0x402))
    fd, other = fresh(us), fresh(us)
    assert us.getsockopt(fd, SOL_TCP, TCP_FASTOPEN_KEY, 32) == b""
    for length in (0, 15, 31, 33):
        assert errno_of(us.setsockopt, fd, SOL_TCP, TCP_FASTOPEN_KEY, bytes(length)) == EINVAL
    us.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_KEY, bytes(range(32)))
    assert us.getsockopt(fd, SOL_TCP, TCP_FASTOPEN_KEY, 32) == bytes(range(32))
    cookies = []
    for port, listening in ((PORT, fd), (PORT + 1, other)):
        us.bind(listening, ours(port))
        us.listen(listening, 5)
        peer = Peer(us, port=50000)
        peer.our_port = port
        peer.sends(SYN, options=Options(mss=1000, fast_open=b""))
        cookies.append(peer.receives_one().options.fast_open)
    assert cookies[0] == keyed_cookies([bytes(range(16))], THEIRS[4] + OURS[4])[0] != cookies[1]


def test_a_listener_may_do_without_cookies() -> None:
    us = machine(config=SocketConfig(fast_open=0x402))
    fd = nonblocking(us, listener(us))
    us.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_NO_COOKIE, packed(1))
    assert us.getsockopt(fd, SOL_TCP, TCP_FASTOPEN_NO_COOKIE, 4) == packed(1)
    Peer(us, port=50001).sends(SYN, b"request", options=Options(mss=1000))
    child, _ = us.accept(fd)
    assert us.read(child, 100) == b"request"
    told = fields(us.getsockopt(child, SOL_TCP, TCP_INFO, 300))
    assert told["tcpi_options"] & (TCPI_OPT_SYN_DATA | TCPI_OPT_TFO_CHILD) == TCPI_OPT_SYN_DATA | TCPI_OPT_TFO_CHILD


def test_a_client_may_do_without_a_cookie() -> None:
    us = machine()
    fd, peer = fresh(us), Peer(us)
    us.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_NO_COOKIE, packed(1))
    us.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_CONNECT, packed(1))
    assert us.connect(fd, theirs()) is None
    peer.receives_nothing()
    assert us.write(fd, b"hello") == 5
    syn = peer.receives_one()
    assert (syn.options.fast_open, bytes(syn.payload)) == (None, b"hello")
    assert errno_of(us.setsockopt, fd, SOL_TCP, TCP_FASTOPEN_NO_COOKIE, packed(0)) == EINVAL


def test_tcp_info_tells_what_came_of_it() -> None:
    us = with_cookie()
    fd, peer = fresh(us), Peer(us)
    us.sendto(fd, b"hello", MSG_FASTOPEN, theirs())
    answers(peer, peer.receives_one(), ack=1)
    told = fields(us.getsockopt(fd, SOL_TCP, TCP_INFO, 300))
    assert (told["tcpi_options"] & TCPI_OPT_SYN_DATA, told["tcpi_fastopen_client_fail"]) == (0, 2)


def test_a_system_may_let_every_listener_do_it() -> None:
    assert server_cookie_of(SocketConfig(fast_open=0x402)) != b""
    assert server_cookie_of(SocketConfig(fast_open=0x400)) == b""
    assert server_cookie_of(SocketConfig(fast_open=0x2)) == b""


def server_cookie_of(config: SocketConfig) -> bytes:
    us = machine(config=config)
    listener(us)
    return server_cookie(us)
