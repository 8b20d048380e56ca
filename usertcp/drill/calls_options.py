"""System calls about a descriptor's own state: socket options, ``fcntl`` and ``ioctl``."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EFAULT, EINVAL
from struct import Struct
from typing import Any, Final

from usertcp.drill import info
from usertcp.drill.arguments import Arguments
from usertcp.drill.plan import Plan, differs, on_socket
from usertcp.drill.script import Anything, Array, Expression, Structure, Text
from usertcp.sim.posix.constants import F_DUPFD, F_DUPFD_CLOEXEC, F_GETFL, FIOASYNC, FIONBIO
from usertcp.sim.posix.names import own_number
from usertcp.sim.posix.names import value as number_of

#: Requests of ioctl() whose argument is taken; that of the others is what they tell.
_TAKES: Final = (FIONBIO, FIOASYNC)
#: More than any option has.
_MOST: Final = 1 << 16
_LINGER: Final = Struct("<ii")
#: struct timeval with 64-bit fields.
_TIMEVAL: Final = Struct("<qq")
#: FreeBSD's struct tcp_function_set: a name of 32 bytes and a count.
_FUNCTION_SET: Final = Struct("<32sI")
#: FreeBSD's struct tcp_fastopen: enable, and a pre-shared key of 16 bytes.
_FAST_OPEN: Final = Struct("<i16s")


def setsockopt(a: Arguments) -> Plan:
    """``setsockopt(fd, level, name, value, length)``."""
    a.expect(5)
    value, length = a.at(3), None if isinstance(a.at(4), Anything) else a.value(a.at(4))
    if length is not None and not 0 <= length <= _MOST:
        return on_socket(a, EINVAL)
    if a.is_pointer(value) and (length is None or length):
        return on_socket(a, EFAULT)
    data = b"" if a.is_pointer(value) else _option_bytes(a, value, length)
    return Plan("setsockopt", (a.descriptor(0), a.number(1), a.number(2), data))


def _option_bytes(a: Arguments, value: Expression, length: int | None) -> bytes:
    """An option's value as a system takes it, in so many bytes."""
    match value:
        case Text(text):
            return text if length is None else text[:length].ljust(length, b"\0")
        case Structure():
            data = _structure_bytes(a, value)
        case Array((Structure() as only,)):
            data = _structure_bytes(a, only)
        case Array((Text(text),)):
            data = text
        case Array(items):
            data = _numbers([a.value(item) for item in items], length)
        case Anything():
            data = bytes(4)
        case _:
            data = _numbers([a.value(value)], length)
    return data if length is None else data[:length].ljust(length, b"\0")


def _numbers(values: list[int], length: int | None) -> bytes:
    """Numbers side by side: of 4 bytes each, or one of the whole length."""
    size = 4 if length is None or len(values) != 1 else max(length, 4)
    return b"".join((value & (1 << 8 * size) - 1).to_bytes(size, "little") for value in values)


def _structure_bytes(a: Arguments, structure: Structure) -> bytes:
    fields = dict(structure.fields)
    names = set(fields)
    if names == {"onoff", "linger"} or names == {"l_onoff", "l_linger"}:
        return _LINGER.pack(*(_signed(a.value(value)) for value in fields.values()))
    if names == {"tv_sec", "tv_usec"}:
        return _TIMEVAL.pack(a.value(fields["tv_sec"]), a.value(fields["tv_usec"]))
    if "function_set_name" in names:
        count = a.value(fields["pcbcnt"]) if "pcbcnt" in names else 0
        return _FUNCTION_SET.pack(_text(a, fields["function_set_name"]), count & 0xFFFFFFFF)
    if names <= {"enable", "psk"} and "enable" in names:
        key = fields.get("psk")
        return _FAST_OPEN.pack(a.value(fields["enable"]), b"" if key is None else _text(a, key))
    raise a.refuse(f"a structure of {', '.join(sorted(names)) or 'nothing'} as a socket option")


def _text(a: Arguments, expression: Expression) -> bytes:
    match expression:
        case Text(value):
            return value
        case Anything():
            return b""
    raise a.refuse("something else than a string in a structure")


def _signed(number: int) -> int:
    return (number & 0xFFFFFFFF ^ 0x80000000) - 0x80000000


# -- getsockopt


def getsockopt(a: Arguments) -> Plan:
    """``getsockopt(fd, level, name, value, [length])``: value and length are what is expected."""
    a.expect(5)
    value = a.at(3)
    if a.is_pointer(a.at(4)) and not a.value(a.at(4)):
        return on_socket(a, EFAULT)
    length = a.bracketed(4)
    if length is not None and length < 0:
        return on_socket(a, EINVAL)
    if a.is_pointer(value) and not a.value(value) and length:
        return on_socket(a, EFAULT)
    room = min(_default_length(a, value) if length is None else length, _MOST)
    return Plan(
        "getsockopt",
        (a.descriptor(0), a.number(1), a.number(2), room),
        result=lambda data: 0,
        differences=lambda data: _option_differences(a, value, length, data),
    )


def _default_length(a: Arguments, value: Expression) -> int:
    return 4 if isinstance(value, Array) and not any(isinstance(item, Text) for item in value.items) else 1024


def _option_differences(a: Arguments, expected: Expression, length: int | None, data: bytes) -> Iterator[str]:
    if length is not None and length != len(data):
        yield differs("option length", length, len(data))
    if isinstance(expected, Array) and len(expected.items) == 1:
        expected = expected.items[0]
    match expected:
        case Anything():
            return
        case Text(text):
            actual = data.split(b"\0")[0]
            if actual != text.split(b"\0")[0]:
                yield differs("option value", repr(text)[1:], repr(actual)[1:])
        case Structure():
            yield from _structure_differences(a, expected, data)
        case Array(items):
            wanted = _numbers([a.value(item) for item in items], None)
            if wanted != data:
                yield differs("option value", list(_ints(wanted)), list(_ints(data)))
        case _:
            number = int.from_bytes(data, "little", signed=len(data) in (4, 8))
            if not _same(a.value(expected), number, len(data)):
                yield differs("option value", a.value(expected), number)


def _same(expected: int, actual: int, size: int) -> bool:
    """Whether these are the same bits."""
    mask = (1 << 8 * size) - 1
    return expected & mask == actual & mask


def _ints(data: bytes) -> Iterator[int]:
    return (int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4))


def _structure_differences(a: Arguments, expected: Structure, data: bytes) -> Iterator[str]:
    actual = _read_structure(a, expected, data)
    for name, value in expected.fields:
        if isinstance(value, Anything):
            continue
        got = actual.get(_plain(name))
        if got is None:
            yield differs(name, "a field of what came", "none")
        elif isinstance(got, bytes):
            if got != _text(a, value):
                yield differs(name, repr(_text(a, value))[1:], repr(got)[1:])
        elif a.value(value) != got:
            yield differs(name, a.value(value), got)


def _plain(name: str) -> str:
    """``__tcpi_rto`` is FreeBSD's name of ``tcpi_rto``, ``l_onoff`` is ``onoff`` in full."""
    return name.removeprefix("__").removeprefix("l_")


def _read_structure(a: Arguments, expected: Structure, data: bytes) -> dict[str, Any]:
    names = {_plain(name) for name, _ in expected.fields}
    if names <= {"onoff", "linger"} and len(data) == _LINGER.size:
        return dict(zip(("onoff", "linger"), _LINGER.unpack(data), strict=True))
    if names <= {"tv_sec", "tv_usec"} and len(data) == _TIMEVAL.size:
        return dict(zip(("tv_sec", "tv_usec"), _TIMEVAL.unpack(data), strict=True))
    if "function_set_name" in names and len(data) == _FUNCTION_SET.size:
        name, count = _FUNCTION_SET.unpack(data)
        return {"function_set_name": name.split(b"\0")[0], "pcbcnt": count}
    if all(name.startswith("tcpi_") for name in names):
        return dict(info.fields(data))
    raise a.refuse(f"a structure of {', '.join(sorted(names))} from getsockopt()")


# -- fcntl and ioctl


def fcntl(a: Arguments) -> Plan:
    """``fcntl(fd, command)`` and ``fcntl(fd, command, argument)``."""
    a.expect(2, 3)
    command = a.number(1)
    argument = (a.number(2),) if a.given(2) else ()
    return Plan(
        "fcntl",
        (a.descriptor(0), command, *argument),
        result=lambda value: _own_flags(a, value) if command == F_GETFL else int(value),
        opens=command in (F_DUPFD, F_DUPFD_CLOEXEC),
    )


def _own_flags(a: Arguments, flags: int) -> int:
    """A descriptor's flags as the numbers that the script's system has for them."""
    for name in ("O_NONBLOCK", "O_ASYNC"):
        ours, own = number_of(name), own_number(name, a.context.personality)
        if ours and own is not None and flags & ours:
            flags = flags & ~ours | own
    return flags


def ioctl(a: Arguments) -> Plan:
    """``ioctl(fd, request, [value])``: what a request gives is compared, what it takes is handed over."""
    a.expect(2, 3)
    request = a.number(1)
    value = a.bracketed(2) if len(a) == 3 else None
    if len(a) == 3 and a.is_pointer(a.at(2)) and not value:
        return on_socket(a, EFAULT)

    def differences(actual: Any) -> Iterator[str]:
        if value is not None and request not in _TAKES and actual != value:
            yield differs("value", value, actual)

    return Plan("ioctl", (a.descriptor(0), a.number(1), value or 0), result=lambda actual: 0, differences=differences)
