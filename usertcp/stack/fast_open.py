"""TCP Fast Open (RFC 7413) as a host sees it: cookies given, cookies known, and requests pending."""

from __future__ import annotations

from collections import OrderedDict, deque
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from usertcp.stack.numbers import keyed_bytes

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: A cookie is good for the period (in seconds) in which it is made, and the next (RFC 7413 §4.1.2 (5)).
PERIOD: Final = 6 * 3600
_COOKIE_LENGTH: Final = 8


# -- The server --------------------------------------------------------------------------------------


def cookie_for(secret: bytes, addresses: bytes, now: float) -> bytes:
    """GetCookie (RFC 7413 §4.1.2); ``addresses``: the client's and ours."""
    return _cookie(secret, addresses, int(now) // PERIOD)


def is_valid(secret: bytes, addresses: bytes, cookie: bytes, now: float) -> bool:
    """IsCookieValid (RFC 7413 §4.1.2)."""
    period = int(now) // PERIOD
    return any(compare_digest(cookie, _cookie(secret, addresses, at)) for at in (period, period - 1))


def _cookie(secret: bytes, addresses: bytes, period: int) -> bytes:
    return keyed_bytes(secret, b"fast open", period.to_bytes(8, "big", signed=True) + addresses, _COOKIE_LENGTH)


class PendingRequests:
    """PendingFastOpenRequests of one listener (RFC 7413 §4.2), and the bound on them.

    A request that ended before its handshake did counts on for a minute: else RSTs, which the victim of
    spoofing sends, would make room for more (§5.1).
    """

    __slots__ = ("_children", "_ended", "most")

    #: For how long a request counts on, in seconds.
    GRACE: Final = 60.0

    def __init__(self, most: int) -> None:
        #: How many there may be; 0: FastOpenEnabled is off.
        self.most = most
        self._children: set[Connection] = set()
        self._ended: deque[float] = deque()

    def room(self, now: float) -> bool:
        """Whether there may be one more."""
        while self._ended and self._ended[0] <= now:
            self._ended.popleft()
        return len(self._children) + len(self._ended) < self.most

    def add(self, child: Connection) -> None:
        """``child`` has its data, and the handshake goes on."""
        self._children.add(child)

    def established(self, child: Connection) -> None:
        """The handshake is over."""
        self._children.discard(child)

    def deleted(self, child: Connection, now: float) -> None:
        """``child`` is no more; if its handshake never ended, that is held against the listener."""
        if child in self._children:
            self._children.discard(child)
            self._ended.append(now + self.GRACE)


# -- The client --------------------------------------------------------------------------------------


class Server(NamedTuple):
    """What is known of a server: ``cookie`` may be empty, ``mss`` is what it announced."""

    cookie: bytes = b""
    mss: int | None = None


class CookieCache:
    """Cookies of servers, by our address, theirs and their port (RFC 7413 §4.1.3.1).

    At most ``size`` of them; the one that was used longest ago is forgotten first.
    """

    __slots__ = ("_failures", "_servers", "_size")

    #: For how long Fast Open is not tried with a server that did not like it, in seconds.
    PENALTY: Final = 3600.0

    def __init__(self, size: int) -> None:
        self._size = size
        self._servers: OrderedDict[bytes, Server] = OrderedDict()
        self._failures: OrderedDict[bytes, float] = OrderedDict()

    def find(self, path: bytes, now: float) -> Server | None:
        """What to try there; None: nothing, it failed not long ago."""
        if self._failures.get(path, now) > now:
            return None
        if path in self._servers:
            self._servers.move_to_end(path)
            return self._servers[path]
        return Server()

    def remember(self, path: bytes, server: Server) -> None:
        """It gave a cookie."""
        self._failures.pop(path, None)
        _put(self._servers, path, server, self._size)

    def failed(self, path: bytes, now: float) -> None:
        """It does not answer, or does not take data."""
        self._servers.pop(path, None)
        _put(self._failures, path, now + self.PENALTY, self._size)


_T = TypeVar("_T")


def _put(table: OrderedDict[bytes, _T], path: bytes, value: _T, size: int) -> None:
    table[path] = value
    table.move_to_end(path)
    if len(table) > size:
        table.popitem(last=False)
