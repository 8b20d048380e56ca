"""RSTs as other stacks send them: with an acknowledgment, at once, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, established, in_state, meet
from usertcp.tcp.errors import ConnectionReset
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

ACKNOWLEDGES = replace(PLAIN, reset_acknowledges=True)
LATE = replace(PLAIN, reset_late_data=True)
STAYS = replace(PLAIN, unread_stays=True)


def test_a_rst_may_acknowledge() -> None:
    us, peer = established(ACKNOWLEDGES)
    peer.sends(ACK, data=b"taken")
    us.aborts()
    peer.receives(RST | ACK, seq=1, ack=6)


def test_and_then_it_says_what_is_held() -> None:
    us, peer = established(ACKNOWLEDGES, sack=True)
    peer.sends(ACK, seq=11, data=b"held")
    peer.ignores()
    us.aborts()
    peer.receives(RST | ACK, seq=1, ack=1, blocks=[(11, 15)])


def test_half_open_connections_may_vanish_with_their_listener() -> None:
    us, peer = meet(replace(PLAIN, half_open_vanish=True))
    listener = us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    listener.close(us.now)
    peer.hears_nothing(during=10)
    assert us.gone
    peer.sends(ACK, seq=1, ack=1)
    peer.receives(RST, seq=1)


def test_what_was_accepted_by_nobody_gets_its_rst() -> None:
    us, peer = meet(replace(PLAIN, half_open_vanish=True))
    listener = us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1)
    listener.close(us.now)
    us.settle()
    peer.receives(RST, seq=1)


@pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.FIN_WAIT_2])
def test_text_for_nobody_may_be_answered_at_once(state: State) -> None:
    us, peer = in_state(state, LATE)
    us.releases()
    peer.sends(ACK, seq=1, ack=2, data=b"too late")
    peer.receives(RST, seq=2)
    assert us.gone


def test_text_in_closing_is_beyond_the_fin_and_no_reason() -> None:
    us, peer = in_state(State.CLOSING, LATE)
    us.releases()
    peer.sends(ACK, seq=1, ack=1, data=b"x")
    assert us.state is State.CLOSING


def test_old_text_is_no_reason() -> None:
    us, peer = established(LATE)
    peer.sends(ACK, data=b"old")
    peer.receives(ACK, ack=4, after=0.04)
    us.reads()
    us.releases()
    peer.receives(FIN | ACK)
    peer.sends(ACK, seq=1, ack=2, data=b"old")
    peer.receives(ACK, seq=2, ack=4)
    assert us.state is State.FIN_WAIT_1


def test_text_for_a_side_that_was_shut_is_for_nobody() -> None:
    us, peer = established(LATE)
    us.tcb.receive_shut = True
    peer.sends(ACK, data=b"while we may still send, it is taken")
    assert us.reads()
    us.closes()
    peer.ignores()
    peer.sends(ACK, ack=2, data=b"and now it is not")
    peer.receives(RST, seq=2)
    with pytest.raises(ConnectionReset):
        us.reads()


def test_what_was_received_may_stay() -> None:
    us, peer = established(STAYS)
    peer.sends(ACK, data=b"before the end")
    peer.sends(RST)
    assert us.state is State.CLOSED
    assert us.reads(6) == b"before"
    assert us.reads() == b" the end"
    with pytest.raises(ConnectionReset):
        us.reads()
