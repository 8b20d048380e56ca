"""A TCP socket: what an application sees of a connection, a listener, or neither.

The state is that of Linux's ``struct sock``: a connection whose application still holds it is CLOSED to it as soon
as it is in TIME-WAIT.  What each call does stands in :mod:`.tcp_opening` and :mod:`.tcp_transfer`.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from errno import (
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EHOSTUNREACH,
    EINVAL,
    ENOTCONN,
    EPIPE,
    ETIMEDOUT,
)
from typing import TYPE_CHECKING, Any, Final

from usertcp.sim.posix import tcp_opening, tcp_transfer
from usertcp.sim.posix.addresses import SocketAddress, for_socket
from usertcp.sim.posix.constants import (
    IPPROTO_TCP,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
    SHUT_RDWR,
    SOCK_STREAM,
)
from usertcp.sim.posix.descriptors import File, Steps
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.sockets import EPSILON, Message, Receiving, Sending, Socket
from usertcp.stack.listener import Listener
from usertcp.tcp.connection import Connection
from usertcp.tcp.errors import (
    ConnectionAborted,
    ConnectionRefused,
    ConnectionReset,
    ConnectionTimedOut,
    HostUnreachable,
)
from usertcp.tcp.states import RECEIVE_CLOSED, State
from usertcp.tcp.wakeup import ENDED, READABLE, WRITABLE

if TYPE_CHECKING:
    from usertcp.sim.posix.kernel import Kernel
    from usertcp.tcp.settings import Settings

RECEIVE: Final = 1
SEND: Final = 2
#: Wake-ups as Linux keys them.
_IN: Final = POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND
_OUT: Final = POLLOUT | POLLWRNORM | POLLWRBAND
_ANY: Final = 0
#: The states in which an abort has somebody to tell (RFC 9293 §3.10.5).
_RESETTING: Final = frozenset(
    {State.SYN_RECEIVED, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSE_WAIT}
)
_OPENING: Final = frozenset({State.SYN_SENT, State.SYN_RECEIVED})
_ENDING: Final = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})


class Phase(Enum):
    """How far connect() has come, as the socket layer counts it (Linux's ``enum sock_state``)."""

    UNCONNECTED = "unconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class TcpSocket(Socket):
    """SOCK_STREAM, IPPROTO_TCP."""

    kind = SOCK_STREAM
    protocol = IPPROTO_TCP

    def __init__(self, machine: Kernel, domain: int, flags: int) -> None:
        super().__init__(machine, domain, flags)
        self.connection: Connection | None = None
        self.listener: Listener | None = None
        self.phase = Phase.UNCONNECTED
        #: What the application has shut down: RECEIVE, SEND.
        self.shut = 0
        #: What is different from the host's settings.
        self.overrides: dict[str, Any] = {}
        #: SO_LINGER: None: off; else seconds.
        self.linger: float | None = None
        #: The peer's FIN was seen before anything else ended the connection.
        self.done = False
        #: Somebody waits for room in the send buffer.
        self.no_space = False
        self._seen = State.CLOSED

    # -- State --------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """CLOSED, LISTEN, or the connection's state."""
        if self.listener is not None:
            return State.LISTEN
        connection = self.connection
        if connection is None or connection.state is State.TIME_WAIT:
            return State.CLOSED
        return connection.state

    @property
    def opening(self) -> bool:
        """Whether the handshake goes on, and nothing can be read or written before its end."""
        connection = self.connection
        return connection is not None and connection.state in _OPENING and not connection.early

    @property
    def peer_closed(self) -> bool:
        """The peer's FIN has come (not: everything before it was read)."""
        connection = self.connection
        return connection is not None and (
            connection.state in RECEIVE_CLOSED
            or (connection.rcv_fin is not None and connection.rcv_nxt > connection.rcv_fin)
        )

    @property
    def shutdown_mask(self) -> int:
        """RECEIVE and SEND, whoever shut them down (Linux's ``sk_shutdown``)."""
        connection = self.connection
        if connection is None:
            return self.shut
        if connection.is_over or connection.state is State.TIME_WAIT:
            return RECEIVE | SEND
        return self.shut | (RECEIVE if self.peer_closed else 0)

    @property
    def settings(self) -> Settings:
        """Those of a connection that would be made now."""
        return replace(self.machine.host.config.settings, **self.overrides)

    def override(self, **values: Any) -> None:
        """Let the socket's connection, those that its listener makes, and those of later calls have these settings."""
        self.overrides.update(values)
        if self.connection is not None:
            self.connection.settings = replace(self.connection.settings, **values)
        if self.listener is not None:
            self.listener.settings = self.settings

    @property
    def connected(self) -> bool:
        """Whether connect() has succeeded, or accept() made this socket."""
        return self.phase is Phase.CONNECTED

    @property
    def connecting(self) -> bool:
        """Whether connect() was called and nobody has heard of its end."""
        return self.phase is Phase.CONNECTING

    def is_connecting(self) -> None:
        """connect() has begun."""
        self.phase = Phase.CONNECTING

    def is_connected(self) -> None:
        """connect() has succeeded."""
        self.phase = Phase.CONNECTED

    def child(self, flags: int) -> TcpSocket:
        """A socket for a connection that this one accepts, with the options of this one."""
        child = TcpSocket(self.machine, self.domain, flags)
        child.overrides = dict(self.overrides)
        child.linger = self.linger
        child.receive_timeout, child.send_timeout = self.receive_timeout, self.send_timeout
        child.phase = Phase.CONNECTED
        return child

    def attach(self, connection: Connection) -> None:
        """The socket is an end of ``connection`` now."""
        self.connection = connection
        connection.user = self
        self._seen = connection.state
        self.done = False
        if connection.is_over:
            self._ended(connection)

    def disconnect(self) -> None:
        """Be a socket of nothing again (Linux's tcp_disconnect).  The peer learns of it by a RST."""
        if self.listener is not None:
            self.stop_listening()
        connection, self.connection = self.connection, None
        if connection is not None:
            before = connection.state
            connection.user = None
            connection.abort(self.machine.now)
            if before in _RESETTING or before is State.SYN_SENT:
                self.error = ECONNRESET
        self.shut = 0
        self.done = False
        self.phase = Phase.UNCONNECTED
        tcp_opening.unbind(self)
        self.wake(_ANY)

    def stop_listening(self) -> None:
        """No longer a listener; who waits to be accepted is reset."""
        listener, self.listener = self.listener, None
        if listener is not None:
            listener.user = None
            listener.close(self.machine.now)

    # -- Wake-ups -----------------------------------------------------------------------------------------------

    def woken(self, bits: int) -> None:
        """The connection has something to tell (:mod:`usertcp.tcp.wakeup`)."""
        connection = self.connection
        if connection is None:
            return
        if bits & ENDED:
            self._ended(connection)
        if bits & ~(READABLE | WRITABLE):
            self.wake(_ANY)
        elif bits & READABLE:
            self.wake(_ANY if self.peer_closed else _IN)

    def settled(self) -> None:
        """Something may have happened: note what later calls must know, and tell who waits for room."""
        connection = self.connection
        if connection is None:
            return
        if not connection.is_over:
            self._seen = connection.state
        self.done = self.done or self.peer_closed
        if self.no_space and self.writable:
            self.no_space = False
            self.wake(_OUT)

    def _ended(self, connection: Connection) -> None:
        error = connection.error
        if isinstance(error, ConnectionRefused):
            self.error = ECONNREFUSED
        elif isinstance(error, ConnectionReset):
            closed_by_peer = self._seen is State.CLOSE_WAIT and self.machine.personality == "linux"
            self.error = EPIPE if closed_by_peer else ECONNRESET
        elif isinstance(error, ConnectionTimedOut):
            self.error = ETIMEDOUT
        elif isinstance(error, HostUnreachable):
            self.error = EHOSTUNREACH
        elif isinstance(error, ConnectionAborted):
            self.error = ECONNABORTED

    @property
    def writable(self) -> bool:
        """Whether a third of the send buffer is free."""
        connection = self.connection
        return connection is None or 3 * connection.send_room >= connection.settings.send_buffer

    # -- The calls ----------------------------------------------------------------------------------------------

    def bind(self, address: SocketAddress) -> None:
        tcp_opening.bind(self, address)

    def listen(self, backlog: int) -> None:
        tcp_opening.listen(self, backlog)

    def accept(self, flags: int) -> Steps[tuple[File, SocketAddress]]:
        return (yield from tcp_opening.accept(self, flags))

    def connect(self, address: SocketAddress) -> Steps[None]:
        yield from tcp_opening.connect(self, address)

    def send(self, what: Sending) -> Steps[int]:
        return (yield from tcp_transfer.send(self, what))

    def receive(self, what: Receiving) -> Steps[Message]:
        return (yield from tcp_transfer.receive(self, what))

    def shutdown(self, how: int) -> None:
        if how not in (0, 1, SHUT_RDWR):
            raise failure(EINVAL)
        directions = how + 1
        state = self.state
        if state in (State.LISTEN, State.SYN_SENT):
            if state is State.SYN_SENT or directions & RECEIVE:
                self.disconnect()
            return
        self.shut |= directions
        connection = self.connection
        if state is State.CLOSED or connection is None:
            self.wake(_ANY)
            raise failure(ENOTCONN)
        if directions & SEND:
            connection.close(self.machine.now)
        self.wake(_ANY)

    def close(self) -> Steps[None]:
        self.shut = RECEIVE | SEND
        self.stop_listening()
        tcp_opening.give_back_port(self)
        connection, self.connection = self.connection, None
        if connection is None:
            return
        connection.user = None
        now = self.machine.now
        unread = connection.receive_buffer.ready
        if unread.length and connection.state is not State.TIME_WAIT and self.machine.personality == "linux":
            connection.abort(now)
            return
        unread.clear()
        if self.linger == 0:
            connection.abort(now)
            return
        connection.release(now)
        if self.linger and not self.nonblocking:
            deadline = now + self.linger
            while connection.state in _ENDING and self.machine.now < deadline - EPSILON:
                yield deadline

    def name(self) -> SocketAddress:
        connection = self.connection
        if connection is None:
            return self.local
        return for_socket(self.domain, connection.local_address, connection.local_port)

    def peer_name(self) -> SocketAddress:
        connection = self.connection
        if connection is None or self.state in (State.CLOSED, State.SYN_SENT):
            raise failure(ENOTCONN)
        return for_socket(self.domain, connection.remote_address, connection.remote_port)

    # -- Polling ------------------------------------------------------------------------------------------------

    def poll(self) -> int:
        listener = self.listener
        if listener is not None:
            return POLLIN | POLLRDNORM if listener.ready else 0
        state, shut = self.state, self.shutdown_mask
        mask = 0
        if shut == RECEIVE | SEND or state is State.CLOSED:
            mask |= POLLHUP
        if shut & RECEIVE:
            mask |= POLLIN | POLLRDNORM | POLLRDHUP
        if not self.opening:
            mask |= self._transfer_mask(shut)
        if self.error or self.error_queue:
            mask |= POLLERR
        return mask

    def _transfer_mask(self, shut: int) -> int:
        mask = 0
        connection = self.connection
        if connection is not None and connection.receive_buffer.ready.length:
            mask |= POLLIN | POLLRDNORM
        if shut & SEND or self.writable:
            mask |= POLLOUT | POLLWRNORM
        else:
            self.no_space = True
        return mask
