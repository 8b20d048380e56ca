"""RFC 9293 §3.8.6.1: how rare the probes of a closed window are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, established
from usertcp.wire.tcp import ACK

RARE = replace(PLAIN, persist_min=5.0, persist_max=60.0)


def test_between_the_bounds() -> None:
    """A path of no length: the least; where a round trip says more, that and doubled."""
    us, peer = established(RARE)
    peer.sends(ACK, window=0)
    us.sends(b"hello")
    for _ in range(3):
        peer.receives(ACK, seq=1, after=5.0)
        peer.sends(ACK, seq=1, ack=1, window=0)


def test_doubled_and_bounded() -> None:
    """4 SRTT + 8 RTTVAR is eight times the only sample."""
    us, peer = established(RARE, round_trip=0.8)
    peer.sends(ACK, window=0)
    us.sends(b"hello")
    for interval in (6.4, 12.8, 25.6, 51.2, 60):
        peer.receives(ACK, seq=1, after=interval)
        peer.sends(ACK, seq=1, ack=1, window=0)


def test_the_slop_is_added_once() -> None:
    us, peer = established(replace(RARE, rto_slop=0.2), round_trip=0.8)
    peer.sends(ACK, window=0)
    us.sends(b"hello")
    for interval in (6.6, 13.0, 25.8):
        peer.receives(ACK, seq=1, after=interval)
        peer.sends(ACK, seq=1, ack=1, window=0)


@pytest.mark.parametrize(("override", "after"), [(0.2, 0.2), (None, 5.0)])
def test_silly_windows_wait_as_long(override: float | None, after: float) -> None:
    """RFC 9293 §3.8.6.2.1 (4): what there is goes when the override timer ends."""
    us, peer = established(replace(RARE, sws_override=override))
    peer.sends(ACK, window=65535)
    peer.sends(ACK, window=10)
    us.sends(bytes(100))
    peer.receives(ACK, seq=1, length=10, after=after)


def test_what_a_closed_window_refused_is_no_loss() -> None:
    """Several updates of a window that opens again in one batch, as a kernel sends them: the congestion window is
    what it was."""
    us, peer = established(RARE, sack=True)
    peer.sends(ACK, window=0)
    us.sends(bytes(5000))
    peer.receives(ACK, seq=1, after=5.0)
    peer.sends(ACK, seq=1, ack=1, window=0)
    before = us.tcb.status().cwnd
    with us.one_batch():
        for window in (10_000, 20_000, 30_000):
            peer.sends(ACK, seq=1, ack=1, window=window)
    assert us.tcb.status().cwnd == before
    assert not us.tcb.recovery.active
