"""The section numbers of each RFC that the project cites, and where their normative sentences are.

The table, docs/requirements/sections.toml, is made from the texts of the RFCs and committed, so that the
project can check its citations without them.  An RFC whose text was not at hand is in it by hand, and stays.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

#: RFC 2119's words, and the level that each one means here.
LEVELS: Final = {
    "MUST": "MUST",
    "SHALL": "MUST",
    "REQUIRED": "MUST",
    "MUST NOT": "MUST NOT",
    "SHALL NOT": "MUST NOT",
    "SHOULD": "SHOULD",
    "RECOMMENDED": "SHOULD",
    "SHOULD NOT": "SHOULD NOT",
    "NOT RECOMMENDED": "SHOULD NOT",
    "MAY": "MAY",
    "OPTIONAL": "MAY",
}
_WORDS: Final = re.compile(r"\b(" + "|".join(sorted(LEVELS, key=len, reverse=True)) + r")\b")

_NUMBER: Final = (
    r"(?P<number>(?:[1-9][0-9]?|(?:Appendix )?[A-Z](?=\.)|(?:Appendix )[A-Z])(?:\.[1-9][0-9]?)*)(?:\.0)?[.:]?"
)
_HEADING: Final = re.compile(rf"^(?P<indent> *){_NUMBER} +(?P<title>[A-Z0-9\"<(`].*)$")
_TOC_LINE: Final = re.compile(rf"^ *{_NUMBER} +\S.*?(?:\.{{2,}}|(?: \.){{2,}}|  ).*?\d+ *$")
_SHORT_TOC_LINE: Final = re.compile(rf"^ +{_NUMBER} +[A-Z\"].*$")
#: The sentence that says what the words mean.
_BOILERPLATE: Final = re.compile(r"[Kk]ey ?words.{0,300}?interpreted as.{0,250}?(?:shown here|\]|BCP 14, RFC 2119)\.?")
_PAGE_BREAK: Final = re.compile(r"^\S.*\[Page \d+\] *$|^\f?RFC ?\d+ .*\d{4} *$")


@dataclass(frozen=True)
class Sections:
    """One RFC: its section numbers, and the levels of the normative sentences in each (none: not listed)."""

    title: str
    numbers: tuple[str, ...]
    normative: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def load(path: Path) -> dict[int, Sections]:
    """The committed table."""
    table = {}
    for name, entry in tomllib.loads(path.read_text()).items():
        normative = {}
        for item in entry.get("normative", "").split("; "):
            if item:
                number, _, levels = item.partition(": ")
                normative[number] = tuple(levels.split(", "))
        table[int(name.removeprefix("rfc"))] = Sections(entry["title"], tuple(entry["sections"].split()), normative)
    return table


def to_toml(table: Mapping[int, Sections]) -> str:
    """The table as it is committed."""
    lines = [
        "# The sections of each RFC that is cited, and in which of them which words of RFC 2119 stand.",
        "# Made from the RFCs' texts by: tools/rfc_coverage --sections DIRECTORY",
    ]
    for rfc, entry in sorted(table.items()):
        lines += ["", f"[rfc{rfc}]", f'title = "{entry.title}"', f'sections = "{" ".join(entry.numbers)}"']
        if entry.normative:
            said = "; ".join(f"{number}: {', '.join(levels)}" for number, levels in entry.normative.items())
            lines.append(f'normative = "{said}"')
    return "\n".join(lines) + "\n"


def from_text(title: str, text: str) -> Sections:
    """What the text of an RFC says."""
    found: dict[str, set[str]] = {}
    for number, body in split(text):
        levels = found.setdefault(number, set())
        for rule in re.findall(rf"^ +\(({re.escape(number)}\.[0-9]+)\) ", body, re.MULTILINE):
            found.setdefault(rule, set())  # RFC 6298 numbers its rules so
        for word in _WORDS.findall(_BOILERPLATE.sub("", " ".join(body.split()))):
            levels.add(LEVELS[word])
    order = list(dict.fromkeys(LEVELS.values()))
    normative = {number: tuple(sorted(levels, key=order.index)) for number, levels in found.items() if levels}
    normative.pop("", None)
    return Sections(title, tuple(number for number in found if number), normative)


def split(text: str) -> Iterator[tuple[str, str]]:
    """Each section's number ("" for what comes before the first one) and text."""
    lines = [line.rstrip() for line in text.replace("\r", "").split("\n") if not _PAGE_BREAK.match(line)]
    contents, start = _contents(lines)
    at_margin = {_depth(heading) for heading in map(_HEADING.match, lines[start:]) if heading and not heading["indent"]}
    number = ""
    body: list[str] = []
    for line, below in zip(lines[start:], [*lines[start + 1 :], ""], strict=True):
        heading = _HEADING.match(line)
        following = _plain(heading["number"]) if heading else ""
        if heading and _is_next(following, number) and _is_heading(heading, below, contents, at_margin):
            yield number, "\n".join(body)
            number, body = following, []
        else:
            body.append(line)
    yield number, "\n".join(body)


def _is_heading(heading: re.Match[str], below: str, contents: set[str], at_margin: set[bool]) -> bool:
    """What stands at the margin; only where an RFC indents its headings, what its table of contents has."""
    if not heading["indent"]:
        return not below or not heading["title"].endswith((".", ",")) or _plain(heading["number"]) in contents
    return _depth(heading) not in at_margin and _plain(heading["number"]) in contents


def _depth(heading: re.Match[str]) -> bool:
    return "." in heading["number"]


def _contents(lines: list[str]) -> tuple[set[str], int]:
    """The numbers in the table of contents, and the line where it ends."""
    try:
        at = next(index for index, line in enumerate(lines) if line.strip().lower() == "table of contents")
    except StopIteration:
        return set(), 0
    numbers: set[str] = set()
    end = at + 1
    for index in range(at + 1, min(at + 400, len(lines))):
        line = lines[index]
        entry = _TOC_LINE.match(line) or _SHORT_TOC_LINE.match(line)
        number = _plain(entry["number"]) if entry else ""
        if entry and not (number in numbers and "." not in number):
            numbers.add(number)
            end = index + 1
        elif entry or (_HEADING.match(line) and not line.startswith(" ")):
            break
    return numbers, end


def _is_next(number: str, before: str) -> bool:
    """Whether ``number`` may follow ``before``; what a text skips is not known here."""
    new, old = _key(number), _key(before)
    if not before:
        return number == "1"
    if new <= old:
        return False
    shared = 0
    while shared < min(len(new), len(old)) and new[shared] == old[shared]:
        shared += 1
    if shared == len(old):
        return new[shared] == 1 and len(new) == shared + 1
    step = new[shared] - old[shared]
    appendix = shared == 0 and new[0] >= 1000 > old[0]
    return len(new) == shared + 1 and (step == 1 or (appendix and number == "A"))


def _plain(number: str) -> str:
    return number.removeprefix("Appendix ")


def _key(number: str) -> tuple[int, ...]:
    """For comparing: appendices come last."""
    return tuple(int(part) if part.isdigit() else 1000 + ord(part) for part in number.split(".") if part)
