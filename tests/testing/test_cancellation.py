"""Five hundred streams whose operations are cancelled at any moment: what must hold all the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

import trio
from trio.testing import MockClock

import usertcp
from usertcp.testing import Conditions, Link, NetworkHost, Opener

STREAMS = 500
#: Longer than anything takes; who is still waiting then has missed a wake-up.
PATIENCE = 3600.0
#: Small buffers, so that senders wait.
SETTINGS = usertcp.Settings(initial_receive_buffer=8192, receive_buffer=8192, send_buffer=8192)
#: Cancellations come at multiples of this, as packets do: often both at the same moment.
TICK = 0.005
#: Begins what one ``send_all`` sends, and is nowhere else.
MARK = 0xFF


class Interrupted:
    """Runs operations, and cancels two of three within 20 ticks.

    At a tick it lets other tasks run a few times first: so that what the operation waits for may have happened, and
    its task been told, or not.
    """

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.cancelled = 0

    async def once(self, operation: Callable[[], Awaitable[object]]) -> bool:
        """Whether it came to its end."""
        hurry = bool(self.random.randrange(3))
        done = False

        async def run() -> None:
            nonlocal done
            await operation()
            done = True

        with trio.move_on_after(PATIENCE) as scope:
            if hurry:
                await self._until_cancelled(scope, run)
            else:
                await run()
        if not done:
            assert hurry, "a wake-up was lost"
            self.cancelled += 1
        return done

    async def _until_cancelled(self, scope: trio.CancelScope, operation: Callable[[], Awaitable[object]]) -> None:
        ticks, passes = self.random.randrange(20), self.random.randrange(8)

        async def cancel() -> None:
            await trio.sleep(ticks * TICK)
            for _ in range(passes):
                await trio.lowlevel.checkpoint()
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel)
            await operation()
            nursery.cancel_scope.cancel()

    async def until_done(self, operation: Callable[[], Awaitable[object]]) -> None:
        while not await self.once(operation):
            pass


class Sender:
    """Sends pieces, and knows of each whether all of it was taken."""

    def __init__(self, interrupted: Interrupted) -> None:
        self.sent: list[tuple[bytes, bool]] = []
        self._interrupted = interrupted

    async def send(self, stream: usertcp.TcpStream) -> None:
        random = self._interrupted.random
        for number in range(10):
            size = random.choice((1, 100, 5000, 20_000))
            data = bytes([MARK]) + bytes((number + place) % 250 for place in range(size))
            if not random.randrange(3):
                await self._interrupted.once(stream.wait_send_all_might_not_block)
            done = await self._interrupted.once(lambda data=data: stream.send_all(data))
            self.sent.append((data, done))

    def check(self, received: bytes) -> None:
        """Each piece that was taken arrived whole; of each of the others, some part from its beginning, or nothing."""
        pieces = [bytes([MARK]) + rest for rest in received.split(bytes([MARK]))[1:]]
        assert received[:1] in (b"", bytes([MARK]))
        for data, done in self.sent:
            if done:
                assert pieces, "data that was taken did not arrive"
                assert pieces.pop(0) == data
            elif pieces and data.startswith(pieces[0]):
                pieces.pop(0)
        assert not pieces


class Receiver:
    def __init__(self, interrupted: Interrupted) -> None:
        self.received = bytearray()
        self._interrupted = interrupted

    async def receive(self, stream: usertcp.TcpStream) -> None:
        """To the end of the stream."""
        at_end = False

        async def some() -> None:
            nonlocal at_end
            data = await stream.receive_some(self._interrupted.random.choice((1000, 100_000)))
            at_end = not data
            self.received += data

        while not at_end:
            await self._interrupted.once(some)
            if not self._interrupted.random.randrange(5):
                await trio.sleep(20 * TICK)


async def one_end(stream: usertcp.TcpStream, sender: Sender | None, receiver: Receiver, cut: Interrupted) -> None:
    """Send and receive at once, then close; who does not send only closes."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(receiver.receive, stream)
        if sender is not None:
            await sender.send(stream)
            await cut.until_done(stream.send_eof)
    await cut.once(stream.aclose)


async def send_and_close(stream: usertcp.TcpStream, sender: Sender) -> None:
    """An ``aclose`` that is cancelled at once still sends everything, and the FIN."""
    await sender.send(stream)
    with trio.CancelScope() as scope:
        scope.cancel()
        await stream.aclose()


async def answer(stream: usertcp.TcpStream, cut: Interrupted) -> None:
    """Send back each byte that comes, and close when the peer has."""
    data: bytes | bytearray = b""

    async def some() -> None:
        nonlocal data
        data = await stream.receive_some()

    while True:
        await cut.until_done(some)
        if not data:
            break
        await stream.send_all(data)
    await cut.once(stream.aclose)


async def ask(stream: usertcp.TcpStream, cut: Interrupted) -> None:
    """Byte by byte, each after the answer to the one before: whoever misses a wake-up waits for ever."""
    got = bytearray()

    async def some() -> None:
        got.extend(await stream.receive_some())

    for number in range(20):
        await stream.send_all(bytes([number]))
        await cut.until_done(some)
        assert got == bytes(range(number + 1))
    await cut.until_done(stream.send_eof)
    await cut.once(stream.aclose)


class Scene:
    """The two hosts of a network."""

    def __init__(self, client: NetworkHost, server: NetworkHost, link: Link, seed: int) -> None:
        self.client = client
        self.server = server
        self.link = link
        self.seed = seed
        self.cancelled = 0

    async def connected(self, number: int, cut: Interrupted) -> tuple[usertcp.TcpStream, usertcp.TcpStream]:
        """A connection, after some that were given up."""
        ends: list[usertcp.TcpStream] = []

        async def connect() -> None:
            ends.append(await self.client.open_stream("10.0.0.1", 1000 + number))

        async def accept() -> None:
            ends.append(await listener.accept())

        async with await self.server.open_listener(1000 + number) as listener:
            await cut.until_done(connect)
            while True:
                await cut.until_done(accept)
                if ends[-1].remote == ends[0].local:
                    return ends[0], ends[-1]
                ends.pop().abort()  # of a connect that was cancelled

    async def both_ways(self, number: int) -> None:
        cut = Interrupted(self.seed * STREAMS + number)
        client, server = await self.connected(number, cut)
        up, down, at_server, at_client = Sender(cut), Sender(cut), Receiver(cut), Receiver(cut)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one_end, server, down, at_server, cut)
            nursery.start_soon(one_end, client, up, at_client, cut)
        up.check(bytes(at_server.received))
        down.check(bytes(at_client.received))
        self.cancelled += cut.cancelled

    async def by_turns(self, number: int) -> None:
        cut = Interrupted(self.seed * STREAMS + number)
        client, server = await self.connected(number, cut)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer, server, cut)
            nursery.start_soon(ask, client, cut)
        self.cancelled += cut.cancelled

    async def one_way(self, number: int) -> None:
        cut = Interrupted(self.seed * STREAMS + number)
        client, server = await self.connected(number, cut)
        up, at_server = Sender(cut), Receiver(cut)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one_end, server, None, at_server, cut)
            nursery.start_soon(send_and_close, client, up)
        up.check(bytes(at_server.received))
        self.cancelled += cut.cancelled


async def test_cancelled_at_any_moment(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with usertcp_network() as network:
        client = await network.add_host("client", "10.0.0.2", settings=SETTINGS)
        server = await network.add_host("server", "10.0.0.1", settings=SETTINGS)
        link = network.link(client, server, Conditions(delay=2 * TICK, loss=0.01, reorder=0.01, duplicate=0.01))
        scene = Scene(client, server, link, network.seed)
        await trio.testing.wait_all_tasks_blocked()
        tasks = trio.lowlevel.current_statistics().tasks_living
        async with trio.open_nursery() as nursery:
            for number in range(STREAMS):
                nursery.start_soon((scene.one_way, scene.both_ways, scene.by_turns)[number % 3], number)
        assert scene.cancelled > 5 * STREAMS
        assert trio.lowlevel.current_statistics().tasks_living == tasks
        await trio.sleep(1000)
        assert client.stack.open_connections == server.stack.open_connections == 0
        assert client.stack.host.orphans == server.stack.host.orphans == 0
