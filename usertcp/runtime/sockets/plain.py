"""A non-blocking socket of the stack, with the methods of :class:`socket.socket`.

It is to :class:`~usertcp.runtime.sockets.trio_socket.TrioSocket` what a kernel's socket is to trio's: programs and
libraries that look below trio's socket (``trio_socket._sock``) find the same questions answered.
"""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from errno import EAGAIN, EALREADY, EBADF, EINPROGRESS, EINVAL, ENOPROTOOPT, EOPNOTSUPP
from operator import index
from socket import AddressFamily, SocketKind
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, overload

import trio

from usertcp.runtime.sockets import addresses
from usertcp.runtime.sockets.endpoint import Endpoint
from usertcp.sim.posix.addresses import is_any
from usertcp.sim.posix.errors import NotSupported
from usertcp.sim.posix.sockets import Receiving, Sending
from usertcp.stack import loopback
from usertcp.tcp.errors import TcpError

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

    from usertcp.runtime.sockets.table import SocketTable
    from usertcp.sim.posix.descriptors import Steps
    from usertcp.sim.posix.sockets import Message
    from usertcp.tcp.connection import Connection

T = TypeVar("T")
_INT: Final = Struct("=i")
_UNSIGNED: Final = Struct("=I")
#: Not yet: no error of a connection.
_LATER: Final = frozenset({EAGAIN, EINPROGRESS, EALREADY})


class PlainSocket:
    """Never waits: raises BlockingIOError.  Other errors are OSErrors with the kernel's errno; where a connection
    ended, its :class:`~usertcp.tcp.errors.TcpError` is their cause."""

    timeout: Final = 0.0

    def __init__(self, table: SocketTable, endpoint: Endpoint, proto: int = 0) -> None:
        self._table = table
        self._endpoint = endpoint
        self._family = AddressFamily(endpoint.domain)
        self._proto = proto
        self._token = trio.lowlevel.current_trio_token()

    # -- What it is -------------------------------------------------------------------------------------------

    @property
    def family(self) -> AddressFamily:
        """AF_INET or AF_INET6."""
        return self._family

    @property
    def type(self) -> SocketKind:
        """SOCK_STREAM."""
        return SocketKind.SOCK_STREAM

    @property
    def proto(self) -> int:
        """As it was given."""
        return self._proto

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called, or the stack has ended."""
        return self._endpoint.gone

    @property
    def endpoint(self) -> Endpoint:
        """What is behind it.  Raises OSError EBADF after :meth:`close`."""
        endpoint = self._endpoint
        if endpoint.gone:
            raise OSError(EBADF, os.strerror(EBADF))
        return endpoint

    def fileno(self) -> int:
        """-1 after :meth:`close`."""
        return -1 if self.closed else self._endpoint.beacon()

    def getblocking(self) -> bool:
        """False."""
        return False

    def gettimeout(self) -> float:
        """0.0: it never waits."""
        return 0.0

    def setblocking(self, flag: bool) -> None:
        """Raises OSError EOPNOTSUPP, except for False."""
        if flag:
            _impossible("cannot wait: use trio's socket")

    def settimeout(self, value: float | None) -> None:
        """Raises OSError EOPNOTSUPP, except for 0."""
        self.setblocking(value is None or value > 0)

    def get_inheritable(self) -> bool:
        """False: other processes have no part in it."""
        return False

    def set_inheritable(self, inheritable: bool) -> None:
        """Raises OSError EOPNOTSUPP, except for False."""
        if inheritable:
            _impossible("cannot be handed to another process")

    def detach(self) -> NoReturn:
        """Raises OSError EOPNOTSUPP."""
        _impossible("has no descriptor to detach")

    def dup(self) -> NoReturn:
        """Raises OSError EOPNOTSUPP."""
        _impossible("has no descriptor to duplicate")

    def getsockname(self) -> Any:
        """Its own address."""
        return addresses.to_python(self.endpoint.name())

    def getpeername(self) -> Any:
        """The peer's address.  Raises OSError ENOTCONN."""
        endpoint = self.endpoint
        try:
            return addresses.to_python(endpoint.peer_name())
        except OSError as error:
            _tell(error, endpoint.connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"<usertcp socket [closed] family={self._family.name}, type={self.type.name}>"
        local = self.getsockname()
        try:
            there = f", raddr={self.getpeername()}"
        except OSError:
            there = ""
        return f"<usertcp socket family={self._family.name}, type={self.type.name}, laddr={local}{there}>"

    def __del__(self) -> None:
        endpoint = getattr(self, "_endpoint", None)
        if endpoint is None or endpoint.gone:
            return
        warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
        # Wherever we are now (in the midst of the core, in another thread), it is not here that it can be closed.
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(_close, self._table, endpoint)

    # -- Opening and closing ----------------------------------------------------------------------------------

    @trio.lowlevel.enable_ki_protection
    def bind(self, address: Any) -> None:
        """As :meth:`socket.socket.bind`, with a numeric host."""
        endpoint = self.endpoint
        parsed = addresses.from_python(endpoint.domain, address)
        self._call(lambda: endpoint.bind(parsed))

    @trio.lowlevel.enable_ki_protection
    def listen(self, backlog: int = 128) -> None:
        """As :meth:`socket.socket.listen`."""
        endpoint = self.endpoint
        self._table.check_running()
        self._call(lambda: endpoint.listen(backlog))

    @trio.lowlevel.enable_ki_protection
    def accept(self) -> tuple[PlainSocket, Any]:
        """As :meth:`socket.socket.accept`.  Raises BlockingIOError."""
        child, address = self._run(self.endpoint.accept(0))
        assert isinstance(child, Endpoint)
        return PlainSocket(self._table, child, self._proto), addresses.to_python(address)

    @trio.lowlevel.enable_ki_protection
    def connect(self, address: Any) -> None:
        """As :meth:`socket.socket.connect`, with a numeric host.  Raises BlockingIOError as long as the handshake
        lasts: call it again."""
        endpoint = self.endpoint
        self._table.check_running()
        there = addresses.from_python(endpoint.domain, address)
        if is_any(there.address):  # as a kernel has it
            there = there._replace(address=loopback.IPV4 if endpoint.domain == socket.AF_INET else loopback.IPV6)
        self._run(endpoint.connect(there))

    @trio.lowlevel.enable_ki_protection
    def shutdown(self, how: int) -> None:
        """As :meth:`socket.socket.shutdown`."""
        endpoint = self.endpoint
        self._call(lambda: endpoint.shutdown(how))

    @trio.lowlevel.enable_ki_protection
    def close(self) -> None:
        """As :meth:`socket.socket.close`: what was sent still arrives.  May be called again."""
        if not self.closed:
            _close(self._table, self._endpoint)

    # -- Data -------------------------------------------------------------------------------------------------

    @trio.lowlevel.enable_ki_protection
    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """As :meth:`socket.socket.recv`.  Raises BlockingIOError."""
        endpoint = self.endpoint
        connection = endpoint.receivable() if not flags and index(bufsize) > 0 else None
        if connection is None:
            return self._receive(bufsize, flags).data
        data = connection.receive(bufsize, self._table.tick())
        self._taken(connection)
        return data if type(data) is bytes else bytes(data)

    @trio.lowlevel.enable_ki_protection
    def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """As :meth:`socket.socket.recv_into`.  Raises BlockingIOError."""
        with memoryview(buffer) as view, view.cast("B") as target:
            if not 0 <= nbytes <= len(target):
                raise ValueError("nbytes is negative, or the buffer is shorter")
            with target[: nbytes or len(target)] as room:
                connection = self.endpoint.receivable() if not flags and room else None
                if connection is not None:
                    count = connection.receive_into(room, self._table.tick())
                    self._taken(connection)
                    return count
                data = self._receive(len(room), flags).data
                count = min(len(data), len(room))
                room[:count] = data[:count]
                return len(data)

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        """As :meth:`recv`; a stream has no addresses: None."""
        return self.recv(bufsize, flags), None

    def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """As :meth:`recv_into`; a stream has no addresses: None."""
        return self.recv_into(buffer, nbytes, flags), None

    @trio.lowlevel.enable_ki_protection
    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, Any]:
        """As :meth:`socket.socket.recvmsg`.  Raises BlockingIOError."""
        message = self._receive(bufsize, flags, ancbufsize)
        return message.data, list(message.control), message.flags, None

    @trio.lowlevel.enable_ki_protection
    def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, Any]:
        """As :meth:`socket.socket.recvmsg_into`.  Raises BlockingIOError."""
        views = [memoryview(buffer).cast("B") for buffer in buffers]
        data, control, flags, address = self.recvmsg(sum(map(len, views)), ancbufsize, flags)
        at = 0
        for view in views:
            piece = data[at : at + len(view)]
            view[: len(piece)] = piece
            at += len(piece)
        return len(data), control, flags, address

    @trio.lowlevel.enable_ki_protection
    def send(self, data: Buffer, flags: int = 0, /) -> int:
        """As :meth:`socket.socket.send`: some of ``data``, perhaps.  Raises BlockingIOError."""
        endpoint = self.endpoint
        with memoryview(data) as whole, whole.cast("B") as view:
            self._table.tick()
            connection = endpoint.sendable() if view and not flags else None
            if connection is None:
                return self._run(endpoint.send(Sending(bytes(view), flags)))
            taken = endpoint.hand_over(connection, view)
        if not taken:
            raise BlockingIOError(EAGAIN, os.strerror(EAGAIN))
        if connection.touched:
            self._table.settle()
        return taken

    @trio.lowlevel.enable_ki_protection
    def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: Any = None,
        /,
    ) -> int:
        """As :meth:`socket.socket.sendmsg`.  Raises BlockingIOError."""
        endpoint = self.endpoint
        to = None if address is None else addresses.from_python(endpoint.domain, address)
        control = tuple((level, kind, bytes(value)) for level, kind, value in ancdata)
        return self._run(endpoint.send(Sending(b"".join(buffers), flags, to, control)))

    def sendto(self, data: Buffer, *rest: Any) -> int:
        """As :meth:`socket.socket.sendto`, for MSG_FASTOPEN.  Raises BlockingIOError."""
        if not 1 <= len(rest) <= 2:
            raise TypeError("sendto(data[, flags], address)")
        flags, address = rest if len(rest) == 2 else (0, rest[0])
        return self.sendmsg([data], (), flags, address)

    # -- Options ----------------------------------------------------------------------------------------------

    @overload
    def getsockopt(self, level: int, optname: int, /) -> int: ...

    @overload
    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...

    def getsockopt(self, level: int, optname: int, buflen: int = 0, /) -> int | bytes:
        """As :meth:`socket.socket.getsockopt`.  Raises OSError: ENOPROTOOPT for what we do not have."""
        endpoint = self.endpoint
        if not 0 <= buflen <= 1024:
            raise OSError(EINVAL, "getsockopt buflen out of range")
        self._table.tick()
        value = self._call(lambda: endpoint.get_option(level, optname, buflen or _INT.size))
        return value if buflen else int(_INT.unpack(value.ljust(_INT.size, b"\0"))[0])

    @trio.lowlevel.enable_ki_protection
    def setsockopt(self, level: int, optname: int, value: int | Buffer | None, optlen: int | None = None, /) -> None:
        """As :meth:`socket.socket.setsockopt`.  Raises OSError: ENOPROTOOPT for what we do not have."""
        endpoint = self.endpoint
        if value is None:
            raw = bytes(optlen or 0)
        elif isinstance(value, int):
            raw = (_INT if value < 1 << 31 else _UNSIGNED).pack(value)
        else:
            raw = bytes(value)
        self._call(lambda: endpoint.set_option(level, optname, raw))

    # -- How a call runs --------------------------------------------------------------------------------------

    def _receive(self, size: int, flags: int, control_size: int = 0) -> Message:
        if index(size) < 0 or index(control_size) < 0:
            raise ValueError("negative buffersize")
        return self._run(self.endpoint.receive(Receiving(size, flags, control_size)))

    def _taken(self, connection: Connection) -> None:
        """Data was received: the window may open, and a beacon go out."""
        if connection.touched:
            self._table.settle()
        self._endpoint.shine()

    def _run(self, steps: Steps[T]) -> T:
        """A call that might sleep on other sockets, and on ours ends at once."""

        def to_the_end() -> T:
            try:
                next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            raise BlockingIOError(EAGAIN, os.strerror(EAGAIN))

        return self._call(to_the_end)

    def _call(self, call: Callable[[], T]) -> T:
        endpoint = self.endpoint
        connection = endpoint.connection
        self._table.tick()
        try:
            return call()
        except NotSupported as missing:
            raise OSError(ENOPROTOOPT, f"usertcp has no {missing.what}") from None
        except OSError as error:
            _tell(error, connection)
        finally:
            endpoint.settled()
            self._table.settle()
            endpoint.shine()


def _tell(error: OSError, connection: Connection | None) -> NoReturn:
    """``error`` of a call, in words, and with what ended ``connection`` as its cause."""
    number = error.errno or 0
    if number in _LATER or isinstance(error, socket.gaierror):
        raise error
    cause: TcpError | None = None if connection is None else connection.error
    raise OSError(number, os.strerror(number) if cause is None else str(cause)) from cause


def _impossible(what: str) -> NoReturn:
    raise OSError(EOPNOTSUPP, f"a usertcp socket {what}")


def _close(table: SocketTable, endpoint: Endpoint) -> None:
    table.tick()
    endpoint.let_go()
    table.settle()
