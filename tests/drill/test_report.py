"""Outcomes as text and as JSON."""

from __future__ import annotations

import json

from usertcp.drill import report
from usertcp.drill.ignore import Ignore
from usertcp.drill.outcome import Outcome, Result

FAILED = Outcome("a\x1b.pkt", Result.FAILED, "the packet did not come", 7, "one\n  two", ["x\x1b"])


def test_json_is_one_line_with_the_promised_fields() -> None:
    line = report.to_line(FAILED, frozenset({Ignore.WINDOW}))
    assert "\n" not in line
    data = json.loads(line)
    assert data == {
        "script": "a\\x1b.pkt",
        "result": "failed",
        "reason": "the packet did not come",
        "line": 7,
        "diff": "one\n  two",
        "unseen": 0,
        "recut": 0,
        "ignored": ["window"],
    }
    assert json.loads(report.to_line(Outcome("x", Result.PASSED)))["line"] is None


def test_text() -> None:
    assert list(report.to_text(FAILED)) == [
        "failed: a\\x1b.pkt:7: the packet did not come",
        "    one",
        "      two",
        "    printed: x\\x1b",
    ]
    assert list(report.to_text(Outcome("x", Result.PASSED))) == ["passed: x"]


def test_summary_counts_and_says_what_was_not_looked_at() -> None:
    summary = report.Summary()
    summary.add(Outcome("a", Result.PASSED, unseen=2, recut=1))
    summary.add(Outcome("b", Result.PASSED))
    summary.add(Outcome("c", Result.UNSUPPORTED, "why"))
    summary.add(Outcome("d", Result.FAILED, "why", unseen=5))
    lines = list(summary.lines(frozenset({Ignore.TIMING}), "linux"))
    assert lines[0] == "4 scripts (profile linux): 2 passed, 1 failed, 1 unsupported"
    assert "2 packets after the last expectation of 1 of the passed scripts" in lines[1]
    assert lines[2].startswith("compared as parts: 1 ")
    assert lines[3].startswith("relaxed: timing: ")
    assert len(lines) == 4


def test_a_strict_run_has_nothing_to_add() -> None:
    summary = report.Summary()
    summary.add(Outcome("a", Result.PASSED))
    assert list(summary.lines(frozenset(), "usertcp")) == [
        "1 script (profile usertcp): 1 passed, 0 failed, 0 unsupported"
    ]
