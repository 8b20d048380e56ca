"""Recorded events as tales: the rungs of one connection after the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from usertcp.observe.narrator import CONCISE, Narrator, Telling
from usertcp.observe.path import Path
from usertcp.observe.story import Begun, Ended, Rung, Turn
from usertcp.tcp.events import Deleted, TraceEvent


@dataclass
class Tale:
    """The rungs of one story, first :class:`~usertcp.observe.story.Begun`; ``story`` 0 is what belongs to none."""

    story: int
    rungs: list[Rung] = field(default_factory=list)

    @property
    def conn(self) -> int:
        """The connection's number; 0 where there is none."""
        first = self.rungs[0]
        return first.conn if isinstance(first, Begun) else 0

    @property
    def peer_is_read(self) -> bool:
        """The peer's states are known from its kernel, not only inferred."""
        return any(isinstance(rung, Turn) and not rung.ours and rung.read for rung in self.rungs)


def tales(events: Iterable[TraceEvent], telling: Telling = CONCISE) -> list[Tale]:
    """The tale of each connection in ``events``, in the order in which they began; what belongs to none comes last."""
    narrator = Narrator(telling)
    told: dict[int, Tale] = {}
    for event in _in_order(events):
        _sort(told, narrator.feed(event))
    _sort(told, narrator.end())
    strays = told.pop(0, None)
    return [*told.values(), *([strays] if strays is not None else [])]


def paths(events: Iterable[TraceEvent]) -> list[Path]:
    """The path of each connection in ``events``, as its ladder tells it, in the order in which they were opened."""
    ends = (rung for tale in tales(events) for rung in tale.rungs if isinstance(rung, Ended))
    return [end.path for end in ends if end.path is not None]


def _in_order(events: Iterable[TraceEvent]) -> Iterable[TraceEvent]:
    """``events``, with what ends a connection last of that connection: the peer may be asked once more after it."""
    ended: dict[int, Deleted] = {}
    for event in events:
        if isinstance(event, Deleted):
            ended[event.conn] = event
        else:
            yield event
    yield from ended.values()


def _sort(told: dict[int, Tale], rungs: Iterable[Rung]) -> None:
    for rung in rungs:
        tale = told.setdefault(rung.story, Tale(rung.story))
        if isinstance(rung, Begun) and tale.rungs:
            tale.rungs[0] = rung._replace(time=tale.rungs[0].time)  # a connection came of it
        else:
            tale.rungs.append(rung)
