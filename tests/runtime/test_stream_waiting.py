"""Streams that wait: for room, for data, and what remains true when the wait is cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from tests.runtime.simulated import SERVER, connected, hosts, read_all
from usertcp import Settings
from usertcp.tcp.states import State
from usertcp.testing import Conditions, Opener

ROOM = 20_000
FIXED = Settings(initial_receive_buffer=ROOM, receive_buffer=ROOM, send_buffer=ROOM)
#: Windows are said in steps, and silly ones are not used.
STEP = 1460
#: What both buffers hold together.  Who waits for room is not woken for less than a third of it.
LEAST, MOST = ROOM + 2 * ROOM // 3 - STEP, 2 * ROOM + STEP


async def test_a_slow_reader_stops_the_sender(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """``send_all`` takes what both buffers hold, and waits; what was read is what there is room for again."""
    async with connected(usertcp_network, FIXED) as ends, trio.open_nursery() as nursery:
        taken = 0

        async def send() -> None:
            nonlocal taken
            while True:
                await ends.ours.send_all(bytes(1000))
                taken += 1000

        nursery.start_soon(send)
        await trio.sleep(100)
        assert LEAST - 1000 <= taken <= MOST
        info = ends.ours.info()
        assert info.snd_wnd < STEP
        assert "persist" in info.timers
        assert ends.theirs.info().unread <= ROOM + STEP
        full = taken
        await trio.sleep(1000)
        assert taken == full

        read = 0
        for _ in range(10):
            while read < 5000:
                read += len(await ends.theirs.receive_some(5000 - read))
            await trio.sleep(100)
        assert abs((taken - full) - read) <= ROOM // 3 + STEP
        nursery.cancel_scope.cancel()


async def test_what_a_cancelled_send_all_took_arrives_and_nothing_else(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    """A part from the beginning: as much as there was room for.  What is sent next stands right behind it."""
    data = bytes(range(250)) * 400
    async with connected(usertcp_network, FIXED) as ends:
        with trio.move_on_after(100) as patience:
            await ends.ours.send_all(data)
        assert patience.cancelled_caught
        info = ends.ours.info()
        taken = info.bytes_acked + len(ends.ours.connection.send_buffer)
        assert LEAST <= taken <= MOST
        async with trio.open_nursery() as nursery:

            async def finish() -> None:
                await ends.ours.send_all(b"END")
                await ends.ours.send_eof()

            nursery.start_soon(finish)
            assert await read_all(ends.theirs) == data[:taken] + b"END"


async def test_a_send_all_that_is_cancelled_before_it_begins_takes_nothing(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    async with connected(usertcp_network) as ends:
        with trio.CancelScope() as scope:
            scope.cancel()
            await ends.ours.send_all(b"x")
        assert scope.cancelled_caught
        await ends.ours.aclose()
        assert await read_all(ends.theirs) == b""


async def test_views_of_other_items_than_bytes_are_sent_whole(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    async with connected(usertcp_network, FIXED) as ends, trio.open_nursery() as nursery:
        data = memoryview(bytes(range(256)) * 400)

        async def send() -> None:
            await ends.ours.send_all(data.cast("I"))
            await ends.ours.send_eof()

        nursery.start_soon(send)
        assert await read_all(ends.theirs) == data


async def test_a_cancelled_receive_loses_no_byte(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """At any of the moments around that at which the data comes."""
    came_later = 0
    for passes in range(12):
        async with connected(usertcp_network, conditions=Conditions()) as ends, trio.open_nursery() as nursery:
            got = bytearray()
            scope = trio.CancelScope()

            async def receive(ends=ends, got=got, scope=scope) -> None:  # type: ignore[no-untyped-def]
                with scope:
                    got += await ends.theirs.receive_some()

            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            await ends.ours.send_all(b"hello")
            for _ in range(passes):
                await trio.lowlevel.checkpoint()
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            if not got:
                came_later += 1
                got += await ends.theirs.receive_some()
            assert got == b"hello"
    assert 0 < came_later < 12


async def test_a_cancelled_aclose_sends_everything_and_the_fin(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    """Over a bad path, too: closing goes on without the application."""
    data = bytes(range(250)) * 4000
    async with connected(usertcp_network, conditions=Conditions(delay=0.05, rate=5e6, loss=0.02)) as ends:
        await ends.ours.send_all(data)
        assert ends.ours.info().bytes_acked < len(data)
        with trio.CancelScope() as scope:
            scope.cancel()
            await ends.ours.aclose()
        assert scope.cancelled_caught
        assert await read_all(ends.theirs) == data
        await ends.theirs.aclose()
        await trio.sleep(100)
        assert ends.client.stack.open_connections == ends.server.stack.open_connections == 0


async def test_a_cancelled_attempt_to_connect_leaves_nothing(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    """At whatever moment: a server that has accepted it already is told by a RST."""
    for waits in (0.0, 0.005, 0.01, 0.015, 0.025):
        async with hosts(usertcp_network) as (client, server, _, _):
            listener = await server.open_listener(7)
            with trio.move_on_after(waits) as scope:
                await client.open_stream(SERVER, 7)
            await trio.sleep(1)
            assert scope.cancelled_caught is (waits < 0.02)
            assert client.stack.open_connections == (waits > 0.02)
            if waits < 0.02:
                assert server.stack.open_connections == 0
                assert all(each.state is State.CLOSED for each in listener.listener.ready)


async def test_what_another_task_does_already(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network, FIXED) as ends, trio.open_nursery() as nursery:
        nursery.start_soon(ends.ours.send_all, bytes(100_000))
        nursery.start_soon(ends.ours.receive_some)
        await trio.testing.wait_all_tasks_blocked()
        wait = ends.ours.wait_send_all_might_not_block
        for operation in (lambda: ends.ours.send_all(b"x"), ends.ours.send_eof, wait):
            with pytest.raises(trio.BusyResourceError, match="another task is sending on this stream"):
                await operation()
        with pytest.raises(trio.BusyResourceError, match="another task is receiving from this stream"):
            await ends.ours.receive_some()
        nursery.cancel_scope.cancel()


async def test_a_full_buffer_is_full_until_a_third_of_it_is_free(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    """For ``send_all`` and for who waits for it alike: else one would say that the other does not wait, and it did."""
    async with connected(usertcp_network, FIXED) as ends:

        async def waits(operation: Callable[[], Awaitable[None]]) -> bool:
            with trio.move_on_after(10) as patience:
                await operation()
            return patience.cancelled_caught

        async def send() -> None:
            await ends.ours.send_all(b"x")

        operations = ends.ours.wait_send_all_might_not_block, send
        assert await waits(lambda: ends.ours.send_all(bytes(100_000)))
        assert 1000 < ends.ours.connection.send_room < ROOM // 3
        assert [await waits(each) for each in operations] == [True, True]
        await ends.theirs.receive_some()
        await trio.sleep(1)
        assert [await waits(each) for each in operations] == [False, False]
