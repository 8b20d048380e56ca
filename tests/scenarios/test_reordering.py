"""Segments that overtake each other: nothing is lost, and the sender must not slow down for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established
from usertcp.wire.tcp import ACK

MSS = 1460
ROUND_TRIP = 0.1


def _ten_segments_sent() -> tuple[Us, Peer]:
    us, peer = established(replace(PLAIN, tlp=False), sack=True, round_trip=ROUND_TRIP)
    us.sends(bytes(10 * MSS))
    peer.ignores()
    us.waits(ROUND_TRIP)
    return us, peer


def _holds_second_to(peer: Peer, last: int) -> None:
    peer.sends(ACK, ack=1, blocks=[(1 + MSS, 1 + last * MSS)])


def test_what_arrives_before_it_is_sent_again_was_not_lost() -> None:
    """RFC 4015 §3: the first segment was overtaken by three, and all four acknowledgments come in one batch.

    Recovery has begun (RFC 8985 §6.2), but nothing was sent again: there is no doubt that it was a mistake.
    """
    us, peer = _ten_segments_sent()
    before = us.tcb.status()
    with us.one_batch():
        for last in (2, 3, 4):
            _holds_second_to(peer, last)
        assert us.tcb.status().ca_state == "recovery"
        peer.sends(ACK, ack=1 + 4 * MSS)
    status = us.tcb.status()
    assert (status.ca_state, status.ssthresh) == ("open", before.ssthresh)
    assert status.cwnd >= before.cwnd
    assert us.counted("recoveries-undone") == 1
    assert us.counted("retransmissions") == 0


@pytest.mark.parametrize("delay", [0.001, ROUND_TRIP / 4 - 0.001])
def test_reordering_that_was_seen_is_waited_for(delay: float) -> None:
    """RFC 8985 §6.2, step 4: from then on a segment may be late by a quarter of the round trip."""
    us, peer = _ten_segments_sent()
    with us.one_batch():
        for last in (2, 3, 4):
            _holds_second_to(peer, last)
        peer.sends(ACK, ack=1 + 4 * MSS)
    peer.ignores()
    peer.sends(ACK, ack=1 + 4 * MSS, blocks=[(1 + 5 * MSS, 1 + 10 * MSS)])
    peer.hears_nothing(delay)
    peer.sends(ACK, ack=1 + 10 * MSS)
    assert us.counted("retransmissions") == 0
