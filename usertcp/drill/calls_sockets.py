"""System calls that make, name and end sockets: from ``socket`` to ``close``."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EFAULT, EINVAL
from typing import Any

from usertcp.drill.arguments import SOCKADDR_LENGTH, Arguments
from usertcp.drill.plan import Plan, differs, on_socket
from usertcp.drill.script import Anything, Array, Structure, Text
from usertcp.sim.posix import SocketAddress

#: sizeof(struct sockaddr_storage): no address is longer.
_LONGEST = 128


def socket(a: Arguments) -> Plan:
    """``socket(domain, type, protocol)``; ``...`` for the domain is that of ``--ip_version``."""
    a.expect(3)
    domain = a.domain if isinstance(a.at(0), Anything) else a.number(0)
    return Plan("socket", (domain, a.number(1), a.number(2)), opens=True)


def bind(a: Arguments) -> Plan:
    """``bind(fd, address, length)``."""
    a.expect(3)
    address = a.address(1, a.local())
    return _with_address("bind", a, address)


def connect(a: Arguments) -> Plan:
    """``connect(fd, address, length)``."""
    a.expect(3)
    return _with_address("connect", a, a.address(1, a.remote()))


def _with_address(name: str, a: Arguments, address: SocketAddress | None) -> Plan:
    wrong = wrong_length(a, 2, address)
    if wrong is not None:
        return on_socket(a, wrong)
    return Plan(name, (a.descriptor(0), address))


def wrong_length(a: Arguments, index: int, address: SocketAddress | None) -> int | None:
    """The errno for a sockaddr's length that cannot be right, or for no address at all."""
    if a.given(index):
        length = a.value(a.at(index))
        least = SOCKADDR_LENGTH.get(address.family, 2) if address is not None else 0
        if not least <= length <= _LONGEST:
            return EINVAL
    return EFAULT if address is None else None


def listen(a: Arguments) -> Plan:
    """``listen(fd, backlog)``."""
    a.expect(2)
    return Plan("listen", (a.descriptor(0), a.number(1)))


def accept(a: Arguments) -> Plan:
    """``accept(fd, address, length)``, ``accept4(fd, address, length, flags)``."""
    name = a.call.name
    a.expect(*((4, 4) if name == "accept4" else (1, 3)))
    flags = (a.number(3),) if name == "accept4" else ()
    return Plan(
        name,
        (a.descriptor(0), *flags),
        result=lambda value: int(value[0]),
        differences=lambda value: address_differences(a, 1, value[1]),
        opens=True,
        connection=True,
    )


def address_differences(a: Arguments, index: int, actual: SocketAddress | None) -> Iterator[str]:
    """An address that a call gives back, against the structure at ``index``, if there is one."""
    expression = a.at(index)
    if isinstance(expression, Array) and len(expression.items) == 1:
        expression = expression.items[0]
    if isinstance(expression, Structure):
        expected = a.sockaddr(expression)
        if expected[:3] != (actual[:3] if actual else None):
            yield differs("address", expected, actual)


def name_of(a: Arguments) -> Plan:
    """``getsockname`` and ``getpeername(fd, address, length)``."""
    a.expect(3)
    return Plan(
        a.call.name,
        (a.descriptor(0),),
        result=lambda value: 0,
        differences=lambda value: address_differences(a, 1, value),
    )


def shutdown(a: Arguments) -> Plan:
    """``shutdown(fd, how)``."""
    a.expect(2)
    return Plan("shutdown", (a.descriptor(0), a.number(1)))


def close(a: Arguments) -> Plan:
    """``close(fd)``."""
    a.expect(1)
    script = a.number(0)
    return Plan("close", (a.descriptor(0),), after=lambda value: a.context.descriptors.closed(script))


def dup(a: Arguments) -> Plan:
    """``dup(fd)``."""
    a.expect(1)
    return Plan("dup", (a.descriptor(0),), opens=True)


def pipe(a: Arguments) -> Plan:
    """``pipe([3, 4])``: both numbers are the script's names for the new descriptors."""
    a.expect(1, 2)
    ends = a.at(0)
    if not isinstance(ends, Array) or len(ends.items) != 2:
        return Plan("pipe", (), fails_with=EFAULT)
    names = [a.value(item) for item in ends.items]

    def name(value: Any) -> None:
        for script, live in zip(names, value, strict=True):
            a.context.descriptors.opened(script, live, socket=False)

    return Plan("pipe", (), result=lambda value: 0, after=name)


def open_(a: Arguments) -> Plan:
    """``open("path", flags)``, to have something for ``sendfile``: what is in the file is nobody's business."""
    a.expect(2, 3)
    path = a.at(0)
    if not isinstance(path, Text):
        raise a.refuse("a path that is no string")
    return Plan("open", (path.value.decode("latin-1"), a.number(1)), opens=True, socket=False)
