"""Two segments that crossed on their way: each was sent before the other could be known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from usertcp.observe.story import Arrow, Rung, Turn
from usertcp.wire.tcp import FIN, SYN


class Crossed(NamedTuple):
    """Our segment and the peer's, each sent before the other had come; ``time`` is when the peer's came."""

    story: int
    time: float
    ours: Arrow
    theirs: Arrow


def crossings(rungs: Iterable[Rung]) -> Iterator[Rung | Crossed]:
    """``rungs``, with two segments that crossed as one.

    What the peer did by itself in between, it did before ours came; and what it would have made of ours, if that had
    come first, is left out.
    """
    waiting: list[Rung] = []
    for rung in rungs:
        ours = waiting[0] if waiting else None
        if isinstance(ours, Arrow):
            if isinstance(rung, Turn) and not rung.ours:
                waiting.append(rung)
                continue
            if isinstance(rung, Arrow) and _cross(ours, rung):
                yield from waiting[1:]
                yield Crossed(rung.story, rung.time, ours._replace(after=()), rung)
                waiting = []
                continue
        yield from waiting
        waiting = []
        if isinstance(rung, Arrow) and rung.out and rung.flags & (SYN | FIN):
            waiting.append(rung)
        else:
            yield rung
    yield from waiting


def _cross(ours: Arrow, theirs: Arrow) -> bool:
    """Whether the peer sent its SYN or FIN before ours had come."""
    if theirs.out or not theirs.flags & (SYN | FIN):
        return False
    return theirs.covers is None or (theirs.covers - ours.end) & 0xFFFFFFFF >= 0x80000000
