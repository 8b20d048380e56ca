"""Calls that are cancelled at any moment: what send() did not report was not sent, what recv() did not return is
still there, and nobody is left waiting."""

from __future__ import annotations

from random import Random

import pytest
import trio
from trio.testing import MockClock

from tests.runtime.sockets.conftest import Pair
from usertcp.testing import Conditions


@pytest.mark.parametrize("seed", range(4))
async def test_cancelled_at_any_moment(pair: Pair, autojump_clock: MockClock, seed: int) -> None:
    chance = Random(seed)
    pair.link.change(Conditions(delay=0.01, loss=0.05, rate=500_000))
    with pair.server.sockets():
        (listener,) = await trio.open_tcp_listeners(80, host="10.0.0.1")
    heard: dict[int, bytearray] = {}
    sent: dict[int, bytes] = {}

    async def hear(sock: trio.socket.SocketType) -> None:
        with sock:
            head = b""
            while len(head) < 2:  # which one it is
                head += await sock.recv(2 - len(head))
            received = heard[int.from_bytes(head, "big")] = bytearray()
            while True:
                data: bytes | None = None
                with trio.move_on_after(chance.choice((0, 0.001, 0.02, 1))):
                    data = await sock.recv(chance.randrange(1, 10_000))
                if data == b"":
                    return
                received.extend(data or b"")

    async def serve() -> None:
        while True:
            sock: trio.socket.SocketType | None = None
            with trio.move_on_after(chance.choice((0, 0.01, 1))):
                sock, _ = await listener.socket.accept()
            if sock is not None:
                hearers.start_soon(hear, sock)

    async def talk(number: int) -> None:
        with pair.client.sockets():
            stream = await trio.open_tcp_stream("10.0.0.1", 80)
        async with stream:
            data = number.to_bytes(2, "big") + chance.randbytes(20_000)
            done = 0
            while done < len(data):
                with trio.move_on_after(chance.choice((0, 0.001, 0.02, 1))):
                    done += await stream.socket.send(data[done : done + chance.randrange(1, 30_000)])
            sent[number] = data[2:]

    async with trio.open_nursery() as hearers, trio.open_nursery() as servers:
        servers.start_soon(serve)
        async with trio.open_nursery() as talkers:
            for number in range(20):
                talkers.start_soon(talk, number)
        await trio.sleep(60)
        servers.cancel_scope.cancel()
    await listener.aclose()
    assert heard == sent
    await trio.sleep(300)
    assert pair.client.stack.open_connections == pair.server.stack.open_connections == 0
