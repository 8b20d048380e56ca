"""Our streams are what trio says streams are."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, check_half_closeable_stream

import usertcp
from usertcp.runtime.stream import TcpStream
from usertcp.testing import Conditions, Link, NetworkHost, Opener

SMALL = usertcp.Settings(initial_receive_buffer=8192, receive_buffer=8192, send_buffer=8192)


class Maker:
    """Makes connected pairs of streams, one of each host."""

    def __init__(self, client: NetworkHost, server: NetworkHost, link: Link) -> None:
        self._client = client
        self._server = server
        self._link = link
        self._port = 1000
        self.made: list[TcpStream] = []

    async def pair(self) -> tuple[TcpStream, TcpStream]:
        self._port += 1
        async with await self._server.open_listener(self._port) as listener:
            client = await self._client.open_stream("10.0.0.1", self._port)
            server = await listener.accept()
        self.made += [client, server]
        return client, server

    async def clogged(self) -> tuple[TcpStream, TcpStream]:
        client, server = await self.pair()
        there, back = self._link.there.conditions, self._link.back.conditions
        # Where nothing is lost, buffers are full to the last byte after a few round trips.
        self._link.change(Conditions(delay=0.01))
        for stream in (client, server):
            with trio.move_on_after(10):
                while True:
                    await stream.send_all(bytes(4096))
        self._link.change(there, back)
        return client, server


@pytest.mark.parametrize("conditions", [Conditions(), Conditions(delay=0.05), Conditions(delay=0.01, loss=0.1)])
async def test_a_half_closeable_stream(
    conditions: Conditions, usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    async with usertcp_network() as network:
        client = await network.add_host("client", "10.0.0.2", settings=SMALL)
        server = await network.add_host("server", "10.0.0.1", settings=SMALL)
        maker = Maker(client, server, network.link(client, server, conditions))
        await check_half_closeable_stream(maker.pair, maker.clogged)
        assert len(maker.made) > 10
        await trio.sleep(2000)
        assert client.stack.open_connections == server.stack.open_connections == 0
