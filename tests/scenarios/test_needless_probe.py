"""A tail loss probe that was not needed, since the acknowledgment was only late."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import PLAIN, established
from usertcp.wire.tcp import ACK


@pytest.mark.parametrize("reported", [True, False], ids=["reported", "not reported"])
def test_a_dsack_that_comes_when_nothing_is_outstanding_still_counts(reported: bool) -> None:
    """RFC 8985 §7.4.2: a DSACK for the probe ends the episode, and no loss is concluded from it."""
    us, peer = established(PLAIN, sack=True, round_trip=0.1)
    us.sends(bytes(2920))
    us.waits(0.25)
    assert us.counted("tail-loss-probes") == 1
    peer.ignores()
    peer.sends(ACK, ack=2921)  # of the original, late
    if reported:
        peer.sends(ACK, ack=2921, blocks=[(1461, 2921)])
    assert us.counted("dsacks-received") == reported
    window = us.tcb.congestion.cwnd
    us.sends(bytes(1000))
    peer.receives(ACK, seq=2921, length=1000)
    peer.sends(ACK, ack=3921)
    assert (us.tcb.congestion.cwnd >= window) is reported
