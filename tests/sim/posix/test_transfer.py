from errno import EAGAIN, EBADF, ECONNRESET, EINVAL, ENOTCONN, EPIPE

import pytest

from tests.sim.posix.peer import (
    PLAIN,
    Peer,
    accepted,
    asleep,
    connected,
    connecting,
    errno_of,
    listener,
    machine,
    nonblocking,
    still_asleep,
    theirs,
)
from usertcp.sim.posix import NotSupported, SocketConfig
from usertcp.sim.posix.constants import (
    AF_INET,
    F_SETFL,
    FIONREAD,
    MSG_CTRUNC,
    MSG_DONTWAIT,
    MSG_NOSIGNAL,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    O_RDWR,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SIOCATMARK,
    SIOCINQ,
    SIOCOUTQ,
    SIOCOUTQNSD,
    SO_PEEK_OFF,
    SO_RCVLOWAT,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SOCK_STREAM,
    SOL_SOCKET,
    SOL_TCP,
    TCP_CM_INQ,
    TCP_INQ,
)
from usertcp.sim.posix.options import packed
from usertcp.wire.tcp import ACK, FIN, PSH, RST

SECOND = (1).to_bytes(8, "little") + bytes(8)


def blocking(us, fd):  # type: ignore[no-untyped-def]
    us.fcntl(fd, F_SETFL, O_RDWR)
    return fd


# -- Receiving ---------------------------------------------------------------------------------------------------


def test_read() -> None:
    us = machine()
    fd, peer = accepted(us)
    assert errno_of(us.read, fd, 10) == EAGAIN
    peer.sends(ACK | PSH, b"hello, world")
    assert us.read(fd, 5) == b"hello"
    assert us.readv(fd, [2, 3]) == b", wor"
    assert us.read(fd, 0) == b""
    assert us.recv(fd, 100) == b"ld"
    assert errno_of(us.recv, fd, 100) == EAGAIN
    peer.sends(ACK | FIN)
    assert us.read(fd, 10) == b""
    assert us.read(fd, 10) == b""


def test_a_read_that_sleeps_until_data_comes() -> None:
    us = machine()
    fd, peer = accepted(us)
    sleeping = asleep(us.read, blocking(us, fd), 100)
    sleeping = still_asleep(sleeping)
    peer.sends(ACK, b"data")
    assert sleeping.resume() == b"data"
    assert errno_of(us.recv, fd, 10, MSG_DONTWAIT) == EAGAIN


def test_rcvtimeo() -> None:
    us = machine()
    fd, _ = accepted(us)
    us.setsockopt(blocking(us, fd), SOL_SOCKET, SO_RCVTIMEO, SECOND)
    sleeping = asleep(us.read, fd, 100)
    assert sleeping.deadline == us.now + 1
    us.advance(us.now + 0.5)
    sleeping = still_asleep(sleeping)
    us.advance(us.now + 0.5)
    assert errno_of(sleeping.resume) == EAGAIN


def test_waitall() -> None:
    us = machine()
    fd, peer = accepted(us)
    sleeping = asleep(us.recv, blocking(us, fd), 10, MSG_WAITALL)
    peer.sends(ACK, b"12345")
    sleeping = still_asleep(sleeping)
    peer.sends(ACK, b"67890abc")
    assert sleeping.resume() == b"1234567890"
    sleeping = asleep(us.recv, fd, 10, MSG_WAITALL)
    peer.sends(ACK | FIN)
    assert sleeping.resume() == b"abc"


def test_waitall_with_a_timeout_gives_what_there_is() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(blocking(us, fd), SOL_SOCKET, SO_RCVTIMEO, SECOND)
    sleeping = asleep(us.recv, fd, 10, MSG_WAITALL)
    peer.sends(ACK, b"12345")
    sleeping = still_asleep(sleeping)
    us.advance(us.now + 1)
    assert sleeping.resume() == b"12345"


def test_rcvlowat_makes_a_read_wait() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, packed(5))
    peer.sends(ACK, b"1234")
    sleeping = asleep(us.read, blocking(us, fd), 100)
    peer.sends(ACK, b"5")
    assert sleeping.resume() == b"12345"
    peer.sends(ACK, b"12")
    assert us.recv(fd, 2) == b"12"  # no more was asked for
    peer.sends(ACK, b"12")
    assert us.recv(fd, 100, MSG_DONTWAIT) == b"12"


def test_peek_leaves_the_data() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK, b"hello")
    assert us.recv(fd, 3, MSG_PEEK) == b"hel"
    assert us.recv(fd, 100, MSG_PEEK) == b"hello"
    assert us.recv(fd, 100) == b"hello"


def test_peek_goes_on_from_an_offset() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK, b"hello")
    us.setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, packed(1))
    assert us.recv(fd, 2, MSG_PEEK) == b"el"
    assert us.recv(fd, 100, MSG_PEEK) == b"lo"
    assert errno_of(us.recv, fd, 100, MSG_PEEK) == EAGAIN
    assert us.recv(fd, 1) == b"h"
    assert us.getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF) == packed(4)
    us.setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, packed(0))
    assert us.recv(fd, 2, MSG_PEEK) == b"el"
    us.setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, packed(-1))
    assert us.recv(fd, 100, MSG_PEEK) == b"ello"


def test_peek_and_waitall() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK, b"123")
    sleeping = asleep(us.recv, blocking(us, fd), 6, MSG_PEEK | MSG_WAITALL)
    peer.sends(ACK, b"4567")
    assert sleeping.resume() == b"123456"
    assert us.read(fd, 100) == b"1234567"


def test_less_than_nothing_cannot_be_received() -> None:
    us = machine()
    fd, _ = accepted(us)
    for call in (us.read, us.recv, us.recvfrom, us.recvmsg):
        assert errno_of(call, fd, -1) == EINVAL


def test_trunc_takes_the_data_away() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(ACK, b"hello")
    assert len(us.recv(fd, 3, MSG_TRUNC)) == 3
    assert us.recv(fd, 100) == b"lo"


def test_recvmsg_tells_what_is_left() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_TCP, TCP_INQ, packed(1))
    peer.sends(ACK, b"hello")
    message = us.recvmsg(fd, 2, 100)
    assert message.data == b"he"
    assert message.control == ((SOL_TCP, TCP_CM_INQ, packed(3)),)
    assert message.flags == 0
    message = us.recvmsg(fd, 1, 18)
    assert message.control == ((SOL_TCP, TCP_CM_INQ, packed(2)[:2]),)
    assert message.flags == MSG_CTRUNC
    peer.sends(ACK | FIN)
    assert us.recvmsg(fd, 10, 100).control == ((SOL_TCP, TCP_CM_INQ, packed(1)),)
    assert us.recvmsg(fd, 10, 100).control == ((SOL_TCP, TCP_CM_INQ, packed(1)),)


def test_what_is_not_connected_cannot_be_read() -> None:
    us = machine()
    assert errno_of(us.read, us.socket(AF_INET, SOCK_STREAM, 0), 10) == ENOTCONN
    assert errno_of(us.read, listener(us), 10) == ENOTCONN
    fd, _ = connecting(us)
    assert errno_of(us.read, fd, 10) == EAGAIN


def test_a_reset_is_told_once() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(RST)
    assert errno_of(us.read, fd, 10) == ECONNRESET
    assert us.read(fd, 10) == b""
    assert errno_of(us.write, fd, b"data") == EPIPE


def test_a_reset_is_told_to_who_writes_too() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(RST)
    assert errno_of(us.write, fd, b"data") == ECONNRESET
    assert errno_of(us.write, fd, b"data") == EPIPE
    assert us.read(fd, 10) == b""
    assert errno_of(us.shutdown, fd, SHUT_WR) == ENOTCONN


def test_after_the_peers_fin_a_reset_only_breaks_the_pipe() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(FIN | ACK)
    peer.sends(RST)
    assert errno_of(us.write, fd, b"data") == EPIPE
    assert us.read(fd, 10) == b""


def test_a_reset_wakes_who_sleeps() -> None:
    us = machine()
    fd, peer = accepted(us)
    sleeping = asleep(us.read, blocking(us, fd), 10)
    peer.sends(RST)
    assert errno_of(sleeping.resume) == ECONNRESET


def test_shutdown_of_reading() -> None:
    us = machine()
    fd, peer = accepted(us)
    sleeping = asleep(us.read, blocking(us, fd), 10)
    us.shutdown(fd, SHUT_RD)
    assert sleeping.resume() == b""
    peer.sends(ACK, b"data")
    assert us.read(fd, 10) == b"data"
    assert us.read(fd, 10) == b""


# -- Sending -----------------------------------------------------------------------------------------------------


def test_write() -> None:
    us = machine()
    fd, peer = accepted(us)
    assert us.write(fd, b"hello") == 5
    segment = peer.receives_one()
    assert bytes(segment.payload) == b"hello"
    peer.sends(ACK)
    assert us.writev(fd, [b"a", b"bc", b""]) == 3
    assert bytes(peer.receives_one().payload) == b"abc"
    peer.sends(ACK)
    assert us.send(fd, b"x", MSG_NOSIGNAL) == 1
    assert us.write(fd, b"") == 0


def test_a_super_segment_is_one_packet_or_several() -> None:
    for whole, lengths in ((True, [5000]), (False, [1000] * 5)):
        us = machine(whole=whole)
        fd, peer = accepted(us)
        assert us.write(fd, bytes(range(250)) * 20) == 5000
        segments = peer.receives()
        assert [len(segment.payload) for segment in segments] == lengths
        assert b"".join(segment.payload for segment in segments) == bytes(range(250)) * 20
        assert peer.last_packet[2:4] == (40 + lengths[-1]).to_bytes(2, "big")


def test_without_offload_each_segment_is_a_packet() -> None:
    us = machine(offload=False)
    fd, peer = accepted(us)
    us.write(fd, bytes(3000))
    assert [len(segment.payload) for segment in peer.receives()] == [1000] * 3


def small_buffer(*, overhead: int = 0) -> SocketConfig:
    return SocketConfig(send_buffer=8000, most_send_buffer=8000, packet_overhead=overhead)


def test_a_write_takes_what_fits() -> None:
    us = machine(config=small_buffer())
    fd, peer = accepted(us)
    assert us.write(fd, bytes(10000)) == 8000
    assert errno_of(us.write, fd, bytes(10000)) == EAGAIN
    peer.receives()
    peer.sends(ACK, ack=1 + 3000)
    assert us.write(fd, bytes(10000)) == 3000


def test_a_write_that_sleeps_takes_all() -> None:
    us = machine(config=small_buffer())
    fd, peer = accepted(us)
    data = bytes(range(200)) * 100
    sleeping = asleep(us.write, blocking(us, fd), data)
    got = b"".join(segment.payload for segment in peer.receives())
    while len(got) < 12000:
        peer.sends(ACK)
        sleeping = still_asleep(sleeping)
        got += b"".join(segment.payload for segment in peer.receives())
    peer.sends(ACK)
    assert sleeping.resume() == 20000
    while len(got) < 20000:
        peer.sends(ACK)
        got += b"".join(segment.payload for segment in peer.receives())
    assert got == data


def test_sndtimeo_gives_what_was_taken() -> None:
    us = machine(config=small_buffer())
    fd, _ = accepted(us)
    us.setsockopt(blocking(us, fd), SOL_SOCKET, SO_SNDTIMEO, SECOND)
    sleeping = asleep(us.write, fd, bytes(10000))
    assert sleeping.deadline == us.now + 1
    us.advance(us.now + 1)
    assert sleeping.resume() == 8000
    sleeping = asleep(us.write, fd, bytes(1))
    us.advance(us.now + 1)
    assert errno_of(sleeping.resume) == EAGAIN


def test_a_write_that_sleeps_hears_of_a_reset() -> None:
    us = machine(config=small_buffer())
    fd, peer = accepted(us)
    sleeping = asleep(us.write, blocking(us, fd), bytes(10000))
    peer.sends(RST)
    assert sleeping.resume() == 8000
    assert errno_of(us.write, fd, b"x") == ECONNRESET


def test_what_is_not_connected_cannot_be_written() -> None:
    us = machine()
    assert errno_of(us.write, us.socket(AF_INET, SOCK_STREAM, 0), b"x") == EPIPE
    listening = listener(us)
    assert errno_of(us.write, listening, b"x") == EPIPE
    us.close(listening)
    fd, _ = accepted(us)
    us.shutdown(fd, SHUT_WR)
    assert errno_of(us.write, fd, b"x") == EPIPE


def test_a_write_may_come_before_the_connection() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    us.next_isn = 9000
    assert errno_of(us.connect, nonblocking(us, fd), theirs()) is not None
    sleeping = asleep(us.write, blocking(us, fd), b"first")
    peer = Peer(us)
    peer.answers_syn()
    assert sleeping.resume() == 5
    assert [bytes(segment.payload) for segment in peer.receives()] == [b"", b"first"]


def test_close_wait_may_still_send() -> None:
    us = machine()
    fd, peer = accepted(us)
    peer.sends(FIN | ACK)
    assert us.write(fd, b"late") == 4
    assert bytes(peer.receives()[-1].payload) == b"late"
    us.shutdown(fd, SHUT_RDWR)
    assert errno_of(us.write, fd, b"x") == EPIPE


def test_queues() -> None:
    us = machine(config=small_buffer())
    fd, peer = accepted(us, window=2000)
    us.write(fd, bytes(5000))
    assert us.ioctl(fd, SIOCOUTQ) == 5000
    assert us.ioctl(fd, SIOCOUTQNSD) == 3000
    peer.receives()
    peer.sends(ACK, b"hello")
    assert us.ioctl(fd, SIOCOUTQ) == 3000
    assert us.ioctl(fd, SIOCOUTQNSD) == 1000
    assert us.ioctl(fd, SIOCINQ) == us.ioctl(fd, FIONREAD) == 5
    us.read(fd, 2)
    assert us.ioctl(fd, SIOCINQ) == 3
    assert us.ioctl(fd, SIOCATMARK) == 0
    assert errno_of(us.ioctl, fd, 0x1234) == 25
    us.close(fd)
    assert errno_of(us.ioctl, listener(us), SIOCINQ) == 22
    assert errno_of(us.read, 99, 1) == EBADF


def test_what_there_is_not_yet_is_said() -> None:
    us = machine(PLAIN)
    fd, _ = connected(us)
    with pytest.raises(NotSupported):
        us.sendmsg(fd, [b"x"], control=[(SOL_SOCKET, 99, b"")])
