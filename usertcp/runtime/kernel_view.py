"""A device that asks the kernel behind it what it thinks of its end, and tells it as trace events.

The peer of most connections is this machine's kernel.  Writing a packet to a TUN runs the kernel's receiving side
before the call returns, and a packet that is read was sent a moment ago: so what
:mod:`~usertcp.runtime.sock_diag` answers directly afterwards is what that segment made of the kernel's
end, and what its application, if it was quicker than the question, has done since.  An answer that speaks of a FIN
or RST of the kernel's that has not been read yet is passed over: when that segment passes, it is asked again.

It stands next to the TUN, before any bad path: what counts is what reaches the kernel.

A connection of which the kernel has no socket (its peer is another machine, or a simulated one) gets no such
events, and with nobody to hear them nothing is asked.
"""

from __future__ import annotations

from typing import Final

import trio

from usertcp.runtime.device import PacketDevice
from usertcp.runtime.flow import flags_of, flow_of
from usertcp.runtime.sock_diag import Reading, SockDiag, question
from usertcp.runtime.wrapped import WrappedDevice
from usertcp.stack.host import Host
from usertcp.stack.keys import sockets_of
from usertcp.tcp.connection import Connection
from usertcp.tcp.events import Kind
from usertcp.tcp.states import SEND_CLOSED, State
from usertcp.wire.buffer import Buffer
from usertcp.wire.tcp import ACK, FIN, RST, SYN

#: So many segments of a connection are asked after one by one, from its SYN and again from its first FIN on.
_AT_FIRST: Final = 32
#: After these, so many seconds pass between two questions: bulk must not suffer.
_SELDOM: Final = 0.01
#: In that time so many segments of all connections are looked at, and after one that opens or closes as many again.
_LOOKED_AT: Final = 16
#: SYNs of the kernel's that have not reached the stack yet; more are not remembered.
_MAX_EARLY: Final = 64
#: When so many connections are remembered, it is looked which ones have ended; then at twice as many as are left.
_SWEEP: Final = 1024

#: The flags of segments that open and close.
_RARE: Final = SYN | FIN | RST
_HALF_OPEN: Final = (State.LISTEN, State.SYN_RECEIVED)


class _Flow:
    """What is remembered of a connection."""

    __slots__ = ("asked", "due", "ended", "left", "listens", "number", "seen")

    def __init__(self, number: int, asked: bytes) -> None:
        self.number = number
        self.asked = asked
        self.seen: Reading | None = None
        #: A listener there would take the connection; it counts when it has.
        self.listens: Reading | None = None
        self.left = _AT_FIRST
        self.due = 0.0
        #: The kernel's FIN, or a RST of either end, has passed.
        self.ended = False


class KernelViewDevice(WrappedDevice):
    """``device``, a TUN, with questions to the kernel; :meth:`tell` says to whom the answers go."""

    def __init__(self, device: PacketDevice) -> None:
        """Raises OSError where this kernel answers no questions."""
        super().__init__(device)
        self._kernel = SockDiag()
        self._host: Host | None = None
        self._flows: dict[bytes, _Flow] = {}
        self._early: dict[bytes, Reading] = {}
        self._sweep_at = _SWEEP
        self._looks = _LOOKED_AT
        self._next_look = 0.0

    def tell(self, host: Host) -> None:
        """From now on the answers are trace events of ``host``, whose packets pass here."""
        self._host = host
        host.opened = self._opened

    def receive(self) -> bytes | None:
        """The next packet; its sender has been asked what it made of sending it."""
        packet = self.inner.receive()
        if packet is not None and self._host is not None and self._host.trace is not None:
            self._look(self._host, (packet,), "segment-in")
        return packet

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        """Send one packet, then ask its receiver what it made of it."""
        taken = self.inner.send(buffers)
        if taken and self._host is not None and self._host.trace is not None:
            self._look(self._host, buffers, "segment-out")
        return taken

    def close(self) -> None:
        """Close the inner device, and ask no more."""
        self._host = None
        self._kernel.close()
        self.inner.close()

    # -- Asking -------------------------------------------------------------------------------------------

    def _opened(self, connection: Connection) -> None:
        """The host has a new connection: the kernel's SYN has reached it, or ours will leave."""
        flow = self._remember(connection.key, connection.number)
        early = self._early.pop(connection.key, None)
        if early is not None:
            self._say(flow, early, "segment-in")
        else:
            self._take(flow, self._kernel.ask(flow.asked), "open")

    def _look(self, host: Host, buffers: tuple[Buffer, ...], when: str) -> None:
        """A packet has passed.  Of bulk most is let pass: it is there that every microsecond counts."""
        offload = self.inner.offload
        if not self._looks:
            now = trio.current_time()
            if now < self._next_look and not flags_of(buffers, offload=offload) & _RARE:
                return
            self._next_look = now + _SELDOM
            self._looks = _LOOKED_AT
        found = flow_of(buffers, offload=offload, inbound=when == "segment-in")
        if found is None:
            return
        self._looks = _LOOKED_AT if found[1] & _RARE else self._looks - 1
        self._passed(host, *found, when)

    def _passed(self, host: Host, key: bytes, flags: int, when: str) -> None:
        """A segment has passed."""
        if flags & (SYN | ACK) == SYN and when == "segment-in" and key not in host.connections:
            self._opens(key)
            return
        flow = self._flows.get(key) or self._joined(host, key)
        if flow is None:
            return
        if flags & FIN:
            flow.left = _AT_FIRST
        if flags & RST or (flags & FIN and when == "segment-in"):
            flow.ended = True
        if flow.left > 0:
            flow.left -= 1
        elif not flags & (SYN | RST):
            now = trio.current_time()
            if now < flow.due:
                return
            flow.due = now + _SELDOM
        self._take(flow, self._kernel.ask(flow.asked), when)

    def _opens(self, key: bytes) -> None:
        """A SYN of the kernel's is on its way to the stack."""
        reading = self._kernel.ask(question(*sockets_of(key)))
        if reading is not None and reading.state is State.SYN_SENT:
            if len(self._early) == _MAX_EARLY:
                del self._early[next(iter(self._early))]
            self._early[key] = reading

    def _joined(self, host: Host, key: bytes) -> _Flow | None:
        """A connection that began while nobody watched."""
        known = host.connections.get(key) or host.time_waits.get(key)
        return None if known is None else self._remember(key, known.number)

    def _remember(self, key: bytes, number: int) -> _Flow:
        if len(self._flows) >= self._sweep_at and self._host is not None:
            there = self._host.connections
            self._flows = {key: flow for key, flow in self._flows.items() if key in there}
            self._sweep_at = max(_SWEEP, 2 * len(self._flows))
        flow = self._flows[key] = _Flow(number, question(*sockets_of(key)))
        return flow

    def _take(self, flow: _Flow, reading: Reading | None, when: str) -> None:
        """What the kernel answered, which is not always about this connection."""
        before = flow.seen
        if reading is not None and reading.state is State.LISTEN:
            if before is None:
                flow.listens = reading
                return
            if before.state not in _HALF_OPEN:
                reading = None  # the listener is what is left when the connection's own socket is gone
        if reading is None:
            if before is None or before.state is State.CLOSED:
                return
            reading = Reading(State.CLOSED)
        if not flow.ended and (reading.state in SEND_CLOSED or reading.state is State.CLOSED):
            return
        if flow.listens is not None:
            listens, flow.listens = flow.listens, None
            self._say(flow, listens, "open")
        self._say(flow, reading, when)

    def _say(self, flow: _Flow, reading: Reading, when: str) -> None:
        """Tell it where anything is new in it."""
        before, flow.seen = flow.seen, reading
        if before is not None and before._replace(timer_left=reading.timer_left) == reading:
            return
        trace = self._host.trace if self._host is not None else None
        if trace is not None:
            trace((Kind.PEER, trio.current_time(), flow.number, when, *reading))
