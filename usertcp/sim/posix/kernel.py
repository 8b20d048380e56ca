"""What stands below the system calls: packets and time, wake-ups, and calls that sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from usertcp.sim import wire_form
from usertcp.sim.posix import icmp_errors
from usertcp.sim.posix.addresses import SocketAddress, on_the_wire
from usertcp.sim.posix.config import SocketConfig
from usertcp.sim.posix.constants import AF_INET, AF_INET6
from usertcp.sim.posix.descriptors import Descriptors, File, Steps, not_a_socket
from usertcp.sim.posix.errors import Asleep
from usertcp.sim.posix.icmp_errors import IcmpError
from usertcp.sim.posix.sockets import Socket
from usertcp.sim.posix.system import System
from usertcp.sim.posix.tcp_socket import TcpSocket
from usertcp.sim.posix.udp_socket import UdpSocket
from usertcp.stack.host import Host
from usertcp.tcp.states import State
from usertcp.wire import ipv4, ipv6, tcp, udp

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


class Kernel(System):
    """A host with descriptors; see :class:`~usertcp.sim.posix.machine.Machine`, which has the system calls too."""

    def __init__(
        self,
        host: Host,
        *,
        now: float = 0.0,
        personality: str = "linux",
        config: SocketConfig | None = None,
        whole: bool = True,
    ) -> None:
        super().__init__(host, now, personality, config)
        #: Whether super-segments come out of :meth:`sent` as one packet.
        self.whole = whole
        self.descriptors = Descriptors()
        host.datagrams = self

    def settings_changed(self) -> None:
        """The host's configuration is another: connections that listeners make from now on have it."""
        for listener in self.host.listeners.values():
            if isinstance(listener.user, TcpSocket):
                listener.settings = listener.user.settings

    # -- Packets and time -------------------------------------------------------------------------------------

    def receive(self, packet: bytes) -> None:
        """An IP packet arrives."""
        host = self.host
        error = icmp_errors.find(packet, self.personality)
        meant = None if error is None else self._tcp_socket(error)
        if error is not None and meant is not None:
            meant.icmp_error = error.number
        host.packet_arrives(wire_form.to_offload(packet) if host.offload else packet, self.now)
        if error is not None and error.quoted.protocol == udp.PROTOCOL:
            self._datagram_failed(error)
        self.settle()
        if meant is not None:
            meant.icmp_error = 0

    def _tcp_socket(self, error: IcmpError) -> TcpSocket | None:
        """Whose segment an ICMP error quotes; not one about the path's MTU, which is TCP's own matter."""
        quoted = error.quoted
        if quoted.protocol != tcp.PROTOCOL or error.mtu:
            return None
        ports = quoted.dst_port.to_bytes(2, "big") + quoted.src_port.to_bytes(2, "big")
        connection = self.host.connections.get(quoted.dst + quoted.src + ports)
        socket = None if connection is None else connection.user
        return socket if isinstance(socket, TcpSocket) else None

    def datagram_arrives(self, src: bytes, dst: bytes, header: udp.Header, payload: bytes, packet: memoryview) -> bool:
        """A UDP datagram: to the socket that it fits best (see :class:`usertcp.stack.host.Datagrams`)."""
        source = SocketAddress(AF_INET if len(src) == 4 else AF_INET6, src, header.src_port)
        best = self._best(source, dst, header.dst_port)
        if best is None:
            return False
        ttl, traffic_class = (packet[8], packet[1]) if len(src) == 4 else (packet[7], _traffic_class(packet))
        best.arrives(payload, source, ttl, traffic_class)
        return True

    def _datagram_failed(self, error: IcmpError) -> None:
        quoted = error.quoted
        family = AF_INET if len(quoted.dst) == 4 else AF_INET6
        socket = self._best(SocketAddress(family, quoted.dst, quoted.dst_port), quoted.src, quoted.src_port)
        if socket is not None:
            header = ipv4.HEADER_LENGTH if family == AF_INET else ipv6.HEADER_LENGTH
            socket.icmp(error, error.quoted_bytes[header + udp.HEADER_LENGTH :])

    def _best(self, source: SocketAddress, local: bytes, port: int) -> UdpSocket | None:
        sockets = [socket for socket in self.sockets() if isinstance(socket, UdpSocket)]
        scored = [(socket.score(source, local, port), socket) for socket in sockets]
        points, best = max(scored, key=lambda pair: pair[0], default=(0, None))
        return best if points else None

    def sent(self) -> list[bytes]:
        """The IP packets that have left since this was last called, with whole checksums."""
        packets: list[bytes] = []
        outbox = self.host.outbox
        while outbox:
            packets.extend(self._as_seen(b"".join(outbox.popleft())))
        return packets

    def _as_seen(self, packet: bytes) -> Iterable[bytes]:
        if not self.host.offload:
            return (packet,)
        return (wire_form.whole(packet),) if self.whole else wire_form.from_offload(packet)

    def deadline(self) -> float:
        """When something happens next by itself (``inf``: never); calls that sleep have deadlines of their own."""
        return self.host.deadline()

    def advance(self, now: float) -> None:
        """Let everything happen that is due until ``now``, in its order, and let the time be that."""
        while (due := self.deadline()) <= now:
            self.now = max(self.now, due)
            self.host.run_timers(self.now)
            self.settle()
        self.now = max(self.now, now)

    @property
    def next_isn(self) -> int | None:
        """The initial sequence number of the next connection; None: the host's own choice."""
        return self.host.next_isn

    @next_isn.setter
    def next_isn(self, number: int | None) -> None:
        self.host.next_isn = number

    def settle(self) -> None:
        """Let the host put out what it may, and wake whom that concerns."""
        host = self.host
        host.flush(self.now)
        while host.woken or host.woken_listeners:
            connections, host.woken = host.woken, []
            for connection in connections:
                bits, connection.pending = connection.pending, 0
                if isinstance(connection.user, TcpSocket):
                    connection.user.woken(bits)
            listeners, host.woken_listeners = host.woken_listeners, []
            for listener in listeners:
                listener.pending = False
                if isinstance(listener.user, TcpSocket):
                    listener.user.wake()
            host.flush(self.now)
        for file in self.descriptors.files():
            if isinstance(file, TcpSocket):
                file.settled()

    def state_of(self, local: SocketAddress, remote: SocketAddress) -> State | None:
        """The state of the connection between two sockets, also of one whose application is gone; None: no such."""
        ports = remote.port.to_bytes(2, "big") + local.port.to_bytes(2, "big")
        key = on_the_wire(remote.address) + on_the_wire(local.address) + ports
        connection = self.host.connections.get(key)
        if connection is not None:
            return connection.state
        return State.TIME_WAIT if key in self.host.time_waits else None

    def sockets(self) -> list[Socket]:
        return [file for file in self.descriptors.files() if isinstance(file, Socket)]

    # -- Calls ------------------------------------------------------------------------------------------------

    def run(self, steps: Steps[T], *files: File) -> T:
        """Run a call, which holds ``files``, until it returns.  Raises OSError, Asleep."""
        for file in files:
            file.holders += 1
        return self._go_on(steps, files)

    def _go_on(self, steps: Steps[T], files: tuple[File, ...]) -> T:
        try:
            deadline = next(steps)
        except StopIteration as end:
            self._let_go(files)
            self.settle()
            result: T = end.value
            return result
        except BaseException:
            self._let_go(files)
            self.settle()
            raise
        self.settle()
        raise Asleep(lambda: self._go_on(steps, files), deadline)

    def _let_go(self, files: tuple[File, ...]) -> None:
        for file in files:
            file.holders -= 1
            if not file.holders:
                # The descriptor was closed while the call slept: nobody waits for what lingers.
                for _ in self.closing(file):
                    break

    def closing(self, file: File) -> Steps[None]:
        """Nobody holds ``file`` any more."""
        for watcher in list(file.watchers):
            watcher.forget(file)
        yield from file.close()

    def socket_of(self, fd: int) -> Socket:
        """The socket behind ``fd``.  Raises OSError EBADF, ENOTSOCK."""
        file = self.descriptors.file(fd)
        if not isinstance(file, Socket):
            raise not_a_socket()
        return file


def _traffic_class(packet: memoryview) -> int:
    return (packet[0] << 4 | packet[1] >> 4) & 0xFF
