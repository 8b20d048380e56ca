"""RFC 9293 §3.9.1.9, §3.9.2: the fields of the IP header that TCP or its application chooses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import OUR_PORT, OURS, PLAIN, THEIR_PORT, THEIRS, Peer, established, in_state, meet
from usertcp.tcp.states import State
from usertcp.wire import ipv4, ipv6, tcp
from usertcp.wire.codepoint import ECT_0
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import ACK, CWR, ECE, FIN, RST, SYN, Segment

#: Expedited forwarding, as a traffic class.
EF = 46 << 2
MARKED = replace(PLAIN, ttl=5, traffic_class=EF)


def last_fields(peer: Peer) -> tuple[int, int]:
    """Hop limit and traffic class of the last packet that the peer took."""
    assert peer.last is not None
    if peer.family == 4:
        v4 = ipv4.parse(peer.last.packet)
        assert not isinstance(v4, Malformed)
        return v4.ttl, v4.tos
    v6 = ipv6.parse(peer.last.packet)
    assert not isinstance(v6, Malformed)
    return v6.hop_limit, v6.traffic_class


@pytest.mark.parametrize("family", [4, 6])
def test_by_default(family: int) -> None:
    us, peer = established(family=family)
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    assert last_fields(peer) == (64, 0)


@pytest.mark.parametrize("family", [4, 6])
def test_they_can_be_chosen_and_are_on_every_segment(family: int) -> None:
    """RFC 9293 §3.9.2 (MUST-49), §3.9.1.9 (MUST-48, SHLD-22): from the SYN,ACK to the last acknowledgment of
    TIME-WAIT, and on the RST for what belongs to no connection."""
    us, peer = meet(MARKED, family=family)
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    assert last_fields(peer) == (5, EF)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.sends(b"data")
    peer.receives(ACK, data=b"data")
    assert last_fields(peer) == (5, EF)
    us.closes()
    peer.receives(FIN | ACK)
    peer.sends(FIN | ACK, ack=6)
    peer.receives(ACK)
    assert us.state is State.TIME_WAIT
    peer.sends(FIN | ACK, seq=1, ack=6)
    peer.receives(ACK)
    assert last_fields(peer) == (5, EF)
    peer.sends(ACK, to_port=9)
    peer.receives(RST)
    assert last_fields(peer) == (5, EF)


def test_on_our_syn() -> None:
    us, peer = meet(MARKED)
    us.connects()
    peer.receives(SYN)
    assert last_fields(peer) == (5, EF)


def test_the_class_may_change_while_the_connection_lasts() -> None:
    """RFC 9293 §3.9.1.9 (SHLD-21)."""
    us, peer = established()
    for traffic_class in (0, EF, 8 << 2, 0):
        us.tcb.traffic_class = traffic_class
        us.sends(b"x")
        peer.receives(ACK, data=b"x")
        assert last_fields(peer) == (64, traffic_class)
        peer.sends(ACK)


def test_in_time_wait_it_is_that_of_the_connection() -> None:
    us, peer = in_state(State.FIN_WAIT_2)
    us.tcb.traffic_class = EF
    peer.sends(FIN | ACK, seq=1, ack=2)
    peer.receives(ACK)
    peer.sends(FIN | ACK, seq=1, ack=2)
    peer.receives(ACK)
    assert last_fields(peer) == (64, EF)


def test_ecn_has_its_two_bits_beside_it() -> None:
    """RFC 9293 §3.9.1.9 (SHLD-22), RFC 3168 §5."""
    us, peer = meet(MARKED)
    us.listens()
    peer.sends(SYN | ECE | CWR, seq=0)
    peer.receives(SYN | ACK | ECE)
    assert last_fields(peer) == (5, EF)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    assert last_fields(peer) == (5, EF | ECT_0)


@pytest.mark.parametrize(
    "options",
    [
        bytes.fromhex("070b04") + bytes(8),  # record route
        bytes.fromhex("440c0500") + bytes(8),  # timestamp
        bytes.fromhex("820b") + bytes(9),  # security
        bytes.fromhex("830b0c") + bytes(8),  # a source route that is completed
        bytes.fromhex("9e04abcd"),  # nobody knows this one
        bytes.fromhex("01010100"),
    ],
    ids=bytes.hex,
)
def test_ip_options_are_read_over(options: bytes) -> None:
    """RFC 9293 §3.9.2 (MUST-50)."""
    us, peer = meet()
    us.listens()
    syn = tcp.emit(Segment(THEIR_PORT, OUR_PORT, peer.isn, 0, SYN, 65535), THEIRS[4], OURS[4])
    packet = ipv4.emit(ipv4.Header(THEIRS[4], OURS[4], tcp.PROTOCOL, options=options), len(syn)) + syn
    us.host.packet_arrives(packet, us.now)
    us.settle()
    answer = peer.receives(SYN | ACK, ack=1)
    assert answer.payload == b""
    assert peer.last is not None
    assert peer.last.packet[0] == 0x45, "and none goes back"


@pytest.mark.parametrize("ttl", [0, 1])
@pytest.mark.parametrize("family", [4, 6])
def test_a_ttl_that_is_nearly_spent_is_no_reason_to_drop(family: int, ttl: int) -> None:
    """RFC 1122 §3.2.1.7, RFC 8200 §3: it is for those that forward."""
    us, peer = meet(family=family)
    us.listens()
    ours, theirs = OURS[family], THEIRS[family]
    syn = tcp.emit(Segment(THEIR_PORT, OUR_PORT, peer.isn, 0, SYN, 65535), theirs, ours)
    if family == 4:
        packet = ipv4.emit(ipv4.Header(theirs, ours, tcp.PROTOCOL, ttl=ttl), len(syn)) + syn
    else:
        packet = ipv6.emit(ipv6.Header(theirs, ours, tcp.PROTOCOL, hop_limit=ttl), len(syn)) + syn
    us.host.packet_arrives(packet, us.now)
    us.settle()
    peer.receives(SYN | ACK, ack=1)


def test_two_whole_datagrams_may_have_one_identification() -> None:
    """RFC 6864 §4.1: "MUST ignore the IPv4 ID field of atomic datagrams"."""
    us, peer = established()
    for seq in (1, 6):
        segment = Segment(THEIR_PORT, OUR_PORT, peer.isn + seq, (peer.our_isn + 1) & 0xFFFFFFFF, ACK, 65535)
        segment.payload = b"hello"
        data = tcp.emit(segment, THEIRS[4], OURS[4]) + b"hello"
        header = ipv4.Header(THEIRS[4], OURS[4], tcp.PROTOCOL, identification=4321)
        us.host.packet_arrives(ipv4.emit(header, len(data)) + data, us.now)
    assert us.reads() == b"hellohello"


def flow_label(peer: Peer) -> int:
    """Of the last packet that the peer took."""
    assert peer.last is not None
    header = ipv6.parse(peer.last.packet)
    assert not isinstance(header, Malformed)
    return header.flow_label


def test_all_packets_of_a_flow_have_its_label() -> None:
    """RFC 8504 §5.1: "setting the Flow Label field for all packets of a given flow to the same value"."""
    us, peer = established(family=6)
    label = flow_label(peer)
    assert label
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    assert flow_label(peer) == label
    peer.receives(ACK, data=b"x", after=0.2)
    assert flow_label(peer) == label
    us.aborts()
    peer.receives(RST)
    assert flow_label(peer) == label
    peer.sends(ACK)
    peer.receives(RST)
    assert flow_label(peer) == label
    peer.sends(ACK, to_port=9)
    peer.receives(RST)
    assert flow_label(peer) not in (0, label)


def test_also_in_time_wait() -> None:
    us, peer = in_state(State.FIN_WAIT_2, family=6)
    us.waits(0.01)
    peer.sends(FIN | ACK, seq=1, ack=2)
    peer.receives(ACK)
    label = flow_label(peer)
    peer.sends(FIN | ACK, seq=1, ack=2)
    peer.receives(ACK)
    assert flow_label(peer) == label != 0
