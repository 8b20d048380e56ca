"""What the driver asks of its device for what applications do, counted: each is a system call, of which a write costs
most.  And that nothing waits for company that does not come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from trio.abc import HalfCloseableStream
from trio.testing import MockClock

import usertcp
from tests.runtime.cable import End, cable
from usertcp.runtime.wrapped import WrappedDevice
from usertcp.services.registry import SERVICES, handler
from usertcp.wire.buffer import Buffer

GET = b"GET /bytes/100 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


class Cable(WrappedDevice):
    """One end of a cable: a device that counts what is asked of it."""

    def __init__(self, end: End) -> None:
        super().__init__(end)
        self.waits = self.reads = self.writes = 0

    async def wait_readable(self) -> None:
        self.waits += 1
        await super().wait_readable()

    def receive(self) -> bytes | None:
        self.reads += 1
        return super().receive()

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        self.writes += 1
        return super().send(buffers)


class Ends:
    """A client's stack and a server's, and their ends of the cable."""

    def __init__(self, client: usertcp.Stack, server: usertcp.Stack, theirs: Cable, ours: Cable) -> None:
        self.client = client
        self.server = server
        self.ours = ours
        self.theirs = theirs

    async def get(self) -> bytes:
        """Connect, GET, close."""
        async with await self.client.open_stream("10.0.0.1", 80) as stream:
            await stream.send_all(GET)
            return b"".join([data async for data in stream])


@asynccontextmanager
async def two_stacks() -> AsyncIterator[Ends]:
    ours, theirs = map(Cable, cable())
    async with (
        usertcp.open_stack(ours, addresses=["10.0.0.1/24"], grace=0) as server,
        usertcp.open_stack(theirs, addresses=["10.0.0.2/24"], grace=0) as client,
    ):
        yield Ends(client, server, theirs, ours)


@asynccontextmanager
async def http() -> AsyncIterator[Ends]:
    async with two_stacks() as ends, trio.open_nursery() as nursery:
        listener = await ends.server.open_listener(80)
        nursery.start_soon(partial(trio.serve_listeners, handler(SERVICES["http"]), [listener]))
        yield ends
        nursery.cancel_scope.cancel()


async def quiet() -> None:
    """Everything that was sent has been answered."""
    await trio.sleep(1)


async def test_an_exchange_takes_three_packets_of_the_server(autojump_clock: MockClock) -> None:
    """SYN,ACK; the answer with our FIN and the acknowledgment of the question; the acknowledgment of their FIN."""
    async with http() as ends:
        await ends.get()
        await quiet()
        ends.ours.writes = ends.ours.waits = ends.ours.reads = 0
        for _ in range(10):
            assert (await ends.get()).startswith(b"HTTP/1.1 200")
        await quiet()
        assert ends.ours.writes == 3 * 10
        # SYN; ACK; the question; an acknowledgment; FIN: each may need a wait, and a read that finds nothing more
        assert ends.ours.waits <= 5 * 10
        assert ends.ours.reads <= 10 * 10


@pytest.mark.parametrize("together", [2, 32])
async def test_as_few_where_there_are_many_at_a_time(together: int, autojump_clock: MockClock) -> None:
    async with http() as ends:
        async with trio.open_nursery() as nursery:
            for _ in range(together):
                nursery.start_soon(ends.get)
        await quiet()
        assert ends.ours.writes == 3 * together


async def test_an_answer_without_an_end_leaves_all_the_same(autojump_clock: MockClock) -> None:
    async def say(stream: HalfCloseableStream) -> None:
        assert await stream.receive_some() == b"?"
        await stream.send_all(b"one")
        await trio.sleep_forever()

    async with two_stacks() as ends, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, say, [await ends.server.open_listener(80)])
        stream = await ends.client.open_stream("10.0.0.1", 80)
        await stream.send_all(b"?")
        with trio.fail_after(0.03):  # no timer helped: the shortest one is a delayed acknowledgment's, 40 ms
            assert await stream.receive_some() == b"one"
        nursery.cancel_scope.cancel()


async def test_two_halves_of_a_first_answer_are_one_packet(autojump_clock: MockClock) -> None:
    async def say(stream: HalfCloseableStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"one ")
        await stream.send_all(b"two")
        await trio.sleep_forever()

    async with two_stacks() as ends, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, say, [await ends.server.open_listener(80)])
        stream = await ends.client.open_stream("10.0.0.1", 80)
        before = ends.ours.writes
        await stream.send_all(b"?")
        await quiet()
        assert await stream.receive_some() == b"one two"
        assert ends.ours.writes == before + 1
        nursery.cancel_scope.cancel()


async def test_a_whole_segment_waits_for_nothing(autojump_clock: MockClock) -> None:
    async def say(stream: HalfCloseableStream) -> None:
        await stream.receive_some()
        await stream.send_all(bytes(2000))
        assert ends.ours.writes == before + 2
        await stream.send_eof()

    async with two_stacks() as ends, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, say, [await ends.server.open_listener(80)])
        stream = await ends.client.open_stream("10.0.0.1", 80)
        before = ends.ours.writes
        await stream.send_all(b"?")
        assert len(b"".join([data async for data in stream])) == 2000
        nursery.cancel_scope.cancel()
