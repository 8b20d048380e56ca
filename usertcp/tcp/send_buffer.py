"""What the application has sent and the peer has not acknowledged yet."""

from __future__ import annotations

from bisect import bisect_left

from usertcp.wire.tcp import Buffer

#: Smaller pieces are copied together, so that many small writes do not become many small views.
COALESCE_BELOW = 4096


class SendBuffer:
    """Bytes by their sequence number, from ``start`` (not acknowledged) to ``end`` (not sent yet).

    Immutable ``bytes`` (and views of them) are kept without copying; anything else is copied, since its
    owner may change it.
    """

    __slots__ = ("_first", "_pieces", "end", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.end = start
        #: Where each piece begins, and the piece; None while there is none.
        self._pieces: list[tuple[int, memoryview]] | None = None
        self._first = 0  # pieces before this index are acknowledged

    def __len__(self) -> int:
        return self.end - self.start

    def append(self, data: Buffer | bytearray) -> None:
        """Add ``data`` at the end."""
        size = len(data)
        if not size:
            return
        pieces = self._pieces
        if pieces is None:
            pieces = self._pieces = []
        elif size < COALESCE_BELOW and self._extend_last(pieces, data):
            return
        keep = data if type(data) is bytes or (type(data) is memoryview and type(data.obj) is bytes) else bytes(data)
        pieces.append((self.end, memoryview(keep)))
        self.end += size

    def _extend_last(self, pieces: list[tuple[int, memoryview]], data: Buffer | bytearray) -> bool:
        """Join a small piece with the last one, where that one is small too and nobody has a view of it."""
        seq, last = pieces[-1]
        if len(last) + len(data) > COALESCE_BELOW:
            return False
        pieces[-1] = seq, memoryview(b"".join((last, data)))
        self.end += len(data)
        return True

    def view(self, seq: int, length: int) -> Buffer:
        """The ``length`` (> 0) bytes from ``seq``: a view where one piece holds them, else a copy."""
        pieces = self._pieces
        assert pieces is not None
        at = bisect_left(pieces, (seq + 1,), lo=self._first) - 1
        begin, piece = pieces[at]
        offset = seq - begin
        if offset + length <= len(piece):
            return piece[offset : offset + length]
        parts = [piece[offset:]]
        missing = length - (len(piece) - offset)
        while missing > 0:
            at += 1
            part = pieces[at][1][:missing]
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def acknowledge(self, seq: int) -> None:
        """Everything before ``seq`` is the peer's now."""
        self.start = seq
        pieces, first = self._pieces, self._first
        if pieces is None:
            return
        if seq == self.end:
            self._pieces = None
            self._first = 0
            return
        while first < len(pieces) and pieces[first][0] + len(pieces[first][1]) <= seq:
            pieces[first] = _NOTHING
            first += 1
        if first > 64 and first * 2 > len(pieces):
            del pieces[:first]
            first = 0
        self._first = first

    def clear(self) -> None:
        """Throw everything away."""
        self._pieces = None
        self._first = 0
        self.start = self.end


_NOTHING = (0, memoryview(b""))
