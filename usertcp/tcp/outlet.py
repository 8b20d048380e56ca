"""The host of a connection, as the connection sees it.

A base class and no protocol: compiled, a call of a method of a class that is known costs a tenth of one by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from usertcp.tcp.events import Sink
from usertcp.wire.tcp import Buffer, Options

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection
    from usertcp.tcp.time_wait import TimeWait


class Outlet:
    """What a host does for its connections, and for what is left of them in TIME-WAIT; the host fills in all of it."""

    #: Receives trace events; None: nobody is watching.
    trace: Sink | None
    #: Out-of-order data that all connections hold together, in bytes, and how much they may.
    out_of_order_bytes: int
    out_of_order_limit: int

    def transmit(
        self,
        connection: Connection,
        seq: int,
        ack: int,
        flags: int,
        window: int,
        ts_val: int | None,
        ts_ecr: int,
        options: Options,
        payload: Buffer,
        now: float,
        ecn: int = 0,
        urgent: int = 0,
    ) -> None:
        """Send one (super-)segment; numbers are as on the wire, ``ecn`` is the IP header's ECN field."""
        raise NotImplementedError

    def touched(self, connection: Connection) -> None:
        """Call ``connection.put_out(now)`` before this batch of work ends."""
        raise NotImplementedError

    def wake(self, connection: Connection) -> None:
        """``connection.pending`` got its first bit."""
        raise NotImplementedError

    def established(self, connection: Connection, now: float) -> None:
        """``connection`` has come to ESTABLISHED."""
        raise NotImplementedError

    def orphaned(self, connection: Connection, now: float) -> None:
        """The application of ``connection``, which has not ended yet, is gone."""
        raise NotImplementedError

    def path_mtu_found(self, connection: Connection, now: float) -> None:
        """``connection.path_mtu`` is what its path takes, for other connections to begin with."""
        raise NotImplementedError

    def let_go(self, connection: Connection) -> None:
        """The application has no use any more for ``connection``, which is in TIME-WAIT."""
        raise NotImplementedError

    def deleted(self, connection: Connection, now: float) -> None:
        """``connection`` has come to CLOSED, or back to LISTEN: take it out of the tables."""
        raise NotImplementedError

    def count(self, name: str, by: int = 1) -> None:
        """Count under a name of :mod:`usertcp.stack.counters`."""
        raise NotImplementedError

    def fast_open_cookie(self, connection: Connection, cookie: bytes) -> None:
        """The peer gave us ``cookie`` for Fast Open (RFC 7413 §4.1.3)."""
        raise NotImplementedError

    def fast_open_unknown(self, connection: Connection) -> None:
        """The peer's answer to our request for a cookie says nothing of Fast Open."""
        raise NotImplementedError

    def fast_open_failed(self, connection: Connection) -> None:
        """Fast Open did not work with this peer (RFC 7413 §4.1.3.1)."""
        raise NotImplementedError

    def new_iss(self, connection: Connection, now: float) -> int:
        """An initial sequence number for this pair of sockets (RFC 9293 §3.4.1)."""
        raise NotImplementedError

    def acknowledge(self, waiting: TimeWait, now: float) -> None:
        """Send <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>."""
        raise NotImplementedError

    def forget(self, waiting: TimeWait) -> None:
        """It has ended."""
        raise NotImplementedError
