"""What an application is told when its connection does not do what it asked for.

Each message says what happened on the wire; the class says which kind of failure it is.
"""

from __future__ import annotations

from enum import Enum


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


class TcpError(Exception):
    """Base of all errors of a TCP connection."""


class ConnectionRefused(TcpError):
    """The peer answered our SYN with a RST (RFC 9293 §3.10.7.3)."""


class ConnectionReset(TcpError):
    """The peer sent a RST on an open connection (RFC 9293 §3.10.7.4)."""


class ConnectionTimedOut(TcpError):
    """The peer did not answer for longer than R2 or the user timeout (RFC 9293 §3.8.3)."""


class ConnectionAborted(TcpError):
    """This side ended the connection at once (RFC 9293 §3.10.5)."""


class HostUnreachable(TcpError):
    """The network reported that the peer cannot be reached (RFC 9293 §3.9.2.2)."""


class ConnectionDoesNotExist(TcpError):
    """A user call came for a connection in CLOSED (RFC 9293 §3.10)."""


class ConnectionClosing(TcpError):
    """SEND after CLOSE: our FIN stands behind all our data (RFC 9293 §3.10.2)."""


class ConnectionAlreadyExists(TcpError):
    """OPEN of a connection that is open (RFC 9293 §3.10.1)."""


class RemoteUnspecified(TcpError):
    """An active OPEN, or a SEND while listening, without a remote socket (RFC 9293 §3.10.1)."""
