"""What can be measured of the core alone, without a device: memory by object, and the cost of the scoreboard."""

from __future__ import annotations

import gc
import hashlib
import time
import tracemalloc
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from typing import Final

from usertcp.stack.host import Host
from usertcp.stack.listener import Listener
from usertcp.tcp.connection import Connection
from usertcp.tcp.retransmission import Delivery, Record, RetransmissionQueue

_CLIENT, _SERVER = b"\xc6\x12\0\1", b"\xc6\x12\0\2"
_MSS: Final = 1448
_FLIGHTS: Final = 20


class Two:
    """A client's host and a server's, whose packets are handed over at once."""

    def __init__(self) -> None:
        self.client = Host([_CLIENT], secret=b"c" * 16)
        self.server = Host([_SERVER], secret=b"s" * 16)
        self.listeners: list[Listener] = []
        self._clients: list[Connection] = []

    def open(self, number: int) -> Connection:
        """The server's end of a new connection; each thousand has a port of its own, since ports are few."""
        port = number // 1000
        while port >= len(self.listeners):
            self.listeners.append(self.server.listen(len(self.listeners) + 1, backlog=2000))
        self._clients.append(self.client.connect(_SERVER, port + 1, 0.0))
        self.settle()
        child = self.listeners[port].accept()
        assert child is not None
        return child

    def close_client(self) -> None:
        """The newest connection's client is done, too."""
        self._clients.pop().release(0.0)
        self.settle()

    def settle(self) -> None:
        """Hand over packets until nobody has anything to say."""
        busy = True
        while busy:
            busy = False
            for source, target in ((self.client, self.server), (self.server, self.client)):
                source.flush(0.0)
                while source.outbox:
                    busy = True
                    target.packet_arrives(b"".join(source.outbox.popleft()), 0.0)
        for host in (self.client, self.server):
            host.woken.clear()
            host.woken_listeners.clear()

    def forget_client(self) -> None:
        """Only the server's memory is wanted."""
        self._clients.clear()
        self.client = Host([_CLIENT], secret=b"c" * 16)


def idle_bytes(_: Pipe, count: int) -> float:
    """Memory of a connection in ESTABLISHED, in bytes that Python's allocator gave."""
    two = Two()
    return _each(two, count, two.open)


def time_wait_bytes(_: Pipe, count: int) -> float:
    """Memory of a connection in TIME-WAIT whose application is gone."""
    two = Two()

    def open_and_close(number: int) -> None:
        child = two.open(number)
        child.release(0.0)
        two.settle()
        two.close_client()

    return _each(two, count, open_and_close)


def _each(two: Two, count: int, make: Callable[[int], object]) -> float:
    made = [make(number) for number in range(1000)]
    two.forget_client()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    made += [make(number) for number in range(1000, 1000 + count)]
    two.forget_client()
    # Timers that mean nothing any more are looked at when they would have been due.
    two.server.timers.deadline()
    two.server.run_timers(30.0)
    two.server.outbox.clear()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    made.clear()
    return (after - before - 8 * count) / count  # less the list's own pointers


def scoreboard_seconds(_: Pipe, segments: int) -> float:
    """Of one acknowledgment that reports one more segment, with so many in flight and every second one lost."""
    taken = []
    for flight in range(_FLIGHTS * 100 // segments or 1):
        queue = RetransmissionQueue()
        start = 1 + flight * segments * _MSS
        for number in range(segments):
            at = start + number * _MSS
            queue.add(Record(at, at + _MSS, 0.0))
        before = time.perf_counter()
        for number in range(1, segments, 2):
            at = start + number * _MSS
            queue.sack(at, at + _MSS, _MSS, Delivery())
            record = queue.covering(at - _MSS)
            if record is not None:
                queue.mark_lost(record)
        taken.append((time.perf_counter() - before) / (segments // 2))
    taken.sort()
    return taken[len(taken) // 2]


def hash_rate(_: Pipe, size: int) -> float:
    """Seconds that SHA-256 alone takes for ``size`` bytes, in pieces as an upload brings them."""
    piece, digest = bytes(1 << 18), hashlib.sha256()
    before = time.perf_counter()
    for _number in range(size // len(piece)):
        digest.update(piece)
    return time.perf_counter() - before
