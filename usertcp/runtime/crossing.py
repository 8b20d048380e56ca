"""A device on which both ends close at once: each FIN is held back until the other end's has left, too.

So neither end can know of the other's FIN when it sends its own, and they cross, as they may on any slow path
(RFC 9293 §3.6, figure 13).  Nothing is made up: both ends close by themselves, and every packet arrives as it was
sent, in order.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

import trio

from usertcp.runtime.device import PacketDevice
from usertcp.runtime.flow import flow_of
from usertcp.runtime.wrapped import WrappedDevice
from usertcp.wire.buffer import Buffer
from usertcp.wire.tcp import FIN, RST, SYN

#: A FIN waits so long for the other end's, in seconds: then that end waits for this very FIN.
PATIENCE: Final = 1.0
#: What follows a FIN is held too, so that all stays in order, but not more packets than these.
_MOST: Final = 64
#: Connections of which is remembered that their FINs have crossed.
_REMEMBERED: Final = 1024


class _Crossing:
    """The end of one connection."""

    __slots__ = ("due", "inbound", "outbound", "over")

    def __init__(self, due: float) -> None:
        self.due = due
        self.over = False
        #: What is held: from the FIN on.
        self.inbound: list[bytes] = []
        self.outbound: list[bytes] = []


class CrossingDevice(WrappedDevice):
    """``device``, on the way to which FINs wait for each other."""

    def __init__(self, device: PacketDevice) -> None:
        super().__init__(device)
        #: FINs that went on alone, since the other end did not close within :data:`PATIENCE`.
        self.alone = 0
        self._crossings: dict[bytes, _Crossing] = {}
        self._arriving: deque[bytes] = deque()
        self._leaving: deque[bytes] = deque()
        self._sleep = trio.CancelScope()

    async def wait_readable(self) -> None:
        """Return when there is something to receive, or to send on."""
        while not self._arriving:
            deadline = min((each.due for each in self._crossings.values() if not each.over), default=inf)
            with trio.CancelScope(deadline=deadline) as self._sleep:
                await self.inner.wait_readable()
                return
            self._give_up(trio.current_time())
            if not self._arriving:
                self._send_on()
        await trio.lowlevel.checkpoint()

    def receive(self) -> bytes | None:
        """The next packet that is not held back."""
        while not self._arriving:
            if self._leaving:
                # The other end's FIN has done its work here: now ours arrives there, which had left before.
                self._send_on()
                return None
            packet = self.inner.receive()
            if packet is None or not self._holds((packet,), inbound=True):
                return packet
        return self._arriving.popleft()

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        """Send one packet, or hold it back."""
        held = self._holds(buffers, inbound=False)
        if self._arriving:
            self._sleep.cancel()
        else:
            self._send_on()
        return held or self.inner.send(buffers)

    def _holds(self, buffers: tuple[Buffer, ...], *, inbound: bool) -> bool:
        """Whether the packet is not to go on now; it may be the one for which others have waited."""
        found = flow_of(buffers, offload=self.inner.offload, inbound=inbound)
        if found is None:
            return False
        key, flags = found
        if flags & SYN:
            self._crossings.pop(key, None)
            return False
        crossing = self._crossings.get(key)
        if crossing is None:
            if not flags & FIN:
                return False
            crossing = self._begin(key)
        lane = crossing.inbound if inbound else crossing.outbound
        if crossing.over or not (lane or flags & FIN):
            return False
        lane.append(b"".join(buffers))
        if (crossing.inbound and crossing.outbound) or flags & RST or len(lane) == _MOST:
            self._end(crossing)
        return True

    def _begin(self, key: bytes) -> _Crossing:
        if len(self._crossings) == _REMEMBERED:
            self._end(self._crossings.pop(next(iter(self._crossings))))
        crossing = self._crossings[key] = _Crossing(trio.current_time() + PATIENCE)
        self._sleep.deadline = min(self._sleep.deadline, crossing.due)
        return crossing

    def _end(self, crossing: _Crossing) -> None:
        crossing.over = True
        self._arriving += crossing.inbound
        self._leaving += crossing.outbound
        crossing.inbound, crossing.outbound = [], []

    def _give_up(self, now: float) -> None:
        for crossing in self._crossings.values():
            if not crossing.over and crossing.due <= now:
                self.alone += 1
                self._end(crossing)

    def _send_on(self) -> None:
        while self._leaving:
            self.inner.send((self._leaving.popleft(),))  # where it is full, it is lost, and will be sent again
