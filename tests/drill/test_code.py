"""Code blocks: a small part of Python, and nothing more."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from usertcp.drill.code import AssertionFailed, Code
from usertcp.drill.errors import Unsupported

INFO = {"tcpi_snd_cwnd": 10, "tcpi_rto": 204000, "tcpi_options": 7, "tcpi_ca_state": 0, "tcpi_state": 1}


def run(text: str, line: int = 1) -> list[str]:
    return Code().run(text, line, lambda: INFO)


def no_socket() -> Mapping[str, int]:
    raise OSError("asked for a socket")


@pytest.mark.parametrize(
    "text",
    [
        " assert tcpi_snd_cwnd == 10 ",
        "assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd",
        "assert(tcpi_snd_cwnd == 10)",
        " assert tcpi_snd_cwnd == 10; assert tcpi_rto >= 200*1000 ",
        " assert 9 < tcpi_snd_cwnd <= 10 < tcpi_rto",
        "\nassert tcpi_snd_cwnd == 10, \\\n    'cwnd=%d' % tcpi_snd_cwnd\n",
        "\n    assert tcpi_snd_cwnd == 10\n    assert tcpi_rto != 0\n  ",
        " assert tcpi_snd_cwnd == 10\n   assert tcpi_rto != 0\n",
        "if tcpi_snd_cwnd == 10:\n    assert True\nelse:\n    assert False",
        "if tcpi_snd_cwnd == 10:\nassert True",
        "assert (tcpi_snd_cwnd == 10 and\n  tcpi_rto > 5)",
        "assert tcpi_ca_state == TCP_CA_Open and tcpi_state == TCP_ESTABLISHED",
        "assert tcpi_options & (TCPI_OPT_SACK | TCPI_OPT_TIMESTAMPS) == 3",
        "assert abs(tcpi_rto - 200000) <= 4000 and min(1, 2) + max(3, 4) == 5",
        "assert not (tcpi_rto == 1 or tcpi_rto in (2, 3)) and -1 < 0 and ~0 == -1",
        "assert int(tcpi_rto / 1000) == 204 and tcpi_rto // 1000 % 10 == 4 and 1 << 3 ^ 8 == 0 and 2 ** 10 >> 1 == 512",
        "assert (1 if tcpi_rto else 2) == 1 and len([1, 2]) == 2 and (5, 6)[1] == 6 and round(2.5) == 2",
        "x = 0\nfor i in range(5):\n    x += i\nassert x == 10",
        "x = 0\nwhile True:\n    x += 1\n    if x < 5: continue\n    break\nassert x == 5",
        "for i in [1]:\n    break\nelse:\n    assert False",
        "x = y = 3\nassert x is y and None is None and 1.5 > True",
        "pass",
        "",
        "# only a comment",
    ],
)
def test_holds(text: str) -> None:
    assert run(text) == []


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("assert tcpi_snd_cwnd == 9", 7, "assertion failed: tcpi_snd_cwnd == 9 (tcpi_snd_cwnd = 10)"),
        ("assert tcpi_snd_cwnd == 9, 'cwnd'", 7, "assertion failed: tcpi_snd_cwnd == 9 (tcpi_snd_cwnd = 10): cwnd"),
        ("assert 9 > tcpi_snd_cwnd > 8, f'{tcpi_snd_cwnd:04d}'", 7, ": 0010"),
        ("\nassert True\nassert False, '%s and %d' % ('a', 5)", 9, "assertion failed: False: a and 5"),
        ("for i in range(3):\n  assert i < 2", 8, "assertion failed: i < 2 (i = 2)"),
        ("assert 1 / 0", 7, "ZeroDivisionError"),
        ("assert 'a' < 1", 7, "TypeError"),
        ("x = (1, 2)[5]", 7, "IndexError"),
        ("for i in 5: pass", 7, "TypeError"),
        ("assert int('x')", 7, "ValueError"),
        ("assert tcpi_rto == 0 and nothing", 7, "(tcpi_rto = 204000)"),
        ("if tcpi_rto == 0:\n  pass\nelse:\n  assert 0", 10, "assertion failed: 0"),
    ],
)
def test_fails_with_what_was_there(text: str, line: int, reason: str) -> None:
    with pytest.raises(AssertionFailed) as caught:
        run(text, 7)
    assert reason in caught.value.reason
    assert caught.value.line == line
    assert str(caught.value) == f"line {line}: {caught.value.reason}"


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from os import system",
        "__import__('os')",
        "exec('1')",
        "eval('1')",
        "open('/etc/passwd')",
        "(1).__class__",
        "'{0.__class__}'.format(1)",
        "x = [].append",
        "def f(): pass",
        "class C: pass",
        "lambda: 1",
        "[i for i in (1,)]",
        "{1: 2}",
        "{1, 2}",
        "(x := 3)",
        "del x",
        "global x",
        "with x: pass",
        "try:\n  pass\nexcept Exception: pass",
        "raise ValueError",
        "return 1",
        "yield 1",
        "await x",
        "print(*(1, 2))",
        "print(1, end='')",
        "(1, 2)[0:1]",
        "x, y = 1, 2",
        "x[0] = 1",
        "assert (1, 'always')",
        "assert b'a'",
        "assert 1j",
        "assert (-8) ** 0.5",
        "assert ...",
        "assert 1 @ 2",
        "assert undefined",
        "assert tcpi_no_such_field",
        "assert abs",
        "assert True\nif False:\n  import os",
        "break",
        "for i in (1,):\n  pass\nelse:\n  break",
        "not python at all",
        "assert (",
        "assert '\0'",
        "x = [[1]]",
    ],
)
def test_unsupported(text: str) -> None:
    with pytest.raises(Unsupported, match=r"line \d+: code block: .+") as caught:
        run(text, 5)
    assert 5 <= caught.value.line <= 5 + text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        "while True: pass",
        "for i in range(10**9): pass",
        "for i in range(60000):\n  for j in range(60000): pass",
        "x = 9 ** 9 ** 9",
        "x = 2 ** -(10 ** 9)",
        "x = 1 << 10 ** 12",
        "x = 'a' * 10 ** 12",
        "x = 10 ** 12 * 'a'",
        "x = [1] * 10 ** 12",
        "x = '%1000000000d' % 1",
        "x = '%*d' % (10 ** 9, 1)",
        "x = '%.100000f' % 1",
        "x = f'{1:1000000000}'",
        "x = round(5, -10 ** 12)",
        "x = 7\nfor i in range(1000): x = x * x",
        "x = 'a'\nfor i in range(1000): x = x + x",
        "x = ('a' * 1000,)\nfor i in range(9): x = x + x\ny = str(x)",
        "x = range(10 ** 100)",
        "for i in range(2000): print(i)",
        "x = " + "(" * 60 + "1" + ")" * 60 + " + 1" * 500,
        "x = " + "-" * 5000 + "1",
        "x = " + "(" * 5000 + "1" + ")" * 5000,
        "if 0: pass\n" + "elif 0: pass\n" * 2000 + "else: assert 0",
        "assert 0 and " + "-" * 900 + "1",
        "x = " + "9" * 5000,
        "#" * 100_000,
    ],
)
def test_nothing_grows_or_goes_on_forever(text: str) -> None:
    began = time.monotonic()
    with pytest.raises((Unsupported, AssertionFailed)):
        run(text)
    assert time.monotonic() - began < 5


def test_names_live_on_but_for_those_of_the_socket() -> None:
    code = Code()
    code.run("before = tcpi_rto; tcpi_rto = 1; assert tcpi_rto == 1", 1, lambda: INFO)
    code.run("assert before == 204000 and tcpi_rto == 5", 2, lambda: {"tcpi_rto": 5})


def test_printed_lines_are_handed_back_for_each_block() -> None:
    code = Code()
    assert code.run("print(tcpi_rto, 'us')\nprint()", 1, lambda: INFO) == ["204000 us", ""]
    assert code.run("print tcpi_rto", 1, lambda: INFO) == ["204000"]
    assert code.run("if True:\n  print 'a\\nb'", 1, lambda: INFO) == ["a", "b"]


def test_a_block_without_fields_needs_no_socket() -> None:
    assert Code().run("x = 3\nassert x == TCP_SYN_RECV", 1, no_socket) == []
    with pytest.raises(OSError, match="asked for a socket"):
        Code().run("assert tcpi_rto", 1, no_socket)


def test_the_socket_is_asked_once() -> None:
    asked: list[int] = []

    def fields() -> Mapping[str, int]:
        asked.append(1)
        return INFO

    Code().run("assert tcpi_rto and tcpi_snd_cwnd\nassert tcpi_rto", 1, fields)
    assert asked == [1]
