"""Many connections: none is forgotten, and those that are idle cost nothing."""

from __future__ import annotations

import random
import resource
from math import inf

import pytest
import trio

from tests.kernel.clients import (
    KERNEL,
    SHORT_MEMORY,
    dial,
    handling,
    living_connections,
    read_all,
    serving,
    until,
)
from usertcp import TcpStream

families = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture(autouse=True)
def files() -> None:
    """Let this process have a thousand sockets, if it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def converse(stream: trio.SocketStream, data: bytes) -> None:
    """Have `data` echoed while it is still being sent, and both sides closed."""
    received = b""

    async def receive() -> None:
        nonlocal received
        received = await read_all(stream)

    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await stream.send_all(data)
        await stream.send_eof()
    assert received == data


@families
async def test_200_talk_at_once(family: int) -> None:
    """All are open before the first one says a word."""
    chance = random.Random(family)
    async with serving("7") as stack:
        streams = [await dial(7, family) for _ in range(200)]
        await until(lambda: stack.stats()["connections-established"] == 200)
        assert stack.open_connections == 200
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(converse, stream, chance.randbytes(chance.randrange(200_000)))
        await until(lambda: not stack.open_connections)
        assert not stack.host.time_waits  # the kernel closed first, so it waits, not we
    assert living_connections() == 0


async def test_200_dial_at_once() -> None:
    """A burst of SYNs: nobody is turned away."""
    async with serving("7") as stack:
        async with trio.open_nursery() as nursery:

            async def client() -> None:
                await converse(await dial(7), b"hello")

            for _ in range(200):
                nursery.start_soon(client)
        assert stack.stats()["backlog-full"] == 0


@pytest.mark.parametrize("we_close_first", [True, False])
async def test_nothing_is_left_of_1000_connections(we_close_first: bool) -> None:
    async def handle(stream: TcpStream) -> None:
        async with stream:
            if we_close_first:
                await stream.send_eof()
            assert not await stream.receive_some()

    async with handling(7, handle, config=SHORT_MEMORY) as stack:
        host = stack.host
        most = 0
        for _ in range(1000):
            async with await dial(7) as client:
                if we_close_first:
                    assert not await client.receive_some()
            most = max(most, len(host.time_waits))
        await until(lambda: not host.connections)
        assert (most > 0) is we_close_first
        await until(lambda: not host.time_waits)
        assert host.deadline() == inf  # no timer, either
        assert stack.stats()["connections-established"] == 1000
        assert living_connections() <= 1  # trio.serve_listeners remembers the last one
    assert living_connections() == 0


async def test_a_time_wait_gives_way_to_a_new_connection_between_the_same_sockets() -> None:
    """RFC 9293 §3.10.7.4, MAY-2: a client need not fear its own port."""

    async def handle(stream: TcpStream) -> None:
        async with stream:
            await stream.send_eof()
            await stream.receive_some()

    async with handling(7, handle) as stack:
        for _ in range(5):
            client = trio.socket.socket()
            client.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)
            await client.bind((KERNEL[4], 5555))
            with trio.fail_after(0.9):  # the kernel sends its SYN once more after 1 s
                await client.connect(("192.0.2.2", 7))
            assert await client.recv(1) == b""
            client.close()
            await until(lambda: not stack.host.connections)
            assert len(stack.host.time_waits) == 1


class Steps(trio.abc.Instrument):
    """Counts what trio does."""

    def __init__(self) -> None:
        self.taken = 0
        self.waits = 0

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.taken += 1

    def after_io_wait(self, timeout: float) -> None:
        self.waits += 1


async def test_1000_idle_connections_cost_nothing() -> None:
    async with serving("7") as stack:
        clients = [await dial(7) for _ in range(1000)]
        for client in clients:
            await client.send_all(b"x")
        for client in clients:
            assert await client.receive_some() == b"x"
        await until(lambda: stack.host.deadline() == inf)
        steps = Steps()
        packets = stack.stats()["device-packets-received"]
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(2)
        trio.lowlevel.remove_instrument(steps)
        # The kernel may have had something to say about IPv6.
        packets = stack.stats()["device-packets-received"] - packets
        assert packets < 10
        assert steps.waits <= 2 + 2 * packets
        assert steps.taken <= 2 + 3 * packets
        assert stack.open_connections == 1000
        for client in clients:
            await client.aclose()
        await until(lambda: not stack.open_connections)
