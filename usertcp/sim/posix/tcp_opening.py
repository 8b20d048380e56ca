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

from usertcp.sim.posix.addresses import ANY, SocketAddress, checked, for_socket, is_any, on_the_wire
from usertcp.sim.posix.constants import AF_UNSPEC
from usertcp.sim.posix.descriptors import File, Steps
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.sockets import EPSILON
from usertcp.stack.errors import AddressInUse, NotOurAddress
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket

#: Where the search for a free port begins.
_FIRST_PORT: Final = 32768
_OPENING: Final = (State.SYN_SENT, State.SYN_RECEIVED)


# -- The socket's own address ------------------------------------------------------------------------------------


def bind(socket: TcpSocket, address: SocketAddress) -> None:
    """bind(2)."""
    address = checked(socket.domain, address)
    wire = on_the_wire(address.address)
    if not is_any(address.address) and wire not in socket.machine.host.address_set:
        raise failure(EADDRNOTAVAIL)
    if socket.state is not State.CLOSED or socket.local.port:
        raise failure(EINVAL)
    port = address.port or free_port(socket)
    if address.port and not _may_bind(socket, address):
        raise failure(EADDRINUSE)
    socket.local = SocketAddress(socket.domain, address.address, port)
    socket.bound_address = not is_any(address.address)
    socket.bound_port = bool(address.port)


def free_port(socket: TcpSocket) -> int:
    """A port that no socket of the machine has.  Raises OSError EADDRINUSE."""
    taken = {other.local.port for other in socket.machine.sockets() if other is not socket}
    taken |= {port for port, _ in socket.machine.host.listeners}
    port = next((port for port in range(_FIRST_PORT, 65536) if port not in taken), None)
    if port is None:
        raise failure(EADDRINUSE)
    return port


def _may_bind(socket: TcpSocket, address: SocketAddress) -> bool:
    return True


def unbind(socket: TcpSocket) -> None:
    """What bind() did not choose is forgotten."""
    address = socket.local.address if socket.bound_address else ANY[socket.domain]
    socket.local = SocketAddress(socket.domain, address, socket.local.port if socket.bound_port else 0)


def give_back_port(socket: TcpSocket) -> None:
    """The socket is closed."""
    socket.local = SocketAddress(socket.domain, ANY[socket.domain], 0)


# -- Passive open ------------------------------------------------------------------------------------------------


def listen(socket: TcpSocket, backlog: int) -> None:
    """listen(2)."""
    if socket.connection is not None or socket.connected or socket.connecting:
        raise failure(EINVAL)
    bound = _backlog(socket, backlog)
    if socket.listener is not None:
        socket.listener.backlog = bound
        return
    if not socket.local.port:
        socket.local = socket.local._replace(port=free_port(socket))
    address = None if is_any(socket.local.address) else on_the_wire(socket.local.address)
    try:
        listener = socket.machine.host.listen(
            socket.local.port, address=address, backlog=bound, settings=socket.settings
        )
    except AddressInUse:
        raise failure(EADDRINUSE) from None
    listener.user = socket
    socket.listener = listener


def _backlog(socket: TcpSocket, backlog: int) -> int:
    """How many connections may wait: Linux takes one more than it is told, FreeBSD half as many more and one."""
    somaxconn = socket.machine.config.somaxconn
    if backlog < 0 or backlog > somaxconn:
        backlog = somaxconn
    return backlog + 1 if socket.machine.personality == "linux" else 3 * backlog // 2 + 1


def accept(socket: TcpSocket, flags: int) -> Steps[tuple[File, SocketAddress]]:
    """accept4(2)."""
    deadline = socket.patience(socket.receive_timeout)
    while True:
        listener = socket.listener
        if listener is None:
            raise failure(EINVAL)
        connection = listener.accept()
        if connection is not None:
            break
        yield from socket.sleep(deadline)
    child = socket.child(flags)
    child.attach(connection)
    return child, for_socket(socket.domain, connection.remote_address, connection.remote_port)


# -- Active open -------------------------------------------------------------------------------------------------


def connect(socket: TcpSocket, address: SocketAddress) -> Steps[None]:
    """connect(2)."""
    if address.family == AF_UNSPEC:
        socket.disconnect()
        return
    if socket.connected:
        raise failure(EISCONN)
    outcome = EALREADY
    if not socket.connecting:
        if socket.state is not State.CLOSED:
            raise failure(EISCONN)
        _begin(socket, address)
        outcome = EINPROGRESS
    deadline = socket.patience(socket.send_timeout)
    while socket.state in _OPENING:
        if socket.machine.now >= deadline - EPSILON:
            raise failure(outcome)
        yield deadline
    _finish(socket)


def _finish(socket: TcpSocket) -> None:
    """The handshake is over, well or badly."""
    if socket.state is State.CLOSED:
        error = socket.take_error() or ECONNABORTED
        socket.disconnect()
        raise failure(error)
    socket.is_connected()


def _begin(socket: TcpSocket, address: SocketAddress) -> None:
    """The SYN goes out."""
    address = checked(socket.domain, address)
    remote = on_the_wire(address.address)
    host = socket.machine.host
    local = None if is_any(socket.local.address) else on_the_wire(socket.local.address)
    if local is not None and len(local) != len(remote):
        raise failure(ENETUNREACH)
    try:
        connection = host.connect(
            remote,
            address.port,
            socket.machine.now,
            local_address=local,
            local_port=socket.local.port or None,
            settings=socket.settings,
        )
    except AddressInUse:
        raise failure(EADDRNOTAVAIL) from None
    except NotOurAddress:
        raise failure(ENETUNREACH) from None
    socket.attach(connection)
    socket.local = for_socket(socket.domain, connection.local_address, connection.local_port)
    socket.is_connecting()
