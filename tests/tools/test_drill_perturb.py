"""Every script can fail: one expectation of each is changed, and it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from drill_perturbations import perturb

SCRIPTS = Path(__file__).resolve().parents[1] / "packetdrill"


@pytest.mark.parametrize("folder", sorted(path.name for path in SCRIPTS.iterdir() if path.is_dir()))
def test_no_change_is_survived(folder: str) -> None:
    scripts = sorted((SCRIPTS / folder).rglob("*.pkt"))
    assert scripts
    survivors = [(str(script), *each) for script in scripts for each in perturb(script, seed=1).survivors]
    assert survivors == []


def test_every_change_of_a_script_is_noticed() -> None:
    verdict = perturb(SCRIPTS / "states/established/data-left-edge.pkt", None)
    assert verdict.made > 20
    assert verdict.survivors == []


def test_a_script_that_cannot_fail_is_found_out(tmp_path: Path) -> None:
    """Nothing is left to go wrong where the only packet may have any options, and nothing is said after it."""
    script = tmp_path / "weak.pkt"
    script.write_text(
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
        "+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n+0 < S 0:0(0) win 100 <mss 1000>\n"
        "+0 > S. 0:0(0) ack 1 <...>\n"
        "+0 %{ assert tcpi_state >= 0 or tcpi_state != 0 }%\n"
    )
    assert perturb(script, None).survivors
