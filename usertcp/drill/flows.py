"""Which connection a packet of the script is of.

A script speaks of one connection at a time and does not name it.  Packets go to the present one; a new one begins

- with the first packet to a new listener,
- with a SYN, where the present connection is gone, or where its application has closed it and the script
  goes on to expect a SYN+ACK; any other SYN is the present connection's, whatever its state,
- with the first packet that the host sends to somebody new: the SYN of a ``connect``, or a datagram,
- with ports that the script had not named before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from usertcp.drill.options import Options
from usertcp.drill.packets import Endpoints, Flow, TimestampClock, endpoints
from usertcp.drill.script import IcmpPacket, Packet, TcpPacket, UdpPacket
from usertcp.drill.target import Endpoint, Target

#: The ports of remote ends that connect to us.
_FIRST_REMOTE_PORT: Final = 40_000
_REMOTE_PORTS: Final = 25_000
#: A SYN may still be part of how these begin.
_BEGINNING: Final = frozenset(("LISTEN", "SYN-SENT", "SYN-RECEIVED"))


@dataclass(slots=True)
class _Known:
    """A flow, and what the application does with it."""

    flow: Flow
    #: The script's descriptor of its socket, once there is one.
    descriptor: int | None = None
    #: That descriptor was closed.
    closed: bool = False


class Flows:
    """All connections of one run."""

    def __init__(self, target: Target, options: Options) -> None:
        self._target = target
        self._options = options
        self._known: list[_Known] = []
        self._current: _Known | None = None
        self._listener: Endpoint | None = None
        self._listening: int | None = None
        self._fresh = False
        self._passive = 0

    def __len__(self) -> int:
        return len(self._known)

    # -- What the application does

    def listening(self, local: Endpoint, descriptor: int) -> None:
        """A socket listens; the next packet is of a new connection to it."""
        self._listener = local
        self._listening = descriptor
        self._fresh = True

    def connected(self, local: Endpoint, remote: Endpoint, descriptor: int) -> None:
        """A socket has a peer, and no packet said so: it is for datagrams, or was asked once more."""
        for known in reversed(self._known):
            flow = known.flow
            if (flow.local, flow.local_port) == local and (flow.remote, flow.remote_port) == remote:
                return
        known = self._add(Flow(local.address, remote.address, local.port, remote.port))
        known.descriptor = descriptor

    def opened(self, descriptor: int) -> None:
        """The newest connection is that of the script's ``descriptor``."""
        self._known[-1].descriptor = descriptor

    def accepted(self, remote: Endpoint, descriptor: int) -> None:
        """The application has got the connection from ``remote``."""
        for known in reversed(self._known):
            flow = known.flow
            if (flow.remote, flow.remote_port) == remote and known.descriptor is None:
                known.descriptor = descriptor
                return

    def closed(self, descriptor: int) -> None:
        """The application has closed it."""
        if descriptor == self._listening:
            self._listener = self._listening = None
            self._fresh = False
        for known in self._known:
            if known.descriptor == descriptor:
                known.descriptor = None
                known.closed = True

    # -- What the link carries

    def inbound(self, packet: Packet, upcoming: Packet | None) -> Flow:
        """The connection that ``packet`` is to be injected into; ``upcoming`` is the next packet that is expected."""
        ports = packet.ports if isinstance(packet, TcpPacket | UdpPacket) else None
        if ports is not None:
            return self._named(ports)
        if self._current is None or self._fresh or self._begins(packet, upcoming):
            return self._accept(packet).flow
        return self._current.flow

    def outbound(self, packet: bytes) -> Flow:
        """The connection that a packet which left is of; a new one if it is of none."""
        ends = endpoints(packet)
        back = Endpoints(ends.destination, ends.destination_port, ends.source, ends.source_port)
        for known in reversed(self._known):
            if known.flow.sends(ends) or known.flow.sends(back):
                return known.flow
        return self._add(Flow(ends.source, ends.destination, ends.source_port, ends.destination_port)).flow

    def _add(self, flow: Flow) -> _Known:
        options = self._options
        if options.timestamp_tick is not None:
            flow.clock = TimestampClock(options.timestamp_tick, options.tolerance)
        known = _Known(flow)
        self._known.append(known)
        self._current = known
        self._fresh = False
        return known

    def _accept(self, packet: Packet) -> _Known:
        """A new connection from the remote end."""
        port = _FIRST_REMOTE_PORT + self._passive % _REMOTE_PORTS
        if not isinstance(packet, TcpPacket):
            port = self._options.connect_port
        self._passive += 1
        return self._add(Flow(self._local_address(), self._options.remote_address, self._local_port(), port))

    def _local_address(self) -> bytes:
        own = self._options.local_address
        if self._listener is None or len(self._listener.address) != len(own) or not any(self._listener.address):
            return own
        return self._listener.address

    def _local_port(self) -> int:
        return self._options.bind_port if self._listener is None else self._listener.port

    def _begins(self, packet: Packet, upcoming: Packet | None) -> bool:
        """Whether ``packet`` is the SYN of another connection than the present one."""
        known = self._current
        if known is None or self._listener is None or isinstance(packet, IcmpPacket | UdpPacket):
            return False
        if packet.flags & frozenset("S.R") != frozenset("S"):
            return False
        flow = known.flow
        local = Endpoint(flow.local, flow.local_port or 0)
        state = self._target.state(local, Endpoint(flow.remote, flow.remote_port or 0))
        if state is None:
            return True
        expects_syn_ack = isinstance(upcoming, TcpPacket) and frozenset("S.") <= upcoming.flags
        return known.closed and expects_syn_ack and state not in _BEGINNING

    def _named(self, ports: tuple[int, int]) -> Flow:
        """By the ports of an inbound packet: source, destination."""
        remote, local = ports
        for known in self._known:
            if known.flow.named_ports == (local, remote):
                self._current = known
                return known.flow
        current = self._current
        if current is not None and not self._fresh and current.flow.named_ports is None:
            current.flow.named_ports = (local, remote)
            return current.flow
        flow = Flow(self._local_address(), self._options.remote_address, self._named_local(local), remote)
        flow.named_ports = (local, remote)
        return self._add(flow).flow

    def _named_local(self, port: int) -> int:
        """The live port: a script may name the listener's otherwise than it is bound."""
        return port if self._listener is None else self._listener.port
