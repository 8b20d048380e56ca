"""trio's own sockets on a stack of ours, and the kernel's beside them: what programs see is the same."""

from __future__ import annotations

import errno
import random
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest
import trio
import trustme
from trio.testing import check_half_closeable_stream

import usertcp
from tests.kernel.clients import KERNEL, OURS, PATIENCE, curl, read_all, until, url
from tests.kernel.test_connecting import blackhole
from usertcp import HostConfig, Settings
from usertcp.tcp.errors import HostUnreachable

families = pytest.mark.parametrize("family", [4, 6])
DATA = random.Random(3).randbytes(5_000_000)
Serve: TypeAlias = Callable[[Any], Awaitable[None]]


async def echo(stream: trio.abc.HalfCloseableStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send_all(data)


async def exchange(stream: trio.SocketStream, data: bytes) -> bytes:
    """Send ``data`` and half-close while receiving; returns what came."""
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            await stream.send_all(data)
            await stream.send_eof()

        nursery.start_soon(send)
        return await read_all(stream)


@asynccontextmanager
async def kernel_server(serve: Serve) -> AsyncIterator[int]:
    async with trio.open_nursery() as nursery:
        with usertcp.kernel_sockets():
            listening = trio.socket.socket(socket.AF_INET6)
            await listening.bind(("::", 0))
            listening.listen()
            nursery.start_soon(trio.serve_listeners, serve, [trio.SocketListener(listening)])
        yield listening.getsockname()[1]
        nursery.cancel_scope.cancel()


@pytest.mark.rootless
@families
@pytest.mark.parametrize("offload", [True, False], ids=["offload", "no-offload"])
async def test_we_connect_to_the_kernel(family: int, offload: bool) -> None:
    async with usertcp.open_stack(offload=offload) as stack, kernel_server(echo) as port:
        with usertcp.trio_sockets(stack, hosts={"kernel.example": KERNEL[family]}):
            stream = await trio.open_tcp_stream("kernel.example", port)
        async with stream:
            assert stream.socket.getsockname()[0] == OURS[family]
            assert await exchange(stream, DATA) == DATA


@pytest.mark.rootless
@families
async def test_the_kernel_connects_to_us(family: int) -> None:
    async with usertcp.open_stack() as stack, trio.open_nursery() as nursery:
        with usertcp.trio_sockets(stack):
            await nursery.start(trio.serve_tcp, echo, 7)
        # We are outside of the block: this is the kernel's.
        async with await trio.open_tcp_stream(OURS[family], 7) as stream:
            assert stream.socket.getsockname()[0] == KERNEL[family]
            assert await exchange(stream, DATA) == DATA
        nursery.cancel_scope.cancel()


@families
async def test_curl_connects_to_us(family: int) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    async with usertcp.open_stack() as stack, trio.open_nursery() as nursery:
        with usertcp.trio_sockets(stack):
            await nursery.start(trio.serve_tcp, answer, 80)
        assert await curl(url(family)) == "hello"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("ours", ["client", "server"])
async def test_tls_with_the_kernels_sockets(ours: str) -> None:
    authority = trustme.CA()
    for_server, for_client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert(OURS[4], KERNEL[4]).configure_cert(for_server)
    authority.configure_trust(for_client)
    async with usertcp.open_stack() as stack, trio.open_nursery() as nursery:
        with usertcp.trio_sockets(stack) if ours == "server" else usertcp.kernel_sockets():
            await nursery.start(trio.serve_ssl_over_tcp, echo, 443, for_server)
        with usertcp.trio_sockets(stack) if ours == "client" else usertcp.kernel_sockets():
            there = OURS[4] if ours == "server" else KERNEL[4]
            stream = await trio.open_ssl_over_tcp_stream(there, 443, ssl_context=for_client)
        async with stream:
            await stream.send_all(DATA[:200_000])
            heard = b""
            while len(heard) < 200_000:
                heard += await stream.receive_some()
            assert heard == DATA[:200_000]
        nursery.cancel_scope.cancel()


async def clog(stream: trio.SocketStream) -> None:
    """Send until nothing more is taken, however often one asks."""
    refusals = 0
    while refusals < 3:
        refusals += 1
        with trio.move_on_after(0.03):
            while await stream.socket.send(bytes(65536)):
                refusals = 0


async def test_a_half_closeable_stream_to_the_kernel() -> None:
    async with usertcp.open_stack() as stack:
        with usertcp.kernel_sockets():
            (listener,) = await trio.open_tcp_listeners(0, host=KERNEL[4])

        async def make() -> tuple[trio.SocketStream, trio.SocketStream]:
            with usertcp.trio_sockets(stack):
                ours = await trio.open_tcp_stream(*listener.socket.getsockname())
            return ours, await listener.accept()

        async def make_clogged() -> tuple[trio.SocketStream, trio.SocketStream]:
            pair = await make()
            for stream in pair:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            for stream in pair:
                await clog(stream)
            return pair

        await check_half_closeable_stream(make, make_clogged)
        await listener.aclose()


async def test_a_router_says_that_there_is_no_route() -> None:
    """By RFC 9293 §3.9.2.2 that is no reason to give up; a kernel does, and so do we where we are told to."""
    blackhole("unreachable")
    config = HostConfig(settings=Settings(icmp_ends_opening="any"))
    async with usertcp.open_stack(config=config) as stack:
        with usertcp.trio_sockets(stack), trio.socket.socket() as sock:  # noqa: SIM117
            with pytest.raises(OSError, match="no route: ICMP host unreachable") as raised:
                await sock.connect(("198.51.100.1", 80))
        assert raised.value.errno == errno.EHOSTUNREACH
        assert isinstance(raised.value.__cause__, HostUnreachable)


# -- The same calls, and the same answers -------------------------------------------------------------------------

OPTIONS = [
    (socket.SOL_SOCKET, name)
    for name in (socket.SO_TYPE, socket.SO_DOMAIN, socket.SO_PROTOCOL, socket.SO_ERROR, socket.SO_ACCEPTCONN)
] + [
    (socket.IPPROTO_TCP, name)
    for name in (socket.TCP_NODELAY, socket.TCP_KEEPIDLE, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT, 999)
]


class Story:
    """What a program's calls gave: results, or the exception's class and errno."""

    def __init__(self) -> None:
        self.told: list[object] = []

    async def tell(self, what: str, call: Callable[..., Any], *args: Any) -> Any:
        with trio.fail_after(PATIENCE):
            try:
                result = call(*args)
                if isinstance(result, Awaitable):
                    result = await result
            except OSError as error:
                self.told.append((what, type(error), error.errno))
                return None
            self.told.append((what, result if isinstance(result, (int, bytes)) else type(result).__name__))
            return result


async def program(server: tuple[str, int], closed: tuple[str, int], own: str) -> list[object]:
    """A program that does right and wrong things, and nothing that depends on whose sockets it has."""
    story = Story()
    with trio.socket.socket() as sock:
        for level, name in OPTIONS:
            await story.tell(f"getsockopt {name}", sock.getsockopt, level, name)
        await story.tell("recv", sock.recv, 10)
        await story.tell("send", sock.send, b"x")
        await story.tell("accept", sock.accept)
        await story.tell("getpeername", sock.getpeername)
        await story.tell("shutdown", sock.shutdown, socket.SHUT_WR)
        await story.tell("nodelay", sock.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await story.tell("nodelay?", sock.getsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await story.tell("bad keepidle", sock.setsockopt, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 0)
        await story.tell("bad address", sock.bind, ("203.0.113.1", 0))
        await story.tell("refused", sock.connect, closed)
    with trio.socket.socket() as one, trio.socket.socket() as other:
        await story.tell("bind", one.bind, (own, 0))
        await story.tell("again", one.bind, (own, 0))
        await story.tell("listen", one.listen, 5)
        await story.tell("in use", other.bind, one.getsockname())
        await story.tell("accepts", one.getsockopt, socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        await story.tell("connect a listener", one.connect, server)
        await story.tell("send on a listener", one.send, b"x")
    with trio.socket.socket() as sock:
        await story.tell("connect", sock.connect, server)
        await story.tell("listen", sock.listen)
        await story.tell("sent", sock.send, b"hello")
        await story.tell("peek", sock.recv, 5, socket.MSG_PEEK)
        await story.tell("heard", sock.recv, 100)
        await story.tell("not there", sock.recv, 100, socket.MSG_OOB)
        await story.tell("shutdown", sock.shutdown, socket.SHUT_WR)
        await story.tell("after it", sock.send, b"x")
        await story.tell("the end", sock.recv, 100)
        await story.tell("the end again", sock.recv, 100)
        await story.tell("error", sock.getsockopt, socket.SOL_SOCKET, socket.SO_ERROR)
    with trio.socket.socket() as sock:
        await story.tell("connect", sock.connect, server)
        await story.tell("please reset", sock.send, b"reset")
        await trio.sleep(0.2)  # data and a RST have come, and nobody has read
        for _ in range(3):
            await story.tell("what was left", sock.recv, 100)
        await story.tell("after a reset", sock.send, b"x")
        await story.tell("who was it", sock.getpeername)
    await story.tell("closed", sock.recv, 1)
    await story.tell("closed", sock.getsockname)
    await story.tell("closed", sock.fileno)
    return story.told


async def echo_or_reset(stream: trio.SocketStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send_all(data)
            if data == b"reset":
                await trio.sleep(0.05)
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
                return


async def test_a_program_sees_no_difference() -> None:
    async with usertcp.open_stack() as stack, kernel_server(echo_or_reset) as port:
        with usertcp.kernel_sockets(), trio.socket.socket() as unused:
            await unused.bind((KERNEL[4], 0))  # it does not listen, and nobody else can
            server, closed = (KERNEL[4], port), unused.getsockname()
            expected = await program(server, closed, KERNEL[4])
            with usertcp.trio_sockets(stack):
                assert await program(server, closed, OURS[4]) == expected
        assert ("refused", ConnectionRefusedError, errno.ECONNREFUSED) in expected
        assert ("heard", b"hello") in expected
        await until(lambda: not stack.host.connections)
