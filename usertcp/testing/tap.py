"""What a tap sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class Tapped(NamedTuple):
    """A packet as it enters a link, and what becomes of it there."""

    #: The clock's, in seconds.
    time: float
    #: Names of hosts; a message of the link's router comes from "router".
    sender: str
    receiver: str
    #: The IP packet as it was sent.
    packet: bytes
    #: "" where nothing out of the ordinary happens to it, else what does: "lost", "dropped" (by name), "corrupted",
    #: "duplicated", "reordered", "queue-full", "partition", "too big", "no link"; several with commas.
    fate: str
    #: Why the sender sends it: what happened to its connection since the packet before, and its windows and timers, a
    #: line each.
    reasons: tuple[str, ...] = ()


Tap: TypeAlias = Callable[[Tapped], None]
