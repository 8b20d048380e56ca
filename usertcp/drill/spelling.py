"""What a script says, as text again: one canonical spelling, which the parser reads to the same values.

Texts of the script (commands, code, notes) come out as they are: a terminal needs them escaped.
"""

from __future__ import annotations

from decimal import Decimal

from usertcp.drill.packets.spell import spell as spell_packet
from usertcp.drill.script import (
    Anything,
    Array,
    Call,
    Code,
    Command,
    Event,
    Expression,
    Number,
    Operation,
    PacketEvent,
    Structure,
    SystemCall,
    Text,
    Time,
    TimeKind,
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
