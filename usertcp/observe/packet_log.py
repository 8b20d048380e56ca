"""Packets and trace events of one host, queued in the order in which they happened.

The stack's side only appends; whoever writes a capture takes the entries out, in another thread if there is one.  The
order says what belongs together: what an arriving packet does is told between :class:`Arrived` and :class:`Settled`,
what a packet is sent for before :class:`Left`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from usertcp.sim.impairment import Entered
from usertcp.stack.host import Host
from usertcp.stack.keys import key_of
from usertcp.tcp.connection import Connection
from usertcp.tcp.events import Kind
from usertcp.tcp.states import State
from usertcp.wire.buffer import Buffer

#: Of what waits to be taken out, in bytes.
DEFAULT_LIMIT: Final = 64 << 20
#: What an entry takes beside its packet.
_ENTRY: Final = 400

# Looked up once: the sink is called inside the core.
_OPENED: Final = Kind.OPENED
_SEGMENT_IN: Final = Kind.SEGMENT_IN
_SEGMENT_OUT: Final = Kind.SEGMENT_OUT
_DELETED: Final = Kind.DELETED


class Numbers(NamedTuple):
    """What a connection has in mind, windows in bytes and times in seconds."""

    conn: int
    state: State
    cwnd: int
    ssthresh: int
    in_flight: int
    rto: float


class Arrived(NamedTuple):
    """A packet as the device yielded it; the events up to :class:`Settled` are its."""

    time: float
    packet: bytes


class Settled(NamedTuple):
    """The end of it, and the connection's numbers then."""

    numbers: Numbers | None


class Left(NamedTuple):
    """A packet as the device took it."""

    time: float
    buffers: tuple[Buffer, ...]


class Lost(NamedTuple):
    """A packet that an impairment lost before the stack."""

    time: float
    packet: bytes
    what: tuple[str, ...]


class Damaged(NamedTuple):
    """The packet that arrives next was damaged by an impairment."""


class Impaired(NamedTuple):
    """What an impairment does to the packet that leaves next, or to a segment of it."""

    packet: bytes
    entered: Entered


class Missing(NamedTuple):
    """So many packets, and what was to be told of them, were not kept."""

    packets: int


#: A plain tuple is a flat trace event.
Entry: TypeAlias = tuple[Any, ...] | Arrived | Settled | Left | Lost | Damaged | Impaired | Missing | Numbers


class PacketLog:
    """A sink for trace events, and a watcher of the device and of its impairment.

    At most ``limit`` bytes wait; beyond that all is thrown away until half of it is taken out, and :attr:`lost` counts
    the packets.  ``wake`` is called when something waits and nothing did.
    """

    def __init__(self, *, limit: int = DEFAULT_LIMIT, wake: Callable[[], None] | None = None) -> None:
        self._entries: deque[tuple[Entry, int]] = deque()
        self._limit = limit
        self._wake = wake
        # Two counters, since each is changed by one thread only.
        self._put = self._taken = 0
        self._missing: int | None = None
        self.lost = 0
        #: Whose connections are asked for their numbers; events alone tell them only when they have changed a lot.
        self.host: Host | None = None
        self._blocks: dict[int, Connection] = {}
        self._stopped = False
        self._arrived_for = 0

    # -- The sink -------------------------------------------------------------------------------------

    def __call__(self, flat: tuple[Any, ...]) -> None:
        """A trace event."""
        kind = flat[0]
        self._add(flat, _ENTRY)
        if kind is _SEGMENT_OUT:
            self._add_numbers(flat[2])
        elif kind is _SEGMENT_IN:
            self._arrived_for = flat[2]
        elif kind is _OPENED:
            self._remember(flat)
        elif kind is _DELETED:
            self._blocks.pop(flat[2], None)

    def _remember(self, opened: tuple[Any, ...]) -> None:
        _, _, number, local_address, local_port, remote_address, remote_port, _ = opened
        if self.host is not None:
            block = self.host.connections.get(key_of(remote_address, remote_port, local_address, local_port))
            if block is not None:
                self._blocks[number] = block

    def _add_numbers(self, conn: int) -> None:
        """Those of the segment that was framed just now."""
        numbers = self._numbers(conn)
        if numbers is not None:
            self._add(numbers, _ENTRY)
            if numbers.state is State.TIME_WAIT:
                del self._blocks[conn]  # it is a few numbers from now on, not to be kept whole by us

    def _numbers(self, conn: int) -> Numbers | None:
        block = self._blocks.get(conn)
        if block is None:
            return None
        congestion = block.congestion
        return Numbers(conn, block.state, congestion.cwnd, congestion.ssthresh, block.in_flight, block.rtt.rto)

    # -- The watcher of packets -----------------------------------------------------------------------

    def arrived(self, time: float, packet: bytes) -> None:
        """The stack takes it in."""
        self._arrived_for = 0
        self._add(Arrived(time, packet), _ENTRY + len(packet), packets=1)

    def settled(self) -> None:
        """What the packet did, it has done."""
        self._add(Settled(self._numbers(self._arrived_for)), _ENTRY)

    def left(self, time: float, buffers: tuple[Buffer, ...]) -> None:
        """A packet was sent."""
        self._add(Left(time, buffers), _ENTRY + sum(map(len, buffers)), packets=1)

    def lost_inbound(self, time: float, packet: bytes, what: tuple[str, ...]) -> None:
        """An impairment lost a packet before the stack saw it."""
        self._add(Lost(time, packet, what), _ENTRY + len(packet), packets=1)

    def damaged_inbound(self) -> None:
        """An impairment damaged the packet that arrives next."""
        self._add(Damaged(), _ENTRY)

    def entered_outbound(self, packet: bytes, entered: Entered) -> None:
        """An impairment does something to a packet that is being sent."""
        self._add(Impaired(packet, entered), _ENTRY + len(packet))

    # -- The queue ------------------------------------------------------------------------------------

    def _add(self, entry: Entry, size: int, *, packets: int = 0) -> None:
        if self._stopped:
            return
        waiting = self._put - self._taken
        if self._missing is not None:
            if waiting > self._limit // 2:
                self._missing += packets
                self.lost += packets
                return
            self._entries.append((Missing(self._missing), 0))
            self._missing = None
        elif waiting + size > self._limit:
            self._missing = packets
            self.lost += packets
            return
        self._put += size
        self._entries.append((entry, size))
        if self._wake is not None and len(self._entries) == 1:
            self._wake()

    def take(self, most: int) -> Iterator[Entry]:
        """What waits, up to ``most`` entries of it."""
        entries = self._entries
        for _ in range(min(most, len(entries))):
            entry, size = entries.popleft()
            self._taken += size
            yield entry

    def stop(self) -> None:
        """From now on nothing is kept."""
        self._stopped = True
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
