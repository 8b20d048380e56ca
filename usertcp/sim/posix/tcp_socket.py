"""A TCP socket: what an application sees of a connection, a listener, or neither.

The state is that of Linux's ``struct sock``: a connection whose application still holds it is CLOSED to it as soon
as it is in TIME-WAIT.  What each call does stands in :mod:`.tcp_opening`, :mod:`.tcp_transfer`, :mod:`.tcp_closing`
and :mod:`.tcp_polling`; what FreeBSD does otherwise in :mod:`.tcp_freebsd`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from errno import ENOTCONN
from typing import TYPE_CHECKING, Any, Final

from usertcp.sim.posix import (
    binding,
    freebsd_options,
    ip_options,
    options,
    tcp_closing,
    tcp_errors,
    tcp_freebsd,
    tcp_opening,
    tcp_options,
    tcp_polling,
    tcp_queries,
    tcp_transfer,
)
from usertcp.sim.posix import constants as c
from usertcp.sim.posix.addresses import SocketAddress, for_socket
from usertcp.sim.posix.busy_time import BusyTime
from usertcp.sim.posix.constants import (
    POLLERR,
    POLLIN,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
)
from usertcp.sim.posix.descriptors import File, Steps
from usertcp.sim.posix.errors import NotSupported, failure
from usertcp.sim.posix.send_space import SendSpace
from usertcp.sim.posix.sockets import Message, Receiving, Sending, Socket
from usertcp.sim.posix.tcp_completions import Completions
from usertcp.sim.posix.urgent import Urgent
from usertcp.stack.listener import Listener
from usertcp.tcp import options as live
from usertcp.tcp.connection import Connection
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import RECEIVE_CLOSED, State
from usertcp.tcp.wakeup import ENDED, OPENED, READABLE, REPORTED

if TYPE_CHECKING:
    from usertcp.sim.posix.system import System

RECEIVE: Final = 1
SEND: Final = 2
#: Wake-ups as Linux keys them.
_IN: Final = POLLIN | POLLPRI | POLLRDNORM | POLLRDBAND
_OUT: Final = POLLOUT | POLLWRNORM | POLLWRBAND
_ANY: Final = 0
_OPENING: Final = frozenset({State.SYN_SENT, State.SYN_RECEIVED})
_SETTINGS: Final = frozenset(field.name for field in fields(Settings))
#: The least receive buffer (SOCK_MIN_RCVBUF).
_LEAST_RECEIVE_BUFFER: Final = 2304

_LINUX: Final[dict[int, options.Table]] = {
    c.SOL_SOCKET: tcp_options.SOCKET,
    c.SOL_IP: ip_options.IP,
    c.SOL_TCP: tcp_options.TABLE,
}
_FREEBSD: Final[dict[int, options.Table]] = {
    c.SOL_SOCKET: {**tcp_options.SOCKET, **freebsd_options.SOCKET},
    c.SOL_IP: {**ip_options.IP, **freebsd_options.IP},
    c.SOL_TCP: {**tcp_options.TABLE, **freebsd_options.TCP},
}
_TABLES: Final[dict[tuple[str, int], dict[int, options.Table]]] = {
    ("linux", c.AF_INET): _LINUX,
    ("linux", c.AF_INET6): {**_LINUX, c.SOL_IPV6: ip_options.IPV6},
    ("freebsd", c.AF_INET): _FREEBSD,
    ("freebsd", c.AF_INET6): {**_FREEBSD, c.SOL_IPV6: {**ip_options.IPV6, **freebsd_options.IPV6}},
}


class Phase(Enum):
    """How far connect() has come, as the socket layer counts it (Linux's ``enum sock_state``)."""

    UNCONNECTED = "unconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class TcpSocket(Socket):
    """SOCK_STREAM, IPPROTO_TCP."""

    kind = c.SOCK_STREAM
    protocol = c.IPPROTO_TCP

    def __init__(self, machine: System, domain: int, flags: int) -> None:
        super().__init__(machine, domain, flags)
        self.connection: Connection | None = None
        self.listener: Listener | None = None
        self.phase = Phase.UNCONNECTED
        #: What the application has shut down: RECEIVE, SEND.
        self.shut = 0
        #: What is different from the host's settings.
        self.overrides: dict[str, Any] = {}
        self.space = SendSpace(machine)
        self.busy_time = BusyTime()
        self.urgent = Urgent()
        self.completions = Completions()
        #: SO_RCVBUF as it was set, doubled; 0: it was not.
        self.receive_buffer_chosen = 0
        #: TCP_LINGER2, TCP_DEFER_ACCEPT in SYN,ACKs, TCP_FASTOPEN, TCP_CORK; 0 where they were not set.
        self.linger2 = 0
        self.defer_accept = 0
        self.fast_open = 0
        #: TCP_FASTOPEN_KEY.
        self.fast_open_keys: tuple[bytes, ...] = ()
        self.corked = False
        #: listen()'s backlog, bounded.
        self.backlog = 0
        #: TCP_FASTOPEN_CONNECT: connect() only noted the address; the SYN goes with the first data.
        self.deferred: SocketAddress | None = None
        #: The peer's FIN was seen before anything else ended the connection.
        self.done = False
        #: Somebody waits for room in the send buffer.
        self.no_space = False
        #: The errno of an ICMP error that has come just now.
        self.icmp_error = 0
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
    def listening(self) -> bool:
        return self.listener is not None

    @property
    def unread(self) -> int:
        """Bytes that wait to be read."""
        return 0 if self.connection is None else self.connection.receive_buffer.ready.length

    @property
    def settings(self) -> Settings:
        """Those of a connection that would be made now."""
        changes = {"send_buffer": self.space.bound, **self.overrides}
        return self.machine.variant(self.machine.host.config.settings, changes)

    def override(self, **values: Any) -> None:
        """Let the socket's connection, those that its listener makes, and those of later calls have these settings.

        Raises NotSupported where the core has no such setting.
        """
        for name in values:
            if name not in _SETTINGS:
                raise NotSupported(f"the setting {name}")
        self.overrides.update(values)
        if self.connection is not None:
            self.connection.settings = self.machine.variant(self.connection.settings, values)
        if self.listener is not None:
            self.listener.settings = self.settings

    def child(self, flags: int) -> TcpSocket:
        """A socket for a connection that this one accepts, with the options of this one."""
        child = type(self)(self.machine, self.domain, flags)
        child.overrides = dict(self.overrides)
        child.numbers = dict(self.numbers)
        child.space = self.space.copy()
        child.linger, child.linger_seconds = self.linger, self.linger_seconds
        child.receive_timeout, child.send_timeout = self.receive_timeout, self.send_timeout
        child.receive_low_water = self.receive_low_water
        child.receive_buffer_chosen, child.linger2 = self.receive_buffer_chosen, self.linger2
        child.corked = self.corked
        child.phase = Phase.CONNECTED
        return child

    def attach(self, connection: Connection) -> None:
        """The socket is an end of ``connection`` now."""
        self.connection = connection
        connection.user = self
        self._seen = connection.state
        self.done = self.peer_closed
        self.error = 0
        self.busy_time = BusyTime()
        self.urgent = Urgent()
        if connection.settings.send_buffer != self.space.bound:
            connection.settings = self.machine.variant(connection.settings, {"send_buffer": self.space.bound})
        connection.corked = self.corked
        self.space.restart()
        if connection.state not in _OPENING:
            self.space.established(connection)
        if connection.is_over:
            self._ended(connection)

    def disconnect(self) -> None:
        """Be a socket of nothing again.  The peer learns of it by a RST."""
        tcp_closing.disconnect(self)

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

    def is_unconnected(self) -> None:
        """What there was is undone."""
        self.shut = 0
        self.done = False
        self.deferred = None
        self.phase = Phase.UNCONNECTED

    # -- Wake-ups -----------------------------------------------------------------------------------------------

    def woken(self, bits: int) -> None:
        """The connection has something to tell (:mod:`usertcp.tcp.wakeup`)."""
        connection = self.connection
        if connection is None:
            return
        if bits & OPENED:
            self.space.established(connection)
        if bits & REPORTED and self.icmp_error:
            tcp_errors.reported(self, self.icmp_error)
        if bits & ENDED:
            self._ended(connection)
        if bits & (OPENED | ENDED) or (bits & READABLE and self.peer_closed):
            self.wake(_ANY)
        elif bits & READABLE and (tcp_transfer.readable(self) or self.urgent.pending(connection)):
            self.wake(_IN)

    def settled(self) -> None:
        """Something may have happened: note what later calls must know, and tell who waits for room."""
        connection = self.connection
        if connection is None:
            return
        if not connection.is_over:
            self._seen = connection.state
        self.done = self.done or self.peer_closed
        if self.shut & RECEIVE and tcp_freebsd.is_freebsd(self):
            tcp_freebsd.discard(connection)
        self.busy_time.look(connection, self.machine.now, wants_room=self.no_space)
        if self.completions.look(self, connection):
            self.wake(POLLERR)
        if self.no_space:
            self.space.grow(connection)
            if self.space.writable(connection):
                self.no_space = False
                self.wake(_OUT)

    def _ended(self, connection: Connection) -> None:
        self.error = self.error or tcp_errors.of_ending(self, connection, self._seen)

    # -- The calls ----------------------------------------------------------------------------------------------

    def bind(self, address: SocketAddress) -> None:
        binding.bind(self, address, in_use=self.state is not State.CLOSED)

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

    def ioctl(self, request: int, argument: int) -> int:
        return tcp_queries.ioctl(self, request)

    def poll(self) -> int:
        return tcp_freebsd.poll(self) if tcp_freebsd.is_freebsd(self) else tcp_polling.poll(self)

    def shutdown(self, how: int) -> None:
        tcp_closing.shutdown(self, how)

    def close(self) -> Steps[None]:
        yield from tcp_closing.close(self)

    def get_option(self, level: int, name: int, length: int) -> bytes:
        if level == c.SOL_TCP and tcp_freebsd.is_freebsd(self):
            tcp_freebsd.check_option(self)
        return super().get_option(level, name, length)

    def set_option(self, level: int, name: int, value: bytes) -> None:
        if level == c.SOL_TCP and tcp_freebsd.is_freebsd(self):
            tcp_freebsd.check_option(self)
        super().set_option(level, name, value)

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

    # -- Options ------------------------------------------------------------------------------------------------

    @property
    def tables(self) -> Mapping[int, options.Table]:
        return _TABLES[self.machine.personality, self.domain]

    @property
    def path_mtu(self) -> int | None:
        return None if self.connection is None else self.connection.path_mtu

    @property
    def send_buffer_size(self) -> int:
        return self.space.size

    @property
    def receive_buffer_size(self) -> int:
        if self.receive_buffer_chosen:
            return self.receive_buffer_chosen
        connection = self.connection
        return self.settings.initial_receive_buffer if connection is None else connection.rcv_buf

    def set_send_buffer(self, size: int, *, forced: bool) -> None:
        self.space.choose(size, forced=forced)
        if self.connection is not None:
            live.set_send_buffer(self.connection, self.space.bound)

    def set_receive_buffer(self, size: int, *, forced: bool) -> None:
        config = self.machine.config
        size = size if forced or 0 <= size <= config.receive_buffer_limit else config.receive_buffer_limit
        chosen = max(size * (2 if config.doubles_buffers else 1), _LEAST_RECEIVE_BUFFER)
        self.receive_buffer_chosen = chosen
        self.override(receive_buffer=chosen, initial_receive_buffer=chosen)
        if config.doubles_buffers:
            self.override(window_scale_buffer=0)  # of a buffer that was chosen, the scale follows
        if self.connection is not None:
            live.set_receive_buffer(self.connection, chosen)

    def keepalive_switched(self, *, on: bool) -> None:
        self.override(keepalive=on)
        if self.connection is not None and self.state is not State.CLOSED:
            self.connection.set_keepalive(on, self.machine.now)

    def keepalive_times_changed(self) -> None:
        """The time until the first keep-alive counts from when the peer was heard last."""
        if self.connection is not None and self.state is not State.CLOSED:
            live.keepalive_idle_changed(self.connection, self.machine.now)

    def set_receive_low_water(self, size: int) -> None:
        super().set_receive_low_water(size)
        if self.machine.personality == "linux":
            most = (self.receive_buffer_chosen or self.settings.receive_buffer) // 2
            self.receive_low_water = min(self.receive_low_water, most)

    def headers_changed(self) -> None:
        ipv4 = not any(self.local.address) or len(tcp_opening.wire_address(self)) == 4
        level, tos, ttl = (c.SOL_IP, c.IP_TOS, c.IP_TTL) if ipv4 else (c.SOL_IPV6, c.IPV6_TCLASS, c.IPV6_UNICAST_HOPS)
        chosen = {"traffic_class": self.numbers.get((level, tos)), "ttl": self.numbers.get((level, ttl))}
        self.override(**{name: value for name, value in chosen.items() if value is not None})
        connection = self.connection
        if connection is not None:
            connection.traffic_class = connection.settings.traffic_class
            self.machine.host.make_template(connection)
