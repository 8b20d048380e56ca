"""Packets of scripts, and a flow with both ends of it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from usertcp.drill.packets import Flow
from usertcp.drill.script import IcmpPacket, IpInfo, OuterHeader, Sequence, TcpOption, TcpPacket, UdpPacket

LOCAL_4, REMOTE_4 = b"\xc0\xa8\0\1", b"\xc0\0\2\1"
LOCAL_6, REMOTE_6 = bytes.fromhex("fd3d0a0b17d6" + 19 * "0" + "1"), bytes.fromhex("fd3dfa7b0000" + 19 * "0" + "1")

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 2**32 - 1)


@dataclass
class Ends:
    """One connection seen by the script, and by a host of the script's that sends what the script expects."""

    script: Flow
    host: Flow


@st.composite
def all_ends(draw: st.DrawFn) -> Ends:
    """Numbers of both directions are known, and nothing but a retransmission of a SYN is to be expected."""
    local, remote = draw(st.sampled_from([(LOCAL_4, REMOTE_4), (LOCAL_6, REMOTE_6)]))
    local_port, remote_port = draw(st.integers(1, 0xFFFF)), draw(st.integers(1, 0xFFFF))
    local_offset, remote_offset = draw(u32), draw(u32)
    script = Flow(local, remote, local_port, remote_port, remote_offset, local_offset)
    # What leaves this one is what comes to that one, so each calls the other's numbers its own.
    host = Flow(remote, local, remote_port, local_port, local_offset, remote_offset)
    return Ends(script, host)


ends = all_ends()

simple_options = st.sampled_from([TcpOption("nop"), TcpOption("sackOK"), TcpOption("eol")])
mss_options = st.builds(TcpOption, st.just("mss"), st.tuples(u16))
wscale_options = st.builds(TcpOption, st.just("wscale"), st.tuples(u8))
timestamps = st.builds(TcpOption, st.just("TS"), st.tuples(u32, u32))
sacks = st.lists(st.tuples(u32, u32), min_size=1, max_size=4).map(
    lambda blocks: TcpOption("sack", tuple(edge for block in blocks for edge in block))
)
cookies = st.builds(TcpOption, st.sampled_from(["FO", "FOEXP"]), data=st.binary(max_size=16))
digests = st.builds(TcpOption, st.just("md5"), data=st.binary(min_size=16, max_size=16))
counters = st.builds(
    TcpOption,
    st.just("AccECN"),
    st.lists(st.integers(0, 0xFFFFFF), max_size=3).map(tuple),
    kind_number=st.sampled_from([172, 174]),
)
unknown_options = st.builds(
    TcpOption,
    st.just("unknown"),
    data=st.binary(max_size=8),
    kind_number=u8.filter(lambda kind: kind not in (0, 1, 2, 3, 4, 5, 8, 19, 34, 172, 174, 254)),
)
option_values = st.one_of(mss_options, wscale_options, timestamps, sacks, cookies, digests, counters, unknown_options)


def size(option: TcpOption) -> int:
    """Bytes on the wire."""
    fixed = {"nop": 1, "eol": 1, "sackOK": 2, "mss": 4, "wscale": 3, "TS": 10, "md5": 18}
    if option.kind in fixed:
        return fixed[option.kind]
    if option.kind == "sack":
        return 2 + 4 * len(option.values)
    if option.kind == "AccECN":
        return 2 + 3 * len(option.values)
    return 2 + len(option.data) + (2 if option.kind == "FOEXP" else 0)


def padded(options: list[TcpOption]) -> tuple[TcpOption, ...]:
    return (*options, *(TcpOption("nop") for _ in range(-sum(map(size, options)) % 4)))


option_lists = (
    st.lists(option_values | simple_options, max_size=6)
    .filter(lambda options: sum(map(size, options)) <= 40)
    .map(padded)
)


def sequence(start: int, length: int) -> Sequence:
    return Sequence(start, start + length & 0xFFFFFFFF, length)


sequences = st.builds(sequence, u32, st.integers(0, 3000))
infos = st.builds(IpInfo, ecn=st.none() | st.sampled_from(["noecn", "ect0", "ect1", "ect01", "ce"]), ttl=st.none() | u8)
outers = st.lists(
    st.sampled_from(
        [
            (OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"),),
            (OuterHeader("ipv6", "::1", "::2"),),
            (OuterHeader("ipv4", "1.1.1.1", "2.2.2.2"), OuterHeader("gre")),
            (
                OuterHeader("ipv6", "::1", "::2"),
                OuterHeader("gre"),
                OuterHeader("mpls", fields=(("label", 5), ("tc", 1), ("ttl", 9))),
                OuterHeader("mpls", fields=(("label", 16),)),
            ),
        ]
    ),
    max_size=2,
).map(lambda headers: tuple(header for group in headers for header in group))


@st.composite
def all_tcp_packets(draw: st.DrawFn) -> TcpPacket:
    """Every field is said, but for a flow label, which only IPv6 has."""
    flags = draw(st.frozensets(st.sampled_from("FSRPUEWA.")))
    ace = None
    if not flags & set("EWA"):
        ace = draw(st.none() | st.integers(0, 7))
    return TcpPacket(
        flags,
        draw(sequences),
        draw(u32) if "." in flags else None,
        draw(u16),
        draw(u16),
        draw(option_lists),
        draw(infos),
        draw(outers),
        ace=ace,
    )


tcp_packets = all_tcp_packets()
udp_packets = st.builds(UdpPacket, st.integers(0, 3000), infos, outers)


@st.composite
def all_icmp_packets(draw: st.DrawFn, version: int) -> IcmpPacket:
    kind, code = draw(
        st.sampled_from(
            [("unreachable", "port_unreachable"), ("time_exceeded", "reassembly"), ("parameter_problem", "1")]
            + ([("unreachable", "frag_needed")] if version == 4 else [("packet_too_big", None)])
        )
    )
    mtu = draw(u16) if kind == "packet_too_big" or code == "frag_needed" else None
    echoed_tcp = draw(st.none() | sequences)
    echoed_udp = draw(st.integers(0, 3000)) if echoed_tcp is None else None
    return IcmpPacket(kind, code, mtu, echoed_tcp, echoed_udp, draw(infos), draw(outers))
