"""bind(2), listen(2), accept(2) and connect(2) of a TCP socket."""

from __future__ import annotations

from errno import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EALREADY,
    ECONNABORTED,
    EINPROGRESS,
    EINVAL,
    EISCONN,
    ENETUNREACH,
)
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import constants as c
from usertcp.sim.posix import ports, tcp_fast_open, tcp_freebsd
from usertcp.sim.posix.addresses import SocketAddress, checked, for_socket, is_any, on_the_wire
from usertcp.sim.posix.descriptors import File, Steps
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.times import EPSILON
from usertcp.stack import loopback
from usertcp.stack.errors import AddressInUse, InvalidRemoteAddress, NotOurAddress
from usertcp.stack.listener import Listener
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket
    from usertcp.tcp.connection import Connection

_OPENING: Final = (State.SYN_SENT, State.SYN_RECEIVED)


# -- The socket's own address ------------------------------------------------------------------------------------


def wire_address(socket: TcpSocket) -> bytes:
    """The socket's own address as packets bear it; of zeros for any."""
    connection = socket.connection
    return on_the_wire(socket.local.address) if connection is None else connection.local_address


# -- Passive open ------------------------------------------------------------------------------------------------


def listen(socket: TcpSocket, backlog: int) -> None:
    """listen(2)."""
    if socket.connected or socket.connecting or socket.state not in (State.CLOSED, State.LISTEN):
        raise failure(EINVAL)
    somaxconn = socket.machine.config.somaxconn
    socket.backlog = backlog if 0 <= backlog <= somaxconn else somaxconn
    if socket.listener is not None:
        socket.listener.backlog = _places(socket)
        return
    if not socket.local.port:
        socket.local = socket.local._replace(port=ports.free(socket))
    elif not ports.may_listen(socket):
        raise failure(EADDRINUSE)
    config = socket.machine.config.fast_open
    if config & tcp_fast_open.SERVER and config & tcp_fast_open.EVERY_LISTENER and not socket.fast_open:
        socket.fast_open = socket.backlog
    socket.listener = _listener(socket)
    socket.listener.fast_open_keys = socket.fast_open_keys
    socket.listener.user = socket


def _listener(socket: TcpSocket) -> Listener:
    host, port = socket.machine.host, socket.local.port
    fast_open = socket.fast_open if socket.machine.config.fast_open & tcp_fast_open.SERVER else 0
    addresses = _listening_addresses(socket)
    everywhere = [None] if is_any(socket.local.address) else []
    if any((port, address) in host.listeners for address in (*addresses, *everywhere)):
        raise failure(EADDRINUSE)
    listener = host.listen(
        port, address=addresses[0], backlog=_places(socket), settings=socket.settings, fast_open=fast_open
    )
    for address in addresses[1:]:
        host.listeners[port, address] = listener
    return listener


def _listening_addresses(socket: TcpSocket) -> list[bytes | None]:
    """For the host's table: None stands for all of its addresses, of both families."""
    if not is_any(socket.local.address):
        return [on_the_wire(socket.local.address)]
    host = socket.machine.host
    sizes = {len(address) for address in host.addresses}
    wanted = {4} if socket.domain == c.AF_INET else {4, 16}
    if socket.flag(c.SOL_IPV6, c.IPV6_V6ONLY):
        wanted = {16}
    if sizes <= wanted:
        return [None]
    all_of_them = (*host.addresses, *(loopback.ADDRESSES if host.loopback else ()))
    mine: list[bytes | None] = [address for address in all_of_them if len(address) in wanted]
    if not mine:
        raise failure(EADDRNOTAVAIL)
    return mine


def stop_listening(socket: TcpSocket) -> None:
    """No longer a listener; who waits to be accepted is reset."""
    listener, socket.listener = socket.listener, None
    if listener is None:
        return
    listener.user = None
    table = socket.machine.host.listeners
    for key in [key for key, other in table.items() if other is listener]:
        del table[key]
    listener.close(socket.machine.now)


def _places(socket: TcpSocket) -> int:
    """How many connections may wait: Linux takes one more than it is told, FreeBSD half as many more and one."""
    backlog = socket.backlog
    return backlog + 1 if socket.machine.personality == "linux" else 3 * backlog // 2 + 1


def accept(socket: TcpSocket, flags: int) -> Steps[tuple[File, SocketAddress]]:
    """accept4(2)."""
    deadline = socket.patience(socket.receive_timeout)
    while True:
        listener = socket.listener
        if listener is None:
            raise failure(EINVAL)
        if socket.error:  # FreeBSD's shutdown() of a listener
            raise failure(socket.take_error())
        connection = listener.accept()
        if connection is not None:
            break
        yield from socket.sleep(deadline)
    if tcp_freebsd.is_freebsd(socket) and connection.is_over:
        raise failure(ECONNABORTED)
    child = socket.child(flags)
    child.attach(connection)
    child.local = for_socket(socket.domain, connection.local_address, connection.local_port)
    return child, for_socket(socket.domain, connection.remote_address, connection.remote_port)


# -- Active open -------------------------------------------------------------------------------------------------


def connect(socket: TcpSocket, address: SocketAddress) -> Steps[None]:
    """connect(2)."""
    if address.family == c.AF_UNSPEC:
        socket.disconnect()
        return
    if socket.connected:
        raise failure(EISCONN)
    if tcp_freebsd.is_freebsd(socket):
        tcp_freebsd.check_connect(socket)
    outcome = EALREADY
    if socket.deferred is not None:
        raise failure(EISCONN)
    if not socket.connecting:
        if socket.state is not State.CLOSED:
            raise failure(EISCONN)
        if tcp_fast_open.defers(socket, address):
            socket.deferred = checked(socket.domain, address)
            return
        begin(socket, address, with_syn=socket.flag(c.SOL_TCP, c.TCP_FASTOPEN_CONNECT))
        outcome = EINPROGRESS
    yield from wait(socket, socket.patience(socket.send_timeout), outcome)


def wait(socket: TcpSocket, deadline: float, outcome: int) -> Steps[None]:
    """Wait for the end of the handshake.  Raises OSError ``outcome`` where the deadline comes first, else what
    became of it."""
    while socket.state in _OPENING:
        if socket.machine.now >= deadline - EPSILON:
            raise failure(outcome)
        yield deadline
    if socket.state is State.CLOSED and not (socket.connection is not None and socket.done):
        error = socket.take_error() or ECONNABORTED
        socket.disconnect()
        raise failure(error)
    socket.is_connected()


def begin(socket: TcpSocket, address: SocketAddress, *, data: bytes = b"", with_syn: bool = False) -> Connection:
    """The SYN goes out; ``with_syn``: with what ``data`` it may bring."""
    address = checked(socket.domain, address)
    remote = on_the_wire(address.address)
    if len(remote) == 4 and socket.flag(c.SOL_IPV6, c.IPV6_V6ONLY):
        raise failure(ENETUNREACH)
    local = None if is_any(socket.local.address) else on_the_wire(socket.local.address)
    if local is not None and len(local) != len(remote):
        raise failure(ENETUNREACH)
    try:
        connection = socket.machine.host.connect(
            remote,
            address.port,
            socket.machine.now,
            local_address=local,
            local_port=socket.local.port or None,
            settings=socket.settings,
            data=data,
            with_syn=with_syn,
        )
    except AddressInUse:
        raise failure(EADDRNOTAVAIL) from None
    except (NotOurAddress, InvalidRemoteAddress):
        raise failure(ENETUNREACH) from None
    socket.attach(connection)
    socket.local = for_socket(socket.domain, connection.local_address, connection.local_port)
    socket.is_connecting()
    return connection
