"""A queue of bytes made of the pieces that arrived."""

from __future__ import annotations

from typing import Final

from usertcp.wire.tcp import Buffer

#: A view pins the whole packet that it was cut from.  Pieces below this size are copied together
#: instead, so that the memory held is close to the number of bytes held.
COALESCE_BELOW: Final = 4096
#: A copied-together piece stops growing here.
COALESCED_MAX: Final = 65536


#: The pieces of a queue without any; each queue begins a list of its own.
_NONE: Final[list[bytes | bytearray | memoryview]] = []


class Chunks:
    """Bytes in order.  Large pieces are kept as they are, small ones are copied together."""

    __slots__ = ("length", "pieces")

    def __init__(self) -> None:
        self.pieces = _NONE
        self.length = 0

    def append(self, data: Buffer) -> None:
        """Add ``data``, which must not change afterwards, at the end."""
        size = len(data)
        pieces = self.pieces
        self.length += size
        if not pieces:
            self.pieces = [data if size >= COALESCE_BELOW else bytearray(data)]
            return
        if size >= COALESCE_BELOW:
            pieces.append(data)
            return
        last = pieces[-1]
        if type(last) is bytearray and len(last) < COALESCED_MAX:
            last += data
        else:
            pieces.append(bytearray(data))

    def extend(self, other: Chunks) -> None:
        """Move all of ``other`` to the end of this one."""
        for piece in other.pieces:
            if type(piece) is bytearray and self.pieces:
                self.pieces.append(piece)
                self.length += len(piece)
            else:
                self.append(piece)  # type: ignore[arg-type]
        other.clear()

    def take(self, most: int) -> bytes | bytearray:
        """Remove and return up to ``most`` bytes from the front (``most`` >= 1); empty when there are none."""
        pieces = self.pieces
        if not pieces:
            return b""
        if len(pieces) == 1 or len(pieces[0]) >= most:
            return self._take_from_first(most)
        taken = []
        room = most
        while room and pieces:
            piece = pieces[0]
            if len(piece) > room:
                taken.append(piece[:room])
                pieces[0] = memoryview(piece)[room:]
                room = 0
            else:
                taken.append(pieces.pop(0))
                room -= len(piece)
        self._taken(most - room)
        return b"".join(taken)

    def _take_from_first(self, most: int) -> bytes | bytearray:
        piece = self.pieces[0]
        size = len(piece)
        if size <= most:
            self.pieces.pop(0)
            self._taken(size)
            return bytes(piece) if type(piece) is memoryview else piece
        self.length -= most
        if type(piece) is bytearray:
            head = bytes(memoryview(piece)[:most])
            del piece[:most]
            return head
        view = memoryview(piece)
        self.pieces[0] = view[most:]
        return bytes(view[:most])

    def take_into(self, target: memoryview) -> int:
        """Move bytes from the front into ``target`` (writable, of bytes); returns how many."""
        pieces, filled, room = self.pieces, 0, len(target)
        while room and pieces:
            piece = memoryview(pieces[0])
            size = min(len(piece), room)
            target[filled : filled + size] = piece[:size]
            filled += size
            room -= size
            if size < len(piece):
                pieces[0] = piece[size:]
            else:
                del pieces[0]
        self._taken(filled)
        return filled

    def _taken(self, length: int) -> None:
        self.length -= length
        if not self.length:
            self.pieces = _NONE

    def clear(self) -> None:
        """Throw everything away."""
        self.pieces = _NONE
        self.length = 0
