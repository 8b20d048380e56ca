"""A device around a device: what stands between the stack and a TUN changes or watches some of what passes."""

from __future__ import annotations

from usertcp.runtime.device import PacketDevice
from usertcp.wire.buffer import Buffer


class WrappedDevice:
    """A PacketDevice that is ``inner`` in everything that a subclass does not do otherwise."""

    def __init__(self, inner: PacketDevice) -> None:
        self.inner = inner

    @property
    def mtu(self) -> int:
        """The inner device's."""
        return self.inner.mtu

    @property
    def offload(self) -> bool:
        """The inner device's."""
        return self.inner.offload

    async def wait_readable(self) -> None:
        """The inner device's."""
        await self.inner.wait_readable()

    def receive(self) -> bytes | None:
        """The inner device's."""
        return self.inner.receive()

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        """The inner device's."""
        return self.inner.send(buffers)

    async def wait_writable(self) -> None:
        """The inner device's."""
        await self.inner.wait_writable()

    def close(self) -> None:
        """Close the inner device."""
        self.inner.close()

    def counters(self) -> dict[str, int]:
        """The inner device's."""
        return self.inner.counters()
