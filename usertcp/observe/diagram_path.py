"""The path that a connection took, as arrows of the state diagram."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from usertcp.observe.lines import Line, Role, Span
from usertcp.observe.path import Path, Stop
from usertcp.tcp.states import Event, State


class Step(NamedTuple):
    """The ``order``-th change of a state, from 1, ``time`` seconds after the connection began.

    ``event`` is None where nothing tells it.  ``read``: known, not inferred.
    """

    order: int
    time: float
    source: State
    target: State
    event: Event | None
    read: bool


class Walk(NamedTuple):
    """One end's way through the diagram: where it began, and its steps."""

    start: State | None
    steps: tuple[Step, ...]

    @property
    def states(self) -> frozenset[State]:
        """All states that it was in."""
        return frozenset([*([self.start] if self.start else []), *(step.target for step in self.steps)])

    def on(self, source: State, target: State, events: Iterable[Event]) -> list[Step]:
        """The steps that went along the arrow from ``source`` to ``target`` with these events."""
        wanted = frozenset(events)
        return [step for step in self.steps if (step.source, step.target) == (source, target) and step.event in wanted]


def walks(path: Path) -> tuple[Walk, Walk]:
    """Our way, and the peer's."""
    return _walk(path.ours, path.started), _walk(path.peers, path.started)


def _walk(stops: tuple[Stop, ...], started: float) -> Walk:
    steps = [
        Step(order, stop.time - started, before.state, stop.state, stop.event, stop.read)
        for order, (before, stop) in enumerate(pairwise(stops), start=1)
    ]
    return Walk(stops[0].state if stops else None, tuple(steps))


def rows(walk: Walk) -> list[tuple[str, str, str, str]]:
    """Order, time, new state and event of each step as text, the start first."""
    if walk.start is None:
        return []
    listed = [("", "", walk.start.value, "")]
    for step in walk.steps:
        event = step.event.value if step.event else "not seen"
        if not step.read:
            event += " (inferred)"
        listed.append((str(step.order), f"{step.time * 1000:.3f} ms", step.target.value, event))
    return listed


def listing(path: Path) -> list[Line]:
    """Both ways as a table of text, under one another."""
    lines: list[Line] = []
    for name, walk in zip(("usertcp", "peer"), walks(path), strict=True):
        lines.append((Span(f"{name}'s way", Role.TITLE),))
        for order, time, state, event in rows(walk):
            lines.append(
                (
                    Span(f"{order:>4}  {time:>14}  ", Role.TIME),
                    Span(f"{state:<14}", Role.NEW_STATE),
                    Span(event, Role.CAUSE),
                )
            )
        if not rows(walk):
            lines.append((Span("      no state of it is known", Role.NOTE),))
        lines.append(())
    if not path.complete:
        lines.append((Span("later steps are left out", Role.WARNING),))
    return lines
