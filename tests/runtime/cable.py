"""Two devices with a cable between them that takes no time and loses nothing."""

from __future__ import annotations

from collections import deque

import trio

from usertcp.wire.buffer import Buffer


class End:
    """One end of a cable."""

    mtu = 1500
    offload = False

    def __init__(self) -> None:
        self.other: End
        self._coming: deque[bytes] = deque()
        self._came = trio.Event()

    async def wait_readable(self) -> None:
        if not self._coming:
            self._came = trio.Event()
            await self._came.wait()
        await trio.lowlevel.checkpoint()

    def receive(self) -> bytes | None:
        return self._coming.popleft() if self._coming else None

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        self.other._coming.append(b"".join(buffers))
        self.other._came.set()
        return True

    async def wait_writable(self) -> None:
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        pass

    def counters(self) -> dict[str, int]:
        return {}


def cable() -> tuple[End, End]:
    """Both ends of a new one."""
    here, there = End(), End()
    here.other, there.other = there, here
    return here, there
