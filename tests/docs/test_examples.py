"""What README.md and docs/ tell a reader to type does what they say.

Commands are run with a real kernel, each in a namespace of its own.  Times, ports and the like differ from
run to run; the states that a connection goes through, and the exit status, must not.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import docs_examples
from tools.docs_examples import Example

ROOT = Path(__file__).parents[2]
PAGES = list(docs_examples.written_by_hand(ROOT))
EXAMPLES = [
    pytest.param(example, id=f"{page.name}:{example.line}")
    for page in PAGES
    for example in docs_examples.examples(page.read_text())
]
PYTHON = [
    pytest.param(block, id=f"{page.name}:{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL), 1)
]


@pytest.mark.kernel
@pytest.mark.parametrize("example", EXAMPLES)
def test_command(example: Example) -> None:
    output = docs_examples.run(example, ROOT)
    assert docs_examples.tells_the_same(example, output), "\n".join(output)
    assert not any("Traceback" in line or "command not found" in line for line in output), "\n".join(output)
    assert bool(output) == bool(example.output)


@pytest.mark.kernel
@pytest.mark.parametrize("block", PYTHON)
def test_python(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(block, "example", "exec"), {"__name__": "__main__"})
    expected = re.findall(r"# prints: (.*)$", block, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == expected


def test_a_page_is_read_command_by_command() -> None:
    page = "text\n```console\n$ one\n1\n2\n$ two \\\n> three\n\n$ four\n```\n$ no example\n```sh\n$ neither\n```\n"
    assert list(docs_examples.examples(page)) == [
        Example(3, "one", ("1", "2")),
        Example(6, "two \\\nthree", ("",)),
        Example(9, "four", ()),
    ]


def test_a_page_is_refreshed_in_place() -> None:
    page = "text\n```console\n$ echo one; echo two\nold\n$ echo \\\n> three\n$ true\nold\n```\nmore\n"
    assert docs_examples.refreshed(page, ROOT) == (
        "text\n```console\n$ echo one; echo two\none\ntwo\n$ echo \\\n> three\nthree\n$ true\n```\nmore\n"
    )


def test_the_story_is_our_states_and_the_exit_status() -> None:
    output = (
        "    5.445 LAST-ACK     ◆ CLOSE · RFC 9293 §3.10.4: we close       │",
        "                       │                                  rcv FIN ◇ TIME-WAIT",
        "exit status 7",
    )
    assert docs_examples.story(output) == ["LAST-ACK", "exit status 7"]


def test_what_tail_cuts_off_is_not_missed() -> None:
    long, short = ("1.0 ESTABLISHED  ◆ rcv ACK", "2.0 CLOSED       ◆ rcv RST"), ("2.0 CLOSED       ◆ rcv RST",)
    assert docs_examples.tells_the_same(Example(1, "x | tail -n 1", long), short)
    assert docs_examples.tells_the_same(Example(1, "x | tail -n 1", short), long)
    assert not docs_examples.tells_the_same(Example(1, "x", long), short)
    assert not docs_examples.tells_the_same(Example(1, "x | tail -n 1", long), long[:1])
    assert not docs_examples.tells_the_same(Example(1, "x | tail -n 1", long), ())
