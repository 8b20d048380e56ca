"""What a TCP socket tells about data that was sent: completions of MSG_ZEROCOPY, timestamps of SO_TIMESTAMPING."""

from __future__ import annotations

from errno import EINVAL
from typing import TYPE_CHECKING, Final, NamedTuple

from usertcp.sim.posix import constants as c
from usertcp.sim.posix.errors import NotSupported, failure
from usertcp.sim.posix.options import number
from usertcp.tcp import opening
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp.sim.posix.tcp_socket import TcpSocket
    from usertcp.tcp.connection import Connection

_TIMESTAMPING: Final = (c.SOL_SOCKET, c.SO_TIMESTAMPING)
_KNOWN: Final = (
    c.SOF_TIMESTAMPING_TX_SOFTWARE
    | c.SOF_TIMESTAMPING_TX_SCHED
    | c.SOF_TIMESTAMPING_TX_ACK
    | c.SOF_TIMESTAMPING_SOFTWARE
    | c.SOF_TIMESTAMPING_OPT_ID
    | c.SOF_TIMESTAMPING_OPT_ID_TCP
    | c.SOF_TIMESTAMPING_OPT_TSONLY
    | c.SOF_TIMESTAMPING_OPT_CMSG
    # What a device would stamp; ours has no clock.
    | c.SOF_TIMESTAMPING_TX_HARDWARE
    | c.SOF_TIMESTAMPING_RX_HARDWARE
    | c.SOF_TIMESTAMPING_SYS_HARDWARE
    | c.SOF_TIMESTAMPING_RAW_HARDWARE
)
_ALL: Final = (c.SOF_TIMESTAMPING_TX_COMPLETION << 1) - 1
_RECORDS: Final = c.SOF_TIMESTAMPING_TX_SOFTWARE | c.SOF_TIMESTAMPING_TX_SCHED | c.SOF_TIMESTAMPING_TX_ACK


class _Buffer(NamedTuple):
    """A call with MSG_ZEROCOPY: its number, and the sequence numbers of its data."""

    number: int
    start: int
    end: int


class _Stamped(NamedTuple):
    """The last byte of a call whose timestamps are wanted, and which of them (SOF_TIMESTAMPING_TX_...)."""

    seq: int
    wanted: int
    data: bytes


class Completions:
    """Of one socket.  Sequence numbers are unbounded."""

    def __init__(self) -> None:
        self._calls = 0
        # Lists: an empty deque has room for 64 entries, which every socket would pay for.
        self._buffers: list[_Buffer] = []
        self._unsent: list[_Stamped] = []
        self._unacknowledged: list[_Stamped] = []
        #: From where SOF_TIMESTAMPING_OPT_ID counts bytes.
        self._origin = 0

    # -- What is sent -----------------------------------------------------------------------------------------

    def zerocopy(self, start: int, end: int) -> None:
        """A call with MSG_ZEROCOPY has queued this."""
        self._buffers.append(_Buffer(self._calls, start, end))
        self._calls += 1

    def stamp(self, end: int, wanted: int, data: bytes) -> None:
        """A call whose timestamps are ``wanted`` has queued ``data``, which ends before ``end``."""
        if wanted:
            self._unsent.append(_Stamped(end - 1, wanted, data))

    def begin(self, connection: Connection, flags: int) -> None:
        """SOF_TIMESTAMPING_OPT_ID is set."""
        counts_queued = flags & c.SOF_TIMESTAMPING_OPT_ID_TCP
        self._origin = connection.send_buffer.end if counts_queued else connection.snd_una

    # -- What happened ----------------------------------------------------------------------------------------

    def look(self, socket: TcpSocket, connection: Connection) -> bool:
        """Something may have left or been acknowledged; whether there is something new to tell."""
        acknowledged = self._look_for_acknowledged(socket, connection)
        left = self._look_for_sent(socket, connection)
        return self._look_for_buffers(socket, connection) or acknowledged or left

    def _look_for_acknowledged(self, socket: TcpSocket, connection: Connection) -> bool:
        found = False
        while self._unacknowledged and self._unacknowledged[0].seq < connection.snd_una:
            found = self._tell(socket, self._unacknowledged.pop(0), c.SCM_TSTAMP_ACK) or found
        return found

    def _look_for_sent(self, socket: TcpSocket, connection: Connection) -> bool:
        found = False
        while self._unsent and self._unsent[0].seq < connection.snd_nxt:
            stamped = self._unsent.pop(0)
            if stamped.wanted & c.SOF_TIMESTAMPING_TX_SCHED:
                found = self._tell(socket, stamped, c.SCM_TSTAMP_SCHED) or found
            if stamped.wanted & c.SOF_TIMESTAMPING_TX_SOFTWARE:
                found = self._tell(socket, stamped, c.SCM_TSTAMP_SND) or found
            if stamped.wanted & c.SOF_TIMESTAMPING_TX_ACK:
                self._unacknowledged.append(stamped)
        return found

    def _look_for_buffers(self, socket: TcpSocket, connection: Connection) -> bool:
        found = False
        while self._buffers and (self._buffers[0].end <= connection.snd_una or connection.is_over):
            buffer = self._buffers.pop(0)
            # A TUN copies what it hands over.
            socket.error_queue.zerocopy(buffer.number, buffer.number, copied=buffer.start < connection.snd_nxt)
            found = True
        return found

    def _tell(self, socket: TcpSocket, stamped: _Stamped, kind: int) -> bool:
        flags = timestamping(socket)
        if not flags & c.SOF_TIMESTAMPING_SOFTWARE:
            return False
        key = stamped.seq - self._origin if flags & c.SOF_TIMESTAMPING_OPT_ID else 0
        connection = socket.connection
        data = b"" if flags & c.SOF_TIMESTAMPING_OPT_TSONLY else stamped.data
        if data and kind != c.SCM_TSTAMP_ACK and connection is not None:
            # What has left is a packet, headers and all.
            data = bytes(opening.header_length(connection) + opening.TIMESTAMPS_LENGTH * connection.timestamps) + data
        socket.error_queue.stamped(kind, key, socket.machine.now, data)
        return True


def timestamping(socket: TcpSocket) -> int:
    """SO_TIMESTAMPING."""
    return socket.numbers.get(_TIMESTAMPING, 0)


def set_timestamping(socket: TcpSocket, value: bytes) -> None:
    """SO_TIMESTAMPING: for what is sent only."""
    flags = number(value)
    if flags & ~_ALL:
        raise failure(EINVAL)
    if flags & c.SOF_TIMESTAMPING_OPT_ID_TCP and not flags & c.SOF_TIMESTAMPING_OPT_ID:
        raise failure(EINVAL)
    if flags & ~_KNOWN:
        raise NotSupported(f"SO_TIMESTAMPING with flags {flags & ~_KNOWN:#x}")
    if flags & c.SOF_TIMESTAMPING_OPT_ID and not timestamping(socket) & c.SOF_TIMESTAMPING_OPT_ID:
        if socket.connection is None or socket.state in (State.CLOSED, State.LISTEN):
            raise failure(EINVAL)
        socket.completions.begin(socket.connection, flags)
    socket.numbers[_TIMESTAMPING] = flags


def wanted_stamps(socket: TcpSocket, control: tuple[tuple[int, int, bytes], ...]) -> int:
    """Which timestamps a call wants: by the socket's option, or by a control message of its own."""
    wanted = timestamping(socket)
    for level, name, data in control:
        if level != c.SOL_SOCKET:
            continue
        if name != c.SO_TIMESTAMPING:
            raise NotSupported(f"the control message {name} of SOL_SOCKET")
        given = number(data)
        if given & ~_RECORDS:
            raise failure(EINVAL)
        wanted = wanted & ~_RECORDS | given
    return wanted & _RECORDS
