"""tools/bench_loss: that it measures every path and shows it, not what comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bench_loss_path import CELLS, Cell, chosen
from bench_loss_results import DOWN, PAIRS, REFERENCE, UP, Row, Run, footer, line, to_json

BENCH = Path(__file__).resolve().parents[2] / "tools/bench_loss"
CELL = Cell(0.01, 0.02, 0.05)


def row() -> Row:
    made = Row(CELL)
    for pair, goodputs in ((REFERENCE, (8e6, 10e6, 14e6)), (DOWN, (9e6, 9.5e6, 7e6)), (UP, (8e6,))):
        made.runs[pair] = [Run(goodput, {"retransmissions": 3}, {"cpu": 0.2}) for goodput in goodputs]
    return made


def test_every_path_of_the_table_is_there_once() -> None:
    assert len(CELLS) == 4 * 3 * 2
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    assert CELL.name == "1%/20ms/reorder"


@pytest.mark.parametrize(("round_trip", "packets"), [(0.001, 5), (0.02, 84), (0.1, 417)])
def test_the_queue_is_one_bandwidth_delay_product(round_trip: float, packets: int) -> None:
    assert Cell(0, round_trip, 0).queue == packets


def test_paths_are_chosen_by_their_parts() -> None:
    assert [cell.name for cell in chosen(["1%/20ms"])] == ["1%/20ms/clean", "1%/20ms/reorder"]
    assert len(chosen(["0.1%", "100ms/reorder"])) == 9
    assert chosen([]) == CELLS
    with pytest.raises(ValueError, match="there is no cell '2%'; there are 0%/1ms/clean and the like"):
        chosen(["2%"])


def test_a_row_shows_medians_their_spread_and_what_misses_the_goal() -> None:
    assert row().ratio(DOWN) == pytest.approx(0.9)
    assert row().misses() == [UP]
    assert line(row()).split() == [
        *("1%/20ms/reorder", "10.00", "±", "30%", "9.00", "±", "14%", "0.90x", "8.00", "±", "0%", "0.80x!")
    ]
    assert "1 of 2 ratios reach 0.9." in footer([row()], 3, 10, {})


def test_a_failure_and_a_busy_relay_are_told() -> None:
    made = row()
    made.runs[UP] = [Run(failure="it ended")]
    made.runs[DOWN][0].relay = {"cpu": 0.93}
    assert made.ratio(UP) is None
    text = line(made) + footer([made], 1, 10, {})
    assert "failed: 1%/20ms/reorder, kernel to usertcp: it ended" in text
    assert "busy 93% of the time at 1%/20ms/reorder" in text


def test_the_json_has_every_run() -> None:
    written = json.loads(to_json([row()], 3, 10, {"kernel": "6"}))["rows"][0]
    assert written["ratio"] == {"down": pytest.approx(0.9), "up": pytest.approx(0.8)}
    assert [run["goodput"] for run in written["runs"]["kernel"]] == [8e6, 10e6, 14e6]


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(BENCH), *arguments], capture_output=True, text=True, timeout=100)


def test_a_wrong_path_is_one_line_on_stderr() -> None:
    done = run_bench("--cells", "nothing")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.kernel
def test_all_three_pairs_can_be_measured(tmp_path: Path) -> None:
    values = tmp_path / "loss.json"
    done = run_bench("--cells", "1%/20ms/reorder", "--seeds", "1", "--seconds", "0.5", "--json", str(values))
    assert done.returncode == 0, done.stdout + done.stderr
    runs = json.loads(values.read_text())["rows"][0]["runs"]
    assert set(runs) == {pair.name for pair in PAIRS}
    for pair in PAIRS:
        assert runs[pair.name][0]["goodput"] > 0
        assert runs[pair.name][0]["relay"]["there"]["passed"] > 0
