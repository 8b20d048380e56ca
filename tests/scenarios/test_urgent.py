"""RFC 9293 §3.8.5, RFC 6093: urgent data is data with a mark, in its place in the stream."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import PLAIN, Us, established, in_state
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.tcp.wakeup import READABLE
from usertcp.wire.tcp import ACK, PSH, URG


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


# -- Sending it ----------------------------------------------------------------------------------------------------


def sends_urgent(us: Us, data: bytes) -> None:
    assert us.tcb.send(data, us.now, urgent=True) == len(data)
    us.settle()


def test_the_pointer_names_the_byte_after_the_urgent_data() -> None:
    """RFC 9293 §3.8.5 (MUST-30, MUST-62), §3.10.2: it is said by every segment until the end of the urgent data."""
    us, peer = established()
    sends_urgent(us, b"stop!")
    assert peer.receives(ACK | URG | PSH, seq=1, data=b"stop!").urgent == 5
    peer.sends(ACK)
    us.sends(b"now")
    assert peer.receives(ACK, seq=6, data=b"now").urgent == 0


def test_urgent_data_does_not_wait_for_company() -> None:
    us, peer = established()
    us.sends(b"first")
    peer.receives(ACK, data=b"first")
    sends_urgent(us, b"!")
    assert peer.receives(ACK | URG, data=b"!").urgent == 1


def test_it_is_told_of_before_it_can_be_sent() -> None:
    """RFC 9293 §3.8.6: also while the window is closed; each segment counts from where it stands itself."""
    us, peer = established(window=2000)
    us.sends(bytes(1460))
    peer.receives(ACK, seq=1, length=1460)
    sends_urgent(us, bytes(2540))
    segments = peer.ignores()
    peer.sends(ACK, data=b"a question")
    us.waits(0.5)
    segments += peer.ignores()
    assert segments
    for segment in segments:
        assert segment.flags & URG
        assert (segment.seq - peer.our_isn + segment.urgent) & 0xFFFF == 4001


def test_a_super_segment_would_copy_the_pointer() -> None:
    us, peer = established(offload=True)
    sends_urgent(us, bytes(4380))
    assert [(len(segment.payload), segment.urgent) for segment in peer.ignores()] == [
        (1460, 4380),
        (1460, 2920),
        (1460, 1460),
    ]
    peer.sends(ACK)
    us.sends(bytes(4380))
    assert [len(segment.payload) for segment in peer.ignores()] == [4380]


def test_what_is_sent_again_says_it_again() -> None:
    us, peer = established()
    sends_urgent(us, b"stop!")
    peer.ignores()
    us.waits(3)
    again = peer.ignores()[0]
    assert (again.flags & URG, again.urgent) == (URG, 5)


def test_it_may_lie_farther_ahead_than_the_pointer_reaches() -> None:
    """RFC 9293 §3.1: 16 bits; until they will do, nothing is said."""
    us, peer = established(window=1460)
    us.sends(bytes(70000))
    peer.ignores()
    sends_urgent(us, b"!")
    peer.sends(ACK)
    first = peer.ignores()[0]
    assert not first.flags & URG
    peer.sends(ACK, window=10000)
    assert peer.ignores()[-1].flags & URG
