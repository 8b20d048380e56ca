"""A socket of the stack without a descriptor: the calls of :mod:`usertcp.sim.posix`, and who waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.runtime.sockets.beacon import Beacon
from usertcp.runtime.sockets.waiter import Waiter
from usertcp.sim.posix.constants import (
    O_NONBLOCK,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
)
from usertcp.sim.posix.tcp_socket import SEND, TcpSocket

if TYPE_CHECKING:
    from usertcp.runtime.sockets.table import SocketTable
    from usertcp.sim.posix.system import System
    from usertcp.tcp.connection import Connection

_IN: Final = POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND
_OUT: Final = POLLOUT | POLLWRNORM | POLLWRBAND
_ANYTHING: Final = POLLERR | POLLHUP
#: A super-segment.
_PIECE: Final = 1 << 16


class Endpoint(TcpSocket):
    """A TCP socket in trio's time.  What the usual calls do on an open connection is done here without a copy;
    everything else is done by :class:`~usertcp.sim.posix.tcp_socket.TcpSocket`."""

    machine: SocketTable

    def __init__(self, machine: System, domain: int, flags: int = 0) -> None:
        super().__init__(machine, domain, flags | O_NONBLOCK)
        self.overrides["unread_stays"] = True  # as on a kernel's socket, whatever the host's streams do
        self.readers = Waiter("reading from")
        self.writers = Waiter("writing to")
        #: Whether nobody holds it any more.
        self.gone = False
        #: What :meth:`beacon` gave; None: nobody has asked.
        self._beacon: Beacon | None = None
        self.machine.opened(self)

    def let_go(self) -> None:
        """close(2): who waits is woken.  May be called again."""
        if self.gone:
            return
        self.gone = True
        for _ in self.close():
            break
        self.machine.closed(self)
        beacon, self._beacon = self._beacon, None
        if beacon is not None:
            beacon.close()
        self.wake()

    # -- Wake-ups ---------------------------------------------------------------------------------------------

    def woken(self, bits: int = 0) -> None:
        """Called by the driver, which has just settled the host."""
        if self.listener is not None:
            self.wake()
        else:
            self.machine.tick()
            super().woken(bits)
            self.settled()
        self.shine()

    def settled(self) -> None:
        super().settled()
        connection = self.connection
        if self.no_space and connection is not None:
            connection.blocked_on_room = True  # the next acknowledgment is news

    def wake(self, key: int = 0) -> None:
        if not key or key & (_IN | _ANYTHING):
            self.readers.wake()
        if not key or key & (_OUT | _ANYTHING):
            self.writers.wake()

    @property
    def is_readable(self) -> bool:
        """Whether a read (or accept) would not wait."""
        return bool(self.poll() & (POLLIN | _ANYTHING))

    @property
    def is_writable(self) -> bool:
        """Whether a write would not wait; where it would, :attr:`writers` hear of it when it would not."""
        if self.poll() & (POLLOUT | _ANYTHING):
            return True
        if self.connection is not None:
            self.connection.blocked_on_room = True
        return False

    def beacon(self) -> int:
        """A descriptor that can be polled for reading, and nothing else; it is closed with the socket."""
        if self._beacon is None:
            self._beacon = Beacon()
            self.shine()
        return self._beacon.fd

    def shine(self) -> None:
        """What can be read may have changed."""
        if self._beacon is not None:
            self._beacon.show(self.is_readable)

    # -- The usual calls --------------------------------------------------------------------------------------

    def receivable(self) -> Connection | None:
        """The connection, if it has plain data to read; None: receive() has to look closer."""
        connection = self.connection
        if connection is None or connection.rcv_up is not None or not connection.receive_buffer.ready.length:
            return None
        return connection

    def sendable(self) -> Connection | None:
        """The connection, if it is open for sending; None: send() has to look closer."""
        connection = self.connection
        if connection is None or self.error or self.shutdown_mask & SEND or self.opening or self.deferred is not None:
            return None
        return connection

    def hand_over(self, connection: Connection, data: memoryview) -> int:
        """Let ``connection`` have as much of ``data`` (at least a byte) as there is room for; 0: none."""
        low_water = self.space.low_water
        offered = data[: _may_leave(connection, low_water)] if low_water else data
        taken = connection.send(offered, self.machine.now) if offered else 0
        if taken < len(data):
            self.no_space = connection.blocked_on_room = True
        return taken


def _may_leave(connection: Connection, low_water: int) -> int:
    """How much is taken where little is to wait unsent (TCP_NOTSENT_LOWAT): nothing where as much waits already, else
    what the windows let out now and so much more, at least a super-segment."""
    unsent = connection.send_buffer.end - connection.snd_nxt
    if unsent >= low_water:
        return 0
    theirs = connection.snd_una + connection.snd_wnd - connection.snd_nxt
    ours = connection.congestion.cwnd - connection.in_flight
    return max(_PIECE, min(theirs, ours) + low_water - unsent)
