"""RFC 9293 §3.10.1-§3.10.6: every user call in every state."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import OUR_PORT, OURS, PLAIN, established, in_state
from usertcp.stack.host import Host
from usertcp.tcp.connection import Connection
from usertcp.tcp.errors import (
    ConnectionAborted,
    ConnectionAlreadyExists,
    ConnectionClosing,
    ConnectionDoesNotExist,
    RemoteUnspecified,
)
from usertcp.tcp.states import RECEIVE_CLOSED, SEND_CLOSED, State
from usertcp.wire.tcp import ACK, FIN, SYN

EVERY_STATE = pytest.mark.parametrize("state", list(State), ids=str)
OPEN = [state for state in State if state is not State.CLOSED]


def without_remote() -> Connection:
    """A connection block that knows no peer."""
    return Connection(Host([OURS[4]], secret=b"0123456789abcdef"), 1, OURS[4], OUR_PORT)


# -- §3.10.1 OPEN ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [s for s in OPEN if s is not State.TIME_WAIT], ids=str)
def test_a_passive_open_of_an_open_connection(state: State) -> None:
    us, _ = in_state(state)
    with pytest.raises(ConnectionAlreadyExists):
        us.tcb.open_passive(us.now)
    assert us.state is state


@pytest.mark.parametrize("state", [s for s in OPEN if s not in (State.LISTEN, State.TIME_WAIT)], ids=str)
def test_an_active_open_of_an_open_connection(state: State) -> None:
    us, _ = in_state(state)
    with pytest.raises(ConnectionAlreadyExists):
        us.tcb.open_active(us.now)
    assert us.state is state


def test_a_listening_connection_turns_active() -> None:
    us, peer = in_state(State.LISTEN)
    us.tcb.open_active(us.now)
    assert us.state is State.SYN_SENT
    peer.receives(SYN, seq=0)


def test_an_active_open_needs_to_know_where_to() -> None:
    """§3.10.1: "error: remote socket unspecified"."""
    tcb = without_remote()
    with pytest.raises(RemoteUnspecified):
        tcb.open_active(0.0)
    tcb.open_passive(0.0)
    with pytest.raises(RemoteUnspecified):
        tcb.open_active(0.0)
    with pytest.raises(RemoteUnspecified):
        tcb.send(b"x", 0.0)
    assert tcb.state is State.LISTEN


# -- §3.10.2 SEND ------------------------------------------------------------------------------------


@EVERY_STATE
def test_send(state: State) -> None:
    us, peer = in_state(state)
    if state is State.CLOSED:
        with pytest.raises(ConnectionDoesNotExist):
            us.sends(b"data")
    elif state in SEND_CLOSED:
        with pytest.raises(ConnectionClosing):
            us.sends(b"data")
    else:
        assert us.sends(b"data") == 4
        segments = peer.ignores()
        if state in (State.ESTABLISHED, State.CLOSE_WAIT):
            assert [bytes(segment.payload) for segment in segments] == [b"data"]
        else:
            assert all(not segment.payload for segment in segments), "queued"
    assert us.state is (State.SYN_SENT if state is State.LISTEN else state)


def test_send_of_nothing() -> None:
    us, peer = established()
    assert us.sends(b"") == 0
    peer.hears_nothing(during=1)


def test_the_data_may_be_changed_after_the_call() -> None:
    us, peer = established()
    data = bytearray(b"first")
    us.tcb.send(data, us.now)
    data[:] = b"wrong"
    peer.receives(ACK, data=b"first")


# -- §3.10.3 RECEIVE ---------------------------------------------------------------------------------


@EVERY_STATE
def test_receive_when_there_is_nothing(state: State) -> None:
    us, _ = in_state(state)
    assert us.reads() == b""
    assert us.state is state
    assert us.tcb.at_eof == (state in RECEIVE_CLOSED or state is State.CLOSED)


def test_receive_on_a_connection_that_never_was() -> None:
    """§3.10.3: "error: connection does not exist"."""
    with pytest.raises(ConnectionDoesNotExist):
        without_remote().receive(1, 0.0)


def test_what_was_received_before_the_end_can_be_read_after_it() -> None:
    """§3.10.3, CLOSE-WAIT: and the connection may have gone to CLOSED since."""
    us, peer = established()
    peer.sends(FIN | ACK, data=b"last words")
    us.closes()
    peer.ignores()
    peer.sends(ACK, ack=2)
    assert us.state is State.CLOSED
    assert us.tcb.readable
    assert us.reads(4) == b"last"
    assert us.reads() == b" words"
    assert us.reads() == b""
    assert us.tcb.at_eof


# -- §3.10.4 CLOSE -----------------------------------------------------------------------------------


@EVERY_STATE
def test_close(state: State) -> None:
    us, peer = in_state(state)
    us.closes()
    us.closes()
    fins = [segment for segment in peer.ignores() if segment.flags & FIN]
    after = {
        State.LISTEN: State.CLOSED,
        State.SYN_SENT: State.CLOSED,
        State.SYN_RECEIVED: State.FIN_WAIT_1,
        State.ESTABLISHED: State.FIN_WAIT_1,
        State.CLOSE_WAIT: State.LAST_ACK,
    }
    assert us.state is after.get(state, state)
    assert len(fins) == (us.state in (State.FIN_WAIT_1, State.LAST_ACK) and state is not us.state)


def test_close_in_syn_sent_tells_whoever_waits() -> None:
    """§3.10.4, SYN-SENT: "return "error: closing" responses to any queued SENDs"."""
    us, _ = in_state(State.SYN_SENT)
    us.sends(b"never sent")
    us.closes()
    with pytest.raises(ConnectionAborted):
        us.reads()


# -- §3.10.5 ABORT: see tests/scenarios/test_resets.py ---------------------------------------------------


@EVERY_STATE
def test_abort_twice(state: State) -> None:
    us, peer = in_state(state)
    us.aborts()
    peer.ignores()
    us.aborts()
    peer.hears_nothing(during=1000)
    assert us.state is State.CLOSED


# -- §3.10.6 STATUS ----------------------------------------------------------------------------------


@EVERY_STATE
def test_status_changes_nothing(state: State) -> None:
    us, peer = in_state(state)
    first, second = us.tcb.status(), us.tcb.status()
    assert first == second
    assert first.state is state
    assert (first.local_port, first.remote_port) == (OUR_PORT, peer.port)
    peer.hears_nothing()


def test_status_says_what_is_going_on() -> None:
    us, peer = established(PLAIN)
    us.sends(bytes(20_000))
    peer.sends(ACK, ack=1, data=b"unread")
    peer.sends(ACK, seq=100, ack=1, data=b"held")
    status = us.tcb.status()
    assert status.snd_nxt - status.snd_una == status.in_flight == 10 * 1460
    assert status.unsent == 20_000 - 10 * 1460
    assert (status.unread, status.out_of_order) == (6, 4)
    assert (status.bytes_sent, status.bytes_received) == (10 * 1460, 6)
    assert status.rcv_nxt == (peer.isn + 7) & 0xFFFFFFFF
    assert status.irs == peer.isn
    assert status.iss == peer.our_isn
    assert status.snd_mss == 1460
    assert status.rcv_wnd == 65535 - 6


# -- RELEASE: an application that has gone ------------------------------------------------------------------


@EVERY_STATE
def test_release_leaves_nothing_behind_in_the_end(state: State) -> None:
    """§3.6.1, §3.8.3: whatever the peer does or does not do, our side comes to an end."""
    us, peer = in_state(state)
    us.releases()
    us.releases()
    us.waits(2000)
    peer.ignores()
    assert us.gone
