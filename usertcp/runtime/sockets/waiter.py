"""One place where a task sleeps until a socket may be ready."""

from __future__ import annotations

import trio


class Waiter:
    """Lets one task at a time wait, as trio's own sockets do; a second one gets BusyResourceError."""

    __slots__ = ("_rung", "_task", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._task: trio.lowlevel.Task | None = None
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
            return
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._cancelled)

    def _cancelled(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        """It may be ready: end the :meth:`sleep`, if there is one."""
        self._rung = True
        task = self._task
        if task is not None:
            self._task = None
            trio.lowlevel.reschedule(task)
