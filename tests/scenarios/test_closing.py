"""RFC 9293 §3.6: closing a connection, in both directions and in one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, established, in_state
from usertcp.tcp.errors import ConnectionAborted, ConnectionClosing, ConnectionDoesNotExist, ConnectionTimedOut
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

MSL_4_MINUTES = Settings(msl=120, timestamps=False, window_scaling=False)


def test_figure_12_with_us_as_peer_a() -> None:
    """RFC 9293 §3.6, figure 12: normal close sequence."""
    us, peer = established()
    us.closes()
    assert us.state is State.FIN_WAIT_1
    peer.receives(FIN | ACK, seq=1, ack=1)  # 2
    peer.sends(ACK, seq=1, ack=2)  # 3
    assert us.state is State.FIN_WAIT_2
    peer.sends(FIN | ACK, seq=1, ack=2)  # 4
    assert us.state is State.TIME_WAIT
    peer.receives(ACK, seq=2, ack=2)  # 5
    us.waits(60)  # 6
    assert us.state is State.CLOSED
    assert us.tcb.error is None


def test_figure_12_with_us_as_peer_b() -> None:
    """RFC 9293 §3.6, figure 12."""
    us, peer = established()
    peer.sends(FIN | ACK, seq=1, ack=1)  # 2
    assert us.state is State.CLOSE_WAIT
    peer.receives(ACK, seq=1, ack=2)  # 3
    assert us.tcb.at_eof
    us.closes()  # 4
    assert us.state is State.LAST_ACK
    peer.receives(FIN | ACK, seq=1, ack=2)
    peer.sends(ACK, seq=2, ack=2)  # 5
    assert us.state is State.CLOSED
    assert us.tcb.error is None
    assert us.gone


def test_figure_13_simultaneous_close() -> None:
    """RFC 9293 §3.6, figure 13."""
    us, peer = established()
    us.closes()
    peer.receives(FIN | ACK, seq=1, ack=1)  # 2
    peer.sends(FIN | ACK, seq=1, ack=1)
    assert us.state is State.CLOSING
    peer.receives(ACK, seq=2, ack=2)  # 3
    peer.sends(ACK, seq=2, ack=2)
    assert us.state is State.TIME_WAIT  # 4
    us.waits(60)
    assert us.state is State.CLOSED
    assert us.tcb.error is None


def test_closing_ignores_an_ack_that_is_not_of_our_fin() -> None:
    """RFC 9293 §3.10.7.4, fifth: "otherwise, ignore the segment"."""
    us, peer = in_state(State.CLOSING)
    peer.sends(ACK, seq=2, ack=1)
    peer.hears_nothing()
    assert us.state is State.CLOSING


def test_half_close_by_us() -> None:
    """RFC 9293 §3.6.1: we have closed, the peer goes on sending, and we go on receiving."""
    us, peer = established()
    us.sends(b"question")
    us.closes()
    peer.receives(ACK, seq=1, data=b"question")
    peer.receives(FIN | ACK, seq=9)
    peer.sends(ACK, seq=1, ack=10)
    assert us.state is State.FIN_WAIT_2
    peer.sends(ACK, seq=1, ack=10, data=b"an")
    peer.sends(ACK, seq=3, ack=10, data=b"swer")
    assert us.reads() == b"answer"
    assert not us.tcb.at_eof
    peer.ignores()
    us.waits(3600)
    assert us.state is State.FIN_WAIT_2, "as long as the application is there, nothing ends it"
    peer.ignores()
    peer.sends(FIN | ACK, seq=7, ack=10)
    assert us.state is State.TIME_WAIT
    assert us.tcb.at_eof
    peer.receives(ACK, seq=10, ack=8)
    with pytest.raises(ConnectionClosing):
        us.sends(b"more")


def test_half_close_by_the_peer() -> None:
    """RFC 9293 §3.6.1: the peer has closed, we go on sending."""
    us, peer = established()
    peer.sends(FIN | ACK, seq=1, ack=1, data=b"question")
    peer.receives(ACK, seq=1, ack=10)
    assert us.state is State.CLOSE_WAIT
    assert us.reads() == b"question"
    assert us.tcb.at_eof
    us.sends(b"answer")
    peer.receives(ACK, seq=1, ack=10, data=b"answer")
    us.waits(0.1)
    peer.sends(ACK, seq=10, ack=7)
    us.sends(b" and more")
    us.closes()
    peer.receives(ACK, seq=7, data=b" and more")
    peer.receives(FIN | ACK, seq=16)
    assert us.state is State.LAST_ACK
    peer.sends(ACK, seq=10, ack=17)
    assert us.state is State.CLOSED


def test_the_fin_rides_on_the_last_data() -> None:
    """RFC 9293 §3.10.4: the FIN follows the data, without a segment of its own where that can be."""
    us, peer = established(window=10)
    us.sends(b"0123456789abc")
    us.closes()
    peer.receives(ACK, seq=1, data=b"0123456789")
    peer.hears_nothing()
    peer.sends(ACK, seq=1, ack=11)
    peer.receives(FIN | ACK, seq=11, data=b"abc")
    assert us.state is State.FIN_WAIT_1


def test_close_twice_sends_one_fin() -> None:
    """RFC 9293 §3.10.4: "a second FIN is not emitted"."""
    us, peer = established()
    us.closes()
    us.closes()
    peer.receives(FIN | ACK)
    peer.hears_nothing()


def test_calls_on_a_closed_connection() -> None:
    """RFC 9293 §3.10.2-§3.10.4: "error: connection does not exist" (CLOSE and ABORT are kind about it)."""
    us, _ = in_state(State.CLOSED)
    with pytest.raises(ConnectionDoesNotExist):
        us.sends(b"x")
    assert us.reads() == b""
    us.closes()
    us.aborts()
    us.releases()
    assert us.state is State.CLOSED


def test_unread_data_outlives_the_fin() -> None:
    """RFC 9293 §3.10.3, CLOSE-WAIT: "text already on hand" is handed over first, then "closing"."""
    us, peer = established()
    peer.sends(ACK, seq=1, data=b"one ")
    peer.sends(FIN | ACK, seq=5, data=b"two")
    assert not us.tcb.at_eof
    assert us.reads(4) == b"one "
    assert us.reads() == b"two"
    assert us.tcb.at_eof
    assert us.reads() == b""


# -- FIN out of order, lost, repeated ----------------------------------------------------------------


def test_fin_out_of_order() -> None:
    """RFC 9293 §3.10.7.4 (SHLD-31), eighth: it counts when everything before it has come."""
    us, peer = established()
    peer.sends(FIN | ACK, seq=6, data=b"world")
    peer.receives(ACK, ack=1)
    assert us.state is State.ESTABLISHED
    peer.sends(ACK, seq=1, data=b"hello")
    assert us.state is State.CLOSE_WAIT
    peer.receives(ACK, ack=12)
    assert us.reads() == b"helloworld"
    assert us.tcb.at_eof


def test_bare_fin_out_of_order() -> None:
    """RFC 9293 §3.10.7.4, eighth."""
    us, peer = established()
    peer.sends(FIN | ACK, seq=6)
    assert us.state is State.ESTABLISHED
    peer.sends(ACK, seq=1, data=b"hello")
    assert us.state is State.CLOSE_WAIT
    assert us.reads() == b"hello"


def test_data_beyond_the_fin_is_not_delivered() -> None:
    """RFC 9293 §3.10.7.4, seventh: nothing comes after a FIN; a peer that says so contradicts itself."""
    us, peer = established()
    peer.sends(ACK, seq=11, data=b"0123456789")
    peer.sends(FIN | ACK, seq=6, data=b"world")
    peer.sends(ACK, seq=1, data=b"hello")
    assert us.state is State.CLOSE_WAIT
    assert us.reads() == b"helloworld"
    assert us.tcb.at_eof


def test_data_held_across_the_fin_is_cut_there() -> None:
    """RFC 9293 §3.10.7.4, eighth: the same contradiction, in one piece with what came before it."""
    us, peer = established()
    peer.sends(ACK, seq=6, data=b"world0123456789")
    peer.sends(FIN | ACK, seq=11)
    peer.sends(ACK, seq=1, data=b"hello")
    assert us.state is State.CLOSE_WAIT
    assert us.reads() == b"helloworld"
    assert us.tcb.at_eof


@pytest.mark.parametrize("state", [State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK], ids=str)
def test_the_peers_fin_again_is_acknowledged_again(state: State) -> None:
    """RFC 9293 §3.10.7.4, eighth: remain in the state; our ACK was lost."""
    us, peer = in_state(state)
    peer.sends(FIN | ACK, seq=1, ack=1)
    peer.receives(ACK, ack=2)
    assert us.state is state
    assert (state, Event.RCV_FIN, state) in us.path


def test_our_fin_is_sent_again() -> None:
    """RFC 9293 §3.6, case 1: "All segments preceding and including FIN will be retransmitted"."""
    us, peer = established()
    us.sends(b"bye")
    us.closes()
    peer.receives(ACK, seq=1, data=b"bye")
    peer.receives(FIN | ACK, seq=4)
    peer.receives(FIN | ACK, seq=1, data=b"bye", after=0.2)
    peer.sends(ACK, ack=4)
    peer.receives(FIN | ACK, seq=4, length=0, after=us.tcb.status().rto)
    peer.sends(ACK, ack=5)
    assert us.state is State.FIN_WAIT_2


def test_a_fin_fits_a_full_window() -> None:
    """RFC 9293 §3.10.7.4, eighth: a FIN needs no room in the buffer, and is no reason to keep the peer waiting."""
    us, peer = established(Settings(receive_buffer=3000, timestamps=False))
    peer.sends(ACK, seq=1, data=bytes(3000))
    peer.receives(ACK, ack=3001, window=0)
    peer.sends(FIN | ACK, seq=3001)
    assert us.state is State.CLOSE_WAIT
    peer.receives(ACK, ack=3002)
    assert len(us.reads()) == 3000


# -- TIME-WAIT ---------------------------------------------------------------------------------------


def test_time_wait_lasts_2_msl() -> None:
    """RFC 9293 §3.6.1 (MUST-13), §3.4.2: with the RFC's MSL of two minutes, four."""
    us, peer = in_state(State.TIME_WAIT, MSL_4_MINUTES)
    peer.hears_nothing(during=239.9)
    assert us.state is State.TIME_WAIT
    peer.hears_nothing(during=0.2)
    assert us.state is State.CLOSED
    assert us.gone


def test_a_retransmitted_fin_restarts_time_wait() -> None:
    """RFC 9293 §3.10.7.4, fifth and eighth: "Acknowledge it, and restart the 2 MSL timeout"."""
    us, peer = in_state(State.TIME_WAIT)
    us.waits(50)
    peer.sends(FIN | ACK, seq=1, ack=2)
    peer.receives(ACK, seq=2, ack=2)
    us.waits(50)
    assert us.state is State.TIME_WAIT
    us.waits(11)
    assert us.state is State.CLOSED


def test_a_connection_with_an_msl_of_its_own_keeps_it() -> None:
    """RFC 9293 §3.4.2: 2 MSL of the connection, also when a FIN begins it anew."""
    us, peer = established()
    us.tcb.settings = Settings(msl=1)
    us.closes()
    peer.receives(FIN | ACK)
    peer.sends(FIN | ACK, ack=2)
    peer.receives(ACK)
    us.waits(1)
    peer.sends(FIN | ACK, seq=1, ack=2)
    peer.receives(ACK)
    us.waits(1.9)
    assert us.state is State.TIME_WAIT
    us.waits(0.2)
    assert us.state is State.CLOSED


def test_time_wait_answers_old_data_and_does_not_restart() -> None:
    """RFC 9293 §3.5.2 (3)."""
    us, peer = in_state(State.TIME_WAIT)
    us.waits(50)
    peer.sends(ACK, seq=0, ack=2, data=b"o")
    peer.receives(ACK, seq=2, ack=2)
    us.waits(11)
    assert us.state is State.CLOSED


def test_time_wait_is_not_released_by_its_application() -> None:
    """RFC 9293 §3.6.1 (MUST-13): 2 MSL are for the network, not for the application."""
    us, peer = in_state(State.TIME_WAIT)
    us.releases()
    assert not us.gone
    peer.sends(FIN | ACK, seq=1, ack=2)
    peer.receives(ACK, seq=2, ack=2)
    us.waits(61)
    assert us.gone


def test_a_syn_reopens_from_time_wait() -> None:
    """RFC 9293 §3.6.1 (MAY-2)."""
    us, peer = in_state(State.TIME_WAIT)
    old = us.tcb
    before = peer.our_isn + peer.rcv_nxt
    peer.sends(SYN, seq=1000)
    answer = peer.receives(SYN | ACK, ack=1001)
    assert old.state is State.CLOSED
    assert us.path[-3:] == [
        (State.TIME_WAIT, Event.RCV_NEW_SYN, State.CLOSED),
        (State.CLOSED, Event.PASSIVE_OPEN, State.LISTEN),
        (State.LISTEN, Event.RCV_SYN, State.SYN_RECEIVED),
    ]
    assert (answer.seq - before) & 0xFFFFFFFF < 1 << 31
    peer.sends(ACK, seq=1001, ack=1)
    assert us.state is State.ESTABLISHED


def test_the_new_isn_is_beyond_all_that_the_old_connection_sent() -> None:
    """RFC 9293 §3.6.1 (MAY-2, 1): also where it sent faster than the clock of the ISN ticks."""
    us, peer = established()
    sent = 1
    for _ in range(40):
        us.sends(bytes(60000))
        while peer.inbox:
            sent += len(peer.receives(ACK).payload)
            peer.sends(ACK, ack=sent)
    assert sent > 2_000_000
    us.closes()
    peer.receives(FIN | ACK)
    peer.sends(FIN | ACK, ack=sent + 1)
    peer.receives(ACK)
    assert us.state is State.TIME_WAIT
    before = peer.our_isn + sent + 1
    us.waits(0.1)
    peer.sends(SYN, seq=1000)
    answer = peer.receives(SYN | ACK, ack=1001)
    assert (answer.seq - before) & 0xFFFFFFFF < 1 << 31


def test_an_old_syn_does_not_reopen() -> None:
    """RFC 9293 §3.6.1 (MAY-2), §3.10.7.4, fourth: an old duplicate is answered with an ACK."""
    us, peer = in_state(State.TIME_WAIT)
    peer.sends(SYN, seq=0)
    peer.receives(ACK, seq=2, ack=2)
    assert us.state is State.TIME_WAIT


def test_a_syn_that_nobody_listens_for_does_not_end_time_wait() -> None:
    """RFC 9293 §3.6.1 (MUST-13)."""
    us, peer = in_state(State.TIME_WAIT)
    assert us.listener is not None
    us.listener.close(us.now)
    peer.sends(SYN, seq=1000)
    peer.receives(ACK, seq=2, ack=2)
    assert us.state is State.TIME_WAIT


# -- After the application has gone ------------------------------------------------------------------


def test_fin_wait_2_is_bounded_once_the_application_is_gone() -> None:
    """RFC 9293 §3.6 leaves it open; without a bound a peer that never closes would hold our memory."""
    us, peer = established()
    us.releases()
    peer.receives(FIN | ACK)
    peer.sends(ACK, ack=2)
    assert us.state is State.FIN_WAIT_2
    us.waits(59.9)
    assert us.state is State.FIN_WAIT_2
    us.waits(0.2)
    assert us.state is State.CLOSED
    assert us.gone
    assert isinstance(us.tcb.error, ConnectionTimedOut)


def test_fin_wait_2_is_bounded_from_the_release_on() -> None:
    """RFC 9293 §3.6: the timer begins when the application goes, if that is later."""
    us, peer = in_state(State.FIN_WAIT_2)
    us.waits(1000)
    us.releases()
    peer.hears_nothing()
    us.waits(59.9)
    assert us.state is State.FIN_WAIT_2
    us.waits(0.2)
    assert us.state is State.CLOSED


def test_data_after_the_application_has_gone_is_answered_with_a_reset() -> None:
    """RFC 9293 §3.6.1 (SHLD-3)."""
    us, peer = established()
    us.releases()
    peer.receives(FIN | ACK)
    peer.sends(ACK, ack=2)
    peer.sends(ACK, ack=2, data=b"are you there?")
    peer.receives(RST, seq=2)
    assert us.state is State.CLOSED
    assert isinstance(us.tcb.error, ConnectionAborted)


def test_the_reset_does_not_overtake_our_own_data() -> None:
    """RFC 9293 §3.6.1 (SHLD-3), §3.6: what we sent before CLOSE is delivered reliably all the same."""
    us, peer = established()
    us.sends(b"the end")
    us.releases()
    peer.receives(ACK, data=b"the end")
    peer.receives(FIN | ACK)
    peer.sends(ACK, ack=1, data=b"crossing")
    peer.hears_nothing()
    assert us.state is State.FIN_WAIT_1
    peer.sends(ACK, ack=9)
    peer.sends(ACK, seq=1, ack=9, data=b"crossing")
    peer.receives(RST, seq=9)


def test_unread_data_when_the_application_goes_is_lost_and_the_peer_told() -> None:
    """RFC 9293 §3.6.1 (SHLD-3): "while received data is still pending"."""
    us, peer = established()
    peer.sends(ACK, data=b"unread")
    us.releases()
    peer.receives(FIN | ACK, seq=1, ack=7)
    peer.sends(ACK, ack=2)
    peer.receives(RST, seq=2)
    assert us.state is State.CLOSED


def test_an_orderly_end_after_release() -> None:
    """RFC 9293 §3.6, case 1."""
    us, peer = established()
    us.releases()
    peer.receives(FIN | ACK, seq=1, ack=1)
    peer.sends(FIN | ACK, seq=1, ack=2)
    peer.receives(ACK, seq=2, ack=2)
    assert us.tcb.error is None
    us.waits(61)
    assert us.gone


def test_the_answer_to_our_fin_never_comes() -> None:
    """RFC 9293 §3.6, case 2: "after the user timeout the connection is aborted and the user is told"."""
    us, peer = established(Settings(r2=100, timestamps=False, window_scaling=False))
    peer.sends(FIN | ACK, seq=1, ack=1)
    us.closes()
    peer.ignores()
    us.waits(200)
    assert us.state is State.CLOSED
    assert us.path[-1] == (State.LAST_ACK, Event.USER_TIMEOUT, State.CLOSED)
    assert isinstance(us.tcb.error, ConnectionTimedOut)
    assert us.gone


def test_fin_into_a_closed_window() -> None:
    """RFC 9293 §3.8.6.1: the window is closed, the FIN waits, and is the probe."""
    us, peer = established(PLAIN, window=0)
    us.closes()
    assert us.state is State.FIN_WAIT_1
    peer.receives(FIN | ACK, seq=1, after=0.2)
    peer.sends(ACK, ack=2, window=0)
    assert us.state is State.FIN_WAIT_2
    peer.hears_nothing(during=300)


def test_two_ends_that_write_before_they_read_do_not_wait_for_each_other() -> None:
    """Both windows are closed when our application goes: what nobody will read makes room, and the peer learns of it
    by a RST (RFC 9293 §3.6.1, SHLD-3) when it has got all that we had."""
    us, peer = established(replace(PLAIN, initial_receive_buffer=2920, receive_buffer=2920), window=1000)
    us.sends(bytes(2000))
    peer.receives(ACK, length=1000)
    peer.sends(ACK, ack=1001, window=0, data=bytes(1460))
    peer.sends(ACK, seq=1461, ack=1001, window=0, data=bytes(1460))
    assert us.tcb.rcv_wnd == 0
    peer.ignores()
    us.releases()
    assert peer.receives(ACK, seq=1001, ack=2921).window == 2920
    peer.sends(ACK, seq=2921, ack=1001, window=0, data=bytes(1460))
    peer.sends(ACK, seq=4381, ack=1001, window=0, data=bytes(1460))
    peer.receives(ACK, ack=5841)
    peer.sends(ACK, seq=5841, ack=1001, window=5000)  # it reads
    peer.receives(FIN | ACK, seq=1001, length=1000)
    peer.sends(ACK, seq=5841, ack=2002)
    peer.receives(RST, seq=2002)
    assert us.state is State.CLOSED


def test_a_window_that_closes_after_the_application_went() -> None:
    us, peer = established(replace(PLAIN, initial_receive_buffer=2920, receive_buffer=2920), window=1000)
    us.sends(bytes(2000))
    peer.receives(ACK, length=1000)
    peer.sends(ACK, ack=1, data=bytes(1460))
    peer.sends(ACK, seq=1461, ack=1, data=bytes(1460))
    us.releases()
    peer.ignores()
    peer.sends(ACK, seq=2921, ack=1001, window=0)
    us.waits(5)
    assert any(segment.window == 2920 for segment in peer.ignores())
