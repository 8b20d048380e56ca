"""Sending and receiving on a TCP socket."""

from __future__ import annotations

from errno import EAGAIN, ENOTCONN, EPIPE
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix.constants import MSG_DONTWAIT, MSG_EOR, MSG_NOSIGNAL, MSG_PEEK, MSG_TRUNC, MSG_WAITALL
from usertcp.sim.posix.descriptors import Steps
from usertcp.sim.posix.errors import NotSupported, failure
from usertcp.sim.posix.sockets import EPSILON, Message, Receiving, Sending
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket

_SEND_SHUT: Final = 2
_RECEIVE_SHUT: Final = 1
_SEND_FLAGS: Final = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR
_RECEIVE_FLAGS: Final = MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC | MSG_WAITALL | MSG_NOSIGNAL


# -- Sending -----------------------------------------------------------------------------------------------------


def send(socket: TcpSocket, what: Sending) -> Steps[int]:
    """sendmsg(2)."""
    if what.flags & ~_SEND_FLAGS:
        raise NotSupported(f"send with flags {what.flags:#x}")
    deadline = socket.patience(socket.send_timeout, what.flags)
    while socket.opening:
        yield from socket.sleep(deadline)
    if socket.connection is None or socket.error or socket.shutdown_mask & _SEND_SHUT:
        raise _broken(socket)
    return (yield from _put_all(socket, memoryview(what.data), deadline))


def _put_all(socket: TcpSocket, data: memoryview, deadline: float) -> Steps[int]:
    """Hand over all of ``data``, or what fits until the deadline comes."""
    taken = 0
    while True:
        connection = socket.connection
        if connection is None or socket.error or socket.shutdown_mask & _SEND_SHUT:
            if taken:
                return taken
            raise _broken(socket)
        taken += connection.send(bytes(data[taken:]), socket.machine.now)
        if taken == len(data):
            return taken
        socket.no_space = True
        if socket.machine.now >= deadline - EPSILON:
            if taken:
                return taken
            raise failure(EAGAIN)
        yield deadline


def _broken(socket: TcpSocket) -> OSError:
    return failure(socket.take_error() or EPIPE)


# -- Receiving ---------------------------------------------------------------------------------------------------


def receive(socket: TcpSocket, what: Receiving) -> Steps[Message]:
    """recvmsg(2)."""
    if what.flags & ~_RECEIVE_FLAGS:
        raise NotSupported(f"receive with flags {what.flags:#x}")
    if socket.state is State.LISTEN:
        raise failure(ENOTCONN)
    deadline = socket.patience(socket.receive_timeout, what.flags)
    target = what.most if what.flags & MSG_WAITALL else min(1, what.most)
    data = b""
    while True:
        data += _take(socket, what.most - len(data), peek=bool(what.flags & MSG_PEEK), seen=len(data))
        if len(data) >= target or _nothing_more(socket, bool(data)):
            return Message(data)
        if socket.machine.now >= deadline - EPSILON:
            if data:
                return Message(data)
            raise failure(EAGAIN)
        yield deadline


def _nothing_more(socket: TcpSocket, something: bool) -> bool:
    """Whether to return what there is.  Raises OSError where there is nothing, and a reason for it."""
    if something:
        return bool(socket.error or socket.shutdown_mask & _RECEIVE_SHUT or socket.state is State.CLOSED)
    if socket.done:
        return True
    error = socket.take_error()
    if error:
        raise failure(error)
    if socket.shutdown_mask & _RECEIVE_SHUT:
        return True
    if socket.state is State.CLOSED:
        raise failure(ENOTCONN)
    return False


def _take(socket: TcpSocket, most: int, *, peek: bool, seen: int) -> bytes:
    """Up to ``most`` bytes of what has arrived; ``peek``: leave them, and pass over the first ``seen``."""
    connection = socket.connection
    if connection is None or most <= 0:
        return b""
    ready = connection.receive_buffer.ready
    if peek:
        return b"".join(ready.pieces)[seen : seen + most]
    if not ready.length:
        return b""
    return bytes(connection.receive(most, socket.machine.now))
