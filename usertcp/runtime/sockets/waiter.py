"""One place where a task sleeps until a socket may be ready."""

from __future__ import annotations

import trio

from usertcp.runtime.sleeper import Sleeper


class Waiter(Sleeper):
    """Lets one task at a time wait, as trio's own sockets do; a second one gets BusyResourceError."""

    __slots__ = ("_rung", "_what")

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self._rung = False

    def listen(self) -> None:
        """Before the call that may have to be waited for: what happens from now on, it does not know yet."""
        self._rung = False

    async def sleep(self) -> None:
        """Wait for :meth:`wake`, unless there was one since :meth:`listen`.  A checkpoint; nothing is lost when it
        is cancelled."""
        if self._task is not None:
            raise trio.BusyResourceError(f"another task is already {self._what} this socket")
        if self._rung:
            await trio.lowlevel.checkpoint()
        else:
            await super().sleep()

    def wake(self) -> None:
        """It may be ready: end the :meth:`sleep`, if there is one."""
        self._rung = True
        super().wake()
