"""Pacing: a window leaves spread over the round trip instead of at once, and needs no timer per packet.

The round trip is 100 ms and the window ten segments.  In slow start the rate is twice cwnd / srtt, so that
a pair of segments takes 10 ms; at the beginning, and after a timer that was late, 5 ms are made up for.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.tcp.settings import Settings
from usertcp.wire.tcp import ACK, SYN

MSS = 1460
ROUND_TRIP = 0.1
PACED = replace(PLAIN, paced=True)


def _connected(settings: Settings = PACED) -> tuple[Us, Peer]:
    return established(settings, sack=True, round_trip=ROUND_TRIP)


def _times(us: Us, peer: Peer, during: float) -> list[float]:
    """When our segments came in so many seconds, in milliseconds from now."""
    began = us.now
    us.waits(during)
    times = [round((arrival.at - began) * 1000, 1) for arrival in peer.inbox]
    peer.ignores()
    return times


def test_without_it_a_window_leaves_at_once() -> None:
    us, peer = _connected(PLAIN)
    us.sends(bytes(10 * MSS))
    assert _times(us, peer, 0.09) == [0.0] * 10


def test_in_pairs_at_the_rate() -> None:
    us, peer = _connected()
    us.sends(bytes(10 * MSS))
    assert _times(us, peer, 0.09) == pytest.approx([0, 0, 5, 5, 15, 15, 25, 25, 35, 35], abs=0.2)


def test_bbr_paces_without_being_asked() -> None:
    """Its rate in Startup is 2.77 times that of the window."""
    us, peer = _connected(replace(PLAIN, congestion_control="bbr"))
    us.sends(bytes(10 * MSS))
    times = _times(us, peer, 0.09)
    gaps = [later - earlier for earlier, later in zip(times[2::2], times[4::2], strict=False)]
    assert gaps == pytest.approx([20 / 2.77] * 3, abs=0.2)


def test_after_slow_start_the_rate_is_little_above_that_of_the_window() -> None:
    """Only as much (6/5) that cwnd stays what limits."""
    us, peer = _connected()
    us.tcb.congestion.ssthresh = 10 * MSS
    us.sends(bytes(MSS))
    us.waits(ROUND_TRIP)
    peer.ignores()
    peer.sends(ACK)
    us.sends(bytes(10 * MSS))
    times = _times(us, peer, 0.09)
    window = us.tcb.congestion.cwnd / MSS
    assert times[6] - times[4] == pytest.approx(2 * 1000 * ROUND_TRIP / (1.2 * window), abs=0.3)


def test_small_writes_are_not_held_up() -> None:
    """The rate is of bytes, not of segments."""
    us, peer = _connected(replace(PACED, nodelay=True))
    for _ in range(20):
        us.sends(b"x" * 10)
    assert _times(us, peer, 0.01) == [0.0] * 20


def test_what_a_late_timer_has_missed_is_made_up_for() -> None:
    """An event loop that wakes 3 ms late must not cost rate."""
    us, peer = _connected()
    us.sends(bytes(10 * MSS))
    peer.ignores()
    began = us.now
    us.now += 0.008  # it was due after 5 ms
    us.host.run_timers(us.now)
    us.settle()
    assert [arrival.at - began for arrival in peer.inbox] == pytest.approx([0.008] * 2)
    peer.ignores()
    us.waits(0.05)
    assert [arrival.at - began for arrival in peer.inbox][::2] == pytest.approx([0.015, 0.025, 0.035], abs=0.0002)


def test_not_without_limit() -> None:
    """After a long silence no more than 5 ms of the rate leave at once."""
    us, peer = _connected()
    us.waits(0.2)
    us.sends(bytes(10 * MSS))
    assert _times(us, peer, 0.09)[:6] == pytest.approx([0, 0, 5, 5, 15, 15], abs=0.2)


def test_what_is_sent_again_is_paced_too() -> None:
    us, peer = _connected(replace(PACED, tlp=False))
    us.sends(bytes(20 * MSS))
    us.waits(ROUND_TRIP)
    peer.ignores()
    peer.sends(ACK, ack=1, blocks=[(1 + 6 * MSS, 1 + 10 * MSS)])
    times = _times(us, peer, 0.05)
    assert us.counted("retransmissions") >= 4
    assert times[0] == 0
    assert max(times.count(time) for time in times) <= 2


def test_no_timer_for_each_packet() -> None:
    """At high rates what one millisecond carries leaves at once: here 8 segments of 200."""
    us, peer = meet(replace(PACED, window_scaling=True, initial_window=200))
    us.listens()
    peer.sends(SYN, seq=0, wscale=7)
    peer.receives(SYN | ACK)
    us.waits(0.05)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.sends(bytes(200 * MSS))
    times = _times(us, peer, 0.04)
    assert len(times) == 200
    assert times[-1] == pytest.approx(25 - 5, abs=2), "the window in half a round trip, less the first 5 ms"
    assert len(set(times)) <= 200 / 7


def test_the_timer_rests_when_nothing_waits() -> None:
    us, peer = _connected()
    us.sends(bytes(4 * MSS))
    us.waits(0.05)
    peer.sends(ACK, ack=1 + 4 * MSS)
    peer.ignores()
    assert us.tcb.deadline() == float("inf")
