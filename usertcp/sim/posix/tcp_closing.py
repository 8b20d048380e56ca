"""shutdown(2) and close(2) of a TCP socket, and connect(2) to nobody."""

from __future__ import annotations

from errno import ECONNRESET, EINVAL, ENOTCONN
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import binding, tcp_freebsd, tcp_opening
from usertcp.sim.posix.constants import SHUT_RD, SHUT_RDWR, SHUT_WR
from usertcp.sim.posix.descriptors import Steps
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.times import EPSILON
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket
    from usertcp.tcp.connection import Connection

_RECEIVE: Final = 1
_SEND: Final = 2
#: The states in which an abort has somebody to tell (RFC 9293 §3.10.5), and SYN-SENT, whose application hears of it.
_RESET: Final = frozenset(
    {
        State.SYN_SENT,
        State.SYN_RECEIVED,
        State.ESTABLISHED,
        State.FIN_WAIT_1,
        State.FIN_WAIT_2,
        State.CLOSE_WAIT,
    }
)
#: Something of ours is not acknowledged yet: what SO_LINGER waits for.
_ENDING: Final = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})


def shutdown(socket: TcpSocket, how: int) -> None:
    """shutdown(2); Linux undoes an attempt to connect, and ends listening."""
    if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
        raise failure(EINVAL)
    directions = how + 1
    if tcp_freebsd.is_freebsd(socket):
        tcp_freebsd.shutdown(socket, directions)
        return
    state, connection = socket.state, socket.connection
    if state in (State.LISTEN, State.SYN_SENT):
        if state is State.SYN_SENT or directions & _RECEIVE:
            disconnect(socket)
        return
    socket.shut |= directions
    socket.wake()
    if state is State.CLOSED or connection is None:
        raise failure(ENOTCONN)
    if directions & _RECEIVE:
        connection.receive_shut = True
    if directions & _SEND:
        connection.close(socket.machine.now)
    socket.wake()


def disconnect(socket: TcpSocket) -> None:
    """Linux's tcp_disconnect: a RST for the peer, and a socket as it was before connect() or listen()."""
    tcp_opening.stop_listening(socket)
    connection, socket.connection = socket.connection, None
    if connection is not None:
        if connection.state in _RESET:
            socket.error = ECONNRESET
        connection.user = None
        connection.abort(socket.machine.now)
    socket.is_unconnected()
    binding.unbind(socket)
    socket.wake()


def close(socket: TcpSocket) -> Steps[None]:
    """close(2), of the last descriptor."""
    socket.shut = _RECEIVE | _SEND
    tcp_opening.stop_listening(socket)
    connection, socket.connection = socket.connection, None
    if connection is None:
        return
    connection.user = None
    _let_go(socket, connection)
    if socket.linger and not socket.nonblocking:
        deadline = socket.machine.now + socket.linger
        while connection.state in _ENDING and socket.machine.now < deadline - EPSILON:
            yield deadline


def _let_go(socket: TcpSocket, connection: Connection) -> None:
    """RFC 2525 §2.17: what was not read is lost, and the peer is to know."""
    now = socket.machine.now
    freebsd = tcp_freebsd.is_freebsd(socket)
    if socket.linger == 0 or (connection.receive_buffer.ready.length and not freebsd):
        connection.abort(now)
    elif freebsd:
        tcp_freebsd.close(socket, connection)
    else:
        connection.release(now)
