"""The ladders of all scenes, as they are kept in golden/: ``tools/make_ladders`` writes them there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.observe.scenes import SCENES
from usertcp.observe.ladder import ladders
from usertcp.observe.lines import plain

FOLDER: Final = Path(__file__).parent / "golden"
WIDTHS: Final = (80, 160)


def pictures() -> Iterator[tuple[str, str]]:
    """Each golden file's name and text."""
    for name in SCENES:
        yield from pictures_of(name)


def pictures_of(name: str) -> Iterator[tuple[str, str]]:
    """The same for one scene."""
    events = SCENES[name]()
    for width in WIDTHS:
        lines = [plain(line) for line in ladders(events, width=width)]
        yield f"{name}.{width}.txt", "\n".join(lines) + "\n"
