"""A listening port: connections that knocked, and connections that wait to be accepted."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any

from usertcp.stack.fast_open import PendingRequests
from usertcp.tcp.connection import Connection
from usertcp.tcp.settings import Settings

if TYPE_CHECKING:
    from usertcp.stack.host import Host


class Listener:
    """What a host does with SYNs for one port.  It stays in LISTEN whatever its children do.

    ``backlog`` bounds half-open and unaccepted connections together; :mod:`.backlog` says what becomes of a
    SYN beyond it (RFC 9293 §3.10.7.2 leaves it open).
    """

    __slots__ = (
        "address", "backlog", "cookies_until", "fast_open", "fast_open_keys", "half_open", "host", "open", "pending",
        "port", "ready", "settings", "user",
    )  # fmt: skip

    def __init__(
        self,
        host: Host,
        port: int,
        address: bytes | None,
        backlog: int,
        settings: Settings | None = None,
        fast_open: int = 0,
    ) -> None:
        self.settings = settings
        self.host = host
        self.port = port
        self.address = address
        self.backlog = backlog
        self.half_open: set[Connection] = set()
        self.ready: deque[Connection] = deque()
        self.open = True
        self.fast_open = PendingRequests(fast_open)
        #: Keys of its own for cookies, as in ``HostConfig``; (): the host's.
        self.fast_open_keys: tuple[bytes, ...] = ()
        #: Until then an ACK may answer a SYN cookie of ours.
        self.cookies_until = -inf
        #: Set by the host when a connection became ready; cleared by the application's side.
        self.pending = False
        #: The application's own handle.
        self.user: Any = None

    @property
    def full(self) -> bool:
        """Whether there is no place for a further half-open child."""
        return len(self.half_open) + len(self.ready) >= self.backlog

    @property
    def accept_queue_full(self) -> bool:
        """Whether connections that nobody accepts take all places."""
        return len(self.ready) >= self.backlog

    def accept(self) -> Connection | None:
        """The oldest established connection that nobody took yet, or None."""
        return self.ready.popleft() if self.ready else None

    def close(self, now: float) -> None:
        """Stop listening; what knocked and was not accepted is aborted.  May be called again."""
        if not self.open:
            return
        self.open = False
        self.host.forget_listener(self)
        for connection in sorted(self.half_open, key=lambda each: each.number):  # the same order in each run
            if connection.settings.half_open_vanish:
                connection.forget(now, "the listener was closed")
            else:
                connection.abort(now, "the listener was closed")
        for connection in [*self.ready]:
            connection.abort(now, "the listener was closed")
        self.half_open.clear()
        self.ready.clear()
