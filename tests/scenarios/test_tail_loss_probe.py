"""RFC 8985 §7: tail loss probes, exchange by exchange."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.wire.tcp import ACK, SYN

MSS = 1460


def segment(number: int) -> tuple[int, int]:
    """Where our ``number``th full-sized segment begins and ends."""
    return 1 + (number - 1) * MSS, 1 + number * MSS


def _sent(count: int, round_trip: float = 0.1) -> tuple[Us, Peer]:
    """So many full-sized segments are on their way to a peer with SACK; the timeout is 3 round trips."""
    us, peer = established(PLAIN, sack=True, round_trip=round_trip)
    us.sends(bytes(count * MSS))
    for number in range(1, count + 1):
        peer.receives(ACK, seq=segment(number)[0], length=MSS)
    return us, peer


def test_the_last_segment_goes_out_again_after_two_round_trips() -> None:
    """RFC 8985 §7.2: PTO = 2 * SRTT; §7.3: "the highest-sequence segment sent so far"."""
    us, peer = _sent(3)
    peer.receives(ACK, seq=segment(3)[0], length=MSS, after=0.2)
    peer.hears_nothing()
    assert us.counted("tail-loss-probes") == 1
    status = us.tcb.status()
    assert status.cwnd >= 10 * MSS, "a probe alone is no sign of congestion"
    assert (status.ca_state, status.lost) == ("open", 0)


def test_of_a_long_write_the_last_segment_only() -> None:
    """RFC 8985 §7.3: also where one super-segment left our host."""
    us, peer = established(PLAIN, sack=True, round_trip=0.1, offload=True)
    us.sends(bytes(4 * MSS))
    assert len(peer.ignores()) < 4
    peer.receives(ACK, seq=segment(4)[0], length=MSS, after=0.2)
    peer.hears_nothing()


def test_new_data_is_a_better_probe() -> None:
    """RFC 8985 §7.3: one segment of it, whatever the congestion window says."""
    us, peer = _sent(10)
    us.sends(bytes(5 * MSS))
    peer.hears_nothing()  # the window is full
    peer.receives(ACK, seq=segment(11)[0], length=MSS, after=0.2)
    peer.hears_nothing()
    assert us.counted("retransmissions") == 0


def test_new_data_does_not_go_beyond_the_peers_window() -> None:
    """RFC 8985 §7.3: "and the receive window allows"; else the last segment again."""
    us, peer = established(PLAIN, sack=True, round_trip=0.1, window=2 * MSS)
    us.sends(bytes(4 * MSS))
    peer.receives(ACK, seq=segment(1)[0])
    peer.receives(ACK, seq=segment(2)[0])
    peer.receives(ACK, seq=segment(2)[0], length=MSS, after=0.2)


def test_new_data_fills_the_peers_window_at_most() -> None:
    """RFC 8985 §7.3."""
    us, peer = established(PLAIN, sack=True, round_trip=0.1, window=2 * MSS + 100)
    us.sends(bytes(4 * MSS))
    peer.receives(ACK, seq=segment(1)[0])
    peer.receives(ACK, seq=segment(2)[0])
    peer.receives(ACK, seq=segment(3)[0], length=100, after=0.2)


def test_acknowledgments_and_new_data_put_it_off() -> None:
    """RFC 8985 §7.2."""
    us, peer = _sent(3)
    us.waits(0.15)
    us.sends(bytes(MSS))
    peer.receives(ACK, seq=segment(4)[0])
    us.waits(0.1)
    peer.sends(ACK, ack=segment(1)[1])
    srtt = us.tcb.status().srtt or 0
    peer.receives(ACK, seq=segment(4)[0], length=MSS, after=2 * srtt)


def test_for_a_single_segment_the_peer_may_delay_its_acknowledgment() -> None:
    """RFC 8985 §7.2: PTO += TLP.max_ack_delay."""
    _us, peer = _sent(1, round_trip=0.4)
    peer.receives(ACK, seq=1, length=MSS, after=2 * 0.4 + 0.2)


def test_it_takes_the_place_of_a_timeout_that_is_due_sooner() -> None:
    """RFC 8985 §7.2: "the sender schedules a TLP to be sent at that RTO time"; a timeout after it."""
    us, peer = _sent(1)
    peer.receives(ACK, seq=1, length=MSS, after=0.3)  # 2 * 0.1 + 0.2 would be later
    assert us.counted("tail-loss-probes") == 1
    assert us.counted("retransmission-timeouts") == 0
    peer.receives(ACK, seq=1, length=MSS, after=0.3)
    assert us.counted("retransmission-timeouts") == 1


def test_one_probe_then_a_timeout() -> None:
    """RFC 8985 §7.3: at most one probe is in flight, and the timeout is counted from it."""
    us, peer = _sent(3)
    peer.receives(ACK, seq=segment(3)[0], after=0.2)
    peer.receives(ACK, seq=segment(1)[0], length=MSS, after=0.3)
    assert us.counted("tail-loss-probes") == 1
    assert us.counted("retransmission-timeouts") == 1


def test_the_answer_shows_what_else_was_lost() -> None:
    """RFC 8985 §7.4.1: the last three of five were lost; RACK finds the others by the probe's SACK."""
    us, peer = _sent(5)
    us.waits(0.1)
    peer.sends(ACK, ack=segment(2)[1])
    peer.receives(ACK, seq=segment(5)[0], after=0.2)
    us.waits(0.1)
    peer.sends(ACK, ack=segment(2)[1], blocks=[segment(5)])
    assert us.tcb.status().ca_state == "recovery"
    assert us.tcb.status().lost == MSS
    peer.receives(ACK, seq=segment(3)[0], length=MSS)
    us.waits(0.1)
    peer.sends(ACK, ack=segment(3)[1], blocks=[segment(5)])
    peer.receives(ACK, seq=segment(4)[0], length=MSS)
    us.waits(0.1)
    peer.sends(ACK, ack=segment(5)[1])
    peer.hears_nothing(during=100)
    assert us.counted("retransmission-timeouts") == 0


# -- The end of an episode ---------------------------------------------------------------------------


def _probe_acknowledged(*, dsack: bool = False, again: bool = False) -> tuple[Us, Peer]:
    """Two of three segments were acknowledged, then the third was probed for, then that is acknowledged.

    ``again``: twice, without SACK options; ``dsack``: the peer had it twice.  Finally new data was sent."""
    us, peer = _sent(3, round_trip=0.4)
    us.waits(0.4)
    peer.sends(ACK, ack=segment(2)[1])
    peer.receives(ACK, seq=segment(3)[0], length=MSS, after=2 * 0.4 + 0.2)
    us.waits(0.2)
    if again:
        peer.sends(ACK, ack=segment(3)[1])
    us.waits(0.2)
    us.sends(bytes(2 * MSS))
    peer.ignores()
    peer.sends(ACK, ack=segment(3)[1], blocks=[segment(3)] if dsack else ())
    return us, peer


def test_a_loss_that_the_probe_repaired_is_one_for_congestion_control() -> None:
    """RFC 8985 §7.4.2: known once something beyond the probe is acknowledged."""
    us, peer = _probe_acknowledged()
    before = us.tcb.status()
    peer.sends(ACK, ack=segment(4)[1])
    after = us.tcb.status()
    assert before.ssthresh > 1 << 30
    assert after.ssthresh == 2 * MSS
    assert after.cwnd < before.cwnd
    assert [event for event in us.events if "a tail loss probe repaired a loss" in event]


@pytest.mark.parametrize("how", [{"dsack": True}, {"again": True}], ids=["DSACK", "duplicate without SACK"])
def test_a_probe_in_vain_is_none(how: dict[str, bool]) -> None:
    """RFC 8985 §7.4.2, cases 1 and 2: both the segment and its repetition arrived."""
    us, peer = _probe_acknowledged(**how)
    peer.sends(ACK, ack=segment(4)[1])
    assert us.tcb.status().ssthresh > 1 << 30


def test_new_data_that_probed_is_acknowledged_like_any() -> None:
    """RFC 8985 §7.4.2: "If not TLP.is_retrans"."""
    us, peer = _sent(10)
    us.sends(bytes(2 * MSS))
    peer.receives(ACK, seq=segment(11)[0], after=0.2)
    peer.sends(ACK, ack=segment(11)[1])
    peer.receives(ACK, seq=segment(12)[0])
    peer.sends(ACK, ack=segment(12)[1])
    assert us.tcb.status().ssthresh > 1 << 30


def test_no_second_probe_before_a_new_round_trip_is_measured() -> None:
    """RFC 8985 §7.3, second condition: else probes could keep SRTT from ever following the path."""
    us, peer = _sent(1, round_trip=0.4)
    peer.receives(ACK, seq=1, after=1.0)
    us.sends(bytes(2 * MSS))
    peer.ignores()
    us.waits(0.1)
    peer.sends(ACK, ack=segment(1)[1], blocks=[segment(1)])  # ends the episode, and measures nothing
    rto = us.tcb.status().rto
    peer.receives(ACK, seq=segment(2)[0], length=MSS, after=rto)
    assert us.counted("tail-loss-probes") == 1


# -- When there is none --------------------------------------------------------------------------------


def test_it_can_be_switched_off() -> None:
    us, peer = established(replace(PLAIN, tlp=False), sack=True, round_trip=0.1)
    us.sends(bytes(3 * MSS))
    peer.ignores()
    peer.receives(ACK, seq=1, length=MSS, after=0.3)
    assert us.counted("tail-loss-probes") == 0


def test_none_without_sack() -> None:
    """RFC 8985 §3: RACK-TLP needs it."""
    us, peer = established(PLAIN, round_trip=0.1)
    us.sends(bytes(3 * MSS))
    peer.ignores()
    peer.receives(ACK, seq=1, length=MSS, after=0.3)


def test_none_while_the_peer_holds_something_beyond_a_gap() -> None:
    """RFC 8985 §7.2: RACK's own timer is for that."""
    us, peer = _sent(3)
    us.waits(0.1)
    peer.sends(ACK, ack=1, blocks=[segment(2)])
    peer.receives(ACK, seq=1, length=MSS, after=0.025)
    us.waits(1)
    peer.ignores()
    assert us.counted("tail-loss-probes") == 0


def test_none_when_everything_is_acknowledged() -> None:
    us, peer = _sent(3)
    us.waits(0.1)
    peer.sends(ACK, ack=segment(3)[1])
    peer.hears_nothing(during=100)
    assert us.counted("tail-loss-probes") == 0


def test_without_a_round_trip_a_probe_waits_a_second() -> None:
    """RFC 8985 §7.2: nothing was measured, since our SYN had to be sent again."""
    us, peer = meet(PLAIN)
    us.connects()
    peer.receives(SYN)
    peer.receives(SYN, after=1.0)
    peer.sends(SYN | ACK, seq=0, ack=1, sack=True)
    peer.receives(ACK)
    assert us.tcb.status().srtt is None
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    peer.receives(ACK, data=b"x", after=1.0)
    assert us.counted("tail-loss-probes") == 1
