"""How much data beyond gaps is kept: per connection, per host, and never for longer than the connection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, THEIR_PORT, Peer, Us, established, meet
from usertcp.stack.host import HostConfig
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN


def _two_peers(limit: int) -> tuple[Us, Peer, Peer]:
    """Two connections to a host that holds so many bytes beyond gaps in all."""
    us, _ = meet(config=HostConfig(settings=PLAIN, out_of_order_bytes=limit))
    us.listens()
    peers = []
    for number in range(2):
        us.peer = peer = Peer(us, 7000, 65535, THEIR_PORT + number)
        peer.sends(SYN, seq=0)
        peer.receives(SYN | ACK)
        peer.sends(ACK, seq=1, ack=1)
        us.accepts()
        peers.append(peer)
    return us, peers[0], peers[1]


# -- Per connection ------------------------------------------------------------------------------------


def test_the_gaps_of_a_connection_are_bounded() -> None:
    """A byte in every second place would cost a hundred times its size."""
    us, peer = established(replace(PLAIN, max_gaps=4))
    for number in range(1, 5):
        peer.sends(ACK, seq=1 + 20 * number, data=bytes(10))
    assert us.tcb.status().out_of_order == 40
    peer.sends(ACK, seq=201, data=bytes(10))
    assert us.tcb.status().out_of_order == 40
    assert us.counted("too-many-gaps") == 1
    assert len(peer.ignores()) == 5, "each is acknowledged, the one that was dropped too"


def test_what_touches_a_range_that_is_held_is_no_new_gap() -> None:
    us, peer = established(replace(PLAIN, max_gaps=2))
    peer.sends(ACK, seq=101, data=bytes(10))
    peer.sends(ACK, seq=201, data=bytes(10))
    peer.sends(ACK, seq=111, data=bytes(10))
    peer.sends(ACK, seq=191, data=bytes(10))
    peer.sends(ACK, seq=111, data=bytes(90))
    assert us.tcb.status().out_of_order == 110
    assert us.counted("too-many-gaps") == 0
    peer.sends(ACK, seq=301, data=bytes(10))
    assert us.tcb.status().out_of_order == 120, "two became one, and there is room again"
    peer.ignores()


def test_the_bytes_of_a_connection_are_bounded_by_its_window() -> None:
    """RFC 9293 §3.8.6: nothing beyond the right edge is kept."""
    us, peer = established(replace(PLAIN, receive_buffer=4000))
    for start in range(101, 8000, 500):
        peer.sends(ACK, seq=start, data=bytes(500))
    assert us.tcb.status().out_of_order == 3900
    peer.ignores()


def test_the_transfer_goes_on_in_spite_of_it() -> None:
    """What was dropped is sent again by the peer, as if lost."""
    us, peer = established(replace(PLAIN, max_gaps=1))
    peer.sends(ACK, seq=11, data=b"b" * 10)
    peer.sends(ACK, seq=31, data=b"d" * 10)
    peer.sends(ACK, seq=1, data=b"a" * 10)
    peer.sends(ACK, seq=31, data=b"d" * 10)
    peer.sends(ACK, seq=21, data=b"c" * 10)
    assert us.reads() == b"a" * 10 + b"b" * 10 + b"c" * 10 + b"d" * 10
    peer.ignores()


# -- Per host ------------------------------------------------------------------------------------------


def test_all_connections_share_a_bound() -> None:
    us, first, second = _two_peers(1000)
    first.sends(ACK, seq=101, data=bytes(600))
    second.sends(ACK, seq=101, data=bytes(300))
    assert us.host.out_of_order_bytes == 900
    second.sends(ACK, seq=401, data=bytes(101))
    assert us.host.out_of_order_bytes == 900
    assert us.counted("out-of-order-memory") == 1
    first.ignores()
    second.sends(ACK, seq=401, data=bytes(100))
    assert us.host.out_of_order_bytes == 1000
    us.peer.ignores()


def test_data_in_order_is_always_taken() -> None:
    us, first, second = _two_peers(1000)
    first.sends(ACK, seq=101, data=bytes(1000))
    second.sends(ACK, seq=1, data=b"in order")
    assert us.tcb.receive(100, us.now) == b"in order"
    first.sends(ACK, seq=1, data=bytes(100))
    assert us.host.out_of_order_bytes == 0, "the gap is filled"
    assert us.tcb.status().unread == 1100
    us.peer.ignores()


def test_a_dropped_segment_is_acknowledged_all_the_same() -> None:
    """RFC 5681 §4.2: the peer is told at once where the gap is."""
    us, peer = established(config=HostConfig(settings=PLAIN, out_of_order_bytes=100), sack=True)
    peer.sends(ACK, seq=101, data=bytes(101))
    peer.receives(ACK, ack=1, blocks=[])
    assert us.tcb.status().out_of_order == 0


@pytest.mark.parametrize("how", ["reset", "abort", "fin before it", "filled", "given up"])
def test_every_end_gives_the_memory_back(how: str) -> None:
    us, peer = established(replace(PLAIN, user_timeout=5.0))
    peer.sends(ACK, seq=101, data=bytes(500))
    assert us.host.out_of_order_bytes == 500
    if how == "reset":
        peer.sends(RST, seq=1)
    elif how == "abort":
        us.aborts()
    elif how == "fin before it":
        peer.sends(FIN | ACK, seq=1, data=bytes(100))
        assert us.state is State.CLOSE_WAIT
    elif how == "filled":
        peer.sends(ACK, seq=1, data=bytes(100))
    else:
        us.sends(b"x")
        us.waits(20)
        assert us.state is State.CLOSED
    assert us.host.out_of_order_bytes == 0
    peer.ignores()
