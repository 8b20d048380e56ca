"""What the stack needs from whatever carries its packets: a TUN, a tunnel, or a test's own device."""

from __future__ import annotations

from typing import Protocol

from usertcp.wire.buffer import Buffer


class DeviceGone(Exception):
    """The device was closed, by us or by somebody who removed it; no packet will come or go any more."""


class PacketDevice(Protocol):
    """A device that takes and yields whole IP packets, one per call.

    One task waits and receives; sending is done by the same task, so an implementation needs no locks.
    """

    @property
    def mtu(self) -> int:
        """The largest IP packet that the link carries, in bytes (super-segments excepted)."""

    @property
    def offload(self) -> bool:
        """Whether each packet, both ways, starts with a virtio_net_hdr of 10 bytes.

        Then TCP super-segments of up to 64 KiB and partial checksums are allowed in both directions.
        """

    async def wait_readable(self) -> None:
        """Return when :meth:`receive` is likely to yield a packet.  Raises :exc:`DeviceGone`."""

    def receive(self) -> bytes | None:
        """Return the next packet, or None when none is waiting; never blocks.

        Raises :exc:`DeviceGone`, also for a device that somebody else removed.
        """

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        """Send one packet, the concatenation of `buffers`; never blocks.

        False means that the device is full and nothing was sent: :meth:`wait_writable`, then try again.
        True means that the packet is off our hands; like any link, the device may still have lost it,
        which it counts and does not report.  Raises :exc:`DeviceGone`.
        """

    async def wait_writable(self) -> None:
        """Return when :meth:`send` is likely to succeed.  Raises :exc:`DeviceGone`."""

    def close(self) -> None:
        """Give the device back.  Wakes whoever waits for it with :exc:`DeviceGone`.  May be repeated."""

    def counters(self) -> dict[str, int]:
        """What the device counted so far, by name (``packets-sent``); also after :meth:`close`."""
