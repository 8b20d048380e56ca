"""Sending and receiving on a TCP socket."""

from __future__ import annotations

from errno import EAGAIN, EINVAL, ENOTCONN, EPIPE
from struct import Struct
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix import constants as c
from usertcp.sim.posix import tcp_fast_open, tcp_freebsd
from usertcp.sim.posix.control import fit
from usertcp.sim.posix.descriptors import Steps
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.sockets import Control, Message, Receiving, Sending
from usertcp.sim.posix.tcp_completions import wanted_stamps
from usertcp.sim.posix.times import EPSILON
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket
    from usertcp.tcp.connection import Connection

_SEND_SHUT: Final = 2
_RECEIVE_SHUT: Final = 1
_INT: Final = Struct("=i")
_PEEK_OFFSET: Final = (c.SOL_SOCKET, c.SO_PEEK_OFF)
#: FreeBSD's flag for "and then a FIN", by the number that machines know it by.
MSG_EOF: Final = c.MSG_FIN


# -- Sending -----------------------------------------------------------------------------------------------------


def send(socket: TcpSocket, what: Sending) -> Steps[int]:
    """sendmsg(2)."""
    deadline = socket.patience(socket.send_timeout, what.flags)
    stamps = wanted_stamps(socket, what.control)
    if tcp_freebsd.is_freebsd(socket):
        tcp_freebsd.check_send(socket)
    sent = 0
    if what.flags & c.MSG_FASTOPEN or socket.deferred is not None:
        sent = yield from tcp_fast_open.send(socket, what)
        if socket.opening:
            return sent
    while socket.opening:
        if socket.error:
            raise failure(socket.take_error())
        yield from socket.sleep(deadline)
    if socket.connection is None or socket.error or socket.shutdown_mask & _SEND_SHUT:
        raise _broken(socket)
    connection, start = socket.connection, socket.connection.send_buffer.end
    data = what.data[sent:]
    try:
        sent += yield from _put_all(socket, what._replace(data=data), deadline)
    finally:
        end = connection.send_buffer.end
        if end > start:
            socket.completions.stamp(end, stamps, what.data)
            if what.flags & MSG_EOF and tcp_freebsd.is_freebsd(socket):
                connection.close(socket.machine.now)
            if what.flags & c.MSG_ZEROCOPY and socket.flag(c.SOL_SOCKET, c.SO_ZEROCOPY):
                socket.completions.zerocopy(start, end)
    return sent


def _put_all(socket: TcpSocket, what: Sending, deadline: float) -> Steps[int]:
    """Hand over all of the data, or what fits until the deadline comes."""
    data, taken = memoryview(what.data), 0
    while True:
        connection = socket.connection
        if connection is None or socket.error or socket.shutdown_mask & _SEND_SHUT:
            if taken:
                return taken
            raise _broken(socket)
        taken += _put(socket, connection, what, data[taken:])
        if taken == len(data):
            return taken
        socket.no_space = True
        if socket.machine.now >= deadline - EPSILON:
            if taken:
                return taken
            raise failure(EAGAIN)
        yield deadline


def _put(socket: TcpSocket, connection: Connection, what: Sending, data: memoryview) -> int:
    """As much of ``data`` as there is room for now; what is whole leaves in between, and makes room."""
    space, now, taken = socket.space, socket.machine.now, 0
    while taken < len(data) or not data:
        room = space.room(connection)
        piece = data[taken : taken + room]
        if not piece and data:
            if taken:
                connection.push(now)
            break
        last = taken + len(piece) == len(data)
        before = connection.send_buffer.end
        ends_record = last and bool(what.flags & c.MSG_EOR)
        more = bool(what.flags & c.MSG_MORE) or not last
        urgent = last and bool(what.flags & c.MSG_OOB)
        connection.send(bytes(piece), now, more=more, end_of_record=ends_record, urgent=urgent)
        space.added(before, end_of_record=ends_record)
        taken += len(piece)
        if not data or last:
            break
        socket.machine.host.flush(now)
    return taken


def _broken(socket: TcpSocket) -> OSError:
    return failure(socket.take_error() or EPIPE)


# -- Receiving ---------------------------------------------------------------------------------------------------


def receive(socket: TcpSocket, what: Receiving) -> Steps[Message]:
    """recvmsg(2)."""
    if what.flags & c.MSG_ERRQUEUE:
        message, error = socket.error_queue.take(socket.domain, what.most, what.control_size)
        if error is not None:
            socket.error = error
        return message
    if socket.state is State.LISTEN:
        raise failure(ENOTCONN)
    if what.flags & c.MSG_OOB:
        return _receive_urgent(socket, what)
    deadline = socket.patience(socket.receive_timeout, what.flags)
    low = what.most if what.flags & c.MSG_WAITALL else min(socket.receive_low_water, what.most)
    data, peek = b"", bool(what.flags & c.MSG_PEEK)
    offset = max(socket.numbers.get(_PEEK_OFFSET, -1), 0)
    while True:
        data += _take(socket, what.most - len(data), seen=offset + len(data) if peek else None)
        if len(data) >= (low or 1) or (data and _at_mark(socket, data, peek)) or _nothing_more(socket, bool(data)):
            break
        if not what.most and socket.unread:
            break
        if socket.machine.now >= deadline - EPSILON:
            if data:
                break
            raise failure(EAGAIN)
        yield deadline
    if socket.numbers.get(_PEEK_OFFSET, -1) >= 0:
        socket.numbers[_PEEK_OFFSET] = offset + len(data) if peek else max(0, offset - len(data))
    control, truncated = fit(_control(socket), what.control_size)
    return Message(data, control=control, flags=truncated)


def _nothing_more(socket: TcpSocket, something: bool) -> bool:
    """Whether to return what there is.  Raises OSError where there is nothing, and a reason for it."""
    if something:
        return bool(socket.error or socket.shutdown_mask & _RECEIVE_SHUT or socket.state is State.CLOSED)
    if socket.done and socket.machine.personality == "linux":
        return True
    error = socket.take_error()
    if error:
        raise failure(error)
    if socket.shutdown_mask & _RECEIVE_SHUT:
        return True
    if socket.state is State.CLOSED:
        raise failure(ENOTCONN)
    return False


def _take(socket: TcpSocket, most: int, *, seen: int | None) -> bytes:
    """Up to ``most`` bytes of what has arrived, as far as the urgent byte; with ``seen``: leave them, and pass over
    the first so many."""
    connection = socket.connection
    if connection is None or most <= 0 or socket.opening:
        return b""
    now, ready = socket.machine.now, connection.receive_buffer.ready
    mark = socket.urgent.mark(connection)
    inline = socket.flag(c.SOL_SOCKET, c.SO_OOBINLINE)
    if seen is not None:
        stop = mark if mark else ready.length
        skipped = int(mark == 0 and not inline)
        return b"".join(ready.pieces)[skipped + seen : min(skipped + seen + most, stop)]
    if mark == 0 and ready.length and not inline:
        connection.receive(1, now)
    elif mark:
        most = min(most, mark)
    return bytes(connection.receive(most, now)) if ready.length else b""


def _at_mark(socket: TcpSocket, data: bytes, peek: bool) -> bool:
    """A read ends before the urgent byte."""
    connection = socket.connection
    if connection is None:
        return True
    mark = socket.urgent.mark(connection)
    return mark is not None and mark == (len(data) if peek else 0)


def _receive_urgent(socket: TcpSocket, what: Receiving) -> Message:
    connection = socket.connection
    if connection is None or socket.flag(c.SOL_SOCKET, c.SO_OOBINLINE):
        raise failure(EINVAL)
    at_end = socket.state is State.CLOSED or bool(socket.shutdown_mask & _RECEIVE_SHUT)
    byte = socket.urgent.read(connection, peek=bool(what.flags & c.MSG_PEEK), at_end=at_end)
    if not what.most:
        return Message(b"", flags=c.MSG_OOB | c.MSG_TRUNC)
    return Message(byte, flags=c.MSG_OOB if byte else 0)


def _control(socket: TcpSocket) -> list[Control]:
    if not socket.flag(c.SOL_TCP, c.TCP_INQ):
        return []
    # A FIN counts, and is still there to be read when it has been: there is no need to wait.
    left = socket.unread + socket.peer_closed
    return [(c.SOL_TCP, c.TCP_CM_INQ, _INT.pack(left))]


def readable(socket: TcpSocket) -> bool:
    """POLLIN for data: as much as SO_RCVLOWAT wants, or as much as there can be."""
    connection = socket.connection
    unread = socket.unread
    if connection is None or not unread:
        return False
    low = socket.receive_low_water
    if socket.urgent.mark(connection) == 0 and not socket.flag(c.SOL_SOCKET, c.SO_OOBINLINE):
        low += 1
    return unread >= low or connection.rcv_wnd <= connection.rcv_mss
