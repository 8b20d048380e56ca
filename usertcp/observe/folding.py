"""Long runs of segments in which nothing is to be learned, as one line."""

from __future__ import annotations

from collections import Counter
from typing import Final

from usertcp.observe.names import amount, counted
from usertcp.tcp.events import SegmentIn, SegmentOut

#: The newest segments of a run are kept back, so that what comes before the next notable line is seen.
KEPT_BACK: Final = 3


class Fold:
    """Counts what is folded away; the newest segments wait in :attr:`held` until the run ends."""

    __slots__ = ("counts", "ended", "held", "in_bytes", "in_segments", "out_bytes", "out_segments", "started")

    def __init__(self) -> None:
        self.held: list[SegmentIn | SegmentOut] = []
        self._reset()

    def _reset(self) -> None:
        self.out_segments = self.out_bytes = self.in_segments = self.in_bytes = 0
        self.started = self.ended = 0.0
        self.counts: Counter[str] = Counter()

    def add(self, segment: SegmentIn | SegmentOut) -> None:
        """Takes one more segment of the run."""
        self.held.append(segment)
        if len(self.held) > KEPT_BACK:
            self._swallow(self.held.pop(0))

    def note(self, what: str, time: float) -> None:
        """Counts an event, such as "sent again", that is not drawn by itself."""
        if self.empty:
            self.started = time
        self.ended = time
        self.counts[what] += 1

    @property
    def empty(self) -> bool:
        return not (self.out_segments or self.in_segments or self.counts)

    def end(self) -> tuple[str, float, list[SegmentIn | SegmentOut]]:
        """Ends the run: a text for what was folded ("" for nothing), its end time, the segments to draw."""
        held, self.held = self.held, []
        if not self.empty:
            for segment in held[:-1]:
                self._swallow(segment)
            held = held[-1:]
        text, ended = self._text(), self.ended
        self._reset()
        return text, ended, held

    def _swallow(self, segment: SegmentIn | SegmentOut) -> None:
        if self.empty:
            self.started = segment.time
        self.ended = segment.time
        if isinstance(segment, SegmentOut):
            self.out_segments += segment.segments
            self.out_bytes += segment.length
        else:
            self.in_segments += 1
            self.in_bytes += segment.length

    def _text(self) -> str:
        if self.empty:
            return ""
        parts = []
        if self.out_segments:
            parts.append(_direction("▶", self.out_segments, self.out_bytes))
        if self.in_segments:
            parts.append(_direction("◀", self.in_segments, self.in_bytes))
        parts += [f"{count:,} {what}" for what, count in sorted(self.counts.items())]
        return f"… {'; '.join(parts)} …"


def _direction(arrow: str, segments: int, size: int) -> str:
    return f"{arrow} {counted(segments, 'segment')}, {amount(size) if size else 'no data'}"
