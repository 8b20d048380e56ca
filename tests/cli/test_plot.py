"""``usertcp plot`` and ``usertcp states --path``: files of events into pictures."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.observe.scenes import SCENES
from usertcp.cli import main
from usertcp.cli.plotting import plotted
from usertcp.observe.jsonl import to_line


def run(*arguments: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], prog_name="usertcp", input=given)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    file = tmp_path / "events.jsonl"
    file.write_text("".join(f"{to_line(event)}\n" for event in SCENES["sack_recovery"]()))
    return file


def test_text_goes_to_stdout(events: Path) -> None:
    shown = run("plot", events, "--width", "70")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("connection 1: usertcp 192.0.2.2:80 → peer 192.0.2.1:40000\n")
    assert max(map(len, shown.stdout.splitlines()[2:])) <= 70


def test_the_name_of_the_file_chooses_the_form(events: Path, tmp_path: Path) -> None:
    assert run("plot", events, "-o", tmp_path / "x.svg").exit_code == 0
    assert ET.parse(tmp_path / "x.svg").getroot().tag.endswith("svg")
    assert run("plot", events, "-o", tmp_path / "x.txt").exit_code == 0
    assert (tmp_path / "x.txt").read_text().startswith("connection 1")
    assert run("plot", events, "--format", "svg").stdout.startswith("<svg")


def test_the_other_direction(events: Path) -> None:
    assert "peer 192.0.2.1:40000 → usertcp" in run("plot", events, "--direction", "in").stdout


@pytest.mark.parametrize("command", [("plot",), ("states", "--path")])
def test_what_is_wrong_is_said_in_a_line(command: tuple[str, ...], tmp_path: Path, events: Path) -> None:
    for content, words in (("{}\n", "line 1: an event without a version"), ("\x1b[31m\n", "line 1: not JSON")):
        bad = tmp_path / "bad"
        bad.write_text(content)
        shown = run(*command, bad)
        assert shown.exit_code == 1
        assert words in shown.stderr
        assert shown.stderr.count("\n") == 1
        assert "\x1b" not in shown.stderr
    assert "cannot be read: No such file" in run(*command, tmp_path / "none").stderr
    missing = run(*command, events, "--conn", "9")
    assert missing.exit_code == 1
    assert "connection" in missing.stderr


def test_a_file_that_breaks_off_is_drawn_as_far_as_it_goes(tmp_path: Path, events: Path) -> None:
    short = tmp_path / "short"
    short.write_text(events.read_text()[:-30])
    shown = run("plot", short)
    assert shown.exit_code == 0
    assert "breaks off" in shown.stderr


def test_an_unwritable_file(events: Path, tmp_path: Path) -> None:
    shown = run("plot", events, "-o", tmp_path / "no" / "x.svg")
    assert (shown.exit_code, "x.svg cannot be written: No such file" in shown.stderr) == (1, True)


def test_the_way_of_a_connection(events: Path) -> None:
    shown = run("states", "--path", events)
    assert shown.exit_code == 0
    assert "┃ SYN-RECEIVED ┃" in shown.stdout
    assert "usertcp's way" in shown.stdout
    assert run("states", "--path", events, "--format", "svg").stdout.startswith("<svg")
    refused = run("states", "--path", events, "--format", "json")
    assert (refused.exit_code, "as text or svg" in refused.stderr) == (2, True)


def test_a_plot_of_nothing_is_empty_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert plotted(SCENES["closed_port"](), "x.svg") == ""
    assert "x.svg stays empty: there is no segment" in capsys.readouterr().err
    assert plotted(SCENES["bulk"](), "x.svg").startswith("<svg")
