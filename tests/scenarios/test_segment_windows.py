"""Windows counted in segments, super-segments as a pacer sends them, and what goes with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.tcp.settings import Settings
from usertcp.wire.tcp import ACK, CWR, ECE, PSH, SYN

MSS = 1460
ROUND_TRIP = 0.1
SEGMENTS = replace(PLAIN, window_unit="segment", ack_counting_limit=1 << 20, tlp=False)
PACED = replace(SEGMENTS, nagle="minshall", super_segments="paced", push_super_segments=True)


def edge(segments: float) -> int:
    return 1 + int(segments * MSS)


def _sent(settings: Settings = SEGMENTS, count: int = 10, *, more: int = 0, sack: bool = True) -> tuple[Us, Peer]:
    us, peer = established(settings, sack=sack, round_trip=ROUND_TRIP)
    us.sends(bytes((count + more) * MSS))
    peer.ignores()
    us.waits(ROUND_TRIP)
    return us, peer


def windows(us: Us) -> tuple[int, int]:
    status = us.tcb.status()
    return status.cwnd // MSS, status.ssthresh // MSS


# -- The window ----------------------------------------------------------------------------------------


def test_a_reduction_goes_by_the_window_and_not_by_what_is_in_flight() -> None:
    """RFC 5681 §3.1 (4) says FlightSize, and that some implementations use cwnd."""
    us, peer = _sent(count=4)
    peer.sends(ACK, ack=1, blocks=[(edge(1), edge(4))])
    peer.receives(ACK, seq=1, length=MSS)
    assert windows(us)[1] == 5
    peer.sends(ACK, ack=edge(4))
    assert windows(us) == (5, 5)
    assert us.tcb.status().ca_state == "open"


def test_proportional_reduction_in_whole_segments() -> None:
    """RFC 9937 §6: from ten to five, one segment for two that arrive."""
    us, peer = _sent(more=10)
    peer.sends(ACK, ack=1, blocks=[(edge(1), edge(4))])
    peer.receives(ACK, seq=1)
    assert len(peer.ignores()) == 1
    sent = []
    for held in range(5, 11):
        peer.sends(ACK, ack=1, blocks=[(edge(1), edge(held))])
        sent.append(len(peer.ignores()))
    assert sent == [0, 1, 0, 0, 1, 1]
    assert windows(us) == (5, 5)


def test_without_sack_the_recovery_ends_above_it() -> None:
    """RFC 6582 §4: a duplicate of the last acknowledgment must not begin another one."""
    us, peer = _sent(sack=False)
    for _ in range(3):
        peer.sends(ACK, ack=1)
    peer.receives(ACK, seq=1, length=MSS)
    peer.sends(ACK, ack=edge(10))
    assert us.tcb.status().ca_state == "recovery"
    for _ in range(4):
        peer.sends(ACK, ack=edge(10))
    peer.hears_nothing()
    us.sends(bytes(MSS))
    peer.receives(ACK, seq=edge(10))
    peer.sends(ACK, ack=edge(11))
    assert us.tcb.status().ca_state == "open"
    assert windows(us)[1] == 5


def test_after_a_timeout_one_more_than_is_in_flight() -> None:
    us, peer = _sent()
    us.waits(0.35)
    peer.receives(ACK, seq=1, length=MSS)
    assert windows(us) == (1, 5)
    assert (us.tcb.rtx.unrepaired, us.tcb.rtx.repairing) == (10 * MSS, MSS)


def test_a_window_that_is_not_used_does_not_grow() -> None:
    us, peer = _sent(count=2)
    peer.sends(ACK, ack=edge(2))
    assert windows(us)[0] == 10


def test_a_used_one_does_in_slow_start_by_what_arrived() -> None:
    us, peer = _sent()
    peer.sends(ACK, ack=edge(10))
    assert windows(us)[0] == 20


@pytest.mark.parametrize(("times", "window"), [(1, 10), (2, 1)])
def test_a_lost_syn_may_be_forgiven(times: int, window: int) -> None:
    """RFC 5681 §3.1: the initial window is one segment then."""
    us, peer = meet(replace(SEGMENTS, syn_losses_forgiven=1))
    us.connects()
    for _ in range(times):
        us.waits(2)
    peer.ignores()
    peer.sends(SYN | ACK, seq=0, ack=1)
    assert windows(us)[0] == window


def test_a_mark_lets_the_window_go_down_step_by_step() -> None:
    """RFC 3168 §6.1.2, with RFC 9937's idea: CWR goes with the next new data."""
    us, peer = meet(replace(SEGMENTS, ecn="passive"))
    us.listens()
    peer.sends(SYN | ECE | CWR, seq=0, sack=True)
    peer.ignores()
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.sends(bytes(12 * MSS))
    peer.ignores()
    peer.sends(ACK | ECE, ack=edge(1))
    status = us.tcb.status()
    assert status.ca_state == "cwr"
    assert windows(us)[1] == 5
    peer.sends(ACK, ack=edge(3))
    assert peer.receives(ACK | CWR).payload
    peer.sends(ACK, ack=edge(11))
    assert us.tcb.status().ca_state == "open"
    assert windows(us) == (6, 5)  # and one more for a whole window that arrived


def test_silence_halves_the_window_for_each_timeout() -> None:
    """RFC 2861 §3.2; and not at all where that is turned off."""
    for on, expected in ((True, 10), (False, 20)):
        us, peer = _sent(replace(SEGMENTS, slow_start_after_idle=on))
        peer.sends(ACK, ack=edge(10))
        us.waits(5)
        us.sends(b"a")
        assert windows(us)[0] == expected


# -- What shows that nothing was lost --------------------------------------------------------------------


@pytest.mark.parametrize("beside", [False, True])
def test_an_original_beside_what_was_sent_again(beside: bool) -> None:
    """RFC 5682 §3.2 (3b) looks at what was not sent again alone."""
    us, peer = _sent(replace(SEGMENTS, frto_beside_repeated=beside), count=2)
    us.waits(0.35)
    peer.receives(ACK, seq=1, length=MSS)
    peer.sends(ACK, ack=edge(2))
    assert (us.counted("recoveries-undone") == 1) is beside


def test_a_block_at_the_edge_may_be_nonsense() -> None:
    """RFC 2018 §4: the peer would have acknowledged it."""
    us, peer = _sent(replace(SEGMENTS, sack_at_edge=False), count=3)
    peer.sends(ACK, ack=1, blocks=[(1, edge(1))])
    assert us.tcb.rtx.sacked == 0


def test_what_left_at_the_same_moment_left_in_an_order() -> None:
    """RFC 8985 §6.2: the retransmission left after the new data, and arrived: that is lost."""
    us, peer = _sent(more=4)
    peer.sends(ACK, ack=1, blocks=[(edge(1), edge(2))])
    peer.receives(ACK, seq=edge(10))
    peer.sends(ACK, ack=1, blocks=[(edge(1), edge(4))])
    peer.receives(ACK, seq=1)
    peer.sends(ACK, ack=1, blocks=[(edge(1), edge(10))])
    peer.ignores()
    us.waits(ROUND_TRIP)
    peer.sends(ACK, ack=edge(10))
    assert us.tcb.rtx.unrepaired >= MSS


def test_a_smaller_window_needs_a_newer_segment() -> None:
    """RFC 9293 §3.10.7.4, fifth, believes one with the same numbers, too."""
    us, peer = established(replace(SEGMENTS, only_larger_windows=True))
    peer.sends(ACK, window=1000)
    assert us.tcb.snd_wnd == 65535
    peer.sends(ACK, window=0)
    assert us.tcb.snd_wnd == 0


def test_patience_may_begin_with_the_first_retransmission() -> None:
    us, peer = established(replace(SEGMENTS, user_timeout=1.0, patience_after_loss=True), round_trip=ROUND_TRIP)
    us.sends(b"a")
    peer.receives(ACK)
    peer.receives(ACK, after=0.3)
    peer.receives(ACK, after=0.6)
    peer.hears_nothing(during=0.39)
    assert not us.tcb.is_over
    us.waits(0.02)
    assert us.tcb.is_over


# -- Super-segments --------------------------------------------------------------------------------------


def _paced(**more: int) -> tuple[Us, Peer]:
    return established(replace(PACED, **more), sack=True, round_trip=ROUND_TRIP, offload=True)  # type: ignore[arg-type]


def test_what_a_pacer_would_let_out() -> None:
    """On a path of 100 ms a window of ten segments makes super-segments of two, each with PSH."""
    us, peer = _paced()
    us.sends(bytes(9 * MSS))
    for number in range(4):
        peer.receives(ACK | PSH, seq=edge(2 * number), length=2 * MSS)
    peer.receives(ACK | PSH, seq=edge(8), length=MSS)


def test_at_least_so_many_and_at_most_half_of_the_window() -> None:
    us, peer = _paced(tso_min_segments=8)
    us.sends(bytes(10 * MSS))
    peer.receives(ACK | PSH, length=5 * MSS)
    peer.receives(ACK | PSH, length=5 * MSS)


def test_a_super_segment_waits_for_room_where_more_is_about_to_come() -> None:
    us, peer = _paced(tso_window_divisor=3)
    us.sends(bytes(30 * MSS))
    peer.ignores()
    us.waits(ROUND_TRIP)
    peer.sends(ACK, ack=1, blocks=[(edge(1), edge(2))])
    peer.receives(ACK, seq=edge(10), length=MSS)
    peer.sends(ACK, ack=1, blocks=[(edge(1), edge(3))])
    peer.hears_nothing()


def test_no_psh_in_the_middle_of_a_write() -> None:
    us, peer = _paced()
    us.sends(bytes(12 * MSS))
    peer.ignores()
    us.waits(ROUND_TRIP)
    peer.sends(ACK, ack=1, blocks=[(edge(1), edge(2))])
    (segment,) = peer.ignores()
    assert not segment.flags & PSH


def test_a_small_segment_waits_for_a_small_segment_only() -> None:
    """Minshall's form of RFC 9293 §3.7.4."""
    us, peer = _paced()
    us.sends(bytes(MSS))
    us.sends(b"ab")
    us.sends(b"cd")
    peer.receives(ACK | PSH, length=MSS)
    peer.receives(ACK | PSH, data=b"ab")
    peer.hears_nothing()
    peer.sends(ACK)
    peer.receives(ACK | PSH, data=b"cd")


def test_segments_of_half_a_tiny_window() -> None:
    us, peer = meet(replace(PACED, mss_within_half_window=True), window=1280)
    us.listens()
    peer.sends(SYN, seq=0)
    peer.ignores()
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    assert us.tcb.snd_mss == 640
    peer.sends(ACK, window=65535)
    assert us.tcb.snd_mss == MSS
