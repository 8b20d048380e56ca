"""What ``--ignore`` relaxes: each name takes exactly one thing out of the comparison, and nothing else.

A script is written for one stack.  Where another one is right too, a reader says what may differ; the summary of a
run repeats it, so that a relaxed pass never looks like a strict one.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final


class UnknownIgnore(ValueError):
    """``--ignore`` was given a name that is none of :class:`Ignore`; the text says which there are."""


class Ignore(Enum):
    """The names.  All are about packets that the stack sends, but for ``timing``, which is about waiting calls too."""

    OPTION_ORDER = "option-order"
    OPTION_PADDING = "option-padding"
    OPTIONS = "options"
    WINDOW = "window"
    TIMING = "timing"
    PUSH = "push"
    TIMESTAMPS = "timestamps"
    ECN = "ecn"
    TTL = "ttl"
    TOS = "tos"

    @property
    def relaxes(self) -> str:
        """One line that says what is not compared."""
        return _RELAXES[self]


_RELAXES: Final = {
    Ignore.OPTION_ORDER: "TCP options may stand in any order; NOP and EOL do not count",
    Ignore.OPTION_PADDING: "NOP and EOL between and after TCP options do not count; the order does",
    Ignore.OPTIONS: "TCP options are not compared",
    Ignore.WINDOW: "the window field is not compared",
    Ignore.TIMING: "packets and waiting calls may come at any time; their order counts",
    Ignore.PUSH: "the PSH flag is not compared",
    Ignore.TIMESTAMPS: "both values of the timestamps option are not compared; that it is there counts",
    Ignore.ECN: "the ECN bits of the IP header are not compared; the flags ECE and CWR are",
    Ignore.TTL: "the TTL or hop limit is not compared",
    Ignore.TOS: "the type of service or traffic class (without its ECN bits) is not compared",
}


def parse(texts: Iterable[str]) -> frozenset[Ignore]:
    """What the values of ``--ignore`` name: each is one name or several with commas.

    Raises UnknownIgnore for anything else, an empty name too.
    """
    found = set()
    for text in texts:
        for name in text.split(","):
            try:
                found.add(Ignore(name.strip()))
            except ValueError:
                known = ", ".join(member.value for member in Ignore)
                raise UnknownIgnore(f"--ignore {name.strip()!r}: there are {known}") from None
    return frozenset(found)


def describe(ignored: frozenset[Ignore]) -> list[str]:
    """One line for each thing that is relaxed, for the summary; in the order of :class:`Ignore`."""
    return [f"{member.value}: {member.relaxes}" for member in Ignore if member in ignored]
