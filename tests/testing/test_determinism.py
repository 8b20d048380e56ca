"""The order of trio's tasks comes from a seed, and only as long as that is asked for."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
import trio

from usertcp.testing import seed_scheduling

scheduler: Any = trio._core._run


def order_of_tasks() -> list[int]:
    order = []

    async def task(number: int) -> None:
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            order.append(number)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(task, number)

    trio.run(main)
    return order


def seeded_order(seed: int) -> list[int]:
    with seed_scheduling(seed) as seeded:
        assert seeded
        return order_of_tasks()


def test_a_seed_is_an_order() -> None:
    assert seeded_order(1) == seeded_order(1) != seeded_order(2)


def test_afterwards_all_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", False)
    state = scheduler._r.getstate()
    seeded_order(1)
    assert scheduler._r.getstate() == state
    assert scheduler._ALLOW_DETERMINISTIC_SCHEDULING is False


@pytest.mark.parametrize("missing", ["_r", "_ALLOW_DETERMINISTIC_SCHEDULING"])
def test_another_trio_is_left_alone(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    other = ModuleType("trio._core._run")
    for name in {"_r", "_ALLOW_DETERMINISTIC_SCHEDULING"} - {missing}:
        setattr(other, name, getattr(scheduler, name))
    before = dict(vars(other))
    monkeypatch.setitem(sys.modules, "trio._core._run", other)
    with seed_scheduling(1) as seeded:
        assert not seeded
    assert vars(other) == before


PROGRAM = """
from contextlib import suppress
from hashlib import sha256
import trio
from trio.testing import MockClock
from usertcp.tcp.errors import TcpError
from usertcp.testing import Conditions, open_network, seed_scheduling

seen = sha256()

async def echo(stream):
    async with stream:
        with suppress(trio.BrokenResourceError):
            async for data in stream:
                await stream.send_all(data)

async def use(client, number):
    async with await client.open_stream("10.0.0.1", 7) as stream:
        await stream.send_all(bytes([number]) * 20_000)
        await stream.receive_some()
        if number % 3 == 0:
            stream.abort()

async def knock(client):
    with suppress(TcpError):
        await client.open_stream("10.0.0.1", 8)

async def main():
    async with open_network(seed=5) as network:
        network.tap(lambda tapped: seen.update(repr(tapped).encode()))
        server = await network.add_host("server", "10.0.0.1")
        client = await network.add_host("client", "10.0.0.2")
        conditions = Conditions(delay=0.01, loss=0.05, reorder=0.05, corrupt=0.02, duplicate=0.02)
        network.link(client, server, conditions)
        listener = await server.open_listener(7)
        half_open = await server.open_listener(8)
        server.start_soon(trio.serve_listeners, echo, [listener])
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(use, client, number)
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(knock, client)
            await trio.sleep(0.015)
            await half_open.aclose()
        await server.reboot()
        await trio.sleep(100)

with seed_scheduling(5):
    trio.run(main, clock=MockClock(autojump_threshold=0))
print(seen.hexdigest())
"""


def test_the_same_packets_in_other_processes() -> None:
    """Where neither the addresses of objects nor the hashes of strings are the same."""
    printed = {
        subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True).stdout
        for _ in range(3)
    }
    assert len(printed) == 1
    assert len(printed.pop()) == 65
