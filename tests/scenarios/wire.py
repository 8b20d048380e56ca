"""A device for the runtime in virtual time, with another host right behind it."""

from __future__ import annotations

from collections import deque

import trio

from usertcp.stack.host import Host
from usertcp.wire.buffer import Buffer


class Wire:
    """Carries packets to ``other`` and back in no time, until it is cut; ``carried`` are those to ``other``."""

    mtu = 1500
    offload = False

    def __init__(self, other: Host) -> None:
        self.other = other
        self.is_cut = False
        self.carried: list[bytes] = []
        self._coming: deque[bytes] = deque()
        self._came = trio.Event()

    async def wait_readable(self) -> None:
        while not self._coming:
            self._came = trio.Event()
            await self._came.wait()

    def receive(self) -> bytes | None:
        return self._coming.popleft() if self._coming else None

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        if not self.is_cut:
            self.carried.append(b"".join(buffers))
            self.other.packet_arrives(self.carried[-1], trio.current_time())
            self.bring()
        return True

    def bring(self) -> None:
        """Everything that the other host has to say now."""
        self.other.flush(trio.current_time())
        self._coming.extend(b"".join(packet) for packet in self.other.outbox)
        self.other.outbox.clear()
        self._came.set()

    async def wait_writable(self) -> None:
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        pass

    def counters(self) -> dict[str, int]:
        return {}
