"""What was measured: medians, ratios, and their table and JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import trio
from bench_experiments import KERNEL, PEER, RAW, USERTCP, Metric

import usertcp

TITLES: Final = {USERTCP: "usertcp", KERNEL: "kernel sockets", RAW: "raw TUN", PEER: "pmd-pytcp"}
#: A row whose runs differ by more than this part of their median is marked.
NOISY: Final = 0.3


@dataclass
class Row:
    """One metric: what each run of each system said, in the metric's unit."""

    metric: Metric
    values: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, system: str, value: float) -> None:
        """``value`` as measured."""
        self.values.setdefault(system, []).append(value * self.metric.scale)

    def median(self, system: str) -> float | None:
        """None for a system that was not measured."""
        values = self.values.get(system)
        return median(values) if values else None

    def ratio(self, other: str) -> float | None:
        """usertcp's median as a multiple of the other's."""
        ours, theirs = self.median(USERTCP), self.median(other)
        return ours / theirs if ours is not None and theirs else None

    def is_noisy(self, system: str) -> bool:
        """Whether the runs disagree so much that their median says little."""
        values = self.values.get(system, [])
        middle = median(values) if values else 0.0
        return bool(middle) and (max(values) - min(values)) / abs(middle) > NOISY


@dataclass
class Results:
    """All rows, and what they were measured on."""

    rows: list[Row]
    machine: Mapping[str, str]
    options: Mapping[str, float]


def machine() -> dict[str, str]:
    """What the numbers depend on."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": _commit(),
        "usertcp": usertcp.__version__,
        "core": "compiled" if usertcp.core_is_compiled() else "pure Python",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "trio": trio.__version__,
        "kernel": platform.release(),
        "client's congestion control": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "cpu": f"{os.cpu_count()} x {_cpu_model()}",
        "load": f"{os.getloadavg()[0]:.1f} at the start",
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def number(value: float | None) -> str:
    """Three digits that count, as a person writes them."""
    if value is None:
        return "-"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def times(ratio: float | None) -> str:
    """A ratio."""
    return "" if ratio is None else f"{ratio:.2f}x"


def _cell(row: Row, system: str) -> str:
    if system in row.failures:
        return "failed"
    return number(row.median(system)) + ("~" if row.is_noisy(system) else "")


def table(results: Results) -> str:
    """All of it as text."""
    others = [KERNEL, RAW]
    if any(PEER in row.values or PEER in row.failures for row in results.rows):
        others.append(PEER)
    rows = [["", "", TITLES[USERTCP], *(cell for other in others for cell in (TITLES[other], ""))]]
    rows.extend(
        [
            row.metric.title,
            row.metric.unit,
            _cell(row, USERTCP),
            *(cell for other in others for cell in (_cell(row, other), times(row.ratio(other)))),
        ]
        for row in results.rows
    )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    lines.append("")
    lines.append(
        f"Medians of {results.options['runs']:g} runs of {results.options['seconds']:g} s; "
        f"{results.options['idle_connections']:g} idle connections; MTU 1500; a ratio is usertcp's share of "
        f"what stands before it; ~: the runs differ by more than {NOISY:.0%}."
    )
    lines.append(
        "Memory and CPU are the server process's own: what the kernel holds for its sockets is not in it, "
        "what it does for them within the process's system calls is."
    )
    lines.append(", ".join(f"{name} {value}" for name, value in results.machine.items()))
    lines.extend(
        f"failed: {row.metric.title}, {TITLES[system]}: {why}"
        for row in results.rows
        for system, why in row.failures.items()
    )
    return "\n".join(lines) + "\n"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first = [row[0].ljust(widths[0]), row[1].ljust(widths[1])]
    return "  ".join(first + [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]).rstrip()


def to_json(results: Results) -> str:
    """All of it, with each run's value."""
    return json.dumps(
        {
            "machine": dict(results.machine),
            "options": dict(results.options),
            "rows": [_row_to_json(row) for row in results.rows],
        },
        indent=2,
    )


def _row_to_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.metric.name,
        "title": row.metric.title,
        "unit": row.metric.unit,
        "more_is_better": row.metric.more_is_better,
        "median": {system: row.median(system) for system in row.values},
        "ratio": {system: row.ratio(system) for system in row.values if system != USERTCP},
        "runs": row.values,
        "failures": row.failures,
    }
