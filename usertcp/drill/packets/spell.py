"""A packet in packetdrill's words."""

from __future__ import annotations

from typing import Final

from usertcp.drill.packets.options import ACC_ECN_1
from usertcp.drill.script import IcmpPacket, IpInfo, OuterHeader, Packet, Sequence, TcpOption, TcpPacket, UdpPacket

_FLAG_ORDER: Final = "FSRPUEWA."


def spell(packet: Packet) -> str:
    """One line, without the direction; the parser reads it to the same packet.

    Words and mutations come out as they are: a terminal needs them escaped.
    """
    parts = [outer_text(packet.outer), _ip(packet.ip)]
    match packet:
        case TcpPacket():
            parts += _tcp(packet)
        case UdpPacket():
            parts += [_ports(packet.ports), f"udp ({packet.length})"]
        case IcmpPacket():
            parts += _icmp(packet)
    return " ".join(filter(None, parts))


def _ports(ports: tuple[int, int] | None) -> str:
    return f"{ports[0]} > {ports[1]}" if ports else ""


def _tcp(packet: TcpPacket) -> list[str]:
    parts = [_ports(packet.ports), flags_text(packet), _sequence(packet.sequence)]
    if packet.ack is not None:
        parts.append(f"ack {'@' if packet.ack_absolute else ''}{packet.ack}")
    if packet.window is not None:
        parts.append(f"win {packet.window}")
    if packet.urgent is not None:
        parts.append(f"urg {packet.urgent}")
    if packet.options is None:
        parts.append("<...>")
    elif packet.options:
        parts.append(f"<{options_text(packet.options)}>")
    if packet.mutations:
        parts.append(f"{{{packet.mutations}}}")
    return parts


def flags_text(packet: TcpPacket) -> str:
    letters = packet.flags
    counter = ""
    if packet.ace is not None:
        letters -= {"E", "W", "A"}
        counter = str(packet.ace)
    return "".join(letter for letter in _FLAG_ORDER if letter in letters) + counter or "-"


def _sequence(sequence: Sequence) -> str:
    return f"{'@' if sequence.absolute else ''}{sequence.start}:{sequence.end}({sequence.length})"


def options_text(options: tuple[TcpOption, ...]) -> str:
    """The options without their brackets; "none" if there are none."""
    return ",".join(map(option_text, options)) or "none"


def option_text(option: TcpOption) -> str:
    values = option.values
    match option.kind:
        case "TS" if len(values) == 2:
            return f"TS val {values[0]} ecr {values[1]}"
        case "sack":
            edges = zip(values[::2], values[1::2], strict=False)
            return " ".join(["sack", *(f"{left}:{right}" for left, right in edges)])
        case "AccECN":
            names = ("e1b", "ceb", "e0b") if option.kind_number == ACC_ECN_1 else ("e0b", "ceb", "e1b")
            return " ".join(["ECN", *(f"{name} {value}" for name, value in zip(names, values, strict=False))])
        case "unknown":
            return " ".join([f"{option.kind_number:#04x}", *([f"0x{option.data.hex()}"] if option.data else [])])
    return " ".join([option.kind, *map(str, values), *([option.data.hex()] if option.data else [])])


def outer_text(outer: tuple[OuterHeader, ...]) -> str:
    return " ".join(map(_outer_header, outer))


def _outer_header(header: OuterHeader) -> str:
    said = dict(header.fields)
    if header.kind == "udp" and said.keys() == {"sport", "dport"}:
        return f"udp {said['sport']} > {said['dport']}:"
    between = f" {header.source} > {header.destination}" if header.source else ""
    return f"{header.kind}{between}{''.join(map(_group, _groups(header.fields)))}:"


def _groups(fields: tuple[tuple[str, int], ...]) -> list[list[tuple[str, int]]]:
    """Each label of MPLS has all of its fields once."""
    groups: list[list[tuple[str, int]]] = []
    for name, value in fields:
        if not groups or name in dict(groups[-1]):
            groups.append([])
        groups[-1].append((name, value))
    return groups


def _group(fields: list[tuple[str, int]]) -> str:
    named = ("[S]" if field == ("s", 1) else " ".join(map(str, field)) for field in fields)
    return f" ({', '.join(named)})"


def _ip(info: IpInfo) -> str:
    parts = []
    if info.ecn is not None:
        parts.append(info.ecn)
    if info.ttl is not None:
        parts.append(f"ttl {info.ttl}")
    if info.tos is not None:
        parts.append(f"tos {info.tos:#04x}")
    if info.flow_label is not None:
        parts.append(f"flowlabel {info.flow_label:#x}")
    return f"[{', '.join(parts)}]" if parts else ""


def _icmp(packet: IcmpPacket) -> list[str]:
    parts = ["icmp", packet.type]
    if packet.code is not None:
        parts.append(packet.code)
    if packet.mtu is not None:
        parts.append(f"mtu {packet.mtu}")
    if packet.echoed_tcp is not None:
        parts.append(f"[{_sequence(packet.echoed_tcp)}]")
    if packet.echoed_udp is not None:
        parts.append(f"[udp ({packet.echoed_udp})]")
    return parts
