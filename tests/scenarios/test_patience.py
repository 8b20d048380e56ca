"""When a connection is given up: R2 as a number of retransmissions or as a time (RFC 9293 §3.8.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, established, meet
from usertcp.tcp.errors import ConnectionTimedOut
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, RST, SYN


def test_counted_retransmissions() -> None:
    us, peer = established(replace(PLAIN, retries=3, count_retries=True))
    us.sends(b"x")
    peer.receives(ACK, seq=1)
    for interval in (0.2, 0.4, 0.8):
        peer.receives(ACK, seq=1, after=interval)
    us.waits(1.5)
    assert us.state is State.ESTABLISHED
    us.waits(0.2)
    assert us.state is State.CLOSED
    with pytest.raises(ConnectionTimedOut):
        us.reads()


def test_a_sample_of_the_round_trip_begins_the_count_anew() -> None:
    us, peer = established(replace(PLAIN, retries=2, count_retries=True))
    us.sends(b"x")
    peer.receives(ACK, seq=1)
    peer.receives(ACK, seq=1, after=0.2)
    peer.sends(ACK, ack=2)
    us.sends(b"y")
    peer.receives(ACK, seq=2)
    us.waits(0.01)
    peer.sends(ACK, ack=3)
    us.sends(b"z")
    peer.receives(ACK, seq=3)
    for interval in (0.20125, 0.4025):
        peer.receives(ACK, seq=3, after=interval)
    us.waits(0.8)
    assert us.state is State.ESTABLISHED


def test_an_opening_ends_at_its_own_time() -> None:
    """Between two retransmissions, and whatever their number."""
    us, peer = meet(replace(PLAIN, syn_retries=12, opening_timeout=10.0))
    us.connects()
    peer.receives(SYN)
    for interval in (1, 2, 4):
        peer.receives(SYN, after=interval)
    us.waits(2.9)
    assert us.state is State.SYN_SENT
    us.waits(0.2)
    assert us.state is State.CLOSED
    with pytest.raises(ConnectionTimedOut, match="within 10 s"):
        us.reads()


def test_an_opening_that_succeeded_has_all_the_time() -> None:
    us, peer = meet(replace(PLAIN, opening_timeout=10.0))
    us.connects()
    peer.receives(SYN)
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(ACK)
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    us.waits(60)
    assert us.state is State.ESTABLISHED


@pytest.mark.parametrize(("sample", "timeout"), [(True, 0.3), (False, 1.0)])
def test_the_round_trip_of_a_syn_ack(sample: bool, timeout: float) -> None:
    """RFC 6298 §2.1, §2.2: it is the first sample; one setting leaves that to the data."""
    us, peer = established(replace(PLAIN, sample_syn_ack=sample, timestamps=False), round_trip=0.1)
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    peer.receives(ACK, data=b"x", after=timeout)


@pytest.mark.parametrize(("has_window", "window"), [(True, 65535), (False, 0)])
def test_a_reset_that_acknowledges_and_its_window(has_window: bool, window: int) -> None:
    us, peer = established(replace(PLAIN, reset_acknowledges=True, reset_has_window=has_window))
    us.tcb.abort(us.now)
    us.settle()
    reset = peer.receives(RST | ACK, seq=1, ack=1)
    assert reset.window == window


@pytest.mark.parametrize(("told", "answers"), [("never", 0), ("always", 1)])
def test_who_is_given_up_may_be_told(told: str, answers: int) -> None:
    us, peer = established(replace(PLAIN, retries=1, count_retries=True, reset_on_timeout=told))
    us.sends(b"x")
    us.waits(1)
    assert us.state is State.CLOSED
    assert [bool(segment.flags & RST) for segment in peer.ignores()].count(True) == answers


def test_who_never_ended_the_handshake_is_told_nothing() -> None:
    us, peer = meet(replace(PLAIN, syn_ack_retries=1, reset_on_timeout="always"))
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.receives(SYN | ACK, after=1)
    peer.hears_nothing(during=100)
