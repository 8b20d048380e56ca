"""Urgent data: MSG_OOB, SO_OOBINLINE, SIOCATMARK.

TCP has a pointer into its stream (RFC 9293 §3.8.5); sockets make of it one byte beside the stream, the one before
the pointer (RFC 6093 §3.3), unless SO_OOBINLINE leaves it where it is.
"""

from __future__ import annotations

from errno import EAGAIN, EINVAL
from typing import TYPE_CHECKING

from usertcp.sim.posix.errors import failure

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection


class Urgent:
    """What one socket knows of urgent data."""

    def __init__(self) -> None:
        #: The pointer for which the byte was read with MSG_OOB.
        self._taken: int | None = None

    @staticmethod
    def _read_up_to(connection: Connection) -> int:
        """The sequence number of the next byte that a read gives."""
        return connection.rcv_nxt - connection.receive_buffer.ready.length - connection.at_eof

    def mark(self, connection: Connection) -> int | None:
        """Where the urgent byte stands, counted from the next byte to be read; None: there is none, or it was
        passed."""
        if connection.rcv_up is None:
            return None
        offset = connection.rcv_up - 1 - self._read_up_to(connection)
        return offset if offset >= 0 else None

    def arrived(self, connection: Connection) -> bool:
        """The urgent byte is here."""
        mark = self.mark(connection)
        return mark is not None and mark < connection.receive_buffer.ready.length

    def pending(self, connection: Connection) -> bool:
        """POLLPRI: the urgent byte is here and was not read."""
        return self.arrived(connection) and self._taken != connection.rcv_up

    def read(self, connection: Connection, *, peek: bool, at_end: bool) -> bytes:
        """recv(MSG_OOB) without SO_OOBINLINE.  Raises OSError: EINVAL: there is none, EAGAIN: it is to come."""
        mark = self.mark(connection)
        if mark is None or self._taken == connection.rcv_up:
            raise failure(EINVAL)
        ready = connection.receive_buffer.ready
        if mark >= ready.length:
            if at_end:
                return b""
            raise failure(EAGAIN)
        byte = b"".join(ready.pieces)[mark : mark + 1]
        if not peek:
            self._taken = connection.rcv_up
        return byte
