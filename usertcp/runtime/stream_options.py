"""What can be set on a stream, with the kernel's meaning: the options of socket(7) and tcp(7) as attributes."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING

import trio

from usertcp.tcp import options

if TYPE_CHECKING:
    from usertcp.runtime.driver import Driver
    from usertcp.tcp.connection import Connection


class StreamOptions:
    """The options of a :class:`~usertcp.runtime.stream.TcpStream`.  All can be changed while it is open, and what is
    set holds for the one connection.  Times are seconds, sizes bytes of data; a value that makes no sense raises
    ValueError, and one of another type TypeError."""

    __slots__ = ()

    if TYPE_CHECKING:
        connection: Connection
        _driver: Driver

    @property
    def nodelay(self) -> bool:
        """TCP_NODELAY: small segments go out without waiting for acknowledgments (RFC 9293 §3.7.4).  On at first."""
        return self.connection.nodelay

    @nodelay.setter
    def nodelay(self, value: bool) -> None:
        now = trio.current_time()
        options.set_nodelay(self.connection, bool(value), now)
        self._driver.settle(now)

    @property
    def keepalive(self) -> bool:
        """SO_KEEPALIVE: an idle peer is asked now and then if it is still there (RFC 9293 §3.8.4).  Off at first."""
        return self.connection.keepalive

    @keepalive.setter
    def keepalive(self, value: bool) -> None:
        now = trio.current_time()
        self.connection.set_keepalive(bool(value), now)
        self._driver.settle(now)

    @property
    def keepalive_idle(self) -> float:
        """TCP_KEEPIDLE: how long the peer must be silent before the first keep-alive."""
        return self.connection.settings.keepalive_idle

    @keepalive_idle.setter
    def keepalive_idle(self, value: float) -> None:
        now = trio.current_time()
        options.set_keepalive_times(self.connection, now, idle=value)
        self._driver.settle(now)

    @property
    def keepalive_interval(self) -> float:
        """TCP_KEEPINTVL: the time between keep-alives that stay without an answer."""
        return self.connection.settings.keepalive_interval

    @keepalive_interval.setter
    def keepalive_interval(self, value: float) -> None:
        options.set_keepalive_times(self.connection, trio.current_time(), interval=value)

    @property
    def keepalive_probes(self) -> int:
        """TCP_KEEPCNT: so many keep-alives without an answer end the connection."""
        return self.connection.settings.keepalive_probes

    @keepalive_probes.setter
    def keepalive_probes(self, value: int) -> None:
        options.set_keepalive_times(self.connection, trio.current_time(), probes=index(value))

    @property
    def user_timeout(self) -> float | None:
        """TCP_USER_TIMEOUT: how long sent data may stay unacknowledged before the connection ends (RFC 9293
        §3.9.1.1); None: :attr:`Settings.r2 <usertcp.tcp.settings.Settings>` (§3.8.3)."""
        return self.connection.user_timeout

    @user_timeout.setter
    def user_timeout(self, value: float | None) -> None:
        options.set_user_timeout(self.connection, value)

    @property
    def linger(self) -> float | None:
        """SO_LINGER: what ``aclose`` does with data that is not acknowledged.  None: keep trying; 0: throw it away and
        send a RST; else keep trying for so many seconds.  ``aclose`` never waits for it."""
        return self.connection.linger

    @linger.setter
    def linger(self, value: float | None) -> None:
        if value is not None and not value >= 0:
            raise ValueError("linger is 0 seconds or more, or None")
        self.connection.linger = value

    @property
    def send_buffer(self) -> int:
        """SO_SNDBUF: how much ``send_all`` may hand over that is not acknowledged; :data:`LEAST_SEND_BUFFER
        <usertcp.tcp.options.LEAST_SEND_BUFFER>` at least."""
        return self.connection.settings.send_buffer

    @send_buffer.setter
    def send_buffer(self, value: int) -> None:
        options.set_send_buffer(self.connection, index(value))
        self._driver.settle(trio.current_time())

    @property
    def receive_buffer(self) -> int:
        """SO_RCVBUF: how much may wait to be read.  It grows by itself until it is set; what was promised to the peer
        is not taken back (RFC 9293 §3.8.6).  :data:`LEAST_RECEIVE_BUFFER <usertcp.tcp.options>` at least."""
        return self.connection.rcv_buf

    @receive_buffer.setter
    def receive_buffer(self, value: int) -> None:
        options.set_receive_buffer(self.connection, index(value))
        self._driver.settle(trio.current_time())

    @property
    def congestion_control(self) -> str:
        """TCP_CONGESTION: the controller's name, one of :data:`usertcp.tcp.congestion.registry.NAMES`.  Another one
        goes on with the window of the one before."""
        return self.connection.congestion.name

    @congestion_control.setter
    def congestion_control(self, value: str) -> None:
        options.set_congestion_control(self.connection, value)
        self._driver.settle(trio.current_time())

    @property
    def traffic_class(self) -> int:
        """IP_TOS, IPV6_TCLASS: the Differentiated Services field of what is sent, in the upper six bits of eight
        (RFC 9293 §3.9.1.9)."""
        return self.connection.traffic_class

    @traffic_class.setter
    def traffic_class(self, value: int) -> None:
        if not 0 <= value <= 0xFF or value & 0b11:
            raise ValueError("a traffic class is 0 to 255, and its lower two bits are ECN's")
        self.connection.traffic_class = value
