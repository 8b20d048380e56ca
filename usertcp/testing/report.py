"""What is told of a network whose test failed: its seed, its links, and the last of what was said."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from usertcp.observe.escape import for_terminal
from usertcp.observe.ladder import ladders
from usertcp.observe.lines import plain
from usertcp.observe.recorder import Recorder
from usertcp.tcp.events import Opened, TraceEvent
from usertcp.testing.host import NetworkHost
from usertcp.testing.link import Direction
from usertcp.testing.network import Network

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
    drawn: set[frozenset[tuple[bytes, int]]] = set()
    for host in network.hosts.values():
        for life, recorder in enumerate(host.recorders, 1):
            again = f", switched on for the {life}. time" if life > 1 else ""
            for title, events in _connections(host, recorder, drawn):
                yield ""
                yield f"On {for_terminal(host.name)}{again}{title}:"
                yield from (plain(line) for line in ladders(events))


def _direction(direction: Direction) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in direction.counts.items())
    names = f"{for_terminal(direction.sender.name)} to {for_terminal(direction.receiver.name)}"
    return f"{names}: {counts or 'nothing befell a packet'}; {direction.conditions}"


def _connections(
    host: NetworkHost, recorder: Recorder, drawn: set[frozenset[tuple[bytes, int]]]
) -> Iterator[tuple[str, list[TraceEvent]]]:
    """The last connections of which the other end was not drawn yet, each with how its beginning was left out."""
    by_number: dict[int, list[TraceEvent]] = {}
    for event in recorder.events():
        if event.conn:
            by_number.setdefault(event.conn, []).append(event)
    latest = sorted(by_number.values(), key=lambda events: events[-1].time, reverse=True)
    for events in islice(latest, _CONNECTIONS):
        first = events[0]
        if isinstance(first, Opened):
            ends = frozenset(((first.local_address, first.local_port), (first.remote_address, first.remote_port)))
            if ends in drawn:
                continue
            drawn.add(ends)
        left_out = len(events) - _EVENTS
        if left_out <= 0:
            yield "", events
        else:
            kept = [*([first] if isinstance(first, Opened) else []), *events[-_EVENTS:]]
            yield f", without the first {left_out:,} events", kept
