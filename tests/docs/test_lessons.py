"""The lessons: their pages say what the runs that are kept say, and the same still happens with real clients."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tools.docs_lessons import RUNS, kept, pages, perform, shape

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", sorted(pages(ROOT)), ids=str)
def test_page_is_current(page: Path) -> None:
    assert (ROOT / page).read_text() == pages(ROOT)[page], "run tools/make_docs"


@pytest.mark.kernel
@pytest.mark.parametrize("name", RUNS)
def test_it_happens_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same segments and states; if it should be otherwise now, run tools/make_lessons."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert shape(perform(name, tmp_path / "events.jsonl")) == shape(kept(ROOT, name))


def test_a_shape_has_no_numbers_of_one_run_only() -> None:
    """But the states and segments of RFC 9293, figure 13."""
    assert shape(kept(ROOT, "both")) == [
        "in SYN seq=0",
        "out SYN,ACK seq=0 ack=1",
        "out FIN,ACK seq=512 ack=74",
        "in FIN,ACK seq=74 ack=512",
        "usertcp CLOSED LISTEN SYN-RECEIVED ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT",
        "peer CLOSED SYN-SENT ESTABLISHED FIN-WAIT-1 CLOSING TIME-WAIT",
    ]


def test_no_page_has_a_hole() -> None:
    assert not [page for page, text in pages(ROOT).items() if "{{" in text or "}}" in text]
