"""Two stacks on the ends of a cable in memory, the first one with a control socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import trio

import usertcp
from tests.runtime.cable import cable
from usertcp.control import protocol

OURS = "192.0.2.2"
PEERS = "192.0.2.1"
#: No test waits longer for anything, in seconds.
PATIENCE = 30.0


class Both(NamedTuple):
    """Ours, into which is looked, its peer, and our control socket."""

    ours: usertcp.Stack
    peer: usertcp.Stack
    path: Path


@asynccontextmanager
async def both(directory: Path, **options: Any) -> AsyncIterator[Both]:
    path = directory / "control.sock"
    left, right = cable()
    with trio.fail_after(PATIENCE):
        async with (
            usertcp.open_stack(right, addresses=[f"{PEERS}/24"], grace=0.1) as peer,
            usertcp.controlled(
                usertcp.open_stack(left, addresses=[f"{OURS}/24"], grace=0.1), path=path, **options
            ) as ours,
        ):
            yield Both(ours, peer, path)


class Asking:
    """A connection to a control socket, by hand."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._text = b""

    async def line(self) -> dict[str, Any]:
        """The next line; an empty object at the end."""
        while b"\n" not in self._text:
            chunk = await self.stream.receive_some()
            if not chunk:
                return {}
            self._text += chunk
        first, _, self._text = self._text.partition(b"\n")
        made: dict[str, Any] = json.loads(first)
        return made

    async def rest(self) -> list[dict[str, Any]]:
        lines = []
        while made := await self.line():
            lines.append(made)
        return lines


@asynccontextmanager
async def asking(path: Path, request: bytes | dict[str, Any]) -> AsyncIterator[Asking]:
    async with await trio.open_unix_socket(path) as stream:
        with suppress(trio.BrokenResourceError):  # refused before we have spoken: the answer says why
            await stream.send_all(request if isinstance(request, bytes) else protocol.line(request))
        yield Asking(stream)
