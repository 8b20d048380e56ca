"""What is measured: the services on usertcp, and the same handlers on kernel sockets, both under trio."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import bench_raw
import trio
from bench_clients import ECHO, HOLD, HTTP
from bench_processes import Child, ChildError, answer

import usertcp
from usertcp.observe.recorder import Recorder
from usertcp.runtime import interface
from usertcp.runtime.errors import SetupError
from usertcp.services.registry import SERVICES, Serve, handler
from usertcp.tcp.events import Sink

#: Seconds that a server may take to start.
PATIENCE: Final = 20.0
_SERVED: Final = {HTTP: "http", ECHO: "echo"}
_numbers = iter(range(1, 250))

Open = Callable[[int], Awaitable[trio.abc.Listener[trio.abc.HalfCloseableStream]]]


class Server:
    """A server process, listening."""

    def __init__(self, system: str, peer: str = "") -> None:
        """``system`` is one of usertcp, usertcp-plain, usertcp-ring, kernel, raw, raw-plain, peer; plain: without
        offload; ring: with trace events into a recorder.  ``peer`` is the Python that has the peer."""
        kind, _, variant = system.partition("-")
        self.system = system
        if kind == "kernel":
            self.address = "127.0.0.1"
            self.process = Child(serve_on_kernel, self.address)
        else:
            number = next(_numbers)
            # RFC 2544: 198.18.0.0/15 is for benchmarks.  Each server has a TUN and a network of its own.
            self.address = f"198.18.{number}.2"
            tun = f"bench{number}"
            if kind == "peer":
                self.process = Child(serve_on_peer, peer, tun, self.address)
                _prepare_peer(self.process, tun, self.address)
                return
            serve = bench_raw.serve
            if kind == "usertcp":
                serve = serve_with_ring if variant == "ring" else serve_on_usertcp
            self.process = Child(serve, tun, self.address, variant != "plain")
        try:
            self.process.receive(PATIENCE)
        except BaseException:
            self.process.stop()
            raise


def serve_on_usertcp(pipe: Connection, tun: str, address: str, offload: bool) -> None:
    """Our stack on a TUN of its own, until killed."""
    trio.run(_usertcp, pipe, tun, address, offload, None)


def serve_with_ring(pipe: Connection, tun: str, address: str, offload: bool) -> None:
    """The same with somebody who keeps the trace events."""
    trio.run(_usertcp, pipe, tun, address, offload, Recorder())


def serve_on_kernel(pipe: Connection, address: str) -> None:
    """The same services on kernel sockets, until killed."""
    trio.run(_kernel, pipe, address)


def serve_on_peer(_: Connection, python: str, tun: str, address: str) -> None:
    """PyTCP in the place of this process, until killed."""
    script = Path(__file__).with_name("bench_peer.py")
    os.execv(python, [python, str(script), tun, address])


def _prepare_peer(process: Child, tun: str, address: str) -> None:
    """Give the kernel its side of the peer's TUN, and wait until it serves.  Raises ChildError."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with suppress(SetupError, OSError):
            interface.configure(tun, [interface.parse_address(f"{address}/24")], mtu=1500)
            socket.create_connection((address, ECHO), timeout=1).close()
            return
        time.sleep(0.2)
    process.stop()
    raise ChildError("pmd-pytcp does not serve")


async def _usertcp(pipe: Connection, tun: str, address: str, offload: bool, trace: Sink | None) -> None:
    async with usertcp.open_stack(tun=tun, addresses=[f"{address}/24"], offload=offload, trace=trace) as stack:
        if stack.device.offload != offload:
            raise RuntimeError("this kernel's TUN has no offload")

        async def listen(port: int) -> usertcp.TcpListener:
            return await stack.open_listener(port)

        await _serve(pipe, listen)


async def _kernel(pipe: Connection, address: str) -> None:
    async def listen(port: int) -> trio.SocketListener:
        return (await trio.open_tcp_listeners(port, host=address, backlog=1024))[0]

    await _serve(pipe, listen)


async def _serve(pipe: Connection, listen: Open) -> None:
    async with trio.open_nursery() as nursery:
        for port, name in _SERVED.items():
            serve: Serve = handler(SERVICES[name])
            nursery.start_soon(trio.serve_listeners, serve, [await listen(port)])
        nursery.start_soon(_hold, await listen(HOLD))
        answer(pipe, None)


async def _hold(listener: trio.abc.Listener[trio.abc.HalfCloseableStream]) -> None:
    held = []
    while True:
        held.append(await listener.accept())
