"""The system calls on sockets."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EAFNOSUPPORT, EINVAL, EPROTONOSUPPORT, EPROTOTYPE

from usertcp.sim.posix.addresses import SocketAddress
from usertcp.sim.posix.constants import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_STREAM,
)
from usertcp.sim.posix.descriptors import Steps
from usertcp.sim.posix.errors import NotSupported, failure
from usertcp.sim.posix.kernel import Kernel
from usertcp.sim.posix.sockets import Control, Message, Receiving, Sending, Socket
from usertcp.sim.posix.tcp_socket import TcpSocket
from usertcp.sim.posix.udp_socket import UdpSocket

_TYPE_MASK = 0xF
_PROTOCOLS = {SOCK_STREAM: IPPROTO_TCP, SOCK_DGRAM: IPPROTO_UDP}
_CLASSES = {SOCK_STREAM: TcpSocket, SOCK_DGRAM: UdpSocket}


class SocketCalls(Kernel):
    """socket(2) to shutdown(2), getsockopt(2) and setsockopt(2).

    Each raises OSError; EBADF and ENOTSOCK where ``fd`` is no socket.
    """

    def socket(self, domain: int, kind: int, protocol: int = 0) -> int:
        """A new socket's descriptor.  ``kind`` may have SOCK_NONBLOCK and SOCK_CLOEXEC."""
        flags, kind = kind & ~_TYPE_MASK, kind & _TYPE_MASK
        if flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC):
            raise failure(EINVAL)
        if domain not in (AF_INET, AF_INET6):
            raise failure(EAFNOSUPPORT)
        natural = _PROTOCOLS.get(kind)
        if natural is None:
            raise NotSupported(f"sockets of type {kind}")
        if protocol not in (0, natural):
            raise failure(EPROTOTYPE if protocol in _PROTOCOLS.values() else EPROTONOSUPPORT)
        made = _CLASSES[kind](self, domain, flags & SOCK_NONBLOCK)
        return self.descriptors.add(made, close_on_exec=bool(flags & SOCK_CLOEXEC))

    def is_socket(self, fd: int) -> bool:
        """True.  Raises OSError where ``fd`` is none: EBADF, ENOTSOCK."""
        self.socket_of(fd)
        return True

    def bind(self, fd: int, address: SocketAddress) -> None:
        """Give the socket its own address."""
        self.socket_of(fd).bind(address)

    def listen(self, fd: int, backlog: int) -> None:
        """Accept connections from now on."""
        self.socket_of(fd).listen(backlog)

    def accept(self, fd: int) -> tuple[int, SocketAddress]:
        """The descriptor of the next connection, and the peer's address.  May sleep."""
        return self.accept4(fd, 0)

    def accept4(self, fd: int, flags: int) -> tuple[int, SocketAddress]:
        """As :meth:`accept`; ``flags``: SOCK_NONBLOCK, SOCK_CLOEXEC."""
        if flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC):
            raise failure(EINVAL)
        socket = self.socket_of(fd)
        return self.run(self._accept(socket, flags), socket)

    def _accept(self, socket: Socket, flags: int) -> Steps[tuple[int, SocketAddress]]:
        file, address = yield from socket.accept(flags & SOCK_NONBLOCK)
        return self.descriptors.add(file, close_on_exec=bool(flags & SOCK_CLOEXEC)), address

    def connect(self, fd: int, address: SocketAddress) -> None:
        """Connect to ``address``; with AF_UNSPEC: undo that.  May sleep."""
        socket = self.socket_of(fd)
        self.run(socket.connect(address), socket)

    def send(self, fd: int, data: bytes, flags: int = 0) -> int:
        """Send; returns how much was taken.  May sleep."""
        return self.sendto(fd, data, flags, None)

    def sendto(self, fd: int, data: bytes, flags: int, address: SocketAddress | None) -> int:
        """Send to ``address``.  May sleep."""
        socket = self.socket_of(fd)
        return self.run(socket.send(Sending(bytes(data), flags, address)), socket)

    def sendmsg(
        self,
        fd: int,
        buffers: Sequence[bytes],
        control: Sequence[Control] = (),
        flags: int = 0,
        address: SocketAddress | None = None,
    ) -> int:
        """Send with control messages.  May sleep."""
        socket = self.socket_of(fd)
        return self.run(socket.send(Sending(b"".join(buffers), flags, address, tuple(control))), socket)

    def _receiving(self, fd: int, count: int) -> Socket:
        socket = self.socket_of(fd)
        if count < 0:
            raise failure(EINVAL)
        return socket

    def recv(self, fd: int, count: int, flags: int = 0) -> bytes:
        """Receive up to ``count`` bytes.  The result's length is the call's return value.  May sleep."""
        socket = self._receiving(fd, count)
        return self.run(_data(socket.receive(Receiving(count, flags))), socket)

    def recvfrom(self, fd: int, count: int, flags: int = 0) -> tuple[bytes, SocketAddress | None]:
        """As :meth:`recv`, with the sender's address where there is one.  May sleep."""
        socket = self._receiving(fd, count)
        return self.run(_data_and_address(socket.receive(Receiving(count, flags))), socket)

    def recvmsg(self, fd: int, count: int, control_size: int = 0, flags: int = 0) -> Message:
        """Receive with up to ``control_size`` bytes of control messages.  May sleep."""
        socket = self._receiving(fd, count)
        return self.run(socket.receive(Receiving(count, flags, control_size)), socket)

    def shutdown(self, fd: int, how: int) -> None:
        """Close one direction or both: SHUT_RD, SHUT_WR, SHUT_RDWR."""
        self.socket_of(fd).shutdown(how)
        self.settle()

    def getsockname(self, fd: int) -> SocketAddress:
        """The socket's own address."""
        return self.socket_of(fd).name()

    def getpeername(self, fd: int) -> SocketAddress:
        """The address that it is connected to."""
        return self.socket_of(fd).peer_name()

    def getsockopt(self, fd: int, level: int, name: int, length: int = 4) -> bytes:
        """An option's value, as much of it as ``length`` bytes hold."""
        return self.socket_of(fd).get_option(level, name, length)

    def setsockopt(self, fd: int, level: int, name: int, value: bytes) -> None:
        """Set an option."""
        self.socket_of(fd).set_option(level, name, bytes(value))
        self.settle()


def _data(steps: Steps[Message]) -> Steps[bytes]:
    message = yield from steps
    return message.data


def _data_and_address(steps: Steps[Message]) -> Steps[tuple[bytes, SocketAddress | None]]:
    message = yield from steps
    return message.data, message.address
