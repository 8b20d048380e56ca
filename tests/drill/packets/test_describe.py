from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.drill.packets.strategies import (
    LOCAL_4,
    REMOTE_4,
    Ends,
    all_icmp_packets,
    ends,
    sequence,
    tcp_packets,
    udp_packets,
)
from usertcp.drill.packets import Flow, build, compare, describe, diff
from usertcp.drill.packets.spell import spell
from usertcp.drill.parser import parse
from usertcp.drill.script import (
    IcmpPacket,
    IpInfo,
    OuterHeader,
    Packet,
    PacketEvent,
    Sequence,
    TcpOption,
    TcpPacket,
    UdpPacket,
)
from usertcp.wire import ipv4

HOST = Flow(REMOTE_4, LOCAL_4, 1, 2, 500, 900)


def script() -> Flow:
    return Flow(LOCAL_4, REMOTE_4, 2, 1, 900, 500)


@pytest.mark.parametrize(
    ("packet", "text"),
    [
        (TcpPacket(frozenset("P."), sequence(1, 20), 7, 257), "P. 1:21(20) ack 7 win 257"),
        (TcpPacket(frozenset(), sequence(1, 0), None, 1), "- 1:1(0) win 1"),
        (TcpPacket(frozenset("FU."), sequence(1, 0), 1, 1, 9), "FU. 1:1(0) ack 1 win 1 urg 9"),
        (TcpPacket(frozenset("."), sequence(1, 0), 1, 1, ace=5), "EA. 1:1(0) ack 1 win 1"),
        (
            TcpPacket(
                frozenset("."),
                sequence(1, 0),
                1,
                1,
                options=(TcpOption("nop"), TcpOption("nop"), TcpOption("sack", (1, 2, 5, 6))),
            ),
            ". 1:1(0) ack 1 win 1 <nop,nop,sack 1:2 5:6>",
        ),
        (
            TcpPacket(
                frozenset("S"),
                sequence(1, 0),
                None,
                1,
                options=(
                    TcpOption("FO", data=b"\xab\xcd"),
                    TcpOption("FO"),
                    TcpOption("unknown", data=b"\1", kind_number=9),
                    TcpOption("unknown", kind_number=0x4D),
                    TcpOption("AccECN", (1, 2), kind_number=174),
                    TcpOption("AccECN", (1, 2), kind_number=172),
                ),
            ),
            "S 1:1(0) win 1 <FO abcd,FO,0x09 0x01,0x4d,ECN e1b 1 ceb 2,ECN e0b 1 ceb 2,eol>",
        ),
        (TcpPacket(frozenset("."), sequence(1, 0), 1, 1, ip=IpInfo("ce")), "[ce] . 1:1(0) ack 1 win 1"),
        (
            TcpPacket(
                frozenset("."),
                sequence(1, 0),
                1,
                1,
                outer=(OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"), OuterHeader("mpls")),
            ),
            "ipv4 1.1.1.1 > 2.2.2.2: mpls (label 0, tc 0, [S], ttl 255): . 1:1(0) ack 1 win 1",
        ),
        (UdpPacket(1000), "udp (1000)"),
        (
            IcmpPacket("unreachable", "frag_needed", 1200, sequence(1, 10)),
            "icmp unreachable frag_needed mtu 1200 [1:11(10)]",
        ),
        (IcmpPacket("unreachable", "port_unreachable", echoed_udp=7), "icmp unreachable port_unreachable [udp (7)]"),
        (IcmpPacket("17", "3"), "icmp address_mask_request 3"),
    ],
)
def test_live_packets_in_words(packet: Packet, text: str) -> None:
    assert describe(build(packet, HOST), script()) == text


def test_fields_of_ip_are_told_where_they_were_asked_for() -> None:
    sent = build(UdpPacket(1, IpInfo("ect0", 9, 0x20)), HOST)
    assert describe(sent, script()) == "[ect0] udp (1)"
    assert describe(sent, script(), UdpPacket(1, IpInfo("ce", 1, 1, 1))) == "[ect0, ttl 9, tos 0x22] udp (1)"


def test_ports_are_told_where_they_were_asked_for() -> None:
    sent = build(UdpPacket(1), HOST)
    assert describe(sent, script(), UdpPacket(1, ports=(3, 4))) == "2 > 1 udp (1)"
    flow = script()
    flow.named_ports = (7, 8)
    assert describe(sent, flow, UdpPacket(1, ports=(3, 4))) == "7 > 8 udp (1)"
    assert describe(sent, flow, IcmpPacket("unreachable")) == "udp (1)"


def test_a_first_syn_is_number_0() -> None:
    flow = Flow(LOCAL_4, REMOTE_4, 2, 1)
    assert describe(build(TcpPacket(frozenset("S"), sequence(77, 0), None, 1), HOST), flow) == "S 0:0(0) win 1"


def test_what_a_script_says_besides() -> None:
    assert spell(TcpPacket(frozenset("."), Sequence(1, 1, 0), 1, options=None, ace=5)) == ".5 1:1(0) ack 1 <...>"
    outer = (OuterHeader("udp", fields=(("sport", 1), ("dport", 2))),)
    assert spell(UdpPacket(3, outer=outer, ports=(5, 6))) == "udp 1 > 2: 5 > 6 udp (3)"
    absolute = TcpPacket(frozenset("."), Sequence(1, 1, 0, absolute=True), 2, ack_absolute=True, mutations="rep 1")
    assert spell(absolute) == ". @1:1(0) ack @2 {rep 1}"
    bare = tuple(map(TcpOption, ("mss", "TS", "sack", "md5")))
    assert spell(TcpPacket(frozenset("."), Sequence(1, 1, 0), options=bare)) == ". 1:1(0) <mss,TS,sack,md5>"
    assert spell(TcpPacket(frozenset("R"), Sequence(1, 1, 0), ip=IpInfo(flow_label=5))) == "[flowlabel 0x5] R 1:1(0)"


@pytest.mark.parametrize("packet", [b"", b"\x45", b"\x60" * 40, b"\x1b[2J" * 20])
def test_what_cannot_be_read_is_counted(packet: bytes) -> None:
    assert describe(packet, script()).startswith(f"{len(packet)} bytes (")


def test_another_protocol_is_named() -> None:
    packet = ipv4.emit(ipv4.Header(LOCAL_4, REMOTE_4, 89), 4) + b"ospf"
    assert describe(packet, script()) == "24 bytes (protocol 89)"


@given(st.binary(max_size=100))
def test_garbage_has_a_description_too(packet: bytes) -> None:
    assert describe(packet, script()).isprintable()


@given(tcp_packets, ends)
def test_the_description_of_a_segment_is_how_a_script_says_it(packet: TcpPacket, ends: Ends) -> None:
    said = replace(packet, outer=(), ace=None, ip=IpInfo(), urgent=packet.urgent or None)
    # On the wire the number 0 of a RST has a meaning of its own.
    assume(not {"R", "."} <= packet.flags or ends.host.inbound_seq(packet.sequence.start))
    assert describe(build(said, ends.host), ends.script) == spell(said)


@given(tcp_packets | udp_packets | all_icmp_packets(4) | all_icmp_packets(6))
def test_what_is_spelled_can_be_read(packet: Packet) -> None:
    if isinstance(packet, TcpPacket) and packet.options:
        # The empty one of the two options has no spelling of its own.
        assume(TcpOption("AccECN", (), kind_number=172) not in packet.options)
    (event,) = parse(f"0 > {spell(packet)}", "test").events
    assert isinstance(event.action, PacketEvent)
    assert event.action.packet == packet


def test_the_text_of_a_failure() -> None:
    packet = TcpPacket(frozenset("P."), sequence(1, 10), 1, options=(TcpOption("mss", (1460,)),))
    sent = build(TcpPacket(frozenset("."), sequence(1, 9), 1, 65535, options=(TcpOption("mss", (1440,)),)), HOST)
    flow = script()
    text = diff(" +0 > P. 1:11(10) ack 1 <mss 1460> // \x1b[2J ", packet, sent, flow, compare(packet, sent, flow))
    assert text.splitlines() == [
        "+0 > P. 1:11(10) ack 1 <mss 1460> // \\x1b[2J",
        "  expected: > P. 1:11(10) ack 1 <mss 1460>",
        "  actual:   > . 1:10(9) ack 1 win 65535 <mss 1440>",
        "  flags: expected P., actual .",
        "  length: expected 10, actual 9",
        "  mss: expected mss 1460, actual mss 1440",
    ]


def test_words_of_a_script_are_escaped() -> None:
    sent = build(IcmpPacket("unreachable", "port_unreachable", echoed_udp=1), HOST)
    packet, flow = IcmpPacket("\x1b[2J"), script()
    text = diff("\x1b", packet, sent, flow, compare(packet, sent, flow))
    assert "\x1b" not in text
    assert "\\x1b[2J" in text
