"""Two hosts with a link, for programs that are written for trio's own sockets."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import trustme

from usertcp.testing import Conditions, Link, Network, NetworkHost, Opener


class Pair(NamedTuple):
    """10.0.0.1 and 10.0.0.2, fd00::1 and fd00::2, 10 ms apart; a test asks for its clock itself."""

    network: Network
    server: NetworkHost
    client: NetworkHost
    link: Link


@pytest.fixture
async def pair(usertcp_network: Opener) -> AsyncIterator[Pair]:
    async with usertcp_network() as network:
        server = await network.add_host("server", "10.0.0.1", "fd00::1")
        client = await network.add_host("client", "10.0.0.2", "fd00::2")
        yield Pair(network, server, client, network.link(server, client, Conditions(delay=0.01)))


@pytest.fixture(scope="session")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of a server that is server.example, and of a client that believes it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("server.example").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client
