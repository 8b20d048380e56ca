"""A bad path before a device: what passes, when, and what is told about it."""

from __future__ import annotations

from collections import deque

import pytest
import trio
import trio.testing

from usertcp.runtime.device import DeviceGone
from usertcp.runtime.impaired import ImpairedDevice
from usertcp.sim.impairment import PERFECT, Conditions, Entered
from usertcp.wire import virtio
from usertcp.wire.buffer import Buffer

PACKETS = [b"\x45packet %d" % number for number in range(100)]


class Wire:
    """A device in memory: what was sent is seen, and what comes is put in."""

    mtu = 1500

    def __init__(self, *, offload: bool = False) -> None:
        self.offload = offload
        self.sent: list[tuple[float, bytes]] = []
        self.full = False
        self._coming: deque[bytes] = deque()
        self._came = trio.Event()
        self._open = True

    def comes(self, *packets: bytes) -> None:
        self._coming.extend(packets)
        self._came.set()

    async def wait_readable(self) -> None:
        if not self._open:
            raise DeviceGone("closed")
        if not self._coming:
            self._came = trio.Event()
            await self._came.wait()

    def receive(self) -> bytes | None:
        return self._coming.popleft() if self._coming else None

    def send(self, buffers: tuple[Buffer, ...]) -> bool:
        if not self.full:
            self.sent.append((trio.current_time(), b"".join(buffers)))
        return not self.full

    async def wait_writable(self) -> None:
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        self._open = False

    def counters(self) -> dict[str, int]:
        return {"packets-sent": len(self.sent)}


async def next_packet(device: ImpairedDevice) -> bytes:
    while (packet := device.receive()) is None:
        await device.wait_readable()
    return packet


async def test_a_perfect_path_changes_nothing() -> None:
    wire = Wire()
    device = ImpairedDevice(wire, PERFECT, PERFECT)
    for packet in PACKETS:
        assert device.send((packet[:4], packet[4:]))
    assert [packet for _, packet in wire.sent] == PACKETS
    wire.comes(*PACKETS)
    assert [await next_packet(device) for _ in PACKETS] == PACKETS
    assert device.receive() is None
    assert (device.mtu, device.offload) == (1500, False)


async def test_delay_each_way(autojump_clock: trio.testing.MockClock) -> None:
    wire = Wire()
    device = ImpairedDevice(wire, Conditions(delay=0.02), Conditions(delay=0.5))
    wire.comes(PACKETS[0])
    began = trio.current_time()
    assert await next_packet(device) == PACKETS[0]
    assert trio.current_time() - began == pytest.approx(0.02)


async def test_what_is_sent_leaves_while_the_loop_waits_for_packets(autojump_clock: trio.testing.MockClock) -> None:
    wire = Wire()
    device = ImpairedDevice(wire, PERFECT, Conditions(delay=0.5, jitter=0.25), seed=3)
    began = trio.current_time()
    with trio.move_on_after(0.4):
        await device.wait_readable()
    device.send((PACKETS[0],))
    with trio.move_on_after(10):
        await device.wait_readable()
    ((left, packet),) = wire.sent
    assert packet == PACKETS[0]
    assert 0.9 <= left - began <= 1.15


async def test_a_packet_sent_to_a_sleeping_loop_wakes_it_in_time(autojump_clock: trio.testing.MockClock) -> None:
    wire = Wire()
    device = ImpairedDevice(wire, PERFECT, Conditions(delay=0.5))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(device.wait_readable)
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        device.send((PACKETS[0],))
        await trio.sleep(2)
        nursery.cancel_scope.cancel()
    assert [left - began for left, _ in wire.sent] == [pytest.approx(0.5)]


async def test_the_same_seed_loses_the_same_packets() -> None:
    lost = Conditions(loss=0.3)
    first, second = Wire(), Wire()
    for wire in (first, second):
        device = ImpairedDevice(wire, PERFECT, lost, seed=7)
        for packet in PACKETS:
            device.send((packet,))
        counters = device.counters()
        assert counters["packets-sent"] + counters["path-out-lost"] == len(PACKETS)
    kept = [packet for _, packet in first.sent]
    assert kept == [packet for _, packet in second.sent]
    assert 40 < len(kept) < 100


async def test_with_offload_each_packet_has_a_header_of_its_own() -> None:
    wire = Wire(offload=True)
    device = ImpairedDevice(wire, PERFECT, PERFECT)
    header = bytes(virtio.LENGTH)
    device.send((header, PACKETS[0]))
    assert [packet for _, packet in wire.sent] == [header + PACKETS[0]]
    wire.comes(header + PACKETS[1])
    assert await next_packet(device) == header + PACKETS[1]
    assert device.offload


async def test_what_a_full_device_does_not_take_is_one_more_loss() -> None:
    wire = Wire()
    wire.full = True
    device = ImpairedDevice(wire, PERFECT, PERFECT)
    assert device.send((PACKETS[0],))
    await device.wait_writable()
    assert device.counters()["path-out-not-taken"] == 1


class Watcher(list[tuple[object, ...]]):
    """Keeps what it is told."""

    def lost_inbound(self, time: float, packet: bytes, what: tuple[str, ...]) -> None:
        self.append(("lost", time, packet, what))

    def damaged_inbound(self) -> None:
        self.append(("damaged",))

    def entered_outbound(self, packet: bytes, entered: Entered) -> None:
        self.append(("out", packet, entered))


@pytest.mark.parametrize("offload", [False, True], ids=["plain", "offload"])
async def test_losses_are_told_as_they_happen(offload: bool) -> None:
    wire, watcher = Wire(offload=offload), Watcher()
    lost = Conditions(loss=1.0)
    device = ImpairedDevice(wire, lost, lost, watcher=watcher)
    header = bytes(virtio.LENGTH) if offload else b""
    now = trio.current_time()
    device.send((header, PACKETS[0]))
    wire.comes(header + PACKETS[1])
    assert device.receive() is None
    assert watcher[0] == ("out", PACKETS[0], Entered(PACKETS[0], 0, ("lost",)))
    kind, time, packet, what = watcher[1]
    assert (kind, packet, what) == ("lost", header + PACKETS[1], ("lost",))
    assert time == pytest.approx(now, abs=10)


async def test_damage_is_told_when_the_packet_is_received(autojump_clock: trio.testing.MockClock) -> None:
    """Also when packets that are not damaged are underway with it, and when it comes twice."""
    wire, watcher = Wire(), Watcher()
    bad = Conditions(corrupt=0.5, duplicate=0.5, delay=0.1)
    device = ImpairedDevice(wire, bad, PERFECT, seed=1, watcher=watcher)
    packets = [number.to_bytes(4, "big") * 10 for number in range(100)]
    wire.comes(*packets)
    seen = []
    with trio.move_on_after(1):
        while True:
            before = len(watcher)
            packet = await next_packet(device)
            told = len(watcher) - before
            assert told == (packet not in packets)
            seen.append(packet)
    assert 130 < len(seen) < 170
    assert set(watcher) == {("damaged",)}
    assert 0.3 < len(watcher) / len(seen) < 0.7


async def test_the_end_of_the_device_is_the_end_of_the_path() -> None:
    device = ImpairedDevice(Wire(), PERFECT, PERFECT)
    device.close()
    with pytest.raises(DeviceGone):
        await device.wait_readable()
