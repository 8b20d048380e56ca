"""Two streams that are connected over a simulated link."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio

from usertcp import Settings, TcpStream
from usertcp.testing import Conditions, Link, NetworkHost, Opener, Tapped

SERVER = "10.0.0.1"
CLIENT = "10.0.0.2"
DELAY = 0.01


@dataclass
class Ends:
    """Two hosts, the link between them, and the two ends of a connection to port 7 of the server."""

    client: NetworkHost
    server: NetworkHost
    link: Link
    ours: TcpStream
    theirs: TcpStream
    packets: list[Tapped] = field(default_factory=list)


@asynccontextmanager
async def hosts(
    opener: Opener, settings: Settings | None = None, conditions: Conditions | None = None
) -> AsyncIterator[tuple[NetworkHost, NetworkHost, Link, list[Tapped]]]:
    """A client, a server, the link, and the packets on it."""
    packets: list[Tapped] = []
    async with opener() as network:
        client = await network.add_host("client", CLIENT, settings=settings)
        server = await network.add_host("server", SERVER, settings=settings)
        link = network.link(client, server, conditions or Conditions(delay=DELAY))
        network.tap(packets.append)
        yield client, server, link, packets


@asynccontextmanager
async def connected(
    opener: Opener, settings: Settings | None = None, conditions: Conditions | None = None
) -> AsyncIterator[Ends]:
    """Two ends, idle."""
    async with hosts(opener, settings, conditions) as (client, server, link, packets):
        async with await server.open_listener(7) as listener:
            ours = await client.open_stream(SERVER, 7)
            theirs = await listener.accept()
        await trio.sleep(1)  # nothing is underway
        packets.clear()
        yield Ends(client, server, link, ours, theirs, packets)


async def breaks(operation: Callable[[], Awaitable[object]]) -> BaseException:
    """The cause of the BrokenResourceError that ``operation`` raises."""
    with pytest.raises(trio.BrokenResourceError) as caught:
        await operation()
    cause = caught.value.__cause__
    assert cause is not None
    assert str(caught.value) == str(cause)
    return cause


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    return b"".join([bytes(data) async for data in stream])
