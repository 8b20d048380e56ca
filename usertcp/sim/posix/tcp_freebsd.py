"""What FreeBSD's TCP sockets do otherwise than Linux's: uipc_socket.c and tcp_usrreq.c, where they show."""

from __future__ import annotations

from errno import ECONNABORTED, ECONNREFUSED, ECONNRESET, EISCONN, ENOTCONN, EPIPE
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix.constants import (
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRNORM,
)
from usertcp.sim.posix.errors import failure
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket
    from usertcp.tcp.connection import Connection

NAME: Final = "freebsd"
_RECEIVE: Final = 1
_SEND: Final = 2
#: so_snd.sb_lowat: with less room than that a socket is not writable.
_SEND_LOW_WATER: Final = 2048


def is_freebsd(socket: TcpSocket) -> bool:
    """Whether this module is asked."""
    return socket.machine.personality == NAME


def dropped(socket: TcpSocket) -> bool:
    """The connection is over, and the socket will never have another (INP_DROPPED)."""
    return socket.connection is not None and socket.connection.is_over


def check_connect(socket: TcpSocket) -> None:
    """connect() of a socket that has or had a connection.  Raises OSError."""
    if dropped(socket):
        raise failure(ECONNREFUSED)
    if socket.connection is not None and not socket.opening:
        raise failure(EISCONN)


def check_send(socket: TcpSocket) -> None:
    """The beginning of sosend().  Raises OSError."""
    if socket.shutdown_mask & _SEND:
        raise failure(EPIPE)
    if socket.error:
        raise failure(socket.take_error())
    if socket.connection is None or socket.opening:
        raise failure(ENOTCONN)


def check_option(socket: TcpSocket) -> None:
    """An option of TCP.  Raises OSError ECONNRESET where there is no TCP any more."""
    if dropped(socket):
        raise failure(ECONNRESET)


def shutdown(socket: TcpSocket, directions: int) -> None:
    """soshutdown()."""
    connection = socket.connection
    if socket.listener is not None:
        if directions & _RECEIVE:
            socket.error = ECONNABORTED
            socket.wake()
        raise failure(ENOTCONN)
    if connection is None or connection.is_over or connection.state is State.TIME_WAIT:
        raise failure(ENOTCONN)
    socket.shut |= directions
    if directions & _RECEIVE:
        discard(connection)
    if directions & _SEND:
        if connection.state is State.SYN_SENT:
            connection.close_queued = True  # TF_NEEDFIN: the FIN follows the handshake
        else:
            connection.close(socket.machine.now)
    socket.wake()


def discard(connection: Connection) -> None:
    """Nobody reads this (sorflush, and what comes after it)."""
    connection.receive_buffer.ready.clear()


def close(socket: TcpSocket, connection: Connection) -> None:
    """tcp_disconnect(): before the handshake is over the connection is forgotten without a word."""
    now = socket.machine.now
    if connection.state is State.SYN_RECEIVED and not connection.early:
        connection.forget(now, "closed before the connection was established")
        return
    discard(connection)
    connection.release(now)


def poll(socket: TcpSocket) -> int:
    """sopoll_generic(); POLLERR is not told."""
    if socket.listener is not None:
        return POLLIN | POLLRDNORM if socket.listener.ready or socket.error else 0
    connection, shut = socket.connection, socket.shutdown_mask
    mask = 0
    if socket.unread >= socket.receive_low_water or socket.error or shut & _RECEIVE:
        mask |= POLLIN | POLLRDNORM
    if shut & _SEND or socket.error or _has_room(socket):
        mask |= POLLOUT | POLLWRNORM
    if connection is not None and socket.urgent.pending(connection):
        mask |= POLLPRI | POLLRDBAND
    if shut & _RECEIVE:
        mask |= POLLRDHUP | (POLLHUP if shut & _SEND else 0)
    return mask


def _has_room(socket: TcpSocket) -> bool:
    connection = socket.connection
    if connection is None or socket.opening:
        return False
    room = socket.space.room(connection) >= min(_SEND_LOW_WATER, socket.space.size)
    socket.no_space = not room
    return room
