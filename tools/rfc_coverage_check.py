"""All that can be wrong with the requirements and the citations, and what their pages should say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from rfc_coverage_anchors import missing_code, missing_test
from rfc_coverage_data import Rfc, inconsistencies, load
from rfc_coverage_page import badge, page, with_badge
from rfc_coverage_sections import Sections
from rfc_coverage_sections import load as load_sections
from rfc_coverage_source import wrong_citations

REQUIREMENTS: Final = Path("docs/requirements")
PAGE: Final = Path("docs/rfc_coverage.md")
README: Final = Path("README.md")


def coverage(root: Path) -> list[Rfc]:
    """The requirements.  Raises BadData."""
    return load(root / REQUIREMENTS)


def current(root: Path, rfcs: list[Rfc]) -> dict[Path, str]:
    """What page and README should say today."""
    return {
        root / PAGE: page(rfcs),
        root / README: with_badge((root / README).read_text(), badge(rfcs)),
    }


def everything_wrong(root: Path, rfcs: list[Rfc]) -> list[str]:
    """A line for each problem."""
    table = load_sections(root / REQUIREMENTS / "sections.toml")
    base = next(rfc for rfc in rfcs if rfc.number == 9293)
    return [
        *(problem for rfc in rfcs for problem in inconsistencies(rfc)),
        *(problem for rfc in rfcs for problem in left_out(rfc, table)),
        *(problem for rfc in rfcs for problem in leading_nowhere(root, rfc)),
        *wrong_citations(root, table, base.numbering),
        *stale(root, rfcs),
    ]


def leading_nowhere(root: Path, rfc: Rfc) -> Iterator[str]:
    """Citations of code and tests that are not there (any more)."""
    for one in rfc.requirements:
        missing = [*(missing_code(root, code) for code in one.code), *(missing_test(root, test) for test in one.tests)]
        for problem in filter(None, missing):
            yield f"RFC {rfc.number}, {one.id}: {problem}"


def left_out(rfc: Rfc, table: Mapping[int, Sections]) -> Iterator[str]:
    """Sections that do not exist, and those with more normative sentences of a level than there are requirements."""
    if rfc.number not in table:
        yield f"RFC {rfc.number} is not in sections.toml"
        return
    sections = table[rfc.number]
    written: Counter[tuple[str, str]] = Counter()
    for one in rfc.requirements:
        written[one.section, one.level] += one.sentences
    for section in sorted({one.section for one in rfc.requirements}):
        if sections.numbers and section not in sections.numbers:
            yield f"RFC {rfc.number} has no §{section}"
    for section, counts in sections.normative.items():
        if any(aside.covers(section) for aside in rfc.asides):
            continue
        for level, count in counts.items():
            if written[section, level] < count:
                yield f"RFC {rfc.number} §{section}: {written[section, level]} of {count} sentences with {level}"


def stale(root: Path, rfcs: list[Rfc]) -> Iterator[str]:
    """Pages that do not say what they should."""
    for path, text in current(root, rfcs).items():
        if not path.exists() or path.read_text() != text:
            yield f"{path.relative_to(root)} is not current: run tools/rfc_coverage"
