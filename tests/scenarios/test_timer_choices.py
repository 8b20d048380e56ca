"""What timers do in systems that differ from us: each by a setting of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.tcp.errors import ConnectionTimedOut
from usertcp.tcp.rtt import LargestOfRound, LateTimeout
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, PSH, RST, SYN

MSS = 1460


def _syns(settings: Settings, *waits: float) -> tuple[Us, Peer]:
    us, peer = meet(settings)
    us.connects()
    peer.receives(SYN)
    for wait in waits:
        peer.receives(SYN, after=wait)
    return us, peer


# -- SYN and SYN,ACK -----------------------------------------------------------------------------------


def test_the_first_syns_need_not_wait_longer_and_longer() -> None:
    """RFC 6298 §5.5 doubles each time; a network that needs a moment to wake up is found sooner like this."""
    us, peer = _syns(replace(PLAIN, syn_linear_timeouts=2, syn_retries=2), 1, 1, 1, 2)
    peer.hears_nothing(during=3.9)
    us.waits(0.2)
    assert us.state is State.CLOSED
    assert isinstance(us.tcb.error, ConnectionTimedOut)


def test_a_schedule_for_syns() -> None:
    _syns(replace(PLAIN, syn_backoff=(1, 1, 3), initial_rto=0.5), 0.5, 0.5, 1.5, 1.5)


def test_syn_acks_are_sent_again_so_often() -> None:
    us, peer = meet(replace(PLAIN, syn_ack_retries=2))
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.receives(SYN | ACK, after=1)
    peer.receives(SYN | ACK, after=2)
    peer.hears_nothing(during=100)
    assert us.gone


# -- How long is long enough ---------------------------------------------------------------------------


def test_r2_as_a_number_of_retransmissions() -> None:
    """RFC 9293 §3.8.3: R2 may be a count; here it is the time that so many take: 3 s after the first."""
    us, peer = established(replace(PLAIN, retries=3), round_trip=0.1)
    us.sends(b"a")
    peer.receives(ACK, data=b"a")
    for wait in (0.3, 0.6, 1.2):
        peer.receives(ACK, data=b"a", after=wait)
    peer.hears_nothing(during=2.39)
    assert us.state is State.ESTABLISHED
    peer.hears_nothing(during=0.02)
    assert us.state is State.CLOSED


def test_r2_of_a_connection_whose_application_is_gone() -> None:
    us, peer = established(replace(PLAIN, retries=10, orphan_retries=1), round_trip=0.1)
    us.releases()
    peer.receives(FIN | ACK)
    peer.receives(FIN | ACK, after=0.3)
    peer.hears_nothing(during=0.61)
    assert us.gone


@pytest.mark.parametrize(("when", "told"), [("never", False), ("keepalives", False), ("always", True)])
def test_the_peer_may_be_told_that_it_is_given_up(when: str, told: bool) -> None:
    us, peer = established(replace(PLAIN, retries=1, reset_on_timeout=when), round_trip=0.1)
    us.sends(b"a")
    us.waits(0.4)
    peer.ignores()
    if told:
        peer.receives(RST, seq=2, after=0.5)
    else:
        peer.hears_nothing(during=5)
    assert us.state is State.CLOSED


def test_a_peer_that_answers_no_keepalive_may_be_reset() -> None:
    settings = replace(
        PLAIN, keepalive=True, keepalive_idle=1, keepalive_interval=1, keepalive_probes=2, reset_on_timeout="keepalives"
    )
    _us, peer = established(settings)
    peer.receives(ACK, seq=0, after=1)
    peer.receives(ACK, seq=0, after=1)
    peer.receives(RST, seq=1, after=1)


def test_with_a_user_timeout_its_end_counts_and_not_the_number_of_keepalives() -> None:
    """RFC 9293 §3.9.1.1: one timeout for all that stays unanswered."""
    settings = replace(PLAIN, keepalive=True, keepalive_idle=1, keepalive_interval=1, keepalive_probes=9)
    us, peer = established(replace(settings, user_timeout=2.5))
    peer.receives(ACK, seq=0, after=1)
    peer.receives(ACK, seq=0, after=1)
    peer.hears_nothing(during=1)
    assert isinstance(us.tcb.error, ConnectionTimedOut)


# -- Closed windows ------------------------------------------------------------------------------------


def test_a_closed_window_may_be_probed_without_data() -> None:
    """RFC 9293 §3.8.6.1 asks for a byte; an old segment is answered as well, and leaves nothing outstanding."""
    us, peer = established(replace(PLAIN, zero_window_probe="old"), round_trip=0.1)
    peer.sends(ACK, window=0)
    us.sends(b"abc")
    for wait in (0.3, 0.6, 1.2):
        peer.receives(ACK, seq=0, length=0, after=wait)
        peer.sends(ACK, window=0)
    peer.sends(ACK, window=10)
    peer.receives(ACK, seq=1, data=b"abc")


def test_a_window_closed_over_what_is_outstanding() -> None:
    """RFC 9293 §3.8.6.1: what is sent again is a probe, too."""
    us, peer = established(replace(PLAIN, zero_window_probe="old"), round_trip=0.1)
    us.sends(bytes(2 * MSS))
    peer.ignores()
    peer.sends(ACK, ack=1, window=0)
    peer.receives(ACK, seq=1, length=MSS, after=0.3)
    peer.receives(ACK, seq=1, length=MSS, after=0.6)
    assert us.tcb.retransmissions == 2


def test_what_silly_window_avoidance_holds_back_may_wait_for_a_timeout() -> None:
    """RFC 9293 §3.8.6.2.1 (4): 0.1 to 1 s."""
    us, peer = established(replace(PLAIN, sws_override=None), round_trip=0.3)
    us.tcb.corked = True
    us.sends(b"abc")
    peer.receives(ACK, data=b"abc", after=0.9)


# -- The timeout ---------------------------------------------------------------------------------------


def test_a_constant_beyond_the_back_off() -> None:
    """SRTT + 4 RTTVAR, at least ``rto_floor``, doubled, and only then ``rto_slop``."""
    settings = replace(PLAIN, min_rto=0.0, rto_slop=0.2, rto_floor=0.03)
    us, peer = established(settings, round_trip=0.1)
    assert isinstance(us.tcb.rtt, LateTimeout)
    us.sends(b"a")
    peer.receives(ACK, data=b"a")
    for wait in (0.3 + 0.2, 0.6 + 0.2, 1.2 + 0.2):
        peer.receives(ACK, data=b"a", after=wait)


def test_the_floor_of_such_a_timeout() -> None:
    settings = replace(PLAIN, min_rto=0.0, rto_slop=0.2, rto_floor=0.03)
    us, peer = established(settings, round_trip=0.001)
    us.sends(b"a")
    peer.receives(ACK, data=b"a")
    peer.receives(ACK, data=b"a", after=0.23)


def test_the_variance_falls_once_a_round_trip() -> None:
    """Many samples in one do not average a spike away (RFC 6298 §2.3 would let them)."""
    estimator = LargestOfRound(1.0, 0.2, 120.0)
    estimator.sample(0.1, 1, 100)
    assert estimator.rto == pytest.approx(0.3)
    estimator.sample(0.5, 100, 200)
    spread = estimator.spread
    assert spread > 0.4
    for _ in range(20):
        estimator.sample(0.15, 100, 200)
    assert estimator.spread == spread
    assert 4 * estimator.rttvar < spread
    estimator.sample(0.15, 101, 300)
    assert estimator.spread == spread  # the spike was in the round that ends now
    estimator.sample(0.15, 301, 400)
    assert 0.2 < estimator.spread < spread


def test_a_shorter_round_trip_is_no_irregularity() -> None:
    estimator = LargestOfRound(1.0, 0.0, 120.0)
    plain = LargestOfRound(1.0, 0.0, 120.0)
    for each in (estimator, plain):
        for number in range(50):
            each.sample(1.0, number, number)
    estimator.sample(0.5, 100, 100)
    plain.sample(1.5, 100, 100)
    assert estimator.rttvar < plain.rttvar / 4


def test_pushed_what_was_pushed() -> None:
    """With ``push_super_segments`` a retransmission has PSH where its original had it."""
    us, peer = established(replace(PLAIN, push_super_segments=True))
    us.sends(b"a")
    peer.receives(ACK | PSH, data=b"a")
    us.sends(b"b")
    us.waits(1.01)
    assert peer.receives(ACK | PSH, data=b"a")
