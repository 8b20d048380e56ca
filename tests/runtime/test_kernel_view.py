"""Asking the kernel about connections of which it has no socket, or which are another's."""

from __future__ import annotations

import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import usertcp
from tests.runtime.cable import cable
from usertcp import PacketDevice, Stack
from usertcp.observe.recorder import Recorder
from usertcp.runtime.kernel_view import KernelViewDevice
from usertcp.tcp.events import PeerSeen, SegmentOut, TraceEvent

SERVER, CLIENT = "192.0.2.2", "192.0.2.1"


@asynccontextmanager
async def two_hosts(trace: Recorder | None) -> AsyncIterator[tuple[Stack, Stack]]:
    """A server that asks the kernel of every segment, and a client that the kernel knows nothing of."""
    here, there = cable()
    view = KernelViewDevice(here)
    async with (
        usertcp.open_stack(view, addresses=[f"{SERVER}/24"], trace=trace, grace=0) as server,
        usertcp.open_stack(there, addresses=[f"{CLIENT}/24"], grace=0) as client,
    ):
        view.tell(server.host)
        yield server, client


def remembered() -> int:
    """How many connections the devices of this process remember."""
    gc.collect()
    return sum(type(each).__name__ == "_Flow" for each in gc.get_objects())


def seen(recorder: Recorder, kind: type[TraceEvent] = PeerSeen) -> list[TraceEvent]:
    return [event for event in recorder.events() if isinstance(event, kind)]


async def test_a_peer_that_is_no_socket_of_the_kernels() -> None:
    recorder = Recorder()
    async with two_hosts(recorder) as (server, client):
        listener = await server.open_listener(7)
        async with await client.open_stream(SERVER, 7) as stream, await listener.accept() as served:
            await stream.send_all(b"hello")
            assert await served.receive_some() == b"hello"
    assert seen(recorder) == []
    assert len(seen(recorder, SegmentOut)) > 2


async def test_a_listener_of_the_kernels_at_the_port_of_another_host() -> None:
    """It would take any connection to that port; but this one is not to the kernel."""
    recorder = Recorder()
    with socket.create_server(("", 0)) as listener:
        port = listener.getsockname()[1]
        async with two_hosts(recorder) as (server, client):
            accepting = await client.open_listener(port)
            async with await server.open_stream(CLIENT, port) as stream, await accepting.accept() as served:
                await stream.send_all(b"hello")
                assert await served.receive_some() == b"hello"
    assert seen(recorder) == []


async def test_what_is_remembered_is_bounded() -> None:
    async with two_hosts(Recorder(limit=10)) as (server, client):
        listener = await server.open_listener(7)
        for _ in range(1500):
            stream, served = await client.open_stream(SERVER, 7), await listener.accept()
            stream.abort()
            await served.aclose()
        assert 0 < remembered() <= 1024
    # No more than its device lives on.
    del server, client, listener, stream, served
    assert remembered() == 0


async def test_where_nobody_listens_nobody_is_asked() -> None:
    async with two_hosts(None) as (server, client):
        listener = await server.open_listener(7)
        async with await client.open_stream(SERVER, 7), await listener.accept():
            assert remembered() == 0


async def test_it_is_the_device_behind_it() -> None:
    here, _ = cable()
    view: PacketDevice = KernelViewDevice(here)
    assert (view.mtu, view.offload, view.counters()) == (here.mtu, here.offload, here.counters())
    await view.wait_writable()
    view.close()
    view.close()
    assert view.send((b"after the end nothing is asked",))
