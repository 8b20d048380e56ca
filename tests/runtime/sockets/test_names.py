"""Names of hosts: the table, the system's, and addresses of families that the stack has not."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import usertcp
from tests.runtime.sockets.conftest import Pair


class Resolver(trio.abc.HostnameResolver):
    """In place of the system's."""

    def __init__(self) -> None:
        self.asked: list[bytes | None] = []

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        self.asked.append(host)
        return socket.getaddrinfo("192.0.2.77", port, family, type, proto, socket.AI_NUMERICHOST)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        return "asked.example", "80"


def hosts_of(found: list[Any]) -> list[str]:
    return [entry[4][0] for entry in found]


async def look_up(host: str | None, **rest: Any) -> list[str]:
    return hosts_of(await trio.socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM, **rest))


async def test_the_table(pair: Pair, autojump_clock: MockClock) -> None:
    table = {"Both.Example": ["fd00::9", "192.0.2.9"], "four": "192.0.2.4"}
    with usertcp.trio_sockets(pair.client.stack, hosts=table, system_names=False):
        assert await look_up("both.example") == ["fd00::9", "192.0.2.9"]
        assert await look_up("BOTH.example.") == ["fd00::9", "192.0.2.9"]
        assert await look_up("both.example", family=socket.AF_INET) == ["192.0.2.9"]
        assert await look_up("four", family=socket.AF_INET6, flags=socket.AI_V4MAPPED) == ["::ffff:192.0.2.4"]
        (entry,) = await trio.socket.getaddrinfo("four", 80, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
        assert entry[3] == "four"
        for name in ("other.example", "four"):
            with pytest.raises(socket.gaierror, match=name) as raised:
                await look_up(name, family=socket.AF_INET6)
            assert raised.value.errno == socket.EAI_NONAME


async def test_numeric_hosts_ask_nobody(pair: Pair, autojump_clock: MockClock) -> None:
    with usertcp.trio_sockets(pair.client.stack, system_names=False):
        assert await look_up("192.0.2.3") == ["192.0.2.3"]
        assert await look_up("fd00::3") == ["fd00::3"]
        assert sorted(await look_up(None, flags=socket.AI_PASSIVE)) == ["0.0.0.0", "::"]


async def test_names_that_the_table_lacks_are_asked_for_as_ever(pair: Pair, autojump_clock: MockClock) -> None:
    resolver = Resolver()
    trio.socket.set_custom_hostname_resolver(resolver)
    with usertcp.trio_sockets(pair.client.stack, hosts={"mine": "192.0.2.1"}):
        assert await look_up("mine") == ["192.0.2.1"]
        assert await look_up("bücher.example") == ["192.0.2.77"]
    assert resolver.asked == [b"xn--bcher-kva.example"]


async def test_the_systems_own(pair: Pair, autojump_clock: MockClock) -> None:
    """In a thread, as trio does: /etc/hosts has the machine's own name."""
    with usertcp.trio_sockets(pair.client.stack):
        assert await look_up(socket.gethostname(), family=socket.AF_INET)


async def test_localhost_is_known_without_the_system(pair: Pair, autojump_clock: MockClock) -> None:
    with usertcp.trio_sockets(pair.client.stack, system_names=False):
        assert await look_up("localhost") == ["::1", "127.0.0.1"]


async def test_back_from_an_address(pair: Pair, autojump_clock: MockClock) -> None:
    table = {"server.example": "192.0.2.9"}
    with usertcp.trio_sockets(pair.client.stack, hosts=table, system_names=False):
        assert await trio.socket.getnameinfo(("192.0.2.9", 80), socket.NI_NUMERICSERV) == ("server.example", "80")
        for address, flags in ((("192.0.2.9", 80), socket.NI_NUMERICHOST), (("192.0.2.8", 80), 0)):
            name, _ = await trio.socket.getnameinfo(address, flags | socket.NI_NUMERICSERV)
            assert name == address[0]
        with pytest.raises(socket.gaierror):
            await trio.socket.getnameinfo(("192.0.2.8", 80), socket.NI_NAMEREQD)
    trio.socket.set_custom_hostname_resolver(Resolver())
    with usertcp.trio_sockets(pair.client.stack, hosts=table):
        assert await trio.socket.getnameinfo(("192.0.2.8", 80), 0) == ("asked.example", "80")


async def test_a_table_with_what_is_no_address(pair: Pair, autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="example"), usertcp.trio_sockets(pair.client.stack, hosts={"a": "b.example"}):
        pass


async def test_bind_and_connect_take_names(pair: Pair, autojump_clock: MockClock) -> None:
    with pair.server.sockets({"me": "10.0.0.1"}), trio.socket.socket() as listening:
        await listening.bind(("me", 80))
        listening.listen()
        with pair.client.sockets(), trio.socket.socket() as client:
            await client.connect(("server", 80))
            accepted, address = await listening.accept()
            accepted.close()
            assert address[0] == "10.0.0.2"
        with (
            pair.client.sockets(),
            trio.socket.socket(socket.AF_INET6) as client,
            pytest.raises(ConnectionRefusedError),
        ):
            await client.connect(("server", 80, 0, 0))
