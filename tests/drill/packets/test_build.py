from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from tests.drill.packets.strategies import LOCAL_4, LOCAL_6, REMOTE_4, REMOTE_6, Ends, ends, sequence, tcp_packets
from usertcp.drill.packets import Flow, Unbuildable, UnknownPart, build, check
from usertcp.drill.script import IcmpPacket, IpInfo, OuterHeader, Packet, Sequence, TcpOption, TcpPacket, UdpPacket
from usertcp.wire import icmp, ipv4, ipv6, tcp
from usertcp.wire.malformed import Malformed


def flow_4() -> Flow:
    return Flow(LOCAL_4, REMOTE_4, 8080, 33000, 1000, 2000)


def flow_6() -> Flow:
    return Flow(LOCAL_6, REMOTE_6, 8080, 33000, 1000, 2000)


ACK = TcpPacket(frozenset("."), Sequence(1, 1, 0), 1, 100)


@given(tcp_packets, ends)
def test_our_own_parser_reads_it(packet: TcpPacket, ends: Ends) -> None:
    """Both headers, the checksum and the length are right for somebody who does not know how it was made."""
    sent = build(replace(packet, outer=()), ends.script)
    header: ipv4.Header | ipv6.Header | Malformed
    if len(ends.script.local) == 4:
        header = ipv4.parse(sent)
        assert isinstance(header, ipv4.Header)
        assert header.total_length == len(sent)
        data = sent[header.header_length :]
    else:
        header = ipv6.parse(sent)
        assert isinstance(header, ipv6.Header)
        data = sent[header.payload_offset :]
    assert (header.src, header.dst) == (ends.script.remote, ends.script.local)
    assert tcp.checksum_ok(data, header.src, header.dst)
    segment = tcp.parse(data)
    assert isinstance(segment, tcp.Segment)
    assert (segment.src_port, segment.dst_port) == (ends.script.remote_port, ends.script.local_port)
    assert segment.seq == (packet.sequence.start + ends.script.remote_offset) % 2**32
    assert (segment.window, segment.urgent) == (packet.window, packet.urgent)
    assert len(segment.payload) == packet.sequence.length


def test_the_bytes_of_one_segment() -> None:
    packet = TcpPacket(
        frozenset("SEW"),
        Sequence(0, 0, 0),
        window=32792,
        options=(
            TcpOption("mss", (1000,)),
            TcpOption("sackOK"),
            TcpOption("TS", (100, 0)),
            TcpOption("nop"),
            TcpOption("wscale", (7,)),
        ),
        ip=IpInfo("ect0", 64),
    )
    sent = build(packet, Flow(LOCAL_4, REMOTE_4, 8080, 33000, 0x01020304))
    assert sent[:10].hex() == "4502003c000040004006"
    assert sent[12:20] == REMOTE_4 + LOCAL_4
    assert sent[20:36].hex() == "80e81f900102030400000000a0c28018"
    assert sent[38:40] == b"\0\0"
    assert sent[40:].hex() == "020403e80402080a000000640000000001030307"


@pytest.mark.parametrize(
    ("option", "data"),
    [
        (TcpOption("eol"), "00000000"),
        (TcpOption("sackOK"), "04020000"),
        (TcpOption("FO"), "22020000"),
        (TcpOption("FO", data=bytes.fromhex("12345678abcd")), "220812345678abcd"),
        (TcpOption("FOEXP", data=b"\x01\x02\x03\x04"), "fe08f98901020304"),
        (TcpOption("md5", data=bytes(range(16))), "1312000102030405060708090a0b0c0d0e0f0000"),
        (TcpOption("AccECN", (1, 2, 3), kind_number=172), "ac0b00000100000200000300"),
        (TcpOption("AccECN", (), kind_number=174), "ae020000"),
        (TcpOption("unknown", data=b"\xff", kind_number=0x99), "9903ff00"),
        (TcpOption("sack", (1, 2)), "050a000007d1000007d20000"),
    ],
)
def test_options(option: TcpOption, data: str) -> None:
    assert build(replace(ACK, options=(option,)), flow_4())[40:].hex() == data


def test_more_than_any_path_carries_is_one_packet() -> None:
    sent = build(replace(ACK, sequence=sequence(1, 30000)), flow_4())
    assert len(sent) == 30040


def test_what_is_not_said() -> None:
    header = ipv4.parse(build(TcpPacket(frozenset("R"), Sequence(1, 1, 0)), flow_4()))
    assert isinstance(header, ipv4.Header)
    assert (header.ttl, header.tos) == (255, 0)
    segment = tcp.parse(build(TcpPacket(frozenset("R"), Sequence(1, 1, 0)), flow_4())[20:])
    assert isinstance(segment, tcp.Segment)
    assert (segment.window, segment.ack, segment.urgent) == (0xFFFF, 0, 0)


@pytest.mark.parametrize(
    ("packet", "tos"),
    [
        (IpInfo(tos=0x23), 0x23),
        (IpInfo("ce", tos=0x20), 0x23),
        (IpInfo("noecn", tos=0x23), 0x20),
        (IpInfo("ect1"), 1),
        (IpInfo("ect0"), 2),
        (IpInfo("ect01"), 2),
    ],
)
def test_the_traffic_class(packet: IpInfo, tos: int) -> None:
    assert build(replace(ACK, ip=packet), flow_4())[1] == tos
    header = ipv6.parse(build(replace(ACK, ip=replace(packet, flow_label=0x12345)), flow_6()))
    assert isinstance(header, ipv6.Header)
    assert (header.traffic_class, header.flow_label) == (tos, 0x12345)


# -- Encapsulation


def test_a_packet_in_packets() -> None:
    outer = (
        OuterHeader("ipv6", "fd00::1", "fd00::2"),
        OuterHeader("gre"),
        OuterHeader("mpls", fields=(("label", 5), ("tc", 3), ("ttl", 9), ("label", 6), ("ttl", 8))),
        OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"),
    )
    sent = build(replace(ACK, outer=outer), flow_4())
    first = ipv6.parse(sent)
    assert isinstance(first, ipv6.Header)
    assert (first.next_header, first.payload_length) == (47, len(sent) - 40)
    assert sent[40:52].hex() == "000088470000560900006108"
    second = ipv4.parse(sent[52:])
    assert isinstance(second, ipv4.Header)
    assert (second.src, second.dst, second.protocol) == (b"\1\1\1\1", b"\2\2\2\2", 4)
    assert sent[72:] == build(ACK, flow_4())


# -- ICMP


@pytest.mark.parametrize(
    ("kind", "code", "mtu", "message"),
    [
        ("unreachable", "host_unreachable", None, icmp.Unreachable),
        ("unreachable", "frag_needed", 1200, icmp.PacketTooBig),
        ("time_exceeded", None, None, icmp.TimeExceeded),
        ("source_quench", None, None, icmp.Other),
        ("3", "13", None, icmp.Unreachable),
    ],
)
def test_icmp_for_ipv4(kind: str, code: str | None, mtu: int | None, message: type) -> None:
    flow = flow_4()
    sent = build(IcmpPacket(kind, code, mtu, sequence(1, 1000)), flow)
    parsed = icmp.parse_v4(sent[20:])
    assert isinstance(parsed, message)
    assert not isinstance(parsed, Malformed)
    if isinstance(parsed, icmp.PacketTooBig):
        assert parsed.mtu == mtu
    body = sent[28:]
    assert icmp.quoted(body, 4) == icmp.Quoted(LOCAL_4, REMOTE_4, 6, 8080, 33000, 2001)
    assert (len(body), body[2:4]) == (28, (1040).to_bytes(2, "big"))


@pytest.mark.parametrize(
    ("kind", "code", "mtu", "message"),
    [
        ("unreachable", "address_unreachable", None, icmp.Unreachable),
        ("packet_too_big", None, 1280, icmp.PacketTooBig),
        ("parameter_problem", "unknown_next_header", None, icmp.ParameterProblem),
    ],
)
def test_icmp_for_ipv6(kind: str, code: str | None, mtu: int | None, message: type) -> None:
    sent = build(IcmpPacket(kind, code, mtu, sequence(1, 1000)), flow_6())
    parsed = icmp.parse_v6(sent[40:], REMOTE_6, LOCAL_6)
    assert isinstance(parsed, message)
    assert icmp.quoted(sent[48:], 6) == icmp.Quoted(LOCAL_6, REMOTE_6, 6, 8080, 33000, 2001)


def test_an_error_about_a_datagram() -> None:
    sent = build(IcmpPacket("unreachable", "port_unreachable", echoed_udp=100), flow_4())
    assert icmp.quoted(sent[28:], 4) == icmp.Quoted(LOCAL_4, REMOTE_4, 17, 8080, 33000, 0)
    assert sent[28 + 24 : 28 + 26] == (108).to_bytes(2, "big")


def test_an_error_about_nothing_said_is_about_the_first_segment() -> None:
    sent = build(IcmpPacket("unreachable", "net_unreachable"), flow_4())
    assert icmp.quoted(sent[28:], 4) == icmp.Quoted(LOCAL_4, REMOTE_4, 6, 8080, 33000, 2000)


# -- What cannot be


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (replace(ACK, sequence=sequence(1, 65496)), "too long"),
        (replace(ACK, sequence=sequence(1, 70000)), "70000 bytes"),
        (replace(ACK, sequence=Sequence(1, 0, -1)), "-1 bytes"),
        (replace(ACK, window=65536), "16 bits"),
        (replace(ACK, urgent=-1), "16 bits"),
        (replace(ACK, options=(TcpOption("mss"),)), "mss needs a number"),
        (replace(ACK, options=(TcpOption("mss", (65536,)),)), "mss 65536"),
        (replace(ACK, options=(TcpOption("TS"),)), "TS needs"),
        (replace(ACK, options=(TcpOption("sack"),)), "sack needs"),
        (replace(ACK, options=(TcpOption("FO", data=bytes(39)),)), "does not fit"),
        (replace(ACK, options=(TcpOption("unknown", kind_number=256),)), "does not fit"),
        (replace(ACK, options=(TcpOption("TS", (1, 1)),) * 5), "50|52"),
        (replace(ACK, options=(TcpOption("tsmiley"),)), "no such TCP option"),
        (replace(ACK, ip=IpInfo(ttl=256)), "out of its range"),
        (replace(ACK, ip=IpInfo(tos=256)), "out of its range"),
        (replace(ACK, ip=IpInfo(flow_label=1)), "flow label"),
        (replace(ACK, outer=(OuterHeader("gre"),)), "cannot begin"),
        (replace(ACK, outer=(OuterHeader("ipv4", "1.2.3", "1.1.1.1"),)), "1.2.3"),
        (replace(ACK, outer=(OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"), OuterHeader("udp"))), "no such"),
        (replace(ACK, outer=(OuterHeader("mpls", fields=(("ttl", 256),)),)), "out of its range"),
        (
            replace(ACK, outer=(OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"), OuterHeader("gre", fields=(("key", 1),)))),
            "GRE",
        ),
        (replace(ACK, outer=(OuterHeader("mpls", fields=(("ttk", 6),)),)), "ttk of an MPLS label"),
        (UdpPacket(65508), "too long"),
        (UdpPacket(65528), "does not fit"),
        (IcmpPacket("unreachable", "frag_needed", 65536), "MTU"),
        (IcmpPacket("packet_too_big"), "no such ICMPv4 type"),
        (IcmpPacket("unreachable", "no_route"), "no such code"),
        (IcmpPacket("unreachable", "256"), "no such code"),
        (IcmpPacket("unreachable", "port_unreachable", echoed_udp=65528), "does not fit"),
    ],
)
def test_what_no_packet_can_say(packet: Packet, reason: str) -> None:
    with pytest.raises(Unbuildable, match=reason):
        build(packet, flow_4())


@pytest.mark.parametrize(
    ("packet", "inbound", "error"),
    [
        (replace(ACK, sequence=sequence(1, 65496)), True, Unbuildable),
        (replace(ACK, options=(TcpOption("other"),)), True, UnknownPart),
        (IcmpPacket("packet_too_big"), True, UnknownPart),
        (IcmpPacket("packet_too_big"), False, UnknownPart),
        (IcmpPacket("unreachable", "no_route"), False, UnknownPart),
        (replace(ACK, outer=(OuterHeader("udp"),)), False, UnknownPart),
        (replace(ACK, outer=(OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"), OuterHeader("udp"))), True, UnknownPart),
    ],
)
def test_checks_before_a_run(packet: Packet, inbound: bool, error: type[Unbuildable]) -> None:
    with pytest.raises(Unbuildable) as caught:
        check(packet, 4, inbound=inbound)
    assert caught.type is error


def test_what_is_in_order_passes_the_check() -> None:
    check(ACK, 4, inbound=True)
    check(replace(ACK, options=(TcpOption("mss"),)), 6, inbound=False)
    check(IcmpPacket("packet_too_big", mtu=1280), 6, inbound=True)
    check(IcmpPacket("packet_too_big", mtu=1280), 6, inbound=False)


def test_ports_that_nobody_knows_yet() -> None:
    with pytest.raises(Unbuildable, match="ports"):
        build(ACK, Flow(LOCAL_4, REMOTE_4, None, 1))
