"""Long runs of segments in which nothing is to be learned, as one line."""

from __future__ import annotations

from collections import Counter
from typing import Final

from usertcp.observe.names import amount, counted, several
from usertcp.observe.story import Arrow, Folded, Note

#: The newest segments of a run are kept back, so that what comes before the next notable line is seen.
KEPT_BACK: Final = 3
#: So many are kept before any is folded away: a line that stands for two or three would say less than they do.
_WORTH_IT: Final = 6


class Fold:
    """Counts what is folded away: segments, and notes of which there were enough.

    The newest wait until the run ends.
    """

    __slots__ = ("_counts", "_held", "_in_bytes", "_in_segments", "_out_bytes", "_out_segments", "ended", "started")

    def __init__(self) -> None:
        self._held: list[Arrow | Note] = []
        self._reset()

    def _reset(self) -> None:
        self._out_segments = self._out_bytes = self._in_segments = self._in_bytes = 0
        self.started = self.ended = 0.0
        self._counts: Counter[str] = Counter()

    def add(self, rung: Arrow | Note) -> None:
        """Takes one more segment or note of the run."""
        self._held.append(rung)
        if len(self._held) > (_WORTH_IT if self.empty else KEPT_BACK):
            while len(self._held) > KEPT_BACK:
                self._swallow(self._held.pop(0))

    @property
    def empty(self) -> bool:
        """Nothing has been folded away yet."""
        return not (self._out_segments or self._in_segments or self._counts)

    def end(self, story: int) -> list[Folded | Arrow | Note]:
        """Ends the run: what was folded, if anything was, and the segments that are to be drawn after it."""
        held, self._held = self._held, []
        if self.empty:
            return list(held)
        for rung in held[:-1]:
            self._swallow(rung)
        folded = Folded(story, self.started, self.ended, self._text())
        self._reset()
        return [folded, *held[-1:]]

    def _swallow(self, rung: Arrow | Note) -> None:
        if self.empty:
            self.started = rung.time
        self.ended = rung.time
        if isinstance(rung, Note):
            self._counts[rung.kind] += 1
            return
        self._counts.update(rung.unsaid)
        if rung.out:
            self._out_segments += rung.segments
            self._out_bytes += rung.length
        else:
            self._in_segments += 1
            self._in_bytes += rung.length

    def _text(self) -> str:
        parts = []
        if self._out_segments:
            parts.append(_direction("▶", self._out_segments, self._out_bytes))
        if self._in_segments:
            parts.append(_direction("◀", self._in_segments, self._in_bytes))
        parts += [several(count, what) for what, count in sorted(self._counts.items())]
        return f"… {'; '.join(parts)} …"


def _direction(arrow: str, segments: int, size: int) -> str:
    return f"{arrow} {counted(segments, 'segment')}, {amount(size) if size else 'no data'}"
