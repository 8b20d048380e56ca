"""A ladder on a page: its columns, and what stands where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from usertcp.tcp.states import State

#: Columns, in pixels: times end at CLOCK, our notes begin at NOTES, lifelines are LEFT and RIGHT.
WIDTH: Final = 1300
CLOCK: Final = 68
NOTES: Final = 80
OUR_BAND: Final = 332
LEFT: Final = 446
RIGHT: Final = 976
PEER_BAND: Final = RIGHT
PEER_NOTES: Final = 1100
CHANNEL: Final = RIGHT - LEFT

#: The height of a line of text.
LINE: Final = 15.0


class Text(NamedTuple):
    """``kind`` is its class; ``angle`` in degrees, around its beginning or, if it is ``right``, its end."""

    x: float
    y: float
    text: str
    kind: str
    angle: float = 0.0
    right: bool = False


class Shaft(NamedTuple):
    """An arrow from ``tail`` to ``head``, both heights."""

    out: bool
    tail: float
    head: float
    again: bool
    dropped: bool
    reset: bool


class Step(NamedTuple):
    """The mark of a step of one end's state machine."""

    ours: bool
    y: float
    known: bool


@dataclass
class Band:
    """The time that one end spent in ``state``; its name stands at each of ``names``."""

    ours: bool
    state: State
    top: float
    bottom: float = 0.0
    names: list[float] = field(default_factory=list)


@dataclass
class Page:
    """A ladder, laid out; ``top`` and ``bottom`` are those of the lifelines."""

    heading: list[Text] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    shafts: list[Shaft] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    #: The lines of each fold.
    folds: list[list[Text]] = field(default_factory=list)
    top: float = 0.0
    bottom: float = 0.0
    height: float = 0.0
