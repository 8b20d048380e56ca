"""What becomes of a connection whose application is gone: linger, and the limits of orphans."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, THEIR_PORT, Peer, Us, established, meet
from usertcp.stack.host import HostConfig
from usertcp.tcp.errors import ConnectionAborted, ConnectionTimedOut
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

# -- Linger --------------------------------------------------------------------------------------------


def test_by_default_data_is_delivered_after_the_application_has_gone() -> None:
    """RFC 9293 §3.6: CLOSE is not ABORT."""
    us, peer = established()
    us.sends(b"goodbye")
    us.releases()
    peer.receives(ACK, data=b"goodbye")
    peer.receives(FIN | ACK)
    peer.receives(FIN | ACK, seq=1, data=b"goodbye", after=0.2)
    peer.sends(ACK, ack=9)
    assert us.state is State.FIN_WAIT_2


def test_linger_of_zero_is_a_reset() -> None:
    """As SO_LINGER with a time of 0: ABORT (RFC 9293 §3.10.5), what was not acknowledged is lost."""
    us, peer = established()
    us.sends(b"goodbye")
    peer.receives(ACK, data=b"goodbye")
    us.tcb.linger = 0
    us.releases()
    peer.receives(RST, seq=8)
    assert us.state is State.CLOSED
    assert us.path[-1] == (State.ESTABLISHED, Event.ABORT, State.CLOSED)
    assert isinstance(us.tcb.error, ConnectionAborted)
    assert us.gone
    peer.hears_nothing(during=1000)


def test_linger_is_for_release_only() -> None:
    """A half-close by an application that reads on is none of its business."""
    us, peer = established()
    us.tcb.linger = 0
    us.closes()
    peer.receives(FIN | ACK)
    assert us.state is State.FIN_WAIT_1


def test_linger_bounds_how_long_delivery_is_tried() -> None:
    """As SO_LINGER with a time: five seconds, to the next retransmission."""
    us, peer = established()
    us.sends(b"goodbye")
    us.tcb.linger = 5
    us.releases()
    us.waits(4.9)
    assert us.state is State.FIN_WAIT_1
    us.waits(2)
    assert us.state is State.CLOSED
    assert us.path[-1] == (State.FIN_WAIT_1, Event.USER_TIMEOUT, State.CLOSED)
    assert isinstance(us.tcb.error, ConnectionTimedOut)
    peer.ignores()
    peer.hears_nothing(during=1000)


def test_linger_changes_nothing_where_the_peer_answers() -> None:
    us, peer = established()
    us.sends(b"goodbye")
    us.tcb.linger = 5
    us.releases()
    peer.ignores()
    peer.sends(FIN | ACK, ack=9)
    peer.receives(ACK, seq=9, ack=2)
    assert us.state is State.TIME_WAIT
    assert us.tcb.error is None


# -- Orphans -------------------------------------------------------------------------------------------


def test_an_orphan_is_given_up_sooner() -> None:
    """``orphan_timeout`` instead of R2 (RFC 9293 §3.8.3: at least 100 s), and its end frees its place."""
    for released, state in ((False, State.FIN_WAIT_1), (True, State.CLOSED)):
        us, peer = established(replace(PLAIN, orphan_timeout=120))
        us.sends(b"x")
        if released:
            us.releases()
            assert us.host.orphans == 1
        else:
            us.closes()
        us.waits(119)
        assert us.state is State.FIN_WAIT_1
        us.waits(61)
        assert us.state is state
        assert us.host.orphans == 0
        peer.ignores()


def test_a_closed_window_does_not_keep_an_orphan() -> None:
    """RFC 9293 §3.8.6.1: the peer acknowledges each probe; nobody is there any more to wait for it."""
    us, peer = established(replace(PLAIN, orphan_timeout=120), window=0)
    us.sends(b"x")
    us.releases()
    for _ in range(20):
        us.waits(10)
        peer.ignores()
        if us.state is State.CLOSED:
            break
        peer.sends(ACK, ack=1, window=0)
    assert us.state is State.CLOSED
    assert us.host.orphans == 0


def _many(count: int, config: HostConfig) -> tuple[Us, list[Peer]]:
    """So many connections from as many ports, and an application that leaves each with data unacknowledged."""
    us, _ = meet(config=config)
    us.listens()
    peers = []
    for number in range(count):
        us.peer = peer = Peer(us, 7000, 65535, THEIR_PORT + number)
        peers.append(peer)
        peer.sends(SYN, seq=0)
        peer.receives(SYN | ACK)
        peer.sends(ACK, seq=1, ack=1)
        us.tcb = us.accepts()
        us.sends(b"goodbye")
        peer.ignores()
        us.releases()
    return us, peers


def test_the_number_of_orphans_is_bounded() -> None:
    """One more than ``max_orphans`` is reset; those that were there before are left alone."""
    us, peers = _many(4, HostConfig(settings=PLAIN, max_orphans=3))
    assert str(us.tcb.error) == "one connection too many without an application in FIN-WAIT-1"
    assert peers[-1].inbox[-1].segment.flags == RST  # type: ignore[union-attr]
    assert us.counted("orphans-aborted") == 1
    assert us.host.orphans == 3
    assert len(us.host.connections) == 3


@pytest.mark.parametrize("end", ["time-wait", "reset", "last-ack"])
def test_each_end_makes_room_for_another(end: str) -> None:
    us, peers = _many(3, HostConfig(settings=PLAIN, max_orphans=3))
    peer = us.peer = peers[1]
    peer.our_isn = us.host.connections[peer.key].iss & 0xFFFFFFFF
    if end == "time-wait":
        peer.sends(FIN | ACK, seq=1, ack=9)
    elif end == "reset":
        peer.sends(RST, seq=1)
    else:
        peer.sends(FIN | ACK, seq=1, ack=8)
        assert us.host.orphans == 3
        peer.sends(ACK, seq=2, ack=9)
    assert us.host.orphans == 2
    assert us.counted("orphans-aborted") == 0


def test_fin_wait_2_of_an_orphan_is_bounded_and_then_it_is_none() -> None:
    """RFC 9293 §3.6 leaves it open: ``fin_wait_2_timeout``."""
    us, peer = established(replace(PLAIN, fin_wait_2_timeout=5))
    us.releases()
    peer.receives(FIN | ACK)
    peer.sends(ACK, ack=2)
    assert us.host.orphans == 1
    us.waits(4.9)
    assert us.state is State.FIN_WAIT_2
    us.waits(0.2)
    assert us.path[-1] == (State.FIN_WAIT_2, Event.FIN_WAIT_2_TIMEOUT, State.CLOSED)
    assert us.host.orphans == 0


def test_a_half_closed_connection_with_an_application_may_stay_in_fin_wait_2() -> None:
    """RFC 9293 §3.6: the application reads on for as long as it likes."""
    us, peer = established(replace(PLAIN, fin_wait_2_timeout=5))
    us.closes()
    peer.receives(FIN | ACK)
    peer.sends(ACK, ack=2)
    us.waits(10_000)
    assert us.state is State.FIN_WAIT_2
    peer.sends(ACK, ack=2, data=b"still here")
    assert us.reads() == b"still here"
    peer.ignores()
