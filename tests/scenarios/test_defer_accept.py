"""A listener that wants data: a bare ACK does not establish a connection, for a while (TCP_DEFER_ACCEPT)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, meet
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, SYN

DEFERRED = replace(PLAIN, defer_accept=3)


def half_open() -> tuple[Us, Peer]:
    us, peer = meet(DEFERRED)
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    return us, peer


def test_data_establishes_it() -> None:
    us, peer = half_open()
    peer.sends(ACK, seq=1, ack=1)
    assert us.state is State.SYN_RECEIVED
    assert us.counted("accept-deferred") == 1
    peer.hears_nothing(during=6)  # it has our SYN,ACK: no need to say it again
    peer.sends(ACK, data=b"request")
    assert us.state is State.ESTABLISHED
    assert us.accepts() is us.tcb
    assert us.reads() == b"request"


def test_data_with_the_first_ack_will_do() -> None:
    us, peer = half_open()
    peer.sends(ACK, seq=1, ack=1, data=b"request")
    assert us.state is State.ESTABLISHED


def test_a_fin_will_do() -> None:
    us, peer = half_open()
    peer.sends(FIN | ACK, seq=1, ack=1)
    assert us.state is State.CLOSE_WAIT


def test_in_the_end_the_peer_is_asked_again_and_its_ack_taken() -> None:
    us, peer = half_open()
    peer.sends(ACK, seq=1, ack=1)
    peer.receives(SYN | ACK, seq=0, after=7)  # after 1, 2 and 4 seconds
    peer.sends(ACK, seq=1, ack=1)
    assert us.state is State.ESTABLISHED


@pytest.mark.parametrize("answers", [True, False])
def test_a_peer_that_has_not_answered_is_asked_as_ever(answers: bool) -> None:
    _, peer = half_open()
    peer.receives(SYN | ACK, seq=0, after=1)
    if answers:
        peer.sends(ACK, seq=1, ack=1)
        peer.hears_nothing(during=5)
    else:
        peer.receives(SYN | ACK, seq=0, after=2)


def test_our_own_opening_waits_for_nothing() -> None:
    us, peer = meet(DEFERRED)
    us.connects()
    peer.receives(SYN, seq=0)
    peer.sends(SYN, seq=0)  # both at once
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK, seq=1, ack=1)
    assert us.state is State.ESTABLISHED
