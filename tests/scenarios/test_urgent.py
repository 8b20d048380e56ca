"""RFC 9293 §3.8.5, RFC 6093: urgent data is data with a mark, in its place in the stream."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import PLAIN, established, in_state
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.tcp.wakeup import READABLE
from usertcp.wire.tcp import ACK, URG


def test_urgent_data_stays_in_line() -> None:
    """RFC 6093 §4, §6: "applications that use it MUST be delivered in line"; the pointer names the byte after
    the last urgent one (RFC 9293 §3.8.5, MUST-62)."""
    us, peer = established()
    peer.sends(ACK | URG, data=b"stop!now", urgent=5)
    assert us.tcb.urgent_remaining == 5
    assert us.reads(3) == b"sto"
    assert us.tcb.urgent_remaining == 2
    assert us.reads() == b"p!now"
    assert us.tcb.urgent_remaining == 0


def test_the_application_is_told_before_the_data_arrives() -> None:
    """RFC 9293 §3.8.5 (MUST-32): asynchronously, and how much there is to read (MUST-33)."""
    us, peer = established(PLAIN)
    us.tcb.pending = 0
    peer.sends(ACK | URG, urgent=1000)
    assert us.tcb.pending & READABLE
    assert us.tcb.urgent_remaining == 1000
    assert not us.tcb.readable
    peer.sends(ACK, data=bytes(600))
    assert us.tcb.urgent_remaining == 1000
    us.reads()
    assert us.tcb.urgent_remaining == 400


def test_in_urgent_mode_the_application_is_not_told_again() -> None:
    """RFC 9293 §3.10.7.4, sixth: "do not signal the user again"."""
    us, peer = established()
    peer.sends(ACK | URG, urgent=1000)
    us.tcb.pending = 0
    peer.sends(ACK | URG, urgent=1000)
    peer.sends(ACK | URG, urgent=2000)
    assert not us.tcb.pending
    assert us.tcb.urgent_remaining == 2000


def test_after_urgent_mode_the_application_is_told_anew() -> None:
    """RFC 9293 §3.8.5 (MUST-32)."""
    us, peer = established()
    peer.sends(ACK | URG, data=b"abc", urgent=3)
    us.reads()
    us.tcb.pending = 0
    peer.sends(ACK | URG, data=b"def", urgent=3)
    assert us.tcb.pending & READABLE
    assert us.tcb.urgent_remaining == 3


def test_the_pointer_does_not_recede() -> None:
    """RFC 9293 §3.10.7.4, sixth: RCV.UP <- max(RCV.UP, SEG.UP)."""
    us, peer = established()
    peer.sends(ACK | URG, urgent=1000)
    peer.sends(ACK | URG, urgent=10)
    assert us.tcb.urgent_remaining == 1000


@pytest.mark.parametrize("urgent", [0, 1, 65535])
def test_a_pointer_that_makes_no_sense_does_no_harm(urgent: int) -> None:
    """RFC 9293 §3.8.5: "a TCP receiver should be robust to invalid urgent pointer values"."""
    us, peer = established()
    peer.sends(ACK | URG, data=b"hello", urgent=urgent)
    assert us.reads() == b"hello"
    assert us.tcb.urgent_remaining == max(0, urgent - 5)


def test_without_urg_the_field_means_nothing() -> None:
    """RFC 9293 §3.1: "only to be interpreted in segments with the URG control bit set"."""
    us, peer = established()
    peer.sends(ACK, data=b"hello", urgent=3)
    assert us.tcb.urgent_remaining == 0


def test_urgent_counts_while_our_window_is_closed() -> None:
    """RFC 9293 §3.4 (MUST-66)."""
    us, peer = established(Settings(receive_buffer=2000, timestamps=False))
    peer.sends(ACK, data=bytes(2000))
    peer.receives(ACK, window=0, after=0.04)
    peer.sends(ACK | URG, urgent=1)
    assert us.tcb.urgent_remaining == 2001
    peer.sends(ACK | URG, seq=2001, data=b"!", urgent=2)
    assert us.tcb.urgent_remaining == 2002


@pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK], ids=str)
def test_after_the_fin_nothing_is_urgent(state: State) -> None:
    """RFC 9293 §3.10.7.4, sixth: "Ignore the URG"."""
    us, peer = in_state(state)
    peer.sends(ACK | URG, ack=1, urgent=10)
    assert us.tcb.urgent_remaining == 0
    assert us.state is state
