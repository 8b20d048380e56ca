"""The requirements of the RFCs, as written down in docs/requirements: one TOML file for each RFC.

A file begins with ``rfc``, ``title`` and maybe ``numbering`` (how many of each kind the RFC itself numbers:
each number must be there once).  Then come

``[[requirement]]``
    ``id``, ``section`` ("all" where the RFC numbers none), ``level``, ``text`` (in our own words), ``status``:
    "done", with ``code`` and ``tests``; "not applicable" or "not done", with ``why``.  ``note``: what else a
    reader should know; ``sentences``: how many of the section's it stands for, if more than one.
``[[aside]]``
    ``sections`` whose normative sentences are not ours at all, or repeat others, and ``why``.  A number
    that ends in ".*" stands for all sections below it.

Code is cited as ``usertcp/tcp/arrival.py::_check_rst``, a test by its pytest id or as a .pkt file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")


class Status(StrEnum):
    """What became of a requirement."""

    DONE = "done"
    NOT_APPLICABLE = "not applicable"
    NOT_DONE = "not done"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One thing that an RFC asks for; see the module's text."""

    id: str
    section: str
    level: str
    text: str
    status: Status
    why: str = ""
    code: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    note: str = ""
    sentences: int = 1

    @property
    def kind(self) -> str:
        """MUST, SHOULD or MAY."""
        return self.level.removesuffix(" NOT")


@dataclass(frozen=True, kw_only=True)
class Aside:
    """Sections that are left out as a whole."""

    sections: tuple[str, ...]
    why: str

    def covers(self, section: str) -> bool:
        """Whether ``section`` is one of them."""
        return any(
            section == one or (one.endswith(".*") and section.startswith(one.removesuffix("*")))
            for one in self.sections
        )


@dataclass(frozen=True, kw_only=True)
class Rfc:
    """All that one RFC asks for."""

    number: int
    title: str
    requirements: tuple[Requirement, ...]
    asides: tuple[Aside, ...] = ()
    numbering: Mapping[str, int] = field(default_factory=dict)

    def count(self, kind: str, status: Status) -> int:
        """How many requirements of one kind have one status."""
        return sum(one.kind == kind and one.status is status for one in self.requirements)


class BadData(Exception):
    """A file of requirements that cannot be read; the message names file and entry."""


def load(folder: Path) -> list[Rfc]:
    """All RFCs: RFC 9293 first, which the others refine, then by number.  Raises BadData."""
    rfcs = [_read(path) for path in sorted(folder.glob("rfc*.toml"))]
    return sorted(rfcs, key=lambda rfc: (rfc.number != 9293, rfc.number))


def _read(path: Path) -> Rfc:
    try:
        raw = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise BadData(f"{path.name}: {error}") from error
    try:
        rfc = Rfc(
            number=raw.pop("rfc"),
            title=raw.pop("title"),
            numbering=raw.pop("numbering", {}),
            requirements=tuple(_requirement(path, entry) for entry in raw.pop("requirement", [])),
            asides=tuple(Aside(sections=tuple(entry["sections"]), why=entry["why"]) for entry in raw.pop("aside", [])),
        )
    except KeyError as error:
        raise BadData(f"{path.name}: {error} is missing") from error
    if raw:
        raise BadData(f"{path.name}: {', '.join(raw)}: unknown")
    if path.name != f"rfc{rfc.number}.toml":
        raise BadData(f"{path.name}: says that it is about RFC {rfc.number}")
    return rfc


def _requirement(path: Path, entry: dict[str, Any]) -> Requirement:
    where = f"{path.name}, {entry.get('id', 'an entry without id')}"
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    try:
        requirement = Requirement(**fields | {"status": Status(entry["status"])})
    except (TypeError, KeyError, ValueError) as error:
        raise BadData(f"{where}: {error}") from error
    for problem in _problems(requirement):
        raise BadData(f"{where}: {problem}")
    return requirement


def _problems(one: Requirement) -> Iterator[str]:
    if one.level not in LEVELS:
        yield f"{one.level} is no level"
    if not one.text.endswith((".", "?")):
        yield "its text is no sentence"
    if one.sentences < 1:
        yield "sentences is 1 or more"
    if one.status is Status.DONE:
        if one.why:
            yield "what is done needs no reason; a remark is a note"
        if not one.code or not one.tests:
            yield "what is done has code and a test"
    elif not one.why:
        yield f"why is it {one.status}?"


def inconsistencies(rfc: Rfc) -> Iterator[str]:
    """Entries that are there twice, and numbers of the RFC's own that are missing or were made up."""
    seen: set[str] = set()
    for one in rfc.requirements:
        if one.id in seen:
            yield f"RFC {rfc.number}: {one.id} is there twice"
        seen.add(one.id)
    own = {f"{kind}-{number}" for kind, most in rfc.numbering.items() for number in range(1, most + 1)}
    for label in sorted(own - seen):
        yield f"RFC {rfc.number}: {label} is missing"
    for label in sorted(seen - own):
        if rfc.numbering and label.partition("-")[0] in rfc.numbering:
            yield f"RFC {rfc.number}: {label} does not exist"
