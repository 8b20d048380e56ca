"""trio's own streams and listeners over our sockets are what trio says they are."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import MockClock, check_half_closeable_stream, open_stream_to_socket_listener

from tests.runtime.sockets.conftest import Pair
from usertcp.testing import Conditions


@pytest.mark.parametrize("conditions", [Conditions(), Conditions(delay=0.05), Conditions(delay=0.01, loss=0.1)])
async def test_a_half_closeable_stream(pair: Pair, autojump_clock: MockClock, conditions: Conditions) -> None:
    with pair.server.sockets():
        (listener,) = await trio.open_tcp_listeners(80, host="10.0.0.1")

    async def make() -> tuple[trio.SocketStream, trio.SocketStream]:
        with pair.client.sockets():
            client = await trio.open_tcp_stream("10.0.0.1", 80)
        return client, await listener.accept()

    async def make_clogged() -> tuple[trio.SocketStream, trio.SocketStream]:
        client, server = await make()
        for stream in (client, server):
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_SNDBUF, 8192)
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 8192)
        pair.link.change(Conditions(delay=0.01))
        # The first time the peer's window closes, the second time our buffer is full to the last byte.
        for stream in (client, server, client, server):
            with trio.move_on_after(10):
                while True:
                    await stream.send_all(bytes(4096))
        pair.link.change(conditions)
        return client, server

    pair.link.change(conditions)
    await check_half_closeable_stream(make, make_clogged)
    await listener.aclose()
    await trio.sleep(2000)
    assert pair.client.stack.open_connections == pair.server.stack.open_connections == 0


async def test_much_data_over_a_bad_link(pair: Pair, autojump_clock: MockClock) -> None:
    pair.link.change(Conditions(delay=0.02, loss=0.05, reorder=0.1))
    data, heard = random.Random(5).randbytes(300_000), bytearray()

    async def shout(stream: trio.SocketStream) -> None:
        async with stream:
            async for piece in stream:
                await stream.send_all(piece)

    async with trio.open_nursery() as nursery:
        with pair.server.sockets():
            await nursery.start(trio.serve_tcp, shout, 80)
        with pair.client.sockets():
            stream = await trio.open_tcp_stream("server", 80)
        async with stream, trio.open_nursery() as both:

            async def send() -> None:
                await stream.send_all(data)
                await stream.send_eof()

            both.start_soon(send)
            async for piece in stream:
                heard += piece
        nursery.cancel_scope.cancel()
    assert heard == data


@pytest.mark.parametrize("which", [0, 1])
async def test_a_program_talks_to_itself(pair: Pair, autojump_clock: MockClock, which: int) -> None:
    """By 127.0.0.1, ::1, its own addresses and those of no host, as on any system; nothing of it leaves the host."""
    seen: list[object] = []
    pair.network.tap(seen.append)

    async def echo(stream: trio.SocketStream) -> None:
        async for piece in stream:
            await stream.send_all(piece)

    async with trio.open_nursery() as nursery:
        with pair.client.sockets():
            listener = (await nursery.start(trio.serve_tcp, echo, 0))[which]
            port = listener.socket.getsockname()[1]
            streams = [await open_stream_to_socket_listener(listener)]
            for host in (("127.0.0.1", "10.0.0.2", "0.0.0.0"), ("::1", "fd00::2", "::"))[which]:
                streams.append(await trio.open_tcp_stream(host, port))
            with pytest.raises(OSError, match="all attempts"):
                await trio.open_tcp_stream("127.0.0.1", 1)
        for stream in streams:
            async with stream:
                await stream.send_all(bytes(100_000))
                await stream.send_eof()
                assert sum([len(piece) async for piece in stream]) == 100_000
        nursery.cancel_scope.cancel()
    assert not seen


async def test_loopback_leads_to_nobody_else(pair: Pair, autojump_clock: MockClock) -> None:
    with pair.client.sockets(), trio.socket.socket() as sock:
        await sock.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="unreachable"):
            await sock.connect(("10.0.0.1", 80))
