"""The pages made from the code say what the code says today."""

from __future__ import annotations

from pathlib import Path

import pytest
from docs_generated import pages

from usertcp.observe.forms import KIND_NAMES
from usertcp.stack.counters import NAMES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", sorted(pages()), ids=str)
def test_page_is_current(page: Path) -> None:
    assert (ROOT / page).read_text() == pages()[page], "run tools/make_docs"


def test_every_counter_is_explained() -> None:
    text = (ROOT / "docs/counters.md").read_text()
    assert [name for name in NAMES if f"| `{name}` |" not in text] == []


def test_every_kind_of_event_has_its_section() -> None:
    lines = (ROOT / "docs/events.md").read_text().splitlines()
    missing = [name for name in KIND_NAMES.values() if f"## {name}" not in lines]
    assert missing == [], "give each a sample, and its new fields a meaning, in tools/docs_events.py"
