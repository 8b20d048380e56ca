"""Ten thousand connections at once, between two hosts."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import trio
from trio.testing import MockClock

import usertcp
from usertcp.testing import Conditions, Opener

CONNECTIONS = 10_000
#: Of both ends together, their tasks, what is recorded and TIME-WAIT, in bytes for each connection.
MEMORY = 40_000


def memory() -> int:
    """What this process has in memory, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def test_ten_thousand_connections(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    gc.collect()
    before = memory()
    answered = 0
    all_open = trio.Event()
    opened = 0

    async def serve(stream: usertcp.TcpStream) -> None:
        async with stream:
            async for data in stream:
                await stream.send_all(data.upper())

    async def use(client: usertcp.testing.NetworkHost, number: int) -> None:
        nonlocal answered, opened
        await trio.sleep(number * 0.001)
        async with await client.open_stream("10.0.0.1", 80) as stream:
            opened += 1
            if opened == CONNECTIONS:
                all_open.set()
            await all_open.wait()
            await stream.send_all(b"question %d" % number)
            answer = await stream.receive_some()
            assert answer == b"QUESTION %d" % number
            answered += 1

    async with usertcp_network() as network:
        client = await network.add_host("client", "10.0.0.2")
        server = await network.add_host("server", "10.0.0.1")
        network.link(client, server, Conditions(delay=0.02))
        server.start_soon(trio.serve_listeners, serve, [await server.open_listener(80)])
        async with trio.open_nursery() as nursery:
            for number in range(CONNECTIONS):
                nursery.start_soon(use, client, number)
            await all_open.wait()
            assert client.stack.open_connections == server.stack.open_connections == CONNECTIONS
            peak = memory()
        assert answered == CONNECTIONS
        peak = max(peak, memory())
        await trio.sleep(1)
        assert client.stack.open_connections == server.stack.open_connections == 0
        assert len(client.stack.host.time_waits) == CONNECTIONS
        await trio.sleep(120)
        assert len(client.stack.host.time_waits) == 0
        print(f"{(peak - before) / CONNECTIONS:,.0f} bytes for each connection")
    assert peak - before < CONNECTIONS * MEMORY
