"""What a script says, as text again: one canonical spelling, which the parser reads to the same values.

Texts of the script (commands, code, notes) come out as they are: a terminal needs them escaped.
"""

from __future__ import annotations

from decimal import Decimal

from usertcp.drill.packets.spell import flags_text, option_text, outer_text
from usertcp.drill.script import (
    Anything,
    Array,
    Call,
    Code,
    Command,
    Event,
    Expression,
    IcmpPacket,
    IpInfo,
    Number,
    Operation,
    Packet,
    PacketEvent,
    Sequence,
    Structure,
    SystemCall,
    TcpPacket,
    Text,
    Time,
    TimeKind,
    UdpPacket,
    Word,
)

_BINDING = {"|": 1, "^": 2, "&": 3, "<<": 4, ">>": 4}


def spell(event: Event) -> str:
    """The event with its time: ``+0.1...0.2 read(4, ..., 10) = 10``."""
    action = event.action
    time = spell_time(event.time)
    if isinstance(action, SystemCall):
        end = "" if action.end is None else f"...{_seconds(action.end)}"
        return f"{time}{end} {spell_call(action)}"
    return f"{time} {_action(action)}"


def _action(action: PacketEvent | Command | Code) -> str:
    match action:
        case PacketEvent():
            return f"{'<' if action.inbound else '>'} {spell_packet(action.packet)}"
        case Command():
            return f"`{action.text}`"
        case Code():
            return f"%{{{action.text}}}%"


def spell_time(time: Time) -> str:
    """``*``, ``0.1``, ``+0.1``, ``0.1~0.2`` or ``+0.1~+0.2``."""
    if time.kind is TimeKind.ANY:
        return "*"
    sign = "+" if time.kind in (TimeKind.RELATIVE, TimeKind.RELATIVE_RANGE) else ""
    start = sign + _seconds(time.start)
    if time.kind in (TimeKind.ABSOLUTE_RANGE, TimeKind.RELATIVE_RANGE):
        return f"{start}~{sign}{_seconds(time.end)}"
    return start


def _seconds(seconds: float) -> str:
    """Without an exponent, and no digit more than it takes."""
    text = format(Decimal(repr(seconds)), "f")
    return text.removesuffix(".0")


# -- Packets --------------------------------------------------------------------------------------------


def spell_packet(packet: Packet) -> str:
    """A packet without its direction: ``[ect0] P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>``."""
    parts = [outer_text(packet.outer), _ip(packet.ip)]
    match packet:
        case TcpPacket():
            parts += _tcp(packet)
        case UdpPacket():
            parts += [_ports(packet.ports), f"udp ({packet.length})"]
        case IcmpPacket():
            parts += _icmp(packet)
    return " ".join(filter(None, parts))


def _ip(info: IpInfo) -> str:
    parts = [] if info.ecn is None else [info.ecn]
    if info.ttl is not None:
        parts.append(f"ttl {info.ttl}")
    if info.tos is not None:
        parts.append(f"tos {info.tos:#04x}")
    if info.flow_label is not None:
        parts.append(f"flowlabel {info.flow_label:#x}")
    return f"[{', '.join(parts)}]" if parts else ""


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
        parts.append(f"<{','.join(map(option_text, packet.options))}>")
    if packet.mutations:
        parts.append(f"{{{packet.mutations}}}")
    return parts


def _sequence(sequence: Sequence) -> str:
    return f"{'@' if sequence.absolute else ''}{sequence.start}:{sequence.end}({sequence.length})"


def _icmp(packet: IcmpPacket) -> list[str]:
    parts = ["icmp", packet.type, packet.code or ""]
    if packet.mtu is not None:
        parts.append(f"mtu {packet.mtu}")
    if packet.echoed_tcp is not None:
        parts.append(f"[{_sequence(packet.echoed_tcp)}]")
    if packet.echoed_udp is not None:
        parts.append(f"[udp ({packet.echoed_udp})]")
    return parts


# -- System calls and expressions -----------------------------------------------------------------------


def spell_call(call: SystemCall) -> str:
    """A system call with its result, without its times."""
    errno = "" if call.errno is None else f" {call.errno}"
    note = "" if call.note is None else f" ({call.note})"
    return f"{call.name}({_list(call.arguments)}) = {spell_expression(call.result)}{errno}{note}"


def spell_expression(expression: Expression) -> str:
    """An argument or a result."""
    match expression:
        case Anything():
            return "..."
        case Number():
            return _number(expression)
        case Word(name):
            return name
        case Text():
            return _text(expression)
        case Array(items):
            return f"[{_list(items)}]"
        case Call(name, arguments):
            return f"{name}({_list(arguments)})"
        case Structure():
            return f"{{{', '.join(_fields(expression))}}}"
        case Operation(operator, left, right):
            binding = _BINDING.get(operator, 0)
            return f"{_operand(left, binding)}{operator}{_operand(right, binding + 1)}"


def _list(items: tuple[Expression, ...]) -> str:
    return ", ".join(map(spell_expression, items))


def _operand(expression: Expression, loosest: int) -> str:
    text = spell_expression(expression)
    if isinstance(expression, Operation) and _BINDING.get(expression.operator, 0) < loosest:
        return f"({text})"
    return text


def _number(number: Number) -> str:
    if isinstance(number.value, float):
        return format(Decimal(repr(number.value)), "f")
    return hex(number.value) if number.hexadecimal and number.value >= 0 else str(number.value)


def _text(text: Text) -> str:
    quoted = "".join(
        _QUOTED.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}") for byte in text.value
    )
    return f'"{quoted}"...' if text.open else f'"{quoted}"'


_QUOTED = {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r", ord('"'): '\\"', ord("\\"): "\\\\"}


def _fields(structure: Structure) -> list[str]:
    sizes = dict(structure.sizes)
    return [_field(name, value, sizes.get(name)) for name, value in structure.fields]


def _field(name: str, value: Expression, size: Expression | None) -> str:
    bracket = "" if size is None else f"({spell_expression(size)})"
    return f"{name}{bracket}={spell_expression(value)}" if name else spell_expression(value)
