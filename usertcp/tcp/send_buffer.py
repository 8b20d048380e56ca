"""What the application has sent and the peer has not acknowledged yet."""

from __future__ import annotations

from bisect import bisect_right

from usertcp.wire.tcp import Buffer

#: Smaller pieces are copied together, so that many small writes do not become many small views.
COALESCE_BELOW = 4096


class SendBuffer:
    """Bytes by their sequence number, from ``start`` (not acknowledged) to ``end`` (not sent yet).

    Immutable ``bytes`` (and views of them) are kept without copying; anything else is copied, since its
    owner may change it.
    """

    __slots__ = ("_first", "_pieces", "_seqs", "end", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        self._pieces: list[memoryview] = []
        self._seqs: list[int] = []  # where each piece begins, for bisection
        self._first = 0  # pieces before this index are acknowledged

    def __len__(self) -> int:
        return self.end - self.start

    def append(self, data: Buffer | bytearray) -> None:
        """Add ``data`` at the end."""
        size = len(data)
        if not size:
            return
        if size < COALESCE_BELOW and self._extend_last(data):
            return
        keep = data if type(data) is bytes or (type(data) is memoryview and type(data.obj) is bytes) else bytes(data)
        self._seqs.append(self.end)
        self._pieces.append(memoryview(keep))
        self.end += size

    def _extend_last(self, data: Buffer | bytearray) -> bool:
        """Join a small piece with the last one, where that one is small too and nobody has a view of it."""
        if self._first == len(self._pieces):
            return False
        last = self._pieces[-1]
        if len(last) + len(data) > COALESCE_BELOW:
            return False
        self._pieces[-1] = memoryview(b"".join((last, data)))
        self.end += len(data)
        return True

    def view(self, seq: int, length: int) -> Buffer:
        """The ``length`` bytes from ``seq``: a view where one piece holds them, else a copy."""
        at = bisect_right(self._seqs, seq, lo=self._first) - 1
        piece = self._pieces[at]
        offset = seq - self._seqs[at]
        if offset + length <= len(piece):
            return piece[offset : offset + length]
        parts = [piece[offset:]]
        missing = length - (len(piece) - offset)
        while missing > 0:
            at += 1
            part = self._pieces[at][:missing]
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def acknowledge(self, seq: int) -> None:
        """Everything before ``seq`` is the peer's now."""
        self.start = seq
        first = self._first
        pieces, seqs = self._pieces, self._seqs
        while first < len(pieces) and seqs[first] + len(pieces[first]) <= seq:
            pieces[first] = _NOTHING
            first += 1
        if first > 64 and first * 2 > len(pieces):
            del pieces[:first]
            del seqs[:first]
            first = 0
        self._first = first

    def clear(self) -> None:
        """Throw everything away."""
        self._pieces.clear()
        self._seqs.clear()
        self._first = 0
        self.start = self.end


_NOTHING = memoryview(b"")
