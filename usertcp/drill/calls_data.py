"""System calls that move data: ``read`` and ``write`` and all their relatives."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EFAULT, EINVAL
from typing import Any

from usertcp.drill.arguments import MOST_BYTES, Arguments
from usertcp.drill.calls_sockets import address_differences, wrong_length
from usertcp.drill.plan import Plan, differs, on_socket
from usertcp.drill.script import Anything, Array, Expression, Structure, Text
from usertcp.sim.posix.constants import MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK

#: IOV_MAX of both systems.
_MOST_VECTORS = 1024
#: An address of user space is less (x86-64): a longer buffer cannot be.
_USER_SPACE = 1 << 47


def read(a: Arguments) -> Plan:
    """``read(fd, buffer, size)``."""
    a.expect(3)
    return _receive(a, "read")


def recv(a: Arguments) -> Plan:
    """``recv(fd, buffer, size, flags)``."""
    a.expect(4)
    return _receive(a, "recv", a.number(3))


def recvfrom(a: Arguments) -> Plan:
    """``recvfrom(fd, buffer, size, flags, address, length)``."""
    a.expect(4, 6)

    def differences(value: Any) -> Iterator[str]:
        yield from data_differences(a.at(1), value[0])
        yield from address_differences(a, 4, value[1])

    plan = _receive(a, "recvfrom", a.number(3))
    if plan.fails_with is not None:
        return plan
    return Plan(plan.name, plan.arguments, result=lambda value: len(value[0]), differences=differences)


def _receive(a: Arguments, name: str, *flags: int) -> Plan:
    buffer, size = a.at(1), a.size(a.at(2))
    descriptor = a.descriptor(0)
    if (a.is_pointer(buffer) and size) or size >= _USER_SPACE:
        return _bad_pointer(a, writes=False, huge=size >= _USER_SPACE)
    arguments = (descriptor, min(size, MOST_BYTES), *flags)
    return Plan(name, arguments, differences=lambda value: data_differences(buffer, value))


def _bad_pointer(a: Arguments, *, writes: bool, huge: bool = False) -> Plan:
    """What is wrong with the socket is found before what is wrong with the buffer."""
    if huge:
        return on_socket(a, EFAULT if a.context.personality == "linux" else EINVAL)
    if writes:
        return Plan("send", (a.descriptor(0), b"", MSG_NOSIGNAL | MSG_DONTWAIT), fails_with=EFAULT)
    return Plan("recv", (a.descriptor(0), 1, MSG_PEEK | MSG_DONTWAIT), fails_with=EFAULT)


def data_differences(expected: Expression, actual: bytes) -> Iterator[str]:
    if isinstance(expected, Text):
        shown = actual[: len(expected.value)] if expected.open else actual
        if shown != expected.value:
            yield differs("data", repr(expected.value)[1:], repr(shown[:80])[1:])


def write(a: Arguments) -> Plan:
    """``write(fd, buffer, size)``."""
    a.expect(3)
    return _send(a, "write")


def send(a: Arguments) -> Plan:
    """``send(fd, buffer, size, flags)``."""
    a.expect(4)
    return _send(a, "send", a.number(3))


def sendto(a: Arguments) -> Plan:
    """``sendto(fd, buffer, size, flags, address, length)``; ``...`` is the address that ``connect`` would take."""
    a.expect(4, 6)
    address = a.address(4, a.remote())
    wrong = wrong_length(a, 5, address)
    if wrong is not None and address is not None:
        return on_socket(a, wrong)
    return _send(a, "sendto", a.number(3), address)


def _send(a: Arguments, name: str, *more: Any) -> Plan:
    buffer, size = a.at(1), a.size(a.at(2))
    if size >= _USER_SPACE:
        return _bad_pointer(a, writes=True, huge=True)
    if a.is_pointer(buffer):
        if size:
            return _bad_pointer(a, writes=True)
        buffer = Anything()
    return Plan(name, (a.descriptor(0), a.outgoing(buffer, size), *more))


# -- Vectors


def readv(a: Arguments) -> Plan:
    """``readv(fd, [{..., size}, ...], count)``."""
    a.expect(3)
    vectors = io_vectors(a, a.at(1), a.at(2))
    if isinstance(vectors, int):
        return on_socket(a, vectors)
    sizes = [size for _, size in vectors]
    return Plan("readv", (a.descriptor(0), sizes), differences=lambda value: vector_differences(vectors, value))


def writev(a: Arguments) -> Plan:
    """``writev(fd, [{..., size}, ...], count)``."""
    a.expect(3)
    vectors = io_vectors(a, a.at(1), a.at(2))
    if isinstance(vectors, int):
        return on_socket(a, vectors)
    return Plan("writev", (a.descriptor(0), [a.outgoing(*vector) for vector in vectors]))


def io_vectors(a: Arguments, expression: Expression, count: Expression) -> list[tuple[Expression, int]] | int:
    """Buffers and their sizes, or the errno of what is wrong with them."""
    said = None if isinstance(count, Anything) else a.value(count)
    if said is not None and not 0 <= said <= _MOST_VECTORS:
        return EINVAL
    if a.is_pointer(expression):
        return EFAULT if said else []
    if not isinstance(expression, Array):
        raise a.refuse("an I/O vector that is no array")
    vectors = [_vector(a, item) for item in expression.items]
    if said is not None:
        if said > len(vectors):
            return EFAULT
        vectors = vectors[:said]
    if any(a.is_pointer(buffer) and size for buffer, size in vectors):
        return EFAULT
    if sum(size for _, size in vectors) >= _USER_SPACE:
        return EINVAL
    return vectors


def _vector(a: Arguments, item: Expression) -> tuple[Expression, int]:
    match item:
        case Structure(((_, buffer), (_, size))):
            return buffer, a.size(size)
    raise a.refuse("an I/O vector that is not {buffer, size}")


def vector_differences(vectors: list[tuple[Expression, int]], data: bytes) -> Iterator[str]:
    at = 0
    for buffer, size in vectors:
        yield from data_differences(buffer, data[at : at + size])
        at += size


# -- From one descriptor to another


def splice(a: Arguments) -> Plan:
    """``splice(in, offset, out, offset, size, flags)``."""
    a.expect(6)
    size = min(a.size(a.at(4)), MOST_BYTES)
    return Plan("splice", (a.descriptor(0), _offset(a, 1), a.descriptor(2), _offset(a, 3), size, a.number(5)))


def _offset(a: Arguments, index: int) -> int | None:
    """What an offset's pointer points at: None for NULL."""
    expression = a.at(index)
    if isinstance(expression, Array | Anything):
        return a.bracketed(index)
    return None if a.value(expression) == 0 else a.value(expression)


def sendfile(a: Arguments) -> Plan:
    """``sendfile(out, in, offset, size)``."""
    a.expect(4)
    size = min(a.size(a.at(3)), MOST_BYTES)
    return Plan("sendfile", (a.descriptor(0), a.descriptor(1), _offset(a, 2), size))
