"""Whose sockets a task gets, and when all is as it was."""

from __future__ import annotations

import errno
import socket
import ssl
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, open_stream_to_socket_listener

import usertcp
from tests.runtime.sockets.conftest import Pair
from usertcp.testing import Opener


async def echo(stream: trio.abc.Stream) -> None:
    async with stream:
        async for data in stream:
            await stream.send_all(data)


async def say(stream: trio.abc.Stream, data: bytes) -> bytes:
    await stream.send_all(data)
    heard = b""
    while len(heard) < len(data):
        heard += await stream.receive_some()
    return heard


async def test_each_host_has_its_program(pair: Pair, autojump_clock: MockClock) -> None:
    """Nothing in them names usertcp: they open streams as any program under trio does."""
    heard = []

    async def client_program() -> None:
        async with await trio.open_tcp_stream("server", 7) as stream:
            assert isinstance(stream, trio.SocketStream)
            assert isinstance(stream.socket, trio.socket.SocketType)
            heard.append(await say(stream, b"hello"))
            heard.append(stream.socket.getpeername()[0])

    pair.server.start_soon(trio.serve_tcp, echo, 7)
    await trio.sleep(1)
    pair.client.start_soon(client_program)
    await trio.sleep(1)
    assert heard == [b"hello", "10.0.0.1"]


async def test_two_stacks_and_the_kernel_in_one_run(pair: Pair, autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        with usertcp.trio_sockets(pair.server.stack):
            (listener, *_) = await nursery.start(trio.serve_tcp, echo, 7)
        assert listener.socket.getsockname() == ("0.0.0.0", 7)
        with usertcp.trio_sockets(pair.client.stack):
            async with await trio.open_tcp_stream("10.0.0.1", 7) as stream:
                assert await say(stream, b"over the simulated link") == b"over the simulated link"
                assert stream.socket.getsockname()[0] == "10.0.0.2"
            with usertcp.kernel_sockets():
                real = await nursery.start(trio.serve_tcp, echo, 0)
            with usertcp.trio_sockets(pair.server.stack):  # nested: the innermost counts
                async with await trio.open_tcp_stream("10.0.0.1", 7) as stream:
                    assert stream.socket.getsockname()[0] == "10.0.0.1"
            own = trio.socket.socket()
            assert "usertcp" in repr(own)
            own.close()
        async with await open_stream_to_socket_listener(real[0]) as stream:  # outside of all blocks
            assert await say(stream, b"real") == b"real"
            assert stream.socket.fileno() > 0
        nursery.cancel_scope.cancel()


async def test_tasks_inherit_from_who_starts_them(pair: Pair, autojump_clock: MockClock) -> None:
    made = []

    async def task() -> None:
        await trio.sleep(1)  # the block has ended meanwhile
        with trio.socket.socket() as sock:
            made.append("usertcp" in repr(sock))

    async with trio.open_nursery() as nursery:
        with usertcp.trio_sockets(pair.client.stack):
            nursery.start_soon(task)
        nursery.start_soon(task)
    assert sorted(made) == [False, True]


async def test_others_have_what_they_had(pair: Pair, autojump_clock: MockClock) -> None:
    class Factory(trio.abc.SocketFactory):
        def socket(self, family: int = 0, type: int = 0, proto: int = 0) -> trio.socket.SocketType:
            raise NotImplementedError("the one from before")

    async def with_block() -> None:
        with usertcp.trio_sockets(pair.client.stack):
            trio.socket.socket().close()
            with usertcp.kernel_sockets(), pytest.raises(NotImplementedError):
                trio.socket.socket()
            await trio.sleep(2)

    trio.socket.set_custom_socket_factory(Factory())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(with_block)
        await trio.sleep(1)
        with pytest.raises(NotImplementedError):
            trio.socket.socket()
    with pytest.raises(NotImplementedError):
        trio.socket.socket()


async def test_a_block_needs_a_run() -> None:
    def outside() -> None:
        with usertcp.kernel_sockets():
            pass

    with pytest.raises(RuntimeError):
        await trio.to_thread.run_sync(outside)


async def test_only_tcp_is_ours(pair: Pair, autojump_clock: MockClock, tmp_path: Path) -> None:
    with usertcp.trio_sockets(pair.client.stack):
        for kind, proto in ((socket.SOCK_DGRAM, 0), (socket.SOCK_STREAM, socket.IPPROTO_UDP), (socket.SOCK_RAW, 1)):
            with pytest.raises(OSError, match=r"usertcp\.kernel_sockets\(\)") as raised:
                trio.socket.socket(socket.AF_INET, kind, proto)
            assert raised.value.errno == errno.EPROTONOSUPPORT
        with trio.socket.socket(socket.AF_UNIX) as local:
            await local.bind(str(tmp_path / "socket"))
        with usertcp.kernel_sockets(), trio.socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            await datagrams.bind(("127.0.0.1", 0))


async def test_a_family_that_the_stack_lacks(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with usertcp_network() as network:
        host = await network.add_host("old", "10.0.0.1")
        with host.sockets({"both": ["fd00::9", "10.0.0.1"], "new": "fd00::9"}):
            with pytest.raises(OSError, match="no IPv6 address") as raised:
                trio.socket.socket(socket.AF_INET6)
            assert raised.value.errno == errno.EAFNOSUPPORT
            async with trio.open_nursery() as nursery:
                listeners = await nursery.start(trio.serve_tcp, echo, 7)
                assert [each.socket.family for each in listeners] == [socket.AF_INET]
                async with await trio.open_tcp_stream("both", 7) as stream:
                    assert await say(stream, b"x") == b"x"
                with pytest.raises(socket.gaierror, match="IPv4"):
                    await trio.open_tcp_stream("new", 7)
                nursery.cancel_scope.cancel()


async def test_happy_eyeballs_pass_an_address_where_nobody_is(pair: Pair, autojump_clock: MockClock) -> None:
    with pair.server.sockets():
        listeners = await trio.open_tcp_listeners(7)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, echo, listeners)
        with pair.client.sockets({"half": ["fd00::99", "10.0.0.1"]}):
            started = trio.current_time()
            async with await trio.open_tcp_stream("half", 7) as stream:
                assert 0.25 < trio.current_time() - started < 0.5
                assert stream.socket.getpeername() == ("10.0.0.1", 7)
        nursery.cancel_scope.cancel()
    await trio.sleep(300)
    assert pair.client.stack.open_connections == 0  # the attempt that lost is given up


async def test_a_reboot_ends_the_sockets_of_a_host(pair: Pair, autojump_clock: MockClock) -> None:
    with pair.server.sockets():
        (listener, *_) = await trio.open_tcp_listeners(7)
        held = trio.socket.socket()
    with pair.client.sockets():
        stream = await trio.open_tcp_stream("10.0.0.1", 7)
    accepted = await listener.accept()
    async with trio.open_nursery() as nursery:

        async def expect_closed() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()

        async def expect_broken() -> None:
            with pytest.raises(trio.BrokenResourceError) as raised:
                await accepted.receive_some()
            assert "rebooted" in str(raised.value)

        nursery.start_soon(expect_closed)
        nursery.start_soon(expect_broken)
        await trio.testing.wait_all_tasks_blocked()
        await pair.server.reboot()
    with pytest.raises(OSError, match="stack has stopped"):
        await held.connect(("10.0.0.2", 7))
    for each in (held, stream, accepted.socket):
        each.close() if isinstance(each, trio.socket.SocketType) else await each.aclose()


async def test_tls_over_our_sockets(
    pair: Pair, autojump_clock: MockClock, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    server_context, client_context = tls
    async with trio.open_nursery() as nursery:
        with pair.server.sockets():
            await nursery.start(trio.serve_ssl_over_tcp, echo, 443, server_context)
        with pair.client.sockets({"server.example": "10.0.0.1"}):
            stream = await trio.open_ssl_over_tcp_stream("server.example", 443, ssl_context=client_context)
        assert await say(stream, bytes(100_000)) == bytes(100_000)
        await stream.aclose()
        nursery.cancel_scope.cancel()
