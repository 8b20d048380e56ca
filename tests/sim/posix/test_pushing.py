"""When what was written leaves: TCP_CORK, MSG_MORE, MSG_EOR, TCP_NODELAY; and TCP_QUICKACK for the other way."""

from tests.sim.posix.peer import Peer, accepted, machine
from usertcp.sim.posix.constants import (
    AF_INET,
    MSG_EOR,
    MSG_MORE,
    SHUT_WR,
    SOCK_STREAM,
    SOL_TCP,
    SPLICE_F_MORE,
    TCP_CORK,
    TCP_NODELAY,
    TCP_QUICKACK,
)
from usertcp.sim.posix.options import packed
from usertcp.wire.tcp import ACK, FIN


def lengths(peer: Peer) -> list[int]:
    return [len(segment.payload) for segment in peer.receives()]


def test_a_cork() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_TCP, TCP_CORK, packed(1))
    assert us.getsockopt(fd, SOL_TCP, TCP_CORK) == packed(1)
    us.write(fd, bytes(400))
    us.write(fd, bytes(400))
    assert lengths(peer) == []
    us.write(fd, bytes(400))
    assert lengths(peer) == [1000]
    peer.sends(ACK)
    assert lengths(peer) == []
    us.setsockopt(fd, SOL_TCP, TCP_CORK, packed(0))
    assert lengths(peer) == [200]


def test_a_cork_is_stronger_than_nodelay() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_TCP, TCP_NODELAY, packed(1))
    us.setsockopt(fd, SOL_TCP, TCP_CORK, packed(1))
    us.write(fd, bytes(400))
    assert lengths(peer) == []


def test_a_cork_does_not_hold_for_ever() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_TCP, TCP_CORK, packed(1))
    us.write(fd, bytes(400))
    us.advance(us.now + 1)
    assert lengths(peer)[0] == 400


def test_a_cork_may_be_set_before_there_is_a_connection() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    us.setsockopt(fd, SOL_TCP, TCP_CORK, packed(1))
    assert us.getsockopt(fd, SOL_TCP, TCP_CORK) == packed(1)


def test_the_end_pulls_the_cork() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.setsockopt(fd, SOL_TCP, TCP_CORK, packed(1))
    us.write(fd, bytes(400))
    us.shutdown(fd, SHUT_WR)
    segment = peer.receives_one()
    assert len(segment.payload) == 400
    assert segment.flags & FIN


def test_more_is_to_come() -> None:
    us = machine()
    fd, peer = accepted(us)
    us.send(fd, bytes(400), MSG_MORE)
    assert lengths(peer) == []
    us.send(fd, bytes(400), 0)
    assert lengths(peer) == [800]
    peer.sends(ACK)
    us.send(fd, bytes(1500), MSG_MORE)
    assert lengths(peer) == [1000]


def test_splice_may_say_so_too() -> None:
    us = machine()
    fd, peer = accepted(us)
    reader, writer = us.pipe()
    us.write(writer, bytes(300))
    us.splice(reader, None, fd, None, 100, SPLICE_F_MORE)
    assert lengths(peer) == []
    us.splice(reader, None, fd, None, 200, 0)
    assert lengths(peer) == [300]


def test_a_record_ends() -> None:
    us = machine()
    fd, peer = accepted(us, window=100)
    us.write(fd, bytes(100))
    us.send(fd, bytes(400), MSG_EOR)
    us.write(fd, bytes(400))
    peer.receives()
    peer.sends(ACK, window=60000)
    assert lengths(peer)[0] == 400


def test_quick_acks() -> None:
    us = machine()
    fd, peer = accepted(us)
    assert us.getsockopt(fd, SOL_TCP, TCP_QUICKACK) == packed(1)
    peer.sends(ACK, b"x")
    peer.receives_nothing()  # it waits for company
    us.setsockopt(fd, SOL_TCP, TCP_QUICKACK, packed(1))
    assert peer.receives_one().flags == ACK
    fresh = us.socket(AF_INET, SOCK_STREAM, 0)
    us.setsockopt(fresh, SOL_TCP, TCP_QUICKACK, packed(0))
    assert us.getsockopt(fresh, SOL_TCP, TCP_QUICKACK) == packed(0)
