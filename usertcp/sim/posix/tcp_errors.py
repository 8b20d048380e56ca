"""Which errno the end of a connection, or an ICMP error, is to an application."""

from __future__ import annotations

from errno import (
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EHOSTUNREACH,
    EPIPE,
    ETIMEDOUT,
)
from typing import TYPE_CHECKING

from usertcp.sim.posix import constants as c
from usertcp.tcp.errors import (
    ConnectionAborted,
    ConnectionRefused,
    ConnectionReset,
    ConnectionTimedOut,
    HostUnreachable,
)
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket
    from usertcp.tcp.connection import Connection


def of_ending(socket: TcpSocket, connection: Connection, before: State) -> int:
    """The errno for ``connection``, which was in the state ``before``; 0 for a good end."""
    match connection.error:
        case ConnectionRefused():
            return ECONNREFUSED
        case ConnectionReset():
            # Linux's tcp_reset: there was nothing more to come, so only writing has an error.
            return EPIPE if before is State.CLOSE_WAIT and socket.machine.personality == "linux" else ECONNRESET
        case ConnectionTimedOut():
            return socket.soft_error or ETIMEDOUT
        case HostUnreachable():
            return socket.icmp_error or EHOSTUNREACH
        case ConnectionAborted():
            return ECONNABORTED
    return 0


def reported(socket: TcpSocket, number: int) -> None:
    """An ICMP error for which the connection does not end: a soft error, or with IP_RECVERR a real one."""
    level, name = (c.SOL_IP, c.IP_RECVERR) if socket.domain == c.AF_INET else (c.SOL_IPV6, c.IPV6_RECVERR)
    if socket.flag(level, name):
        socket.error = number
        socket.wake(c.POLLERR)
    else:
        socket.soft_error = number
