"""One host: what leaves it when, and what it keeps."""

from __future__ import annotations

from math import inf

import pytest

from tests.scenarios.driver import OURS, PLAIN, THEIR_PORT, THEIRS, Peer, Us, established, in_state, meet
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.connection import Connection
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN


def test_nothing_leaves_before_the_flush() -> None:
    us, peer = meet()
    connection = us.host.connect(THEIRS[4], THEIR_PORT, us.now)
    assert not us.host.outbox
    us.host.flush(us.now)
    assert len(us.host.outbox) == 1
    us.host.flush(us.now)
    assert len(us.host.outbox) == 1
    assert connection.state is State.SYN_SENT
    assert not peer.inbox


def test_a_connection_wakes_its_application_once() -> None:
    us, peer = established()
    us.host.woken.clear()
    us.tcb.pending = 0
    for _ in range(3):
        peer.sends(ACK, data=b"x")
    assert us.host.woken == [us.tcb]
    assert us.tcb.readable
    us.host.woken.clear()
    us.tcb.pending = 0
    us.reads()
    assert not us.host.woken
    assert not us.tcb.readable


def test_room_in_the_send_buffer_wakes_the_writer() -> None:
    """When a third of it is free again, not at each byte."""
    us, peer = established(Settings(send_buffer=3000, timestamps=False, congestion_control="reno"))
    assert us.sends(bytes(5000)) == 3000
    assert us.sends(b"x") == 0
    assert us.tcb.send_room == 0
    us.host.woken.clear()
    us.tcb.pending = 0
    peer.sends(ACK, ack=501)
    assert not us.host.woken
    peer.sends(ACK, ack=1101)
    assert us.host.woken == [us.tcb]
    assert us.tcb.send_room == 1100


def test_the_end_wakes_the_application() -> None:
    us, peer = established()
    us.host.woken.clear()
    us.tcb.pending = 0
    peer.sends(RST)
    assert us.host.woken == [us.tcb]
    assert us.tcb.readable


def test_numbers_count_connections() -> None:
    us, _ = meet()
    numbers = [us.host.connect(THEIRS[4], port, us.now).number for port in (1, 2, 3)]
    assert numbers == [1, 2, 3]


def test_both_families_at_once() -> None:
    host = Host([OURS[4], OURS[6]], secret=b"0123456789abcdef")
    four = host.connect(THEIRS[4], 80, 0.0)
    six = host.connect(THEIRS[6], 80, 0.0)
    assert (len(four.local_address), len(six.local_address)) == (4, 16)
    host.flush(0.0)
    assert [b"".join(packet)[0] >> 4 for packet in host.outbox] == [4, 6]


@pytest.mark.parametrize("state", list(State), ids=str)
def test_when_all_is_over_no_timer_runs(state: State) -> None:
    """An idle program costs nothing: no deadline is left but those that have a reason."""
    us, peer = in_state(state)
    us.aborts()
    for connection in list(us.host.connections.values()):
        connection.abort(us.now)
    us.settle()
    peer.ignores()
    assert not us.host.connections
    assert not us.host.time_waits
    us.host.run_timers(us.now + 1000)
    assert us.host.deadline() == inf


def test_an_idle_connection_has_no_deadline() -> None:
    us, peer = established()
    us.sends(b"x")
    peer.receives(ACK)
    peer.sends(ACK, data=b"y")
    peer.receives(ACK, after=0.04)
    us.waits(10)
    assert us.host.deadline() == inf


def test_a_hundred_time_waits_end_in_their_order() -> None:
    """RFC 9293 §3.6.1 (MUST-13): each after its own 2 MSL; a retransmitted FIN makes one last longer."""
    us, peer = meet(PLAIN)
    us.listens()
    for number in range(100):
        _opens_and_we_close(us, peer, 40000 + number)
        us.waits(0.1)
    assert len(us.host.time_waits) == 100
    peer.port = 40000
    peer.our_isn = 0
    waiting = us.host.time_waits[peer.key]
    peer.sends(FIN | ACK, seq=waiting.rcv_nxt - 1 - peer.isn, ack=waiting.snd_nxt)
    us.waits(60 - 10 + 0.05)
    assert len(us.host.time_waits) == 100
    us.waits(5)
    assert len(us.host.time_waits) == 50
    us.waits(4.9)
    assert list(us.host.time_waits) == [waiting.key]
    us.waits(60)
    assert us.host.time_waits == {}
    assert us.host.deadline() == inf


def _opens_and_we_close(us: Us, peer: Peer, port: int) -> Connection:
    peer.port, peer.snd_nxt, peer.rcv_nxt = port, 0, 0
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = connection = us.accepts()
    us.closes()
    peer.receives(FIN | ACK)
    peer.sends(FIN | ACK, seq=1, ack=2)
    peer.receives(ACK)
    assert connection.state is State.TIME_WAIT
    us.releases()
    return connection


def test_rates_come_from_the_configuration() -> None:
    us, peer = meet(config=HostConfig(reset_rate=1, reset_burst=2))
    for seq in range(5):
        peer.sends(ACK, seq=seq, ack=1)
    assert len(peer.ignores()) == 2
    us.waits(1)
    peer.sends(ACK, seq=0, ack=1)
    assert len(peer.ignores()) == 1
