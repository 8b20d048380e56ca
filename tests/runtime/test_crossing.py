"""A path on which FINs wait for each other, between two hosts that close by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

import usertcp
from tests.runtime.cable import cable
from usertcp import TcpStream
from usertcp.runtime.crossing import PATIENCE, CrossingDevice
from usertcp.tcp.states import State

SERVER, CLIENT = "192.0.2.2", "192.0.2.1"


class Pair:
    """A connection: its two ends, and the device on which the FINs of both wait."""

    def __init__(self, server: TcpStream, client: TcpStream, device: CrossingDevice) -> None:
        self.server = server
        self.client = client
        self.device = device

    def states(self) -> tuple[State, State]:
        return self.server.connection.state, self.client.connection.state


@asynccontextmanager
async def crossed() -> AsyncIterator[Pair]:
    here, there = cable()
    device = CrossingDevice(here)
    async with (
        usertcp.open_stack(device, addresses=[f"{SERVER}/24"], grace=0) as server,
        usertcp.open_stack(there, addresses=[f"{CLIENT}/24"], grace=0) as client,
    ):
        listener = await server.open_listener(80)
        stream = await client.open_stream(SERVER, 80)
        yield Pair(await listener.accept(), stream, device)


async def settled() -> None:
    """Whatever can happen without time passing has happened."""
    await trio.testing.wait_all_tasks_blocked(0.001)


@pytest.mark.parametrize("first", ["server", "client"])
async def test_whoever_sends_its_fin_first_they_cross(first: str) -> None:
    async with crossed() as pair:
        ends = [pair.server, pair.client] if first == "server" else [pair.client, pair.server]
        await ends[0].send_eof()
        await settled()
        # The other end does not know of it.
        assert set(pair.states()) == {State.FIN_WAIT_1, State.ESTABLISHED}
        await ends[1].send_eof()
        with trio.fail_after(0.9 * PATIENCE):
            while pair.states() != (State.TIME_WAIT, State.TIME_WAIT):  # noqa: ASYNC110
                await trio.sleep(0.001)
        for end in ends:
            # Not by way of FIN-WAIT-2, so by CLOSING: its FIN was not acknowledged when the other's came.
            assert await end.receive_some() == b""
        assert pair.device.alone == 0


async def test_data_passes_meanwhile() -> None:
    async with crossed() as pair:
        await pair.server.send_all(b"one")
        await pair.server.send_eof()
        await pair.client.send_all(b"two")
        assert await pair.client.receive_some() == b"one"
        assert await pair.server.receive_some() == b"two"
        await settled()
        assert pair.states() == (State.FIN_WAIT_1, State.ESTABLISHED)


async def test_a_fin_does_not_wait_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    async with crossed() as pair:
        started = trio.current_time()
        await pair.server.send_eof()
        assert await pair.client.receive_some() == b""
        assert PATIENCE <= trio.current_time() - started < PATIENCE + 0.1
        assert pair.device.alone == 1
        await pair.client.send_eof()
        assert await pair.server.receive_some() == b""
        assert pair.device.alone == 1


async def test_a_reset_takes_what_is_held_along() -> None:
    async with crossed() as pair:
        await pair.server.send_eof()
        pair.server.abort()
        with trio.fail_after(0.9 * PATIENCE):
            while pair.client.connection.state is State.ESTABLISHED:  # noqa: ASYNC110
                await trio.sleep(0.001)
        assert pair.client.connection.error is not None


async def test_data_against_a_held_fin_flows_again_when_it_has_waited_enough(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Our acknowledgments stand behind our FIN, as they were sent."""
    async with crossed() as pair:
        await pair.server.send_eof()
        await settled()
        data = bytes(1_000_000)
        with trio.fail_after(PATIENCE + 1):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pair.client.send_all, data)
                received = 0
                while received < len(data):
                    received += len(await pair.server.receive_some())
        assert pair.device.alone == 1
