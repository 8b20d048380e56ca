"""docs/rfc_coverage.md, and the line about it in the README."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rfc_coverage_data import Requirement, Rfc, Status

BEGIN: Final = "<!-- RFC coverage: made by tools/rfc_coverage -->"
END: Final = "<!-- end of RFC coverage -->"
_KINDS: Final = ("MUST", "SHOULD", "MAY")
_MARKS: Final = {Status.DONE: "✔", Status.NOT_APPLICABLE: "–", Status.NOT_DONE: "✘"}
_HEAD: Final = """\
<!-- Made by tools/rfc_coverage from docs/requirements: change that, and run it again. -->

# RFC coverage

What the RFCs ask for, in our own words, with the code that does it and a test that shows it; or a reason why not.
✔ is done, ✘ is not done, – does not apply to us.  `tools/rfc_coverage --check`, which is among the tests, fails
when a name in the last two columns leads nowhere, so this page can be older than the code by nothing but a remark.

The requirements stand in [docs/requirements](requirements), a file for each RFC.  RFC 9293 numbers its own; those of
other RFCs are numbered within their sections.  MUST includes MUST NOT, and so on.

## Summary

How many of those that apply are done.
"""


def page(rfcs: Sequence[Rfc]) -> str:
    """The text of docs/rfc_coverage.md."""
    lines = [_HEAD, *_summary(rfcs), "", "## What is not done", "", *_not_done(rfcs)]
    for rfc in rfcs:
        lines += ["", f"## {_heading(rfc)}", "", *_requirements(rfc)]
        if rfc.asides:
            lines += ["", "Left out as a whole:", "", *_asides(rfc)]
    return "\n".join(lines) + "\n"


def badge(rfcs: Sequence[Rfc]) -> str:
    """One sentence for the README."""
    base = next(rfc for rfc in rfcs if rfc.number == 9293)
    musts = f"{_share(base.requirements, 'MUST')} MUST, {_share(base.requirements, 'SHOULD')} SHOULD"
    every = [one for rfc in rfcs for one in rfc.requirements]
    done = sum(one.status is Status.DONE for one in every)
    apply = sum(one.status is not Status.NOT_APPLICABLE for one in every)
    return (
        f"**RFC coverage**: {musts} of RFC 9293; {done} of the {apply} requirements of {len(rfcs)} RFCs that apply "
        "have code and a test, the others a reason:\n[every one of them](docs/rfc_coverage.md)."
    )


def with_badge(readme: str, line: str) -> str:
    """``readme`` with ``line`` between the markers.  Raises ValueError where there are none."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{line}\n{END}{after}"


def _heading(rfc: Rfc) -> str:
    return f"RFC {rfc.number}: {rfc.title}"


def _anchor(rfc: Rfc) -> str:
    kept = "".join(char for char in _heading(rfc).lower() if char.isalnum() or char in "-_ ")
    return kept.replace(" ", "-")


def _share(requirements: Iterable[Requirement], kind: str) -> str:
    """``12 of 13``, or nothing where none applies."""
    those = [one for one in requirements if one.kind == kind and one.status is not Status.NOT_APPLICABLE]
    return f"{sum(one.status is Status.DONE for one in those)} of {len(those)}" if those else ""


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _table(*head: str) -> list[str]:
    return [_row(*head), "|" + " --- |" * len(head)]


def _summary(rfcs: Sequence[Rfc]) -> Iterator[str]:
    yield from _table("RFC", "title", *_KINDS, "does not apply")
    for rfc in rfcs:
        aside = sum(rfc.count(kind, Status.NOT_APPLICABLE) for kind in _KINDS)
        shares = [_share(rfc.requirements, kind) for kind in _KINDS]
        yield _row(f"[{rfc.number}](#{_anchor(rfc)})", rfc.title, *shares, str(aside or ""))
    every = [one for rfc in rfcs for one in rfc.requirements]
    aside = sum(one.status is Status.NOT_APPLICABLE for one in every)
    yield _row("**all**", "", *(f"**{_share(every, kind)}**" for kind in _KINDS), f"**{aside}**")


def _not_done(rfcs: Sequence[Rfc]) -> Iterator[str]:
    yield from _table("RFC", "level", "what", "why not")
    for rfc in rfcs:
        for one in rfc.requirements:
            if one.status is Status.NOT_DONE:
                yield _row(f"{rfc.number} {_place(one)}", one.level, _safe(one.text), _safe(one.why))


def _requirements(rfc: Rfc) -> Iterator[str]:
    yield from _table("", "§", "level", "what", "code", "tests")
    for one in rfc.requirements:
        what = " ".join(filter(None, (_safe(one.text), _reason(one), f"*{_safe(one.note)}*" if one.note else "")))
        place = one.section if _is_ours(one) else f"{one.section}, {one.id}"
        yield _row(_MARKS[one.status], place, one.level, what, _links(one.code), _links(one.tests))


def _reason(one: Requirement) -> str:
    what = {Status.NOT_DONE: "**Not done:** ", Status.NOT_APPLICABLE: "**Does not apply:** "}
    return what[one.status] + _safe(one.why) + "." if one.why else ""


def _asides(rfc: Rfc) -> Iterator[str]:
    yield from _table("sections", "why")
    for aside in rfc.asides:
        yield _row(", ".join(one.replace(".*", " and below") for one in aside.sections), _safe(aside.why))


def _place(one: Requirement) -> str:
    section = f"§{one.section}" if one.section != "all" else ""
    return section if _is_ours(one) else f"{section} ({one.id})"


def _is_ours(one: Requirement) -> bool:
    """Whether the number is ours, within the section, and not the RFC's own."""
    return one.id.startswith(f"{one.section}-")


def _links(citations: Iterable[str]) -> str:
    """Each file once, with the names in it."""
    files: dict[str, list[str]] = {}
    for citation in citations:
        file, _, name = citation.partition("::")
        files.setdefault(file, []).append(name.replace("::", "."))
    return "<br>".join(_link(file, names) for file, names in files.items())


def _link(file: str, names: list[str]) -> str:
    short = file.removeprefix("usertcp/").removeprefix("tests/")
    named = ", ".join(f"`{name}`" for name in names if name)
    return f"[{short}](../{file}){' ' + named if named else ''}"


def _safe(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
