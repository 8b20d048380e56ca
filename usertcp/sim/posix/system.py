"""What sockets know of the system that they belong to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from usertcp.sim.posix.config import SocketConfig

if TYPE_CHECKING:
    from usertcp.sim.posix.sockets import Socket
    from usertcp.stack.host import Host
    from usertcp.tcp.settings import Settings

#: Settings that are remembered: options differ between the programs of a system, not between their sockets.
_MOST_VARIANTS: Final = 256


class System(ABC):
    """A host, the time, and what a system decides about sockets; :mod:`.kernel` has one in virtual time."""

    def __init__(self, host: Host, now: float, personality: str, config: SocketConfig | None) -> None:
        self.host = host
        #: Seconds.
        self.now = now
        #: Whose errno and option semantics the calls have, where systems differ: "linux" or "freebsd".
        self.personality = personality
        #: May be replaced at any time.
        self.config = config or SocketConfig()
        self._cookies = 0
        self._variants: dict[tuple[int, tuple[tuple[str, Any], ...]], tuple[Settings, Settings]] = {}

    def new_cookie(self) -> int:
        """A number that no socket had before."""
        self._cookies += 1
        return self._cookies

    @abstractmethod
    def sockets(self) -> list[Socket]:
        """Every open socket."""

    def variant(self, settings: Settings, changes: dict[str, Any]) -> Settings:
        """``settings`` with other values of some fields: one object for all sockets that ask for the same."""
        key = (id(settings), tuple(changes.items()))
        found = self._variants.get(key)
        if found is None:
            if len(self._variants) >= _MOST_VARIANTS:
                self._variants.clear()
            # The first one is kept for its id.
            found = self._variants[key] = (settings, replace(settings, **changes))
        return found[1]
