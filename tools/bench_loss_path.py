"""The path between two ends: what it does to packets, and the process that does it.

An end is reached by a file descriptor that takes and yields whole IP packets: a plain TUN in a network
namespace, behind which is a kernel, or a socket, behind which is usertcp.  The relay cannot tell which, so
that both get the same path, from the same seed, by the same clock.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from usertcp.sim.impairment import Conditions, Impairment

#: Bits per second of the bottleneck: little enough that a cell measures TCP and not the CPU.
RATE: Final = 50e6
MTU: Final = 1500
LOSSES: Final = (0.0, 0.001, 0.01, 0.03)
ROUND_TRIPS: Final = (0.001, 0.02, 0.1)
REORDERING: Final = (0.0, 0.05)
#: How long a packet that is to be overtaken by three others waits for them, as ``--impair`` has it.
REORDER_DELAY: Final = 0.005
#: Packets read from one end before the other has its turn.
_BATCH: Final = 64


class Cell(NamedTuple):
    """One path: shares of packets, and the round trip in seconds.  Both directions are alike."""

    loss: float
    round_trip: float
    reorder: float

    @property
    def name(self) -> str:
        """Such as ``1%/20ms/clean``."""
        return f"{self.loss * 100:g}%/{self.round_trip * 1000:g}ms/{'reorder' if self.reorder else 'clean'}"

    @property
    def queue(self) -> int:
        """One bandwidth-delay product, in packets."""
        return ceil(RATE * self.round_trip / 8 / MTU)

    def conditions(self) -> Conditions:
        """One direction."""
        return Conditions(
            loss=self.loss,
            delay=self.round_trip / 2,
            rate=RATE,
            queue=self.queue,
            reorder=self.reorder,
            reorder_delay=REORDER_DELAY,
        )


CELLS: Final = tuple(
    Cell(loss, round_trip, reorder) for reorder in REORDERING for round_trip in ROUND_TRIPS for loss in LOSSES
)


def chosen(patterns: Iterable[str]) -> tuple[Cell, ...]:
    """The cells that have all parts of one of ``patterns``, as ``1%/20ms`` has two; all for no pattern.

    Raises ValueError for a pattern that chooses nothing.
    """
    wanted = [frozenset(pattern.split("/")) for pattern in patterns]
    for parts in wanted:
        if not any(parts <= _parts(cell) for cell in CELLS):
            raise ValueError(f"there is no cell {'/'.join(sorted(parts))!r}; there are {CELLS[0].name} and the like")
    return tuple(cell for cell in CELLS if not wanted or any(parts <= _parts(cell) for parts in wanted))


def _parts(cell: Cell) -> frozenset[str]:
    return frozenset(cell.name.split("/"))


def attach(relay: socket.socket, tun: int | None = None) -> None:
    """At an end: have the relay carry the packets of ``tun``, or of the socket ``relay`` itself."""
    socket.send_fds(relay, [b"here"], [] if tun is None else [tun])


def _attached(end: socket.socket) -> int:
    """In the relay: the descriptor by which the end's packets come and go."""
    _, descriptors, _, _ = socket.recv_fds(end, 16, 1)
    descriptor = descriptors[0] if descriptors else end.fileno()
    os.set_blocking(descriptor, False)
    return descriptor


@dataclass
class _Direction:
    """From ``source`` to ``target``, both descriptors."""

    source: int
    target: int
    impairment: Impairment
    passed: int = 0
    overrun: int = 0
    late: float = 0.0
    latest: float = 0.0

    def take_in(self, now: float) -> None:
        """Read what has come, as it comes from the end."""
        for _ in range(_BATCH):
            try:
                packet = os.read(self.source, 65536)
            except BlockingIOError:
                return
            self.impairment.put(packet, now)

    def let_out(self, now: float) -> None:
        """Write what has come through."""
        for due, packet in self.impairment.take(now):
            late = time.monotonic() - due
            self.late += late
            self.latest = max(self.latest, late)
            self.passed += 1
            try:
                os.write(self.target, packet)
            except BlockingIOError:
                self.overrun += 1

    def report(self) -> dict[str, Any]:
        """What it did; times are seconds."""
        return {
            "passed": self.passed,
            "overrun": self.overrun,
            "late_mean": self.late / max(1, self.passed),
            "late_most": self.latest,
            **self.impairment.counts,
        }


def relay(pipe: Connection, ends: Sequence[socket.socket], conditions: Conditions, seed: int) -> dict[str, Any]:
    """Carry packets between two ends until told to stop by ``pipe``; returns what happened."""
    one, other = map(_attached, ends)
    there = _Direction(one, other, Impairment(conditions, seed=2 * seed))
    back = _Direction(other, one, Impairment(conditions, seed=2 * seed + 1))
    began, cpu = time.monotonic(), time.process_time()
    sources = [pipe.fileno(), one, other]
    while True:
        # Not poll(2): its timeout counts milliseconds, and a packet here takes a quarter of one.
        due = min(there.impairment.deadline(), back.impairment.deadline())
        wait = None if due == inf else max(0.0, due - time.monotonic())
        readable, _, _ = select.select(sources, (), (), wait)
        if sources[0] in readable:
            return {
                "cpu": (time.process_time() - cpu) / (time.monotonic() - began),
                "there": there.report(),
                "back": back.report(),
            }
        now = time.monotonic()
        for direction in (there, back):
            if direction.source in readable:
                direction.take_in(now)
            direction.let_out(now)
