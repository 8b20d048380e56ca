"""What a transfer costs, counted: packets, acknowledgments, function calls, blocks of memory.  Never seconds."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

import pytest

from usertcp import core_is_compiled
from usertcp.stack.host import Host
from usertcp.stack.listener import Listener
from usertcp.tcp.connection import Connection

A, B, C = b"\x0a\0\0\1", b"\x0a\0\0\2", b"\x0a\0\0\3"
MEGABYTE = 1 << 20
#: What the runtime reads before it lets the host answer: usertcp.runtime.driver.BATCH.
BATCH = 64


class Transfer:
    """One connection between two hosts, whose packets are handed over in batches as the runtime does."""

    def __init__(self, *, offload: bool = True, others: int = 0) -> None:
        self.sender = Host([A], secret=b"a" * 16, offload=offload)
        self.receiver = Host([B], secret=b"b" * 16, offload=offload)
        listener = self.receiver.listen(80, backlog=1 << 20)
        self.now = 0.0
        self.forth = self.back = 0
        self.bystanders = [self.open(listener.accept) for _ in range(others)]
        self.client, self.server = self.open(listener.accept)

    def open(self, accept: Callable[[], Connection | None]) -> tuple[Connection, Connection]:
        client = self.sender.connect(B, 80, self.now)
        self.sender.flush(self.now)
        while self.hand_over():
            pass
        server = accept()
        assert server is not None
        return client, server

    def hand_over(self) -> bool:
        """One batch each way, after a tenth of a millisecond; False where nobody had anything to say."""
        self.now += 0.0001
        forth = _carry(self.sender, self.receiver, self.now)
        while self.server_reads():
            pass
        back = _carry(self.receiver, self.sender, self.now)
        self.forth += forth
        self.back += back
        return bool(forth or back)

    def server_reads(self) -> int:
        server = getattr(self, "server", None)
        if server is None:
            return 0
        taken = len(server.receive(MEGABYTE, self.now))
        self.receiver.flush(self.now)
        return taken

    def run(self, data: bytes) -> None:
        """Send ``data`` and have it all acknowledged."""
        left = memoryview(data)
        before = self.server.bytes_received
        while self.server.bytes_received - before < len(data) or self.client.snd_una < self.client.snd_nxt:
            left = left[self.client.send(left, self.now) :] if left else left
            self.sender.flush(self.now)
            if not self.hand_over():
                self.now += 0.05
                for host in (self.sender, self.receiver):
                    host.run_timers(self.now)
                    host.flush(self.now)

    def warm_up(self) -> None:
        self.run(bytes(32 * MEGABYTE))
        self.forth = self.back = 0


def _carry(source: Host, target: Host, now: float) -> int:
    packets = [b"".join(source.outbox.popleft()) for _ in range(min(BATCH, len(source.outbox)))]
    for packet in packets:
        target.packet_arrives(packet, now)
    target.flush(now)
    source.woken.clear()
    target.woken.clear()
    target.woken_listeners.clear()
    return len(packets)


def calls(action: Callable[[], object]) -> int:
    """Python functions that ``action`` enters."""
    entered = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal entered
        if event == "call":
            entered += 1

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return entered


def test_a_megabyte_takes_few_packets_and_fewer_acknowledgments() -> None:
    """So few system calls of the runtime, which writes each packet with one."""
    transfer = Transfer()
    transfer.warm_up()
    transfer.run(bytes(64 * MEGABYTE))
    assert transfer.forth / 64 <= 17  # super-segments of nearly 64 KB
    assert transfer.back <= transfer.forth / 8


def test_without_offload_a_batch_shares_an_acknowledgment() -> None:
    transfer = Transfer(offload=False)
    transfer.warm_up()
    transfer.run(bytes(8 * MEGABYTE))
    assert transfer.forth <= 8 * MEGABYTE / 1448 + 8
    assert transfer.back <= transfer.forth / 8


def test_a_packet_costs_few_calls() -> None:
    """Both ends together, with the flushes and acknowledgments that belong to it."""
    transfer = Transfer()
    transfer.warm_up()
    data = bytes(64 * MEGABYTE)
    entered = calls(lambda: transfer.run(data))
    assert entered / transfer.forth <= 80


def test_a_transfer_leaves_no_memory_behind() -> None:
    transfer = Transfer()
    transfer.warm_up()
    data = bytes(32 * MEGABYTE)
    gc.collect()
    before = sys.getallocatedblocks()
    transfer.run(data)
    transfer.run(data)
    gc.collect()
    assert sys.getallocatedblocks() - before < transfer.forth / 10


def test_a_connection_s_life_makes_no_garbage_for_the_collector() -> None:
    """No reference cycles: what ends is gone at once."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            transfer = Transfer()
            transfer.run(bytes(100_000))
            transfer.client.release(transfer.now)
            transfer.server.release(transfer.now)
            transfer.sender.flush(transfer.now)
            transfer.receiver.flush(transfer.now)
            while transfer.hand_over():
                pass
            del transfer
        of_ours = [each for each in gc.get_objects() if type(each) is Connection]
        kept = len(of_ours)
        del of_ours
        gc.collect()
        assert kept <= 2, f"{kept} connections waited for the collector"
    finally:
        gc.enable()


def test_a_packet_costs_the_same_among_many_connections() -> None:
    data = bytes(16 * MEGABYTE)
    alone, among = Transfer(), Transfer(others=2000)
    alone.warm_up()
    among.warm_up()
    one, other = calls(lambda: alone.run(data)), calls(lambda: among.run(data))
    assert other <= 1.2 * one


def idle_connections(server: Host, listener: Listener, client_address: bytes, count: int) -> list[Connection]:
    """The server's ends; the clients' are forgotten."""
    client = Host([client_address], secret=bytes(16))
    accepted = []
    for _ in range(count):
        client.connect(B, 80, 0.0)
        client.flush(0.0)
        while _carry(client, server, 0.0) or _carry(server, client, 0.0):
            pass
        connection = listener.accept()
        assert connection is not None
        accepted.append(connection)
    server.run_timers(30.0)
    return accepted


def test_an_idle_connection_takes_three_kib() -> None:
    server = Host([B], secret=bytes(16))
    listener = server.listen(80, backlog=1 << 20)
    count = 300
    kept = idle_connections(server, listener, A, count)
    gc.collect()
    tracemalloc.start()
    try:
        kept += idle_connections(server, listener, C, count)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / count <= 3072


# -- Trace events ------------------------------------------------------------------------------------------


@pytest.mark.skipif(core_is_compiled(), reason="a profile function does not see what is compiled")
def test_nothing_is_made_for_a_watcher_who_is_not_there() -> None:
    transfer = Transfer()
    transfer.warm_up()
    entered: dict[str, int] = {}

    def note(frame: FrameType, event: str, argument: object) -> None:
        file = frame.f_code.co_filename.rpartition("/")[2]
        entered[file] = entered.get(file, 0) + (event == "call")

    sys.setprofile(note)
    try:
        transfer.run(bytes(16 * MEGABYTE))
    finally:
        sys.setprofile(None)
    assert entered["output.py"] > 1000, "nothing was noted"
    assert not entered.keys() & {"held_back.py", "events.py", "strays.py"}
    assert entered.get("telling.py", 0) < 10, "only where a timer goes off, or something is lost"
    assert transfer.client.told is None


def test_a_watcher_is_told_little_of_a_bulk_transfer() -> None:
    """Both ends; a super-segment's tuples, and the functions that make them."""
    transfer = Transfer()
    transfer.warm_up()
    data = bytes(64 * MEGABYTE)
    unwatched = calls(lambda: transfer.run(data))
    events: list[tuple[object, ...]] = []
    transfer.sender.trace = transfer.receiver.trace = events.append
    before = transfer.forth
    watched = calls(lambda: transfer.run(data))
    packets = transfer.forth - before
    assert len(events) <= 4 * packets
    assert watched - unwatched <= 12 * packets
