"""How a script ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple


class Result(Enum):
    """A script's result, by its name in the output."""

    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"


class Crossing(NamedTuple):
    """A packet that crossed the link, in seconds since the script began, and what is to be said about it."""

    time: float
    inbound: bool
    packet: bytes
    remark: str
    #: What the stack under test has to say of it, where it was asked.
    comments: tuple[str, ...] = ()


@dataclass(slots=True)
class Outcome:
    """What became of one script.  Texts are safe for a terminal; ``line`` is 0 where the reason has none."""

    script: str
    result: Result
    reason: str = ""
    line: int = 0
    #: More about the reason: a diff, several lines.
    detail: str = ""
    #: What the script printed.
    printed: list[str] = field(default_factory=list)
    #: Packets that left after the last expectation, and were not looked at.
    unseen: int = 0
    #: Expected segments that were compared with a part of a super-segment, or with several packets.
    recut: int = 0
    #: What the packets on the link were; the first 64 MiB.
    crossings: list[Crossing] = field(default_factory=list)
