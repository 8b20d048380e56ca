"""The variables that a script may set by ``sysctl``: which there are, what may be in them, and what they do here.

Each :class:`Variable` of the tables (:mod:`.sysctl_linux`, :mod:`.sysctl_freebsd`) is one of three kinds: it becomes
settings; or whatever it is set to, a script could not tell, and the table says why; or this stack behaves in one way
only, and the variable may be set to what means that way.  Everything else is refused by name and value, so that no
script passes for a reason that is not its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from usertcp.drill.target import NotPossible

if TYPE_CHECKING:
    from usertcp.drill.system import System

#: A variable's value: numbers, or a text.
Value: TypeAlias = tuple[int, ...] | str


class Refused(ValueError):
    """A value that is valid but not honoured; says why."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What a variable's value does: ``change`` may raise Refused; ``says`` is for the reader of the documentation."""

    change: Callable[[System, Value], System]
    says: str
    #: Whether it changes anything that a script could see.
    seen: bool = True
    #: Whether this stack cannot do otherwise than the variable's default says.
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable.

    ``default``: what it is where nobody has set it, or "" where that says nothing.  ``read`` takes the text apart
    and raises ValueError for what the system itself would not take.
    """

    default: str
    read: Callable[[str], Value]
    effect: Effect


def set_variable(system: System, table: Mapping[str, Variable], name: str, text: str) -> System:
    """``system`` with the variable ``name`` (dots or slashes) set.  Raises NotPossible."""
    plain = plain_name(name)
    key = plain if plain in table else _of_any_device(plain)
    variable = table.get(key)
    if variable is None:
        raise NotPossible(f"sysctl {plain}={text}: this variable is not known")
    try:
        value = variable.read(text.strip())
    except ValueError as error:
        raise NotPossible(f"sysctl {plain}={text}: not a valid value ({error})") from None
    if variable.effect.fixed and value != variable.read(variable.default):
        raise NotPossible(f"sysctl {plain}={text}: {variable.effect.says}")
    try:
        return variable.effect.change(replace(system, values={**system.values, key: value}), value)
    except Refused as error:
        raise NotPossible(f"sysctl {plain}={text}: {error}") from None


def plain_name(name: str) -> str:
    """A variable's name with dots; the first separator in it says which of dot and slash is one (as in procps)."""
    if name.startswith("/sys/"):
        return name
    name = name.removeprefix("/proc/sys/").strip("/")
    first = re.search(r"[./]", name)
    if first is not None and first[0] == "/":
        name = name.translate(_SWAPPED)
    return name


_SWAPPED: Final = str.maketrans("./", "/.")
_DEVICE: Final = re.compile(r"^(net\.ipv[46]\.(?:conf|neigh))\.[^.]+\.(.+)$")


def _of_any_device(name: str) -> str:
    """``net.ipv4.conf.tun0.rp_filter`` as the table has it."""
    return _DEVICE.sub(r"\1.*.\2", name)


# -- What a value may look like -----------------------------------------------------------------------------


def _integer(text: str) -> int:
    """A number as the kernel reads it: 0x and 0 in front are hexadecimal and octal."""
    if not re.fullmatch(r"[+-]?(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})", text):
        raise ValueError("not a number")
    digits = text.lstrip("+-")
    if re.fullmatch(r"0[0-9]+", digits):
        return int(text, 8)
    return int(text, 0)


def numbers(count: int, low: int, high: int) -> Callable[[str], Value]:
    """So many numbers with blanks between them, each within the bounds; further ones of an array may be left out."""

    def read(text: str) -> Value:
        found = tuple(_integer(word) for word in text.split())
        if not 0 < len(found) <= count:
            raise ValueError("one number" if count == 1 else f"{count} numbers")
        for number in found:
            if not low <= number <= high:
                raise ValueError(f"{low} to {high}")
        return found

    return read


def number(low: int = 0, high: int = 2**31 - 1) -> Callable[[str], Value]:
    """One number."""
    return numbers(1, low, high)


flag: Final = number(0, 1)


def word(text: str) -> str:
    """One word."""
    if not re.fullmatch(r"[A-Za-z0-9_.:,+-]{1,200}", text):
        raise ValueError("one word")
    return text


def words(text: str) -> str:
    """Words with blanks between them."""
    return " ".join(word(part) for part in text.split())


def text(anything: str) -> str:
    """Any text of one line."""
    if len(anything) > 1000 or "\n" in anything:
        raise ValueError("one line")
    return anything


# -- What a value may do ------------------------------------------------------------------------------------


def first(value: Value) -> int:
    """The number, or the first of several."""
    assert isinstance(value, tuple)
    return value[0]


def three(value: Value) -> tuple[int, int, int]:
    """Three numbers.  Raises Refused where there are fewer: the others would stay what they are."""
    if len(value) != 3:
        raise Refused("all three numbers are needed")
    assert isinstance(value, tuple)
    return value[0], value[1], value[2]


def nothing(why: str) -> Effect:
    """For a variable whose value a script cannot tell."""
    return Effect(lambda system, value: system, f"nothing: {why}", seen=False)


def setting(name: str, make: Callable[[int], Any] = bool, note: str = "") -> Effect:
    """Becomes the setting ``name``."""
    return Effect(lambda system, value: system.with_settings(**{name: make(first(value))}), _says(f"`{name}`", note))


def of_host(name: str, make: Callable[[int], Any] = bool, note: str = "") -> Effect:
    """Becomes ``name`` of the host's configuration."""
    return Effect(lambda system, value: system.with_host(**{name: make(first(value))}), _says(f"`{name}`", note))


def of_sockets(name: str, make: Callable[[int], Any] = int, note: str = "") -> Effect:
    """Becomes ``name`` of the socket layer's configuration."""
    return Effect(lambda system, value: system.with_sockets(**{name: make(first(value))}), _says(f"`{name}`", note))


def default_only(does: str) -> Effect:
    """For a variable that must stay what it is; ``does``: what this stack always does."""
    return Effect(lambda system, value: system, f"its default only: {does}", seen=False, fixed=True)


def only(*allowed: int | str, does: str) -> Effect:
    """For a variable that may have these values only; ``does``: what this stack always does."""

    def change(system: System, value: Value) -> System:
        if (value if isinstance(value, str) else value[0]) not in allowed:
            raise Refused(does)
        return system

    values = " or ".join(map(str, allowed))
    return Effect(change, f"{values} only: {does}" if allowed else f"refused: {does}", seen=False)


def _says(what: str, note: str) -> str:
    return f"{what}; {note}" if note else what


def seconds(milliseconds: int) -> float:
    """Of a variable in milliseconds."""
    return milliseconds / 1000
