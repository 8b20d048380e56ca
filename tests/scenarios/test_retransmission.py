"""RFC 9293 §3.8.1-§3.8.3: timeouts (RFC 6298), fast retransmit (RFC 5681, RFC 6582), giving up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, in_state, meet
from usertcp.tcp.errors import ConnectionTimedOut
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, FIN, SYN

MSS = 1460


def _with_round_trip(seconds: float) -> tuple[Us, Peer]:
    """ESTABLISHED by our SYN, with a first round trip of ``seconds``."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    us.waits(seconds)
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(ACK)
    assert us.tcb.rtt.srtt == pytest.approx(seconds)
    return us, peer


# -- RFC 6298 ----------------------------------------------------------------------------------------


def test_the_first_round_trip_sets_the_timer() -> None:
    """RFC 6298 §2.2: RTO = SRTT + max(G, 4 * R/2)."""
    us, peer = _with_round_trip(0.4)
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    peer.receives(ACK, data=b"x", after=0.4 + 4 * 0.2)


def test_later_round_trips() -> None:
    """RFC 6298 §2.3: alpha = 1/8, beta = 1/4."""
    us, peer = _with_round_trip(0.4)
    us.sends(b"x")
    peer.receives(ACK)
    us.waits(0.8)
    peer.sends(ACK)
    status = us.tcb.status()
    assert status.rttvar == pytest.approx(3 / 4 * 0.2 + 1 / 4 * 0.4)
    assert status.srtt == pytest.approx(7 / 8 * 0.4 + 1 / 8 * 0.8)
    assert status.rto == pytest.approx(0.45 + 4 * 0.25)


def test_before_the_first_round_trip_one_second() -> None:
    """RFC 6298 §2.1, §5.5: and doubled each time."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    for interval in (1.0, 2.0, 4.0, 8.0):
        peer.receives(SYN, seq=0, after=interval)
    peer.sends(SYN | ACK, seq=0, ack=1)
    assert us.state is State.ESTABLISHED


def test_after_a_lost_syn_three_seconds() -> None:
    """RFC 6298 §5.7: no round trip was measured, so be careful; RFC 5681 §3.1: begin with one segment."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.receives(SYN, after=1.0)
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(ACK)
    us.sends(bytes(3 * MSS))
    peer.receives(ACK, seq=1, length=MSS)
    peer.hears_nothing()
    peer.receives(ACK, seq=1, length=MSS, after=3.0)


def test_backing_off_doubles_up_to_the_limit() -> None:
    """RFC 6298 §5.5, §2.5: the limit is at least 60 s."""
    us, peer = established()
    us.sends(b"x")
    peer.receives(ACK, seq=1)
    interval = 0.2
    for _ in range(12):
        peer.receives(ACK, seq=1, data=b"x", after=interval)
        interval = min(2 * interval, 60)
    assert interval == 60
    assert us.counted("retransmission-timeouts") == 12


def test_karn_no_sample_from_what_was_sent_twice() -> None:
    """RFC 6298 §3, §5.5: the backed-off timer stays until a new segment is acknowledged the first time."""
    us, peer = established()
    us.sends(b"x")
    peer.receives(ACK)
    peer.receives(ACK, after=0.2)
    before = us.tcb.status()
    assert before.rto == pytest.approx(0.4)
    us.waits(0.1)
    peer.sends(ACK)
    after = us.tcb.status()
    assert (after.srtt, after.rto) == (before.srtt, before.rto)
    us.sends(b"y")
    peer.receives(ACK)
    us.waits(0.08)
    peer.sends(ACK)
    assert us.tcb.status().srtt == pytest.approx(0.01)
    assert us.tcb.status().rto < 0.4


def test_each_acknowledgment_restarts_the_timer() -> None:
    """RFC 6298 §5.3."""
    us, peer = established()
    us.sends(bytes(3 * MSS))
    for _ in range(3):
        peer.receives(ACK, length=MSS)
    us.waits(0.15)
    peer.sends(ACK, ack=1 + MSS)
    rto = us.tcb.status().rto
    peer.receives(ACK, seq=1 + MSS, length=MSS, after=rto)


def test_when_all_is_acknowledged_the_timer_is_off() -> None:
    """RFC 6298 §5.2."""
    us, peer = established()
    us.sends(b"x")
    peer.receives(ACK)
    peer.sends(ACK)
    peer.hears_nothing(during=1000)


def test_after_a_timeout_only_the_first_segment_goes_out_again() -> None:
    """RFC 6298 §5.4, RFC 5681 §3.1: the loss window is one segment; slow start sends the rest again."""
    us, peer = established()
    us.sends(bytes(10 * MSS))
    for number in range(10):
        peer.receives(ACK, seq=1 + number * MSS, length=MSS)
    peer.receives(ACK, seq=1, length=MSS, after=0.2)
    peer.hears_nothing()
    status = us.tcb.status()
    assert status.cwnd == MSS
    assert status.ssthresh == 5 * MSS
    peer.sends(ACK, ack=1 + MSS)
    peer.receives(ACK, seq=1 + MSS, length=MSS)
    peer.receives(ACK, seq=1 + 2 * MSS, length=MSS)
    peer.hears_nothing()
    peer.sends(ACK, ack=1 + 10 * MSS)
    peer.hears_nothing(during=100)


def test_a_second_timeout_does_not_lower_ssthresh_again() -> None:
    """RFC 5681 §3.1: "the value of ssthresh is held constant" where the same segment is lost again."""
    us, peer = established()
    us.sends(bytes(10 * MSS))
    us.waits(0.7)
    assert us.tcb.status().ssthresh == 5 * MSS
    assert us.counted("retransmission-timeouts") == 2
    peer.ignores()


# -- R1, R2 ------------------------------------------------------------------------------------------


def test_r1_and_r2() -> None:
    """RFC 9293 §3.8.3 (MUST-20, SHLD-10, SHLD-11)."""
    us, peer = established()
    us.sends(b"x")
    us.waits(0.2 + 0.4)
    assert us.counted("r1-reached") == 0
    us.waits(0.8)
    assert us.counted("r1-reached") == 1
    us.waits(900 - 1.5)
    assert us.state is State.ESTABLISHED
    us.waits(60)
    assert us.state is State.CLOSED
    assert us.path[-1] == (State.ESTABLISHED, Event.USER_TIMEOUT, State.CLOSED)
    assert us.gone
    words = r"after [0-9]+ tries in ESTABLISHED: the peer did not acknowledge our data within 9"
    with pytest.raises(ConnectionTimedOut, match=words):
        us.reads()
    with pytest.raises(ConnectionTimedOut):
        us.sends(b"y")
    peer.ignores()
    peer.hears_nothing(during=1000)


def test_r2_can_be_set_for_one_connection() -> None:
    """RFC 9293 §3.8.3 (d) (MUST-21)."""
    us, peer = established(replace(PLAIN, r2=100))
    us.sends(b"x")
    us.waits(90)
    assert us.state is State.ESTABLISHED
    us.waits(60)
    assert us.state is State.CLOSED
    peer.ignores()


def test_r2_counts_from_the_last_progress() -> None:
    """RFC 9293 §3.8.3: R2 is about "the same segment"."""
    us, peer = established(replace(PLAIN, r2=100))
    us.sends(bytes(2 * MSS))
    us.waits(80)
    peer.sends(ACK, ack=1 + MSS)
    us.waits(80)
    assert us.state is State.ESTABLISHED
    us.waits(80)
    assert us.state is State.CLOSED
    peer.ignores()


@pytest.mark.parametrize(
    "state", [State.SYN_RECEIVED, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK], ids=str
)
def test_every_state_that_waits_for_an_acknowledgment_gives_up(state: State) -> None:
    """RFC 9293 §3.10.8, user timeout: "for any state"."""
    us, peer = in_state(state)
    us.waits(2000)
    assert us.path[-1] == (state, Event.USER_TIMEOUT, State.CLOSED)
    assert us.gone
    assert isinstance(us.tcb.error, ConnectionTimedOut)
    peer.ignores()


# -- RFC 5681 §3.2, RFC 6582 -------------------------------------------------------------------------


def _ten_segments_sent() -> tuple[Us, Peer]:
    us, peer = established()
    us.sends(bytes(10 * MSS))
    for number in range(10):
        peer.receives(ACK, seq=1 + number * MSS, length=MSS)
    return us, peer


def test_fast_retransmit() -> None:
    """RFC 5681 §3.2: the third duplicate acknowledgment means a loss."""
    us, peer = _ten_segments_sent()
    peer.sends(ACK, ack=1)
    peer.sends(ACK, ack=1)
    peer.hears_nothing()
    peer.sends(ACK, ack=1)
    peer.receives(ACK, seq=1, length=MSS)
    peer.hears_nothing()
    assert us.tcb.status().ssthresh == 5 * MSS
    peer.sends(ACK, ack=1 + 10 * MSS)
    peer.hears_nothing(during=100)
    assert us.tcb.status().cwnd <= 5 * MSS
    assert us.counted("retransmissions") == 1
    assert us.counted("retransmission-timeouts") == 0


def test_a_partial_acknowledgment_sends_the_next_hole() -> None:
    """RFC 6582 §3.2 step 3: segments 1, 4 and 8 were lost; one round trip for each, no timeout."""
    us, peer = _ten_segments_sent()
    for _ in range(3):
        peer.sends(ACK, ack=1)
    peer.receives(ACK, seq=1, length=MSS)
    for _ in range(4):
        peer.sends(ACK, ack=1)
    peer.hears_nothing()
    for hole in (3, 7):
        us.waits(0.05)
        peer.sends(ACK, ack=1 + hole * MSS)
        peer.receives(ACK, seq=1 + hole * MSS, length=MSS)
        peer.hears_nothing()
    peer.sends(ACK, ack=1 + 10 * MSS)
    peer.hears_nothing(during=100)
    assert us.counted("retransmissions") == 3
    assert us.counted("retransmission-timeouts") == 0


def test_no_second_fast_retransmit_for_the_same_window() -> None:
    """RFC 6582 §3.2 step 1, §4.1: duplicates of what recovery or a timeout repaired mean nothing new."""
    us, peer = _ten_segments_sent()
    peer.receives(ACK, seq=1, length=MSS, after=0.2)
    for _ in range(5):
        peer.sends(ACK, ack=1)
    ssthresh = us.tcb.status().ssthresh
    assert us.counted("retransmission-timeouts") == 1
    assert ssthresh == 5 * MSS
    assert not [event for event in us.events if "fast retransmit" in event]
    peer.ignores()


@pytest.mark.parametrize(
    "extra",
    [{"data": b"x"}, {"window": 60000}],
    ids=["with data", "with another window"],
)
def test_what_is_no_duplicate_acknowledgment(extra: dict[str, object]) -> None:
    """RFC 5681 §2: it carries no data, and the window is that of the last one."""
    us, peer = _ten_segments_sent()
    for number in range(5):
        if "window" in extra:
            peer.sends(ACK, ack=1, window=60000 + number)
        else:
            peer.sends(ACK, ack=1, data=b"x")
    assert not [segment for segment in peer.ignores() if segment.payload]
    assert us.counted("retransmissions") == 0


def test_the_first_two_duplicates_let_new_data_out() -> None:
    """RFC 3042: limited transmit."""
    us, peer = established()
    us.sends(bytes(20 * MSS))
    for number in range(10):
        peer.receives(ACK, seq=1 + number * MSS, length=MSS)
    peer.hears_nothing()
    for number in (10, 11):
        peer.sends(ACK, ack=1)
        peer.receives(ACK, seq=1 + number * MSS, length=MSS)
        peer.hears_nothing()
    peer.sends(ACK, ack=1)
    peer.receives(ACK, seq=1, length=MSS)
    peer.hears_nothing()
    us.waits(0.1)


def test_duplicates_beyond_half_a_window_let_new_data_out() -> None:
    """RFC 5681 §3.2 step 4: each duplicate says that a segment has left the network."""
    us, peer = established()
    us.sends(bytes(20 * MSS))
    peer.ignores()
    for _ in range(3):
        peer.sends(ACK, ack=1)
    sent = [segment.seq for segment in peer.ignores()]
    assert len(sent) == 3
    fresh = 0
    for _ in range(7):
        peer.sends(ACK, ack=1)
        fresh += sum(len(segment.payload) for segment in peer.ignores())
    # 12 were out and 1 again; with 10 duplicates in all 3 of them are left, and the window is 5.
    assert 0 < fresh <= 3 * MSS


# -- What is sent again ------------------------------------------------------------------------------


def test_data_and_fin_are_sent_again_together() -> None:
    """RFC 9293 §3.4: a FIN has a sequence number like any byte."""
    us, peer = established(window=10)
    us.sends(b"0123456789abc")
    us.closes()
    peer.receives(ACK, data=b"0123456789")
    peer.sends(ACK)
    peer.receives(FIN | ACK, seq=11, data=b"abc")
    peer.receives(FIN | ACK, seq=11, data=b"abc", after=0.2)
    peer.sends(ACK, ack=14)
    peer.receives(FIN | ACK, seq=14, length=0, after=us.tcb.status().rto)
    peer.sends(ACK, ack=15)
    assert us.state is State.FIN_WAIT_2


def test_an_acknowledgment_of_half_a_segment() -> None:
    """RFC 9293 §3.4: only what is not acknowledged is sent again."""
    us, peer = established()
    us.sends(b"0123456789")
    peer.receives(ACK, data=b"0123456789")
    peer.sends(ACK, ack=6)
    peer.receives(ACK, seq=6, data=b"56789", after=us.tcb.status().rto)


def test_a_retransmission_carries_the_newest_acknowledgment() -> None:
    """RFC 9293 §3.10.7.4, seventh: the acknowledgment rides on what is sent."""
    us, peer = established()
    us.sends(b"x")
    peer.receives(ACK, ack=1)
    us.waits(0.19)
    peer.sends(ACK, ack=1, data=b"hello")
    peer.receives(ACK, ack=6, data=b"x", after=0.01)
    peer.hears_nothing(during=0.1)
