"""Segments that no connection is there for: few are drawn, the rest is counted."""

from __future__ import annotations

from collections import Counter
from typing import Final

from usertcp.observe.escape import for_terminal
from usertcp.observe.lines import Role
from usertcp.observe.remarks import said_of
from usertcp.observe.segments import Sockets
from usertcp.observe.story import Note, Rung
from usertcp.tcp.events import Dropped, Opened, StrayIn, StrayOut, TraceEvent

#: Pairs of sockets whose segments are drawn; a flood has more.
MAX_DRAWN: Final = 16
#: Live, they are forgotten after so many seconds, and others are drawn.
_FORGOTTEN: Final = 1.0
#: Packets that were thrown away without being anybody's segment, told one by one.
_MAX_TOLD: Final = 5


class Strays:
    """Which story a segment without a connection belongs to: those of the first pairs of sockets are below 0."""

    __slots__ = ("_connections", "_counted", "_dropped", "_forgotten", "_live", "_next", "_since", "_stories", "_time")

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._stories: dict[Sockets, int] = {}
        #: Recorded connections, whose stories are not over while there are events.
        self._connections: dict[Sockets, int] = {}
        self._next = -1
        self._since = 0.0
        self._forgotten: list[int] = []
        self._counted = 0
        self._dropped: Counter[str] = Counter()
        self._time = 0.0

    def story_of(self, event: StrayIn | StrayOut) -> int | None:
        """The story of its sockets; None where it is only counted."""
        sockets = Sockets.of(event)
        if sockets in self._connections:
            return self._connections[sockets]
        if sockets in self._stories:
            return self._stories[sockets]
        if self._live and len(self._stories) == MAX_DRAWN and event.time - self._since > _FORGOTTEN:
            self._forgotten += self._stories.values()
            self._stories.clear()
        if len(self._stories) == MAX_DRAWN:
            self._counted += 1
            self._time = event.time
            return None
        self._since = event.time
        return self._new_story(sockets)

    def forgotten(self) -> list[int]:
        """Stories that are over; each is told once."""
        forgotten, self._forgotten = self._forgotten, []
        return forgotten

    def becomes(self, event: Opened) -> int | None:
        """The story of these sockets so far, where they had one; it is the connection's from now on.

        What comes for them after the connection is told with it where it is recorded; live, it is another story.
        """
        if not self._live:
            self._connections[Sockets.of(event)] = event.conn
        return self._stories.pop(Sockets.of(event), None)

    def _new_story(self, sockets: Sockets) -> int:
        self._stories[sockets] = story = self._next
        self._next -= 1
        return story

    def dropped(self, event: TraceEvent) -> list[Rung]:
        """A packet was thrown away for no connection."""
        said = said_of(event)
        if said is None or not isinstance(event, Dropped):
            return []
        self._dropped[event.reason] += 1
        self._time = event.time
        if self._dropped[event.reason] > _MAX_TOLD:
            return []
        return [Note(0, event.time, said.text, said.role)]

    def end(self) -> list[Rung]:
        """What was only counted."""
        rungs: list[Rung] = []
        for reason, count in self._dropped.most_common():
            if count > _MAX_TOLD:
                text = f"{count:,} dropped in all: {for_terminal(reason)}"
                rungs.append(Note(0, self._time, text, Role.WARNING))
        if self._counted:
            text = f"… {self._counted:,} more segments for no connection …"
            rungs.append(Note(0, self._time, text, Role.WARNING))
        return rungs
