"""What poll(2) tells of a TCP socket: Linux's tcp_poll()."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import tcp_transfer
from usertcp.sim.posix.constants import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLPRI,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRNORM,
)
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket

_RECEIVE: Final = 1
_SEND: Final = 2


def poll(socket: TcpSocket) -> int:
    """The mask; a socket without room notes that somebody wants to know when there is."""
    listener = socket.listener
    if listener is not None:
        return POLLIN | POLLRDNORM if listener.ready else 0
    shut = socket.shutdown_mask
    mask = 0
    if shut == _RECEIVE | _SEND or socket.state is State.CLOSED:
        mask |= POLLHUP
    if shut & _RECEIVE:
        mask |= POLLIN | POLLRDNORM | POLLRDHUP
    if socket.deferred is not None:
        mask = POLLOUT | POLLWRNORM
    elif not socket.opening:
        mask |= _transfer(socket, shut)
    if socket.error or socket.error_queue:
        mask |= POLLERR
    return mask


def _transfer(socket: TcpSocket, shut: int) -> int:
    mask = 0
    connection = socket.connection
    if connection is not None:
        if tcp_transfer.readable(socket):
            mask |= POLLIN | POLLRDNORM
        if socket.urgent.pending(connection):
            mask |= POLLPRI
    if shut & _SEND or connection is None or socket.space.writable(connection):
        mask |= POLLOUT | POLLWRNORM
    else:
        socket.no_space = True
    return mask
