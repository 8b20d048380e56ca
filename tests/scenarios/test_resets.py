"""RFC 9293 §3.5.2 and §3.5.3, RFC 5961: when a RST is sent, and which RST is believed."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import established, in_state, meet
from usertcp.tcp.errors import ConnectionAborted, ConnectionReset
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import SYNCHRONIZED, Event, State
from usertcp.wire.tcp import ACK, FIN, PSH, RST, SYN

#: Which are CLOSED to us but not to the peer; the others answer with an ACK.
IN_ORDER = sorted(SYNCHRONIZED, key=lambda state: list(State).index(state))
WITH_WINDOW = [State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2]


# -- Generation: §3.5.2 ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "length", "answer"),
    [
        (SYN, 0, (RST | ACK, 0, 101)),
        (SYN, 10, (RST | ACK, 0, 111)),
        (SYN | FIN, 10, (RST | ACK, 0, 112)),
        (0, 10, (RST | ACK, 0, 110)),
        (FIN, 0, (RST | ACK, 0, 101)),
        (ACK, 0, (RST, 77, 0)),
        (SYN | ACK, 0, (RST, 77, 0)),
        (FIN | ACK | PSH, 10, (RST, 77, 0)),
    ],
)
def test_group_1_closed(flags: int, length: int, answer: tuple[int, int, int]) -> None:
    """RFC 9293 §3.5.2 (1), §3.10.7.1: every segment but a RST is answered, by SEG.ACK if it has one."""
    us, peer = meet(isn=0)
    peer.sends(flags, seq=100, ack=77, data=bytes(length))
    reset = peer.receives(answer[0], seq=answer[1], ack=answer[2])
    assert reset.window == 0
    assert us.counted("resets-sent") == us.counted("no-connection") == 1


@pytest.mark.parametrize("flags", [RST, RST | ACK, RST | SYN, RST | FIN | ACK])
def test_group_1_a_reset_is_not_answered(flags: int) -> None:
    """RFC 9293 §3.5.2 (1): "except another reset", or two hosts would go on for ever."""
    _, peer = meet()
    peer.sends(flags, seq=100, ack=77)
    peer.hears_nothing()


@pytest.mark.parametrize("flags", [ACK, SYN | ACK, FIN | ACK])
def test_group_2_listen(flags: int) -> None:
    """RFC 9293 §3.5.2 (2), §3.10.7.2, second, in the RFC's own passive OPEN."""
    us, peer = in_state(State.LISTEN)
    peer.sends(flags, seq=100, ack=77)
    peer.receives(RST, seq=77)
    assert us.state is State.LISTEN


@pytest.mark.parametrize("ack", [0, 2, -1, 1 << 30])
def test_group_2_syn_sent(ack: int) -> None:
    """RFC 9293 §3.5.2 (2), §3.10.7.3, first."""
    us, peer = in_state(State.SYN_SENT)
    peer.sends(SYN | ACK, seq=0, ack=ack)
    peer.receives(RST, seq=ack & 0xFFFFFFFF)
    assert us.state is State.SYN_SENT


@pytest.mark.parametrize("state", [s for s in IN_ORDER if s is not State.TIME_WAIT], ids=str)
def test_group_3_out_of_window(state: State) -> None:
    """RFC 9293 §3.5.2 (3): an empty ACK with the current numbers, and the state stays."""
    us, peer = in_state(state)
    here, there = peer.rcv_nxt, peer.snd_nxt
    peer.sends(ACK, seq=there + 100_000, data=b"far ahead")
    peer.receives(ACK, seq=here, ack=there, length=0)
    peer.sends(ACK, seq=there - 100, ack=here, data=b"long ago")
    peer.receives(ACK, seq=here, ack=there, length=0)
    assert us.state is state


@pytest.mark.parametrize("state", IN_ORDER, ids=str)
def test_group_3_ack_of_what_was_never_sent(state: State) -> None:
    """RFC 9293 §3.10.7.4, fifth; in TIME-WAIT nothing is left that an acknowledgment could be about."""
    us, peer = in_state(state)
    here, there = peer.rcv_nxt, peer.snd_nxt
    peer.sends(ACK, ack=here + 1)
    if state is State.TIME_WAIT:
        peer.hears_nothing()
    else:
        peer.receives(ACK, seq=here, ack=there, length=0)
    assert us.state is state


@pytest.mark.parametrize("state", IN_ORDER, ids=str)
def test_without_ack_a_segment_is_dropped(state: State) -> None:
    """RFC 9293 §3.10.7.4, fifth: "if the ACK bit is off, drop the segment and return"."""
    us, peer = in_state(state)
    peer.sends(PSH, data=b"" if state not in WITH_WINDOW else b"no ack")
    peer.hears_nothing()
    assert us.state is state
    assert us.counted("no-ack") == 1


@pytest.mark.parametrize("state", IN_ORDER, ids=str)
@pytest.mark.parametrize("offset", [0, -1, 100_000])
def test_a_syn_on_an_open_connection_is_challenged(state: State, offset: int) -> None:
    """RFC 9293 §3.10.7.4, fourth; RFC 5961 §4: "irrespective of the sequence number"."""
    us, peer = in_state(state)
    if state is State.TIME_WAIT and offset >= 0:
        return  # MAY-2: see test_closing
    here, there = peer.rcv_nxt, peer.snd_nxt
    peer.sends(SYN, seq=there + offset)
    peer.receives(ACK, seq=here, ack=there, length=0)
    assert us.state is state


# -- ABORT: §3.10.5 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [State.SYN_RECEIVED, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT],
    ids=str,
)
def test_abort_sends_a_reset(state: State) -> None:
    """RFC 9293 §3.10.5: <SEQ=SND.NXT><CTL=RST>."""
    us, peer = in_state(state)
    us.aborts()
    peer.receives(RST, seq=peer.rcv_nxt)
    peer.hears_nothing(during=300)
    assert us.state is State.CLOSED
    assert us.gone
    with pytest.raises(ConnectionAborted):
        us.reads()


@pytest.mark.parametrize(
    "state", [State.LISTEN, State.SYN_SENT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT], ids=str
)
def test_abort_without_a_reset(state: State) -> None:
    """RFC 9293 §3.10.5: nothing is synchronized yet, or both sides have closed."""
    us, peer = in_state(state)
    us.aborts()
    peer.hears_nothing(during=300)
    assert us.state is State.CLOSED
    assert us.gone


def test_abort_throws_queued_data_away() -> None:
    """RFC 9293 §3.10.5: "all queued SENDs and RECEIVEs should be given "connection reset" notification"."""
    us, peer = established(window=10)
    us.sends(b"0123456789 and more")
    peer.receives(ACK, data=b"0123456789")
    peer.sends(ACK, ack=1, data=b"unread")
    us.aborts()
    peer.receives(RST, seq=11)
    peer.hears_nothing(during=300)


def test_nothing_follows_a_reset_in_the_same_batch() -> None:
    """RFC 9293 §3.10.5: data for which an acknowledgment was due is nobody's any more."""
    us, peer = established()
    with us.one_batch():
        peer.sends(ACK, data=bytes(1460))
        peer.sends(ACK, data=bytes(1460))
        us.tcb.abort(us.now)
    peer.receives(RST, seq=1)
    peer.hears_nothing(during=300)


# -- Processing: §3.5.3 ------------------------------------------------------------------------------


def test_listen_ignores_a_reset() -> None:
    """RFC 9293 §3.10.7.2, first."""
    us, peer = in_state(State.LISTEN)
    peer.sends(RST, seq=0)
    peer.hears_nothing()
    assert us.state is State.LISTEN


def test_syn_sent_believes_a_reset_only_with_the_right_ack() -> None:
    """RFC 9293 §3.5.3, §3.10.7.3, second."""
    us, peer = in_state(State.SYN_SENT)
    peer.sends(RST, seq=0)
    peer.sends(RST | ACK, seq=0, ack=0)
    peer.sends(RST | ACK, seq=0, ack=2)
    peer.hears_nothing()
    assert us.state is State.SYN_SENT
    peer.sends(RST | ACK, seq=12345, ack=1)
    assert us.state is State.CLOSED


@pytest.mark.parametrize("state", [State.SYN_RECEIVED, *WITH_WINDOW], ids=str)
def test_a_reset_in_the_window_but_not_exact_is_challenged(state: State) -> None:
    """RFC 5961 §3.2 (3): whoever guesses must guess one number in 2**32, not one in 2**32 / window."""
    us, peer = in_state(state)
    here, there = peer.rcv_nxt, peer.snd_nxt
    peer.sends(RST, seq=there + 1)
    peer.receives(ACK, seq=here, ack=there, length=0)
    assert us.state is state
    peer.sends(RST, seq=there)  # the true peer answers so (RFC 9293 §3.5.2 (1))
    assert us.state in (State.CLOSED, State.LISTEN)


@pytest.mark.parametrize("state", [State.SYN_RECEIVED, *IN_ORDER], ids=str)
@pytest.mark.parametrize("offset", [-1, 1_000_000])
def test_a_reset_outside_the_window_is_dropped_silently(state: State, offset: int) -> None:
    """RFC 5961 §3.2 (1)."""
    us, peer = in_state(state)
    peer.sends(RST, seq=peer.snd_nxt + offset)
    peer.sends(RST | ACK, seq=peer.snd_nxt + offset)
    peer.hears_nothing()
    assert us.state is state


def test_challenge_acks_are_rate_limited() -> None:
    """RFC 5961 §7."""
    us, peer = established()
    for _ in range(10):
        peer.sends(RST, seq=2)
    peer.receives(ACK)
    peer.hears_nothing()
    assert us.counted("challenge-acks-held-back") == 9
    us.waits(1)
    peer.sends(RST, seq=2)
    peer.receives(ACK)


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT], ids=str)
def test_the_application_is_told_of_a_reset(state: State) -> None:
    """RFC 9293 §3.10.7.4, second; §3.6 (MUST-12): closed normally or aborted, the application knows which."""
    us, peer = in_state(state)
    peer.sends(RST)
    assert us.path[-1] == (state, Event.RCV_RST, State.CLOSED)
    with pytest.raises(ConnectionReset):
        us.reads()
    with pytest.raises(ConnectionReset):
        us.sends(b"x")


@pytest.mark.parametrize("state", [State.CLOSING, State.LAST_ACK, State.TIME_WAIT], ids=str)
def test_a_reset_after_both_have_closed_is_no_error(state: State) -> None:
    """RFC 9293 §3.10.7.4, second: these three only enter CLOSED."""
    us, peer = in_state(state)
    peer.sends(RST)
    assert us.path[-1] == (state, Event.RCV_RST, State.CLOSED)
    assert us.tcb.error is None
    assert us.reads() == b""


def test_a_reset_may_carry_data() -> None:
    """RFC 9293 §3.5.3 (SHLD-2)."""
    us, peer = established()
    peer.sends(RST, seq=1, data=b"because I say so")
    assert us.state is State.CLOSED


@pytest.mark.parametrize("data", [b"", b"out of paper"])
def test_a_reset_counts_while_our_window_is_closed(data: bytes) -> None:
    """RFC 9293 §3.4 (MUST-66), with and without data (SHLD-2)."""
    us, peer = established(Settings(receive_buffer=3000))
    peer.sends(ACK, data=bytes(3000))
    peer.receives(ACK, ack=3001, window=0)
    peer.sends(RST, seq=3001, data=data)
    assert us.state is State.CLOSED


def test_a_reset_flushes_what_was_not_read() -> None:
    """RFC 9293 §3.10.7.4, second: "All segment queues should be flushed"."""
    us, peer = established()
    peer.sends(ACK, data=b"never read")
    peer.sends(RST)
    with pytest.raises(ConnectionReset):
        us.reads()
    peer.hears_nothing(during=300)


def test_nothing_is_said_after_data_and_reset_in_one_batch() -> None:
    """RFC 9293 §3.10.7.4, second: the connection block is deleted, acknowledgments that were due as well."""
    us, peer = established()
    with us.one_batch():
        peer.sends(ACK, data=bytes(1460))
        peer.sends(ACK, data=bytes(1460))
        peer.sends(RST)
    assert us.state is State.CLOSED
    peer.hears_nothing(during=300)


def test_a_reset_of_a_child_that_nobody_accepted_yet() -> None:
    """RFC 9293 §3.6 (MUST-12): the application that accepts it is told."""
    us, peer = meet()
    listener = us.listens()
    peer.sends(SYN, seq=0)
    peer.sends(ACK, seq=1, ack=1)
    peer.sends(RST)
    connection = listener.accept()
    assert connection is not None
    assert connection.state is State.CLOSED
    with pytest.raises(ConnectionReset):
        connection.receive(1, us.now)


def test_resets_for_unknown_connections_are_rate_limited() -> None:
    """RFC 4443 §2.4(f)'s thought, for RSTs."""
    us, peer = meet()
    burst = us.host.config.reset_burst
    for seq in range(burst + 5):
        peer.sends(ACK, seq=seq, ack=1)
    assert len(peer.ignores()) == burst
    assert us.counted("resets-held-back") == 5
    us.waits(1)
    peer.sends(ACK, seq=1, ack=1)
    peer.receives(RST)


def test_the_challenge_interval_is_a_setting() -> None:
    """RFC 5961 §7: "tunable"; here half a second between two of one connection, or any other time."""
    us, peer = established(Settings(challenge_interval=5.0))
    for waited, answered in ((0, True), (4.9, False), (0.2, True)):
        us.waits(waited)
        peer.sends(RST, seq=2)
        assert bool(peer.ignores()) is answered
