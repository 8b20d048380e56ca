"""TLS over our streams, by trio's own SSLStream."""

from __future__ import annotations

import ssl
from typing import TypeAlias

import pytest
import trio
from trio.testing import MockClock, check_two_way_stream

from tests.certificates import Certificates
from tests.runtime.simulated import SERVER, connected, hosts
from usertcp import TcpStream
from usertcp.testing import Conditions, Opener

Tls: TypeAlias = "trio.SSLStream[TcpStream]"
NAME = "server.example"


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates(NAME)


def wrapped(ours: TcpStream, theirs: TcpStream, certificates: Certificates) -> tuple[Tls, Tls]:
    """The client's end and the server's."""
    client = trio.SSLStream(ours, certificates.client, server_hostname=NAME)
    server = trio.SSLStream(theirs, certificates.server, server_side=True)
    return client, server


async def test_a_two_way_stream(certificates: Certificates, usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with hosts(usertcp_network) as (client, server, _, _):
        port = 1000

        async def pair() -> tuple[Tls, Tls]:
            nonlocal port
            port += 1
            async with await server.open_listener(port) as listener:
                ours = await client.open_stream(SERVER, port)
                ends = wrapped(ours, await listener.accept(), certificates)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ends[0].do_handshake)
                nursery.start_soon(ends[1].do_handshake)
            return ends

        await check_two_way_stream(pair, None)


@pytest.mark.parametrize("first", ["client", "server"])
async def test_much_over_a_bad_path(
    first: str, certificates: Certificates, usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    """Both ways at once, and closed by either: each end learns that it was the end, and not a cut."""
    data = bytes(range(256)) * 2000
    path = Conditions(delay=0.02, loss=0.02, reorder=0.02)
    async with connected(usertcp_network, conditions=path) as ends:
        client, server = wrapped(ends.ours, ends.theirs, certificates)
        closer, other = (client, server) if first == "client" else (server, client)

        async def receive(stream: Tls) -> None:
            got = bytearray()
            while len(got) < len(data):
                got += await stream.receive_some()
            assert got == data

        async with trio.open_nursery() as nursery:
            for end in (client, server):
                nursery.start_soon(end.send_all, data)
                nursery.start_soon(receive, end)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(closer.aclose)
            assert await other.receive_some() == b""
            await other.aclose()
        await trio.sleep(1000)
        assert ends.client.stack.open_connections == ends.server.stack.open_connections == 0


async def test_a_cut_is_not_an_end(
    certificates: Certificates, usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    async with connected(usertcp_network) as ends:
        client, server = wrapped(ends.ours, ends.theirs, certificates)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.do_handshake)
            nursery.start_soon(server.do_handshake)
        await ends.theirs.aclose()
        with pytest.raises(trio.BrokenResourceError) as caught:
            await client.receive_some()
        assert isinstance(caught.value.__cause__, ssl.SSLEOFError)
