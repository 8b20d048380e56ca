"""RFC 9293 §3.10.7.2 for many at once: a listener, its backlog and its children."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import OUR_PORT, PLAIN, THEIRS, Peer, Us, in_state, meet
from usertcp.stack.errors import AddressInUse, NotOurAddress
from usertcp.stack.host import HostConfig
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, RST, SYN


def _peers(us: Us, count: int) -> list[Peer]:
    """More peers of the same host; each looks at our packets only through ``us.peer``."""
    return [Peer(us, isn=1000 * number, window=65535, port=41000 + number) for number in range(count)]


def _knocks(us: Us, peer: Peer) -> bool:
    """Send a SYN; returns whether it was answered with a SYN,ACK."""
    us.peer = peer
    peer.sends(SYN, seq=0)
    if not peer.inbox:
        return False
    peer.receives(SYN | ACK, seq=0, ack=1)
    return True


def _comes_in(us: Us, peer: Peer) -> None:
    assert _knocks(us, peer)
    peer.sends(ACK, seq=1, ack=1)


def test_children_are_accepted_in_order() -> None:
    """RFC 9293 §3.9.1.1: passive OPEN, many times."""
    us, _ = meet()
    listener = us.listens()
    peers = _peers(us, 3)
    for peer in peers:
        _comes_in(us, peer)
    assert listener.pending
    assert us.host.woken_listeners == [listener]
    assert [us.accepts().remote_port for _ in peers] == [41000, 41001, 41002]
    assert listener.accept() is None


def test_a_full_backlog_drops_syns() -> None:
    """RFC 9293 §3.10.7.2 leaves it open: the peer tries again, so it is not told "refused"."""
    us, _ = meet(config=HostConfig(settings=PLAIN, syn_cookies=False))
    listener = us.listens(backlog=2)
    first, second, third = _peers(us, 3)
    assert _knocks(us, first)
    _comes_in(us, second)
    assert not _knocks(us, third)
    assert us.counted("backlog-full") == 1
    assert us.accepts().remote_port == second.port
    assert _knocks(us, third)
    assert len(listener.half_open) == 2


def test_a_reset_in_syn_received_makes_room() -> None:
    """RFC 9293 §3.10.7.4, second: the child goes, the listener stays in LISTEN."""
    us, _ = meet(config=HostConfig(settings=PLAIN, syn_cookies=False))
    listener = us.listens(backlog=1)
    first, second = _peers(us, 2)
    assert _knocks(us, first)
    assert not _knocks(us, second)
    us.peer = first
    first.sends(RST, seq=1)
    assert (State.SYN_RECEIVED, Event.RCV_RST_PASSIVE, State.LISTEN) in us.path
    assert first.key not in us.host.connections
    assert not listener.half_open
    assert _knocks(us, second)


def test_too_many_connections() -> None:
    """Everything is bounded."""
    us, _ = meet(config=HostConfig(max_connections=2))
    us.listens()
    first, second, third = _peers(us, 3)
    _comes_in(us, first)
    _comes_in(us, second)
    assert not _knocks(us, third)


def test_closing_a_listener_aborts_what_nobody_accepted() -> None:
    """RFC 9293 §3.10.4, LISTEN; §3.10.5 for the children."""
    us, _ = meet()
    listener = us.listens()
    half_open, ready, accepted = _peers(us, 3)
    _comes_in(us, accepted)
    connection = us.accepts()
    assert _knocks(us, half_open)
    _comes_in(us, ready)
    ready.ignores()
    listener.close(us.now)
    listener.close(us.now)
    us.settle()
    assert [segment.flags for segment in ready.ignores()] == [RST, RST]
    assert connection.state is State.ESTABLISHED
    assert set(us.host.connections.values()) == {connection}
    us.peer = half_open
    half_open.sends(SYN, seq=5000)
    half_open.receives(RST | ACK, ack=5001)


def test_one_listener_a_port_and_address() -> None:
    """RFC 9293 §3.9.1.1."""
    us, _ = meet()
    listener = us.listens()
    with pytest.raises(AddressInUse):
        us.host.listen(OUR_PORT)
    us.host.listen(OUR_PORT, address=us.host.addresses[0])
    with pytest.raises(AddressInUse):
        us.host.listen(OUR_PORT, address=us.host.addresses[0])
    with pytest.raises(NotOurAddress):
        us.host.listen(81, address=bytes([192, 0, 2, 99]))
    listener.close(us.now)
    us.host.listen(OUR_PORT)


def test_the_more_specific_listener_wins() -> None:
    """RFC 9293 §3.9.1.1: a local address may be given or left open (MUST-43)."""
    us, peer = meet()
    anywhere = us.listens()
    here = us.host.listen(OUR_PORT, address=us.host.addresses[0])
    _comes_in(us, peer)
    assert here.accept() is not None
    assert anywhere.accept() is None


def test_ports_to_connect_from_do_not_collide() -> None:
    """RFC 6056 §3.3: each connection has a pair of sockets of its own, and never a listener's port."""
    us, _ = meet()
    remote = bytes([192, 0, 2, 1])
    ports = [us.host.connect(remote, 80, us.now).local_port for _ in range(500)]
    assert len(set(ports)) == 500
    assert all(32768 <= port < 65536 for port in ports)
    with pytest.raises(AddressInUse):
        us.host.connect(remote, 80, us.now, local_port=ports[0])
    us.host.connect(remote, 81, us.now, local_port=ports[0])


def test_a_port_in_time_wait_is_not_taken() -> None:
    """RFC 9293 §3.4.2, §3.6.1 (MUST-13)."""
    us, peer = in_state(State.TIME_WAIT)
    with pytest.raises(AddressInUse):
        us.connects()
    us.waits(61)
    us.connects()
    peer.receives(SYN)


def test_without_an_address_of_that_family() -> None:
    us, _ = meet()
    with pytest.raises(NotOurAddress, match="IPv6"):
        us.host.connect(THEIRS[6], 80, us.now)
    with pytest.raises(NotOurAddress):
        us.host.connect(bytes([192, 0, 2, 1]), 80, us.now, local_address=bytes([192, 0, 2, 99]))
