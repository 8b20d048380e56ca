from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.drill.packets.strategies import (
    LOCAL_4,
    LOCAL_6,
    REMOTE_4,
    REMOTE_6,
    Ends,
    all_icmp_packets,
    ends,
    mss_options,
    option_lists,
    padded,
    sacks,
    sequence,
    size,
    tcp_packets,
    timestamps,
    u8,
    u16,
    u32,
    udp_packets,
    wscale_options,
)
from usertcp.drill.ignore import Ignore
from usertcp.drill.packets import Difference, Flow, TimestampClock, build, compare
from usertcp.drill.script import IcmpPacket, IpInfo, OuterHeader, Sequence, TcpOption, TcpPacket, UdpPacket
from usertcp.wire import checksum, ipv4


def fields(differences: list[Difference]) -> list[str]:
    return [difference.field for difference in differences]


# -- What is sent as expected


@given(tcp_packets, ends)
def test_a_segment_is_what_was_built(packet: TcpPacket, ends: Ends) -> None:
    assert compare(packet, build(packet, ends.host), ends.script) == []


@given(udp_packets, ends)
def test_a_datagram_is_what_was_built(packet: UdpPacket, ends: Ends) -> None:
    assert compare(packet, build(packet, ends.host), ends.script) == []


@given(st.data(), ends)
def test_an_icmp_error_is_what_was_built(data: st.DataObject, ends: Ends) -> None:
    packet = data.draw(all_icmp_packets(4 if len(ends.script.local) == 4 else 6))
    assert compare(packet, build(packet, ends.host), ends.script) == []


@given(tcp_packets, ends)
def test_what_the_script_does_not_say_is_not_compared(packet: TcpPacket, ends: Ends) -> None:
    sent = build(packet, ends.host)
    assert compare(replace(packet, window=None, options=None, ip=IpInfo()), sent, ends.script) == []


# -- One field is another


def other(draw: st.DrawFn, values: st.SearchStrategy[int], value: int) -> int:
    return draw(values.filter(lambda candidate: candidate != value))


@st.composite
def changed_segments(draw: st.DrawFn) -> tuple[TcpPacket, TcpPacket, str]:
    """A segment, the same with one change, and the name of the field that the change is in."""
    packet: TcpPacket = draw(tcp_packets)
    start, length = packet.sequence.start, packet.sequence.length
    changes: dict[str, Callable[[], TcpPacket]] = {
        "seq": lambda: replace(packet, sequence=sequence(other(draw, u32, start), length)),
        "length": lambda: replace(packet, sequence=sequence(start, other(draw, st.integers(0, 3000), length))),
        "window": lambda: replace(packet, window=other(draw, u16, packet.window or 0)),
        "urgent pointer": lambda: replace(packet, urgent=other(draw, u16, packet.urgent or 0)),
        "outer headers": lambda: replace(packet, outer=(*packet.outer, OuterHeader("ipv4", "9.9.9.9", "8.8.8.8"))),
    }
    if "." in packet.flags:
        changes["ack"] = lambda: replace(packet, ack=other(draw, u32, packet.ack or 0))
    ttl = packet.ip.ttl
    if ttl is not None:
        changes["ttl"] = lambda: replace(packet, ip=replace(packet.ip, ttl=other(draw, u8, ttl)))
    field = draw(st.sampled_from(sorted(changes)))
    return packet, changes[field](), field


@given(changed_segments(), ends)
def test_one_other_number_is_a_difference_in_that_field(change: tuple[TcpPacket, TcpPacket, str], ends: Ends) -> None:
    packet, changed, field = change
    # Where the RST of no connection is expected, its number may be 0 on the wire too.
    assume(not (field == "seq" and changed.sequence.start == 0 and {"R", "."} <= packet.flags))
    sent = build(packet, ends.host)
    assert fields(compare(changed, sent, ends.script)) == [field]
    assert fields(compare(packet, build(changed, ends.host), ends.script)) == [field]


@given(tcp_packets, st.sampled_from("FSRPUEWA."), ends)
def test_each_flag_counts(packet: TcpPacket, letter: str, ends: Ends) -> None:
    packet = replace(packet, ace=None, ack=1 if "." in packet.flags else None)
    changed = replace(packet, flags=packet.flags ^ {letter}, ack=1 if "." in packet.flags ^ {letter} else None)
    assume(packet.sequence.start)
    sent = build(changed, ends.host)
    assert fields(compare(packet, sent, ends.script)) == ["flags"]
    relaxed = [] if letter == "P" else ["flags"]
    assert fields(compare(packet, sent, ends.script, {Ignore.PUSH})) == relaxed


@given(tcp_packets, st.integers(0, 7), st.integers(0, 7), ends)
def test_the_accurate_ecn_counter_counts(packet: TcpPacket, first: int, second: int, ends: Ends) -> None:
    packet = replace(packet, flags=packet.flags - set("EWA"), ace=first)
    found = compare(packet, build(replace(packet, ace=second), ends.host), ends.script)
    assert fields(found) == ([] if first == second else ["flags"])


def test_the_counter_and_its_flags_are_the_same() -> None:
    host, script = Flow(REMOTE_4, LOCAL_4, 1, 2), Flow(LOCAL_4, REMOTE_4, 2, 1, local_offset=0)
    letters = TcpPacket(frozenset("AE."), Sequence(1, 1, 0), 1)
    counter = TcpPacket(frozenset("."), Sequence(1, 1, 0), 1, ace=5)
    assert compare(counter, build(letters, host), script) == []


@st.composite
def changed_options(draw: st.DrawFn) -> tuple[TcpOption, TcpOption, str]:
    option, names = draw(
        st.one_of(
            st.tuples(mss_options, st.just(("mss",))),
            st.tuples(wscale_options, st.just(("wscale",))),
            st.tuples(sacks, st.just(("sack",) * 8)),
            st.tuples(timestamps, st.just(("", "TS ecr"))),
        )
    )
    which = draw(st.integers(0, len(option.values) - 1).filter(lambda index: names[index]))
    limit = {"mss": 0xFFFF, "wscale": 0xFF}.get(option.kind, 2**32 - 1)
    value = other(draw, st.integers(0, limit), option.values[which])
    changed = replace(option, values=(*option.values[:which], value, *option.values[which + 1 :]))
    return option, changed, names[which]


@given(tcp_packets, changed_options(), ends)
def test_one_other_value_in_an_option_is_a_difference_in_it(
    packet: TcpPacket, change: tuple[TcpOption, TcpOption, str], ends: Ends
) -> None:
    option, changed, field = change
    expected = replace(packet, options=padded([option]))
    sent = build(replace(packet, options=padded([changed])), ends.host)
    assert fields(compare(expected, sent, ends.script)) == [field]
    assert compare(expected, sent, ends.script, {Ignore.OPTIONS}) == []
    relaxed = fields(compare(expected, sent, ends.script, {Ignore.TIMESTAMPS, Ignore.OPTION_ORDER}))
    assert relaxed == ([] if option.kind == "TS" else [field])


@given(tcp_packets, option_lists, option_lists, ends)
def test_other_options_are_a_difference_in_the_options(
    packet: TcpPacket, first: tuple[TcpOption, ...], second: tuple[TcpOption, ...], ends: Ends
) -> None:
    kinds = [[(option.kind, option.kind_number) for option in options] for options in (first, second)]
    assume(kinds[0] != kinds[1])
    sent = build(replace(packet, options=second), ends.host)
    found = compare(replace(packet, options=first), sent, ends.script)
    assert fields(found) == ["options"]
    real = [sorted(kind for kind in listed if kind[0] not in ("nop", "eol")) for listed in kinds]
    if real[0] != real[1]:
        relaxed = compare(replace(packet, options=first), sent, ends.script, {Ignore.OPTION_ORDER})
        assert fields(relaxed) == ["options"]


FLOW_ENDS = Flow(REMOTE_4, LOCAL_4, 1, 2), Flow(LOCAL_4, REMOTE_4, 2, 1, local_offset=0)
MSS, SCALE, NOP, EOL, OK = (
    TcpOption("mss", (1460,)),
    TcpOption("wscale", (7,)),
    TcpOption("nop"),
    TcpOption("eol"),
    TcpOption("sackOK"),
)


@pytest.mark.parametrize(
    ("expected", "actual", "ignore", "found"),
    [
        ((MSS, NOP, SCALE), (MSS, SCALE, NOP), set(), ["options"]),
        ((MSS, NOP, SCALE), (MSS, SCALE, NOP), {Ignore.OPTION_PADDING}, []),
        ((MSS, NOP, SCALE), (MSS, SCALE, EOL), {Ignore.OPTION_PADDING}, []),
        ((MSS, NOP, SCALE), (NOP, SCALE, MSS), {Ignore.OPTION_PADDING}, ["options"]),
        ((MSS, NOP, SCALE), (NOP, SCALE, MSS), {Ignore.OPTION_ORDER}, []),
        ((MSS, NOP, SCALE), (MSS,), {Ignore.OPTION_ORDER}, ["options"]),
        ((MSS, SCALE, OK, EOL, EOL, EOL), (MSS, SCALE, OK, *(EOL,) * 7), set(), ["options"]),
        ((MSS, NOP, SCALE, OK, EOL, EOL), (MSS, NOP, SCALE, OK, NOP, NOP), set(), ["options"]),
        ((TcpOption("mss"),), (MSS,), set(), []),
        ((TcpOption("mss"),), (SCALE, NOP), set(), ["options"]),
        ((TcpOption("md5"), NOP, NOP), (TcpOption("md5", data=bytes(range(16))), NOP, NOP), set(), []),
        ((TcpOption("TS"), NOP, NOP), (TcpOption("TS", (1, 2)), NOP, NOP), set(), []),
        ((TcpOption("mss", (70000,)),), (MSS,), set(), ["mss"]),
        ((TcpOption("FO", data=b"abcd"), NOP, NOP), (TcpOption("FO", data=b"abce"), NOP, NOP), set(), ["FO"]),
        # An option that is known to us by the kind that the script writes in numbers.
        ((TcpOption("unknown", data=b"\x05\xb4", kind_number=2),), (MSS,), set(), []),
    ],
)
def test_options(
    expected: tuple[TcpOption, ...], actual: tuple[TcpOption, ...], ignore: set[Ignore], found: list[str]
) -> None:
    host, script = FLOW_ENDS
    packet = TcpPacket(frozenset("."), Sequence(1, 1, 0), 1, options=expected)
    sent = build(replace(packet, options=actual), host)
    assert fields(compare(packet, sent, script, ignore)) == found


def test_padding_that_the_script_leaves_out_is_eol() -> None:
    host, script = FLOW_ENDS
    packet = TcpPacket(frozenset("."), Sequence(1, 1, 0), 1, options=(SCALE,))
    assert compare(packet, build(replace(packet, options=(SCALE, EOL)), host), script) == []
    assert fields(compare(packet, build(replace(packet, options=(SCALE, NOP)), host), script)) == ["options"]


# -- The IP header


@pytest.mark.parametrize(
    ("expected", "actual", "ignore", "found"),
    [
        (IpInfo("ect0"), IpInfo("ect1"), set(), ["ecn"]),
        (IpInfo("ect0"), IpInfo("ect1"), {Ignore.ECN}, []),
        (IpInfo("ect01"), IpInfo("ect1"), set(), []),
        (IpInfo("ect01"), IpInfo("ect0"), set(), []),
        (IpInfo("ect01"), IpInfo("ce"), set(), ["ecn"]),
        (IpInfo("noecn"), IpInfo("ect0"), set(), ["ecn"]),
        (IpInfo(ttl=64), IpInfo(ttl=63), set(), ["ttl"]),
        (IpInfo(ttl=64), IpInfo(ttl=63), {Ignore.TTL}, []),
        (IpInfo(tos=0x20), IpInfo(tos=0x20), set(), []),
        (IpInfo(tos=0x20), IpInfo(tos=0x21), set(), ["tos"]),
        (IpInfo(tos=0x20), IpInfo(tos=0x21), {Ignore.ECN}, []),
        (IpInfo(tos=0x20), IpInfo(tos=0x21), {Ignore.TOS}, ["tos"]),
        (IpInfo(tos=0x20), IpInfo(tos=0x40), {Ignore.TOS}, []),
        (IpInfo(tos=0x20), IpInfo(tos=0x40), {Ignore.ECN}, ["tos"]),
        (IpInfo("ect0", tos=0x20), IpInfo("ect0", tos=0x20), set(), []),
        (IpInfo("ect0", tos=0x20), IpInfo("ect0", tos=0x24), set(), ["tos"]),
    ],
)
def test_fields_of_ip(expected: IpInfo, actual: IpInfo, ignore: set[Ignore], found: list[str]) -> None:
    host, script = FLOW_ENDS
    packet = TcpPacket(frozenset("."), Sequence(1, 1, 0), 1, ip=expected)
    assert fields(compare(packet, build(replace(packet, ip=actual), host), script, ignore)) == found


def test_flow_labels() -> None:
    host, script = Flow(REMOTE_6, LOCAL_6, 1, 2), Flow(LOCAL_6, REMOTE_6, 2, 1)
    packet = UdpPacket(1, IpInfo(flow_label=5))
    assert compare(packet, build(packet, host), script) == []
    assert compare(packet, build(UdpPacket(1, IpInfo(flow_label=6)), host), script) == [
        Difference("flow label", "0x5", "0x6")
    ]


def test_a_flow_label_is_not_found_in_ipv4() -> None:
    host, script = FLOW_ENDS
    found = compare(UdpPacket(1, IpInfo(flow_label=5)), build(UdpPacket(1), host), script)
    assert found == [Difference("flow label", "0x5", "none")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"local": b"\x0a\0\0\1"}, "destination address"),
        ({"remote": b"\x0a\0\0\1"}, "source address"),
        ({"local_port": 99}, "destination port"),
        ({"remote_port": 99}, "source port"),
        ({"local": LOCAL_6, "remote": REMOTE_6}, "ip version"),
    ],
)
def test_between_whom(change: dict[str, Any], field: str) -> None:
    host, script = FLOW_ENDS
    packet = TcpPacket(frozenset("."), Sequence(1, 1, 0), 1)
    assert fields(compare(packet, build(packet, replace(host, **change)), script)) == [field]


def test_a_packet_that_is_not_in_another_one() -> None:
    host, script = FLOW_ENDS
    packet = TcpPacket(frozenset("."), Sequence(1, 1, 0), 1)
    within = replace(packet, outer=(OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"), OuterHeader("gre")))
    shown = "ipv4 1.1.1.1 > 2.2.2.2: gre:"
    assert compare(within, build(packet, host), script) == [Difference("outer headers", shown, "none")]
    assert compare(packet, build(within, host), script) == [Difference("outer headers", "none", shown)]
    unknown = replace(packet, outer=(OuterHeader("vxlan"),))
    assert compare(unknown, build(packet, host), script) == [Difference("outer headers", "vxlan:", "none")]


def test_another_protocol() -> None:
    host, script = FLOW_ENDS
    packet = TcpPacket(frozenset("."), Sequence(1, 1, 0), 1)
    assert compare(packet, build(UdpPacket(1), host), script) == [Difference("protocol", "tcp", "udp")]
    assert compare(UdpPacket(1), build(packet, host), script) == [Difference("protocol", "udp", "tcp")]
    other = ipv4.emit(ipv4.Header(LOCAL_4, REMOTE_4, 89), 4) + b"ospf"
    assert compare(packet, other, script) == [Difference("protocol", "tcp", "89")]


# -- UDP and ICMP


@given(udp_packets, st.integers(0, 3000), ends)
def test_the_length_of_a_datagram_counts(packet: UdpPacket, length: int, ends: Ends) -> None:
    found = compare(packet, build(replace(packet, length=length), ends.host), ends.script)
    assert fields(found) == ([] if length == packet.length else ["length"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "time_exceeded", "code": "0"}, "icmp type"),
        ({"code": "port_unreachable", "mtu": 1200}, "icmp code"),
        ({"mtu": 1201}, "mtu"),
        ({"echoed_tcp": sequence(2, 10)}, "quoted segment"),
        ({"echoed_tcp": sequence(1, 11)}, "quoted segment"),
        ({"echoed_tcp": None, "echoed_udp": 1}, "quoted segment"),
    ],
)
def test_one_other_field_of_an_icmp_error(change: dict[str, Any], field: str) -> None:
    host, script = Flow(REMOTE_4, LOCAL_4, 1, 2, 70, 80), Flow(LOCAL_4, REMOTE_4, 2, 1, 80, 70)
    packet = IcmpPacket("unreachable", "frag_needed", 1200, sequence(1, 10))
    assert compare(packet, build(packet, host), script) == []
    found = fields(compare(packet, build(replace(packet, **change), host), script))
    assert found[0] == field
    # Only this message says an MTU.
    assert found[1:] == (["mtu"] if field in ("icmp type", "icmp code") else [])


def test_words_that_no_icmp_has_are_no_match() -> None:
    host, script = FLOW_ENDS
    sent = build(IcmpPacket("unreachable", "port_unreachable", echoed_udp=5), host)
    assert fields(compare(IcmpPacket("packet_too_big"), sent, script)) == ["icmp type"]


# -- What no packet may have


def patched(packet: bytes, at: int, value: int) -> bytes:
    return packet[:at] + bytes((value,)) + packet[at + 1 :]


def resummed(packet: bytes) -> bytes:
    """An IPv4 packet with TCP and both checksums right."""
    header, segment = packet[:20], packet[20:]
    header = header[:10] + b"\0\0" + header[12:]
    header = header[:10] + checksum.finish(checksum.ones_sum(header)).to_bytes(2, "big") + header[12:]
    segment = segment[:16] + b"\0\0" + segment[18:]
    total = checksum.ones_sum(segment) + checksum.pseudo_header_sum(header[12:16], header[16:20], 6, len(segment))
    return header + segment[:16] + checksum.finish(total).to_bytes(2, "big") + segment[18:]


SEGMENT = TcpPacket(frozenset("."), Sequence(1, 11, 10), 1, 100, options=(MSS, NOP, SCALE))
EVERYTHING = frozenset(Ignore)


@pytest.mark.parametrize("at", range(20))
def test_any_other_bit_in_the_ip_header_is_seen(at: int) -> None:
    host, script = FLOW_ENDS
    sent = build(SEGMENT, host)
    assert compare(SEGMENT, patched(sent, at, sent[at] ^ 1), script, EVERYTHING)


@pytest.mark.parametrize("at", range(20, 58))
def test_any_other_bit_in_the_segment_is_at_least_a_wrong_checksum(at: int) -> None:
    host, script = FLOW_ENDS
    sent = build(SEGMENT, host)
    assert "tcp checksum" in fields(compare(SEGMENT, patched(sent, at, sent[at] ^ 0x10), script, EVERYTHING))


@pytest.mark.parametrize("bit", [0x02, 0x04, 0x08])
def test_reserved_bits_of_tcp(bit: int) -> None:
    host, script = FLOW_ENDS
    sent = build(SEGMENT, host)
    found = compare(SEGMENT, resummed(patched(sent, 32, sent[32] | bit)), script, EVERYTHING)
    assert found == [Difference("tcp reserved bits", "0", str(bit >> 1))]


def test_the_reserved_bit_of_ip() -> None:
    host, script = FLOW_ENDS
    sent = build(SEGMENT, host)
    found = compare(SEGMENT, resummed(patched(sent, 6, sent[6] | 0x80)), script, EVERYTHING)
    assert found == [Difference("ip reserved bit", "0", "1")]


def test_bytes_behind_the_packet() -> None:
    host, script = FLOW_ENDS
    sent = build(SEGMENT, host)
    assert compare(SEGMENT, sent + b"x", script) == [Difference("ip length", str(len(sent) + 1), str(len(sent)))]


def test_fragments() -> None:
    host, script = FLOW_ENDS
    sent = build(SEGMENT, host)
    assert fields(compare(SEGMENT, resummed(patched(sent, 6, 0x20)), script)) == ["fragment"]


@pytest.mark.parametrize("words", [0, 4, 15])
def test_a_data_offset_out_of_the_segment(words: int) -> None:
    host, script = FLOW_ENDS
    sent = build(SEGMENT, host)
    found = compare(SEGMENT, resummed(patched(sent, 32, words << 4)), script)
    assert fields(found) == ["tcp data offset"]


@pytest.mark.parametrize("length", [0, 1, 200])
def test_an_option_that_cannot_be_read(length: int) -> None:
    host, script = FLOW_ENDS
    sent = build(SEGMENT, host)
    found = compare(SEGMENT, resummed(patched(sent, 41, length)), script, EVERYTHING)
    assert fields(found) == ["tcp options"]
    found = compare(replace(SEGMENT, options=None), resummed(patched(sent, 41, length)), script)
    assert fields(found) == ["tcp options"]


def test_a_udp_length_and_checksum() -> None:
    host, script = FLOW_ENDS
    sent = build(UdpPacket(4), host)
    assert "udp length" in fields(compare(UdpPacket(4), patched(sent, 25, 13), script))
    assert fields(compare(UdpPacket(4), patched(sent, 26, sent[26] ^ 1), script)) == ["udp checksum"]
    # RFC 768: none at all.
    assert compare(UdpPacket(4), patched(patched(sent, 26, 0), 27, 0), script) == []


@given(st.binary(max_size=120))
def test_garbage_is_a_difference(garbage: bytes) -> None:
    assert compare(SEGMENT, garbage, FLOW_ENDS[1])


@given(tcp_packets, ends, st.data())
def test_a_damaged_packet_is_a_difference(packet: TcpPacket, ends: Ends, data: st.DataObject) -> None:
    sent = build(packet, ends.host)
    at = data.draw(st.integers(0, len(sent) - 1))
    damaged = patched(sent, at, sent[at] ^ data.draw(st.integers(1, 255)))
    found = compare(packet, damaged, ends.script)
    # What nothing sums and the script does not say: IPv6's hop limit, traffic class and flow label, outer ones too.
    if len(ends.script.local) == 4 and not packet.outer:
        assert found


@given(tcp_packets, ends, st.data())
def test_a_packet_cut_short_is_a_difference(packet: TcpPacket, ends: Ends, data: st.DataObject) -> None:
    sent = build(packet, ends.host)
    assert compare(packet, sent[: data.draw(st.integers(0, len(sent) - 1))], ends.script)


# -- Timestamps


def stamped(value: int, echo: int = 0) -> TcpPacket:
    return TcpPacket(frozenset("."), Sequence(1, 1, 0), 1, options=(TcpOption("TS", (value, echo)), NOP, NOP))


def test_outbound_timestamps_may_be_anything_without_a_clock() -> None:
    host, script = Flow(REMOTE_4, LOCAL_4, 1, 2), Flow(LOCAL_4, REMOTE_4, 2, 1, local_offset=0)
    assert compare(stamped(100), build(stamped(5000), host), script) == []
    assert compare(stamped(200), build(stamped(77), host), script) == []
    assert fields(compare(stamped(200, 1), build(stamped(77, 2), host), script)) == ["TS ecr"]


def test_outbound_timestamps_advance_with_the_clock() -> None:
    host = Flow(REMOTE_4, LOCAL_4, 1, 2)
    script = Flow(LOCAL_4, REMOTE_4, 2, 1, local_offset=0, clock=TimestampClock(0.001, 0.004))
    near_the_end = 2**32 - 50
    assert compare(stamped(100), build(stamped(near_the_end), host), script) == []
    assert compare(stamped(200), build(stamped(near_the_end + 104), host), script) == []
    assert compare(stamped(200), build(stamped(near_the_end + 96), host), script) == []
    found = compare(stamped(300), build(stamped(near_the_end + 205), host), script)
    assert found == [Difference("TS val", "300", "305")]
    assert compare(stamped(300), build(stamped(near_the_end + 205), host), script, {Ignore.TIMESTAMPS}) == []


def test_udp_learns_nothing_of_sequence_numbers() -> None:
    host, script = Flow(REMOTE_4, LOCAL_4, 1, 2), Flow(LOCAL_4, REMOTE_4, None, 1)
    assert compare(UdpPacket(1), build(UdpPacket(1), host), script) == []
    assert (script.local_port, script.local_offset) == (2, None)


def test_the_size_of_every_option_is_known() -> None:
    """The strategies must not silently drop what does not fit."""
    assert size(TcpOption("FOEXP", data=b"12")) == 6
