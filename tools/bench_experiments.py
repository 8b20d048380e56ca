"""What is measured, and how one measurement is made."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import bench_clients as clients
import bench_core as core
from bench_clients import ECHO, HOLD, Requests, RoundTrips, Target
from bench_processes import Child, call
from bench_servers import Server

#: The systems, as columns.
USERTCP, KERNEL, RAW, PEER = "usertcp", "kernel", "raw", "peer"
#: With trace events into a recorder.
RING: Final = "usertcp-ring"
#: Without offload, by the column in which it is shown.
PLAIN: Final = {USERTCP: "usertcp-plain", RAW: "raw-plain", PEER: PEER}
#: What is measured of the peer: it has no offload, and speaks no HTTP here.
PEER_ROWS: Final = ("up-1-plain", "down-1-plain", "rtt")

_FIRST_SIZE: Final = 4 << 20
_TRIALS: Final = 6
_GROWTH: Final = 8.0
_GIGABYTE: Final = 1e9
_LARGEST: Final = 40 * 10**9
#: Of a path of 1,500 bytes, with timestamps.
_MSS: Final = 1448


@dataclass(frozen=True)
class Metric:
    """One row of the table.  ``scale`` takes what was measured to ``unit``."""

    name: str
    title: str
    unit: str
    more_is_better: bool = False
    scale: float = 1.0


@dataclass(frozen=True)
class Options:
    """How much to measure."""

    runs: int
    seconds: float
    idle_connections: int
    #: The Python that has pmd-pytcp, to be measured as well; None: it is not.
    peer: str | None = None


#: What one measurement says: values by the name of their metric.
Values: TypeAlias = Mapping[str, float]
Measure: TypeAlias = Callable[["Bench", str], Values]


@dataclass(frozen=True)
class Experiment:
    """One way of measuring, which fills one row or several."""

    name: str
    metrics: tuple[Metric, ...]
    systems: tuple[str, ...]
    measure: Measure


class Bench:
    """The servers that run now, and what was learned about them."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._servers: dict[str, Server] = {}
        self._sizes: dict[tuple[str, str, int], int] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers.values():
            server.process.stop()
        self._servers.clear()

    def server(self, system: str) -> Server:
        """The running server of ``system``; started on first use, since an idle one costs nothing."""
        if system not in self._servers:
            self._servers[system] = Server(system, self.options.peer or "")
        return self._servers[system]

    def forget(self, system: str) -> None:
        """End the server of ``system``: the next use gets a new one."""
        server = self._servers.pop(system, None)
        if server is not None:
            server.process.stop()

    def patience(self) -> float:
        """Seconds that a client may take, at most."""
        return 30 + 10 * self.options.seconds

    def transfer(self, move: Callable[..., float], system: str, connections: int) -> tuple[float, float, int]:
        """Move as much as takes about the time wanted: (seconds, server's CPU seconds, bytes)."""
        server = self.server(system)
        target = Target(server.address, http=not system.startswith((RAW, PEER)))
        key = move.__name__, system, connections
        if key not in self._sizes:
            self._sizes[key] = self._find_size(move, target, connections)
        size = self._sizes[key]
        before = server.process.cpu_seconds()
        taken = call(self.patience(), move, target, size, connections)
        return taken, server.process.cpu_seconds() - before, size * connections

    def _find_size(self, move: Callable[..., float], target: Target, connections: int) -> int:
        """Bytes for each connection that take about the time wanted; approached, since all begins slowly."""
        size, wanted, taken = _FIRST_SIZE // connections, self.options.seconds, 0.0
        for _ in range(_TRIALS):
            # The better of two, so that a stall of the machine does not make all runs tiny.
            taken = min(call(self.patience(), move, target, size, connections) for _ in range(2))
            if taken > wanted / 2:
                break
            size = min(int(size * min(wanted / taken, _GROWTH)), _LARGEST)
        return min(max(int(size * wanted / taken), 1), _LARGEST)


# -- Bulk --------------------------------------------------------------------------------------------


def _bulk(direction: str, connections: int, *, offload: bool) -> Experiment:
    move = clients.upload if direction == "up" else clients.download
    name = f"{direction}-{connections}" + ("" if offload else "-plain")
    rate, cpu = name, f"{name}-cpu"

    def measure(bench: Bench, column: str) -> Values:
        system = column if offload else PLAIN[column]
        taken, used, size = bench.transfer(move, system, connections)
        return {rate: size / taken, cpu: used / (size / _GIGABYTE)}

    many = f"{connections} connections" if connections > 1 else "1 connection"
    title = f"bulk {direction}, {many}{'' if offload else ', no offload'}"
    metrics = [Metric(rate, title, "Gbit/s", more_is_better=True, scale=8e-9)]
    systems = [USERTCP, KERNEL] if offload else [USERTCP]
    if connections == 1:
        metrics.append(Metric(cpu, "  CPU for it", "s/GB"))
        systems.append(RAW)
    return Experiment(name, tuple(metrics), tuple(systems), measure)


def _watched(direction: str) -> Experiment:
    """Bulk with a recorder that keeps the trace events, and as a share of it without, by turns."""
    move = clients.upload if direction == "up" else clients.download
    name = f"trace-{direction}"

    def measure(bench: Bench, _: str) -> Values:
        taken, used, size = bench.transfer(move, USERTCP, 1)
        ring_taken, ring_used, ring_size = bench.transfer(move, RING, 1)
        rate = ring_size / ring_taken
        return {
            name: rate,
            f"{name}-share": rate / (size / taken),
            f"{name}-cpu": (ring_used / ring_size) / (used / size) - 1,
        }

    metrics = (
        Metric(name, f"bulk {direction}, trace events into a ring", "Gbit/s", more_is_better=True, scale=8e-9),
        Metric(f"{name}-share", "  of what it is while nobody watches", "%", more_is_better=True, scale=100),
        Metric(f"{name}-cpu", "  CPU that it takes besides", "%", scale=100),
    )
    return Experiment(name, metrics, (USERTCP,), measure)


def _curl(name: str, title: str, move: Callable[..., float]) -> Experiment:
    """The same with curl, in a process of its own for each transfer."""

    def measure(bench: Bench, column: str) -> Values:
        taken, _, size = bench.transfer(move, column, 1)
        return {name: size / taken}

    return Experiment(
        name, (Metric(name, title, "Gbit/s", more_is_better=True, scale=8e-9),), (USERTCP, KERNEL), measure
    )


def _hashing(bench: Bench, _: str) -> Values:
    size = 1 << 29
    return {"hash": size / call(bench.patience(), core.hash_rate, size)}


# -- Requests ----------------------------------------------------------------------------------------


def _requests(name: str, title: str, client: Callable[..., Requests], *arguments: Any) -> Experiment:
    cpu = f"{name}-cpu"

    def measure(bench: Bench, column: str) -> Values:
        server = bench.server(column)
        target, seconds = Target(server.address), bench.options.seconds
        before = server.process.cpu_seconds()
        result: Requests = call(bench.patience(), client, target, seconds, *arguments)
        used = server.process.cpu_seconds() - before
        return {name: result.done / result.seconds, cpu: used / result.done}

    metrics = (
        Metric(name, title, "/s", more_is_better=True),
        Metric(cpu, "  CPU for each", "µs", scale=1e6),
    )
    return Experiment(name, metrics, (USERTCP, KERNEL), measure)


# -- Round trips -------------------------------------------------------------------------------------


def _round_trips(name: str, where: str, measure_all: Callable[[Bench, str], Values]) -> Experiment:
    def measure(bench: Bench, column: str) -> Values:
        return {f"{name}-{what}": value for what, value in measure_all(bench, column).items()}

    metrics = [
        Metric(f"{name}-p50", f"64-byte round trip{where}, p50", "µs", scale=1e6),
        Metric(f"{name}-p99", f"64-byte round trip{where}, p99", "µs", scale=1e6),
    ]
    if not where:
        metrics.append(Metric(f"{name}-cpu", "  CPU for each", "µs", scale=1e6))
    return Experiment(name, tuple(metrics), (USERTCP, KERNEL), measure)


def _round_trip(bench: Bench, column: str) -> Values:
    server = bench.server(column)
    before = server.process.cpu_seconds()
    result: RoundTrips = call(bench.patience(), clients.round_trips, Target(server.address), bench.options.seconds)
    used = server.process.cpu_seconds() - before
    return {"p50": result.p50, "p99": result.p99, "cpu": used / result.done}


def _round_trip_on_one_cpu(bench: Bench, column: str) -> Values:
    with _pinned(bench.server(column).process.pid):
        return _round_trip(bench, column)


def _round_trip_while_busy(bench: Bench, column: str) -> Values:
    with Child(clients.busy, Target(bench.server(column).address)) as download:
        download.receive(bench.patience())
        return _round_trip(bench, column)


@contextmanager
def _pinned(pid: int) -> Any:
    """Keep process ``pid``, and this one with the children it starts now, on one CPU."""
    ours, theirs = os.sched_getaffinity(0), os.sched_getaffinity(pid)
    one = {min(ours)}
    try:
        for each in (0, pid):
            os.sched_setaffinity(each, one)
        yield
    finally:
        os.sched_setaffinity(0, ours)
        os.sched_setaffinity(pid, theirs)


# -- Idle connections --------------------------------------------------------------------------------


def _idle(name: str, title: str, port: int, *, with_cpu: bool) -> Experiment:
    memory, cpu = f"{name}-memory", f"{name}-cpu"

    def measure(bench: Bench, column: str) -> Values:
        # Memory once used stays with a process: each measurement needs a new one.
        bench.forget(column)
        try:
            return _measure_idle(bench, column)
        finally:
            bench.forget(column)

    def _measure_idle(bench: Bench, column: str) -> Values:
        server, count = bench.server(column), bench.options.idle_connections
        call(bench.patience(), clients.idle_once, Target(server.address), port)
        before = server.process.resident_bytes()
        with Child(clients.idle, Target(server.address), count, port) as client:
            client.receive(bench.patience() + count / 100)
            values = {memory: (server.process.resident_bytes() - before) / count}
            if with_cpu:
                time.sleep(0.3)  # what the opening left to do
                used, start = server.process.cpu_seconds(), time.monotonic()
                time.sleep(max(0.3, bench.options.seconds))
                share = (server.process.cpu_seconds() - used) / (time.monotonic() - start)
                values[cpu] = share
            client.send("end")
            client.receive(bench.patience())
        return values

    metrics = [Metric(memory, f"memory per idle connection{title}", "bytes")]
    if with_cpu:
        metrics.append(Metric(cpu, "CPU with all connections idle", "%", scale=100))
    return Experiment(name, tuple(metrics), (USERTCP, KERNEL), measure)


# -- In a crowd, and in the core ---------------------------------------------------------------------


def _crowded(bench: Bench, column: str) -> Values:
    """CPU for a download without offload, so that packets are many, beside idle connections and without them."""
    system = PLAIN[column]
    values = {}
    for name, others in (("alone", 0), ("crowd", bench.options.idle_connections)):
        bench.forget(system)
        server = bench.server(system)
        with Child(clients.idle, Target(server.address), others, HOLD) as crowd:
            crowd.receive(bench.patience() + others / 100)
            time.sleep(0.3)
            _, used, size = bench.transfer(clients.download, system, 1)
            values[name] = used / (size / _MSS)
    bench.forget(system)
    return {"crowd": values["crowd"], "crowd-share": values["crowd"] / values["alone"]}


def _core_memory(bench: Bench, _: str) -> Values:
    count = bench.options.idle_connections
    return {
        "core-idle": call(bench.patience() + count / 50, core.idle_bytes, count),
        "core-time-wait": call(bench.patience() + count / 50, core.time_wait_bytes, count),
    }


def _scoreboard(bench: Bench, _: str) -> Values:
    few, many = (call(bench.patience(), core.scoreboard_seconds, count) for count in (100, 10_000))
    return {"scoreboard": many, "scoreboard-share": many / few}


def experiments() -> tuple[Experiment, ...]:
    """All there are, in the order of the table."""
    return (
        *(
            _bulk(direction, connections, offload=offload)
            for offload in (True, False)
            for direction in ("up", "down")
            for connections in (1, 16)
        ),
        *map(_watched, ("up", "down")),
        _curl("curl-down", "curl of /bytes/N", clients.curl_download),
        _curl("curl-sink", "curl to /sink", clients.curl_sink),
        _curl("curl-upload", "curl to /upload, which hashes", clients.curl_upload),
        Experiment(
            "hash",
            (Metric("hash", "  SHA-256 alone", "Gbit/s", more_is_better=True, scale=8e-9),),
            (USERTCP,),
            _hashing,
        ),
        _requests("get-1", "connect+GET+close, 1 at a time", clients.one_after_the_other),
        _requests("get-32", "connect+GET+close, 32 at a time", clients.at_a_time, 32),
        _requests("keep-alive", "GETs on one connection", clients.keep_alive),
        _round_trips("rtt", "", _round_trip),
        _round_trips("rtt-one-cpu", " on one CPU", _round_trip_on_one_cpu),
        _round_trips("rtt-busy", " beside a bulk download", _round_trip_while_busy),
        _idle("idle", ", with its echo task", ECHO, with_cpu=True),
        _idle("idle-bare", ", without a task", HOLD, with_cpu=False),
        Experiment(
            "core-memory",
            (
                Metric("core-idle", "  of it the connection itself", "bytes"),
                Metric("core-time-wait", "memory per connection in TIME-WAIT", "bytes"),
            ),
            (USERTCP,),
            _core_memory,
        ),
        Experiment(
            "crowd",
            (
                Metric("crowd", "CPU per packet beside all idle connections", "µs", scale=1e6),
                Metric("crowd-share", "  as a multiple of that without them", ""),
            ),
            (USERTCP,),
            _crowded,
        ),
        Experiment(
            "scoreboard",
            (
                Metric("scoreboard", "SACK of one of 10,000 segments, half of them lost", "µs", scale=1e6),
                Metric("scoreboard-share", "  as a multiple of that with 100", ""),
            ),
            (USERTCP,),
            _scoreboard,
        ),
    )


def chosen(patterns: Iterable[str]) -> tuple[Experiment, ...]:
    """Those whose name, or whose name's beginning before a dash, is in ``patterns``; all for none.

    Raises ValueError for a pattern that chooses nothing.
    """
    everything = experiments()
    wanted = tuple(patterns)
    for pattern in wanted:
        if not any(_matches(experiment, pattern) for experiment in everything):
            known = ", ".join(experiment.name for experiment in everything)
            raise ValueError(f"there is no row {pattern!r}; there are {known}")
    return tuple(each for each in everything if not wanted or any(_matches(each, name) for name in wanted))


def _matches(experiment: Experiment, pattern: str) -> bool:
    return experiment.name == pattern or experiment.name.startswith(f"{pattern}-")
