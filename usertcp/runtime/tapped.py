"""A device that tells somebody what passes: what a capture is made from.

It is the stack's side of whatever else stands before the device: packets are as the stack sees them, super-segments
and partial checksums included.
"""

from __future__ import annotations

from typing import Protocol

import trio

from usertcp.runtime.device import PacketDevice
from usertcp.runtime.driver import BATCH
from usertcp.runtime.wrapped import WrappedDevice
from usertcp.wire.buffer import Buffer


class Watcher(Protocol):
    """Is told what passes, in the midst of the stack's work: it must be quick, and must not raise."""

    def arrived(self, time: float, packet: bytes) -> None:
        """The stack takes in ``packet``; what it does with it comes next."""

    def settled(self) -> None:
        """What the packet that arrived last does to the stack, it has done."""

    def left(self, time: float, buffers: tuple[Buffer, ...]) -> None:
        """A packet was sent, the concatenation of ``buffers``."""


class TappedDevice(WrappedDevice):
    """``device``, whose packets ``watcher`` sees; times are trio's clock's."""

    def __init__(self, device: PacketDevice, watcher: Watcher) -> None:
        super().__init__(device)
        self._watcher = watcher
        self._in_a_row = 0

    def receive(self) -> bytes | None:
        """The next packet.

        None also before the driver has a batch full, which ends it: so a call always follows the work on a packet
        before anything else is done.
        """
        if self._in_a_row:
            self._watcher.settled()
        packet = self.inner.receive() if self._in_a_row < BATCH - 1 else None
        if packet is None:
            self._in_a_row = 0
        else:
            self._in_a_row += 1
            self._watcher.arrived(trio.current_time(), packet)
        return packet

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        """Send one packet; it is told if the device took it."""
        time = trio.current_time()
        taken = self.inner.send(buffers)
        if taken:
            self._watcher.left(time, buffers)
        return taken
