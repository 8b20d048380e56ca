"""tools/bench: that it measures everything and shows it, not what comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench_experiments import KERNEL, RAW, USERTCP, Metric, chosen, experiments
from bench_picture import svg
from bench_results import Results, Row, number, table, to_json

BENCH = Path(__file__).resolve().parents[2] / "tools/bench"
MACHINE = {"usertcp": "1.0", "commit": "<abc>", "cpu": "2 x Some & Other", "kernel": "6", "python": "3", "date": "now"}
OPTIONS = {"runs": 3, "seconds": 1, "idle_connections": 10}


def results() -> Results:
    fast = Row(Metric("down-1", "bulk down", "Gbit/s", more_is_better=True, scale=8e-9))
    for value in (2e9, 1e9, 1.5e9):
        fast.add(USERTCP, value)
    fast.add(KERNEL, 3e9)
    fast.add(RAW, 6e9)
    idle = Row(Metric("idle-cpu", "CPU <idle>", "%"))
    idle.add(USERTCP, 0.0)
    idle.failures[KERNEL] = "it ended & said nothing"
    return Results([fast, idle], MACHINE, OPTIONS)


def test_a_row_shows_the_median_and_its_share_of_the_others() -> None:
    fast = results().rows[0]
    assert fast.median(USERTCP) == pytest.approx(12)
    assert fast.ratio(KERNEL) == pytest.approx(0.5)
    assert fast.ratio(RAW) == pytest.approx(0.25)
    assert fast.is_noisy(USERTCP)
    assert not fast.is_noisy(KERNEL)


def test_what_was_not_measured_has_no_median_and_no_ratio() -> None:
    idle = results().rows[1]
    assert idle.median(KERNEL) is None
    assert idle.ratio(KERNEL) is None
    assert not idle.is_noisy(USERTCP)


def test_the_table_marks_noise_and_tells_failures() -> None:
    text = table(results())
    first = next(line for line in text.splitlines() if line.startswith("bulk down"))
    assert first.split() == ["bulk", "down", "Gbit/s", "12.0~", "24.0", "0.50x", "48.0", "0.25x"]
    assert "failed: CPU <idle>, kernel sockets: it ended & said nothing" in text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.0, "0"), (0.123, "0.12"), (12.34, "12.3"), (123456.7, "123,457")]
)
def test_numbers_have_three_digits_that_count(value: float | None, text: str) -> None:
    assert number(value) == text


def test_the_json_has_every_run() -> None:
    rows = json.loads(to_json(results()))["rows"]
    assert rows[0]["runs"][USERTCP] == pytest.approx([16, 8, 12])
    assert rows[1]["failures"] == {KERNEL: "it ended & said nothing"}


def test_the_picture_is_xml_with_a_bar_for_each_value() -> None:
    root = ElementTree.fromstring(svg(results()))
    texts = [element.text for element in root.iter() if element.text]
    assert "usertcp 1.0 (<abc>)" in texts
    assert "48.0 Gbit/s (usertcp 0.25x)" in texts
    assert "CPU <idle>" in texts


def test_rows_are_chosen_by_name_or_by_family() -> None:
    assert [each.name for each in chosen(["get"])] == ["get-1", "get-32"]
    assert [each.name for each in chosen(["up-1", "rtt"])] == ["up-1", "up-1-plain", "rtt", "rtt-one-cpu", "rtt-busy"]
    assert [each.name for each in chosen([])] == [each.name for each in experiments()]
    with pytest.raises(ValueError, match="there is no row 'gte'"):
        chosen(["gte"])


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(BENCH), *arguments], capture_output=True, text=True, timeout=110)


def test_a_wrong_row_is_one_line_on_stderr() -> None:
    done = run_bench("--rows", "nothing")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.kernel
def test_every_row_can_be_measured(tmp_path: Path) -> None:
    values, picture = tmp_path / "bench.json", tmp_path / "bench.svg"
    done = run_bench(
        *("--runs", "1", "--seconds", "0.02", "--idle", "20", "--json", str(values), "--svg", str(picture))
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    rows = {row["name"]: row for row in json.loads(values.read_text())["rows"]}
    assert set(rows) == {metric.name for experiment in experiments() for metric in experiment.metrics}
    for experiment in experiments():
        for metric in experiment.metrics:
            assert set(rows[metric.name]["median"]) == set(experiment.systems), metric.name
    ElementTree.parse(picture)
