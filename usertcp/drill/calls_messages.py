"""``sendmsg`` and ``recvmsg``: messages with addresses, flags and control messages."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EFAULT
from struct import Struct
from typing import Any, Final

from usertcp.drill.arguments import MOST_BYTES, Arguments
from usertcp.drill.calls_data import io_vectors, vector_differences
from usertcp.drill.plan import Plan, differs, on_socket
from usertcp.drill.script import Anything, Array, Expression, Number, Structure, Text
from usertcp.sim.posix import SocketAddress

#: Room for control messages where the script does not say how much, in bytes.
_ENOUGH: Final = 1024
#: struct sock_extended_err, without the address behind it.
_EXTENDED_ERROR: Final = Struct("<IBBBBII")
_EXTENDED_NAMES: Final = ("ee_errno", "ee_origin", "ee_type", "ee_code", "ee_pad", "ee_info", "ee_data")
#: struct timespec; the first of a struct scm_timestamping is the software's.
_TIMESPEC: Final = Struct("<qq")


def sendmsg(a: Arguments) -> Plan:
    """``sendmsg(fd, {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}, flags)``."""
    given = _message(a)
    if isinstance(given, Plan):
        return given
    message, vectors = given
    buffers = [a.outgoing(*vector) for vector in vectors]
    control = [(*_kind(a, item), _data(a, item.get("cmsg_data"))) for item in _controls(a, message)]
    return Plan("sendmsg", (a.descriptor(0), buffers, control, a.number(2), _name(a, message)))


def recvmsg(a: Arguments) -> Plan:
    """``recvmsg(fd, {...}, flags)``; flags, address and control messages of the structure are what is expected."""
    given = _message(a)
    if isinstance(given, Plan):
        return given
    message, vectors = given
    size = sum(size for _, size in vectors)
    return Plan(
        "recvmsg",
        (a.descriptor(0), min(size, MOST_BYTES), _room(a, message), a.number(2)),
        result=lambda value: len(value.data),
        differences=lambda value: _differences(a, message, vectors, value),
    )


def _message(a: Arguments) -> tuple[Structure, list[tuple[Expression, int]]] | Plan:
    """The message of a call and its buffers; or the call that fails for want of them."""
    a.expect(3)
    message = a.at(1)
    if not isinstance(message, Structure):
        return on_socket(a, EFAULT)
    vectors = _vectors(a, message)
    return on_socket(a, vectors) if isinstance(vectors, int) else (message, vectors)


def _vectors(a: Arguments, message: Structure) -> list[tuple[Expression, int]] | int:
    vectors = message.get("msg_iov")
    count = dict(message.sizes).get("msg_iov") or message.get("msg_iovlen") or Anything()
    return [] if vectors is None else io_vectors(a, vectors, count)


def _name(a: Arguments, message: Structure) -> SocketAddress | None:
    """Where it is to go; ``...`` says nothing for a connected socket, and is the usual address for others."""
    name = message.get("msg_name")
    if isinstance(name, Structure):
        return a.sockaddr(name)
    if isinstance(name, Anything):
        return a.remote()
    return None


def _room(a: Arguments, message: Structure) -> int:
    """Room for control messages, in bytes: as said, or enough for any."""
    said = dict(message.sizes).get("msg_control") or message.get("msg_controllen")
    if said is not None and not isinstance(said, Anything):
        return a.value(said)
    control = message.get("msg_control")
    return 0 if control is None or a.is_pointer(control) else _ENOUGH


# -- Control messages


def _controls(a: Arguments, message: Structure) -> list[Structure]:
    control = message.get("msg_control")
    if control is None or isinstance(control, Anything | Number):
        return []
    if not isinstance(control, Array):
        raise a.refuse("control messages that are no array")
    found = []
    for item in control.items:
        if not isinstance(item, Structure):
            raise a.refuse("a control message that is no structure")
        found.append(item)
    return found


def _kind(a: Arguments, item: Structure) -> tuple[int, int]:
    """Level and type."""
    level, kind = item.get("cmsg_level"), item.get("cmsg_type")
    if level is None or kind is None:
        raise a.refuse("a control message without cmsg_level and cmsg_type")
    return a.value(level), a.value(kind)


def _data(a: Arguments, data: Expression | None) -> bytes:
    match data:
        case None:
            return b""
        case Text(value):
            return value
        case Structure():
            raise a.refuse("a structure as cmsg_data to send")
        case Array(items):
            return b"".join(_int(a.value(item)) for item in items)
    return _int(a.value(data))


def _int(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


# -- What came


def _differences(a: Arguments, message: Structure, vectors: list[tuple[Expression, int]], value: Any) -> Iterator[str]:
    yield from vector_differences(vectors, value.data)
    flags = message.get("msg_flags")
    if flags is not None and not isinstance(flags, Anything) and a.value(flags) != value.flags:
        yield differs("msg_flags", hex(a.value(flags)), hex(value.flags))
    name = message.get("msg_name")
    if isinstance(name, Structure):
        expected = a.sockaddr(name)
        if value.address is None or expected[:3] != value.address[:3]:
            yield differs("msg_name", expected, value.address)
    if isinstance(message.get("msg_control"), Array):
        yield from _control_differences(a, _controls(a, message), list(value.control))


def _control_differences(
    a: Arguments, expected: list[Structure], actual: list[tuple[int, int, bytes]]
) -> Iterator[str]:
    if len(expected) != len(actual):
        yield differs("control messages", len(expected), len(actual))
        return
    for item, (level, kind, data) in zip(expected, actual, strict=True):
        if _kind(a, item) != (level, kind):
            yield differs("level and type of a control message", _kind(a, item), (level, kind))
            continue
        wanted = item.get("cmsg_data")
        if isinstance(wanted, Structure):
            yield from _structure_differences(a, wanted, data)
        elif not isinstance(wanted, Anything | None) and _data(a, wanted) != data:
            yield differs("cmsg_data", _data(a, wanted).hex() or "none", data.hex() or "none")


def _structure_differences(a: Arguments, expected: Structure, data: bytes) -> Iterator[str]:
    names = {name for name, _ in expected.fields}
    if names <= {"scm_sec", "scm_nsec"}:
        yield from _stamp_differences(a, expected, data)
    elif names <= set(_EXTENDED_NAMES):
        yield from _error_differences(a, expected, data)
    else:
        raise a.refuse(f"a structure of {', '.join(sorted(names))} as cmsg_data")


def _stamp_differences(a: Arguments, expected: Structure, data: bytes) -> Iterator[str]:
    """A timestamp counts from the script's beginning, and may be off by the tolerance."""
    if len(data) < _TIMESPEC.size:
        yield differs("cmsg_data", "a timestamp", f"{len(data)} bytes")
        return
    seconds, nanoseconds = _TIMESPEC.unpack_from(data)
    actual = seconds + nanoseconds / 1e9 - a.context.epoch()
    wanted = _number(a, expected, "scm_sec") + _number(a, expected, "scm_nsec") / 1e9
    if abs(actual - wanted) > a.context.options.tolerance + 1e-6:
        yield differs("timestamp", f"{wanted:.6f} s", f"{actual:.6f} s")


def _error_differences(a: Arguments, expected: Structure, data: bytes) -> Iterator[str]:
    if len(data) < _EXTENDED_ERROR.size:
        yield differs("cmsg_data", "a sock_extended_err", f"{len(data)} bytes")
        return
    actual = dict(zip(_EXTENDED_NAMES, _EXTENDED_ERROR.unpack_from(data), strict=True))
    for name, value in expected.fields:
        if not isinstance(value, Anything) and a.value(value) & 0xFFFFFFFF != actual[name]:
            yield differs(name, a.value(value), actual[name])


def _number(a: Arguments, structure: Structure, name: str) -> int:
    value = structure.get(name)
    return 0 if value is None or isinstance(value, Anything) else a.value(value)
