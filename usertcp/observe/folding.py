"""Long runs of segments in which nothing is to be learned, as one line."""

from __future__ import annotations

from collections import Counter
from typing import Final

from usertcp.observe.names import amount, counted
from usertcp.observe.story import Arrow, Folded

#: The newest segments of a run are kept back, so that what comes before the next notable line is seen.
KEPT_BACK: Final = 3


class Fold:
    """Counts what is folded away; the newest segments wait until the run ends."""

    __slots__ = ("_counts", "_held", "_in_bytes", "_in_segments", "_out_bytes", "_out_segments", "ended", "started")

    def __init__(self) -> None:
        self._held: list[Arrow] = []
        self._reset()

    def _reset(self) -> None:
        self._out_segments = self._out_bytes = self._in_segments = self._in_bytes = 0
        self.started = self.ended = 0.0
        self._counts: Counter[str] = Counter()

    def add(self, arrow: Arrow) -> None:
        """Takes one more segment of the run."""
        self._held.append(arrow)
        if len(self._held) > KEPT_BACK:
            self._swallow(self._held.pop(0))

    def note(self, what: str, time: float) -> None:
        """Counts an event, such as "sent again", that is not drawn by itself."""
        if self.empty:
            self.started = time
        self.ended = time
        self._counts[what] += 1

    @property
    def empty(self) -> bool:
        """Nothing has been folded away yet."""
        return not (self._out_segments or self._in_segments or self._counts)

    def end(self, story: int) -> list[Folded | Arrow]:
        """Ends the run: what was folded, if anything was, and the segments that are to be drawn after it."""
        held, self._held = self._held, []
        if self.empty:
            return list(held)
        for arrow in held[:-1]:
            self._swallow(arrow)
        folded = Folded(story, self.started, self.ended, self._text())
        self._reset()
        return [folded, *held[-1:]]

    def _swallow(self, arrow: Arrow) -> None:
        if self.empty:
            self.started = arrow.time
        self.ended = arrow.time
        if arrow.out:
            self._out_segments += arrow.segments
            self._out_bytes += arrow.length
        else:
            self._in_segments += 1
            self._in_bytes += arrow.length

    def _text(self) -> str:
        parts = []
        if self._out_segments:
            parts.append(_direction("▶", self._out_segments, self._out_bytes))
        if self._in_segments:
            parts.append(_direction("◀", self._in_segments, self._in_bytes))
        parts += [f"{count:,} {what}" for what, count in sorted(self._counts.items())]
        return f"… {'; '.join(parts)} …"


def _direction(arrow: str, segments: int, size: int) -> str:
    return f"{arrow} {counted(segments, 'segment')}, {amount(size) if size else 'no data'}"
