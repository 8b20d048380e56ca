"""We open the connection: to the kernel's listeners, and to where nobody listens."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
import trio
from pyroute2 import IPRoute

import usertcp
from tests.kernel.clients import KERNEL, PATIENCE, living_connections, read_all, until
from usertcp import HostConfig, Settings, TcpStream
from usertcp.stack.errors import NotOurAddress
from usertcp.tcp.errors import ConnectionRefused, ConnectionReset, ConnectionTimedOut, HostUnreachable
from usertcp.tcp.states import State

families = pytest.mark.parametrize("family", [4, 6])

DATA = random.Random(2).randbytes(5_000_000)
Serve: TypeAlias = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def kernel_server(serve: Serve, *, backlog: int = 128) -> AsyncIterator[int]:
    """A server of the kernel's on all addresses; yields its port."""
    listener = trio.socket.socket(trio.socket.AF_INET6)
    await listener.bind(("::", 0))
    listener.listen(backlog)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [trio.SocketListener(listener)])
        yield listener.getsockname()[1]
        nursery.cancel_scope.cancel()


async def echo(stream: trio.SocketStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send_all(data)


async def exchange(stream: TcpStream, data: bytes) -> bytes:
    """Send `data` and half-close while receiving; returns what came."""
    received = b""

    async def receive() -> None:
        nonlocal received
        received = await read_all(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await stream.send_all(data)
        await stream.send_eof()
    return received


@pytest.mark.rootless
async def test_into_our_own_buffer() -> None:
    """No object is made for what arrives."""
    room, received = bytearray(100_000), bytearray()
    async with usertcp.open_stack() as stack, kernel_server(echo) as port:
        stream = await stack.open_stream(KERNEL[4], port)
        async with stream, trio.open_nursery() as nursery:

            async def send() -> None:
                await stream.send_all(DATA)
                await stream.send_eof()

            nursery.start_soon(send)
            with trio.fail_after(PATIENCE):
                while length := await stream.receive_some_into(room):
                    received += room[:length]
                assert await stream.receive_some_into(memoryview(room)) == 0
            with pytest.raises(ValueError, match="room"):
                await stream.receive_some_into(bytearray())
    assert received == DATA


@families
@pytest.mark.parametrize("offload", [True, False], ids=["offload", "no-offload"])
async def test_both_ways_at_once(family: int, offload: bool) -> None:
    async with kernel_server(echo) as port, usertcp.open_stack(offload=offload) as stack:
        async with await stack.open_stream(KERNEL[family], port) as stream:
            assert stream.connection.state is State.ESTABLISHED
            assert stream.remote == (KERNEL[family], port)
            assert await exchange(stream, DATA) == DATA
            # We closed first.  (A kernel that repeats its FIN may end it by a RST in the meantime.)
            assert stream.connection.state in (State.TIME_WAIT, State.CLOSED)
        assert not stack.host.connections


@families
async def test_the_kernel_closes_first(family: int) -> None:
    closed = trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.send_all(b"bye")
            await stream.send_eof()
            assert await read_all(stream) == b"bye yourself"
        closed.set()

    async with kernel_server(serve) as port, usertcp.open_stack() as stack:
        async with await stack.open_stream(KERNEL[family], port) as stream:
            assert await read_all(stream) == b"bye"
            assert stream.connection.state is State.CLOSE_WAIT
            await stream.send_all(b"bye yourself")
        await closed.wait()
        await until(lambda: not stack.host.connections)
        assert not stack.host.time_waits


@pytest.mark.rootless
@families
async def test_a_closed_port(family: int) -> None:
    async with usertcp.open_stack() as stack:
        with pytest.raises(ConnectionRefused, match="answered our SYN with a RST"):
            await stack.open_stream(KERNEL[family], 9)
        assert stack.stats()["connections-opened"] == 1
        assert stack.stats()["retransmissions"] == 0
        assert not stack.host.connections


@families
async def test_200_at_once(family: int) -> None:
    async def client(number: int) -> None:
        async with await stack.open_stream(KERNEL[family], port) as stream:
            data = DATA[number : number + 1000 * number]
            assert await exchange(stream, data) == data

    async with kernel_server(echo, backlog=256) as port, usertcp.open_stack() as stack:
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(client, number)
        assert not stack.host.connections
    assert living_connections() == 0


async def test_the_kernel_resets() -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()

    async with kernel_server(serve) as port, usertcp.open_stack() as stack:
        stream = await stack.open_stream(KERNEL[4], port)
        await stream.send_all(b"x")
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stream.receive_some()
        assert isinstance(caught.value.__cause__, ConnectionReset)
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"y")
        await stream.aclose()


@pytest.mark.rootless
async def test_nobody_answers() -> None:
    """A black hole on the host: our SYN is sent again, and given up after R2."""
    blackhole("blackhole")
    config = HostConfig(settings=Settings(initial_rto=0.05, r2_syn=0.3))
    async with usertcp.open_stack(config=config) as stack:
        with pytest.raises(ConnectionTimedOut, match="did not acknowledge our SYN"):
            await stack.open_stream("198.51.100.1", 80)
        assert stack.stats()["retransmissions"] >= 2
        assert not stack.host.connections


async def test_the_kernel_says_by_icmp_why_not() -> None:
    """RFC 9293 §3.9.2.2, MUST-54 and MUST-56: told to the connection, which does not abort for it."""
    blackhole("unreachable")
    config = HostConfig(settings=Settings(initial_rto=0.05, r2_syn=0.3))
    async with usertcp.open_stack(config=config) as stack:
        with pytest.raises((ConnectionTimedOut, HostUnreachable), match="host unreachable"):
            await stack.open_stream("198.51.100.1", 80)
        assert stack.stats()["icmp-errors-received"] >= 1
        assert stack.stats()["retransmissions"] >= 1


def blackhole(kind: str) -> None:
    """Make this host a router with a route to 198.51.100.0/24 that leads nowhere."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    with IPRoute() as netlink:
        netlink.route("add", dst="198.51.100.0/24", type=kind)


async def test_an_attempt_that_is_cancelled_leaves_nothing() -> None:
    blackhole("blackhole")
    async with usertcp.open_stack() as stack:
        with trio.move_on_after(0.05) as scope:
            await stack.open_stream("198.51.100.1", 80)
        assert scope.cancelled_caught
        assert not stack.host.connections


async def test_no_address_of_that_family() -> None:
    async with usertcp.open_stack(addresses=("192.0.2.2/24",)) as stack:
        with pytest.raises(NotOurAddress, match="no IPv6 address"):
            await stack.open_stream(KERNEL[6], 80)


async def test_more_connections_than_one_to_the_same_socket_have_their_own_ports() -> None:
    async with kernel_server(echo) as port, usertcp.open_stack() as stack:
        with trio.fail_after(PATIENCE):
            streams = [await stack.open_stream(KERNEL[4], port) for _ in range(50)]
            assert len({stream.local for stream in streams}) == 50
            for number, stream in enumerate(streams):
                await stream.send_all(bytes([number]))
            for number, stream in enumerate(streams):
                assert await stream.receive_some() == bytes([number])
                await stream.aclose()
