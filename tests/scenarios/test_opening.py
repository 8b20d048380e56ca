"""RFC 9293 §3.5: establishing a connection, and what can go wrong with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, START, established, in_state, meet
from usertcp.stack import numbers
from usertcp.tcp.errors import ConnectionAlreadyExists, ConnectionRefused, ConnectionReset, ConnectionTimedOut
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, FIN, RST, SYN


def test_figure_6_with_us_as_peer_a() -> None:
    """RFC 9293 §3.5, figure 6."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN, seq=0)  # 2
    assert us.state is State.SYN_SENT
    peer.sends(SYN | ACK, seq=0, ack=1)  # 3
    assert us.state is State.ESTABLISHED
    peer.receives(ACK, seq=1, ack=1)  # 4
    us.sends(b"data")
    peer.receives(ACK, seq=1, ack=1, data=b"data")  # 5: an ACK occupies no sequence number


def test_figure_6_with_us_as_peer_b() -> None:
    """RFC 9293 §3.5, figure 6."""
    us, peer = established()
    peer.sends(ACK, seq=1, ack=1, data=b"data")
    assert us.reads() == b"data"
    peer.receives(ACK, seq=1, ack=5, after=0.04)


def test_figure_7_simultaneous_open() -> None:
    """RFC 9293 §3.5, figure 7 (MUST-10)."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN, seq=0)  # 2
    peer.sends(SYN, seq=0)  # 3
    assert us.state is State.SYN_RECEIVED
    peer.receives(SYN | ACK, seq=0, ack=1)  # 5
    peer.sends(SYN | ACK, seq=0, ack=1)  # 6
    assert us.state is State.ESTABLISHED
    us.sends(b"from us")
    peer.receives(ACK, seq=1, ack=1, data=b"from us")
    peer.sends(ACK, seq=1, ack=8, data=b"from the peer")
    assert us.reads() == b"from the peer"


def test_figure_7_where_the_peers_answer_is_a_plain_ack() -> None:
    """RFC 9293 §3.10.7.4, fifth: in SYN-RECEIVED any acceptable ACK establishes the connection."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK, seq=1, ack=1)
    assert us.state is State.ESTABLISHED
    peer.sends(SYN | ACK, seq=0, ack=1)  # and the SYN,ACK of figure 7 comes late
    peer.receives(ACK, seq=1, ack=1)
    assert us.state is State.ESTABLISHED


def test_simultaneous_open_where_our_syn_ack_is_lost() -> None:
    """RFC 9293 §3.5: the peer's SYN comes again, and is answered again with a SYN,ACK."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)  # lost, says the peer
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    assert us.state is State.SYN_RECEIVED
    peer.sends(ACK, seq=1, ack=1)
    assert us.state is State.ESTABLISHED


def test_figure_8_with_us_as_peer_b() -> None:
    """RFC 9293 §3.5, figure 8: recovery from an old duplicate SYN."""
    us, peer = meet()
    us.listens()
    peer.sends(SYN, seq=-10)  # 3: the duplicate
    peer.receives(SYN | ACK, seq=0, ack=(-9) & 0xFFFFFFFF)  # 4
    child = us.tcb
    assert child.state is State.SYN_RECEIVED
    peer.sends(RST, seq=-9)  # 5
    assert child.state is State.LISTEN
    peer.sends(SYN, seq=0)  # 6
    peer.receives(SYN | ACK, seq=0, ack=1)  # 7
    peer.sends(ACK, seq=1, ack=1)  # 8
    assert us.state is State.ESTABLISHED
    assert us.accepts() is us.tcb is not child


def test_figure_8_with_us_as_peer_a() -> None:
    """RFC 9293 §3.5, figure 8, lines 4, 5 and 7."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN, seq=0)
    peer.sends(SYN | ACK, seq=0, ack=-9)  # 4: acknowledges the duplicate, ten numbers too early
    peer.receives(RST, seq=(-9) & 0xFFFFFFFF)  # 5
    assert us.state is State.SYN_SENT
    peer.sends(SYN | ACK, seq=100, ack=1)  # 7
    assert us.state is State.ESTABLISHED
    peer.receives(ACK, seq=1, ack=101)


def test_figure_8_where_the_true_syn_overtakes_the_reset() -> None:
    """RFC 9293 §3.10.7.4, fourth: a SYN in the window returns a passive open to LISTEN, and the next try
    succeeds; the RST that comes late finds a listener, which ignores it (§3.10.7.2, first)."""
    us, peer = meet()
    us.listens()
    peer.sends(SYN, seq=-10)
    peer.receives(SYN | ACK)
    peer.sends(SYN, seq=0)
    assert us.state is State.LISTEN
    peer.sends(RST, seq=-9)
    peer.hears_nothing()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)


def test_a_syn_outside_the_window_does_not_end_a_half_open_connection() -> None:
    """RFC 9293 §3.10.7.4, first: not acceptable, so it is answered with an ACK and dropped.  Whoever sent it
    and knows nothing of this connection says so with a RST (figure 9)."""
    us, peer = meet()
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(SYN, seq=-10)
    assert us.state is State.SYN_RECEIVED
    peer.receives(ACK, seq=1, ack=1)
    peer.sends(ACK, seq=1, ack=1)
    assert us.state is State.ESTABLISHED


def test_figure_9_with_us_as_peer_b() -> None:
    """RFC 9293 §3.5.1, figure 9: half-open connection discovery; the peer has lost its memory."""
    us, peer = established()
    peer.sends(SYN, seq=100_000)  # 3: outside the window
    peer.receives(ACK, seq=1, ack=1)  # 4
    assert us.state is State.ESTABLISHED
    peer.sends(RST, seq=1)  # 5: <SEQ=SEG.ACK>
    assert us.state is State.CLOSED  # 6
    with pytest.raises(ConnectionReset):
        us.reads()
    peer.sends(SYN, seq=100_000)  # 7
    peer.receives(SYN | ACK, seq=0, ack=100_001)


def test_figure_9_with_us_as_peer_a() -> None:
    """RFC 9293 §3.5.1, figure 9, lines 4, 5 and 7: we have lost our memory."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN, seq=0)
    peer.sends(ACK, seq=300, ack=100)  # 4: acknowledges what this incarnation never sent
    peer.receives(RST, seq=100)  # 5
    assert us.state is State.SYN_SENT
    peer.receives(SYN, seq=0, after=1.0)  # 7
    peer.sends(SYN | ACK, seq=0, ack=1)
    assert us.state is State.ESTABLISHED


def test_figure_10_with_us_as_peer_a() -> None:
    """RFC 9293 §3.5.1, figure 10: data for a connection that we do not know is answered with a RST."""
    us, peer = meet()
    peer.sends(ACK, seq=300, ack=100, data=bytes(10))
    peer.receives(RST, seq=100)
    assert us.counted("no-connection") == 1


def test_figure_10_with_us_as_peer_b() -> None:
    """RFC 9293 §3.5.1, figure 10, line 3: our data is answered with a RST."""
    us, peer = established()
    us.sends(bytes(10))
    peer.receives(ACK, seq=1, ack=1, length=10)
    peer.sends(RST, seq=1)
    assert us.state is State.CLOSED
    with pytest.raises(ConnectionReset):
        us.sends(b"more")


def test_figure_11_old_duplicate_syn_and_two_passive_sockets() -> None:
    """RFC 9293 §3.5.1, figure 11, with us as peer B."""
    us, peer = meet()
    listener = us.listens()
    peer.sends(SYN, seq=0)  # 2
    peer.receives(SYN | ACK, seq=0, ack=1)  # 3
    peer.sends(RST, seq=1)  # 4
    assert us.state is State.LISTEN  # 5
    assert listener.open
    assert not listener.half_open
    assert not listener.pending


def test_figure_11_with_us_as_peer_a() -> None:
    """RFC 9293 §3.5.1, figure 11, lines 3 and 4: a listener answers an ACK with a RST."""
    us, peer = meet()
    us.listens()
    peer.sends(SYN | ACK, seq=500, ack=77)
    peer.receives(RST, seq=77)


def test_the_same_syn_again_gets_the_same_answer() -> None:
    """RFC 9293 §3.8.1: the SYN,ACK was lost, so the peer sends its SYN again."""
    us, peer = meet()
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    for _ in range(3):
        peer.sends(SYN, seq=0)
        peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK, seq=1, ack=1)
    assert us.state is State.ESTABLISHED


def test_our_syn_ack_is_sent_again_when_the_peer_is_silent() -> None:
    """RFC 9293 §3.8.1 with RFC 6298 §5: 1 s, then doubled."""
    us, peer = meet()
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.receives(SYN | ACK, seq=0, ack=1, after=1.0)
    peer.receives(SYN | ACK, seq=0, ack=1, after=2.0)
    peer.receives(SYN | ACK, seq=0, ack=1, after=4.0)


def test_r2_for_a_syn_is_at_least_three_minutes() -> None:
    """RFC 9293 §3.8.3 (MUST-23)."""
    us, peer = meet()
    us.connects()
    us.waits(179)
    assert us.state is State.SYN_SENT
    assert len(peer.ignores()) >= 7
    us.waits(100)
    assert us.state is State.CLOSED
    assert us.gone
    assert us.path[-1] == (State.SYN_SENT, Event.USER_TIMEOUT, State.CLOSED)
    with pytest.raises(ConnectionTimedOut, match="did not acknowledge our SYN"):
        us.reads()


def test_a_half_open_child_is_given_up_and_makes_room() -> None:
    """RFC 9293 §3.8.3: nobody will ever accept it, so nobody is told."""
    us, peer = meet()
    listener = us.listens(backlog=1)
    peer.sends(SYN, seq=0)
    us.waits(300)
    assert us.gone
    assert not listener.half_open
    assert not listener.pending
    peer.ignores()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)


def test_connection_refused() -> None:
    """RFC 9293 §3.10.7.3, second."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN, seq=0)
    peer.sends(RST | ACK, seq=0, ack=1)
    assert us.state is State.CLOSED
    with pytest.raises(ConnectionRefused):
        us.sends(b"x")
    with pytest.raises(ConnectionRefused):
        us.reads()


def test_refused_while_both_opened() -> None:
    """RFC 9293 §3.10.7.4, second: SYN-RECEIVED after an active OPEN (MUST-11): "connection refused"."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.sends(RST, seq=1)
    assert us.state is State.CLOSED
    with pytest.raises(ConnectionRefused):
        us.reads()


def test_an_ack_without_syn_in_syn_sent_agrees_on_nothing() -> None:
    """RFC 9293 §3.10.7.3, fifth."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.sends(ACK, seq=300, ack=1)
    assert us.state is State.SYN_SENT
    peer.hears_nothing()
    assert us.counted("no-syn") == 1


def test_fin_without_syn_in_syn_sent_is_dropped() -> None:
    """RFC 9293 §3.10.7.3, fifth, and §3.10.7.4, eighth: SEG.SEQ cannot be validated."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.sends(FIN, seq=300)
    assert us.state is State.SYN_SENT
    peer.hears_nothing()


def test_an_unacceptable_ack_in_syn_received_is_reset() -> None:
    """RFC 9293 §3.5.2 (2), §3.10.7.4, fifth: <SEQ=SEG.ACK>, and the connection stays where it is."""
    us, peer = meet()
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=2)
    peer.receives(RST, seq=2)
    peer.sends(ACK, seq=1, ack=0)
    peer.receives(RST, seq=0)
    assert us.state is State.SYN_RECEIVED
    peer.sends(ACK, seq=1, ack=1)
    assert us.state is State.ESTABLISHED


def test_open_of_an_open_connection() -> None:
    """RFC 9293 §3.10.1."""
    us, _ = established()
    with pytest.raises(ConnectionAlreadyExists):
        us.tcb.open_active(us.now)
    with pytest.raises(ConnectionAlreadyExists):
        us.tcb.open_passive(us.now)
    assert us.state is State.ESTABLISHED


# -- Data and FIN on a SYN ---------------------------------------------------------------------------


def test_data_on_a_syn_is_kept_until_the_connection_is_established() -> None:
    """RFC 9293 §3.5, §3.10.7.2, third."""
    us, peer = meet()
    listener = us.listens()
    peer.sends(SYN, seq=0, data=b"early ")
    peer.receives(SYN | ACK, seq=0, ack=1)
    assert not listener.pending
    assert us.reads() == b""
    peer.sends(ACK, seq=7, ack=1, data=b"late")
    assert us.state is State.ESTABLISHED
    assert us.reads() == b"early late"
    peer.receives(ACK, seq=1, ack=11)


def test_data_and_fin_on_a_syn() -> None:
    """RFC 9293 §3.10.7.2, third: "any other control or text should be queued"."""
    us, peer = meet()
    us.listens()
    peer.sends(SYN | FIN, seq=0, data=b"all there is")
    peer.receives(SYN | ACK, seq=0, ack=1)
    assert us.state is State.SYN_RECEIVED
    peer.sends(ACK, seq=14, ack=1)
    assert us.state is State.CLOSE_WAIT
    peer.receives(ACK, seq=1, ack=14)
    assert us.reads() == b"all there is"
    assert us.tcb.at_eof


def test_data_on_a_syn_ack() -> None:
    """RFC 9293 §3.10.7.3, fourth: "if there are other controls or text in the segment, continue"."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.sends(SYN | ACK, seq=0, ack=1, data=b"hello")
    assert us.state is State.ESTABLISHED
    assert us.reads() == b"hello"
    peer.receives(ACK, seq=1, ack=6)
    peer.sends(ACK, seq=6, ack=1, data=b" again")
    assert us.reads() == b" again"


def test_data_and_fin_on_a_syn_ack() -> None:
    """RFC 9293 §3.10.7.3, fourth."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.sends(SYN | FIN | ACK, seq=0, ack=1, data=b"hello and goodbye")
    assert us.state is State.CLOSE_WAIT
    assert us.reads() == b"hello and goodbye"
    peer.receives(ACK, seq=1, ack=19)


def test_data_on_the_syn_of_a_simultaneous_open() -> None:
    """RFC 9293 §3.10.7.3, fourth: queued until ESTABLISHED."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.sends(SYN, seq=0, data=b"hello")
    peer.receives(SYN | ACK, seq=0, ack=1)
    assert us.reads() == b""
    peer.sends(ACK, seq=6, ack=1)
    assert us.state is State.ESTABLISHED
    assert us.reads() == b"hello"
    peer.receives(ACK, seq=1, ack=6)


def test_more_data_on_a_syn_than_the_buffer_takes() -> None:
    """RFC 9293 §3.10.7.4, first: what lies outside the window is trimmed off."""
    us, peer = meet(Settings(receive_buffer=1000, timestamps=False, window_scaling=False))
    us.listens()
    peer.sends(SYN, seq=0, data=bytes(1400))
    peer.receives(SYN | ACK, seq=0, ack=1, window=1000)
    peer.sends(ACK, seq=1, ack=1, data=bytes(1000))
    assert us.state is State.ESTABLISHED
    peer.receives(ACK, ack=1001, window=0)
    assert len(us.reads()) == 1000
    assert us.tcb.rcv_wnd == 1000


def test_send_before_the_connection_is_established() -> None:
    """RFC 9293 §3.10.2: queued in SYN-SENT and SYN-RECEIVED."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN, length=0)
    us.sends(b"request")
    peer.hears_nothing()
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(ACK, seq=1, ack=1, data=b"request")


def test_close_in_syn_received_waits_for_queued_data() -> None:
    """RFC 9293 §3.10.4: "queue for processing after entering ESTABLISHED state"."""
    us, peer = in_state(State.SYN_RECEIVED)
    us.sends(b"last words")
    us.closes()
    assert us.state is State.SYN_RECEIVED
    peer.hears_nothing()
    peer.sends(ACK, seq=1, ack=1)
    assert us.state is State.FIN_WAIT_1
    peer.receives(FIN | ACK, seq=1, ack=1, data=b"last words")


def test_close_in_syn_received_while_the_peers_window_is_closed() -> None:
    """RFC 9293 §3.10.4, §3.8.6.1: the FIN waits for the window; the SYN,ACK is still what is sent again."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.sends(SYN, seq=0, window=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    us.closes()
    assert us.state is State.FIN_WAIT_1
    peer.receives(SYN | ACK, seq=0, ack=1, after=1.0)
    peer.sends(ACK, seq=1, ack=1, window=1000)
    peer.receives(FIN | ACK, seq=1, ack=1)


# -- Numbers and windows -----------------------------------------------------------------------------


def test_the_window_of_a_syn_is_not_scaled() -> None:
    """RFC 7323 §2.2: "The window field in a segment where the SYN bit is set MUST NOT be scaled"."""
    us, peer = meet(Settings(timestamps=False))
    us.connects()
    peer.receives(SYN)
    peer.sends(SYN | ACK, seq=0, ack=1, window=8000, wscale=7)
    assert us.tcb.status().snd_wnd == 8000
    peer.receives(ACK)
    peer.sends(ACK, seq=1, ack=1, window=8000)
    assert us.tcb.status().snd_wnd == 8000 << 7


def test_the_window_of_a_syn_is_not_scaled_for_a_listener_either() -> None:
    """RFC 7323 §2.2; the handshake's third segment is scaled."""
    us, peer = meet(Settings(timestamps=False))
    us.listens()
    peer.sends(SYN, seq=0, window=8000, wscale=7)
    peer.receives(SYN | ACK)
    assert us.tcb.status().snd_wnd == 8000
    peer.sends(ACK, seq=1, ack=1, window=8000)
    assert us.tcb.status().snd_wnd == 8000 << 7


def test_without_window_scale_from_the_peer_nothing_is_scaled() -> None:
    """RFC 7323 §2.2."""
    us, peer = meet(Settings(receive_buffer=1 << 20))
    us.listens()
    peer.sends(SYN, seq=0, wscale=None)
    answer = peer.receives(SYN | ACK, window=65535)
    assert answer.options.window_scale is None
    peer.sends(ACK, seq=1, ack=1, window=500)
    assert us.tcb.status().snd_wnd == 500
    peer.sends(ACK, seq=1, ack=1, data=b"x")
    peer.receives(ACK, ack=2, window=65535, after=0.04)


def test_scaling_is_offered_with_a_shift_of_zero() -> None:
    """RFC 7323 §2.2: it lets the peer scale its windows."""
    us, peer = meet(Settings(receive_buffer=30_000, timestamps=False))
    us.connects()
    assert peer.receives(SYN, window=30_000).options.window_scale == 0
    peer.sends(SYN | ACK, seq=0, ack=1, wscale=3)
    peer.receives(ACK, window=30_000)
    peer.sends(ACK, seq=1, ack=1, window=1000)
    assert us.tcb.status().snd_wnd == 1000 << 3


def test_a_shift_of_more_than_14_is_14() -> None:
    """RFC 7323 §2.3: "the TCP SHOULD log the error but MUST use 14"."""
    us, peer = meet(Settings(timestamps=False))
    us.listens()
    peer.sends(SYN, seq=0, wscale=200)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1, window=3)
    assert us.tcb.status().snd_wnd == 3 << 14
    assert us.counted("window-scale-limited") == 1


def test_the_window_promised_by_our_syn_is_kept_in_the_batch_of_the_syn_ack() -> None:
    """RFC 9293 §3.8.6: the window is not shrunk; data right behind the SYN,ACK is inside of it."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN, window=65535)
    with us.one_batch():
        peer.sends(SYN | ACK, seq=0, ack=1)
        peer.sends(ACK, seq=1, ack=1, data=b"hello")
    assert us.reads() == b"hello"
    peer.receives(ACK, ack=6)


def test_the_isn_clock_ticks_every_4_microseconds() -> None:
    """RFC 9293 §3.4.1 (MUST-8, SHLD-1): ISN = M + F(sockets, secret)."""
    isns = []
    for now in (START, START + 1):
        us, peer = meet(now=now)
        us.listens()
        peer.sends(SYN, seq=0)
        isns.append(peer.receives(SYN | ACK).seq)
    assert (isns[1] - isns[0]) & 0xFFFFFFFF == 250_000


def test_the_isn_of_other_sockets_or_another_secret_cannot_be_told() -> None:
    """RFC 9293 §3.4.1: F MUST NOT be computable from the outside (MUST-9)."""
    isn = numbers.initial_sequence_number(b"secret", b"sockets", 1.0)
    assert isn != numbers.initial_sequence_number(b"Secret", b"sockets", 1.0)
    assert isn != numbers.initial_sequence_number(b"secret", b"Sockets", 1.0)


def test_a_syn_without_mss_means_536() -> None:
    """RFC 9293 §3.7.1 (MUST-15)."""
    us, peer = established(PLAIN, mss=None)
    us.sends(bytes(1000))
    peer.receives(ACK, seq=1, length=536)


# -- As other stacks take a SYN ----------------------------------------------------------------------


def test_text_of_a_syn_may_be_left_to_come_again() -> None:
    us, peer = meet(replace(PLAIN, keep_syn_data=False))
    us.listens()
    peer.sends(SYN | FIN, seq=0, data=b"text")
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    assert us.state is State.ESTABLISHED
    peer.sends(FIN | ACK, seq=1, ack=1, data=b"text")
    peer.receives(ACK, ack=6)
    assert us.reads() == b"text"


def test_a_syn_with_fin_may_be_dropped() -> None:
    us, peer = meet(replace(PLAIN, drop_syn_fin=True))
    us.listens()
    peer.sends(SYN | FIN, seq=0)
    peer.hears_nothing(during=1)
    assert us.counted("no-ack") == 1


def test_an_mss_of_nothing_says_nothing() -> None:
    us, _ = established(mss=0)
    assert us.tcb.snd_mss == 536
