"""An echo server and client after those of trio's tutorial
(https://trio.readthedocs.io/en/stable/tutorial.html#networking-with-trio): two programs for 127.0.0.1."""

from __future__ import annotations

from itertools import count

import trio
from trio.testing import MockClock

from tests.runtime.sockets.conftest import Pair

PORT = 12345


class Printed(list[str]):
    """What a program prints."""

    def __call__(self, text: str) -> None:
        self.append(text)


async def server(say: Printed) -> None:
    numbers = count()

    async def serve(stream: trio.SocketStream) -> None:
        number = next(numbers)
        say(f"connection {number} begins")
        try:
            async for data in stream:
                say(f"connection {number}: {len(data)} bytes")
                await stream.send_all(data)
            say(f"connection {number} is over")
        except Exception as error:  # as in the tutorial: it must not end the server
            say(f"connection {number} broke: {error!r}")

    await trio.serve_tcp(serve, PORT)


async def client(host: str, say: Printed) -> None:
    async def send(stream: trio.SocketStream) -> None:
        while True:
            await stream.send_all(b"one message each second")
            await trio.sleep(1)

    async def receive(stream: trio.SocketStream) -> None:
        async for data in stream:
            say(data.decode())
        say("the server has closed the connection")

    async with await trio.open_tcp_stream(host, PORT) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(send, stream)
        nursery.start_soon(receive, stream)


async def test_both_on_one_stack(pair: Pair, autojump_clock: MockClock) -> None:
    """The client asks for 127.0.0.1, as published: the stack's own."""
    heard, served = Printed(), Printed()
    pair.server.start_soon(server, served)
    await trio.testing.wait_all_tasks_blocked()
    with pair.server.sockets(), trio.move_on_after(4.5):
        await client("127.0.0.1", heard)
    await trio.sleep(1)
    assert heard == ["one message each second"] * 5
    assert served[0] == "connection 0 begins"
    assert served[-1] == "connection 0 is over"


async def test_on_two_hosts(pair: Pair, autojump_clock: MockClock) -> None:
    heard, served = Printed(), Printed()
    pair.server.start_soon(server, served)
    await trio.testing.wait_all_tasks_blocked()
    with pair.client.sockets():
        for number in range(2):
            with trio.move_on_after(2.5):
                await client("server", heard)
            await trio.sleep(1)
            assert served[-1] == f"connection {number} is over"
    assert heard == ["one message each second"] * 6


async def test_the_client_outlives_a_partition(pair: Pair, autojump_clock: MockClock) -> None:
    heard, served = Printed(), Printed()
    pair.server.start_soon(server, served)
    await trio.testing.wait_all_tasks_blocked()
    pair.client.start_soon(client, "server", heard)
    await trio.sleep(2)
    pair.link.partition()
    await trio.sleep(30)
    pair.link.heal()
    await trio.sleep(60)
    assert "".join(heard).count("one message") > 85
