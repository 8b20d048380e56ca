"""The newest arrow, while something may still have to be said of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from usertcp.observe.conversation import Conversation
from usertcp.observe.lines import Role
from usertcp.observe.remarks import IGNORED, Said
from usertcp.observe.story import Arrow, Label, Remark, Turn
from usertcp.tcp.events import SegmentIn, SegmentOut
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

#: Kinds of what is said that are marked on the arrow, too.
_AGAIN: Final = "sent again"
_DROPPED: Final = "dropped"


class KeptArrow:
    """An arrow of ``whose`` that grows; ``everything``: however often a thing was said, it is said again."""

    __slots__ = ("_everything", "arrow", "is_stray", "whose")

    def __init__(self, arrow: Arrow, whose: Conversation, *, everything: bool) -> None:
        self.arrow = arrow
        self.whose = whose
        #: No connection was there for it.
        self.is_stray = False
        self._everything = everything

    def add(self, text: str, role: Role = Role.NOTE, kind: str = "") -> None:
        """One more remark under it."""
        if text:
            self.arrow = self.arrow._replace(remarks=(*self.arrow.remarks, Remark(text, role, kind)))

    def say(self, said: Said) -> None:
        """Says it under the arrow, if enough of its kind was not said before; else it is there to be counted."""
        if said.kind == _AGAIN:
            self.arrow = self.arrow._replace(again=True)
        if said.kind == _DROPPED:
            told = tuple(remark for remark in self.arrow.remarks if remark.kind != IGNORED)
            self.arrow = self.arrow._replace(dropped=True, remarks=told)
        if self._everything or not said.loud or self.whose.worth_a_line(said):
            self.add(said.text, said.role if said.loud else Role.DIM, said.kind)
        else:
            self.arrow = self.arrow._replace(unsaid=(*self.arrow.unsaid, said.kind))

    def follow(self, turns: Iterable[Turn]) -> None:
        """What it does at the peer."""
        self.arrow = self.arrow._replace(after=(*self.arrow.after, *turns))

    @property
    def is_quiet(self) -> bool:
        """Nothing is to be learned from it that others before it did not say."""
        arrow = self.arrow
        loud = any(remark.role is not Role.DIM for remark in arrow.remarks)
        return not (arrow.after or loud or arrow.flags & (SYN | FIN | RST))


def arrow_of(
    segment: SegmentIn | SegmentOut, story: int, label: Label, states: tuple[State | None, State | None]
) -> Arrow:
    """The arrow of ``segment``; ``states`` are both ends' before it."""
    flags = segment.flags
    covers = segment.ack if flags & ACK else None
    if segment.options.sack:
        covers = segment.options.sack[0][1]
    out = isinstance(segment, SegmentOut)
    return Arrow(
        story,
        segment.time,
        out,
        flags,
        label,
        states,
        segment.length,
        segment.segments if isinstance(segment, SegmentOut) else 1,
        end=segment.seq + segment.length + bool(flags & SYN) + bool(flags & FIN),
        covers=covers,
    )
