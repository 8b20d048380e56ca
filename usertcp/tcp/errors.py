"""What an application is told when its connection does not do what it asked for.

Each message says what happened on the wire, and in which state of the connection; the class says which kind of
failure it is.  All are OSErrors with the ``errno`` that a kernel's socket has for it, and the built-in exceptions
for it where there are such, so that a program which catches those of kernel sockets catches ours.
"""

from __future__ import annotations

from enum import Enum
from errno import (
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EDESTADDRREQ,
    EHOSTUNREACH,
    EIO,
    EISCONN,
    ENOTCONN,
    EPIPE,
    ETIMEDOUT,
)


class IcmpMeaning(Enum):
    """What an ICMP error is to a connection (RFC 9293 §3.9.2.2)."""

    #: It will not get better: nothing there speaks TCP, or nothing listens, or it is forbidden.
    HARD = "hard"
    #: Somebody on the way does not let it through (IPv4).
    FORBIDDEN = "forbidden"
    #: There is no route to the peer.
    NO_ROUTE = "no route"
    #: The packet was lost underway: its time was exceeded, or somebody did not understand it.
    UNDERWAY = "underway"
    OTHER = "other"


class TcpError(OSError):
    """Base of all errors of a TCP connection.  ``str(error)`` is what happened, without the number."""

    errno: int | None = EIO


class ConnectionRefused(TcpError, ConnectionRefusedError):
    """The peer answered our SYN with a RST (RFC 9293 §3.10.7.3)."""

    errno = ECONNREFUSED


class ConnectionReset(TcpError, ConnectionResetError):
    """The peer sent a RST on an open connection (RFC 9293 §3.10.7.4)."""

    errno = ECONNRESET


class ConnectionTimedOut(TcpError, TimeoutError):
    """The peer did not answer for longer than R2 or the user timeout (RFC 9293 §3.8.3)."""

    errno = ETIMEDOUT


class ConnectionAborted(TcpError, ConnectionAbortedError):
    """This side ended the connection at once (RFC 9293 §3.10.5)."""

    errno = ECONNABORTED


class HostUnreachable(TcpError):
    """The network reported that the peer cannot be reached (RFC 9293 §3.9.2.2)."""

    errno = EHOSTUNREACH


class ConnectionDoesNotExist(TcpError):
    """A user call came for a connection in CLOSED (RFC 9293 §3.10)."""

    errno = ENOTCONN


class ConnectionClosing(TcpError, BrokenPipeError):
    """SEND after CLOSE: our FIN stands behind all our data (RFC 9293 §3.10.2)."""

    errno = EPIPE


class ConnectionAlreadyExists(TcpError):
    """OPEN of a connection that is open (RFC 9293 §3.10.1)."""

    errno = EISCONN


class RemoteUnspecified(TcpError):
    """An active OPEN, or a SEND while listening, without a remote socket (RFC 9293 §3.10.1)."""

    errno = EDESTADDRREQ


def tries(count: int) -> str:
    """So many tries, in words."""
    return "1 try" if count == 1 else f"{count} tries"
