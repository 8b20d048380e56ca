"""The section numbers of each RFC that the project cites, and where their normative sentences are.

The table, docs/requirements/sections.toml, is made from the texts of the RFCs and committed, so that the
project can check its citations without them.  An RFC whose text was not at hand is in it by hand, and stays.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
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
    "NOT REQUIRED": "MAY",
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
_LABELS: Final = re.compile(r"\b(?:MUST|SHLD|MAY|REC)- ?[0-9]+")
_PAGE_BREAK: Final = re.compile(r"^\S.*\[Page \d+\] *$|^\f?RFC ?\d+ .*\d{4} *$")


@dataclass(frozen=True)
class Sections:
    """One RFC: its section numbers, and how many normative sentences of which level stand in each."""

    title: str
    numbers: tuple[str, ...]
    normative: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def load(path: Path) -> dict[int, Sections]:
    """The committed table."""
    table = {}
    for name, entry in tomllib.loads(path.read_text()).items():
        normative = {}
        for item in filter(None, entry.get("normative", "").split("; ")):
            number, _, counts = item.partition(": ")
            pairs = [count.rpartition(" ") for count in counts.split(", ")]
            normative[number] = {level: int(count) for level, _, count in pairs}
        table[int(name.removeprefix("rfc"))] = Sections(entry["title"], tuple(entry["sections"].split()), normative)
    return table


def to_toml(table: Mapping[int, Sections]) -> str:
    """The table as it is committed."""
    lines = [
        "# The sections of each RFC that is cited, and how many sentences have which words of RFC 2119 in them.",
        "# Made from the RFCs' texts by: tools/rfc_coverage --sections DIRECTORY",
    ]
    for rfc, entry in sorted(table.items()):
        lines += ["", f"[rfc{rfc}]", f'title = "{entry.title}"', f'sections = "{" ".join(entry.numbers)}"']
        if entry.normative:
            said = (
                f"{number}: {', '.join(f'{level} {count}' for level, count in counts.items())}"
                for number, counts in entry.normative.items()
            )
            lines.append(f'normative = "{"; ".join(said)}"')
    return "\n".join(lines) + "\n"


def from_text(title: str, text: str) -> Sections:
    """What the text of an RFC says."""
    found: dict[str, Counter[str]] = {}
    for number, body in split(text):
        counts = found.setdefault(number, Counter())
        for rule in re.findall(rf"^ +\(({re.escape(number)}\.[0-9]+)\) ", body, re.MULTILINE):
            found.setdefault(rule, Counter())  # RFC 6298 numbers its rules so
        for sentence in _sentences(body):
            counts.update({LEVELS[word] for word in _WORDS.findall(sentence)})
    order = list(dict.fromkeys(LEVELS.values()))
    normative = {
        number: {level: counts[level] for level in order if counts[level]} for number, counts in found.items() if counts
    }
    normative.pop("", None)
    return Sections(title, tuple(number for number in found if number), normative)


def _sentences(body: str) -> list[str]:
    """What ends with a stop, a colon or a semicolon, without the labels that RFC 9293 gives its requirements."""
    text = _LABELS.sub("", _BOILERPLATE.sub("", " ".join(body.split())))
    return re.split(r"(?<=[.;:]) (?=[A-Z\"(*o])", text)


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
