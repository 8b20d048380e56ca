"""Ladders that people have looked at stay as they are.

Where a change of the stack or of the drawing is meant to change them: ``tools/make_ladders``, and look at the
difference.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.observe.golden_ladders import FOLDER, WIDTHS, pictures_of
from tests.observe.scenes import SCENES


@pytest.mark.parametrize("name", SCENES)
def test_a_ladder_is_as_it_was(name: str) -> None:
    for file, text in pictures_of(name):
        kept = (FOLDER / file).read_text(encoding="utf-8")
        assert text == kept, f"{file} is another picture now: see tools/make_ladders"


def test_there_is_no_ladder_without_a_scene() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.{width}.txt" for name in SCENES for width in WIDTHS}


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_the_rails_are_straight(path: Path) -> None:
    """Between the heading and the totals, both rails stand in the same column of every line, within the width."""
    width = int(path.suffixes[0][1:])
    left = right = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        assert len(line) <= width
        if line.lstrip().startswith("ms usertcp"):
            left, right = 23, line.rindex("peer") - 2
        elif line[:1].isdigit():
            left = 0  # the totals: what follows are answers, not rails
        elif left:
            assert line[left] in "│├◆", line
            assert line[right] in "│┤◆◇", line
