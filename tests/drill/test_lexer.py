"""Tokens, and where they stand."""

import re

import pytest

from usertcp.drill.errors import ScriptError
from usertcp.drill.lexer import END, Lexer


def tokens(text):
    lexer, found = Lexer(text), []
    while lexer.kind != END:
        found.append((lexer.kind, lexer.text))
        lexer.take()
    return found


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("0.5 .5 -.5 5", ["fraction", "fraction", "fraction", "integer"]),
        ("0...5", ["integer", "...", "integer"]),
        ("0....5", ["integer", "...", "fraction"]),
        ("P. .5 5.", ["word", ".", "fraction", "integer", "."]),
        ("0x1F 0xZ 12ab -7", ["hexadecimal", "word", "word", "integer"]),
        ("a<<b>>c<d>e", ["word", "<<", "word", ">>", "word", "<", "word", ">", "word"]),
        ('"a\\"b" `c` %{d}%', ["string", "command", "code"]),
        ("1//2\n3/*4*/5#6", ["integer", "integer", "integer"]),
        ("--debug - -D A", ["option", "word", "-", "option", "word", "word"]),
        ("é\0", ["é", "\0"]),
        ("/* x", ["/", "*", "word"]),
    ],
)
def test_kinds(text, kinds):
    assert [kind for kind, _ in tokens(text)] == kinds


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_of_any_system(line_end):
    lexer = Lexer(f"a{line_end}{line_end}b c")
    assert lexer.line == 1
    first = lexer.start
    lexer.take()
    assert lexer.line == 3
    assert not lexer.on_line_of(first)
    assert lexer.take() == "b"
    assert (lexer.line, lexer.take(), lexer.line) == (3, "c", 3)


def test_a_pattern_of_its_own_reads_on_behind_what_it_matches():
    lexer = Lexer("fd3d::1 next")
    assert lexer.raw(re.compile(r"\d+")) is None
    match = lexer.raw(re.compile(r"[0-9a-f:]+"))
    assert match is not None
    assert match[0] == "fd3d::1"
    assert lexer.text == "next"


def test_integers_have_bounds():
    assert Lexer("0x10").integer("a number") == 16
    for text, low, high in (
        ("5", 6, None),
        ("5", 0, 4),
        ("5.0", None, None),
        ("1" * 41, None, None),
        ("x", None, None),
    ):
        with pytest.raises(ScriptError, match="expected a number"):
            Lexer(text).integer("a number", low, high)
