from errno import (
    EACCES,
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAFNOSUPPORT,
    EAGAIN,
    ECONNREFUSED,
    EDESTADDRREQ,
    EHOSTUNREACH,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    ENOTCONN,
    ENOTTY,
    EOPNOTSUPP,
    EPIPE,
)
from struct import pack

import pytest

from tests.sim.posix.peer import OURS, THEIRS, Peer, asleep, errno_of, machine, ours, theirs
from usertcp.sim.posix import UNSPECIFIED, Machine, NotSupported, SocketConfig, socket_address
from usertcp.sim.posix import constants as c
from usertcp.sim.posix.addresses import sockaddr
from usertcp.sim.posix.options import packed
from usertcp.wire import icmp, ipv4, ipv6, udp
from usertcp.wire.malformed import Malformed


def bound(us: Machine, *, family: int = 4, flags: int = c.SOCK_NONBLOCK) -> int:
    fd = us.socket(c.AF_INET if family == 4 else c.AF_INET6, c.SOCK_DGRAM | flags, 0)
    us.bind(fd, ours(family=family))
    return fd


class DatagramPeer(Peer):
    """Sends and receives datagrams."""

    def says(self, data: bytes, *, port: int = 8080, source: int = 40000) -> None:
        there, here = THEIRS[self.family], OURS[self.family]
        self.puts(udp.PROTOCOL, udp.emit(there, here, source, port, data) + data)

    def hears(self) -> list[tuple[udp.Header, bytes]]:
        found = []
        for packet in self.machine.sent():
            self._last = packet
            start = 20 if self.family == 4 else 40
            header = udp.parse(packet[start:], OURS[self.family], THEIRS[self.family])
            assert not isinstance(header, Malformed)
            found.append((header, packet[start + 8 :]))
        return found


@pytest.mark.parametrize("family", [4, 6])
def test_there_and_back(family: int) -> None:
    us = machine()
    fd, peer = bound(us, family=family), DatagramPeer(us, family=family)
    assert us.sendto(fd, b"hello", 0, theirs(family=family)) == 5
    ((header, data),) = peer.hears()
    assert (header.src_port, header.dst_port, data) == (8080, 40000, b"hello")
    peer.says(b"answer")
    assert us.recvfrom(fd, 100) == (b"answer", theirs(family=family))
    assert errno_of(us.recv, fd, 100) == EAGAIN


def test_a_datagram_is_read_at_once_or_lost() -> None:
    us = machine()
    fd, peer = bound(us), DatagramPeer(us)
    peer.says(b"0123456789")
    peer.says(b"second")
    assert us.ioctl(fd, c.SIOCINQ) == 10
    assert us.recv(fd, 3, c.MSG_PEEK) == b"012"
    assert us.recv(fd, 3, c.MSG_PEEK | c.MSG_TRUNC) == b"0123456789"
    message = us.recvmsg(fd, 3)
    assert message.data == b"012"
    assert message.flags == c.MSG_TRUNC
    assert us.read(fd, 100) == b"second"
    assert us.ioctl(fd, c.SIOCINQ) == 0
    assert us.ioctl(fd, c.SIOCOUTQ) == 0
    assert errno_of(us.ioctl, fd, 0x1234) == ENOTTY


def test_reading_sleeps() -> None:
    us = machine()
    fd, peer = bound(us, flags=0), DatagramPeer(us)
    sleeping = asleep(us.recvfrom, fd, 100)
    peer.says(b"")
    assert sleeping.resume() == (b"", theirs())
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_RCVTIMEO, pack("=qq", 2, 0))
    sleeping = asleep(us.recv, fd, 100)
    us.advance(us.now + 2)
    assert errno_of(sleeping.resume) == EAGAIN


def test_connect() -> None:
    us = machine()
    fd, peer = us.socket(c.AF_INET, c.SOCK_DGRAM, 0), DatagramPeer(us)
    assert errno_of(us.send, fd, b"x") == EDESTADDRREQ
    assert errno_of(us.getpeername, fd) == ENOTCONN
    assert us.connect(fd, theirs()) is None
    assert us.getpeername(fd) == theirs()
    local = us.getsockname(fd)
    assert (local.address, local.port >= 32768) == (OURS[4], True)
    us.write(fd, b"x")
    assert peer.hears()[0][0].dst_port == 40000
    peer.says(b"stranger", port=local.port, source=1)
    peer.says(b"friend", port=local.port)
    assert us.recv(fd, 100) == b"friend"
    us.connect(fd, UNSPECIFIED)
    assert us.getsockname(fd) == socket_address("0.0.0.0", 0)
    assert errno_of(us.send, fd, b"x") == EDESTADDRREQ
    assert us.getsockname(fd).port, "Linux binds first and asks then"


def test_who_is_nearest_gets_it() -> None:
    us = machine()
    everything = us.socket(c.AF_INET6, c.SOCK_DGRAM | c.SOCK_NONBLOCK, 0)
    us.setsockopt(everything, c.SOL_SOCKET, c.SO_REUSEADDR, packed(1))
    us.bind(everything, socket_address("::", 8080))
    peer = DatagramPeer(us)
    peer.says(b"first")
    assert us.recvfrom(everything, 10) == (b"first", socket_address("::ffff:192.0.2.1", 40000))
    special = us.socket(c.AF_INET, c.SOCK_DGRAM | c.SOCK_NONBLOCK, 0)
    assert errno_of(us.bind, special, ours()) == EADDRINUSE
    us.setsockopt(special, c.SOL_SOCKET, c.SO_REUSEADDR, packed(1))
    us.bind(special, ours())
    peer.says(b"second")
    assert us.recv(special, 10) == b"second"
    assert errno_of(us.recv, everything, 10) == EAGAIN


def test_nobody_there_is_said_by_icmp() -> None:
    us = machine()
    fd, peer = bound(us), DatagramPeer(us)
    peer.says(b"x", port=8081)
    (packet,) = us.sent()
    assert icmp.parse_v4(packet[20:])[0] == icmp.V4_PORT  # type: ignore[index]
    us.close(fd)
    peer.says(b"x")
    assert len(us.sent()) == 1


def test_a_wrong_checksum_is_dropped() -> None:
    us = machine()
    fd, peer = bound(us), DatagramPeer(us)
    peer.puts(udp.PROTOCOL, bytes.fromhex("9c401f90000a12346869"))
    assert errno_of(us.recv, fd, 10) == EAGAIN
    assert us.sent() == []


def test_where_one_cannot_send() -> None:
    us = machine(families=(4,))
    fd = us.socket(c.AF_INET, c.SOCK_DGRAM, 0)
    six = us.socket(c.AF_INET6, c.SOCK_DGRAM, 0)
    assert errno_of(us.sendto, fd, b"x", 0, theirs(0)) == EINVAL
    assert errno_of(us.sendto, fd, b"x", 0, theirs(family=6)) == EAFNOSUPPORT
    assert errno_of(us.sendto, fd, b"x", 0, socket_address("255.255.255.255", 1)) == EACCES
    assert errno_of(us.sendto, six, b"x", 0, theirs(family=6)) == ENETUNREACH
    assert errno_of(us.sendto, fd, bytes(65508), 0, theirs()) == EMSGSIZE
    assert errno_of(us.sendto, fd, bytes(70000), 0, theirs()) == EMSGSIZE
    assert errno_of(us.sendto, fd, b"x", c.MSG_OOB, theirs()) == EOPNOTSUPP
    assert errno_of(us.bind, fd, ours(1)) == EINVAL  # the first attempt gave it a port
    assert errno_of(us.bind, six, socket_address("10::1", 1)) == EADDRNOTAVAIL
    assert errno_of(us.listen, fd, 1) == EOPNOTSUPP
    assert errno_of(us.accept, fd) == EOPNOTSUPP
    with pytest.raises(NotSupported):
        us.sendmsg(fd, [b"x"], [(c.SOL_IP, c.IP_TTL, packed(1))], 0, theirs())


def test_an_ipv6_socket_sends_to_ipv4_too() -> None:
    us = machine()
    fd, peer = us.socket(c.AF_INET6, c.SOCK_DGRAM, 0), DatagramPeer(us)
    us.sendto(fd, b"x", 0, socket_address("::ffff:192.0.2.1", 53))
    assert peer.hears()[0][0].dst_port == 53
    us.sendto(fd, b"x", 0, socket_address("192.0.2.1", 54))
    assert peer.hears()[0][0].dst_port == 54
    us.setsockopt(fd := us.socket(c.AF_INET6, c.SOCK_DGRAM, 0), c.SOL_IPV6, c.IPV6_V6ONLY, packed(1))
    assert errno_of(us.sendto, fd, b"x", 0, socket_address("::ffff:192.0.2.1", 53)) == ENETUNREACH


def test_a_long_datagram_goes_in_fragments() -> None:
    us = machine()
    fd = bound(us)
    us.sendto(fd, bytes(3000), 0, theirs())
    headers = [ipv4.parse(packet) for packet in us.sent()]
    assert [(header.fragment_offset, header.more_fragments) for header in headers] == [  # type: ignore[union-attr]
        (0, True),
        (1480, True),
        (2960, False),
    ]
    us.setsockopt(fd, c.SOL_IP, c.IP_MTU_DISCOVER, packed(c.IP_PMTUDISC_DO))
    assert errno_of(us.sendto, fd, bytes(1473), 0, theirs()) == EMSGSIZE
    us.sendto(fd, bytes(1472), 0, theirs())
    (packet,) = us.sent()
    header = ipv4.parse(packet)
    assert not isinstance(header, Malformed)
    assert header.dont_fragment


def test_headers_as_options_want_them() -> None:
    us = machine()
    fd = bound(us)
    us.setsockopt(fd, c.SOL_IP, c.IP_TTL, packed(5))
    us.setsockopt(fd, c.SOL_IP, c.IP_TOS, packed(0x12))
    us.setsockopt(fd, c.SOL_IP, c.IP_MTU_DISCOVER, packed(c.IP_PMTUDISC_DONT))
    us.sendto(fd, b"x", 0, theirs())
    (packet,) = us.sent()
    header = ipv4.parse(packet)
    assert not isinstance(header, Malformed)
    assert (header.ttl, header.tos, header.dont_fragment) == (5, 0x12, False)
    six = bound(us, family=6)
    us.setsockopt(six, c.SOL_IPV6, c.IPV6_UNICAST_HOPS, packed(7))
    us.setsockopt(six, c.SOL_IPV6, c.IPV6_TCLASS, packed(0x21))
    us.sendto(six, b"x", 0, theirs(family=6))
    (packet,) = us.sent()
    six_header = ipv6.parse(packet)
    assert not isinstance(six_header, Malformed)
    assert (six_header.hop_limit, six_header.traffic_class) == (7, 0x21)


@pytest.mark.parametrize(
    ("family", "level", "wanted", "expected"),
    [
        (
            4,
            c.SOL_IP,
            (c.IP_RECVTTL, c.IP_RECVTOS),
            ((c.SOL_IP, c.IP_TTL, packed(64)), (c.SOL_IP, c.IP_TOS, b"\0")),
        ),
        (
            6,
            c.SOL_IPV6,
            (c.IPV6_RECVHOPLIMIT, c.IPV6_RECVTCLASS),
            ((c.SOL_IPV6, c.IPV6_HOPLIMIT, packed(64)), (c.SOL_IPV6, c.IPV6_TCLASS, packed(0))),
        ),
    ],
)
def test_control_messages(family: int, level: int, wanted: tuple[int, ...], expected: tuple[object, ...]) -> None:
    us = machine()
    fd, peer = bound(us, family=family), DatagramPeer(us, family=family)
    for name in wanted:
        us.setsockopt(fd, level, name, packed(1))
    peer.says(b"x")
    peer.says(b"y")
    message = us.recvmsg(fd, 10, 100)
    assert (message.control, message.flags) == (expected, 0)
    message = us.recvmsg(fd, 10, 4)
    assert (message.control, message.flags) == ((), c.MSG_CTRUNC)


def test_msg_more_gathers() -> None:
    us = machine()
    fd, peer = bound(us), DatagramPeer(us)
    assert us.sendto(fd, b"one", c.MSG_MORE, theirs()) == 3
    assert us.send(fd, b"two", c.MSG_MORE) == 3
    assert peer.hears() == []
    assert us.send(fd, b"three", 0) == 5
    assert [data for _, data in peer.hears()] == [b"onetwothree"]
    assert errno_of(us.send, fd, b"x") == EDESTADDRREQ


def test_shutdown() -> None:
    us = machine()
    fd = bound(us)
    assert errno_of(us.shutdown, fd, c.SHUT_WR) == ENOTCONN
    assert errno_of(us.sendto, fd, b"x", 0, theirs()) == EPIPE
    us.connect(fd, theirs())
    us.shutdown(fd, c.SHUT_RD)
    assert errno_of(us.recv, fd, 10) == EAGAIN
    us.fcntl(fd, c.F_SETFL, c.O_RDWR)
    assert us.recv(fd, 10) == b""
    assert us.poll([(fd, c.POLLIN | c.POLLRDHUP)], 0) == [(fd, c.POLLIN | c.POLLRDHUP | c.POLLHUP)]
    assert errno_of(us.shutdown, fd, 9) == EINVAL


def test_a_full_buffer_drops() -> None:
    us = machine(config=SocketConfig(receive_buffer=2000))
    fd, peer = bound(us), DatagramPeer(us)
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_RCVBUF) == packed(2000)
    for text in (bytes(400), b"lost: 400 bytes more are too much" + bytes(400), b"short"):
        peer.says(text)
    assert us.recv(fd, 1000) == bytes(400)
    assert us.recv(fd, 1000) == b"short"
    us.setsockopt(fd, c.SOL_SOCKET, c.SO_RCVBUF, packed(5000))
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_RCVBUF) == packed(10000)


# -- ICMP errors -------------------------------------------------------------------------------------------------


def test_a_connected_socket_hears_of_hard_errors_only() -> None:
    us = machine()
    fd, peer = bound(us), DatagramPeer(us)
    us.connect(fd, theirs())
    us.send(fd, b"x")
    peer.hears()
    peer.reports(icmp.Unreachable(icmp.V4_HOST, peer.last_packet))
    assert us.poll([(fd, 0)], 0) == [(fd, 0)]
    peer.reports(icmp.Unreachable(icmp.V4_PORT, peer.last_packet))
    assert us.poll([(fd, c.POLLIN)], 0) == [(fd, c.POLLERR)]
    assert errno_of(us.recv, fd, 10) == ECONNREFUSED
    assert errno_of(us.recv, fd, 10) == EAGAIN
    peer.reports(icmp.Unreachable(icmp.V4_PORT, peer.last_packet))
    assert errno_of(us.send, fd, b"y") == ECONNREFUSED
    assert us.send(fd, b"y") == 1


def test_one_that_is_not_connected_hears_of_none() -> None:
    us = machine()
    fd, peer = bound(us), DatagramPeer(us)
    us.sendto(fd, b"x", 0, theirs())
    peer.hears()
    peer.reports(icmp.Unreachable(icmp.V4_PORT, peer.last_packet))
    assert errno_of(us.recv, fd, 10) == EAGAIN


@pytest.mark.parametrize("family", [4, 6])
def test_with_recverr_it_hears_of_all(family: int) -> None:
    us = machine()
    fd, peer = bound(us, family=family), DatagramPeer(us, family=family)
    level, name = (c.SOL_IP, c.IP_RECVERR) if family == 4 else (c.SOL_IPV6, c.IPV6_RECVERR)
    us.setsockopt(fd, level, name, packed(1))
    us.sendto(fd, b"text", 0, theirs(family=family))
    peer.hears()
    code = icmp.V4_HOST if family == 4 else icmp.V6_ADDRESS
    peer.reports(icmp.Unreachable(code, peer.last_packet))
    assert us.poll([(fd, 0)], 0) == [(fd, c.POLLERR)]
    message = us.recvmsg(fd, 100, 200, c.MSG_ERRQUEUE)
    assert message.data == b"text"
    assert message.address == theirs(family=family)
    assert message.flags == c.MSG_ERRQUEUE
    origin, kind = (c.SO_EE_ORIGIN_ICMP, 3) if family == 4 else (c.SO_EE_ORIGIN_ICMP6, 1)
    offender = sockaddr(theirs(0, family=family), c.AF_INET if family == 4 else c.AF_INET6)
    error = pack("=IBBBBII", EHOSTUNREACH, origin, kind, code, 0, 0, 0)
    assert message.control == ((level, name, error + offender),)
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_ERROR) == packed(0)  # read from the queue
    assert errno_of(us.recvmsg, fd, 100, 200, c.MSG_ERRQUEUE) == EAGAIN


def test_the_path_is_too_narrow() -> None:
    us = machine()
    fd, peer = bound(us), DatagramPeer(us)
    us.connect(fd, theirs())
    us.send(fd, bytes(1400))
    peer.hears()
    peer.reports(icmp.PacketTooBig(1000, peer.last_packet))
    assert us.getsockopt(fd, c.SOL_SOCKET, c.SO_ERROR) == packed(EMSGSIZE)
