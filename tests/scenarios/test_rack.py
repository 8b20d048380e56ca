"""RFC 8985 §6: RACK, which tells a loss by the time of sending instead of by counting duplicates.

The round trip is 100 ms, so that the reordering window begins with a quarter of it, 25 ms.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established
from usertcp.wire.tcp import ACK

MSS = 1460
ROUND_TRIP = 0.1
WINDOW = ROUND_TRIP / 4
NO_PROBES = replace(PLAIN, tlp=False)


def segment(number: int) -> tuple[int, int]:
    """Where our ``number``th full-sized segment begins and ends."""
    return 1 + (number - 1) * MSS, 1 + number * MSS


def segments(first: int, last: int) -> tuple[int, int]:
    return segment(first)[0], segment(last)[1]


def _sent(count: int = 10, *, more: int = 0) -> tuple[Us, Peer]:
    """``count`` segments have been on their way for one round trip; ``more`` wait for the window."""
    us, peer = established(NO_PROBES, sack=True, round_trip=ROUND_TRIP)
    us.sends(bytes((count + more) * MSS))
    for number in range(1, count + 1):
        peer.receives(ACK, seq=segment(number)[0], length=MSS)
    us.waits(ROUND_TRIP)
    return us, peer


def _reordering_seen(count: int = 10) -> tuple[Us, Peer]:
    """The first two of the segments changed places on the way."""
    us, peer = _sent(count)
    peer.sends(ACK, ack=1, blocks=[segment(2)])
    assert not us.tcb.status().reordering_seen
    peer.sends(ACK, ack=segment(2)[1])
    assert us.tcb.status().reordering_seen
    peer.hears_nothing()
    return us, peer


# -- Losses ------------------------------------------------------------------------------------------


def test_three_segments_beyond_a_gap_mean_a_loss_at_once() -> None:
    """RFC 8985 §6.2, step 4: as long as no reordering was seen, RACK is as quick as duplicates were."""
    us, peer = _sent()
    peer.sends(ACK, ack=1, blocks=[segment(2)])
    peer.sends(ACK, ack=1, blocks=[segments(2, 3)])
    peer.hears_nothing()
    peer.sends(ACK, ack=1, blocks=[segments(2, 4)])
    peer.receives(ACK, seq=1, length=MSS)
    peer.hears_nothing()
    status = us.tcb.status()
    assert (status.ca_state, status.ssthresh) == ("recovery", 5 * MSS)


@pytest.mark.parametrize("last", [2, 3])
def test_fewer_mean_one_after_a_quarter_of_a_round_trip(last: int) -> None:
    """RFC 8985 §6.2, step 5: the reordering timer."""
    us, peer = _sent(3)
    peer.sends(ACK, ack=1, blocks=[segments(2, last)])
    peer.receives(ACK, seq=1, length=MSS, after=WINDOW)
    assert us.tcb.status().ca_state == "recovery"
    assert us.counted("retransmission-timeouts") == 0


def test_what_was_sent_later_than_what_arrived_is_not_in_doubt() -> None:
    """RFC 8985 §6.2, step 5: RACK_sent_after."""
    us, peer = _sent(2)
    us.sends(bytes(4 * MSS))
    peer.ignores()
    peer.sends(ACK, ack=1, blocks=[segment(2)])
    us.waits(WINDOW + 0.001)
    assert us.tcb.retransmissions == 1
    assert us.tcb.status().lost == 0
    assert us.tcb.status().in_flight == 5 * MSS


def test_a_hole_that_fills_in_time_was_reordering() -> None:
    """RFC 8985 §6.2, step 3: an original below what had arrived already."""
    us, peer = _reordering_seen()
    peer.sends(ACK, ack=segment(10)[1])
    peer.hears_nothing(during=100)
    assert us.counted("retransmissions") == 0
    assert us.tcb.status().ssthresh > 1 << 30


def test_where_segments_change_places_three_mean_nothing() -> None:
    """RFC 8985 §6.2, step 4: then only time does."""
    us, peer = _reordering_seen()
    peer.sends(ACK, ack=segment(2)[1], blocks=[segments(4, 9)])
    peer.receives(ACK, seq=segment(3)[0], length=MSS, after=WINDOW)
    assert us.counted("retransmissions") == 1


def test_in_recovery_losses_are_not_waited_for() -> None:
    """RFC 8985 §6.2, step 4: a window of zero where no reordering was seen."""
    _us, peer = _sent()
    peer.sends(ACK, ack=1, blocks=[segments(2, 4)])
    peer.receives(ACK, seq=1, length=MSS)
    peer.sends(ACK, ack=1, blocks=[segment(8), segments(2, 4)])
    peer.receives(ACK, seq=segment(5)[0], length=MSS)


# -- The reordering window ---------------------------------------------------------------------------


def test_a_retransmission_in_vain_widens_the_window_once_a_round_trip() -> None:
    """RFC 8985 §6.2, step 4: the DSACK says that it was too narrow."""
    us, peer = _reordering_seen()
    for _ in range(2):
        peer.sends(ACK, ack=segment(2)[1], blocks=[segment(1)])
    assert us.tcb.status().reo_wnd_mult == 2
    peer.sends(ACK, ack=segment(2)[1], blocks=[segments(4, 9)])
    peer.receives(ACK, seq=segment(3)[0], length=MSS, after=2 * WINDOW)
    us.waits(ROUND_TRIP)
    peer.sends(ACK, ack=segment(10)[1], blocks=[segment(3)])
    assert us.tcb.status().reo_wnd_mult == 3


def test_it_does_not_grow_beyond_a_round_trip() -> None:
    """RFC 8985 §6.2, step 4: min(..., SRTT)."""
    us, peer = _reordering_seen()
    us.tcb.rack.reo_wnd_mult = 100
    peer.sends(ACK, ack=segment(2)[1], blocks=[segments(4, 9)])
    # the timeout (300 ms) is further away than that
    peer.receives(ACK, seq=segment(3)[0], length=MSS, after=us.tcb.status().srtt)


def test_after_sixteen_recoveries_it_is_narrow_again() -> None:
    """RFC 8985 §6.2, step 4: RACK.reo_wnd_persist."""
    us, peer = _reordering_seen()
    peer.sends(ACK, ack=segment(2)[1], blocks=[segment(1)])
    first = 3
    for recovery in range(16):
        assert us.tcb.status().reo_wnd_mult == 2, recovery
        peer.sends(ACK, ack=segment(first)[0], blocks=[segment(first + 1)])
        us.waits(2 * WINDOW + 0.001)
        assert us.tcb.status().ca_state == "recovery"
        us.waits(ROUND_TRIP)
        peer.ignores()
        peer.sends(ACK, ack=peer.rcv_nxt)
        assert us.tcb.status().ca_state == "open"
        first = (peer.rcv_nxt - 1) // MSS + 1
        us.sends(bytes(3 * MSS))
        us.waits(ROUND_TRIP)
        peer.ignores()
    assert us.tcb.status().reo_wnd_mult == 1


# -- Retransmissions ---------------------------------------------------------------------------------


def test_a_lost_retransmission_needs_no_timeout() -> None:
    """RFC 8985 §3.1: data sent after the retransmission has arrived, the retransmission has not."""
    us, peer = _sent(more=20)
    peer.sends(ACK, ack=1, blocks=[segments(2, 4)])
    sent = [arrival.seq for arrival in peer.ignores()]
    assert (peer.our_isn + 1) & 0xFFFFFFFF in sent
    peer.sends(ACK, ack=1, blocks=[segments(2, 10)])
    peer.ignores()
    newest = (peer.rcv_nxt - 1) // MSS
    assert newest > 11
    us.waits(ROUND_TRIP)
    peer.sends(ACK, ack=1, blocks=[segments(2, newest)])
    assert peer.receives(ACK, seq=1, length=MSS)
    assert us.tcb.status().ca_state == "recovery"
    us.waits(ROUND_TRIP)
    peer.ignores()
    peer.sends(ACK, ack=peer.rcv_nxt)
    assert us.counted("retransmission-timeouts") == 0
    assert us.counted("retransmissions") == 2


def test_a_retransmission_that_arrives_tells_of_one_sent_before_it() -> None:
    """RFC 8985 §9.1, example 2: P1 and P2 are lost, then R1; R2 arrives."""
    us, peer = _sent(3)
    peer.sends(ACK, ack=1, blocks=[segment(3)])
    peer.receives(ACK, seq=segment(1)[0], after=WINDOW)
    us.waits(ROUND_TRIP / 10)
    peer.hears_nothing()  # PRR lets one out for one that arrived
    us.tcb.congestion.cwnd = 10 * MSS
    us.sends(b"")
    us.tcb.touch()
    peer.receives(ACK, seq=segment(2)[0])
    us.waits(ROUND_TRIP)
    peer.sends(ACK, ack=1, blocks=[segments(2, 3)])
    peer.receives(ACK, seq=segment(1)[0], length=MSS)
    assert us.counted("retransmission-timeouts") == 0


def test_an_acknowledgment_too_early_to_be_of_the_retransmission() -> None:
    """RFC 8985 §6.2, step 2: within less than the least round trip it was the original; so nothing is said
    about segments that were sent after the original and before the retransmission."""
    us, peer = _sent(10)
    us.sends(bytes(4 * MSS))
    peer.hears_nothing()
    peer.sends(ACK, ack=1, blocks=[segments(2, 4)])
    peer.receives(ACK, seq=1, length=MSS)
    us.waits(ROUND_TRIP / 2)
    peer.sends(ACK, ack=segment(4)[1])
    assert us.tcb.status().lost == 0
    assert us.counted("retransmissions") == 1


def test_a_timeout_marks_the_first_segment_and_what_is_old_enough() -> None:
    """RFC 8985 §6.3."""
    us, peer = established(replace(NO_PROBES, frto=False), sack=True, round_trip=ROUND_TRIP)
    us.sends(bytes(5 * MSS))
    us.waits(0.25)
    us.sends(bytes(MSS))
    peer.ignores()
    peer.receives(ACK, seq=1, length=MSS, after=0.05)
    status = us.tcb.status()
    assert (status.lost, status.in_flight) == (4 * MSS, 2 * MSS)


def test_without_sack_duplicates_are_counted() -> None:
    """RFC 6582: RACK needs SACK (RFC 8985 §3); time alone is no loss."""
    us, peer = established(NO_PROBES, round_trip=ROUND_TRIP)
    us.sends(bytes(10 * MSS))
    peer.ignores()
    us.waits(ROUND_TRIP)
    peer.sends(ACK, ack=1)
    peer.sends(ACK, ack=1)
    peer.hears_nothing(during=0.15)
    peer.sends(ACK, ack=1)
    peer.receives(ACK, seq=1, length=MSS)
