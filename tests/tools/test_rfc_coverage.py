"""tools/rfc_coverage: that nothing is wrong with the coverage, and that it would be found if there were."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from rfc_coverage_anchors import missing_code, missing_test
from rfc_coverage_check import coverage, everything_wrong, leading_nowhere, left_out, stale
from rfc_coverage_data import Aside, BadData, Requirement, Rfc, Status, inconsistencies, load
from rfc_coverage_page import BEGIN, END, badge, page, with_badge
from rfc_coverage_sections import Sections, from_text, to_toml
from rfc_coverage_sections import load as load_sections
from rfc_coverage_source import problems, wrong_citations

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools/rfc_coverage"
TABLE = {
    9293: Sections("TCP", ("3", "3.1", "3.10", "3.10.7.4", "B"), {"3.1": {"MUST": 2, "SHOULD NOT": 1}}),
    6298: Sections("RTO", ("2", "2.1")),
}
NUMBERING = {"MUST": 2, "SHLD": 1}


# -- The coverage itself -----------------------------------------------------------------------------


def test_nothing_is_wrong() -> None:
    assert everything_wrong(ROOT, coverage(ROOT)) == []


def test_every_requirement_of_rfc_9293_is_there() -> None:
    """Those that it numbers itself: Appendix B."""
    base = coverage(ROOT)[0]
    assert base.number == 9293
    assert dict(base.numbering) == {"MUST": 69, "SHLD": 31, "MAY": 18, "REC": 1}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TOOL), *arguments], capture_output=True, text=True, timeout=100)


def test_the_command() -> None:
    done = run("--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    listed = run("--not-done")
    assert listed.returncode == 0
    assert "RFC 9293 §3.9.2.1 MUST-51 MUST: " in listed.stdout


# -- What the data must say --------------------------------------------------------------------------


def requirement(**fields: object) -> Requirement:
    given: dict[str, object] = {
        "id": "3.1-1", "section": "3.1", "level": "MUST", "text": "It works.", "status": Status.DONE,
        "code": ("usertcp/a.py::f",), "tests": ("tests/test_a.py::test_f",),
    }  # fmt: skip
    return Requirement(**given | fields)  # type: ignore[arg-type]


def rfc(*requirements: Requirement, number: int = 9293, asides: tuple[Aside, ...] = (), **numbering: int) -> Rfc:
    return Rfc(number=number, title="A protocol", requirements=requirements, asides=asides, numbering=numbering)


GOOD = """\
rfc = 9293
title = "A protocol"
[[requirement]]
id = "MUST-1"
section = "3.1"
level = "MUST"
text = "It works."
status = "done"
code = ["usertcp/a.py::f"]
tests = ["tests/test_a.py::test_f"]
"""


def test_reading(tmp_path: Path) -> None:
    (tmp_path / "rfc9293.toml").write_text(GOOD)
    (tmp_path / "rfc791.toml").write_text('rfc = 791\ntitle = "IP"\n')
    (tmp_path / "sections.toml").write_text("")
    base, other = load(tmp_path)
    assert (base.number, other.number) == (9293, 791)
    assert base.requirements == (requirement(id="MUST-1"),)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('"done"', '"done?"'), "rfc9293.toml, MUST-1: 'done\\?' is not a valid Status"),
        (('tests = ["tests/test_a.py::test_f"]', "tests = []"), "what is done has code and a test"),
        (('code = ["usertcp/a.py::f"]', ""), "what is done has code and a test"),
        (('"done"', '"not done"'), "why is it not done\\?"),
        (('"done"', '"not applicable"'), "why is it not applicable\\?"),
        (('"done"', '"done"\nwhy = "because"'), "what is done needs no reason"),
        (('"MUST"', '"OUGHT"'), "OUGHT is no level"),
        (('"It works."', '"works"'), "its text is no sentence"),
        (("status", "state"), "MUST-1: 'status'"),
        (("code =", "codes ="), "unexpected keyword argument 'codes'"),
        (("rfc = 9293", "rfc = 9294"), "says that it is about RFC 9294"),
        (('title = "A protocol"', ""), "'title' is missing"),
        (("[[requirement]]", "[[requirements]]"), "requirements: unknown"),
        (("[[requirement]]", "[["), "rfc9293.toml: "),
        (('"MUST"', '"MUST"\nsentences = 0'), "sentences is 1 or more"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    (tmp_path / "rfc9293.toml").write_text(GOOD.replace(*change))
    with pytest.raises(BadData, match=complaint):
        load(tmp_path)


def test_numbers_of_the_rfcs_own_are_complete() -> None:
    wrong = rfc(requirement(id="MUST-1"), requirement(id="MUST-1"), requirement(id="MUST-4"), MUST=3)
    assert list(inconsistencies(wrong)) == [
        "RFC 9293: MUST-1 is there twice",
        "RFC 9293: MUST-2 is missing",
        "RFC 9293: MUST-3 is missing",
        "RFC 9293: MUST-4 does not exist",
    ]
    assert list(inconsistencies(rfc(requirement(id="MUST-1"), requirement(id="3.1-1"), MUST=1))) == []


def test_no_normative_sentence_is_left_out() -> None:
    should_not = requirement(level="SHOULD NOT")
    assert list(left_out(rfc(requirement(), requirement(), should_not), TABLE)) == []
    assert list(left_out(rfc(requirement(sentences=2), should_not), TABLE)) == []
    assert list(left_out(rfc(requirement(), requirement(section="3.11")), TABLE)) == [
        "RFC 9293 has no §3.11",
        "RFC 9293 §3.1: 1 of 2 sentences with MUST",
        "RFC 9293 §3.1: 0 of 1 sentences with SHOULD NOT",
    ]
    assert list(left_out(rfc(number=1), TABLE)) == ["RFC 1 is not in sections.toml"]


@pytest.mark.parametrize(("sections", "covered"), [(["3.1"], True), (["3.*"], True), (["3"], False), (["3.10"], False)])
def test_sections_may_be_left_out_as_a_whole(sections: list[str], covered: bool) -> None:
    without = rfc(asides=(Aside(sections=tuple(sections), why="not ours"),))
    assert (list(left_out(without, TABLE)) == []) is covered


# -- Anchors -----------------------------------------------------------------------------------------

SOURCE = """\
LIMIT: int = 3
ONE, TWO = 1, 2

class Thing:
    size: int = 1

    def method(self): ...

    class Inner:
        async def deep(self): ...

def function():
    def inside(): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("usertcp", "tests", "docs/requirements"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usertcp/a.py").write_text(SOURCE)
    tests = "def test_f(): ...\nasync def test_g(): ...\nclass TestC:\n    def test_h(self): ...\ndef helper(): ...\n"
    (tmp_path / "tests/test_a.py").write_text(tests)
    (tmp_path / "tests/a.pkt").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["LIMIT", "TWO", "Thing", "Thing.size", "Thing.method", "Thing.Inner.deep", "function"]
)
def test_code_is_found_by_its_name(project: Path, name: str) -> None:
    assert missing_code(project, f"usertcp/a.py::{name}") is None


@pytest.mark.parametrize(
    ("citation", "why"),
    [
        ("usertcp/a.py::method", "usertcp/a.py has no method"),
        ("usertcp/a.py::function.inside", "has no function.inside"),
        ("usertcp/b.py::function", "there is no such file"),
        ("usertcp/a.py", "names no function"),
        ("tests/test_a.py::test_f", "not of usertcp"),
    ],
)
def test_code_that_is_not_there(project: Path, citation: str, why: str) -> None:
    assert why in (missing_code(project, citation) or "")


@pytest.mark.parametrize("citation", ["test_a.py::test_f", "test_a.py::test_g", "test_a.py::TestC::test_h", "a.pkt"])
def test_a_test_is_found_by_its_id(project: Path, citation: str) -> None:
    assert missing_test(project, f"tests/{citation}") is None


@pytest.mark.parametrize(
    ("citation", "why"),
    [
        ("tests/test_a.py::test_h", "has no test_h"),
        ("tests/test_a.py::helper", "names no test"),
        ("tests/test_a.py", "names no test"),
        ("tests/test_b.py::test_f", "there is no such file"),
        ("tests/b.pkt", "there is no such script"),
        ("usertcp/a.py::function", "not of tests"),
    ],
)
def test_a_test_that_is_not_there(project: Path, citation: str, why: str) -> None:
    assert why in (missing_test(project, citation) or "")


def test_a_requirement_that_loses_its_test_is_told(project: Path) -> None:
    good = requirement(code=("usertcp/a.py::function",))
    assert list(leading_nowhere(project, rfc(good))) == []
    lost = requirement(code=("usertcp/a.py::gone",), tests=("tests/test_a.py::test_gone",))
    assert list(leading_nowhere(project, rfc(lost))) == [
        "RFC 9293, 3.1-1: usertcp/a.py::gone: usertcp/a.py has no gone",
        "RFC 9293, 3.1-1: tests/test_a.py::test_gone: tests/test_a.py has no test_gone",
    ]


# -- Citations in the source -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "RFC 9293 §3.1",
        "RFC 9293 §3.10.7.4 (MUST-1), fifth",
        "RFC 9293 §3.1, §3.10.7.4 and §B, RFC 6298 §2.1",
        "RFC 9293's §3.1",
        "RFC 9293 §3-§3.10",
        "RFC 9293 figure 5, RFC 6298.",
        "    # as RFC 9293\n    # §3.1 says",
        "RFC\n9293 §3.1",
        "of RFC 6298: §2.1 there, and §3.1 of the other",
        "draft-ietf-x-00 §77.1, virtio 1.2 §5.1.6.2",
        "RFC 1 has no section here",
        "costs 3.1 of RFC 9293's segments; section 3 of this page; MUST 3",
    ],
)
def test_good_citations(text: str) -> None:
    found = [problem for _, problem in problems(text, TABLE, NUMBERING) if "write it as" not in problem]
    assert found == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("RFC 9293 §3.2", "RFC 9293 has no §3.2"),
        ("RFC 9293 §3.1, §3.11", "RFC 9293 has no §3.11"),
        ("RFC 9293 §3.1 and RFC 6298 §3.1", "RFC 6298 has no §3.1"),
        ("# RFC 6298\n# §9", "RFC 6298 has no §9"),
        ("RFC\n6298 §9", "RFC 6298 has no §9"),
        ("RFC 1 §1", "RFC 1 is not in docs/requirements/sections.toml"),
        ("as told in §4.4", "no RFC that is cited here has a §4.4"),
        ("(MUST-3)", "RFC 9293 has no MUST-3"),
        ("(MAY-1)", "RFC 9293 has no MAY-1"),
        ("(SHLD-0)", "RFC 9293 has no SHLD-0"),
        ("RFC9293 §3.1", '"RFC9293": write it as "RFC 9293 §3.1"'),
        ("RFC 9293 section 3.1", '"RFC 9293 section": write it as "RFC 9293 §3.1"'),
        ("RFC 9293, Section 3.1", '"RFC 9293, Section": write it as "RFC 9293 §3.1"'),
        ("RFC 9293 3.1", '"RFC 9293 3.1": write it as "RFC 9293 §3.1"'),
        ("3.1 of RFC 9293", '"3.1 of RFC 9293": write it as "RFC 9293 §3.1"'),
    ],
)
def test_wrong_citations(text: str, problem: str) -> None:
    assert [found for _, found in problems(text, TABLE, NUMBERING)] == [problem]


def test_a_bare_section_is_of_an_rfc_that_the_text_is_about() -> None:
    assert [problem for _, problem in problems("see §2.1", TABLE, NUMBERING)]
    assert not [problem for _, problem in problems("see §2.1", TABLE, NUMBERING, {6298})]


def test_the_line_is_told_and_what_is_generated_is_passed_over(project: Path) -> None:
    (project / "usertcp/tcp").mkdir()
    (project / "usertcp/tcp/b.py").write_text('x = 1\nREASONS = ["3.10", "3.99"]\n# RFC 9293 §7\n')
    (project / "docs/rfc_coverage.md").write_text("RFC 9293 §7")
    (project / "docs/other.md").write_text("\n\nRFC 9293 §7")
    (project / "tests/x.pkt").write_text("// RFC 9293 §7")
    assert list(wrong_citations(project, TABLE, NUMBERING)) == [
        "usertcp/tcp/b.py:3: RFC 9293 has no §7",
        "usertcp/tcp/b.py:2: RFC 9293 has no §3.99",
        "tests/x.pkt:1: RFC 9293 has no §7",
        "docs/other.md:3: RFC 9293 has no §7",
    ]


# -- The table of sections ---------------------------------------------------------------------------

TEXT = """\
RFC 1                 A Protocol                 May 2000

Table of Contents

   1.  Introduction ....................................... 1
   2.  The Protocol ....................................... 1
     2.1.  Segments ....................................... 2
   Appendix A.  More ...................................... 3

1.  Introduction

   The key words "MUST", "SHOULD" and "MAY" in this document are to be
   interpreted as described in [RFC2119].

   1. This is no heading, though it looks like one.
   2. Nor is this.

Somebody                     Standards Track                    [Page 1]
\x0c
RFC 1                 A Protocol                 May 2000

2.  The Protocol

   A sender MUST do this (MUST-1), and MUST do it well.  It SHALL
   NOT do that, although it is RECOMMENDED elsewhere.  This is REQUIRED.

2.1.  Segments

   (2.1.1) This rule has a number.
   It MAY do something, which must be nice.

3.  References

Appendix A.  More

A.1.  Even More
"""


def test_sections_of_a_text() -> None:
    made = from_text("A Protocol", TEXT)
    assert made.numbers == ("1", "2", "2.1", "2.1.1", "3", "A", "A.1")
    assert made.normative == {"2": {"MUST": 2, "MUST NOT": 1, "SHOULD": 1}, "2.1": {"MAY": 1}}


def test_the_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = {1: from_text("A Protocol", TEXT), 2: Sections("Another", ())}
    (tmp_path / "sections.toml").write_text(to_toml(made))
    assert load_sections(tmp_path / "sections.toml") == made


# -- The page ----------------------------------------------------------------------------------------

COVERAGE = [
    rfc(
        requirement(id="MUST-1", note="Mostly."),
        requirement(id="3.1-1", level="MUST NOT", status=Status.NOT_DONE, why="too <hard> | late", code=(), tests=()),
        requirement(id="3.1-2", level="MAY", status=Status.NOT_APPLICABLE, why="for routers", code=(), tests=()),
        asides=(Aside(sections=("4.*", "5"), why="not ours"),),
    ),
    rfc(number=6298),
]


def test_the_page_says_all_of_it() -> None:
    text = page(COVERAGE)
    assert "| [9293](#rfc-9293-a-protocol) | A protocol | 1 of 2 |  |  | 1 |" in text
    assert "| 9293 §3.1 | MUST NOT | It works. | too &lt;hard> \\| late |" in text
    code, test = "[a.py](../usertcp/a.py) `f`", "[test_a.py](../tests/test_a.py) `test_f`"
    assert f"| ✔ | 3.1, MUST-1 | MUST | It works. *Mostly.* | {code} | {test} |" in text
    assert "| – | 3.1 | MAY | It works. **Does not apply:** for routers. |  |  |" in text
    assert "| 4 and below, 5 | not ours |" in text


def test_the_badge_counts() -> None:
    assert badge(COVERAGE).startswith("**RFC coverage**: 1 of 2 MUST")
    assert "1 of the 2 requirements of 2 RFCs" in badge(COVERAGE)


def test_the_badge_stands_between_its_markers() -> None:
    assert with_badge(f"a\n{BEGIN}\nold\n{END}\nb\n", "new") == f"a\n{BEGIN}\nnew\n{END}\nb\n"
    with pytest.raises(ValueError, match=r"README\.md has no"):
        with_badge("nothing", "new")


def test_a_page_that_is_not_current_is_told(project: Path) -> None:
    (project / "README.md").write_text(f"{BEGIN}\n{badge(COVERAGE)}\n{END}\n")
    (project / "docs/rfc_coverage.md").write_text(page(COVERAGE))
    assert list(stale(project, COVERAGE)) == []
    (project / "README.md").write_text(f"{BEGIN}\nall of it\n{END}\n")
    assert list(stale(project, COVERAGE)) == ["README.md is not current: run tools/rfc_coverage"]
    (project / "docs/rfc_coverage.md").unlink()
    assert [line.partition(" ")[0] for line in stale(project, COVERAGE)] == ["docs/rfc_coverage.md", "README.md"]
