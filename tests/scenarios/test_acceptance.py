"""RFC 9293 §3.4, §3.10.7.4: which segments count; numbers that wrap; RFC 5961 §5."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, in_state, meet
from usertcp.stack import numbers
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

MSS = 1460


def test_an_acknowledgment_from_long_ago_is_challenged() -> None:
    """RFC 5961 §5: older than SND.UNA - MAX.SND.WND; its data is not taken."""
    us, peer = established(window=1000)
    for sent in range(0, 3000, 1000):
        us.sends(bytes(1000))
        peer.receives(ACK)
        peer.sends(ACK, ack=1 + sent + 1000, window=1000)
    peer.sends(ACK, ack=2000, data=b"injected")
    peer.receives(ACK, seq=3001, ack=1, length=0)
    assert us.reads() == b""
    assert us.counted("ack-too-old") == 1
    peer.sends(ACK, seq=1, ack=2001, data=b"late but true")
    assert us.reads() == b"late but true"


def test_data_with_an_acknowledgment_of_the_future_is_not_taken() -> None:
    """RFC 9293 §3.10.7.4, fifth: "send an ACK, drop the segment, and return"."""
    us, peer = established()
    peer.sends(ACK, ack=100, data=b"injected")
    peer.receives(ACK, seq=1, ack=1)
    assert us.reads() == b""


def test_a_segment_at_the_right_edge() -> None:
    """RFC 9293 §3.10.7.4, table 6: RCV.NXT =< SEG.SEQ < RCV.NXT+RCV.WND."""
    us, peer = established(Settings(receive_buffer=1000, timestamps=False, window_scaling=False))
    peer.sends(ACK, seq=1000, data=b"in")
    peer.receives(ACK, ack=1)
    assert us.tcb.status().out_of_order == 1
    peer.sends(ACK, seq=1001, data=b"out")
    peer.receives(ACK, ack=1)
    assert us.tcb.status().out_of_order == 1
    assert us.counted("outside-window") == 1


def test_an_empty_segment_at_the_very_edge_counts() -> None:
    """RFC 9293 §3.10.7.4: a peer that has filled our window acknowledges from there."""
    us, peer = established(Settings(receive_buffer=1000, timestamps=False, window_scaling=False))
    us.sends(b"x")
    peer.receives(ACK)
    peer.sends(ACK, seq=1001, ack=2)
    assert us.tcb.snd_una == us.tcb.snd_nxt


def _isn_at(peer: Peer, us: Us, number: int) -> None:
    """Let the time be one at which our ISN is ``number``."""
    at_zero = numbers.initial_sequence_number(us.host.secret, peer.key, 0.0)
    ticks = (number - at_zero) & 0xFFFFFFFF
    us.now = (ticks + 0.5) / 250_000


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("before_wrap", [0, 1, 2, 1000, 3000, 65535])
def test_both_sequences_wrap(active: bool, before_wrap: int) -> None:
    """RFC 9293 §3.4: "all arithmetic dealing with sequence numbers must be performed modulo 2**32"."""
    us, peer = meet(PLAIN, isn=(1 << 32) - 1 - before_wrap)
    _isn_at(peer, us, (1 << 32) - 1 - before_wrap)
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
        us.tcb = us.accepts()
    assert peer.our_isn == (1 << 32) - 1 - before_wrap
    for position in range(0, 8 * MSS, MSS):
        us.sends(bytes([position % 251]) * MSS)
        peer.receives(ACK, seq=1 + position, data=bytes([position % 251]) * MSS)
        peer.sends(ACK, seq=1 + position, ack=1 + position + MSS, data=bytes([position % 13]) * MSS)
        assert us.reads() == bytes([position % 13]) * MSS
    end = 1 + 8 * MSS
    us.waits(1)
    peer.ignores()
    peer.sends(ACK, seq=end + 5, data=b"world")
    peer.receives(ACK, ack=end)
    peer.sends(ACK, seq=end, data=b"hello")
    peer.receives(ACK, ack=end + 10)
    assert us.reads() == b"helloworld"
    us.closes()
    peer.receives(FIN | ACK, seq=end, ack=end + 10)
    peer.sends(FIN | ACK, seq=end + 10, ack=end + 1)
    assert us.state is State.TIME_WAIT
    peer.receives(ACK, seq=end + 1, ack=end + 11)


def test_a_retransmission_across_the_wrap() -> None:
    """RFC 9293 §3.4."""
    us, peer = meet(PLAIN)
    _isn_at(peer, us, (1 << 32) - 500)
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.sends(b"w" * 1000)
    peer.receives(ACK, seq=1, length=1000)
    peer.receives(ACK, seq=1, length=1000, after=0.2)
    peer.sends(ACK, ack=501)
    peer.receives(ACK, seq=501, length=500, after=us.tcb.status().rto)
    peer.sends(ACK, ack=1001)
    assert us.tcb.snd_una == us.tcb.snd_nxt


def test_a_reset_just_after_the_wrap() -> None:
    """RFC 5961 §3.2, RFC 9293 §3.4."""
    us, peer = established(isn=(1 << 32) - 3)
    peer.sends(ACK, data=b"wrap")
    us.waits(1)
    peer.ignores()
    peer.sends(RST, seq=6)
    peer.receives(ACK)
    assert us.state is State.ESTABLISHED
    peer.sends(RST, seq=5)
    assert us.state is State.CLOSED


@pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK], ids=str)
def test_text_after_the_fin_is_ignored(state: State) -> None:
    """RFC 9293 §3.10.7.4, seventh: "This should not occur since a FIN has been received"."""
    us, peer = in_state(state)
    peer.sends(ACK, seq=2, ack=1, data=b"afterthought")
    assert us.reads() == b""
    assert us.tcb.rcv_nxt == us.tcb.irs + 2
    assert us.state is state


def test_two_ends_that_disagree_do_not_answer_each_other_for_ever() -> None:
    """RFC 9293 §3.10.7.4, first, with RFC 5961 §7's limit: empty segments outside the window are answered at a
    bounded rate, since the answer may look the same to the other side."""
    _us, peer = established()
    for _ in range(100):
        peer.sends(ACK, seq=1_000_000)
    assert len(peer.ignores()) == 1
