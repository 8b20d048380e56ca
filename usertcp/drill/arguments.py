"""A system call's arguments as values: numbers from names, addresses from structures, bytes from ``...``.

A name that no table has makes the script unsupported, and so does a kind of argument that the call does not take:
neither can be tried.  What a kernel would refuse goes through, since a script may ask for just that.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from usertcp.drill import info
from usertcp.drill.descriptors import Descriptors
from usertcp.drill.errors import Unsupported
from usertcp.drill.options import Options
from usertcp.drill.script import Anything, Array, Call, Expression, Number, Operation, Structure, SystemCall, Text, Word
from usertcp.sim.posix import SocketAddress, names
from usertcp.sim.posix.constants import AF_INET, AF_INET6, AF_UNSPEC

#: The longest buffer that a call gets: far more than any socket takes, and little enough to have.
MOST_BYTES: Final = 1 << 26
#: sizeof(struct sockaddr_in) and of sockaddr_in6 on Linux and FreeBSD.
SOCKADDR_LENGTH: Final = {AF_INET: 16, AF_INET6: 28}
_ADDRESS_LENGTH: Final = {AF_INET: 4, AF_INET6: 16}
_SIZE_MASK: Final = 0xFFFFFFFFFFFFFFFF
_MAPPED: Final = bytes(10) + b"\xff\xff"

#: What is written without a value in a script, and what Linux and FreeBSD both define it as.
_WORDS: Final = {"NULL": 0, "true": 1, "false": 0, "INADDR_ANY": 0, "MAP_FAILED": -1}


@dataclass(slots=True)
class Context:
    """What the values of a script's expressions depend on."""

    options: Options
    #: "linux" or "freebsd": whose names and numbers.
    personality: str
    descriptors: Descriptors
    #: The moment at which the script began, as timestamps of the target count, in seconds.
    epoch: Callable[[], float] = float


class Arguments:
    """The arguments of one system call."""

    def __init__(self, call: SystemCall, line: int, context: Context) -> None:
        self.call = call
        self.line = line
        self.context = context

    def __len__(self) -> int:
        return len(self.call.arguments)

    def expect(self, least: int, most: int | None = None) -> None:
        """Raises Unsupported unless there are so many arguments."""
        if not least <= len(self) <= (least if most is None else most):
            raise self.refuse(f"{self.call.name}() with {len(self)} arguments")

    def refuse(self, what: str) -> Unsupported:
        """What to raise for something that cannot be tried."""
        return Unsupported(self.line, what)

    def at(self, index: int) -> Expression:
        """The expression at ``index``; NULL where the script leaves it out."""
        return self.call.arguments[index] if index < len(self) else Number(0)

    def given(self, index: int) -> bool:
        """Whether there is such an argument, and the script says its value."""
        return index < len(self) and not isinstance(self.at(index), Anything)

    # -- Numbers

    def number(self, index: int) -> int:
        """An int."""
        return self.value(self.at(index))

    def value(self, expression: Expression) -> int:
        """What an expression is as an int."""
        match expression:
            case Number(value):
                return int(value)
            case Word(name):
                return self.named(name)
            case Operation(operator, left, right):
                return self._operation(operator, self.value(left), self.value(right))
            case Call("htons" | "htonl" | "ntohs" | "ntohl", (inner,)):
                return self.value(inner)
            case Array((only,)):
                return self.value(only)
        raise self.refuse(f"{_kind(expression)} as an argument of {self.call.name}() that is a number")

    def named(self, name: str) -> int:
        """What a name stands for."""
        value = lookup(name, self.context.personality)
        if value is None:
            raise self.refuse(f"the name {name} ({self.call.name})")
        return value

    def _operation(self, operator: str, left: int, right: int) -> int:
        match operator:
            case "|":
                return left | right
            case "&":
                return left & right
            case "^":
                return left ^ right
            case "<<" if 0 <= right < 64:
                return left << right
            case ">>" if 0 <= right < 64:
                return left >> right
        raise self.refuse(f"the operator {operator} in an argument")

    def bracketed(self, index: int) -> int | None:
        """The number in ``[N]``; None where the script does not say it."""
        expression = self.at(index)
        if isinstance(expression, Anything) or expression == Array((Anything(),)):
            return None
        return self.value(expression)

    # -- Descriptors

    def descriptor(self, index: int) -> int:
        """The live descriptor that the script's number stands for."""
        return self.context.descriptors.live(self.number(index))

    # -- Buffers

    def is_pointer(self, expression: Expression) -> bool:
        """Whether a buffer is given as a number, where nothing can be: a bad pointer."""
        return isinstance(expression, Number | Word)

    def size(self, expression: Expression) -> int:
        """A size_t; what is negative in the script is very large."""
        return self.value(expression) & _SIZE_MASK

    def outgoing(self, buffer: Expression, size: int) -> bytes:
        """What a script writes: so many zeros for ``...``, or the string, cut or filled up with zeros."""
        if size > MOST_BYTES:
            raise self.refuse(f"a buffer of {size} bytes")
        match buffer:
            case Anything():
                return bytes(size)
            case Text(value):
                return value[:size].ljust(size, b"\0")
        raise self.refuse(f"{_kind(buffer)} as a buffer of {self.call.name}()")

    # -- Addresses

    @property
    def domain(self) -> int:
        """The family of the script's sockets."""
        return AF_INET6 if self.context.options.sockets_ipv6 else AF_INET

    def address(self, index: int, default: SocketAddress) -> SocketAddress | None:
        """A sockaddr, or None for NULL; ``...`` is ``default``."""
        expression = self.at(index)
        if isinstance(expression, Anything):
            return default
        if self.is_pointer(expression):
            return None
        if not isinstance(expression, Structure):
            raise self.refuse(f"{_kind(expression)} as an address")
        return self.sockaddr(expression)

    def sockaddr(self, structure: Structure) -> SocketAddress:
        """An address from its structure."""
        fields = {_plain(name): value for name, value in structure.fields if name}
        family = self.value(fields["family"]) if "family" in fields else AF_UNSPEC
        port = self.value(fields["port"]) if "port" in fields else 0
        address = self._host(structure, fields, family)
        flow = self.value(fields.get("flowinfo", Number(0)))
        return SocketAddress(family, address, port & 0xFFFF, flow, self.value(fields.get("scope_id", Number(0))))

    def _host(self, structure: Structure, fields: dict[str, Expression], family: int) -> bytes:
        length = _ADDRESS_LENGTH.get(family, 0)
        for expression in [fields.get("addr", Anything()), *(value for name, value in structure.fields if not name)]:
            text = _host_text(expression)
            if text is not None:
                return self._packed(text)
            if isinstance(expression, Number | Word | Operation | Call):
                return (self.value(expression) & (1 << 8 * length) - 1).to_bytes(length, "big")
        return bytes(length)

    def _packed(self, text: str) -> bytes:
        try:
            return ip_address(text).packed
        except ValueError:
            raise self.refuse(f"the address {text!a}") from None

    def local(self) -> SocketAddress:
        """Where ``bind(fd, ..., ...)`` binds."""
        options = self.context.options
        return self._own(options.local_address, options.bind_port)

    def remote(self) -> SocketAddress:
        """Where ``connect(fd, ..., ...)`` connects to."""
        options = self.context.options
        return self._own(options.remote_address, options.connect_port)

    def _own(self, address: bytes, port: int) -> SocketAddress:
        if self.domain == AF_INET6 and len(address) == 4:
            address = _MAPPED + address
        return SocketAddress(self.domain, address, port)


def lookup(name: str, personality: str) -> int | None:
    """What ``name`` stands for on a system, or None; errno names are those of :mod:`errno`."""
    if name in _WORDS:
        return _WORDS[name]
    value = names.value(name, personality)
    if value is not None:
        return value
    number = getattr(errno, name, None) if name.startswith("E") else info.CONSTANTS.get(name)
    return number if isinstance(number, int) else None


def unknown_names(expression: Expression, personality: str) -> Iterator[str]:
    """The names in ``expression`` that stand for nothing on that system."""
    match expression:
        case Word(name):
            if lookup(name, personality) is None:
                yield name
        case Operation(_, left, right):
            yield from unknown_names(left, personality)
            yield from unknown_names(right, personality)
        case Call("inet_pton", _):
            return  # a family, a text, and where the result goes
        case Array(items) | Call(_, items):
            for item in items:
                yield from unknown_names(item, personality)
        case Structure(fields):
            for _, value in fields:
                yield from unknown_names(value, personality)


def _kind(expression: Expression) -> str:
    """What to call an expression in a message."""
    names = {
        Anything: "'...'",
        Text: "a string",
        Array: "an array",
        Structure: "a structure",
        Call: "a function's value",
        Number: "a number",
        Word: "a name",
        Operation: "an expression",
    }
    return names[type(expression)]


def _plain(name: str) -> str:
    """``sin_port`` and ``sin6_port`` are ``port``, ``sa_family`` is ``family``."""
    for prefix in ("sin6_", "sin_", "sa_", "ss_"):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def _host_text(expression: Expression) -> str | None:
    """The address as text, however it is written."""
    match expression:
        case Text(value):
            return value.decode("latin-1")
        case Call("inet_addr", (Text(value),)):
            return value.decode("latin-1")
        case Call("inet_pton", (_, Text(value), *_)):
            return value.decode("latin-1")
    return None
