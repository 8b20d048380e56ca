"""How connections with the kernel end: in halves, in good order, and otherwise."""

from __future__ import annotations

import errno
import random
import signal
import socket
import struct
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

import usertcp
from tests.kernel.clients import (
    PATIENCE,
    States,
    curl,
    dial,
    handling,
    living_connections,
    read_all,
    serving,
    until,
    url,
)
from usertcp import Stack, TcpStream
from usertcp.tcp.errors import ConnectionAborted, ConnectionReset
from usertcp.tcp.states import State

families = pytest.mark.parametrize("family", [4, 6])

DATA = random.Random(1).randbytes(3_000_000)
#: SO_LINGER of zero seconds: close() sends a RST.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


# -- Half-close --------------------------------------------------------------------------------------


@pytest.mark.rootless
@families
async def test_a_client_that_has_shut_down_its_side_gets_its_answer(family: int) -> None:
    async with serving("7") as stack:
        async with await dial(7, family) as client, trio.open_nursery() as nursery:

            async def send() -> None:
                await client.send_all(DATA)
                await client.send_eof()

            nursery.start_soon(send)
            assert await read_all(client) == DATA
        await until(lambda: not stack.host.connections)
        assert not stack.host.time_waits


@families
async def test_having_sent_our_fin_we_still_receive(family: int) -> None:
    received = b""
    states = States()

    async def handle(stream: TcpStream) -> None:
        nonlocal received
        async with stream:
            await stream.send_all(b"that is all")
            await stream.send_eof()
            received = await read_all(stream)
            with pytest.raises(trio.ClosedResourceError):
                await stream.send_all(b"more")

    async with handling(7, handle, trace=states) as stack, await dial(7, family) as client:
        assert await read_all(client) == b"that is all"
        await until(lambda: states[-1] is State.FIN_WAIT_2)
        await client.send_all(DATA)
        await client.send_eof()
        await until(lambda: received)
        assert received == DATA
        await until(lambda: not stack.host.connections)
    assert states[3:6] == [State.FIN_WAIT_1, State.FIN_WAIT_2, State.TIME_WAIT]


# -- Clients that die --------------------------------------------------------------------------------


@asynccontextmanager
async def a_dying_curl(*arguments: str) -> AsyncIterator[trio.Process]:
    """To be killed inside."""
    process = await trio.lowlevel.open_process(
        ["curl", "-sSg", "--noproxy", "*", *arguments], stdout=subprocess.DEVNULL, stdin=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.kill()
        assert await process.wait() == -signal.SIGKILL


def bytes_carried(stack: Stack) -> int:
    return stack.stats()["device-bytes-received"] + stack.stats()["device-bytes-sent"]


@families
async def test_a_client_killed_while_it_downloads(family: int) -> None:
    """The kernel resets the connection, since there was data that nobody will read."""
    async with serving("80") as stack:
        async with a_dying_curl(url(family, "/bytes/1000000000000")):
            await until(lambda: bytes_carried(stack) > 10_000_000)
        await until(lambda: not stack.host.connections)
        assert not stack.host.time_waits
        assert "Hello" in await curl(url(family))
        await until(lambda: not stack.host.connections)
        assert living_connections() <= 1  # trio.serve_listeners remembers the last one


@families
async def test_a_client_killed_while_it_uploads(family: int) -> None:
    """The kernel closes in good order; that the body ended too early is for the service to find."""
    async with serving("80") as stack:
        async with a_dying_curl("-T", "-", url(family, "/upload")) as process:
            assert process.stdin is not None
            await process.stdin.send_all(DATA)
            await until(lambda: bytes_carried(stack) > 1_000_000)
        await until(lambda: not stack.host.connections)
        assert "Hello" in await curl(url(family))
        await until(lambda: not stack.host.connections)
        assert living_connections() <= 1


async def test_many_clients_killed_at_once_in_mid_transfer() -> None:
    async with serving("80") as stack:
        sources = [url(4, "/bytes/1000000000000")] * 50
        async with a_dying_curl("--parallel", "--parallel-immediate", "--parallel-max", "50", *sources):
            await until(lambda: stack.open_connections == 50)
            await until(lambda: bytes_carried(stack) > 50_000_000)
        await until(lambda: not stack.host.connections)
        assert "Hello" in await curl(url(4))
        await until(lambda: not stack.host.connections)
        assert living_connections() <= 1


@pytest.mark.parametrize("what", ["send", "receive"])
@families
async def test_a_reset_is_an_error_that_tells_what_happened(family: int, what: str) -> None:
    errors = []

    async def handle(stream: TcpStream) -> None:
        async with stream:
            try:
                while True:
                    if what == "send":
                        await stream.send_all(bytes(1_000_000))
                    else:
                        assert await stream.receive_some()
            except trio.BrokenResourceError as error:
                errors.append(error.__cause__)

    async with handling(7, handle) as stack:
        client = await dial(7, family)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        await until(lambda: stack.host.connections)
        if what == "send":
            assert await client.receive_some(1)
        await client.aclose()
        await until(lambda: errors)
        assert [type(each) for each in errors] == [ConnectionReset]
        assert not stack.host.connections
        assert not stack.host.time_waits


async def test_a_client_that_resets_before_it_was_accepted() -> None:
    """Between the SYN and our accept: the listener goes on (and tells the application of the corpse)."""

    async def handle(stream: TcpStream) -> None:
        async with stream:
            await stream.send_all(b"hello")

    async with handling(7, handle) as stack:
        for _ in range(20):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            client.setblocking(False)
            assert client.connect_ex(("192.0.2.2", 7)) == errno.EINPROGRESS
            client.close()  # while our SYN,ACK is still to come
        await until(lambda: stack.stats()["device-packets-received"] >= 40)
        await until(lambda: not stack.host.connections)
        async with await dial(7) as client:
            assert await read_all(client) == b"hello"


# -- We end it ---------------------------------------------------------------------------------------


@families
async def test_our_abort_is_a_reset_for_the_client(family: int) -> None:
    async def handle(stream: TcpStream) -> None:
        await stream.receive_some()
        stream.abort()

    async with handling(7, handle) as stack, await dial(7, family) as client:
        await client.send_all(b"x")
        with pytest.raises(trio.BrokenResourceError) as caught, trio.fail_after(PATIENCE):
            await client.receive_some()
        assert isinstance(caught.value.__cause__, ConnectionResetError)
        assert not stack.host.connections


async def test_a_handler_that_leaves_unread_data_resets_but_its_answer_arrives() -> None:
    """RFC 9293 §3.6.1, SHLD-3: the client learns that its data was thrown away, after our own data."""

    async def handle(stream: TcpStream) -> None:
        async with stream:
            await stream.send_all(b"enough")
            await until(lambda: stream.connection.receive_buffer.ready.length)

    async with handling(7, handle) as stack, await dial(7) as client:
        await client.send_all(bytes(1000))
        assert await client.receive_some() == b"enough"
        await until(lambda: not stack.host.connections)
        assert not stack.host.time_waits


@pytest.mark.parametrize("grace", [0.1, 60])
async def test_the_stack_ends_what_was_left_open(grace: float) -> None:
    """A FIN for each connection, a RST for those whose peers do not close within the time of grace."""
    async with trio.open_nursery() as nursery:
        async with usertcp.open_stack(grace=grace) as stack:
            listener = await stack.open_listener(7)
            clients = [await dial(7) for _ in range(3)]
            streams = [await listener.accept() for _ in range(2)]

            async def close() -> None:
                for client in clients[:2]:
                    assert await client.receive_some() == b""
                    if grace == 60:
                        await client.aclose()

            nursery.start_soon(close)
        # Nobody had accepted this one.
        with pytest.raises(trio.BrokenResourceError):
            await clients[2].receive_some()
    for stream in streams:
        expected = ConnectionAborted if grace == 0.1 else type(None)
        assert type(stream.connection.error) is expected
        assert stream.connection.state in (State.CLOSED, State.TIME_WAIT)
    for client in clients:
        await client.aclose()


# -- A port where nobody listens ---------------------------------------------------------------------


@pytest.mark.rootless
@families
async def test_a_closed_port_refuses_at_once(family: int) -> None:
    async with serving("80") as stack:
        with pytest.raises(ConnectionRefusedError):
            await dial(81, family)
        # The very first SYN was answered.
        assert stack.stats()["no-connection"] == 1
        assert stack.stats()["resets-sent"] == 1
        assert not stack.host.connections


async def test_a_listener_that_was_closed_refuses() -> None:
    async with serving() as stack:
        listener = await stack.open_listener(80)
        await (await dial(80)).aclose()
        await listener.aclose()
        with pytest.raises(ConnectionRefusedError):
            await dial(80)
        await stack.open_listener(80)
        await (await dial(80)).aclose()


# -- Sides that do not read --------------------------------------------------------------------------


@families
async def test_a_client_that_pauses_gets_everything_later(family: int) -> None:
    """Its window closes; we probe it, and go on when it opens."""
    data = DATA * 4

    async def handle(stream: TcpStream) -> None:
        async with stream:
            await stream.send_all(data)

    async with handling(7, handle) as stack, await dial(7, family) as client:
        await until(lambda: stack.stats()["window-probes"] >= 2)
        assert await read_all(client) == data


@families
async def test_a_handler_that_pauses_gets_everything_later(family: int) -> None:
    resume = trio.Event()
    received = b""

    async def handle(stream: TcpStream) -> None:
        nonlocal received
        async with stream:
            await resume.wait()
            received = await read_all(stream)

    data = DATA * 4
    async with handling(7, handle) as stack, await dial(7, family) as client, trio.open_nursery() as nursery:

        async def send() -> None:
            await client.send_all(data)
            await client.send_eof()

        nursery.start_soon(send)
        await until(lambda: stack.host.connections)
        (connection,) = stack.host.connections.values()
        await until(lambda: connection.rcv_wnd < 1460)
        resume.set()
        assert await read_all(client) == b""
        assert received == data
