"""RFC 9293 §3.9.1.1: which addresses and ports OPEN takes, and which ones a connection then uses."""

from __future__ import annotations

import pytest

from tests.scenarios.driver import OUR_PORT, OURS, THEIRS, established, meet
from usertcp.stack.errors import InvalidRemoteAddress
from usertcp.tcp.states import State
from usertcp.wire import ipv4
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import ACK, RST, SYN

ANOTHER = bytes([198, 51, 100, 7])


@pytest.mark.parametrize(
    "address",
    [
        bytes([255, 255, 255, 255]),
        bytes([224, 0, 0, 1]),
        bytes([239, 1, 2, 3]),
        bytes([0, 0, 0, 0]),
        bytes([127, 0, 0, 1]),
        bytes.fromhex("ff020000000000000000000000000001"),
        bytes(16),
        bytes(15) + b"\1",
    ],
    ids=str,
)
def test_no_connection_to_what_is_no_host(address: bytes) -> None:
    """RFC 9293 §3.9.1.1 (MUST-46)."""
    for family in (4, 6):
        us, peer = meet(family=family)
        with pytest.raises(InvalidRemoteAddress):
            us.host.connect(address, 80, us.now)
        peer.hears_nothing()
        assert not us.host.connections


def test_a_passive_open_leaves_other_connections_alone() -> None:
    """RFC 9293 §3.9.1.1 (MUST-41): neither those of another listener nor one that is open on the same port."""
    us, peer = established()
    half_open = us.host.connect(THEIRS[4], 9, us.now, local_port=1234)
    before = us.tcb.status(), half_open.state, list(us.host.listeners)
    us.host.listen(1234)
    us.host.listen(OUR_PORT, address=OURS[4])
    assert (us.tcb.status(), half_open.state, list(us.host.listeners)[:1]) == before
    us.sends(b"still here")
    peer.inbox.popleft()  # the SYN of the other one
    peer.receives(ACK, data=b"still here")


def test_listening_on_the_port_of_a_connection_attempt() -> None:
    """RFC 9293 §3.9.1.1 (MUST-42): while a connection with the same local port is in SYN-SENT or SYN-RECEIVED."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    listener = us.listens()
    assert us.state is State.SYN_SENT
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    assert us.state is State.SYN_RECEIVED
    assert not listener.half_open, "the simultaneous open is not the listener's"
    us.host.listen(OUR_PORT, address=OURS[4])
    assert us.state is State.SYN_RECEIVED


def test_the_local_address_of_an_active_open_may_be_chosen() -> None:
    """RFC 9293 §3.9.1.1 (MUST-43)."""
    us, peer = meet()
    us.host.addresses += (ANOTHER,)
    us.host.address_set |= {ANOTHER}
    us.host.connect(THEIRS[4], 9, us.now, local_address=ANOTHER)
    us.settle()
    assert _source(peer.inbox[-1].packet) == ANOTHER
    us.host.connect(THEIRS[4], 9, us.now)
    us.settle()
    assert _source(peer.inbox[-1].packet) == OURS[4]


@pytest.mark.parametrize("family", [4, 6])
def test_without_one_the_host_chooses_it_for_the_first_syn(family: int) -> None:
    """RFC 9293 §3.9.1.1 (MUST-44)."""
    us, peer = meet(family=family)
    other = 10 - family
    us.host.addresses = (OURS[other], *us.host.addresses)
    us.host.address_set |= {OURS[other]}
    connection = us.host.connect(THEIRS[family], 9, us.now)
    us.settle()
    peer.receives(SYN)
    assert connection.local_address == OURS[family]


def test_all_segments_of_a_connection_come_from_the_address_of_the_first() -> None:
    """RFC 9293 §3.9.1.1 (MUST-45): from the one that the SYN was for; also the RST at the end."""
    us, peer = meet()
    us.host.addresses = (ANOTHER, *us.host.addresses)
    us.host.address_set |= {ANOTHER}
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    assert peer.last is not None
    assert _source(peer.last.packet) == OURS[4]
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.sends(b"data")
    peer.receives(ACK, data=b"data")
    assert _source(peer.last.packet) == OURS[4]
    us.aborts()
    peer.receives(RST)
    assert _source(peer.last.packet) == OURS[4]


def _source(packet: bytes) -> bytes:
    header = ipv4.parse(packet)
    assert not isinstance(header, Malformed)
    return header.src
