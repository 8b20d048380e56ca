"""PyTCP (``pmd-pytcp``) on a TUN, with an echo, a sink and a source: run by the Python that has it, never imported.

    PYTHON tools/bench_peer.py TUN ADDRESS     # serves until killed
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Any

TUNSETIFF, IFF_TUN = 0x400454CA, 0x0001
ECHO, SINK, SOURCE = 7, 9, 19
BLOCK = bytes(65536)


async def echo(connection: Any) -> None:
    while data := await connection.recv(65536):
        await connection.send(data)


async def sink(connection: Any) -> None:
    """Until the client has said all; the close ends its wait."""
    while await connection.recv(65536):
        pass


async def source(connection: Any) -> None:
    left = int(await connection.recv(100))
    while left:
        left -= await connection.send(BLOCK[:left])


async def serve(port: int, handle: Callable[[Any], Awaitable[None]]) -> None:
    """Accept and handle, one connection after the other."""
    from pmd_pytcp import socket

    listener = socket.socket(socket.AF_INET4, socket.SOCK_STREAM)
    listener.bind(("0.0.0.0", port))
    listener.listen()
    while True:
        connection, _ = await listener.accept()
        try:
            await handle(connection)
        finally:
            connection.close()


async def main(tun: str, address: str) -> None:
    from pmd_net_addr import Ip4IfAddr
    from pmd_pytcp import stack
    from pmd_pytcp.lib.interface_layer import InterfaceLayer

    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", tun.encode(), IFF_TUN))
    stack.init(
        fd=device,
        layer=InterfaceLayer.L3,
        mtu=1500,
        interface_name=tun,
        ip4_host=Ip4IfAddr(f"{address}/24"),
        ip4_dhcp=False,
        ip6_support=False,
    )
    await stack.start()
    await asyncio.gather(serve(ECHO, echo), serve(SINK, sink), serve(SOURCE, source))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
