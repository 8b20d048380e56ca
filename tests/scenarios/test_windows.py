"""RFC 9293 §3.8.6: windows, closed windows, silly windows; §3.7.4: Nagle; §3.8.6.3: delayed acknowledgments."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.tcp.errors import ConnectionTimedOut
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, PSH, SYN

MSS = 1460


# -- The peer's window -------------------------------------------------------------------------------


def test_no_more_than_the_window() -> None:
    """RFC 9293 §3.8.6: SND.UNA + SND.WND is the limit, whatever the congestion window allows."""
    us, peer = established(window=4000)
    us.sends(bytes(10_000))
    peer.receives(ACK, seq=1, length=MSS)
    peer.receives(ACK, seq=1461, length=MSS)
    peer.hears_nothing()
    peer.sends(ACK, ack=2921, window=4000)
    peer.receives(ACK, seq=2921, length=MSS)
    peer.receives(ACK, seq=4381, length=MSS)
    peer.hears_nothing()


def test_an_old_segment_does_not_update_the_window() -> None:
    """RFC 9293 §3.10.7.4, fifth: SND.WL1 and SND.WL2 "prevent using old segments to update the window"."""
    us, peer = established()
    peer.sends(ACK, seq=1, data=b"abc", window=5000)
    us.sends(b"x")
    peer.sends(ACK, seq=4, ack=2, window=6000)
    assert us.tcb.status().snd_wnd == 6000
    peer.sends(ACK, seq=4, ack=1, window=7000)  # an older acknowledgment
    assert us.tcb.status().snd_wnd == 6000
    peer.sends(ACK, seq=1, ack=2, data=b"abc", window=8000)  # an older segment
    assert us.tcb.status().snd_wnd == 6000
    peer.sends(ACK, seq=4, ack=2, window=9000)
    assert us.tcb.status().snd_wnd == 9000


def test_a_window_that_shrinks() -> None:
    """RFC 9293 §3.8.6 (MUST-34, SHLD-15, SHLD-16): the usable window becomes negative; no new data, but what
    is outstanding is sent again, and the connection lives."""
    us, peer = established(window=4 * MSS)
    us.sends(bytes(10 * MSS))
    assert len(peer.ignores()) == 4
    peer.sends(ACK, ack=1 + MSS, window=MSS)
    peer.hears_nothing()
    peer.receives(ACK, seq=1 + MSS, length=MSS, after=us.tcb.status().rto)
    peer.sends(ACK, ack=1 + 4 * MSS, window=4 * MSS)
    assert [segment.seq for segment in peer.ignores()] != []
    assert us.state is State.ESTABLISHED


def test_a_window_that_shrinks_to_zero_is_probed() -> None:
    """RFC 9293 §3.8.6 (MUST-35)."""
    us, peer = established(window=4 * MSS)
    us.sends(bytes(4 * MSS))
    assert len(peer.ignores()) == 4
    peer.sends(ACK, ack=1, window=0)
    probe = peer.receives(ACK, seq=1, after=0.2)
    assert len(probe.payload) == 1
    peer.sends(ACK, ack=1, window=4 * MSS)
    assert sum(len(segment.payload) for segment in peer.ignores()) >= MSS


def test_a_window_that_shrinks_keeps_the_connection() -> None:
    """RFC 9293 §3.8.6 (MAY-7, SHLD-17): what lies beyond the right edge may be sent again, and it is no reason to
    give up that the peer does not take it."""
    us, peer = established(replace(PLAIN, r2=100), window=4 * MSS)
    us.sends(bytes(4 * MSS))
    peer.ignores()
    peer.sends(ACK, ack=1 + MSS, window=100)
    peer.receives(ACK, seq=1 + MSS, length=MSS, after=us.tcb.status().rto)
    began = us.now
    while us.now < began + 400:
        peer.sends(ACK, ack=1 + MSS + 100, window=0)
        us._run(us.now + 61, stop_at_packet=True)
        peer.receives(ACK, seq=1 + MSS + 100, length=1)
    assert us.state is State.ESTABLISHED
    peer.sends(ACK, ack=1 + MSS + 100, window=4 * MSS)
    us.waits(10)
    assert sum(len(segment.payload) for segment in peer.ignores()) >= 3 * MSS - 100


# -- Probing a closed window: §3.8.6.1 ---------------------------------------------------------------


def _window_closed(settings: Settings = PLAIN) -> tuple[Us, Peer]:
    us, peer = established(settings, window=MSS)
    us.sends(bytes(3 * MSS))
    peer.receives(ACK, seq=1, length=MSS)
    peer.sends(ACK, ack=1 + MSS, window=0)
    return us, peer


def test_the_first_probe_after_one_rto_then_ever_rarer() -> None:
    """RFC 9293 §3.8.6.1 (MUST-36, SHLD-29, SHLD-30)."""
    us, peer = _window_closed()
    for interval in (0.2, 0.4, 0.8, 1.6, 3.2):
        peer.receives(ACK, seq=1 + MSS, length=1, after=interval)
        peer.sends(ACK, ack=1 + MSS, window=0)
        peer.hears_nothing()
    assert us.counted("window-probes") == 5
    assert us.counted("retransmissions") == 0


def test_a_closed_window_may_stay_closed_for_ever() -> None:
    """RFC 9293 §3.8.6.1 (MUST-37): as long as the probes are answered."""
    us, peer = _window_closed()
    began = us.now
    while us.now < began + 24 * 3600:
        us._run(us.now + 61, stop_at_packet=True)
        peer.receives(ACK, seq=1 + MSS, length=1)
        peer.sends(ACK, ack=1 + MSS, window=0)
    assert us.state is State.ESTABLISHED
    peer.sends(ACK, ack=1 + MSS, window=65535)
    assert sum(len(segment.payload) for segment in peer.ignores()) >= MSS
    peer.sends(ACK)
    assert sum(len(segment.payload) for segment in peer.ignores()) >= 1
    assert us.tcb.snd_nxt - us.tcb.iss == 1 + 3 * MSS


def test_probes_that_nobody_answers_end_the_connection() -> None:
    """RFC 9293 §3.8.3: R2; the peer is gone."""
    us, peer = _window_closed(replace(PLAIN, r2=100))
    us.waits(300)
    assert us.state is State.CLOSED
    assert isinstance(us.tcb.error, ConnectionTimedOut)
    peer.ignores()


def test_after_a_long_time_closed_a_lost_segment_does_not_end_the_connection() -> None:
    """RFC 9293 §3.8.3: R2 measures how long a segment goes unanswered, and probes were answered all the time."""
    us, peer = _window_closed()
    began = us.now
    while us.now < began + 2000:
        us._run(us.now + 61, stop_at_packet=True)
        peer.receives(ACK, seq=1 + MSS, length=1)
        peer.sends(ACK, ack=1 + MSS, window=0)
    peer.sends(ACK, ack=1 + MSS, window=65535)
    assert peer.ignores()
    us.waits(10)
    assert us.state is State.ESTABLISHED
    assert peer.ignores()


def test_answers_to_probes_are_no_sign_of_loss() -> None:
    """RFC 5681 §2 would call them duplicates; but nothing was lost, and cwnd should not pay for it."""
    us, peer = _window_closed()
    before = us.tcb.status()
    for _ in range(6):
        us._run(us.now + 61, stop_at_packet=True)
        peer.receives(ACK, seq=1 + MSS, length=1)
        peer.sends(ACK, ack=1 + MSS, window=0)
        peer.hears_nothing()
    after = us.tcb.status()
    assert (after.cwnd, after.ssthresh) == (before.cwnd, before.ssthresh)


def test_a_probe_may_be_accepted() -> None:
    """RFC 9293 §3.8.6.1: the peer found room for one byte."""
    us, peer = _window_closed()
    peer.receives(ACK, seq=1 + MSS, length=1, after=0.2)
    peer.sends(ACK, ack=2 + MSS, window=0)
    peer.receives(ACK, seq=2 + MSS, length=1, after=us.tcb.status().rto)
    peer.sends(ACK, ack=3 + MSS, window=65535)
    peer.receives(ACK, seq=3 + MSS, length=MSS)
    peer.sends(ACK)
    peer.receives(ACK, seq=3 + 2 * MSS, length=MSS - 2)


def test_the_window_update_was_lost() -> None:
    """RFC 9293 §3.8.6.1: this is what probes are for; the answer to one says that the window is open."""
    _us, peer = _window_closed()
    peer.receives(ACK, seq=1 + MSS, length=1, after=0.2)
    peer.sends(ACK, ack=2 + MSS, window=65535)
    peer.receives(ACK, seq=2 + MSS, length=MSS)


def test_we_answer_probes_of_our_window() -> None:
    """RFC 9293 §3.8.6.1: "it must still send an acknowledgment showing its next expected sequence number"."""
    us, peer = established(Settings(receive_buffer=2 * MSS, timestamps=False, window_scaling=False))
    peer.sends(ACK, data=bytes(2 * MSS))
    peer.receives(ACK, ack=1 + 2 * MSS, window=0)
    for _ in range(3):
        us.waits(1)
        peer.sends(ACK, seq=1 + 2 * MSS, data=b"x")
        peer.receives(ACK, ack=1 + 2 * MSS, window=0)
    us.waits(1)
    peer.sends(ACK, seq=2 * MSS)  # the kind of probe that most systems use: an old number, no data
    peer.receives(ACK, ack=1 + 2 * MSS, window=0)
    assert us.counted("window-closed") == 3
    assert len(us.reads()) == 2 * MSS
    peer.receives(ACK, ack=1 + 2 * MSS, window=2 * MSS)


def test_an_acknowledgment_counts_while_our_window_is_closed() -> None:
    """RFC 9293 §3.4, §3.10.7.4, first: "special allowance should be made to accept valid ACKs"."""
    us, peer = established(Settings(receive_buffer=2 * MSS, timestamps=False, window_scaling=False))
    us.sends(b"hello")
    peer.ignores()
    peer.sends(ACK, ack=1, data=bytes(2 * MSS))
    peer.receives(ACK, ack=1 + 2 * MSS, window=0)
    peer.sends(ACK, ack=6)
    assert us.tcb.snd_una == us.tcb.snd_nxt
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    peer.sends(ACK, seq=1 + 2 * MSS, ack=7, data=b"p")  # also where it comes with a probe
    assert us.tcb.snd_una == us.tcb.snd_nxt


# -- Our window --------------------------------------------------------------------------------------


def _with_scaling(buffer: int) -> tuple[Us, Peer]:
    us, peer = meet(Settings(receive_buffer=buffer, timestamps=False))
    us.listens()
    peer.sends(SYN, seq=0, wscale=0)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    return us, peer


@pytest.mark.parametrize("size", [1, 100, 1000, MSS])
def test_our_window_never_shrinks(size: int) -> None:
    """RFC 9293 §3.8.6 (SHLD-14): the right edge does not move left, whatever arrives and whenever it is read."""
    us, peer = established(Settings(receive_buffer=20_000, timestamps=False, window_scaling=False))
    edge = 1 + 20_000
    for number in range(60):
        peer.sends(ACK, data=bytes(size))
        if number % 7 == 6:
            us.reads(size * 5)
        us.waits(0.05)
        segments = peer.ignores()
        assert segments
        for segment in segments:
            new = ((segment.ack - peer.isn) & 0xFFFFFFFF) + segment.window
            assert new >= edge
            edge = new


@pytest.mark.parametrize("shift", [1, 5, 14])
def test_our_scaled_window_shrinks_by_rounding_only(shift: int) -> None:
    """RFC 7323 §2.4: the edge may wobble by less than a unit of the scale; and it never runs away from what the
    buffer holds, as it would if it were rounded up each time."""
    buffer = 65536 << (shift - 1)
    us, peer = _with_scaling(buffer)
    assert us.tcb.status().rcv_wscale == shift
    edge = 1
    for number in range(100):
        peer.sends(ACK, data=bytes(number % 13 * 100 + 1))
        if number % 10 == 9:
            us.reads()
        us.waits(0.05)
        for segment in peer.ignores():
            new = ((segment.ack - peer.isn) & 0xFFFFFFFF) + (segment.window << shift)
            assert new > edge - (1 << shift)
            edge = max(edge, new)
            held = us.tcb.status().unread
            assert (segment.window << shift) + held <= buffer + (1 << shift)


def test_text_beyond_the_window_is_cut_off() -> None:
    """RFC 9293 §3.10.7.4, first: "trimming off any portions that lie outside the window"."""
    us, peer = established(Settings(receive_buffer=2000, timestamps=False, window_scaling=False))
    peer.sends(ACK, data=bytes(1000) + b"in" * 500 + b"out" * 100)
    peer.receives(ACK, ack=2001, window=0)
    assert us.reads() == bytes(1000) + b"in" * 500
    assert us.counted("text-beyond-window") == 1


# -- Silly windows: §3.8.6.2 -------------------------------------------------------------------------


def test_the_receiver_opens_its_window_in_worthwhile_steps() -> None:
    """RFC 9293 §3.8.6.2.2 (MUST-39): min(RCV.BUFF / 2, MSS), not the few bytes that were read."""
    us, peer = established(Settings(receive_buffer=4 * MSS, timestamps=False, window_scaling=False))
    for _ in range(4):
        peer.sends(ACK, data=bytes(MSS))
    peer.ignores()
    peer.sends(ACK, data=b"probe")
    peer.receives(ACK, ack=1 + 4 * MSS, window=0)
    for _ in range(14):
        us.reads(100)
        peer.hears_nothing(during=1)
        peer.sends(ACK, seq=1 + 4 * MSS, data=b"probe")
        peer.receives(ACK, window=0)
    us.reads(100)
    peer.receives(ACK, ack=1 + 4 * MSS, window=1500)


def test_a_small_buffer_opens_by_half() -> None:
    """RFC 9293 §3.8.6.2.2: Fr = 1/2."""
    us, peer = established(Settings(receive_buffer=1000, timestamps=False, window_scaling=False))
    peer.sends(ACK, data=bytes(1000))
    peer.receives(ACK, window=0, after=0.04)
    us.reads(499)
    peer.hears_nothing(during=1)
    us.reads(1)
    peer.receives(ACK, window=500)


def test_the_sender_waits_for_a_full_segment() -> None:
    """RFC 9293 §3.8.6.2.1 (MUST-38), rule (1)."""
    us, peer = established(window=4 * MSS)
    us.sends(bytes(20 * MSS))
    assert len(peer.ignores()) == 4
    peer.sends(ACK, ack=1 + 4 * MSS, window=100)
    peer.hears_nothing(during=0.1)
    peer.sends(ACK, ack=1 + 4 * MSS, window=MSS)
    peer.receives(ACK, seq=1 + 4 * MSS, length=MSS)
    peer.hears_nothing()


def test_the_sender_takes_half_of_the_largest_window() -> None:
    """RFC 9293 §3.8.6.2.1, rule (3): Fs = 1/2 of Max(SND.WND)."""
    us, peer = established(window=1000)
    us.sends(bytes(3000))
    peer.receives(ACK, seq=1, length=1000)
    peer.sends(ACK, ack=1001, window=499)
    peer.hears_nothing(during=0.1)
    peer.sends(ACK, ack=1001, window=500)
    peer.receives(ACK, seq=1001, length=500)


def test_the_sender_overrides_after_a_while() -> None:
    """RFC 9293 §3.8.6.2.1, rule (4): between 0.1 and 1 s."""
    us, peer = established(window=4 * MSS)
    us.sends(bytes(5 * MSS))
    assert len(peer.ignores()) == 4
    peer.sends(ACK, ack=1 + 4 * MSS, window=100)
    peer.receives(ACK, seq=1 + 4 * MSS, length=100, after=0.2)
    peer.hears_nothing()


def test_small_windows_are_filled_if_the_peer_never_offered_more() -> None:
    """RFC 9293 §3.8.6.2.1, rule (3): a tiny device's whole buffer is not silly."""
    us, peer = established(window=50)
    us.sends(bytes(120))
    peer.receives(ACK, seq=1, length=50)
    peer.sends(ACK, window=50)
    peer.receives(ACK, seq=51, length=50)
    peer.sends(ACK, window=50)
    peer.receives(ACK, seq=101, length=20)


# -- Nagle: §3.7.4 -----------------------------------------------------------------------------------


def test_nagle_collects_small_writes() -> None:
    """RFC 9293 §3.7.4 (SHLD-7)."""
    us, peer = established()
    us.sends(b"a")
    peer.receives(ACK, data=b"a")
    for letter in b"bcdef":
        us.sends(bytes([letter]))
    peer.hears_nothing(during=0.1)
    peer.sends(ACK, ack=2)
    peer.receives(ACK, seq=2, data=b"bcdef")


def test_nagle_does_not_hold_a_full_segment_back() -> None:
    """RFC 9293 §3.7.4: "or until the TCP endpoint can send a full-sized segment"."""
    us, peer = established()
    us.sends(b"a")
    peer.receives(ACK, data=b"a")
    us.sends(bytes(MSS - 1))
    peer.hears_nothing()
    us.sends(b"bc")
    peer.receives(ACK, seq=2, length=MSS)
    peer.hears_nothing(during=0.1)
    peer.sends(ACK, ack=2 + MSS)
    peer.receives(ACK, data=b"c")


def test_nagle_holds_the_tail_of_a_large_write_back() -> None:
    """RFC 9293 §3.7.4: there is unacknowledged data, even if it left just now."""
    us, peer = established()
    us.sends(bytes(2 * MSS + 10))
    peer.receives(ACK, length=MSS)
    peer.receives(ACK, length=MSS)
    peer.hears_nothing(during=0.1)
    peer.sends(ACK)
    peer.receives(ACK, seq=1 + 2 * MSS, length=10)


def test_nodelay() -> None:
    """RFC 9293 §3.7.4 (MUST-17)."""
    us, peer = established()
    us.tcb.nodelay = True
    for letter in b"abc":
        us.sends(bytes([letter]))
        peer.receives(ACK, data=bytes([letter]))
    us.sends(bytes(MSS + 1))
    peer.receives(ACK, length=MSS)
    peer.receives(ACK, length=1)


def test_a_cork_holds_a_partial_segment_back_even_where_nothing_is_outstanding() -> None:
    """RFC 9293 §3.8.6.2.1 (4): but not for ever."""
    us, peer = established()
    us.tcb.corked = us.tcb.nodelay = True
    us.sends(bytes(MSS + 10))
    peer.receives(ACK, length=MSS)
    peer.sends(ACK)
    peer.hears_nothing(during=0.1)
    us.tcb.corked = False
    us.tcb.push(us.now)
    peer.receives(ACK, seq=1 + MSS, length=10)
    peer.sends(ACK)
    us.tcb.corked = True
    us.sends(b"abc")
    peer.receives(ACK, data=b"abc", after=0.2)


def test_more_is_announced() -> None:
    """RFC 9293 §3.7.4: an application may know better than Nagle."""
    us, peer = established()
    us.tcb.send(b"ab", us.now, more=True)
    us.settle()
    peer.hears_nothing(during=0.1)
    us.tcb.send(b"cd", us.now)
    us.settle()
    peer.receives(ACK, data=b"abcd")


def test_a_cork_does_not_hold_a_fin_back() -> None:
    """RFC 9293 §3.10.4: CLOSE: everything goes out."""
    us, peer = established()
    us.tcb.corked = True
    us.sends(b"ab")
    peer.hears_nothing()
    us.closes()
    peer.receives(FIN | ACK, data=b"ab")


@pytest.mark.parametrize("nodelay", [False, True])
def test_a_record_ends_a_segment(nodelay: bool) -> None:
    """RFC 9293 §3.9.1.2: the sender may repackage, unless it is told where segments are to end."""
    us, peer = established()
    us.tcb.nodelay = nodelay
    with us.one_batch():
        us.tcb.send(bytes(MSS + 10), us.now, end_of_record=True)
        us.tcb.send(bytes(MSS), us.now)
        us.tcb.send(b"abc", us.now, end_of_record=True)
        us.tcb.send(b"def", us.now)
    peer.receives(ACK, length=MSS)
    if not nodelay:
        peer.hears_nothing()
        peer.sends(ACK)
    peer.receives(ACK, length=10)
    peer.sends(ACK)
    peer.receives(ACK, length=MSS)
    peer.sends(ACK)
    peer.receives(ACK, data=b"abc")
    peer.sends(ACK)
    peer.receives(ACK, data=b"def")


def test_the_last_piece_before_a_fin_does_not_wait() -> None:
    """RFC 9293 §3.7.4: nothing will ever join it."""
    us, peer = established()
    us.sends(b"a")
    peer.receives(ACK, data=b"a")
    us.sends(b"b")
    peer.hears_nothing()
    us.closes()
    peer.receives(FIN | ACK, seq=2, data=b"b")


def test_push_at_the_end_of_what_there_is() -> None:
    """RFC 9293 §3.9.1.2 (MUST-61): PSH in the last buffered segment."""
    us, peer = established()
    us.tcb.nodelay = True
    us.sends(bytes(MSS + 10))
    assert not peer.receives(ACK, length=MSS).flags & PSH
    peer.receives(ACK | PSH, length=10)


# -- Delayed acknowledgments: §3.8.6.3 ---------------------------------------------------------------


def test_one_segment_is_acknowledged_after_40_ms() -> None:
    """RFC 9293 §3.8.6.3 (SHLD-18, MUST-40)."""
    _us, peer = established()
    peer.sends(ACK, data=bytes(MSS))
    peer.receives(ACK, ack=1 + MSS, after=0.04)
    peer.hears_nothing(during=1)


def test_the_second_full_segment_is_acknowledged_at_once() -> None:
    """RFC 9293 §3.8.6.3 (SHLD-19)."""
    _us, peer = established()
    peer.sends(ACK, data=bytes(MSS))
    peer.hears_nothing()
    peer.sends(ACK, data=bytes(MSS))
    peer.receives(ACK, ack=1 + 2 * MSS)
    peer.hears_nothing(during=1)


def test_a_peer_with_small_segments() -> None:
    """RFC 9293 §3.8.6.3 (SHLD-19): small segments are not full-sized ones: many of them share an acknowledgment."""
    _us, peer = established()
    for _ in range(5):
        peer.sends(ACK, data=bytes(100))
    peer.hears_nothing(during=0.039)
    peer.receives(ACK, ack=501, after=0.001)


def test_a_batch_shares_an_acknowledgment() -> None:
    """RFC 9293 §3.10.7.4 (MUST-58, MUST-59): "it MUST process them all before sending any ACK segments"."""
    us, peer = established()
    with us.one_batch():
        for _ in range(6):
            peer.sends(ACK, data=bytes(MSS))
    peer.receives(ACK, ack=1 + 6 * MSS)
    peer.hears_nothing(during=1)


def test_an_answer_carries_the_acknowledgment() -> None:
    """RFC 9293 §3.10.7.4, seventh: "should be piggybacked"."""
    us, peer = established()
    peer.sends(ACK, data=b"question")
    us.waits(0.01)
    us.reads()
    us.sends(b"answer")
    peer.receives(ACK, ack=9, data=b"answer")
    peer.hears_nothing(during=0.15)


def test_out_of_order_data_is_acknowledged_at_once_and_each_time() -> None:
    """RFC 5681 §4.2: a duplicate acknowledgment for each of them, so that the peer can count them."""
    us, peer = established()
    with us.one_batch():
        for number in (1, 2, 3):
            peer.sends(ACK, seq=1 + number * MSS, data=bytes(MSS))
    for _ in range(3):
        peer.receives(ACK, ack=1)
    peer.hears_nothing(during=1)


def test_what_fills_a_gap_is_acknowledged_at_once() -> None:
    """RFC 5681 §4.2."""
    us, peer = established()
    peer.sends(ACK, seq=1 + 100, data=bytes(100))
    peer.receives(ACK, ack=1)
    peer.sends(ACK, seq=1 + 300, data=bytes(100))
    peer.receives(ACK, ack=1)
    peer.sends(ACK, seq=1, data=bytes(100))
    peer.receives(ACK, ack=201)
    peer.sends(ACK, seq=201, data=bytes(100))
    peer.receives(ACK, ack=401)
    assert us.reads() == bytes(400)


def test_old_data_again_is_acknowledged_at_once() -> None:
    """RFC 9293 §3.10.7.4, first: our acknowledgment was lost."""
    us, peer = established()
    peer.sends(ACK, seq=1, data=b"hello")
    us.waits(1)
    peer.ignores()
    peer.sends(ACK, seq=1, data=b"hello")
    peer.receives(ACK, ack=6)
    peer.sends(ACK, seq=4, data=b"lo world")  # partly new
    peer.receives(ACK, ack=12)
    assert us.reads() == b"hello world"


def test_pure_acknowledgments_are_not_acknowledged() -> None:
    """RFC 9293 §3.5: "if it did, we would wind up ACKing ACKs!"."""
    _us, peer = established()
    for _ in range(5):
        peer.sends(ACK)
    peer.hears_nothing(during=10)


# -- Reassembly --------------------------------------------------------------------------------------


def test_the_number_of_gaps_is_bounded() -> None:
    """RFC 9293 §3.10.7.4 (SHLD-31), with a bound: the peer sends again what was not kept."""
    us, peer = established(replace(PLAIN, max_gaps=3))
    for number in range(1, 6):
        peer.sends(ACK, seq=1 + 20 * number, data=bytes(10))
        peer.receives(ACK, ack=1)
    assert us.counted("too-many-gaps") == 2
    assert us.tcb.status().out_of_order == 30


def test_overlapping_segments() -> None:
    """RFC 9293 §3.10.7.4: "If a segment's contents straddle the boundary between old and new"."""
    us, peer = established()
    text = bytes(range(60))
    for start, end in ((20, 40), (30, 50), (10, 25), (20, 45), (0, 12), (48, 60)):
        peer.sends(ACK, seq=1 + start, data=text[start:end])
    assert us.reads() == text
    assert peer.ignores()
