"""RFC 9293 §3.8.4: keep-alives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, in_state
from usertcp.tcp.errors import ConnectionTimedOut
from usertcp.tcp.events import Kind
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, RST

#: An idle minute, then every ten seconds, three times.
KEEPALIVE = replace(PLAIN, keepalive=True, keepalive_idle=60, keepalive_interval=10, keepalive_probes=3)


def test_off_unless_asked_for() -> None:
    """MUST-25; MUST-24: an application can turn them on for one connection, and off again."""
    _us, peer = established(PLAIN)
    peer.hears_nothing(during=100_000)
    us, peer = established(replace(KEEPALIVE, keepalive=False))
    peer.hears_nothing(during=100_000)
    us.tcb.set_keepalive(True, us.now)
    us.settle()
    peer.receives(ACK, seq=0, length=0, after=60)
    us.tcb.set_keepalive(False, us.now)
    us.settle()
    peer.hears_nothing(during=100_000)
    assert us.state is State.ESTABLISHED


def test_two_hours_by_default() -> None:
    """MUST-28."""
    _us, peer = established(replace(PLAIN, keepalive=True))
    peer.receives(ACK, seq=0, length=0, after=7200)
    peer.receives(ACK, seq=0, length=0, after=75)


def test_times_whose_sums_are_not_exact() -> None:
    """The last segment came at a time t for which (t + 7200) - t is a hair less than 7200."""
    us, peer = established(replace(PLAIN, keepalive=True))
    us.waits(1000.005 - us.now)
    peer.sends(ACK)
    assert us.now + 7200 - us.now < 7200
    peer.receives(ACK, seq=0, length=0, after=7200)


def test_a_probe_is_an_old_segment_without_data() -> None:
    """SEG.SEQ = SND.NXT-1, and no byte of garbage (SHLD-12); an ACK of it is all that is needed."""
    us, peer = established(KEEPALIVE)
    us.sends(b"hello")
    peer.receives(ACK)
    us.waits(5)
    peer.sends(ACK)
    peer.ignores()
    probe = peer.receives(ACK, seq=5, ack=1, length=0, after=60)
    assert not probe.payload
    assert us.counted("keepalives-sent") == 1


def _falls_silent(us: Us, peer: Peer) -> None:
    peer.receives(ACK, seq=0, after=60)
    peer.receives(ACK, seq=0, after=10)
    peer.receives(ACK, seq=0, after=10)
    us.waits(9.9)
    assert us.state is State.ESTABLISHED
    us.waits(0.2)


def test_a_peer_that_answers_nothing() -> None:
    """MUST-27: not one probe without an answer, but three of them end the connection."""
    us, peer = established(KEEPALIVE)
    _falls_silent(us, peer)
    assert us.state is State.CLOSED
    assert us.gone
    assert us.path[-1] == (State.ESTABLISHED, Event.KEEPALIVE_TIMEOUT, State.CLOSED)
    with pytest.raises(ConnectionTimedOut, match="silent for 90 s"):
        us.reads()
    assert us.counted("timed-out") == 1
    deleted = [event for event in us.events if event[0] == Kind.DELETED]
    assert "answered no keep-alive" in deleted[-1][3]
    peer.hears_nothing(during=1000)


@pytest.mark.parametrize("seconds", [5, 65, 85])
def test_any_segment_counts_as_an_answer(seconds: float) -> None:
    """§3.8.4: "when no sent data is outstanding, and no data or acknowledgment packets have been received"."""
    us, peer = established(KEEPALIVE)
    us.waits(seconds)
    peer.ignores()
    peer.sends(ACK)
    us.waits(59.9)
    probes = peer.ignores()
    assert not probes
    us.waits(15)
    assert peer.ignores()
    us.waits(15)
    assert us.state is State.ESTABLISHED, "three probes again, whatever went unanswered before"
    us.waits(0.2)
    assert us.state is State.CLOSED
    peer.ignores()


def test_a_peer_that_has_forgotten_the_connection() -> None:
    """A host that was started again answers the probe with a RST."""
    us, peer = established(KEEPALIVE)
    peer.receives(ACK, seq=0, after=60)
    peer.sends(RST, seq=1)
    assert us.state is State.CLOSED
    assert us.path[-1][1] is Event.RCV_RST


def test_none_while_data_is_outstanding() -> None:
    """MUST-26: the retransmission timer watches over it."""
    us, peer = established(KEEPALIVE)
    us.sends(b"hello")
    us.waits(200)
    assert us.counted("keepalives-sent") == 0
    assert us.state is State.ESTABLISHED
    assert all(segment.payload for segment in peer.ignores())


@pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.FIN_WAIT_2], ids=str)
def test_half_closed_connections_too(state: State) -> None:
    us, peer = in_state(state, KEEPALIVE)
    us.waits(100)
    assert us.state is State.CLOSED
    assert len(peer.ignores()) == 3


def test_time_wait_needs_none() -> None:
    us, peer = in_state(State.TIME_WAIT, replace(KEEPALIVE, keepalive_idle=1))
    peer.hears_nothing(during=100)
    assert us.counted("keepalives-sent") == 0


def test_our_answer_to_a_peers_probe() -> None:
    """§3.8.4, §3.10.7.4: an unacceptable segment is acknowledged; one with a byte of garbage as well."""
    for garbage in (b"", b"\0"):
        _us, peer = established()
        peer.sends(ACK, seq=0, data=garbage)
        peer.receives(ACK, seq=1, ack=1, length=0)
