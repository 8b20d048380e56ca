"""Our streams against kernel sockets, by trio's own check of what a stream is."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
import trio
from trio.testing import check_half_closeable_stream

import usertcp
from tests.kernel.clients import KERNEL, dial, until
from usertcp import HostConfig, Settings, Stack, TcpStream

SMALL = 16 << 10
CONFIG = HostConfig(settings=Settings(initial_receive_buffer=SMALL, receive_buffer=SMALL, send_buffer=SMALL, msl=0.1))
#: So long nobody can send any more: then both ends are full.
QUIET = 0.05


class Maker:
    """Makes connections between our stack and the kernel's: ``listening`` is ours, or the kernel's."""

    def __init__(self, stack: Stack, family: int, *, listening: str) -> None:
        self._stack = stack
        self._family = family
        self._connect = self._from_the_kernel if listening == "ours" else self._to_the_kernel
        self._port = 1000
        self.made = 0

    async def pair(self) -> tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]:
        self.made += 1
        ours, theirs = await self._connect()
        return ours, theirs

    async def clogged(self) -> tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]:
        self.made += 1
        ours, theirs = await self._connect()
        await fill(ours, lambda: ours.info().unsent and ours.info().snd_wnd < SMALL // 4)
        await fill(theirs, lambda: ours.info().rcv_wnd < SMALL // 4)
        return ours, theirs

    async def _from_the_kernel(self) -> tuple[TcpStream, trio.SocketStream]:
        self._port += 1
        async with await self._stack.open_listener(self._port) as listener:
            theirs = await dial(self._port, self._family)
            ours = await listener.accept()
        return ours, self._with_small_buffers(theirs)

    async def _to_the_kernel(self) -> tuple[TcpStream, trio.SocketStream]:
        with trio.socket.socket(socket.AF_INET6) as listener:
            await listener.bind(("::", 0))
            listener.listen()
            ours = await self._stack.open_stream(KERNEL[self._family], listener.getsockname()[1])
            accepted, _ = await listener.accept()
        return ours, self._with_small_buffers(trio.SocketStream(accepted))

    @staticmethod
    def _with_small_buffers(stream: trio.SocketStream) -> trio.SocketStream:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            stream.setsockopt(socket.SOL_SOCKET, option, SMALL)
        return stream


async def fill(stream: trio.abc.SendStream, closed: Callable[[], object]) -> None:
    """Send until the receiver's window is ``closed`` and nobody takes any more."""
    while True:
        with trio.move_on_after(QUIET) as patience:
            await stream.send_all(bytes(4096))
        if patience.cancelled_caught and closed():
            return


@pytest.mark.rootless
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("listening", ["ours", "the kernel's"])
async def test_a_half_closeable_stream(family: int, listening: str) -> None:
    async with usertcp.open_stack(config=CONFIG) as stack:
        maker = Maker(stack, family, listening=listening)
        await check_half_closeable_stream(maker.pair, maker.clogged)
        assert maker.made > 20
        await until(lambda: not stack.open_connections)
