"""MSG_FASTOPEN and TCP_FASTOPEN_CONNECT: data with the SYN (RFC 7413)."""

from __future__ import annotations

from errno import EALREADY, EDESTADDRREQ, EINPROGRESS, EISCONN, EOPNOTSUPP
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import tcp_opening
from usertcp.sim.posix.addresses import SocketAddress, on_the_wire
from usertcp.sim.posix.constants import AF_UNSPEC, MSG_DONTWAIT, SOL_TCP, TCP_FASTOPEN_CONNECT
from usertcp.sim.posix.descriptors import Steps
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.sockets import Sending
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket

#: Bits of net.ipv4.tcp_fastopen.
CLIENT: Final = 0x1
SERVER: Final = 0x2
EVERY_LISTENER: Final = 0x400


def send(socket: TcpSocket, what: Sending) -> Steps[int]:
    """Connect, with data where the server allows it; returns how much went with the SYN, once the handshake is over
    or, where the call may not wait, at once.

    Raises OSError: EINPROGRESS where the call may not wait and no data went, and those of connect().
    """
    address = socket.deferred or what.address
    if not socket.machine.config.fast_open & CLIENT or (address is not None and address.family == AF_UNSPEC):
        raise failure(EOPNOTSUPP)
    if socket.connected:
        raise failure(EISCONN)
    if socket.connecting and socket.deferred is None:
        yield from tcp_opening.wait(socket, socket.machine.now, EALREADY)
        return 0  # it is over: all data goes as any other
    if socket.state is not State.CLOSED:
        raise failure(EISCONN)
    if address is None:
        raise failure(EDESTADDRREQ)
    socket.deferred = None
    connection = tcp_opening.begin(socket, address, data=what.data, with_syn=True)
    sent = len(connection.send_buffer)
    socket.space.added(connection.send_buffer.start, end_of_record=True)
    deadline = socket.patience(socket.send_timeout, what.flags & MSG_DONTWAIT)
    try:
        yield from tcp_opening.wait(socket, deadline, EINPROGRESS)
    except OSError as error:
        if error.errno != EINPROGRESS or not sent:
            raise
    return sent


def defers(socket: TcpSocket, address: SocketAddress) -> bool:
    """Whether connect() leaves the SYN to the first data: TCP_FASTOPEN_CONNECT is on, and a cookie is known
    or not needed."""
    if not socket.flag(SOL_TCP, TCP_FASTOPEN_CONNECT) or not socket.machine.config.fast_open & CLIENT:
        return False
    if not socket.settings.fast_open_client_cookie:
        return True
    return socket.machine.host.knows_cookie(on_the_wire(address.address), address.port, socket.machine.now)
