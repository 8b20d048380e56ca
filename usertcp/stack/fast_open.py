"""TCP Fast Open (RFC 7413) as a host sees it: cookies given, cookies known, and requests pending."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from usertcp.stack.numbers import keyed_bytes
from usertcp.stack.siphash import siphash24

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: A cookie is good for the period (in seconds) in which it is made, and the next (RFC 7413 §4.1.2 (5)).
PERIOD: Final = 6 * 3600
_COOKIE_LENGTH: Final = 8


# -- The server --------------------------------------------------------------------------------------


def cookies(secret: bytes, addresses: bytes, now: float) -> tuple[bytes, ...]:
    """The cookies that are right for a client, first the one to give it (GetCookie, RFC 7413 §4.1.2).

    ``addresses``: the client's and ours.
    """
    period = int(now) // PERIOD
    return tuple(_cookie(secret, addresses, at) for at in (period, period - 1))


def keyed_cookies(keys: Sequence[bytes], addresses: bytes) -> tuple[bytes, ...]:
    """The same from keys of 16 bytes that several servers share, and change when they like."""
    return tuple(siphash24(key, addresses).to_bytes(_COOKIE_LENGTH, "little") for key in keys)


def is_valid(cookie: bytes, right: Iterable[bytes]) -> bool:
    """IsCookieValid (RFC 7413 §4.1.2)."""
    return any(compare_digest(cookie, other) for other in right)


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
    """What is known of a server: ``cookie`` may be empty, ``mss`` is what it announced.

    ``experiment``: it knows the option, if at all, only as the experiment that it once was (RFC 7413 appendix A).
    """

    cookie: bytes = b""
    mss: int | None = None
    experiment: bool = False


class CookieCache:
    """Cookies of servers, by our address, theirs and their port (RFC 7413 §4.1.3.1).

    At most ``size`` of them; the one that was used longest ago is forgotten first.  ``penalty``: for how many
    seconds Fast Open is not tried with a server that did not like it; 0: it is, with what was known.
    """

    __slots__ = ("_failures", "_penalty", "_servers", "_size")

    def __init__(self, size: int, penalty: float) -> None:
        self._size = size
        self._penalty = penalty
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
        if self._penalty:
            self._servers.pop(path, None)
            _put(self._failures, path, now + self._penalty, self._size)


_T = TypeVar("_T")


def _put(table: OrderedDict[bytes, _T], path: bytes, value: _T, size: int) -> None:
    table[path] = value
    table.move_to_end(path)
    if len(table) > size:
        table.popitem(last=False)
