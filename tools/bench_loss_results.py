"""What was measured on bad paths: goodput, its share of the kernel's, and where that is too little."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final, NamedTuple

from bench_loss_ends import KERNEL, USERTCP
from bench_loss_path import RATE, Cell

#: The share of the kernel's goodput that is to be reached.
GOAL: Final = 0.9
#: A relay busier than this share of the time shapes the traffic itself.
BUSY: Final = 0.7


class Pair(NamedTuple):
    """Who sends to whom."""

    name: str
    sender: str
    receiver: str


REFERENCE: Final = Pair("kernel", KERNEL, KERNEL)
DOWN: Final = Pair("down", USERTCP, KERNEL)
UP: Final = Pair("up", KERNEL, USERTCP)
PAIRS: Final = (REFERENCE, DOWN, UP)


@dataclass
class Run:
    """One transfer: bits per second, what the sender counted, what the relay did; or why there is none."""

    goodput: float = 0.0
    sender: Mapping[str, float] = field(default_factory=dict)
    relay: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""


@dataclass
class Row:
    """All transfers over one path."""

    cell: Cell
    runs: dict[Pair, list[Run]] = field(default_factory=dict)

    def goodputs(self, pair: Pair) -> list[float]:
        """Of the transfers that were one."""
        return [run.goodput for run in self.runs.get(pair, []) if not run.failure]

    def median(self, pair: Pair) -> float | None:
        """None where nothing was measured."""
        values = self.goodputs(pair)
        return median(values) if values else None

    def spread(self, pair: Pair) -> float:
        """The largest less the smallest, as a share of the median."""
        values, middle = self.goodputs(pair), self.median(pair)
        return (max(values) - min(values)) / middle if middle else 0.0

    def ratio(self, pair: Pair) -> float | None:
        """The pair's goodput as a multiple of the kernel's with itself."""
        value, reference = self.median(pair), self.median(REFERENCE)
        return value / reference if value is not None and reference else None

    def misses(self) -> list[Pair]:
        """The directions that do not reach the goal."""
        return [pair for pair in (DOWN, UP) if (ratio := self.ratio(pair)) is not None and ratio < GOAL]

    def busiest(self) -> float:
        """The largest share of a CPU that the relay took."""
        return max((run.relay.get("cpu", 0.0) for runs in self.runs.values() for run in runs), default=0.0)

    def failures(self) -> list[str]:
        """A line each."""
        return [
            f"failed: {self.cell.name}, {pair.sender} to {pair.receiver}: {run.failure}"
            for pair, runs in self.runs.items()
            for run in runs
            if run.failure
        ]


def heading() -> str:
    """The table's first lines."""
    columns = f"{'path':22}{'kernel to kernel':>18}{'usertcp to kernel':>20}{'kernel to usertcp':>27}"
    return f"{columns}\n{'-' * len(columns)}"


def line(row: Row) -> str:
    """One row of the table."""
    cells = [f"{row.cell.name:22}", f"{_goodput(row, REFERENCE):>18}"]
    cells += [f"{_goodput(row, pair):>18} {_times(row, pair):6}" for pair in (DOWN, UP)]
    return "  ".join(cells).rstrip()


def _goodput(row: Row, pair: Pair) -> str:
    value = row.median(pair)
    return "failed" if value is None else f"{value / 1e6:.2f} ±{row.spread(pair) / 2:4.0%}"


def _times(row: Row, pair: Pair) -> str:
    ratio = row.ratio(pair)
    return "" if ratio is None else f"{ratio:.2f}x{'!' if pair in row.misses() else ''}"


def footer(rows: list[Row], seeds: int, seconds: float, about: Mapping[str, str]) -> str:
    """What the table means, and what is to be known about it."""
    lines = [
        "",
        f"Mbit/s, medians of {seeds} seeds of {seconds:g} s, ± half the spread between them; a ratio is the share of",
        f"the kernel's own goodput, and !: less than {GOAL:g} of it.  The path: loss, round trip, 5 % of packets",
        f"overtaken by three or not; {RATE / 1e6:g} Mbit/s with a queue of one bandwidth-delay product, each way.",
        ", ".join(f"{name} {value}" for name, value in about.items()),
    ]
    lines += [
        f"the relay was busy {row.busiest():.0%} of the time at {row.cell.name}: the CPU has a part in that"
        for row in rows
        if row.busiest() > BUSY
    ]
    missed = sum(len(row.misses()) for row in rows)
    measured = sum(row.ratio(pair) is not None for row in rows for pair in (DOWN, UP))
    lines.append(f"{measured - missed} of {measured} ratios reach {GOAL:g}.")
    return "\n".join(lines + [failure for row in rows for failure in row.failures()])


def to_json(rows: list[Row], seeds: int, seconds: float, about: Mapping[str, str]) -> str:
    """All of it, with each run."""
    return json.dumps(
        {
            "machine": dict(about),
            "options": {"seeds": seeds, "seconds": seconds, "rate": RATE},
            "rows": [_row_to_json(row) for row in rows],
        },
        indent=2,
    )


def _row_to_json(row: Row) -> dict[str, Any]:
    return {
        "path": row.cell.name,
        "queue": row.cell.queue,
        "goodput": {pair.name: row.median(pair) for pair in row.runs},
        "ratio": {pair.name: row.ratio(pair) for pair in row.runs if pair is not REFERENCE},
        "runs": {pair.name: [vars(run) for run in runs] for pair, runs in row.runs.items()},
    }
