"""``usertcp ladder`` on files of events, and ``--ladder FILE``."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.observe.golden_ladders import FOLDER
from tests.observe.scenes import SCENES
from usertcp.cli import main
from usertcp.cli.picture_file import picture_file
from usertcp.observe.jsonl import to_line


def run(*arguments: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], prog_name="usertcp", input=given)


def recorded(name: str, folder: Path) -> Path:
    file = folder / "events.jsonl"
    file.write_text("".join(f"{to_line(event)}\n" for event in SCENES[name]()))
    return file


def test_what_was_recorded_is_drawn_as_if_it_were_seen(tmp_path: Path) -> None:
    events = recorded("sack_recovery", tmp_path)
    for width in (80, 160):
        shown = run("ladder", events, "--width", str(width))
        assert shown.exit_code == 0
        assert shown.stdout == (FOLDER / f"sack_recovery.{width}.txt").read_text()


def test_one_connection_of_several(tmp_path: Path) -> None:
    events = recorded("fast_open", tmp_path)
    assert run("ladder", events).stdout.count("Connection ") == 2
    shown = run("ladder", events, "--conn", "2").stdout
    assert shown.startswith("Connection 2: ")
    assert shown.count("Connection ") == 1
    missing = run("ladder", events, "--conn", "7")
    assert missing.exit_code == 1
    assert missing.stderr == "usertcp: the events tell of no connection 7; they tell of 1, 2\n"


def test_how_much_is_told(tmp_path: Path) -> None:
    events = recorded("bulk", tmp_path)
    concise = run("ladder", events).stdout
    assert "… ▶ " in concise
    assert "timer set" not in concise
    assert "… ▶ " not in run("ladder", events, "--unfold").stdout
    assert "retransmission timer set" in run("ladder", events, "-v").stdout
    absolute = run("ladder", events, "--absolute", "--width", "120").stdout
    assert "seq=3529431198 (ISN)" in absolute


def test_the_name_of_the_file_chooses_the_form(tmp_path: Path) -> None:
    events = recorded("request_and_answer", tmp_path)
    for name, start in (("x.txt", "Connection 1"), ("x.mmd", "sequenceDiagram\n"), ("x.svg", "<?xml")):
        assert run("ladder", events, "-o", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_text().startswith(start)
    ET.parse(tmp_path / "x.svg")
    assert run("ladder", events, "--format", "mermaid").stdout.startswith("sequenceDiagram\n")


@pytest.mark.parametrize("text", ["nonsense\n", '{"v":1}\n', "\x1b]0;evil\x07\n"])
def test_a_file_of_something_else_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other"
    file.write_text(text)
    shown = run("ladder", file)
    assert shown.exit_code == 1
    assert shown.stderr.count("\n") == 1
    assert "line 1" in shown.stderr
    assert "\x1b" not in shown.stderr


def test_events_come_from_stdin_and_the_form_from_an_option(tmp_path: Path) -> None:
    events = recorded("closed_port", tmp_path)
    command = [sys.executable, "-m", "usertcp", "ladder", "-"]
    done = subprocess.run(command, input=events.read_text(), capture_output=True, text=True)
    assert done.stdout == (FOLDER / "closed_port.80.txt").read_text()


def test_a_picture_is_drawn_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "count"
    with picture_file(str(path), lambda events: f"{len(list(events))} events") as sink:
        assert sink is not None
        assert path.exists()
        sink((9, 1.0, 1, ""))
    assert path.read_text() == "1 events"
    with picture_file(None, lambda events: "") as nothing:
        assert nothing is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_new_picture_is_the_sudo_user_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1234")
    monkeypatch.setenv("SUDO_GID", "1235")
    (tmp_path / "old").write_text("longer than what is drawn")
    for name in ("new", "old"):
        with picture_file(str(tmp_path / name), lambda events: "drawn"):
            pass
        assert (tmp_path / name).read_text() == "drawn"
    new, old = (tmp_path / "new").stat(), (tmp_path / "old").stat()
    assert (new.st_uid, new.st_gid, old.st_uid) == (1234, 1235, 0)


def test_a_picture_that_cannot_be_written_is_said_before_anything_happens(tmp_path: Path) -> None:
    shown = run("try", "--ladder", tmp_path / "missing" / "x.svg", "--", "true")
    assert shown.exit_code == 1
    assert shown.stderr.startswith(f"usertcp: {tmp_path}/missing/x.svg cannot be written: ")
    assert shown.stderr.count("\n") == 1


@pytest.mark.kernel
def test_a_command_s_ladder_goes_into_files(tmp_path: Path) -> None:
    picture = tmp_path / "x.svg"
    command = ["try", "--ladder", str(picture), "--", "curl", "-s", "http://192.0.2.2/", "-o", "/dev/null"]
    done = subprocess.run([sys.executable, "-m", "usertcp", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text = picture.read_text()
    ET.fromstring(text)
    assert "peer, as its kernel says" in text
    assert "LAST-ACK" in text


def test_who_reads_only_the_beginning_is_not_told_that_the_file_cannot_be_read(tmp_path: Path) -> None:
    events = recorded("bulk_on_a_lossy_path", tmp_path)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "usertcp", "ladder", "--unfold", str(events)]
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writing)
    assert done.stderr == ""


def test_an_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").touch()
    shown = run("ladder", tmp_path / "events.jsonl")
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "events.jsonl is empty" in shown.stderr
