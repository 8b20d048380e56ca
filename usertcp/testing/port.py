"""What a host of a network has in place of a TUN: a queue of packets that have arrived."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from usertcp.wire.buffer import Buffer


class Port:
    """A packet device; what the host sends goes to ``send_out``."""

    def __init__(self, mtu: int, send_out: Callable[[bytes], None]) -> None:
        self._mtu = mtu
        self._send_out = send_out
        self._arrived: deque[bytes] = deque()
        self._readers = trio.lowlevel.ParkingLot()
        self._plugged = True
        self._sent = self._received = 0

    @property
    def mtu(self) -> int:
        """The largest packet that the host may send, in bytes."""
        return self._mtu

    @property
    def offload(self) -> bool:
        """Never: what a host puts out is what is on the wire."""
        return False

    def unplug(self) -> None:
        """From now on nothing arrives, and what is sent is gone."""
        self._plugged = False
        self._arrived.clear()

    def arrives(self, packet: bytes) -> None:
        """A packet has come over a link."""
        if self._plugged:
            self._arrived.append(packet)
            self._readers.unpark_all()

    async def wait_readable(self) -> None:
        """Return when a packet has arrived."""
        if self._arrived:
            await trio.lowlevel.checkpoint()
        while not self._arrived:
            await self._readers.park()

    def receive(self) -> bytes | None:
        """The next packet that has arrived."""
        if not self._arrived:
            return None
        self._received += 1
        return self._arrived.popleft()

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        """Put one packet on its link; there is always room."""
        if self._plugged:
            self._sent += 1
            self._send_out(b"".join(buffers))
        return True

    async def wait_writable(self) -> None:
        """There is always room."""
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """The same as :meth:`unplug`."""
        self.unplug()

    def counters(self) -> dict[str, int]:
        """Packets sent and received."""
        return {"packets-sent": self._sent, "packets-received": self._received}
