"""The user calls: RFC 9293 §3.10.1 to §3.10.5.  (STATUS, §3.10.6, is :mod:`.status`.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

from usertcp.tcp import advertised_window, opening, output, receive_window
from usertcp.tcp.errors import (
    ConnectionAborted,
    ConnectionAlreadyExists,
    ConnectionClosing,
    ConnectionDoesNotExist,
    ConnectionReset,
    RemoteUnspecified,
)
from usertcp.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LISTEN,
    SEND_CLOSED,
    SYN_RECEIVED,
    TIME_WAIT,
    Event,
)
from usertcp.wire.tcp import Buffer

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection


def open_passive(tcb: Connection, now: float) -> None:
    """OPEN, passive (RFC 9293 §3.10.1)."""
    was = tcb.state
    tcb.step(Event.PASSIVE_OPEN, now)
    if was is not CLOSED:
        raise ConnectionAlreadyExists(f"the connection is in {was} already")
    tcb.opened_passively = True


def open_active(tcb: Connection, now: float) -> None:
    """OPEN, active (RFC 9293 §3.10.1)."""
    if not tcb.remote_port:
        raise RemoteUnspecified("an active OPEN needs the remote address and port")
    was = tcb.state
    tcb.step(Event.ACTIVE_OPEN, now)
    if was not in (CLOSED, LISTEN):
        raise ConnectionAlreadyExists(f"the connection is in {was} already")
    opening.send_syn(tcb, now)


def send(tcb: Connection, data: Buffer | bytearray, now: float) -> int:
    """SEND (RFC 9293 §3.10.2)."""
    state = tcb.state
    if state is CLOSED:
        raise tcb.error or ConnectionDoesNotExist("the connection is closed")
    if state in SEND_CLOSED or tcb.close_queued:
        raise ConnectionClosing("this side was closed: our FIN stands behind all our data")
    if state is LISTEN:
        if not tcb.remote_port:
            raise RemoteUnspecified("nobody has connected yet")
        tcb.step(Event.SEND, now)
        opening.send_syn(tcb, now)
    room = tcb.settings.send_buffer - len(tcb.send_buffer)
    if len(data) > room:
        tcb.blocked_on_room = True
        if room <= 0:
            return 0
        data = memoryview(data)[:room]
    tcb.send_buffer.append(data)
    tcb.touch()
    return len(data)


def receive(tcb: Connection, most: int, now: float) -> bytes | bytearray:
    """RECEIVE (RFC 9293 §3.10.3)."""
    data = tcb.receive_buffer.ready.take(most)
    _received(tcb, len(data), now)
    return data


def receive_into(tcb: Connection, target: memoryview, now: float) -> int:
    """RECEIVE (RFC 9293 §3.10.3) into the application's own buffer."""
    length = tcb.receive_buffer.ready.take_into(target)
    _received(tcb, length, now)
    return length


def _received(tcb: Connection, length: int, now: float) -> None:
    """So much was handed over; where it was nothing, say why there will be no more."""
    if length:
        receive_window.grow(tcb, length, now)
        if tcb.ack_timing is not None:
            tcb.ack_timing.read(tcb)
        advertised_window.may_open(tcb)
    elif tcb.error is not None:
        raise tcb.error
    elif tcb.state is CLOSED and tcb.rcv_fin is None:
        raise ConnectionDoesNotExist("the connection is closed")


def close(tcb: Connection, now: float) -> None:
    """CLOSE (RFC 9293 §3.10.4)."""
    state = tcb.state
    if state is SYN_RECEIVED and (len(tcb.send_buffer) or tcb.early):
        tcb.close_queued = True  # "queue for processing after entering ESTABLISHED state"
        return
    if state in SEND_CLOSED or state is CLOSED:
        return
    after = tcb.step(Event.CLOSE, now)
    if after is CLOSED:
        tcb.end(now, ConnectionAborted(f"closed before the connection was established in {state}"))
        return
    tcb.close_queued = True
    tcb.touch()


def release(tcb: Connection, now: float) -> None:
    """CLOSE by an application that will not RECEIVE any more (RFC 9293 §3.6.1)."""
    if tcb.released or tcb.state is CLOSED:
        return
    tcb.released = True
    if tcb.state is TIME_WAIT:
        tcb.outlet.let_go(tcb)
        return
    if tcb.linger == 0:
        abort(tcb, now, "aborted by the application")
        return
    close(tcb, now)
    if tcb.linger:
        tcb.user_timeout = tcb.linger
    if not tcb.is_over:
        tcb.is_orphan = True
        tcb.outlet.orphaned(tcb, now)
    if tcb.state is FIN_WAIT_2:
        enter_fin_wait_2(tcb, now)
    elif not tcb.snd_wnd:
        throw_unread_away(tcb)
    tcb.touch()


def throw_unread_away(tcb: Connection) -> None:
    """The peer's window is closed, and ours may be, over text that nobody will read: open ours.

    Else a peer that reads only after it has written would never come to reading, and both would wait for each other.
    """
    if tcb.receive_buffer.ready.length:
        tcb.unread_lost = True
        tcb.receive_buffer.ready.clear()
        advertised_window.may_open(tcb)


def enter_fin_wait_2(tcb: Connection, now: float) -> None:
    """Our FIN is acknowledged; bound the wait for the peer's where nobody waits for it here.

    Unread data is lost now, and the peer is told so (RFC 9293 §3.6.1, SHLD-3): only now, since a RST that
    overtook our own data would take it away from the peer.
    """
    if not tcb.released:
        return
    if tcb.unread_lost or tcb.receive_buffer.ready.length or tcb.receive_buffer.held_bytes:
        reset_for_lost_data(tcb, now)
    else:
        tcb.fin_wait_2_due = now + tcb.settings.fin_wait_2_timeout


def reset_for_lost_data(tcb: Connection, now: float) -> None:
    """Data came for an application that is gone (RFC 9293 §3.6.1, SHLD-3)."""
    output.send_reset(tcb, now)
    lost_data(tcb, now)


def lost_data(tcb: Connection, now: float) -> None:
    """The connection ends by that, and the peer has been told."""
    tcb.outlet.count("data-after-close")
    state = tcb.state
    tcb.step(Event.DATA_AFTER_CLOSE, now)
    if tcb.released:
        tcb.end(now, ConnectionAborted(f"aborted in {state}: the peer sent data after the application had gone"))
    else:
        tcb.end(now, ConnectionReset(f"reset in {state}: the peer sent data that the application would not read"))


def abort(tcb: Connection, now: float, why: str) -> None:
    """ABORT (RFC 9293 §3.10.5)."""
    state = tcb.state
    if state is CLOSED:
        return
    if state in _ABORT_SENDS_RST:
        output.send_reset(tcb, now)
    tcb.step(Event.ABORT, now)
    tcb.end(now, ConnectionAborted(f"{why} in {state}"))


def forget(tcb: Connection, now: float, why: str) -> None:
    """ABORT without a word to the peer."""
    state = tcb.state
    if state is CLOSED:
        return
    tcb.step(Event.ABORT, now)
    tcb.end(now, ConnectionAborted(f"{why} in {state}"))


_ABORT_SENDS_RST = frozenset({SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT})
