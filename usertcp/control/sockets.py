"""The sockets of a host as values: what ``usertcp ss`` shows, and its form in JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from typing import Any, Final

from usertcp.control.filter import Subject
from usertcp.services.description import Json, to_json
from usertcp.stack.host import Host
from usertcp.stack.keys import sockets_of
from usertcp.stack.listener import Listener
from usertcp.tcp.connection import Connection
from usertcp.tcp.states import State
from usertcp.tcp.status import Status
from usertcp.tcp.time_wait import TimeWait
from usertcp.wire.seq import MASK


class BadSocket(ValueError):
    """An object is no socket's; says why."""


@dataclass(frozen=True, slots=True)
class Socket:
    """One socket of a host."""

    #: Seconds of the host's clock, when this was so.
    time: float
    #: The connection's number, as in trace events; 0 for a listener.
    conn: int
    state: State
    #: 4 or 16 bytes; empty where a listener takes any of the host's addresses, and for its peer.
    local_address: bytes
    local_port: int
    remote_address: bytes
    remote_port: int
    #: Bytes that the application has not read; of a listener, connections that it has not accepted.
    recv_q: int
    #: Bytes that the peer has not acknowledged; of a listener, how many may be half-open or wait to be accepted.
    send_q: int
    #: The timers that run, and in how many seconds they are due.
    timers: dict[str, float]
    #: Everything about a connection; None for listeners and TIME-WAIT, of which no more is known than stands above.
    status: Status | None

    @property
    def subject(self) -> Subject:
        """What a filter looks at."""
        return Subject(self.state, self.local_address, self.local_port, self.remote_address, self.remote_port)


def sockets(host: Host, clock: Callable[[], float]) -> Iterator[Socket]:
    """Listeners, connections and what waits in TIME-WAIT, each as it is when it is asked for.

    The host may go on in between.
    """
    for listener in list(host.listeners.values()):
        yield _of_listener(listener, clock())
    for connection in list(host.connections.values()):
        if connection.state is not State.CLOSED:
            yield _of_connection(connection, clock())
    for waiting in list(host.time_waits.values()):
        yield _of_time_wait(waiting, clock())


def _of_listener(listener: Listener, now: float) -> Socket:
    address = listener.address or b""
    return Socket(now, 0, State.LISTEN, address, listener.port, b"", 0, len(listener.ready), listener.backlog, {}, None)


def _of_connection(connection: Connection, now: float) -> Socket:
    status = connection.status()
    return Socket(
        time=now,
        conn=connection.number,
        state=status.state,
        local_address=status.local_address,
        local_port=status.local_port,
        remote_address=status.remote_address,
        remote_port=status.remote_port,
        recv_q=status.unread,
        send_q=((status.snd_nxt - status.snd_una) & MASK) + status.unsent,
        timers={name: max(0.0, due - now) for name, due in status.timers.items()},
        status=status,
    )


def _of_time_wait(waiting: TimeWait, now: float) -> Socket:
    there = subject_of_time_wait(waiting)
    return Socket(now, waiting.number, *there, 0, 0, {"time-wait": max(0.0, waiting.due - now)}, None)


def subject_of_time_wait(waiting: TimeWait) -> Subject:
    """Its sockets."""
    remote, remote_port, local, local_port = sockets_of(waiting.key)
    return Subject(State.TIME_WAIT, local, local_port, remote, remote_port)


# -- JSON -------------------------------------------------------------------------------------------------


def to_object(shown: Socket) -> dict[str, Json]:
    """For :mod:`json`: addresses as text, states by their names in RFC 9293."""
    return {field.name: to_json(getattr(shown, field.name)) for field in fields(shown)}


def from_object(made: Mapping[str, Any]) -> Socket:
    """The opposite; fields that this version does not know are passed over.

    :raises BadSocket: a field is missing, or is not what it should be.
    """
    return Socket(**_values(Socket, made))


def _values(form: type[Socket] | type[Status], made: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for field in fields(form):
        try:
            values[field.name] = _READERS[str(field.type)](made[field.name])
        except BadSocket:
            raise
        except (KeyError, TypeError, ValueError):
            raise BadSocket(f"a socket's {field.name} is missing or wrong") from None
    return values


def _of_type(*types: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) not in types:
            raise TypeError
        return value

    return read


def _address(value: Any) -> bytes:
    text = _of_type(str)(value)
    return ip_address(text).packed if text else b""


def _moments(value: Any) -> dict[str, float]:
    return {name: _of_type(int, float)(moment) for name, moment in _of_type(dict)(value).items()}


def _status(value: Any) -> Status | None:
    return None if value is None else Status(**_values(Status, value))


#: By a field's annotation.
_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "State": State,
    "bool": _of_type(bool),
    "bytes": _address,
    "dict[str, float]": _moments,
    "float": _of_type(int, float),
    "float | None": _of_type(int, float, type(None)),
    "int": _of_type(int),
    "str": _of_type(str),
    "Status | None": _status,
}
