"""ioctl(2) on a TCP socket."""

from __future__ import annotations

from errno import EINVAL, ENOTTY
from typing import TYPE_CHECKING

from usertcp.sim.posix.constants import SIOCATMARK, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SO_OOBINLINE, SOL_SOCKET
from usertcp.sim.posix.errors import failure
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket


def ioctl(socket: TcpSocket, request: int) -> int:
    """SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK."""
    if request == SIOCATMARK:
        connection = socket.connection
        return int(connection is not None and socket.urgent.mark(connection) == 0)
    if request not in (SIOCINQ, SIOCOUTQ, SIOCOUTQNSD):
        raise failure(ENOTTY)
    if socket.state is State.LISTEN:
        raise failure(EINVAL)
    if request == SIOCINQ:
        return readable_bytes(socket)
    connection = socket.connection
    if connection is None or socket.opening:
        return 0
    start = connection.snd_una if request == SIOCOUTQ else connection.snd_nxt
    # A FIN counts as a byte of the queue, as it does in sequence space.
    end = connection.send_buffer.end + (connection.fin_seq is not None or connection.close_queued)
    return max(0, end - start) if not connection.is_over else 0


def readable_bytes(socket: TcpSocket) -> int:
    """SIOCINQ: what can be read before the urgent byte."""
    connection = socket.connection
    if connection is None or socket.opening:
        return 0
    unread = connection.receive_buffer.ready.length
    if socket.flag(SOL_SOCKET, SO_OOBINLINE) or not socket.urgent.arrived(connection):
        return unread
    mark = socket.urgent.mark(connection) or 0
    return mark if mark else unread - 1
