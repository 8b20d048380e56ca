"""One system call of a script, ready to be made: what to call, and what to make of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from usertcp.drill.arguments import Arguments

#: Looks at a value that a call returned, and says what is not as the script has it, a line each.
Differences = Callable[[Any], Iterator[str]]


def _result(value: Any) -> int:
    """A call's value as C has it."""
    if value is None:
        return 0
    return value if isinstance(value, int) else len(value)


def _nothing(value: Any) -> Iterator[str]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Plan:
    """A call of :class:`usertcp.sim.posix.Machine` by ``name`` with ``arguments``."""

    name: str
    arguments: tuple[Any, ...]
    #: The result in C of what the method returned.
    result: Callable[[Any], int] = _result
    differences: Differences = _nothing
    #: The call of ``name`` only looks whether something else is wrong; if not, this errno is the result.
    fails_with: int | None = None
    #: The value has a new descriptor: its result in C.
    opens: bool = False
    #: The new descriptor is a socket; and a connection.
    socket: bool = True
    connection: bool = False
    #: What is left to do where the call succeeded; may raise ValueError.
    after: Callable[[Any], None] | None = None


def refused(plan: Plan, errno: int) -> Plan:
    """A call that fails with ``errno`` unless ``plan`` fails before."""
    return Plan(plan.name, plan.arguments, fails_with=errno)


def on_socket(arguments: Arguments, errno: int, index: int = 0) -> Plan:
    """A call on a socket with an argument that no call takes."""
    return Plan("is_socket", (arguments.descriptor(index),), fails_with=errno)


def differs(what: str, expected: object, actual: object) -> str:
    """One line of differences."""
    return f"{what}: expected {expected}, got {actual}"
