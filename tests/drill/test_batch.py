"""Which files, and many of them at once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from usertcp.drill import batch
from usertcp.drill.outcome import Outcome, Result
from usertcp.drill.runner import How

PASSES = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
FAILS = "0 close(3) = 0\n"


def test_files_as_given_and_directories_sorted(tmp_path: Path) -> None:
    for name in ("b/z.pkt", "b/a.pkt", "a.pkt", "b/c/x.pkt", "b/no.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(PASSES)
    odd = tmp_path / "b" / "no.txt"
    found = batch.find([str(odd), str(tmp_path)])
    assert [os.path.relpath(path, tmp_path) for path in found] == [
        "b/no.txt", "a.pkt", "b/a.pkt", "b/c/x.pkt", "b/z.pkt",
    ]  # fmt: skip


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(batch.NoScripts, match="no such file"):
        batch.find([str(tmp_path / "nothing.pkt")])
    with pytest.raises(batch.NoScripts, match=r"no \.pkt file"):
        batch.find([str(tmp_path)])


@pytest.mark.parametrize("jobs", [1, 2])
def test_outcomes_come_in_order(tmp_path: Path, jobs: int) -> None:
    paths = []
    for number in range(40):
        path = tmp_path / f"{number:02}.pkt"
        path.write_text(PASSES if number % 3 else FAILS)
        paths.append(str(path))
    outcomes = list(batch.run_all(paths, How(), jobs))
    assert [outcome.script for outcome in outcomes] == paths
    assert [outcome.result is Result.FAILED for outcome in outcomes] == [number % 3 == 0 for number in range(40)]


def _run_or_die(path: str, how: How) -> Outcome:
    if path == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(path, Result.PASSED)


def test_a_script_that_kills_its_process_is_the_only_one_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    # Forked processes have it too.  No script that does this is known.
    monkeypatch.setattr(batch, "run_file", _run_or_die)
    paths = [f"script {number}" for number in range(30)]
    paths[20] = "deadly"
    outcomes = list(batch.run_all(paths, How(), 2))
    assert [outcome.script for outcome in outcomes] == paths
    failed = [outcome for outcome in outcomes if outcome.result is Result.FAILED]
    assert [outcome.script for outcome in failed] == ["deadly"]
    assert "the process that ran the script died" in failed[0].reason
