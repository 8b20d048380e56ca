"""The scripts that hold for Linux, with its profile; tools/drill_perturb shows that each can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from usertcp.drill.outcome import Result
from usertcp.drill.runner import How, run_file

SCRIPTS = sorted((Path(__file__).parents[1] / "packetdrill" / "linux").glob("*.pkt"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_linux(script: Path) -> None:
    outcome = run_file(str(script), How(profile="linux", strict_end=True))
    assert outcome.result is Result.PASSED, f"{outcome.line}: {outcome.reason}\n{outcome.detail}"


def test_there_are_some() -> None:
    assert len(SCRIPTS) > 50
