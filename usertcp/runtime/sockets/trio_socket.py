"""trio's socket interface over the stack's sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from socket import AddressFamily, SocketKind
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

import trio

from usertcp.runtime.sockets.plain import PlainSocket
from usertcp.runtime.sockets.resolving import resolve

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

    from usertcp.runtime.sockets.waiter import Waiter

T = TypeVar("T")
P = ParamSpec("P")


class TrioSocket(trio.socket.SocketType):
    """A TCP socket of a stack, as :class:`trio.socket.SocketType` describes sockets.

    Every method means what it means for a kernel's socket.  ``fileno()`` is a descriptor that can be polled for
    reading and nothing else; ``detach()`` and ``dup()`` raise OSError EOPNOTSUPP.
    """

    def __init__(self, plain: PlainSocket) -> None:
        super().__init__()
        #: As trio's own sockets have it; libraries look there.
        self._sock = plain
        self._did_shutdown_SHUT_WR = False

    # -- What it is -------------------------------------------------------------------------------------------

    @property
    def family(self) -> AddressFamily:
        return self._sock.family

    @property
    def type(self) -> SocketKind:
        return self._sock.type

    @property
    def proto(self) -> int:
        return self._sock.proto

    @property
    def did_shutdown_SHUT_WR(self) -> bool:  # noqa: N802
        return self._did_shutdown_SHUT_WR

    def fileno(self) -> int:
        return self._sock.fileno()

    def detach(self) -> int:
        self._sock.detach()

    def dup(self) -> trio.socket.SocketType:
        self._sock.dup()

    def get_inheritable(self) -> bool:
        return self._sock.get_inheritable()

    def set_inheritable(self, inheritable: bool) -> None:
        self._sock.set_inheritable(inheritable)

    def getsockname(self) -> Any:
        return self._sock.getsockname()

    def getpeername(self) -> Any:
        return self._sock.getpeername()

    def __repr__(self) -> str:
        return repr(self._sock).replace("usertcp socket", "usertcp trio socket")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- Options ----------------------------------------------------------------------------------------------

    @overload
    def getsockopt(self, level: int, optname: int) -> int: ...

    @overload
    def getsockopt(self, level: int, optname: int, buflen: int) -> bytes: ...

    def getsockopt(self, level: int, optname: int, buflen: int | None = None) -> int | bytes:
        if buflen is None:
            return self._sock.getsockopt(level, optname)
        return self._sock.getsockopt(level, optname, buflen)

    @overload
    def setsockopt(self, level: int, optname: int, value: int | Buffer) -> None: ...

    @overload
    def setsockopt(self, level: int, optname: int, value: None, optlen: int) -> None: ...

    def setsockopt(self, level: int, optname: int, value: int | Buffer | None, optlen: int | None = None) -> None:
        if (value is None) == (optlen is None):
            raise TypeError("either a value or, with None for it, its length")
        self._sock.setsockopt(level, optname, value, optlen)

    # -- Opening and closing ----------------------------------------------------------------------------------

    async def bind(self, address: Any) -> None:
        address = await resolve(self._sock, address, local=True)
        await trio.lowlevel.checkpoint()
        self._sock.bind(address)

    def listen(self, backlog: int = 128) -> None:
        self._sock.listen(backlog)

    async def accept(self) -> tuple[trio.socket.SocketType, Any]:
        plain, address = await self._when_ready(self._sock.endpoint.readers, self._sock.accept)
        return TrioSocket(plain), address

    async def connect(self, address: Any) -> None:
        try:
            address = await resolve(self._sock, address, local=False)
            await self._when_ready(self._sock.endpoint.writers, self._sock.connect, address)
        except trio.Cancelled:
            self.close()  # as trio's does: who knows how far it has come
            raise

    def shutdown(self, flag: int) -> None:
        self._sock.shutdown(flag)
        if flag in (socket.SHUT_WR, socket.SHUT_RDWR):
            self._did_shutdown_SHUT_WR = True

    def close(self) -> None:
        self._sock.close()

    # -- Data -------------------------------------------------------------------------------------------------

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        return await self._when_ready(self._sock.endpoint.readers, self._sock.recv, buflen, flags)

    async def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        return await self._when_ready(self._sock.endpoint.readers, self._sock.recv_into, buffer, nbytes, flags)

    async def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        return await self._when_ready(self._sock.endpoint.readers, self._sock.recvfrom, bufsize, flags)

    async def recvfrom_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        return await self._when_ready(self._sock.endpoint.readers, self._sock.recvfrom_into, buffer, nbytes, flags)

    async def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, object]:
        return await self._when_ready(self._sock.endpoint.readers, self._sock.recvmsg, bufsize, ancbufsize, flags)

    async def recvmsg_into(
        self, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, list[tuple[int, int, bytes]], int, object]:
        views = list(buffers)
        return await self._when_ready(self._sock.endpoint.readers, self._sock.recvmsg_into, views, ancbufsize, flags)

    async def send(self, bytes: Buffer, flags: int = 0, /) -> int:
        return await self._when_ready(self._sock.endpoint.writers, self._sock.send, bytes, flags)

    async def sendto(self, *args: Any) -> int:
        *data, address = args
        address = await resolve(self._sock, address, local=False)
        return await self._when_ready(self._sock.endpoint.writers, self._sock.sendto, *data, address)

    async def sendmsg(
        self,
        buffers: Iterable[Buffer],
        ancdata: Iterable[tuple[int, int, Buffer]] = (),
        flags: int = 0,
        address: Any = None,
        /,
    ) -> int:
        if address is not None:
            address = await resolve(self._sock, address, local=False)
        whole, control = list(buffers), list(ancdata)
        return await self._when_ready(self._sock.endpoint.writers, self._sock.sendmsg, whole, control, flags, address)

    # -- Waiting ----------------------------------------------------------------------------------------------

    def is_readable(self) -> bool:
        return self._sock.endpoint.is_readable

    async def wait_writable(self) -> None:
        await trio.lowlevel.checkpoint()
        endpoint = self._sock.endpoint
        endpoint.writers.listen()
        while not endpoint.is_writable:
            await self._sleep(endpoint.writers)
            endpoint.writers.listen()

    async def _when_ready(self, waiter: Waiter, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call until it need not wait.  A checkpoint; where it is cancelled, nothing has happened."""
        await trio.lowlevel.checkpoint_if_cancelled()
        waiter.listen()
        try:
            result = call(*args, **kwargs)
        except BlockingIOError:
            pass
        except BaseException:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise
        else:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return result
        while True:
            await self._sleep(waiter)
            waiter.listen()
            try:
                return call(*args, **kwargs)
            except BlockingIOError:
                pass

    async def _sleep(self, waiter: Waiter) -> None:
        await waiter.sleep()
        if self._sock.closed:
            raise trio.ClosedResourceError("another task closed this socket")
