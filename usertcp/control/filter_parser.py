"""Reads filters, in the words of :manpage:`ss(8)`::

    filter  := all { "or" all }
    all     := one { ["and"] one }
    one     := "not" one | "(" filter ")" | states | "exclude" STATE | port | address
    states  := "state" STATE { "state" STATE }          any of them
    port    := ("sport" | "dport") [COMPARISON] [":"] PORT
    address := ("src" | "dst") ["="] ADDRESS[/LENGTH] [":" PORT]

``&&``, ``&``, ``||``, ``|`` and ``!`` stand for the words too.  Local is "src", remote "dst".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from usertcp.control.filter import COMPARISONS, Address, And, Everything, Filter, InState, Not, Or, Port, Side
from usertcp.tcp.states import State

#: A filter comes over a socket, too: neither its length nor its depth may be the sender's choice.
MAX_LENGTH: Final = 2000
MAX_DEPTH: Final = 32

UNDERSTOOD: Final = (
    "a filter is made of: state NAME, exclude NAME, sport = :PORT, dport = :PORT (also != < <= > >=), "
    "src ADDRESS[/LENGTH][:PORT], dst ADDRESS[/LENGTH][:PORT], and, or, not, ( )"
)


class FilterError(ValueError):
    """The text is no filter; says where, and what is understood, in one line."""


#: By the RFC's names, and by those that ss has for them.
STATES: Final = {
    **{state.value.lower(): frozenset({state}) for state in State},
    "listening": frozenset({State.LISTEN}),
    "syn-recv": frozenset({State.SYN_RECEIVED}),
    "estab": frozenset({State.ESTABLISHED}),
    "unconnected": frozenset({State.CLOSED}),
    "all": frozenset(State),
    "connected": frozenset(State) - {State.LISTEN, State.CLOSED},
    "synchronized": frozenset(State) - {State.LISTEN, State.CLOSED, State.SYN_SENT},
}
_SIDES: Final[dict[str, Side]] = {"src": "local", "sport": "local", "dst": "remote", "dport": "remote"}
_SPELLINGS: Final = {
    **{name: name for name in COMPARISONS},
    "==": "=", "eq": "=", "ne": "!=", "neq": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
_WORDS: Final = {"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not"}
_TOKEN: Final = re.compile(r"\s*(&&|\|\||[<>=!]=|[()&|!<>=]|[^\s()&|!<>=]+)")
_ADDRESS: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(/[0-9]{1,3})?(?::([0-9]+|\*))?")


def parse(text: str | Iterable[str]) -> Filter:
    """The filter that ``text`` says; words of a command line may come as they are.  Empty: every socket.

    :raises FilterError: it is none.
    """
    whole = text if isinstance(text, str) else " ".join(text)
    if len(whole) > MAX_LENGTH:
        raise FilterError(f"the filter is longer than {MAX_LENGTH} characters")
    tokens = _TOKEN.findall(whole)
    return _Parser(tokens).whole() if tokens else Everything()


class _Parser:
    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> Filter:
        made = self._any()
        if self._next < len(self._tokens):
            raise self._unexpected("the filter is complete before")
        return made

    def _any(self) -> Filter:
        terms = [self._all()]
        while self._word() == "or":
            self._next += 1
            terms.append(self._all())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _all(self) -> Filter:
        terms = [self._one()]
        while self._word() not in ("", "or", ")"):
            if self._word() == "and":
                self._next += 1
            terms.append(self._one())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _one(self) -> Filter:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FilterError(f"the filter nests deeper than {MAX_DEPTH} levels")
        try:
            return self._term()
        finally:
            self._depth -= 1

    def _term(self) -> Filter:
        word = self._word()
        self._next += 1
        match word:
            case "not":
                return Not(self._one())
            case "(":
                made = self._any()
                if self._word() != ")":
                    raise self._unexpected('a ")" is missing at')
                self._next += 1
                return made
            case "state":
                return self._states()
            case "exclude":
                return Not(InState(self._state()))
            case "sport" | "dport":
                return self._port(_SIDES[word])
            case "src" | "dst":
                return self._address(_SIDES[word])
        self._next -= 1
        raise self._unexpected("not understood:")

    def _states(self) -> Filter:
        states = self._state()
        while self._word() == "state":  # as in ss, where each adds to those before
            self._next += 1
            states |= self._state()
        return InState(states)

    def _state(self) -> frozenset[State]:
        states = STATES.get(self._word())
        if states is None:
            raise FilterError(f"{self._here()} is no state: there are {', '.join(STATES)}")
        self._next += 1
        return states

    def _port(self, side: Side) -> Filter:
        comparison = _SPELLINGS.get(self._word())
        if comparison is not None:
            self._next += 1
        text = self._word().removeprefix(":")
        if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 0xFFFF:
            raise FilterError(f"{self._here()} is no port: write it as :80")
        self._next += 1
        return Port(side, comparison or "=", int(text))

    def _address(self, side: Side) -> Filter:
        if _SPELLINGS.get(self._word()) == "=":
            self._next += 1
        network, port = self._network_and_port()
        self._next += 1
        return Address(side, network, port)

    def _network_and_port(self) -> tuple[IPv4Network | IPv6Network | None, int | None]:
        text = self._word()
        network = _network(text)  # first, since an IPv6 address without brackets has colons of its own
        if network is not None:
            return network, None
        parts = _ADDRESS.fullmatch(text)
        if text and parts is not None:
            address, length, port_text = parts[1].strip("[]"), parts[2] or "", parts[3] or "*"
            port = None if port_text == "*" else int(port_text[:6])
            network = _network(address + length)
            if (network is not None or address + length in ("", "*")) and (port or 0) <= 0xFFFF:
                return network, port
        raise FilterError(
            f"{self._here()} is no address: write it as 192.0.2.2, 192.0.2.0/24:80, [fd00:9293::2]:80 or :80"
        )

    def _word(self) -> str:
        """The next token in the form in which it is compared; empty at the end."""
        if self._next >= len(self._tokens):
            return ""
        token = self._tokens[self._next].lower()
        return _WORDS.get(token, token)

    def _here(self) -> str:
        return ascii(self._tokens[self._next][:60]) if self._next < len(self._tokens) else "the end of the filter"

    def _unexpected(self, what: str) -> FilterError:
        return FilterError(f"{what} {self._here()}; {UNDERSTOOD}")


def _network(text: str) -> IPv4Network | IPv6Network | None:
    if "%" in text:  # packets bear no scope
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
