"""RFC 5681 §4.1 and RFC 7661: what a congestion window is worth after a silence."""

from __future__ import annotations

from dataclasses import replace

from tests.scenarios.driver import PLAIN, Peer, Us, established
from usertcp.tcp.settings import Settings
from usertcp.wire.tcp import ACK

MSS = 1460


def _window_of_twenty(settings: Settings = PLAIN) -> tuple[Us, Peer]:
    """One round trip of slow start has doubled the initial window of ten segments."""
    us, peer = established(settings, round_trip=0.1)
    us.sends(bytes(10 * MSS))
    us.waits(0.1)
    for number in range(1, 11):
        peer.sends(ACK, ack=1 + number * MSS)
    peer.ignores()
    assert us.tcb.status().cwnd == 20 * MSS
    return us, peer


def _sent_at_once(us: Us, peer: Peer) -> int:
    us.sends(bytes(30 * MSS))
    return len(peer.ignores())


def test_after_a_timeout_of_silence_the_initial_window() -> None:
    """RFC 5681 §4.1: the restart window; ssthresh remembers nothing of it and stays."""
    us, peer = _window_of_twenty()
    ssthresh = us.tcb.status().ssthresh
    us.waits(us.tcb.status().rto + 0.001)
    assert _sent_at_once(us, peer) == 10
    assert us.tcb.status().ssthresh == ssthresh


def test_a_shorter_one_changes_nothing() -> None:
    """RFC 5681 §4.1: "not sent data in an interval exceeding the retransmission timeout"."""
    us, peer = _window_of_twenty()
    us.waits(us.tcb.status().rto - 0.15)
    assert _sent_at_once(us, peer) == 20


def test_what_the_peer_sends_meanwhile_is_no_sign_of_the_path() -> None:
    """RFC 5681 §4.1: it counts when we last sent data, neither when we last heard of the peer
    nor when we acknowledged what it said."""
    us, peer = _window_of_twenty()
    us.waits(us.tcb.status().rto + 0.001)
    peer.sends(ACK, data=b"a request")
    us.waits(0.05)
    peer.receives(ACK, length=0)
    assert _sent_at_once(us, peer) == 10


def test_with_rfc_7661_the_window_outlives_silence() -> None:
    """RFC 7661 §4.4: for five minutes, if it was validated before."""
    us, peer = _window_of_twenty(replace(PLAIN, validate_window=True))
    us.waits(60)
    assert _sent_at_once(us, peer) == 20


def test_while_something_is_outstanding_there_is_no_silence() -> None:
    us, peer = _window_of_twenty()
    us.sends(bytes(MSS))
    us.waits(0.25)
    us.sends(bytes(30 * MSS))
    assert len(peer.ignores()) == 20
