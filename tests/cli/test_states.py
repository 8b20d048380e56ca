from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from click.testing import CliRunner

from usertcp.cli.states import states


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(states, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_text_by_default() -> None:
    text = _run()
    assert "│ SYN-RECEIVED │◀──" in text
    assert "a peer's SYN is answered with SYN,ACK" in text
    assert "stays" not in text
    assert max(map(len, text.splitlines())) <= 132


def test_all_adds_what_changes_nothing_and_what_cannot_happen() -> None:
    text = _run("--all")
    assert "stays" in text
    assert "never" in text


def test_the_other_formats() -> None:
    assert json.loads(_run("--format", "json"))["source"] == "RFC 9293"
    assert ET.fromstring(_run("--format", "svg")).tag.endswith("svg")
    assert _run("--format", "mermaid").startswith("flowchart TD\n")


@pytest.mark.parametrize("arguments", [["--format", "png"], ["extra"]])
def test_bad_usage_is_exit_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(states, arguments).exit_code == 2
