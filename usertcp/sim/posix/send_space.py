"""How much a TCP socket takes to be sent: SO_SNDBUF, and when the socket is writable.

Plain systems count bytes.  Linux charges each packet of the send queue with what it takes of memory, looks at the
limit only before it begins a new packet, fills a packet up to the largest super-segment, and lets the limit grow
with the congestion window.  What an application sees of it (how much a write takes, when EPOLLOUT comes) follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.sim.posix.config import UNLIMITED

if TYPE_CHECKING:
    from usertcp.sim.posix.config import SocketConfig
    from usertcp.sim.posix.system import System
    from usertcp.tcp.connection import Connection

#: A socket's own bound in the core, where this module is what bounds it.
BOUNDLESS: Final = 1 << 30
#: What Linux (SOCK_MIN_SNDBUF) and we give at least.
_LEAST: Final = 4608
#: Headers and structures of one packet, as tcp_sndbuf_expand estimates them.
_ESTIMATED_HEADERS: Final = 640
_ESTIMATED_STRUCTURE: Final = 256
_INITIAL_SEGMENTS: Final = 10
#: How many congestion windows the buffer is to hold.
_WINDOWS: Final = {"bbr": 3}
_DEFAULT_WINDOWS: Final = 2
#: The largest super-segment's payload, less the room that the headers take.
_LARGEST: Final = 65536 - 321
_DEFAULT_MSS: Final = 536


class SendSpace:
    """The send buffer of one socket."""

    def __init__(self, machine: System) -> None:
        #: SO_SNDBUF as it is told.
        self.size = machine.config.send_buffer
        #: The application chose the size: it does not grow.
        self.locked = False
        #: TCP_NOTSENT_LOWAT; 0: the system's.
        self.low_water = 0
        #: Where the packet begins that the next data is added to; None: none does.
        self._tail: int | None = None
        self._begins = True
        self._machine = machine

    @property
    def _config(self) -> SocketConfig:
        return self._machine.config

    def copy(self) -> SendSpace:
        """For a socket that is accepted."""
        other = SendSpace(self._machine)
        other.size, other.locked, other.low_water = self.size, self.locked, self.low_water
        return other

    def restart(self) -> None:
        """Another connection begins."""
        self._tail = None

    def choose(self, size: int, *, forced: bool) -> None:
        """SO_SNDBUF."""
        limit = self._config.send_buffer_limit
        size = size if forced or 0 <= size <= limit else limit
        self.size = max(2 * size if self._config.doubles_buffers else size, _LEAST)
        self.locked = True

    @property
    def _charges_packets(self) -> bool:
        return bool(self._config.packet_overhead)

    @property
    def bound(self) -> int:
        """What the core is to bound the connection by, in bytes."""
        return BOUNDLESS if self._charges_packets else self.size

    # -- How much is taken ------------------------------------------------------------------------------------

    def queued(self, connection: Connection) -> int:
        """What the send queue is charged."""
        unsent, goal = self._unsent(connection), _super_segment(connection)
        packets = len(connection.rtx) + -(-unsent // goal)
        return len(connection.send_buffer) + self._config.packet_overhead * packets

    def room(self, connection: Connection) -> int:
        """Bytes that may be added now; with Linux's rule, to one packet."""
        if not self._charges_packets:
            return max(0, self.size - len(connection.send_buffer))
        goal = _super_segment(connection)
        begun = self._begun(connection)
        self._begins = not 0 < begun < goal
        if not self._begins:
            return goal - begun
        if self.queued(connection) >= self.size or self._unsent(connection) >= self._not_sent_limit:
            return 0
        return goal

    def _begun(self, connection: Connection) -> int:
        """What the packet holds that the next data is added to; 0: it begins a new one."""
        if self._tail is None:
            return 0
        return max(0, connection.send_buffer.end - max(self._tail, connection.snd_nxt))

    def added(self, before: int, *, end_of_record: bool) -> None:
        """Data was added behind sequence number ``before``, as much as :meth:`room` said or less."""
        if self._begins:
            self._tail = before
        if end_of_record:
            self._tail = None

    def writable(self, connection: Connection) -> bool:
        """POLLOUT: a third of the buffer is free, and little waits to be sent."""
        if 2 * self._unsent(connection) >= self._not_sent_limit < UNLIMITED:
            return False
        queued = self.queued(connection)
        return self.size - queued >= queued // 2

    @property
    def _not_sent_limit(self) -> int:
        return self.low_water or self._config.notsent_lowat

    @staticmethod
    def _unsent(connection: Connection) -> int:
        return max(0, connection.send_buffer.end - connection.snd_nxt)

    # -- Growth -----------------------------------------------------------------------------------------------

    def established(self, connection: Connection) -> None:
        """The connection begins: at least its first window fits in (tcp_init_buffer_space)."""
        if self._charges_packets and not self.locked:
            self._expand(connection)

    def grow(self, connection: Connection) -> None:
        """An acknowledgment has come, and somebody waits for room (tcp_new_space).

        Linux does not where the window was filled at once, which its small queues before the device prevent.
        """
        if self._charges_packets and not self.locked:
            self._expand(connection)

    def _expand(self, connection: Connection) -> None:
        mss = max(connection.snd_mss, min(connection.peer_mss, connection.snd_mss))
        needed = mss + _ESTIMATED_HEADERS
        segment = (1 << (needed - 1).bit_length()) + _ESTIMATED_STRUCTURE
        segments = max(_INITIAL_SEGMENTS, connection.congestion.cwnd // mss)
        wanted = _WINDOWS.get(connection.congestion.name, _DEFAULT_WINDOWS) * segments * segment
        if wanted > self.size:
            self.size = min(wanted, self._config.most_send_buffer)


def _super_segment(connection: Connection) -> int:
    """How much one packet of the queue takes: whole segments, at most half of the peer's largest window."""
    mss = connection.snd_mss
    if not connection.gso_payload:
        return mss
    most, window = _LARGEST, connection.max_snd_wnd
    half = window >> 1 if window > _DEFAULT_MSS else window
    if half and most > half:
        most = half
    return max(most // mss * mss, mss)
