"""Our listeners are what trio says listeners are."""

from __future__ import annotations

import errno
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from tests.runtime.simulated import SERVER, breaks, hosts, read_all
from usertcp import HostConfig, TcpListener, TcpStream
from usertcp.stack.errors import AddressInUse
from usertcp.tcp.states import State
from usertcp.testing import Conditions, Opener


async def echo(stream: TcpStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send_all(data)


async def test_served_by_trio(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with hosts(usertcp_network) as (client, server, _, _), trio.open_nursery() as nursery:
        listeners = [await server.open_listener(port) for port in (7, 8)]
        assert all(isinstance(each, trio.abc.Listener) for each in listeners)
        await nursery.start(partial(trio.serve_listeners, echo, listeners))
        for port in (7, 8):
            async with await client.open_stream(SERVER, port) as stream:
                await stream.send_all(b"hello")
                await stream.send_eof()
                assert await read_all(stream) == b"hello"
        nursery.cancel_scope.cancel()
    assert not any(each.listener.open for each in listeners)


async def test_closed_while_several_wait(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with hosts(usertcp_network) as (_, server, _, _):
        listener = await server.open_listener(7)
        told = []

        async def accept() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()
            told.append(True)

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(accept)
            await trio.testing.wait_all_tasks_blocked()
            await listener.aclose()
        assert len(told) == 3
        with pytest.raises(trio.ClosedResourceError):
            await listener.accept()
        await listener.aclose()
        await (await server.open_listener(7)).aclose()


async def test_each_connection_goes_to_one_of_those_who_wait(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    async with hosts(usertcp_network) as (client, server, _, _):
        listener = await server.open_listener(7)
        accepted: list[TcpStream] = []

        async def accept() -> None:
            accepted.append(await listener.accept())

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(accept)
                nursery.start_soon(client.open_stream, SERVER, 7)
        assert len({stream.remote for stream in accepted}) == 20


async def test_who_is_cancelled_takes_no_connection_away(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """At any of the moments around that at which the connection is ready: it is returned, or stays."""
    came_later = 0
    for passes in range(12):
        async with hosts(usertcp_network, conditions=Conditions()) as (client, server, _, _):
            listener = await server.open_listener(7)
            accepted: list[TcpStream] = []
            scope = trio.CancelScope()

            async def accept(
                listener: TcpListener = listener, accepted: list[TcpStream] = accepted, scope: trio.CancelScope = scope
            ) -> None:
                with scope:
                    accepted.append(await listener.accept())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(accept)
                await trio.testing.wait_all_tasks_blocked()
                nursery.start_soon(client.open_stream, SERVER, 7)
                for _ in range(passes):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
            if not accepted:
                with trio.fail_after(1):
                    accepted.append(await listener.accept())
                came_later += 1
            assert len(accepted) == 1
    assert 0 < came_later < 12


async def test_those_whom_nobody_accepts(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """They wait in the backlog, and are reset when the listener closes."""
    async with hosts(usertcp_network) as (client, server, _, _):
        listener = await server.open_listener(7)
        waiting = await client.open_stream(SERVER, 7)
        await waiting.send_all(b"hello?")
        await trio.sleep(1)
        await listener.aclose()
        assert str(await breaks(waiting.receive_some)) == "reset by peer in ESTABLISHED"
        with pytest.raises(ConnectionRefusedError):
            await client.open_stream(SERVER, 7)


async def test_one_that_was_reset_before_it_was_accepted(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """As with the kernel's listeners, it is accepted, and whoever uses it learns what happened."""
    async with hosts(usertcp_network) as (client, server, _, _):
        listener = await server.open_listener(7)
        (await client.open_stream(SERVER, 7)).abort()
        await trio.sleep(1)
        accepted = await listener.accept()
        assert str(await breaks(accepted.receive_some)) == "reset by peer in ESTABLISHED"
        assert accepted.info().state is State.CLOSED


async def test_a_port_that_is_taken(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with hosts(usertcp_network) as (_, server, _, _):
        await server.open_listener(7)
        with pytest.raises(AddressInUse) as caught:
            await server.open_listener(7)
        assert isinstance(caught.value, OSError)
        assert caught.value.errno == errno.EADDRINUSE


async def test_a_host_that_can_take_no_more_connections(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """There are no descriptors to run out of: a SYN beyond the bound is dropped, and comes again."""
    async with usertcp_network() as network, trio.open_nursery() as nursery:
        client = await network.add_host("client", "10.0.0.2")
        server = await network.add_host("server", SERVER, config=HostConfig(max_connections=2))
        network.link(client, server, Conditions(delay=0.01))
        nursery.start_soon(trio.serve_listeners, echo, [await server.open_listener(7)])
        first, second = [await client.open_stream(SERVER, 7) for _ in range(2)]
        with trio.move_on_after(10) as patience:
            await client.open_stream(SERVER, 7)
        assert patience.cancelled_caught
        assert server.stack.open_connections == 2
        await first.aclose()
        async with await client.open_stream(SERVER, 7) as third:
            await third.send_all(b"at last")
            assert await third.receive_some() == b"at last"
        await second.aclose()
        nursery.cancel_scope.cancel()
