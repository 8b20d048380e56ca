"""What a connection spends its time on while it has something to send, as tcp_info tells it: the peer's window, our
send buffer, or neither of them, which leaves the network and the congestion window.

Looked at after each event, since nothing changes between two of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection


class BusyTime:
    """In seconds: ``busy``, and of that what the peer's window and our own buffer are to blame for."""

    __slots__ = ("_busy", "_by_buffer", "_by_window", "_since", "busy", "by_buffer", "by_window")

    def __init__(self) -> None:
        self.busy = self.by_window = self.by_buffer = 0.0
        self._since = 0.0
        self._busy = self._by_window = self._by_buffer = False

    def look(self, connection: Connection, now: float, *, wants_room: bool) -> None:
        """``wants_room``: the application has more to send than the buffer takes."""
        self.count(now)
        unsent = connection.send_buffer.end - connection.snd_nxt
        self._busy = not connection.is_over and (unsent > 0 or connection.snd_nxt > connection.snd_una)
        window = connection.snd_una + connection.snd_wnd - connection.snd_nxt
        waits = self._busy and connection.in_flight + connection.snd_mss <= connection.congestion.cwnd
        self._by_window = waits and unsent > 0 and window < min(unsent, connection.snd_mss)
        self._by_buffer = waits and wants_room and not unsent

    def count(self, now: float) -> None:
        """Time goes on."""
        passed, self._since = now - self._since, now
        if self._busy:
            self.busy += passed
        if self._by_window:
            self.by_window += passed
        if self._by_buffer:
            self.by_buffer += passed
