"""UDP sockets: datagrams in and out, and the ICMP errors that they meet."""

from __future__ import annotations

from collections import deque
from errno import (
    EACCES,
    EAGAIN,
    EDESTADDRREQ,
    EINVAL,
    EISCONN,
    EMSGSIZE,
    ENETUNREACH,
    ENOTCONN,
    ENOTTY,
    EOPNOTSUPP,
    EPIPE,
)
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from usertcp.sim.posix import binding, ip_options, options, ports, socket_options, udp_output
from usertcp.sim.posix import constants as c
from usertcp.sim.posix.addresses import ANY, SocketAddress, checked, for_socket, is_any, on_the_wire
from usertcp.sim.posix.control import fit
from usertcp.sim.posix.descriptors import Steps
from usertcp.sim.posix.errors import NotSupported, failure
from usertcp.sim.posix.icmp_errors import IcmpError
from usertcp.sim.posix.sockets import Control, Message, Receiving, Sending, Socket
from usertcp.sim.posix.times import EPSILON
from usertcp.stack.errors import NotOurAddress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from usertcp.sim.posix.system import System

_INT: Final = Struct("=i")
_MOST: Final = 65507
#: What a datagram is charged in the receive buffer beside its payload.
_OVERHEAD: Final = 768
_RECEIVE: Final = 1
_SEND: Final = 2
_IPV4_TABLES: Final = {c.SOL_SOCKET: socket_options.TABLE, c.SOL_IP: ip_options.IP}
_TABLES: Final = {c.AF_INET: _IPV4_TABLES, c.AF_INET6: {**_IPV4_TABLES, c.SOL_IPV6: ip_options.IPV6}}


class _Datagram(NamedTuple):
    """One that waits to be read."""

    data: bytes
    source: SocketAddress
    ttl: int
    traffic_class: int


class UdpSocket(Socket):
    """SOCK_DGRAM, IPPROTO_UDP."""

    kind = c.SOCK_DGRAM
    protocol = c.IPPROTO_UDP

    def __init__(self, machine: System, domain: int, flags: int) -> None:
        super().__init__(machine, domain, flags)
        self.remote: SocketAddress | None = None
        self._shut = 0
        self._waiting: deque[_Datagram] = deque()
        self._held = 0
        self._receive_buffer = machine.config.receive_buffer
        #: What MSG_MORE has gathered, and for whom.
        self._pending = b""
        self._pending_for: SocketAddress | None = None

    # -- From the network ---------------------------------------------------------------------------------------

    def score(self, source: SocketAddress, local: bytes, port: int) -> int:
        """How well a datagram for ``local``, ``port`` fits this socket; 0: not at all."""
        mine = on_the_wire(self.local.address)
        if self.local.port != port or not (is_any(self.local.address) or mine == local):
            return 0
        if self.domain == c.AF_INET and len(local) != 4:
            return 0
        if len(local) == 4 and self.domain == c.AF_INET6 and self.flag(c.SOL_IPV6, c.IPV6_V6ONLY):
            return 0
        points = 1 + (not is_any(self.local.address)) + (self.domain == c.AF_INET)
        if self.remote is not None:
            if (on_the_wire(self.remote.address), self.remote.port) != (source.address, source.port):
                return 0
            points += 4
        return points

    def arrives(self, data: bytes, source: SocketAddress, ttl: int, traffic_class: int) -> None:
        """A datagram for this socket; dropped where the receive buffer is full."""
        charge = len(data) + _OVERHEAD
        if self._held + charge > self._receive_buffer and self._waiting:
            return
        self._held += charge
        seen = for_socket(self.domain, source.address, source.port)
        self._waiting.append(_Datagram(data, seen, ttl, traffic_class))
        self.wake(c.POLLIN | c.POLLRDNORM)

    def icmp(self, error: IcmpError, payload: bytes) -> None:
        """An ICMP error about a datagram of ours (Linux's udp_err)."""
        level, name = (c.SOL_IP, c.IP_RECVERR) if self.domain == c.AF_INET else (c.SOL_IPV6, c.IPV6_RECVERR)
        destination = for_socket(self.domain, error.quoted.dst, error.quoted.dst_port)
        if self.flag(level, name):
            self.error_queue.icmp(self.domain, error, payload, destination)
        elif self.remote is None or not (error.hard or error.number == EMSGSIZE):
            return
        self.error = error.number
        self.wake(c.POLLERR)

    # -- The calls ----------------------------------------------------------------------------------------------

    def bind(self, address: SocketAddress) -> None:
        binding.bind(self, address, in_use=False)

    def connect(self, address: SocketAddress) -> Steps[None]:
        if address.family == c.AF_UNSPEC:
            self.remote = None
            self._shut = 0
            binding.unbind(self)
            return
        remote = self._destination(address)
        local = self._local_for(remote)
        self._need_port()
        self.local = for_socket(self.domain, local, self.local.port)
        self.remote = address
        yield from ()

    def _destination(self, address: SocketAddress) -> SocketAddress:
        """As packets bear it."""
        if self.domain == c.AF_INET6 and address.family == c.AF_INET:
            address = for_socket(c.AF_INET6, address.address, address.port)
        address = checked(self.domain, address)
        wire = on_the_wire(address.address)
        if len(wire) == 4 and self.flag(c.SOL_IPV6, c.IPV6_V6ONLY):
            raise failure(ENETUNREACH)
        if wire == b"\xff\xff\xff\xff" and not self.flag(c.SOL_SOCKET, c.SO_BROADCAST):
            raise failure(EACCES)
        return for_socket(c.AF_INET if len(wire) == 4 else c.AF_INET6, wire, address.port)

    def _local_for(self, remote: SocketAddress) -> bytes:
        """The address that datagrams to ``remote`` come from."""
        mine = on_the_wire(self.local.address)
        if not is_any(self.local.address):
            if len(mine) != len(remote.address):
                raise failure(ENETUNREACH)
            return mine
        try:
            return self.machine.host.source_for(remote.address)
        except NotOurAddress:
            raise failure(ENETUNREACH) from None

    def send(self, what: Sending) -> Steps[int]:
        yield from ()
        if self.machine.personality == "linux":
            self._need_port()
        if len(what.data) > 0xFFFF:
            raise failure(EMSGSIZE)
        if what.flags & c.MSG_OOB:
            raise failure(EOPNOTSUPP)
        if what.control:
            raise NotSupported("control messages of UDP")
        if self._pending_for is None:
            self._pending_for = self._where_to(what)
        remote = self._pending_for
        data = self._pending + what.data
        if len(data) > _MOST:
            self._pending, self._pending_for = b"", None
            raise failure(EMSGSIZE)
        if what.flags & c.MSG_MORE:
            self._pending = data
            return len(what.data)
        self._pending, self._pending_for = b"", None
        if self.error:
            raise failure(self.take_error())
        if self._shut & _SEND:
            raise failure(EPIPE)
        udp_output.send(self, self._local_for(remote), remote, data)
        return len(what.data)

    def _where_to(self, what: Sending) -> SocketAddress:
        if what.address is not None and self.remote is not None and self.machine.personality == "freebsd":
            raise failure(EISCONN)
        if what.address is not None and what.address.family != c.AF_UNSPEC:
            remote = self._destination(what.address)
        elif self.remote is not None:
            remote = self._destination(self.remote)
        else:
            raise failure(EDESTADDRREQ)
        if not remote.port:
            raise failure(EINVAL)
        self._need_port()
        return remote

    def _need_port(self) -> None:
        if not self.local.port:
            self.local = self.local._replace(port=ports.free(self))

    def receive(self, what: Receiving) -> Steps[Message]:
        if what.flags & c.MSG_ERRQUEUE:
            message, error = self.error_queue.take(self.domain, what.most, what.control_size)
            if error is not None:
                self.error = error
            return message
        deadline = self.patience(self.receive_timeout, what.flags)
        while not self._waiting:
            if self.error:
                raise failure(self.take_error())
            if self._shut & _RECEIVE and (deadline > self.machine.now or self.machine.personality == "freebsd"):
                return Message(b"")  # Linux looks for it only where it would sleep
            if self.machine.now >= deadline - EPSILON:
                raise failure(EAGAIN)
            yield deadline
        datagram = self._waiting[0]
        if not what.flags & c.MSG_PEEK:
            self._waiting.popleft()
            self._held -= len(datagram.data) + _OVERHEAD
        control, truncated = fit(self._control(datagram), what.control_size)
        flags = truncated | (c.MSG_TRUNC if len(datagram.data) > what.most else 0)
        data = datagram.data if what.flags & c.MSG_TRUNC else datagram.data[: what.most]
        return Message(data, datagram.source, control, flags)

    def _control(self, datagram: _Datagram) -> list[Control]:
        if len(on_the_wire(datagram.source.address)) == 4:
            level, hops, ttl, byte, tos = c.SOL_IP, c.IP_RECVTTL, c.IP_TTL, c.IP_RECVTOS, c.IP_TOS
        else:
            level, hops, ttl = c.SOL_IPV6, c.IPV6_RECVHOPLIMIT, c.IPV6_HOPLIMIT
            byte, tos = c.IPV6_RECVTCLASS, c.IPV6_TCLASS
        messages: list[Control] = []
        if self.flag(level, hops):
            messages.append((level, ttl, _INT.pack(datagram.ttl)))
        if self.flag(level, byte):
            data = bytes([datagram.traffic_class]) if level == c.SOL_IP else _INT.pack(datagram.traffic_class)
            messages.append((level, tos, data))
        return messages

    def shutdown(self, how: int) -> None:
        if how not in (c.SHUT_RD, c.SHUT_WR, c.SHUT_RDWR):
            raise failure(EINVAL)
        self._shut |= how + 1
        self.wake()
        if self.remote is None:
            raise failure(ENOTCONN)

    def peer_name(self) -> SocketAddress:
        if self.remote is None:
            raise failure(ENOTCONN)
        return self.remote

    def ioctl(self, request: int, argument: int) -> int:
        if request == c.SIOCINQ:
            return len(self._waiting[0].data) if self._waiting else 0
        if request == c.SIOCOUTQ:
            return 0
        raise failure(ENOTTY)

    def close(self) -> Steps[None]:
        self._waiting.clear()
        self.local = SocketAddress(self.domain, ANY[self.domain], 0)
        yield from ()

    def poll(self) -> int:
        mask = c.POLLOUT | c.POLLWRNORM | c.POLLWRBAND
        if self.error or self.error_queue:
            mask |= c.POLLERR
        if self._shut & _RECEIVE:
            mask |= c.POLLRDHUP | c.POLLIN | c.POLLRDNORM
        if self._shut == _RECEIVE | _SEND:
            mask |= c.POLLHUP
        if self._waiting:
            mask |= c.POLLIN | c.POLLRDNORM
        return mask

    # -- Options ------------------------------------------------------------------------------------------------

    @property
    def tables(self) -> Mapping[int, options.Table]:
        return _TABLES[self.domain]

    @property
    def receive_buffer_size(self) -> int:
        return self._receive_buffer

    def set_receive_buffer(self, size: int, *, forced: bool) -> None:
        config = self.machine.config
        size = size if forced or 0 <= size <= config.receive_buffer_limit else config.receive_buffer_limit
        self._receive_buffer = max(size * (2 if config.doubles_buffers else 1), 2304)

    @property
    def path_mtu(self) -> int | None:
        return None if self.remote is None else self.machine.host.mtu
