"""What passes a tapped device, in what order it is told, and where a batch ends."""

from __future__ import annotations

from collections import deque

import trio
import trio.testing

from usertcp.runtime.driver import BATCH
from usertcp.runtime.tapped import TappedDevice
from usertcp.wire.buffer import Buffer


class Wire:
    """A device in memory."""

    mtu = 1500
    offload = False

    def __init__(self) -> None:
        self.coming: deque[bytes] = deque()
        self.sent: list[bytes] = []
        self.full = False

    async def wait_readable(self) -> None:
        await trio.lowlevel.checkpoint()

    def receive(self) -> bytes | None:
        return self.coming.popleft() if self.coming else None

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        if not self.full:
            self.sent.append(b"".join(buffers))
        return not self.full

    async def wait_writable(self) -> None:
        self.full = False
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        self.coming.clear()

    def counters(self) -> dict[str, int]:
        return {"packets-sent": len(self.sent)}


class Watcher(list[object]):
    """Keeps what it is told."""

    def arrived(self, time: float, packet: bytes) -> None:
        self.append((time, packet))

    def settled(self) -> None:
        self.append("settled")

    def left(self, time: float, buffers: tuple[Buffer, ...]) -> None:
        self.append((time, buffers))


async def test_each_packet_is_told_and_then_that_it_is_settled(mock_clock: trio.testing.MockClock) -> None:
    wire, watcher = Wire(), Watcher()
    device = TappedDevice(wire, watcher)
    start = trio.current_time()
    wire.coming += [b"one", b"two"]
    assert [device.receive(), device.receive(), device.receive()] == [b"one", b"two", None]
    assert watcher == [(start, b"one"), "settled", (start, b"two"), "settled"]
    mock_clock.jump(1.5)
    assert device.receive() is None
    assert len(watcher) == 4
    assert device.send((b"out", b"going"))
    assert watcher[4:] == [(start + 1.5, (b"out", b"going"))]
    assert wire.sent == [b"outgoing"]


async def test_what_the_device_does_not_take_has_not_left() -> None:
    wire, watcher = Wire(), Watcher()
    device = TappedDevice(wire, watcher)
    wire.full = True
    assert not device.send((b"first",))
    await device.wait_writable()
    assert device.send((b"second",))
    assert [entry[1] for entry in watcher if isinstance(entry, tuple)] == [(b"second",)]


async def test_a_batch_ends_with_a_packet_that_is_settled() -> None:
    """The driver stops asking after so many packets, and then nobody would tell the end of the last one."""
    wire, watcher = Wire(), Watcher()
    device = TappedDevice(wire, watcher)
    wire.coming += [b"packet"] * 3 * BATCH
    seen = 0
    while wire.coming:
        for _ in range(BATCH):
            if device.receive() is None:
                break
            seen += 1
        assert watcher[-1] == "settled"
    assert seen == 3 * BATCH
    assert watcher.count("settled") == seen


async def test_it_is_as_the_device_within() -> None:
    wire = Wire()
    device = TappedDevice(wire, Watcher())
    await device.wait_readable()
    assert (device.mtu, device.offload, device.counters()) == (1500, False, {"packets-sent": 0})
    wire.coming.append(b"packet")
    device.close()
    assert device.receive() is None
