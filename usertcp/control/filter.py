"""Which sockets are meant: the terms of a filter, and whether a socket satisfies them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, Literal, NamedTuple, TypeAlias

from usertcp.tcp.states import State


class Subject(NamedTuple):
    """What a filter looks at.  Addresses are 4 or 16 bytes, a listener's may be empty (any); its peer's port is 0."""

    state: State
    local_address: bytes
    local_port: int
    remote_address: bytes
    remote_port: int


Side: TypeAlias = Literal["local", "remote"]

COMPARISONS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Everything:
    """Every socket."""

    def matches(self, subject: Subject) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class InState:
    """Sockets in one of ``states``."""

    states: frozenset[State]

    def matches(self, subject: Subject) -> bool:
        return subject.state in self.states


@dataclass(frozen=True, slots=True)
class Port:
    """Sockets whose port on ``side`` compares so with ``port``; ``comparison`` is a key of :data:`COMPARISONS`."""

    side: Side
    comparison: str
    port: int

    def matches(self, subject: Subject) -> bool:
        port = subject.local_port if self.side == "local" else subject.remote_port
        return COMPARISONS[self.comparison](port, self.port)


@dataclass(frozen=True, slots=True)
class Address:
    """Sockets whose address on ``side`` lies in ``network`` and whose port there is ``port``; None is any."""

    side: Side
    network: IPv4Network | IPv6Network | None
    port: int | None = None

    def matches(self, subject: Subject) -> bool:
        if self.side == "local":
            address, port = subject.local_address, subject.local_port
        else:
            address, port = subject.remote_address, subject.remote_port
        if self.port is not None and port != self.port:
            return False
        # An IPv4 address is in no IPv6 network; a listener that takes any address has none to compare.
        return self.network is None or (bool(address) and ip_address(address) in self.network)


@dataclass(frozen=True, slots=True)
class Not:
    """Sockets that do not satisfy ``term``."""

    term: Filter

    def matches(self, subject: Subject) -> bool:
        return not self.term.matches(subject)


@dataclass(frozen=True, slots=True)
class And:
    """Sockets that satisfy all of ``terms``."""

    terms: tuple[Filter, ...]

    def matches(self, subject: Subject) -> bool:
        return all(term.matches(subject) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Or:
    """Sockets that satisfy one of ``terms``, or several."""

    terms: tuple[Filter, ...]

    def matches(self, subject: Subject) -> bool:
        return any(term.matches(subject) for term in self.terms)


Filter: TypeAlias = "Everything | InState | Port | Address | Not | And | Or"


def asks_for_states(wanted: Filter) -> bool:
    """Whether ``wanted`` says itself in which states sockets may be."""
    match wanted:
        case InState():
            return True
        case Not(term):
            return asks_for_states(term)
        case And(terms) | Or(terms):
            return any(map(asks_for_states, terms))
        case _:
            return False
