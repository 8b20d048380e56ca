"""Numbers by their names, for programs that read names: scripts, command lines."""

from __future__ import annotations

from usertcp.sim.posix import constants, freebsd


def value(name: str, personality: str = "linux") -> int | None:
    """The number by which a machine knows the name of a header of ``personality`` ("linux", "freebsd"); None: that
    system has no such name."""
    if personality == "freebsd":
        return freebsd.number_for_calls(name)
    number = vars(constants).get(name) if name[:1].isupper() else None
    return number if isinstance(number, int) else None


def own_number(name: str, personality: str = "linux") -> int | None:
    """The number that the system itself has for the name."""
    if personality == "freebsd" and name in freebsd.NUMBERS:
        return freebsd.NUMBERS[name]
    return value(name, personality)
