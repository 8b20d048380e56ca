"""The scripts that hold for Linux, with its profile; tools/drill_perturb shows that each can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from usertcp.drill.outcome import Result
from usertcp.drill.runner import How, run_file

SCRIPTS = sorted((Path(__file__).parents[1] / "packetdrill" / "linux").glob("*.pkt"))

#: What the kernel does and we do not, on purpose or for want of a reason; the test says so if one passes.
KNOWN: Final = {
    "ack-fin-out-of-order": "the kernel's ACK of a FIN from its queue bears the SACK block that this ACK covers",
    "ack-fin-out-of-order-with-data": "the kernel keeps text behind a FIN; ours ends at the FIN",
    "ack-out-of-order": "the kernel remembers four ranges, so that a fifth is reported shortened",
    "open-simultaneous-acknowledged": "the kernel's SYN,ACK to a crossing SYN offers what that SYN did not",
    "send-window-update": "the kernel cuts what the window held back where it was written",
}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_linux(script: Path, request: pytest.FixtureRequest) -> None:
    if script.stem in KNOWN:
        request.applymarker(pytest.mark.xfail(strict=True, reason=KNOWN[script.stem]))
    outcome = run_file(str(script), How(profile="linux", strict_end=True))
    assert outcome.result is Result.PASSED, f"{outcome.line}: {outcome.reason}\n{outcome.detail}"


def test_there_are_some() -> None:
    assert len(SCRIPTS) > 150
    assert {script.stem for script in SCRIPTS} >= set(KNOWN)
