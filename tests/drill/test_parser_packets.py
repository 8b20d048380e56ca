"""Every spelling of a packet, and what is none."""

import pytest

from usertcp.drill.errors import ScriptError, Unsupported
from usertcp.drill.parser import parse
from usertcp.drill.script import IcmpPacket, IpInfo, OuterHeader, PacketEvent, Sequence, TcpOption, TcpPacket, UdpPacket


def packet(text):
    (event,) = parse(f"+0 > {text}", "x.pkt").events
    assert isinstance(event.action, PacketEvent)
    return event.action.packet


def options(text):
    return packet(f". 1:1(0) {text}").options


def error(text):
    with pytest.raises(ScriptError) as caught:
        packet(text)
    assert caught.value.line == 1
    return caught.value.reason


def unsupported(text):
    with pytest.raises(Unsupported) as caught:
        packet(text)
    assert caught.value.line == 1
    return caught.value.reason


def test_directions():
    found = parse("+0 < S 0:0(0)\n+0>S 0:0(0)", "x.pkt").events
    assert [event.action.inbound for event in found] == [True, False]


# -- TCP ------------------------------------------------------------------------------------------------


def test_a_whole_segment():
    assert packet("[ect0, ttl 64] 1234 > 80 P. 1:1001(1000) ack 7 win 257 urg 3 <nop,nop,TS val 1 ecr 2>") == TcpPacket(
        frozenset("P."),
        Sequence(1, 1001, 1000),
        ack=7,
        window=257,
        urgent=3,
        options=(TcpOption("nop"), TcpOption("nop"), TcpOption("TS", (1, 2))),
        ip=IpInfo(ecn="ect0", ttl=64),
        ports=(1234, 80),
    )


def test_what_is_not_said_is_none():
    assert packet("R 2:2(0)") == TcpPacket(frozenset("R"), Sequence(2, 2, 0))


@pytest.mark.parametrize(
    ("spelling", "flags", "ace"),
    [
        ("S", "S", None),
        ("S.", "S.", None),
        ("S .", "S.", None),
        (".", ".", None),
        ("-", "", None),
        ("FSRPUEWA.", "FSRPUEWA.", None),
        ("SEWA", "SEWA", None),
        ("SN", "SA", None),
        ("PF.", "FP.", None),
        ("0", "", 0),
        ("5", "", 5),
        (".5", ".", 5),
        ("5.", ".", 5),
        ("P.7", "P.", 7),
        ("P7.", "P.", 7),
        ("S0.", "S.", 0),
        ("2P.", "P.", 2),
    ],
)
def test_flags(spelling, flags, ace):
    found = packet(f"{spelling} 1:1(0) ack 1")
    assert (found.flags, found.ace, found.ack) == (frozenset(flags), ace, 1)


@pytest.mark.parametrize("spelling", ["X", "8", "S8", "55.", "5.5", "E5.", ".5A", "..", "S-", "SYN", "s.", "S" * 30])
def test_what_are_no_flags(spelling):
    with pytest.raises((ScriptError, Unsupported)):
        packet(f"{spelling} 1:1(0)")


@pytest.mark.parametrize(
    ("spelling", "sequence"),
    [
        ("1:1001(1000)", Sequence(1, 1001, 1000)),
        ("1 : 1001 ( 1000 )", Sequence(1, 1001, 1000)),
        ("4294967295:9(10)", Sequence(0xFFFFFFFF, 9, 10)),
        ("4294967295:4294967305(10)", Sequence(0xFFFFFFFF, 9, 10)),
        ("-1:9(10)", Sequence(0xFFFFFFFF, 9, 10)),
        ("0x10:0x1A(10)", Sequence(16, 26, 10)),
        ("@1000:1005(5)", Sequence(1000, 1005, 5, absolute=True)),
        ("@1000:@1005(5)", Sequence(1000, 1005, 5, absolute=True)),
        ("!1000:1005(5)", Sequence(1000, 1005, 5, absolute=True)),
    ],
)
def test_sequence_numbers(spelling, sequence):
    assert packet(f". {spelling}").sequence == sequence


@pytest.mark.parametrize(
    ("spelling", "reason"),
    [
        ("1:1001(999)", "from 1 to 1001 are not 999 bytes of a segment"),
        ("1:0(1)", "from 1 to 0 are not 1 bytes of a segment"),
        ("1:70001(70000)", "from 1 to 70001 are not 70000 bytes of a segment"),
        ("1:1", "expected '(' and the number of bytes, found the end of the script"),
        ("1:1(x)", "expected a number of bytes, found 'x'"),
        ("1:1(-1)", "expected a number of bytes from 0 to 65535, found '-1'"),
        ("1(0)", "expected ':' and the sequence number behind the data, found '('"),
        ("a:b(0)", "expected a sequence number, found 'a'"),
        ("1:1(0) ack", "expected an acknowledgment number, found the end of the script"),
        ("1:1(0) ack 1 ack 2", "expected a time in seconds, found 'ack'"),
        ("1:1(0) win 65536", "expected a window from 0 to 65535, found '65536'"),
        ("1:1(0) win -1", "expected a window from 0 to 65535, found '-1'"),
        ("1:1(0) urg 65536", "expected an urgent pointer from 0 to 65535, found '65536'"),
        ("1:1(0) {rep tcp", "a mutation begins here and never ends"),
    ],
)
def test_numbers_that_make_no_sense(spelling, reason):
    assert error(f". {spelling}") == reason


def test_acknowledgment_numbers():
    assert packet(". 1:1(0) ack 4294967297").ack == 1
    assert packet(". 1:1(0) ack -1").ack == 0xFFFFFFFF
    absolute = packet(". 1:1(0) win 3 ack @5")
    assert (absolute.ack, absolute.ack_absolute, absolute.window) == (5, True, 3)


def test_ports_are_no_flags():
    assert packet("0 > 65535 0 1:1(0)").ports == (0, 65535)
    assert error("1 > 65536 S 1:1(0)") == "expected a port from 0 to 65535, found '65536'"


def test_mutations_are_kept_as_written():
    assert packet("P. 1:21(20) ack 1 {rep  tcp seq_num 0x1}").mutations == "rep tcp seq_num 0x1"
    assert packet(". 1:1(0) <...> { mut ipv4 12-15 }").mutations == "mut ipv4 12-15"
    assert unsupported("udp (1) {rep udp length 1}") == "a mutation of a packet that is not TCP"


# -- TCP options ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("", ()),
        ("<>", ()),
        ("<...>", None),
        ("< ... >", None),
        (
            "<mss 1460,nop,wscale 8,sackOK>",
            (TcpOption("mss", (1460,)), TcpOption("nop"), TcpOption("wscale", (8,)), TcpOption("sackOK")),
        ),
        ("< mss 0x5b4 , nop nop,eol >", (TcpOption("mss", (1460,)), *[TcpOption("nop")] * 2, TcpOption("eol"))),
        ("<mss,wscale>", (TcpOption("mss"), TcpOption("wscale"))),
        ("<MSS 1,NOP,SACKOK,EOL,>", (TcpOption("mss", (1,)), TcpOption("nop"), TcpOption("sackOK"), TcpOption("eol"))),
        ("<TS val 100 ecr 0>", (TcpOption("TS", (100, 0)),)),
        ("<TS val 4294967295 ecr 4294967295>", (TcpOption("TS", (0xFFFFFFFF, 0xFFFFFFFF)),)),
        ("<sack>", (TcpOption("sack"),)),
        ("<nop,sack 1:2 3:4>", (TcpOption("nop"), TcpOption("sack", (1, 2, 3, 4)))),
        ("<sack 1:2, 3 : 4,nop>", (TcpOption("sack", (1, 2, 3, 4)), TcpOption("nop"))),
        ("<sack -1:4294967297>", (TcpOption("sack", (0xFFFFFFFF, 1)),)),
        ("<FO>", (TcpOption("FO"),)),
        ("<FO,nop>", (TcpOption("FO"), TcpOption("nop"))),
        ("<FO 3021b9d889017eeb,nop>", (TcpOption("FO", data=bytes.fromhex("3021b9d889017eeb")), TcpOption("nop"))),
        ("<FO 1234567890123456>", (TcpOption("FO", data=bytes.fromhex("1234567890123456")),)),
        ("<FO 0xAbCd>", (TcpOption("FO", data=b"\xab\xcd"),)),
        ("<FO fade>", (TcpOption("FO", data=b"\xfa\xde"),)),
        ("<FOEXP>", (TcpOption("FOEXP"),)),
        ("<FOEXP 0102,nop>", (TcpOption("FOEXP", data=b"\1\2"), TcpOption("nop"))),
        ("<md5 00112233445566778899aabbccddeeff>", (TcpOption("md5", data=bytes(range(0, 256, 17))),)),
        ("<md5,nop>", (TcpOption("md5"), TcpOption("nop"))),
        ("<ECN>", (TcpOption("AccECN", kind_number=174),)),
        ("<ECN e1b 1 ceb 2 e0b 3,nop>", (TcpOption("AccECN", (1, 2, 3), kind_number=174), TcpOption("nop"))),
        ("<ECN e0b 3 ceb 2 e1b 1>", (TcpOption("AccECN", (3, 2, 1), kind_number=172),)),
        ("<ECN e0b 16777215>", (TcpOption("AccECN", (0xFFFFFF,), kind_number=172),)),
        ("<0xfd>", (TcpOption("unknown", kind_number=253),)),
        ("<0xfd 0xf9890102,nop>", (TcpOption("unknown", data=b"\xf9\x89\1\2", kind_number=253), TcpOption("nop"))),
        ("<0xfd 0xf9 0x89>", (TcpOption("unknown", data=b"\xf9\x89", kind_number=253),)),
        ("<200 0x00>", (TcpOption("unknown", data=b"\0", kind_number=200),)),
    ],
)
def test_options(spelling, expected):
    assert options(spelling) == expected


@pytest.mark.parametrize(
    ("spelling", "reason"),
    [
        ("<mss 65536>", "expected a segment size from 0 to 65535, found '65536'"),
        ("<mss x>", "expected a segment size, found 'x'"),
        ("<wscale 256>", "expected a shift count from 0 to 255, found '256'"),
        ("<TS 1 2>", "expected 'val' and a timestamp, found '1'"),
        ("<TS val 1>", "expected 'ecr' and a timestamp, found '>'"),
        ("<TS val 4294967296 ecr 0>", "expected a timestamp from 0 to 4294967295, found '4294967296'"),
        ("<sack 1>", "expected ':' and the block's right edge, found '>'"),
        ("<sack 1:>", "expected the block's right edge, found '>'"),
        ("<FO abc>", "expected an even number of hexadecimal digits"),
        ("<FO 12xy>", "expected hexadecimal digits, found '12xy'"),
        ("<ECN e0b 16777216>", "expected a counter from 0 to 16777215, found '16777216'"),
        ("<256>", "expected the number of a TCP option from 0 to 255, found '256'"),
        ("<,nop>", "expected a TCP option, found ','"),
        ("<nop", "expected ',' or '>', found the end of the script"),
        ("<...", "expected '>', found the end of the script"),
        ("<nop 5>", "expected ',' or '>', found '5'"),
    ],
)
def test_options_that_make_no_sense(spelling, reason):
    assert error(f". 1:1(0) {spelling}") == reason


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (". 1:1(0) <mp_capable 1>", "the TCP option 'mp_capable'"),
        (". 1:1(0) <FO TFO_COOKIE>", "'TFO_COOKIE' is not defined"),
        (". 1:1(0) <TS val !1 ecr 1>", "a timestamp that is not relative"),
        ("[ect0, color 3] . 1:1(0)", "'color' of an IP header"),
        ("sctp: INIT[flgs=0]", "a packet of the kind 'sctp'"),
        ("udplite (10)", "a packet of the kind 'udplite'"),
        (". 1:1(0)/udp(1>2)", "encapsulation in UDP"),
        ("icmp unreachable [raw (10)]", "an ICMP message that quotes 'raw'"),
    ],
)
def test_what_is_understood_but_not_done(text, what):
    assert unsupported(text) == what


# -- IP, and headers around -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "info"),
    [
        ("[noecn]", IpInfo(ecn="noecn")),
        ("[ect0]", IpInfo(ecn="ect0")),
        ("[ ect1 ]", IpInfo(ecn="ect1")),
        ("[ect01]", IpInfo(ecn="ect01")),
        ("[ce]", IpInfo(ecn="ce")),
        ("[ttl 64]", IpInfo(ttl=64)),
        ("[ttl=64]", IpInfo(ttl=64)),
        ("[hoplimit 64, ce]", IpInfo(ecn="ce", ttl=64)),
        ("[tos 0x20]", IpInfo(tos=32)),
        ("[tclass 3]", IpInfo(tos=3)),
        ("[flowlabel 0xfffff]", IpInfo(flow_label=0xFFFFF)),
        ("[ect0][ttl 3]", IpInfo(ecn="ect0", ttl=3)),
    ],
)
def test_what_brackets_say_of_ip(spelling, info):
    assert packet(f"{spelling} . 1:1(0)").ip == info
    assert packet(f"{spelling} udp (1)").ip == info
    assert packet(f"{spelling} icmp echo_request").ip == info


@pytest.mark.parametrize(
    ("spelling", "reason"),
    [
        ("[ttl 256]", "expected ttl and a number from 0 to 255, found '256'"),
        ("[ttl]", "expected ttl and a number, found ']'"),
        ("[ect0", "expected ',' or ']', found the end of the script"),
        ("[]", "expected a sequence number, found ']'"),
        ("[1:1(0)]", "expected 'icmp' behind the packet that it quotes, found '.'"),
    ],
)
def test_brackets_that_make_no_sense(spelling, reason):
    assert error(spelling if spelling == "[ect0" else f"{spelling} . 1:1(0)") == reason


@pytest.mark.parametrize(
    ("spelling", "outer"),
    [
        ("ipv4 1.1.1.1 > 2.2.2.2:", (OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"),)),
        ("ipv4 1.1.1.1>2.2.2.2 :", (OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"),)),
        ("ipv6 ::1 > fd3d:0a0b:17d6::2:", (OuterHeader("ipv6", "::1", "fd3d:0a0b:17d6::2"),)),
        ("ipv6 fd3d:: > fd3d:::", (OuterHeader("ipv6", "fd3d::", "fd3d::"),)),
        ("ipv6 ::1 > ::ffff:1.2.3.4 :", (OuterHeader("ipv6", "::1", "::ffff:1.2.3.4"),)),
        ("ipv4 1.1.1.1 > 2.2.2.2:gre:", (OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"), OuterHeader("gre"))),
        ("gre (checksum 5, key 7):", (OuterHeader("gre", fields=(("checksum", 5), ("key", 7))),)),
        ("gre flags 0x2000, key 7:", (OuterHeader("gre", fields=(("flags", 0x2000), ("key", 7))),)),
        (
            "mpls (label 5, tc 1, ttl 9) (label 0, tc 0, [S], ttl 0):",
            (
                OuterHeader(
                    "mpls",
                    fields=(("label", 5), ("tc", 1), ("ttl", 9), ("label", 0), ("tc", 0), ("s", 1), ("ttl", 0)),
                ),
            ),
        ),
        ("udp 5 > 6:", (OuterHeader("udp", fields=(("sport", 5), ("dport", 6))),)),
    ],
)
def test_headers_around(spelling, outer):
    found = packet(f"{spelling} [ce] . 1:1(0)")
    assert found.outer == outer
    assert found.ip == IpInfo(ecn="ce")
    assert packet(f"{spelling} udp (5)").outer == outer


@pytest.mark.parametrize(
    ("spelling", "reason"),
    [
        ("ipv4 1.1.1 > 2.2.2.2:", "expected an ipv4 address, found '1.1.1'"),
        ("ipv4 1.1.1.1 2.2.2.2:", "expected '>' and an address, found '2.2'"),
        ("ipv4 ::1 > ::2:", "expected an ipv4 address, found ''"),
        ("ipv6 1.1.1.1 > 2.2.2.2:", "expected an ipv6 address, found '1.1.1.1'"),
        ("gre", "expected ':', found '.'"),
        ("mpls (label):", "expected a number for label, found ')'"),
        ("gre:" * 200, "a packet with too many headers"),
    ],
)
def test_headers_around_that_make_no_sense(spelling, reason):
    assert error(f"{spelling} . 1:1(0)") == reason


# -- UDP and ICMP ---------------------------------------------------------------------------------------


def test_udp():
    assert packet("udp (1000)") == UdpPacket(1000)
    assert packet("udp(0)") == UdpPacket(0)
    assert packet("53 > 1000 udp (1)") == packet("udp 53 > 1000 (1)") == UdpPacket(1, ports=(53, 1000))
    assert error("udp 5") == "expected '(' and the number of bytes, found '5'"
    assert error("udp (65536)") == "expected a number of bytes from 0 to 65535, found '65536'"


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("icmp unreachable", IcmpPacket("unreachable")),
        ("icmp unreachable host_unreachable", IcmpPacket("unreachable", "host_unreachable")),
        ("icmp 3 1", IcmpPacket("3", "1")),
        (
            "icmp unreachable frag_needed mtu 1200 [1:1001(1000)]",
            IcmpPacket("unreachable", "frag_needed", 1200, echoed_tcp=Sequence(1, 1001, 1000)),
        ),
        (
            "[1:1001(1000)] icmp unreachable frag_needed mtu 1200",
            IcmpPacket("unreachable", "frag_needed", 1200, echoed_tcp=Sequence(1, 1001, 1000)),
        ),
        ("icmp packet_too_big mtu 1280", IcmpPacket("packet_too_big", mtu=1280)),
        (
            "[ce] [udp (100)] icmp unreachable port_unreachable",
            IcmpPacket("unreachable", "port_unreachable", echoed_udp=100, ip=IpInfo(ecn="ce")),
        ),
        ("icmp unreachable port_unreachable [udp(0)]", IcmpPacket("unreachable", "port_unreachable", echoed_udp=0)),
        ("icmp unreachable [tcp @1:1(0)]", IcmpPacket("unreachable", echoed_tcp=Sequence(1, 1, 0, absolute=True))),
    ],
)
def test_icmp(spelling, expected):
    assert packet(spelling) == expected


def test_a_number_on_the_line_behind_an_icmp_message_is_a_time():
    found = parse("0 < icmp unreachable\n1 < icmp 3\n2 < icmp 3 4\n", "x.pkt").events
    assert [event.action.packet.code for event in found] == [None, None, "4"]


@pytest.mark.parametrize(
    ("spelling", "reason"),
    [
        ("icmp", "expected the type of an ICMP message, found the end of the script"),
        ("icmp 256", "expected the type of an ICMP message from 0 to 255, found '256'"),
        ("icmp unreachable mtu x", "expected an MTU, found 'x'"),
        ("[1:1(0)] icmp unreachable [1:1(0)]", "this ICMP message quotes two packets"),
        ("[1:1(0) icmp unreachable", "expected ']', found 'icmp'"),
    ],
)
def test_icmp_that_makes_no_sense(spelling, reason):
    assert error(spelling) == reason
