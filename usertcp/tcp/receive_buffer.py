"""What has arrived: data in order for the application, and data beyond gaps (RFC 9293 §3.10.7.4, seventh).

Numbers are unbounded sequence numbers (see :mod:`usertcp.wire.seq`).  The buffer does not know the window:
its caller trims what lies outside.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

from usertcp.tcp.chunks import Chunks
from usertcp.wire.tcp import Buffer


class Held:
    """One contiguous range beyond a gap: ``seq`` up to but not including ``end``."""

    __slots__ = ("chunks", "end", "seq")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.end = seq
        self.chunks = Chunks()

    def append(self, data: Buffer) -> None:
        self.chunks.append(data)
        self.end += len(data)


def _seq(held: Held) -> int:
    return held.seq


def _end(held: Held) -> int:
    return held.end


#: The ranges of a buffer without any; each buffer begins a list of its own.
_NONE: Final[list[Held]] = []


class ReceiveBuffer:
    """In-order data (``ready``) and the ranges that wait for a gap to fill (``held``, sorted, disjoint,
    never adjacent)."""

    __slots__ = ("held", "held_bytes", "max_gaps", "ready")

    def __init__(self, max_gaps: int) -> None:
        self.ready = Chunks()
        self.held = _NONE
        self.held_bytes = 0
        self.max_gaps = max_gaps

    def deliver(self, data: Buffer) -> None:
        """Data that continues exactly what was delivered before."""
        self.ready.append(data)

    def hold(self, seq: int, data: Buffer) -> int:
        """Keep ``data`` that begins beyond a gap; returns how many of its bytes are new.

        What is held already is not kept twice.  Nothing is kept (0) where the data would open one range
        more than ``max_gaps``.
        """
        end = seq + len(data)
        view = memoryview(data)
        held = self.held
        low = bisect_left(held, seq, key=_end)
        high = bisect_right(held, end, lo=low, key=_seq)
        touching = held[low:high]
        if not touching and len(held) >= self.max_gaps:
            return 0
        if held is _NONE:
            held = self.held = []
        before = sum(piece.end - piece.seq for piece in touching)
        merged = touching.pop(0) if touching and touching[0].seq <= seq else Held(seq)
        for piece in touching:
            merged.append(view[merged.end - seq : piece.seq - seq])
            merged.chunks.extend(piece.chunks)
            merged.end = piece.end
        if end > merged.end:
            merged.append(view[merged.end - seq :])
        held[low:high] = [merged]
        new = merged.end - merged.seq - before
        self.held_bytes += new
        return new

    def held_part(self, seq: int, end: int) -> tuple[int, int] | None:
        """The first part of ``seq`` up to ``end`` that is held already."""
        at = bisect_right(self.held, seq, key=_end)
        if at == len(self.held) or self.held[at].seq >= end:
            return None
        return max(seq, self.held[at].seq), min(end, self.held[at].end)

    def find(self, seq: int) -> Held | None:
        """The range that holds ``seq``."""
        at = bisect_right(self.held, seq, key=_seq) - 1
        return self.held[at] if at >= 0 and seq < self.held[at].end else None

    def pull(self, rcv_nxt: int) -> int:
        """Move what now continues the in-order data out of the held ranges; returns the new rcv_nxt."""
        while self.held and self.held[0].seq <= rcv_nxt:
            first = self.held.pop(0)
            self.held_bytes -= first.end - first.seq
            overlap = rcv_nxt - first.seq
            if first.end <= rcv_nxt:
                continue
            if overlap:
                first.chunks.take(overlap)
            self.ready.extend(first.chunks)
            rcv_nxt = first.end
        if not self.held:
            self.held = _NONE
        return rcv_nxt

    def trim_beyond(self, end: int) -> None:
        """Forget held data at and after ``end`` (the peer's FIN stands there)."""
        at = bisect_left(self.held, end, key=_seq)
        if at and self.held[at - 1].end > end:
            self._cut(self.held[at - 1], end)
        for dropped in self.held[at:]:
            self.held_bytes -= dropped.end - dropped.seq
        del self.held[at:]

    def _cut(self, held: Held, end: int) -> None:
        """Keep of ``held`` what lies before ``end``."""
        kept = held.chunks.take(end - held.seq)
        self.held_bytes -= held.end - end
        held.chunks.clear()
        held.chunks.append(bytes(kept))
        held.end = end

    def forget_held(self) -> None:
        """Throw away what waits beyond gaps."""
        self.held = _NONE
        self.held_bytes = 0

    def clear(self) -> None:
        """Throw everything away."""
        self.ready.clear()
        self.forget_held()
