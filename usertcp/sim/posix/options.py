"""What getsockopt(2) and setsockopt(2) of all levels share: tables of options, and their values as bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from errno import EINVAL, ENOPROTOOPT, EOPNOTSUPP
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from usertcp.sim.posix.constants import AF_INET, SOL_IP, SOL_SOCKET, SOL_TCP
from usertcp.sim.posix.errors import NotSupported, failure

if TYPE_CHECKING:
    from usertcp.sim.posix.sockets import Socket

#: A socket of the protocol that a table is for.
AnySocket: TypeAlias = Any
_INT: Final = Struct("=i")
_UNSIGNED: Final = Struct("=I")


class Option(NamedTuple):
    """How one option is read and set; None: it cannot be.  ``get`` gives all bytes, however few are asked for."""

    get: Callable[[AnySocket], bytes] | None
    set: Callable[[AnySocket, bytes], None] | None


Table: TypeAlias = Mapping[int, Option]


def number(value: bytes) -> int:
    """An int that is handed over.  Raises OSError EINVAL where there are fewer than four bytes."""
    if len(value) < _INT.size:
        raise failure(EINVAL)
    return int(_INT.unpack_from(value)[0])


def between(value: bytes, low: int, high: int) -> int:
    """An int that is handed over.  Raises OSError EINVAL where it is not from ``low`` to ``high``."""
    given = number(value)
    if not low <= given <= high:
        raise failure(EINVAL)
    return given


def packed(value: int) -> bytes:
    """An int to hand over; one that is too large for it as the kernel would have it, unsigned."""
    return _INT.pack(value) if value < 1 << 31 else _UNSIGNED.pack(value & 0xFFFFFFFF)


def get(socket: Socket, tables: Mapping[int, Table], level: int, name: int, length: int) -> bytes:
    """getsockopt(2)."""
    if length < 0:
        raise failure(EINVAL)
    if level not in tables:
        if socket.machine.personality == "freebsd":
            raise failure(EINVAL)
        raise failure(EOPNOTSUPP if socket.domain == AF_INET else ENOPROTOOPT)
    option = tables[level].get(name)
    if option is None or option.get is None:
        raise failure(ENOPROTOOPT)
    value = option.get(socket)
    if level == SOL_IP and len(value) == _INT.size and 0 < length < _INT.size and not any(value[1:]):
        length = 1  # IPv4's small numbers may be read as a byte
    return value[:length]


def set_(socket: Socket, tables: Mapping[int, Table], level: int, name: int, value: bytes) -> None:
    """setsockopt(2)."""
    option = tables[level].get(name) if level in tables else None
    if option is None or option.set is None:
        short = len(value) < _INT.size and socket.machine.personality == "linux"
        raise failure(EINVAL if short and level in tables and level in (SOL_SOCKET, SOL_TCP) else ENOPROTOOPT)
    option.set(socket, value)


# -- Kinds of options --------------------------------------------------------------------------------------------


def remembered(level: int, name: int, default: int = 0, *, low: int | None = None, high: int = 0) -> Option:
    """A number that only has to be remembered."""

    def set_number(socket: Socket, value: bytes) -> None:
        socket.numbers[level, name] = number(value) if low is None else between(value, low, high)

    return Option(lambda socket: packed(socket.numbers.get((level, name), default)), set_number)


def flag(level: int, name: int, *, strict: bool = False, freebsd: int = 1) -> Option:
    """On or off, remembered.  ``strict``: only 0 and 1 are taken.  ``freebsd``: what that system tells for "on"."""

    def set_flag(socket: Socket, value: bytes) -> None:
        given = between(value, 0, 1) if strict else number(value)
        socket.numbers[level, name] = int(bool(given))

    def get_flag(socket: Socket) -> bytes:
        on = socket.numbers.get((level, name), 0)
        return packed(on * freebsd if socket.machine.personality == "freebsd" else on)

    return Option(get_flag, set_flag)


def reads(tell: Callable[[AnySocket], int]) -> Option:
    """A number that can only be read."""
    return Option(lambda socket: packed(tell(socket)), None)


def acts(tell: Callable[[AnySocket], int], act: Callable[[AnySocket, bytes], None]) -> Option:
    """A number that does something when it is set."""
    return Option(lambda socket: packed(tell(socket)), act)


def fixed(what: str, default: int = 0, *, low: int = -(1 << 31), high: int = (1 << 31) - 1) -> Option:
    """A number that a kernel lets one change, from ``low`` to ``high``, and we do not."""

    def set_fixed(socket: Socket, value: bytes) -> None:
        if between(value, low, high) != default:
            raise NotSupported(what)

    return Option(lambda socket: packed(default), set_fixed)


def ignored(low: int, high: int) -> Option:
    """A number that may be set and has no effect."""

    def set_nothing(socket: Socket, value: bytes) -> None:
        between(value, low, high)

    return Option(None, set_nothing)


def missing(what: str) -> Option:
    """What a kernel has and we have not."""

    def no_get(socket: Socket) -> bytes:
        raise NotSupported(what)

    def no_set(socket: Socket, value: bytes) -> None:
        raise NotSupported(what)

    return Option(no_get, no_set)
