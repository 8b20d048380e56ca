"""Citations in the source: that they have the one greppable form, and name sections that exist.

The form is ``RFC 9293 §3.10.7.4``; more sections of the same RFC follow after a comma or "and".  A bare
``§3.10.7.4`` is about an RFC that the file names elsewhere, or RFC 9293.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from rfc_coverage_sections import Sections

_SECTION: Final = r"§(?P<section>(?:[0-9]+|[A-Z])(?:\.[0-9]+)*)(?![0-9A-Za-z])"
#: Documents that are no RFCs: their sections are not known here.
_OTHER: Final = r"(?P<other>draft-[a-z0-9-]+|virtio [0-9.]+)"
_TOKEN: Final = re.compile(rf"RFC \0*(?P<rfc>[0-9]+)|{_OTHER}|{_SECTION}")
#: What may stand between "RFC n" and its section, and between that and the next one.
_JOINT: Final = re.compile(r"(?:'s)? ?|,? and |, |-|–|; | to | or |(?: \([a-zA-Z0-9]+\))?(?:,| and|;) ")
_LABEL: Final = re.compile(r"\b(MUST|SHLD|MAY|REC)-([0-9]+)\b")
_DOTTED: Final = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_WRAPPED: Final = re.compile(r"\n[ \t]*(?:#:?|//|\*)?[ \t]*")
#: Other ways to cite, which a search for the form would miss.
_BAD: Final = (
    re.compile(r"\bRFC-?[0-9]{3,}"),
    re.compile(r"\bRFC [0-9]+,? (?:[Ss]ections?|sec\.|[Cc]hapter|[0-9]+\.[0-9])"),
    re.compile(r"§ [0-9]"),
    re.compile(r"\b(?:[Ss]ection [0-9]|[0-9]+\.[0-9])[0-9.]* of RFC [0-9]+"),
)
_FOLDERS: Final = ("usertcp", "tests", "tools", "docs")
_PAGES: Final = ("README.md", "CHANGELOG.md")
#: What this tool makes, and what is about citations that are wrong.
_OWN: Final = re.compile(r"sections\.toml$|rfc_coverage|test_rfc_coverage")
_REQUIREMENTS: Final = re.compile(r"rfc([0-9]+)\.toml")
_SUFFIXES: Final = (".py", ".md", ".pkt", ".toml")


def files(root: Path) -> Iterator[Path]:
    """Everything in which RFCs are cited; what is generated is not looked at."""
    yield from (root / page for page in _PAGES if (root / page).exists())
    for folder in _FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in _SUFFIXES and not _OWN.match(path.name):
                yield path


def wrong_citations(root: Path, table: Mapping[int, Sections], numbering: Mapping[str, int]) -> Iterator[str]:
    """Each citation that names nothing, or is not found by a search for the form, with file and line."""
    for path in files(root):
        text = path.read_text()
        name = path.relative_to(root)
        own = _REQUIREMENTS.fullmatch(path.name)  # a bare section there is its own RFC's
        for at, problem in problems(text, table, numbering, {int(own[1])} if own else ()):
            yield f"{name}:{text.count(chr(10), 0, at) + 1}: {problem}"
        if path.suffix == ".py" and name.parts[:2] in (("usertcp", "tcp"), ("usertcp", "stack")):
            for line, section in _section_strings(text):
                if section not in table[9293].numbers:
                    yield f"{name}:{line}: RFC 9293 has no §{section}"


def problems(
    text: str, table: Mapping[int, Sections], numbering: Mapping[str, int], about: Collection[int] = ()
) -> Iterator[tuple[int, str]]:
    """Offset and description of each wrong citation in ``text``, which is ``about`` some RFCs."""
    flat = _WRAPPED.sub(lambda wrapped: " ".ljust(len(wrapped[0]), "\0"), text)
    named = {int(token["rfc"]) for token in _TOKEN.finditer(flat) if token["rfc"]} | {9293, *about}
    of_others = any(token["other"] for token in _TOKEN.finditer(flat))
    current, end = 0, 0
    for token in _TOKEN.finditer(flat):
        section = token["section"]
        if not section:
            current, end = int(token["rfc"] or -1), token.end()
            continue
        if not _JOINT.fullmatch(flat[end : token.start()].replace("\0", "")):
            current = 0
        end = token.end()
        if current > 0 and current not in table:
            yield token.start(), f"RFC {current} is not in docs/requirements/sections.toml"
        elif current > 0 and section not in table[current].numbers:
            yield token.start(), f"RFC {current} has no §{section}"
        elif not current and not of_others and not any(section in table[rfc].numbers for rfc in named if rfc in table):
            yield token.start(), f"no RFC that is cited here has a §{section}"
    for label in _LABEL.finditer(flat):
        if not 1 <= int(label[2]) <= numbering.get(label[1], 0):
            yield label.start(), f"RFC 9293 has no {label[0]}"
    for form in _BAD:
        for found in form.finditer(flat):
            yield found.start(), f'"{found[0]}": write it as "RFC 9293 §3.1"'


def _section_strings(text: str) -> Iterator[tuple[int, str]]:
    """Sections as the core hands them to trace events and to the table of states: strings of their own."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _DOTTED.fullmatch(node.value):
            yield node.lineno, node.value
