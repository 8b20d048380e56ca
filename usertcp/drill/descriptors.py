"""The script's descriptors and the live ones, which may have other numbers."""

from __future__ import annotations

from typing import Final

#: A live number that no descriptor has, for those that the script never opened.
_NEVER_OPEN: Final = 1_000_000


class Descriptors:
    """Which live descriptor each number in the script stands for."""

    def __init__(self) -> None:
        self._live: dict[int, int] = {}
        self._sockets: list[int] = []
        #: Script numbers of connections in the order in which they came to be, the newest last.
        self._connections: list[int] = []

    def live(self, script: int) -> int:
        """The live descriptor; for one that is not open, and for a negative number, one that is not open either."""
        if script < 0:
            return script
        return self._live.get(script, _NEVER_OPEN + script)

    def script(self, live: int) -> int:
        """What the script calls ``live``; the number itself if it has no name for it."""
        return next((script for script, number in self._live.items() if number == live), live)

    def opened(self, script: int, live: int, *, socket: bool = True) -> None:
        """The script has a new descriptor.  Raises ValueError if it calls another one so."""
        if script in self._live:
            raise ValueError(f"the script has a descriptor {script} already")
        self._live[script] = live
        if socket:
            self._sockets.append(script)

    def connected(self, script: int) -> None:
        """``script`` is a connection, or tries to become one."""
        self.forget_connection(script)
        self._connections.append(script)

    def closed(self, script: int) -> None:
        """The descriptor is gone."""
        self._live.pop(script, None)
        if script in self._sockets:
            self._sockets.remove(script)
        self.forget_connection(script)

    def forget_connection(self, script: int) -> None:
        """``script`` is no connection any more."""
        if script in self._connections:
            self._connections.remove(script)

    def is_open(self, script: int) -> bool:
        """Whether the script has such a descriptor."""
        return script in self._live

    def newest(self) -> int | None:
        """The live descriptor that assertions about the connection are about: the newest connection that is still
        open, else the newest socket; None where there is none."""
        newest = (self._connections or self._sockets)[-1:]
        return self._live[newest[0]] if newest else None
