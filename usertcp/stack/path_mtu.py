"""The path MTU to each remote address, for connections that begin later (RFC 1191 §6.2, RFC 8201 §5.2)."""

from __future__ import annotations

from collections import OrderedDict
from math import inf
from typing import Final, NamedTuple

#: A path may have become wider after so many seconds (RFC 1191 §6.3, RFC 8201 §5.3).
LIFETIME: Final = 600.0
#: Addresses that are remembered; the one learned longest ago gives way.
MAX_ENTRIES: Final = 4096


class PathMtu(NamedTuple):
    """The largest packet in bytes, and until when (seconds) that is believed."""

    mtu: int
    expires: float


class PathMtuCache:
    """What is known to be narrower than the link, whose packets are ``link_mtu`` bytes at most."""

    __slots__ = ("_entries", "_link")

    def __init__(self, link_mtu: int) -> None:
        self._link = PathMtu(link_mtu, inf)
        self._entries: OrderedDict[bytes, PathMtu] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, address: bytes, now: float) -> PathMtu:
        """The link's own MTU, which never expires, where nothing else is known."""
        entry = self._entries.get(address)
        if entry is None or entry.expires <= now:
            return self._link
        return entry

    def learn(self, address: bytes, mtu: int, now: float) -> None:
        """A connection to ``address`` has found out that packets of ``mtu`` bytes pass, and no larger ones."""
        self._entries.pop(address, None)
        if mtu < self._link.mtu:
            self._entries[address] = PathMtu(mtu, now + LIFETIME)
            if len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)
