"""RFC 9937: proportional rate reduction, on the way from the window before a loss to ssthresh after it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established
from usertcp.wire.tcp import ACK

MSS = 1460
SETTINGS = replace(PLAIN, tlp=False, initial_window=20, initial_rto=3)


def segment(number: int) -> tuple[int, int]:
    """Where our ``number``th full-sized segment begins and ends."""
    return 1 + (number - 1) * MSS, 1 + number * MSS


def segments(first: int, last: int) -> tuple[int, int]:
    return segment(first)[0], segment(last)[1]


def _twenty_sent(more: int = 24) -> tuple[Us, Peer]:
    """A window of 20 segments has been on its way for a round trip of 100 ms; more data waits."""
    us, peer = established(SETTINGS, sack=True, round_trip=0.1)
    us.sends(bytes((20 + more) * MSS))
    assert len(peer.ignores()) == 20
    us.waits(0.1)
    return us, peer


def _answers(peer: Peer, **acknowledgment: object) -> list[int]:
    """The numbers of the segments that one acknowledgment makes us send."""
    peer.sends(ACK, **acknowledgment)  # type: ignore[arg-type]
    return [((sent.seq - peer.our_isn - 1) & 0xFFFFFFFF) // MSS + 1 for sent in peer.ignores()]


def test_the_window_shrinks_in_step_with_what_arrives() -> None:
    """RFC 9937 §6.2: with half of the window to give up, one segment goes out for two that arrive."""
    us, peer = _twenty_sent()
    assert _answers(peer, ack=1, blocks=[segment(2)]) == [21]  # limited transmit (RFC 3042)
    assert _answers(peer, ack=1, blocks=[segments(2, 3)]) == [22]
    assert _answers(peer, ack=1, blocks=[segments(2, 4)]) == [1]
    assert us.tcb.status().ssthresh == 10 * MSS
    assert us.tcb.status().cwnd > 10 * MSS, "not in one step"
    sent = 1
    for last in range(5, 21):
        answers = _answers(peer, ack=1, blocks=[segments(2, last)])
        assert len(answers) <= 1
        sent += len(answers)
        assert abs(sent - (last - 3) / 2) <= 1
    assert us.tcb.status().in_flight == pytest.approx(10 * MSS, abs=MSS)
    us.waits(0.1)
    peer.sends(ACK, ack=peer.rcv_nxt)
    assert us.tcb.status().cwnd == 10 * MSS
    assert us.tcb.status().ca_state == "open"


def test_one_acknowledgment_of_many_lets_out_their_share() -> None:
    """RFC 9937 §6.2: six arrive, three leave."""
    _us, peer = _twenty_sent()
    assert _answers(peer, ack=1, blocks=[segments(2, 7)]) == [1, 21, 22]


def test_the_reduction_that_the_controller_wants() -> None:
    """RFC 9937 §6.2: the proportion is ssthresh / RecoverFS, whatever made ssthresh: CUBIC gives up 3/10."""
    us, peer = established(replace(SETTINGS, congestion_control="cubic"), sack=True, round_trip=0.1)
    us.sends(bytes(44 * MSS))
    peer.ignores()
    us.waits(0.1)
    sent = len(_answers(peer, ack=1, blocks=[segments(2, 4)]))
    assert us.tcb.status().ssthresh == 14 * MSS
    for last in range(5, 12):
        sent += len(_answers(peer, ack=1, blocks=[segments(2, last)]))
        assert sent == (last - 1) * 14 // 20


def test_below_ssthresh_what_arrives_is_what_leaves() -> None:
    """RFC 9937 §6.2, the conservative bound: 14 of 20 were lost, and in flight is less than ssthresh.  An
    acknowledgment that does not advance, or shows a further loss, lets out as much as it says arrived."""
    us, peer = _twenty_sent()
    _answers(peer, ack=1, blocks=[segment(15)])
    _answers(peer, ack=1, blocks=[segments(15, 16)])
    assert _answers(peer, ack=1, blocks=[segments(15, 17)]) == [1]
    assert us.tcb.status().lost == 13 * MSS
    assert us.tcb.status().in_flight < us.tcb.status().ssthresh
    assert _answers(peer, ack=1, blocks=[segments(15, 18)]) == [2]
    assert _answers(peer, ack=1, blocks=[segments(15, 20)]) == [3, 4]


def test_and_one_more_where_all_goes_well() -> None:
    """RFC 9937 §6.2, slow start up to ssthresh: acknowledgments that advance and show no further loss."""
    us, peer = _twenty_sent()
    _answers(peer, ack=1, blocks=[segments(15, 17)])
    _answers(peer, ack=1, blocks=[segments(15, 20)])
    us.waits(0.1)
    assert len(_answers(peer, ack=segment(1)[1], blocks=[segments(15, 20)])) == 2
    assert len(_answers(peer, ack=segment(2)[1], blocks=[segments(15, 20)])) == 2
    assert us.tcb.status().ca_state == "recovery"


def test_slow_start_ends_at_ssthresh() -> None:
    """RFC 9937 §6.2: sndcnt <= ssthresh - inflight."""
    us, peer = _twenty_sent()
    _answers(peer, ack=1, blocks=[segments(6, 17)])
    for last in (18, 19, 20):
        _answers(peer, ack=1, blocks=[segments(6, last)])
        assert us.tcb.status().in_flight <= 10 * MSS
    for first in range(1, 5):
        us.waits(0.025)
        _answers(peer, ack=segment(first)[1], blocks=[segments(6, 20)])
        assert us.tcb.status().in_flight <= 10 * MSS
    assert us.tcb.status().in_flight > 8 * MSS


def test_the_end_of_recovery_is_no_burst() -> None:
    """RFC 9937 §5: at the end cwnd is ssthresh, and that much is in flight already."""
    us, peer = _twenty_sent(more=80)
    _answers(peer, ack=1, blocks=[segments(2, 4)])
    for last in range(5, 21):
        _answers(peer, ack=1, blocks=[segments(2, last)])
    us.waits(0.1)
    assert len(_answers(peer, ack=segment(20)[1])) <= 2
    assert us.tcb.status().ca_state == "open"
    assert us.tcb.status().cwnd == pytest.approx(10 * MSS, abs=MSS)


def test_a_controller_that_governs_recovery_is_left_alone() -> None:
    """BBR sets cwnd from its model of the path (RFC 9937 is for those that reduce to ssthresh)."""
    us, peer = established(replace(SETTINGS, congestion_control="bbr"), sack=True, round_trip=0.1)
    us.sends(bytes(44 * MSS))
    us.waits(0.1)
    peer.ignores()
    before = us.tcb.congestion.cwnd
    peer.sends(ACK, ack=1, blocks=[segments(2, 4)])
    assert us.tcb.status().ca_state == "recovery"
    assert us.tcb.congestion.cwnd >= before - MSS
