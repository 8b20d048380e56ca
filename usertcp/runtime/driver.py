"""The loop that drives a host: reads packets, runs timers, writes what comes out, wakes applications.

One task reads and drives.  An application's call goes into the host from the application's own task and
ends with :meth:`Driver.settle`, so that what it sends leaves at once and not after a detour through the
loop (but see :meth:`Driver.put_off`).  Everything that touches the host is synchronous and protected from
KeyboardInterrupt: a Ctrl-C never lands inside the core.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

import trio

from usertcp.runtime.device import DeviceGone, PacketDevice
from usertcp.runtime.sleeper import Sleeper
from usertcp.stack import loopback
from usertcp.stack.host import Host

if TYPE_CHECKING:
    from usertcp.runtime.stream import TcpStream
    from usertcp.tcp.connection import Connection

#: Timers that fire within so many seconds of each other share a wake-up: a fraction of the shortest one.
GRANULARITY: Final = 0.001
#: Packets taken in before the host answers them: bounded, so that one bulk flow cannot starve the rest.
BATCH: Final = 64


class Driver:
    """Drives ``host`` over ``device``."""

    def __init__(self, host: Host, device: PacketDevice) -> None:
        self.host = host
        self.device = device
        #: Why the loop ended, when it was not asked to.
        self.failure: BaseException | None = None
        #: The loop has ended: nothing will ever come or go.
        self.has_ended = False
        self._stop = trio.CancelScope()
        self._timer = trio.CancelScope()
        self._no_timer_before = -inf
        self._clogged = trio.Event()
        self._is_clogged = False
        self._changes = trio.lowlevel.ParkingLot()
        #: Connections whose words were put off long enough, and where the task that writes them sleeps.
        self._overdue: list[Connection] = []
        self._latecomer = Sleeper()

    @trio.lowlevel.enable_ki_protection
    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Drive until :meth:`stop`.  Not ended by a cancellation from outside: the end of a connection
        needs the loop too.  Raises DeviceGone when the device is taken away."""
        self._stop.shield = True
        try:
            with self._stop:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._unclog)
                    nursery.start_soon(self._keep_time)
                    nursery.start_soon(self._write_overdue)
                    task_status.started()
                    await self._drive()
        except* DeviceGone as gone:
            self.failure = gone
            self._forget_all(str(gone.exceptions[0]))
            raise
        finally:
            self.has_ended = True

    def stop(self) -> None:
        """End :meth:`run`."""
        self._stop.cancel()

    def _forget_all(self, why: str) -> None:
        """No connection will hear or say anything any more: whoever holds one learns it now."""
        now = trio.current_time()
        for connection in list(self.host.connections.values()):
            connection.forget(now, why)
        self.settle(now)

    async def _drive(self) -> None:
        wait_readable = self.device.wait_readable
        while True:
            await wait_readable()
            now = trio.current_time()
            self._take_in(now)
            self.settle(now)

    def _take_in(self, now: float) -> None:
        host, receive = self.host, self.device.receive
        for _ in range(BATCH):
            packet = receive()
            if packet is None:
                return
            host.packet_arrives(packet, now)

    @trio.lowlevel.enable_ki_protection
    async def _keep_time(self) -> None:
        """Wake up when a timer is due.  A task of its own, so that packets need no cancel scope each."""
        while True:
            with trio.CancelScope(deadline=self._next_timer()) as self._timer:
                await trio.sleep_forever()
            now = trio.current_time()
            self._take_in(now)  # first: an acknowledgment that is here already stops the clock
            self.host.run_timers(now)
            self._no_timer_before = now + GRANULARITY
            self.settle(now)

    def _next_timer(self) -> float:
        return max(self.host.deadline(), self._no_timer_before)

    @trio.lowlevel.enable_ki_protection
    def settle(self, now: float) -> None:
        """Let the host put out what it may, write it, and wake who waits.  Ends every way into the host."""
        host = self.host
        host.flush(now)
        if host.loopback:
            loopback.deliver(host, now)
        if host.outbox and not self._is_clogged:
            self._write()
        if host.woken:
            if self._changes:
                self._changes.unpark_all()
            woken, host.woken = host.woken, []
            for connection in woken:
                stream: TcpStream | None = connection.user
                bits, connection.pending = connection.pending, 0
                if stream is not None:
                    stream.woken(bits)
        if host.woken_listeners:
            listeners, host.woken_listeners = host.woken_listeners, []
            for listener in listeners:
                listener.pending = False
                if listener.user is not None:
                    listener.user.woken()
        deadline = self._next_timer()
        if deadline < self._timer.deadline:
            self._timer.deadline = deadline

    def put_off(self, connection: Connection) -> None:
        """In place of :meth:`settle`, where the application of ``connection`` seems about to say more: what it has
        said so far waits for :meth:`go_on`, or for the turn after :meth:`expect_no_more`."""
        self.host.hold(connection)

    def go_on(self, connection: Connection, now: float) -> None:
        """:meth:`settle`, and what was put off of ``connection`` waits no more."""
        self.host.let_out(connection)
        self.settle(now)

    def expect_no_more(self, connection: Connection) -> None:
        """What was put off waits until the task that runs now has had its turn, and no longer."""
        self._overdue.append(connection)
        self._latecomer.wake()

    @trio.lowlevel.enable_ki_protection
    async def _write_overdue(self) -> None:
        while True:
            await self._latecomer.sleep()
            overdue, self._overdue = self._overdue, []
            if [each for each in overdue if self.host.let_out(each)]:
                self.settle(trio.current_time())

    async def wait_for_change(self) -> None:
        """Wait until a connection has something to tell its application."""
        await self._changes.park()

    def _write(self) -> None:
        outbox, send = self.host.outbox, self.device.send
        try:
            while outbox:
                if not send(outbox[0]):
                    self._is_clogged = True
                    self._clogged.set()
                    return
                outbox.popleft()
        except DeviceGone:
            # The loop finds it out too, and tells; nothing more can leave.
            outbox.clear()

    @trio.lowlevel.enable_ki_protection
    async def _unclog(self) -> None:
        """Where the device is full, go on when it is not."""
        while True:
            await self._clogged.wait()
            await self.device.wait_writable()
            self._clogged = trio.Event()
            self._is_clogged = False
            self._write()
