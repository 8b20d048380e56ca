"""What an application may change while its connection lives: the options of socket(7) and tcp(7) on the core.

What stands in :class:`~usertcp.tcp.settings.Settings` is changed for the one connection.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, Final

from usertcp.tcp import advertised_window
from usertcp.tcp.congestion import registry
from usertcp.tcp.states import CLOSED
from usertcp.tcp.wakeup import WRITABLE

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: Buffers that are set to less hold so much, in bytes: what Linux gives at least (SOCK_MIN_SNDBUF, SOCK_MIN_RCVBUF).
LEAST_SEND_BUFFER: Final = 4608
LEAST_RECEIVE_BUFFER: Final = 2304


def override(tcb: Connection, **values: Any) -> None:
    """Let this connection have other settings."""
    tcb.settings = replace(tcb.settings, **values)


def set_nodelay(tcb: Connection, on: bool, now: float) -> None:
    """TCP_NODELAY (RFC 9293 §3.7.4, MUST-17): what waits for company leaves at once."""
    tcb.nodelay = on
    if on:
        tcb.push(now)


def set_keepalive_times(
    tcb: Connection,
    now: float,
    *,
    idle: float | None = None,
    interval: float | None = None,
    probes: int | None = None,
) -> None:
    """TCP_KEEPIDLE, TCP_KEEPINTVL (seconds), TCP_KEEPCNT (RFC 9293 §3.8.4, MUST-27); None: as it is.

    The time until the first keep-alive counts from when the peer was heard last.  Raises ValueError where something
    is not greater than 0.
    """
    given = {"keepalive_idle": idle, "keepalive_interval": interval, "keepalive_probes": probes}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if not all(0 < value < inf for value in chosen.values()):
        raise ValueError("keep-alives need times and a count that are greater than 0")
    override(tcb, **chosen)
    if idle is not None:
        keepalive_idle_changed(tcb, now)


def keepalive_idle_changed(tcb: Connection, now: float) -> None:
    """:attr:`Settings.keepalive_idle` is another: so is the time of the next keep-alive."""
    if tcb.keepalive and tcb.state is not CLOSED:
        tcb.set_keepalive(True, now)
        heard = max(tcb.last_arrival, -inf)
        tcb.keepalive_due = max(now, heard + tcb.settings.keepalive_idle)


def set_user_timeout(tcb: Connection, seconds: float | None) -> None:
    """TCP_USER_TIMEOUT (RFC 9293 §3.9.1.1): None for R2.  Raises ValueError where it is not greater than 0."""
    if seconds is not None and not seconds > 0:
        raise ValueError("a user timeout is greater than 0 seconds, or None")
    tcb.user_timeout = seconds


def set_send_buffer(tcb: Connection, size: int) -> None:
    """SO_SNDBUF, in bytes of data: what is queued already stays, and who waits for room looks again.

    Raises ValueError where ``size`` is not greater than 0.
    """
    override(tcb, send_buffer=_size(size, LEAST_SEND_BUFFER))
    if tcb.blocked_on_room and tcb.send_room:
        tcb.blocked_on_room = False
        tcb.notify(WRITABLE)


def set_receive_buffer(tcb: Connection, size: int) -> None:
    """SO_RCVBUF, in bytes of data: from now on the buffer neither grows nor shrinks by itself.

    A smaller one takes back nothing that was promised: the window's right edge stays where it is until enough was
    read (RFC 9293 §3.8.6, SHLD-14).  A larger one is offered at once, as far as the window scale of our SYN reaches.
    Raises ValueError where ``size`` is not greater than 0.
    """
    size = _size(size, LEAST_RECEIVE_BUFFER)
    override(tcb, receive_buffer=size, initial_receive_buffer=size)
    tcb.rcv_buf = size
    if tcb.state is not CLOSED:
        advertised_window.may_open(tcb)


def _size(size: int, least: int) -> int:
    if size < 1:
        raise ValueError("a buffer holds 1 byte or more")
    return max(size, least)


def set_congestion_control(tcb: Connection, name: str) -> None:
    """TCP_CONGESTION: another controller goes on with the window of the one before.

    Raises ValueError, which lists the names, for one that there is not.
    """
    settings = replace(tcb.settings, congestion_control=name)
    before = tcb.congestion
    if before.name != name:
        tcb.congestion = registry.successor(before, settings, tcb.snd_mss, recovering=tcb.recovery.active)
        tcb.touch()
    tcb.settings = settings
