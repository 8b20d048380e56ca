"""A device on a bad path: what passes through it is lost, delayed, repeated, damaged and overtaken.

The impairments are those of :mod:`usertcp.sim.impairment`, so that a live TUN and a simulated link are bad
in the same way, from the same seed.  Super-segments are split first: a real path has no 64 KB packets.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import trio

from usertcp.runtime.device import PacketDevice
from usertcp.runtime.wrapped import WrappedDevice
from usertcp.sim.impairment import Conditions, Entered, Impairment
from usertcp.sim.wire_form import from_offload, to_offload
from usertcp.wire.buffer import Buffer


class PathWatcher(Protocol):
    """Is told what the path does to packets; it must be quick, and must not raise."""

    def lost_inbound(self, time: float, packet: bytes, what: tuple[str, ...]) -> None:
        """``packet`` (as the device yields packets) was lost before the stack saw it."""

    def damaged_inbound(self) -> None:
        """The next packet that the stack receives is not what was sent."""

    def entered_outbound(self, packet: bytes, entered: Entered) -> None:
        """``packet`` (an IP packet), which the stack sends just now or which is a segment of what it sends, has
        entered the path."""


class ImpairedDevice(WrappedDevice):
    """``device`` with ``inbound`` and ``outbound`` conditions, as the stack sees it; ``watcher`` is told of it."""

    def __init__(
        self,
        device: PacketDevice,
        inbound: Conditions,
        outbound: Conditions,
        *,
        seed: int = 0,
        watcher: PathWatcher | None = None,
    ) -> None:
        super().__init__(device)
        self._watcher = watcher
        #: Packets on their way to the stack that were damaged, once for each copy.
        self._damaged: list[bytes] = []
        self._in = Impairment(inbound, seed=2 * seed)
        self._out = Impairment(outbound, seed=2 * seed + 1)
        self._ready: deque[bytes] = deque()
        self._sleep = trio.CancelScope()
        self._not_taken = 0

    async def wait_readable(self) -> None:
        """Return when a packet has come through; meanwhile send what comes out at the other end."""
        while True:
            now = trio.current_time()
            self._send_due(now)
            self._take_due(now)
            if self._ready:
                await trio.lowlevel.checkpoint()
                return
            deadline = min(self._in.deadline(), self._out.deadline())
            with trio.CancelScope(deadline=deadline) as self._sleep:
                await self.inner.wait_readable()
            self._read_inner(trio.current_time())

    def receive(self) -> bytes | None:
        """The next packet that has come through."""
        now = trio.current_time()
        if not self._ready:
            self._read_inner(now)
            self._take_due(now)
        if not self._ready:
            return None
        packet = self._ready.popleft()
        if self._damaged and self._watcher is not None:
            self._tell_damaged(packet, self._watcher)
        return to_offload(packet) if self.inner.offload else packet

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        """Send one packet into the path."""
        now = trio.current_time()
        packet = b"".join(buffers)
        for single in from_offload(packet) if self.inner.offload else [packet]:
            entered = self._out.put(single, now)
            if self._watcher is not None and entered.what:
                self._watcher.entered_outbound(single, entered)
        self._send_due(now)
        if self._out.deadline() < self._sleep.deadline:
            self._sleep.deadline = self._out.deadline()
        return True

    async def wait_writable(self) -> None:
        """The path takes everything."""
        await trio.lowlevel.checkpoint()

    def counters(self) -> dict[str, int]:
        """The inner device's, and what the path did to packets."""
        counts = dict(self.inner.counters())
        for direction, impairment in (("in", self._in), ("out", self._out)):
            counts.update((f"path-{direction}-{what}", number) for what, number in impairment.counts.items())
        if self._not_taken:
            counts["path-out-not-taken"] = self._not_taken
        return counts

    def _read_inner(self, now: float) -> None:
        while (packet := self.inner.receive()) is not None:
            for single in from_offload(packet) if self.inner.offload else [packet]:
                entered = self._in.put(single, now)
                if self._watcher is not None and entered.what:
                    self._tell_inbound(single, entered, now, self._watcher)

    def _tell_inbound(self, packet: bytes, entered: Entered, now: float, watcher: PathWatcher) -> None:
        if not entered.copies:
            watcher.lost_inbound(now, to_offload(packet) if self.inner.offload else packet, entered.what)
        elif "corrupted" in entered.what:
            self._damaged += [entered.packet] * entered.copies

    def _tell_damaged(self, packet: bytes, watcher: PathWatcher) -> None:
        for index, damaged in enumerate(self._damaged):
            if damaged is packet:
                del self._damaged[index]
                watcher.damaged_inbound()
                return

    def _take_due(self, now: float) -> None:
        self._ready.extend(packet for _, packet in self._in.take(now))

    def _send_due(self, now: float) -> None:
        for _, packet in self._out.take(now):
            if not self.inner.send((to_offload(packet) if self.inner.offload else packet,)):
                self._not_taken += 1  # the device is full: one more loss on a bad path
