"""Whether what went out is what the script expects, field by field.

Both are brought to the same form, a packet of the script with every field said; what is not said in the script is
not compared.  That is: the window, the IP header's fields, the value of an option written without one, all options
where the script says ``<...>``, and the value of an outbound timestamp (it is learned), unless the flow has a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from ipaddress import ip_address
from typing import TypeVar

from usertcp.drill.ignore import Ignore
from usertcp.drill.packets import encapsulation, icmp_words
from usertcp.drill.packets.build import ECN_WORDS, flag_bits
from usertcp.drill.packets.compare_options import compare_options
from usertcp.drill.packets.describe import is_of_no_connection, observed
from usertcp.drill.packets.errors import Unbuildable
from usertcp.drill.packets.flow import Flow
from usertcp.drill.packets.live import Difference, Live, LiveTcp, LiveUdp, read
from usertcp.drill.packets.spell import flags_text, outer_text
from usertcp.drill.script import IcmpPacket, IpInfo, OuterHeader, Packet, Sequence, TcpPacket, UdpPacket
from usertcp.observe.escape import for_terminal
from usertcp.wire import codepoint, tcp

_Value = TypeVar("_Value")


def compare(expected: Packet, packet: bytes, flow: Flow, ignore: Set[Ignore] = frozenset()) -> list[Difference]:
    """What is not as expected in the outbound IP packet ``packet``; empty: all is.

    ``ignore`` takes out exactly what each member says.  What no packet may have (a wrong checksum, reserved bits,
    wrong lengths, options that cannot be read) is a difference whatever is ignored.  Where there is none, ``flow``
    learns from the packet: ports, initial sequence number, timestamp.
    """
    live = read(packet)
    offset = _offset(expected, live, flow)
    differences = list(live.faults)
    if live.version:
        seen = observed(live, flow, offset)
        if type(seen) is type(expected):
            differences += _addresses(live, flow)
            differences += _ip(expected, live, ignore)
            differences += _body(expected, seen, flow, ignore)
        elif live.body is not None or not live.faults:
            differences.append(Difference("protocol", _protocol(expected), _protocol(seen) or str(live.protocol)))
    elif not differences:
        differences.append(Difference("ip header", "right", "none"))
    if not differences:
        _learn(expected, live, flow)
    # Words of the script may be among the values.
    return [Difference(field, for_terminal(want), for_terminal(have)) for field, want, have in differences]


def _protocol(packet: Packet | None) -> str:
    return {TcpPacket: "tcp", UdpPacket: "udp", IcmpPacket: "icmp"}.get(type(packet), "")


def _offset(expected: Packet, live: Live, flow: Flow) -> int:
    """What the packet's sequence number is more on the wire than in the script."""
    segment = live.body
    if isinstance(segment, LiveTcp) and isinstance(expected, TcpPacket):
        start = expected.sequence.start
        if expected.sequence.absolute or (start == 0 and is_of_no_connection(segment)):
            return 0
        if segment.flags & tcp.SYN and "S" in expected.flags and flow.may_begin:
            return segment.seq - start
    return flow.local_offset or 0


def _field(name: str, expected: _Value, actual: _Value, show: Callable[[_Value], str] = str) -> list[Difference]:
    return [] if expected == actual else [Difference(name, show(expected), show(actual))]


# -- IP


def _addresses(live: Live, flow: Flow) -> list[Difference]:
    found = _field("ip version", 4 if len(flow.local) == 4 else 6, live.version)
    if found:
        return found
    found = _field("source address", flow.local, live.source, _address)
    found += _field("destination address", flow.remote, live.destination, _address)
    body = live.body
    if isinstance(body, LiveTcp | LiveUdp):
        if flow.local_port is not None:
            found += _field("source port", flow.local_port, body.source_port)
        if flow.remote_port is not None:
            found += _field("destination port", flow.remote_port, body.destination_port)
    return found


def _address(address: bytes) -> str:
    return str(ip_address(address))


def _ip(expected: Packet, live: Live, ignore: Set[Ignore]) -> list[Difference]:
    info = expected.ip
    found = _field("outer headers", _canonical(expected.outer), live.outer, lambda outer: outer_text(outer) or "none")
    if info.ttl is not None and Ignore.TTL not in ignore:
        found += _field("ttl", info.ttl, live.ttl)
    if info.ecn is not None and Ignore.ECN not in ignore and live.tos & 3 not in ECN_WORDS[info.ecn]:
        found.append(Difference("ecn", info.ecn, ("noecn", "ect1", "ect0", "ce")[live.tos & 3]))
    if info.tos is not None:
        found += _tos(info, info.tos, live.tos, ignore)
    if info.flow_label is not None:
        actual = live.flow_label if live.version == 6 else None
        found += _field("flow label", info.flow_label, actual, lambda label: "none" if label is None else hex(label))
    return found


def _tos(info: IpInfo, expected: int, actual: int, ignore: Set[Ignore]) -> list[Difference]:
    """The whole byte, but for an ECN field that is a matter of its own."""
    mask = 0xFF
    if Ignore.TOS in ignore:
        mask &= codepoint.FIELD
    if Ignore.ECN in ignore or info.ecn is not None:
        mask &= ~codepoint.FIELD
    return _field("tos", expected & mask, actual & mask, hex)


def _canonical(outer: tuple[OuterHeader, ...]) -> tuple[OuterHeader, ...]:
    """With the fields said that the script leaves to us."""
    try:
        return encapsulation.peel(encapsulation.wrap(b"\x40", outer)).outer
    except Unbuildable:
        return outer


# -- What is in it


def _body(expected: Packet, seen: Packet, flow: Flow, ignore: Set[Ignore]) -> list[Difference]:
    match expected, seen:
        case TcpPacket(), TcpPacket():
            return _named_ports(expected, flow) + _tcp(expected, seen, flow, ignore)
        case UdpPacket(), UdpPacket():
            return _named_ports(expected, flow) + _field("length", expected.length, seen.length)
        case IcmpPacket(), IcmpPacket():
            return _icmp(expected, seen, 4 if len(flow.local) == 4 else 6)
    return []


def _named_ports(expected: TcpPacket | UdpPacket, flow: Flow) -> list[Difference]:
    if expected.ports is None or flow.named_ports is None:
        return []
    return _field("ports", expected.ports, flow.named_ports, lambda ports: f"{ports[0]} > {ports[1]}")


def _tcp(expected: TcpPacket, seen: TcpPacket, flow: Flow, ignore: Set[Ignore]) -> list[Difference]:
    found = _flags(expected, seen, ignore)
    found += _field("seq", expected.sequence.start & 0xFFFFFFFF, seen.sequence.start)
    found += _field("length", expected.sequence.length, seen.sequence.length)
    if ("." in expected.flags) == ("." in seen.flags):
        found += _ack(expected, seen, flow)
    if expected.window is not None and Ignore.WINDOW not in ignore:
        found += _field("window", expected.window, seen.window)
    found += _field("urgent pointer", expected.urgent or 0, seen.urgent or 0)
    if expected.options is not None and Ignore.OPTIONS not in ignore:
        found += compare_options(expected.options, seen.options or (), flow, ignore)
    return found


def _flags(expected: TcpPacket, seen: TcpPacket, ignore: Set[Ignore]) -> list[Difference]:
    differing = flag_bits(expected) ^ flag_bits(seen)
    if Ignore.PUSH in ignore:
        differing &= ~tcp.PSH
    if not differing:
        return []
    return [Difference("flags", flags_text(expected), flags_text(seen))]


def _ack(expected: TcpPacket, seen: TcpPacket, flow: Flow) -> list[Difference]:
    actual = seen.ack or 0
    if expected.ack_absolute and "." in expected.flags:
        actual += flow.remote_offset
    return _field("ack", (expected.ack or 0) & 0xFFFFFFFF, actual & 0xFFFFFFFF)


def _icmp(expected: IcmpPacket, seen: IcmpPacket, version: int) -> list[Difference]:
    try:
        kind = icmp_words.number_of_type(expected.type, version)
        code = icmp_words.number_of_code(expected.code, kind, version)
    except Unbuildable:
        return [Difference("icmp type", f"{expected.type} {expected.code or ''}", seen.type)]
    actual = icmp_words.number_of_type(seen.type, version)
    found = _field("icmp type", icmp_words.word_of_type(kind, version), seen.type)
    if not found:
        actual = icmp_words.number_of_code(seen.code, kind, version)
        found += _field("icmp code", code, actual, lambda number: icmp_words.word_of_code(number, kind, version))
    if expected.mtu is not None:
        found += _field("mtu", expected.mtu, seen.mtu or 0)
    if expected.echoed_tcp is not None:
        found += _field("quoted segment", _start_and_length(expected.echoed_tcp), _start_and_length(seen.echoed_tcp))
    if expected.echoed_udp is not None:
        found += _field("quoted datagram", str(expected.echoed_udp), str(seen.echoed_udp))
    return found


def _start_and_length(sequence: Sequence | None) -> str:
    return "none" if sequence is None else f"{sequence.start & 0xFFFFFFFF}({sequence.length})"


# -- Learning


def _learn(expected: Packet, live: Live, flow: Flow) -> None:
    body = live.body
    if not isinstance(body, LiveTcp | LiveUdp):
        return
    if flow.local_port is None:
        flow.local_port = body.source_port
    if flow.remote_port is None:
        flow.remote_port = body.destination_port
    if isinstance(expected, TcpPacket | UdpPacket) and expected.ports is not None and flow.named_ports is None:
        flow.named_ports = expected.ports
    if not isinstance(body, LiveTcp) or not isinstance(expected, TcpPacket):
        return
    start = None if expected.sequence.absolute else expected.sequence.start
    flow.left(body.flags, body.seq, start)
    said = next((option for option in expected.options or () if option.kind == "TS"), None)
    sent = next((option for option in body.options if option.kind == "TS"), None)
    if sent is not None:
        flow.learn_timestamp(said.values[0] if said is not None and said.values else None, sent.values[0])
