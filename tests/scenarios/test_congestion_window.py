"""RFC 5681: what the congestion window lets out, and what changes it, in a whole connection."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.tcp.congestion.loss_based import LossBased
from usertcp.tcp.recovery import CaState
from usertcp.wire import icmp
from usertcp.wire.tcp import ACK, SYN

MSS = 1460
#: No window is smaller than this one: what stops us is congestion control.
WIDE = replace(PLAIN, tlp=False)


def _twenty_written(*, sack: bool = False) -> tuple[Us, Peer]:
    """Ten segments are out, as the initial window lets, and ten wait."""
    us, peer = established(WIDE, sack=sack, round_trip=0.1)
    us.sends(bytes(20 * MSS))
    assert len(peer.ignores()) == 10
    us.waits(0.1)
    return us, peer


@pytest.mark.parametrize("active", [True, False])
def test_the_handshake_does_not_open_it(active: bool) -> None:
    """RFC 5681 §3.1: neither the SYN,ACK nor the acknowledgment of the SYN,ACK."""
    us, peer = meet(WIDE)
    if active:
        us.connects()
        peer.receives(SYN)
        peer.sends(SYN | ACK, seq=0, ack=1)
        peer.receives(ACK)
    else:
        us.listens()
        peer.sends(SYN, seq=0)
        peer.receives(SYN | ACK)
        peer.sends(ACK, seq=1, ack=1)
    assert us.tcb.status().cwnd == 10 * MSS
    us.sends(bytes(20 * MSS))
    assert len(peer.ignores()) == 10


def test_no_more_than_it_lets_out() -> None:
    """RFC 5681 §2: SND.UNA + min(cwnd, rwnd); two more for each segment that is acknowledged in slow start."""
    us, peer = _twenty_written()
    peer.hears_nothing()
    peer.sends(ACK, ack=1 + MSS)
    assert len(peer.ignores()) == 2
    assert us.tcb.status().cwnd == 11 * MSS


def test_a_smaller_segment_size_in_the_initial_window_makes_it_smaller() -> None:
    """RFC 5681 §3.1: by the ratio of the sizes, or the same window would be a burst of more segments."""
    us, peer = established(WIDE)
    us.sends(bytes(20 * MSS))
    first = peer.inbox[0].packet
    assert len(peer.ignores()) == 10
    peer.reports(icmp.PacketTooBig(770, first[:28]))
    assert us.tcb.status().snd_mss == 730
    assert us.tcb.status().cwnd == 10 * 730


def test_limited_transmit_leaves_it_alone() -> None:
    """RFC 3042 §2, RFC 5681 §3.2: the two segments go out beside it."""
    us, peer = _twenty_written()
    for sent in (1, 2):
        peer.sends(ACK, ack=1)
        assert len(peer.ignores()) == 1
        assert us.tcb.status().cwnd == 10 * MSS
        assert us.tcb.snd_nxt - us.tcb.snd_una == (10 + sent) * MSS


def test_a_duplicate_that_says_nothing_new_lets_nothing_out() -> None:
    """RFC 3042 §2, RFC 5681 §3.2: with SACK, only what the peer newly holds has left the network."""
    us, peer = _twenty_written(sack=True)
    held = (1 + MSS, 1 + 2 * MSS)
    peer.sends(ACK, ack=1, blocks=[held])
    assert len(peer.ignores()) == 1
    for _ in range(5):
        peer.sends(ACK, ack=1, blocks=[held])
        peer.sends(ACK, ack=1)
    peer.hears_nothing()
    assert us.tcb.status().cwnd == 10 * MSS


@pytest.mark.parametrize("sack", [False, True])
def test_a_retransmission_that_is_lost_lowers_it_again(sack: bool) -> None:
    """RFC 5681 §3.1, §4.3: found by a timeout in fast recovery, so a second sign of congestion."""
    us, peer = _twenty_written(sack=sack)
    for number in range(2, 5):
        peer.sends(ACK, ack=1, blocks=[(1 + MSS, 1 + number * MSS)] if sack else [])
    assert us.tcb.status().ca_state == "recovery"
    assert us.tcb.status().ssthresh == 5 * MSS
    peer.ignores()
    us.waits(us.tcb.status().rto)
    assert us.tcb.status().ca_state == "loss"
    assert us.tcb.status().ssthresh == 5 * MSS // 2
    assert us.tcb.status().cwnd == MSS
    us.waits(us.tcb.status().rto)
    assert us.tcb.status().ssthresh == 5 * MSS // 2, "once it was sent again by the timer, no more"
    peer.ignores()


def test_in_fast_recovery_what_is_used_is_not_measured() -> None:
    """RFC 7661 §4.2: "the pipeACK variable MUST NOT be updated during TCP Fast Recovery"."""
    us, peer = established(replace(PLAIN, validate_window=True, tlp=False), sack=True, round_trip=0.1)
    us.sends(bytes(10 * MSS))
    us.waits(0.1)
    for number in range(1, 11):
        peer.sends(ACK, ack=1 + number * MSS)
    control = us.tcb.congestion
    assert isinstance(control, LossBased)
    validation = control._validation
    assert validation is not None
    assert validation.pipe_ack(us.now) == 10 * MSS
    us.sends(bytes(10 * MSS))
    us.waits(0.1)
    peer.sends(ACK, ack=1 + 11 * MSS)
    us.sends(bytes(10 * MSS))
    peer.ignores()
    held = [(1 + 22 * MSS, 1 + 30 * MSS), (1 + 12 * MSS, 1 + 21 * MSS)]  # the 12th and the 22nd are lost
    peer.sends(ACK, ack=1 + 11 * MSS, blocks=held)
    assert us.tcb.recovery.state is CaState.RECOVERY
    peer.sends(ACK, ack=1 + 21 * MSS, blocks=held[:1])
    assert us.tcb.recovery.state is CaState.RECOVERY
    assert validation.pipe_ack(us.now) == 10 * MSS
    peer.ignores()
