from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.observe.escape import for_html, for_terminal


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("plain text, with ümläuts", "plain text, with ümläuts"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("two\r\nlines", "two\\x0d\\x0alines"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\u3164", "\\u3164"),
        (b"GET /\xff\x1b[31m", "GET /\\xff\\x1b[31m"),
    ],
)
def test_what_a_terminal_would_act_on_is_spelled_out(raw: str | bytes, safe: str) -> None:
    assert for_terminal(raw) == safe


def test_html_is_quoted() -> None:
    assert for_html("<b a='\"'>&\x1b") == "&lt;b a=&#x27;&quot;&#x27;&gt;&amp;\\x1b"


@given(st.one_of(st.text(), st.binary()))
def test_any_text_becomes_printable_and_stays_one_line(raw: str | bytes) -> None:
    safe = for_terminal(raw)
    assert safe.isprintable()
    assert for_terminal(safe) == safe
    assert not set("<>\"'") & set(for_html(raw))
