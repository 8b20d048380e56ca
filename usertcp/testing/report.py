"""What is told of a network whose test failed: its seed, its links, and the last of what was said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from usertcp.observe.escape import for_terminal
from usertcp.observe.ladder import ladders
from usertcp.observe.lines import plain
from usertcp.tcp.events import Joined, Opened, SegmentIn, SegmentOut, TraceEvent, Transitioned
from usertcp.testing.link import Direction
from usertcp.testing.network import Network
from usertcp.wire.tcp import SYN

#: Connections that are drawn, the last ones in which something happened; and events of each, the last ones.
_CONNECTIONS: Final = 4
_EVENTS: Final = 40


def report(network: Network) -> str:
    """Lines of text for a person."""
    return "\n".join(_lines(network))


def _lines(network: Network) -> Iterator[str]:
    yield f"seed {network.seed}"
    for link in network.links:
        yield from (_direction(direction) for direction in (link.there, link.back))
    stories = sorted(_stories(network), key=lambda story: not story.is_active)  # a ladder reads best from there
    drawn: set[frozenset[tuple[bytes, int]]] = set()
    for story in stories:
        if story.ends in drawn:
            continue
        if story.ends:
            drawn.add(story.ends)
        yield ""
        yield f"On {story.where}:"
        yield from (plain(line) for line in ladders(story.events))


class _Story(NamedTuple):
    """A connection as one of its hosts saw it: ``ends`` are its two sockets, empty where they are not known."""

    where: str
    ends: frozenset[tuple[bytes, int]]
    is_active: bool
    events: list[TraceEvent]


def _direction(direction: Direction) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in direction.counts.items())
    names = f"{for_terminal(direction.sender.name)} to {for_terminal(direction.receiver.name)}"
    return f"{names}: {counts or 'nothing befell a packet'}; {direction.conditions}"


def _stories(network: Network) -> Iterator[_Story]:
    for host in network.hosts.values():
        for life, recorder in enumerate(host.recorders, 1):
            where = for_terminal(host.name) + (f", after reboot {life - 1}" if life > 1 else "")
            by_number: dict[int, list[TraceEvent]] = {}
            for event in recorder.events():
                if event.conn:
                    by_number.setdefault(event.conn, []).append(event)
            latest = sorted(by_number.values(), key=lambda events: events[-1].time, reverse=True)
            yield from (_story(where, events) for events in latest[:_CONNECTIONS])


def _story(where: str, events: list[TraceEvent]) -> _Story:
    first = events[0]
    left_out = len(events) - _EVENTS
    if left_out > 0:
        where = f"{where}, without {left_out:,} earlier events"
    if not isinstance(first, Opened):
        return _Story(where, frozenset(), False, events[-_EVENTS:])
    start = max(1, left_out)
    kept = [_joined(first, events[1:start]) or first, *events[start:]]
    ends = frozenset(((first.local_address, first.local_port), (first.remote_address, first.remote_port)))
    return _Story(where, ends, first.role == "active", kept)


def _joined(opened: Opened, left_out: list[TraceEvent]) -> Joined | None:
    """What a ladder that begins after ``left_out`` must know to count as the whole one does, if they have told it."""
    iss = irs = state = None
    for event in left_out:
        if isinstance(event, Transitioned):
            state = event.next_state
        elif isinstance(event, SegmentOut) and event.flags & SYN:
            iss = event.seq
        elif isinstance(event, SegmentIn) and event.flags & SYN:
            irs = event.seq
    if iss is None or irs is None or state is None:
        return None
    return Joined(*opened, state, iss, irs)
