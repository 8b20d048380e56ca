"""A stack of ours on a real TUN, and the kernel's clients beside it in the same trio program.

A client is a socket of the kernel's (a trio stream) or a real program; both are in the test's own network
namespace, where the TUN is.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import trio

import usertcp
from usertcp import HostConfig, Settings
from usertcp.services.registry import handler, parse_binding
from usertcp.tcp.connection import Connection
from usertcp.tcp.events import Transitioned, read
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from usertcp import Stack, TcpStream

    Handle: TypeAlias = Callable[[TcpStream], Awaitable[None]]

#: Addresses of the stack, and of the kernel's side of the TUN.
OURS = {4: "192.0.2.2", 6: "fd00:9293::2"}
KERNEL = {4: "192.0.2.1", 6: "fd00:9293::1"}
#: A TIME-WAIT of one second, to see its end.
SHORT_MEMORY = HostConfig(settings=Settings(msl=0.5))
#: Seconds that nothing here takes, however busy the machine is.
PATIENCE = 60


@asynccontextmanager
async def serving(*bindings: str, **options: Any) -> AsyncIterator[Stack]:
    """The stack with services as ``usertcp listen`` has them: ``"80"``, ``"8080:echo"``."""
    async with usertcp.open_stack(**options) as stack, trio.open_nursery() as nursery:
        for binding in map(parse_binding, bindings):
            listener = await stack.open_listener(binding.port)
            nursery.start_soon(trio.serve_listeners, handler(binding.service, stack.stats), [listener])
        yield stack
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def handling(port: int, handle: Handle, **options: Any) -> AsyncIterator[Stack]:
    """The stack with ``handle`` for every connection to ``port``."""
    async with usertcp.open_stack(**options) as stack, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, [await stack.open_listener(port)])
        yield stack
        nursery.cancel_scope.cancel()


def url(family: int, path: str = "/") -> str:
    address = OURS[family]
    return f"http://[{address}]{path}" if family == 6 else f"http://{address}{path}"


async def curl(*arguments: str) -> str:
    """What curl writes to stdout; it must succeed."""
    command = ["curl", "-sSg", "--noproxy", "*", "--max-time", str(PATIENCE), *arguments]
    done = await trio.run_process(command, capture_stdout=True)
    return (done.stdout or b"").decode()


async def dial(port: int, family: int = 4) -> trio.SocketStream:
    """A kernel socket connected to our stack.  Raises OSError."""
    sock = trio.socket.socket(trio.socket.AF_INET if family == 4 else trio.socket.AF_INET6)
    with trio.fail_after(PATIENCE):
        try:
            await sock.connect((OURS[family], port))
        except BaseException:
            sock.close()
            raise
    return trio.SocketStream(sock)


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    with trio.fail_after(PATIENCE):
        return b"".join([bytes(data) async for data in stream])


async def until(condition: Callable[[], object]) -> None:
    """Wait for what happens without telling anybody."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nobody sets an event for it
            await trio.sleep(0.005)


class States(list[State]):
    """A trace that keeps the states that were entered, in their order, those of all connections."""

    def __call__(self, event: tuple[Any, ...]) -> None:
        typed = read(event)
        if isinstance(typed, Transitioned) and typed.next_state is not typed.state:
            self.append(typed.next_state)


def living_connections() -> int:
    """How many control blocks there are in this process, wherever they are held."""
    gc.collect()
    return sum(type(each) is Connection for each in gc.get_objects())
